"""Introductions between three whole clients: who is asked, who gets a key, and what it counts."""

from __future__ import annotations

from typing import Any

from twisted.protocols import amp
from twisted.trial.unittest import SynchronousTestCase

from securecom import introduction, limits, statements, vocabulary
from securecom.client.chat import chat_session
from securecom.client.chat.chat_session import ChatSession
from securecom.client.events import Asked, ChatOver, ChatStarted, Event, Problem
from securecom.client.introductions import Book
from securecom.client.key_events import Introduced, IntroductionOffered, IntroductionStep
from securecom.errors import BadArgument, ChatFailed, NotNow, PeerKeyChanged
from securecom.identity import Identity, Name, PublicKey
from securecom.introduction import Person
from securecom.tests.support.memory_client import MemoryClient
from securecom.tests.support.memory_server import MemoryServer
from securecom.tests.support.scripted_server import outcome
from securecom.tests.support.scripted_server_case import ALICE, BOB, CAROL
from securecom.tests.support.second_keys import QuantumThief
from securecom.values import replace


class ThreePeopleCase(SynchronousTestCase):
    """Alice has verified Bob and Carol, and they her. Bob and Carol have never met."""

    def setUp(self) -> None:
        self.server = MemoryServer()
        self.network = self.server.network
        self.people = {name: self.person(name) for name in (ALICE, BOB, CAROL)}
        self.alice, self.bob, self.carol = self.people.values()
        for name in (BOB, CAROL):
            self.verify(ALICE, name)
            self.verify(name, ALICE)

    def person(self, name: Name) -> MemoryClient:
        person = MemoryClient(self.network, self.server.enrolled(name), self.server.pin)
        person.notes.on_event = lambda event: self.accept(person, event)
        return person.start()

    def accept(self, person: MemoryClient, event: Event) -> None:
        if isinstance(event, Asked):
            person.main.accept().addErrback(lambda _: None)

    def key(self, name: Name) -> PublicKey:
        return self.people[name].identity.public_key

    def who(self, name: Name) -> Person:
        return Person(name, self.key(name))

    def verify(self, who: Name, name: Name) -> None:
        contacts = self.people[who].contacts
        contacts.meet(name, self.key(name))
        contacts.compared(name, self.key(name), same=True)

    def begin(self, caller: Name, callee: Name) -> None:
        """A chat of these two begins."""
        came = outcome(self.people[caller].main.request_chat(callee))
        self.network.pump()
        self.assertEqual(came, [None])

    def stop(self, who: Name = ALICE) -> None:
        outcome(self.people[who].main.stop())
        self.network.pump()

    def answer(self, who: Name, other: Name, agrees: bool = True) -> None:
        self.people[who].main.keys.answer_introduction(other, agrees)
        self.network.pump()

    def agree(self, who: Name, other: Name, agrees: bool = True) -> None:
        """In a chat with Alice, say yes."""
        self.begin(ALICE, who)
        self.answer(who, other, agrees)
        self.stop()

    def introduced(self) -> None:
        """The whole way: Bob is asked, Carol is asked and gets his key, and then he hers."""
        self.alice.main.keys.introduce(BOB, CAROL)
        self.agree(BOB, CAROL)
        self.agree(CAROL, BOB)
        self.begin(ALICE, BOB)
        self.stop()

    def steps(self, who: Name = ALICE) -> list[tuple[str, str, str]]:
        events = self.people[who].notes.of(IntroductionStep)
        return [(one.name, one.other, one.stage) for one in events]

    def trust(self, who: Name, name: Name) -> str:
        return self.people[who].contacts.trust(name)

    def send(self, who: Name, command: type[amp.Command], **arguments: Any) -> None:
        """What a modified client says in its chat."""
        line = self.people[who].client._coordinator.standing.session
        line.ask(command, **arguments).addErrback(lambda _: None)
        self.network.pump()


