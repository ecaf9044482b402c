"""The registry in a file: refused when damaged, its errors readable, private and durable."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path
from typing import cast

from twisted.internet.interfaces import IReactorThreads
from twisted.internet.testing import MemoryReactorClock
from twisted.trial.unittest import SynchronousTestCase

from securecom import limits
from securecom.errors import StateBusy, StateDamaged, StateUnusable
from securecom.identity import Name, PublicKey
from securecom.refusals import BadInvitation
from securecom.server import database, sql_registry
from securecom.server.database import SynchronousPool, connect, create, verify
from securecom.server.registry import User
from securecom.server.sqlite_registry import SQLiteRegistry
from securecom.succession import Link
from securecom.tests.support.registry_case import ALICE, BOB, LATER, NOW, hashed, new_key
from securecom.tests.support.registry_contract import RegistryContract
from securecom.tests.support.registry_file import RegistryFileCase, outcome

#: The tables of version 1, as they were.
VERSION_1 = (
    """CREATE TABLE users (
        name TEXT PRIMARY KEY NOT NULL,
        key BLOB UNIQUE CHECK (length(key) = 32),
        disabled INTEGER NOT NULL DEFAULT 0 CHECK (disabled IN (0, 1)),
        created REAL NOT NULL
    ) STRICT""",
    """CREATE TABLE invitations (
        number INTEGER PRIMARY KEY AUTOINCREMENT,
        name TEXT NOT NULL,
        token_hash BLOB NOT NULL UNIQUE CHECK (length(token_hash) = 32),
        expires REAL NOT NULL
    ) STRICT""",
    "CREATE INDEX invitations_by_name ON invitations (name)",
)
ALICES_KEY = new_key().raw


class FileContract(RegistryContract, SynchronousTestCase):
    def open_registry(self) -> SQLiteRegistry:
        path = Path(self.mktemp())
        create(path)
        return SQLiteRegistry(SynchronousPool(connect(path)))


class LastDefenceTests(RegistryFileCase):
    """What the tables themselves refuse, should a query ever be wrong."""

    def refused(self, statement: str, *values: object) -> None:
        with self.assertRaises(sqlite3.IntegrityError):
            self.connect().execute(statement, values)

    def setUp(self) -> None:
        super().setUp()
        self.key = new_key().raw
        self.connect().execute("INSERT INTO users VALUES ('alice', ?, 0, 1.0, NULL)", (self.key,))

    def test_a_key_twice(self) -> None:
        self.refused("INSERT INTO users VALUES ('bob', ?, 0, 1.0, NULL)", self.key)

    def test_a_name_twice(self) -> None:
        self.refused("INSERT INTO users VALUES ('alice', ?, 0, 1.0, NULL)", new_key().raw)

    def test_values_of_another_shape(self) -> None:
        self.refused("INSERT INTO users VALUES ('bob', ?, 0, 1.0, NULL)", b"short")
        self.refused("INSERT INTO users VALUES ('bob', NULL, 2, 1.0, NULL)")
        text = "a text of thirty-two characters."
        self.refused("INSERT INTO users VALUES ('bob', ?, 0, 1.0, NULL)", text)
        self.refused("INSERT INTO users VALUES ('bob', NULL, 0, 1.0, ?)", text)
        self.refused("INSERT INTO users VALUES ('bob', NULL, 0, 1.0, ?)", b"short")
        self.refused("INSERT INTO invitations VALUES (1, 'bob', ?, 1.0)", b"short")

    def test_a_token_twice(self) -> None:
        self.connect().execute("INSERT INTO invitations VALUES (1, 'bob', ?, 1.0)", (hashed(1),))
        self.refused("INSERT INTO invitations VALUES (2, 'bob', ?, 1.0)", hashed(1))

    def test_a_block_by_nobody_of_oneself_or_twice(self) -> None:
        self.refused("INSERT INTO blocks VALUES ('nobody', 'alice')")
        self.refused("INSERT INTO blocks VALUES ('alice', 'alice')")
        self.connect().execute("INSERT INTO blocks VALUES ('alice', 'bob')")
        self.refused("INSERT INTO blocks VALUES ('alice', 'bob')")

    def test_a_succession_of_nobody_of_another_shape_or_twice(self) -> None:
        insert = "INSERT INTO successions VALUES (?, ?, ?, ?, ?, ?, NULL, NULL, NULL)"
        old, new, signature = new_key().raw, new_key().raw, bytes(64)
        self.refused(insert, "nobody", 1, old, new, signature, signature)
        self.refused(insert, "alice", 1, b"short", new, signature, signature)
        self.refused(insert, "alice", 1, old, b"short", signature, signature)
        self.refused(insert, "alice", 1, old, new, b"short", signature)
        self.refused(insert, "alice", 1, old, new, signature, b"short")
        self.connect().execute(insert, ("alice", 1, old, new, signature, signature))
        self.refused(insert, "alice", 2, old, new_key().raw, signature, signature)
        self.refused(insert, "alice", 2, new_key().raw, new, signature, signature)
        self.refused(insert, "alice", 1, new_key().raw, new_key().raw, signature, signature)

    def test_a_link_with_an_invalid_key(self) -> None:
        insert = "INSERT INTO successions VALUES ('alice', 1, ?, ?, ?, ?, NULL, NULL, NULL)"
        values = (bytes(32), self.key, bytes(64), bytes(64))
        self.connect().execute(insert, values)
        found = self.open().entrant(PublicKey(self.key))
        self.failureResultOf(found, StateDamaged)

    def test_an_invitation_left_over_for_a_name_with_a_key(self) -> None:
        self.connect().execute(
            "INSERT INTO invitations VALUES (1, 'alice', ?, ?)", (hashed(1), LATER)
        )
        self.failureResultOf(self.open().spend(hashed(1), new_key(), NOW), BadInvitation)
        user = self.successResultOf(self.open().user(ALICE))
        self.assertEqual(user and user.key and user.key.raw, self.key)

    # Promise T126
    def test_an_invitation_left_over_for_a_name_in_quarantine(self) -> None:
        self.connect().execute(
            "INSERT INTO invitations VALUES (1, 'carol', ?, ?)", (hashed(1), LATER)
        )
        self.connect().execute("INSERT INTO quarantine VALUES ('carol', ?)", (LATER,))
        self.failureResultOf(self.open().spend(hashed(1), new_key(), NOW), BadInvitation)

    def test_a_name_that_is_none(self) -> None:
        self.connect().execute("UPDATE users SET name = 'A l i c e'")
        self.failureResultOf(self.open().users(), StateDamaged)

    def test_a_key_that_is_none(self) -> None:
        self.connect().execute("UPDATE users SET key = zeroblob(32)")
        self.failureResultOf(self.open().users(), StateDamaged)


class DamagedTests(RegistryFileCase):
    """A file that is not a whole registry is refused, and stays as it is."""

    def refused(self, why: str) -> StateDamaged:
        before = self.path.read_bytes()
        error: StateDamaged = self.assertRaises(StateDamaged, verify, self.path)
        self.assertIn(why, str(error))
        self.assertEqual(self.path.read_bytes(), before)
        self.assertEqual(list(self.path.parent.glob(f"{self.path.name}-*")), [])
        return error

    def test_a_whole_one_is_not_refused(self) -> None:
        verify(self.path)

    def test_missing(self) -> None:
        self.path.unlink()
        error = self.assertRaises(StateDamaged, verify, self.path)
        self.assertIn("missing", str(error))
        self.assertFalse(self.path.exists())

    def test_empty(self) -> None:
        self.path.write_bytes(b"")
        self.refused("no registry of securecom")

    def test_another_file(self) -> None:
        self.path.write_bytes(b"# a diary\n" * 100)
        self.refused("no registry of securecom")

    def test_another_programs_database(self) -> None:
        self.path.unlink()
        other = sqlite3.connect(self.path)
        other.execute("CREATE TABLE users (name)")
        other.commit()
        other.close()
        self.path.chmod(0o600)
        self.refused("no registry of securecom")

    def test_of_a_newer_version(self) -> None:
        self.connect().execute(f"PRAGMA user_version = {database.VERSION + 1}")
        self.assertIn("Use that version", self.refused("a newer securecom").hint)

    def test_half_made(self) -> None:
        self.connect().execute("PRAGMA user_version = 0")
        self.refused("half a registry")

    def test_without_a_table(self) -> None:
        for table in ("blocks", "invitations"):
            self.connect().execute(f"DROP TABLE {table}")
            self.refused("half a registry")

    def test_cut_off(self) -> None:
        data = self.path.read_bytes()
        self.path.write_bytes(data[: len(data) // 2])
        self.refused("damaged")

    def test_with_a_page_gone_bad(self) -> None:
        data = bytearray(self.path.read_bytes())
        page = int.from_bytes(data[16:18], "big")
        data[-page:] = os.urandom(page)
        self.path.write_bytes(data)
        self.refused("damaged")

    def test_rows_that_the_tables_forbid(self) -> None:
        connection = self.connect()
        connection.execute("INSERT INTO users VALUES ('bob', NULL, 0, 1.0, NULL)")
        connection.execute("PRAGMA writable_schema = ON")
        connection.execute(
            "UPDATE sqlite_schema SET sql = replace(sql, 'IN (0, 1)', 'IN (1, 2)') "
            "WHERE name = 'users'"
        )
        connection.close()
        self.refused("damaged")

    def test_others_may_read_it(self) -> None:
        self.path.chmod(0o644)
        self.assertIn(f"chmod 600 {self.path}", self.refused("others on this machine").hint)

    def test_a_link(self) -> None:
        real = self.path.rename(f"{self.path}.real")
        self.path.symlink_to(real.absolute())
        self.refused("not a regular file")


class OlderTests(SynchronousTestCase):
    """A registry of version 1 is brought up to this one, whole or not at all."""

    def setUp(self) -> None:
        self.path = Path(self.mktemp())
        connection = sqlite3.connect(self.path, isolation_level=None)
        connection.execute(f"PRAGMA application_id = {database.APPLICATION}")
        for statement in VERSION_1:
            connection.execute(statement)
        connection.execute("INSERT INTO users VALUES ('alice', ?, 1, 5.5)", (ALICES_KEY,))
        connection.execute("INSERT INTO invitations VALUES (7, 'bob', ?, ?)", (hashed(1), LATER))
        connection.execute("PRAGMA user_version = 1")
        connection.close()
        self.path.chmod(0o600)

    def version(self) -> int:
        """As the file's header says it."""
        return int.from_bytes(self.path.read_bytes()[60:64], "big")

    def connect(self, busy: float = 0) -> sqlite3.Connection:
        connection = connect(self.path, busy=busy)
        self.addCleanup(connection.close)
        return connection

    def test_it_is_accepted_and_not_changed_by_looking_at_it(self) -> None:
        before = self.path.read_bytes()
        verify(self.path)
        self.assertEqual(self.path.read_bytes(), before)

    def test_nothing_is_lost_and_blocks_work(self) -> None:
        registry = SQLiteRegistry(SynchronousPool(self.connect()))
        alice = self.successResultOf(registry.user(ALICE))
        self.assertEqual(alice, User(ALICE, PublicKey(ALICES_KEY), disabled=True, created=5.5))
        (invitation,) = self.successResultOf(registry.invitations())
        self.assertEqual((invitation.number, invitation.name), (7, BOB))
        self.successResultOf(registry.block(ALICE, BOB))
        self.assertEqual(self.successResultOf(registry.blocked(ALICE)), [BOB])
        key, new = PublicKey(ALICES_KEY), new_key()
        link = Link(key, new, bytes(64), bytes(64))
        self.assertEqual(self.successResultOf(registry.succeed(ALICE, link)), [link])
        self.assertEqual(self.version(), database.VERSION)
        verify(self.path)

    def test_it_becomes_what_a_new_one_is(self) -> None:
        fresh = Path(self.mktemp())
        create(fresh)
        schemas = []
        for connection in (self.connect(), connect(fresh)):
            self.addCleanup(connection.close)
            rows = connection.execute("SELECT name, sql FROM sqlite_schema ORDER BY name")
            schemas.append(rows.fetchall())
        self.assertEqual(*schemas)

    def test_once(self) -> None:
        self.connect().execute("INSERT INTO blocks VALUES ('alice', 'bob')")
        blocks = self.connect().execute("SELECT * FROM blocks").fetchall()
        self.assertEqual(blocks, [("alice", "bob")])

    def test_the_servers_pool_does_it_too(self) -> None:
        reactor = MemoryReactorClock()
        pool = database.connections(self.path, cast(IReactorThreads, reactor))
        pool.connect()  # type: ignore[attr-defined]
        pool.close()
        self.assertEqual(self.version(), database.VERSION)

    def test_while_another_process_writes_it_is_left(self) -> None:
        other = sqlite3.connect(self.path, isolation_level=None)
        self.addCleanup(other.close)
        other.execute("BEGIN IMMEDIATE")
        self.assertRaises(StateBusy, connect, self.path, busy=0)
        other.execute("ROLLBACK")
        self.assertEqual(self.version(), 1)
        self.connect()
        self.assertEqual(self.version(), database.VERSION)

    def test_what_cannot_be_done_whole_is_not_done(self) -> None:
        other = sqlite3.connect(self.path, isolation_level=None)
        other.execute("CREATE INDEX blocks_by_blocked ON users (name)")  # in the second step's way
        other.close()
        self.assertRaises(StateUnusable, connect, self.path, busy=0)
        self.assertEqual(self.version(), 1)
        other = sqlite3.connect(self.path)
        self.addCleanup(other.close)
        names = {row[0] for row in other.execute("SELECT name FROM sqlite_schema")}
        self.assertNotIn("blocks", names)


