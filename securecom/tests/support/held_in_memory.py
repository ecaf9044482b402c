"""Every attribute of every object that a server has in memory."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any, NamedTuple

from twisted.protocols.tls import TLSMemoryBIOFactory, TLSMemoryBIOProtocol

from securecom.connection import Connection
from securecom.tests.support.memory_server import MemoryServer

#: What every connection has, on either side: bytes on their way, clocks and flags.
_MACHINERY = {"transport", "connected", *Connection.__init__.__code__.co_names}


class Holding(NamedTuple):
    """One attribute of one object."""

    where: str
    value: Any


def held(server: MemoryServer) -> list[Holding]:
    """Every attribute of every object of the server's, however it is reached."""
    seen: set[int] = set()
    found: list[Holding] = []
    todo: list[Any] = [server.reception, server.standard, server.request]
    while todo:
        one = todo.pop()
        if id(one) in seen:
            continue
        seen.add(id(one))
        if type(one).__module__.startswith("securecom.server"):
            holdings = list(_attributes(one))
            found += holdings
            todo += [holding.value for holding in holdings]
        else:
            todo += _inside(one)
    return found


def _attributes(one: Any) -> Iterator[Holding]:
    slots = [name for kind in type(one).__mro__ for name in getattr(kind, "__slots__", ())]
    for name in (*getattr(one, "__dict__", {}), *slots):
        if name.startswith("__") or (isinstance(one, Connection) and name in _MACHINERY):
            continue
        yield Holding(f"{type(one).__name__}.{name}", getattr(one, name))


def _inside(one: Any) -> list[Any]:
    """What a thing that is not the server's own may hold of the server's."""
    if isinstance(one, Mapping):
        return [*one.keys(), *one.values()]
    if isinstance(one, list | tuple | set | frozenset | deque):
        return list(one)
    if isinstance(one, partial):
        return [one.func, *one.args]
    if hasattr(one, "__self__"):
        return [one.__self__]
    if isinstance(one, TLSMemoryBIOFactory | TLSMemoryBIOProtocol):
        return list(vars(one).values())
    return []


def is_in(what: Any, value: Any) -> bool:
    """It is the value, or directly in it, or in what is in it."""
    if isinstance(value, Mapping):
        return any(is_in(what, one) for one in (*value.keys(), *value.values()))
    if isinstance(value, list | tuple | set | frozenset | deque):
        return any(is_in(what, one) for one in value)
    return type(value) is type(what) and bool(value == what)
