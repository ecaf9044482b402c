"""Lines out, without waiting and in bounded memory.

A reader that is slow first makes us take nothing more in (`full`); what comes nevertheless, and
would fill the memory, is counted instead of kept, and the number told when there is room again.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from twisted.internet.interfaces import IPushProducer, ITransport
from zope.interface import implementer

from securecom import limits


@implementer(IPushProducer)
class Output:
    """What waits for one slow reader.

    :param full: called with True when too much waits, with False when all of it has gone.
    :param missing: says in a line that so many were not shown.
    """

    def __init__(self, full: Callable[[bool], None], missing: Callable[[int], list[str]]) -> None:
        self._full = full
        self._missing = missing
        self._transport: ITransport | None = None
        self._waiting: deque[bytes] = deque()
        self._size = 0
        self._dropped = 0
        self._is_paused = True
        self._is_full = False
        self._is_over = False

    def connect(self, transport: ITransport) -> None:
        """Begin: what was written so far goes out."""
        self._transport = transport
        transport.registerProducer(self, True)  # type: ignore[attr-defined]
        self.resumeProducing()

    def write(self, lines: list[str], *, kept: bool = False) -> None:
        """Write lines, or keep them until the reader has room. Afterwards nobody reads them.

        :param kept: these must not be among the missing.
        """
        most = limits.MAX_UNSHOWN_AT_ALL if kept else 2 * limits.MAX_UNSHOWN
        if self._is_over:
            return
        for line in lines:
            data = line.encode("utf-8", "backslashreplace") + b"\n"
            if self._size + len(data) > most:
                self._dropped += 1
                continue
            self._waiting.append(data)
            self._size += len(data)
        self._flush()
        if self._size > limits.MAX_UNSHOWN and not self._is_full:
            self._is_full = True
            self._full(True)

    def close(self) -> None:
        """Hand everything to the transport, which closes when it has written it."""
        if self._transport is not None:
            transport, self._transport = self._transport, None
            transport.writeSequence(list(self._waiting))
            transport.unregisterProducer()  # type: ignore[attr-defined]
            transport.loseConnection()
        self._end()

    def _end(self) -> None:
        """Keep nothing, hold nobody: who leaves has answers to read."""
        self._is_over = True
        self._waiting.clear()
        self._size = 0
        if self._is_full:
            self._is_full = False
            self._full(False)

    def _flush(self) -> None:
        while self._waiting and not self._is_paused and self._transport is not None:
            data = self._waiting.popleft()
            self._size -= len(data)
            self._transport.write(data)  # may pause us

    # IPushProducer

    def pauseProducing(self) -> None:
        """The transport is full."""
        self._is_paused = True

    def resumeProducing(self) -> None:
        """The transport has room."""
        self._is_paused = False
        self._flush()
        if self._waiting:
            return
        if self._dropped:
            dropped, self._dropped = self._dropped, 0
            self.write(self._missing(dropped))
        if self._is_full:
            self._is_full = False
            self._full(False)

    def stopProducing(self) -> None:
        """The transport is gone; whoever owns it hears of it too."""
        self._transport = None
        self._end()