class ErrorTests(RegistryFileCase):
    """What SQLite says becomes one of three errors, and nothing has changed."""

    def test_locked_by_another_process(self) -> None:
        registry = self.open()
        self.connect().execute("BEGIN EXCLUSIVE")
        self.failureResultOf(registry.users(), StateBusy)
        self.failureResultOf(registry.invite(ALICE, hashed(1), LATER), StateBusy)
        self.assertRaises(StateBusy, connect, self.path, busy=0)

    def test_a_full_disk(self) -> None:
        connection = self.connect()
        connection.execute("PRAGMA max_page_count = 1")  # SQLite's own limit says SQLITE_FULL
        registry = SQLiteRegistry(SynchronousPool(connection))
        for number in range(200):
            if outcome(registry.invite(BOB, hashed(number), LATER)) is StateUnusable:
                break
        else:
            self.fail("it was never full")
        self.assertEqual(len(self.successResultOf(registry.invitations())), number)

    def test_read_only(self) -> None:
        connection = self.connect()
        connection.execute("PRAGMA query_only = ON")
        registry = SQLiteRegistry(SynchronousPool(connection))
        error = self.failureResultOf(registry.invite(ALICE, hashed(1), LATER), StateUnusable)
        self.assertIn("readonly", str(error.value))

    def test_damaged_while_open(self) -> None:
        registry = self.open()
        self.path.write_bytes(b"SQLite format 3\x00" + bytes(8000))
        self.failureResultOf(registry.users(), StateDamaged)

    def test_gone(self) -> None:
        self.path.unlink()
        self.assertRaises(StateUnusable, connect, self.path)
        self.assertFalse(self.path.exists())

    def test_not_made_over_another_file(self) -> None:
        before = self.path.read_bytes()
        self.assertRaises(StateUnusable, create, self.path)
        self.assertEqual(self.path.read_bytes(), before)

    def test_what_the_tables_refuse(self) -> None:
        registry = SQLiteRegistry(SynchronousPool(self.connect()))
        self.failureResultOf(registry.invite(ALICE, b"", LATER), StateDamaged)  # the CHECK


