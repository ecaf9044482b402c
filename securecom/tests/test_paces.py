"""Floods from people who are logged in: each command has a pace, and connections take turns."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from functools import partial

from twisted.internet.task import Clock
from twisted.protocols import amp
from twisted.python.monkey import MonkeyPatcher
from twisted.trial.unittest import SynchronousTestCase

from securecom import framing, limits, vocabulary
from securecom.connection import Connection
from securecom.identity import Name
from securecom.paces import Pacer, Turns
from securecom.server.request_channel import RequestConnection
from securecom.server.session import Session
from securecom.server.standard_channel import Door, EnrolmentPhase
from securecom.tests.support.every_command import longest
from securecom.tests.support.memory_server import ManualClient, MemoryServer, chatting
from securecom.tests.support.passes import Passes
from securecom.vocabulary import IN_CHATS, ONCE, SENT_BY_SERVER, Pace

#: All that the server answers.
LOCATORS: tuple[type[amp.CommandLocator], ...] = (Door, EnrolmentPhase, Session, RequestConnection)
PACED = [one for one in vocabulary.BY_NAME.values() if isinstance(one.pace, Pace)]


def frame(command: type[vocabulary.PacedCommand]) -> bytes:
    """The command with its longest arguments, but for names, which are nobody's."""
    values = {name.decode(): longest(one) for name, one in command.arguments}
    box = command.makeArguments(values, None)
    box[amp.COMMAND], box[amp.ASK] = command.commandName, b"1"
    return framing.encode(framing.CONTROL, box.serialize())


def _noted(told: list[int], number: int, _: object) -> None:
    told.append(number)


def deaf(connection: Connection) -> None:
    """Let this client pass over answers: they are to commands that it does not know it sent."""
    take = connection.control.take

    def only_commands(box: amp.AmpBox) -> None:
        if amp.COMMAND in box:
            take(box)

    connection.control.take = only_commands  # type: ignore[method-assign]


class PacerTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.pacer = Pacer(self.clock)

    def taken(self, kind: str, tries: int, pace: Pace) -> int:
        return sum(self.pacer.wait("alice", kind, pace) == 0 for _ in range(tries))

    def test_so_many_at_once(self) -> None:
        self.assertEqual(self.taken("a", 100, Pace(10, 5.0)), 10)

    def test_and_as_many_again_evenly(self) -> None:
        pace = Pace(10, 5.0)
        self.taken("a", 100, pace)
        for _ in range(25):
            self.clock.advance(0.5)
            self.assertEqual(self.taken("a", 100, pace), 1)
        self.clock.advance(2.0)
        self.assertEqual(self.taken("a", 100, pace), 4)

    def test_no_more_than_that_is_saved_up(self) -> None:
        self.clock.advance(1000.0)
        self.assertEqual(self.taken("a", 100, Pace(10, 5.0)), 10)
        self.clock.advance(1000.0)
        self.assertEqual(self.taken("a", 100, Pace(10, 5.0)), 10)

    def test_the_wait_is_long_enough_and_no_longer(self) -> None:
        for count, seconds in ((120, 60.0), (7, 60.0), (256, 60.0), (1, 1.0)):
            pace = Pace(count, seconds)
            self.taken(f"{count}", count, pace)
            wait = self.pacer.wait("alice", f"{count}", pace)
            self.assertAlmostEqual(wait, seconds / count)
            self.clock.advance(wait)
            self.assertEqual(self.pacer.wait("alice", f"{count}", pace), 0)

    def test_each_kind_for_itself(self) -> None:
        self.taken("a", 100, Pace(10, 5.0))
        self.assertEqual(self.taken("b", 100, Pace(10, 5.0)), 10)

    def test_each_person_for_themselves(self) -> None:
        self.taken("a", 100, Pace(10, 5.0))
        self.assertEqual(self.pacer.wait("bob", "a", Pace(10, 5.0)), 0)

    # Promise R31
    def test_what_no_longer_counts_is_forgotten(self) -> None:
        self.taken("a", 3, Pace(10, 5.0))
        self.taken("b", 10, Pace(10, 5.0))
        self.pacer.wait("bob", "a", Pace(10, 5.0))
        self.assertEqual((self.pacer.count("alice"), self.pacer.count("bob")), (2, 1))
        self.clock.advance(2.0)
        self.pacer.drop_old()
        self.assertEqual((self.pacer.count("alice"), self.pacer.count("bob")), (1, 0))
        self.assertEqual(list(self.pacer._even), ["alice"])
        self.clock.advance(3.0)
        self.pacer.drop_old()
        self.assertEqual(self.pacer._even, {})

    def test_what_a_person_sent_can_be_forgotten_before(self) -> None:
        self.taken("a", 10, Pace(10, 5.0))
        self.pacer.forget("alice")
        self.assertEqual(self.taken("a", 100, Pace(10, 5.0)), 10)


class TurnsTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Passes()
        self.turns = Turns(self.clock)
        self.done: list[int] = []

    def passes(self) -> Iterator[list[int]]:
        """What is done in each pass of the reactor."""
        while True:
            before = len(self.done)
            self.clock.advance(0)
            yield self.done[before:]

    def test_in_their_order_and_so_many_in_one_pass(self) -> None:
        for number in range(3 * limits.TURNS_AT_ONCE):
            self.turns.queue(partial(self.done.append, number))
        seen = self.passes()
        for begin in range(0, 3 * limits.TURNS_AT_ONCE, limits.TURNS_AT_ONCE):
            self.assertEqual(next(seen), list(range(begin, begin + limits.TURNS_AT_ONCE)))
        self.assertEqual(next(seen), [])

    def test_who_queues_again_waits_for_the_next_pass(self) -> None:
        def again() -> None:
            self.done.append(1)
            self.turns.queue(again)

        self.turns.queue(again)
        seen = self.passes()
        self.assertEqual([next(seen), next(seen)], [[1], [1]])

    def test_turns_at_once_count_too(self) -> None:
        taken = [self.turns.take() for _ in range(limits.TURNS_AT_ONCE + 2)]
        self.assertEqual(taken, [True] * limits.TURNS_AT_ONCE + [False] * 2)
        self.clock.advance(0)
        self.assertTrue(self.turns.take())

    def test_nobody_overtakes_those_who_wait(self) -> None:
        self.turns.queue(lambda: self.done.append(1))
        self.assertFalse(self.turns.take())
        self.clock.advance(0)
        self.assertTrue(self.turns.take())

    def test_nothing_is_called_when_nobody_wants_anything(self) -> None:
        self.turns.take()
        for _ in range(3):
            self.clock.advance(0)
        self.assertEqual(self.clock.getDelayedCalls(), [])


class VocabularyTests(SynchronousTestCase):
    # Promise R30
    def test_a_command_without_a_pace_cannot_be_made(self) -> None:
        with self.assertRaises(TypeError):
            type("Shout", (vocabulary.PacedCommand,), {})

    # Promise R30
    def test_every_command_that_the_server_takes_has_one(self) -> None:
        """And what it never takes is none that needs one."""
        taken = {
            command: locator
            for command in vocabulary.BY_NAME.values()
            for locator in LOCATORS
            if locator.locateResponder(locator.__new__(locator), command.commandName)
        }
        self.assertGreater(len(taken), 15)
        for command in vocabulary.BY_NAME.values():
            if command not in taken:
                self.assertIn(command.pace, (SENT_BY_SERVER, IN_CHATS), command)
            elif command is vocabulary.ProveSession or taken[command] in (Door, EnrolmentPhase):
                self.assertEqual(command.pace, ONCE, command)
            else:
                self.assertIsInstance(command.pace, Pace, command)

    def test_what_is_refused_when_it_comes_too_often_is_so_before_it_is_slowed(self) -> None:
        for command, rate in (
            (vocabulary.ListAvailable, limits.LISTS_BY_ASKER),
            (vocabulary.RequestChat, limits.REQUESTS_BY_CALLER),
            (vocabulary.NewKey, limits.NEW_KEY_TRIES),
            (vocabulary.MyData, limits.MY_DATA_BY_PERSON),
        ):
            assert isinstance(command.pace, Pace)
            self.assertGreater(command.pace.count, rate, command)

    # Promise R32
    def test_what_the_disk_works_on_is_slowed_first_and_refused_only_if_it_goes_on(self) -> None:
        for command in (vocabulary.Block, vocabulary.Unblock, vocabulary.ListBlocked):
            assert isinstance(command.pace, Pace)
            self.assertLess(command.pace.count, limits.MAX_UNANSWERED, command)
            a_minute = limits.REQUEST_WINDOW * command.pace.count / command.pace.seconds
            self.assertEqual(a_minute, limits.BLOCKS_BY_PERSON, command)

    def test_a_client_may_send_twice_as_many_pings_as_it_has_to(self) -> None:
        pace = vocabulary.Ping.pace
        assert isinstance(pace, Pace)
        self.assertLess(2 * pace.seconds / limits.PING_INTERVAL, pace.count)


class FloodCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.server = MemoryServer()
        self.network = self.server.network

    def client(self, name: str) -> ManualClient:
        """Somebody who is deaf for answers."""
        client = self.server.client(name)
        deaf(client.standard)
        deaf(client.request)
        return client

    def flood(self, client: ManualClient, data: bytes) -> None:
        client.standard.send(data)
        self.network.pump()


class EveryCommandTests(FloodCase):
    """Generated from the vocabulary: a new command is tested without being named here."""

    def flooded(self, command: type[vocabulary.PacedCommand]) -> None:
        assert isinstance(command.pace, Pace)
        client, other = self.client("mallory"), self.server.client("bob")
        worked_on: list[bytes] = []
        session = self.server.reception.sessions.of(Name("mallory"))
        assert session is not None
        take = session.leg.control.take

        def counted(box: amp.AmpBox) -> None:
            worked_on.append(box.get(amp.COMMAND, b""))
            take(box)

        self.patch(session.leg.control, "take", counted)
        begun = worked_on.count(command.commandName)
        self.flood(client, (command.pace.count + 20) * frame(command))
        count = worked_on.count(command.commandName) - begun
        self.assertLessEqual(count, command.pace.count)
        self.assertEqual(other.done(other.ask(vocabulary.Ping)), {})
        if client.standard.lost_reason is not None:  # ended: by its own wish, or for flooding
            self.assertIn(client.said("goodbye"), (["logged-out"], ["violation"]))
            return
        self.assertFalse(client.standard_wire.server.reading)
        each = command.pace.seconds / command.pace.count
        self.network.advance(10 * each, step=each)
        more = worked_on.count(command.commandName) - begun - count
        self.assertLessEqual(more, 11)
        if not client.said("goodbye"):
            self.assertGreaterEqual(more, 9)

    # Promise T96, R30
    def test_so_many_are_worked_on_and_the_others_later(self) -> None:
        self.assertGreater(len(PACED), 10)
        for command in PACED:
            self.server = MemoryServer()
            self.network = self.server.network
            self.flooded(command)

    # Promise R30
    def test_on_the_request_channel_too(self) -> None:
        client = self.server.client("mallory")
        assert isinstance(vocabulary.Ping.pace, Pace)
        answered: list[bytes] = []
        self.patch(client.request.control, "take", lambda box: answered.append(b""))
        client.request.send(2 * vocabulary.Ping.pace.count * frame(vocabulary.Ping))
        self.network.pump()
        self.assertEqual(len(answered), vocabulary.Ping.pace.count)

    # Promise R31
    def test_who_logs_in_again_does_not_begin_anew(self) -> None:
        assert isinstance(vocabulary.Ping.pace, Pace)
        client = self.client("mallory")
        self.flood(client, vocabulary.Ping.pace.count * frame(vocabulary.Ping))
        client.standard_wire.cut()
        self.network.pump()
        again = ManualClient(self.server, client.identity)
        again.log_in()
        again.prove()
        answered = [again.ask(vocabulary.Ping), again.request.control.call(vocabulary.Ping)]
        self.network.pump()
        self.assertEqual([one.called for one in answered], [False, False])
        self.network.advance(vocabulary.Ping.pace.seconds)
        self.assertEqual([one.called for one in answered], [True, True])

    # Promise R35
    def test_what_is_slowed_is_not_lost_and_stays_in_order(self) -> None:
        client = self.server.client("mallory")
        assert isinstance(vocabulary.Ping.pace, Pace)
        count = 3 * vocabulary.Ping.pace.count
        asked = [client.standard.control.call(vocabulary.Ping) for _ in range(count)]
        told: list[int] = []
        for number, answer in enumerate(asked):
            answer.addCallback(partial(_noted, told, number))
        self.network.advance(2 * vocabulary.Ping.pace.seconds + 1)
        self.assertEqual(told, list(range(count)))
        self.assertTrue(client.standard_wire.server.reading)

    # Promise R35
    def test_who_is_slowed_is_not_taken_for_gone(self) -> None:
        client = self.server.client("mallory")
        pace = vocabulary.DialMe.pace
        assert isinstance(pace, Pace)
        asked = [
            client.standard.control.call(vocabulary.DialMe, port=1) for _ in range(2 * pace.count)
        ]
        for one in asked:
            one.addErrback(lambda _: None)
        self.network.advance(pace.seconds + 1)
        self.assertEqual(client.done(client.ask(vocabulary.Ping)), {})