class WayTests(ThreePeopleCase):
    # Promise C103
    def test_both_get_the_others_key_when_both_have_said_yes(self) -> None:
        self.introduced()
        self.assertEqual(
            self.steps(),
            [
                ("bob", "carol", "asked"),
                ("bob", "carol", "yes"),
                ("carol", "bob", "asked"),
                ("carol", "bob", "yes"),
                ("carol", "bob", "delivered"),
                ("bob", "carol", "delivered"),
            ],
        )
        following = [one.next for one in self.alice.notes.of(IntroductionStep)]
        self.assertEqual(following, [None, CAROL, None, None, BOB, None])
        bobs, carols = self.bob.notes.last(Introduced), self.carol.notes.last(Introduced)
        key = self.key(CAROL).fingerprint
        self.assertEqual(bobs, Introduced(CAROL, ALICE, key, "introduced"))
        self.assertEqual((carols.name, carols.by), (BOB, ALICE))
        self.assertEqual(self.trust(BOB, CAROL), "introduced")
        self.assertEqual(self.trust(CAROL, BOB), "introduced")
        self.assertEqual(self.alice.main.keys.introductions().pending, [])

    # Promise C104, T220
    def test_nobody_is_introduced_who_did_not_say_yes(self) -> None:
        for order in ((BOB, CAROL), (CAROL, BOB)):
            self.setUp()
            self.alice.main.keys.introduce(BOB, CAROL)
            self.agree(order[0], order[1])
            self.agree(order[1], order[0], agrees=False)
            self.begin(ALICE, order[0])
            self.stop()
            self.assertEqual(self.trust(BOB, CAROL), "new")
            self.assertEqual(self.trust(CAROL, BOB), "new")
            self.assertEqual(self.alice.main.keys.introductions().pending, [])

    def test_in_the_chat_of_the_moment_it_begins_at_once(self) -> None:
        self.begin(ALICE, BOB)
        self.alice.main.keys.introduce(CAROL, BOB)
        self.network.pump()
        self.assertEqual(
            self.bob.notes.last(IntroductionOffered), IntroductionOffered(ALICE, CAROL, "verified")
        )

    def test_who_said_nothing_is_asked_again_in_the_next_chat(self) -> None:
        self.alice.main.keys.introduce(BOB, CAROL)
        for _ in range(2):
            self.begin(ALICE, BOB)
            self.stop()
        self.assertEqual(len(self.bob.notes.of(IntroductionOffered)), 2)

    def test_who_said_yes_is_not_asked_again(self) -> None:
        self.alice.main.keys.introduce(BOB, CAROL)
        self.agree(BOB, CAROL)
        self.begin(ALICE, BOB)
        self.stop()
        self.assertEqual(len(self.bob.notes.of(IntroductionOffered)), 1)

    # Promise C105
    def test_a_yes_is_taken_back_until_the_key_is_there(self) -> None:
        self.alice.main.keys.introduce(BOB, CAROL)
        self.agree(BOB, CAROL)
        self.agree(BOB, CAROL, agrees=False)
        self.assertEqual(self.steps()[-1], ("bob", "carol", "no"))
        self.begin(ALICE, CAROL)
        self.assertEqual(self.carol.notes.of(IntroductionOffered), [])

    def test_a_yes_to_a_key_that_the_introducer_has_replaced_is_asked_for_again(self) -> None:
        self.alice.main.keys.introduce(BOB, CAROL)
        self.agree(BOB, CAROL)
        (made,) = self.alice.contacts.introductions.making()
        side, _ = made.sides(BOB)
        before = Person(ALICE, Identity.generate().public_key)
        server, bob = self.server.pin, self.people[BOB].identity
        old = introduction.agree(server, before, bob, BOB, CAROL).hex()
        self.alice.contacts.introductions.put(made.with_side(replace(side, consent=old)))
        self.bob.contacts.introductions.disagree(self.who(ALICE), CAROL)

        self.agree(CAROL, BOB)
        self.assertEqual(self.carol.notes.last(ChatOver).ending, "by-peer")
        self.assertEqual(self.trust(CAROL, BOB), "new")
        self.agree(BOB, CAROL)
        self.assertEqual(len(self.bob.notes.of(IntroductionOffered)), 2)
        self.begin(ALICE, CAROL)
        self.assertEqual(self.trust(CAROL, BOB), "introduced")
        self.assertEqual(self.trust(BOB, CAROL), "introduced")
        self.assertEqual(self.alice.main.keys.introductions().pending, [])

    # Promise C105
    def test_the_introducer_takes_it_back(self) -> None:
        keys = self.alice.main.keys
        keys.introduce(BOB, CAROL)
        self.assertEqual(len(keys.introductions().pending), 1)
        self.assertEqual(keys.cancel_introduction(CAROL, BOB).stage, "cancelled")
        self.assertEqual(keys.introductions().pending, [])
        self.assertRaises(NotNow, keys.cancel_introduction, BOB, CAROL)
        self.begin(ALICE, BOB)
        self.assertEqual(self.bob.notes.of(IntroductionOffered), [])

    def test_one_that_is_too_old_is_forgotten(self) -> None:
        self.alice.main.keys.introduce(BOB, CAROL)
        self.agree(BOB, CAROL)
        self.alice.contacts.introductions._now = lambda: limits.INTRODUCTION_SECONDS + 10.0**6
        self.begin(ALICE, CAROL)
        self.assertEqual(self.carol.notes.of(IntroductionOffered), [])
        self.assertEqual(self.alice.main.keys.introductions().pending, [])

    # Promise C106
    def test_the_introducer_must_have_verified_both(self) -> None:
        contacts, keys = self.alice.contacts, self.alice.main.keys
        contacts.compared(CAROL, self.key(CAROL), same=False)
        self.assertRaises(NotNow, keys.introduce, BOB, CAROL)
        self.assertRaises(NotNow, keys.introduce, CAROL, BOB)
        for one, other in ((BOB, BOB), (ALICE, BOB), (BOB, ALICE)):
            self.assertRaises(BadArgument, keys.introduce, one, other)
        self.assertEqual(keys.introductions().pending, [])

    # Promise C106, T130
    def test_who_was_verified_by_the_first_key_alone_is_not_introduced(self) -> None:
        """Their pin is from before there were second keys."""
        dora, first = Name("dora"), Identity.generate().public_key.first
        self.alice.contacts.meet(dora, first)
        self.alice.contacts.compared(dora, first, same=True)
        keys = self.alice.main.keys
        for one, other in ((BOB, dora), (dora, BOB)):
            error = self.assertRaises(NotNow, keys.introduce, one, other)
            self.assertIn("of dora you have verified the first key only", error.what)
            self.assertIn("Nothing was kept", error.hint)
        self.assertEqual(keys.introductions().pending, [])

    # Promise C106
    def test_one_who_is_no_longer_verified_is_not_introduced(self) -> None:
        self.alice.main.keys.introduce(BOB, CAROL)
        self.agree(BOB, CAROL)
        self.alice.contacts.compared(BOB, self.key(BOB), same=False)
        self.begin(ALICE, CAROL)
        self.assertEqual(self.steps()[-1], ("carol", "bob", "dropped"))
        self.assertEqual(self.carol.notes.of(IntroductionOffered), [])

    # Promise C106
    def test_one_who_is_verified_with_another_key_by_now_is_not_introduced(self) -> None:
        self.alice.main.keys.introduce(BOB, CAROL)
        self.agree(BOB, CAROL)
        contacts, other = self.alice.contacts, Identity.generate().public_key
        contacts.take(BOB, other.fingerprint)
        contacts.meet(BOB, other)
        contacts.compared(BOB, other, same=True)
        self.begin(ALICE, CAROL)
        self.assertEqual(self.steps()[-1], ("carol", "bob", "dropped"))
        self.assertEqual(self.carol.notes.of(IntroductionOffered), [])

    # Promise T221
    def test_a_yes_needs_a_verified_introducer(self) -> None:
        self.bob.contacts.compared(ALICE, self.key(ALICE), same=False)
        self.alice.main.keys.introduce(BOB, CAROL)
        self.begin(ALICE, BOB)
        self.assertEqual(self.bob.notes.last(IntroductionOffered).trust, "met")
        error = self.assertRaises(NotNow, self.bob.main.keys.answer_introduction, CAROL, True)
        self.assertEqual(error.suggested, (("verify", ""),))

    def test_an_answer_to_nothing_is_refused(self) -> None:
        self.begin(ALICE, BOB)
        for agrees in (True, False):
            self.assertRaises(NotNow, self.bob.main.keys.answer_introduction, CAROL, agrees)

    def test_a_client_that_knows_no_introductions_is_not_asked(self) -> None:
        self.alice.main.keys.introduce(BOB, CAROL)
        self.patch(chat_session, "KNOWS", [])
        self.begin(ALICE, BOB)
        self.assertEqual(self.steps(), [])
        self.assertEqual(self.alice.notes.of(ChatOver), [])

    def test_only_so_many_at_once(self) -> None:
        for number in range(limits.MAX_INTRODUCTIONS):
            other = Person(Name(f"p{number}"), Identity.generate().public_key)
            self.alice.contacts.introductions.begin(self.who(BOB), other)
        self.assertRaises(NotNow, self.alice.main.keys.introduce, BOB, CAROL)

    def test_the_same_two_once(self) -> None:
        self.alice.main.keys.introduce(BOB, CAROL)
        self.assertRaises(NotNow, self.alice.main.keys.introduce, CAROL, BOB)


