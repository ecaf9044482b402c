"""/mydata shows all that the server holds, complete by construction.

The registry: every column of the real schema is declared in `server.personal`, and a marker in each
personal one is found in what a client shows. What the server remembers is in `test_remembered`.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from typing import Any

from twisted.internet.defer import fail
from twisted.trial.unittest import SynchronousTestCase

from securecom import limits, refusals, statements, vocabulary
from securecom.client.events import DataHeld
from securecom.client.frontends.plain import Plain
from securecom.errors import StateBusy
from securecom.identity import SECOND_KEY_BYTES, SECOND_SIGNATURE_BYTES, Name, PublicKey
from securecom.server import personal
from securecom.server.database import SynchronousPool, in_memory
from securecom.server.personal import DataOwner, Shown, Table
from securecom.server.sqlite_registry import SQLiteRegistry
from securecom.tests.support.memory_client import MemoryClient
from securecom.tests.support.memory_server import NOW, ManualClient, MemoryServer, chatting
from securecom.tests.support.my_data_case import MyDataCase
from securecom.tests.support.scripted_server import outcome
from securecom.tests.support.silent_paths import BOB, PATHS, Empty, Silent
from securecom.vocabulary import Fact, FactsArgument, fact_bytes

ALICE = Name("alice")


def undeclared(connection: sqlite3.Connection) -> Iterator[str]:
    """What is in the schema and not declared, or declared and not there: a line each."""
    tables = connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'").fetchall()
    real = {table: columns(connection, table) for (table,) in tables}
    for table in real.keys() - personal.TABLES.keys():
        yield f"table {table} is new: say in server/personal.py whose rows are there, or why not"
    for table, declared in personal.TABLES.items():
        if table not in real:
            yield f"table {table} of server/personal.py is not in the schema"
        elif isinstance(declared, Table):
            for column in real[table].keys() ^ declared.columns.keys():
                yield (
                    f"column {table}.{column} is in the schema or in server/personal.py, not in "
                    "both: there it is Owner, Shown (under which word?) or Exempt (why?)"
                )


def columns(connection: sqlite3.Connection, table: str) -> dict[str, str]:
    """Each column with its type."""
    rows = connection.execute(f"PRAGMA table_info({table})").fetchall()
    return {row[1]: row[2] for row in rows}


def personal_tables() -> Iterator[tuple[str, Table]]:
    for name, declared in personal.TABLES.items():
        if isinstance(declared, Table):
            yield name, declared


class DeclarationTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.connection = in_memory()
        self.addCleanup(self.connection.close)

    # Promise T25, C49
    def test_every_column_is_somebodys_or_exempt(self) -> None:
        self.assertEqual(list(undeclared(self.connection)), [])

    def test_what_is_new_is_missed(self) -> None:
        """The test above finds a table, a column and a declaration too many, and names them."""
        self.connection.execute("CREATE TABLE diaries (name TEXT)")
        self.connection.execute("ALTER TABLE users ADD COLUMN shoe_size INTEGER")
        self.connection.execute("DROP TABLE quarantine")
        told = list(undeclared(self.connection))
        self.assertEqual(len(told), 3)
        for missed in ("table diaries is new", "column users.shoe_size", "table quarantine of"):
            self.assertIn(missed, "\n".join(told))

    def test_each_table_has_one_owner_and_each_exemption_a_reason(self) -> None:
        for name, declared in personal.TABLES.items():
            if isinstance(declared, Table):
                owners = [one for one in declared.columns.values() if isinstance(one, DataOwner)]
                self.assertEqual(len(owners), 1, name)
            reasons = [declared] if not isinstance(declared, Table) else declared.columns.values()
            for one in reasons:
                self.assertTrue(len(getattr(one, "why", "a reason")) > 5, name)


class Marked:
    """A registry where Alice's rows hold a marker in each personal column.

    A new table whose checks want more than its types say gets its values in `special`.
    """

    def __init__(self) -> None:
        self.server = MemoryServer()
        self.connection = in_memory()
        self.server.registry = SQLiteRegistry(SynchronousPool(self.connection))
        self.server.reception._registry = self.server.registry
        self.server.reception.roster._registry = self.server.registry
        self.server.reception.key_changes._registry = self.server.registry
        self.identity = self.server.enrolled("alice")
        self.server.enrolled("bob")
        key = self.identity.public_key.raw
        special: dict[str, Any] = {"users.key": key, "users.disabled": 0}
        special["users.second"] = self.identity.public_key.second
        special["successions.old_signature"] = b"\xb1" * 64
        special["successions.new_signature"] = b"\xb2" * 64
        special["retired_keys.signature"] = b"\xb5" * statements.SIGNATURE_BYTES
        special["retired_keys.public"] = b"\xb6" * 64
        special["retirement_keys.public"] = b"\xb7" * 64
        special["successions.old_second_key"] = b"\xb3" * SECOND_KEY_BYTES
        special["successions.old_second_signature"] = b"\xb4" * SECOND_SIGNATURE_BYTES
        self._count = 0
        #: Table and column -> the value there.
        self.markers: dict[tuple[str, str], Any] = {}
        self.connection.execute("DELETE FROM users WHERE name = 'alice'")
        for table, declared in personal_tables():
            row = {declared.owner: "alice"}
            for column, kind in columns(self.connection, table).items():
                if column != declared.owner:
                    row[column] = special.get(f"{table}.{column}", self._marker(kind))
                    self.markers[table, column] = row[column]
            places = ", ".join("?" * len(row))
            statement = f"INSERT INTO {table} ({', '.join(row)}) VALUES ({places})"
            self.connection.execute(statement, list(row.values()))

    def _marker(self, kind: str) -> Any:
        self._count += 1
        if kind == "TEXT":
            return f"marker-{self._count}"
        if kind == "BLOB":
            return bytes([0xA0 + self._count]) * 32
        return 1_700_000_000 + 86400 * self._count

    def everything(self) -> str:
        """All rows of all tables."""
        return "\n".join(self.connection.iterdump())

    def alice(self) -> MemoryClient:
        """Her real client, online."""
        return MemoryClient(self.server.network, self.identity, self.server.pin).start()


class MarkerTests(SynchronousTestCase):
    """A marker in each personal column comes out at the other end."""

    def setUp(self) -> None:
        self.marked = Marked()
        self.alice = self.marked.alice()

    def shown(self) -> tuple[DataHeld, str]:
        """The event, and what a person reads."""
        came = outcome(self.alice.main.account.my_data())
        self.marked.server.network.pump()
        (event,) = came
        return event, "\n".join(Plain(lambda: "12:00").lines(event))

    # Promise T25, C49
    def test_every_marker_is_found_under_its_word(self) -> None:
        event, text = self.shown()
        found = 0
        for table, declared in personal_tables():
            for column, one in declared.columns.items():
                if isinstance(one, Shown):
                    value = one.written(self.marked.markers[table, column])
                    fact = (declared.part, one.what, value)
                    told = [(one.part, one.what, one.value) for one in event.facts]
                    self.assertIn(fact, told, f"{table}.{column}")
                    self.assertIn(f"{one.what}: {value}", text)
                    found += 1
        self.assertEqual(found, len(self.marked.markers))
        self.assertGreater(found, 6)

    def test_what_is_written_is_the_value_and_not_a_word_for_it(self) -> None:
        _, text = self.shown()
        for (table, column), value in self.marked.markers.items():
            where = f"{table}.{column}"
            if isinstance(value, str):
                self.assertIn(value, text, where)
            elif isinstance(value, bytes) and column not in ("key", "old_key", "new_key"):
                self.assertIn(value.hex(), text, where)
            elif isinstance(value, bytes):
                self.assertIn(PublicKey(value).to_openssh(), text, where)
            elif value > 1:
                self.assertTrue(str(value) in text or personal.moment(value) in text, where)

    def test_other_peoples_rows_are_not_shown(self) -> None:
        self.marked.connection.execute("INSERT INTO blocks VALUES ('bob', 'alice')")
        self.marked.connection.execute("INSERT INTO blocks VALUES ('bob', 'carol')")
        _, text = self.shown()
        self.assertNotIn("bob", text)
        self.assertNotIn("carol", text)
        self.assertIn(
            "who has blocked you, if anybody: other people's block lists are theirs", text
        )

    # Promise T26, C54
    def test_after_forget_me_no_marker_is_left(self) -> None:
        before = self.marked.everything()
        came = outcome(self.alice.main.account.forget_me(ALICE))
        self.marked.server.network.pump()
        self.assertEqual([type(one).__name__ for one in came], ["Forgotten"])
        after = self.marked.everything()
        for where, value in self.marked.markers.items():
            written = _as_dumped(value)
            if where not in (("users", "disabled"), ("invitations", "number")):  # 0, a count
                self.assertIn(written, before, where)
                self.assertNotIn(written, after, where)
        rows = [line for line in after.splitlines() if "alice" in line]
        until = NOW + limits.NAME_QUARANTINE
        self.assertEqual(rows, [f"INSERT INTO \"quarantine\" VALUES('alice',{until});"])


def _as_dumped(value: Any) -> str:
    return value.hex().upper() if isinstance(value, bytes) else str(value)


class PageTests(MyDataCase):
    def fill(self) -> list[Name]:
        names = [Name(f"{number:03}".rjust(32, "n")) for number in range(limits.MAX_BLOCKED)]
        for name in names:
            self.server.registry.block(ALICE, name)
        available = {"available": True, "audience": names}
        self.alice.done(self.alice.ask(vocabulary.SetAvailability, **available))
        return names

    def test_the_longest_lists_come_whole_and_each_page_fits_a_frame(self) -> None:
        names = self.fill()
        sizes: list[int] = []
        pages = [self.page()]
        while pages[-1]["more"]:
            pages.append(self.page(further=True))
        for page in pages:
            sizes.append(len(FactsArgument().toString(page["facts"])))
        self.assertGreater(len(pages), 1)
        self.assertLessEqual(max(sizes), limits.MY_DATA_PAGE)
        self.assertGreater(sizes[0], limits.MY_DATA_PAGE - 200)
        facts = [fact for page in pages for fact in page["facts"]]
        for part, what in (("blocked by you", "name"), ("availability", "to")):
            told = [fact.value for fact in facts if (fact.part, fact.what) == (part, what)]
            self.assertEqual(told, names)

    def test_a_page_is_full_to_the_byte_and_no_further(self) -> None:
        whole = self.facts()
        size = sum(len(fact_bytes(fact)) + 1 for fact in whole)
        self.patch(limits, "MY_DATA_PAGE", size)
        self.assertFalse(self.page()["more"])
        self.patch(limits, "MY_DATA_PAGE", size - 1)
        self.assertTrue(self.page()["more"])
        self.assertEqual(len(self.page(further=True)["facts"]), 1)

    def test_all_pages_are_of_one_moment(self) -> None:
        self.fill()
        first = self.page()
        self.alice.done(self.alice.ask(vocabulary.Unblock, name=Name("199".rjust(32, "n"))))
        rest = self.page(further=True)["facts"]
        told = [fact.value for fact in first["facts"] + rest if fact.part == "blocked by you"]
        self.assertEqual(len(told), limits.MAX_BLOCKED)

    def test_nothing_is_behind_the_last_page(self) -> None:
        empty = {"facts": [], "more": False}
        self.assertEqual(self.page(further=True), empty)
        self.facts()
        self.assertEqual(self.page(further=True), empty)

    def test_a_new_look_begins_anew(self) -> None:
        self.fill()
        first = self.page()["facts"]
        self.assertEqual(self.page()["facts"][:50], first[:50])

    # Promise T95
    def test_not_without_end(self) -> None:
        """Also over log-ins: the rate is the person's."""
        for _ in range(limits.MY_DATA_BY_PERSON):
            self.page()
        self.page(further=True)
        again = self.alice.ask(vocabulary.MyData, further=False)
        self.failureResultOf(again, refusals.TooManyRequests)
        client = ManualClient(self.server, self.alice.identity)
        client.log_in(takeover=True)
        self.failureResultOf(client.ask(vocabulary.MyData, further=False), refusals.TooManyRequests)
        self.server.network.clock.advance(limits.REQUEST_WINDOW)
        self.facts(client)

    def test_a_broken_disk_is_told(self) -> None:
        self.patch(self.server.registry, "held", lambda *_: fail(StateBusy("busy")))
        self.failureResultOf(
            self.alice.ask(vocabulary.MyData, further=False), refusals.ServerTrouble
        )


