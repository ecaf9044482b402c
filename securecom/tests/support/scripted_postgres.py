"""A connection to PostgreSQL that is told what to answer, and threads that a test lets run."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure


class EngineError(Exception):
    """Like psycopg's."""

    def __init__(self, text: str, sqlstate: str | None = None) -> None:
        super().__init__(text)
        self.sqlstate = sqlstate


#: What a fault does: an error of the statement alone, or of the connection.
REFUSED = EngineError("no", "23505")
GONE = EngineError("gone")


class ScriptedConnection:
    """Answers statements by their beginning.

    :param faults: beginning of a statement -> what it raises, once.
    """

    def __init__(self, faults: dict[str, Exception] | None = None) -> None:
        self.statements: list[str] = []
        self.faults = faults or {}
        self.closed = False
        self.rowcount = 1
        #: What the log of changes says about the last number.
        self.is_logged = False
        self._row: tuple[Any, ...] = ()

    def execute(
        self, statement: str, values: Sequence[Any] = (), prepare: bool | None = None
    ) -> ScriptedConnection:
        word = " ".join(statement.split())
        self.statements.append(word)
        for start in self.faults:
            if word.startswith(start):
                error = self.faults.pop(start)
                self.closed = error is GONE
                raise error
        if word.startswith("SELECT count(*) FROM changes"):
            self._row = (int(self.is_logged),)
        else:
            self._row = (1,)
        return self

    def executemany(self, statement: str, rows: Sequence[Sequence[Any]]) -> None:
        self.execute(statement)

    def cursor(self) -> ScriptedConnection:
        return self

    def fetchone(self) -> tuple[Any, ...]:
        return self._row

    def fetchall(self) -> list[tuple[Any, ...]]:
        return [self._row]

    def close(self) -> None:
        self.closed = True


class ScriptedSession:
    """One such connection after the other; where there is an error, a new one fails with it."""

    def __init__(self, *connections: ScriptedConnection | Exception) -> None:
        self._next = list(connections)
        self.raw: Any = None
        self.reconnect()

    def reconnect(self) -> None:
        following = self._next.pop(0)
        if isinstance(following, Exception):
            raise following
        self.raw = following


class HeldThreads:
    """Threads with connections; their work is done when the test says so."""

    def __init__(self, session: Any) -> None:
        self.session = session
        self.waiting: list[tuple[Callable[..., Any], Deferred[Any]]] = []
        self.is_closed = False

    def runWithConnection(self, work: Callable[..., Any]) -> Deferred[Any]:
        answer: Deferred[Any] = Deferred()
        self.waiting.append((work, answer))
        return answer

    def run(self, which: int = 0) -> Any:
        """Do one job; its outcome is told by `tell`."""
        work, answer = self.waiting.pop(which)
        try:
            outcome = work(self.session)
        except Exception:
            outcome = Failure()
        return lambda: answer.callback(outcome)

    def close(self) -> None:
        self.is_closed = True
