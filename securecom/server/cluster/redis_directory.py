"""The directory in Redis or Valkey: a few keys for each node and person, and a script a question.

Keys begin with `securecom:` and the first half of the server's id in hexadecimal digits, so that
several servers can share an engine, and its access list can be as narrow. Then follow:

- `nodes`: the idents of nodes that have announced themselves;
- `node:IDENT`: where a node is; gone when the node has lapsed;
- `person:NAME`: where somebody is, the node's ident and the session's handle;
- `session:HANDLE`: the ident of its node;
- `restraints:NAME`: what was kept for somebody.

Every key expires. A script makes several steps as one, and looks whether the node that it found
lives, by the engine's own clock. Scripts make up names of keys, so an engine in cluster mode, which
spreads keys over machines, will not do.
"""

from __future__ import annotations

import hashlib
import re
from itertools import islice
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.python.failure import Failure

from securecom import limits, refusals
from securecom.errors import DirectoryAway
from securecom.identity import Name
from securecom.server.cluster.directory import IDENT_BYTES, Node, NodeUnknown, Place
from securecom.server.cluster.engine import Engine, EngineError
from securecom.server.gathered import gathered
from securecom.server.restraint_facts import Kept

_SERVER_BYTES = 8
_DIGITS = 2 * IDENT_BYTES
#: What stands for no place: the node of nobody. It is looked for like any other.
_NOWHERE = "0" * 2 * _DIGITS
_NO_NODE = "0" * _DIGITS
_HEXADECIMAL = re.compile("[0-9a-f]+")
#: A node's ident, port and host, as a directory tells them.
_NODE = re.compile(rf"([0-9a-f]{{{_DIGITS}}}) ([0-9]{{1,5}}) ([!-~]+)")


class Script:
    """Lua, which the engine keeps and knows by its SHA-1."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.sha1 = hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()


# Short answers are status lines, which txredisapi takes apart at once; for every string of bytes it
# waits for another turn of the reactor.
_ANNOUNCE = Script("""
local known = redis.call('EXISTS', KEYS[1])
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[3])
redis.call('SADD', KEYS[2], ARGV[2])
redis.call('PEXPIRE', KEYS[2], ARGV[3])
return known
""")
_DEPART = Script("""
redis.call('SREM', KEYS[2], ARGV[1])
return redis.call('DEL', KEYS[1])
""")
_NODES = Script("""
local living = {}
for _, ident in ipairs(redis.call('SMEMBERS', KEYS[1])) do
  local where = redis.call('GET', ARGV[1] .. ident)
  if where then
    table.insert(living, ident .. ' ' .. where)
  else
    redis.call('SREM', KEYS[1], ident)
  end
end
return living
""")
# 1 the person, 2 the new session; 1 what names of nodes' keys, 2 of sessions' keys begin with,
# 3 the node, 4 the session, 5 whether to take over, 6 milliseconds.
_CLAIM = Script("""
if redis.call('EXISTS', ARGV[1] .. ARGV[3]) == 0 then
  return redis.status_reply('UNKNOWN')
end
local mine = ARGV[3] .. ARGV[4]
local former = redis.call('GET', KEYS[1])
local lives = former and redis.call('EXISTS', ARGV[1] .. string.sub(former, 1, 32)) == 1
if lives and former ~= mine and ARGV[5] == '0' then
  return redis.status_reply('TAKEN')
end
if former and former ~= mine then
  redis.call('DEL', ARGV[2] .. string.sub(former, 33))
end
redis.call('SET', KEYS[1], mine, 'PX', ARGV[6])
redis.call('SET', KEYS[2], ARGV[3], 'PX', ARGV[6])
if lives and former ~= mine then
  return redis.status_reply(former)
end
return redis.status_reply('FREE')
""")
# Told again: keys that were lost come back, those of somebody else stay.
_RENEW = Script("""
local former = redis.call('GET', KEYS[1])
if former and former ~= ARGV[1] .. ARGV[2] then
  return 0
end
redis.call('SET', KEYS[1], ARGV[1] .. ARGV[2], 'PX', ARGV[3])
redis.call('SET', KEYS[2], ARGV[1], 'PX', ARGV[3])
return 1
""")
_RELEASE = Script("""
if redis.call('GET', KEYS[2]) == ARGV[1] then
  redis.call('DEL', KEYS[2])
end
if redis.call('GET', KEYS[1]) == ARGV[1] .. ARGV[2] then
  return redis.call('DEL', KEYS[1])
