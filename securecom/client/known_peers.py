"""Pins, and the text of the file `known_peers` that keeps them."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, cast

from securecom import limits
from securecom.errors import BadKey, BadName, StateDamaged
from securecom.identity import Name, PublicKey
from securecom.values import Value, replace

FIRST_LINE = "securecom known_peers 2"
#: Of a file from before there were second keys. It is read, and written anew at the next change.
OLD_FIRST_LINE = "securecom known_peers 1"
#: In place of a second key's digest: we know the first key alone.
_NO_SECOND = "-"

_SERVER_HEX = 64
_FIELDS = 7
_WAS, _SIGNED = "was-", "signed-"
#: The year 10000, from which on a moment cannot be written as a date.
_END_OF_TIME = 253402300800

#: Trust on first use, or the person compared the keys.
PinTrust = Literal["tofu", "verified"]


class OldKey(Value):
    """A key that a pin has replaced, from when until when it was the pin.

    :param signed_over: it signed over to the one that replaced it.
    """

    key: PublicKey
    first_seen: int
    trust: PinTrust
    until: int
    signed_over: bool = False


class Pin(Value):
    """A key we have met, since when (Unix seconds), how far it is trusted, and those before it."""

    key: PublicKey
    first_seen: int
    trust: PinTrust
    earlier: tuple[OldKey, ...] = ()


#: By server id and name.
Pins = dict[tuple[bytes, str], Pin]


# The file's first line names the version; every other line is the key of somebody at some server:
#
#     <server id, 64 hex> <name> ssh-ed25519 <key> <second> <first seen> tofu|verified
#     … <first seen> was-tofu|was-verified <until>
#     … <first seen> signed-tofu|signed-verified <until>
#
# <second> is the digest of the second key, 64 hex, or "-" where the first is known alone. A file of
# version 1 has no such word in its lines.
# The first kind is the pin, one for each name. Keys that were replaced follow their pin, the oldest
# first: "was" if the user accepted another key, "signed" if the key signed over to its successor.
# Moments are Unix seconds.


def written(pins: Pins) -> bytes:
    """The text of these pins."""
    lines = [FIRST_LINE]
    for whose, pin in sorted(pins.items()):
        lines.append(_line(*whose, pin))
        lines += [_line(*whose, old) for old in pin.earlier]
    return "".join(f"{line}\n" for line in lines).encode("ascii")


def parse(data: bytes, path: Path) -> Pins:
    """:raises StateDamaged: with the file and line that is not ours."""
    lines = data.split(b"\n")
    is_old = lines[0] == OLD_FIRST_LINE.encode("ascii")
    if not is_old and lines[0] != FIRST_LINE.encode("ascii"):
        raise StateDamaged(f"{path}, line 1: this is no list of pins of this version")
    if lines.pop():
        raise StateDamaged(f"{path}, line {len(lines) + 1}: the file ends in the middle")
    pins: Pins = {}
    for number, line in enumerate(lines[1:], 2):
        try:
            text = line.decode("ascii")
            server, name, found = _parse_line(_with_no_second(text) if is_old else text)
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
    second = _NO_SECOND if one.key.second is None else one.key.second.hex()
    head = f"{server.hex()} {name} {one.key.to_openssh()} {second} {one.first_seen}"
    if isinstance(one, OldKey):
        return f"{head} {_SIGNED if one.signed_over else _WAS}{one.trust} {one.until}"
    return f"{head} {one.trust}"


def _with_no_second(line: str) -> str:
    """A line of version 1 as one of this version."""
    words = line.split(" ")
    return " ".join((*words[:4], _NO_SECOND, *words[4:]))


def _parse_line(line: str) -> tuple[bytes, Name, Pin | OldKey]:
    """:raises ValueError, BadName, BadKey: if the line is not exactly what `_line` writes."""
    words = line.split(" ")
    is_old = len(words) == _FIELDS + 1
    if not (is_old or len(words) == _FIELDS) or len(words[0]) != _SERVER_HEX:
        raise ValueError("not the fields of a pin")
    server, name = bytes.fromhex(words[0]), Name(words[1])
    first = PublicKey.from_openssh(f"{words[2]} {words[3]}")
    key = PublicKey(first.raw, None if words[4] == _NO_SECOND else bytes.fromhex(words[4]))
    signed_over = words[6].startswith(_SIGNED)
    trust = words[6].removeprefix(_SIGNED if signed_over else _WAS) if is_old else words[6]
    if trust not in ("tofu", "verified"):
        raise ValueError("not a kind of trust")
    kept, seen = cast(PinTrust, trust), _moment(words[5])
    one: Pin | OldKey = Pin(key, seen, kept)
    if is_old:
        one = OldKey(key, seen, kept, _moment(words[7]), signed_over)
    if _line(server, name, one) != line:
        raise ValueError("not as we write it")
    return server, name, one


def _moment(word: str) -> int:
    moment = int(word)
    if not 0 <= moment < _END_OF_TIME:
        raise ValueError("no moment")
    return moment
