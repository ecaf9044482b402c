"""Rekeys between people, or over a server, that do not keep to the rules: no epoch that counts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from securecom import framing, limits, peers, refusals, tls, vocabulary
from securecom.client.chat.agreement import Role
from securecom.client.chat.epochs import Epoch
from securecom.errors import NotRekeyed, PeerKeyChanged, ProofRefused, TLSRefused, WireError
from securecom.identity import Identity, SecondKey
from securecom.tests.support.chat_pair import End, Pair
from securecom.tests.support.rekeying_pair import (
    RECORDS,
    RekeyCase,
    Relay,
    but,
    due,
    epoch,
    epochs,
    first,
    honest,
)
from securecom.tests.support.scripted_server import outcome
from securecom.tests.support.second_keys import UNPROVED
from securecom.values import replace

APPLICATION_DATA = 23


def flipped(record: bytes, at: int) -> bytes:
    changed = bytearray(record)
    changed[at] ^= 1
    return bytes(changed)


class ServerTests(SynchronousTestCase):
    """The server holds the stream, and none of the keys."""

    def setUp(self) -> None:
        self.pair = Pair()

    def begin(self) -> Relay:
        """A chat whose rekey is due."""
        self.pair = Pair().open()
        self.pair.alice.session.say("hello")
        self.pair.pump()
        due(self.pair)
        return Relay(self.pair)

    def finish(self, relay: Relay, source: str) -> None:
        """All that still comes, a word of the one whose record it was, and time."""
        relay.run(honest)
        end: End = getattr(self.pair, source)
        if not end.over:
            end.session.say("x")
        relay.run(honest)
        self.pair.clock.advance(limits.REKEY_DEADLINE)
        relay.run(honest)

    def check_each(self, change: Callable[[str, bytes], bytes]) -> None:
        """Do this to each record of a rekey in turn: the chat ends, nothing false is shown."""
        for moment in range(RECORDS):
            relay, sources = self.begin(), list[str]()

            def lie(source: str, record: bytes, kept: list[str] = sources) -> bytes:
                kept.append(source)
                return change(source, record)

            relay.run(but(moment, lie))
            self.finish(relay, *sources)
            reader = self.pair.bob if sources == ["alice"] else self.pair.alice
            self.assertEqual([ending for ending, _ in reader.over], ["cut-off"], moment)
            self.assertEqual(self.pair.alice.messages, [], moment)
            self.assertEqual(self.pair.bob.messages, ["hello"], moment)

    # Promise T45
    def test_each_record_changed(self) -> None:
        self.check_each(lambda source, record: flipped(record, -1))
        self.check_each(lambda source, record: flipped(record, len(record) // 2))

    # Promise T45
    def test_each_record_twice(self) -> None:
        self.check_each(lambda source, record: record * 2)

    # Promise T45
    def test_each_record_left_out(self) -> None:
        self.check_each(lambda source, record: b"")

    # Promise T45
    def test_each_record_of_another_chats_rekey_in_its_place(self) -> None:
        """The same two people: only the keys differ."""
        other = Pair().open()
        due(other)
        theirs: list[bytes] = []

        def note(count: int, source: str, record: bytes) -> bytes:
            theirs.append(record)
            return record

        Relay(other).run(note)
        given: list[bytes] = []

        def other_record(source: str, record: bytes) -> bytes:
            return given.pop()

        for moment in range(RECORDS):
            given[:] = [theirs[moment]]
            pair = self.pair = Pair()
            pair.alice_key, pair.bob_key = other.alice_key, other.bob_key
            pair.alice, pair.bob = pair.end("caller"), pair.end("callee")
            pair.open()
            due(pair)
            Relay(pair).run(but(moment, other_record))
            self.assertTrue(pair.alice.over or pair.bob.over, moment)

    # Promise T45
    def test_ones_own_records_sent_back(self) -> None:
        for moment in range(RECORDS):
            relay = self.begin()

            def reflect(source: str, record: bytes, relay: Relay = relay) -> bytes:
                relay.deliver("bob" if source == "alice" else "alice", record)
                return record

            relay.run(but(moment, reflect))
            self.assertTrue(self.pair.alice.over or self.pair.bob.over, moment)

    # Promise T46
    def test_the_old_epochs_words_are_nothing_in_the_new_one(self) -> None:
        """A record of before, once more after both have changed over."""
        pair = Pair().open()
        seen: list[bytes] = []

        def tap(source: End, data: bytes) -> bytes:
            seen.append(data)
            return data

        pair.tap = tap
        pair.alice.session.say("once")
        pair.pump()
        pair.advance(limits.REKEY_AFTER)
        pair.bob.stream.received(seen[0])
        pair.pump()
        self.assertEqual(pair.bob.messages, ["once"])
        self.assertEqual(pair.bob.over, [("cut-off", [])])

    # Promise T23
    def test_it_sees_no_handshake(self) -> None:
        kinds = list[int]()

        def look(count: int, source: str, record: bytes) -> bytes:
            kinds.append(record[0])
            return record

        self.begin().run(look)
        self.assertEqual(kinds, [APPLICATION_DATA] * RECORDS)


class PeerTests(RekeyCase):
    """Whoever holds the old epoch's keys must still be the same person, in the same chat."""

    def rekey(self) -> None:
        due(self.pair)
        self.pair.pump()

    def check_not_rekeyed(self, kind: type[Exception], *ends: End) -> None:
        self.check_cut(kind, *(ends or (self.alice,)))
        self.assertTrue(self.alice.over and self.bob.over)
        self.assertEqual((self.alice.messages, self.bob.messages), ([], ["hello"]))

    def take_key(self, end: End, key: Identity, expected: Identity) -> None:
        """From now on this end shows another key."""
        epochs(end).options = tls.chat_end(key, expected.public_key)

    # Promise T80
    def test_a_callee_with_another_key(self) -> None:
        self.take_key(self.bob, Identity.generate(), self.pair.alice_key)
        self.rekey()
        self.check_not_rekeyed(PeerKeyChanged, self.alice)

    def test_a_caller_with_another_key(self) -> None:
        self.take_key(self.alice, Identity.generate(), self.pair.bob_key)
        self.rekey()
        self.check_not_rekeyed(PeerKeyChanged, self.bob)

    def test_our_own_key(self) -> None:
        own = self.pair.alice_key
        self.take_key(self.bob, own, own)
        epochs(self.bob).options = tls.TLSOptions(
            (tls.ALPN_CHAT,), tls.Credentials.of(own), peers.any_identity
        )
        self.rekey()
        self.check_not_rekeyed(PeerKeyChanged, self.alice)
        self.assertIn("our own key", str(self.alice.error))

    # Promise T80
    def test_the_key_of_the_handshake_is_looked_at_again(self) -> None:
        other = Identity.generate().public_key
        self.patch(peers, "peer_key", lambda _: other)
        self.rekey()
        self.assertIsInstance(self.alice.error or self.bob.error, ProofRefused)
        self.assertTrue(self.alice.over and self.bob.over)

    def test_another_protocol(self) -> None:
        self.patch(tls, "check_handshake", lambda *_: (_ for _ in ()).throw(TLSRefused("a trial")))
        self.rekey()
        self.check_not_rekeyed(TLSRefused, self.alice)

    def check_disagreement(self, **lies: Any) -> None:
        """Bob's notes differ from Alice's, all at once."""
        rekeying = self.bob.session._rekeying
        rekeying._agreement = replace(rekeying._agreement, **lies)
        self.rekey()
        refused = (self.alice.error, self.bob.error)
        self.assertTrue(any(isinstance(one, ProofRefused) for one in refused), refused)
        self.assertTrue(self.alice.over and self.bob.over)

    # Promise T80
    def test_another_chat(self) -> None:
        self.check_disagreement(chat=b"\x07" * 16)

    def test_another_server(self) -> None:
        self.check_disagreement(server=b"\x07" * 32)

    # Promise T80
    def test_another_present_epoch(self) -> None:
        """The handshake is good, but whoever vouches for it is not in the present epoch."""
        secrets = [b"a" * 32, b"b" * 32]
        self.patch(peers, "chat_rekey", lambda _: secrets.pop() if secrets else b"c" * 32)
        self.rekey()
        refused = (self.alice.error, self.bob.error)
        self.assertTrue(any(isinstance(one, ProofRefused) for one in refused), refused)

    def test_another_next_epoch(self) -> None:
        """Whoever is in the present epoch vouches for another handshake than this."""
        bindings = [b"a" * 32, b"b" * 32]
        self.patch(peers, "chat_binding", lambda _: bindings.pop() if bindings else b"c" * 32)
        self.rekey()
        refused = (self.alice.error, self.bob.error)
        self.assertTrue(any(isinstance(one, ProofRefused) for one in refused), refused)

    def test_another_place_in_the_chat(self) -> None:
        epochs(self.bob)._last_number += 1
        self.rekey()
        refused = (self.alice.error, self.bob.error)
        self.assertTrue(any(isinstance(one, ProofRefused) for one in refused), refused)

    def test_ones_own_hello_sent_back(self) -> None:
        made = self.bob.session._rekeying._proof

        def reflected(following: Epoch, role: Role) -> bytes:
            return made(following, "caller")

        self.patch(self.bob.session._rekeying, "_proof", reflected)
        self.rekey()
        self.check_cut(ProofRefused, self.alice)


