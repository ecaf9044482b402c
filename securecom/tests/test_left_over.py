"""What a killed server leaves, when the next one gets the same process number."""

from __future__ import annotations

import os
import socket
from pathlib import Path

from twisted.internet.defer import succeed
from twisted.internet.endpoints import UNIXServerEndpoint, serverFromString
from twisted.internet.protocol import Factory
from twisted.internet.testing import MemoryReactor
from twisted.python.lockfile import FilesystemLock
from twisted.scripts._twistd_unix import ServerOptions
from twisted.trial.unittest import SynchronousTestCase

from securecom import tap
from securecom.server import left_over
from securecom.server.listening import ListeningPort, socket_path

OURS, ANOTHER = os.getpid(), os.getppid()


class PidFileTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.path = Path(self.mktemp())

    def stays(self, text: str) -> bool:
        self.path.write_text(text)
        left_over.remove_pid_file(self.path)
        return self.path.exists()

    def test_only_one_with_our_own_number_goes(self) -> None:
        self.assertFalse(self.stays(str(OURS)))
        for text in (str(ANOTHER), "", "no number", f"{OURS}0"):
            self.assertTrue(self.stays(text), text)

    def test_there_is_none(self) -> None:
        left_over.remove_pid_file(self.path)

    # Promise R118
    def test_before_twistd_looks(self) -> None:
        """It takes its options first, ours with them."""
        self.path.write_text(str(OURS))
        words = ["-n", "--pidfile", str(self.path), "securecom", "--state", self.mktemp()]
        ServerOptions().parseOptions(words)
        self.assertFalse(self.path.exists())


class SocketLockTests(SynchronousTestCase):
    def setUp(self) -> None:
        folder = Path("/tmp") if len(self.mktemp()) > 60 else Path()  # a socket's name is short
        self.path = folder / f"securecom-test-{OURS}.sock"
        self.lock = self.path.with_name(self.path.name + ".lock")
        self.addCleanup(self.path.unlink, True)
        self.addCleanup(self.lock.unlink, True)

    def stays(self, number: int) -> bool:
        self.lock.unlink(True)
        self.lock.symlink_to(str(number))
        left_over.remove_socket_lock(self.path)
        return self.lock.is_symlink()

    def test_only_one_with_our_own_number_goes(self) -> None:
        self.assertFalse(self.stays(OURS))
        self.assertTrue(self.stays(ANOTHER))

    # Promise R118
    def test_twisted_takes_our_own_number_for_another_server(self) -> None:
        """Or nothing here would be needed."""
        self.lock.symlink_to(str(OURS))
        again = FilesystemLock(str(self.lock))
        self.assertFalse(again.lock())
        left_over.remove_socket_lock(self.path)
        self.assertTrue(again.lock())

    def test_a_socket_that_nobody_serves_any_more(self) -> None:
        with socket.socket(socket.AF_UNIX) as dead:
            dead.bind(str(self.path))
        self.assertFalse(self.stays(OURS))
        self.assertFalse(self.path.exists())  # or binding to it would fail

    def test_what_is_no_socket_is_left(self) -> None:
        self.path.write_text("somebody's")
        self.stays(OURS)
        self.assertEqual(self.path.read_text(), "somebody's")

    # Promise R118
    def test_one_in_another_container_stays(self) -> None:
        """It has our number, and answers."""
        with socket.socket(socket.AF_UNIX) as alive:
            alive.bind(str(self.path))
            alive.listen(1)
            self.assertTrue(self.stays(OURS))

    # Promise R118
    def test_before_listening(self) -> None:
        self.lock.symlink_to(str(OURS))
        seen: list[bool] = []
        endpoint = UNIXServerEndpoint(MemoryReactor(), str(self.path))

        def listen(_factory: object) -> object:
            seen.append(self.lock.is_symlink())
            return succeed(MemoryReactor().listenUNIX("/x", Factory()))

        self.patch(endpoint, "listen", listen)
        ListeningPort(endpoint, Factory()).privilegedStartService()
        self.assertEqual(seen, [False])

    def test_which_endpoints_have_one(self) -> None:
        reactor = MemoryReactor()
        for description in (f"unix:{self.path}", f"haproxy:unix:{self.path}"):
            self.assertEqual(socket_path(serverFromString(reactor, description)), self.path)
        for description in ("tcp:0", "haproxy:tcp:0", "tcp6:0"):
            self.assertIsNone(socket_path(serverFromString(reactor, description)))
        self.assertIsNone(socket_path(tap))  # type: ignore[arg-type]
