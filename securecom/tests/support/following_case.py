"""A contact whose key has signed over to another key."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from securecom import framing
from securecom.identity import Identity, Name
from securecom.succession import Link, encode
from securecom.tests.support.contact_keys import SERVER
from securecom.tests.support.scripted_server_case import BOB, AliceTestCase


def chain(*people: Identity, server: bytes = SERVER, name: Name = BOB) -> bytes:
    """Each signs over to the next."""
    return encode([Link.signed(server, name, old, new) for old, new in pairwise(people)])


class FollowCase(AliceTestCase):
    """Alice has met Bob, who has a new key since."""

    def setUp(self) -> None:
        super().setUp()
        self.contacts = self.person.contacts
        self.old, self.bob = self.bob, Identity.generate()
        self.contacts.meet(BOB, self.old.public_key)

    def signed(self, *people: Identity, **lies: Any) -> bytes:
        return chain(*(people or (self.old, self.bob)), **{"server": self.server.pin, **lies})

    def sent_in_chats(self) -> list[bytes]:
        sent: list[bytes] = []
        self.end.relay = lambda run: sent.append(framing.chat_bytes(run))
        return sent
