"""What the person asks and says about keys: their own, other people's, and the chat's.

Trust is the person's word and nobody else's: what a peer or the server says about it is shown,
and changes no pin.
"""

from __future__ import annotations

import re

from twisted.internet.defer import Deferred

from securecom.client.contacts import OldKey, PinTrust
from securecom.client.coordination.coordinator import Coordinator
from securecom.client.coordination.station import Station
from securecom.client.events import (
    Fingerprints,
    FormerKey,
    KeyAccepted,
    KeyRenewed,
    SafetyCode,
    SafetyNumber,
    Trust,
    Whois,
    WordsToCompare,
)
from securecom.client.rotation import Rotation
from securecom.errors import BadArgument
from securecom.identity import Name, server_fingerprint
from securecom.safety_number import in_groups

#: As `PublicKey.fingerprint` makes it, and as people copy it.
_FINGERPRINT = re.compile(r"SHA256:[A-Za-z0-9+/]{43}")
_TRUST: dict[PinTrust, Trust] = {"tofu": "met", "verified": "verified"}


class Keys:
    """Whatever cannot be done fails with a `SecurecomError`, and then nothing was sent."""

    def __init__(self, station: Station, coordinator: Coordinator, rotation: Rotation) -> None:
        self._station, self._coordinator, self._rotation = station, coordinator, rotation

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
        return Whois(name, _TRUST[pin.trust], pin.key.fingerprint, pin.first_seen, earlier)

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

    # --- changed keys -----------------------------------------------------------------------

    def take(self, name: Name, fingerprint: str) -> KeyAccepted:
        """Let the key with this fingerprint take the pinned one's place, once it is proved."""
        if not _FINGERPRINT.fullmatch(fingerprint):
            raise BadArgument("a fingerprint is SHA256: and 43 characters")
        if fingerprint == self._station.identity.public_key.fingerprint:
            raise BadArgument("that is the fingerprint of your own key")
        self._station.contacts.take(name, fingerprint)
        return KeyAccepted(name, fingerprint)


def _old(one: OldKey) -> FormerKey:
    return FormerKey(
        one.key.fingerprint, one.first_seen, one.until, _TRUST[one.trust], one.signed_over
    )
