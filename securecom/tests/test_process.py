"""How many files a process may open, and when it looks for garbage."""

from __future__ import annotations

import gc
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


class GarbageTests(SynchronousTestCase):
    """This process keeps its own thresholds."""

    def test_what_is_there_is_left_alone_and_new_objects_are_looked_at_less_often(self) -> None:
        done: list[object] = []
        self.patch(gc, "collect", lambda: done.append("collect"))
        self.patch(gc, "freeze", lambda: done.append("freeze"))
        self.patch(gc, "get_threshold", lambda: (700, 10, 11))
        self.patch(gc, "set_threshold", lambda *which: done.append(which))
        process.look_for_garbage_less_often(5000)
        self.assertEqual(done, ["collect", "freeze", (5000, 10, 11)])
