"""Several nodes under faults at random moments: by hand, not with the other tests.

    python -m tests.cluster_faults --minutes 30 --seed 7

Two or three nodes with an engine and a PostgreSQL of their own, and pairs of people who log in at
any node, ask each other, chat and hang up, again and again, while something fails. All the time:

- nobody is in two chats, and nobody is online twice: somebody who has logged in elsewhere can do
  nothing in their former session `TWICE` seconds later;
- whoever hears something in a chat hears what the other one said, in order;
- when a chat has ended for one, it ends for the other within `NODE_DEAD`, and within `KILLED` if
  the node of the one was killed; a node that stands still for longer is as good as gone;
- in the end everybody can log in without a take-over and chat with their partner, and all that was
  acknowledged is in the registry: blocks, and people who were enrolled meanwhile.

It needs redis-server and PostgreSQL, and prints what it saw. The exit code is 1 if anything was not
as it has to be. Bounds have `SLACK` seconds on top, since one process plays all the people.
"""

from __future__ import annotations

import argparse
import collections
import os
import random
import re
import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Coroutine
from contextlib import suppress
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred, DeferredSemaphore, gatherResults
from twisted.internet.task import LoopingCall, deferLater
from twisted.internet.threads import deferToThread

from securecom import limits, refusals, vocabulary
from securecom.identity import Identity, Name
from securecom.invitation import token_hash
from securecom.server.postgres import Address
from securecom.server.postgres_registry import open_directly
from securecom.server.state import open_state
from tests.support.cluster_nodes import ClusterNode, Way
from tests.support.engines import RunningEngine
from tests.support.postgres_server import PostgresServer
from tests.support.processes import reactor
from tests.support.scripted_people import Leg, Visit

TWICE = 8.0
KILLED = 5.0
#: How often people log in anew between two chats, so that they are spread again after a restart.
MOVES = 0.1
SLACK = 4.0
#: Of the nodes, so that people ask each other again and again.
LIMITS = (
    *("REQUEST_STANDS=4", "REQUEST_EXPIRES=6", "COOLDOWN_FIRST=0.1", "COOLDOWN_LAST=0.1"),
    *("REQUESTS_BY_CALLER=1000000", "REQUESTS_BY_PAIR=1000000", "REQUESTS_TO_CALLEE=1000000"),
)
_TRACES = re.compile(r"Traceback|Unhandled|a mistake in securecom|\[.*#critical\]")
_SOURCES = 250
_SAID_IN_THE_END = 5000
_BOTH = 2


def later(seconds: float) -> Deferred[None]:
    return deferLater(reactor, seconds)


class Coming(Exception):
    """They are on their way."""


class Person:
    """Somebody with an account, and all the sessions that they had."""

    def __init__(self, run: Run, number: int, name: str) -> None:
        self.run, self.name, self.identity = run, Name(name), Identity.generate()
        site, machine = divmod(number, _SOURCES)
        self.source = f"127.1.{site}.{machine + 1}"
        self.visits: list[Visit] = []
        self.is_coming = False
        self.blocked: set[Name] = set()

    @property
    def visit(self) -> Visit | None:
        return self.visits[-1] if self.visits else None

    @property
    def leg(self) -> Leg | None:
        visit = self.visit
        leg = visit.leg if visit is not None else None
        return leg if leg is not None and leg.ended is None else None

    async def be_online(self, moves: bool = False, may_take_over: bool = True) -> Visit:
        """A session with both channels, available; a new one if there is none, or they move."""
        visit = self.visit
        if not moves and visit is not None and visit.is_usable and not self.run.is_frozen(visit):
            return visit
        if self.is_coming:
            raise Coming
        self.is_coming = True
        try:
            if not moves and visit is not None and self._has_session(visit):
                await visit.prove(self.run.some_node())  # only the request channel is missing
                await visit.be_available()
                return visit
            return await self._log_in(may_take_over)
        finally:
            self.is_coming = False

    def _has_session(self, visit: Visit) -> bool:
        return visit.is_in and visit.over is None and not self.run.is_frozen(visit)

    async def _log_in(self, may_take_over: bool) -> Visit:
        visit = self._new_visit()
        takeover = may_take_over and bool(self.run.random.getrandbits(1))
        try:
            try:
                await visit.log_in(self.run.some_node(), takeover)
            except refusals.AlreadyOnline:
                self.run.seen["refused: already online"] += 1
                if not may_take_over:
                    raise
                visit.leave()
                visit = self._new_visit()
                await visit.log_in(self.run.some_node(), True)
            for earlier in self.visits:
                if earlier.superseded is None:
                    earlier.superseded = reactor.seconds()
            self.visits.append(visit)
            await visit.prove(self.run.some_node())
            await visit.be_available()
        except BaseException:
            if visit not in self.visits:
                visit.leave()
            raise
        self.run.seen["log-ins"] += 1
        return visit

    def _new_visit(self) -> Visit:
        return Visit(self.name, self.identity, self.source, self.run.pin, self.run.wrong)


