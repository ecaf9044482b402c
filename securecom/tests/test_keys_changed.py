"""Changed keys: what is shown, what it takes to accept one, and that nothing is sent before."""

from __future__ import annotations

from securecom import framing, refusals
from securecom.client.api import ClientState
from securecom.client.coordination.engagement import Offer
from securecom.client.events import (
    Asked,
    ChatStarted,
    Event,
    Message,
    RequestOver,
    Said,
    Trust,
    problem,
)
from securecom.client.frontends.plain import Typed
from securecom.client.frontends.words import words
from securecom.client.key_events import ComparisonResult, FormerKey, KeyAccepted
from securecom.errors import BadArgument, NotAnswered, PeerKeyChanged
from securecom.identity import Identity, PublicKey
from securecom.invitation import token_hash
from securecom.safety_number import safety_number
from securecom.tests.support.memory_client import MemoryClient
from securecom.tests.support.memory_server import NOW, result
from securecom.tests.support.scripted_server import outcome
from securecom.tests.support.scripted_server_case import ALICE, BOB, CAROL, AliceTestCase
from securecom.tests.support.two_clients_case import TwoClientsCase


class ChangedCase(AliceTestCase):
    """Alice has met Bob; then somebody has another key."""

    def setUp(self) -> None:
        super().setUp()
        self.contacts = self.person.contacts
        self.contacts.meet(BOB, self.bob.public_key)
        self.known = self.bob
        self.changed()

    def changed(self) -> None:
        """From now on the one at Bob's end has another key."""
        self.bob = Identity.generate()

    def trust(self, key: PublicKey | None = None) -> Trust:
        return self.contacts.trust(BOB, key)

    def take(self) -> KeyAccepted:
        return self.alice.keys.take(BOB, self.bob.public_key.fingerprint)

    def refused(self, came: list[object]) -> PeerKeyChanged:
        """It failed, and the words name the command that would let it go on."""
        error: PeerKeyChanged = self.fails(came, PeerKeyChanged)
        self.assertEqual(error.code, 701)
        self.assertIn("No message was sent to it", str(error))
        fingerprint = self.bob.public_key.fingerprint
        line = f"/trust bob {fingerprint}"
        [(_, text)] = words(problem(error))
        self.assertTrue(text.endswith(f"Only if it is this one: {line}"), text)
        order = Typed().read(line)
        assert order is not None and not isinstance(order, str)
        self.assertEqual((order.command.word, order.argument), ("trust", (BOB, fingerprint)))
        return error

    def sent_in_chats(self) -> list[bytes]:
        sent: list[bytes] = []
        self.end.relay = lambda run: sent.append(framing.chat_bytes(run))
        return sent


