"""What a ping sent along with a chat request tells: measured by hand, not with the other tests.

    ./dev run trial tests.silence_by_ping

Alice writes `RequestChat` and `Ping` in one piece to a real server on this machine, 640 times for
each state that somebody can be in, in random order, and takes the time until the ping is answered.
No two states may be told apart: Kolmogorov-Smirnov, at 0.01 divided by the number of pairs. It
takes about five minutes, and wants a machine that does little else.
"""

from __future__ import annotations

import contextlib
import random
import sys
import time
from itertools import combinations
from statistics import median

from twisted.internet.task import deferLater

from securecom import refusals, vocabulary
from securecom.identity import Name
from securecom.tests.support.distributions import probability
from tests.support.intermediaries import Modified, soon
from tests.support.intruder_case import IntruderCase
from tests.support.processes import reactor
from tests.support.programs import Client

#: Of each state.
SAMPLES = 640
#: Of all pairs together.
SIGNIFICANT = 0.01
#: Seconds; a tenth of the real one, so that looking for the callee falls into the ping's answer ten
#: times as often as it would.
PAUSE = 0.02
LIMITS = (
    f"REQUEST_PAUSE={PAUSE}",
    "REQUESTS_BY_CALLER=1000000",
    "REQUESTS_BY_PAIR=1000000",
    "REQUESTS_TO_CALLEE=1000000",
)
SHORTENED = (sys.executable, "-m", "tests.support.shortened")
TWISTD = ("-n", "--pidfile=", "securecom")


class PingTests(IntruderCase):
    timeout = 1800.0

    async def test_no_two_states_are_told_apart(self) -> None:
        server = await self.server(command=(*SHORTENED, *LIMITS, *TWISTD))
        _, carol = await self.clients(server, "bob", "carol")
        away, gone, mute, busy, heidi = await self._newcomers(
            "dave", "erin", "frank", "grace", "heidi"
        )
        await carol.do("block", name="alice")
        await away.do("away")
        for client in (gone, mute):
            await client.do("exit")
            await client.ended()
        await self.chat(busy, heidi, "heidi", "grace")
        frank = await self.modified(server, "frank")
        await soon(frank.control.call(vocabulary.SetAvailability, available=True))
        alice = await self.modified(server, "alice")
        states = {
            "unknown": "nobody",
            "offline": "erin",
            "blocked": "carol",
            "away": "dave",
            "no channel": "frank",
            "busy": "grace",
            "asked": "bob",
        }
        times: dict[str, list[float]] = {state: [] for state in states}
        order = [state for state in states for _ in range(SAMPLES)]
        random.Random("order").shuffle(order)
        for number, state in enumerate(order):
            times[state].append(await self._ping(alice, states[state]))
            if not number % 20:
                await soon(frank.control.call(vocabulary.Ping))  # or it would be taken for gone
        self._report(times)

    async def _ping(self, alice: Modified, name: str) -> float:
        """Milliseconds from the request and the ping to the ping's answer."""
        start = time.perf_counter()
        asked = alice.control.call(vocabulary.RequestChat, callee=Name(name))
        answered = alice.control.call(vocabulary.Ping)
        answered.addCallback(lambda _: time.perf_counter())
        taken: float = 1000 * (await soon(answered) - start)
        await deferLater(reactor, 1.5 * PAUSE, lambda: None)
        await soon(alice.control.call(vocabulary.CancelRequest))
        with contextlib.suppress(refusals.Cancelled):
            await soon(asked)
        return taken

    def _report(self, times: dict[str, list[float]]) -> None:
        pairs = list(combinations(times, 2))
        told = {pair: probability(times[pair[0]], times[pair[1]]) for pair in pairs}
        print()
        for state, taken in times.items():
            least = min(p for pair, p in told.items() if state in pair)
            print(f"{state:>12}: median {median(taken):.3f} ms, least p {least:.2g}")
        for (one, other), likely in told.items():
            self.assertGreater(likely, SIGNIFICANT / len(pairs), f"{one} and {other}")

    async def _newcomers(self, *names: str) -> list[Client]:
        links = await self.invite(*names)
        return [
            await self.enrolling(link, name, "--no-pass", "--available").online()
            for link, name in zip(links, names, strict=True)
        ]
