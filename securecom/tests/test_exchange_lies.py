"""Files in a chat: what a lying peer does, and that the chat is cut off for it."""

from __future__ import annotations

import hashlib
import os
import tracemalloc
from typing import Any
from unittest.mock import Mock

from securecom import framing, limits, vocabulary
from securecom.client.file_events import FileOffered
from securecom.client.files.access import FileAccess
from securecom.client.files.transfer import Incoming
from securecom.tests.support.chat_pair import End
from securecom.tests.support.file_pair import FileCase, FilePair, files, say

NOTHING = hashlib.sha256().digest()
DATA = bytes(range(256)) * 4096


class LieCase(FileCase):
    def offer_raw(self, number: int = 1, **lies: Any) -> None:
        """Alice offers what she has not."""
        told = {"name": "plan.pdf", "size": len(DATA), "sha256": hashlib.sha256(DATA).digest()}
        self.tell(self.alice, vocabulary.OfferFile, number=number, **{**told, **lies})

    def fetch_raw(self, **lies: Any) -> None:
        """Alice offers, bob fetches, and alice says where data begin."""
        self.offer_raw(**lies)
        self.get()
        self.ignore_gets()
        self.pair.pump()
        self.tell(self.alice, vocabulary.BeginFile, number=1, offset=0)

    def ignore_gets(self) -> None:
        """Alice's exchange has offered nothing itself: what is asked of it is dropped."""
        files(self.alice)._last_sent = 99


class SenderTests(LieCase):
    # Promise T230
    def test_data_before_get(self) -> None:
        self.offer_raw()
        self.data(self.alice, 1, DATA)
        self.check_cut(self.bob, "nobody asked for")
        self.check_saved({})

    # Promise T230
    def test_data_of_a_file_that_was_never_offered(self) -> None:
        self.data(self.alice, 5, b"x")
        self.check_cut(self.bob, "nobody asked for")

    def test_data_of_a_declined_file(self) -> None:
        self.offer_raw()
        self.ignore_gets()
        files(self.bob).decline(1)
        self.pair.pump()
        self.data(self.alice, 1, b"x")
        self.check_cut(self.bob, "nobody asked for")

    # Promise T230
    def test_data_before_begin(self) -> None:
        self.offer_raw()
        self.ignore_gets()
        self.get()
        self.pair.pump()
        self.data(self.alice, 1, b"x")
        self.check_cut(self.bob, "nobody asked for")

    # Promise T230
    def test_more_bytes_than_were_offered(self) -> None:
        self.fetch_raw()
        self.data(self.alice, 1, DATA)
        self.data(self.alice, 1, b"x")
        self.check_saved({"plan.pdf": DATA})
        self.begin()
        self.fetch_raw(size=10)
        self.data(self.alice, 1, DATA[:11])
        self.check_cut(self.bob, "more bytes of a file than were offered")

    # Promise T232
    def test_other_bytes_than_were_offered(self) -> None:
        self.fetch_raw()
        self.data(self.alice, 1, bytes(len(DATA)))
        self.assertEqual(self.over(self.bob).ending, "damaged")
        self.check_saved({})
        self.check_talk()

    # Promise T233
    def test_more_data_than_there_was_credit_for(self) -> None:
        self.fetch_raw(size=2**26)
        self.pair.held = ["bob"]
        self.data(self.alice, 1, bytes(limits.FILE_WINDOW))
        self.assertEqual(self.bob.over, [])
        self.data(self.alice, 1, bytes(2 * limits.FILE_CHUNK))
        self.check_cut(self.bob, "credit")

    # Promise T233
    def test_tiny_pieces_cost_no_more_memory_than_large_ones(self) -> None:
        transfer = Incoming(
            1, 1, "alice", FileAccess(Mock(), self.home, self.home), ("x", 10**6, b"")
        )
        transfer.asked, frame = 0, b"0123ab"
        transfer.begin(0)
        tracemalloc.start()
        self.addCleanup(tracemalloc.stop)
        for _ in range(50_000):
            transfer.came(frame[4:])
        self.assertLess(tracemalloc.get_traced_memory()[0], 2 * transfer.unkept)

    # Promise T233
    def test_too_many_offers(self) -> None:
        for number in range(1, limits.MAX_OFFERS + 1):
            self.offer_raw(number)
        self.assertEqual(self.bob.over, [])
        self.offer_raw(limits.MAX_OFFERS + 1)
        self.check_cut(self.bob, "more open offers")

    def test_numbers_that_are_not_the_next(self) -> None:
        for number in (2, 7):
            self.offer_raw(number)
            self.check_cut(self.bob, "not the next")
            self.begin()
        self.offer_raw(1)
        self.offer_raw(1)
        self.check_cut(self.bob, "not the next")

    # Promise T231
    def test_names_that_are_more_than_names(self) -> None:
        for name in ("../x", "a/b", "/etc/passwd", "nul\0", "", "x" * 256):
            self.offer_raw(name=name)
            self.check_cut(self.bob, "arguments that it cannot have")
            self.assertFalse([one for one in self.bob.events if isinstance(one, FileOffered)])
            self.begin()

    # Promise T231
    def test_other_names_are_made_safe_before_anybody_sees_them(self) -> None:
        self.offer_raw(name="..\\-\x1b[2J.bashrc\u202e")
        self.assertEqual(self.offered(self.bob).file, "_[2J.bashrc_")

    def test_data_that_begin_elsewhere(self) -> None:
        for offset in (1, len(DATA)):
            self.offer_raw()
            self.ignore_gets()
            self.get()
            self.pair.pump()
            self.tell(self.alice, vocabulary.BeginFile, number=1, offset=offset)
            self.check_cut(self.bob, "begins where nobody asked")
            self.begin()

    def test_a_beginning_that_nobody_asked_for_or_twice(self) -> None:
        self.offer_raw()
        self.tell(self.alice, vocabulary.BeginFile, number=1, offset=0)
        self.check_cut(self.bob, "begins where nobody asked")
        self.begin()
        self.fetch_raw()
        self.tell(self.alice, vocabulary.BeginFile, number=1, offset=0)
        self.check_cut(self.bob, "begins where nobody asked")

    def test_ends_that_a_sender_cannot_tell(self) -> None:
        for why in ("done", "declined", "damaged"):
            self.offer_raw()
            self.tell(self.alice, vocabulary.CloseFile, number=1, owner="mine", why=why)
            self.check_cut(self.bob, "cannot tell")
            self.begin()

    def test_a_frame_without_data(self) -> None:
        for body in (b"", b"\0\0\0\1"):
            self.alice.session.send_frames([framing.encode(framing.DATA, body)])
            self.pair.pump()
            self.check_cut(self.bob, "without data")
            self.begin()

    def test_an_offer_of_the_callee_before_the_caller_has_written(self) -> None:
        self.begin_silent()
        told = {"number": 1, "name": "x", "size": 1, "sha256": NOTHING}
        self.tell(self.bob, vocabulary.OfferFile, **told)
        self.check_cut(self.alice, "before the caller")

    def begin_silent(self) -> None:
        self.pair = FilePair(self.home)
        self.pair.open()
        self.alice, self.bob = self.pair.alice, self.pair.bob


