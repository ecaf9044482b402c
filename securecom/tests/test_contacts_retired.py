"""A retired key stays so: whatever its thief signs over to, and whatever key its owner has next."""

from __future__ import annotations

from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from securecom import limits
from securecom.client.contacts import Contacts
from securecom.errors import BadArgument, PeerKeyChanged
from securecom.identity import Identity, Name, PublicKey
from securecom.introduction import Person
from securecom.succession import Link, encode
from securecom.tests.support.contact_keys import BOB, CAROL, SERVER

WORDS, OTHER_WORDS = b"\x01" * 64, b"\x02" * 64
DAVE = Name("dave")
IDENTITIES = [Identity.generate() for _ in range(limits.MAX_OLD_KEYS + 3)]
#: The stolen key, and those that the thief signs over to; the owner's next one comes last.
STOLEN, THIEFS, *_, NEXT = [one.public_key for one in IDENTITIES]


class RetiredTests(SynchronousTestCase):
    def setUp(self) -> None:
        folder = Path(self.mktemp())
        folder.mkdir(0o700)
        self.path = folder / "known_peers"
        self.contacts = self.open()
        self.contacts.meet(BOB, STOLEN)
        self.assertTrue(self.contacts.learn_retirement(BOB, STOLEN, WORDS))

    def open(self) -> Contacts:
        return Contacts(self.path, SERVER, lambda: 1.0)

    def follow(self, at: int) -> None:
        """From one identity to the next, in a chat."""
        old, new = IDENTITIES[at : at + 2]
        self.contacts.meet(BOB, new.public_key, encode([Link.signed(SERVER, BOB, old, new)]))

    def accept(self, key: PublicKey) -> None:
        self.contacts.take(BOB, key.fingerprint)
        self.contacts.meet(BOB, key)

    # Promise T283, T285
    def test_however_often_a_thief_signs_over_the_owners_words_count(self) -> None:
        for at in range(limits.MAX_OLD_KEYS + 1):
            self.follow(at)
        last = IDENTITIES[limits.MAX_OLD_KEYS + 1].public_key
        self.assertFalse(self.contacts.learn_retirement(BOB, last, OTHER_WORDS))
        self.assertTrue(self.contacts.retire(BOB, WORDS))
        self.assertEqual(self.open().trust(BOB, last), "retired")

    # Promise T285, C142
    def test_what_a_thief_signed_over_to_does_not_stand_in_the_way_of_the_next_key(self) -> None:
        self.follow(0)
        self.contacts.retire(BOB, WORDS)
        self.accept(NEXT)
        self.assertEqual(self.contacts.trust(BOB, NEXT), "met")
        self.assertTrue(self.contacts.learn_retirement(BOB, NEXT, OTHER_WORDS))
        for key in (STOLEN, THIEFS):
            self.assertEqual(self.contacts.trust(BOB, key), "retired")

    # Promise T288
    def test_no_retired_key_comes_back_after_the_next_one(self) -> None:
        self.contacts.retire(BOB, WORDS)
        self.accept(NEXT)
        self.contacts.learn_retirement(BOB, NEXT, OTHER_WORDS)
        for contacts in (self.contacts, self.open()):
            self.assertEqual(contacts.trust(BOB, STOLEN), "retired")
            self.assertRaises(BadArgument, contacts.take, BOB, STOLEN.fingerprint)
            self.assertRaises(PeerKeyChanged, contacts.meet, BOB, STOLEN)

    # Promise T288
    def test_half_of_a_retired_key_is_retired_too(self) -> None:
        self.contacts.retire(BOB, WORDS)
        for half in (PublicKey(STOLEN.raw, bytes(32)), PublicKey(NEXT.raw, STOLEN.second)):
            self.contacts.take(BOB, half.fingerprint)
            self.assertEqual(self.contacts.trust(BOB, half), "retired")
            self.assertFalse(self.contacts.may_be(BOB, half))
            self.assertRaises(PeerKeyChanged, self.contacts.meet, BOB, half)

    # Promise T287
    def test_a_retired_key_is_nobody_elses_either(self) -> None:
        self.contacts.retire(BOB, WORDS)
        self.accept(NEXT)
        self.assertRaises(PeerKeyChanged, self.contacts.trust, CAROL, STOLEN)
        self.assertRaises(PeerKeyChanged, self.contacts.meet, CAROL, STOLEN)

    # Promise T288
    def test_it_is_retired_also_if_the_pin_is_gone(self) -> None:
        self.contacts.compared(BOB, STOLEN, same=True)
        self.contacts.retire(BOB, WORDS)
        self.path.unlink()
        contacts = self.open()
        self.assertEqual(contacts.trust(BOB), "new")
        self.assertEqual(contacts.trust(BOB, STOLEN), "retired")
        self.assertRaises(PeerKeyChanged, contacts.meet, BOB, STOLEN)
        carol = Person(CAROL, Identity.generate().public_key)
        self.assertRaises(PeerKeyChanged, contacts.introduce, Person(BOB, STOLEN), carol)

    # Promise T223
    def test_who_was_accepted_anew_does_not_stand_by_what_older_keys_vouched_for(self) -> None:
        self.contacts.compared(BOB, STOLEN, same=True)
        dave = Person(DAVE, Identity.generate().public_key)
        self.contacts.introduce(dave, Person(BOB, STOLEN))
        self.follow(0)
        self.assertEqual(self.contacts.trust(DAVE), "introduced")
        self.accept(NEXT)
        self.contacts.compared(BOB, NEXT, same=True)
        self.assertEqual(self.contacts.trust(DAVE), "new")
