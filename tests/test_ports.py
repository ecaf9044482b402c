"""A port that a test has for itself: nobody else gets it, and the test may listen there again."""

from __future__ import annotations

import errno
import socket
import struct

from twisted.trial.unittest import SkipTest, TestCase

from tests.support.intermediaries import HOST, RELAY_HOST
from tests.support.ports import OwnPort

#: Linux 6.3 and later: which ports a socket may be given (ip(7)). Python does not know it yet.
IP_LOCAL_PORT_RANGE = 51


class OwnPortTests(TestCase):
    def setUp(self) -> None:
        self.own = OwnPort()
        self.addCleanup(self.own.release)

    def made(self) -> socket.socket:
        made = socket.socket()
        self.addCleanup(made.close)
        return made

    def given_this_or_none(self) -> socket.socket:
        """A socket that can be given no other port than our own."""
        made, only = self.made(), self.own.number
        try:
            made.setsockopt(
                socket.IPPROTO_IP, IP_LOCAL_PORT_RANGE, struct.pack("I", only << 16 | only)
            )
        except OSError as error:
            raise SkipTest("only Linux 6.3 can be asked for one port") from error
        return made

    def server(self, host: str, port: int) -> socket.socket:
        made = self.made()
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.bind((host, port))
        made.listen()
        return made

    def test_whoever_asks_for_any_port_does_not_get_it(self) -> None:
        for host in (HOST, RELAY_HOST, ""):
            for reuses in (0, 1):
                other = self.given_this_or_none()
                other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, reuses)
                refusal = self.assertRaises(OSError, other.bind, (host, 0))
                self.assertEqual(refusal.errno, errno.EADDRINUSE, (host, reuses))

    def test_no_connection_goes_out_from_it(self) -> None:
        there = self.server(HOST, 0).getsockname()
        other = self.given_this_or_none()
        refusal = self.assertRaises(OSError, other.connect, there)
        self.assertEqual(refusal.errno, errno.EADDRNOTAVAIL)

    def test_whoever_names_it_listens_there_again_and_again(self) -> None:
        self.server(RELAY_HOST, self.own.number)
        for _ in range(2):
            listening = self.server(HOST, self.own.number)
            with socket.create_connection((HOST, self.own.number)) as client:
                taken, _ = listening.accept()
                taken.close()  # the server's side first, which leaves it in TIME_WAIT
                self.assertEqual(client.recv(1), b"")
            listening.close()
