"""Processes that the nursery forks are like those that are started by themselves."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from unittest import SkipTest

from twisted.trial.unittest import TestCase

from tests.support import nursery
from tests.support.processes import Process, environment
from tests.support.programs import CLIENT
from tests.support.system_case import SystemCase

FRESH = {1: "r", 2: "r", 0: "w"}  # the same descriptors, but chosen: such a process is not forked


class RaisedTests(SystemCase):
    async def test_arguments_folder_and_exit_code(self) -> None:
        for words in (("--version",), ("--no-such-option",), ("--profiles", "--data-dir", "here")):
            raised = await self.finished(*CLIENT, *words, folder=self.home)
            fresh = await self.finished(*CLIENT, *words, folder=self.home, files=FRESH)
            self.assertIsInstance(raised._process, nursery.Raised)
            self.assertNotIsInstance(fresh._process, nursery.Raised)
            self.assertEqual(raised.exit_code, fresh.exit_code)
            self.assertEqual(raised.output, fresh.output)
            self.assertEqual(raised.errors, fresh.errors)

    async def test_it_is_our_child_and_a_signal_ends_it(self) -> None:
        server = await self.server()
        self.assertIsInstance(server._process, nursery.Raised)
        parent = Path(f"/proc/{server.pid}/stat").read_text().rpartition(")")[2].split()[1]
        self.assertEqual(int(parent), os.getpid())
        server.signal(signal.SIGKILL)
        self.assertEqual(await server.ended(), -signal.SIGKILL)

    async def test_it_has_no_descriptors_of_ours(self) -> None:
        alice = await self.client("alice", await self.server()).online()
        self.assertIsInstance(alice._process, nursery.Raised)
        open_files = Path(f"/proc/{alice.pid}/fd")
        if not os.access(open_files, os.R_OK):
            raise SkipTest("only root can look into a process that lets nobody read its memory")
        sockets = [os.readlink(one) for one in open_files.iterdir() if int(one.name) < 3]
        self.assertTrue(all(where.startswith("pipe:") for where in sockets), sockets)
        ours = {os.readlink(one) for one in Path("/proc/self/fd").iterdir() if one.exists()}
        theirs = {os.readlink(one) for one in open_files.iterdir()}
        self.assertEqual({one for one in ours & theirs if one.startswith("socket:")}, set())


class ChoiceTests(TestCase):
    def test_what_a_fork_would_change_is_started_by_itself(self) -> None:
        usual = environment(Path())
        self.assertTrue(nursery.can_raise(list(CLIENT), usual, usual))
        for name in ("OPENSSL_CONF", "PYTHONUNBUFFERED", "LC_ALL", "LANG", "LD_PRELOAD"):
            self.assertFalse(nursery.can_raise(list(CLIENT), {**usual, name: "x"}, usual), name)
        for argv in ([sys.executable, "-c", "1"], [sys.executable, "-m", "pip"], ["/bin/sh"]):
            self.assertFalse(nursery.can_raise(argv, usual, usual), argv)

    async def test_no_module_of_ours_is_imported_before_the_fork(self) -> None:
        """The nursery refuses to serve then."""
        program = (
            "import sys; from tests.support import nursery as it; it._PACKAGES = ['securecom.tls'];"
            "sys.argv[1:] = ['0']; it.socket.socket = lambda **_: None; it._main()"
        )
        done = Process([sys.executable, "-c", program], environment(Path(self.mktemp())))
        self.addCleanup(done.kill)
        self.assertEqual(await done.ended(), 1)
        self.assertIn("securecom.tls", done.errors)
