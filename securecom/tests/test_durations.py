"""Spans of time."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from securecom.client.terms import duration


class DurationTests(SynchronousTestCase):
    def test_as_people_say_it(self) -> None:
        told = {0: "0 s", 119: "119 s", 120: "2 min", 121: "3 min", 3540: "59 min"}
        told |= {3541: "1 h", 3600: "1 h", 5400: "1 h 30 min", 86_400: "24 h"}
        for seconds, text in told.items():
            self.assertEqual(duration(seconds), text)