class RememberedTests(MyDataCase):
    """What the server has in memory only."""

    def setUp(self) -> None:
        super().setUp()
        self.bob = self.server.client("bob")

    def test_the_session(self) -> None:
        told = dict(self.of("session"))
        self.assertEqual(told["your address"], "192.0.2.1")
        self.assertEqual(told["request channel"], "opened by your client")
        self.assertEqual(len(told["handle"]), 32)
        self.assertEqual(told["chats ended, whose late frames are dropped"], "0")
        stream = chatting(self.alice, self.bob, "bob")
        self.alice.done(self.alice.ask(vocabulary.EndChat, stream=stream))
        told = dict(self.of("session"))
        self.assertEqual(told["chats ended, whose late frames are dropped"], "1")

    def test_the_request_channel_is_gone(self) -> None:
        self.alice.request.close()
        self.server.network.pump()
        self.assertEqual(dict(self.of("session"))["request channel"], "none")

    def test_availability(self) -> None:
        you_are = ("you are", "available")
        everybody = [you_are, ("until", "the session ends"), ("to", "everybody")]
        self.assertEqual(self.of("availability"), everybody)
        lease = {"available": True, "seconds": 100, "audience": [BOB, Name("aron")]}
        lease["busy_to"] = [BOB]
        self.alice.done(self.alice.ask(vocabulary.SetAvailability, **lease))
        self.server.network.clock.advance(10)
        to = [("to", "aron"), ("to", "bob"), ("sees when you are busy", "bob")]
        self.assertEqual(self.of("availability"), [you_are, ("until", "90 s from now"), *to])
        self.alice.done(self.alice.ask(vocabulary.SetAvailability, available=False))
        self.assertEqual(self.of("availability"), [("you are", "away")])

    def test_a_request_as_both_know_it(self) -> None:
        self.alice.ask(vocabulary.RequestChat, callee=BOB).addErrback(lambda _: None)
        self.assertEqual(self.of("request"), [("you ask", "bob")])
        self.assertEqual(self.of("request", self.bob), [("asks you", "alice")])

    def test_a_request_for_a_chat_with_an_end(self) -> None:
        self.alice.ask(vocabulary.RequestChat, callee=BOB, chat_seconds=1200).addErrback(
            lambda _: None
        )
        self.assertEqual(self.of("request"), [("you ask", "bob"), ("for", "1200 s")])
        expected = [("asks you", "alice"), ("for", "1200 s")]
        self.assertEqual(self.of("request", self.bob), expected)

    def test_a_chat(self) -> None:
        stream = chatting(self.alice, self.bob, "bob")
        self.assertEqual(self.of("chat"), [("with", "bob"), ("stream", str(stream))])
        self.assertEqual(self.of("chat", self.bob), [("with", "alice"), ("stream", str(stream))])
        self.assertEqual(self.of("request"), [])

    def test_refusals_by_and_of_me(self) -> None:
        asked = self.alice.ask(vocabulary.RequestChat, callee=BOB)
        self.bob.answer("refuse")
        self.failureResultOf(asked, refusals.Refused)
        self.server.network.clock.advance(10)
        wait = f"{limits.COOLDOWN_FIRST - 10:.0f} s from now"
        mine = [("bob refused you, you may ask again", wait)]
        self.assertEqual(self.of("refusals"), mine)
        theirs = [("you refused alice, who may ask again", wait)]
        self.assertEqual(self.of("refusals", self.bob), theirs)
        self.patch(limits, "PEER_GONE", 2 * limits.COOLDOWN_FORGOTTEN)
        self.server.network.clock.advance(limits.COOLDOWN_FIRST)
        over = [("bob refused you, you may ask again", "now; another no makes it longer")]
        self.assertEqual(self.of("refusals"), over)

    def test_a_refusal_that_is_forgotten_is_not_held(self) -> None:
        cooldowns = self.server.switchboard.restraints.cooldowns
        cooldowns.refused(ALICE, BOB)
        self.assertEqual(cooldowns.of(ALICE), [(ALICE, BOB, 60)])
        self.patch(limits, "COOLDOWN_FORGOTTEN", 0.0)
        self.assertEqual(cooldowns.of(ALICE), [])
        self.assertEqual(cooldowns._refusals, {})

    def test_counts(self) -> None:
        self.assertEqual(
            dict(self.of("counted lately")),
            {
                "requests by you": "0",
                "requests to you": "0",
                "pages of the list of people": "0",
                "looks at this": "1",
                "looks at your blocks": "0",
                "new keys": "0",
                "tries for a new key": "0",
                "tries to register for a retirement": "0",
            },
        )
        self.alice.ask(vocabulary.RequestChat, callee=BOB).addErrback(lambda _: None)
        self.alice.done(self.alice.ask(vocabulary.ListAvailable, after=b"", text=b""))
        self.alice.done(self.alice.ask(vocabulary.ListBlocked))
        told = dict(self.of("counted lately"))
        self.assertEqual(told["looks at your blocks"], "1")
        self.assertEqual((told["requests by you"], told["requests to you"]), ("1", "0"))
        self.assertEqual(told["pages of the list of people"], "1")
        self.assertEqual(dict(self.of("counted lately", self.bob))["requests to you"], "1")


