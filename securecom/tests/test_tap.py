"""`twistd securecom`: options, one clear line for what cannot work, and the wiring."""

from __future__ import annotations

import os
import sys
from io import StringIO
from pathlib import Path
from typing import Any, cast

from twisted.application.service import IServiceMaker, MultiService
from twisted.internet import reactor
from twisted.internet.interfaces import IReactorCore
from twisted.internet.protocol import Factory
from twisted.internet.testing import MemoryReactor
from twisted.logger import capturedLogs
from twisted.plugin import IPlugin, getPlugins
from twisted.trial.unittest import SynchronousTestCase

from securecom import limits, process, tap, tls
from securecom import tap as server_main
from securecom.errors import TLSUnusable
from securecom.server.cluster import engine, joining
from securecom.server.cluster.node_service import NodeService
from securecom.server.service import Server
from securecom.server.state import open_state
from securecom.timers import Timers


class OptionsTests(SynchronousTestCase):
    """What an operator may type."""

    def parsed(self, *words: str) -> tap.Options:
        options = tap.Options()
        options.parseOptions(list(words))
        return options

    def refused(self, *words: str) -> str:
        """The line with which these options end."""
        error = self.assertRaises(SystemExit, self.parsed, *words)
        line = str(error.code)
        self.assertNotIn("\n", line)
        return line

    def test_defaults(self) -> None:
        """Loopback, the known ports, dialling on its one port."""
        options = self.parsed()
        self.assertEqual(options["standard"], "tcp:4241:interface=127.0.0.1")
        self.assertEqual(options["request"], "tcp:4243:interface=127.0.0.1")
        self.assertEqual(options["dial"], limits.DIAL_PORT)
        self.assertEqual(options["public"], [])

    def test_public(self) -> None:
        """Listens beyond loopback, under all names that were given."""
        options = self.parsed("--public", "chat.example.org", "-p", "192.0.2.7")
        self.assertEqual(options["standard"], "tcp:4241")
        self.assertEqual(options["public"], ["chat.example.org", "192.0.2.7"])

    def test_own_endpoints(self) -> None:
        options = self.parsed("--standard", "tcp6:5000", "--request", "unix:/run/r")
        self.assertEqual((options["standard"], options["request"]), ("tcp6:5000", "unix:/run/r"))

    def test_no_dial(self) -> None:
        self.assertIsNone(self.parsed("--no-dial")["dial"])

    def test_dial(self) -> None:
        self.assertEqual(self.parsed("--dial", "5242")["dial"], 5242)

    def test_state(self) -> None:
        self.assertEqual(self.parsed("--state", "/x")["state"], Path("/x"))

    def test_bad(self) -> None:
        """One line each, which says what was wrong."""
        for words, part in (
            (("--frob",), "--frob"),
            (("loose",), "'loose'"),
            (("--dial", "x"), "'x'"),
            (("--dial", "65536"), "'65536'"),
            (("--dial", "-1"), "'-1'"),
            (("--dial", "0", "--public", "chat.example.org"), "--dial 0"),
            (("--dial", "٣"), "--dial"),
            (("--switchboard", "redis://h", "--request-port", "x"), "--request-port"),
            (("--switchboard", "redis://h", "--standard", "tcp:1"), "--request-port"),
        ):
            self.assertIn(part, self.refused(*words))

    def test_what_only_a_node_among_others_can_be_told(self) -> None:
        for option in tap._OF_NODES:
            self.assertIn("--switchboard", self.refused(f"--{option}", "1"))

    def test_a_node_with_one_of_the_channels(self) -> None:
        """The one that it is told; with neither, or without other nodes, it has both."""
        shared = ("--switchboard", "redis://h")
        for words, channels in (
            (("--standard", "tcp:1", "--request-port", "4243"), ("tcp:1", None)),
            (("--request", "tcp:2"), (None, "tcp:2")),
            (("--standard", "tcp:1", "--request", "tcp:2"), ("tcp:1", "tcp:2")),
            ((), ("tcp:4241:interface=127.0.0.1", "tcp:4243:interface=127.0.0.1")),
        ):
            options = self.parsed(*shared, *words)
            self.assertEqual((options["standard"], options["request"]), channels, words)
        alone = self.parsed("--request", "tcp:2")
        self.assertEqual(alone["standard"], "tcp:4241:interface=127.0.0.1")


