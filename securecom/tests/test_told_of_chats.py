"""What a scrollback for each person needs: whose chat, which, when; and the state as an event."""

from __future__ import annotations

from securecom.client import events as e
from securecom.client.api import ClientState
from securecom.client.events import ChatEvent, Event, StateChanged
from securecom.tests.support.scripted_server_case import ALICE, BOB
from securecom.tests.support.two_clients_case import TwoClientsCase


class ChatEventTests(TwoClientsCase):
    def setUp(self) -> None:
        super().setUp()
        self.now = 1_764_000_000.9
        for person in (self.alice, self.bob):
            person.client._station.unix_time = lambda: self.now
            person.notes.events.clear()

    def talk(self) -> None:
        self.chat(self.alice, BOB)
        self.alice.main.say("hello")
        self.network.pump()
        self.bob.main.say("good morning")
        self.network.pump()
        self.alice.main.stop()
        self.network.pump()

    def of_a_chat(self) -> list[ChatEvent]:
        return self.alice.notes.of(ChatEvent)

    def test_all_that_is_said_and_done_in_a_chat_says_whose_chat_which_and_when(self) -> None:
        self.talk()
        kinds = [type(event) for event in self.of_a_chat()]
        wanted = [e.ChatOpening, e.ChatStarted, e.Said, e.Delivered, e.Message, e.ChatOver]
        self.assertEqual(kinds, wanted)
        for event in self.of_a_chat():
            self.assertEqual((event.chat, event.at), (1, 1_764_000_000))
            self.assertEqual(event.fields()["name"], BOB)
        for event in self.bob.notes.of(ChatEvent):
            self.assertEqual((event.chat, event.fields()["name"]), (1, ALICE))

    def test_the_next_chat_has_the_next_number_and_its_own_time(self) -> None:
        self.talk()
        self.alice.notes.events.clear()
        self.now += 100
        self.talk()
        told = {(event.chat, event.at) for event in self.of_a_chat()}
        self.assertEqual(told, {(2, 1_764_000_100)})

    def test_a_chat_that_never_stood_has_its_number_too(self) -> None:
        came = self.alice.main.request_chat(BOB).addErrback(lambda _: None)
        self.alice.notes.on_event = self._stop_at_once
        self.network.pump()
        self.assertTrue(came.called)
        self.alice.notes.on_event = lambda event: None
        self.network.advance(100)
        self.talk()
        self.assertEqual(self.alice.notes.last(e.ChatOver).chat, 2)

    def _stop_at_once(self, event: Event) -> None:
        if isinstance(event, e.ChatOpening):
            self.network.clock.callLater(0, self.alice.main.stop)

    def test_the_chat_id_of_the_wire_is_in_no_event(self) -> None:
        self.chat(self.alice, BOB)
        chat = self.alice.client._coordinator.standing._agreement.chat
        told = "".join(str(event.fields()) for event in self.alice.notes.events)
        self.assertNotIn(chat.hex(), told)
        self.assertNotIn(repr(chat)[2:-1], told)


class StateTests(TwoClientsCase):
    def states(self) -> list[tuple[str, str, str | None]]:
        return [(s.before, s.state, s.name) for s in self.alice.notes.states]

    def test_each_change_is_told_once_with_the_person_it_is_about(self) -> None:
        self.assertEqual(self.states(), [("offline", "idle", None)])
        self.met()
        wanted = [
            ("idle", "asking", BOB),
            ("asking", "opening", BOB),
            ("opening", "chat", BOB),
            ("chat", "idle", None),
        ]
        self.assertEqual(self.states()[1:], wanted)
        asked = [(s.state, s.name) for s in self.bob.notes.states]
        whom = [("asked", ALICE), ("opening", ALICE), ("chat", ALICE), ("idle", None)]
        self.assertEqual(asked, [("idle", None), *whom])

    def test_it_comes_when_all_that_led_there_was_shown_and_is_so(self) -> None:
        seen: list[object] = []

        def note(event: Event) -> None:
            if isinstance(event, e.ChatStarted | e.ChatOver):
                seen.append(type(event))
            elif isinstance(event, StateChanged) and event.state in ("chat", "idle"):
                seen.append((event.state, self.alice.main.state, self.alice.main.peer))

        self.alice.notes.on_event = note
        self.met()
        wanted = [
            e.ChatStarted,
            ("chat", ClientState.CHAT, BOB),
            e.ChatOver,
            ("idle", ClientState.IDLE, None),
        ]
        self.assertEqual(seen, wanted)

    def test_a_lost_line_is_a_state_too(self) -> None:
        self.chat(self.alice, BOB)
        self.alice.main.log_out()
        self.network.pump()
        self.assertEqual(self.states()[-1][1:], ("offline", None))

    def test_a_front_end_that_breaks_on_it_stops_nothing(self) -> None:
        def broken(event: Event) -> None:
            if isinstance(event, StateChanged):
                raise KeyError("a front-end's own mistake")

        self.alice.notes.on_event = broken
        self.met()
        self.assertEqual(self.alice.main.state, ClientState.IDLE)
        self.assertTrue(self.flushLoggedErrors())

    def test_every_state_has_its_word(self) -> None:
        words = [state.word for state in ClientState]
        self.assertEqual(words, ["offline", "idle", "asked", "asking", "opening", "chat"])