class TakingTests(ChangedCase):
    """The person's explicit word, and nothing less."""

    # Promise C9
    def test_the_request_shows_it(self) -> None:
        self.offer()
        (asked,) = self.notes.of(Asked)
        self.assertEqual(asked, Asked(BOB, "changed", self.bob.public_key.fingerprint, 60))

    # Promise T29, C10
    def test_accept_is_refused_and_names_the_command(self) -> None:
        answer = self.offer()
        self.refused(self.told(self.alice.accept()))
        self.refused(self.told(self.alice.accept(BOB)))
        self.refused(self.ask(BOB))  # asking the one who asks us is a yes
        self.assertEqual((answer, self.end.requests), ([], []))
        self.assertIsInstance(self.alice.offer, Offer)

    def test_it_can_be_refused_like_any_other(self) -> None:
        answer = self.offer()
        self.assertEqual(self.told(self.alice.refuse()), [None])
        self.assertEqual(answer, ["refuse"])

    def test_as_caller_the_same_command_is_named(self) -> None:
        stands, sent = self.ask(), self.sent_in_chats()
        self.grant()
        self.refused(stands)
        self.assertEqual(self.notes.last(RequestOver), RequestOver(BOB, "failed"))
        self.assertEqual(sent, [])

    # Promise C10
    def test_after_the_word_the_callee_may_accept(self) -> None:
        answer = self.offer()
        taken = self.take()
        self.assertEqual(taken, KeyAccepted(BOB, self.bob.public_key.fingerprint))
        stands = self.told(self.alice.accept())
        self.assertEqual(answer, ["accept"])
        self.open_stream()
        self.peer("caller").open()
        self.pump()
        self.assertEqual(stands, [None])
        self.assertEqual(self.notes.last(ChatStarted).trust, "changed")
        self.assertEqual(self.trust(self.bob.public_key), "met")

    def test_after_the_word_the_caller_may_ask(self) -> None:
        self.take()
        stands = self.ask()
        self.peer("callee").open()
        self.grant()
        self.assertEqual(stands, [None])
        self.assertEqual(self.notes.last(ChatStarted).trust, "changed")
        self.assertEqual(self.trust(self.bob.public_key), "met")

    def test_the_word_may_come_before_any_request(self) -> None:
        """A fingerprint that its owner reads out on the phone."""
        self.take()
        self.offer()
        self.assertEqual(self.notes.last(Asked).trust, "changed")
        self.told(self.alice.accept())
        self.assertIs(self.alice.state, ClientState.OPENING)

    # Promise T30
    def test_until_it_is_proved_the_pin_stays(self) -> None:
        known = self.known.public_key
        self.take()
        self.assertEqual(self.trust(known), "met")
        self.ask()
        impostor = self.peer("callee")
        impostor.identity = self.carol
        impostor.open()
        self.grant()
        self.assertEqual(self.notes.of(ChatStarted), [])
        self.assertEqual(self.trust(known), "met")
        self.ask()
        self.peer("callee", own=CAROL).open()  # the right key, and a HELLO that means another
        self.grant()
        self.assertEqual(self.notes.of(ChatStarted), [])
        self.assertEqual(self.trust(known), "met")

    # Promise C11
    def test_the_new_key_is_not_verified_whatever_the_old_one_was(self) -> None:
        self.contacts.compared(BOB, self.known.public_key, same=True)
        self.test_after_the_word_the_caller_may_ask()
        self.assertEqual(self.trust(), "met")

    def test_the_old_key_is_kept_as_history(self) -> None:
        self.contacts.compared(BOB, self.known.public_key, same=True)
        since = int(self.network.clock.seconds())
        self.network.advance(30)
        self.test_after_the_word_the_caller_may_ask()
        until = int(self.network.clock.seconds())
        whois = self.alice.keys.whois(BOB)
        old = FormerKey(self.known.public_key.fingerprint, since, until, "verified")
        self.assertEqual(whois.earlier, [old])
        self.assertEqual(whois.fingerprint, self.bob.public_key.fingerprint)
        self.assertEqual((whois.trust, whois.first_seen), ("met", until))

    def test_the_old_key_is_now_the_changed_one(self) -> None:
        self.test_after_the_word_the_caller_may_ask()
        self.assertEqual(self.trust(self.known.public_key), "changed")

    # Promise T29
    def test_another_new_key_was_not_taken(self) -> None:
        """A server that swaps again behind the person's word gains nothing."""
        self.take()
        self.changed()
        stands, sent = self.ask(), self.sent_in_chats()
        self.grant()
        self.refused(stands)
        self.offer()
        self.refused(self.told(self.alice.accept()))
        self.assertEqual(sent, [])

    def test_what_cannot_be_taken(self) -> None:
        own = self.person.identity.public_key.fingerprint
        new = self.bob.public_key.fingerprint
        for name, fingerprint in (
            (CAROL, new),  # never met
            (BOB, self.known.public_key.fingerprint),  # known already
            (BOB, own),
            (BOB, new.removeprefix("SHA256:")),
            (BOB, new[:-1]),
            (BOB, new + "A"),
            (BOB, "yes"),
        ):
            self.assertRaises(BadArgument, self.alice.keys.take, name, fingerprint)
        self.assertFalse(self.contacts.may_be(BOB, self.bob.public_key))

    def test_our_own_key_is_accepted_for_no_contact(self) -> None:
        """Not even if a pin said so: it would be our own reflection."""
        self.bob = self.person.identity
        self.contacts.take(BOB, self.bob.public_key.fingerprint)
        stands, sent = self.ask(), self.sent_in_chats()
        self.grant()
        self.fails(stands, PeerKeyChanged)
        self.assertEqual((self.offer(), sent), (["unavailable"], []))

    def test_a_changed_key_of_the_one_whom_we_ask_is_held_like_any_offer(self) -> None:
        stands = self.ask()
        answer = self.offer()
        self.grant()
        self.refused(stands)
        self.assertEqual(answer, ["unavailable"])

    def test_a_held_one_is_shown_when_our_own_request_is_over(self) -> None:
        stands = self.ask()
        self.offer()
        self.deny(refusals.NoAnswer())
        self.fails(stands, NotAnswered)
        self.assertEqual(self.notes.last(Asked).trust, "changed")
        self.refused(self.told(self.alice.accept()))


