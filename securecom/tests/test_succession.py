"""Statements of keys for keys: what holds, what leads where, and everything that does not."""

from __future__ import annotations

from itertools import pairwise

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from twisted.trial.unittest import SynchronousTestCase

from securecom import limits
from securecom.errors import WireError
from securecom.identity import SECOND_KEY_BYTES, Identity, Name
from securecom.succession import LABEL, LINK_BYTES, OLD_KEY, Link, decode, encode, leads, statement
from securecom.values import replace

SERVER, OTHER_SERVER = b"\x01" * 32, b"\x02" * 32
BOB, CAROL = Name("bob"), Name("carol")


def line(count: int, server: bytes = SERVER, name: Name = BOB) -> tuple[list[Identity], list[Link]]:
    """So many links, and the identities that they join."""
    people = [Identity.generate() for _ in range(count + 1)]
    joined = pairwise(people)
    return people, [Link.signed(server, name, old, new) for old, new in joined]


class LinkTests(SynchronousTestCase):
    def setUp(self) -> None:
        (self.old, self.new), (self.link,) = line(1)

    def check_not(self, link: Link, server: bytes = SERVER, name: Name = BOB) -> None:
        self.assertFalse(link.holds(server, name))

    def test_what_both_signed_holds(self) -> None:
        self.assertTrue(self.link.holds(SERVER, BOB))

    # Promise T31
    def test_it_is_for_one_server_and_one_name(self) -> None:
        self.check_not(self.link, server=OTHER_SERVER)
        self.check_not(self.link, name=CAROL)

    def test_it_is_from_one_key_to_one_key(self) -> None:
        third = Identity.generate().public_key
        self.check_not(replace(self.link, old=third))
        self.check_not(replace(self.link, new=third))

    def test_the_old_key_has_to_say_it(self) -> None:
        """Or whoever has the new one could take any name over."""
        forged = Link.signed(SERVER, BOB, Identity.generate(), self.new)
        self.check_not(replace(self.link, old_signature=forged.old_signature))
        self.check_not(replace(self.link, old_signature=self.link.new_signature))

    def test_the_new_key_has_to_say_it(self) -> None:
        """Or a person could sign over to somebody else's key, and so occupy it."""
        forged = Link.signed(SERVER, BOB, self.old, Identity.generate())
        self.check_not(replace(self.link, new_signature=forged.new_signature))
        self.check_not(replace(self.link, new_signature=self.link.old_signature))

    # Promise T131
    def test_no_second_key_is_left_behind(self) -> None:
        """Not even if all keys that there are say so."""
        old, alone = self.old, self.new.public_key.first
        said = statement(SERVER, BOB, old.public_key, alone)
        signed = (old.private_key.sign(said), self.new.private_key.sign(said))
        second = (old.second_key, old.sign_second(said, OLD_KEY))
        self.check_not(Link(old.public_key, alone, *signed, *second))

    def test_the_two_may_not_change_places(self) -> None:
        link = self.link
        self.check_not(Link(link.new, link.old, link.new_signature, link.old_signature))

    def test_a_key_does_not_follow_itself(self) -> None:
        self.check_not(Link.signed(SERVER, BOB, self.old, self.old))

    def test_each_flipped_byte_is_found(self) -> None:
        data = self.link.encoded()
        for at in (*range(40), *range(40, len(data), 11), len(data) - 1):
            flipped = data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]
            try:
                (found,) = decode(flipped)
            except WireError:
                continue  # another kind of link
            self.assertFalse(found.holds(SERVER, BOB), at)

    def test_it_is_nothing_that_these_keys_sign_elsewhere(self) -> None:
        """TLS 1.3 signs what begins with blanks, X.509 a SEQUENCE; SSH a session's long id."""
        said = statement(SERVER, BOB, self.old.public_key, self.new.public_key)
        self.assertEqual(said[:4], b"\0\0\0\x1a")
        self.assertEqual(said[4:30], LABEL)
        self.assertEqual(len(said), 4 * 5 + 26 + 32 + 3 + 64 + 64)

    def test_parts_cannot_run_into_each_other(self) -> None:
        old, new = self.old.public_key, self.new.public_key
        one = statement(SERVER + b"b", Name("ob"), old, new)
        self.assertNotEqual(one, statement(SERVER, Name("bob"), old, new))


class ChainTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.people, self.links = line(4)
        self.keys = [one.public_key for one in self.people]

    def leads(self, links: list[Link], start: int = 0, end: int = -1) -> bool:
        return leads(encode(links), SERVER, BOB, self.keys[start], self.keys[end])

    def test_from_every_key_of_it_to_its_end(self) -> None:
        for start in range(4):
            self.assertTrue(self.leads(self.links, start))
            self.assertTrue(self.leads(self.links[start:], start))

    def test_not_to_a_key_before_its_end(self) -> None:
        for end in range(4):
            self.assertFalse(self.leads(self.links, 0, end))

    def test_not_from_its_end_and_not_backwards(self) -> None:
        self.assertFalse(self.leads(self.links, 4, 4))
        self.assertFalse(self.leads(self.links[:2], 3, 2))
        self.assertFalse(self.leads(self.links[2:], 1))

    def test_no_chain_leads_nowhere(self) -> None:
        self.assertFalse(self.leads([]))

    # Promise T31
    def test_each_link_has_to_hold_the_earlier_ones_too(self) -> None:
        for at in range(4):
            for forged in (
                replace(self.links[at], old_signature=bytes(64)),
                replace(self.links[at], new_signature=bytes(64)),
            ):
                links = [*self.links[:at], forged, *self.links[at + 1 :]]
                for start in range(4):
                    self.assertFalse(self.leads(links, start), (at, start))

    def test_nothing_may_be_left_out_or_change_places(self) -> None:
        first, second, third, fourth = self.links
        for links in (
            [first, third, fourth],
            [first, second, fourth],
            [second, first, third, fourth],
            [first, third, second, fourth],
            [first, first, second, third, fourth],
        ):
            self.assertFalse(self.leads(links))

    def test_two_chains_do_not_make_one(self) -> None:
        _, others = line(1)
        self.assertFalse(self.leads([*others, *self.links]))

    # Promise T31
    def test_no_key_comes_back(self) -> None:
        """Whoever has two old keys could otherwise lead from the new one back to them."""
        back = Link.signed(SERVER, BOB, self.people[1], self.people[0])
        again = Link.signed(SERVER, BOB, self.people[0], self.people[2])
        for link in (back, again):
            self.assertTrue(link.holds(SERVER, BOB))
        self.assertFalse(self.leads([self.links[0], back], 1, 0))
        self.assertFalse(self.leads([self.links[0], back], 0, 0))
        self.assertFalse(self.leads([self.links[0], back, again], 0, 2))

    def test_it_is_for_one_server_and_one_name(self) -> None:
        data, (first, *_, last) = encode(self.links), self.keys
        self.assertTrue(leads(data, SERVER, BOB, first, last))
        self.assertFalse(leads(data, OTHER_SERVER, BOB, first, last))
        self.assertFalse(leads(data, SERVER, CAROL, first, last))

    def test_the_number_of_links_is_limited(self) -> None:
        people, links = line(limits.MAX_SUCCESSIONS + 1)
        keys = [one.public_key for one in people]
        self.assertTrue(leads(encode(links[1:]), SERVER, BOB, keys[1], keys[-1]))
        self.assertFalse(leads(encode(links), SERVER, BOB, keys[1], keys[-1]))

    def test_bytes_that_are_no_chain(self) -> None:
        data = encode(self.links)
        self.assertEqual(list(decode(data)), self.links)
        self.assertEqual(len(data), 4 * LINK_BYTES)
        for junk in (data[:-1], data + b"\0", b"\0", b"\3" + data[1:], b"\2" * LINK_BYTES * 9):
            self.assertRaises(WireError, decode, junk)
            self.assertFalse(leads(junk, SERVER, BOB, self.keys[0], self.keys[4]))

    def test_keys_that_prove_nothing_are_none(self) -> None:
        small = bytes(32)  # y = 0, of order 4
        head, old = b"\2", self.keys[0].raw
        rest = bytes(LINK_BYTES - 1 - len(small))
        for data in (
            head + small + rest,
            head + old + bytes(SECOND_KEY_BYTES) + small + rest[SECOND_KEY_BYTES + len(small) :],
            b"\1" + small + bytes(160),
            b"\1" + old + small + bytes(128),
        ):
            self.assertRaises(WireError, decode, data)
            self.assertFalse(leads(data, SERVER, BOB, self.keys[0], self.keys[1]))

    def test_signatures_come_out_the_same_each_time(self) -> None:
        """Ed25519 takes no randomness: hence the vectors. ML-DSA does."""
        old, new = (Identity(Ed25519PrivateKey.from_private_bytes(bytes([n]) * 32)) for n in (1, 2))
        one, other = (Link.signed(SERVER, BOB, old, new) for _ in range(2))
        self.assertNotEqual(one.old_second_signature, other.old_second_signature)
        same = replace(other, old_second_signature=one.old_second_signature)
        self.assertEqual(one, same)
