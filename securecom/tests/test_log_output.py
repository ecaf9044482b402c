"""The server's log: levels, repeated lines, addresses, and the space it takes."""

from __future__ import annotations

import io
import os
import signal
from pathlib import Path
from typing import Any

from twisted.application.service import Application
from twisted.internet import reactor
from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.error import ReactorNotRunning
from twisted.internet.task import Clock
from twisted.logger import ILogObserver, Logger, LogPublisher
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from securecom import limits, tap
from securecom.server import log_output

NOW = 1_800_000_000.0
CLOSED = "EMFILE recovery: Closed socket from {address}"


class Written:
    """A sink that keeps what is written."""

    def __init__(self) -> None:
        self.text = ""

    def write(self, text: str) -> None:
        self.text += text

    @property
    def lines(self) -> list[str]:
        return self.text.splitlines()


class LogCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.sink = Written()

    def logger(self, level: str = "info", addresses: bool = False, of: str = "some.code") -> Logger:
        observer, self.flush = log_output.chosen(
            self.sink, level, self.clock, lambda: NOW + self.clock.seconds(), addresses
        )
        return Logger(namespace=of, observer=LogPublisher(observer))


class LevelTests(LogCase):
    # Promise R16
    def test_below_the_level_nothing_is_written(self) -> None:
        for level, count in (("debug", 5), ("info", 4), ("warn", 3), ("error", 2), ("critical", 1)):
            self.sink.text = ""
            log = self.logger(level)
            for name in log_output.LEVELS:
                getattr(log, name)("at {name}", name=name)
            self.assertEqual(len(self.sink.lines), count, level)
            self.flush()

    def test_a_line(self) -> None:
        self.logger().warn("disk {state}", state="full")
        self.assertRegex(self.sink.text, r"\A\S+T\S+ \[some.code#warn\] disk full\n\Z")

    def test_a_traceback_is_indented_and_has_an_end(self) -> None:
        self.patch(limits, "LOG_LINE", 300)
        try:
            raise ValueError("x" * 1000)
        except ValueError:
            self.logger().failure("broken")
        first, *more = self.sink.lines
        self.assertIn("broken", first)
        self.assertTrue(more)
        self.assertTrue(all(line.startswith("\t") for line in more))
        self.assertLess(len(self.sink.text), 400)


