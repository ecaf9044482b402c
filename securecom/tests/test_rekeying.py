"""Fresh keys in a chat that goes on: when, in which order, and what is left of the old ones."""

from __future__ import annotations

import gc
import weakref
from random import Random
from types import FunctionType, ModuleType
from typing import Any

from securecom import limits, peers
from securecom.errors import NotRekeyed
from securecom.tests.support.chat_pair import End, Pair
from securecom.tests.support.rekeying_pair import (
    MESSAGE,
    RECORDS,
    RekeyCase,
    Relay,
    due,
    epoch,
    epochs,
    first,
    honest,
)


class WhenTests(RekeyCase):
    # Promise C37
    def test_by_the_callers_clock(self) -> None:
        self.pair.advance(limits.REKEY_AFTER - 0.1)
        self.check_epoch(0)
        self.pair.advance(0.1)
        self.check_epoch(1)
        self.check_talk("later")

    def test_again_and_again(self) -> None:
        for number in range(1, 6):
            self.pair.advance(limits.REKEY_AFTER)
            self.check_epoch(number)
            self.check_talk(f"in epoch {number}")

    def test_each_epoch_has_its_whole_time(self) -> None:
        self.pair.advance(limits.REKEY_AFTER)
        self.pair.advance(limits.REKEY_AFTER - 0.1)
        self.check_epoch(1)

    def check_bytes(self, speaker: End) -> None:
        """At the very byte of the one who speaks, and not one before."""
        speaker.session.say("x" * limits.MAX_TEXT)
        self.pair.pump()
        mine = epoch(self.alice)
        for missing, number in ((1, 0), (0, 1)):
            count = mine.sent if speaker is self.alice else mine.received
            self.assertEqual(count, max(mine.sent, mine.received))
            self.patch(limits, "REKEY_BYTES", count + MESSAGE + missing)
            speaker.session.say("x")
            self.pair.pump()
            self.check_epoch(number)

    # Promise C37
    def test_by_the_bytes_that_the_caller_sent(self) -> None:
        self.check_bytes(self.alice)

    # Promise C37
    def test_by_the_bytes_that_the_callee_sent(self) -> None:
        self.check_bytes(self.bob)

    def test_the_callee_never_starts(self) -> None:
        self.patch(limits, "REKEY_BYTES", 1)
        self.pair.tap = lambda source, data: data if source is self.alice else b""
        self.bob.session.say("x")
        self.pair.clock.advance(0)
        self.assertIsNone(self.bob.session._rekeying._next)

    def test_the_next_one_waits_for_this_one(self) -> None:
        due(self.pair)
        relay = Relay(self.pair)
        relay.run(first(2))
        following = self.alice.session._rekeying._next
        self.assertIsNotNone(following)
        self.patch(limits, "REKEY_BYTES", 1)
        self.alice.session.say("more than enough")
        relay.collect()
        self.assertIs(self.alice.session._rekeying._next, following)

    def test_nobody_starts_before_the_chat_stands(self) -> None:
        pair = Pair()
        self.patch(limits, "REKEY_BYTES", 1)
        pair.bob.open()
        pair.alice.open()
        self.assertEqual(epoch(pair.alice).number, 0)
        self.assertIsNone(pair.alice.session._rekeying._next)

    # --- the hard stop ----------------------------------------------------------------------

    # Promise T47, T81
    def test_a_caller_that_never_starts_is_cut_off_by_the_callee(self) -> None:
        self.alice.session._rekeying.end()
        self.pair.advance(limits.EPOCH_SECONDS - 0.1)
        self.assertEqual(self.bob.over, [])
        self.assertIsNone(self.bob.session._rekeying._next)
        self.pair.advance(0.1)
        self.check_cut(NotRekeyed, self.bob)
        self.assertIn("renewed in time", str(self.bob.error))
        self.assertEqual(self.alice.over, [("cut-off", [])])

    # Promise T47
    def test_a_callee_that_never_answers_is_cut_off_by_the_caller(self) -> None:
        self.pair.tap = lambda source, data: data if source is self.alice else b""
        due(self.pair)
        self.pair.advance(limits.REKEY_DEADLINE - 0.1)
        self.assertEqual(self.alice.over, [])
        self.pair.advance(0.1)
        self.check_cut(NotRekeyed, self.alice)

    # Promise T47
    def test_a_rekey_that_stands_still_is_cut_off_by_the_callee_too(self) -> None:
        due(self.pair)
        self.pair.pump()
        due(self.pair)
        relay = Relay(self.pair)
        relay.run(first(1))
        self.assertIsNotNone(self.bob.session._rekeying._next)
        self.pair.clock.advance(limits.REKEY_DEADLINE)
        self.pair.clock.advance(0)
        self.check_cut(NotRekeyed, self.bob)

    def may_still_say(self, end: End, count: int) -> None:
        """So many messages of Alice's, by the counters of this end, and no rekey of hers."""
        self.alice.session.say("x" * limits.MAX_TEXT)
        self.pair.pump()
        so_far = epoch(end).sent if end is self.alice else epoch(end).received
        self.assertEqual(so_far, max(epoch(end).sent, epoch(end).received))
        self.patch(limits, "EPOCH_BYTES", so_far + count * MESSAGE)

    def test_the_hard_stop_in_bytes_is_exact_for_the_sender(self) -> None:
        self.may_still_say(self.alice, 2)
        for text in ("x", "y"):
            self.alice.session.say(text)
            self.pair.pump()
        self.assertEqual(self.alice.over, [])
        self.assertEqual(epoch(self.alice).sent, limits.EPOCH_BYTES)
        self.alice.session.say("one too many")
        self.pair.pump()
        self.check_cut(NotRekeyed, self.alice)
        self.assertIn("as much as they may", str(self.alice.error))
        self.assertEqual(self.bob.messages[2:], ["x", "y"])
        self.assertEqual(self.alice.over, [("cut-off", [5])])

    # Promise T81
    def test_the_hard_stop_in_bytes_is_exact_for_the_receiver(self) -> None:
        epochs(self.alice).on_worn = lambda one: None
        self.may_still_say(self.bob, 2)
        for text in ("x", "y", "one too many"):
            self.assertEqual(self.bob.over, [])
            self.alice.session.say(text)
            self.pair.pump()
        self.check_cut(NotRekeyed, self.bob)
        self.assertEqual(self.bob.messages[2:], ["x", "y"])

    def test_one_byte_less_is_one_message_less(self) -> None:
        self.may_still_say(self.alice, 2)
        self.patch(limits, "EPOCH_BYTES", limits.EPOCH_BYTES - 1)
        for text in ("x", "one too many"):
            self.assertEqual(self.alice.over, [])
            self.alice.session.say(text)
            self.pair.pump()
        self.check_cut(NotRekeyed, self.alice)
        self.assertEqual(self.bob.messages[2:], ["x"])

    def test_the_limits_are_twice_those_of_a_rekey(self) -> None:
        self.assertEqual(limits.EPOCH_SECONDS, 2 * limits.REKEY_AFTER)
        self.assertEqual(limits.EPOCH_BYTES, 2 * limits.REKEY_BYTES)
        self.assertLess(limits.REKEY_AFTER + limits.REKEY_DEADLINE, limits.EPOCH_SECONDS)


