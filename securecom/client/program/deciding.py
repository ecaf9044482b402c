"""A program that answers chat requests for the user (docs/bots.md): how it is asked and run."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import signal
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any, Final, get_args

from twisted.internet.defer import Deferred, fail
from twisted.internet.error import ProcessExitedAlready, ProcessTerminated
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.internet.protocol import ProcessProtocol
from twisted.python.failure import Failure

from securecom import limits
from securecom.client.coordination.engagement import Decision, Facts, Verdict
from securecom.client.frontends.jsonl import INTERFACE
from securecom.errors import NoProgram, ProgramFailed
from securecom.values import as_dict

#: What a program gets of our environment: where things are, and how people write here.
_PASSED_ON = ("PATH", "HOME", "TMPDIR", "TZ", "LANG", "LC_ALL", "LC_CTYPE")
_WORDS: dict[str, Decision] = {
    **{verdict: verdict for verdict in get_args(Verdict)},
    "ask": "ask",
}

Command = tuple[str, ...]


def split(text: str) -> Command:
    """A command as a shell would split it; an empty one is no program.

    :raises NoProgram: if there is no such program, or it may not be run.
    """
    try:
        return resolved(tuple(shlex.split(text)))
    except ValueError as error:
        raise NoProgram(f"that is no command ({str(error).lower()})") from None


def resolved(command: Command) -> Command:
    """The same with the program's whole path. :raises NoProgram: see above."""
    if not command:
        return command
    is_text = _is_text("".join(command))
    found = shutil.which(os.path.expanduser(command[0])) if is_text else None
    if found is None:
        raise NoProgram("the program of on_request is not there, or may not be run")
    return (os.path.abspath(found), *command[1:])


def _is_text(text: str) -> bool:
    """What a profile can hold, and the system takes: a command line need not be UTF-8."""
    try:
        return b"\0" not in text.encode("utf-8")
    except UnicodeEncodeError:
        return False


def program_environment(ours: Mapping[str, str]) -> dict[str, str]:
    """What the program gets of our environment."""
    return {name: ours[name] for name in _PASSED_ON if name in ours}


def question(facts: Facts) -> bytes:
    """One line of ASCII, the only one."""
    told = {"event": "asked", "interface": INTERFACE, **as_dict(facts)}
    return json.dumps(told, ensure_ascii=True, separators=(",", ":")).encode("ascii") + b"\n"


def read_answer(said: bytes) -> Decision:
    """:raises ValueError: saying in a few words of ours what is wrong with it."""
    if len(said) > limits.MAX_PROGRAM_ANSWER:
        raise ValueError(f"it wrote more than {limits.MAX_PROGRAM_ANSWER} bytes")
    if not said.strip():
        raise ValueError("it wrote nothing")
    try:
        told: Any = json.loads(said.decode("utf-8"), object_pairs_hook=tuple)
    except (ValueError, RecursionError):
        told = None
    if not isinstance(told, tuple):  # that is what the hook makes of an object, each key it has
        raise ValueError("what it wrote is not one JSON object")
    match told:
        case (("answer", str(word)),) if word in _WORDS:
            return _WORDS[word]
    raise ValueError('its object is not an "answer" that is accept, refuse, dismiss or ask')


# --- Its runs: one for each request, alone, and not for long ----------------------------------

#: What Python makes of itself on the way to the program: the head of a process group of its own,
#: so that what it starts can be ended with it, in no folder of ours, and ended by a broken pipe.
_LAUNCH: Final = """\
import os, signal, sys
os.setsid()
os.chdir("/")
signal.signal(signal.SIGPIPE, signal.SIG_DFL)
try:
    os.execv(sys.argv[1], sys.argv[1:])
except OSError:
    os._exit(127)
"""


