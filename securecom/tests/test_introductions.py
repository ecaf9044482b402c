"""The file of introductions in a profile: what it keeps, how much, and what it refuses."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from securecom import limits
from securecom.client.introductions import Introductions
from securecom.errors import StateDamaged
from securecom.identity import Identity, Name
from securecom.introduction import Person
from securecom.tests.support.contact_keys import NOW, OTHER_SERVER, SERVER

ALICE, BOB, CAROL = (
    Person(Name(name), Identity.generate().public_key) for name in ("alice", "bob", "carol")
)


class FileTests(SynchronousTestCase):
    def setUp(self) -> None:
        folder = Path(self.mktemp())
        folder.mkdir(0o700)
        self.path, self.now = folder / "introductions", NOW
        self.kept = self.make()

    def make(self, server: bytes = SERVER) -> Introductions:
        return Introductions(self.path, server, lambda: self.now)

    def fill(self) -> None:
        made = self.kept.begin(BOB, CAROL)
        side, _ = made.sides("bob")
        self.kept.put(made.with_side(side.__class__(side.name, side.key, "ab")))
        self.kept.agree(ALICE, Name("carol"))
        self.kept.receive(CAROL, ALICE)

    def test_all_of_it_is_there_for_the_next_client(self) -> None:
        self.fill()
        again = self.make()
        self.assertEqual(again.making(), self.kept.making())
        self.assertEqual(again.making()[0].one.consent, "ab")
        self.assertEqual(again.making()[0].other.person, CAROL)
        self.assertTrue(again.has_agreed(ALICE, Name("carol")))
        self.assertEqual([one.public_key for one in again.received("carol")], [CAROL.key])
        self.assertEqual(self.path.stat().st_mode & 0o777, 0o600)

    def test_another_server_has_its_own(self) -> None:
        self.fill()
        other = self.make(OTHER_SERVER)
        self.assertEqual((other.making(), other.received()), ([], []))
        self.assertFalse(other.has_agreed(ALICE, Name("carol")))

    def test_a_yes_is_for_one_key_of_the_introducer(self) -> None:
        self.fill()
        other = Person(ALICE.name, BOB.key)
        self.assertFalse(self.kept.has_agreed(other, Name("carol")))

    def test_what_is_old_is_gone_but_what_was_received_stays(self) -> None:
        self.fill()
        self.now += limits.INTRODUCTION_SECONDS + 1
        self.assertEqual(self.kept.making(), [])
        self.assertFalse(self.kept.has_agreed(ALICE, Name("carol")))
        self.assertEqual(len(self.kept.received("carol")), 1)

    # Promise T226
    def test_it_is_bounded(self) -> None:
        for number in range(limits.MAX_AGREED_INTRODUCTIONS + 1):
            self.kept.agree(ALICE, Name(f"p{number}"))
        self.assertFalse(self.kept.has_agreed(ALICE, Name("p0")))
        self.assertTrue(self.kept.has_agreed(ALICE, Name("p1")))
        self.patch(limits, "MAX_RECEIVED_INTRODUCTIONS", 3)
        for number in range(4):
            self.kept.receive(Person(Name(f"p{number}"), CAROL.key), ALICE)
        self.assertEqual([one.name for one in self.kept.received()], ["p3", "p2", "p1"])

    def test_a_later_one_by_the_same_introducer_takes_its_place(self) -> None:
        self.kept.receive(CAROL, ALICE)
        self.kept.receive(CAROL, BOB)
        self.kept.receive(CAROL, ALICE)
        self.assertEqual([one.by for one in self.kept.received("carol")], ["alice", "bob"])

    def test_two_clients_see_each_others(self) -> None:
        other = self.make()
        self.assertEqual(other.making(), [])
        self.fill()
        self.assertEqual(len(other.making()), 1)

    def test_a_file_that_is_not_ours_is_refused_and_left(self) -> None:
        self.fill()
        good = json.loads(self.path.read_bytes())

        def spoilt(change: Any) -> bytes:
            told = json.loads(json.dumps(good))
            change(told)
            return json.dumps(told).encode()

        cases = [
            b"",
            b"{",
            b"[]",
            b"7",
            b"\xff",
            b"[" * 100_000,
            b" " * (limits.MAX_INTRODUCTIONS_FILE + 1),
            spoilt(lambda told: told.pop("agreed")),
            spoilt(lambda told: told.update(version=2)),
            spoilt(lambda told: told.update(more=[])),
            spoilt(lambda told: told["making"][0].update(more=1)),
            spoilt(lambda told: told["making"][0].update(since="now")),
            spoilt(lambda told: told["making"][0]["one"].update(key="zz")),
            spoilt(lambda told: told["making"][0]["one"].update(key="00" * 32)),
            spoilt(lambda told: told["making"][0]["one"].update(is_done=1)),
            spoilt(lambda told: told["making"][0]["one"].update(consent=7)),
            spoilt(lambda told: told["received"][0].update(name="Bob!")),
            spoilt(lambda told: told["received"][0].update(server=7)),
            spoilt(lambda told: told["received"][0].update(fingerprint=7)),
            spoilt(lambda told: told["agreed"][0].update(other="")),
            spoilt(lambda told: told["agreed"][0].update(fingerprint=None)),
        ]
        for data in cases:
            self.path.write_bytes(data)
            kept = self.make()
            self.assertRaises(StateDamaged, kept.making)
            self.assertRaises(StateDamaged, kept.begin, BOB, CAROL)
            self.assertEqual(self.path.read_bytes(), data)

    def test_a_file_that_others_may_change_is_refused(self) -> None:
        self.fill()
        self.path.chmod(0o666)
        error = self.assertRaises(StateDamaged, self.make().making)
        self.assertIn("chmod 600", error.hint)

    def test_a_folder_in_its_place_is_refused(self) -> None:
        self.path.mkdir()
        self.assertRaises(StateDamaged, self.make().making)

    def test_a_disk_that_takes_nothing(self) -> None:
        kept = Introductions(self.path.parent / "none" / "introductions", SERVER, lambda: NOW)
        self.assertRaises(StateDamaged, kept.receive, CAROL, ALICE)
        self.assertEqual(kept.received(), [])
