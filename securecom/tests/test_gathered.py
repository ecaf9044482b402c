"""Several Deferreds as one."""

from __future__ import annotations

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from securecom.server.gathered import gathered


class GatheredTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.several: list[Deferred[int]] = [Deferred() for _ in range(3)]
        self.all = gathered(self.several)

    def test_results_come_in_order(self) -> None:
        for number in (2, 0, 1):
            self.assertNoResult(self.all)
            self.several[number].callback(number)
        self.assertEqual(self.successResultOf(self.all), [0, 1, 2])

    def test_none(self) -> None:
        self.assertEqual(self.successResultOf(gathered([])), [])

    def test_the_first_failure_is_that_of_all(self) -> None:
        """As it was, and nobody is told of the others."""
        failure = Failure(KeyError("first"))
        self.several[1].errback(failure)
        self.assertIs(self.failureResultOf(self.all, KeyError).value, failure.value)
        self.several[0].errback(Failure(ValueError("later")))
        self.assertEqual(self.flushLoggedErrors(), [])
