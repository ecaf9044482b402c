"""What can retire keys, ours and those of people we have met, and which of them are retired.

It is one file of JSON, which several clients of one profile share.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from securecom import limits
from securecom.client.profile import private_files
from securecom.client.profile.profile import RETIREMENTS_FILE
from securecom.client.profile.shared_file import SharedFile
from securecom.errors import BadKey, BadName, StateDamaged
from securecom.identity import BOTH_BYTES, Name, PublicKey
from securecom.values import Value, as_dict

VERSION = 1

_SERVER_HEX, _PUBLIC_HEX = 64, 128


class Retirable(Value):
    """Somebody's key, and what can retire it.

    :param fingerprint: of the key that announced it. What is announced holds for this key and
        for the keys that it signs over to.
    :param public: the public half of the key pair that can retire them, in hexadecimal; of
        several announced, the first one counts.
    """

    server: str
    name: str
    fingerprint: str
    public: str


class Retired(Value):
    """A key that its owner retired. It stays so, whatever key its owner has since.

    :param key: all that is known of it, in hexadecimal.
    """

    server: str
    name: str
    key: str

    @property
    def public_key(self) -> PublicKey:
        """:raises BadKey, ValueError: if it is none."""
        return _key(bytes.fromhex(self.key))


@dataclass
class _Book:
    own: dict[str, str] = field(default_factory=dict)  # by server id
    people: list[Retirable] = field(default_factory=list)
    retired: list[Retired] = field(default_factory=list)


class Retirements:
    """The retirements at one server.

    :param path: the file; None keeps them in memory only.
    :param server: the server's id (32 bytes).
    """

    def __init__(self, path: Path | None, server: bytes) -> None:
        self._server = server.hex()
        self._file = SharedFile(path, limits.MAX_RETIREMENTS_FILE, parse, _written, _Book)

    @property
    def own(self) -> bytes | None:
        """The public half of our own words. :raises StateDamaged: as all of this class."""
        public = self._file.read().own.get(self._server)
        return None if public is None else bytes.fromhex(public)

    def keep_own(self, public: bytes | None) -> None:
        """The server has it; None: it has gone with the key."""
        with self._file.changing() as book:
            own = {server: one for server, one in book.own.items() if server != self._server}
            if public is not None:
                own[self._server] = public.hex()
            self._file.write(_Book(own, book.people, book.retired))

    def of(self, name: Name, fingerprints: list[str]) -> Retirable | None:
        """What can retire this name's key, one of those with these fingerprints."""
        for one in self._file.read().people:
            if (one.server, one.name) == (self._server, name) and one.fingerprint in fingerprints:
                return one
        return None

    def learn(self, name: Name, fingerprint: str, public: bytes) -> None:
        """Somebody has said, with this key, what can retire it; in the place of an older key's."""
        whose = (self._server, name)
        with self._file.changing() as book:
            rest = [other for other in book.people if (other.server, other.name) != whose]
            one = Retirable(*whose, fingerprint, public.hex())
            self._file.write(_Book(book.own, [*rest, one], book.retired))

    def retire(self, name: Name, keys: Sequence[PublicKey]) -> None:
        """These keys of the name's are retired, for good."""
        new = [Retired(self._server, name, key.encoded.hex()) for key in keys]
        with self._file.changing() as book:
            retired = [*book.retired, *(one for one in new if one not in book.retired)]
            if retired != book.retired:
                self._file.write(_Book(book.own, book.people, retired))

    def retired(self) -> list[tuple[str, PublicKey]]:
        """Whose keys are retired, and which."""
        here = [one for one in self._file.read().retired if one.server == self._server]
        return [(one.name, one.public_key) for one in here]


def parse(data: bytes, path: Path) -> _Book:
    """:raises StateDamaged: if it is not what we write."""
    try:
        if len(data) > limits.MAX_RETIREMENTS_FILE:
            raise ValueError("too long")
        return _book(json.loads(data))
    except (ValueError, TypeError, KeyError, AttributeError, BadName, BadKey, RecursionError):
        hint = "Nothing was changed. Restore it, or ask everybody for their keys anew."
        raise StateDamaged(f"{path} does not have what this client writes there", hint) from None


def carry_over(former: Path, folder: Path) -> None:
    """What we know of other people's keys goes on with a new profile of ours, in these folders.

    Our own words do not: they were for the former key. A file that is damaged goes on as it is, so
    that nobody is trusted again because of it.

    :raises OSError: if it cannot be read or written.
    """
    old, new = former / RETIREMENTS_FILE, folder / RETIREMENTS_FILE
    if not old.exists() or new.exists():
        return
    data = old.read_bytes()
    with contextlib.suppress(StateDamaged):
        book = parse(data, old)
        data = _written(_Book({}, book.people, book.retired))
    private_files.write(new, data)


def _written(book: _Book) -> bytes:
    told = {
        "own": book.own,
        "people": [as_dict(one) for one in book.people],
        "retired": [as_dict(one) for one in book.retired],
    }
    return json.dumps({"version": VERSION, **told}, indent=1).encode("ascii") + b"\n"


def _book(told: Any) -> _Book:
    """:raises ValueError, TypeError, KeyError, AttributeError, BadName, BadKey: if it is not
    ours.
    """
    if told.pop("version") != VERSION:
        raise ValueError("another version")
    people = [Retirable(**one) for one in told.pop("people")]
    book = _Book(told.pop("own"), people, [Retired(**one) for one in told.pop("retired")])
    if told:
        raise ValueError("more than we write")
    for server, public in book.own.items():
        _check_hex(server, _SERVER_HEX)
        _check_hex(public, _PUBLIC_HEX)
    for one in book.people:
        _check_hex(one.server, _SERVER_HEX)
        _check_hex(one.public, _PUBLIC_HEX)
        _ = Name(one.name)
        if type(one.fingerprint) is not str:
            raise TypeError("a value of another kind")
    for gone in book.retired:
        _check_hex(gone.server, _SERVER_HEX)
        _ = Name(gone.name), gone.public_key
    return book


def _key(data: bytes) -> PublicKey:
    return PublicKey.of_both(data) if len(data) == BOTH_BYTES else PublicKey(data)


def _check_hex(text: str, length: int) -> None:
    if len(bytes.fromhex(text)) * 2 != length:
        raise ValueError("not as many bytes")
