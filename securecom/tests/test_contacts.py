from __future__ import annotations

import errno
import fcntl
import os
import signal
import stat
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from securecom import limits
from securecom.client.contacts import Contacts
from securecom.client.known_peers import FIRST_LINE, OldKey, Pin
from securecom.errors import BadArgument, PeerKeyChanged, StateBusy, StateDamaged
from securecom.identity import Identity, Name, PublicKey
from securecom.tests.support.contact_keys import (
    BOB,
    CAROL,
    KEY,
    NOW,
    OTHER_KEY,
    OTHER_SERVER,
    SERVER,
)


def _waited(*_: object) -> None:
    raise TimeoutError("waited for the lock")


def digest_of(key: PublicKey) -> str:
    """The word for the second key in the file."""
    return "-" if key.second is None else key.second.hex()


#: Of Bob's pin, without the server before it and the moment and trust after it.
LINE = f"bob {KEY.to_openssh()} {digest_of(KEY)}"


class ContactsTests(SynchronousTestCase):
    """The same for pins in memory and pins in a file."""

    def make(self, server: bytes = SERVER) -> Contacts:
        return Contacts(None, server, lambda: NOW)

    def test_nobody_is_known_at_first(self) -> None:
        contacts = self.make()
        self.assertIsNone(contacts.pin(BOB))
        self.assertEqual(contacts.trust(BOB), "new")
        self.assertEqual(contacts.trust(BOB, KEY), "new")

    def test_the_first_key_is_pinned(self) -> None:
        contacts = self.make()
        contacts.meet(BOB, KEY)
        pin = contacts.pin(BOB)
        assert pin is not None
        self.assertEqual((pin.key, pin.first_seen, pin.trust), (KEY, int(NOW), "tofu"))
        self.assertEqual(contacts.trust(BOB), "met")
        self.assertEqual(contacts.trust(BOB, KEY), "met")
        self.assertEqual(contacts.trust(BOB, OTHER_KEY), "changed")

    def test_meeting_again_changes_nothing(self) -> None:
        contacts = self.make()
        contacts.meet(BOB, KEY)
        contacts.meet(BOB, KEY)
        self.assertEqual(contacts.trust(BOB, KEY), "met")

    # Promise T125
    def test_another_key_is_refused_and_the_pin_stays(self) -> None:
        contacts = self.make()
        contacts.meet(BOB, KEY)
        self.assertRaises(PeerKeyChanged, contacts.meet, BOB, OTHER_KEY)
        self.assertEqual(contacts.trust(BOB, KEY), "met")

    def test_a_key_that_is_known_under_another_name_is_refused(self) -> None:
        contacts = self.make()
        contacts.meet(BOB, KEY)
        for use in (contacts.trust, contacts.meet):
            error = self.assertRaises(PeerKeyChanged, use, CAROL, KEY)
            self.assertEqual(error.what, "this key is known to you as bob")
        self.assertIsNone(contacts.pin(CAROL))
        contacts.meet(CAROL, OTHER_KEY)
        self.assertEqual(contacts.trust(CAROL, KEY), "changed")

    # --- comparing --------------------------------------------------------------------------

    def test_a_compared_key_is_verified_until_it_compares_no_more(self) -> None:
        contacts = self.make()
        contacts.meet(BOB, KEY)
        contacts.compared(BOB, KEY, same=True)
        self.assertEqual(contacts.trust(BOB, KEY), "verified")
        contacts.meet(BOB, KEY)
        contacts.compared(BOB, KEY, same=True)
        self.assertEqual(contacts.trust(BOB, KEY), "verified")
        contacts.compared(BOB, KEY, same=False)
        self.assertEqual(contacts.trust(BOB, KEY), "met")

    def test_only_the_pinned_key_can_be_compared(self) -> None:
        contacts = self.make()
        self.assertRaises(PeerKeyChanged, contacts.compared, BOB, KEY, same=True)
        contacts.meet(BOB, KEY)
        self.assertRaises(PeerKeyChanged, contacts.compared, BOB, OTHER_KEY, same=True)
        self.assertEqual((contacts.trust(BOB), contacts.trust(CAROL)), ("met", "new"))

    # --- another key ------------------------------------------------------------------------

    def test_a_key_that_was_taken_replaces_the_pin_when_it_is_met(self) -> None:
        contacts = self.make()
        contacts.meet(BOB, KEY)
        contacts.compared(BOB, KEY, same=True)
        contacts.take(BOB, OTHER_KEY.fingerprint)
        self.assertEqual(contacts.trust(BOB, OTHER_KEY), "changed")
        self.assertTrue(contacts.may_be(BOB, OTHER_KEY))
        contacts.meet(BOB, OTHER_KEY)
        old = OldKey(KEY, int(NOW), "verified", int(NOW))
        self.assertEqual(contacts.pin(BOB), Pin(OTHER_KEY, int(NOW), "tofu", (old,)))
        self.assertFalse(contacts.may_be(BOB, KEY))

    def test_who_took_one_key_took_no_other(self) -> None:
        contacts = self.make()
        contacts.meet(BOB, KEY)
        contacts.take(BOB, OTHER_KEY.fingerprint)
        third = Identity.generate().public_key
        self.assertFalse(contacts.may_be(BOB, third))
        self.assertRaises(PeerKeyChanged, contacts.meet, BOB, third)

    def test_a_key_is_taken_for_one_name(self) -> None:
        contacts = self.make()
        contacts.meet(BOB, KEY)
        contacts.meet(CAROL, Identity.generate().public_key)
        contacts.take(BOB, OTHER_KEY.fingerprint)
        self.assertFalse(contacts.may_be(CAROL, OTHER_KEY))

    def test_a_key_that_is_somebody_elses_is_not_taken(self) -> None:
        contacts = self.make()
        contacts.meet(BOB, KEY)
        contacts.take(BOB, OTHER_KEY.fingerprint)
        contacts.meet(CAROL, OTHER_KEY)
        error = self.assertRaises(BadArgument, contacts.take, BOB, OTHER_KEY.fingerprint)
        self.assertIn("the key of carol", error.what)
        self.assertRaises(PeerKeyChanged, contacts.meet, BOB, OTHER_KEY)
        self.assertEqual(contacts.trust(BOB, KEY), "met")

    def test_first_keys_and_pinned_ones_may_be(self) -> None:
        contacts = self.make()
        self.assertTrue(contacts.may_be(BOB, KEY))
        contacts.meet(BOB, KEY)
        self.assertTrue(contacts.may_be(BOB, KEY))
        self.assertFalse(contacts.may_be(BOB, OTHER_KEY))

    def test_there_has_to_be_another_key_to_replace(self) -> None:
        contacts = self.make()
        self.assertRaises(BadArgument, contacts.take, BOB, KEY.fingerprint)
        contacts.meet(BOB, KEY)
        self.assertRaises(BadArgument, contacts.take, BOB, KEY.fingerprint)

    def test_the_history_is_bounded_and_loses_its_oldest(self) -> None:
        contacts = self.make()
        keys = [Identity.generate().public_key for _ in range(limits.MAX_OLD_KEYS + 3)]
        for number, key in enumerate(keys):
            if number:
                contacts.take(BOB, key.fingerprint)
            contacts.meet(BOB, key)
        pin = contacts.pin(BOB)
        assert pin is not None
        self.assertEqual(pin.key, keys[-1])
        self.assertEqual([old.key for old in pin.earlier], keys[2:-1])
        self.assertEqual(len(pin.earlier), limits.MAX_OLD_KEYS)