class SwapTests(ChangedCase):
    """A lying server and somebody whom one has met: a hundred swaps, in every place."""

    def setUp(self) -> None:
        super().setUp()
        self.bob = self.known
        self.notes.on_event = self.talk
        self.impostors: list[object] = []

    def talk(self, event: Event) -> None:
        """A hasty person: says it as soon as there is a chat, and accepts everybody."""
        if isinstance(event, ChatStarted):
            self.alice.say("a secret")
        elif isinstance(event, Asked):
            self.alice.accept().addErrback(lambda _: None)

    def swapped_for_the_caller(self) -> list[object]:
        stands = self.ask()
        self.impostor("callee")
        self.grant(key=self.mallory.public_key)
        return stands

    def impostor_for_the_caller(self) -> list[object]:
        stands = self.ask()
        self.impostor("callee", own_key=self.known.public_key)
        self.grant()
        return stands

    def swapped_for_the_callee(self) -> list[object]:
        self.offer(key=self.mallory.public_key)
        came = self.told(self.alice.accept())
        self.impostor("caller")
        self.fails(self.open_stream(), refusals.NothingToEnd)
        self.told(self.alice.refuse())
        return came

    def impostor_for_the_callee(self) -> list[object]:
        self.offer()
        self.impostor("caller", own_key=self.known.public_key)
        self.open_stream()
        return [PeerKeyChanged("told as a problem")]

    def swapped_where_both_ask(self) -> list[object]:
        stands = self.ask()
        self.offer(key=self.mallory.public_key)
        self.impostor("callee")
        self.grant(key=self.mallory.public_key)
        return stands

    def impostor(self, role: str, **lies: object) -> None:
        """Somebody else's end of the chat, with the keys that the server names or their own."""
        facts = {"own_key": self.mallory.public_key, **lies}
        end = self.peer(role, **facts)  # type: ignore[arg-type]
        end.identity = self.mallory
        end.open()
        self.pump()
        self.end_of_impostor = end

    # Promise T28, C8
    def test_a_hundred_swaps_are_caught_before_a_word_is_sent(self) -> None:
        ways = (
            self.swapped_for_the_caller,
            self.impostor_for_the_caller,
            self.swapped_for_the_callee,
            self.impostor_for_the_callee,
            self.swapped_where_both_ask,
        )
        caught = 0
        for number in range(100):
            self.mallory = Identity.generate()
            way = ways[number % len(ways)]
            (error,) = way()
            self.assertIsInstance(error, PeerKeyChanged, way)
            self.network.advance(60)
            self.assertEqual(self.notes.of(ChatStarted) + self.notes.of(Said), [], way)
            end = self.end_of_impostor
            self.assertEqual((end.stands, end.messages, end.is_pinned), (False, [], False), way)
            self.assertEqual(self.trust(self.known.public_key), "met")
            self.assertFalse(self.alice.offer or self.alice.asking)
            self.assertIs(self.alice.state, ClientState.IDLE)
            caught += 1
        self.assertEqual(caught, 100)

    def test_the_right_key_is_let_through_all_the_same(self) -> None:
        """The trial above would be worth nothing if nobody came through."""
        self.ask()
        bob = self.peer("callee")
        bob.open()
        self.grant()
        self.assertEqual(bob.messages, ["a secret"])


