"""The server as a program: first and later starts, bad options, damaged state, the background."""

from __future__ import annotations

import os
import re
import signal
import sys
from collections.abc import Callable
from importlib import metadata
from pathlib import Path

from twisted.internet.task import deferLater
from twisted.trial.unittest import SkipTest

from securecom.tests.support.joined_connections import PlainTLS
from tests.support.intermediaries import Stranger, connect, soon
from tests.support.processes import DEADLINE, Process, environment, reactor
from tests.support.programs import ADMIN, TWISTD
from tests.support.shortened import SOON
from tests.support.system_case import SystemCase

LOOPBACK = "tcp:0:interface=127.0.0.1"
SERVER_COMMAND = (sys.executable, "-c", "from securecom.tap import main; main()")


class StartTests(SystemCase):
    async def prepare(self) -> None:
        """Each test makes its own state."""

    async def test_a_later_start_says_the_same_and_changes_nothing(self) -> None:
        first = await self.server()
        (link,) = await self.invite("alice")
        alice = await self.enrolling(link, "alice").online()
        alice.send("exit")
        await alice.ended()
        self.assertEqual(await first.stop(), -signal.SIGTERM)  # twistd ends by it
        before = self._files()
        second = await self.server(*self.ports_of(first))
        self.assertEqual(second.fingerprint, first.fingerprint)
        self.assertEqual(self._told(first), self._told(second))
        self.assertIn("users: 1", second.output)
        await second.stop()
        self.assertEqual(self._files(), before)
        self.assertEqual((await self.admin("fingerprint")).strip(), first.fingerprint)

    async def test_only_the_owner_can_read_the_state(self) -> None:
        await self.server()
        await self.invite("alice")
        for path in (self.home / "state").rglob("*"):
            mode = path.stat().st_mode & 0o777
            self.assertEqual(mode, 0o700 if path.is_dir() else 0o600, path)

    async def test_damaged_state(self) -> None:
        await (await self.server()).stop()
        whole = self.home / "state" / "server"
        for name in ("ca.pem", "server.pem", "registry.sqlite", "settings.json"):
            data = (whole / name).read_bytes()
            for damage in (b"", data[: len(data) // 2]):
                (whole / name).write_bytes(damage)
                before = self._files()
                await self._fails("SC-11", name)
                self.assertEqual(self._files(), before, name)
            (whole / name).unlink()
            before = self._files()
            await self._fails("SC-11", name)
            self.assertEqual(self._files(), before, name)
            (whole / name).write_bytes(data)
            (whole / name).chmod(0o600)
        await self.server()

    async def test_a_folder_of_somebody_else(self) -> None:
        folder = self.home / "state"
        folder.mkdir()
        (folder / "holiday.jpg").write_bytes(b"beach")
        await self._fails("SC-110")
        self.assertEqual([path.name for path in folder.iterdir()], ["holiday.jpg"])

    async def test_a_first_start_that_was_cut_short(self) -> None:
        folder = self.home / "state"
        (folder / ".new-abc").mkdir(parents=True)
        (folder / ".new-abc" / "ca.pem").write_bytes(b"half")
        await self.server()
        self.assertFalse((folder / ".new-abc").exists())

    async def test_two_servers_on_one_state(self) -> None:
        first = await self.server()
        await self._fails("SC-111")
        self.assertIsNone(first.exit_code)
        await first.stop()
        await self.server()  # the lock went with it

    async def test_a_port_that_is_taken(self) -> None:
        first = await self.server()
        taken = f"tcp:{first.standard}:interface=127.0.0.1"
        other = self.home / "other"
        for option in ("--standard", "--request"):
            late = self.start_server(option, taken, state=other)
            self.assertEqual(await late.ended(), 1)
            (line,) = re.findall("securecom: .*", late.output + late.errors)  # its log has begun
            self.assertIn(str(first.standard), line)
            self.assertNotIn("Traceback", late.output + late.errors)

    async def test_bad_options(self) -> None:
        mistakes: tuple[tuple[str, ...], ...] = (
            ("--frobnicate",),
            ("extra",),
            ("--standard", "nonsense:1"),
            ("--standard", "tcp:many"),
            ("--request", "systemd:domain=INET:index=0"),
            ("--dial", "many"),
            ("--dial", "70000"),
            ("--public", "not a host"),
            ("--state", "/dev/null/state"),
        )
        start = (*TWISTD, "-n", "--pidfile=", "securecom")
        for bad in [self.run_process(*start, *options) for options in mistakes]:
            self.assertEqual(await bad.ended(), 1, str(bad))
            self._is_one_line(bad, "")
        self.assertEqual(list(self.home.iterdir()), [])

    async def test_the_other_command(self) -> None:
        server = await self.server(command=SERVER_COMMAND)
        (link,) = await self.invite("alice")
        alice = await self.enrolling(link, "alice").online()
        self.assertEqual(alice.told("online")[0]["server"], server.fingerprint)
        self.assertEqual(await server.stop(), -signal.SIGTERM)

    async def test_the_lean_reactor(self) -> None:
        lean = (*TWISTD, "--reactor=securecom", "-n", "--pidfile=", "securecom")
        server = await self.server(command=lean)
        self.assertIn("securecom.transport.reactor.LeanReactor", server.output)
        names = ("alice", "bob")
        for name in names:
            (link,) = await self.invite(name)
            client = await self.enrolling(link, name).online()
            client.send("exit")
            await client.ended()
        alice, bob = await self.clients(server, *names)
        await self.chat(alice, bob, "bob", "alice")
        await self.say(alice, bob, "as ever")
        await self.say(bob, alice, "x" * 5000)
        await self.admin("disable", "alice")
        self.assertEqual(await alice.ended(), 5)
        await bob.event("chat-over")
        self.assertEqual(await server.stop(), -signal.SIGTERM)

    async def test_the_plugin_is_seen_from_elsewhere(self) -> None:
        told = await self.finished(*TWISTD, "--help", folder=self.home)
        self.assertRegex(told.output, r"(?m)^ +securecom ")
        more = await self.finished(*TWISTD, "securecom", "--help", folder=self.home)
        self.assertIn("--public", more.output)

    async def test_the_plugin_is_seen_as_installed(self) -> None:
        """Nothing but the installation tells where it is: an editable one too must be found."""
        try:
            metadata.distribution("securecom-chat")
        except metadata.PackageNotFoundError as error:
            raise SkipTest("securecom is not installed here") from error
        env = environment(self.home)
        del env["PYTHONPATH"]
        told = await self.finished(*TWISTD, "--help", folder=self.home, env=env)
        self.assertRegex(told.output, r"(?m)^ +securecom ")
        for command in ("securecom", "securecom-admin", "securecom-server"):
            there = str(Path(sys.executable).with_name(command))
            self.assertEqual((await self.finished(there, "--help", env=env)).exit_code, 0)

    async def test_admin_without_a_server(self) -> None:
        told = await self.finished(*ADMIN, "--state", str(self.home / "state"), "users")
        self.assertEqual(told.exit_code, 1)
        self.assertIn("SC-113", told.errors)
        self.assertFalse((self.home / "state").exists())

    # --- helpers ----------------------------------------------------------------------------

    def _files(self) -> dict[str, bytes]:
        """The state, but for what SQLite may tidy up by itself."""
        files = (path for path in (self.home / "state").rglob("*") if path.is_file())
        passing = (".sqlite-wal", ".sqlite-shm")
        return {str(path): path.read_bytes() for path in files if path.suffix not in passing}

    @staticmethod
    def _told(server: Process) -> list[str]:
        """What it says of itself, without times, users, and what to type while there are none."""
        lines = re.findall(r"securecom\.tap#info\] (.*)", server.output)
        return [line for line in lines if not line.startswith(("users:", "next:"))]

    async def _fails(self, code: str, why: str = "") -> None:
        server = self.start_server()
        self.assertEqual(await server.ended(), 1, f"{why}\n{server}")
        self._is_one_line(server, code)

    def _is_one_line(self, process: Process, part: str) -> None:
        """One line of ours, and no traceback; twistd's own log goes to standard output."""
        (line,) = process.errors.splitlines()
        self.assertTrue(line.startswith("securecom: "), line)
        self.assertIn(part, line)
        self.assertNotIn("Traceback", process.output)


class BackgroundTests(SystemCase):
    """twistd without -n: it forks, writes its log to a file and its number to another."""

    # Promise R121
    async def test_in_the_background(self) -> None:
        pid_file, log = self.home / "twistd.pid", self.home / "twistd.log"
        options = ("--pidfile", str(pid_file), "--logfile", str(log), "securecom")
        where = ("--standard", LOOPBACK, "--request", LOOPBACK, "--state", str(self.home / "state"))
        self.addCleanup(self._end, pid_file)
        parent = await self.finished(*TWISTD, *options, *where)
        self.assertEqual(parent.exit_code, 0, str(parent))
        port = await self._port(log)
        self.point("alice", port)
        self.point("bob", port)
        bob = await self.client("bob", None, "--available").online()
        alice = await self.client("alice", None).online()
        await self.chat(alice, bob, "bob", "alice")
        await self.say(alice, bob, "from the background")
        late = self.start_server()
        self.assertEqual(await late.ended(), 1)  # the lock was not lost in the fork
        self.assertIn("SC-111", late.errors)
        pid = int(pid_file.read_text())
        moved = self.home / "moved"
        log.rename(moved)
        for number in (signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2):
            os.kill(pid, number)
        await self._until(log.exists)  # it was begun anew
        await self.say(bob, alice, "after all these signals")
        os.kill(pid, signal.SIGTERM)
        await alice.event("chat-over", ending="cut-off")
        await self._until(lambda: "Server Shut Down" in self._logged(moved))  # twistd's last line
        self.assertFalse(pid_file.exists())
        text = re.sub(r"(?m)^.*/twistd\.log.*$|^.*next: .*$", "", self._logged(moved))
        for word in ("alice", "bob", "background"):
            self.assertNotIn(word, text)

    # Promise R125
    async def test_a_start_that_fails(self) -> None:
        """One whole line, however long: twistd itself hands over 100 bytes."""
        first = await self.server()
        taken = f"tcp:{first.standard}:interface=127.0.0.1"
        options = ("--pidfile", str(self.home / "pid"), "--logfile", str(self.home / "log"))
        where = ("--standard", taken, "--request", LOOPBACK, "--state", str(self.home / "other"))
        late = self.run_process(*TWISTD, *options, "securecom", *where)
        self.assertEqual(await late.ended(), 1)
        self.assertEqual(late.output, "")
        (line,) = late.errors.splitlines()
        self.assertTrue(line.startswith("securecom: Couldn't listen on"), line)
        self.assertTrue(line.endswith("choose another with --standard or --request."), line)

    def _logged(self, moved: Path) -> str:
        """All that the server has logged so far, before its log was moved and after."""
        return "".join(path.read_text() for path in (moved, *self.home.glob("twistd.log*")))

    async def _port(self, log: Path) -> int:
        found: list[str] = []

        def look() -> bool:
            text = log.read_text() if log.exists() else ""
            found[:] = re.findall(r"standard channel on port (\d+)", text)
            return bool(found)

        await self._until(look)
        return int(found[0])

    async def _until(self, look: Callable[[], bool]) -> None:
        """A process that is not our child: ask now and then."""
        end = reactor.seconds() + DEADLINE
        while not look():
            self.assertLess(reactor.seconds(), end, "the server in the background")
            await deferLater(reactor, 0.05)

    @staticmethod
    def _end(pid_file: Path) -> None:
        if pid_file.exists():
            os.kill(int(pid_file.read_text()), signal.SIGKILL)


class SignalTests(SystemCase):
    """What operators and logrotate send, and a terminal that is closed."""

    # Promise R121
    async def test_only_term_and_int_end_the_server(self) -> None:
        ways = (((*TWISTD, "-n", "--pidfile=", "securecom"), signal.SIGINT),)
        for command, last in (*ways, (SERVER_COMMAND, signal.SIGTERM)):
            server = await self.server(command=command)
            alice, bob = await self.clients(server, "alice", "bob")
            await self.chat(alice, bob, "bob", "alice")
            for number in (signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2):
                server.signal(number)
            await self.say(alice, bob, "still there")
            server.signal(last)
            for one in (alice, bob):
                self.assertIn("shutting down", (await one.event("offline"))["why"])
            await server.ended()
            for one in (alice, bob):
                await one.kill()

    # Promise R122
    async def test_the_terminal_is_closed(self) -> None:
        """A server in the foreground of a terminal does not live on without it."""
        command = (*TWISTD, "-n", "--pidfile=", "securecom", "--standard", LOOPBACK)
        where = ("--request", LOOPBACK, "--state", str(self.home / "state"))
        server = self.run_process(*command, *where, terminal=True)
        await server.text("room for")
        server.hang_up()
        self.assertEqual(await server.ended(), 0)


class LogTests(SystemCase):
    # Promise R16
    async def test_strangers_cannot_make_it_write(self) -> None:
        """Handshakes without ALPN, at the level at which each would be a line."""
        server = await self.server("--log-level", "debug")
        for _ in range(30):
            stranger = self.ends(await connect(Stranger(), server.request, PlainTLS(())))
            await soon(stranger.gone)
        before = len(server.output)
        await server.stop()
        self.assertLess(len(server.output), before + 2000)
        self.assertIn("29 more within 60 s", server.output)
        self.assertNotIn("127.0.0.1", server.output)

    async def test_the_log_tells_nothing_about_people(self) -> None:
        server = await self.server()
        alice, bob = await self.clients(server, "alice", "bob")
        await self.chat(alice, bob, "bob", "alice")
        await self.say(alice, bob, "between us")
        carol = await self.client("carol", server).online()
        await server.limits(*SOON)
        await carol.refused(601, "chat", name="bob")
        (link,) = await self.invite("dave")
        dave = self.enrolling(link, "dave")
        await dave.online()
        dave.signal(signal.SIGKILL)
        bob.signal(signal.SIGKILL)
        await alice.event("chat-over")
        await server.stop()
        log = server.output.replace(str(self.home), "").lower()
        secrets = [*link.rpartition("/")[0::2], "between us"]
        users = await self.admin("users", "--json")
        secrets += re.findall(r"SHA256:\S{43}", users) + re.findall(r"AAAA\S{60,}", users)
        self.assertGreaterEqual(len(secrets), 7)
        for word in ("alice", "bob", "carol", "dave", *secrets):
            self.assertNotIn(word.lower(), log)
