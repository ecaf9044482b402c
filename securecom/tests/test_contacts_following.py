"""Keys that signed over to others: followed to where they lead, and nowhere else."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from securecom.client.contacts import Contacts
from securecom.client.events import Asked, ChatStarted, Trust
from securecom.client.key_events import FormerKey, KeyFollowed
from securecom.client.known_peers import OldKey, Pin
from securecom.errors import BadArgument, PeerKeyChanged, StateDamaged
from securecom.identity import Identity
from securecom.tests.support.contact_keys import NOW, OTHER_SERVER, SERVER
from securecom.tests.support.following_case import FollowCase, chain
from securecom.tests.support.scripted_server_case import BOB, CAROL


class ContactsTests(SynchronousTestCase):
    """What the pins do; in a file."""

    def setUp(self) -> None:
        self.path = Path(self.mktemp())
        self.path.mkdir()
        self.path /= "known_peers"
        self.contacts = self.make()
        self.old, self.new, self.third, self.mallory = (Identity.generate() for _ in range(4))
        self.contacts.meet(BOB, self.old.public_key)

    def make(self, server: bytes = SERVER) -> Contacts:
        return Contacts(self.path, server, lambda: NOW)

    def trust(self, identity: Identity, *people: Identity, **lies: Any) -> Trust:
        return self.contacts.trust(BOB, identity.public_key, chain(*people, **lies))

    def follow(self, identity: Identity, *people: Identity) -> Pin | None:
        return self.contacts.meet(BOB, identity.public_key, chain(*people))

    def verify(self) -> None:
        self.contacts.compared(BOB, self.old.public_key, same=True)

    def test_a_key_that_the_pin_signed_over_to_is_neither_known_nor_changed(self) -> None:
        self.assertEqual(self.trust(self.new, self.old, self.new), "followed")
        self.verify()
        self.assertEqual(self.trust(self.new, self.old, self.new), "followed-verified")
        signed = chain(self.old, self.new)
        self.assertTrue(self.contacts.may_be(BOB, self.new.public_key, signed))
        self.assertEqual(self.contacts.trust(BOB, self.new.public_key), "changed")

    def test_when_it_is_met_it_is_the_pin_and_the_old_one_history(self) -> None:
        former = self.follow(self.new, self.old, self.new)
        self.assertEqual(former, Pin(self.old.public_key, int(NOW), "tofu"))
        old = OldKey(self.old.public_key, int(NOW), "tofu", int(NOW), signed_over=True)
        pin = Pin(self.new.public_key, int(NOW), "tofu", (old,))
        self.assertEqual(self.contacts.pin(BOB), pin)
        self.assertEqual(self.make().pin(BOB), pin)  # in the file too

    def test_verified_stays_verified(self) -> None:
        self.verify()
        self.follow(self.new, self.old, self.new)
        self.assertEqual(self.contacts.trust(BOB), "verified")
        pin = self.make().pin(BOB)
        assert pin is not None
        self.assertEqual((pin.trust, pin.earlier[0].trust), ("verified", "verified"))

    # Promise T130
    def test_but_not_if_it_was_a_first_key_alone_that_was_compared(self) -> None:
        contacts = Contacts(None, SERVER, lambda: NOW)
        contacts.meet(BOB, self.old.public_key.first)
        contacts.compared(BOB, self.old.public_key.first, same=True)
        new, signed = self.new.public_key, chain(self.old, self.new)
        self.assertEqual(contacts.trust(BOB, new, signed), "followed")
        contacts.meet(BOB, new, signed)
        self.assertEqual(contacts.trust(BOB, new), "met")

    # Promise C15
    def test_and_what_was_not_is_not(self) -> None:
        self.follow(self.new, self.old, self.new)
        self.assertEqual(self.contacts.trust(BOB), "met")

    def test_nobody_is_followed_twice(self) -> None:
        self.follow(self.new, self.old, self.new)
        self.assertIsNone(self.follow(self.new, self.old, self.new))
        self.assertEqual(self.trust(self.new, self.old, self.new), "met")

    def test_over_several_keys_at_once(self) -> None:
        people = (self.old, self.new, self.third)
        self.verify()
        self.assertEqual(self.trust(self.third, *people), "followed-verified")
        self.assertEqual(self.trust(self.new, *people), "changed")
        self.follow(self.third, *people)
        self.assertEqual(self.contacts.trust(BOB, self.third.public_key), "verified")

    def test_who_has_followed_a_part_follows_the_rest(self) -> None:
        self.follow(self.new, self.old, self.new)
        self.assertIsNotNone(self.follow(self.third, self.old, self.new, self.third))

    # Promise C15
    def test_a_chain_with_a_flaw_counts_as_no_chain(self) -> None:
        for lies in ({"server": OTHER_SERVER}, {"name": CAROL}):
            self.assertEqual(self.trust(self.new, self.old, self.new, **lies), "changed")
        self.assertEqual(self.trust(self.new, self.third, self.new), "changed")
        self.assertEqual(self.trust(self.mallory, self.old, self.new), "changed")
        self.assertRaises(PeerKeyChanged, self.follow, self.new, self.third, self.new)
        self.assertEqual(self.contacts.trust(BOB, self.old.public_key), "met")

    # Promise T32
    def test_never_back(self) -> None:
        """Neither without a chain, nor with one by a thief of both keys."""
        self.follow(self.new, self.old, self.new)
        self.assertEqual(self.trust(self.old), "changed")
        self.assertEqual(self.trust(self.old, self.old, self.new), "changed")
        self.assertEqual(self.trust(self.old, self.new, self.old), "changed")
        self.assertRaises(PeerKeyChanged, self.follow, self.old, self.new, self.old)

    def test_nor_to_a_key_that_the_person_replaced(self) -> None:
        self.contacts.take(BOB, self.new.public_key.fingerprint)
        self.contacts.meet(BOB, self.new.public_key)
        self.assertEqual(self.trust(self.old, self.new, self.old), "changed")

    def test_unless_the_person_says_so(self) -> None:
        """After a reset its owner may have gone back to a key that they had kept."""
        self.follow(self.new, self.old, self.new)
        self.contacts.take(BOB, self.old.public_key.fingerprint)
        self.contacts.meet(BOB, self.old.public_key)
        self.assertEqual(self.contacts.trust(BOB, self.old.public_key), "met")
        self.assertEqual(self.trust(self.new, self.old, self.new), "changed")

    # Promise T32
    def test_who_followed_one_branch_sees_the_other_as_changed(self) -> None:
        self.follow(self.new, self.old, self.new)
        self.assertEqual(self.trust(self.mallory, self.old, self.mallory), "changed")
        self.assertRaises(PeerKeyChanged, self.follow, self.mallory, self.old, self.mallory)

    def test_not_to_somebody_elses_key(self) -> None:
        self.contacts.meet(CAROL, self.new.public_key)
        self.assertEqual(self.trust(self.new, self.old, self.new), "changed")
        self.assertRaises(PeerKeyChanged, self.follow, self.new, self.old, self.new)
        self.assertEqual(self.contacts.trust(BOB, self.old.public_key), "met")

    # Promise T65
    def test_a_key_that_signed_over_is_no_new_persons(self) -> None:
        self.follow(self.new, self.old, self.new)
        for use in (self.contacts.trust, self.contacts.meet):
            error = self.assertRaises(PeerKeyChanged, use, CAROL, self.old.public_key)
            self.assertEqual(error.what, "this key is known to you as bob")
        self.contacts.meet(CAROL, self.third.public_key)
        self.assertFalse(self.contacts.may_be(CAROL, self.old.public_key))
        self.assertRaises(BadArgument, self.contacts.take, CAROL, self.old.public_key.fingerprint)

    def test_another_server_knows_nothing_of_it(self) -> None:
        self.follow(self.new, self.old, self.new)
        other = self.make(OTHER_SERVER)
        self.assertEqual(other.trust(CAROL, self.old.public_key), "new")

    def test_a_key_that_was_taken_and_also_follows_is_followed(self) -> None:
        self.verify()
        self.contacts.take(BOB, self.new.public_key.fingerprint)
        self.assertIsNotNone(self.follow(self.new, self.old, self.new))
        self.assertEqual(self.contacts.trust(BOB), "verified")

    def test_older_files_are_read_and_stay_as_they_were(self) -> None:
        self.contacts.take(BOB, self.new.public_key.fingerprint)
        self.contacts.meet(BOB, self.new.public_key)
        before = self.path.read_bytes()
        self.assertIn(b" was-tofu ", before)
        pin = self.make().pin(BOB)
        assert pin is not None
        self.assertFalse(pin.earlier[0].signed_over)
        self.make().meet(CAROL, self.third.public_key)
        self.assertTrue(self.path.read_bytes().startswith(before))

    def test_lines_that_are_not_as_we_write_them(self) -> None:
        self.follow(self.new, self.old, self.new)
        good = self.path.read_bytes()
        for word in (b"signed-", b"signed-met", b"was-signed-tofu", b"signed-was-tofu", b"signed"):
            bad = good.replace(b" signed-tofu ", b" " + word + b" ")
            self.path.write_bytes(bad)
            os.utime(self.path, (1, len(word)))
            self.assertRaises(StateDamaged, self.make)


class FollowingTests(FollowCase):
    def check_followed(self, trust: Trust) -> None:
        """Told once, with both keys."""
        old, new = self.old.public_key.fingerprint, self.bob.public_key.fingerprint
        self.assertEqual(self.notes.of(KeyFollowed), [KeyFollowed(BOB, old, new, trust)])
        self.assertEqual(self.contacts.trust(BOB, self.bob.public_key), trust)

    def call(self) -> None:
        stands = self.ask()
        self.peer("callee").open()
        self.grant(succession=self.signed())
        self.assertEqual(stands, [None])

    def be_called(self) -> None:
        answer = self.offer(succession=self.signed())
        stands = self.told(self.alice.accept())
        self.assertEqual(answer, ["accept"])
        self.open_stream()
        self.peer("caller").open()
        self.pump()
        self.assertEqual(stands, [None])

    # Promise C13
    def test_as_the_caller_without_an_alarm(self) -> None:
        self.call()
        self.check_followed("met")
        self.assertEqual(self.notes.last(ChatStarted).trust, "followed")

    # Promise C13
    def test_as_the_callee_by_a_plain_yes(self) -> None:
        self.be_called()
        fingerprint = self.bob.public_key.fingerprint
        self.assertEqual(self.notes.of(Asked), [Asked(BOB, "followed", fingerprint, 60)])
        self.check_followed("met")
        self.assertEqual(self.notes.last(ChatStarted).trust, "followed")

    # Promise C15
    def test_verified_stays_verified_on_both_ways(self) -> None:
        self.contacts.compared(BOB, self.old.public_key, same=True)
        self.be_called()
        self.assertEqual(self.notes.last(Asked).trust, "followed-verified")
        self.assertEqual(self.notes.last(ChatStarted).trust, "followed-verified")
        self.check_followed("verified")
        self.assertEqual(self.alice.keys.safety_number().trust, "verified")

    def test_verified_stays_verified_for_the_caller_too(self) -> None:
        self.contacts.compared(BOB, self.old.public_key, same=True)
        self.call()
        self.assertEqual(self.notes.last(ChatStarted).trust, "followed-verified")
        self.check_followed("verified")

    def test_before_the_chat_stands_it_is_told(self) -> None:
        self.call()
        kinds = [type(event) for event in self.notes.events]
        self.assertLess(kinds.index(KeyFollowed), kinds.index(ChatStarted))

    def test_once_and_not_again(self) -> None:
        self.be_called()
        self.told(self.alice.stop())
        self.network.advance(10)
        self.be_called()
        self.assertEqual(len(self.notes.of(KeyFollowed)), 1)
        self.assertEqual([asked.trust for asked in self.notes.of(Asked)], ["followed", "met"])

    def test_whois_shows_what_it_was(self) -> None:
        self.call()
        now = int(self.network.clock.seconds())
        fingerprint = self.old.public_key.fingerprint
        earlier = [FormerKey(fingerprint, now, now, "met", signed_over=True)]
        self.assertEqual(self.alice.keys.whois(BOB).earlier, earlier)

    def test_where_both_ask(self) -> None:
        stands = self.ask()
        self.offer(succession=self.signed())
        self.withdraw("crossed")
        self.peer("callee").open()
        self.grant(succession=self.signed())
        self.assertEqual(stands, [None])
        self.check_followed("met")

    def test_until_it_is_proved_the_pin_stays(self) -> None:
        """An offer alone, or an impostor with Bob's new key in their mouth, moves nothing."""
        self.offer(succession=self.signed())
        self.assertEqual(self.contacts.trust(BOB, self.old.public_key), "met")
        self.told(self.alice.accept())
        self.open_stream()
        impostor = self.peer("caller")
        impostor.identity = self.carol
        impostor.open()
        self.pump()
        self.network.advance(60)
        self.assertEqual(self.notes.of(ChatStarted) + self.notes.of(KeyFollowed), [])
        self.assertEqual(self.contacts.trust(BOB, self.old.public_key), "met")

    def test_a_bad_hello_moves_nothing(self) -> None:
        self.ask()
        self.peer("callee", own=CAROL).open()
        self.grant(succession=self.signed())
        self.network.advance(60)
        self.assertEqual(self.notes.of(KeyFollowed), [])
        self.assertEqual(self.contacts.trust(BOB, self.old.public_key), "met")

    def test_our_own_key_follows_no_contacts_key(self) -> None:
        """A server cannot reflect us by a chain, were there one."""
        own = self.person.identity
        stands, sent = self.ask(), self.sent_in_chats()
        self.grant(key=own.public_key, succession=self.signed(self.old, own))
        self.fails(stands, PeerKeyChanged)
        answer = self.offer(key=own.public_key, succession=self.signed(self.old, own))
        self.assertEqual((answer, sent), (["unavailable"], []))

    def test_a_pin_that_changed_after_the_yes_is_not_followed(self) -> None:
        """Another client of this profile took another key meanwhile."""
        self.offer(succession=self.signed())
        self.told(self.alice.accept())
        self.contacts.take(BOB, self.carol.public_key.fingerprint)
        self.contacts.meet(BOB, self.carol.public_key)
        self.open_stream()
        self.peer("caller").open()
        self.pump()
        self.network.advance(60)
        self.assertEqual(self.notes.of(ChatStarted) + self.notes.of(KeyFollowed), [])
