"""Wherever a person appears, it is said how their key is trusted."""

from __future__ import annotations

from typing import get_args

from twisted.trial.unittest import SynchronousTestCase

from securecom.client import events
from securecom.client.events import (
    Asked,
    Asking,
    BlockList,
    ChatStarted,
    Event,
    ListedUser,
    MissedCaller,
    RefusedForYou,
    Requests,
    Trust,
)
from securecom.client.frontends.plain import Plain
from securecom.errors import StateDamaged
from securecom.identity import Name
from securecom.tests.support.event_kinds import KINDS
from securecom.tests.support.scripted_server_case import BOB, CAROL, OTHER_CHAT, AliceTestCase
from securecom.values import field_names

TRUSTS: tuple[Trust, ...] = get_args(Trust)
#: Their line stands behind one of the same person that says it.
BEHIND = {
    "asked-over": "asked",
    "request-over": "asking",
    "chat-opening": "chat-started comes next",
    "message": "chat-started",
    "said": "chat-started",
    "delivered": "chat-started",
    "typing": "chat-started",
    "state": "whatever led there",
    "log": "chat-started",
    "time-left": "chat-started",
    "chat-over": "chat-started",
    "compared": "safety-number",
    "file-offered": "chat-started",
    "file-progress": "chat-started",
    "file-over": "chat-started",
    "transfer": "chat-started",
    "introduction": "both are verified, or it is dropped; whois says it",
    "pending-introduction": "both are verified, or it is dropped",
    "key-taken": "asked, and the new key is nobody's yet",
    "blocked": "a name, which need not exist; block-list says it",
}
#: Their name is our own, or none of a person.
NOT_OTHERS = {
    "online",
    "fingerprints",
    "setting",
    "my-data",
    "forget-me-means",
    "forgotten",
    "retirement-made",
}


class EventTests(SynchronousTestCase):
    # Promise C6
    def test_every_event_with_a_name_says_it_or_stands_behind_one_that_does(self) -> None:
        names = {kind.kind: set(field_names(kind)) for kind in KINDS}
        named = {kind for kind, fields in names.items() if "name" in fields}
        silent = {kind for kind in named if "trust" not in names[kind]}
        self.assertEqual(silent, BEHIND.keys() | NOT_OTHERS)

    def test_in_words_each_is_another(self) -> None:
        def every(trust: Trust) -> list[Event]:
            bob, missed = ListedUser("bob", trust), MissedCaller("bob", trust, 1, 2)
            return [
                events.Users([bob], "", False),
                Asking("bob", trust, 60),
                Asked("bob", trust, "SHA256:x", 60),
                RefusedForYou("bob", trust, "busy"),
                events.Missed([missed]),
                Requests(bob, None, []),
                Requests(None, bob, []),
                Requests(None, None, [missed]),
                BlockList([bob]),
                ChatStarted("bob", "caller", trust, "SHA256:x"),
            ]

        plain = Plain(lambda: "08:05")
        told = [[tuple(plain.lines(event)) for event in every(trust)] for trust in TRUSTS]
        for lines in zip(*told, strict=True):
            self.assertEqual(len(set(lines)), len(TRUSTS), lines)


class ClientTests(AliceTestCase):
    """Bob is verified, Carol was never met."""

    def setUp(self) -> None:
        super().setUp()
        self.person.contacts.meet(BOB, self.bob.public_key)
        self.person.contacts.compared(BOB, self.bob.public_key, same=True)

    def test_users(self) -> None:
        page = {"names": [BOB, CAROL], "more": False}
        self.end.standard.pages = lambda after, text: page
        (users,) = self.told(self.alice.users())
        self.assertEqual(users.users, [ListedUser(BOB, "verified"), ListedUser(CAROL, "new")])

    def test_blocked(self) -> None:
        (listed,) = self.told(self.alice.blocked())
        self.assertEqual(listed.users, [ListedUser(BOB, "verified"), ListedUser(CAROL, "new")])

    def test_whom_we_ask(self) -> None:
        self.ask(BOB)
        self.assertEqual(self.notes.last(Asking).trust, "verified")
        self.assertEqual(self.alice.requests().asking, ListedUser(BOB, "verified"))

    def test_who_asks_with_the_key_that_they_show(self) -> None:
        self.offer(key=self.carol.public_key, caller="bob")
        self.assertEqual(self.notes.last(Asked).trust, "changed")
        self.assertEqual(self.alice.requests().asked_by, ListedUser(BOB, "changed"))

    def test_who_was_refused_for_us(self) -> None:
        self.person.contacts.meet(CAROL, self.carol.public_key)  # or Bob would come first
        self.offer(caller="carol")
        self.offer(OTHER_CHAT, "bob")
        self.assertEqual(self.notes.last(RefusedForYou), RefusedForYou(BOB, "verified", "busy"))

    # Promise C6
    def test_who_asked_in_vain(self) -> None:
        """As it is when it is shown."""
        self.offer()
        self.withdraw("gone")
        self.person.contacts.compared(BOB, self.bob.public_key, same=False)
        self.assertEqual(self.alice.requests().missed, [MissedCaller(BOB, "met", 1, 0)])

    def test_pins_that_cannot_be_read_vouch_for_nobody(self) -> None:
        def broken(name: Name) -> Trust:
            raise StateDamaged("the pins are damaged")

        self.patch(self.person.contacts, "trust", broken)
        (listed,) = self.told(self.alice.blocked())
        self.assertEqual(listed.users[0], ListedUser(BOB, "new"))
