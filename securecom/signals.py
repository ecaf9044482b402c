"""Unix signals, handed over to the reactor.

Python runs a signal's handler between any two steps of the main thread, so it may interrupt a
write to the log. A log line written by such a handler is lost without a trace: the file refuses
a write inside a write, and Twisted drops the error of its only log observer. Whatever a signal
asks for is therefore done by the reactor, in its next turn, and never by the handler.
"""

from __future__ import annotations

import signal
from collections.abc import Callable
from types import FrameType
from typing import Any


def on_signal(
    reactor: Any, number: signal.Signals, call: Callable[..., object], *arguments: Any
) -> None:
    """Have the reactor call `call(*arguments)` each time this signal comes.

    A signal that comes before the reactor runs is answered when it starts.

    :param reactor: an `IReactorFromThreads`.
    """

    def handle(_number: int, _frame: FrameType | None) -> None:
        reactor.callFromThread(call, *arguments)

    signal.signal(number, handle)
