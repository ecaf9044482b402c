"""Every input in every state of rekeying, and what follows from it."""

from __future__ import annotations

from typing import Any

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from securecom.client.chat import rekeying
from securecom.client.chat.rekeying import RekeyLife
from securecom.errors import NotRekeyed, OurFault, WireError
from securecom.tests.support.broken_outputs import OutputCase, idle, output_cases
from securecom.tests.support.chat_pair import Pair

ERROR = WireError("a trial")

_BEGUN: list[tuple[Any, ...]] = [("stood",), ("due",)]
#: How each state is reached.
PATHS: dict[str, list[tuple[Any, ...]]] = {
    "awaiting_chat": [],
    "at_rest": [("stood",)],
    "awaiting_handshake": _BEGUN,
    "awaiting_hello": [*_BEGUN, ("handshake_done",)],
    "awaiting_switch": [*_BEGUN, ("handshake_done",), ("good_hello",)],
    "over": [("chat_over",)],
}

_TRIAL = ["stop", ("fail", "a trial")]
_LATE = ["stop", ("fail", "its keys could not be renewed in time")]
_HELLO = ["stop", ("fail", "a HELLO out of turn")]
_SWITCH = ["stop", ("fail", "a SWITCH out of turn")]
_BREAKS: dict[str, list[Any]] = {
    "misbehaved": _TRIAL,
    "late": _LATE,
    "good_hello": _HELLO,
    "peer_switched": _SWITCH,
    "chat_over": ["stop"],
}

#: What is done, by state and input; where nothing is listed nothing is done.
DONE: dict[str, dict[str, list[Any]]] = {
    "awaiting_chat": {
        **_BREAKS,
        "stood": ["rest"],
        "peer_began": ["stop", ("fail", "a rekey before the chat stood")],
    },
    "at_rest": {**_BREAKS, "due": ["open next"], "peer_began": ["open next"]},
    "awaiting_handshake": {**_BREAKS, "handshake_done": ["vouch"]},
    "awaiting_hello": {**_BREAKS, "good_hello": ["switch"]},
    "awaiting_switch": {**_BREAKS, "peer_switched": ["settle"]},
    "over": {},
}

INPUTS: tuple[tuple[Any, ...], ...] = (
    ("stood",),
    ("due",),
    ("peer_began",),
    ("handshake_done",),
    ("good_hello",),
    ("peer_switched",),
    ("misbehaved", ERROR),
    ("late",),
    ("chat_over",),
)


class Notes:
    """`rekey_life.Actions` that are only noted."""

    def __init__(self) -> None:
        self.done: list[Any] = []
        self.errors: list[Exception] = []

    def rest(self) -> None:
        self.done.append("rest")

    def open_next(self) -> None:
        self.done.append("open next")

    def vouch(self) -> None:
        self.done.append("vouch")

    def switch(self) -> None:
        self.done.append("switch")

    def settle(self) -> None:
        self.done.append("settle")

    def fail(self, error: Exception) -> None:
        self.errors.append(error)
        self.done.append(("fail", getattr(error, "what", None)))

    def stop(self) -> None:
        self.done.append("stop")


class RekeyLifeTests(SynchronousTestCase):
    def reach(self, state: str) -> tuple[RekeyLife, Notes]:
        notes = Notes()
        life = rekeying.machine(notes)
        for word, *arguments in PATHS[state]:
            getattr(life, word)(*arguments)
        notes.done.clear()
        return life, notes

    def test_every_input_in_every_state(self) -> None:
        for state in PATHS:
            for word, *arguments in INPUTS:
                life, notes = self.reach(state)
                getattr(life, word)(*arguments)
                self.assertEqual(notes.done, DONE[state].get(word, []), (state, word))

    def test_after_whatever_breaks_it_nothing_is_done(self) -> None:
        for state in PATHS:
            for last, *given in INPUTS:
                if last in _BREAKS and (state, last) not in _ONWARD:
                    life, notes = self.reach(state)
                    getattr(life, last)(*given)
                    notes.done.clear()
                    for word, *arguments in INPUTS:
                        getattr(life, word)(*arguments)
                    self.assertEqual(notes.done, [], (state, last))

    def test_round_and_round(self) -> None:
        life, notes = self.reach("at_rest")
        for _ in range(3):
            for word in ("due", "handshake_done", "good_hello", "peer_switched"):
                getattr(life, word)()
        self.assertEqual(notes.done, ["open next", "vouch", "switch", "settle"] * 3)

    def test_too_late_is_a_reason_of_its_own(self) -> None:
        life, notes = self.reach("at_rest")
        life.late()
        self.assertIsInstance(notes.errors[0], NotRekeyed)

    def test_no_input_was_forgotten_here(self) -> None:
        tried = {word for word, *_ in INPUTS}
        self.assertEqual(tried, {word for word in vars(RekeyLife) if not word.startswith("_")})


class Session:
    """The chat whose keys are renewed; it ends at the first fault."""

    def __init__(self) -> None:
        self.faults: list[Exception] = []
        self.control: Any = None  # what needs it raises, which is as good

    def send(self, frame: bytes) -> None:
        raise ZeroDivisionError("a trial")

    def fault(self, error: Exception) -> None:
        self.faults.append(error)


class FaultTests(SynchronousTestCase):
    """Whichever output raises, and however much of it was done: the chat is cut."""

    def break_output(self, case: OutputCase) -> None:
        session, clock, epochs = Session(), Clock(), Any
        agreement = Pair().agreement("caller")
        keys = rekeying.Rekeying(agreement, session, epochs, clock)  # type: ignore[arg-type]
        with idle(rekeying.machine):
            for word, *arguments in PATHS[case.state]:
                getattr(keys._life, word)(*arguments)
        [arguments] = [rest for word, *rest in INPUTS if word == case.word]
        with case.broken():
            getattr(keys._life, case.word)(*arguments)
        self.assertTrue(self.flushLoggedErrors(OurFault), case)
        self.assertTrue(session.faults, case)
        self.assertEqual(clock.getDelayedCalls(), [], case)
        self.assertIsNone(keys._next, case)

    def test_every_output_in_every_state(self) -> None:
        cases = list(output_cases(rekeying.machine))
        for case in cases:
            self.break_output(case)
        self.assertGreater(len(cases), 40)


_ONWARD = {("awaiting_hello", "good_hello"), ("awaiting_switch", "peer_switched")}
