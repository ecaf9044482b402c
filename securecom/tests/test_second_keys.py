"""Second keys: whoever has the first one alone is nobody, at the server and in a chat."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.protocols import amp
from twisted.trial.unittest import SynchronousTestCase

from securecom import framing, limits, peers, refusals, tls, vocabulary
from securecom.client.events import Asked, ChatStarted, Offline
from securecom.client.key_events import KeyCompleted
from securecom.errors import LoginRefused, PeerKeyChanged, ProofRefused, WireError
from securecom.identity import Identity, Name, PublicKey
from securecom.invitation import token_hash
from securecom.tests.support.chat_pair import End, Pair
from securecom.tests.support.memory_client import MemoryClient
from securecom.tests.support.memory_server import ManualClient, MemoryServer, result
from securecom.tests.support.rekeying_pair import due
from securecom.tests.support.scripted_server_case import BOB, CAROL, CHAT, AliceTestCase
from securecom.tests.support.second_keys import UNPROVED, QuantumThief

ALICE = Name("alice")
TOKEN = b"t" * limits.TOKEN_BYTES


class HelloTests(SynchronousTestCase):
    """Bob's first key is known to a thief, and the TLS handshake is good."""

    def setUp(self) -> None:
        self.pair = Pair()

    def open(self, thief: Identity) -> Pair:
        """Alice expects both of Bob's keys; the thief says that Bob is what they are."""
        alice, bob = self.pair.agreement("caller"), self.pair.agreement("callee")
        self.pair.bob = End(thief, bob, self.pair.clock)
        self.pair.alice = End(self.pair.alice_key, alice, self.pair.clock)
        return self.pair.open()

    def check_refused(self, why: str) -> None:
        self.assertFalse(self.pair.alice.stands or self.pair.alice.is_pinned)
        self.assertIsInstance(self.pair.alice.error, ProofRefused)
        self.assertIn(why, str(self.pair.alice.error))

    # Promise T127
    def test_a_thief_of_the_first_key_shows_another_second_one(self) -> None:
        self.open(QuantumThief(self.pair.bob_key))
        self.check_refused("second key is not the one expected")

    # Promise T127
    def test_a_thief_of_the_first_key_shows_the_right_second_one(self) -> None:
        """They know it, as everybody does who ever met Bob, and cannot sign with it."""
        right = self.pair.bob_key.second_key

        class Liar(QuantumThief):
            second_key = right

        self.open(Liar(self.pair.bob_key))
        self.check_refused("does not hold its second key")

    # Promise T127
    def test_a_signature_from_another_chat_of_theirs(self) -> None:
        """Bob signed it for Alice, in a session that is over."""
        other = Pair()
        other.bob_key, other.alice_key = self.pair.bob_key, self.pair.alice_key
        other.alice, other.bob = other.end("caller"), other.end("callee")
        other.open()
        binding = peers.chat_binding(other.bob.session.tls)
        old = self.pair.bob_key.sign_second(
            other.agreement("callee").hello_said(binding, "callee"), peers.HELLO
        )

        class Replayer(Identity):
            def sign_second(self, said: bytes, purpose: bytes) -> bytes:
                return old

        self.open(Replayer(self.pair.bob_key.private_key))
        self.check_refused("does not hold its second key")

    # Promise T127
    def test_a_signature_for_another_purpose(self) -> None:
        class Confused(Identity):
            def sign_second(self, said: bytes, purpose: bytes) -> bytes:
                return super().sign_second(said, peers.REKEY)

        self.open(Confused(self.pair.bob_key.private_key))
        self.check_refused("does not hold its second key")

    def test_the_same_with_the_right_keys_stands(self) -> None:
        self.open(self.pair.bob_key)
        self.assertTrue(self.pair.alice.stands and self.pair.bob.stands)

    # Promise T127
    def test_a_hello_that_leaves_the_second_key_out(self) -> None:
        for left_out in (b"second_key", b"signature"):
            self.pair = Pair()
            self.pair.bob.open()
            self.pair.alice.open()
            session = self.pair.bob.session
            session.send_hello = lambda: None  # type: ignore[method-assign]
            self.pair.pump()
            binding = peers.chat_binding(session.tls)
            proof = self.pair.agreement("callee").hello(binding, "callee")
            box = vocabulary.Hello.makeArguments({"proof": proof, **UNPROVED}, None)
            del box[left_out]
            box[amp.COMMAND], box[amp.ASK], box[b"_pad"] = b"Hello", b"1", b""
            size = limits.FRAME_HEADER + len(box.serialize())
            box[b"_pad"] = bytes(-size % limits.CHAT_PADDING)
            session.send(framing.encode(framing.CONTROL, box.serialize()))
            self.pair.pump()
            self.assertFalse(self.pair.alice.stands)
            self.assertIsInstance(self.pair.alice.error, WireError)

    # Promise T127
    def test_a_rekey_without_the_second_key(self) -> None:
        """Whoever took the chat over with the first key alone does not get into its next epoch."""
        pair = self.pair.open()
        pair.alice.session.say("hello")
        pair.pump()
        thief = QuantumThief(pair.bob_key)
        pair.bob.session._rekeying.identity = thief
        due(pair)
        pair.pump()
        self.assertEqual(pair.alice.over, [("cut-off", [])])
        self.assertIsInstance(pair.alice.error, ProofRefused)
        self.assertIn("second key is not the one expected", str(pair.alice.error))

    def test_each_hello_has_the_same_length(self) -> None:
        """So its size tells nobody who speaks."""
        sizes = set()
        for _ in range(3):
            pair = Pair()
            sent: list[int] = []
            self.patch(pair.alice.session, "send", _noting(pair.alice.session.send, sent))
            pair.open()
            sizes.add(sent[0])
        self.assertEqual(len(sizes), 1)
        self.assertEqual(sizes.pop() % limits.CHAT_PADDING, 0)


