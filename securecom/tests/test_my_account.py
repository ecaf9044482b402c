"""/mydata and /forget-me at a client."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred

from securecom import limits, refusals, vocabulary
from securecom.client.contacts import Contacts
from securecom.client.events import DataFact, DataHeld, Event, ForgetMeMeans, Forgotten, Offline
from securecom.client.frontends.plain import Plain
from securecom.client.frontends.qr import Screen
from securecom.client.frontends.words import words
from securecom.errors import (
    BadArgument,
    NotNow,
    ServerInTrouble,
    ServerMismatch,
    TooOften,
    WireError,
)
from securecom.identity import Name
from securecom.tests.support.scripted_server_case import ALICE, BOB, AliceTestCase
from securecom.vocabulary import Fact


class MyDataTests(AliceTestCase):
    def pages(self, *pages: list[Fact]) -> None:
        """What the server tells."""
        told = iter(pages)
        left = len(pages)

        def page(further: bool) -> Any:
            nonlocal left
            left -= 1
            return {"facts": next(told), "more": left > 0}

        self.end.standard.data = page

    def test_all_pages_are_fetched_in_order(self) -> None:
        one, two, three = (Fact("account", "name", text) for text in "abc")
        self.pages([one], [two], [three])
        facts = [DataFact(*fact) for fact in (one, two, three)]
        self.assertEqual(self.told(self.alice.account.my_data()), [DataHeld(ALICE, facts)])
        self.assertEqual(self.end.said("my data"), [False, True, True])

    def test_each_look_begins_anew(self) -> None:
        for _ in range(2):
            self.pages([])
            self.told(self.alice.account.my_data())
        self.assertEqual(self.end.said("my data"), [False, False])

    def test_looks_and_the_end_come_one_after_the_other(self) -> None:
        """Or a second look would have the pages of the first, and the end would cut one off."""
        pages = [Deferred[dict[str, Any]]() for _ in range(4)]
        left = iter(pages)
        self.end.standard.data = lambda _: next(left)
        looks = [self.alice.account.my_data() for _ in range(2)]
        gone = self.alice.account.forget_me(ALICE)
        for number, page in enumerate(pages):
            self.network.pump()
            self.assertEqual(self.end.said("my data"), [False, True, False, True][: number + 1])
            self.assertEqual(self.end.said("forget me"), [])
            page.callback({"facts": [Fact("account", "name", "a")], "more": number % 2 == 0})
        self.network.pump()
        for look in looks:
            self.assertEqual(len(self.successResultOf(look).facts), 2)
        self.assertIsInstance(self.successResultOf(gone), Forgotten)

    def test_a_server_that_never_ends_is_given_up(self) -> None:
        page = {"facts": [Fact("a", "b", "c" * 10_000)], "more": True}
        self.end.standard.data = lambda _: page
        self.fails(self.told(self.alice.account.my_data()), WireError)
        asked = len(self.end.said("my data"))
        self.assertEqual(asked, limits.MAX_MY_DATA // 10_002 + 1)  # two tabs in each

    def test_nor_can_it_say_nothing_for_ever(self) -> None:
        page: dict[str, Any] = {"facts": [], "more": True}
        self.end.standard.data = lambda _: page
        self.fails(self.told(self.alice.account.my_data()), WireError)
        self.assertEqual(self.end.said("my data"), [False])

    def test_too_often(self) -> None:
        self.server.refusal = refusals.TooManyRequests()
        error = self.fails(self.told(self.alice.account.my_data()), TooOften)
        self.assertIn("Nothing was shown", error.hint)

    def test_a_server_in_trouble(self) -> None:
        self.server.refusal = refusals.ServerTrouble()
        self.fails(self.told(self.alice.account.my_data()), ServerInTrouble)

    def test_off_line(self) -> None:
        self.end.standard.close()
        self.pump()
        self.fails(self.told(self.alice.account.my_data()), NotNow)


class ForgetMeTests(AliceTestCase):
    def forget(self) -> None:
        forgotten = Forgotten(ALICE, 90, None)
        self.assertEqual(self.told(self.alice.account.forget_me(ALICE)), [forgotten])

    # Promise C53
    def test_what_it_means_sends_nothing(self) -> None:
        self.assertEqual(self.alice.account.means(), ForgetMeMeans(ALICE, 90))
        self.pump()
        self.assertEqual(self.end.said("forget me"), [])

    # Promise C53
    def test_another_name_is_refused_and_nothing_is_sent(self) -> None:
        error = self.fails(self.told(self.alice.account.forget_me(BOB)), BadArgument)
        self.assertIn("Nothing was sent. Yours is alice", error.hint)
        self.assertEqual(self.end.said("forget me"), [])
        self.assertTrue(self.alice.is_online)

    def test_our_own_name_is_sent_and_the_client_leaves_without_an_error(self) -> None:
        self.forget()
        self.assertEqual(self.end.said("forget me"), [ALICE])
        self.network.advance(limits.CLOSE_DEADLINE)
        self.assertEqual(self.person.done, [None])
        self.assertFalse(self.alice.is_online)

    def test_there_is_nobody_to_log_out_and_no_way_back(self) -> None:
        self.forget()
        self.network.advance(2 * limits.RECONNECT_LAST)
        self.assertEqual(self.end.said("logout"), [])
        self.assertEqual(len(self.server.takeovers), 1)
        self.assertEqual(self.notes.of(Offline), [])

    def test_a_server_that_closes_before_we_do_is_no_error(self) -> None:
        """It does so as soon as it has answered: both come in one read."""
        answer: Deferred[Any] = Deferred()
        self.patch(type(self.end.standard), "forgets", lambda _: answer)
        came = self.told(self.alice.account.forget_me(ALICE))
        answer.callback({})
        self.end.tell(vocabulary.Goodbye, reason="forgotten")
        self.end.standard.transport.loseConnection()  # type: ignore[union-attr]
        self.network.advance(limits.CLOSE_DEADLINE)
        self.assertEqual([type(one) for one in came], [Forgotten])
        self.assertEqual((self.person.done, self.notes.of(Offline)), ([None], []))

    def test_a_server_in_trouble_keeps_us(self) -> None:
        self.server.refusal = refusals.ServerTrouble()
        self.fails(self.told(self.alice.account.forget_me(ALICE)), ServerInTrouble)
        self.assertTrue(self.alice.is_online)
        self.assertEqual(self.person.done, [])

    def test_a_server_that_calls_us_something_else(self) -> None:
        self.server.refusal = refusals.NotYou()
        error = self.fails(self.told(self.alice.account.forget_me(ALICE)), ServerMismatch)
        self.assertIn("Nothing was erased", error.hint)
        self.assertTrue(self.alice.is_online)

    def test_our_own_files_are_named_and_left(self) -> None:
        folder = Path(self.mktemp())
        folder.mkdir(mode=0o700)
        pins = folder / "known_peers"
        contacts = Contacts(pins, self.server.pin, lambda: 0.0)
        contacts.meet(BOB, self.bob.public_key)
        self.person.client._station.contacts = contacts
        (event,) = self.told(self.alice.account.forget_me(ALICE))
        self.assertEqual(event.folder, str(folder))
        self.network.advance(limits.CLOSE_DEADLINE)
        self.assertTrue(pins.exists())


class WordingTests(AliceTestCase):
    def lines(self, event: Event) -> list[str]:
        return [text for _, text in words(event)]

    def test_grouped_and_one_fact_a_line(self) -> None:
        facts = [DataFact("account", "name", "al"), DataFact("account", "key", "k")]
        facts.append(DataFact("session", "your address", "192.0.2.1"))
        facts.append(DataFact("account", "since", "today"))
        self.assertEqual(
            self.lines(DataHeld("al", facts)),
            [
                "what the server says it holds about you, al:",
                "account:",
                "    name: al",
                "    key: k",
                "    since: today",
                "session:",
                "    your address: 192.0.2.1",
            ],
        )

    def test_what_a_server_says_is_made_fit_to_show(self) -> None:
        event = DataHeld("al", [DataFact("\x1b[2J", "\x1b]0;", "\x9b31m\r")])
        text = "".join(Plain(lambda: "12:00").lines(event))
        self.assertTrue(text.isprintable(), text)

    # Promise T58
    def test_none_of_it_can_pass_for_what_the_client_says(self) -> None:
        question = "the pass phrase of your key (hidden; press Enter to cancel)"
        event = DataHeld("al", [DataFact(question, question, f"{' ' * 60}* {question}")])
        for width in (None, 60, 20):
            language = Plain(lambda: "12:00", partial(Screen, width))
            ours = language.lines(DataHeld("al", []))
            rows = language.lines(event)[len(ours) :]
            self.assertEqual([row for row in rows if not row[7:].startswith("(s")], [])

    def test_what_it_means_and_what_to_type(self) -> None:
        lines = self.lines(ForgetMeMeans("al", 90))
        self.assertIn("for 90 days nobody can have the name al, not even you", lines)
        self.assertEqual(lines[-1], "to do it: /forget-me al")

    def test_what_is_left(self) -> None:
        lines = self.lines(Forgotten("al", 90, "/home/al/p"))
        self.assertIn("left on this machine, for you to delete: /home/al/p", lines[1])
        self.assertEqual(len(self.lines(Forgotten(Name("al"), 90, None))), 1)
