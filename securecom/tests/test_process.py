"""Core dumps and open files: what a process asks of its system."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from pathlib import Path
from unittest import skipUnless

from twisted.trial.unittest import SynchronousTestCase

from securecom import process

#: Prints the limit of core dumps, and whether the system would dump this process (prctl(2): 3).
LOOK = """
import ctypes, resource, sys
sys.stdout.write(f"{resource.getrlimit(resource.RLIMIT_CORE)} {ctypes.CDLL(None).prctl(3)}")
sys.stdout.flush()
"""
NOT_DUMPED = "(0, 0) 0"


@skipUnless(sys.platform == "linux", "prctl is Linux's")
class CoreDumpTests(SynchronousTestCase):
    """Each program looks at itself where it would ask for a pass phrase or read the CA's key."""

    def seen_by(self, program: str) -> str:
        env = {**os.environ, "HOME": self.mktemp(), "SECURECOM_STATE": self.mktemp()}
        done = subprocess.run(
            [sys.executable, "-c", program], env=env, capture_output=True, text=True, check=False
        )
        return done.stdout

    def test_by_itself_a_process_is_dumped(self) -> None:
        """Or the tests below would show nothing."""
        self.assertTrue(self.seen_by(LOOK).endswith(" 1"))

    def test_the_client(self) -> None:
        told = self.seen_by(
            "from securecom.client import __main__ as it\n"
            f"it.parser = lambda: exec({LOOK!r})\n"
            "it.main([])"
        )
        self.assertEqual(told, NOT_DUMPED)

    def test_the_process_that_encrypts_a_backup(self) -> None:
        told = self.seen_by(
            "from types import SimpleNamespace as S\n"
            "import sys\n"
            "from securecom.client.program import sealing as it\n"
            "sys.stdin = S(buffer=S(read=lambda: bytes(4)))\n"
            f"def seal(data, phrase):\n exec({LOOK!r})\n return b''\n"
            "it.seal = seal\n"
            "it.main()"
        )
        self.assertEqual(told, NOT_DUMPED)

    def test_the_server(self) -> None:
        told = self.seen_by(
            "from securecom import tap as it\n"
            f"it.open_state = lambda *_: exec({LOOK!r})\n"
            "options = it.Options()\n"
            "options.parseOptions([])\n"
            "it.makeService(options)"
        )
        self.assertEqual(told, NOT_DUMPED)

    def test_the_admin_command(self) -> None:
        told = self.seen_by(
            "from securecom.admin import __main__ as it\n"
            f"it.run = lambda *_: exec({LOOK!r})\n"
            "it.main([])"
        )
        self.assertEqual(told, NOT_DUMPED)

    def test_the_unit(self) -> None:
        unit = Path(__file__).parents[2] / "etc" / "securecom.service"
        self.assertIn("\nLimitCORE=0\n", unit.read_text())


class FileLimitTests(SynchronousTestCase):
    """The system's limits are patched: this process keeps its own."""

    def setUp(self) -> None:
        self.limits = (1024, 65_536)
        self.patch(resource, "getrlimit", lambda _: self.limits)
        self.patch(resource, "setrlimit", self.set)

    def set(self, which: int, wanted: tuple[int, int]) -> None:
        self.assertEqual(which, resource.RLIMIT_NOFILE)
        self.limits = wanted

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
