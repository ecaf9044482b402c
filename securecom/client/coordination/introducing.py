"""Introductions inside a chat: asking, answering, vouching.

The introducer asks each of the two, whenever there is a chat with them, and passes a key on only
when both have said yes. The other person takes a key only if they said yes to this introducer and
have verified them.
"""

from __future__ import annotations

from typing import Any, Protocol

from twisted.internet.defer import Deferred
from twisted.protocols import amp

from securecom import introduction, limits, statements, vocabulary
from securecom.client.coordination.station import Station
from securecom.client.events import problem
from securecom.client.introductions import Making, Side
from securecom.client.key_events import (
    Introduced,
    IntroductionOffered,
    IntroductionStage,
    IntroductionStep,
    Word,
)
from securecom.control import Locator
from securecom.errors import NotNow, PeerKeyChanged, SecurecomError, WireError
from securecom.identity import Name, PublicKey
from securecom.introduction import Person
from securecom.values import replace

#: What a client says in HELLO if it can do this.
FEATURE = "introductions"


class ChatLine(Protocol):
    """What this needs of the chat's session."""

    @property
    def is_established(self) -> bool:
        """Both HELLOs were good."""

    @property
    def may_speak(self) -> bool:
        """The chat stands, and we have not said goodbye."""

    @property
    def peer_knows(self) -> frozenset[str]:
        """What the peer's client can do."""

    def ask(self, command: type[amp.Command], **arguments: Any) -> Deferred[dict[str, Any]]:
        """Send a command."""