class TurnTests(FloodCase):
    # Promise T96, R33
    def test_a_flood_in_one_read_does_not_go_before_anothers_command(self) -> None:
        mallory, bob = self.client("mallory"), self.client("bob")
        served: list[str] = []
        for name in ("mallory", "bob"):
            self.note(name, served)
        mallory.standard.send(100 * frame(vocabulary.Ping))  # less than its pace
        bob.standard.send(frame(vocabulary.Ping))
        self.network.pump()
        self.assertEqual(served.count("mallory"), 100)
        self.assertLessEqual(served.index("bob"), 2 * limits.COMMANDS_A_TURN)

    # Promise R33
    def test_a_long_command_is_a_turn_of_its_own(self) -> None:
        mallory, bob = self.client("mallory"), self.client("bob")
        served: list[str] = []
        for name in ("mallory", "bob"):
            self.note(name, served)
        mallory.standard.send(6 * frame(vocabulary.SetAvailability))
        bob.standard.send(frame(vocabulary.Ping))
        self.network.pump()
        self.assertEqual(served.count("mallory"), 6)
        self.assertLess(served.index("bob"), limits.COMMANDS_A_TURN)

    def note(self, name: str, served: list[str]) -> None:
        session = self.server.reception.sessions.of(Name(name))
        assert session is not None
        lane = session.leg.control
        take = lane.take

        def one(box: amp.AmpBox) -> None:
            served.append(name)
            take(box)

        self.patch(lane, "take", one)

    # Promise R33
    def test_who_logs_in_waits_for_nobodys_turn(self) -> None:
        newcomer = ManualClient(self.server, self.server.enrolled("carol"))
        self.patch(self.server.reception.turns, "take", lambda: False)
        self.patch(self.server.reception.turns, "queue", lambda work: None)
        self.assertEqual(newcomer.log_in()["name"], "carol")
        newcomer.prove()

    # Promise R33
    def test_while_commands_wait_the_rest_is_not_read(self) -> None:
        client = self.client("mallory")
        waiting: list[object] = []
        self.patch(self.server.reception.turns, "take", lambda: False)
        self.patch(self.server.reception.turns, "queue", waiting.append)
        self.flood(client, 10_000 * frame(vocabulary.Ping))
        self.assertEqual(len(waiting), 1)
        self.assertFalse(client.standard_wire.server.reading)

    def test_a_connection_that_ended_meanwhile_has_no_turn(self) -> None:
        client = self.client("mallory")
        waiting: list[object] = []
        self.patch(self.server.reception.turns, "take", lambda: False)
        self.patch(self.server.reception.turns, "queue", waiting.append)
        self.flood(client, frame(vocabulary.Ping))
        client.standard_wire.cut()
        self.network.pump()
        (work,) = waiting
        work()  # type: ignore[operator]
        self.assertEqual(len(self.server.reception.sessions), 0)


