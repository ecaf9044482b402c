"""Files in a chat: what honest ends do."""

from __future__ import annotations

import hashlib
import os
import tarfile
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

from twisted.internet.defer import maybeDeferred
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from securecom import limits
from securecom.client.events import Problem
from securecom.client.file_events import FileOffered, FileOver, FileProgress
from securecom.client.files.access import FileAccess
from securecom.client.files.transfer import FileTransfer
from securecom.errors import FileProblem, NotNow
from securecom.tests.support.chat_pair import End
from securecom.tests.support.file_pair import FileCase, files, last

LARGE = Random(1).randbytes(3 * 1024 * 1024 + 17)


class WorkTests(SynchronousTestCase):
    def test_a_mistake_of_ours_with_a_result_is_told_as_a_failure(self) -> None:
        access = FileAccess(maybeDeferred, Path(), Path())
        failed: list[Failure] = []
        transfer = FileTransfer(1, 1, "bob", access)
        transfer.work(list, lambda result: result[0], failed.append)
        self.assertEqual([failure.type for failure in failed], [IndexError])


class OfferTests(FileCase):
    # Promise C120, C121
    def test_an_offer_says_name_size_and_hash_and_nothing_flows(self) -> None:
        self.offer(LARGE)
        before = len(self.pair.relayed)
        digest = hashlib.sha256(LARGE).hexdigest()
        expected = FileOffered("alice", 1, "in", "plan.pdf", len(LARGE), digest)
        self.assertEqual(self.offered(self.bob), expected)
        self.assertEqual(self.offered(self.alice).direction, "out")
        self.pair.advance(60)
        self.assertLess(len(self.pair.relayed) - before, 1000)
        self.assertFalse(self.downloads.exists())

    # Promise T238
    def test_an_offer_and_its_end_look_like_messages_with_their_receipts(self) -> None:
        sizes: list[tuple[str, int]] = []

        def tap(source: End, data: bytes) -> bytes:
            sizes.append((source.session._agreement.role, len(data)))
            return data

        def seen(act: Callable[[], Any]) -> list[tuple[str, int]]:
            sizes.clear()
            act()
            self.pair.pump()
            return list(sizes)

        path = str(self.file(b"theirs"))
        self.pair.tap = tap
        message = seen(lambda: self.alice.session.say("x"))
        self.assertEqual([who for who, _ in message], ["caller", "callee"])
        self.assertEqual(seen(lambda: files(self.alice).send(path)), message)
        self.assertEqual(seen(lambda: files(self.alice).cancel(1)), message)
        self.assertEqual(seen(lambda: files(self.alice).send(path)), message)
        message = seen(lambda: self.bob.session.say("x"))
        self.assertEqual(seen(lambda: files(self.bob).decline(2)), message)

    def test_a_fetched_file_arrives_whole(self) -> None:
        self.offer(LARGE)
        self.get()
        self.pair.pump()
        self.check_saved({"plan.pdf": LARGE})
        over = self.over(self.bob)
        self.assertEqual((over.ending, over.done), ("done", len(LARGE)))
        self.assertEqual(over.path, str(self.downloads / "plan.pdf"))
        self.assertEqual(self.over(self.alice).ending, "done")
        self.assertEqual(os.stat(self.downloads / "plan.pdf").st_mode & 0o777, 0o600)
        self.assertEqual(files(self.alice).all().transfers, [])
        self.assertEqual(files(self.bob).all().transfers, [])

    def test_an_empty_file_and_those_around_a_piece(self) -> None:
        sizes = (0, 1, limits.FILE_CHUNK - 1, limits.FILE_CHUNK, limits.FILE_CHUNK + 1)
        for number, size in enumerate(sizes, 1):
            self.offer(LARGE[:size], f"f{size}")
            self.get(number)
            self.pair.pump()
            self.check_among_saved(f"f{size}", LARGE[:size])
        self.check_talk()

    def test_both_ways_and_several_at_once(self) -> None:
        for number in range(4):
            self.offer(LARGE[number:], f"a{number}")
        own = self.home / "bob" / "b"
        own.write_bytes(LARGE[9:])
        files(self.bob).send(str(own))
        self.pair.pump()
        for number in range(1, 5):
            self.get(number)
        files(self.alice).get(5, self.home / "alice" / "downloads")
        self.pair.pump()
        self.check_saved({f"a{number}": LARGE[number:] for number in range(4)})
        self.assertEqual((self.home / "alice" / "downloads" / "b").read_bytes(), LARGE[9:])
        self.check_talk()

    # Promise C122, T231
    def test_nothing_is_overwritten(self) -> None:
        self.downloads.mkdir()
        (self.downloads / "plan.pdf").write_bytes(b"mine")
        self.offer(b"theirs")
        self.get()
        self.pair.pump()
        self.check_saved({"plan.pdf": b"mine", "plan (1).pdf": b"theirs"})

    def test_a_file_is_fetched_once(self) -> None:
        self.offer(b"theirs")
        self.get()
        self.assertRaises(NotNow, self.get)
        self.pair.pump()
        self.assertRaises(NotNow, self.get)
        self.check_saved({"plan.pdf": b"theirs"})

    def test_a_chosen_file_must_be_new(self) -> None:
        there = self.home / "there"
        there.write_bytes(b"mine")
        self.offer(b"theirs")
        self.assertRaises(FileProblem, self.get, 1, str(there))
        self.get(1, str(self.home / "new"))
        self.pair.pump()
        self.assertEqual((self.home / "new").read_bytes(), b"theirs")
        self.assertEqual(there.read_bytes(), b"mine")

    def test_a_chosen_name_that_is_taken_meanwhile_is_not_overwritten(self) -> None:
        self.offer(b"theirs")
        self.get(1, str(self.home / "new"))
        (self.home / "new").write_bytes(b"mine")
        self.pair.pump()
        self.assertEqual((self.home / "new").read_bytes(), b"mine")
        self.assertEqual(self.over(self.bob).ending, "failed-here")
        self.assertEqual(self.over(self.alice).ending, "failed-there")

    # Promise C123
    def test_declining(self) -> None:
        self.offer(LARGE)
        files(self.bob).decline(1)
        self.pair.pump()
        self.assertEqual(self.over(self.bob).ending, "declined")
        self.assertEqual(self.over(self.alice).ending, "declined")
        self.assertRaises(NotNow, self.get)
        self.check_talk()

    def test_an_offer_is_withdrawn(self) -> None:
        self.offer(LARGE)
        files(self.alice).cancel(1)
        self.pair.pump()
        self.assertEqual(self.over(self.bob).ending, "cancelled-by-peer")
        self.assertRaises(NotNow, self.get)

    def test_a_withdrawn_offer_that_is_fetched_meanwhile(self) -> None:
        self.offer(LARGE)
        files(self.alice).cancel(1)
        self.get()
        self.pair.pump()
        self.assertEqual(self.over(self.bob).ending, "cancelled-by-peer")
        self.check_saved({})
        self.check_talk()

    def test_the_callee_offers_only_after_the_caller_has_written(self) -> None:
        self.pair = type(self.pair)(self.home)
        self.pair.open()
        self.alice, self.bob = self.pair.alice, self.pair.bob
        path = str(self.file(b"x"))
        self.assertRaises(NotNow, files(self.bob).send, path)
        files(self.alice).send(path)
        self.pair.pump()
        files(self.bob).send(path)
        self.pair.pump()
        self.assertEqual(self.offered(self.alice).direction, "in")

    def test_only_so_many_offers_are_open(self) -> None:
        for number in range(limits.MAX_OFFERS):
            self.offer(b"x", f"f{number}")
        self.assertRaises(NotNow, files(self.alice).send, str(self.file(b"x")))
        files(self.bob).decline(1)
        self.pair.pump()
        self.offer(b"y", "one more")
        self.assertEqual(len(files(self.bob).all().transfers), limits.MAX_OFFERS)

    def test_what_cannot_be_sent(self) -> None:
        os.mkfifo(self.home / "pipe")
        for path in ("nowhere", "pipe", "\0"):
            sent = files(self.alice).send(str(self.home / path))
            self.pair.pump()
            error = self.failureResultOf(sent, FileProblem)
            self.assertIn("SC-218", str(error.value))
        self.assertEqual(files(self.alice).all().transfers, [])

    def test_a_folder_becomes_a_tar_file(self) -> None:
        folder = self.home / "photos"
        (folder / "summer").mkdir(parents=True)
        (folder / "summer" / "a.jpg").write_bytes(b"a")
        (folder / "link").symlink_to("/etc/passwd")
        os.mkfifo(folder / "pipe")
        files(self.alice).send(str(folder))
        self.pair.pump()
        self.get()
        self.pair.pump()
        self.assertEqual(os.listdir(self.downloads), ["photos.tar"])
        with tarfile.open(self.downloads / "photos.tar") as tar:
            entries = {entry.name: entry for entry in tar}
        names = {"photos", "photos/summer", "photos/summer/a.jpg", "photos/link"}
        self.assertEqual(set(entries), names)
        self.assertEqual(
            {(e.uid, e.gid, e.uname, e.gname) for e in entries.values()}, {(0, 0, "", "")}
        )
        self.assertTrue(entries["photos/link"].issym())
        self.assertEqual(os.listdir(self.home / "alice"), [])

    def test_a_pipe_is_read_to_its_end_first(self) -> None:
        reading, writing = os.pipe()
        os.write(writing, b"from a pipe")
        os.close(writing)
        files(self.alice).send(reading)
        self.pair.pump()
        self.assertEqual(self.offered(self.bob).file, "stdin")
        self.get()
        self.pair.pump()
        self.check_saved({"stdin": b"from a pipe"})


