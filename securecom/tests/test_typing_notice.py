"""Seeing that the other person is writing: only if both want it, rarely, and for a moment."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from securecom import limits, vocabulary
from securecom.client.events import ChatOver, PeerTyping
from securecom.client.terms import Choices, KeptChoices
from securecom.tests.support.chat_pair import End, Pair
from securecom.tests.support.memory_client import MemoryClient
from securecom.tests.support.scripted_server_case import BOB
from securecom.tests.support.two_clients_case import TwoClientsCase

ON, OFF = KeptChoices(Choices(typing=True)), KeptChoices(Choices())


class TypingCase(TwoClientsCase):
    alices, bobs = ON, ON

    def setUp(self) -> None:
        super().setUp()
        for person, kept in ((self.alice, self.alices), (self.bob, self.bobs)):
            person.main.settings._presence.choices = kept.choices
        self.assertEqual(self.chat(self.alice, BOB), [None])

    def types(self, person: MemoryClient, times: int = 1) -> None:
        for _ in range(times):
            person.main.typing()
        self.network.pump()

    def session(self, person: MemoryClient) -> Any:
        return person.client._coordinator.standing.session

    def seen(self, person: MemoryClient) -> list[bool]:
        return [event.typing for event in person.notes.of(PeerTyping)]


class BothTests(TypingCase):
    def test_it_shows_and_is_over_after_a_while(self) -> None:
        self.types(self.alice)
        self.assertEqual(self.seen(self.bob), [True])
        self.assertEqual(self.bob.notes.last(PeerTyping).name, "alice")
        self.network.advance(limits.TYPING_LASTS)
        self.assertEqual(self.seen(self.bob), [True, False])

    def test_a_message_ends_it(self) -> None:
        self.types(self.alice)
        self.alice.main.say("here it is")
        self.network.pump()
        self.assertEqual(self.seen(self.bob), [True, False])
        self.network.advance(limits.TYPING_LASTS)
        self.assertEqual(self.seen(self.bob), [True, False])

    def test_who_goes_on_writing_does_not_flicker(self) -> None:
        for _ in range(20):
            self.types(self.alice, 10)
            self.network.advance(1)
        self.assertEqual(self.seen(self.bob), [True])

    # Promise T216
    def test_one_notice_in_a_while_however_many_keys(self) -> None:
        sent: list[object] = []
        call = self.session(self.alice).control.call

        def counted(*command: Any, **arguments: Any) -> Any:
            sent.append(command)
            return call(*command, **arguments)

        self.patch(self.session(self.alice).control, "call", counted)
        for _ in range(int(10 * limits.TYPING_INTERVAL)):
            self.types(self.alice, 10)
            self.network.advance(1)
        self.assertLessEqual(len(sent), 11)

    # Promise C112
    def test_switched_off_in_the_middle_it_stops_both_ways(self) -> None:
        self.alice.main.settings.change("typing off")
        self.types(self.alice)
        self.types(self.bob)
        self.assertEqual((self.seen(self.alice), self.seen(self.bob)), ([], []))

    def test_the_end_of_the_chat_leaves_no_timer(self) -> None:
        self.types(self.alice)
        self.bob.main.stop()
        self.network.pump()
        self.network.advance(limits.TYPING_LASTS)
        self.assertEqual(self.seen(self.bob), [True])

    def test_one_that_crosses_our_goodbye_is_no_fault(self) -> None:
        self.alice.main.typing()
        self.bob.main.stop()
        self.network.pump()
        self.assertEqual(self.bob.notes.last(ChatOver).ending, "by-me")
        self.assertEqual(self.alice.notes.last(ChatOver).ending, "by-peer")
        self.assertEqual(self.seen(self.bob), [])

    def test_outside_a_chat_it_is_nothing(self) -> None:
        self.alice.main.stop()
        self.network.pump()
        self.types(self.alice)
        self.assertEqual(self.seen(self.bob), [])


class OneTests(TypingCase):
    """Bob has it off."""

    bobs = OFF

    # Promise C112, T216
    def test_neither_sees_the_other(self) -> None:
        self.types(self.alice)
        self.types(self.bob)
        self.assertEqual((self.seen(self.alice), self.seen(self.bob)), ([], []))

    # Promise T216
    def test_a_peer_that_sends_notices_that_nobody_wanted_is_cut_off(self) -> None:
        self.session(self.alice).control.call(vocabulary.Typing).addErrback(lambda _: None)
        self.network.pump()
        self.assertEqual(self.bob.notes.last(ChatOver).ending, "cut-off")
        self.assertEqual(self.seen(self.bob), [])

    def test_switched_on_in_the_middle_it_counts_from_the_next_chat_on(self) -> None:
        self.bob.main.settings.change("typing on")
        self.types(self.bob)
        self.types(self.alice)
        self.assertEqual((self.seen(self.alice), self.seen(self.bob)), ([], []))
        self.alice.main.stop()
        self.network.pump()
        self.network.advance(100)
        self.assertEqual(self.chat(self.alice, BOB), [None])
        self.types(self.alice)
        self.assertEqual(self.seen(self.bob), [True])


class TrafficTests(SynchronousTestCase):
    # Promise T215
    def test_a_notice_has_the_size_of_a_short_message_and_so_has_its_answer(self) -> None:
        pair = Pair().open()
        for end in (pair.alice, pair.bob):
            end.session.typing.is_offered, end.session.typing._wanted = True, lambda: True
            end.session.peer_knows |= {"typing"}
        pair.alice.session.say("first")
        pair.pump()
        sizes: list[tuple[str, int]] = []

        def tap(source: End, data: bytes) -> bytes:
            sizes.append((source.session._agreement.role, len(data)))
            return data

        pair.tap = tap
        pair.alice.session.say("hi")
        pair.pump()
        message = list(sizes)
        sizes.clear()
        pair.alice.session.typing.tell()
        pair.pump()
        self.assertEqual([type(event) for event in pair.bob.events][-1], PeerTyping)
        self.assertEqual(sizes, message)