class RealServerTests(TwoClientsCase):
    def replaced(self) -> MemoryClient:
        """The admin gives Bob's name to another key, and somebody logs in with it."""
        result(self.server.registry.reset_key(BOB))
        ticket = token_hash(b"another")
        self.server.invite("bob", ticket)
        identity = Identity.generate()
        result(self.server.registry.spend(ticket, identity.public_key, NOW))
        self.server.reception.sessions.recheck()
        self.network.pump()
        return self.person(identity)

    # Promise T28
    def test_a_key_that_the_server_swapped(self) -> None:
        """The server hands out Mallory's key for Bob's, who is there and says yes."""
        self.met()
        mallory = Identity.generate().public_key
        self.server.reception.sessions._by_name[BOB].key = mallory
        came = self.chat(self.alice, BOB)
        self.check_caught(came, self.bob)
        assert isinstance(came[0], PeerKeyChanged)
        self.assertEqual(came[0].suggested, (("trust", f"bob {mallory.fingerprint}"),))
        self.chat(self.bob, ALICE)
        self.assertEqual(self.alice.notes.last(Asked).trust, "changed")
        self.check_caught(outcome(self.alice.main.accept()), self.bob)

    # Promise T125
    def test_a_key_that_the_admin_gave_to_somebody_else(self) -> None:
        self.met()
        new = self.replaced()
        self.check_caught(self.chat(self.alice, BOB), new)
        self.assertEqual(self.chat(new, ALICE), [])
        self.assertEqual(self.alice.notes.last(Asked).trust, "changed")
        self.check_caught(outcome(self.alice.main.accept()), new)

    def test_the_person_takes_it_and_they_talk(self) -> None:
        self.met()
        new = self.replaced()
        self.alice.main.keys.take(BOB, new.identity.public_key.fingerprint)
        self.assertEqual(self.chat(self.alice, BOB), [None])
        self.assertEqual(self.alice.notes.last(ChatStarted).trust, "changed")
        self.alice.main.say("is it you?")
        self.network.pump()
        self.assertEqual(new.notes.last(Message).text, "is it you?")
        self.assertEqual(self.alice.main.keys.whois(BOB).trust, "met")

    def test_both_see_the_same_number_and_each_others_word(self) -> None:
        self.assertEqual(self.chat(self.alice, BOB), [None])
        keys = (self.alice.main.keys, self.bob.main.keys)
        self.assertEqual(keys[0].safety_code().digits, keys[1].safety_code().digits)
        for one in keys:
            one.compared(True)
        self.network.pump()
        for person, name in ((self.alice, BOB), (self.bob, ALICE)):
            told = {ComparisonResult(name, "me", "yes"), ComparisonResult(name, "peer", "yes")}
            self.assertEqual(set(person.notes.of(ComparisonResult)), told)
            self.assertEqual(person.main.keys.whois(name).trust, "verified")


class MiddleTests(AliceTestCase):
    """At first contact the server lies to both, and they compare."""

    # Promise T33
    def test_the_numbers_of_the_two_differ(self) -> None:
        to_alice, to_bob = Identity.generate(), Identity.generate()
        stands = self.ask()
        bob, self.bob = self.bob, to_alice
        self.peer("callee").open()
        self.grant()
        self.assertEqual(stands, [None])  # nobody can know at a first meeting
        alices = self.alice.keys.safety_code().digits
        bobs = safety_number((ALICE, to_bob.public_key), (BOB, bob.public_key))
        self.assertNotEqual(alices, bobs)
        self.told(self.alice.keys.compared(False))
        self.assertIsNone(self.alice.peer)
        self.assertEqual(self.person.contacts.trust(BOB), "met")