class SilenceTests(SynchronousTestCase):
    """/mydata gives nobody away: not by a request that stands, not when it is over."""

    def setUp(self) -> None:
        self.patch(limits, "PEER_GONE", float("inf"))  # nobody pings here

    def told(self, path: type[Empty], over: bool) -> list[Fact]:
        """What Alice is shown of herself, while she waits for Bob or afterwards."""
        server = path("my data")
        server.before()
        asked = outcome(server.alice.ask(vocabulary.RequestChat, callee=BOB))
        server.meanwhile()
        if over:
            server.until(lambda: bool(asked))
            server.after()
        facts = server.alice.done(server.alice.ask(vocabulary.MyData, further=False))["facts"]
        own = ("handle", "key", "SHA-256 of the second key")
        return [fact for fact in facts if fact.what not in own]

    # Promise T102, C52
    def test_while_one_waits_it_is_the_same_whatever_the_path(self) -> None:
        expected = self.told(Silent, over=False)
        self.assertIn(Fact("request", "you ask", "bob"), expected)
        for path in PATHS:
            self.assertEqual(self.told(path, over=False), expected, path.__name__)

    # Promise T102, C52
    def test_and_when_it_is_over(self) -> None:
        expected = self.told(Silent, over=True)
        self.assertNotIn("request", [fact.part for fact in expected])
        for path in PATHS:
            self.assertEqual(self.told(path, over=True), expected, path.__name__)

    def test_who_is_asked_in_vain_sees_nothing_of_it(self) -> None:
        server = MemoryServer()
        alice, bob = server.client("alice"), server.client("bob")
        bob.done(bob.ask(vocabulary.Block, name=ALICE))
        alice.ask(vocabulary.RequestChat, callee=BOB).addErrback(lambda _: None)
        facts = bob.done(bob.ask(vocabulary.MyData, further=False))["facts"]
        told = [fact for fact in facts if "alice" in "".join(fact)]
        self.assertEqual(told, [Fact("blocked by you", "name", "alice")])


