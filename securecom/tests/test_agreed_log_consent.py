"""Words about a log cross in every way they can; what is kept is what both meant."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import Any

from hypothesis import example, given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from securecom import limits
from securecom.client.chat.agreed_log import LogConsent
from securecom.errors import WireError


@dataclass
class Said:
    """A message, and what its speaker had said and heard about the log by then."""

    text: int
    last_word: str
    heard: int
    knew_both: bool


@dataclass
class Side:
    """One person and their client, as `AgreedLog` drives the consent."""

    consent: LogConsent = field(default_factory=LogConsent)
    words: list[str] = field(default_factory=list)
    heard: int = 0  # words of the other's that came
    out: deque[tuple[str, Any]] = field(default_factory=deque)
    pending: dict[int, Said] = field(default_factory=dict)
    kept_mine: list[int] = field(default_factory=list)
    kept_theirs: list[int] = field(default_factory=list)

    @property
    def last_word(self) -> str:
        return self.words[-1] if self.words else "off"


class Wire:
    """Two sides; each direction keeps its order, and is as slow as it likes."""

    def __init__(self, case: SynchronousTestCase) -> None:
        self.case = case
        self.sides = (Side(), Side())
        self.said = 0

    def act(self, who: int, what: str) -> None:
        side = self.sides[who]
        match what:
            case "on" if side.consent.state in ("off", "asked-by-peer"):
                side.out.append(("on", side.consent.say_on()))
                side.words.append("on")
            case "off" if side.consent.state != "off":
                side.consent.say_off()
                side.out.append(("off", None))
                side.words.append("off")
            case "say":
                self.say(side)
            case "deliver" if side.out:
                self.deliver(side, self.sides[1 - who])
        if what == "off":
            side.pending.clear()

    def say(self, side: Side) -> None:
        self.said += 1
        said = Said(self.said, side.last_word, side.heard, side.consent.keeps_mine)
        if side.consent.keeps_mine:
            side.pending[said.text] = said
        side.out.append(("say", said))

    def deliver(self, source: Side, target: Side) -> None:
        """The next of what `source` sent comes to `target`, who answers at once."""
        what, fact = source.out.popleft()
        match what:
            case "on":
                target.heard += 1
                target.consent.heard_on()
                target.out.append(("on heard", fact))
            case "off":
                target.heard += 1
                target.consent.heard_off()
                target.pending.clear()
                target.out.append(("off heard", None))
            case "on heard":
                target.consent.on_answered(fact)
            case "off heard":
                target.consent.off_answered()
            case "say":
                self.heard(source, target, fact)
            case "receipt":
                self.receipted(target, *fact)

    def heard(self, source: Side, target: Side, said: Said) -> None:
        if target.consent.keeps_theirs:
            target.kept_theirs.append(said.text)
            # As the speaker meant it when they said it: their last word, knowing all of ours.
            self.case.assertEqual((said.last_word, target.last_word), ("on", "on"))
            self.case.assertEqual(said.heard, len(target.words))
            self.case.assertTrue(said.knew_both)
        target.out.append(("receipt", (said.text, target.last_word, target.heard)))

    def receipted(self, speaker: Side, text: int, their_word: str, they_heard: int) -> None:
        if speaker.pending.pop(text, None) is not None:
            speaker.kept_mine.append(text)
            self.case.assertEqual((their_word, speaker.last_word), ("on", "on"))
            self.case.assertEqual(they_heard, len(speaker.words))

    def settle(self) -> None:
        while any(side.out for side in self.sides):
            for who in (0, 1):
                self.act(who, "deliver")


STEPS = st.lists(
    st.tuples(st.sampled_from((0, 1)), st.sampled_from(("on", "off", "say", "deliver", "deliver"))),
    max_size=60,
)
#: The first asks, takes it back and asks again; the second has heard all but the last word.
AGAIN = [(0, "on"), (0, "off"), (0, "on"), (0, "deliver"), (0, "deliver")]
#: The first asks, and knows that it was heard; takes it back, and asks again likewise.
KNOWN = [(0, "on"), (0, "deliver"), (1, "deliver")]
TAKEN_BACK = [(0, "off"), (0, "on"), (0, "deliver")]
MIRROR = {"asked-by-me": "asked-by-peer", "asked-by-peer": "asked-by-me"}


class InterleavingTests(SynchronousTestCase):
    # Promise T72, C41
    @given(STEPS)
    @example([(0, "on"), (1, "on"), (0, "say"), (1, "say"), (0, "deliver"), (0, "deliver")])
    @example([(0, "on"), (0, "deliver"), (1, "on"), (0, "off"), (0, "on"), (1, "deliver")])
    @example([*AGAIN, (1, "on"), (1, "say"), *[(1, "deliver")] * 4])
    @example([*KNOWN, *AGAIN, (1, "on"), (1, "say"), *[(1, "deliver")] * 4])
    @example([*KNOWN, *TAKEN_BACK, (1, "on"), (1, "say"), *[(1, "deliver")] * 4])
    def test_nothing_is_kept_that_either_did_not_mean_to_be(self, steps: list[Any]) -> None:
        """The assertions are where messages are kept; then both agree how it stands."""
        wire = Wire(self)
        for who, what in steps:
            wire.act(who, what)
        wire.settle()
        one, other = wire.sides
        self.assertEqual(one.consent.state, MIRROR.get(other.consent.state, other.consent.state))
        for side in wire.sides:
            self.assertEqual(side.consent.keeps_mine, side.consent.keeps_theirs)
            if side.consent.state == "on":
                self.assertEqual((one.last_word, other.last_word), ("on", "on"))
        self.assertLessEqual(set(one.kept_mine), set(other.kept_theirs))
        self.assertLessEqual(set(other.kept_mine), set(one.kept_theirs))
        for who in (0, 1):
            wire.act(who, "on")
            wire.settle()
        self.assertEqual([side.consent.state for side in wire.sides], ["on", "on"])

    @given(STEPS)
    def test_what_one_side_alone_keeps_is_what_its_speaker_took_back(
        self, steps: list[Any]
    ) -> None:
        """Without an "off" both files hold the same messages."""
        wire = Wire(self)
        for who, what in steps:
            if what != "off":
                wire.act(who, what)
        wire.settle()
        one, other = wire.sides
        self.assertEqual(one.kept_mine, other.kept_theirs)
        self.assertEqual(other.kept_mine, one.kept_theirs)

    def test_both_ask_at_once(self) -> None:
        wire = Wire(self)
        for who in (0, 1):
            wire.act(who, "on")
        wire.settle()
        self.assertEqual([side.consent.state for side in wire.sides], ["on", "on"])

    def test_a_yes_to_a_withdrawn_question_does_not_count(self) -> None:
        """Also if the same question is asked again meanwhile: the yes was to the first."""
        wire = Wire(self)
        wire.act(0, "on")
        wire.act(0, "deliver")
        wire.act(1, "on")
        wire.act(0, "off")
        wire.act(0, "on")
        wire.settle()
        states = [side.consent.state for side in wire.sides]
        self.assertEqual(states, ["asked-by-me", "asked-by-peer"])

    def test_what_they_say_before_they_know_is_not_kept(self) -> None:
        wire = Wire(self)
        one, other = wire.sides
        wire.act(0, "on")
        wire.act(0, "deliver")
        wire.act(1, "on")
        wire.act(0, "say")  # asked, and does not know of the yes
        wire.act(1, "say")  # knows that both want it
        wire.settle()
        self.assertEqual((one.kept_mine, other.kept_theirs), ([], []))
        self.assertEqual((other.kept_mine, one.kept_theirs), ([2], [2]))


class FloodTests(SynchronousTestCase):
    def test_a_peer_may_ask_only_so_often(self) -> None:
        consent = LogConsent()
        for _ in range(limits.MAX_LOG_ASKS):
            consent.heard_on()
            consent.heard_off()
        self.assertRaises(WireError, consent.heard_on)

    def test_and_end_no_more_than_was_begun(self) -> None:
        consent = LogConsent()
        self.assertRaises(WireError, consent.heard_off)
        consent = LogConsent()
        consent.say_on()
        consent.heard_on()
        consent.heard_off()
        consent.heard_off()
        self.assertRaises(WireError, consent.heard_off)

    @given(STEPS)
    def test_who_keeps_to_the_rules_is_never_taken_for_one(self, steps: list[Any]) -> None:
        wire = Wire(self)
        for who, what in steps * 3:
            if what != "on" or wire.sides[who].consent.may_ask:
                wire.act(who, what)
        wire.settle()

    def test_our_own_questions_have_the_same_end(self) -> None:
        consent = LogConsent()
        for _ in range(limits.MAX_LOG_ASKS):
            self.assertTrue(consent.may_ask)
            consent.say_on()
            consent.say_off()
        self.assertFalse(consent.may_ask)
