"""The registry on a real PostgreSQL: what every registry does, and what happens in a fault."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from twisted.internet import reactor as _reactor
from twisted.internet.defer import Deferred, DeferredList, maybeDeferred
from twisted.internet.endpoints import TCP4ServerEndpoint, UNIXClientEndpoint
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.internet.task import deferLater
from twisted.internet.threads import deferToThread
from twisted.python.failure import Failure
from twisted.trial.unittest import SkipTest, SynchronousTestCase, TestCase

from securecom import limits
from securecom.errors import (
    OurFault,
    OutcomeUnknown,
    RegistryAway,
    StateBusy,
    StateDamaged,
)
from securecom.identity import Name
from securecom.refusals import BadInvitation
from securecom.server import personal, postgres
from securecom.server.personal import Table
from securecom.server.postgres import Address
from securecom.server.postgres_registry import PostgresRegistry, open_directly, open_pooled
from securecom.tests.support.registry_case import ALICE, BOB, LATER, NOW, hashed, new_key
from securecom.tests.support.registry_contract import RegistryContract
from tests.support.postgres_case import PATIENT, SERVER, PostgresCase
from tests.support.postgres_server import PostgresServer, missing
from tests.support.processes import Process, environment

reactor: Any = _reactor


class ContractTests(PostgresCase, RegistryContract, SynchronousTestCase):
    """The same contract as for SQLite."""

    def open_registry(self) -> PostgresRegistry:
        return open_directly(self.address, SERVER)


class SchemaTests(PostgresCase, SynchronousTestCase):
    def test_every_column_is_the_one_of_sqlite(self) -> None:
        """Or `/mydata` would not show it, and a move would leave it behind."""
        found: dict[str, list[str]] = {}
        for table, column in self.as_admin(
            "SELECT table_name, column_name FROM information_schema.columns "
            "WHERE table_schema = %s ORDER BY table_name, ordinal_position",
            postgres.SCHEMA,
        ):
            found.setdefault(table, []).append(column)
        declared = dict(personal.TABLES)
        self.assertEqual(
            found.keys(), declared.keys() - {"sqlite_sequence"} | {"registry", "changes"}
        )
        for table, one in declared.items():
            if isinstance(one, Table):
                self.assertEqual(set(found[table]), one.columns.keys())

    def test_what_the_tables_refuse(self) -> None:
        key = new_key().raw
        self.as_admin("INSERT INTO users VALUES ('alice', %s, 0, 1.0, NULL)", key)
        for statement, *values in (
            ("INSERT INTO users VALUES ('bob', %s, 0, 1.0, NULL)", key),
            ("INSERT INTO users VALUES ('alice', NULL, 0, 1.0, NULL)",),
            ("INSERT INTO users VALUES ('bob', %s, 0, 1.0, NULL)", b"short"),
            ("INSERT INTO users VALUES ('bob', NULL, 2, 1.0, NULL)",),
            ("INSERT INTO users VALUES ('bob', NULL, 0, 1.0, %s)", b"short"),
            ("INSERT INTO invitations VALUES (1, 'bob', %s, 1.0)", b"short"),
            ("INSERT INTO blocks VALUES ('nobody', 'alice')",),
            ("INSERT INTO blocks VALUES ('alice', 'alice')",),
            ("INSERT INTO quarantine VALUES (NULL, 1.0)",),
            ("INSERT INTO retirement_keys VALUES ('alice', %s)", b"short"),
            ("INSERT INTO retired_keys VALUES (%s, 'alice', %s, %s)", key, bytes(64), b"short"),
            ("INSERT INTO registry (version, server) VALUES (1, %s)", SERVER),
            ("INSERT INTO registry VALUES (false, 1, %s)", SERVER),
        ):
            with self.assertRaises(Exception) as caught:
                self.as_admin(statement, *values)
            self.assertRegex(getattr(caught.exception, "sqlstate", ""), "^23", statement)

    def test_names_are_in_the_order_of_their_bytes(self) -> None:
        for name in ("a_b", "a-c", "a.d", "ab"):
            self.as_admin("INSERT INTO users VALUES (%s, NULL, 0, 1.0, NULL)", name)
        users = self.successResultOf(self.open_directly().users())
        self.assertEqual([user.name for user in users], ["a-c", "a.d", "a_b", "ab"])


class SharedTests(PostgresCase, SynchronousTestCase):
    """Several processes use one registry."""

    def test_the_version_tells_of_others_changes_only(self) -> None:
        one, other = self.open_directly(), self.open_directly()
        before = self.successResultOf(one.version())
        self.successResultOf(one.invite(ALICE, hashed(1), LATER))
        self.successResultOf(one.spend(hashed(1), new_key(), NOW))
        self.assertEqual(self.successResultOf(one.version()), before)
        seen = self.successResultOf(other.version())
        self.successResultOf(one.disable(ALICE))
        self.assertNotEqual(self.successResultOf(other.version()), seen)
        before = self.successResultOf(one.version())
        self.successResultOf(other.unblock(ALICE, BOB))  # there was nothing to change
        self.assertEqual(self.successResultOf(one.version()), before)
        self.successResultOf(other.block(ALICE, BOB))
        self.assertNotEqual(self.successResultOf(one.version()), before)

    def test_who_has_changed(self) -> None:
        """Names, as long as all that was done since is about few people who are known."""
        one, other = self.open_directly(), self.open_directly()
        for number, name in enumerate((ALICE, BOB), 1):
            self.successResultOf(one.invite(name, hashed(number), LATER))
            self.successResultOf(one.spend(hashed(number), new_key(), NOW))
        seen = self.successResultOf(other.version())
        self.assertEqual(self.successResultOf(other.changed(seen)), [])
        self.successResultOf(one.disable(ALICE))
        self.successResultOf(one.block(ALICE, BOB))
        self.successResultOf(other.disable(BOB))
        self.assertEqual(self.successResultOf(other.changed(seen)), [ALICE])
        self.assertEqual(self.successResultOf(one.changed(seen)), [BOB])
        self.successResultOf(one.remove(ALICE, NOW))
        self.assertIsNone(self.successResultOf(other.changed(seen)))
        now = self.successResultOf(other.version())
        self.as_admin("DELETE FROM changes WHERE number <= %s", now + 1)
        self.assertIsNone(self.successResultOf(other.changed(now)))

    def test_many_have_changed(self) -> None:
        one, other = self.open_directly(), self.open_directly()
        self.patch(limits, "CHANGES_FOLLOWED", 1)
        for number, name in enumerate((ALICE, BOB), 1):
            self.successResultOf(one.invite(name, hashed(number), LATER))
            self.successResultOf(one.spend(hashed(number), new_key(), NOW))
        seen = self.successResultOf(other.version())
        self.successResultOf(one.disable(ALICE))
        self.assertEqual(self.successResultOf(other.changed(seen)), [ALICE])
        self.successResultOf(one.disable(BOB))
        self.assertIsNone(self.successResultOf(other.changed(seen)))

    def test_the_log_of_changes(self) -> None:
        registry = self.open_directly()
        key = new_key()
        self.successResultOf(registry.invite(ALICE, hashed(1), LATER))
        self.successResultOf(registry.spend(hashed(1), key, NOW))
        self.successResultOf(registry.block(ALICE, BOB))
        log = self.as_admin("SELECT number, name FROM changes ORDER BY number")
        self.assertEqual(log, [(1, None), (2, "alice"), (3, "alice")])
        self.successResultOf(registry.forget(ALICE, key, NOW))
        log = self.as_admin("SELECT number, name FROM changes ORDER BY number")
        self.assertEqual(log, [(number, None) for number in range(1, 5)])

    def test_the_log_is_no_longer_than_may_be(self) -> None:
        self.patch(limits, "CHANGES_KEPT", 3)
        registry = self.open_directly()
        for number in range(8):
            self.successResultOf(registry.invite(BOB, hashed(number), LATER))
        log = self.as_admin("SELECT number FROM changes ORDER BY number")
        self.assertEqual(log, [(6,), (7,), (8,)])

    def test_what_fails_changes_nothing_and_is_not_logged(self) -> None:
        registry = self.open_directly()
        self.failureResultOf(registry.spend(hashed(1), new_key(), NOW), BadInvitation)
        self.assertEqual(self.as_admin("SELECT number FROM registry"), [(0,)])

    def test_while_somebody_writes_others_read_and_writers_wait(self) -> None:
        self.patch(limits, "DATABASE_BUSY", 0.2)
        registry = self.open_directly()
        with self.server.admin(self.name) as other:
            other.execute("BEGIN")
            other.execute(f"SELECT 1 FROM {postgres.SCHEMA}.registry FOR UPDATE")
            self.assertEqual(self.successResultOf(registry.users()), [])
            self.failureResultOf(registry.invite(ALICE, hashed(1), LATER), StateBusy)
            other.execute("ROLLBACK")
        self.successResultOf(registry.invite(ALICE, hashed(1), LATER))

    def test_who_stands_still_while_writing_loses_the_lock(self) -> None:
        self.patch(limits, "DATABASE_BUSY", 0.5)
        asleep = postgres.connect(self.address, SERVER)
        self.addCleanup(asleep.close)
        self.patch(limits, "DATABASE_BUSY", 20.0)
        asleep.execute("BEGIN")
        asleep.execute("SELECT 1 FROM registry FOR UPDATE")
        patient = self.open_directly()
        self.successResultOf(patient.invite(ALICE, hashed(1), LATER))
        self.assertRaisesRegex(Exception, "timeout|closed", asleep.execute, "COMMIT")

    def test_a_newer_version_is_refused_also_while_running(self) -> None:
        registry = self.open_directly()
        self.as_admin("UPDATE registry SET version = %s", postgres.VERSION + 1)
        self.failureResultOf(registry.invite(ALICE, hashed(1), LATER), StateDamaged)
        error = self.assertRaises(StateDamaged, open_directly, self.address, SERVER)
        self.assertIn("newer", str(error))


class SpendersTests(PostgresCase, TestCase):
    timeout = 400.0

    # Promise T10
    async def test_two_processes_spend_one_invitation_fifty_times(self) -> None:
        registry = self.open_directly()
        argv = (*_module("tests.support.spender"), self.url, SERVER.hex())
        two = [Process(argv, environment(Path())) for _ in range(2)]
        for process in two:
            self.addCleanup(process.kill)
            await process.text("ready\n")
        for number in range(50):
            name = Name(f"u{number}")
            self.successResultOf(registry.invite(name, hashed(number), LATER))
            for process in two:
                process.type(f"{hashed(number).hex()}\n")
            for process in two:
                await process.text(rf"(?s)^(?:[^\n]+\n){{{number + 2}}}")
            told = sorted(process.output.splitlines()[number + 1] for process in two)
            self.assertEqual(told, ["BadInvitation", str(name)])
        users = self.successResultOf(registry.users())
        self.assertEqual(len(users), 50)


def _module(name: str) -> tuple[str, ...]:
    return (sys.executable, "-m", name)


class Wire(Protocol):
    """One end of what passes through a `Cutter`."""

    transport: Any

    def __init__(self, cutter: Cutter) -> None:
        self.cutter = cutter
        self.other: Wire | None = None
        self.waiting: list[bytes] = []
        self.on_waiting: Callable[[], None] | None = None

    def dataReceived(self, data: bytes) -> None:
        if self.other is None or self.other.transport is None:
            self.waiting.append(data)
            if self.on_waiting is not None:
                self.on_waiting()
        else:
            self.cutter.passes(self, data)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        if self.other is not None and self.other.transport is not None:
            self.other.transport.loseConnection()


class ClientWire(Wire):
    def connectionMade(self) -> None:
        self.cutter.wires.append(self)
        other = self.other = Wire(self.cutter)
        other.other = self
        connected = Factory.forProtocol(lambda: other)
        made = UNIXClientEndpoint(reactor, self.cutter.path).connect(connected)
        made.addCallbacks(self._connected, lambda _: self.transport.abortConnection())

    def _connected(self, _: object) -> None:
        for data in self.waiting:
            self.dataReceived(data)


class Cutter:
    """Stands between a registry and its PostgreSQL, and cuts the connection at a commit.

    :param cut: how often, and whether before the commit arrives or before its answer does.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self.wires: list[Wire] = []
        self.cuts_before = self.cuts_after = 0
        #: Nobody can connect any more after a cut.
        self.is_last = False
        self.port: Any = None

    async def listen(self) -> int:
        factory = Factory.forProtocol(lambda: ClientWire(self))
        self.port = await TCP4ServerEndpoint(reactor, 0, interface="127.0.0.1").listen(factory)
        return int(self.port.getHost().port)

    async def close(self) -> None:
        self.cut()
        await maybeDeferred(self.port.stopListening)

    def cut(self) -> None:
        for wire in self.wires:
            wire.transport.abortConnection()
        self.wires.clear()

    def passes(self, wire: Wire, data: bytes) -> None:
        assert wire.other is not None
        if isinstance(wire, ClientWire) and b"COMMIT\0" in data:
            if self.cuts_before:
                self.cuts_before -= 1
                self.cut()
                return
            if self.cuts_after:
                self.cuts_after -= 1
                wire.other.transport.write(data)
                wire.other.other, wire.other.on_waiting = None, self.cut  # the answer stays there
                if self.is_last:
                    self.port.stopListening()
                return
        wire.other.transport.write(data)


