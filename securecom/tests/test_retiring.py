"""A key is stolen, and its owner makes and uses twelve words: what people see and take."""

from __future__ import annotations

from twisted.internet.defer import Deferred

from securecom import refusals
from securecom.client.coordination.introducing import is_verified
from securecom.client.events import KNOWN, REFUSED, Asked, ChatStarted, Offline
from securecom.client.key_events import KeyRetired, RetirementDiffers, RetirementMade
from securecom.errors import (
    BadArgument,
    LoginRefused,
    NotNow,
    PeerKeyChanged,
    ServerInTrouble,
    StateDamaged,
)
from securecom.identity import Identity, Name
from securecom.introduction import Person
from securecom.retirement import RetirementSecret
from securecom.succession import Link, encode
from securecom.tests.support.scripted_server_case import ALICE, BOB
from securecom.tests.support.stolen_case import StolenCase


def refuse(*_: object) -> None:
    """What a server says that helps a thief."""
    raise refusals.BadProof()


class MakingTests(StolenCase):
    # Promise C140
    def test_the_words_are_shown_once_and_kept_nowhere(self) -> None:
        self.assertEqual(len(self.made.words), 12)
        self.patch(self.server.reception.retirements, "register", self.fail)
        error = self.told(self.alice.main.keys.make_retirement())[0]
        self.assertIsInstance(error, NotNow)
        self.assertIn("there are words already", error.what)
        public = RetirementSecret.from_words(self.words).public
        self.assertEqual(self.alice.contacts.own_retirement, public)
        self.assertNotIn(self.made.words[0], str(self.alice.contacts.retirements._file.content))

    # Promise T283
    def test_the_first_one_counts_and_a_thief_cannot_change_it(self) -> None:
        self.meet()
        thief = self.steal()
        (error,) = self.told(thief.main.keys.make_retirement())
        self.assertIsInstance(error, NotNow)
        self.assertIn("did not make them", error.hint)
        self.assertIsNone(thief.contacts.own_retirement)
        self.assertEqual(self.retire_without_a_client(), [ALICE])

    def test_with_the_key_go_its_words(self) -> None:
        """Nothing says in a chat of the next key that these can retire it."""
        (came,) = self.retire(self.alice)
        self.assertEqual((came.name, came.server), (ALICE, True))
        self.assertIsNone(self.alice.contacts.own_retirement)

    # Promise T283
    def test_peers_keep_the_first_one_and_warn_of_another(self) -> None:
        self.meet()
        thief = self.steal()
        thief.contacts.retirements.keep_own(RetirementSecret(bytes(16)).public)
        self.assertEqual(self.chat(thief, BOB), [None])
        self.assertEqual(self.bob.notes.last(RetirementDiffers).name, ALICE)
        self.told(thief.main.stop())
        self.assertTrue(self.retire(self.bob)[0].here)

    def test_a_server_that_cannot_leaves_words_that_may_count(self) -> None:
        self.setUp()
        carol = self.person(self.server.enrolled("carol"))

        def fail(*_: object) -> None:
            raise refusals.ServerTrouble()

        self.patch(self.server.reception.retirements, "register", fail)
        (error,) = self.told(carol.main.keys.make_retirement())
        self.assertIsInstance(error, ServerInTrouble)
        self.assertEqual(len(carol.notes.last(RetirementMade).words), 12)

    # Promise C140
    def test_a_client_that_ends_before_the_answer_has_not_made_any(self) -> None:
        """Nobody has seen these words, so peers must not hear that they count."""
        carol = self.person(self.server.enrolled("carol"))
        patch = self.patch(self.server.reception.retirements, "register", lambda *_: Deferred())
        carol.main.keys.make_retirement().addErrback(lambda _: None)
        self.network.pump()
        self.assertIsNone(carol.contacts.own_retirement)
        patch.restore()
        (made,) = self.told(carol.main.keys.make_retirement())
        self.assertIsInstance(made, RetirementMade)

    def test_words_that_cannot_be_noted_are_shown_all_the_same(self) -> None:
        carol = self.person(self.server.enrolled("carol"))

        def fail(*_: object) -> None:
            raise StateDamaged("the disk is full")

        self.patch(carol.contacts.retirements, "keep_own", fail)
        (error,) = self.told(carol.main.keys.make_retirement())
        self.assertIsInstance(error, StateDamaged)
        self.assertEqual(len(carol.notes.last(RetirementMade).words), 12)

    def test_only_so_many_tries(self) -> None:
        carol = self.person(self.server.enrolled("carol"))
        kinds = set()
        for _ in range(12):
            (came,) = self.told(carol.main.keys.make_retirement())
            carol.contacts.retirements.keep_own(None)
            kinds.add(type(came).__name__)
        self.assertEqual(kinds, {"RetirementMade", "NotNow", "TooOften"})


