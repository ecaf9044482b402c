"""Pins: the key of everybody we have met at a server, and whether it was compared.

The file `known_peers` is text. Its first line names the version; every other line is one pin:

    <server id, 64 hex> <name> ssh-ed25519 <key> <first seen, Unix seconds> tofu|verified

It is replaced as a whole (temporary file, fsync, rename) under a lock on a file beside it, after
reading it again, so that two clients of one profile never lose each other's pins. A file that is
not what we write is refused and left as it is.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, cast

from securecom.client.events import Trust
from securecom.client.profile import private_files
from securecom.errors import BadKey, BadName, PeerKeyChanged, StateDamaged
from securecom.identity import Name, PublicKey

FIRST_LINE = "securecom known_peers 1"

_SERVER_HEX = 64
_FIELDS = 6

#: Trust on first use, or the person compared the keys.
Kept = Literal["tofu", "verified"]
_Pins = dict[tuple[bytes, str], "Pin"]


@dataclass(frozen=True, slots=True)
class Pin:
    """A key we have met, since when (Unix seconds), and how far it is trusted."""

    key: PublicKey
    first_seen: int
    trust: Kept


class Contacts:
    """The pins at one server.

    :param path: the file; None keeps the pins in memory only.
    :param server: the server's id (32 bytes).
    :param now: the wall clock, Unix seconds.
    """

    def __init__(self, path: Path | None, server: bytes, now: Callable[[], float]) -> None:
        self._path, self._server, self._now = path, server, now
        self._pins: _Pins = {}
        self._seen: tuple[int, int, int] | None = None
        self._refresh()

    def pin(self, name: Name) -> Pin | None:
        """What we know of a name. :raises StateDamaged: if the file cannot be read."""
        self._refresh()
        return self._pins.get((self._server, name))

    def trust(self, name: Name, key: PublicKey | None = None) -> Trust:
        """How a name stands, or how it stands with the key that is claimed to be its own."""
        pin = self.pin(name)
        if pin is None:
            return "new"
        if key is not None and key != pin.key:
            return "changed"
        return "verified" if pin.trust == "verified" else "met"

    def meet(self, name: Name, key: PublicKey) -> None:
        """The peer has proved to hold this key: pin it, if it is the first.

        :raises PeerKeyChanged: if another key is pinned.
        :raises StateDamaged: if the file cannot be read or written.
        """
        with self._locked():
            pin = self.pin(name)
            if pin is None:
                self._pins[(self._server, name)] = Pin(key, int(self._now()), "tofu")
                self._write()
            elif pin.key != key:
                raise PeerKeyChanged(f"{name}'s key is not the one you know")

    # --- the file ---------------------------------------------------------------------------

    def _refresh(self) -> None:
        """Read the file again if somebody has replaced it."""
        if self._path is None:
            return
        try:
            facts = self._path.stat()
            seen = (facts.st_ino, facts.st_mtime_ns, facts.st_size)
            if seen != self._seen:
                self._pins = _parse(self._path.read_bytes(), self._path)
                self._seen = seen
        except FileNotFoundError:
            self._pins, self._seen = {}, None
        except OSError as error:
            raise _unusable(self._path, error) from None

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """Nobody else writes meanwhile; held for one small write, so waiting for it is short."""
        if self._path is None:
            yield
            return
        try:
            lock = os.open(
                self._path.with_name(self._path.name + ".lock"),
                _LOCK_FLAGS,
                private_files.FILE_MODE,
            )
        except OSError as error:
            raise _unusable(self._path, error) from None
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
        finally:
            os.close(lock)

    def _write(self) -> None:
        if self._path is None:
            return
        lines = [FIRST_LINE, *(_line(*key, pin) for key, pin in sorted(self._pins.items()))]
        try:
            private_files.write(self._path, "".join(f"{line}\n" for line in lines).encode("ascii"))
        except OSError as error:
            self._seen, self._pins = None, {}  # what is on the disk counts
            raise _unusable(self._path, error) from None


_LOCK_FLAGS = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC


def _unusable(path: Path, error: OSError) -> StateDamaged:
    return StateDamaged(f"{path} cannot be used ({error.strerror})")


def _line(server: bytes, name: str, pin: Pin) -> str:
    return f"{server.hex()} {name} {pin.key.to_openssh()} {pin.first_seen} {pin.trust}"


def _parse(data: bytes, path: Path) -> _Pins:
    """:raises StateDamaged: with the file and line that is not ours."""
    lines = data.split(b"\n")
    if lines[0] != FIRST_LINE.encode("ascii"):
        raise StateDamaged(f"{path}, line 1: this is no list of pins of this version")
    if lines.pop():
        raise StateDamaged(f"{path}, line {len(lines) + 1}: the file ends in the middle")
    pins: _Pins = {}
    for number, line in enumerate(lines[1:], 2):
        try:
            server, name, pin = _parse_line(line.decode("ascii"))
        except (ValueError, BadName, BadKey):
            raise StateDamaged(f"{path}, line {number}: this is no pin") from None
        if (server, name) in pins:
            raise StateDamaged(f"{path}, line {number}: {name} comes twice")
        pins[(server, name)] = pin
    return pins


def _parse_line(line: str) -> tuple[bytes, Name, Pin]:
    """:raises ValueError, BadName, BadKey: if the line is not exactly what `_line` writes."""
    words = line.split(" ")
    if len(words) != _FIELDS or len(words[0]) != _SERVER_HEX:
        raise ValueError("not the fields of a pin")
    server, name = bytes.fromhex(words[0]), Name(words[1])
    key = PublicKey.from_openssh(f"{words[2]} {words[3]}")
    if words[5] not in ("tofu", "verified"):
        raise ValueError("not a kind of trust")
    pin = Pin(key, int(words[4]), cast(Kept, words[5]))
    if _line(server, name, pin) != line:
        raise ValueError("not as we write it")
    return server, name, pin
