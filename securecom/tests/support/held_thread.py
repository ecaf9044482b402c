"""A stand-in for the database's thread that works only when the test tells it to."""

from __future__ import annotations

import sqlite3
from collections import deque
from typing import Any

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure


class HeldThread:
    """See `database.Connections`. Works in order, and its outcomes come in the same order.

    `work` does the next job, `deliver` hands the next outcome over; in between is the race.
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        self.connection = connection
        self.todo: deque[tuple[Any, Any, Deferred[Any]]] = deque()
        self.done: deque[tuple[Any, Deferred[Any]]] = deque()

    def runWithConnection(self, func: Any, *args: Any, **kw: Any) -> Deferred[Any]:
        answer: Deferred[Any] = Deferred()
        self.todo.append((func, args, answer))
        return answer

    def close(self) -> None:
        self.connection.close()

    def work(self) -> bool:
        if not self.todo:
            return False
        func, args, answer = self.todo.popleft()
        try:
            outcome = func(self.connection, *args)
        except Exception:
            outcome = Failure()
        self.done.append((outcome, answer))
        return True

    def deliver(self) -> bool:
        if not self.done:
            return False
        outcome, answer = self.done.popleft()
        answer.errback(outcome) if isinstance(outcome, Failure) else answer.callback(outcome)
        return True

    def settle(self) -> None:
        while self.work() or self.deliver():
            pass