class FlowTests(FileCase):
    def test_progress_on_both_sides(self) -> None:
        self.offer(LARGE)
        self.get()
        self.pair.pump_some()
        self.pair.clock.advance(limits.FILE_PROGRESS)
        for end, direction in ((self.alice, "out"), (self.bob, "in")):
            told = self.progress(end)
            self.assertEqual((told.direction, told.size), (direction, len(LARGE)))
            self.assertGreater(told.done, 0)
            self.assertLess(told.done, len(LARGE))
            self.assertGreater(told.rate, 0)
            assert told.seconds_left is not None
        self.pair.pump()
        self.check_saved({"plan.pdf": LARGE})

    def test_events_about_progress_come_twice_a_second_at_most(self) -> None:
        self.offer(LARGE)
        self.get()
        self.pair.pump_some()
        self.pair.held = ["bob"]
        self.pair.pump()
        before = len([one for one in self.bob.events if isinstance(one, FileProgress)])
        for _ in range(100):
            self.pair.advance(0.1)
        count = len([one for one in self.bob.events if isinstance(one, FileProgress)]) - before
        self.assertLessEqual(count, 10 / limits.FILE_PROGRESS + 1)
        self.assertGreater(count, 10)

    def test_a_receiver_whose_disk_stands_still_stops_the_sender(self) -> None:
        self.offer(LARGE * 3)
        self.get()
        self.pair.pump_some()
        self.pair.held = ["bob"]
        self.pair.pump()
        relayed = len(self.pair.relayed)
        self.assertLess(relayed, limits.FILE_WINDOW + 1024 * 1024)
        self.pair.advance(20)
        self.assertLess(len(self.pair.relayed) - relayed, 10_000)
        self.check_talk()
        self.pair.let_go()
        self.pair.pump()
        self.check_saved({"plan.pdf": LARGE * 3})

    def test_a_message_overtakes_the_file(self) -> None:
        self.offer(LARGE)
        self.get()
        self.pair.pump_some()
        self.alice.session.say("quick")
        before = self.over_count()
        for _ in range(3):
            self.pair.step()
        self.assertEqual(self.bob.messages[-1], "quick")
        self.assertEqual(self.over_count(), before)

    def over_count(self) -> int:
        return len([one for one in self.bob.events if isinstance(one, FileOver)])

    def test_a_full_channel_stops_the_sender(self) -> None:
        self.offer(LARGE)
        self.alice.leg.is_congested = True
        self.alice.stream.congestion_changed()
        self.get()
        self.pair.pump()
        self.assertLess(len(self.pair.relayed), 100_000)
        self.alice.leg.is_congested = False
        self.alice.stream.congestion_changed()
        self.pair.pump()
        self.check_saved({"plan.pdf": LARGE})

    def test_new_keys_during_a_transfer(self) -> None:
        self.patch(limits, "REKEY_BYTES", 300_000)
        self.patch(limits, "EPOCH_BYTES", 3_000_000)
        self.offer(LARGE)
        self.get()
        self.pair.pump()
        self.check_saved({"plan.pdf": LARGE})
        self.assertGreater(self.alice.session._epochs.present.number, 1)
        self.check_talk()

    # Promise C123
    def test_either_cancels_on_the_way(self) -> None:
        for who, other in ((self.alice, self.bob), (self.bob, self.alice)):
            self.offer(LARGE)
            number = self.offered(self.bob).number
            self.get(number)
            self.pair.pump_some()
            files(who).cancel(number)
            self.pair.pump()
            self.assertEqual(self.over(who).ending, "cancelled-by-me")
            self.assertEqual(self.over(other).ending, "cancelled-by-peer")
            self.check_talk()
        self.check_saved({})

    def test_a_file_that_changes_on_the_way_is_not_saved(self) -> None:
        path = self.offer(LARGE)
        self.get()
        self.pair.pump_some()
        with path.open("r+b") as file:
            file.seek(len(LARGE) - 1)
            file.write(bytes((LARGE[-1] ^ 1,)))
        self.pair.pump()
        for end in (self.alice, self.bob):
            self.assertEqual(self.over(end).ending, "changed")
        self.check_saved({})
        self.assertIn("changed after it was offered", last(self.alice, Problem).what)
        self.check_talk()

    def test_a_file_that_gets_shorter(self) -> None:
        path = self.offer(LARGE)
        os.truncate(path, 5)
        self.get()
        self.pair.pump()
        self.assertEqual(self.over(self.bob).ending, "changed")
        self.check_talk()

    def test_a_deleted_file_still_arrives(self) -> None:
        self.offer(LARGE).unlink()
        self.get()
        self.pair.pump()
        self.check_saved({"plan.pdf": LARGE})

    # Promise C125
    def test_a_full_disk_loses_nothing(self) -> None:
        self.offer(LARGE)
        real, left = os.write, [1024 * 1024]

        def write(number: int, data: bytes) -> int:
            if len(data) > left[0]:
                raise OSError(28, "No space left on device")
            left[0] -= len(data)
            return real(number, data)

        self.patch(os, "write", write)
        self.get()
        self.pair.pump()
        over = self.over(self.bob)
        self.assertEqual((over.ending, over.resumable), ("failed-here", True))
        self.assertIn("the disk is full", last(self.bob, Problem).what)
        self.assertEqual(self.over(self.alice).ending, "failed-there")
        self.check_talk()
        self.patch(os, "write", real)
        self.check_resumed(over.done)

    def test_no_room_is_seen_before_anything_flows(self) -> None:
        self.offer(b"x")
        self.patch(limits, "FILE_READ", 512)
        self.patch(
            os, "fstatvfs", lambda number: type("Facts", (), {"f_bavail": 0, "f_frsize": 512})
        )
        self.get()
        self.pair.pump()
        self.assertEqual(self.over(self.bob).ending, "failed-here")
        self.assertIn("has room for 0 bytes", last(self.bob, Problem).what)
        self.check_saved({})

    def check_resumed(self, kept: int) -> None:
        """Alice offers it again, and what bob has is not sent again."""
        relayed = len(self.pair.relayed)
        self.offer(LARGE)
        self.get(self.offered(self.bob).number)
        self.pair.pump()
        self.check_saved({"plan.pdf": LARGE})
        self.assertLess(len(self.pair.relayed) - relayed, (len(LARGE) - kept) * 1.02 + 50_000)

    def cut_off(self) -> int:
        """The line is lost in the middle; how much bob has."""
        self.offer(LARGE)
        self.get()
        self.pair.pump_some()
        for end in (self.alice, self.bob):
            end.stream.lost()
        self.pair.pump()
        over = self.over(self.bob)
        self.assertEqual((over.ending, over.resumable), ("chat-over", True))
        self.assertEqual(self.over(self.alice).ending, "chat-over")
        self.assertGreater(over.done, 100_000)
        return over.done

    # Promise C125
    def test_it_goes_on_in_a_new_chat_of_the_two(self) -> None:
        kept = self.cut_off()
        self.begin()
        self.check_resumed(kept)

    def test_another_file_of_that_name_begins_anew(self) -> None:
        self.cut_off()
        self.begin()
        other = b"other" + LARGE[5:]
        self.offer(other)
        self.get()
        self.pair.pump()
        self.check_among_saved("plan.pdf", other)

    def test_a_part_that_was_damaged_meanwhile_begins_anew(self) -> None:
        self.cut_off()
        (part,) = self.downloads.iterdir()
        with part.open("r+b") as file:
            file.write(b"damage")
        self.begin()
        self.offer(LARGE)
        self.get()
        self.pair.pump()
        self.check_saved({"plan.pdf": LARGE})

    # Promise T234
    def test_somebody_else_does_not_learn_what_we_have(self) -> None:
        self.cut_off()
        (part,) = self.downloads.iterdir()
        self.begin()
        for end in (self.alice, self.bob):
            files(end)._about += b"another peer"
        self.offer(LARGE)
        self.get()
        self.pair.pump()
        self.check_among_saved("plan.pdf", LARGE)
        self.assertTrue(part.exists())

    # Promise C124
    def test_the_end_of_the_chat_ends_offers_with_clear_words(self) -> None:
        self.offer(LARGE)
        self.alice.session.leave()
        self.pair.pump()
        for end in (self.alice, self.bob):
            self.assertEqual(self.over(end).ending, "chat-over")
            self.assertFalse(self.over(end).resumable)
        self.assertRaises(NotNow, files(self.alice).send, "x")
        self.assertRaises(NotNow, self.get)
