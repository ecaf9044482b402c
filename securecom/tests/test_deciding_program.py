"""The program that answers chat requests: its command line, its run, its answer. No processes."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.defer import CancelledError
from twisted.internet.error import ProcessDone, ProcessExitedAlready, ProcessTerminated
from twisted.internet.task import Clock
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from securecom import limits
from securecom.client.coordination.engagement import Facts
from securecom.client.frontends.jsonl import INTERFACE
from securecom.client.program import deciding
from securecom.client.program.deciding import Program
from securecom.errors import NoProgram, ProgramFailed
from securecom.tests.support.scripted_server import outcome

FACTS = Facts("bob", "met", "SHA256:abc", 45, 2, 70)
COMMAND = ("/usr/bin/decide", "--strict")
PID = 4321


class CommandTests(SynchronousTestCase):
    """What people write."""

    def setUp(self) -> None:
        self.folder = Path(self.mktemp()).absolute()
        self.folder.mkdir()
        self.program = self.folder / "decide me"
        self.program.write_text("#!/bin/sh\n")
        self.program.chmod(0o700)

    def test_split_like_a_shell_does_and_found(self) -> None:
        command = deciding.split(f"'{self.program}' --list 'my friends'")
        self.assertEqual(command, (str(self.program), "--list", "my friends"))

    def test_found_on_the_path_at_home_and_from_here(self) -> None:
        self.patch(os, "environ", {"PATH": str(self.folder), "HOME": str(self.folder)})
        for text in ("'decide me'", "'~/decide me'", f"'{os.path.relpath(self.program)}'"):
            self.assertEqual(deciding.split(text), (str(self.program),), text)

    def test_none(self) -> None:
        self.assertEqual(deciding.split(""), ())
        self.assertEqual(deciding.resolved(()), ())

    def test_what_cannot_be_run(self) -> None:
        self.program.chmod(0o600)
        for text in (f"'{self.program}'", "/none", str(self.folder), "''", "'open", "a\0b"):
            self.assertRaises(NoProgram, deciding.split, text)

    def test_what_the_system_or_a_profile_would_not_take(self) -> None:
        for command in (("a\0b",), ("true", "a\0b"), ("true", "\udcff")):
            self.assertRaises(NoProgram, deciding.resolved, command)

    def test_the_shell_is_not_asked(self) -> None:
        self.assertRaises(NoProgram, deciding.split, "true;true")
        self.assertEqual(deciding.split("true $HOME `id` >x")[1:], ("$HOME", "`id`", ">x"))


class QuestionTests(SynchronousTestCase):
    """What a program reads, and what it has around it."""

    # Promise T77
    def test_one_line_of_json(self) -> None:
        line = deciding.question(FACTS)
        self.assertEqual(line.count(b"\n"), 1)
        self.assertTrue(line.endswith(b"\n"))
        self.assertEqual(
            json.loads(line),
            {
                "event": "asked",
                "interface": INTERFACE,
                "name": "bob",
                "trust": "met",
                "fingerprint": "SHA256:abc",
                "seconds": 45,
                "missed": 2,
                "ago": 70,
                "chat_seconds": None,
            },
        )

    def test_little_of_our_environment(self) -> None:
        ours = {"PATH": "/bin", "HOME": "/home/a", "SECURECOM_HOME": "/x", "SECRET": "s"}
        self.assertEqual(deciding.program_environment(ours), {"PATH": "/bin", "HOME": "/home/a"})


class AnswerTests(SynchronousTestCase):
    """What a program may write; everything else is no answer."""

    # Promise C57
    def test_the_four(self) -> None:
        for word in ("accept", "refuse", "dismiss", "ask"):
            for text in ('{"answer":"%s"}\n', '{"answer":"%s"}', '\n { "answer" : "%s" } \n\n'):
                self.assertEqual(deciding.read_answer((text % word).encode()), word)

    # Promise T76, C58
    def test_everything_else(self) -> None:
        for said in (
            b"",
            b" \n",
            b"accept",
            b'"accept"',
            b"null",
            b"[]",
            b'[["answer","accept"]]',
            b"{}",
            b'{"answer":"yes"}',
            b'{"answer":"Accept"}',
            b'{"answer":true}',
            b'{"answer":null}',
            b'{"answer":["accept"]}',
            b'{"Answer":"accept"}',
            b'{"answer":"accept","note":"hi"}',
            b'{"answer":"refuse","answer":"accept"}',
            b'{"answer":"accept"}{"answer":"accept"}',
            b'{"answer":"accept"}\n{"answer":"refuse"}\n',
            b'{"answer":"accept"} and more',
            b'{"answer":"acc',
            b'{"answer":"acc\xffept"}',
            b'\xef\xbb\xbf{"answer":"accept"}',
            '{"answer":"accept"}'.encode("utf-16"),
            b"[" * limits.MAX_PROGRAM_ANSWER,
            b'{"answer":"accept"}' + b" " * limits.MAX_PROGRAM_ANSWER,
        ):
            self.assertRaises(ValueError, deciding.read_answer, said)

    def test_room_for_white_space(self) -> None:
        said = b'{"answer":"accept"}'.ljust(limits.MAX_PROGRAM_ANSWER)
        self.assertEqual(deciding.read_answer(said), "accept")

    @given(st.binary(max_size=64) | st.text(max_size=64).map(lambda text: text.encode("utf-8")))
    def test_junk_is_never_an_answer(self, said: bytes) -> None:
        self.assertRaises(ValueError, deciding.read_answer, said)

    @given(st.dictionaries(st.text(max_size=9), st.none() | st.text(max_size=9) | st.integers()))
    def test_nor_is_any_other_object(self, told: dict[str, Any]) -> None:
        self.assertRaises(ValueError, deciding.read_answer, json.dumps(told).encode())


class FakeProcess:
    """A process transport."""

    def __init__(self, protocol: Any) -> None:
        self.pid = PID
        self.protocol = protocol
        self.read = b""
        self.is_stdin_open = True
        self.signals: list[str] = []
        self.is_lost = self.is_reaped = False
        protocol.makeConnection(self)

    def write(self, data: bytes) -> None:
        self.read += data

    def closeStdin(self) -> None:  # noqa: N802
        self.is_stdin_open = False

    def signalProcess(self, name: str) -> None:  # noqa: N802
        if self.is_reaped:
            raise ProcessExitedAlready
        self.signals.append(name)

    def loseConnection(self) -> None:
        self.is_lost = True

    def says(self, data: bytes) -> None:
        self.protocol.childDataReceived(1, data)

    def ends(self, code: int | None = 0, by: int | None = None) -> None:
        self.is_reaped = True
        well = code == 0 and by is None
        self.protocol.processEnded(Failure(ProcessDone(0) if well else ProcessTerminated(code, by)))


class FakeReactor(Clock):
    """Starts processes of that kind."""

    def __init__(self) -> None:
        super().__init__()
        self.processes: list[FakeProcess] = []
        self.started: list[dict[str, Any]] = []
        self.trouble: Exception | None = None

    def spawnProcess(self, protocol: Any, executable: str, args: Any, **named: Any) -> None:  # noqa: N802
        if self.trouble is not None:
            raise self.trouble
        os.fstat(named["childFDs"][2])  # it is open just now
        self.started.append({"executable": executable, "args": args, **named})
        self.processes.append(FakeProcess(protocol))


class RunCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.reactor = FakeReactor()
        self.killed: list[tuple[int, int]] = []
        self.program = Program(self.reactor, COMMAND, {"PATH": "/bin", "X": "y"}, self.kill)

    def kill(self, group: int, number: int) -> None:
        self.killed.append((group, number))

    def ask(self) -> tuple[FakeProcess, list[Any]]:
        answer = outcome(self.program.decide(FACTS))
        return self.reactor.processes[-1], answer

    def failed(self, answer: list[Any], why: str) -> None:
        (error,) = answer
        self.assertIsInstance(error, ProgramFailed)
        self.assertEqual(error.what, f"the program that answers chat requests failed: {why}")
        self.assertEqual(error.hint, "You are asked instead.")

    def is_killed(self, process: FakeProcess) -> None:
        self.assertEqual(self.killed, [(PID, signal.SIGKILL)])
        self.assertEqual((process.signals, process.is_lost), (["KILL"], True))
        self.assertEqual(self.reactor.getDelayedCalls(), [])


class RunTests(RunCase):
    """One run for each request."""

    def test_how_it_is_started(self) -> None:
        process, _ = self.ask()
        (started,) = self.reactor.started
        self.assertEqual(started["args"][-len(COMMAND) :], COMMAND)
        self.assertEqual(started["env"], {"PATH": "/bin"})
        nowhere = started["childFDs"].pop(2)
        self.assertEqual(started["childFDs"], {0: "w", 1: "r"})
        self.assertRaises(OSError, os.fstat, nowhere)
        self.assertEqual(process.read, deciding.question(FACTS))
        self.assertFalse(process.is_stdin_open)

    def test_its_answer_counts_when_it_has_ended_well(self) -> None:
        process, answer = self.ask()
        process.says(b'{"answer":')
        process.says(b'"refuse"}\n')
        self.assertEqual(answer, [])
        process.ends()
        self.assertEqual((answer, self.killed), (["refuse"], []))
        self.assertEqual(self.reactor.getDelayedCalls(), [])

    def test_it_is_started_anew_each_time(self) -> None:
        for word in ("accept", "dismiss"):
            process, answer = self.ask()
            process.says(b'{"answer":"%s"}' % word.encode())
            process.ends()
            self.assertEqual(answer, [word])
        self.assertEqual(len(self.reactor.processes), 2)

    # Promise T78
    def test_what_its_standard_error_says_is_nothing(self) -> None:
        process, answer = self.ask()
        process.protocol.childDataReceived(2, b'{"answer":"accept"}')
        process.ends()
        self.failed(answer, "it wrote nothing")


class FailureTests(RunCase):
    """Everything that is no answer."""

    def test_it_cannot_be_started(self) -> None:
        for trouble in (OSError("no more processes"), ValueError("embedded null byte")):
            self.reactor.trouble = trouble
            self.failed(outcome(self.program.decide(FACTS)), "it cannot be started")

    def test_it_wrote_nothing(self) -> None:
        process, answer = self.ask()
        process.ends()
        self.failed(answer, "it wrote nothing")

    # Promise T78
    def test_it_wrote_junk_which_is_not_shown(self) -> None:
        process, answer = self.ask()
        process.says(b"\x1b[2Jyour pass phrase, please")
        process.ends()
        self.failed(answer, "what it wrote is not one JSON object")

    def test_it_wrote_another_word(self) -> None:
        process, answer = self.ask()
        process.says(b'{"answer":"yes"}')
        process.ends()
        why = 'its object is not an "answer" that is accept, refuse, dismiss or ask'
        self.failed(answer, why)

    # Promise T76
    def test_a_yes_and_an_exit_code_is_no_yes(self) -> None:
        process, answer = self.ask()
        process.says(b'{"answer":"accept"}')
        process.ends(3)
        self.failed(answer, "it ended with exit code 3")

    # Promise T76
    def test_a_yes_and_a_signal_is_no_yes(self) -> None:
        process, answer = self.ask()
        process.says(b'{"answer":"accept"}')
        process.ends(None, by=11)
        self.failed(answer, "it was ended by signal 11")

    def test_too_much_ends_it_at_once(self) -> None:
        process, answer = self.ask()
        process.says(b" " * limits.MAX_PROGRAM_ANSWER)
        self.assertEqual(answer, [])
        process.says(b" ")
        self.failed(answer, "it wrote more than 1024 bytes")
        self.is_killed(process)
        process.says(b"x" * 1_000_000)
        process.ends(None, by=9)
        self.assertEqual(len(answer), 1)

    # Promise T98
    def test_what_is_kept_of_too_much_is_little(self) -> None:
        process, _ = self.ask()
        process.says(b"x" * 1_000_000)
        self.assertLess(len(process.protocol._said), 2 * limits.MAX_PROGRAM_ANSWER)

    # Promise T98
    def test_too_long_ends_it_and_what_it_started(self) -> None:
        process, answer = self.ask()
        process.says(b'{"answer":"accept"}')
        self.reactor.advance(limits.PROGRAM_DEADLINE - 0.1)
        self.assertEqual((answer, self.killed), ([], []))
        self.reactor.advance(0.1)
        self.failed(answer, "it took longer than 5 s")
        self.is_killed(process)

    def test_it_had_no_group_yet(self) -> None:
        def nobody(group: int, number: int) -> None:
            self.killed.append((group, number))
            raise ProcessLookupError

        self.program = Program(self.reactor, COMMAND, {}, nobody)
        process, _ = self.ask()
        self.reactor.advance(limits.PROGRAM_DEADLINE)
        self.is_killed(process)

    def test_it_had_ended_and_others_hold_its_output(self) -> None:
        process, answer = self.ask()
        process.is_reaped = True
        self.reactor.advance(limits.PROGRAM_DEADLINE)
        self.failed(answer, "it took longer than 5 s")
        self.assertEqual(self.killed, [(PID, signal.SIGKILL)])
        self.assertTrue(process.is_lost)


class EndTests(RunCase):
    """Nobody wants to know any more."""

    def test_cancelled(self) -> None:
        answer = self.program.decide(FACTS)
        came = outcome(answer)
        (process,) = self.reactor.processes
        answer.cancel()
        self.is_killed(process)
        process.says(b'{"answer":"accept"}')
        process.ends()
        self.assertEqual([type(one) for one in came], [CancelledError])

    def test_what_has_ended_is_not_killed(self) -> None:
        """Its number may be another's by now."""
        process, _ = self.ask()
        process.says(b'{"answer":"ask"}')
        process.ends()
        self.program.end()
        self.assertEqual((self.killed, process.signals), ([], []))

    def test_the_client_ends(self) -> None:
        process, answer = self.ask()
        self.program.end()
        self.is_killed(process)
        self.assertEqual(answer, [])

    # Promise T98
    def test_no_more_than_a_few_at_once(self) -> None:
        for _ in range(limits.MAX_PROGRAMS):
            self.program.decide(FACTS).addErrback(lambda _: None).cancel()
        self.assertEqual(len(self.reactor.processes), limits.MAX_PROGRAMS)
        self.failed(outcome(self.program.decide(FACTS)), "earlier runs of it have not ended")
        self.reactor.processes[0].ends(None, by=9)
        process, _ = self.ask()
        self.assertIs(process, self.reactor.processes[limits.MAX_PROGRAMS])

    def test_what_could_not_be_started_is_not_counted(self) -> None:
        self.reactor.trouble = OSError()
        for _ in range(limits.MAX_PROGRAMS):
            self.program.decide(FACTS).addErrback(lambda _: None)
        self.reactor.trouble = None
        self.ask()