class MakeServiceTests(SynchronousTestCase):
    """From options to a service, without starting it."""

    def setUp(self) -> None:
        self.patch(tap, "steady_reactor", lambda: reactor)  # trial's own keeps its clock
        self.patch(tap, "on_signal", lambda *_: None)  # this process keeps its own handlers

    def make(self, *words: str) -> Server:
        options = tap.Options()
        self.state = self.mktemp()
        options.parseOptions(["--state", self.state, *words])
        return cast(Server, tap.makeService(options))

    def test_server(self) -> None:
        service = self.make()
        self.assertIsInstance(service, Server)
        self.assertIsInstance(service, MultiService)
        self.assertIsInstance(service.reception.clock, Timers)

    def test_a_node(self) -> None:
        """It is put together from what was chosen, and becomes a part of the server."""
        chosen: list[joining.ChosenNode] = []
        real = joining.node_service

        def noted(choice: joining.ChosenNode, *rest: Any) -> Any:
            chosen.append(choice)
            return real(choice, *rest)

        self.patch(joining, "node_service", noted)
        words = ("--node", "tcp:5000", "--node-address", "10.0.0.1")
        service = self.make("--switchboard", "redis://h", "--request", "tcp:2", *words)
        [choice] = chosen
        self.assertEqual((choice.url, choice.host), ("redis://h", "10.0.0.1"))
        self.assertTrue(any(isinstance(one, NodeService) for one in service))
        self.assertTrue(service.reception.switchboard.has_others)  # type: ignore[attr-defined]

    def test_a_node_without_the_packages_for_it(self) -> None:
        """The line says what to install."""
        names = ("txredisapi", joining.__name__, engine.__name__)
        loaded = {name: sys.modules.pop(name) for name in names}
        self.addCleanup(sys.modules.update, loaded)
        sys.modules["txredisapi"] = None  # type: ignore[assignment]
        error = self.assertRaises(SystemExit, self.make, "--switchboard", "redis://h")
        self.assertIn("pip install 'securecom-chat[cluster]'", str(error))

    def test_an_engine_that_cannot_be(self) -> None:
        error = self.assertRaises(SystemExit, self.make, "--switchboard", "http://h")
        self.assertIn("http://h", str(error))

    def test_bad_endpoints(self) -> None:
        """Whatever Twisted raises for them."""
        for description in ("frob:1", "tcp:x", "tcp", "", "systemd:domain=INET:index=9"):
            for option in ("--standard", "--request"):
                error = self.assertRaises(SystemExit, self.make, option, description)
                self.assertIn(f"{option} {description!r}", str(error.code))

    def listens(self, description: str) -> tuple[MemoryReactor, Any]:
        """Where a server with this endpoint listens."""
        reactor = MemoryReactor()
        made = tap.endpoint(cast(IReactorCore, reactor), "standard", description)
        self.successResultOf(made.listen(Factory()))
        [[port]] = [ports for ports in (reactor.tcpServers, reactor.unixServers) if ports]
        return reactor, port

    # Promise R29
    def test_the_kernel_keeps_a_crowd_until_it_is_accepted(self) -> None:
        """Twisted's own 50 are full when a server comes back, and who is dropped waits a second."""
        for description, where in (
            ("tcp:4241", 2),
            ("tcp:4241:interface=127.0.0.1", 2),
            ("tcp:4241:127.0.0.1", 2),
            ("tcp6:4241:interface=\\:\\:1", 2),
            ("haproxy:tcp:4241", 2),
            ("haproxy:tcp6:4241", 2),
        ):
            _, port = self.listens(description)
            self.assertEqual((port[0], port[where]), (4241, limits.LISTEN_BACKLOG), description)
        for description in ("unix:/run/x", "unix:/run/x:mode=660", "haproxy:unix:/run/x"):
            _, port = self.listens(description)
            self.assertEqual((port[0], port[2]), ("/run/x", limits.LISTEN_BACKLOG), description)

    # Promise R29
    def test_a_backlog_that_the_operator_gives_stays(self) -> None:
        for description in ("tcp:4241:backlog=7", "haproxy:tcp:4241:backlog=7", "tcp:4241::7"):
            _, port = self.listens(description)
            self.assertEqual(port[2], 7, description)

    # Promise R117
    def test_an_endpoint_that_ends_tls_is_refused(self) -> None:
        """Clients show certificates, which would end there."""
        for description in ("ssl:4241", "haproxy:ssl:4241:privateKey=x", "SSL:1", "tls:1"):
            error = self.assertRaises(SystemExit, self.make, "--standard", description)
            self.assertIn("end TLS in front of securecom", str(error.code))
            self.assertNotIn("\n", str(error.code))

    def test_damaged_state(self) -> None:
        """Refused in one line, and left as it is."""
        self.make()._state.close()
        folder = Path(self.state)
        victim = next(folder.rglob("ca.pem"))
        victim.write_bytes(b"damage")
        options = tap.Options()
        options.parseOptions(["--state", self.state])
        error = self.assertRaises(SystemExit, tap.makeService, options)
        self.assertIn("SC-110", str(error.code))
        self.assertEqual(victim.read_bytes(), b"damage")

    # Promise R124
    def test_an_empty_folder_is_no_new_server_if_so_asked(self) -> None:
        """A disk that was not mounted: nothing is made in its place."""
        error = self.assertRaises(SystemExit, self.make, "--no-init")
        self.assertIn("SC-113", str(error.code))
        self.assertIn("without --no-init", str(error.code))
        self.assertFalse(Path(self.state).exists())
        Path(self.state).mkdir()
        options = tap.Options()
        options.parseOptions(["--state", self.state, "--no-init"])
        self.assertRaises(SystemExit, tap.makeService, options)
        self.assertEqual(list(Path(self.state).iterdir()), [])

    # Promise R124
    def test_and_a_server_that_is_there_starts_all_the_same(self) -> None:
        self.make()._state.close()
        options = tap.Options()
        options.parseOptions(["--state", self.state, "--no-init"])
        self.assertIsInstance(tap.makeService(options), Server)

    # Promise R124
    def test_the_unit_asks_for_it(self) -> None:
        unit = Path(__file__).parents[2] / "etc" / "securecom.service"
        self.assertRegex(unit.read_text(), r"\nExecStart=.* securecom .*--no-init")

    def test_the_units_ask_for_huge_pages(self) -> None:
        units = list((Path(__file__).parents[2] / "etc").glob("*.service"))
        self.assertEqual(len(units), 2)
        for unit in units:
            self.assertIn("\nEnvironment=GLIBC_TUNABLES=glibc.malloc.hugetlb=1\n", unit.read_text())

    def test_an_openssl_that_cannot_choose(self) -> None:
        def refuse() -> None:
            raise TLSUnusable("no such group")

        self.patch(tls, "check_openssl", refuse)
        error = self.assertRaises(SystemExit, self.make)
        self.assertIn("SC-114", str(error.code))
        self.assertFalse(Path(self.state).exists())

    def test_bad_public_host(self) -> None:
        error = self.assertRaises(SystemExit, self.make, "--public", "no host")
        self.assertIn("SC-", str(error.code))