class Introducing(Locator):
    """One side of a chat, in which either person may introduce, or be introduced.

    :param peer: the other person, with the key of this chat.
    """

    def __init__(self, station: Station, peer: Person) -> None:
        self._station, self._peer = station, peer
        self._kept = station.contacts.introductions
        self._asked: set[str] = set()  # the other names about which we asked the peer
        self._offered: set[Name] = set()  # to whom the peer offers to introduce us
        self._refused: set[Name] = set()  # whose key, as the peer told it, we did not take
        self._count = 0
        self.line: ChatLine

    # --- as the introducer ------------------------------------------------------------------

    def go_on(self) -> None:
        """The chat stands, or there is a new introduction: do what can be done with this peer."""
        if not (self.line.may_speak and FEATURE in self.line.peer_knows):
            return
        try:
            for made in self._kept.making():
                if self._peer.name in (made.one.name, made.other.name):
                    self._advance(made)
        except SecurecomError as error:
            self._station.show(problem(error))

    def _advance(self, made: Making) -> None:
        own, other = made.sides(self._peer.name)
        if not all(is_verified(self._station, side.person) for side in (own, other)):
            self._kept.drop(made)
            self._step("dropped", other.name)
        elif self._agrees(own, other) and self._agrees(other, own):
            if not own.is_done:
                self._vouch(made)
        elif not self._agrees(own, other) and other.name not in self._asked:
            self._asked.add(other.name)
            self.line.ask(vocabulary.Introduce, other=Name(other.name)).addErrback(_cut)
            self._step("asked", other.name)

    def _vouch(self, made: Making) -> None:
        _, other = made.sides(self._peer.name)
        station = self._station
        me = Person(station.name, station.identity.public_key)
        said = introduction.vouching(station.server, me, other.person, self._peer)
        sent = self.line.ask(
            vocabulary.Vouch,
            other=other.person.name,
            key=other.person.key,
            signature=statements.signed(station.identity, said),
            consent=bytes.fromhex(other.consent),
        )
        sent.addCallback(lambda _: self._vouched(other.name)).addErrback(_cut)

    def _vouched(self, other: str) -> None:
        """The peer has it."""
        if (made := self._made_with(other)) is not None:
            side, other_side = made.sides(self._peer.name)
            self._kept.put(made.with_side(replace(side, is_done=True)))
            self._step("delivered", other, None if other_side.is_done else other)

    @vocabulary.AgreeIntroduction.responder
    def peer_answers(self, other: Name, word: Word, consent: bytes) -> dict[str, Any]:
        """The peer's person says whether they want to be introduced to `other`.

        :raises WireError: if the signature is not theirs.
        """
        self._check_begun()
        made = self._made_with(other)
        if made is None:  # it was taken back meanwhile, or never was
            return {}
        own, _ = made.sides(self._peer.name)
        if word == "no":
            self._kept.drop(made)
            self._step("no", other)
        elif other in self._asked and not self._agrees(*made.sides(self._peer.name)):
            agreed = made.with_side(replace(own, consent=consent.hex()))
            if not self._agrees(*agreed.sides(self._peer.name)):
                raise WireError("a yes to an introduction that is not signed")
            self._kept.put(agreed)
            is_answered = self._agrees(*reversed(agreed.sides(self._peer.name)))
            self._step("yes", other, None if is_answered else other)
            self._advance(agreed)
        return {}

    def _made_with(self, other: str) -> Making | None:
        """The introduction of the peer and this person."""
        for made in self._kept.making():
            if {made.one.name, made.other.name} == {self._peer.name, other}:
                return made
        return None

    def _agrees(self, side: Side, other: Side) -> bool:
        """This side has said yes, to the key that we have now: a yes to a former one of ours is
        worth nothing to the other side.
        """
        station, consent = self._station, bytes.fromhex(side.consent)
        me = Person(station.name, station.identity.public_key)
        return bool(consent) and introduction.has_agreed(
            station.server, me, side.person, Name(other.name), consent
        )

    # --- as one of the two ------------------------------------------------------------------

    def answer(self, other: Name, agrees: bool) -> IntroductionStep:
        """Our person answers the offer to be introduced to `other`.

        :raises NotNow: if there is no such offer, or the peer is not verified.
        """
        is_open = other in self._offered
        if not agrees:  # a yes can be taken back until the key is there
            is_open = is_open or self._kept.has_agreed(self._peer, other)
        if not (is_open and self.line.may_speak):
            what = f"{self._peer.name} does not offer to introduce you to {other}"
            raise NotNow(what)
        if agrees and not is_verified(self._station, self._peer):
            what = f"{self._peer.name} is not verified, so what they say of a key proves nothing"
            raise NotNow(what, "Nothing was sent. Compare first.", ("verify", ""))
        self._offered.discard(other)
        if agrees:
            self._kept.agree(self._peer, other)
        else:
            self._kept.disagree(self._peer, other)
        self._send_answer(other, agrees)
        return IntroductionStep(self._peer.name, other, "i-agreed" if agrees else "i-declined")

    def _send_answer(self, other: Name, agrees: bool) -> None:
        station = self._station
        consent = bytes(statements.SIGNATURE_BYTES)  # a no is as long as a yes on the wire
        if agrees:
            own = (station.identity, station.name)
            consent = introduction.agree(station.server, self._peer, *own, other)
        word = "yes" if agrees else "no"
        said = self.line.ask(vocabulary.AgreeIntroduction, other=other, word=word, consent=consent)
        said.addErrback(_cut)

    @vocabulary.Introduce.responder
    def peer_offers(self, other: Name) -> dict[str, Any]:
        """The peer offers to introduce us to `other`. Our person decides; a yes is kept.

        :raises WireError: for too many, or for one of the two in this chat.
        """
        self._check_begun()
        self._count += 1
        if self._count > limits.MAX_INTRODUCTIONS:
            raise WireError("more offers of introductions than there may be")
        if other in (self._station.name, self._peer.name):
            raise WireError("an introduction to one of the two in the chat")
        if not self.line.may_speak:
            return {}
        if self._kept.has_agreed(self._peer, other) and is_verified(self._station, self._peer):
            self._send_answer(other, True)
        elif other not in self._offered:
            self._offered.add(other)
            trust = self._station.contacts.trust(self._peer.name, self._peer.key)
            self._station.show(IntroductionOffered(self._peer.name, other, trust))
        return {}

    @vocabulary.Vouch.responder
    def peer_vouches(
        self, other: Name, key: PublicKey, signature: bytes, consent: bytes
    ) -> dict[str, Any]:
        """The peer says which key is `other`'s. Without our person's yes it counts for nothing.

        :raises WireError: if the peer did not sign that for us, or `other` did not agree to it.
        """
        self._check_begun()
        if other in self._refused or not self._kept.has_agreed(self._peer, other):
            return {}
        station, introduced = self._station, Person(other, key)
        me = Person(station.name, station.identity.public_key)
        said = introduction.vouching(station.server, self._peer, introduced, me)
        if not statements.has_signed(self._peer.key, said, signature):
            raise WireError("an introduction that its introducer did not sign for us")
        if not introduction.has_agreed(
            station.server, self._peer, introduced, station.name, consent
        ):
            raise WireError("an introduction to which the introduced person did not agree")
        try:
            self._take(introduced)
        except SecurecomError as error:  # nothing was kept, and the chat goes on
            self._refused.add(other)
            station.show(problem(error))
        return {}

    def _take(self, introduced: Person) -> None:
        station = self._station
        if not is_verified(station, self._peer):
            raise NotNow(f"{self._peer.name} introduces {introduced.name}, but is not verified")
        if introduced.key == station.identity.public_key:
            raise PeerKeyChanged(f"{self._peer.name} gave your own key for {introduced.name}'s")
        trust = station.contacts.introduce(introduced, self._peer)
        self._kept.disagree(self._peer, introduced.name)
        fingerprint = introduced.key.fingerprint
        station.show(Introduced(introduced.name, self._peer.name, fingerprint, trust))
        station.met_somebody()

    # --- insides ----------------------------------------------------------------------------

    def _check_begun(self) -> None:
        if not self.line.is_established:
            raise WireError("an introduction before HELLO")

    def _step(self, stage: IntroductionStage, other: str, following: str | None = None) -> None:
        self._station.show(IntroductionStep(self._peer.name, other, stage, following))


def is_verified(station: Station, person: Person) -> bool:
    """We have verified this person, with this key, which is not retired."""
    contacts = station.contacts
    pin = contacts.pin(person.name)
    is_that = pin is not None and (pin.key, pin.trust) == (person.key, "verified")
    return is_that and not contacts.is_retired(person.name)


def _cut(_: object) -> None:
    """The chat is over, or was cut for what the peer answered."""
