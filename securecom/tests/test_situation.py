from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from securecom.client import events as e
from securecom.client import key_events
from securecom.client.events import Event, ListedUser
from securecom.client.frontends.fullscreen.situation import Situation
from securecom.tests.support.pilot_case import KEY, SERVER
from securecom.tests.support.scripted_core import ScriptedCore


class Now(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.now = Situation(self.clock.seconds)
        self.now.api = ScriptedCore()

    def hear(self, *events: Event) -> None:
        for event in events:
            self.now.heard(event)

    def presence(self, *others: str) -> dict[str, str]:
        return {one.name: one.presence for one in self.now.people(list(others))}

    def test_a_countdown_follows_the_steady_clock(self) -> None:
        self.hear(e.Availability(True, 90))
        self.clock.advance(30)
        self.assertEqual(self.now.left(self.now.available_until), 60)
        self.clock.advance(600)
        self.assertEqual(self.now.left(self.now.available_until), 0)

    def test_a_request_comes_and_goes(self) -> None:
        self.hear(e.Asked("carol", "new", KEY, 48))
        self.assertEqual(self.presence(), {"carol": "asks"})
        self.hear(e.AskedOver("carol", "expired"))
        self.assertEqual(self.presence(), {})

    def test_a_changed_key_is_accepted_for_the_request_that_has_it(self) -> None:
        self.hear(e.Asked("carol", "changed", KEY, 48), key_events.KeyAccepted("carol", "SHA256:x"))
        self.hear(key_events.KeyAccepted("mia", KEY))
        self.assertTrue(self.now.request and self.now.request.has_unknown_key)
        self.hear(key_events.KeyAccepted("carol", KEY))
        self.assertFalse(self.now.request and self.now.request.has_unknown_key)
        self.hear(e.Asked("carol", "changed", KEY, 48))
        self.assertTrue(self.now.request and self.now.request.has_unknown_key)

    def test_people_who_are_near_come_first(self) -> None:
        users = [ListedUser("zoe", "met"), ListedUser("ann", "met"), ListedUser("bob", "met")]
        self.hear(e.Online("alice", SERVER, False), e.Users(users, "", False, ["bob"]))
        self.hear(e.Blocked("ann", True), e.Asked("mia", "new", KEY, 48))
        self.assertEqual([one.name for one in self.now.people([])], ["mia", "zoe", "bob", "ann"])

    def test_offline_nobody_is_there(self) -> None:
        self.hear(e.Online("alice", SERVER, False), e.Availability(True))
        self.hear(e.Users([ListedUser("bob", "met")], "", False), e.Offline("lost", 5))
        self.assertEqual(self.presence(), {"bob": ""})
        self.assertFalse(self.now.is_available)

    def test_verifying_marks_the_key(self) -> None:
        self.hear(e.ChatStarted("bob", "caller", "met", KEY))
        self.hear(key_events.ComparisonResult("bob", "peer", "yes"))
        self.assertEqual(self.now.peer_trust, "met")
        self.hear(key_events.ComparisonResult("bob", "me", "yes"))
        self.assertEqual(self.now.peer_trust, "verified")

    def test_a_chat_that_is_over_leaves_nobody(self) -> None:
        self.hear(e.ChatStarted("bob", "caller", "met", KEY), e.ChatOver("bob", "by-me", []))
        self.assertEqual((self.now.peer, self.now.is_chatting), ("", False))