class GoingOnTests(RekeyCase):
    """What people say does not notice."""

    def test_nobody_says_more_than_must_be(self) -> None:
        due(self.pair)
        self.assertEqual(Relay(self.pair).run(honest), RECORDS)
        self.check_epoch(1)

    def test_random_talk_over_random_rekeys_is_whole_and_in_order(self) -> None:
        self.patch(limits, "REKEY_LEAST", 0.0)  # time stands still here
        for seed in range(12):
            pair, random = Pair().open(), Random(seed)
            pair.alice.session.say("0")
            pair.pump()
            relay, said = Relay(pair), {"alice": ["0"], "bob": list[str]()}
            for _ in range(400):
                self._one_step(pair, relay, random, said)
            while relay.some(random):
                pass
            self.assertEqual(pair.bob.messages, said["alice"], seed)
            self.assertEqual(pair.alice.messages, said["bob"], seed)
            self.assertEqual(pair.alice.delivered, list(range(1, len(said["alice"]) + 1)), seed)
            self.assertEqual(pair.bob.delivered, list(range(1, len(said["bob"]) + 1)), seed)
            self.assertGreater(epoch(pair.alice).number, 2, seed)
            self.assertEqual(epoch(pair.alice).number, epoch(pair.bob).number, seed)

    def _one_step(
        self, pair: Pair, relay: Relay, random: Random, said: dict[str, list[str]]
    ) -> None:
        what = random.random()
        if what < 0.03:
            pair.alice.session._rekeying._life.due()
        elif what < 0.4:
            name = random.choice(("alice", "bob"))
            text = f"{len(said[name])} " + "x" * random.choice((0, 10, 1000, 16_000))
            if len(getattr(pair, name).session._outbox.undelivered) < limits.MAX_UNDELIVERED:
                getattr(pair, name).session.say(text)
                said[name].append(text)
        else:
            relay.some(random)

    def test_a_message_on_its_way_gets_its_receipt_in_the_next_epoch(self) -> None:
        due(self.pair)
        number = self.bob.session.say("crossing")
        self.pair.pump()
        self.check_epoch(1)
        self.assertEqual(self.alice.messages, ["crossing"])
        self.assertEqual(self.bob.delivered, [number])

    def test_what_the_callee_typed_early_is_still_held_back(self) -> None:
        pair = Pair().open()
        pair.bob.session.say("early")
        pair.advance(limits.REKEY_AFTER)
        self.assertEqual(epoch(pair.bob).number, 1)
        self.assertEqual(pair.alice.messages, [])
        pair.alice.session.say("hello")
        pair.pump()
        self.assertEqual(pair.alice.messages, ["early"])
        self.assertEqual(pair.bob.delivered, [1])

    def test_a_congested_channel_is_no_obstacle(self) -> None:
        due(self.pair)
        for end in (self.alice, self.bob):
            end.leg.is_congested = True
            end.stream.congestion_changed()
        self.pair.pump()
        self.check_epoch(1)
        for end in (self.alice, self.bob):
            end.leg.is_congested = False
            end.stream.congestion_changed()
        self.check_talk("on we go")

    def test_a_reader_that_holds_still_finds_all_in_order(self) -> None:
        self.bob.session.hold("terminal")
        for text in ("a", "b", "c"):
            self.alice.session.say(text)
        due(self.pair)
        self.pair.pump()
        self.check_epoch(0)
        self.alice.session.say("d")
        self.pair.pump()
        self.bob.session.release("terminal")
        self.pair.pump()
        self.check_epoch(1)
        self.assertEqual(self.bob.messages, ["hello", "a", "b", "c", "d"])

    def test_either_may_leave_at_any_moment_of_it(self) -> None:
        for leaver in ("alice", "bob"):
            for moment in range(RECORDS + 1):
                pair = Pair().open()
                relay = Relay(pair)
                due(pair)
                relay.run(first(moment))
                getattr(pair, leaver).session.leave()
                relay.run(honest)
                pair.pump()
                ends = {name: getattr(pair, name).over for name in ("alice", "bob")}
                self.assertEqual(ends.pop(leaver), [("by-me", [])], moment)
                self.assertEqual(ends.popitem()[1], [("by-peer", [])], moment)
                self.assertEqual(pair.clock.getDelayedCalls(), [])

    # Promise R133
    def test_either_may_leave_while_much_of_it_comes_at_once(self) -> None:
        """The end of the chat, and what of the rekey came behind it, in one turn of the reactor."""
        for leaver, other in (("alice", "bob"), ("bob", "alice")):
            for moment in range(RECORDS + 1):
                for size in (100_000, 50):
                    pair = Pair().open()
                    relay = Relay(pair)
                    due(pair)
                    relay.run(first(moment))
                    getattr(pair, leaver).session.leave()
                    while relay.one_turn(size, other, leaver):
                        pass
                    ends = {name: getattr(pair, name).over for name in ("alice", "bob")}
                    self.assertEqual(ends[leaver], [("by-me", [])], (leaver, moment))
                    self.assertEqual(ends[other], [("by-peer", [])], (leaver, moment))
                    self.assertEqual(pair.clock.getDelayedCalls(), [])

    def test_a_stream_lost_at_any_moment_of_it_is_cut_off(self) -> None:
        for moment in range(RECORDS + 1):
            pair = Pair().open()
            due(pair)
            relay = Relay(pair)
            relay.run(first(moment))
            for end in (pair.alice, pair.bob):
                end.stream.lost()
            pair.clock.advance(0)
            pair.clock.advance(0)
            for end in (pair.alice, pair.bob):
                self.assertEqual(end.over, [("cut-off", [])], moment)
                self.assertIsNone(end.session._rekeying._next)
            self.assertEqual(pair.clock.getDelayedCalls(), [], moment)


