"""A server that is killed while many people write: what was acknowledged is there afterwards."""

from __future__ import annotations

import signal
from typing import Any

from twisted.internet.defer import Deferred

from securecom import limits, vocabulary
from securecom.identity import Name
from tests.support.intermediaries import Modified, soon
from tests.support.intruder_case import IntruderCase
from tests.support.system_case import PEOPLE

#: Times that a server is killed.
KILLS = 3
#: Blocks that each person has under way at once: below `limits.MAX_UNANSWERED`.
AT_ONCE = 20
#: Acknowledged blocks after which the kill comes, most others being under way.
ENOUGH = 25


class KilledTests(IntruderCase):
    # Promise R37
    async def test_no_change_that_was_acknowledged_is_lost(self) -> None:
        acknowledged: dict[str, set[Name]] = {person: set() for person in PEOPLE}
        for kill in range(KILLS):
            server = await self.server()
            clients = {person: await self.modified(server, person) for person in PEOPLE}
            for person, client in clients.items():
                answer = await soon(client.control.call(vocabulary.ListBlocked))
                self.assertLessEqual(acknowledged[person], set(answer["names"]), (kill, person))
            enough: Deferred[None] = Deferred()
            before = _count(acknowledged)
            for number in range(AT_ONCE):
                for person, client in clients.items():
                    name = Name(f"{person}-{kill}-{number}")
                    self._block(client, name, acknowledged[person], before, acknowledged, enough)
            await soon(enough)
            server.signal(signal.SIGKILL)
            for client in clients.values():
                await soon(client.gone)
            await server.ended()
        server = await self.server()
        self.assertGreaterEqual(_count(acknowledged), KILLS * ENOUGH)
        for person in PEOPLE:
            client = await self.modified(server, person)
            answer = await soon(client.control.call(vocabulary.ListBlocked))
            self.assertLessEqual(acknowledged[person], set(answer["names"]), person)
            self.assertLessEqual(len(answer["names"]), limits.MAX_BLOCKED)

    @staticmethod
    def _block(
        client: Modified,
        name: Name,
        done: set[Name],
        before: int,
        acknowledged: dict[str, set[Name]],
        enough: Deferred[None],
    ) -> None:
        def blocked(_: Any) -> None:
            done.add(name)
            if _count(acknowledged) - before >= ENOUGH and not enough.called:
                enough.callback(None)

        client.control.call(vocabulary.Block, name=name).addCallbacks(blocked, lambda _: None)


def _count(acknowledged: dict[str, set[Name]]) -> int:
    return sum(map(len, acknowledged.values()))