class TrustTests(ThreePeopleCase):
    """What an introduction counts, and for how long."""

    def setUp(self) -> None:
        super().setUp()
        self.introduced()

    # Promise C107
    def test_the_mark_is_shown_with_the_introducers_name(self) -> None:
        whois = self.bob.main.keys.whois(CAROL)
        self.assertEqual((whois.trust, whois.introduced_by), ("introduced", ALICE))
        self.begin(CAROL, BOB)
        asked, started = self.bob.notes.last(Asked), self.bob.notes.last(ChatStarted)
        self.assertEqual((asked.trust, asked.introduced_by), ("introduced", ALICE))
        self.assertEqual((started.trust, started.introduced_by), ("introduced", ALICE))
        self.stop(BOB)
        user = next(one for one in self.bob.main.people if one.name == CAROL)
        self.assertEqual((user.trust, user.introduced_by), ("introduced", ALICE))

    # Promise T222
    def test_at_the_first_meeting_the_introduced_key_counts_and_not_the_servers_word(self) -> None:
        contacts, swapped = self.bob.contacts, Identity.generate().public_key
        self.assertEqual(contacts.trust(CAROL, swapped), "changed")
        self.assertFalse(contacts.may_be(CAROL, swapped))
        self.assertRaises(PeerKeyChanged, contacts.meet, CAROL, swapped)
        self.assertTrue(contacts.may_be(CAROL, self.key(CAROL)))

    def test_the_person_may_still_take_another_key(self) -> None:
        contacts, other = self.bob.contacts, Identity.generate().public_key
        contacts.take(CAROL, other.fingerprint)
        contacts.meet(CAROL, other)
        self.assertEqual(contacts.trust(CAROL, other), "met")

    # Promise C108
    def test_a_key_change_drops_it(self) -> None:
        contacts, other = self.bob.contacts, Identity.generate().public_key
        contacts.meet(CAROL, self.key(CAROL))
        self.assertEqual(contacts.trust(CAROL), "introduced")
        contacts.take(CAROL, other.fingerprint)
        contacts.meet(CAROL, other)
        self.assertEqual(contacts.trust(CAROL), "met")
        self.assertIsNone(contacts.introducer(CAROL))

    # Promise C108
    def test_it_counts_while_its_introducer_is_verified(self) -> None:
        contacts = self.bob.contacts
        contacts.compared(ALICE, self.key(ALICE), same=False)
        self.assertEqual(contacts.trust(CAROL), "new")
        self.assertNotIn(CAROL, contacts.names())
        contacts.meet(CAROL, self.key(CAROL))
        self.assertEqual(contacts.trust(CAROL), "met")
        contacts.compared(ALICE, self.key(ALICE), same=True)
        self.assertEqual(contacts.trust(CAROL), "introduced")

    # Promise C108
    def test_an_introducer_with_another_key_vouches_for_nobody(self) -> None:
        contacts, other = self.bob.contacts, Identity.generate().public_key
        contacts.take(ALICE, other.fingerprint)
        contacts.meet(ALICE, other)
        contacts.compared(ALICE, other, same=True)
        self.assertEqual(contacts.trust(CAROL), "new")

    def test_ones_own_comparison_counts_more(self) -> None:
        contacts = self.bob.contacts
        contacts.meet(CAROL, self.key(CAROL))
        contacts.compared(CAROL, self.key(CAROL), same=True)
        self.assertEqual(contacts.trust(CAROL), "verified")
        contacts.compared(CAROL, self.key(CAROL), same=False)
        self.assertEqual(contacts.trust(CAROL), "met")

    # Promise T223
    def test_somebody_introduced_is_not_thereby_an_introducer(self) -> None:
        dave = Person(Name("dave"), Identity.generate().public_key)
        self.bob.contacts.introduce(dave, self.who(CAROL))
        self.assertEqual(self.bob.contacts.trust(dave.name), "new")
        self.assertRaises(NotNow, self.bob.main.keys.introduce, CAROL, ALICE)