class OldKeysTests(RekeyCase):
    # Promise T46, T119, C38
    def test_the_old_epoch_is_forgotten_on_both_sides(self) -> None:
        old: list[weakref.ref[Any]] = []
        for end in (self.alice, self.bob):
            old += [weakref.ref(epoch(end)), weakref.ref(epoch(end).tls)]
        self.pair.advance(limits.REKEY_AFTER)
        self.check_epoch(1)
        gc.collect()
        self.assertEqual([one() for one in old], [None] * 4)

    # Promise T119, C38
    def test_no_exporters_key_is_kept(self) -> None:
        secrets: list[bytes] = []
        made = peers.chat_rekey

        def watched(session: Any) -> bytes:
            secrets.append(made(session))
            return secrets[-1]

        self.patch(peers, "chat_rekey", watched)
        self.pair.advance(limits.REKEY_AFTER)
        self.check_epoch(1)
        self.assertEqual(len(set(secrets)), 1)
        for end in (self.alice, self.bob):
            for one in _reachable(end.session):
                self.assertFalse(isinstance(one, bytes) and secrets[0] in one)

    def test_both_epochs_of_a_chat_that_ends_in_between_are_forgotten(self) -> None:
        due(self.pair)
        relay = Relay(self.pair)
        relay.run(first(2))
        rekeying = self.bob.session._rekeying
        assert rekeying._next is not None
        watched = [weakref.ref(rekeying._next), weakref.ref(epoch(self.bob))]
        self.bob.stream.lost()
        self.pair.clock.advance(0)
        self.pair.clock.advance(0)
        del rekeying
        gc.collect()
        self.assertEqual([one() for one in watched], [None, None])

    def test_the_next_epoch_has_keys_of_its_own(self) -> None:
        old = epoch(self.alice).tls
        before = peers.chat_binding(old), peers.chat_rekey(old)
        self.pair.advance(limits.REKEY_AFTER)
        after = peers.chat_binding(epoch(self.alice).tls), peers.chat_rekey(epoch(self.alice).tls)
        self.assertEqual(after[0], peers.chat_binding(epoch(self.bob).tls))
        self.assertEqual(len({*before, *after}), 4)


def _reachable(root: object) -> list[object]:
    """What can be reached from an object, modules and classes left out."""
    found, seen = [root], {id(root)}
    for one in found:  # it grows meanwhile
        for other in gc.get_referents(one):
            is_code = isinstance(other, type | ModuleType | FunctionType)
            if id(other) not in seen and not is_code:
                seen.add(id(other))
                found.append(other)
    return found
