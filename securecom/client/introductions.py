"""What a profile keeps of introductions: those we make, those we agreed to, those we received.

It is one file of JSON, which several clients of one profile share.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from securecom import limits, statements
from securecom.client.profile.shared_file import SharedFile
from securecom.errors import BadKey, BadName, NotNow, StateDamaged
from securecom.identity import Name, PublicKey
from securecom.introduction import Person
from securecom.values import Value, as_dict, replace

VERSION = 1


class Side(Value):
    """One of the two whom we introduce to each other.

    :param key: as `statements.key_bytes` has it, in hexadecimal: the one that we had verified.
    :param consent: the signature with which they agreed, in hexadecimal; empty: not yet.
    :param is_done: they have the other one's key from us.
    """

    name: str
    key: str
    consent: str = ""
    is_done: bool = False

    @property
    def person(self) -> Person:
        """Name and key."""
        return Person(Name(self.name), statements.key_from(bytes.fromhex(self.key)))


class Making(Value):
    """An introduction that we make, from when (Unix seconds)."""

    server: str
    one: Side
    other: Side
    since: int

    def sides(self, name: str) -> tuple[Side, Side]:
        """The side of this name, and the other one."""
        return (self.one, self.other) if self.one.name == name else (self.other, self.one)

    def with_side(self, side: Side) -> Making:
        """The same, with this in place of the side of that name."""
        if self.one.name == side.name:
            return replace(self, one=side)
        return replace(self, other=side)


class Agreed(Value):
    """We agreed to be introduced to `other` by this introducer, who had this fingerprint."""

    server: str
    introducer: str
    fingerprint: str
    other: str
    since: int


class Received(Value):
    """An introduction of `name` that we took. `by`, `fingerprint`: the introducer and their key."""

    server: str
    name: str
    key: str
    by: str
    fingerprint: str
    since: int

    @property
    def public_key(self) -> PublicKey:
        """The key that was introduced."""
        return statements.key_from(bytes.fromhex(self.key))


@dataclass
class Book:
    """All of it, at every server."""

    making: list[Making] = field(default_factory=list)
    agreed: list[Agreed] = field(default_factory=list)
    received: list[Received] = field(default_factory=list)


class Introductions:
    """The introductions at one server.

    :param path: the file; None keeps them in memory only.
    :param server: the server's id (32 bytes).
    :param now: the wall clock, Unix seconds.
    """

    def __init__(self, path: Path | None, server: bytes, now: Callable[[], float]) -> None:
        self._server, self._now = server.hex(), now
        self._file = SharedFile(path, limits.MAX_INTRODUCTIONS_FILE, _parse, _written, Book)

    # --- those we make ----------------------------------------------------------------------

    def making(self) -> list[Making]:
        """Those that are not done, the oldest first. :raises StateDamaged: as all of this class."""
        return [one for one in self._read().making if one.server == self._server]

    def begin(self, one: Person, other: Person) -> Making:
        """Keep that our person wants to introduce these two. :raises NotNow: if it cannot be."""
        made = Making(self._server, _side(one), _side(other), int(self._now()))
        with self._changing() as book:
            if any(_same_two(made, open_one) for open_one in book.making):
                raise NotNow(f"you are introducing {one.name} and {other.name} already")
            if len(book.making) >= limits.MAX_INTRODUCTIONS:
                what = f"{limits.MAX_INTRODUCTIONS} introductions are open, which is the most"
                raise NotNow(what, "Nothing was kept.", ("introduce", ""))
            book.making.append(made)
        return made

    def put(self, made: Making) -> None:
        """Keep how far it is; one that both sides have is done, and forgotten."""
        with self._changing() as book:
            rest = [one for one in book.making if not _same_two(one, made)]
            if not (made.one.is_done and made.other.is_done):
                rest.append(made)
            book.making = rest

    def drop(self, made: Making) -> None:
        """It will not be made."""
        with self._changing() as book:
            book.making = [one for one in book.making if not _same_two(one, made)]

    # --- those we agreed to -----------------------------------------------------------------

    def has_agreed(self, introducer: Person, other: Name) -> bool:
        """We have said yes to being introduced to `other` by this person, with this key."""
        return any(self._is_for(one, introducer, other) for one in self._read().agreed)

    def agree(self, introducer: Person, other: Name) -> None:
        """Our person said yes. The oldest yes is forgotten when there are too many."""
        fingerprint = introducer.key.fingerprint
        said = Agreed(self._server, introducer.name, fingerprint, other, int(self._now()))
        with self._changing() as book:
            rest = [one for one in book.agreed if not self._is_for(one, introducer, other)]
            book.agreed = [*rest, said][-limits.MAX_AGREED_INTRODUCTIONS :]

    def disagree(self, introducer: Person, other: Name) -> None:
        """Our person said no, or it is done."""
        with self._changing() as book:
            book.agreed = [one for one in book.agreed if not self._is_for(one, introducer, other)]

    def _is_for(self, one: Agreed, introducer: Person, other: Name) -> bool:
        said = (one.server, one.introducer, one.fingerprint, one.other)
        return said == (self._server, introducer.name, introducer.key.fingerprint, other)

    # --- those we received ------------------------------------------------------------------

    def received(self, name: str | None = None) -> list[Received]:
        """Those that we took, of this name or of all, the latest first."""
        found = [one for one in self._read().received if one.server == self._server]
        return [one for one in reversed(found) if name in (None, one.name)]

    def receive(self, introduced: Person, by: Person) -> None:
        """Keep it, in the place of an older one by the same introducer."""
        key = statements.key_bytes(introduced.key).hex()
        came = Received(
            self._server, introduced.name, key, by.name, by.key.fingerprint, int(self._now())
        )
        same = (came.server, came.name, came.by)
        with self._changing() as book:
            rest = [one for one in book.received if (one.server, one.name, one.by) != same]
            book.received = [*rest, came][-limits.MAX_RECEIVED_INTRODUCTIONS :]

    def forget(self, name: Name) -> None:
        """What others said of this name's key counts no longer."""
        with self._changing() as book:
            book.received = [
                one for one in book.received if (one.server, one.name) != (self._server, name)
            ]

    # --- the file ---------------------------------------------------------------------------

    def _read(self) -> Book:
        return self._current(self._file.read())

    def _current(self, book: Book) -> Book:
        """A copy of what is kept, without what is too old."""
        since = self._now() - limits.INTRODUCTION_SECONDS
        return Book(
            [one for one in book.making if one.since > since],
            [one for one in book.agreed if one.since > since],
            list(book.received),
        )

    @contextmanager
    def _changing(self) -> Iterator[Book]:
        """What is kept, to be changed; it is written when the block ends and changed anything."""
        with self._file.changing() as kept:
            book = self._current(kept)
            yield book
            if book != kept:
                self._file.write(book)


