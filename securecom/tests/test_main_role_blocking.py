"""Dismissing and blocking, at a client."""

from __future__ import annotations

from securecom import limits, refusals
from securecom.client.events import AskedOver, Blocked, BlockList, ListedUser
from securecom.errors import BadArgument, NotNow, ServerInTrouble, TooLong, TooOften
from securecom.tests.support.scripted_server_case import ALICE, BOB, CAROL, STATES, AliceTestCase


class DismissTests(AliceTestCase):
    # Promise C27
    def test_to_the_caller_nobody_was_there(self) -> None:
        answer = self.offer()
        self.assertEqual(self.told(self.alice.dismiss()), [None])
        self.assertEqual(answer, ["unavailable"])
        self.assertEqual(self.notes.of(AskedOver), [AskedOver(BOB, "dismissed")])
        self.assertIsNone(self.alice.offer)

    def test_only_the_one_who_is_named(self) -> None:
        answer = self.offer()
        self.fails(self.told(self.alice.dismiss(CAROL)), NotNow)
        self.assertEqual(answer, [])
        self.told(self.alice.dismiss(BOB))
        self.assertEqual(answer, ["unavailable"])

    def test_nothing_to_dismiss(self) -> None:
        for state in STATES:
            if state != "considering":
                self.setUp()
                self.reach(state)
                self.fails(self.told(self.alice.dismiss()), NotNow)


class BlockTests(AliceTestCase):
    def test_blocked_and_unblocked(self) -> None:
        self.assertEqual(self.told(self.alice.block(BOB)), [None])
        self.assertEqual(self.told(self.alice.unblock(BOB)), [None])
        self.assertEqual(self.notes.of(Blocked), [Blocked(BOB, True), Blocked(BOB, False)])
        self.assertEqual((self.end.said("block"), self.end.said("unblock")), ([BOB], [BOB]))

    def test_what_they_ask_just_now_is_dismissed(self) -> None:
        answer = self.offer()
        self.told(self.alice.block(BOB))
        self.assertEqual(answer, ["unavailable"])
        self.assertEqual(self.notes.of(AskedOver), [AskedOver(BOB, "dismissed")])

    def test_what_others_ask_stays(self) -> None:
        answer = self.offer()
        self.told(self.alice.block(CAROL))
        self.assertEqual(answer, [])

    def test_a_chat_goes_on(self) -> None:
        self.reach("chatting")
        self.told(self.alice.block(BOB))
        self.assertEqual(self.alice.peer, BOB)

    def test_the_list(self) -> None:
        listed = BlockList([ListedUser(BOB, "new"), ListedUser(CAROL, "new")])
        self.assertEqual(self.told(self.alice.blocked()), [listed])

    def test_nobody_blocks_themselves(self) -> None:
        self.fails(self.told(self.alice.block(ALICE)), BadArgument)
        self.assertEqual(self.end.said("block"), [])

    def test_who_is_not_blocked_cannot_be_unblocked(self) -> None:
        self.fails(self.told(self.alice.unblock(BOB)), NotNow)
        self.assertEqual(self.notes.of(Blocked), [])

    def test_a_full_list_says_so(self) -> None:
        self.server.refusal = refusals.ListFull()
        error = self.fails(self.told(self.alice.block(BOB)), TooLong)
        self.assertIn(str(limits.MAX_BLOCKED), error.what)
        self.assertEqual(self.notes.of(Blocked), [])

    def test_a_server_in_trouble_says_so(self) -> None:
        self.server.refusal = refusals.ServerTrouble()
        for order in (self.alice.block, self.alice.unblock):
            self.fails(self.told(order(BOB)), ServerInTrouble)
        self.fails(self.told(self.alice.blocked()), ServerInTrouble)

    def test_too_often_says_so(self) -> None:
        self.server.refusal = refusals.TooManyRequests()
        for order in (self.alice.block, self.alice.unblock):
            self.fails(self.told(order(BOB)), TooOften)
        self.fails(self.told(self.alice.blocked()), TooOften)

    def test_off_line(self) -> None:
        self.end.standard.close()
        self.pump()
        self.fails(self.told(self.alice.block(BOB)), NotNow)
