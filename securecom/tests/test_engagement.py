"""Crossing requests, and every input in every state of an engagement."""

from __future__ import annotations

import inspect
from typing import Any, ClassVar

from twisted.internet.defer import Deferred, succeed

from securecom import limits, refusals
from securecom.client.api import ClientState
from securecom.client.coordination import engagement_states
from securecom.client.coordination.asking import AskedSide, AskingSide, DecidingSide
from securecom.client.coordination.engagement import (
    ASK_THE_PERSON,
    Engagement,
    Grant,
    Offer,
    OwnRequest,
    Waiting,
)
from securecom.client.events import (
    Asked,
    AskedOver,
    ChatOver,
    ChatStarted,
    Event,
    Online,
    Problem,
    RefusedForYou,
)
from securecom.errors import ChatFailed, NotAnswered, NotNow, OurFault
from securecom.tests.support.broken_outputs import OutputCase, output_cases
from securecom.tests.support.chat_pair import STREAM
from securecom.tests.support.scripted_server import outcome
from securecom.tests.support.scripted_server_case import (
    BOB,
    CAROL,
    OTHER_CHAT,
    STATES,
    AliceTestCase,
)

#: Where no request of ours is open.
_NOT_ASKING = tuple(one for one in STATES if one not in ("asking", "crossing", "withdrawing"))
#: Whose caller waits for what becomes of it.
_ORDERS = ("ask", "cancel", "accept", "refuse", "dismiss", "stop")


class CrossingTests(AliceTestCase):
    """Alice asks Bob while Bob asks Alice."""

    def test_two_requests_become_one_chat_and_nobody_is_asked(self) -> None:
        stands = self.reach("crossing")
        self.withdraw("crossed")
        self.peer("callee").open()
        self.grant()
        self.assertEqual(stands, [None])
        self.assertEqual(self.notes.of(Asked) + self.notes.of(AskedOver), [])

    def test_the_offer_waits_until_our_request_is_over(self) -> None:
        stands = self.ask()
        answer = self.offer()
        self.assertEqual((answer, self.notes.of(Asked)), ([], []))
        self.deny(refusals.NoAnswer())
        self.fails(stands, NotAnswered)
        self.assertEqual(len(self.notes.of(Asked)), 1)
        self.told(self.alice.accept())
        self.assertEqual(answer, ["accept"])

    def test_a_chat_granted_before_the_withdrawal_counts(self) -> None:
        self.ask()
        answer = self.offer()
        self.peer("callee").open()
        self.grant()
        self.assertEqual(answer, ["busy"])
        self.withdraw("crossed")
        self.assertEqual(self.alice.peer, BOB)
        self.assertEqual(self.notes.of(RefusedForYou) + self.notes.of(AskedOver), [])

    def test_a_held_offer_that_is_withdrawn_is_forgotten(self) -> None:
        self.reach("crossing")
        self.withdraw("cancelled")
        self.deny(refusals.NoAnswer())
        self.assertEqual(self.notes.of(Asked), [])
        self.assertIsNone(self.alice.offer)

    def test_a_held_offer_ends_with_the_request_channel(self) -> None:
        self.reach("crossing")
        assert self.end.request is not None
        self.end.request.close()
        self.pump()
        self.deny(refusals.NoAnswer())
        self.assertEqual(self.notes.of(Asked), [])

    def test_withdrawing_our_request_declines_theirs(self) -> None:
        self.ask()
        answer = self.offer()
        self.told(self.alice.cancel())
        self.assertEqual(answer, ["busy"])

    def test_a_chat_that_must_not_be_ends_both(self) -> None:
        stands = self.ask()
        answer = self.offer()
        self.grant(role="callee")
        self.fails(stands, ChatFailed)
        self.assertEqual(answer, ["unavailable"])
        self.assertIsNone(self.alice.offer)


class GreaterNameTests(AliceTestCase):
    """Zoe's name is greater than Bob's."""

    name = "zoe"

    def test_the_greater_name_is_the_callee_when_requests_cross(self) -> None:
        stands = self.ask()
        bob = self.peer("caller")
        self.grant(role="callee")
        bob.open()
        self.pump()
        self.assertEqual(stands, [None])
        self.assertEqual(self.notes.last(ChatStarted).role, "callee")

    def test_a_server_that_makes_both_callees_gains_nothing_but_a_timeout(self) -> None:
        stands = self.ask()
        self.peer("callee").open()
        self.grant(role="callee")
        self.network.advance(limits.CHAT_HANDSHAKE_DEADLINE)
        self.fails(stands, ChatFailed)
        self.assertEqual(self.notes.of(ChatStarted), [])


