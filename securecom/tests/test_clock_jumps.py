"""Wall clocks that are set at the worst moments, and machines that sleep.

A server and two clients, each on a machine of its own with a wall clock of its own. What happens
when these are set has to be what happens when nobody touches them.
"""

from __future__ import annotations

import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar

from twisted.internet.address import UNIXAddress
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from securecom import clocks, limits
from securecom.client.events import (
    Asked,
    Availability,
    ChatOver,
    ChatStarted,
    Event,
    Message,
    Offline,
    RequestChannelState,
    TimeLeft,
)
from securecom.client.program.running import watch_clocks
from securecom.client.terms import DAY, AvailabilityTerms, Pause
from securecom.errors import NotNow
from securecom.identity import Identity, Name
from securecom.invitation import token_hash
from securecom.server.database import SynchronousPool, connect
from securecom.server.service import Endpoints, Server, ServerContext
from securecom.server.sqlite_registry import SQLiteRegistry
from securecom.server.state import ServerState, open_state
from securecom.tests.support.memory_client import MemoryClient
from securecom.tests.support.memory_server import numbered, result
from securecom.tests.support.network import MemoryServerEndpoint, MemoryTransport, Network, Wire
from securecom.values import as_dict

NOW = time.time()
ALICE, BOB = Name("alice"), Name("bob")
HOUR, NOON = 3600, 43_200
JUMPS = (1, -1, 60, -60, HOUR, -HOUR, 100 * DAY, -100 * DAY)


class Machine(Clock):
    """A reactor that reads the wall clock, as Twisted's do, until `use_steady_time`."""

    running = False

    def __init__(self) -> None:
        super().__init__()
        #: Seconds by which somebody has set the wall clock.
        self.set_by = 0.0
        self.stands_still = False
        self._missed = 0.0

    def seconds(self) -> float:
        return self.wall()

    def wall(self) -> float:
        return NOW + self.rightNow + self.set_by

    def advance(self, amount: float) -> None:
        self._missed += amount
        if not self.stands_still:
            amount, self._missed = self._missed, 0.0
            super().advance(amount)


class Machines:
    """All of them: time passes everywhere, in the same steps."""

    def __init__(self, *every: Machine) -> None:
        self.every = every

    def advance(self, amount: float) -> None:
        for machine in self.every:
            machine.advance(amount)


