"""The programs of securecom as processes: the server, and the client that speaks JSON."""

from __future__ import annotations

import json
import re
import signal
import sys
from pathlib import Path
from typing import Any

from twisted.trial.unittest import FailTest

from tests.support.processes import Process

TWISTD = (sys.executable, str(Path(sys.executable).with_name("twistd")))
#: twistd, whose limits a test may change.
SERVER = (sys.executable, "-m", "tests.support.shortened")
ADMIN = (sys.executable, "-m", "securecom.admin")
CLIENT = (sys.executable, "-m", "securecom.client")


class Server(Process):
    """`twistd -n securecom`, or something that behaves like it."""

    standard = 0
    request = 0
    _changes = 0

    async def ready(self) -> Server:
        """Its ports are open, and known."""
        ports = await self.text(r"standard channel on port (\d+), request channel on port (\d+)")
        await self.text(r"room for \d+ people")  # the last line that every start says
        self.standard, self.request = int(ports[1]), int(ports[2])
        return self

    @property
    def fingerprint(self) -> str:
        """As it says it."""
        found = re.search(r"server fingerprint (\S+)", self.output)
        return "" if found is None else found[1]

    async def limits(self, *limits: str) -> None:
        """Change limits while it runs (`tests.support.shortened`): NAME=VALUE each."""
        self._changes += 1
        self.type(" ".join(limits) + "\n")
        await self.text(rf"limits changed, time {self._changes}$")

    async def stop(self) -> int:
        """As an operator does it."""
        self.signal(signal.SIGTERM)
        return await self.ended()


class Client(Process):
    """`securecom --json`: commands in, events out.

    Events of each kind wait in a queue of their own until a test asks for them.
    """

    def __init__(self, *arguments: Any, **named: Any) -> None:
        #: Every event, in order.
        self.events: list[dict[str, Any]] = []
        self._results: dict[int, dict[str, Any]] = {}
        self._next: dict[str, int] = {}
        self._rest = b""
        self._ids = 0
        super().__init__(*arguments, **named)

    def came(self, number: int, data: bytes) -> None:
        if number == 1:
            *lines, self._rest = (self._rest + data).split(b"\n")
            for event in map(json.loads, lines):
                self.events.append(event)
                if event["event"] == "result" and event["id"] is not None:
                    self._results[event["id"]] = event

    async def event(self, kind: str, **fields: Any) -> dict[str, Any]:
        """The next event of this kind that has these values; others of the kind are passed over."""

        def find() -> dict[str, Any] | None:
            at = self._next.get(kind, 0)
            for number, event in enumerate(self.events[at:], at):
                if event["event"] == kind and fields.items() <= event.items():
                    self._next[kind] = number + 1
                    return event
            return None

        return await self.until(f"{kind} {fields or ''}", find)

    def told(self, kind: str) -> list[dict[str, Any]]:
        """All events of a kind so far."""
        return [event for event in self.events if event["event"] == kind]

    def send(self, command: str, **fields: Any) -> int:
        """Give a command; its id."""
        self._ids += 1
        self.type(json.dumps({"command": command, "id": self._ids, **fields}) + "\n")
        return self._ids

    async def answer(self, number: int) -> dict[str, Any]:
        """The result of the command with this id."""
        return await self.until(f"result of command {number}", lambda: self._results.get(number))

    async def ask(self, command: str, **fields: Any) -> dict[str, Any]:
        """Give a command and wait for its result, whatever it is."""
        return await self.answer(self.send(command, **fields))

    async def do(self, command: str, **fields: Any) -> dict[str, Any]:
        """Give a command that must succeed."""
        result = await self.ask(command, **fields)
        if not result["ok"]:
            raise FailTest(f"{command} failed: {result}\n{self}")
        return result

    async def refused(self, code: int, command: str, **fields: Any) -> dict[str, Any]:
        """Give a command that must fail with this code."""
        result = await self.ask(command, **fields)
        if result["ok"] or result["code"] != code:
            raise FailTest(f"{command} should fail with {code}: {result}\n{self}")
        return result

    async def online(self) -> Client:
        """It is online, with its request channel up, and available if it was told to be."""
        await self.event("request-channel", up=True)
        await self.event("online")
        if "--available" in self.argv:
            await self.event("availability", available=True)
        return self

    @property
    def messages(self) -> list[str]:
        """What it has been told by peers."""
        return [event["text"] for event in self.told("message")]
