"""What a front-end may call, apart from requests and chats (test_coordinator.py)."""

from __future__ import annotations

from typing import Any
from unittest.mock import patch

from twisted.internet.defer import Deferred, fail

from securecom import framing, limits, refusals, vocabulary
from securecom.client.events import Availability, ListedUser, Offline, Online, Users
from securecom.errors import (
    BadArgument,
    ConnectionWasLost,
    NotNow,
    StateDamaged,
    TooOften,
    WireError,
)
from securecom.identity import Name
from securecom.tests.support.memory_client import MemoryClient
from securecom.tests.support.scripted_server_case import ALICE, BOB, CAROL, AliceTestCase


class UsersTests(AliceTestCase):
    def page(self, *pages: tuple[list[str], bool]) -> None:
        """What the server lists, page by page."""
        rest = list(pages)

        def next_page(after: str, text: str) -> Any:
            names, more = rest.pop(0)
            return {"names": [Name(name) for name in names], "more": more}

        self.end.standard.pages = next_page

    def test_nobody(self) -> None:
        self.page(([], False))
        self.assertEqual(self.told(self.alice.users()), [Users([], "", False)])

    def test_people_and_how_their_keys_stand(self) -> None:
        self.person.contacts.meet(BOB, self.bob.public_key)
        self.page((["bob", "carol"], False))
        (users,) = self.told(self.alice.users("O"))
        self.assertEqual(
            users, Users([ListedUser(BOB, "met"), ListedUser(CAROL, "new")], "O", False)
        )
        self.assertEqual(self.end.said("list"), [(b"", b"o")])

    def test_pins_that_cannot_be_read_are_nobodys(self) -> None:
        self.person.contacts.meet(BOB, self.bob.public_key)
        self.assertEqual(self.alice.people, [ListedUser(BOB, "met")])
        with patch.object(self.person.contacts, "names", side_effect=StateDamaged("damaged")):
            self.assertEqual(self.alice.people, [])

    def test_pages_are_fetched_one_after_the_other(self) -> None:
        self.page((["alice", "bob"], True), (["carol"], False))
        (users,) = self.told(self.alice.users())
        self.assertEqual([user.name for user in users.users], [ALICE, BOB, CAROL])
        self.assertEqual(self.end.said("list"), [(b"", b""), (b"bob", b"")])

    # Promise T59
    def test_a_long_list_is_cut_and_says_so(self) -> None:
        size = 200
        pages = [
            ([f"u{number:05}" for number in range(start, start + size)], True)
            for start in range(0, limits.MAX_USERS_SHOWN + size, size)
        ]
        self.page((["a"], True), *pages)
        (users,) = self.told(self.alice.users())
        self.assertEqual(len(users.users), limits.MAX_USERS_SHOWN)
        self.assertTrue(users.more)
        self.assertEqual(len(self.end.said("list")), limits.MAX_USERS_SHOWN // size + 1)

    # Promise T59
    def test_a_list_that_goes_in_circles_is_refused(self) -> None:
        for second in (["alice"], ["bob"], ["carol", "carol"]):
            self.page((["alice", "bob"], True), (second, True))
            error = self.fails(self.told(self.alice.users()), WireError)
            self.assertNotIn("ended", error.hint)
        self.assertTrue(self.alice.is_online)

    def test_more_of_nothing_is_the_end(self) -> None:
        self.page((["bob"], True), ([], True))
        (users,) = self.told(self.alice.users())
        self.assertEqual((len(users.users), users.more), (1, False))

    def test_too_often_says_so(self) -> None:
        self.end.standard.pages = lambda after, text: fail(refusals.TooManyRequests())
        self.fails(self.told(self.alice.users()), TooOften)

    def test_what_no_name_can_hold_is_not_asked(self) -> None:
        self.fails(self.told(self.alice.users("x" * (limits.MAX_NAME + 1))), BadArgument)
        self.assertEqual(self.end.said("list"), [])


class AvailabilityTests(AliceTestCase):
    def test_who_wants_to_be_available_is_so_from_the_log_in_on(self) -> None:
        self.assertTrue(self.end.is_available)
        self.assertTrue(self.alice.is_available)

    def test_who_does_not_is_not(self) -> None:
        identity = self.server.enrol("carol")
        carol = MemoryClient(self.network, identity, self.server.pin, available=False).start()
        self.assertFalse(carol.main.is_available)
        self.assertEqual(self.server.people[CAROL].said("available"), [])
        self.assertEqual(len(carol.notes.of(Online)), 1)
        self.assertEqual(carol.notes.of(Availability), [Availability(False)], "and is told so")

    def test_who_is_away_is_told_so_once(self) -> None:
        self.told(self.alice.set_away())
        self.notes.events.clear()
        self.end.standard.close()
        self.network.advance(limits.RECONNECT_FIRST)
        self.assertTrue(self.alice.is_online)
        self.assertEqual(self.notes.of(Availability), [])

    def test_away_counts_at_once_and_is_told_when_the_server_knows(self) -> None:
        done = self.alice.set_away()
        self.assertFalse(self.alice.is_available)
        self.assertEqual(self.notes.of(Availability), [])
        self.assertEqual(self.told(done), [None])
        self.assertFalse(self.end.is_available)
        self.assertEqual(self.notes.of(Availability), [Availability(False)])

    def test_it_is_restored_after_a_reconnect(self) -> None:
        for wanted in (True, False):
            self.setUp()
            self.told(self.alice.set_available() if wanted else self.alice.set_away())
            self.end.standard.close()
            self.pump()
            self.assertFalse(self.alice.is_available)
            self.network.advance(limits.RECONNECT_FIRST)
            self.assertEqual(self.server.people[ALICE].is_available, wanted)
            self.assertEqual(self.alice.is_available, wanted)

    def test_a_wish_made_off_line_is_kept(self) -> None:
        self.end.standard.close()
        self.pump()
        self.assertEqual(self.told(self.alice.set_away()), [None])
        self.network.advance(limits.RECONNECT_FIRST)
        self.assertTrue(self.alice.is_online)
        self.assertEqual(self.server.people[ALICE].said("available"), [])


class OffLineTests(AliceTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.server.shut()
        self.end.standard.close()
        self.pump()

    def test_nothing_can_be_asked(self) -> None:
        for call in (lambda: self.alice.request_chat(BOB), self.alice.users, self.alice.accept):
            self.fails(self.told(call()), NotNow)
        self.assertRaises(NotNow, self.alice.say, "hi")

    def test_the_name_is_still_known(self) -> None:
        self.assertEqual(self.alice.name, ALICE)
        self.assertFalse(self.alice.is_online)

    def test_before_the_first_log_in_there_is_none(self) -> None:
        newcomer = MemoryClient(self.network, self.person.identity, self.server.pin)
        self.assertIsNone(newcomer.main.name)
        newcomer.main.hold_incoming()
        newcomer.main.release_incoming()
        self.assertRaises(NotNow, lambda: newcomer.client._station.name)


class OtherTests(AliceTestCase):
    def test_nobody_asks_themselves_for_a_chat(self) -> None:
        self.fails(self.ask(ALICE), BadArgument)
        self.assertEqual(self.end.requests, [])

    def test_a_full_screen_holds_the_server_and_pings_go_on(self) -> None:
        self.alice.hold_incoming()
        answer = self.told(self.end.ask(vocabulary.Ping))
        self.network.advance(2 * limits.PEER_GONE)
        self.assertEqual(answer, [])
        self.assertTrue(self.alice.is_online)
        self.alice.release_incoming()
        self.pump()
        self.assertEqual(answer, [{}])

    def test_a_full_screen_stays_full_over_a_reconnect(self) -> None:
        self.alice.hold_incoming()
        self.end.standard.close()
        self.alice.release_incoming()
        self.alice.hold_incoming()
        self.person.client._channel.fault(WireError("a trial"))  # type: ignore[union-attr]
        self.network.advance(limits.RECONNECT_FIRST)
        self.assertTrue(self.alice.is_online)
        answer = self.told(self.server.people[ALICE].ask(vocabulary.Ping))
        self.assertEqual(answer, [])
        self.alice.release_incoming()
        self.pump()
        self.assertEqual(answer, [{}])

    def test_an_answer_that_never_comes_ends_the_session(self) -> None:
        self.end.standard.pages = lambda after, text: Deferred()
        came = self.told(self.alice.users())
        self.network.advance(limits.CLIENT_PATIENCE - 1)
        self.assertEqual(came, [])
        self.network.advance(1)
        self.fails(came, ConnectionWasLost)

    def test_what_comes_while_the_screen_is_full_is_no_silence(self) -> None:
        self.alice.hold_incoming()
        came = self.told(self.alice.users())
        self.network.advance(limits.CLIENT_PATIENCE + 5)
        self.assertEqual((came, self.alice.is_online), ([], True))
        self.alice.release_incoming()
        self.pump()
        self.assertEqual(came, [Users([], "", False)])
        self.network.advance(2 * limits.CLIENT_PATIENCE)
        self.assertTrue(self.alice.is_online)

    def test_patience_begins_again_when_we_read_again(self) -> None:
        self.end.standard.pages = lambda after, text: Deferred()
        came = self.told(self.alice.users())
        self.alice.hold_incoming()
        self.network.advance(limits.CLIENT_PATIENCE - 1)
        self.alice.release_incoming()
        self.network.advance(limits.CLIENT_PATIENCE - 1)
        self.assertEqual((came, self.alice.is_online), ([], True))
        self.network.advance(1)
        self.fails(came, ConnectionWasLost)
        self.assertIn("did not answer", self.notes.last(Offline).why)

    def test_a_chat_frame_out_of_nowhere_is_dropped(self) -> None:
        self.end.standard.send(framing.encode_chat(99, b"boo"))
        self.pump()
        self.assertTrue(self.alice.is_online)
        self.assertEqual(self.notes.events, [])
