"""What a profile keeps of introductions: those we make, those we agreed to, those we received.

It is one file of JSON in the profile, replaced as a whole. A file that we would not have written,
or that other users of this machine may change, is refused and left as it is.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from securecom import limits, statements
from securecom.client.profile import private_files
from securecom.errors import BadKey, BadName, NotNow, StateDamaged
from securecom.identity import Name, PublicKey
from securecom.introduction import Person

VERSION = 1


@dataclass(frozen=True, slots=True)
class Side:
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


@dataclass(frozen=True, slots=True)
class Making:
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


@dataclass(frozen=True, slots=True)
class Agreed:
    """We agreed to be introduced to `other` by this introducer, who had this fingerprint."""

    server: str
    introducer: str
    fingerprint: str
    other: str
    since: int


@dataclass(frozen=True, slots=True)
class Received:
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
        self._path, self._server, self._now = path, server.hex(), now
        self._book = Book()
        self._seen: tuple[int, int, int, int] | None = None

    # --- those we make ----------------------------------------------------------------------

    def making(self) -> list[Making]:
        """Those that are not done, the oldest first. :raises StateDamaged: as all of this class."""
        return [one for one in self._read().making if one.server == self._server]

    def begin(self, one: Person, other: Person) -> Making:
        """Keep that our person wants to introduce these two. :raises NotNow: if it cannot be."""
        book = self._read()
        names = {one.name, other.name}
        if any({made.one.name, made.other.name} == names for made in self.making()):
            raise NotNow(f"you are introducing {one.name} and {other.name} already")
        if len(book.making) >= limits.MAX_INTRODUCTIONS:
            what = f"{limits.MAX_INTRODUCTIONS} introductions are open, which is the most"
            raise NotNow(what, "Nothing was kept.", ("introduce", ""))
        made = Making(self._server, _side(one), _side(other), int(self._now()))
        book.making.append(made)
        self._write(book)
        return made

    def put(self, made: Making) -> None:
        """Keep how far it is; one that both sides have is done, and forgotten."""
        book = self._read()
        rest = [one for one in book.making if not _same_two(one, made)]
        if not (made.one.is_done and made.other.is_done):
            rest.append(made)
        book.making = rest
        self._write(book)

    def drop(self, made: Making) -> None:
        """It will not be made."""
        book = self._read()
        book.making = [one for one in book.making if not _same_two(one, made)]
        self._write(book)

    # --- those we agreed to -----------------------------------------------------------------

    def has_agreed(self, introducer: Person, other: Name) -> bool:
        """We have said yes to being introduced to `other` by this person, with this key."""
        return any(self._is_for(one, introducer, other) for one in self._read().agreed)

    def agree(self, introducer: Person, other: Name) -> None:
        """Our person said yes. The oldest yes is forgotten when there are too many."""
        self.disagree(introducer, other)
        book = self._read()
        fingerprint = introducer.key.fingerprint
        said = Agreed(self._server, introducer.name, fingerprint, other, int(self._now()))
        book.agreed = [*book.agreed, said][-limits.MAX_AGREED_INTRODUCTIONS :]
        self._write(book)

    def disagree(self, introducer: Person, other: Name) -> None:
        """Our person said no, or it is done."""
        book = self._read()
        book.agreed = [one for one in book.agreed if not self._is_for(one, introducer, other)]
        self._write(book)

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
        book = self._read()
        key = statements.key_bytes(introduced.key).hex()
        came = Received(
            self._server, introduced.name, key, by.name, by.key.fingerprint, int(self._now())
        )
        same = (came.server, came.name, came.by)
        rest = [one for one in book.received if (one.server, one.name, one.by) != same]
        book.received = [*rest, came][-limits.MAX_RECEIVED_INTRODUCTIONS :]
        self._write(book)

    def forget(self, name: Name) -> None:
        """What others said of this name's key counts no longer."""
        book = self._read()
        if any((one.server, one.name) == (self._server, name) for one in book.received):
            book.received = [
                one for one in book.received if (one.server, one.name) != (self._server, name)
            ]
            self._write(book)

    # --- the file ---------------------------------------------------------------------------

    def _read(self) -> Book:
        """What is kept, without what is too old."""
        book = self._refreshed()
        if not (book.making or book.agreed):
            return Book(received=list(book.received))
        since = self._now() - limits.INTRODUCTION_SECONDS
        return Book(
            [one for one in book.making if one.since > since],
            [one for one in book.agreed if one.since > since],
            list(book.received),
        )

    def _refreshed(self) -> Book:
        """Read the file again if somebody has replaced it."""
        if self._path is not None:
            try:
                facts = self._path.stat()
                seen = (facts.st_ino, facts.st_mtime_ns, facts.st_size, facts.st_mode)
                if seen != self._seen:
                    self._book, self._seen = _load(self._path), seen
            except FileNotFoundError:
                self._book, self._seen = Book(), None
            except OSError as error:
                raise _unusable(self._path, error) from None
        return self._book

    def _write(self, book: Book) -> None:
        if self._path is None:
            self._book = book
            return
        self._seen = None
        data = json.dumps({"version": VERSION, **asdict(book)}, indent=1).encode("ascii") + b"\n"
        try:
            private_files.write(self._path, data)
        except OSError as error:
            raise _unusable(self._path, error) from None


def _side(person: Person) -> Side:
    return Side(person.name, statements.key_bytes(person.key).hex())


def _same_two(one: Making, other: Making) -> bool:
    names = ({made.one.name, made.other.name} for made in (one, other))
    return one.server == other.server and len(set(map(frozenset, names))) == 1


def _unusable(path: Path, error: OSError) -> StateDamaged:
    return StateDamaged(f"{path} cannot be used ({error.strerror})")


def _load(path: Path) -> Book:
    """:raises OSError, StateDamaged: if it is not a file of ours."""
    data, is_open = private_files.read_plain(path, limits.MAX_INTRODUCTIONS_FILE)
    if is_open:
        what = f"others on this machine may use {path}; it was not read"
        raise StateDamaged(what, f"Nothing was changed. Type: chmod 600 {path}")
    try:
        if len(data) > limits.MAX_INTRODUCTIONS_FILE:
            raise ValueError("too long")
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