class JumpCase(SynchronousTestCase):
    """Alice, Bob and their server."""

    keys: ClassVar[list[Identity]] = [Identity.generate(), Identity.generate()]

    def setUp(self) -> None:
        self.begin()

    def begin(self) -> None:
        """Three machines, all on, and nobody online yet."""
        self.network = Network()
        self.machines = {name: Machine() for name in ("server", "alice", "bob")}
        for machine in self.machines.values():
            patch = self.patch(clocks, "steady", lambda machine=machine: machine.rightNow)
            clocks.use_steady_time(machine)
            patch.restore()
        self.network.clock = Machines(*self.machines.values())  # type: ignore[assignment]
        self.state = self.make_state()
        self.registry = SQLiteRegistry(SynchronousPool(connect(self.state.registry_path)))
        self.server = self.start_server()
        names = zip(("alice", "bob"), self.keys, strict=True)
        self.people = {name: self.person(name, identity) for name, identity in names}

    def make_state(self) -> ServerState:
        return open_state(Path(self.mktemp()), [], NOW)

    def start_server(self) -> Server:
        machine = self.machines["server"]
        listeners = [MemoryServerEndpoint(self.network, port) for port in (4241, 0)]
        server = Server(
            self.state,
            self.registry,
            Endpoints(listeners[0], listeners[1], 4242),
            ServerContext(
                machine,
                machine.wall,
                numbered(),
                lambda host, port: self.network.client_endpoint(port),
            ),
            lambda *_: None,
            self.fail,
            self.fail,
        )
        server.privilegedStartService()
        server.startService()
        return server

    def person(self, name: str, identity: Identity) -> MemoryClient:
        ticket = token_hash(name.encode())
        result(self.registry.invite(Name(name), ticket, NOW + 60))
        result(self.registry.spend(ticket, identity.public_key, NOW))
        machine = self.machines[name]
        net = SimpleNamespace(**{n: getattr(self.network, n) for n in _NEEDED}, clock=machine)
        person = MemoryClient(net, identity, self.state.server_id, wall=machine.wall)  # type: ignore[arg-type]
        watch_clocks(person.client, machine, machine.wall)
        return person

    def start(self) -> None:
        """Both online."""
        self.wires: dict[str, list[Wire]] = {}
        for name, person in self.people.items():
            before = list(self.network.wires)
            person.start()
            self.wires[name] = [wire for wire in self.network.wires if wire not in before]
        self.wires["server"] = list(self.network.wires)

    def chat(self, chat_seconds: int | None = None) -> tuple[MemoryClient, MemoryClient]:
        """Alice and Bob, online and in a chat."""
        self.start()
        alice, bob = (self.people[name] for name in ("alice", "bob"))
        self.quietly(alice.main.request_chat(BOB, chat_seconds))
        self.network.advance(1)
        self.quietly(bob.main.accept(ALICE))
        self.network.advance(1)
        self.assertEqual((alice.main.peer, bob.main.peer), (BOB, ALICE))
        return alice, bob

    def quietly(self, deferred: Any) -> None:
        """What it comes to shows elsewhere."""
        deferred.addErrback(lambda failure: None)
        self.network.pump()

    def set(self, seconds: float, *names: str) -> None:
        """Somebody sets the wall clocks of these machines."""
        for name in names:
            self.machines[name].set_by += seconds

    def sleep(self, seconds: float, name: str) -> None:
        """A machine sleeps, and the others do not; then it has woken, and reads what came."""
        machine = self.machines[name]
        ends = [wire.server if name == "server" else wire.client for wire in self.wires[name]]
        machine.stands_still = True
        for end in ends:
            end.reading = False
        self.network.advance(seconds)
        machine.stands_still = False
        for end in ends:
            end.reading = True

    def lose_wires(self, name: str) -> None:
        """What carried a machine's connections has forgotten them; nobody is told."""
        for wire in self.wires[name]:
            for end in (wire.client, wire.server):
                end.other = MemoryTransport(end.address, end.host)


_NEEDED = ("client_endpoint", "server_endpoint", "pump", "advance")