class ConnectionTests(RegistryFileCase):
    """How connections are set up."""

    def test_for_a_power_cut_and_for_privacy(self) -> None:
        connection = self.connect()
        for setting, value in (("synchronous", 3), ("secure_delete", 1), ("foreign_keys", 1)):
            self.assertEqual(connection.execute(f"PRAGMA {setting}").fetchone(), (value,))

    # Promise T111
    def test_privacy_does_not_rest_on_how_sqlite_was_built(self) -> None:
        connection = self.connect()
        connection.execute("PRAGMA secure_delete = OFF")
        database._set_up(connection)
        self.assertEqual(connection.execute("PRAGMA secure_delete").fetchone(), (1,))

    # Promise T111
    def test_what_was_removed_is_gone_from_the_file(self) -> None:
        registry, key = self.open(), new_key()
        self.successResultOf(registry.invite(Name("mallory-the-marked"), hashed(1), LATER))
        self.successResultOf(registry.spend(hashed(1), key, NOW))
        self.assertIn(key.raw, self.path.read_bytes())
        self.successResultOf(registry.block(Name("mallory-the-marked"), Name("victim-the-marked")))
        self.assertIn(b"victim-the-marked", self.path.read_bytes())
        self.successResultOf(registry.remove(Name("mallory-the-marked"), NOW))
        for gone in (key.raw, hashed(1), b"victim-the-marked"):
            self.assertFalse(gone in self.path.read_bytes())
        self.assertEqual(self.path.read_bytes().count(b"mallory-the-marked"), 2)  # and its index
        self.successResultOf(registry.end_quarantines(NOW + limits.NAME_QUARANTINE))
        self.assertFalse(b"mallory-the-marked" in self.path.read_bytes())

    def test_the_file_is_private(self) -> None:
        self.assertEqual(self.path.stat().st_mode & 0o777, 0o600)

    def test_the_servers_pool_has_one_connection_and_waits_for_the_reactor(self) -> None:
        reactor = MemoryReactorClock()
        pool = database.connections(self.path, cast(IReactorThreads, reactor))
        self.assertEqual((pool.min, pool.max, pool.noisy), (1, 1, False))  # type: ignore[attr-defined]
        connection = pool.connect()  # type: ignore[attr-defined]
        self.assertEqual(sql_registry.users(connection.cursor()), [])
        self.assertEqual(connection.execute("PRAGMA synchronous").fetchone(), (3,))
        pool.close()