class EndingTests(SynchronousTestCase):
    """A server that cannot go on: exit code 1, one line, no stale file."""

    def ending(self, child: tap.LineOfChild | None = None) -> tap.ServerExit:
        self.pid_file = Path(self.mktemp())
        self.pid_file.write_text("1")
        self.reactor = MemoryReactor()
        return tap.ServerExit(self.reactor, child, str(self.pid_file))

    def test_while_starting(self) -> None:
        ending = self.ending()
        error = self.assertRaises(SystemExit, ending.while_starting, "no port")
        self.assertEqual(error.code, "securecom: no port")
        self.assertFalse(self.pid_file.exists())

    # Promise R125
    def test_while_starting_in_the_background(self) -> None:
        """Twistd's parent process waits for an ordinary exception, and would wait for ever."""
        errors = StringIO()
        child = tap.LineOfChild(errors)
        ending = self.ending(child)
        why = "no port " + "x" * 300
        error = self.assertRaises(RuntimeError, ending.while_starting, why)
        self.assertIn("no port", str(error))
        child.write("An error has occurred: b'RuntimeError: securecom: no po'\nPlease look at log")
        self.assertEqual(errors.getvalue(), f"securecom: {why}\n")

    # Promise R125
    def test_in_the_background_what_is_not_ours_is_twistds(self) -> None:
        errors = StringIO()
        child = tap.LineOfChild(errors)
        child.write("An error has occurred: b'OSError'")
        child.flush()
        self.assertEqual(errors.getvalue(), "An error has occurred: b'OSError'")

    def test_later(self) -> None:
        """The reactor is stopped, and the process leaves with an error after that."""
        codes: list[int] = []
        self.patch(os, "_exit", codes.append)
        with capturedLogs() as logs:
            self.ending().later("no disk")
        self.assertEqual(logs[0]["why"], "no disk")
        [stop] = self.reactor.whenRunningHooks
        self.assertEqual(stop[0], self.reactor.stop)
        [(call, arguments, _)] = self.reactor.triggers["after"]["shutdown"]
        self.assertEqual(codes, [])
        call(*arguments)
        self.assertEqual(codes, [1])
        self.assertFalse(self.pid_file.exists())

    def test_without_a_pid_file(self) -> None:
        ending = tap.ServerExit(MemoryReactor(), None, None)
        self.assertRaises(SystemExit, ending.while_starting, "x")