end
return 0
""")
# The same steps, and an answer of the same length, whether there is somebody or not: 1 what names
# of nodes' keys begin with, 2 what stands for nobody, whose node is looked for, too.
_WHERE = Script("""
local found = redis.call('GET', KEYS[1]) or ARGV[2]
local lives = redis.call('EXISTS', ARGV[1] .. string.sub(found, 1, 32))
return redis.status_reply(lives == 1 and found or ARGV[2])
""")
# What is kept begins with the engine's time, in milliseconds, and a blank.
_KEEP = Script("""
local now = redis.call('TIME')
local stamp = string.format('%.0f', now[1] * 1000 + math.floor(now[2] / 1000))
redis.call('SET', KEYS[1], stamp .. ' ' .. ARGV[1], 'PX', ARGV[2])
return 1
""")
_RECALL = Script("""
local kept = redis.call('GET', KEYS[1])
if not kept then
  return {0, ''}
end
local now = redis.call('TIME')
local blank = string.find(kept, ' ', 1, true)
local age = now[1] * 1000 + math.floor(now[2] / 1000) - tonumber(string.sub(kept, 1, blank - 1))
return {age, string.sub(kept, blank + 1)}
""")


class RedisDirectory:
    """A `Directory` (which documents its methods) of the people of one node.

    :param server: the server's id.
    """

    def __init__(self, clock: IReactorTime, engine: Engine, server: bytes) -> None:
        self._clock, self._engine = clock, engine
        self._prefix = f"securecom:{server[:_SERVER_BYTES].hex()}:"
        #: What was claimed here and not released, those first that were told the longest ago.
        self._held: dict[Name, Place] = {}
        #: What could not be released, or may have been claimed without our knowing.
        self._owed: dict[tuple[Name, Place], None] = {}
        #: What is somebody else's by now, without our having heard of it yet.
        self._contested: dict[Name, Place] = {}

    # --- nodes ------------------------------------------------------------------------------

    def announce(self, node: Node) -> Deferred[bool]:
        ident = node.ident.hex()
        where = f"{node.port} {node.host}"
        keys = (f"node:{ident}", "nodes")
        announced = self._run(_ANNOUNCE, keys, where, ident, _milliseconds(limits.NODE_LAPSE))
        return announced.addCallback(self._tell_again)

    def depart(self, node: bytes) -> Deferred[None]:
        self._held.clear()
        self._owed.clear()
        self._contested.clear()
        departed = self._run(_DEPART, (f"node:{node.hex()}", "nodes"), node.hex())
        return departed.addCallback(_nothing)

    def nodes(self) -> Deferred[list[Node]]:
        return self._run(_NODES, ("nodes",), f"{self._prefix}node:").addCallback(_read_nodes)

    def _tell_again(self, known: int) -> bool:
        """Repeat what could not be told, and some of what was told long ago.

        Returns whether the engine still knows all of this node, as far as it has said.
        """
        for name, place in list(islice(self._owed, limits.PLACES_TOLD)):
            del self._owed[name, place]
            self.release(name, place).addErrback(_told_later)
        told = limits.PLACES_TOLD if known else 0  # or they are claimed, one by one
        for name, place in list(islice(self._held.items(), told)):
            del self._held[name]
            self._held[name] = place
            self._renew(name, place).addCallbacks(self._renewed, _told_later, (name, place))
        contested, self._contested = self._contested, {}
        is_ours = all(self._held.get(name) != place for name, place in contested.items())
        return bool(known) and is_ours

    def _renewed(self, was_ours: int, name: Name, place: Place) -> None:
        """Whoever took it over says so. If nobody has by the next time, the engine lost it."""
        if not was_ours:
            self._contested[name] = place

    # --- people -----------------------------------------------------------------------------

    def claim(self, name: Name, place: Place, takeover: bool) -> Deferred[Place | None]:
        self._owed.pop((name, place), None)
        ways = (f"{self._prefix}node:", f"{self._prefix}session:")
        words = (*ways, *_halves(place), int(takeover), _milliseconds(limits.PLACE_LAPSE))
        claimed = self._run(_CLAIM, _keys(name, place), *words)

        def done(answer: str) -> Place | None:
            if answer == "UNKNOWN":
                raise NodeUnknown("the engine does not know this node; nothing was claimed")
            if answer == "TAKEN":
                if self._held.get(name) == place:
                    del self._held[name]
                raise refusals.AlreadyOnline()
            self._held.pop(name, None)
            self._held[name] = place
            return None if answer == "FREE" else _read_place(answer)

        return claimed.addErrback(self._doubtful, name, place).addCallback(done)

    def _doubtful(self, failure: Failure, name: Name, place: Place) -> Failure:
        """The engine may have done it, or do it when it wakes up."""
        if not failure.check(EngineError) and self._held.get(name) != place:
            self._owed[name, place] = None
        return failure

    def _renew(self, name: Name, place: Place) -> Deferred[Any]:
        words = (*_halves(place), _milliseconds(limits.PLACE_LAPSE))
        return self._run(_RENEW, _keys(name, place), *words)

    def release(self, name: Name, place: Place) -> Deferred[None]:
        if self._held.get(name) == place:
            del self._held[name]
        released = self._run(_RELEASE, _keys(name, place), *_halves(place))
        return released.addErrback(self._still_owed, name, place).addCallback(_nothing)

    def _still_owed(self, failure: Failure, name: Name, place: Place) -> Failure:
        if self._held.get(name) != place:
            self._owed[name, place] = None
        return failure

    def where(self, name: Name) -> Deferred[Place | None]:
        found = self._run(_WHERE, (f"person:{name}",), f"{self._prefix}node:", _NOWHERE)
        return found.addCallback(_read_place)

    def holder(self, session: bytes) -> Deferred[bytes | None]:
        keys = (f"session:{session.hex()}",)
        found = self._run(_WHERE, keys, f"{self._prefix}node:", _NO_NODE)
        return found.addCallback(_read_ident)

    # --- restraints -------------------------------------------------------------------------

    def keep(self, name: Name, facts: bytes, seconds: float) -> Deferred[None]:
        keys, lapse = (f"restraints:{name}",), _milliseconds(seconds)
        if facts and lapse > 0:
            return self._run(_KEEP, keys, facts, lapse).addCallback(_nothing)
        return self._engine.ask("DEL", self._prefix + keys[0]).addCallback(_nothing)

    def recall(self, name: Name) -> Deferred[Kept]:
        kept = self._run(_RECALL, (f"restraints:{name}",))
        return kept.addCallback(_read_kept)

    def forget(self, names: frozenset[Name]) -> Deferred[None]:
        keys = [f"{self._prefix}restraints:{name}" for name in sorted(names)]
        step = limits.NAMES_ASKED
        parts = [keys[start : start + step] for start in range(0, len(keys), step)]
        asked = [self._engine.ask("DEL", *part) for part in parts]
        return gathered(asked).addCallback(_nothing)

    def close(self) -> Deferred[None]:
        return self._engine.close()

    # --- scripts ----------------------------------------------------------------------------

    def _run(
        self, script: Script, keys: tuple[str, ...], *words: str | bytes | int
    ) -> Deferred[Any]:
        """Run a script by its name; an engine that does not know it gets the whole text."""
        by = self._clock.seconds() + limits.DIRECTORY_DEADLINE
        rest = (len(keys), *(self._prefix + key for key in keys), *words)
        answer = self._engine.ask("EVALSHA", script.sha1, *rest, by=by)

        def unknown(failure: Failure) -> Failure | Deferred[Any]:
            error = failure.value
            if isinstance(error, EngineError) and error.word == "NOSCRIPT":
                return self._engine.ask("EVAL", script.text, *rest, by=by)
            return failure

        return answer.addErrback(unknown)


def _milliseconds(seconds: float) -> int:
    return int(seconds * 1000)


def _halves(place: Place) -> tuple[str, str]:
    return place.node.hex(), place.session.hex()


def _keys(name: Name, place: Place) -> tuple[str, str]:
    return f"person:{name}", f"session:{place.session.hex()}"


# Whoever can write to the engine can have it answer anything.


def _digits(answer: object, count: int) -> bytes:
    """:raises DirectoryAway: these are not so many hexadecimal digits."""
    if isinstance(answer, str) and len(answer) == count and _HEXADECIMAL.fullmatch(answer):
        return bytes.fromhex(answer)
    raise DirectoryAway("the engine has answered what makes no sense")


def _read_place(answer: object) -> Place | None:
    if answer == _NOWHERE:
        return None
    both = _digits(answer, 2 * _DIGITS)
    return Place(both[:IDENT_BYTES], both[IDENT_BYTES:])


def _read_ident(answer: object) -> bytes | None:
    return None if answer == _NO_NODE else _digits(answer, _DIGITS)


def _read_kept(row: object) -> Kept:
    if isinstance(row, list) and list(map(type, row)) == [int, bytes]:
        return Kept(row[1], max(row[0] / 1000, 0.0))
    raise DirectoryAway("the engine has answered what makes no sense")


def _read_nodes(rows: list[bytes]) -> list[Node]:
    """Those that can be made out; one that cannot keeps nobody from the others."""
    found = [_NODE.fullmatch(row.decode("ascii", "replace")) for row in sorted(rows)]
    return [Node(bytes.fromhex(one[1]), one[3], int(one[2])) for one in found if one is not None]


def _nothing(_: object) -> None:
    """The answer of a method that has none."""


def _told_later(failure: Failure) -> None:
    """It is told with a later announcement."""
    failure.trap(DirectoryAway)
