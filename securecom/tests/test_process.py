"""How many files a process may open."""

from __future__ import annotations

import resource
import sys

from twisted.trial.unittest import SynchronousTestCase

from securecom import process


class FileLimitTests(SynchronousTestCase):
    """The system's limits are patched: this process keeps its own."""

    def setUp(self) -> None:
        self.limits = (1024, 65_536)
        self.patch(resource, "getrlimit", lambda _: self.limits)
        self.patch(resource, "setrlimit", self.set)

    def set(self, which: int, wanted: tuple[int, int]) -> None:
        self.assertEqual(which, resource.RLIMIT_NOFILE)
        self.limits = wanted

    # Promise R21
    def test_up_to_the_hard_limit(self) -> None:
        self.assertEqual(process.raise_file_limit(), 65_536)
        self.assertEqual(self.limits, (65_536, 65_536))

    def test_a_system_that_refuses(self) -> None:
        def refuse(*_: object) -> None:
            raise ValueError("not allowed to raise maximum limit")

        self.patch(resource, "setrlimit", refuse)
        self.assertEqual(process.raise_file_limit(), 1024)

    def test_no_limit_at_all(self) -> None:
        self.limits = (1024, resource.RLIM_INFINITY)
        self.assertEqual(process.raise_file_limit(), sys.maxsize)
