"""A lying server that says that one key leads to another."""

from __future__ import annotations

from typing import Any

from securecom import framing
from securecom.client.api import ClientState
from securecom.client.events import Asked, ChatStarted, Event, Said
from securecom.client.key_events import KeyFollowed
from securecom.errors import PeerKeyChanged
from securecom.identity import Identity
from securecom.succession import LINK_BYTES, OLD_KEY, Link, encode, statement
from securecom.tests.support.following_case import FollowCase
from securecom.tests.support.scripted_server_case import ALICE, BOB, CAROL
from securecom.values import replace


class ForgedTests(FollowCase):
    """A lying server and chains that are not right: a hundred, in every place."""

    def setUp(self) -> None:
        super().setUp()
        self.notes.on_event = self.talk

    def talk(self, event: Event) -> None:
        """A hasty person: says it as soon as there is a chat, and accepts everybody."""
        if isinstance(event, ChatStarted):
            self.alice.say("a secret")
        elif isinstance(event, Asked):
            self.alice.accept().addErrback(lambda _: None)

    # --- chains, each said to lead from Bob's key to Mallory's ------------------------------

    def none(self) -> bytes:
        return b""

    def of_another_server(self) -> bytes:
        return self.signed(self.old, self.mallory, server=b"\x07" * 32)

    def of_another_name(self) -> bytes:
        return self.signed(self.old, self.mallory, name=CAROL)

    def of_another_pair(self) -> bytes:
        return self.signed(self.carol, self.mallory)

    def replayed(self) -> bytes:
        """Bob's own, which leads to another key."""
        return self.signed(self.old, self.bob)

    def lengthened(self) -> bytes:
        """Bob's own, and from its end on by somebody who does not have that key."""
        return self.replayed() + self.by_the_new_key_only(self.bob)

    def by_the_new_key_only(self, old: Identity | None = None) -> bytes:
        """The right shape, and the signatures that Mallory can make."""
        old, new = old or self.old, self.mallory
        signed = Link.signed(self.server.pin, BOB, new, new)
        mine = Link.signed(self.server.pin, BOB, old, new)  # of which only one half is his
        forged = replace(mine, old_signature=signed.old_signature)
        return encode([replace(forged, old_second_signature=signed.old_second_signature)])

    def without_the_second_key(self) -> bytes:
        """Whoever computes the first key from its public half signs with that alone."""
        link = Link.signed(self.server.pin, BOB, self.old, self.mallory)
        made = self.mallory.sign_second(b"anything", OLD_KEY)
        return encode([replace(link, old_second_signature=made)])

    def by_first_keys_alone(self) -> bytes:
        """The same, as if there were no second keys."""
        old, new = self.old.public_key.first, self.mallory.public_key.first
        said = statement(self.server.pin, BOB, old, new)
        signed = [one.private_key.sign(said) for one in (self.old, self.mallory)]
        return encode([Link(old, new, signed[0], signed[1])])

    def by_the_old_key_only(self) -> bytes:
        """Somebody signs over to a key whose owner knows nothing of it."""
        link = Link.signed(self.server.pin, BOB, self.old, self.mallory)
        return encode([replace(link, new_signature=bytes(64))])

    def truncated(self) -> bytes:
        return self.signed(self.old, self.mallory)[:-1]

    def with_a_gap(self) -> bytes:
        whole = self.signed(self.old, self.bob, self.carol, self.mallory)
        return whole[:LINK_BYTES] + whole[2 * LINK_BYTES :]

    def reordered(self) -> bytes:
        whole = self.signed(self.old, self.bob, self.mallory)
        return whole[LINK_BYTES:] + whole[:LINK_BYTES]

    def backwards(self) -> bytes:
        return self.signed(self.mallory, self.old)

    def too_long(self) -> bytes:
        people = [self.old, *(Identity.generate() for _ in range(8)), self.mallory]
        return self.signed(*people)

    # --- where it is shown ------------------------------------------------------------------

    def to_the_caller(self, forged: bytes) -> list[Any]:
        self.impostor("callee")
        stands = self.ask()
        self.grant(key=self.mallory.public_key, succession=forged)
        return stands

    def to_the_callee(self, forged: bytes) -> list[Any]:
        self.impostor("caller")
        self.offer(key=self.mallory.public_key, succession=forged)
        came = self.told(self.alice.accept())
        self.open_stream()
        self.told(self.alice.refuse())
        return came

    def to_both(self, forged: bytes) -> list[Any]:
        self.impostor("callee")
        stands = self.ask()
        self.offer(key=self.mallory.public_key, succession=forged)
        self.grant(key=self.mallory.public_key, succession=forged)
        return stands

    def impostor(self, role: Any) -> None:
        end = self.peer(role, own_key=self.mallory.public_key)
        end.identity = self.mallory
        relay = self.end.relay
        self.sent: list[bytes] = []

        def note(run: framing.Run) -> None:
            self.sent.append(framing.chat_bytes(run))
            relay(run)

        self.end.relay = note
        end.open()
        self.pump()
        self.end_of_impostor = end

    # Promise T31, T131
    def test_a_hundred_forged_chains_are_caught_before_a_byte_is_sent(self) -> None:
        kinds = (
            *(self.none, self.of_another_server, self.of_another_name, self.of_another_pair),
            *(self.replayed, self.lengthened, self.by_the_new_key_only, self.by_the_old_key_only),
            *(self.without_the_second_key, self.by_first_keys_alone),
            *(self.truncated, self.with_a_gap, self.reordered, self.backwards, self.too_long),
        )
        ways = (self.to_the_caller, self.to_the_callee, self.to_both)
        places = [(kind, way) for kind in kinds for way in ways]
        self.assertGreater(100, len(places))
        caught = 0
        for number in range(100):
            kind, way = places[number % len(places)]
            self.mallory = Identity.generate()
            (error,) = way(kind())
            self.assertIsInstance(error, PeerKeyChanged, str((kind, way)))
            self.network.advance(60)
            self.assertEqual(self.sent, [], (kind, way))
            self.assertEqual(self.notes.of(ChatStarted) + self.notes.of(Said), [], (kind, way))
            self.assertEqual(self.notes.of(KeyFollowed), [], (kind, way))
            end = self.end_of_impostor
            self.assertEqual((end.stands, end.messages), (False, []), (kind, way))
            self.assertEqual(self.contacts.trust(BOB, self.old.public_key), "met")
            self.assertFalse(self.alice.offer or self.alice.asking)
            self.assertIs(self.alice.state, ClientState.IDLE)
            caught += 1
        self.assertEqual(caught, 100)

    def test_a_right_chain_is_let_through_all_the_same(self) -> None:
        """The trial above would be worth nothing if nobody came through."""
        self.ask()
        bob = self.peer("callee")
        bob.open()
        self.grant(succession=self.signed())
        self.assertEqual(bob.messages, ["a secret"])

    def test_the_longest_chain_is_let_through(self) -> None:
        people = [self.old, *(Identity.generate() for _ in range(7)), self.bob]
        self.ask()
        bob = self.peer("callee")
        bob.open()
        self.grant(succession=self.signed(*people))
        self.assertEqual(bob.messages, ["a secret"])

    def test_who_has_never_met_them_needs_no_chain(self) -> None:
        """At first contact a chain is worth nothing, and does no harm."""
        self.offer(caller="carol", succession=self.signed())
        self.assertEqual(self.notes.last(Asked).trust, "new")
        self.assertEqual(self.person.contacts.trust(ALICE), "new")
