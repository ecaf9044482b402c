"""Several processes on one registry: whatever the moment, each change happens once and whole.

Two connections to one file are two processes as far as SQLite's locks go; a trace callback, which
SQLite calls before each statement, puts the second into the middle of what the first does.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from twisted.internet.defer import Deferred

from securecom.errors import NameTaken, StateBusy
from securecom.identity import Identity, Name
from securecom.refusals import BadInvitation, KeyInUse
from securecom.server.database import SynchronousPool
from securecom.server.sqlite_registry import SQLiteRegistry
from securecom.succession import Link
from securecom.tests.support.registry_case import ALICE, LATER, NOW, hashed, new_key
from securecom.tests.support.registry_file import RegistryFileCase, outcome

T = TypeVar("T")

#: Statements of a spend that succeeds, BEGIN among them.
SPEND_STATEMENTS = 5
#: The same of a new key.
SUCCEED_STATEMENTS = 8


class SharingTests(RegistryFileCase):
    def done(self, result: Deferred[T]) -> T:
        value: T = self.successResultOf(result)
        return value

    def invite(self, name: Name, number: int) -> None:
        self.done(self.open().invite(name, hashed(number), LATER))

    def disturbed(
        self, change: Callable[[SQLiteRegistry], T], at: int, disturb: Callable[[], object]
    ) -> T:
        """What `change` gives when `disturb` happens before its statement number `at`."""
        connection = self.connect()
        seen: list[str] = []

        def trace(statement: str) -> None:
            seen.append(statement)
            if len(seen) == at:
                disturb()

        connection.set_trace_callback(trace)
        result = change(SQLiteRegistry(SynchronousPool(connection)))
        self.assertGreaterEqual(len(seen), at)
        return result

    # Promise T10
    def test_fifty_connections_spend_one_invitation_once(self) -> None:
        self.invite(ALICE, 1)
        spenders = [self.open() for _ in range(50)]
        told = [outcome(spender.spend(hashed(1), new_key(), NOW)) for spender in spenders]
        self.assertEqual(told.count(ALICE), 1)
        self.assertEqual(told.count(BadInvitation), 49)

    def both_spend(self, at: int) -> tuple[object, object]:
        """What two are told who spend one invitation, the second in the middle of the first."""
        second: list[object] = []
        other = self.open()

        def spend(registry: SQLiteRegistry) -> object:
            return outcome(registry.spend(hashed(at), new_key(), NOW))

        first = self.disturbed(spend, at, lambda: second.append(spend(other)))
        if second == [StateBusy]:  # told to wait: so it tries once more
            second = [spend(other)]
        return first, second[0]

    def test_before_the_first_has_begun_the_second_wins(self) -> None:
        self.invite(ALICE, 1)
        self.assertEqual(self.both_spend(at=1), (BadInvitation, ALICE))

    # Promise T10
    def test_once_the_first_has_begun_it_wins(self) -> None:
        for at in range(2, SPEND_STATEMENTS + 1):
            name = Name(f"alice{at}")
            self.invite(name, at)
            self.assertEqual(self.both_spend(at), (name, BadInvitation), f"before statement {at}")
        self.assertEqual(len(self.done(self.open().users())), SPEND_STATEMENTS - 1)

    def one_key_twice(self, at: int) -> list[object]:
        """What two are told who give one key to two names at once."""
        key, other = new_key(), self.open()
        second: list[object] = []
        first = self.disturbed(
            lambda registry: outcome(registry.spend(hashed(2 * at), key, NOW)),
            at,
            lambda: second.append(outcome(other.spend(hashed(2 * at + 1), key, NOW))),
        )
        if second == [StateBusy]:
            second = [outcome(other.spend(hashed(2 * at + 1), key, NOW))]
        return [first, *second]

    # Promise T10
    def test_at_no_moment_one_key_gets_two_names(self) -> None:
        for at in range(2, SPEND_STATEMENTS + 1):
            self.invite(Name(f"a{at}"), 2 * at)
            self.invite(Name(f"b{at}"), 2 * at + 1)
            self.assertEqual(self.one_key_twice(at), [Name(f"a{at}"), KeyInUse])

    def test_at_no_moment_a_name_is_invited_that_is_just_enrolling(self) -> None:
        admin = self.open()
        for at in range(2, SPEND_STATEMENTS + 1):
            name, told = Name(f"alice{at}"), list[object]()
            self.invite(name, at)
            self.disturbed(
                lambda server, at=at: self.done(server.spend(hashed(at), new_key(), NOW)),  # type: ignore[misc]
                at,
                lambda name=name, told=told: told.append(  # type: ignore[misc]
                    outcome(admin.invite(name, hashed(100), LATER))
                ),
            )
            self.assertEqual(told, [StateBusy])
            self.failureResultOf(admin.invite(name, hashed(100), LATER), NameTaken)

    def test_a_reader_sees_the_whole_of_a_change_or_nothing_of_it(self) -> None:
        reader, seen = self.open(), list[tuple[int, int]]()

        def look() -> None:
            users, invitations = self.done(reader.users()), self.done(reader.invitations())
            seen.append((len(users), len(invitations)))

        for at in range(1, SPEND_STATEMENTS + 1):
            self.invite(Name(f"alice{at}"), at)
            self.disturbed(
                lambda server, at=at: self.done(server.spend(hashed(at), new_key(), NOW)),  # type: ignore[misc]
                at,
                look,
            )
        self.assertEqual(seen, [(before, 1) for before in range(SPEND_STATEMENTS)])

    def test_a_new_key_is_written_with_its_link_or_not_at_all(self) -> None:
        """From the first statement on nobody else writes: no reset comes in between."""
        old, new = Identity.generate(), Identity.generate()
        self.invite(ALICE, 1)
        self.done(self.open().spend(hashed(1), old.public_key, NOW))
        link = Link.signed(b"s" * 32, ALICE, old, new)
        told: list[object] = []
        other = self.open()
        for at in range(2, SUCCEED_STATEMENTS + 1):
            written = self.disturbed(
                lambda registry: outcome(registry.succeed(ALICE, link)),
                at,
                lambda: told.append(outcome(other.reset_key(ALICE))),
            )
            self.assertEqual(written, [link])
            key = old.public_key
            self.connect().execute("UPDATE users SET key = ?, second = ?", (key.raw, key.second))
            self.connect().execute("DELETE FROM successions")
        self.assertEqual(told, [StateBusy] * (SUCCEED_STATEMENTS - 1))

    def test_the_version_tells_of_others_changes(self) -> None:
        server, admin = self.open(), self.open()
        before = self.done(server.version())
        self.done(admin.invite(ALICE, hashed(1), LATER))
        after = self.done(server.version())
        self.assertNotEqual(after, before)
        self.done(admin.users())
        self.assertEqual(self.done(server.version()), after)
