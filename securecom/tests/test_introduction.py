"""The statements of an introduction: what each is about, and who has signed it."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from securecom import introduction, statements, succession
from securecom.identity import SECOND_KEY_BYTES, Identity, Name
from securecom.introduction import Person
from securecom.tests.support.contact_keys import OTHER_SERVER, SERVER
from securecom.tests.support.second_keys import QuantumThief

KEYS = {name: Identity.generate() for name in ("alice", "bob", "carol", "dave")}


def person(name: str, key: str = "") -> Person:
    return Person(Name(name), KEYS[key or name].public_key)


class StatementTests(SynchronousTestCase):
    # Promise T224
    def test_each_part_of_a_vouching_counts(self) -> None:
        alice, bob, carol = person("alice"), person("bob"), person("carol")
        made = {
            introduction.vouching(SERVER, alice, carol, bob),
            introduction.vouching(OTHER_SERVER, alice, carol, bob),
            introduction.vouching(SERVER, person("dave"), carol, bob),
            introduction.vouching(SERVER, person("alice", "dave"), carol, bob),
            introduction.vouching(SERVER, alice, person("dave"), bob),
            introduction.vouching(SERVER, alice, person("carol", "dave"), bob),
            introduction.vouching(SERVER, alice, carol, person("dave")),
            introduction.vouching(SERVER, alice, carol, person("bob", "dave")),
            introduction.vouching(SERVER, alice, bob, carol),
        }
        self.assertEqual(len(made), 9)

    def test_a_consent_is_for_one_introducer_and_one_receiver(self) -> None:
        alice, carol = person("alice"), person("carol")
        signature = introduction.agree(SERVER, alice, KEYS["carol"], carol.name, Name("bob"))
        said = (SERVER, alice, carol, Name("bob"))
        self.assertTrue(introduction.has_agreed(*said, signature))
        for other in (
            (OTHER_SERVER, *said[1:]),
            (SERVER, person("alice", "dave"), carol, Name("bob")),
            (SERVER, alice, person("carol", "dave"), Name("bob")),
            (SERVER, alice, carol, Name("dave")),
        ):
            self.assertFalse(introduction.has_agreed(*other, signature))

    # Promise T224
    def test_no_statement_is_another_kind_of_statement(self) -> None:
        alice, bob, carol = person("alice"), person("bob"), person("carol")
        labels = {
            said[4 : 4 + int.from_bytes(said[:4], "big")]
            for said in (
                introduction.vouching(SERVER, alice, carol, bob),
                introduction.consent(SERVER, alice, carol, bob.name),
                succession.statement(SERVER, carol.name, carol.key, bob.key),
            )
        }
        self.assertEqual(len(labels), 3)

    def test_none_is_what_ssh_signs(self) -> None:
        """That has the length of a session id, which may be 32, the session id, and then 0x32."""
        alice, bob, carol = person("alice"), person("bob"), person("carol")
        for said in (
            introduction.vouching(SERVER, alice, carol, bob),
            introduction.consent(SERVER, alice, carol, bob.name),
        ):
            label = int.from_bytes(said[:4], "big")
            self.assertEqual(said[4 + label], 0)
            self.assertTrue(said[4:].startswith(b"SecureCom/1 introduction"))

    # Promise T131
    def test_a_first_key_alone_agrees_to_nothing(self) -> None:
        """Somebody who has computed Carol's first key, with a second one of their own."""
        alice, carol = person("alice"), person("carol")
        thief = QuantumThief(KEYS["carol"])
        said = introduction.consent(SERVER, alice, carol, Name("bob"))
        forged = statements.signed(thief, said)
        right = statements.signed(KEYS["carol"], said)
        halved = right[:64] + forged[64:]
        swapped = forged[:64] + right[64 : 64 + SECOND_KEY_BYTES] + forged[64 + SECOND_KEY_BYTES :]
        for signature in (forged, halved, swapped, right[:64], b"", right + b"\0"):
            self.assertFalse(introduction.has_agreed(SERVER, alice, carol, Name("bob"), signature))
        self.assertTrue(introduction.has_agreed(SERVER, alice, carol, Name("bob"), right))
