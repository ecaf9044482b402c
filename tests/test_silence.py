"""The same time for every reason not to answer, at a real server, and busy for friends only."""

from __future__ import annotations

import sys

from securecom.tests.support.distributions import probability
from tests.support.processes import reactor
from tests.support.programs import Client
from tests.support.shortened import SILENCE, USUAL
from tests.support.system_case import SystemCase

NO_ANSWER, BUSY = 601, 604
#: Of each kind of silence, and compared with the 96 of all others. An answer that comes at once, or
#: always at the last moment, has a probability below 1e-10 with so many; one that keeps to the
#: second half of the time has 1e-3 and passes. Finer differences are for the unit tests, which hold
#: the work to be the same, and for `tests.silence_by_ping`, which takes 640 samples by hand.
SAMPLES = 16
#: Times drawn anew in each run come out less likely than this once in twenty thousand runs.
SIGNIFICANT = 1e-5
#: While times are compared, and in the product's order: a callee is looked up before the request
#: can run out. A chat that has to stand takes longer on a slow machine.
SHORT = ("REQUEST_PAUSE=0.1", "REQUEST_STANDS=0.1", "REQUEST_EXPIRES=0.2")
LIMITS = (
    "REQUESTS_BY_CALLER=100000",
    "REQUESTS_BY_PAIR=100000",
    "REQUESTS_TO_CALLEE=100000",
)
#: Of a client that strangers ask more often than people could bear.
ASKED_OFTEN = {"OFFERS_BY_STRANGERS": 100_000}
SHORTENED = (sys.executable, "-m", "tests.support.shortened")
TWISTD = ("-n", "--pidfile=", "securecom")


def stands(limits: tuple[str, str]) -> float:
    """Seconds that a request stands at the least by these."""
    return float(limits[0].partition("=")[2])


class SilenceTests(SystemCase):
    """Alice asks people who are not there for her, each for a reason of their own."""

    # Promise C31
    async def test_nobody_can_tell_why_there_is_no_answer(self) -> None:
        server = await self.server(command=(*SHORTENED, *LIMITS, *TWISTD))
        alice, carol = await self.clients(server, "alice", "carol")
        bob = await self.hasty("bob", server, **ASKED_OFTEN)
        await carol.do("block", name="alice")
        names = ("dave", "erin", "frank", "grace", "heidi")
        away, gone, dismisses, busy, heidi = await self._newcomers(*names)
        await away.do("away")
        for client in (gone, dismisses):
            await client.do("exit")
            await client.ended()
        dismisses = await self.hasty("frank", server, **ASKED_OFTEN)
        self._dismisses_all(dismisses)
        await self.chat(busy, heidi, "heidi", "grace")
        await server.limits(*SHORT)
        reasons = {"bob": bob, "carol": carol, "dave": away, "erin": gone, "frank": dismisses}
        reasons["grace"] = busy
        times: dict[str, list[float]] = {name: [] for name in (*reasons, "nobody")}
        answers = set()
        for _ in range(SAMPLES):
            for name, taken in times.items():
                start = reactor.seconds()
                result = await alice.ask("chat", name=name)
                taken.append(reactor.seconds() - start)
                answers.add((result["code"], result["what"].replace(name, "X"), result["hint"]))
        self.assertEqual({code for code, _, _ in answers}, {NO_ANSWER})
        self.assertEqual(len(answers), 1, answers)
        for name, taken in times.items():
            others = [time for other in times if other != name for time in times[other]]
            self.assertGreater(probability(taken, others), SIGNIFICANT, name)
        for client in (carol, away, busy):
            self.assertEqual(client.told("asked"), [])
        for client in (bob, dismisses):  # a busy server may look them up when the time is over
            self.assertGreater(len(client.told("asked")), SAMPLES / 2)

    # Promise C32
    async def test_a_friend_is_told_busy_and_a_stranger_is_not(self) -> None:
        """By a choice that Bob made in a run before."""
        server = await self.server()
        (bob,) = await self.clients(server, "bob")
        await bob.do("set", setting="busy to alice")
        await bob.do("exit")
        await bob.ended()
        alice, bob, carol = await self.clients(server, "alice", "bob", "carol")
        (dave,) = await self._newcomers("dave")
        await self.chat(bob, carol, "carol", "bob")
        for asker, busy in ((alice, ["bob"]), (dave, [])):
            await asker.do("users")
            self.assertEqual((await asker.event("users"))["busy"], busy)
        start = reactor.seconds()
        await alice.refused(BUSY, "chat", name="bob")
        self.assertLess(reactor.seconds() - start, stands(USUAL))
        await server.limits(*SILENCE)
        start = reactor.seconds()
        await dave.refused(NO_ANSWER, "chat", name="bob")
        self.assertGreaterEqual(reactor.seconds() - start, stands(SILENCE))
        await self.say(bob, carol, "nobody disturbs us")
        await bob.do("requests")
        missed = (await bob.event("requests"))["missed"]
        self.assertEqual([one["name"] for one in missed], ["dave", "alice"])
        self.assertEqual(carol.told("refused-for-you"), [])

    async def _newcomers(self, *names: str) -> list[Client]:
        links = await self.invite(*names)
        return [
            await self.enrolling(link, name, "--no-pass", "--available").online()
            for link, name in zip(links, names, strict=True)
        ]

    @staticmethod
    def _dismisses_all(client: Client) -> None:
        """Whoever asks, and whenever that is: on a machine that is busy it may be too late."""
        came = client.came

        def came_and_dismissed(number: int, data: bytes) -> None:
            before = len(client.told("asked"))
            came(number, data)
            if len(client.told("asked")) > before:
                client.send("dismiss")

        client.came = came_and_dismissed  # type: ignore[method-assign]