class ChatTests(FloodCase):
    # Promise R35
    def test_chat_frames_are_no_commands(self) -> None:
        """They have no pace, and as many as people write wait for no turn."""
        alice, bob = self.server.client("alice"), self.server.client("bob")
        stream = chatting(alice, bob, "bob")
        self.patch(self.server.reception.turns, "take", lambda: False)
        self.patch(self.server.reception.turns, "queue", lambda work: None)
        count = limits.CHAT_SHARE // (limits.RUN_WORK + 1)
        self.assertGreater(count, 10)
        for number in range(count):
            alice.standard.send(framing.encode_chat(stream, b"%d " % number))
        self.network.pump()
        self.assertEqual(bob.received, b"".join(b"%d " % number for number in range(count)))

    # Promise R35
    def test_nor_do_they_pass_one_that_came_by_itself(self) -> None:
        alice, bob = self.server.client("alice"), self.server.client("bob")
        stream = chatting(alice, bob, "bob")
        deaf(alice.standard)
        alice.send(stream, b"before")
        waiting: list[Callable[[], None]] = []
        with self.patched(waiting):
            alice.standard.send(frame(vocabulary.Ping))
            self.network.pump()
            alice.send(stream, b", behind")
            self.assertEqual((bob.received, len(waiting)), (b"before", 1))
        waiting.pop()()
        self.network.pump()
        self.assertEqual(bob.received, b"before, behind")

    @contextlib.contextmanager
    def patched(self, waiting: list[Callable[[], None]]) -> Iterator[None]:
        """Nobody has a turn, and these wait for theirs."""
        turns = self.server.reception.turns
        patches = MonkeyPatcher((turns, "take", lambda: False), (turns, "queue", waiting.append))
        patches.patch()
        yield
        patches.restore()

    # Promise R34
    def test_a_flood_of_chat_frames_takes_turns_with_commands(self) -> None:
        alice, bob, carol = (self.server.client(name) for name in ("alice", "bob", "carol"))
        stream = chatting(alice, bob, "bob")
        order = self.noted()
        alice.standard.send(5000 * framing.encode_chat(stream, b"x"))
        answer = carol.ask(vocabulary.Ping)
        self.network.pump()
        self.assertEqual(carol.done(answer), {})
        a_turn = limits.CHAT_SHARE + limits.COMMANDS_A_TURN * limits.FRAMES_A_RUN
        self.assertLess(sum(order[: order.index(0)]), 2 * a_turn)
        self.assertEqual(bob.received, 5000 * b"x")
        self.assertTrue(alice.standard_wire.server.reading)

    def noted(self) -> list[int]:
        """What is worked on: frames of alice's that are sent on together, 0 for carol's command."""
        order: list[int] = []
        bob, carol = (self.server.reception.sessions.of(Name(name)) for name in ("bob", "carol"))
        assert bob is not None
        assert carol is not None
        send, take = bob.leg.send, carol.leg.control.take

        def sent_on(raw: bytes) -> None:
            order.append(len(raw) // len(framing.encode_chat(1, b"x")))
            send(raw)

        def taken(box: amp.AmpBox) -> None:
            order.append(0)
            take(box)

        self.patch(bob.leg, "send", sent_on)
        self.patch(carol.leg.control, "take", taken)
        return order

    # Promise R34
    def test_while_a_flood_of_them_waits_the_rest_is_not_read(self) -> None:
        alice, bob = self.server.client("alice"), self.server.client("bob")
        stream = chatting(alice, bob, "bob")
        waiting: list[object] = []
        self.patch(self.server.reception.turns, "take", lambda: False)
        self.patch(self.server.reception.turns, "queue", waiting.append)
        self.flood(alice, 20_000 * framing.encode_chat(stream, b"x"))
        self.assertEqual(len(waiting), 1)
        self.assertFalse(alice.standard_wire.server.reading)
        self.assertLess(len(bob.received), limits.CHAT_SHARE)

    # Promise R35
    def test_behind_commands_that_wait_they_keep_their_place(self) -> None:
        alice, bob = self.server.client("alice"), self.server.client("bob")
        stream = chatting(alice, bob, "bob")
        deaf(alice.standard)
        assert isinstance(vocabulary.Ping.pace, Pace)
        pings = (vocabulary.Ping.pace.count + 2) * frame(vocabulary.Ping)
        alice.standard.send(pings + framing.encode_chat(stream, b"behind"))
        self.network.pump()
        self.assertEqual(bob.received, b"")
        self.network.advance(2.0, step=0.1)
        self.assertEqual(bob.received, b"behind")
