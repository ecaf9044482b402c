"""A clock for tests that count the passes of a reactor."""

from __future__ import annotations

from twisted.internet.task import Clock


class Passes(Clock):
    """A clock that does what a reactor does in one pass: what is called later waits for the next.

    `task.Clock` goes on until nothing is due.
    """

    def advance(self, amount: float) -> None:
        self.rightNow += amount
        for call in [one for one in self.calls if one.getTime() <= self.rightNow]:
            if call.active():
                self.calls.remove(call)
                call.called = 1
                call.func(*call.args, **call.kw)