class RepeatTests(LogCase):
    """What strangers can make the server write."""

    # Promise R16
    def test_a_line_that_repeats_is_counted(self) -> None:
        log = self.logger("debug")
        for _ in range(100_000 // 100):
            log.debug("connection cut: {reason}", reason="TLSRefused")
        self.assertEqual(len(self.sink.lines), 1)
        self.clock.advance(limits.LOG_REPEAT)
        self.assertEqual(len(self.sink.lines), 2)
        self.assertIn("(999 more within 60 s) [some.code#debug] connection cut", self.sink.lines[1])

    def test_afterwards_it_is_written_again(self) -> None:
        log = self.logger()
        for _ in range(2):
            log.info("once")
            self.clock.advance(limits.LOG_REPEAT)
        self.assertEqual(len(self.sink.lines), 2)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_other_lines_are_written_at_once(self) -> None:
        log = self.logger()
        for word in ("one", "two", "one", "three"):
            log.info("{word}", word=word)
        self.assertEqual(len(self.sink.lines), 3)

    # Promise R17
    def test_lines_that_vary_are_bounded_too(self) -> None:
        log = self.logger()
        for number in range(50 * limits.LOG_KINDS):
            log.info("line {number}", number=number)
        self.clock.advance(limits.LOG_REPEAT)
        self.assertEqual(len(self.sink.lines), limits.LOG_KINDS + 1)
        self.assertIn(f"({49 * limits.LOG_KINDS} other lines", self.sink.lines[-1])

    # Promise R20
    def test_different_addresses_make_no_different_lines(self) -> None:
        log = self.logger()
        for number in range(200):
            log.info(CLOSED, address=(f"198.51.100.{number}", 50_000 + number))
        self.assertEqual(len(self.sink.lines), 1)
        self.assertTrue(self.sink.lines[0].endswith("Closed socket from ((address))"))

    # Promise R17
    def test_counts_are_not_lost_at_the_end(self) -> None:
        log = self.logger()
        for _ in range(3):
            log.info("again")
        self.flush()
        self.assertIn("(2 more", self.sink.text)
        self.assertEqual(self.clock.getDelayedCalls(), [])


class AddressTests(LogCase):
    ADDRESSES: tuple[Any, ...] = (
        ("192.0.2.7", 51234),
        ("2001:db8::7", 51234, 0, 0),
        ("fe80::1%eth0", 51234, 0, 2),
        ("::ffff:192.0.2.7", 51234),
        IPv4Address("TCP", "192.0.2.7", 51234),
        IPv6Address("TCP", "2001:db8::7", 51234),
        "192.0.2.7:51234",
        "[2001:db8::7]:51234",
        "2001:db8::7.",
        "192.0.2.7.",
        "(192.0.2.7)",
    )

    # Promise R20
    def test_none_is_written(self) -> None:
        log = self.logger()
        for address in self.ADDRESSES:
            self.sink.text = ""
            log.info(f"from {address}".replace("{", "{{"))
            self.flush()
            for part in ("192.0", "2001", "fe80", "51234", "eth0"):
                self.assertNotIn(part, self.sink.text, str(address))
            self.assertEqual(self.sink.text.count("(address)"), 1, self.sink.text)

    # Promise R20
    def test_nor_in_a_traceback(self) -> None:
        failure = Failure(OSError("cannot reach 192.0.2.7"))
        self.logger().failure("broken", failure)
        self.assertNotIn("192.0.2.7", self.sink.text)

    def test_nor_at_any_level(self) -> None:
        log = self.logger("debug")
        for name in log_output.LEVELS:
            getattr(log, name)("{who}", who="192.0.2.7")
        self.assertNotIn("192.0.2.7", self.sink.text)

    def test_other_text_stays(self) -> None:
        for text in (
            "twistd 26.10.0 (/usr/bin/python 3.11.7) starting up",
            "2027-01-15T08:00:00+0000",
            "server fingerprint 0WXQ-JCTD-REBV-BX68",
            "standard channel on port 4241, request channel on port 4243",
            "SHA256:abcd",
            "std::vector is no address",
            "12:30:45 o'clock",
            "file.py:12: error",
        ):
            self.assertEqual(log_output.without_addresses(text), text)

    def test_if_asked_for_they_are(self) -> None:
        self.logger(addresses=True).info(CLOSED, address=("192.0.2.7", 51234))
        self.assertIn("('192.0.2.7', 51234)", self.sink.text)

    def test_the_servers_own_are_told(self) -> None:
        """The public address, and a port that somebody else has."""
        self.logger(of="securecom.tap").info("for 192.0.2.7")
        self.assertIn("for 192.0.2.7", self.sink.text)


class FileTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.patch(limits, "LOG_FILE_BYTES", 1000)
        self.folder = Path(self.mktemp())
        self.folder.mkdir()
        self.path = self.folder / "twistd.log"

    def open(self) -> log_output.BoundedFile:
        file = log_output.BoundedFile(self.path)
        self.addCleanup(lambda: file.closed or file.close())
        return file

    def space(self) -> int:
        return sum(path.stat().st_size for path in self.folder.iterdir())

    # Promise R19
    def test_the_space_is_bounded(self) -> None:
        file = self.open()
        for number in range(2000):
            file.write(f"line {number:04}\n")
        self.assertLessEqual(self.space(), (limits.LOG_FILES + 1) * (1000 + 10))
        self.assertEqual(len(list(self.folder.iterdir())), limits.LOG_FILES + 1)
        self.assertTrue(self.path.read_text().endswith("line 1999\n"))

    # Promise R19
    def test_and_where_files_cannot_be_moved(self) -> None:
        """A folder that is not the server's, with a file in it that is."""
        file = self.open()
        self.patch(os, "access", lambda *_: False)
        for number in range(2050):
            file.write(f"line {number:04}\n")
        self.assertEqual([path.name for path in self.folder.iterdir()], ["twistd.log"])
        self.assertLessEqual(self.space(), 1000 + 10)
        self.assertTrue(self.path.read_text().endswith("line 2049\n"))

    # Promise R19
    def test_what_another_version_left_is_deleted(self) -> None:
        for number in range(1, 20):
            (self.folder / f"twistd.log.{number}").write_text("old")
        file = self.open()
        file.write("x" * 1000)
        file.write("y")
        self.assertEqual(len(list(self.folder.iterdir())), limits.LOG_FILES + 1)

    # Promise R121
    def test_reopened_after_it_was_moved(self) -> None:
        file = self.open()
        file.write("before\n")
        self.path.rename(self.folder / "moved")
        file.reopen()
        file.write("after\n")
        self.assertEqual((self.folder / "moved").read_text(), "before\n")
        self.assertEqual(self.path.read_text(), "after\n")

    def test_moved_and_full_before_the_signal_comes(self) -> None:
        file = self.open()
        file.write("x" * 1000)
        self.path.rename(self.folder / "moved")
        file.write("after\n")
        self.assertEqual((self.folder / "moved").read_text(), "x" * 1000)
        self.assertEqual(self.path.read_text(), "after\n")

    def test_if_it_cannot_be_reopened_the_old_one_stays(self) -> None:
        file = self.open()
        self.folder.rename(self.folder.with_name(moved := f"{self.folder.name}-moved"))
        file.reopen()
        file.write("still\n")
        there = self.folder.with_name(moved) / "twistd.log"
        self.assertEqual(there.read_text(), "still\n")

    def test_a_new_one_is_private_and_an_old_one_keeps_its_mode(self) -> None:
        self.addCleanup(os.umask, os.umask(0o022))
        self.open()
        self.assertEqual(self.path.stat().st_mode & 0o777, 0o600)
        self.path.chmod(0o640)
        file = self.open()
        file.rotate()
        self.assertEqual(self.path.stat().st_mode & 0o777, 0o640)


class SinkTests(SynchronousTestCase):
    """twistd's own options say where."""

    def test_where(self) -> None:
        out = io.StringIO()
        for told in ({}, {"nodaemon": True}, {"nodaemon": True, "logfile": "-"}):
            self.assertIsInstance(log_output.sink_of(told, out), log_output.Flushed)
        folder = Path(self.mktemp())
        folder.mkdir()
        self.addCleanup(os.chdir, os.getcwd())
        os.chdir(folder)
        for told, name in (
            ({"nodaemon": True, "logfile": "a.log"}, "a.log"),
            ({"nodaemon": False, "logfile": "b.log"}, "b.log"),
            ({"nodaemon": False}, "twistd.log"),
        ):
            sink = log_output.sink_of(told, out)
            assert isinstance(sink, log_output.BoundedFile)
            sink.close()
            self.assertTrue((folder / name).exists() or Path(name).exists())

    # Promise R18
    def test_a_line_to_a_pipe_waits_for_no_other(self) -> None:
        raw = io.BytesIO()
        sink = log_output.sink_of({}, io.TextIOWrapper(io.BufferedWriter(raw)))
        sink.write("one line\n")
        self.assertEqual(raw.getvalue(), b"one line\n")

    def test_syslog(self) -> None:
        import syslog

        sent: list[str] = []
        self.patch(syslog, "openlog", lambda *_: None)
        self.patch(syslog, "syslog", sent.append)
        sink = log_output.sink_of({"syslog": True, "prefix": "chat"}, Written())  # type: ignore[arg-type]
        sink.write("2027-01-15T08:00:00+0000 [x#info] hello\n")
        self.assertEqual(sent, ["[x#info] hello"])


class WiringTests(SynchronousTestCase):
    """How the log comes to be twistd's."""

    def setUp(self) -> None:
        self.patch(tap, "steady_reactor", lambda: reactor)  # trial's own keeps its clock
        self.handled: list[signal.Signals] = []
        self.patch(tap, "on_signal", lambda _reactor, number, _call: self.handled.append(number))
        self.handlers = dict.fromkeys(signal.Signals, signal.SIG_DFL)
        self.patch(signal, "getsignal", self.handlers.__getitem__)

    def made(self, *words: str) -> tap.LoggedServer:
        options = tap.Options()
        options.parseOptions(["--state", self.mktemp(), *words])
        service = tap.makeService(options)
        assert isinstance(service, tap.LoggedServer)
        return service

    def test_the_application_gets_it(self) -> None:
        service, application = self.made(), Application("x")
        service.setServiceParent(application)
        self.assertIs(application.getComponent(ILogObserver), service.log)

    # Promise R121
    def test_signals_have_handlers_and_those_of_others_stay(self) -> None:
        self.made()
        self.assertEqual(self.handled, [signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2])
        self.handlers[signal.SIGHUP] = signal.SIG_IGN  # nohup
        self.handled.clear()
        self.made()
        self.assertEqual(self.handled, [signal.SIGUSR1, signal.SIGUSR2])

    def test_a_level_that_there_is_not(self) -> None:
        options = tap.Options()
        error = self.assertRaises(SystemExit, options.parseOptions, ["--log-level", "loud"])
        self.assertIn("debug, info", str(error.code))

    def test_a_log_that_cannot_be_opened(self) -> None:
        options = tap.Options()
        options.parseOptions(["--state", self.mktemp()])
        options.parent = tap.Options()
        options.parent.update({"nodaemon": True, "logfile": "/dev/null/x.log"})
        error = self.assertRaises(SystemExit, tap.makeService, options)
        self.assertIn("/dev/null/x.log", str(error.code))


class SignalTests(SynchronousTestCase):
    """What each signal asks for; `securecom.signals` hands them to the reactor."""

    def setUp(self) -> None:
        self.answers: dict[signal.Signals, Any] = {}
        self.stopped = 0
        self.patch(tap, "on_signal", self.answer)
        self.patch(signal, "getsignal", lambda _: signal.SIG_DFL)
        self.path = Path(self.mktemp())
        self.file = log_output.BoundedFile(self.path)
        self.addCleanup(self.file.close)

    def answer(self, _reactor: Any, number: signal.Signals, call: Any) -> None:
        self.answers[number] = call

    def stop(self) -> None:
        if self.stopped:
            raise ReactorNotRunning()
        self.stopped += 1

    def handle(self, file: log_output.BoundedFile | None, *terminals: bool) -> None:
        there = list(terminals)
        self.patch(tap, "has_terminal", lambda: there.pop(0))
        tap.handle_signals(self, file)

    def test_hup_reopens(self) -> None:
        for had in ((False,), (True, True)):
            self.handle(self.file, *had)
            self.path.rename(f"{self.path}.moved")
            self.answers[signal.SIGHUP]()
            self.assertTrue(self.path.exists())
        self.assertEqual(self.stopped, 0)

    def test_hup_of_a_terminal_that_is_gone_stops_the_server(self) -> None:
        self.handle(None, True, False)
        self.answers[signal.SIGHUP]()
        self.assertEqual(self.stopped, 1)

    def test_a_second_hup_finds_it_stopping(self) -> None:
        self.handle(None, True, False, False)
        for _ in range(2):
            self.answers[signal.SIGHUP]()
        self.assertEqual(self.stopped, 1)

    def test_usr1_rotates(self) -> None:
        self.handle(self.file, False)
        self.file.write("x\n")
        self.answers[signal.SIGUSR1]()
        self.assertEqual(Path(f"{self.path}.1").read_text(), "x\n")

    def test_without_a_file_nothing_happens(self) -> None:
        self.handle(None, False)
        for number in (signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2):
            self.answers[number]()
        self.assertEqual(self.stopped, 0)
