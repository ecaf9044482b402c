"""Every input in every state of a chat session, and what follows from it."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from securecom import limits, refusals, vocabulary
from securecom.client.chat import chat_life
from securecom.client.chat.chat_life import ChatLife, Heard
from securecom.errors import NotNow, OurFault, WireError
from securecom.tests.support.broken_outputs import OutputCase, idle, output_cases
from securecom.tests.support.chat_pair import Pair

ERROR = WireError("a trial")

#: How each state is reached.
PATHS: dict[str, list[tuple[Any, ...]]] = {
    "awaiting_handshake": [],
    "awaiting_hello": [("handshake_done",)],
    "awaiting_our_word": [("handshake_done",), ("good_hello_from_callee",)],
    "awaiting_their_word": [("handshake_done",), ("good_hello_from_caller",)],
    "talking": [("handshake_done",), ("good_hello_from_callee",), ("say", 1, "hi")],
    "awaiting_bye_answer": [("handshake_done",), ("good_hello_from_caller",), ("leave",)],
    "over": [("lost",)],
}

#: What is done, by state and input; where nothing is listed nothing is done.
DONE: dict[str, dict[str, list[Any]]] = {
    "awaiting_handshake": {
        "handshake_done": ["hello"],
        "misbehaved": [("end", None, "a trial")],
        "heard": ["refuse", ("end", None, "the peer spoke before HELLO")],
        "agreed": [("end", None, "the peer spoke before HELLO")],
        "disagreed": [("end", None, "the peer spoke before HELLO")],
        "said_bye": [("end", None, None)],
        "leave": [("end", None, None)],
        "lost": [("end", None, None)],
    },
    "awaiting_hello": {
        "good_hello_from_callee": ["stand"],
        "good_hello_from_caller": ["stand"],
        "misbehaved": [("end", None, "a trial")],
        "heard": ["refuse", ("end", None, "the peer spoke before HELLO")],
        "agreed": [("end", None, "the peer spoke before HELLO")],
        "disagreed": [("end", None, "the peer spoke before HELLO")],
        "said_bye": [("end", None, None)],
        "leave": [("end", None, None)],
        "lost": [("end", None, None)],
    },
    "awaiting_our_word": {
        "say": ["send"],
        "misbehaved": [("end", "cut-off", "a trial")],
        "heard": ["refuse", ("end", "cut-off", "the peer spoke out of turn")],
        "agreed": [("word", "yes")],
        "disagreed": [("word", "no"), ("end", "by-peer", None)],
        "disagree": ["no"],
        "said_bye": [("end", "by-peer", None)],
        "leave": ["bye"],
        "lost": [("end", "cut-off", None)],
    },
    "awaiting_their_word": {
        "say": ["hold back"],
        "misbehaved": [("end", "cut-off", "a trial")],
        "heard": ["show", "send held"],
        "agreed": [("word", "yes")],
        "disagreed": [("word", "no"), ("end", "by-peer", None)],
        "disagree": ["no"],
        "said_bye": [("end", "by-peer", None)],
        "leave": ["bye"],
        "lost": [("end", "cut-off", None)],
    },
    "talking": {
        "say": ["send"],
        "misbehaved": [("end", "cut-off", "a trial")],
        "heard": ["show"],
        "agreed": [("word", "yes")],
        "disagreed": [("word", "no"), ("end", "by-peer", None)],
        "disagree": ["no"],
        "said_bye": [("end", "by-peer", None)],
        "leave": ["bye"],
        "lost": [("end", "cut-off", None)],
    },
    "awaiting_bye_answer": {
        "misbehaved": [("end", "cut-off", "a trial")],
        "heard": ["refuse"],
        "disagreed": [("word", "no"), ("end", "by-me", None)],
        "said_bye": [("end", "by-me", None)],
        "bye_answered": [("end", "by-me", None)],
        "lost": [("end", "cut-off", None)],
    },
    "over": {"heard": ["refuse"]},
}

INPUTS: tuple[tuple[Any, ...], ...] = (
    ("handshake_done",),
    ("good_hello_from_callee",),
    ("good_hello_from_caller",),
    ("misbehaved", ERROR),
    ("say", 1, "hi"),
    ("agreed",),
    ("disagreed",),
    ("disagree",),
    ("said_bye",),
    ("leave",),
    ("bye_answered",),
    ("lost",),
)


class Notes:
    """`chat_life.Actions` that are only noted."""

    def __init__(self) -> None:
        self.done: list[Any] = []

    def send_hello(self) -> None:
        self.done.append("hello")

    def stand(self) -> None:
        self.done.append("stand")

    def send_now(self, number: int, text: str) -> None:
        self.done.append("send")

    def hold_back(self, number: int, text: str) -> None:
        self.done.append("hold back")

    def send_held(self) -> None:
        self.done.append("send held")

    def show(self, heard: Heard) -> None:
        self.done.append("show")

    def refuse(self, heard: Heard) -> None:
        self.done.append("refuse")

    def show_word(self, word: str) -> None:
        self.done.append(("word", word))

    def send_no(self) -> None:
        self.done.append("no")

    def send_bye(self) -> None:
        self.done.append("bye")

    def end(self, ending: Any, error: Exception | None) -> None:
        self.done.append(("end", ending, getattr(error, "what", None)))

    def give_up(self, error: Exception) -> None:
        self.done.append("give up")


class ChatLifeTests(SynchronousTestCase):
    def reach(self, state: str) -> tuple[ChatLife, Notes]:
        notes = Notes()
        life = chat_life.machine(notes)
        for word, *arguments in PATHS[state]:
            getattr(life, word)(*arguments)
        notes.done.clear()
        return life, notes

    def test_every_input_in_every_state(self) -> None:
        for state in PATHS:
            for word, *arguments in (*INPUTS, ("heard", Heard("hi"))):
                life, notes = self.reach(state)
                getattr(life, word)(*arguments)
                self.assertEqual(notes.done, DONE[state].get(word, []), (state, word))

    def test_after_the_end_nothing_ends_again(self) -> None:
        for state in PATHS:
            life, notes = self.reach(state)
            life.lost()
            notes.done.clear()
            for word, *arguments in INPUTS:
                getattr(life, word)(*arguments)
            self.assertEqual(notes.done, [], state)

    def test_no_input_was_forgotten_here(self) -> None:
        tried = {word for word, *_ in INPUTS} | {"heard"}
        self.assertEqual(tried, {word for word in vars(ChatLife) if not word.startswith("_")})

    def test_the_refusal_of_a_message_is_part_of_the_vocabulary(self) -> None:
        self.assertIn(refusals.OutOfTurn, vocabulary.Say.errors)


class FaultTests(SynchronousTestCase):
    """Whichever output raises, and however much of it was done: the owner hears of the end."""

    def break_output(self, case: OutputCase) -> None:
        pair = Pair()
        session, life = pair.alice.session, pair.alice.session._life
        with idle(chat_life.machine):
            for word, *arguments in PATHS[case.state]:
                getattr(life, word)(*arguments)
        [arguments] = [rest for word, *rest in _inputs() if word == case.word]
        with case.broken():
            getattr(life, case.word)(*arguments)
        self.assertTrue(self.flushLoggedErrors(OurFault), case)
        pair.clock.advance(0)
        self.assertEqual(len(pair.alice.over), 1, case)
        self.assertIsNotNone(pair.alice.error, case)
        self.assertRaises(NotNow, session.say, "hi")
        with case.broken():
            for word, *arguments in INPUTS:
                getattr(life, word)(*arguments)
        pair.clock.advance(limits.BYE_DEADLINE)
        self.assertEqual(len(pair.alice.over), 1, case)
        self.assertEqual(pair.clock.getDelayedCalls(), [], case)

    def test_every_output_in_every_state(self) -> None:
        cases = list(output_cases(chat_life.machine))
        for case in cases:
            self.break_output(case)
        self.assertGreater(len(cases), 80)


def _inputs() -> tuple[tuple[Any, ...], ...]:
    heard = Heard("hi")
    heard.receipt.addErrback(lambda _: None)
    return (*INPUTS, ("heard", heard))
