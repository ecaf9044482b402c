"""Signatures of statements by an identity, and keys as statements have them."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from securecom import statements
from securecom.identity import Identity

KEYS = {name: Identity.generate() for name in ("alice", "bob")}


class SignatureTests(SynchronousTestCase):
    def test_a_signature_is_one_persons_for_one_statement(self) -> None:
        alice = KEYS["alice"]
        signature = statements.signed(alice, b"said")
        self.assertTrue(statements.has_signed(alice.public_key, b"said", signature))
        self.assertFalse(statements.has_signed(alice.public_key, b"else", signature))
        self.assertFalse(statements.has_signed(KEYS["bob"].public_key, b"said", signature))

    def test_what_is_no_signature(self) -> None:
        key = KEYS["alice"].public_key
        for junk in (b"", b"s", b"s" * 64, b"s" * 8192):
            self.assertFalse(statements.has_signed(key, b"said", junk))

    def test_a_key_comes_back_as_it_was(self) -> None:
        key = KEYS["alice"].public_key
        self.assertEqual(statements.key_from(statements.key_bytes(key)), key)