class Chat:
    """Both ends of a chat, as far as they are known."""

    def __init__(self, one: Leg) -> None:
        self.legs = [one]
        self.is_told = False

    @property
    def nodes(self) -> set[int]:
        return {leg.visit.node.number for leg in self.legs}


class Run:
    """One run."""

    def __init__(self, nodes: int, pairs: int, seed: int, only: list[str]) -> None:
        self.random = random.Random(seed)
        self.home = Path(tempfile.mkdtemp(prefix="securecom-faults-"))
        self.seen: collections.Counter[str] = collections.Counter()
        self.longest: dict[str, float] = collections.defaultdict(float)
        self.violations: list[str] = []
        self.problems: collections.Counter[str] = collections.Counter()
        self.goes_on = True
        self.fault = "none"
        self._count, self._pairs = nodes, pairs
        self.faults = {
            name: getattr(self, f"_{name}") for name in FAULTS if not only or name in only
        }
        #: Since when a node stands still; when it was killed last, and when it went on.
        self.frozen: dict[int, float] = {}
        self.thawed: dict[int, float] = {}
        self.killed: dict[int, float] = {}
        self.apart: float | None = None
        self.chats: dict[bytes, Chat] = {}
        self.enrolled: list[tuple[Name, Identity]] = []
        self._began = self._watched = reactor.seconds()
        self.engine: RunningEngine
        self.postgres: PostgresServer
        self.nodes: list[ClusterNode] = []
        self.people: list[Person] = []

    # --- what is seen -----------------------------------------------------------------------

    def say(self, text: str) -> None:
        print(f"{reactor.seconds() - self._began:7.1f}  {text}", flush=True)

    def wrong(self, what: str) -> None:
        self.violations.append(f"{what} (during: {self.fault})")
        self.say(f"VIOLATION {self.violations[-1]}")

    def is_frozen(self, visit: Visit) -> bool:
        return visit.node.number in self.frozen

    def some_node(self) -> ClusterNode:
        """As a load balancer would choose."""
        up = [one for one in self.nodes if one.runs]
        awake = [one for one in up if one.number not in self.frozen]
        return self.random.choice(awake or up or self.nodes)

    # --- setting up -------------------------------------------------------------------------

    async def prepare(self) -> None:
        self.postgres = PostgresServer()
        self.postgres.start()
        self.url = self.postgres.url(self.postgres.database())
        self.engine = await RunningEngine().ready()
        made = open_state(self.home / "state", (), time.time(), True, self.url)
        self.pin = made.server_id
        made.close()
        names = [f"{role}{number:03}" for number in range(self._pairs) for role in ("ask", "hear")]
        names += [f"third{number}" for number in range(max(2, self._pairs // 10))]
        self.people = [Person(self, number, name) for number, name in enumerate(names)]
        await deferToThread(self._enrol_all)
        state = self.home / "state"
        self.nodes = [
            ClusterNode(number, self.home, state, self.engine.url, LIMITS, has_way=True)
            for number in range(self._count)
        ]
        for node in self.nodes:
            await node.start()

    def _enrol_all(self) -> None:
        registry = open_directly(Address.parse(self.url), self.pin)
        for one in self.people:
            token = os.urandom(20)
            _result(registry.invite(one.name, token_hash(token), time.time() + 3600))
            _result(registry.spend(token_hash(token), one.identity.public_key, time.time()))
        registry.close()

    def _invite(self, name: Name, token: bytes) -> None:
        registry = open_directly(Address.parse(self.url), self.pin)
        try:
            _result(registry.invite(name, token_hash(token), time.time() + 3600))
        finally:
            registry.close()

    # --- people -----------------------------------------------------------------------------

    async def pair(self, one: Person, other: Person) -> None:
        """Two people who chat again and again."""
        heavy = self.random.random() < 0.06
        await later(self.random.uniform(0, 6))
        while self.goes_on:
            try:
                for person in (one, other):
                    await person.be_online(moves=self.random.random() < MOVES)
                if one.leg is not None or other.leg is not None:
                    await later(0.5)
                    continue
                visit = one.visit
                assert visit is not None
                leg = await visit.chat_with(other.name)
                await self._chat(leg, other, heavy)
            except Exception as error:
                self._note(error)
                await later(self.random.uniform(0.5, 1.5))

    async def _chat(self, leg: Leg, other: Person, heavy: bool) -> None:
        chat = self._known(leg)
        end = reactor.seconds() + self.random.uniform(3, 20)
        for _ in range(50):
            theirs = other.visit.leg if other.visit is not None else None
            if theirs is not None and theirs.chat == leg.chat:
                break
            if leg.ended is not None:
                return
            await later(0.1)
        else:
            self.seen["chats that the callee did not see within 5 s"] += 1
            await self._hang_up(leg)
            return
        chat.legs.append(theirs)
        self.seen["chats"] += 1
        across = theirs.visit.node is not leg.visit.node
        self.seen["chats across nodes"] += across
        while reactor.seconds() < end and self.goes_on and leg.ended is theirs.ended is None:
            size = 20000 if heavy else self.random.choice((20, 200, 1500))
            leg.say(size)
            if self.random.random() < 0.7:
                theirs.say(size)
            await later(0.2 if heavy else self.random.uniform(0.3, 1.2))
        await self._hear_out(leg, theirs)
        if leg.ended is theirs.ended is None:
            self.seen["chats with all bytes"] += 1
            self.seen["bytes"] += leg.sent + theirs.sent
            await self._hang_up(self.random.choice((leg, theirs)))
        else:
            self.seen["chats that were cut off"] += 1
        while leg.ended is None or theirs.ended is None:  # `watch` sees to the bounds
            await later(0.2)

    async def _hear_out(self, leg: Leg, theirs: Leg) -> None:
        """Wait until both have heard all that was said, or the chat has ended."""
        leg.is_sending = theirs.is_sending = False
        until = reactor.seconds() + limits.NODE_DEAD + 2 * SLACK
        while leg.ended is theirs.ended is None and (
            leg.sent != theirs.heard or theirs.sent != leg.heard
        ):
            if self.frozen or self.apart is not None:
                until = reactor.seconds() + limits.NODE_DEAD + 2 * SLACK
            if reactor.seconds() > until:
                self.wrong(
                    f"{leg.visit.name}: {leg.sent} bytes sent, {theirs.heard} heard; "
                    f"{theirs.sent} sent, {leg.heard} heard, and the chat stands"
                )
                break
            await later(0.1)

    async def _hang_up(self, leg: Leg) -> None:
        if leg.ended is None:
            leg.end("mine")
            with suppress(refusals.NothingToEnd):
                await leg.visit.ask(vocabulary.EndChat, stream=leg.stream)

    def _known(self, leg: Leg) -> Chat:
        chat = self.chats.get(leg.chat)
        if chat is None:
            chat = self.chats[leg.chat] = Chat(leg)
        return chat

    async def third(self, one: Person) -> None:
        """Asks people who may be busy."""
        while self.goes_on:
            await later(self.random.uniform(1, 5))
            try:
                visit = await one.be_online()
                whom = self.random.choice(self.people)
                if whom is one or one.leg is not None:
                    continue
                leg = await visit.chat_with(whom.name)
                self._known(leg)
                self.seen["chats of third people"] += 1
                await later(self.random.uniform(0.5, 2))
                await self._hang_up(leg)
            except Exception as error:
                self._note(error)

    async def wander(self) -> None:
        """Now and then somebody logs in elsewhere while they are online, blocks, or enrols."""
        number = 0
        while self.goes_on:
            await later(self.random.uniform(0.3, 1.2))
            try:
                one = self.random.choice(self.people)
                what = self.random.random()
                if what < 0.5 or (self.frozen and what < 0.8):
                    stuck = [p for p in self.people if p.visit and self.is_frozen(p.visit)]
                    one = self.random.choice(stuck or [one])
                    await one.be_online(moves=True)
                    self.seen["take-overs"] += 1
                elif what < 0.8 and one.visit is not None and one.visit.is_usable:
                    whom = Name(f"nobody{self.random.randrange(10**6)}")
                    if len(one.blocked) < 50:
                        await one.visit.ask(vocabulary.Block, name=whom)
                        one.blocked.add(whom)
                        self.seen["blocks"] += 1
                elif number < 200:
                    number += 1
                    await self._enrol(Name(f"new{number:03}"))
            except Exception as error:
                self._note(error)

    async def _enrol(self, name: Name) -> None:
        token = os.urandom(20)
        await deferToThread(self._invite, name, token)
        person = Person(self, self.random.randrange(2000, 4000), name)
        visit = Visit(name, person.identity, person.source, self.pin, self.wrong)
        await visit.enrol(self.some_node(), token)
        self.enrolled.append((name, person.identity))
        self.seen["enrolments"] += 1

    def _note(self, error: Exception) -> None:
        self.problems[f"{self.fault}: {type(error).__name__}"] += 1
        if isinstance(error, (TypeError, AttributeError, KeyError, AssertionError, ValueError)):
            self.wrong("".join(traceback.format_exception(error)))

    # --- what must hold ---------------------------------------------------------------------

    def watch(self) -> None:
        now = reactor.seconds()
        if now - self._watched > 3:
            self.seen["times this process stood still"] += 1
        self._watched = now
        for ident, chat in list(self.chats.items()):
            self._watch_chat(chat, now)
            if len(chat.legs) == _BOTH and all(leg.ended is not None for leg in chat.legs):
                late = abs(chat.legs[0].ended - chat.legs[1].ended)  # type: ignore[operator]
                self.longest[self._why(chat)] = max(self.longest[self._why(chat)], late)
                del self.chats[ident]
            elif len(chat.legs) == 1 and chat.legs[0].ended is not None:
                del self.chats[ident]
        for person in self.people:
            for visit in person.visits[:-1]:
                if visit.over is None and visit.superseded is not None:
                    self._watch_twice(visit, now)
            person.visits[:-1] = [one for one in person.visits[:-1] if one.over is None]

    def _why(self, chat: Chat) -> str:
        first = min(leg.ended for leg in chat.legs if leg.ended is not None)
        gone = [n for n in chat.nodes if abs(self.killed.get(n, -99) - first) < 2]
        return "node killed" if gone else "other"

    def _watch_chat(self, chat: Chat, now: float) -> None:
        if chat.is_told or len(chat.legs) < _BOTH:
            return
        ended = [leg for leg in chat.legs if leg.ended is not None]
        open_legs = [leg for leg in chat.legs if leg.ended is None]
        if not open_legs:
            return
        # A client at a node that stands still can see nothing; nor just after it went on.
        if any(self.is_frozen(leg.visit) for leg in open_legs):
            frozen = [leg for leg in open_legs if self.is_frozen(leg.visit)]
            awake = [leg for leg in open_legs if leg not in frozen]
            since = self.frozen[frozen[0].visit.node.number]
            if awake and now - since > limits.NODE_DEAD + SLACK:
                self._late(
                    chat,
                    f"{awake[0].visit.name} is not free {now - since:.1f} s after "
                    "the other's node stood still",
                )
            return
        if self.apart is not None and len(chat.nodes) > 1 and not ended:
            if now - self.apart > limits.NODE_DEAD + SLACK and chat.legs[1].began < self.apart:
                self._late(chat, f"a chat stands {now - self.apart:.1f} s after the links were cut")
            return
        if ended:
            since = max(
                ended[0].ended or 0,
                *(self.thawed.get(n, -99) for n in chat.nodes),
            )
            bound = KILLED if self._why(chat) == "node killed" else limits.NODE_DEAD
            if now - since > bound + SLACK:
                self._late(
                    chat,
                    f"{open_legs[0].visit.name} is not free {now - since:.1f} s after the chat "
                    f"ended for {ended[0].visit.name} ({ended[0].how}; {self._why(chat)}; nodes "
                    f"{open_legs[0].visit.node.number} and {ended[0].visit.node.number})",
                )

    def _late(self, chat: Chat, what: str) -> None:
        chat.is_told = True
        self.wrong(what)

    def _watch_twice(self, visit: Visit, now: float) -> None:
        number = visit.node.number
        since = max(visit.superseded or 0, self.thawed.get(number, 0))
        if number in self.frozen or now - since < TWICE + SLACK:
            return
        visit.superseded = None  # told once
        asked = visit.standard.control.call(vocabulary.Ping)
        asked.addCallbacks(
            lambda _: self.wrong(
                f"{visit.name} is online twice, {now - since:.1f} s after they logged in elsewhere"
            ),
            lambda _: None,
        )

    # --- faults -----------------------------------------------------------------------------

    async def break_things(self, until: float) -> None:
        await later(8)
        queue: list[str] = []
        while reactor.seconds() < until:
            if not queue:
                queue = list(self.faults)
                self.random.shuffle(queue)
            self.fault = queue.pop()
            chats = sum(len(c.legs) == _BOTH for c in self.chats.values())
            before = self.seen["chats that were cut off"]
            start = reactor.seconds()
            try:
                await self.faults[self.fault]()
            except Exception:
                self.wrong(f"the fault could not be made: {traceback.format_exc()}")
            took = reactor.seconds() - start
            await later(self.random.uniform(8, 14))
            standing = sum(len(c.legs) == _BOTH for c in self.chats.values())
            cut = self.seen["chats that were cut off"] - before
            load = os.getloadavg()[0]
            self.say(
                f"{self.fault:16} {took:5.1f} s; chats before {chats}, cut off {cut}, now "
                f"{standing}; chats so far {self.seen['chats']}; load {load:.0f}"
            )
            self.seen[f"fault {self.fault}"] += 1
        self.fault = "none"

    async def _engine_killed(self) -> None:
        await self.engine.kill()
        await later(self.random.uniform(1, 8))
        await self.engine.restart()

    async def _engine_wiped(self) -> None:
        # The same for its users: it is back at once, and knows nobody.
        await self.engine.restart()

    async def _engine_away(self) -> None:
        self.engine.freeze()
        await later(10)
        self.engine.thaw()

    async def _node_killed(self) -> None:
        node = self.random.choice(self.nodes)
        self.killed[node.number] = reactor.seconds()
        await node.end(signal.SIGKILL)
        await later(self.random.uniform(2, 15))
        await node.start()

    async def _node_restarted(self) -> None:
        node = self.random.choice(self.nodes)
        start = reactor.seconds()
        await node.end(signal.SIGTERM)
        self.longest["node ends after SIGTERM"] = max(
            self.longest["node ends after SIGTERM"], reactor.seconds() - start
        )
        await node.start()

    async def _node_frozen(self) -> None:
        await self._freeze(self.random.uniform(25, 32))

    async def _node_paused(self) -> None:
        await self._freeze(self.random.uniform(3, 12))

    async def _freeze(self, seconds: float) -> None:
        node = self.random.choice(self.nodes)
        node.process.signal(signal.SIGSTOP)
        self.frozen[node.number] = reactor.seconds()
        await later(seconds)
        node.process.signal(signal.SIGCONT)
        del self.frozen[node.number]
        self.thawed[node.number] = reactor.seconds()

    async def _registry_restarted(self) -> None:
        await deferToThread(self.postgres.end, self.random.choice((signal.SIGINT, signal.SIGKILL)))
        await later(self.random.uniform(0, 5))
        await deferToThread(self.postgres.start)

    @property
    def _ways(self) -> list[Way]:
        return [node.way for node in self.nodes if node.way is not None]

    async def _links_cut(self) -> None:
        for _ in range(self.random.randrange(1, 6)):
            for way in self._ways:
                way.cut()
            await later(self.random.uniform(0, 2))

    async def _links_paused(self) -> None:
        await self._lose(self.random.uniform(2, 12), True, True)

    async def _links_apart(self) -> None:
        await self._lose(self.random.uniform(26, 32), True, True)

    async def _links_one_way(self) -> None:
        inward = bool(self.random.getrandbits(1))
        await self._lose(self.random.uniform(26, 32), inward, not inward)

    async def _lose(self, seconds: float, inward: bool, outward: bool) -> None:
        self.apart = reactor.seconds()
        for way in self._ways:
            way.lose(inward, outward)
        await later(seconds)
        for way in self._ways:
            way.lose(False, False)
        self.apart = None

    # --- the whole --------------------------------------------------------------------------

    async def go(self, minutes: float) -> None:
        await self.prepare()
        self.say(f"{self._count} nodes, {len(self.people)} people; load {os.getloadavg()[0]:.0f}")
        self._watched = reactor.seconds()
        watching = LoopingCall(self.watch)
        watching.start(0.5, now=False)
        thirds = [one for one in self.people if one.name.startswith("third")]
        pairs = [one for one in self.people if one not in thirds]
        going: list[Coroutine[Any, Any, None]] = [
            *(self.pair(*two) for two in zip(pairs[::2], pairs[1::2], strict=True)),
            *(self.third(one) for one in thirds),
            self.wander(),
        ]
        all_going = gatherResults([Deferred.fromCoroutine(one) for one in going])
        await self.break_things(reactor.seconds() + 60 * minutes)
        self.goes_on = False
        await all_going
        self.fault = "the end"
        await self._check_everybody(list(zip(pairs[::2], pairs[1::2], strict=True)), thirds)
        watching.stop()
        await deferToThread(self._check_registry)
        for node in self.nodes:
            node.process.signal(signal.SIGTERM)
            await node.process.ended()
            text = node.said()
            if (found := _TRACES.search(text)) is not None:
                trace = text[found.start() :][:1500]
                self.wrong(f"in the log of node {node.number}: {trace}")

    async def _check_everybody(
        self, pairs: list[tuple[Person, Person]], thirds: list[Person]
    ) -> None:
        """They leave, log in without a take-over, and chat."""
        for person in self.people:
            for visit in person.visits:
                visit.leave()
        await later(3)
        at_once = DeferredSemaphore(8)
        checks = [at_once.run(self._check_pair, *two) for two in pairs]
        await gatherResults(checks)
        for one in thirds:
            await self._returns(one)

    async def _check_pair(self, one: Person, other: Person) -> None:
        for person in (one, other):
            await self._returns(person)
        until = reactor.seconds() + 30
        leg: Leg | None = None
        while leg is None:
            try:
                visit = await one.be_online(may_take_over=False)
                await other.be_online(may_take_over=False)
                leg = await visit.chat_with(other.name)
            except Exception as error:
                if reactor.seconds() > until:
                    self.wrong(f"{one.name} and {other.name} cannot chat in the end: {error!r}")
                    return
                await later(0.5)
        await later(0.3)
        theirs = other.leg
        if theirs is None or theirs.chat != leg.chat:
            self.wrong(f"{other.name} is not in the chat with {one.name} in the end")
            return
        leg.say(_SAID_IN_THE_END)
        theirs.say(_SAID_IN_THE_END)
        for _ in range(100):
            if leg.heard == theirs.heard == _SAID_IN_THE_END:
                self.seen["pairs that chat in the end"] += 1
                break
            await later(0.1)
        else:
            self.wrong(f"{one.name} and {other.name} hear nothing in the end")
        await self._hang_up(leg)

    async def _returns(self, person: Person) -> None:
        start = reactor.seconds()
        while True:
            try:
                await person.be_online(may_take_over=False)
                return
            except Exception as error:
                if reactor.seconds() - start > limits.NODE_LAPSE + 2 * SLACK:
                    self.wrong(f"{person.name} cannot log in, in the end: {error!r}")
                    return
                await later(0.5)

    def _check_registry(self) -> None:
        registry = open_directly(Address.parse(self.url), self.pin)
        try:
            everybody = _result(registry.everybody())
            keys = {user.name: user.key for user in everybody.users}
            for name, identity in self.enrolled:
                if keys.get(name) != identity.public_key:
                    self.wrong(f"{name} was enrolled and is not in the registry")
            for person in self.people:
                missing = person.blocked - set(everybody.blocks.get(person.name, ()))
                if missing:
                    self.wrong(f"{person.name}: {len(missing)} acknowledged blocks are missing")
        finally:
            registry.close()

    async def close(self) -> None:
        for node in self.nodes:
            if node.processes:
                node.process.signal(signal.SIGCONT)
            await node.close()
        if hasattr(self, "engine"):
            await self.engine.close()
        if hasattr(self, "postgres"):
            self.postgres.remove()
        for node in self.nodes:
            with (self.home / f"node{node.number}.log").open("w") as log:
                log.write(node.said())
        if self.violations:
            print(f"logs of the nodes are in {self.home}")
        else:
            shutil.rmtree(self.home, ignore_errors=True)

    def report(self) -> None:
        for name, count in sorted(self.seen.items()):
            print(f"{count:9}  {name}")
        for name, seconds in sorted(self.longest.items()):
            print(f"{seconds:8.1f}s  the longest between the two ends of a chat: {name}")
        print("refusals and failures that people met:")
        for name, count in sorted(self.problems.items()):
            print(f"{count:9}  {name}")
        print(f"{len(self.violations)} violations")
        for one in self.violations:
            print(f"  {one}")


def _result(deferred: Deferred[Any]) -> Any:
    """Of a pool that works at once."""
    found: list[Any] = []
    deferred.addCallbacks(found.append, lambda failure: failure.raiseException())
    if not found:
        raise RuntimeError("it failed, or has not happened yet")
    return found[0]


FAULTS = (
    *("engine_killed", "engine_wiped", "engine_away", "node_killed", "node_restarted"),
    *("node_frozen", "node_paused", "registry_restarted", "links_cut", "links_paused"),
    *("links_apart", "links_one_way"),
)


def main() -> None:
    """See above."""
    parser = argparse.ArgumentParser(prog="python -m tests.cluster_faults", description=__doc__)
    parser.add_argument("--minutes", type=float, default=3)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--nodes", type=int, default=2)
    parser.add_argument("--pairs", type=int, default=100)
    parser.add_argument("--only", action="append", default=[], choices=FAULTS)
    options = parser.parse_args()
    print(f"seed {options.seed}", flush=True)
    run = Run(options.nodes, options.pairs, options.seed, options.only)

    async def whole() -> None:
        try:
            await run.go(options.minutes)
        except BaseException:
            run.wrong(f"the run itself failed: {traceback.format_exc()}")
        finally:
            await run.close()
            run.report()
            reactor.stop()

    reactor.callWhenRunning(lambda: Deferred.fromCoroutine(whole()))
    reactor.run()
    sys.exit(bool(run.violations))


if __name__ == "__main__":
    main()