class PooledCase(PostgresCase, TestCase):
    """The registry as the server has it: connections on threads."""

    timeout = 400.0

    def open_pooled(self, url: str | None = None) -> PostgresRegistry:
        address = self.address if url is None else Address.parse(url)
        registry = open_pooled(address, SERVER, reactor)
        self.addCleanup(registry.close)
        return registry

    async def fails(self, result: Deferred[Any], why: type[Exception]) -> Exception:
        try:
            found = await result
        except why as error:
            return error
        raise self.failureException(f"no {why.__name__}, but {found}")


class PooledTests(PooledCase):
    async def test_reads_and_writes(self) -> None:
        registry = self.open_pooled()
        await registry.invite(ALICE, hashed(1), LATER)
        self.assertEqual(await registry.spend(hashed(1), new_key(), NOW), ALICE)
        self.assertEqual([user.name for user in await registry.users()], [ALICE])

    async def test_of_writes_at_once_one_that_fails_spoils_none(self) -> None:
        registry = self.open_pooled()
        written = [registry.invite(Name(f"u{n}"), hashed(n), LATER) for n in range(30)]
        written.insert(10, registry.invite(BOB, hashed(3), LATER))  # the token twice
        outcomes = await DeferredList(written, consumeErrors=True)
        self.assertEqual([n for n, (good, _) in enumerate(outcomes) if not good], [10])
        self.assertEqual(self.as_admin("SELECT number FROM registry"), [(30,)])

    async def test_a_read_from_before_a_write_is_told_before_it(self) -> None:
        registry = self.open_pooled()
        await registry.invite(ALICE, hashed(1), LATER)
        key = new_key()
        await registry.spend(hashed(1), key, NOW)
        told: list[str] = []
        held = self.server.admin(self.name)
        self.addCleanup(held.close)
        held.execute(f"BEGIN; LOCK TABLE {postgres.SCHEMA}.successions")  # a log-in reads it last
        read = registry.entrant(key).addCallback(lambda one: told.append("read"))
        while not self.as_admin("SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock'"):
            await deferLater(reactor, 0.01)
        wrote = registry.disable(ALICE).addCallback(lambda _: told.append("wrote"))
        while not self.as_admin("SELECT 1 FROM users WHERE disabled = 1"):
            await deferLater(reactor, 0.01)
        await deferLater(reactor, 0.1)
        self.assertEqual(told, [])
        held.execute("COMMIT")
        await wrote
        await read
        self.assertEqual(told, ["read", "wrote"])

    async def test_a_new_start_of_postgresql_that_nobody_noticed(self) -> None:
        registry = self.open_pooled()
        for _ in range(3):
            await DeferredList([registry.users() for _ in range(8)])  # all connections are there
            await registry.invite(BOB, hashed(_), LATER)
            self.as_admin(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE application_name = 'securecom' AND datname = %s",
                self.name,
            )
            outcomes = await DeferredList([registry.users() for _ in range(8)])
            self.assertTrue(all(good for good, _ in outcomes), outcomes)
        self.flushed()

    def flushed(self) -> None:
        """Nothing was logged with a traceback."""
        self.assertEqual(self.flushLoggedErrors(), [])

    async def test_cut_before_the_commit_it_is_done_once(self) -> None:
        registry, cutter = await self.through_a_cutter()
        cutter.cuts_before = 1
        await registry.invite(ALICE, hashed(1), LATER)
        self.assertEqual(cutter.cuts_before, 0)
        self.assertEqual(len(await registry.invitations()), 1)
        self.assertEqual(self.as_admin("SELECT number FROM registry"), [(1,)])

    async def test_cut_after_the_commit_it_was_done_once(self) -> None:
        registry, cutter = await self.through_a_cutter()
        cutter.cuts_after = 1
        told = await registry.invite(ALICE, hashed(1), LATER)
        self.assertEqual(cutter.cuts_after, 0)
        self.assertEqual(await registry.invitations(), [told])
        self.assertEqual(self.as_admin("SELECT number FROM registry"), [(1,)])

    async def test_cut_before_and_again_nothing_was_done(self) -> None:
        registry, cutter = await self.through_a_cutter()
        cutter.cuts_before = 2
        await self.fails(registry.invite(ALICE, hashed(1), LATER), RegistryAway)
        self.assertEqual(self.as_admin("SELECT number FROM registry"), [(0,)])

    async def test_cut_after_the_commit_and_nobody_to_ask_it_is_not_known(self) -> None:
        registry, cutter = await self.through_a_cutter()
        cutter.cuts_after, cutter.is_last = 1, True
        error = await self.fails(registry.invite(ALICE, hashed(1), LATER), OutcomeUnknown)
        self.assertIn("may have been done", str(error))
        self.assertEqual(self.as_admin("SELECT number FROM registry"), [(1,)])

    async def through_a_cutter(self) -> tuple[PostgresRegistry, Cutter]:
        cutter = Cutter(f"{self.server.folder}/.s.PGSQL.{self.server.port}")
        port = await cutter.listen()
        self.addCleanup(lambda: Deferred.fromCoroutine(cutter.close()))
        url = f"postgresql://securecom@127.0.0.1:{port}/{self.name}?sslmode=disable"
        registry = self.open_pooled(url)
        await DeferredList([registry.users() for _ in range(16)])  # each thread has its connection
        return registry, cutter


