from __future__ import annotations

import gc
import weakref
from typing import Any

from twisted.protocols.amp import AmpBox
from twisted.trial.unittest import SynchronousTestCase

from securecom import framing, limits, peers, refusals, vocabulary
from securecom.client.events import Event, Message
from securecom.errors import (
    BadArgument,
    NotNow,
    PeerKeyChanged,
    ProofRefused,
    StateDamaged,
    TooLong,
    WireError,
)
from securecom.identity import Identity, Name
from securecom.tests.support.chat_pair import End, Pair
from securecom.tests.support.scripted_server import outcome
from securecom.tests.support.second_keys import UNPROVED
from securecom.values import replace


class StandingTests(SynchronousTestCase):
    """Both are who they should be, and nothing is in the way."""

    def setUp(self) -> None:
        self.pair = Pair().open()
        self.alice, self.bob = self.pair.alice, self.pair.bob

    def talk(self) -> None:
        """The caller has spoken."""
        self.alice.session.say("hello")
        self.pair.pump()

    def test_it_stands_on_both_sides_and_both_keys_are_pinned(self) -> None:
        for end in (self.alice, self.bob):
            self.assertTrue(end.stands)
            self.assertTrue(end.is_pinned)
            self.assertEqual(end.over, [])

    def test_it_stands_for_as_long_as_nobody_ends_it(self) -> None:
        self.pair.advance(10 * limits.CHAT_HANDSHAKE_DEADLINE)
        self.talk()
        self.assertEqual(self.bob.messages, ["hello"])

    def test_a_message_arrives_once_and_its_receipt_comes_back(self) -> None:
        self.assertEqual(self.alice.session.say("hi"), 1)
        self.assertEqual(self.alice.said, [(1, False)])
        self.assertEqual(self.alice.delivered, [])
        self.pair.pump()
        self.assertEqual(self.bob.messages, ["hi"])
        self.assertEqual(self.alice.delivered, [1])

    def test_the_receipt_leaves_after_the_message_was_shown(self) -> None:
        receipts: list[list[int]] = []
        self.bob.on_event = lambda event: receipts.append(list(self.alice.delivered))
        self.talk()
        self.assertEqual(receipts, [[]])
        self.assertEqual(self.alice.delivered, [1])

    def test_what_the_callee_types_early_goes_out_after_the_callers_first_message(self) -> None:
        numbers = [self.bob.session.say(text) for text in ("one", "two")]
        self.pair.pump()
        self.assertEqual(self.bob.said, [(1, True), (2, True)])
        self.assertEqual(self.alice.messages, [])
        self.talk()
        self.assertEqual(self.alice.messages, ["one", "two"])
        self.assertEqual(self.bob.delivered, numbers)

    def test_afterwards_both_speak_freely(self) -> None:
        self.talk()
        self.assertEqual(self.bob.session.say("hi"), 1)
        self.pair.pump()
        self.assertEqual(self.bob.said, [(1, False)])
        self.assertEqual(self.alice.messages, ["hi"])

    def test_one_may_answer_from_within_the_showing_of_a_message(self) -> None:
        def echo(event: Event) -> None:
            if isinstance(event, Message):
                self.bob.session.say(event.text)

        self.bob.on_event = echo
        self.talk()
        self.assertEqual(self.alice.messages, ["hello"])

    # Promise T24
    def test_every_frame_inside_is_padded(self) -> None:
        lengths = set[int]()

        def tap(source: End, data: bytes) -> bytes:
            lengths.add(len(data))
            return data

        self.pair.tap = tap
        for length in (1, 30, 90):
            self.alice.session.say("x" * length)
            self.pair.pump()
        # A record each way and each time: padded frame, TLS header, content type, tag.
        self.assertEqual(lengths, {limits.CHAT_PADDING + 5 + 1 + 16})

    def test_much_at_once_does_not_wait_for_the_next_turn(self) -> None:
        for _ in range(5):
            self.alice.session.say("x" * limits.MAX_TEXT)
        self.assertGreater(len(self.alice.leg.outgoing), 4 * limits.MAX_TEXT)
        self.pair.pump()
        self.assertEqual(len(self.bob.messages), 5)

    # Promise T20
    def test_the_relay_sees_no_text(self) -> None:
        self.alice.session.say("a needle in the haystack")
        self.pair.pump()
        self.assertNotIn(b"needle", self.pair.relayed)
        self.assertEqual(self.bob.messages, ["a needle in the haystack"])

    # --- what may not be said ---------------------------------------------------------------

    def test_the_longest_message_passes_and_a_longer_one_is_refused_here(self) -> None:
        longest = "\u20ac" * (limits.MAX_TEXT // 3)
        self.alice.session.say(longest)
        self.assertRaises(TooLong, self.alice.session.say, longest + "xx")
        self.pair.pump()
        self.assertEqual(self.bob.messages, [longest])

    def test_what_is_no_text_is_refused(self) -> None:
        self.assertRaises(BadArgument, self.alice.session.say, "\udc80")
        self.assertEqual(self.alice.said, [])

    def test_the_number_of_messages_without_a_receipt_is_limited(self) -> None:
        for _ in range(limits.MAX_UNDELIVERED):
            self.alice.session.say("x")
        self.assertRaises(NotNow, self.alice.session.say, "x")
        self.pair.pump()
        self.assertEqual(len(self.bob.messages), limits.MAX_UNDELIVERED)
        self.assertEqual(self.alice.session.say("y"), limits.MAX_UNDELIVERED + 1)

    def test_the_number_of_messages_held_back_is_limited(self) -> None:
        for _ in range(limits.MAX_HELD_BACK):
            self.bob.session.say("x")
        self.assertRaises(NotNow, self.bob.session.say, "x")
        self.talk()
        self.assertEqual(len(self.alice.messages), limits.MAX_HELD_BACK)

    # --- out of turn ------------------------------------------------------------------------

    def send(self, end: End, command: Any, **arguments: Any) -> list[Any]:
        """Something that an honest end would not send now."""
        came = outcome(end.session.control.call(command, **arguments))
        self.pair.pump()
        return came

    # Promise T79
    def test_a_callee_that_speaks_first_is_refused_and_the_chat_ends(self) -> None:
        (refusal,) = self.send(self.bob, vocabulary.Say, text="me first")
        self.assertIsInstance(refusal, refusals.OutOfTurn)
        self.assertEqual(self.alice.messages, [])
        self.assertEqual(self.alice.over, [("cut-off", [])])
        self.assertIsInstance(self.alice.error, WireError)
        self.assertEqual(self.bob.over, [("cut-off", [])])

    def test_a_second_hello_ends_the_chat(self) -> None:
        for second in (self.pair.agreement("callee"), self.pair.agreement("caller")):
            pair = Pair().open()
            proof = second.hello(b"x" * 32, second.role)
            came = outcome(pair.bob.session.control.call(vocabulary.Hello, proof=proof, **UNPROVED))
            pair.pump()
            self.assertIsInstance(came[0], refusals.BadProof)
            self.assertEqual(pair.alice.over, [("cut-off", [])])
            self.assertIsInstance(pair.alice.error, ProofRefused)

    def test_the_very_same_hello_again_ends_it_too(self) -> None:
        agreement = self.pair.agreement("callee")
        proof = agreement.hello(peers.chat_binding(self.bob.session.tls), "callee")
        (refusal,) = self.send(self.bob, vocabulary.Hello, proof=proof, **UNPROVED)
        self.assertIsInstance(refusal, refusals.BadProof)
        self.assertEqual(self.alice.over, [("cut-off", [])])

    def test_a_message_over_the_limit_ends_it(self) -> None:
        self.send(self.alice, vocabulary.Say, text="x" * (limits.MAX_TEXT + 1))
        self.assertEqual(self.bob.messages, [])
        self.assertEqual(self.bob.over, [("cut-off", [])])

    # Promise R101
    def test_more_messages_at_once_than_may_be_without_receipt_end_it(self) -> None:
        """The other side holds to the limit, so one that does not is found out."""
        self._flood(limits.MAX_UNDELIVERED)
        self._flood(limits.MAX_UNDELIVERED)  # the receipts of the first are back
        self.assertEqual((len(self.bob.messages), self.bob.over), (2 * limits.MAX_UNDELIVERED, []))
        self._flood(limits.MAX_UNDELIVERED + 1)
        self.assertEqual(len(self.bob.messages), 3 * limits.MAX_UNDELIVERED)
        self.assertEqual(self.bob.over, [("cut-off", [])])
        self.assertIsInstance(self.bob.error, WireError)

    # Promise R109
    def test_an_empty_message_is_a_message(self) -> None:
        self.alice.session.control.call(vocabulary.Say, text="").addErrback(lambda _: None)
        self.pair.pump()
        self.assertEqual((self.bob.messages, self.bob.over), ([""], []))
        self.assertEqual(self.bob.session.say("I may speak now"), 1)
        self.assertEqual(self.bob.said, [(1, False)])

    def _flood(self, count: int) -> None:
        """So many messages in one piece, whatever Alice's own client counts."""
        for _ in range(count):
            self.alice.session.control.call(vocabulary.Say, text="").addErrback(lambda _: None)
        self.pair.pump()

    # Promise R105
    def test_a_frame_that_is_not_padded_ends_it(self) -> None:
        self.alice.session.control._pad_to = 0
        self.alice.session.say("hi")
        self.pair.pump()
        self.assertEqual((self.bob.messages, self.bob.over), ([], [("cut-off", [])]))

    def test_a_message_that_is_no_text_ends_it(self) -> None:
        box = {b"_command": b"Say", b"_ask": b"1", b"text": b"\xff\xfe"}
        self.alice.session.send(framing.encode(framing.CONTROL, AmpBox(box).serialize()))
        self.pair.pump()
        self.assertEqual(self.bob.over, [("cut-off", [])])

    def test_a_refusal_of_what_we_said_ends_it(self) -> None:
        self.bob.session.show = self.bob.session.refuse  # type: ignore[method-assign]
        self.talk()
        self.assertEqual(self.alice.over, [("cut-off", [1])])
        self.assertIsInstance(self.alice.error, WireError)

    # --- the end ----------------------------------------------------------------------------

    def test_a_chat_that_was_ended_says_so_on_both_sides(self) -> None:
        self.talk()
        self.bob.session.leave()
        self.pair.pump()
        self.assertEqual(self.bob.over, [("by-me", [])])
        self.assertEqual(self.alice.over, [("by-peer", [])])
        self.assertEqual(self.pair.clock.getDelayedCalls(), [])

    def test_both_may_end_it_at_once(self) -> None:
        self.alice.session.leave()
        self.bob.session.leave()
        self.pair.pump()
        self.assertEqual(self.alice.over, [("by-me", [])])
        self.assertEqual(self.bob.over, [("by-me", [])])

    def test_a_bye_that_nobody_answers_ends_it_all_the_same(self) -> None:
        self.pair.tap = lambda source, data: b""
        self.alice.session.leave()
        self.pair.advance(limits.BYE_DEADLINE - 0.1)
        self.assertEqual(self.alice.over, [])
        self.pair.advance(0.1)
        self.assertEqual(self.alice.over, [("by-me", [])])
        self.assertEqual(self.bob.over, [])

    def test_nothing_can_be_said_after_ones_own_bye(self) -> None:
        self.alice.session.leave()
        self.assertRaises(NotNow, self.alice.session.say, "and")

    def test_what_crosses_our_bye_is_neither_shown_nor_acknowledged(self) -> None:
        self.talk()
        self.alice.session.leave()
        for _ in range(limits.MAX_UNDELIVERED):
            self.bob.session.say("wait")
        self.pair.pump()
        self.assertEqual(self.alice.messages, [])
        self.assertEqual(self.alice.over, [("by-me", [])])
        everything = list(range(1, limits.MAX_UNDELIVERED + 1))
        self.assertEqual(self.bob.over, [("by-peer", everything)])

    def test_messages_held_back_to_the_end_are_undelivered(self) -> None:
        self.bob.session.say("early")
        self.bob.session.leave()
        self.pair.pump()
        self.assertEqual(self.bob.over, [("by-me", [1])])
        self.assertEqual(self.bob.session.unsent, [1])
        self.assertEqual(self.alice.messages, [])

    def test_messages_that_were_held_and_then_sent_count_as_sent(self) -> None:
        self.bob.session.say("early")
        self.assertEqual(self.bob.session.unsent, [1])
        self.alice.session.say("hello")
        self.pair.pump()
        self.assertEqual(self.bob.session.unsent, [])

    def test_a_lost_stream_is_cut_off_never_ended(self) -> None:
        self.talk()
        self.alice.stream.lost()
        self.bob.stream.closed()
        self.pair.pump()
        self.assertEqual(self.alice.over, [("cut-off", [])])
        self.assertEqual(self.bob.over, [("cut-off", [])])

    # Promise T8
    def test_a_clean_close_of_tls_without_bye_is_cut_off(self) -> None:
        self.talk()
        self.bob.session.close()
        self.pair.pump()
        self.assertEqual(self.alice.over, [("cut-off", [])])

    def test_a_loss_while_bye_is_out_is_cut_off(self) -> None:
        self.alice.session.leave()
        self.alice.stream.lost()
        self.pair.clock.advance(0)
        self.pair.pump()
        self.assertEqual(self.alice.over, [("cut-off", [])])

    # Promise T56
    def test_undelivered_numbers_are_told(self) -> None:
        self.talk()
        self.pair.tap = lambda source, data: b""
        self.alice.session.say("two")
        self.alice.session.say("three")
        self.pair.pump()
        self.alice.stream.lost()
        self.pair.pump()
        self.assertEqual(self.alice.over, [("cut-off", [2, 3])])

    # Promise T44
    def test_tampered_bytes_are_cut_off(self) -> None:
        self.talk()
        self.pair.tap = lambda source, data: data[:-1] + bytes([data[-1] ^ 1])
        self.alice.session.say("sealed")
        self.pair.pump()
        self.assertEqual(self.bob.messages, ["hello"])
        self.assertEqual(self.bob.over, [("cut-off", [])])
        self.assertEqual(self.alice.over, [("cut-off", [2])])

    # Promise T44
    def test_replayed_bytes_are_cut_off(self) -> None:
        self.pair.tap = lambda source, data: data * 2
        self.alice.session.say("once")
        self.pair.pump()
        self.assertEqual(self.bob.messages, ["once"])
        self.assertEqual(self.bob.over, [("cut-off", [])])

    def test_leaving_twice_and_after_the_end_changes_nothing(self) -> None:
        self.alice.session.leave()
        self.alice.session.leave()
        self.pair.pump()
        self.alice.session.leave()
        self.pair.pump()
        self.assertEqual(self.alice.over, [("by-me", [])])

    def test_the_keys_of_a_chat_do_not_outlive_it(self) -> None:
        watched = weakref.ref(self.alice.session.tls)
        self.alice.session.leave()
        self.pair.pump()
        gc.collect()
        self.assertIsNone(watched())


class TransportTests(SynchronousTestCase):
    """What carries a session is a transport like others."""

    def setUp(self) -> None:
        self.pair = Pair().open()
        self.transport: Any = self.pair.alice.session.transport

    def test_its_address_is_the_streams(self) -> None:
        stream = self.pair.alice.stream
        self.assertEqual(self.transport.getPeer(), stream.getPeer())
        self.assertEqual(self.transport.getHost(), stream.getHost())

    def test_a_frame_may_be_written_in_pieces(self) -> None:
        box = AmpBox({b"_command": b"Say", b"_ask": b"1", b"text": b"hi", b"_pad": bytes(208)})
        frame = framing.encode(framing.CONTROL, box.serialize())
        self.transport.writeSequence([frame[:3], frame[3:]])
        self.pair.clock.advance(0)
        self.pair.alice.session.close()
        self.pair.pump()
        self.assertEqual(self.pair.bob.messages, ["hi"])

    def test_who_wants_no_more_ends_it(self) -> None:
        self.transport.stopProducing()
        self.pair.pump()
        self.assertEqual(self.pair.alice.over, [("cut-off", [])])


class BackpressureTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.pair = Pair().open()
        self.alice, self.bob = self.pair.alice, self.pair.bob

    def test_a_congested_channel_pauses_the_session(self) -> None:
        self.alice.leg.is_congested = True
        self.alice.stream.congestion_changed()
        self.assertTrue(self.alice.session.is_congested)
        self.alice.leg.is_congested = False
        self.alice.stream.congestion_changed()
        self.assertFalse(self.alice.session.is_congested)

    def test_a_peer_that_asks_on_while_we_cannot_answer_is_cut(self) -> None:
        self.alice.session.say("hello")
        self.pair.pump()
        self.bob.leg.is_congested = True
        self.bob.stream.congestion_changed()
        before = len(self.bob.leg.outgoing)
        rounds = 0
        while not self.bob.over and rounds < 10_000:
            rounds += 1
            self.alice.session.control.call(vocabulary.Say, text="x").addErrback(lambda _: None)
            data, self.alice.leg.outgoing = self.alice.leg.outgoing, b""
            self.pair.clock.advance(0)
            data += self.alice.leg.outgoing
            self.alice.leg.outgoing = b""
            for run in _runs(data):
                self.bob.stream.received(run)
            self.pair.clock.advance(0)
        self.assertEqual(self.bob.over, [("cut-off", [])])
        held = len(self.bob.leg.outgoing) - before
        self.assertLess(held, 2 * limits.MAX_UNREAD_ANSWERS)

    def test_a_channel_congested_for_too_long_ends_the_chat(self) -> None:
        self.alice.leg.is_congested = True
        self.alice.stream.congestion_changed()
        self.pair.advance(limits.CLIENT_PATIENCE)
        self.assertEqual(self.alice.over, [("cut-off", [])])


class OpeningTests(SynchronousTestCase):
    """What keeps a chat from standing: no message, no pin."""

    def check_never_stood(self, pair: Pair, *ends: End) -> None:
        for end in ends or (pair.alice, pair.bob):
            self.assertEqual(end.over, [(None, [])])
            self.assertFalse(end.stands)
            self.assertFalse(end.is_pinned)
        self.assertEqual(pair.clock.getDelayedCalls(), [])

    def test_a_callee_with_another_key_gets_nothing(self) -> None:
        pair = Pair()
        pair.bob = pair.end("callee", Identity.generate())
        pair.open()
        self.check_never_stood(pair)
        self.assertIsInstance(pair.alice.error, PeerKeyChanged)

    def test_a_caller_with_another_key_gets_nothing(self) -> None:
        pair = Pair()
        pair.alice = pair.end("caller", Identity.generate())
        pair.open()
        self.check_never_stood(pair)
        self.assertIsInstance(pair.bob.error, PeerKeyChanged)

    def test_our_own_key_sent_back_is_refused(self) -> None:
        pair = Pair()
        own = pair.alice_key.public_key
        pair.alice = pair.end("caller", peer_key=own)
        pair.bob = pair.end("callee", pair.alice_key, own_key=own)
        pair.open()
        self.check_never_stood(pair)
        self.assertIn("our own key", str(pair.alice.error))

    def check_disagreement(self, **lies: Any) -> None:
        """Bob's notes differ from Alice's."""
        pair = Pair()
        pair.bob = pair.end("callee", **lies)
        pair.open()
        self.check_never_stood(pair)
        refused = (pair.alice.error, pair.bob.error)
        self.assertTrue(any(isinstance(error, ProofRefused) for error in refused), refused)

    # Promise T66
    def test_mallory_with_a_name_of_their_own_is_not_taken_for_bob(self) -> None:
        """The server gave Alice Mallory's key for Bob's; Mallory knows himself as mallory."""
        self.check_disagreement(own=Name("mallory"))

    # Promise T35
    def test_a_caller_under_another_name_is_not_taken_for_alice(self) -> None:
        self.check_disagreement(peer=Name("mallory"))

    # Promise T40
    def test_another_chat_id_is_refused(self) -> None:
        self.check_disagreement(chat=b"\x07" * 16)

    # Promise T40
    def test_another_server_is_refused(self) -> None:
        self.check_disagreement(server=b"\x07" * 32)

    # Promise T35
    def test_swapped_keys_in_hello_are_refused(self) -> None:
        self.check_disagreement(own_key=Identity.generate().public_key)
        pair = Pair()
        pair.alice = pair.end("caller", own_key=Identity.generate().public_key)
        pair.open()
        self.check_never_stood(pair)

    def test_two_callers_never_meet(self) -> None:
        pair = Pair()
        pair.bob = End(pair.bob_key, replace(pair.agreement("callee"), role="caller"), pair.clock)
        pair.open()
        self.check_never_stood(pair)

    def test_two_callees_wait_no_longer_than_the_deadline(self) -> None:
        pair = Pair()
        pair.alice = End(
            pair.alice_key, replace(pair.agreement("caller"), role="callee"), pair.clock
        )
        pair.open()
        pair.advance(limits.CHAT_HANDSHAKE_DEADLINE - 0.1)
        self.assertEqual(pair.alice.over, [])
        pair.advance(0.1)
        self.check_never_stood(pair)

    def test_the_key_of_the_handshake_is_looked_at_again_before_it_is_pinned(self) -> None:
        """Should TLS ever let another key through: HELLO alone does not make a pin."""
        pair = Pair()
        other = Identity.generate().public_key
        self.patch(peers, "peer_key", lambda _: other)
        pair.open()
        self.check_never_stood(pair)

    def test_a_pin_that_cannot_be_written_ends_it(self) -> None:
        pair = Pair()
        pair.bob.pin_error = StateDamaged("known_peers is damaged")
        pair.open()
        self.assertEqual(pair.bob.over, [(None, [])])
        self.assertIs(pair.bob.error, pair.bob.pin_error)
        self.assertNotIn((None, []), pair.alice.over[1:])
        self.assertTrue(pair.alice.over)

    # Promise T79
    def test_a_message_before_hello_is_refused(self) -> None:
        pair = Pair()
        said: list[Any] = []

        def speak() -> None:
            said.append(outcome(pair.alice.session.control.call(vocabulary.Say, text="psst")))

        pair.alice.session.send_hello = speak  # type: ignore[method-assign]
        pair.open()
        self.assertIsInstance(said[0][0], refusals.OutOfTurn)
        self.check_never_stood(pair, pair.bob)
        self.assertEqual(pair.bob.messages, [])

    def test_bye_before_hello_is_the_end_of_nothing(self) -> None:
        pair = Pair()

        def leave() -> None:
            pair.alice.session.control.call(vocabulary.Bye).addErrback(lambda _: None)

        pair.alice.session.send_hello = leave  # type: ignore[method-assign]
        pair.open()
        self.check_never_stood(pair, pair.bob)

    # Promise R80
    def test_a_peer_that_never_says_hello_is_given_up(self) -> None:
        pair = Pair()
        pair.alice.session.send_hello = lambda: None  # type: ignore[method-assign]
        pair.open()
        self.assertFalse(pair.bob.stands)
        pair.advance(limits.CHAT_HANDSHAKE_DEADLINE)
        self.check_never_stood(pair, pair.bob)
        self.assertIn("the handshake of the chat was not finished within 15 s", str(pair.bob.error))

    def test_leaving_while_it_opens_is_no_chat(self) -> None:
        pair = Pair()
        pair.bob.open()
        pair.bob.session.leave()
        pair.pump()
        self.check_never_stood(pair, pair.bob)

    def test_a_stream_lost_while_it_opens_is_no_chat(self) -> None:
        pair = Pair()
        pair.bob.open()
        pair.bob.stream.lost()
        pair.pump()
        self.check_never_stood(pair, pair.bob)

    def test_saying_anything_before_it_stands_is_refused_here(self) -> None:
        pair = Pair()
        pair.bob.open()
        self.assertRaises(NotNow, pair.bob.session.say, "hello?")

    # Promise T83
    def test_rubbish_instead_of_tls_is_no_chat(self) -> None:
        pair = Pair()
        pair.tap = lambda source, data: b"\x00" * len(data)
        pair.open()
        self.assertEqual(pair.bob.over, [(None, [])])

    # Promise T44
    def test_each_flipped_byte_of_the_handshake_is_no_chat(self) -> None:
        for at in (0, 1, 5, 11, 60, 700, -1):
            pair = Pair()
            flips = [at]

            def tap(source: End, data: bytes, flips: list[int] = flips) -> bytes:
                if not flips:
                    return data
                changed = bytearray(data)
                changed[flips.pop()] ^= 0x40
                return bytes(changed)

            pair.tap = tap
            pair.open()
            pair.advance(limits.CHAT_HANDSHAKE_DEADLINE)
            self.check_never_stood(pair)


def _runs(data: bytes) -> list[bytes]:
    runs = framing.Decoder(frozenset({framing.CHAT})).feed(data)
    return [framing.chat_bytes(run) for run in runs if isinstance(run, framing.Run)]
