"""A key that its owner retires at the server: who is out, who can say so, and what stays."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred, succeed

from securecom import refusals
from securecom.client.channels.enrol import retire
from securecom.client.events import (
    ChatOver,
)
from securecom.errors import (
    CannotReach,
    LoginRefused,
    NotNow,
    ServerMismatch,
)
from securecom.identity import Identity, Name
from securecom.retirement import RetirementSecret
from securecom.server.standard_channel import Closed, EnrolmentPhase
from securecom.succession import Link
from securecom.tests.support.memory_server import STANDARD
from securecom.tests.support.scripted_server import outcome
from securecom.tests.support.scripted_server_case import ALICE, BOB
from securecom.tests.support.stolen_case import StolenCase


class FakeConnection:
    """What a phase needs of its connection."""

    phase: object = None

    def retire(self, name: Name, public: bytes, signature: bytes) -> Deferred[dict[str, Any]]:
        return succeed({})


class ServerTests(StolenCase):
    # Promise T284, C141
    def test_the_thief_is_out_at_once_and_stays_out(self) -> None:
        thief = self.steal()
        self.assertEqual(self.retire_without_a_client(), [ALICE])
        self.assertEqual([type(one) for one in thief.done], [LoginRefused])
        self.assertEqual([type(one) for one in self.log_in(self.key)], [LoginRefused])

    # Promise T284
    def test_a_chat_of_the_thiefs_ends(self) -> None:
        thief = self.steal()
        self.chat(thief, BOB)
        self.retire_without_a_client()
        self.assertEqual(self.bob.notes.last(ChatOver).ending, "cut-off")

    # Promise T285
    def test_a_key_that_the_thief_signed_over_to_is_out_too(self) -> None:
        registry, new = self.server.registry, Identity.generate()
        link = Link.signed(self.server.pin, ALICE, self.key, new)
        outcome(registry.succeed(ALICE, link))
        self.assertEqual(self.retire_without_a_client(), [ALICE])
        for identity in (self.key, new):
            self.assertEqual([type(one) for one in self.log_in(identity)], [LoginRefused])

    # Promise T286
    def test_others_words_and_names_retire_nothing(self) -> None:
        other = " ".join(RetirementSecret(bytes(16)).words)
        for came in (self.retire_without_a_client(other),):
            self.assertEqual([type(one) for one in came], [NotNow])
        secret = RetirementSecret.from_words(self.words)
        pin, clock = self.server.pin, self.network.clock
        for name, signer in ((BOB, BOB), (Name("nobody"), Name("nobody")), (ALICE, BOB)):
            signature = secret.retire(pin, signer)
            endpoint = self.network.client_endpoint(STANDARD)
            came = self.told(retire(endpoint, pin, name, secret.public, signature, clock))
            self.assertEqual([type(one) for one in came], [NotNow])
        self.assertTrue(self.alice.main.is_online and self.bob.main.is_online)

    # Promise T286
    def test_who_has_no_words_cannot_tell_whether_a_name_exists(self) -> None:
        secret, words = RetirementSecret(bytes(16)), set()
        pin, clock = self.server.pin, self.network.clock
        for name in (ALICE, BOB, Name("nobody")):
            endpoint = self.network.client_endpoint(STANDARD)
            signature = secret.retire(pin, name)
            (error,) = self.told(retire(endpoint, pin, name, secret.public, signature, clock))
            words.add(str(error))
        self.assertEqual(len(words), 1)

    def test_another_server_is_told_nothing(self) -> None:
        came = self.retire_without_a_client(server=b"\x07" * 32)
        self.assertEqual([type(one) for one in came], [ServerMismatch])
        self.assertTrue(self.alice.main.is_online)

    def test_a_server_that_is_not_there(self) -> None:
        secret = RetirementSecret.from_words(self.words)
        pin, clock = self.server.pin, self.network.clock
        endpoint = self.network.client_endpoint(STANDARD + 1)
        said = (pin, ALICE, secret.public, secret.retire(pin, ALICE))
        came = self.told(retire(endpoint, *said, clock))
        self.assertEqual([type(one) for one in came], [CannotReach])

    # Promise T287
    def test_the_retired_key_is_never_anybodys_again(self) -> None:
        self.retire_without_a_client()
        registry = self.server.registry
        outcome(registry.invite(Name("dave"), b"h" * 32, 10.0**10))
        came = outcome(registry.spend(b"h" * 32, self.key.public_key, 0.0))
        self.assertEqual([type(one) for one in came], [refusals.KeyInUse])

    # Promise T287
    def test_no_key_of_the_chain_is_anybodys_again_whatever_comes_later(self) -> None:
        """The thief signed over, and a second key was retired since: the first is still gone."""
        registry, thiefs, new = self.server.registry, Identity.generate(), Identity.generate()
        outcome(registry.succeed(ALICE, Link.signed(self.server.pin, ALICE, self.key, thiefs)))
        self.assertEqual(self.retire_without_a_client(), [ALICE])
        outcome(registry.invite(ALICE, b"h" * 32, 10.0**10))
        outcome(registry.spend(b"h" * 32, new.public_key, 0.0))
        other = RetirementSecret(bytes(16))
        outcome(registry.set_retirement(ALICE, new.public_key, other.public))
        self.assertEqual(self.retire_without_a_client(" ".join(other.words)), [ALICE])
        self.assertEqual(self.retire_without_a_client(), [ALICE])  # said again: as before
        outcome(registry.invite(Name("dave"), b"d" * 32, 10.0**10))
        for identity in (self.key, thiefs, new):
            came = outcome(registry.spend(b"d" * 32, identity.public_key, 0.0))
            self.assertEqual([type(one) for one in came], [refusals.KeyInUse])

    # Promise C142
    def test_the_admin_invites_again_and_the_new_key_has_words_of_its_own(self) -> None:
        self.retire_without_a_client()
        registry, new = self.server.registry, Identity.generate()
        outcome(registry.invite(ALICE, b"h" * 32, 10.0**10))
        self.assertEqual(outcome(registry.spend(b"h" * 32, new.public_key, 0.0)), [ALICE])
        alice = self.person(new)
        self.assertEqual(self.retire_without_a_client(), [ALICE])  # of the old key: nothing changes
        self.assertTrue(alice.main.is_online)
        (made,) = self.told(alice.main.keys.make_retirement())
        self.assertEqual(self.retire_without_a_client(" ".join(made.words)), [ALICE])

    def test_a_reset_by_the_admin_forgets_a_thiefs_words(self) -> None:
        outcome(self.server.registry.reset_key(ALICE))
        came = self.retire_without_a_client()
        self.assertEqual([type(one) for one in came], [NotNow])

    def test_it_takes_the_place_of_enrolling_once(self) -> None:
        """One statement a connection, as one guess at an invitation."""
        phase = EnrolmentPhase(FakeConnection())  # type: ignore[arg-type]
        secret = RetirementSecret(bytes(16))
        phase.retire(ALICE, secret.public, secret.retire(self.server.pin, ALICE))
        self.assertIsInstance(phase._connection.phase, Closed)

    # Promise T284
    def test_said_again_it_changes_nothing(self) -> None:
        for _ in range(3):
            self.assertEqual(self.retire_without_a_client(), [ALICE])
        self.assertEqual([type(one) for one in self.log_in(self.key)], [LoginRefused])