class AnnouncementTests(SynchronousTestCase):
    """What the operator reads when the server is open."""

    def setUp(self) -> None:
        self.rare: list[int] = []
        self.patch(process, "look_for_garbage_less_often", self.rare.append)

    def lines(self, *words: str, users: int = 3) -> str:
        options = tap.Options()
        options.parseOptions(list(words))
        self.state = open_state(Path(self.mktemp()), options["public"], 1_800_000_000.0)
        self.addCleanup(self.state.close)
        announcement = tap._Announcement(self.state, options, 65536)
        announcement(5001, 5002, users)
        return "\n".join(announcement.lines(5001, 5002, users))

    def test_from_then_on_garbage_is_looked_for_less_often(self) -> None:
        """Not before: all of the program has been imported now."""
        self.lines()
        self.assertEqual(self.rare, [limits.NEW_OBJECTS])

    def test_all_there(self) -> None:
        text = self.lines()
        for part in (self.state.fingerprint, "5001", "5002", "users: 3", "this machine only"):
            self.assertIn(part, text)

    # Promise R68
    def test_what_to_type_next_while_nobody_is_enrolled(self) -> None:
        text = self.lines(users=0)
        self.assertIn(f"next: securecom-admin --state {self.state.path} invite NAME", text)
        self.assertNotIn("next:", self.lines(users=1))

    # Promise R21
    def test_room_for_people(self) -> None:
        """Two files each, and some aside; a warning when there are fewer than people may be."""
        state = open_state(Path(self.mktemp()), [], 1_800_000_000.0)
        self.addCleanup(state.close)
        for files, people in ((1024, 448), (65_536, limits.MAX_SESSIONS), (64, 0)):
            said = tap._Announcement(state, tap.Options(), files)
            self.assertEqual(said.people, people)
            self.assertEqual(len(said.warnings()), people < limits.MAX_SESSIONS)
            for line in said.warnings():
                self.assertIn(f"{files} files", line)
                self.assertIn("LimitNOFILE=", line)
        self.assertIn(f"room for {limits.MAX_SESSIONS} people", self.lines())

    def test_public(self) -> None:
        self.assertIn("for chat.example.org", self.lines("--public", "chat.example.org"))

    def test_ports_are_remembered(self) -> None:
        """For the links of invitations."""
        self.lines()
        self.assertEqual(self.state.settings.standard_port, 5001)

    def test_default_folder_needs_no_option(self) -> None:
        folder = self.mktemp()
        self.patch(tap, "default_state_folder", lambda: Path(folder).resolve())
        options = tap.Options()
        options.parseOptions([])
        state = open_state(options["state"], [], 1_800_000_000.0)
        self.addCleanup(state.close)
        lines = tap._Announcement(state, options, 65536).lines(1, 2, 0)
        self.assertEqual(lines[-1], "next: securecom-admin invite NAME")


class PluginTests(SynchronousTestCase):
    """twistd finds the server, and importing the plugin imports nothing of it."""

    def test_found(self) -> None:
        import twisted.plugins

        makers = {maker.tapname: maker for maker in getPlugins(IServiceMaker, twisted.plugins)}
        maker = makers["securecom"]
        self.assertTrue(IPlugin.providedBy(maker))
        self.assertEqual(getattr(maker, "module", ""), "securecom.tap")

    def test_own_command(self) -> None:
        """`securecom-server` is twistd in the foreground."""
        ran: list[list[str]] = []
        self.patch(sys, "argv", ["securecom-server", "--no-dial"])
        self.patch(server_main, "run", lambda: ran.append(list(sys.argv)))
        server_main.main()
        words = ["securecom-server", "--nodaemon", "--pidfile=", "securecom", "--no-dial"]
        self.assertEqual(ran, [words])

    def test_help_lists_every_option(self) -> None:
        self.patch(sys, "stdout", out := StringIO())
        self.assertRaises(SystemExit, tap.Options().parseOptions, ["--help"])
        for option in ("standard", "public", "state", "no-dial", "log-level", "log-addresses"):
            self.assertIn(f"--{option}", out.getvalue())