class OutOfTurnTests(RekeyCase):
    def send(self, end: End, command: Any, **arguments: Any) -> list[Any]:
        """Something that an honest end would not send now."""
        came: Deferred[Any] = end.session.control.call(command, **arguments)
        taken = outcome(came)
        self.pair.pump()
        return taken

    def in_the_midst(self, records: int) -> Relay:
        """A rekey in which so many records went over."""
        due(self.pair)
        relay = Relay(self.pair)
        relay.run(first(records))
        return relay

    def finish(self, relay: Relay) -> None:
        relay.run(honest)
        self.pair.pump()

    def test_a_callee_that_begins(self) -> None:
        self.bob.session.send(framing.encode(framing.EPOCH, b"\x16\x03\x01\x00\x05hello"))
        self.pair.pump()
        self.check_cut(WireError, self.alice)

    def test_a_callee_that_begins_after_a_rekey(self) -> None:
        self.pair.advance(limits.REKEY_AFTER)
        self.bob.session.send(framing.encode(framing.EPOCH, b"\x16\x03\x01\x00\x05hello"))
        self.pair.pump()
        self.check_cut(WireError, self.alice)
        self.assertIn("only the caller", str(self.alice.error))

    # Promise R103
    def test_a_caller_that_begins_too_soon(self) -> None:
        pair = Pair().open()
        pair.advance(limits.REKEY_LEAST - 1)
        pair.alice.session._rekeying._life.due()
        pair.pump()
        self.assertEqual(pair.bob.over, [("cut-off", [])])
        self.assertIn("too soon", str(pair.bob.error))

    # Promise R103
    def test_a_caller_that_begins_again_too_soon(self) -> None:
        pair = Pair().open()
        pair.advance(limits.REKEY_AFTER)
        self.assertEqual(epoch(pair.bob).number, 1)
        pair.alice.session._rekeying._life.due()
        pair.pump()
        self.assertEqual(pair.bob.over, [("cut-off", [])])

    # Promise R103
    def test_as_soon_as_it_may(self) -> None:
        pair = Pair().open()
        for number in (1, 2, 3):
            pair.advance(limits.REKEY_LEAST)
            pair.alice.session._rekeying._life.due()
            pair.pump()
            self.assertEqual((epoch(pair.bob).number, pair.bob.over), (number, []))

    # Promise R103
    def test_sooner_by_bytes_of_either_side(self) -> None:
        """Whoever said them, and however fast: the callee has counted no fewer than the caller."""
        self.patch(limits, "REKEY_BYTES", 20_000)
        pair = Pair().open()
        pair.alice.session.say("hello")
        pair.pump()
        for number in range(1, 5):
            speaker = pair.alice if number % 2 else pair.bob
            while epoch(pair.alice).number < number:
                speaker.session.say("x" * 1000)
                pair.pump()
            self.assertEqual((pair.alice.over, pair.bob.over), ([], []))

    def test_a_caller_that_begins_before_the_chat_stands(self) -> None:
        pair = Pair()

        def begin() -> None:
            pair.alice.session.send(framing.encode(framing.EPOCH, b"\x16\x03\x01\x00\x05hello"))

        pair.alice.session.send_hello = begin  # type: ignore[method-assign]
        pair.open()
        self.assertEqual(pair.bob.over, [(None, [])])
        self.assertIsInstance(pair.bob.error, WireError)

    def test_rubbish_for_a_handshake(self) -> None:
        self.pair.advance(limits.REKEY_LEAST)
        self.alice.session.send(framing.encode(framing.EPOCH, b"\x00" * 100))
        self.pair.pump()
        self.check_cut(TLSRefused, self.bob)

    def test_nothing_for_a_handshake(self) -> None:
        self.pair.advance(limits.REKEY_LEAST)
        self.alice.session.send(framing.encode(framing.EPOCH, b""))
        self.pair.pump()
        self.check_cut(WireError, self.bob)

    def test_a_switch_without_a_rekey(self) -> None:
        self.alice.session.control.tell(vocabulary.Switch)
        self.pair.pump()
        self.check_cut(WireError, self.bob)

    def test_a_switch_before_hello(self) -> None:
        relay = self.in_the_midst(1)
        self.alice.session.control.tell(vocabulary.Switch)
        self.finish(relay)
        self.assertTrue(self.alice.over and self.bob.over)
        self.assertIsInstance(self.bob.error, WireError)

    def test_a_hello_without_a_rekey(self) -> None:
        (refusal,) = self.send(self.alice, vocabulary.Hello, proof=b"x" * 32, **UNPROVED)
        self.assertIsInstance(refusal, refusals.BadProof)
        self.check_cut(ProofRefused, self.bob)

    def test_a_hello_before_the_handshake_is_done(self) -> None:
        relay = self.in_the_midst(1)
        came = outcome(
            self.alice.session.control.call(vocabulary.Hello, proof=b"x" * 32, **UNPROVED)
        )
        self.finish(relay)
        self.assertIsInstance(came[0], refusals.BadProof)
        self.check_cut(ProofRefused, self.bob)

    def test_a_second_good_hello(self) -> None:
        vouch = self.alice.session._rekeying.vouch

        def twice() -> None:
            vouch()
            vouch()

        self.alice.session._rekeying.vouch = twice  # type: ignore[method-assign]
        due(self.pair)
        self.pair.pump()
        self.check_cut(WireError, self.bob)

    def test_words_in_an_epoch_that_nobody_switched_to(self) -> None:
        relay = self.in_the_midst(2)
        following = self.alice.session._rekeying._next
        assert following is not None
        following.tls.sendall(b"too early")
        self.alice.session._rekeying._send(following)
        self.finish(relay)
        self.check_cut(WireError, self.bob)
        self.assertIn("nobody switched to", str(self.bob.error))

    def test_a_refusal_of_our_hello(self) -> None:
        def refuse(proof: bytes, second_key: SecondKey, signature: bytes) -> None:
            raise ProofRefused("a trial")

        self.bob.session._rekeying.hello = refuse  # type: ignore[method-assign]
        due(self.pair)
        self.pair.pump()
        self.check_cut(WireError, self.alice)

    def check_behind_switch(self, more: bytes) -> None:
        """Alice's SWITCH is not the last in its epoch."""
        tell = self.alice.session.control.tell

        def and_more(command: Any) -> None:
            tell(command)
            self.alice.session.send(more)

        self.alice.session.control.tell = and_more  # type: ignore[method-assign, assignment]
        due(self.pair)
        self.pair.pump()
        self.check_cut(WireError, self.bob)
        self.assertIn("behind SWITCH", str(self.bob.error))

    def test_a_frame_behind_switch(self) -> None:
        self.check_behind_switch(framing.encode(framing.CONTROL, b"\x00" * 10))

    def test_part_of_a_frame_behind_switch(self) -> None:
        self.check_behind_switch(framing.encode(framing.CONTROL, b"\x00" * 10)[:3])

    def test_a_record_that_is_too_long(self) -> None:
        self.bob.stream.received(b"\x17\x03\x03\x7f\xff")
        self.pair.pump()
        self.check_cut(WireError, self.bob)

    def test_what_comes_behind_a_bad_record_is_not_looked_at(self) -> None:
        before, bad = epoch(self.bob).received, b"\x17\x03\x03\x00\x20" + bytes(32)
        self.bob.stream.received(bad + bad)
        self.assertEqual(epoch(self.bob).received, before + len(bad))
        self.pair.pump()
        self.assertEqual(self.bob.over, [("cut-off", [])])

    def test_a_peer_that_stands_still_after_its_hello(self) -> None:
        self.alice.session._rekeying.switch = lambda: None  # type: ignore[method-assign]
        self.pair.advance(limits.REKEY_AFTER)
        self.assertEqual(epoch(self.bob).number, 0)
        self.pair.advance(limits.REKEY_DEADLINE)
        self.assertIsInstance(self.alice.error or self.bob.error, NotRekeyed)
        self.assertTrue(self.alice.over and self.bob.over)
