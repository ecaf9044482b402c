"""The generator's own loop: coroutines that each wait for one socket at a time.

Twisted would do, but its cost a message is the server's, and then the generator would be what is
measured.
"""

from __future__ import annotations

import select
import time
from collections.abc import Callable, Coroutine, Generator, Iterable
from types import coroutine
from typing import Any, NoReturn

READ, WRITE = select.EPOLLIN, select.EPOLLOUT
Task = Coroutine[Any, None, object]

_STEP = 0.1


@coroutine
def ready(fd: int, event: int) -> Generator[tuple[int, int], None, None]:
    """Wait until this socket can be read or written."""
    yield fd, event


class Stuck(Exception):
    """What was waited for did not come in time."""


class Loop:
    """Runs tasks. One that fails ends the loop with its error."""

    def __init__(self) -> None:
        self._poll = select.epoll()
        self._interest: dict[int, int] = {}
        self._waiting: dict[int, Task] = {}

    def start(self, tasks: Iterable[Task]) -> None:
        """Run each up to its first wait."""
        for task in tasks:
            self._step(task)

    def run_for(self, seconds: float) -> None:
        """Let the tasks run for so long."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            self._wait(min(left, _STEP))

    def run_until(self, done: Callable[[], bool], seconds: float) -> None:
        """Let them run until this holds. :raises Stuck: if it does not hold in time."""
        end = time.monotonic() + seconds
        while not done():
            if time.monotonic() > end:
                raise Stuck(f"not done after {seconds:g} s")
            self._wait(_STEP)

    def run(self, task: Task, seconds: float) -> None:
        """Run one task to its end."""
        self.run_all([task], 1, seconds)

    def run_all(self, tasks: Iterable[Task], in_flight: int, seconds: float) -> None:
        """Run all tasks to their ends, so many at once."""
        rest = iter(tasks)
        running = 0

        async def runner() -> None:
            nonlocal running
            running += 1
            for task in rest:
                await task
            running -= 1

        self.start(runner() for _ in range(in_flight))
        self.run_until(lambda: running == 0, seconds)

    def drop_all(self) -> None:
        """End the tasks that are still waiting."""
        waiting, self._waiting = self._waiting, {}
        for task in waiting.values():
            task.close()

    def forget(self, fd: int) -> None:
        """This socket is about to be closed."""
        if self._interest.pop(fd, None) is not None:
            self._poll.unregister(fd)

    def close(self) -> None:
        """Drop everything."""
        self.drop_all()
        self._poll.close()

    def _wait(self, seconds: float) -> None:
        for fd, _ in self._poll.poll(seconds):
            task = self._waiting.pop(fd, None)
            if task is None:
                self.forget(fd)  # nobody waits here now
            else:
                self._step(task)

    def _step(self, task: Task) -> None:
        try:
            fd, event = task.send(None)
        except StopIteration:
            return
        if fd not in self._interest:
            self._poll.register(fd, event)
        elif self._interest[fd] != event:
            self._poll.modify(fd, event)
        self._interest[fd] = event
        self._waiting[fd] = task


def fail(why: str) -> NoReturn:
    """The server did not do what the measurement needs."""
    raise RuntimeError(why)