def _side(person: Person) -> Side:
    return Side(person.name, statements.key_bytes(person.key).hex())


def _same_two(one: Making, other: Making) -> bool:
    names = ({made.one.name, made.other.name} for made in (one, other))
    return one.server == other.server and len(set(map(frozenset, names))) == 1


def _written(book: Book) -> bytes:
    told = {
        "making": [as_dict(one) for one in book.making],
        "agreed": [as_dict(one) for one in book.agreed],
        "received": [as_dict(one) for one in book.received],
    }
    return json.dumps({"version": VERSION, **told}, indent=1).encode("ascii") + b"\n"


def _parse(data: bytes, path: Path) -> Book:
    """:raises StateDamaged: if it is not what we write."""
    try:
        return _book(json.loads(data))
    except (ValueError, TypeError, KeyError, AttributeError, BadKey, BadName, RecursionError):
        hint = "Nothing was changed. Move it away to begin without introductions."
        raise StateDamaged(f"{path} does not have what this client writes there", hint) from None


def _book(told: Any) -> Book:
    """:raises ValueError, TypeError, KeyError, BadKey, BadName: if it is not one of ours."""
    if told.pop("version") != VERSION:
        raise ValueError("another version")
    made = [
        Making(**{**one, "one": Side(**one["one"]), "other": Side(**one["other"])})
        for one in told.pop("making")
    ]
    agreed = [Agreed(**one) for one in told.pop("agreed")]
    received = [Received(**one) for one in told.pop("received")]
    for making in made:
        for side in (making.one, making.other):
            _ = side.person, bytes.fromhex(side.consent)
            _check(side.is_done, bool)
    for came in received:
        _ = Name(came.name), Name(came.by), came.public_key
        _check(came.fingerprint, str)
    kept: list[Making | Agreed | Received] = [*made, *agreed, *received]
    for one in kept:
        _check(one.since, int)
        _check(one.server, str)
    for said in agreed:
        _ = Name(said.introducer), Name(said.other)
        _check(said.fingerprint, str)
    if told:
        raise ValueError("more than we write")
    return Book(made, agreed, received)


def _check(value: object, kind: type) -> None:
    if type(value) is not kind:
        raise TypeError("a value of another kind")