class LieTests(ThreePeopleCase):
    """Alice's client is a modified one, or Bob's."""

    def setUp(self) -> None:
        super().setUp()
        self.mallory = Identity.generate()

    def vouch(self, **lies: Any) -> None:
        """What Alice says to Bob of Carol, but for the lies."""
        server, me = lies.get("server", self.server.pin), lies.get("introducer", self.who(ALICE))
        introduced, receiver = Person(CAROL, lies.get("key", self.key(CAROL))), self.who(BOB)
        signer = lies.get("signer", self.alice.identity)
        said = introduction.vouching(server, me, introduced, lies.get("receiver", receiver))
        agreeing = lies.get("agreeing", self.carol.identity)
        agreed = introduction.consent(
            lies.get("consent_server", server),
            lies.get("consent_introducer", me),
            lies.get("consent_introduced", introduced),
            lies.get("consent_receiver", BOB),
        )
        self.send(
            ALICE,
            vocabulary.Vouch,
            other=CAROL,
            key=introduced.key,
            signature=statements.signed(signer, said),
            consent=statements.signed(agreeing, agreed),
        )

    def bob_agreed(self) -> None:
        self.begin(ALICE, BOB)
        self.send(ALICE, vocabulary.Introduce, other=CAROL)
        self.answer(BOB, CAROL)

    def caught(self, who: Name = BOB) -> None:
        self.assertEqual(self.people[who].notes.last(ChatOver).ending, "cut-off")
        self.assertEqual(self.people[who].notes.of(Introduced), [])
        self.assertEqual(self.trust(BOB, CAROL), "new")

    def test_without_lies_it_is_taken(self) -> None:
        self.bob_agreed()
        self.vouch()
        self.assertEqual(self.trust(BOB, CAROL), "introduced")

    # Promise T220
    def test_a_key_that_bob_did_not_ask_for_counts_for_nothing(self) -> None:
        self.begin(ALICE, BOB)
        self.vouch()
        self.send(ALICE, vocabulary.Introduce, other=CAROL)
        self.vouch()
        self.assertEqual(self.bob.notes.of(Introduced), [])
        self.assertEqual(self.trust(BOB, CAROL), "new")

    # Promise T224
    def test_a_statement_that_is_not_this_one_ends_the_chat(self) -> None:
        mallory = Person(ALICE, self.mallory.public_key)
        lies: list[dict[str, Any]] = [
            {"signer": self.mallory},
            {"server": b"\x09" * 32},
            {"introducer": mallory},
            {"receiver": self.who(CAROL)},
            {"receiver": Person(BOB, self.mallory.public_key)},
        ]
        for lie in lies:
            self.setUp()
            self.bob_agreed()
            self.vouch(**lie)
            self.caught()

    # Promise T220
    def test_a_yes_that_carol_did_not_give_ends_the_chat(self) -> None:
        lies: list[dict[str, Any]] = [
            {"agreeing": self.mallory},
            {"consent_server": b"\x09" * 32},
            {"consent_introducer": Person(Name("dave"), self.key(ALICE))},
            {"consent_introduced": Person(Name("dave"), self.key(CAROL))},
            {"consent_receiver": Name("dave")},
            {"key": self.mallory.public_key},
        ]
        for lie in lies:
            self.setUp()
            self.bob_agreed()
            self.vouch(**lie)
            self.caught()

    # Promise T225
    def test_another_key_than_the_pinned_one_changes_nothing_and_is_shown(self) -> None:
        self.bob.contacts.meet(CAROL, self.key(CAROL))
        self.bob_agreed()
        self.vouch(key=self.mallory.public_key, agreeing=self.mallory)
        self.assertIn("another key of carol", self.bob.notes.last(Problem).what)
        self.assertEqual(self.bob.contacts.trust(CAROL, self.key(CAROL)), "met")

    # Promise T225
    def test_another_second_key_than_the_pinned_one_is_another_key(self) -> None:
        self.bob.contacts.meet(CAROL, self.key(CAROL))
        self.bob_agreed()
        thief = QuantumThief(self.carol.identity)
        self.vouch(key=thief.public_key, agreeing=thief)
        self.assertIn("another key of carol", self.bob.notes.last(Problem).what)
        self.assertEqual(self.bob.notes.of(Introduced), [])
        self.assertEqual(self.bob.contacts.introductions.received(), [])

    # Promise T130
    def test_a_second_key_beside_a_first_one_known_alone_is_no_other_key(self) -> None:
        """The pin has it once it is proved; only then does the introduction show."""
        contacts, both = self.bob.contacts, self.key(CAROL)
        contacts.meet(CAROL, both.first)
        self.bob_agreed()
        self.vouch()
        self.assertEqual(self.bob.notes.of(Problem), [])
        pin = contacts.pin(CAROL)
        self.assertEqual(pin and pin.key, both.first)
        contacts.meet(CAROL, both)
        self.assertEqual(contacts.trust(CAROL, both), "introduced")

    # Promise T226
    def test_a_key_that_was_not_taken_is_looked_at_once_a_chat(self) -> None:
        self.bob.contacts.meet(CAROL, self.key(CAROL))
        self.bob_agreed()
        for _ in range(3):
            self.vouch(key=self.mallory.public_key, agreeing=self.mallory)
        self.assertEqual(len(self.bob.notes.of(Problem)), 1)

    # Promise T225
    def test_a_key_that_is_somebody_elses_changes_nothing(self) -> None:
        for name in (ALICE, BOB):
            self.setUp()
            self.bob_agreed()
            self.vouch(key=self.key(name), agreeing=self.people[name].identity)
            self.assertEqual(self.trust(BOB, CAROL), "new")
            self.assertEqual(self.bob.notes.of(Introduced), [])
            self.assertEqual(len(self.bob.notes.of(Problem)), 1)

    # Promise T221
    def test_one_whom_bob_no_longer_verifies_gives_him_no_key(self) -> None:
        self.bob_agreed()
        self.bob.contacts.compared(ALICE, self.key(ALICE), same=False)
        self.vouch()
        self.assertEqual(self.trust(BOB, CAROL), "new")
        self.assertEqual(len(self.bob.notes.of(Problem)), 1)

    # Promise T221
    def test_a_yes_is_not_repeated_to_one_whom_bob_no_longer_verifies(self) -> None:
        self.bob_agreed()
        self.stop()
        self.bob.contacts.compared(ALICE, self.key(ALICE), same=False)
        self.alice.main.keys.introduce(BOB, CAROL)
        self.begin(ALICE, BOB)
        self.assertEqual(self.steps(), [("bob", "carol", "asked")])
        self.assertEqual(self.bob.notes.last(IntroductionOffered).trust, "met")

    def test_nothing_is_said_of_it_before_hello(self) -> None:
        send_hello = ChatSession.send_hello

        def too_soon(session: ChatSession) -> None:
            if session.comparing._peer == BOB:
                said = session.ask(vocabulary.Introduce, other=CAROL)
                said.addErrback(lambda _: None)
            send_hello(session)

        self.patch(ChatSession, "send_hello", too_soon)
        came = outcome(self.alice.main.request_chat(BOB))
        self.network.pump()
        self.assertIsInstance(came[0], ChatFailed)
        self.assertEqual(self.bob.notes.of(ChatStarted), [])
        self.assertEqual(self.bob.notes.of(IntroductionOffered), [])

    # Promise T226
    def test_too_many_offers_end_the_chat(self) -> None:
        self.begin(ALICE, BOB)
        for number in range(limits.MAX_INTRODUCTIONS):
            self.send(ALICE, vocabulary.Introduce, other=Name(f"p{number}"))
        self.assertEqual(self.bob.notes.of(ChatOver), [])
        self.send(ALICE, vocabulary.Introduce, other=CAROL)
        self.assertEqual(self.bob.notes.last(ChatOver).ending, "cut-off")

    # Promise T226
    def test_an_introduction_to_one_of_the_two_ends_the_chat(self) -> None:
        for name in (ALICE, BOB):
            self.setUp()
            self.begin(ALICE, BOB)
            self.send(ALICE, vocabulary.Introduce, other=name)
            self.assertEqual(self.bob.notes.last(ChatOver).ending, "cut-off")

    # Promise T226
    def test_a_signature_that_is_too_long_ends_the_chat(self) -> None:
        self.alice.main.keys.introduce(BOB, CAROL)
        self.begin(ALICE, BOB)
        long = b"s" * (limits.MAX_STATEMENT_SIGNATURE + 1)
        answer = {"other": CAROL, "word": "no", "consent": long}
        self.send(BOB, vocabulary.AgreeIntroduction, **answer)
        self.assertEqual(self.alice.notes.last(ChatOver).ending, "cut-off")

    # Promise T220
    def test_a_yes_that_is_not_signed_ends_the_chat_and_is_none(self) -> None:
        self.alice.main.keys.introduce(BOB, CAROL)
        self.begin(ALICE, BOB)
        answer = {"other": CAROL, "word": "yes", "consent": b"s" * 64}
        self.send(BOB, vocabulary.AgreeIntroduction, **answer)
        self.assertEqual(self.alice.notes.last(ChatOver).ending, "cut-off")
        (pending,) = self.alice.main.keys.introductions().pending
        self.assertEqual(pending.agreed, [])

    def test_a_yes_that_was_not_asked_for_in_this_chat_is_none(self) -> None:
        self.begin(ALICE, BOB)
        self.alice.contacts.introductions.begin(self.who(BOB), self.who(CAROL))  # elsewhere
        signed = introduction.agree(self.server.pin, self.who(ALICE), self.bob.identity, BOB, CAROL)
        self.send(BOB, vocabulary.AgreeIntroduction, other=CAROL, word="yes", consent=signed)
        (pending,) = self.alice.main.keys.introductions().pending
        self.assertEqual((pending.agreed, self.steps()), ([], []))

    def test_an_answer_to_nothing_changes_nothing(self) -> None:
        self.begin(ALICE, BOB)
        for word in ("yes", "no"):
            answer = {"other": CAROL, "word": word, "consent": b""}
            self.send(BOB, vocabulary.AgreeIntroduction, **answer)
        self.assertEqual(self.steps(), [])
        self.assertEqual(self.alice.notes.of(ChatOver), [])

    # Promise T227
    def test_a_no_is_as_long_as_a_yes(self) -> None:
        sizes = set()
        whole = ChatSession.send

        def send(session: ChatSession, frame: bytes) -> None:
            if b"AgreeIntroduction" in frame:
                sizes.add(len(frame))
            whole(session, frame)

        self.patch(ChatSession, "send", send)
        for agrees in (True, False):
            self.alice.main.keys.introduce(BOB, CAROL)
            self.agree(BOB, CAROL, agrees)
            self.assertEqual(len(sizes), 1)
            self.alice.contacts.introductions._file.content = Book()

    # Promise T227
    def test_the_server_sees_frames_as_of_messages_and_no_name(self) -> None:
        """Padded like all else in a chat; the server relays them, and is sent nothing besides."""
        sizes: dict[str, set[int]] = {}
        whole = ChatSession.send

        def send(session: ChatSession, frame: bytes) -> None:
            for word in (b"Say", b"Introduce", b"AgreeIntroduction", b"Vouch"):
                if b"\x00\x08_command" + len(word).to_bytes(2, "big") + word in frame:
                    sizes.setdefault(word.decode(), set()).add(len(frame))
            whole(session, frame)

        self.patch(ChatSession, "send", send)
        self.introduced()
        self.begin(ALICE, BOB)
        self.alice.main.say("x" * 60)
        for of_both_keys in (1, 2):
            self.alice.main.say("x" * (of_both_keys * statements.SIGNATURE_BYTES + 200))
        self.network.pump()
        self.assertEqual(sizes["Introduce"], {256})
        for word in ("AgreeIntroduction", "Vouch"):
            self.assertLessEqual(sizes[word], sizes["Say"], word)
