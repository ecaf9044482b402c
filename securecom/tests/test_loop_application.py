"""The ways in which an asyncio application ends under Twisted, whoever wants the end."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.testing import MemoryReactorClock
from twisted.trial.unittest import SynchronousTestCase

from securecom import limits
from securecom.client.frontends.loop_application import LoopApplication
from securecom.errors import OurFault


class Broken(Exception):
    pass


class LoopApplicationTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.loop = asyncio.new_event_loop()
        self.addCleanup(self.loop.close)
        self.reactor: Any = MemoryReactorClock()
        self.restored: list[str] = []

    def turn(self) -> None:
        for _ in range(4):
            self.loop.run_until_complete(asyncio.sleep(0))

    def start(self, application: LoopApplication, task: Coroutine[Any, Any, Any]) -> Deferred[None]:
        async def begin() -> Deferred[None]:
            return application.start(task)

        ended = self.loop.run_until_complete(begin())
        self.turn()
        return ended

    async def screen(self) -> None:
        try:
            await asyncio.get_running_loop().create_future()
        finally:
            self.restored.append("terminal")

    def shutdown(self) -> Any:
        ((trigger, *_),) = self.reactor.triggers["before"]["shutdown"]
        return trigger()

    def test_it_is_told_to_end(self) -> None:
        application = LoopApplication(self.reactor)
        ended = self.start(application, self.screen())
        self.assertNoResult(ended)
        application.close()
        application.close()
        self.turn()
        self.successResultOf(ended)
        self.assertEqual(self.restored, ["terminal"])
        application.close()
        self.assertIsNone(self.shutdown(), "nothing to wait for")

    def test_the_reactor_stops_first_and_waits(self) -> None:
        application = LoopApplication(self.reactor)
        ended = self.start(application, self.screen())
        waits = self.shutdown()
        self.assertNoResult(waits)
        self.turn()
        self.successResultOf(waits)
        self.successResultOf(ended)
        self.assertEqual(self.restored, ["terminal"])

    def test_the_reactor_stops_while_it_ends(self) -> None:
        application = LoopApplication(self.reactor)
        ended = self.start(application, self.screen())
        application.close()
        waits = self.shutdown()
        self.assertNoResult(waits)
        self.turn()
        self.successResultOf(waits)
        self.successResultOf(ended)

    def test_it_ends_by_itself(self) -> None:
        application = LoopApplication(self.reactor)
        ended = self.start(application, asyncio.sleep(0))
        self.successResultOf(ended)

    def test_it_breaks(self) -> None:
        async def breaks() -> None:
            raise Broken

        ended = self.start(LoopApplication(self.reactor), breaks())
        self.failureResultOf(ended, Broken)

    def test_somebody_else_cancels_it(self) -> None:
        application = LoopApplication(self.reactor)
        ended = self.start(application, self.screen())
        assert application._task is not None
        application._task.cancel()
        self.turn()
        self.failureResultOf(ended, OurFault)

    def test_it_has_a_way_of_its_own_to_end(self) -> None:
        asked: list[str] = []
        application = LoopApplication(self.reactor, lambda: asked.append("end"))
        ended = self.start(application, self.screen())
        application.close()
        application.close()
        self.assertEqual(asked, ["end"])
        self.turn()
        self.assertNoResult(ended)
        self.reactor.advance(limits.CLOSE_DEADLINE / 2)  # it is stuck
        self.turn()
        self.successResultOf(ended)
        self.assertEqual(self.restored, ["terminal"])

    def test_one_that_ends_as_asked_leaves_no_timer(self) -> None:
        asked = asyncio.Event()
        application = LoopApplication(self.reactor, asked.set)

        async def screen() -> None:
            await asked.wait()

        ended = self.start(application, screen())
        application.close()
        self.turn()
        self.successResultOf(ended)
        self.assertEqual(self.reactor.getDelayedCalls(), [])

    def test_closing_what_never_started(self) -> None:
        LoopApplication(self.reactor).close()
        self.assertEqual(self.reactor.triggers, {})