class FileTests(ContactsTests):
    def setUp(self) -> None:
        self.path = Path(self.mktemp())
        self.path.mkdir()
        self.path /= "known_peers"

    def make(self, server: bytes = SERVER) -> Contacts:
        return Contacts(self.path, server, lambda: NOW)

    def test_a_pin_survives(self) -> None:
        self.make().meet(BOB, KEY)
        self.assertEqual(self.make().trust(BOB, OTHER_KEY), "changed")

    def test_servers_are_kept_apart_in_one_file(self) -> None:
        self.make().meet(BOB, KEY)
        other = self.make(OTHER_SERVER)
        self.assertEqual(other.trust(BOB, OTHER_KEY), "new")
        other.meet(BOB, OTHER_KEY)
        self.assertEqual(self.make().trust(BOB, KEY), "met")
        other.meet(CAROL, KEY)  # whom this server calls carol, that one may call bob

    def test_two_clients_of_one_profile_keep_each_others_pins(self) -> None:
        one, other = self.make(), self.make()
        one.meet(BOB, KEY)
        other.meet(CAROL, OTHER_KEY)
        for contacts in (one, other, self.make()):
            self.assertEqual(contacts.trust(BOB, KEY), "met")
            self.assertEqual(contacts.trust(CAROL, OTHER_KEY), "met")

    def test_a_key_that_the_other_client_pinned_is_seen(self) -> None:
        one, other = self.make(), self.make()
        one.meet(BOB, KEY)
        self.assertRaises(PeerKeyChanged, other.meet, BOB, OTHER_KEY)

    # Promise T112
    def test_only_we_may_read_the_file(self) -> None:
        os.umask(os.umask(0))
        self.make().meet(BOB, KEY)
        self.assertEqual(stat.S_IMODE(self.path.stat().st_mode), 0o600)

    def test_it_is_replaced_not_rewritten(self) -> None:
        self.make().meet(BOB, KEY)
        before = self.path.stat().st_ino
        with self.path.open("rb") as old:
            self.make().meet(CAROL, OTHER_KEY)
            self.assertNotIn(b"carol", old.read())
        self.assertNotEqual(self.path.stat().st_ino, before)

    def test_verified_pins_are_read_and_kept(self) -> None:
        self.write(f"{SERVER.hex()} {LINE} 7 verified")
        contacts = self.make()
        contacts.meet(CAROL, OTHER_KEY)
        self.assertEqual(self.make().trust(BOB, KEY), "verified")

    def test_comparisons_and_histories_survive(self) -> None:
        contacts, carols = self.make(), Identity.generate().public_key
        contacts.meet(CAROL, carols)
        for key in (KEY, OTHER_KEY, KEY):  # back to an old one: it is in the history and the pin
            if contacts.pin(BOB) is not None:
                contacts.take(BOB, key.fingerprint)
            contacts.meet(BOB, key)
            contacts.compared(BOB, key, same=True)
        again = self.make()
        self.assertEqual(again.pin(BOB), contacts.pin(BOB))
        self.assertEqual(again.trust(BOB, KEY), "verified")
        self.assertEqual(again.trust(CAROL, carols), "met")
        again.meet(Name("dora"), OTHER_KEY)
        self.assertEqual(self.make().pin(BOB), contacts.pin(BOB))

    def test_a_word_is_used_once(self) -> None:
        one, other = self.make(), self.make()
        one.meet(BOB, KEY)
        one.take(BOB, OTHER_KEY.fingerprint)
        one.meet(BOB, OTHER_KEY)
        other.take(BOB, KEY.fingerprint)
        other.meet(BOB, KEY)
        self.assertFalse(one.may_be(BOB, OTHER_KEY))

    def test_what_was_taken_and_not_met_is_forgotten_with_the_client(self) -> None:
        contacts = self.make()
        contacts.meet(BOB, KEY)
        before = self.path.read_bytes()
        contacts.take(BOB, OTHER_KEY.fingerprint)
        self.assertEqual(self.path.read_bytes(), before)
        self.assertFalse(self.make().may_be(BOB, OTHER_KEY))

    def test_a_key_that_could_not_be_pinned_is_still_taken(self) -> None:
        contacts = self.make()
        contacts.meet(BOB, KEY)
        contacts.take(BOB, OTHER_KEY.fingerprint)
        blocked = self.path.with_name(".known_peers.new")
        blocked.mkdir()
        self.assertRaises(StateDamaged, contacts.meet, BOB, OTHER_KEY)
        self.assertEqual(contacts.trust(BOB, KEY), "met")
        blocked.rmdir()
        contacts.meet(BOB, OTHER_KEY)
        self.assertEqual(contacts.trust(BOB, OTHER_KEY), "met")

    def test_a_file_that_went_away_is_nobody_known(self) -> None:
        contacts = self.make()
        contacts.meet(BOB, KEY)
        self.path.unlink()
        self.assertEqual(contacts.trust(BOB), "new")

    def write(self, *lines: str, end: str = "\n") -> None:
        self.path.write_text("\n".join((FIRST_LINE, *lines)) + end)
        self.path.chmod(0o600)

    def test_damage_is_named_and_left_alone(self) -> None:
        good = f"{SERVER.hex()} {LINE} 7 tofu"
        old = f"{SERVER.hex()} bob {OTHER_KEY.to_openssh()} {digest_of(OTHER_KEY)} 3 was-tofu"
        ssh = KEY.to_openssh()
        damaged = {
            "a word too many": (good + " more", 2),
            "a word too few": (good.removesuffix(" tofu"), 2),
            "two blanks": (good.replace(" tofu", "  tofu"), 2),
            "short server": (good[2:], 2),
            "server in capitals": (good.replace(SERVER.hex(), "AB" * 32), 2),
            "no hex": (good.replace(SERVER.hex(), "xy" * 32), 2),
            "bad name": (good.replace("bob", "Bob"), 2),
            "bad key": (good.replace(ssh, "ssh-ed25519 AAAA"), 2),
            "kind of key": (good.replace("ssh-ed25519", "ssh-rsa"), 2),
            "a second key cut off": (good.replace(digest_of(KEY), digest_of(KEY)[:-2]), 2),
            "a second key in capitals": (good.replace(digest_of(KEY), "AB" * 32), 2),
            "no second key and no sign of that": (good.replace(f" {digest_of(KEY)}", ""), 2),
            "bad date": (good.replace(" 7 ", " seven "), 2),
            "date with a sign": (good.replace(" 7 ", " +7 "), 2),
            "bad trust": (good.replace("tofu", "blindly"), 2),
            "not ASCII": (good.replace("tofu", "t\xf6fu"), 2),
            "an empty line": ("", 2),
            "twice": (f"{good}\n{good}", 3),
            "an old key without its pin": (f"{old} 9", 2),
            "an old key before its pin": (f"{old} 9\n{good}", 2),
            "more old keys than are kept": (
                "\n".join([good, *[f"{old} 9"] * (limits.MAX_OLD_KEYS + 1)]),
                limits.MAX_OLD_KEYS + 3,
            ),
            "an old key of somebody else": (f"{good}\n{old.replace('bob', 'carol')} 9", 3),
            "an old key without an end": (f"{good}\n{old}", 3),
            "an old key without a was": (f"{good}\n{good} 9", 3),
            "a pin with a was": (f"{good}\n{old}".split("\n")[1], 2),
            "an old key with a bad end": (f"{good}\n{old} then", 3),
            "before the beginning of time": (good.replace(" 7 ", " -7 "), 2),
            "after the end of time": (good.replace(" 7 ", " 253402300800 "), 2),
        }
        for what, (line, number) in damaged.items():
            self.write(line)
            before = self.path.read_bytes()
            error = self.assertRaises(StateDamaged, self.make)
            self.assertIn(f"{self.path}, line {number}:", error.what, what)
            self.assertEqual(self.path.read_bytes(), before, what)

    def test_another_version_is_refused(self) -> None:
        self.path.write_text("securecom known_peers 3\n")
        self.path.chmod(0o600)
        self.assertIn("line 1", self.assertRaises(StateDamaged, self.make).what)

    def test_an_empty_file_is_refused(self) -> None:
        self.path.write_text("")
        self.path.chmod(0o600)
        self.assertIn("line 1", self.assertRaises(StateDamaged, self.make).what)

    def test_a_file_that_others_may_use_is_refused_also_while_we_run(self) -> None:
        contacts = self.make()
        contacts.meet(BOB, KEY)
        self.path.chmod(0o620)
        for use in (self.make, lambda: contacts.trust(BOB)):
            error = self.assertRaises(StateDamaged, use)
            self.assertIn(f"chmod 600 {self.path}", error.hint)

    def test_a_file_that_is_too_long_is_not_read_to_its_end(self) -> None:
        self.write(f"{SERVER.hex()} {LINE} 7 tofu")
        self.make()
        self.patch(limits, "MAX_KNOWN_PEERS_FILE", self.path.stat().st_size - 1)
        self.assertIn("longer", self.assertRaises(StateDamaged, self.make).what)

    def test_a_pin_that_would_make_it_too_long_is_not_written(self) -> None:
        self.make().meet(BOB, KEY)
        before = self.path.read_bytes()
        self.patch(limits, "MAX_KNOWN_PEERS_FILE", len(before))
        contacts = self.make()
        error = self.assertRaises(StateDamaged, contacts.meet, CAROL, OTHER_KEY)
        self.assertIn("longer", error.what)
        self.assertEqual(self.path.read_bytes(), before)
        self.assertEqual((contacts.trust(BOB), contacts.trust(CAROL)), ("met", "new"))

    def test_a_cut_file_is_refused(self) -> None:
        self.write(f"{SERVER.hex()} {LINE} 7 tofu", end="")
        self.assertIn("line 2: the file ends", self.assertRaises(StateDamaged, self.make).what)

    def test_damage_while_we_run_is_found_before_writing(self) -> None:
        contacts = self.make()
        contacts.meet(BOB, KEY)
        self.path.write_text("rubbish\n")
        self.assertRaises(StateDamaged, contacts.meet, CAROL, OTHER_KEY)
        self.assertEqual(self.path.read_text(), "rubbish\n")

    def test_what_cannot_be_read_is_named(self) -> None:
        self.path.mkdir()
        self.assertIn(str(self.path), self.assertRaises(StateDamaged, self.make).what)

    def test_what_cannot_be_written_is_not_pinned(self) -> None:
        contacts = self.make()
        self.path.with_name(".known_peers.new").mkdir()
        self.assertRaises(StateDamaged, contacts.meet, BOB, KEY)
        self.assertEqual(contacts.trust(BOB), "new")

    def test_nobody_else_can_write_meanwhile(self) -> None:
        refused: list[BaseException] = []

        def now() -> float:
            with self.path.with_name("known_peers.lock").open() as lock:
                refused.append(
                    self.assertRaises(
                        BlockingIOError, fcntl.flock, lock, fcntl.LOCK_EX | fcntl.LOCK_NB
                    )
                )
            return NOW

        Contacts(self.path, SERVER, now).meet(BOB, KEY)
        self.assertEqual(len(refused), 1)

    def test_who_finds_it_locked_does_not_wait_and_pins_nothing(self) -> None:
        contacts = self.make()
        with self.path.with_name("known_peers.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            # Blocking for ever is what this is about: then the alarm ends the test.
            signal.signal(signal.SIGALRM, _waited)
            signal.alarm(5)
            self.addCleanup(signal.alarm, 0)
            busy = self.assertRaises(StateBusy, contacts.meet, BOB, KEY)
            self.assertIn(str(self.path), busy.what)
        self.assertEqual(contacts.trust(BOB), "new")
        contacts.meet(BOB, KEY)
        self.assertEqual(contacts.trust(BOB), "met")

    def test_a_lock_that_is_let_go_meanwhile_is_taken(self) -> None:
        tries: list[int] = []

        def flock(lock: int, flags: int) -> None:
            tries.append(flags)
            if len(tries) < limits.LOCK_TRIES:
                raise BlockingIOError

        self.patch(fcntl, "flock", flock)
        self.make().meet(BOB, KEY)
        self.assertEqual(tries, [fcntl.LOCK_EX | fcntl.LOCK_NB] * limits.LOCK_TRIES)
        self.assertEqual(self.make().trust(BOB), "met")

    # Promise R56
    def test_a_file_system_without_locks_is_named(self) -> None:
        def flock(lock: int, flags: int) -> None:
            raise OSError(errno.ENOLCK, "No locks available")

        contacts = self.make()
        self.patch(fcntl, "flock", flock)
        error = self.assertRaises(StateDamaged, contacts.meet, BOB, KEY)
        self.assertIn("No locks", error.what)
        self.assertIn("local disk", error.hint)

    def test_a_lock_that_cannot_be_had_is_named(self) -> None:
        contacts = self.make()
        self.path.with_name("known_peers.lock").mkdir()
        self.assertIn(str(self.path), self.assertRaises(StateDamaged, contacts.meet, BOB, KEY).what)
