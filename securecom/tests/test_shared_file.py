"""What several clients of one profile keep together: none of them loses what another wrote."""

from __future__ import annotations

import fcntl
from collections.abc import Callable
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from securecom.client.contacts import Contacts
from securecom.client.introductions import Introductions
from securecom.client.profile.shared_file import SharedFile
from securecom.client.retirements import Retirements
from securecom.errors import StateBusy, StateDamaged
from securecom.identity import Identity
from securecom.introduction import Person
from securecom.tests.support.contact_keys import BOB, CAROL, KEY, NOW, SERVER


def text_file(path: Path | None, most: int = 20) -> SharedFile[str]:
    return SharedFile(path, most, lambda data, _: data.decode(), str.encode, str)


class SharedFileTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.folder = Path(self.mktemp())
        self.folder.mkdir(0o700)
        self.path = self.folder / "kept"

    def test_what_another_wrote_is_what_one_changes(self) -> None:
        one, other = text_file(self.path), text_file(self.path)
        for client, word in ((one, "a"), (other, "b"), (one, "c")):
            with client.changing() as content:
                client.write(content + word)
        self.assertEqual((one.read(), other.read()), ("abc", "abc"))

    def test_what_could_not_be_written_does_not_count(self) -> None:
        kept = text_file(self.path)
        kept.write("old")
        self.assertRaises(StateDamaged, kept.write, "x" * 21)
        self.assertEqual(kept.read(), "old")

    def test_in_memory(self) -> None:
        kept = text_file(None)
        with kept.changing() as content:
            kept.write(content + "a")
        self.assertEqual(kept.read(), "a")

    def test_the_lock_is_let_go_whatever_happens(self) -> None:
        kept = text_file(self.path)
        with self.assertRaises(ZeroDivisionError), kept.changing():
            raise ZeroDivisionError
        with kept.changing():
            kept.write("a")
        self.assertEqual(kept.read(), "a")

    def test_whoever_finds_it_locked_keeps_nothing(self) -> None:
        """Every file of this kind, and every change of it."""
        bob, carol = (Person(name, Identity.generate().public_key) for name in (BOB, CAROL))
        introductions = Introductions(self.folder / "introductions", SERVER, lambda: NOW)
        made = introductions.begin(bob, carol)
        retirements = Retirements(self.folder / "retirements", SERVER)
        contacts = Contacts(self.folder / "known_peers", SERVER, lambda: NOW)
        changes: dict[str, list[Callable[[], object]]] = {
            "introductions": [
                lambda: introductions.begin(carol, bob),
                lambda: introductions.put(made),
                lambda: introductions.drop(made),
                lambda: introductions.agree(bob, CAROL),
                lambda: introductions.disagree(bob, CAROL),
                lambda: introductions.receive(carol, bob),
                lambda: introductions.forget(CAROL),
            ],
            "retirements": [
                lambda: retirements.keep_own(b"\x01" * 64),
                lambda: retirements.learn(BOB, "print", b"\x01" * 64),
                lambda: retirements.retire(BOB, [KEY]),
            ],
            "known_peers": [lambda: contacts.meet(BOB, KEY)],
        }
        for name, calls in changes.items():
            path = self.folder / name
            before = path.read_bytes() if path.exists() else b""
            with path.with_name(f"{name}.lock").open("w") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX)
                for call in calls:
                    self.assertIn(str(path), self.assertRaises(StateBusy, call).what)
            self.assertEqual(path.read_bytes() if path.exists() else b"", before)