def _noting(send: Callable[[bytes], None], sizes: list[int]) -> Callable[[bytes], None]:
    """The same, which notes how long each frame is."""

    def noted(frame: bytes) -> None:
        sizes.append(len(frame))
        send(frame)

    return noted


class LogInTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.server = MemoryServer()
        self.alice = self.server.enrolled("alice")

    def registered(self) -> PublicKey | None:
        key: PublicKey | None = result(self.server.registry.user(ALICE)).key
        return key

    # Promise T128
    def test_a_thief_of_the_first_key_does_not_get_in(self) -> None:
        owner = ManualClient(self.server, self.alice)
        owner.log_in()
        thief = ManualClient(self.server, QuantumThief(self.alice))
        with self.assertRaises(refusals.BadProof):
            thief.log_in(takeover=True)
        self.assertEqual(owner.said("goodbye"), [])
        self.assertEqual(self.registered(), self.alice.public_key)

    # Promise T128
    def test_nor_with_a_signature_of_another_connection_or_purpose(self) -> None:
        first = ManualClient(self.server, self.alice)
        old = first.login()
        for purpose in (peers.LOG_IN, peers.ENROL):
            client = ManualClient(self.server, self.alice)
            fresh = peers.signed_for_server(
                client.standard.tls, self.server.pin, self.alice, purpose
            )
            signature = old["signature"] if purpose == peers.LOG_IN else fresh["signature"]
            asked = client.ask(vocabulary.LogIn, **{**old, "signature": signature})
            self.failureResultOf(asked, refusals.BadProof)
        self.assertEqual(len(self.server.reception.sessions), 0)

    # Promise T128
    def test_the_first_key_alone_is_no_log_in(self) -> None:
        client = ManualClient(self.server, self.alice)
        for left_out in (b"second_key", b"signature"):
            client = ManualClient(self.server, self.alice)
            box = vocabulary.LogIn.makeArguments(client.login(), None)
            del box[left_out]
            box[amp.COMMAND], box[amp.ASK] = b"LogIn", b"1"
            client.standard.send(framing.encode(framing.CONTROL, box.serialize()))
            self.server.network.pump()
            self.assertIsNotNone(client.standard.lost_reason)

    # Promise T133
    def test_whoever_was_enrolled_with_one_key_adds_the_second_at_a_log_in(self) -> None:
        cursor = self.server.registry._pool._connection  # type: ignore[attr-defined]
        cursor.execute("UPDATE users SET second = NULL")
        self.assertEqual(self.registered(), self.alice.public_key.first)
        unproved = ManualClient(self.server, self.alice)
        wrong = {**unproved.login(), "signature": UNPROVED["signature"]}
        self.failureResultOf(unproved.ask(vocabulary.LogIn, **wrong), refusals.BadProof)
        self.assertEqual(self.registered(), self.alice.public_key.first)
        ManualClient(self.server, self.alice).log_in()
        self.assertEqual(self.registered(), self.alice.public_key)
        thief = ManualClient(self.server, QuantumThief(self.alice))
        self.assertRaises(refusals.BadProof, thief.log_in, takeover=True)

    # Promise T133
    def test_who_adds_a_second_key_a_moment_too_late_is_told_so(self) -> None:
        cursor = self.server.registry._pool._connection  # type: ignore[attr-defined]
        cursor.execute("UPDATE users SET second = NULL")
        thief = QuantumThief(self.alice)
        result(self.server.registry.complete(ALICE, self.alice.public_key))
        late = self.server.reception.complete(ALICE, thief.public_key)
        self.failureResultOf(late, refusals.NotEnrolled)
        self.assertEqual(self.registered(), self.alice.public_key)

    # Promise T133
    def test_a_session_ends_whose_second_key_is_not_the_users_any_more(self) -> None:
        client = ManualClient(self.server, self.alice)
        client.log_in()
        cursor = self.server.registry._pool._connection  # type: ignore[attr-defined]
        other = Identity.generate().public_key.second
        cursor.execute("UPDATE users SET second = ?", (other,))
        self.server.reception.sessions.recheck()
        self.server.network.pump()
        self.assertEqual(client.said("goodbye"), ["disabled"])

    def test_a_reset_forgets_both(self) -> None:
        result(self.server.registry.reset_key(ALICE))
        self.assertIsNone(self.registered())
        cursor = self.server.registry._pool._connection  # type: ignore[attr-defined]
        self.assertEqual(cursor.execute("SELECT second FROM users").fetchall(), [(None,)])

    def test_words_for_a_server_that_has_another_second_key(self) -> None:
        other = Identity.generate().public_key.second
        cursor = self.server.registry._pool._connection  # type: ignore[attr-defined]
        cursor.execute("UPDATE users SET second = ?", (other,))
        person = MemoryClient(self.server.network, self.alice, self.server.pin, name=ALICE)
        person.start()
        (error,) = person.done
        self.assertIsInstance(error, LoginRefused)
        self.assertIn("another second key for you", error.what)
        self.assertIn("Nobody was logged in", error.hint)

    # Promise T128
    def test_an_invitation_is_not_spent_by_who_does_not_prove_both(self) -> None:
        self.server.invite("bob", token_hash(TOKEN))
        bob = Identity.generate()
        for change in ({"signature": UNPROVED["signature"]}, UNPROVED):
            _, connection = self.enrolling(bob)
            proof = peers.signed_for_server(connection.tls, self.server.pin, bob, peers.ENROL)
            answer = connection.control.call(vocabulary.Enrol, token=TOKEN, **{**proof, **change})
            self.server.network.pump()
            self.failureResultOf(answer, refusals.BadProof)
        self.assertIsNone(result(self.server.registry.user(BOB)))
        _, connection = self.enrolling(bob)
        proof = peers.signed_for_server(connection.tls, self.server.pin, bob, peers.ENROL)
        answer = connection.control.call(vocabulary.Enrol, token=TOKEN, **proof)
        self.server.network.pump()
        self.assertEqual(self.successResultOf(answer), {"name": "bob"})
        self.assertEqual(result(self.server.registry.user(BOB)).key, bob.public_key)

    def enrolling(self, identity: Identity) -> Any:
        client = ManualClient(self.server, identity)
        options = tls.enrol_client(identity, self.server.pin)
        return client.connect(options, tls.ALPN_ENROL, self.server.standard)

    def test_nothing_is_verified_for_a_key_that_nobody_has(self) -> None:
        """The signature is looked at only after the registry has been asked."""
        self.patch(peers, "check_second", lambda *_: self.fail("a signature was looked at"))
        stranger = ManualClient(self.server, Identity.generate())
        self.assertRaises(refusals.NotEnrolled, stranger.log_in)
        thief = ManualClient(self.server, QuantumThief(self.alice))
        self.assertRaises(refusals.BadProof, thief.log_in)


