"""Sockets in memory for the compiled splice, which asks the kernel itself."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from typing import Any

from securecom.tests.support.turned_reactor import FakeSocket
from securecom.transport import fast

_Call = ctypes.CFUNCTYPE(
    *(ctypes.c_ssize_t, ctypes.c_int, ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int),
    use_errno=True,
)
_wires: dict[int, FakeSocket] = {}
#: One function, which returns the number of an error that happens now, or 0.
_trips: list[Callable[[], int]] = [int]


def _as_in_c(work: Callable[[], int]) -> int:
    try:
        if number := _trips[0]():
            raise OSError(number, "tripped")
        return work()
    except OSError as error:
        ctypes.set_errno(error.errno or 0)
        return -1


def _receive(number: int, buffer: int, size: int, flags: int) -> int:
    def work() -> int:
        data = _wires[number].recv(size)
        ctypes.memmove(buffer, data, len(data))
        return len(data)

    return _as_in_c(work)


def _send(number: int, buffer: int, size: int, flags: int) -> int:
    return _as_in_c(lambda: _wires[number].send(ctypes.string_at(buffer, size)))


_calls = _Call(_receive), _Call(_send)


def _address(function: Any) -> int:
    return ctypes.cast(function, ctypes.c_void_p).value or 0


def use(*lines: Any, trip: Callable[[], int] = int) -> None:
    """Let the module find the sockets of these lines, and no others.

    :param trip: returns the number of an error that is to happen now, or 0.
    """
    _trips[0] = trip
    fast.MODULE.sockets(*map(_address, _calls))
    _wires.clear()
    _wires.update({line.floor.fileno(): line.wire for line in lines})


def use_the_kernels() -> None:
    """As it was before."""
    fast.MODULE.sockets(0, 0)
    _wires.clear()