class NotNowTests(AliceTestCase):
    """What the person may order in which state; everything else is refused and sends nothing."""

    allowed = {
        "free": {"request"},
        "asking": {"cancel"},
        "crossing": {"cancel"},
        "withdrawing": {"cancel"},
        "deciding": set(),
        "considering": {"accept", "refuse"},
        "accepted": {"stop"},
        "opening": {"stop"},
        "chatting": {"stop", "say"},
    }

    def order(self, order: str) -> Any:
        calls: dict[str, Any] = {
            "request": lambda: self.alice.request_chat(CAROL),
            "cancel": self.alice.cancel,
            "accept": self.alice.accept,
            "refuse": self.alice.refuse,
            "stop": self.alice.stop,
        }
        return calls[order]()

    def test_every_order_in_every_state(self) -> None:
        for state in STATES:
            for order in ("request", "cancel", "accept", "refuse", "stop"):
                self.setUp()
                self.reach(state)
                heard = (list(self.end.heard), len(self.end.requests), list(self.notes.events))
                came = self.told(self.order(order))
                if order in self.allowed[state]:
                    self.assertNotIn(NotNow, map(type, came), (state, order))
                    continue
                self.fails(came, NotNow)
                after = (list(self.end.heard), len(self.end.requests), list(self.notes.events))
                self.assertEqual(heard, after, (state, order))

    def test_what_is_said_outside_a_chat_is_refused(self) -> None:
        for state in STATES:
            self.setUp()
            self.reach(state)
            if "say" in self.allowed[state]:
                self.assertEqual(self.alice.say("hi"), 1)
            else:
                self.assertRaises(NotNow, self.alice.say, "hi")

    def test_the_facts_for_a_prompt(self) -> None:
        facts = {
            "free": (ClientState.IDLE, None, None, None),
            "asking": (ClientState.ASKING, BOB, None, None),
            "crossing": (ClientState.ASKING, BOB, None, None),
            "withdrawing": (ClientState.ASKING, BOB, None, None),
            "deciding": (ClientState.IDLE, None, None, None),
            "considering": (ClientState.ASKED, None, BOB, None),
            "accepted": (ClientState.OPENING, None, None, None),
            "opening": (ClientState.OPENING, None, None, None),
            "chatting": (ClientState.CHAT, None, None, BOB),
        }
        for state in STATES:
            self.setUp()
            self.reach(state)
            offer = self.alice.offer and self.alice.offer.caller
            seen = (self.alice.state, self.alice.asking, offer, self.alice.peer)
            self.assertEqual(seen, facts[state], state)


class CompletenessTests(AliceTestCase):
    """Every input in every state: also what only a mistake of ours could let through."""

    #: Asked, answered or ended; where nothing is listed nothing is done.
    out_of_turn: ClassVar[dict[str, tuple[str, ...]]] = {
        "granted": _NOT_ASKING,
        "misgranted": _NOT_ASKING,
        "denied": _NOT_ASKING,
        "withdrawn": ("free", "asking", "withdrawing", "opening", "chatting"),
        "expired": ("free", "asking", "crossing", "withdrawing", "opening", "chatting"),
        "undecided": tuple(state for state in STATES if state != "deciding"),
        "agreed": tuple(state for state in STATES if state != "deciding"),
        "declined": tuple(state for state in STATES if state != "deciding"),
        "stood": tuple(state for state in STATES if state != "opening"),
        "over": tuple(state for state in STATES if state not in ("opening", "chatting")),
        "stream_opened": tuple(state for state in STATES if state != "accepted"),
    }

    def arguments(self, word: str) -> list[Any]:
        """For an input, by what its arguments are called."""
        known: dict[str, Any] = {
            "request": OwnRequest(CAROL),
            "done": Deferred(),
            "grant": Grant(OTHER_CHAT, STREAM + 1, self.carol.public_key, "caller"),
            "error": ChatFailed("a trial"),
            "offer": Offer(OTHER_CHAT, CAROL, self.carol.public_key, 60),
            "reason": "cancelled",
            "verdict": "refuse",
            "number": STREAM + 1,
            "ending": None,
            "undelivered": [],
        }
        names = list(inspect.signature(getattr(Engagement, word)).parameters)[1:]
        return [known[name] for name in names]

    def put(self, word: str) -> list[Any]:
        """Feed an input to the machine itself; its arguments."""
        arguments = self.arguments(word)
        life = self.person.client._coordinator._life
        getattr(life, word)(*arguments)
        self.pump()
        return arguments

    def facts(self) -> Any:
        alice = self.alice
        offer = alice.offer and alice.offer.caller
        return alice.state, alice.asking, offer, alice.peer, list(self.notes.events)

    def test_every_pair_is_declared(self) -> None:
        automaton = engagement_states.machine.__automat_automaton__
        taken: dict[str, set[str]] = {name: set() for name in ("offline", *STATES)}
        for state, word, *_ in automaton.allTransitions():
            taken[state.name].add(word)
        words = {word for word in vars(Engagement) if not word.startswith("_")}
        for name, inputs in taken.items():
            self.assertEqual(inputs, words, name)

    def test_what_comes_out_of_turn_changes_nothing_here(self) -> None:
        for word, states in self.out_of_turn.items():
            for state in states:
                self.setUp()
                self.reach(state)
                before = self.facts()
                self.put(word)
                self.assertEqual(self.facts(), before, (state, word))
                ended = [STREAM + 1] if word in ("granted", "misgranted") else []
                self.assertEqual(self.end.said("end"), ended, (state, word))

    def test_an_offer_of_whom_we_do_not_ask_is_answered_or_put_to_the_person(self) -> None:
        for state in STATES:
            if state == "asking":
                continue
            self.setUp()
            self.reach(state)
            [offer] = self.put("offered_by_callee")
            if state == "free":
                self.assertIs(self.alice.offer, offer)
            else:
                self.assertEqual(self.successResultOf(offer.answer), "busy", state)

    def test_a_grant_when_we_are_off_line_breaks_nothing(self) -> None:
        self.server.shut()
        self.end.standard.close()
        self.pump()
        self.put("granted")
        self.assertEqual(self.notes.of(Problem), [])

    def test_the_sides_say_so_when_there_is_nothing_to_take(self) -> None:
        station: Any = None
        self.assertRaises(NotNow, AskingSide(station).take)
        self.assertRaises(NotNow, AskedSide(station, Waiting()).take_held)
        self.assertRaises(NotNow, DecidingSide(station, ASK_THE_PERSON).take)