class ReceiverTests(LieCase):
    """Bob lies about alice's file."""

    def setUp(self) -> None:
        super().setUp()
        self.begin_offer()

    def begin_offer(self) -> None:
        self.offer(DATA)
        files(self.bob)._last_came = 99  # his own exchange has nothing to say about it
        files(self.bob)._incoming.clear()

    def say(self, command: Any, **arguments: Any) -> None:
        self.tell(self.bob, command, number=1, **arguments)

    def drop_data(self) -> None:
        """Bob's exchange takes what comes, and says nothing."""
        files(self.bob)._ended.append(1)

    # Promise T235
    def test_what_was_not_offered(self) -> None:
        for command, arguments in (
            (vocabulary.GetFile, {"offset": 0, "sha256": NOTHING}),
            (vocabulary.KeptFile, {"offset": 0}),
            (vocabulary.CloseFile, {"owner": "yours", "why": "declined"}),
        ):
            self.tell(self.bob, command, number=2, **arguments)
            self.check_cut(self.alice, "was not offered")
            self.begin()
            self.begin_offer()

    # Promise T235
    def test_a_second_get(self) -> None:
        self.drop_data()
        self.say(vocabulary.GetFile, offset=0, sha256=NOTHING)
        self.say(vocabulary.GetFile, offset=0, sha256=NOTHING)
        self.check_cut(self.alice, "fetched twice")

    def test_from_behind_the_end(self) -> None:
        self.say(vocabulary.GetFile, offset=len(DATA) + 1, sha256=NOTHING)
        self.check_cut(self.alice, "behind its end")

    def test_a_beginning_that_is_not_the_files_is_sent_again(self) -> None:
        self.drop_data()
        begun: list[Any] = []
        files(self.bob)._theirs = begun.append  # type: ignore[method-assign,assignment]
        self.say(vocabulary.GetFile, offset=5, sha256=NOTHING)
        self.assertEqual(begun, [1])
        (transfer,) = files(self.alice)._outgoing.values()
        self.assertEqual(transfer.done, 0)
        self.assertGreater(transfer.unkept, 100_000)

    # Promise T235
    def test_receipts_for_what_was_not_sent(self) -> None:
        self.say(vocabulary.KeptFile, offset=0)
        self.check_cut(self.alice, "not sent")
        self.begin()
        self.begin_offer()
        self.drop_data()
        self.say(vocabulary.GetFile, offset=0, sha256=NOTHING)
        self.say(vocabulary.KeptFile, offset=len(DATA) + 1)
        self.check_cut(self.alice, "not sent")

    # Promise T237
    def test_a_long_look_at_our_file_ends_with_the_transfer(self) -> None:
        self.pair.held = ["alice"]
        self.say(vocabulary.GetFile, offset=len(DATA), sha256=NOTHING)
        looked: list[int] = []
        read = os.pread

        def pread(number: int, size: int, at: int) -> bytes:
            looked.append(size)
            return read(number, size, at)

        self.patch(os, "pread", pread)
        files(self.alice).cancel(1)
        self.pair.let_go()
        self.assertEqual(looked, [])

    def test_receipts_that_go_back(self) -> None:
        self.drop_data()
        self.say(vocabulary.GetFile, offset=0, sha256=NOTHING)
        self.say(vocabulary.KeptFile, offset=5000)
        self.say(vocabulary.KeptFile, offset=4999)
        self.check_cut(self.alice, "not sent")

    def test_done_is_a_receipt_for_all_of_it(self) -> None:
        data = DATA[: limits.FILE_WINDOW_FIRST // 2]
        for number in range(2, 8):
            files(self.bob)._last_came = number - 1
            self.offer(data)
            files(self.bob)._incoming.clear()
            files(self.bob)._ended.append(number)
            transfer = files(self.alice)._outgoing[number]
            self.tell(self.bob, vocabulary.GetFile, number=number, offset=0, sha256=NOTHING)
            self.assertEqual(transfer.unkept, len(data))
            self.tell(self.bob, vocabulary.CloseFile, number=number, owner="yours", why="done")
        self.assertEqual(self.over(self.alice).ending, "done")
        self.assertEqual(self.alice.over, [])

    # Promise T235
    def test_done_before_all_was_sent(self) -> None:
        for why in ("done", "damaged"):
            self.say(vocabulary.CloseFile, owner="yours", why=why)
            self.check_cut(self.alice, "was not sent")
            self.begin()
            self.begin_offer()

    def test_ends_that_a_receiver_cannot_tell(self) -> None:
        self.say(vocabulary.CloseFile, owner="yours", why="changed")
        self.check_cut(self.alice, "cannot tell")

    def test_without_receipts_no_more_than_the_window_leaves(self) -> None:
        self.drop_data()
        self.say(vocabulary.GetFile, offset=0, sha256=NOTHING)
        self.pair.advance(60)
        self.assertLess(len(self.pair.relayed), limits.FILE_WINDOW_FIRST * 1.1 + 20_000)


class EarlyTests(FileCase):
    def begin(self) -> None:
        self.pair = FilePair(self.home)
        self.alice, self.bob = self.pair.alice, self.pair.bob

    def test_before_hello(self) -> None:
        for command, arguments in (
            (vocabulary.OfferFile, {"name": "x", "size": 1, "sha256": NOTHING}),
            (vocabulary.GetFile, {"offset": 0, "sha256": NOTHING}),
            (vocabulary.BeginFile, {"offset": 0}),
            (vocabulary.KeptFile, {"offset": 0}),
            (vocabulary.CloseFile, {"owner": "mine", "why": "cancelled"}),
        ):
            self.begin()
            self.hasten(self.alice, lambda c=command, a=arguments: self.early(c, a))
            self.assertIn("before HELLO", str(self.bob.error))

    def test_data_before_hello(self) -> None:
        self.begin()
        frame = framing.encode_data(1, b"x")
        self.hasten(self.alice, lambda: self.alice.session.send_frames([frame]))
        self.assertIn("before HELLO", str(self.bob.error))

    def early(self, command: Any, arguments: dict[str, Any]) -> None:
        say(self.alice, command, number=1, **arguments)

    def hasten(self, end: End, say: Any) -> None:
        """Instead of HELLO this end says something else."""
        end.session.send_hello = say  # type: ignore[method-assign]
        self.pair.open()