class OthersTests(MyDataCase):
    # Promise T62
    def test_nobody_sees_anybody_elses(self) -> None:
        """There is no way to ask for another name; what others hold of me stays theirs."""
        bob = self.server.client("bob")
        for command, more in (
            (vocabulary.Block, {"name": Name("mallory")}),
            (vocabulary.SetAvailability, {"available": True, "audience": [ALICE, Name("trent")]}),
        ):
            bob.done(bob.ask(command, **more))
        text = "\n".join("\t".join(fact) for fact in self.facts())
        for name in ("bob", "mallory", "trent"):
            self.assertNotIn(name, text)

    # Promise C51
    def test_what_is_kept_back_is_said(self) -> None:
        told = dict(self.of("not shown"))
        self.assertIn("who has blocked you, if anybody", told)
        self.assertTrue(all(told.values()))


class OrderTests(SynchronousTestCase):
    def test_rows_that_refer_to_others_go_first(self) -> None:
        """`erase` works with foreign keys that do not cascade."""
        connection = in_memory()
        self.addCleanup(connection.close)
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute("INSERT INTO users VALUES ('alice', NULL, 0, 1.0, NULL)")
        connection.execute("CREATE TABLE notes (name TEXT REFERENCES users (name))")
        connection.execute("INSERT INTO notes VALUES ('alice')")
        tables = {**personal.TABLES, "notes": Table("notes", {"name": DataOwner()})}
        self.patch(personal, "TABLES", tables)
        personal.erase(connection.cursor(), ALICE)
        self.assertEqual(connection.execute("SELECT * FROM users").fetchall(), [])
