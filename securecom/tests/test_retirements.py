"""The file of retirements in a profile: what it keeps, and what it refuses."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from securecom import limits
from securecom.client.contacts import Contacts
from securecom.client.retirements import Retirements
from securecom.errors import StateDamaged
from securecom.tests.support.contact_keys import BOB, CAROL, KEY, OTHER_KEY, OTHER_SERVER, SERVER

PUBLIC, OTHER = b"\x01" * 64, b"\x02" * 64
PRINT = KEY.fingerprint


class FileTests(SynchronousTestCase):
    def setUp(self) -> None:
        folder = Path(self.mktemp())
        folder.mkdir(0o700)
        self.path = folder / "retirements"
        self.kept = self.make()

    def make(self, server: bytes = SERVER) -> Retirements:
        return Retirements(self.path, server)

    def fill(self) -> None:
        self.kept.keep_own(PUBLIC)
        self.kept.learn(BOB, PRINT, OTHER)

    def test_all_of_it_is_there_for_the_next_client(self) -> None:
        self.fill()
        again = self.make()
        self.assertEqual(again.own, PUBLIC)
        bob = again.of(BOB, [PRINT])
        assert bob is not None
        self.assertEqual((bob.public, again.retired()), (OTHER.hex(), []))
        again.retire(BOB, [KEY])
        again.retire(BOB, [KEY, OTHER_KEY.first])
        self.assertEqual(self.kept.retired(), [(BOB, KEY), (BOB, OTHER_KEY.first)])
        self.assertEqual(self.make(OTHER_SERVER).retired(), [])
        again.keep_own(None)
        again.learn(BOB, OTHER_KEY.fingerprint, PUBLIC)
        self.assertEqual(len(self.make().retired()), 2)
        self.assertEqual(self.path.stat().st_mode & 0o777, 0o600)

    def test_another_server_name_or_key_has_its_own(self) -> None:
        self.fill()
        other = self.make(OTHER_SERVER)
        self.assertIsNone(other.own)
        self.assertIsNone(other.of(BOB, [PRINT]))
        self.assertIsNone(self.kept.of(CAROL, [PRINT]))
        self.assertIsNone(self.kept.of(BOB, [OTHER_KEY.fingerprint]))
        other.keep_own(OTHER)
        self.assertEqual(self.kept.own, PUBLIC)
        self.kept.keep_own(None)
        self.assertEqual((self.kept.own, other.own), (None, OTHER))

    def test_contacts_find_it_beside_the_pins(self) -> None:
        contacts = Contacts(self.path.with_name("known_peers"), SERVER, lambda: 1.0)
        contacts.meet(BOB, KEY)
        self.assertIsNone(contacts.own_retirement)
        self.assertFalse(contacts.is_retired(BOB))
        self.fill()
        again = Contacts(self.path.with_name("known_peers"), SERVER, lambda: 1.0)
        self.assertEqual(again.trust(BOB), "met")
        self.assertEqual(again.own_retirement, PUBLIC)
        self.assertFalse(again.retire(BOB, PUBLIC))
        self.assertTrue(again.retire(BOB, OTHER))
        self.assertTrue(again.retire(BOB, OTHER))
        self.assertEqual(again.trust(BOB), "retired")

    def test_a_file_that_is_not_ours_is_refused_and_left(self) -> None:
        self.fill()
        self.kept.retire(BOB, [KEY])
        good = json.loads(self.path.read_bytes())

        def spoilt(change: Any) -> bytes:
            told = json.loads(json.dumps(good))
            change(told)
            return json.dumps(told).encode()

        cases = [
            *(b"", b"{", b"[]", b"7", b"\xff", b"[" * 100_000),
            b" " * (limits.MAX_RETIREMENTS_FILE + 1),
            spoilt(lambda told: told.pop("own")),
            spoilt(lambda told: told.update(version=2)),
            spoilt(lambda told: told.update(more=[])),
            spoilt(lambda told: told["own"].update(x="00")),
            spoilt(lambda told: told["own"].update({SERVER.hex(): "zz"})),
            spoilt(lambda told: told["own"].update({SERVER.hex(): 7})),
            spoilt(lambda told: told["people"][0].update(name="Bob!")),
            spoilt(lambda told: told["people"][0].update(public="00")),
            spoilt(lambda told: told["people"][0].update(server="00")),
            spoilt(lambda told: told["people"][0].update(fingerprint=7)),
            spoilt(lambda told: told.pop("retired")),
            spoilt(lambda told: told["retired"][0].update(server="00")),
            spoilt(lambda told: told["retired"][0].update(name="Bob!")),
            spoilt(lambda told: told["retired"][0].update(key="00")),
            spoilt(lambda told: told["retired"][0].update(key=7)),
            spoilt(lambda told: told["retired"][0].update(key="01" + 31 * "00")),  # small order
            spoilt(lambda told: told["retired"][0].update(more=1)),
            spoilt(lambda told: told["people"][0].update(more=1)),
        ]
        for data in cases:
            self.path.write_bytes(data)
            kept = self.make()
            self.assertRaises(StateDamaged, kept.of, BOB, [PRINT])
            self.assertRaises(StateDamaged, kept.learn, CAROL, PRINT, OTHER)
            self.assertEqual(self.path.read_bytes(), data)

    def test_a_file_that_others_may_change_is_refused(self) -> None:
        self.fill()
        self.path.chmod(0o666)
        kept = self.make()
        self.assertIn("chmod 600", self.assertRaises(StateDamaged, lambda: kept.own).hint)

    def test_a_folder_in_its_place_is_refused(self) -> None:
        self.path.mkdir()
        kept = self.make()
        self.assertRaises(StateDamaged, lambda: kept.own)

    def test_a_disk_that_takes_nothing(self) -> None:
        kept = Retirements(self.path.parent / "none" / "retirements", SERVER)
        self.assertRaises(StateDamaged, kept.keep_own, PUBLIC)

    def test_no_file_is_written_that_would_not_be_read(self) -> None:
        self.patch(limits, "MAX_RETIREMENTS_FILE", 10)
        self.assertRaises(StateDamaged, self.make().keep_own, OTHER)
        self.assertFalse(self.path.exists())
