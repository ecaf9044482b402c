"""What the person asks and says about keys: their own, other people's, and the chat's.

Trust is the person's word and nobody else's: what a peer or the server says about it is shown,
and changes no pin.
"""

from __future__ import annotations

import re

from twisted.internet.defer import Deferred

from securecom.client.coordination.coordinator import Coordinator
from securecom.client.coordination.station import Station
from securecom.client.events import Trust
from securecom.client.introductions import Making
from securecom.client.key_events import (
    Fingerprints,
    FormerKey,
    IntroductionList,
    IntroductionStep,
    KeyAccepted,
    KeyRenewed,
    KeyRetired,
    PendingIntroduction,
    RetirementMade,
    SafetyCode,
    SafetyNumber,
    Whois,
    WordsToCompare,
)
from securecom.client.known_peers import OldKey, PinTrust
from securecom.client.retiring import Retiring
from securecom.client.rotation import Rotation
from securecom.errors import BadArgument, NotNow
from securecom.identity import Name, server_fingerprint
from securecom.introduction import Person
from securecom.safety_number import in_groups

#: As `PublicKey.fingerprint` makes it, and as people copy it.
_FINGERPRINT = re.compile(r"SHA256:[A-Za-z0-9+/]{43}")
_TRUST: dict[PinTrust, Trust] = {"tofu": "met", "verified": "verified"}


class Keys:
    """Whatever cannot be done fails with a `SecurecomError`, and then nothing was sent."""

    def __init__(self, station: Station, coordinator: Coordinator, rotation: Rotation) -> None:
        self._station, self._coordinator, self._rotation = station, coordinator, rotation
        self._retiring = Retiring(station, coordinator)

    def own(self) -> Fingerprints:
        """Our key and the server's."""
        station = self._station
        key = station.identity.public_key
        return Fingerprints(station.known_name, key.fingerprint, server_fingerprint(station.server))

    def renew(self) -> Deferred[KeyRenewed]:
        """Sign over to a new key; fires when the server has it, and the disk."""
        return self._rotation.renew()

    def whois(self, name: Name) -> Whois:
        """What is pinned for a name. :raises BadArgument: for our own."""
        if name == self._station.known_name:
            raise BadArgument("that is you", "Nothing was sent.", ("fingerprint", ""))
        pin = self._station.contacts.pin(name)
        if pin is None:
            return Whois(name, "new", None, None, [])
        earlier = [_old(one) for one in pin.earlier]
        trust = self._station.trust(name)
        by = self._station.introducer(name, trust)
        return Whois(name, trust, pin.key.fingerprint, pin.first_seen, earlier, by)

    # --- the chat's keys --------------------------------------------------------------------

    def safety_number(self) -> SafetyNumber:
        """What the two of the chat may compare. :raises NotNow: without a chat."""
        chat = self._coordinator.standing
        number, trust = chat.safety_number()
        return SafetyNumber(chat.peer, " ".join(in_groups(number)), trust)

    def safety_code(self) -> SafetyCode:
        """The same for a camera. :raises NotNow: without a chat."""
        chat = self._coordinator.standing
        number, trust = chat.safety_number()
        return SafetyCode(chat.peer, number, trust)

    def words(self) -> WordsToCompare:
        """Ask for six words to compare. :raises NotNow: without a chat, or if there are none."""
        return self._coordinator.standing.ask_for_words()

    def compared(self, same: bool) -> Deferred[None] | None:
        """The person compared: the peer is verified from now on, or the chat ends.

        :returns: for a "no" what fires when the chat is over.
        :raises NotNow: without a chat, or if the person has not seen its safety number.
        """
        if same:
            self._coordinator.standing.same()
            return None
        return self._coordinator.different()

    # --- introductions ----------------------------------------------------------------------

    def introduce(self, one: Name, other: Name) -> IntroductionStep:
        """Keep it, and do what can be done in this chat.

        :raises NotNow: if one of them is not verified.
        """
        if one == other or self._station.known_name in (one, other):
            raise BadArgument("an introduction is of two other people", "Nothing was kept.")
        people = [self._verified(name) for name in (one, other)]
        self._station.contacts.introductions.begin(*people)
        if self._coordinator.peer in (one, other):
            self._coordinator.standing.introducing.go_on()
        return IntroductionStep(one, other, "begun")

    def _verified(self, name: Name) -> Person:
        pin = self._station.contacts.pin(name)
        is_retired = self._station.contacts.is_retired(name)
        if pin is None or pin.trust != "verified" or is_retired:
            hint = "Nothing was kept. Compare with them in a chat first."
            raise NotNow(f"you have not verified {name}", hint)
        if pin.key.second is None:  # a pin from before there were second keys
            what = f"of {name} you have verified the first key only"
            hint = "Nothing was kept. Your next chat with them adds the second one; compare then."
            raise NotNow(what, hint)
        return Person(name, pin.key)

    def cancel_introduction(self, one: Name, other: Name) -> IntroductionStep:
        """Take it back. :raises NotNow: if there is none."""
        kept = self._station.contacts.introductions
        for made in kept.making():
            if {made.one.name, made.other.name} == {one, other}:
                kept.drop(made)
                return IntroductionStep(one, other, "cancelled")
        raise NotNow(f"you are not introducing {one} to {other}", "Nothing was changed.")

    def answer_introduction(self, other: Name, agrees: bool) -> IntroductionStep:
        """Answer what the peer of this chat offers. :raises NotNow: if that makes no sense."""
        return self._coordinator.standing.introducing.answer(other, agrees)

    def introductions(self) -> IntroductionList:
        """Those that we make."""
        made = self._station.contacts.introductions.making()
        return IntroductionList([_pending(one) for one in made])

    # --- retirement -------------------------------------------------------------------------

    def make_retirement(self) -> Deferred[RetirementMade]:
        """Make words that can retire our key; fires when the server has their public half."""
        return self._retiring.make()

    def retire(self, name: Name) -> Deferred[KeyRetired]:
        """Retire somebody's key by their words, here and at the server."""
        return self._retiring.retire(name)

    # --- changed keys -----------------------------------------------------------------------

    def take(self, name: Name, fingerprint: str) -> KeyAccepted:
        """Let the key with this fingerprint take the pinned one's place, once it is proved."""
        if not _FINGERPRINT.fullmatch(fingerprint):
            raise BadArgument("a fingerprint is SHA256: and 43 characters")
        if fingerprint == self._station.identity.public_key.fingerprint:
            raise BadArgument("that is the fingerprint of your own key")
        self._station.contacts.take(name, fingerprint)
        return KeyAccepted(name, fingerprint)


def _pending(made: Making) -> PendingIntroduction:
    sides = (made.one, made.other)
    agreed = [side.name for side in sides if side.consent]
    done = [side.name for side in sides if side.is_done]
    return PendingIntroduction(made.one.name, made.other.name, agreed, done)


def _old(one: OldKey) -> FormerKey:
    return FormerKey(
        one.key.fingerprint, one.first_seen, one.until, _TRUST[one.trust], one.signed_over
    )