class SetClockTests(JumpCase):
    """A clock that is set in every phase of a request and a chat changes nothing."""

    def life(self, seconds: float, names: tuple[str, ...]) -> list[Any]:
        """All that happens to both, and when; the clocks are set in every phase on the way."""
        self.begin()
        trace: list[Any] = []
        alice, bob = (self.people[name].main for name in ("alice", "bob"))
        steady = self.machines["alice"]

        def noted(who: str) -> Any:
            return lambda event: trace.append((round(steady.rightNow, 3), who, _plain(event)))

        for name, person in self.people.items():
            person.notes.on_event = noted(name)

        def phase(pause: float) -> None:
            """Some time passes in it, then the clock is set, and more passes."""
            self.network.advance(pause)
            self.set(seconds, *names)
            self.network.advance(pause)

        self.start()
        phase(2)  # online
        self.quietly(bob.set_away(Pause(seconds=8)))
        phase(3)  # away for a while
        phase(3)  # and back
        self.quietly(bob.set_available(AvailabilityTerms(300)))
        phase(1)  # available for a while
        self.quietly(alice.request_chat(BOB, 70))
        phase(2)  # asked
        self.quietly(bob.refuse())
        phase(5)  # held back by the cool-down
        self.quietly(alice.request_chat(BOB, 70))
        phase(limits.COOLDOWN_FIRST / 2)
        self.quietly(alice.request_chat(BOB, 70))
        phase(1)
        self.quietly(bob.accept(ALICE))
        phase(3)  # a chat with an end
        alice.say("one")
        phase(3)
        bob.say("two")
        phase(35)  # it ends by itself
        phase(5)
        self.quietly(bob.request_chat(ALICE))
        phase(20)  # nobody answers
        phase(20)
        self.network.wires[0].cut()
        phase(1)  # on the way back
        phase(100)  # silence, with nothing but pings; the lease ends
        self.assertTrue(alice.is_online and bob.is_online)
        for person in self.people.values():
            person.client.leave()
        self.network.advance(10)
        return trace

    # Promise R6
    def test_it_changes_nothing(self) -> None:
        """On any of the machines, and on all of them; the 100 days are for those who are online:
        a server whose certificate is of another year lets nobody in who knows the date.
        """
        usual = self.life(0, ())
        kinds = {kind for _, _, (kind, _) in usual}
        for kind in (Asked, ChatStarted, TimeLeft, ChatOver, Offline, Availability):
            self.assertIn(kind.__name__, kinds)
        for seconds in JUMPS:
            for names in (("alice",), ("bob",), ("alice", "bob"), ("server",)):
                if "server" in names and abs(seconds) > HOUR:
                    continue
                self.assertEqual(self.life(seconds, names), usual, (seconds, names))

    # Promise R6
    def test_a_server_that_is_off_by_100_days_keeps_its_chats(self) -> None:
        for seconds in (100 * DAY, -100 * DAY):
            self.begin()
            alice, _ = self.chat()
            self.set(seconds, "server")
            self.network.advance(2 * limits.PEER_GONE)
            self.assertEqual((alice.notes.of(ChatOver), alice.notes.of(Offline)), ([], []))


class CalendarTests(JumpCase):
    """What the calendar says holds from when it says so, on whatever day that turns out to be."""

    def is_valid(self, now: float) -> bool:
        """Of the certificate that new connections are shown."""
        tls = self.network.ports[4241]._tls  # type: ignore[attr-defined]
        context, protocol = tls._creatorCallable, tls.buildProtocol(UNIXAddress("/x"))
        shown = context(protocol).get_certificate(as_cryptography=True)
        return bool(
            shown.not_valid_before_utc.timestamp() < now < shown.not_valid_after_utc.timestamp()
        )

    # Promise R10
    def test_a_server_that_was_set_right_has_a_good_certificate_at_once(self) -> None:
        """Started 100 days ahead or behind, or set so while it ran, and then set right."""
        for seconds in JUMPS:
            self.begin()
            self.set(seconds, "server")
            self.network.advance(2 * limits.CLOCK_LOOK)
            self.assertTrue(self.is_valid(self.machines["server"].wall()), seconds)
            self.set(-seconds, "server")
            self.network.advance(2 * limits.CLOCK_LOOK)
            self.assertTrue(self.is_valid(self.machines["server"].wall()), seconds)
            self.start()
            self.assertTrue(self.people["alice"].main.is_online, seconds)

    # Promise R11
    def test_a_server_that_was_made_100_days_ahead(self) -> None:
        """Its CA is what people pin, and cannot be made again: it has to be good already."""
        self.patch(self, "make_state", lambda: open_state(Path(self.mktemp()), [], NOW + 100 * DAY))
        self.begin()
        self.machines["server"].set_by = 100 * DAY
        self.network.advance(2 * limits.CLOCK_LOOK)
        self.set(-100 * DAY, "server")
        self.network.advance(2 * limits.CLOCK_LOOK)
        self.start()
        self.assertTrue(self.people["alice"].main.is_online)

    # Promise R10
    def test_a_quarantine_ends_when_the_calendar_says_so(self) -> None:
        result(self.registry.remove(BOB, NOW))
        self.set(limits.NAME_QUARANTINE + 10, "server")
        self.network.advance(2 * limits.CLOCK_LOOK)
        self.assertEqual(result(self.registry.quarantine()), [])

    def away_until(self, of_day: int) -> MemoryClient:
        """Alice, at noon, who wants to be away until a time of day."""
        self.begin()
        self.start()
        alice, machine = self.people["alice"], self.machines["alice"]
        machine.set_by += NOON - machine.wall() % DAY
        self.network.advance(1)
        self.quietly(alice.main.set_away(Pause(until=of_day)))
        self.assertFalse(alice.main.is_available)
        return alice

    # Promise R12
    def test_a_time_of_day_is_what_the_wall_shows(self) -> None:
        """Away until one o'clock, said at noon; then the clock is set, and it is ... at last."""
        for seconds, left in (
            (60, HOUR - 60),
            (-60, HOUR + 60),
            (HOUR / 2, HOUR / 2),
            (-HOUR, 2 * HOUR),
            (-100 * DAY, HOUR),
        ):
            alice = self.away_until(NOON + HOUR)
            self.set(seconds, "alice")
            self.network.advance(left - 10, step=5)
            self.assertFalse(alice.main.is_available, seconds)
            self.network.advance(15, step=5)
            self.assertTrue(alice.main.is_available, seconds)

    # Promise R12
    def test_a_time_of_day_that_the_clock_jumps_over_is_there(self) -> None:
        for seconds in (HOUR + 1, DAY, 100 * DAY):
            alice = self.away_until(NOON + HOUR)
            self.set(seconds, "alice")
            self.network.advance(2 * limits.CLOCK_LOOK)
            self.assertTrue(alice.main.is_available, seconds)

    # Promise R12
    def test_it_is_the_wall_that_says_when_not_the_timer(self) -> None:
        """A clock that was set back a moment before: nobody has looked since."""
        alice = self.away_until(NOON + HOUR)
        self.network.advance(HOUR - 10, step=5)
        self.patch(limits, "CLOCK_DRIFT", 1e9)
        self.set(-60, "alice")
        self.network.advance(30)
        self.assertFalse(alice.main.is_available)
        self.network.advance(60)
        self.assertTrue(alice.main.is_available)