class FaultTests(PooledCase):
    """A server of the test's own is killed, stopped, and started again."""

    def setUp(self) -> None:
        if why := missing():
            raise SkipTest(why)
        own = PostgresServer()
        self.addCleanup(own.remove)
        own.start()
        self.prepare(own)

    async def test_killed_and_started_again_while_many_write(self) -> None:
        """What was acknowledged is there, once; what was refused is not."""
        registry = self.open_pooled()
        done: set[str] = set()
        refused: set[str] = set()
        unknown: set[str] = set()
        is_over = False

        async def writer(which: int) -> None:
            number = 0
            while not is_over:
                number += 1
                name = f"u{which}-{number}"
                try:
                    await registry.invite(Name(name), hashed(1000 * which + number), LATER)
                    done.add(name)
                except OutcomeUnknown:
                    unknown.add(name)
                except OurFault:
                    refused.add(name)
                    await deferLater(reactor, 0.05)

        writers = [Deferred.fromCoroutine(writer(which)) for which in range(12)]
        for how in (signal.SIGKILL, signal.SIGINT, signal.SIGKILL):
            before = len(done)
            while len(done) < before + 50:
                await deferLater(reactor, 0.02)
            await deferToThread(self.server.end, how)
            await deferLater(reactor, 0.3)
            await deferToThread(self.server.start)
        before = len(done)
        while len(done) < before + 50:
            await deferLater(reactor, 0.02)
        is_over = True
        await DeferredList(writers, fireOnOneErrback=True)
        there = [str(one.name) for one in await registry.invitations()]
        self.assertEqual(len(there), len(set(there)))
        self.assertEqual(done - set(there), set(), "acknowledged and lost")
        self.assertEqual(refused & set(there), set(), "refused and done")
        self.assertTrue(refused)
        self.assertEqual(set(there) - done - unknown, set())

    async def test_away_it_is_said_at_once_and_back_it_goes_on(self) -> None:
        registry = self.open_pooled()
        await registry.users()
        await deferToThread(self.server.end)
        error = await self.fails(registry.users(), RegistryAway)
        self.assertNotIn("\n", str(error))
        self.failureResultOf(registry.users(), RegistryAway)
        self.failureResultOf(registry.invite(ALICE, hashed(1), LATER), RegistryAway)
        await deferToThread(self.server.start)
        while True:
            await deferLater(reactor, 0.1)
            try:
                await registry.invite(ALICE, hashed(1), LATER)
                break
            except RegistryAway:
                continue
        self.assertEqual(len(await registry.invitations()), 1)

    async def test_frozen_nobody_waits_longer_than_the_deadline(self) -> None:
        registry = self.open_pooled()
        await DeferredList([registry.users() for _ in range(8)])
        patient = limits.REGISTRY_DEADLINE, limits.REGISTRY_CONNECT
        self.patch(limits, "REGISTRY_DEADLINE", 1.0)
        self.patch(limits, "REGISTRY_CONNECT", 2)
        self.server.signal(signal.SIGSTOP)
        began = reactor.seconds()
        results: list[Deferred[Any]] = [registry.users(), registry.invite(ALICE, hashed(1), LATER)]
        for result in results:
            await self.fails(result, RegistryAway)
        self.assertLess(reactor.seconds() - began, PATIENT)
        self.patch(limits, "REGISTRY_DEADLINE", patient[0])
        self.patch(limits, "REGISTRY_CONNECT", patient[1])
        self.server.signal(signal.SIGCONT)
        while True:
            await deferLater(reactor, 0.1)
            try:
                await registry.invite(BOB, hashed(2), LATER)
                break
            except RegistryAway:
                continue
        self.assertEqual([one.name for one in await registry.invitations()], [BOB])
