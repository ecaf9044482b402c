"""The file `known_peers`: the pins, as text.

Its first line names the version; every other line is the key of somebody at some server:

    <server id, 64 hex> <name> ssh-ed25519 <key> <first seen> tofu|verified
    <server id, 64 hex> <name> ssh-ed25519 <key> <first seen> was-tofu|was-verified <until>
    <server id, 64 hex> <name> ssh-ed25519 <key> <first seen> signed-tofu|signed-verified <until>

The first kind is the pin, one for each name. The others stand behind their pin and are keys that
were replaced, the oldest first: by one that the person took, or by one that it signed over to.
Moments are Unix seconds.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, cast

from securecom import limits
from securecom.errors import BadKey, BadName, StateDamaged
from securecom.identity import Name, PublicKey

FIRST_LINE = "securecom known_peers 1"

_SERVER_HEX = 64
_FIELDS = 6
_WAS, _SIGNED = "was-", "signed-"
#: The year 10000, from which on a moment cannot be written as a date.
_END_OF_TIME = 253402300800

#: Trust on first use, or the person compared the keys.
Kept = Literal["tofu", "verified"]


@dataclass(frozen=True, slots=True)
class OldKey:
    """A key that a pin has replaced, from when until when it was the pin.

    :param signed_over: it signed over to the one that replaced it.
    """

    key: PublicKey
    first_seen: int
    trust: Kept
    until: int
    signed_over: bool = False


@dataclass(frozen=True, slots=True)
class Pin:
    """A key we have met, since when (Unix seconds), how far it is trusted, and those before it."""

    key: PublicKey
    first_seen: int
    trust: Kept
    earlier: tuple[OldKey, ...] = ()


#: By server id and name.
Pins = dict[tuple[bytes, str], Pin]


def written(pins: Pins) -> bytes:
    """The file."""
    lines = [FIRST_LINE]
    for whose, pin in sorted(pins.items()):
        lines.append(_line(*whose, pin))
        lines += [_line(*whose, old) for old in pin.earlier]
    return "".join(f"{line}\n" for line in lines).encode("ascii")


def parse(data: bytes, path: Path) -> Pins:
    """:raises StateDamaged: with the file and line that is not ours."""
    lines = data.split(b"\n")
    if lines[0] != FIRST_LINE.encode("ascii"):
        raise StateDamaged(f"{path}, line 1: this is no list of pins of this version")
    if lines.pop():
        raise StateDamaged(f"{path}, line {len(lines) + 1}: the file ends in the middle")
    pins: Pins = {}
    for number, line in enumerate(lines[1:], 2):
        try:
            server, name, found = _parse_line(line.decode("ascii"))
        except (ValueError, BadName, BadKey):
            raise StateDamaged(f"{path}, line {number}: this is no pin") from None
        pin = pins.get((server, name))
        if isinstance(found, OldKey):
            if pin is None:
                raise StateDamaged(f"{path}, line {number}: {name} has no pin before this line")
            if len(pin.earlier) == limits.MAX_OLD_KEYS:
                raise StateDamaged(f"{path}, line {number}: {name} has more old keys than are kept")
            found = replace(pin, earlier=(*pin.earlier, found))
        elif pin is not None:
            raise StateDamaged(f"{path}, line {number}: {name} comes twice")
        pins[(server, name)] = found
    return pins


def _line(server: bytes, name: str, one: Pin | OldKey) -> str:
    head = f"{server.hex()} {name} {one.key.to_openssh()} {one.first_seen}"
    if isinstance(one, OldKey):
        return f"{head} {_SIGNED if one.signed_over else _WAS}{one.trust} {one.until}"
    return f"{head} {one.trust}"


def _parse_line(line: str) -> tuple[bytes, Name, Pin | OldKey]:
    """:raises ValueError, BadName, BadKey: if the line is not exactly what `_line` writes."""
    words = line.split(" ")
    is_old = len(words) == _FIELDS + 1
    if not (is_old or len(words) == _FIELDS) or len(words[0]) != _SERVER_HEX:
        raise ValueError("not the fields of a pin")
    server, name = bytes.fromhex(words[0]), Name(words[1])
    key = PublicKey.from_openssh(f"{words[2]} {words[3]}")
    signed_over = words[5].startswith(_SIGNED)
    trust = words[5].removeprefix(_SIGNED if signed_over else _WAS) if is_old else words[5]
    if trust not in ("tofu", "verified"):
        raise ValueError("not a kind of trust")
    kept, seen = cast(Kept, trust), _moment(words[4])
    one: Pin | OldKey = Pin(key, seen, kept)
    if is_old:
        one = OldKey(key, seen, kept, _moment(words[6]), signed_over)
    if _line(server, name, one) != line:
        raise ValueError("not as we write it")
    return server, name, one


def _moment(word: str) -> int:
    moment = int(word)
    if not 0 <= moment < _END_OF_TIME:
        raise ValueError("no moment")
    return moment
