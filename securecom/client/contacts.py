"""Pins: the key of everybody we have met at a server, and whether it was compared.

The file `known_peers` is text. Its first line names the version; every other line is one pin:

    <server id, 64 hex> <name> ssh-ed25519 <key> <first seen, Unix seconds> tofu|verified

It is replaced as a whole (temporary file, fsync, rename) under a lock on a file beside it, after
reading it again, so that two clients of one profile never lose each other's pins. A file that is
not what we write, or that others may use, is refused and left as it is.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, cast

from securecom import limits
from securecom.client.events import Trust
from securecom.client.profile import private_files
from securecom.errors import BadKey, BadName, PeerKeyChanged, StateBusy, StateDamaged
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
        self._seen: tuple[int, int, int, int] | None = None
        self._refresh()

    def pin(self, name: Name) -> Pin | None:
        """What we know of a name. :raises StateDamaged: if the file cannot be read."""
        self._refresh()
        return self._pins.get((self._server, name))

    def names(self) -> list[Name]:
        """Everybody whose key is pinned, in order. :raises StateDamaged: as `pin`."""
        self._refresh()
        return sorted(Name(name) for server, name in self._pins if server == self._server)

    def trust(self, name: Name, key: PublicKey | None = None) -> Trust:
        """How a name stands, or how it stands with the key that is claimed to be its own.

        :raises PeerKeyChanged: if the key is pinned, but as somebody else's.
        """
        pin = self.pin(name)
        if pin is None:
            self._check_nobody_elses(key)
            return "new"
        if key is not None and key != pin.key:
            return "changed"
        return "verified" if pin.trust == "verified" else "met"

    def meet(self, name: Name, key: PublicKey) -> None:
        """The peer has proved to hold this key: pin it, if it is the first.

        :raises PeerKeyChanged: if another key is pinned, or this one under another name.
        :raises StateDamaged: if the file cannot be read or written.
        :raises StateBusy: if another process is writing.
        """
        with self._locked():
            pin = self.pin(name)
            if pin is None:
                self._check_nobody_elses(key)
                self._pins[(self._server, name)] = Pin(key, int(self._now()), "tofu")
                self._write()
            elif pin.key != key:
                raise PeerKeyChanged(f"{name}'s key is not the one you know")

    def _check_nobody_elses(self, key: PublicKey | None) -> None:
        """A key that we know is not new because it comes under a name that is."""
        for (server, name), pin in self._pins.items():
            if server == self._server and pin.key == key:
                what = f"this key is known to you as {name}"
                hint = "Nothing was sent. Ask them by another way why they have another name."
                raise PeerKeyChanged(what, hint)

    # --- the file ---------------------------------------------------------------------------

    def _refresh(self) -> None:
        """Read the file again if somebody has replaced it."""
        if self._path is None:
            return
        try:
            facts = self._path.stat()
            seen = (facts.st_ino, facts.st_mtime_ns, facts.st_size, facts.st_mode)
            if seen != self._seen:
                self._pins = _parse(_read(self._path), self._path)
                self._seen = seen
        except FileNotFoundError:
            self._pins, self._seen = {}, None
        except OSError as error:
            raise _unusable(self._path, error) from None

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """Nobody else writes meanwhile. :raises StateBusy: if somebody does; nothing waits here."""
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
            _lock(lock, self._path)
            yield
        finally:
            os.close(lock)

    def _write(self) -> None:
        if self._path is None:
            return
        lines = [FIRST_LINE, *(_line(*key, pin) for key, pin in sorted(self._pins.items()))]
        data = "".join(f"{line}\n" for line in lines).encode("ascii")
        try:
            private_files.write(self._path, _bounded(data, self._path))
        except (OSError, StateDamaged) as error:
            self._seen, self._pins = None, {}  # what is on the disk counts
            if isinstance(error, StateDamaged):
                raise
            raise _unusable(self._path, error) from None


_LOCK_FLAGS = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC


def _unusable(path: Path, error: OSError) -> StateDamaged:
    return StateDamaged(f"{path} cannot be used ({error.strerror})")


def _lock(lock: int, path: Path) -> None:
    """Take the lock now: we are in the reactor's thread, so nothing may wait for it."""
    for _ in range(limits.LOCK_TRIES):
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            continue
        except OSError as error:
            raise _unusable(path, error) from None
        return
    raise StateBusy(f"another client is writing {path}; nothing was pinned")


def _read(path: Path) -> bytes:
    """:raises StateDamaged: if others may use it, or it is too long."""
    data, is_open = private_files.read(path, limits.MAX_KNOWN_PEERS_FILE)
    if is_open:
        what = f"others on this machine may use {path}; it was not read"
        raise StateDamaged(what, f"Nothing was changed. Type: chmod 600 {path}")
    return _bounded(data, path)


def _bounded(data: bytes, path: Path) -> bytes:
    """:raises StateDamaged: if it is longer than what is read."""
    if len(data) > limits.MAX_KNOWN_PEERS_FILE:
        raise StateDamaged(f"{path} would be longer than {limits.MAX_KNOWN_PEERS_FILE} bytes")
    return data


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