class FaultTests(AliceTestCase):
    """Whichever output raises, and however much of it was done: nobody is engaged for ever."""

    def put(self, word: str) -> list[Any]:
        """Feed an input to the engagement; what those wait for who made it."""
        waiting = self.person.client._coordinator._waiting
        offer = Offer(OTHER_CHAT, CAROL, self.carol.public_key, 60)
        answered = outcome(waiting.answer(offer)) if word.startswith("offered") else [None]
        done = waiting.promise() if word in _ORDERS else succeed(None)
        came = outcome(done)
        facts: dict[str, Any] = {
            "request": OwnRequest(CAROL, done),
            "done": done,
            "grant": Grant(OTHER_CHAT, STREAM + 1, self.carol.public_key, "caller"),
            "error": ChatFailed("a trial"),
            "offer": offer,
            "reason": "cancelled",
            "verdict": "refuse",
            "number": STREAM + 1,
            "ending": "cut-off" if self.alice.state is ClientState.CHAT else None,
            "undelivered": [],
        }
        names = list(inspect.signature(getattr(Engagement, word)).parameters)[1:]
        if word == "lost":
            self.server.shut()
            self.end.standard.close()
        else:
            put = getattr(self.person.client._coordinator._life, word)
            put(*(facts[name] for name in names))
        self.pump()
        self.network.advance(1)
        self.assertEqual(len(answered), 1, word)
        return came

    def check_free(self, case: object) -> None:
        """Nothing is left, and the next request becomes a chat."""
        coordinator = self.person.client._coordinator
        self.assertEqual(coordinator._waiting._promises, {}, case)
        self.assertEqual(coordinator._waiting._offers, {}, case)
        facts = self.alice.state, self.alice.asking, self.alice.offer, self.alice.peer
        free = ClientState.IDLE if self.alice.is_online else ClientState.OFFLINE
        self.assertEqual(facts, (free, None, None, None), case)
        shown = self.notes.of(ChatStarted), self.notes.of(ChatOver)
        self.assertEqual(len(shown[0]), len(shown[1]), case)
        shown_offers = len(self.notes.of(Asked)), len(self.notes.of(AskedOver))
        self.assertEqual(*shown_offers, case)
        if free is ClientState.IDLE:
            self.assertEqual(self.ask(CAROL), [], case)
            self.assertEqual(self.alice.asking, CAROL, case)
            self.deny(refusals.NoAnswer())
            self.assertIs(self.alice.state, ClientState.IDLE, case)

    def break_output(self, case: OutputCase) -> None:
        self.setUp()
        waits = self.reach(case.state)
        kinds: dict[str, type[Event]] = {"chatting": ChatStarted, "considering": Asked}
        kept = kinds.get(case.state, Online)
        self.notes.events[:] = self.notes.of(kept)
        with case.broken():
            came = self.put(case.word)
        logged = self.flushLoggedErrors(OurFault)
        self.assertTrue(logged, case)
        self.assertNotIn("bob", "".join(map(str, logged)), case)
        self.assertEqual(len(came), 1, case)
        if case.state in ("asking", "crossing", "withdrawing", "accepted", "opening"):
            self.assertEqual(len(waits), 1, case)
        self.check_free(case)

    def test_every_output_in_every_state(self) -> None:
        cases = [
            case
            for case in output_cases(engagement_states.machine)
            if case.state in STATES and case.word != "broke"
        ]
        for case in cases:
            self.break_output(case)
        self.assertGreater(len(cases), 100)