class LyingServerTests(AliceTestCase):
    """A server that says something else about second keys than a person has proved."""

    def setUp(self) -> None:
        super().setUp()
        self.contacts = self.person.contacts
        self.both = self.bob.public_key

    def alone(self, trust: str = "tofu") -> None:
        """Alice has met Bob when he had one key."""
        self.contacts.meet(BOB, self.both.first)
        if trust == "verified":
            self.contacts.compared(BOB, self.both.first, same=True)

    def swapped(self) -> PublicKey:
        return PublicKey(self.both.raw, Identity.generate().public_key.second)

    # Promise T129
    def test_another_second_key_is_a_changed_key(self) -> None:
        self.contacts.meet(BOB, self.both)
        self.offer(key=self.swapped())
        self.assertEqual(self.notes.last(Asked).trust, "changed")
        self.fails(self.told(self.alice.accept()), PeerKeyChanged)
        self.withdraw("expired")
        came = self.ask()
        self.grant(key=self.swapped())
        self.fails(came, PeerKeyChanged)

    # Promise T129
    def test_no_second_key_is_nothing_that_can_be_said(self) -> None:
        self.contacts.meet(BOB, self.both)
        self.offer(key=self.both.first)
        self.assertEqual(self.notes.of(Asked), [])
        came = self.ask()
        self.grant(key=self.both.first)
        self.assertTrue(came)
        self.assertIn("the connection to the server was cut", self.notes.last(Offline).why)
        self.assertEqual(self.notes.of(ChatStarted), [])

    # Promise T129
    def test_who_had_both_and_is_known_alone_is_changed(self) -> None:
        self.contacts.meet(BOB, self.both)
        self.assertEqual(self.contacts.trust(BOB, self.both.first), "changed")
        self.assertRaises(PeerKeyChanged, self.contacts.meet, BOB, self.both.first)
        self.assertEqual(self.contacts.trust(BOB, self.swapped()), "changed")
        self.assertRaises(PeerKeyChanged, self.contacts.meet, BOB, self.swapped())
        pin = self.contacts.pin(BOB)
        self.assertEqual(pin and pin.key, self.both)

    # Promise T130
    def test_the_first_proof_of_a_second_key_adds_it_and_says_so(self) -> None:
        self.alone()
        self.offer()
        self.assertEqual(self.notes.last(Asked).trust, "met")
        self.told(self.alice.accept())
        pin = self.contacts.pin(BOB)
        self.assertEqual(pin and pin.key, self.both.first)  # until it is proved
        self.open_stream()
        self.peer("caller").open()
        self.pump()
        pin = self.contacts.pin(BOB)
        assert pin is not None
        self.assertEqual((pin.key, pin.trust, pin.earlier), (self.both, "tofu", ()))
        told = KeyCompleted(BOB, self.both.first.fingerprint, self.both.fingerprint, "met", False)
        self.assertEqual(self.notes.of(KeyCompleted), [told])
        kinds = [type(event) for event in self.notes.events]
        self.assertLess(kinds.index(KeyCompleted), kinds.index(ChatStarted))

    # Promise T130
    def test_what_was_compared_was_the_first_key_so_they_compare_again(self) -> None:
        self.alone("verified")
        self.assertEqual(self.contacts.trust(BOB, self.both), "met")
        self.contacts.meet(BOB, self.both)
        self.assertEqual(self.contacts.trust(BOB), "met")
        self.contacts.compared(BOB, self.both, same=True)
        self.assertEqual(self.contacts.trust(BOB, self.both), "verified")

    # Promise T130
    def test_a_second_key_that_is_not_proved_is_not_added(self) -> None:
        """A thief of Bob's first key, whom the server gives out with Bob's own second one."""
        self.alone()
        self.offer()
        self.told(self.alice.accept())
        self.open_stream()
        thief = self.peer("caller")
        thief.identity = QuantumThief(self.bob)
        thief.open()
        self.pump()
        pin = self.contacts.pin(BOB)
        self.assertEqual(pin and pin.key, self.both.first)
        self.assertEqual(self.notes.of(KeyCompleted) + self.notes.of(ChatStarted), [])

    # Promise T130
    def test_a_second_key_of_somebody_else_is_none_for_a_first_key_known_alone(self) -> None:
        carol = Identity.generate().public_key
        self.contacts.meet(CAROL, carol)
        self.alone()
        lie = PublicKey(self.both.raw, carol.second)
        self.assertEqual(self.contacts.trust(BOB, lie), "changed")
        self.assertRaises(PeerKeyChanged, self.contacts.meet, BOB, lie)
        self.assertEqual(self.contacts.trust(BOB, self.both), "met")

    # Promise T127
    def test_nobody_has_proved_a_second_key_who_is_known_by_the_first_alone(self) -> None:
        said, purpose = b"said", peers.HELLO
        signed = (self.bob.second_key, self.bob.sign_second(said, purpose), said, purpose)
        peers.check_second(self.both, *signed)
        self.assertRaises(ProofRefused, peers.check_second, self.both.first, *signed)

    # Promise T129
    def test_half_of_a_pinned_key_under_another_name_is_somebody_elses(self) -> None:
        self.contacts.meet(BOB, self.both)
        stranger = Identity.generate().public_key
        for key in (self.swapped(), PublicKey(stranger.raw, self.both.second)):
            error = self.assertRaises(PeerKeyChanged, self.contacts.meet, CAROL, key)
            self.assertEqual(error.what, "this key is known to you as bob")

    # Promise T129
    def test_half_of_our_own_key_is_nobody_elses(self) -> None:
        own = self.person.identity.public_key
        lie = PublicKey(own.raw, self.both.second)
        self.assertEqual(self.offer(key=lie), ["unavailable"])
        came = self.ask(CAROL)
        self.grant(key=lie, chat=CHAT)
        self.assertIn("your own key", self.fails(came, PeerKeyChanged).what)