class PeerTests(StolenCase):
    def setUp(self) -> None:
        super().setUp()
        self.meet()
        self.thief = self.steal()

    # Promise T288, C143
    def test_who_has_met_the_owner_needs_no_server(self) -> None:
        """The server helps the thief: it is asked, and says that it knows nothing."""
        self.patch(self.server.reception.retirements, "retire", refuse)
        (came,) = self.retire(self.bob)
        self.assertEqual(came, KeyRetired(ALICE, True, False, "retired"))
        before = len(self.bob.notes.of(ChatStarted))
        self.chat(self.thief, BOB)
        self.assertEqual(len(self.bob.notes.of(ChatStarted)), before)
        self.assertEqual(self.bob.notes.last(Asked).trust, "retired")
        (error,) = self.chat(self.bob, ALICE)
        self.assertIsInstance(error, PeerKeyChanged)
        self.assertEqual(error.suggested, ())

    # Promise T288
    def test_a_retired_key_is_not_taken_by_its_fingerprint_either(self) -> None:
        self.retire(self.bob)
        contacts, fingerprint = self.bob.contacts, self.key.public_key.fingerprint
        self.assertRaises(BadArgument, contacts.take, ALICE, fingerprint)
        self.assertRaises(PeerKeyChanged, contacts.meet, ALICE, self.key.public_key)
        self.assertFalse(contacts.may_be(ALICE, self.key.public_key))

    # Promise T285
    def test_nobody_follows_a_retired_key_to_the_thiefs_next_one(self) -> None:
        self.retire(self.bob)
        new = Identity.generate()
        chain = encode([Link.signed(self.server.pin, ALICE, self.key, new)])
        self.assertEqual(self.bob.contacts.trust(ALICE, new.public_key, chain), "changed")
        self.assertFalse(self.bob.contacts.may_be(ALICE, new.public_key, chain))
        self.assertRaises(PeerKeyChanged, self.bob.contacts.meet, ALICE, new.public_key, chain)

    # Promise T285
    def test_a_key_that_was_followed_before_is_retired_too(self) -> None:
        new, contacts = Identity.generate(), self.bob.contacts
        chain = encode([Link.signed(self.server.pin, ALICE, self.key, new)])
        contacts.meet(ALICE, new.public_key, chain)
        self.assertTrue(self.retire(self.bob)[0].here)
        for key in (self.key, new):
            self.assertEqual(contacts.trust(ALICE, key.public_key), "retired")

    # Promise T288, C143
    def test_a_chat_with_the_thief_ends(self) -> None:
        """Also when the server goes on with it."""
        self.patch(self.server.reception.retirements, "retire", refuse)
        self.chat(self.thief, BOB)
        self.assertEqual(self.bob.main.peer, ALICE)
        self.retire(self.bob)
        self.assertIsNone(self.bob.main.peer)

    # Promise C142
    def test_the_owners_next_key_is_accepted_as_a_changed_one(self) -> None:
        self.retire(self.bob)
        contacts, new = self.bob.contacts, Identity.generate().public_key
        self.assertEqual(contacts.trust(ALICE, new), "changed")
        contacts.take(ALICE, new.fingerprint)
        contacts.meet(ALICE, new)
        self.assertEqual(contacts.trust(ALICE, new), "met")
        words = RetirementSecret(bytes(16)).public
        self.assertTrue(contacts.learn_retirement(ALICE, new, words))
        self.assertEqual(contacts.trust(ALICE, new), "met")

    # Promise T286
    def test_wrong_words_retire_nothing_here(self) -> None:
        other = " ".join(RetirementSecret(bytes(16)).words)
        (error,) = self.retire(self.bob, other)
        self.assertIsInstance(error, NotNow)
        (error,) = self.retire(self.bob, "not twelve words")
        self.assertIsInstance(error, BadArgument)
        self.assertEqual(self.bob.contacts.trust(ALICE), "met")

    def test_who_never_met_her_still_tells_the_server(self) -> None:
        carol = self.person(self.server.enrolled("carol"))
        (came,) = self.retire(carol)
        self.assertEqual(came, KeyRetired(ALICE, False, True, "new"))
        self.assertEqual([type(one) for one in self.thief.done], [LoginRefused])

    def test_it_works_off_line_for_who_has_met_her(self) -> None:
        self.bob.main.log_out()
        self.network.pump()
        (came,) = self.retire(self.bob)
        self.assertEqual((came.here, came.server), (True, False))

    def test_off_line_and_not_known_is_said(self) -> None:
        carol = self.person(self.server.enrolled("carol"))
        carol.main.log_out()
        self.network.pump()
        (error,) = self.retire(carol)
        self.assertIsInstance(error, NotNow)

    # Promise T289
    def test_an_introducer_whose_key_is_retired_vouches_for_nobody(self) -> None:
        contacts, dave = self.bob.contacts, Person(Name("dave"), Identity.generate().public_key)
        contacts.compared(ALICE, self.key.public_key, same=True)
        contacts.introduce(dave, Person(ALICE, self.key.public_key))
        self.assertEqual(contacts.trust(dave.name), "introduced")
        self.retire(self.bob)
        self.assertEqual(contacts.trust(dave.name), "new")

    # Promise T288
    def test_who_retires_a_key_while_it_asks_is_not_offered_to_take_it(self) -> None:
        """The server helps the thief, so the request goes on."""

        def refuse(*_: object) -> None:
            raise refusals.BadProof()

        self.patch(self.server.reception.retirements, "retire", refuse)
        self.bob.notes.on_event = lambda event: None
        self.thief.main.request_chat(BOB)
        self.network.pump()
        self.assertEqual(self.bob.notes.last(Asked).trust, "met")
        self.retire(self.bob)
        (error,) = self.told(self.bob.main.accept())
        self.assertIsInstance(error, PeerKeyChanged)
        self.assertEqual(error.suggested, ())

    # Promise T289
    def test_nobody_is_introduced_with_a_retired_key(self) -> None:
        """Bob began to introduce her before he heard of the theft."""
        contacts, dave = self.bob.contacts, Identity.generate().public_key
        contacts.compared(ALICE, self.key.public_key, same=True)
        contacts.meet(Name("dave"), dave)
        contacts.compared(Name("dave"), dave, same=True)
        self.bob.main.keys.introduce(ALICE, Name("dave"))
        person = Person(ALICE, self.key.public_key)
        self.assertTrue(is_verified(self.bob.main._station, person))
        self.retire(self.bob)
        self.assertFalse(is_verified(self.bob.main._station, person))
        self.bob.main.keys.cancel_introduction(ALICE, Name("dave"))
        error = self.assertRaises(NotNow, self.bob.main.keys.introduce, ALICE, Name("dave"))
        self.assertIn("not verified alice", error.what)

    def test_a_program_cannot_accept_it(self) -> None:
        self.retire(self.bob)
        self.assertNotIn("retired", KNOWN)
        self.assertIn("retired", REFUSED)
        self.assertEqual(self.bob.notes.of(Offline), [])