class SleepTests(JumpCase):
    """A laptop that is shut and opened again."""

    def wakes(self, person: MemoryClient) -> list[str]:
        """What its person is shown within five seconds of that."""
        person.notes.events.clear()
        self.network.advance(5)
        self.assertTrue(person.main.is_online)
        return [type(event).__name__ for event in person.notes.events]

    # Promise R13
    def test_back_on_line_within_five_seconds(self) -> None:
        """However long it slept, and whether or not the server has noticed."""
        for seconds in (limits.STOOD_STILL + 2, 60, limits.PEER_GONE + 5, HOUR):
            self.begin()
            self.start()
            self.network.advance(20)
            self.lose_wires("alice")
            self.sleep(seconds, "alice")
            shown = self.wakes(self.people["alice"])
            self.assertEqual((shown.count("Offline"), shown.count("Online")), (1, 1), seconds)
            self.assertEqual(self.people["bob"].notes.of(Offline), [])

    # Promise R14
    def test_what_still_stands_is_left_standing(self) -> None:
        alice, bob = self.chat()
        self.sleep(60, "alice")
        self.assertEqual(self.wakes(alice), [])
        alice.main.say("here again")
        self.network.advance(60)
        self.assertEqual([message.text for message in bob.notes.of(Message)], ["here again"])

    # Promise R13
    def test_a_request_channel_that_is_lost_alone(self) -> None:
        self.start()
        [standard, request] = self.wires["alice"]
        self.wires["alice"] = [request]
        self.lose_wires("alice")
        self.wires["alice"] = [standard]
        self.sleep(60, "alice")
        shown = self.wakes(self.people["alice"])
        self.assertEqual(shown, ["RequestChannelState", "RequestChannelState"])
        self.assertTrue(self.people["alice"].notes.last(RequestChannelState).up)

    # Promise R13
    def test_a_request_channel_that_waits_is_tried_at_once(self) -> None:
        self.start()
        [port] = [port for port in self.network.ports if port != 4241]
        listener = self.network.ports.pop(port)
        self.wires["alice"][1].cut()
        self.network.advance(300)
        self.network.ports[port] = listener
        self.wires["alice"] = self.wires["alice"][:1]
        self.sleep(15, "alice")
        self.assertEqual(self.wakes(self.people["alice"]), ["RequestChannelState"])

    # Promise R13
    def test_whoever_waits_to_try_again_tries_at_once(self) -> None:
        """The wait has grown to a minute by then."""
        self.start()
        listener = self.network.ports.pop(4241)
        for wire in self.wires["alice"]:
            wire.cut()
        self.network.advance(600)
        self.assertFalse(self.people["alice"].main.is_online)
        self.network.ports[4241] = listener
        self.wires["alice"] = []
        self.sleep(12, "alice")
        self.assertIn("Online", self.wakes(self.people["alice"]))

    def test_so_does_whoever_is_told_to_reconnect(self) -> None:
        self.start()
        listener = self.network.ports.pop(4241)
        for wire in self.wires["alice"]:
            wire.cut()
        self.network.advance(600)
        alice = self.people["alice"]
        self.network.ports[4241] = listener
        self.wires["alice"] = []
        self.assertFalse(alice.main.is_online)
        alice.main.reconnect()
        self.network.advance(1)
        self.assertTrue(alice.main.is_online)
        error = self.assertRaises(NotNow, alice.main.reconnect)
        self.assertEqual(error.what, "you are already connected")

    # Promise R13
    def test_an_attempt_that_was_under_way(self) -> None:
        """To a network that is another one now: it would hang until its deadline."""
        self.patch(limits, "LOGIN_DEADLINE", 1e6)
        self.start()
        listener = self.network.ports[4241]
        self.network.ports[4241] = _Mute()
        self.wires["alice"][0].cut()
        self.network.advance(5)
        self.network.ports[4241] = listener
        self.wires["alice"] = []
        self.sleep(60, "alice")
        self.assertIn("Online", self.wakes(self.people["alice"]))

    # Promise R9
    def test_a_chat_with_an_end_has_ended(self) -> None:
        """An hour of sleep is an hour."""
        alice, _ = self.chat(120)
        self.sleep(HOUR, "alice")
        self.network.advance(limits.CLOCK_LOOK)
        self.assertEqual(len(alice.notes.of(ChatOver)), 1)

    # Promise R9
    def test_a_pause_is_over(self) -> None:
        self.start()
        alice = self.people["alice"]
        self.quietly(alice.main.set_away(Pause(60)))
        self.sleep(70, "alice")
        self.network.advance(5)
        self.assertTrue(alice.main.is_available)

    # Promise R15
    def test_a_server_that_stood_still_cuts_nobody_off(self) -> None:
        """Its clients' bytes wait for it."""
        alice, bob = self.chat()
        self.network.advance(25)
        self.sleep(85, "server")
        self.network.advance(60)
        for person in (alice, bob):
            self.assertEqual((person.notes.of(ChatOver), person.notes.of(Offline)), ([], []))

    def test_a_client_that_leaves_is_not_woken(self) -> None:
        self.start()
        alice = self.people["alice"]
        alice.client.leave()
        self.network.advance(10)
        self.assertEqual(alice.done, [None])
        self.sleep(60, "alice")
        alice.notes.events.clear()
        self.network.advance(60)
        self.assertEqual(alice.notes.events, [])


class _Mute(Factory):
    """Somebody who takes connections and says nothing."""

    protocol = Protocol
    noisy = False


def _plain(event: Event) -> tuple[str, str]:
    """What a front-end shows of it, but for what is another thing in every run."""
    fields: dict[str, Any] = as_dict(event)
    told = {k: v for k, v in fields.items() if k not in ("server", "fingerprint", "safety_number")}
    return type(event).__name__, repr(told)