class Program:
    """A `Consent` that asks a program.

    :param reactor: starts processes, and is the clock.
    :param environment: ours; the program gets little of it.
    :param kill: ends a process group.
    """

    def __init__(
        self,
        reactor: Any,
        command: Command,
        environment: Mapping[str, str],
        kill: Callable[[int, int], None] = os.killpg,
    ) -> None:
        self._reactor, self._command, self._kill = reactor, command, kill
        self._environment = program_environment(environment)
        self._runs: set[ProgramRun] = set()

    def decide(self, facts: Facts) -> Deferred[Decision]:
        """Consent: fails with `ProgramFailed`; cancelling ends the program."""
        if len(self._runs) >= limits.MAX_PROGRAMS:
            return fail(_failed("earlier runs of it have not ended"))
        run = ProgramRun(question(facts), self._reactor, self._kill, self._runs.discard)
        try:
            self._start(run)
        except (OSError, ValueError):
            return fail(_failed("it cannot be started"))
        self._runs.add(run)
        return run.answer

    def end(self) -> None:
        """End what still runs, before the client ends."""
        for run in list(self._runs):
            run.end()

    def _start(self, run: ProgramRun) -> None:
        """Its standard error goes nowhere: it would appear among what people read."""
        launch = (sys.executable, "-I", "-S", "-c", _LAUNCH, *self._command)
        nowhere = os.open(os.devnull, os.O_WRONLY | os.O_CLOEXEC)
        files = {0: "w", 1: "r", 2: nowhere}
        try:
            self._reactor.spawnProcess(
                run, launch[0], launch, env=self._environment, childFDs=files
            )
        finally:
            os.close(nowhere)


class ProgramRun(ProcessProtocol):
    """One run of the program, for one request.

    :param over: called when nothing of it is left.
    """

    transport: Any  # IProcessTransport

    def __init__(
        self,
        question: bytes,
        clock: IReactorTime,
        kill: Callable[[int, int], None],
        over: Callable[[ProgramRun], None],
    ) -> None:
        #: The answer, once the program has ended well.
        self.answer: Deferred[Decision] = Deferred(lambda _: self.end())
        self._question, self._clock = question, clock
        self._kill, self._over = kill, over
        self._said = b""
        self._pid: int | None = None
        self._deadline: IDelayedCall | None = None

    def end(self) -> None:
        """Kill it and what it has started, unless that left its group."""
        self._stop_waiting()
        pid, self._pid = self._pid, None
        if pid is None:
            return
        with suppress(OSError):  # it is on its way to its group, and has started nothing yet
            self._kill(pid, signal.SIGKILL)
        with suppress(OSError, ProcessExitedAlready):
            self.transport.signalProcess("KILL")
        self.transport.loseConnection()  # whoever else holds its output need not end

    # --- ProcessProtocol --------------------------------------------------------------------

    def connectionMade(self) -> None:
        self._pid = self.transport.pid
        self._deadline = self._clock.callLater(limits.PROGRAM_DEADLINE, self._too_late)
        self.transport.write(self._question)
        self.transport.closeStdin()

    def outReceived(self, data: bytes) -> None:
        self._said += data[: limits.MAX_PROGRAM_ANSWER + 1]
        if len(self._said) > limits.MAX_PROGRAM_ANSWER:
            self._settle()

    def processEnded(self, reason: Failure) -> None:
        self._pid = None
        self._stop_waiting()
        self._over(self)
        self._settle(_how(reason.value))

    # --- the answer -------------------------------------------------------------------------

    def _too_late(self) -> None:
        self._settle(f"it took longer than {limits.PROGRAM_DEADLINE:g} s")

    def _settle(self, why: str | None = None) -> None:
        """:param why: it has no answer, whatever it wrote."""
        if self.answer.called:
            return
        self.end()
        try:
            if why is not None:
                raise ValueError(why)
            self.answer.callback(read_answer(self._said))
        except ValueError as error:
            self.answer.errback(Failure(_failed(str(error))))

    def _stop_waiting(self) -> None:
        deadline, self._deadline = self._deadline, None
        if deadline is not None and deadline.active():
            deadline.cancel()


def _how(end: BaseException | None) -> str | None:
    """How a process ended, if not well."""
    if not isinstance(end, ProcessTerminated):
        return None
    if end.signal is not None:
        return f"it was ended by signal {end.signal}"
    return f"it ended with exit code {end.exitCode}"


def _failed(why: str) -> ProgramFailed:
    return ProgramFailed(f"the program that answers chat requests failed: {why}")
