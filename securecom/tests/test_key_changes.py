"""New keys at the server: what it takes, what changes with it, and that nothing is in between."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred, fail
from twisted.trial.unittest import SynchronousTestCase

from securecom import limits, refusals, vocabulary
from securecom.errors import StateBusy
from securecom.identity import SECOND_SIGNATURE_BYTES, Identity, Name, PublicKey
from securecom.invitation import token_hash
from securecom.server.database import GatheringPool
from securecom.server.restraints import Rate
from securecom.succession import OLD_KEY, Link, NewKeyOffer, encode, link_arguments, statement
from securecom.tests.support.held_thread import HeldThread
from securecom.tests.support.memory_server import NOW, ManualClient, MemoryServer, chatting, result
from securecom.values import replace

ALICE, BOB = Name("alice"), Name("bob")


class NewKeyCase(SynchronousTestCase):
    """Alice and Bob are online, and Alice has a new key ready."""

    def setUp(self) -> None:
        self.server = MemoryServer()
        self.network = self.server.network
        self.alice, self.bob = self.server.client("alice"), self.server.client("bob")
        self.old, self.new = self.alice.identity, Identity.generate()

    def link(self, new: Identity | None = None, **lies: Any) -> Link:
        facts = {"server": self.server.pin, "name": ALICE, "old": self.old, **lies}
        return Link.signed(**facts, new=new or self.new)

    def ask(
        self, link: Link, client: ManualClient | None = None, new: Identity | None = None
    ) -> Deferred[Any]:
        signed = link_arguments(self.server.pin, ALICE, link, new or self.new)
        return (client or self.alice).ask(vocabulary.NewKey, **signed)

    def renew(self) -> Link:
        link = self.link()
        self.alice.done(self.ask(link))
        return link

    def refused(self, asked: Deferred[Any], why: type[Exception]) -> None:
        self.failureResultOf(asked, why)
        self.assertEqual(self.key(), self.old.public_key)
        self.assertEqual(self.session_key(), self.old.public_key)

    def key(self) -> PublicKey | None:
        user = result(self.server.registry.user(ALICE))
        key: PublicKey | None = user.key
        return key

    def session_key(self) -> PublicKey:
        return self.server.reception.sessions._by_name[ALICE].key

    def wait(self, seconds: float) -> None:
        """Alice pings."""
        for _ in range(int(seconds)):
            self.alice.done(self.alice.ask(vocabulary.Ping))
            self.network.advance(1)

    def log_in(self, identity: Identity, takeover: bool = True) -> Deferred[Any]:
        self.again = ManualClient(self.server, identity)
        return self.again.ask(vocabulary.LogIn, **self.again.login(takeover=takeover))


class TakenTests(NewKeyCase):
    def test_the_session_bears_it_at_once_and_goes_on(self) -> None:
        link = self.renew()
        self.assertEqual((self.key(), self.session_key()), (link.new, link.new))
        self.server.reception.sessions.recheck()
        self.network.pump()
        self.assertEqual(self.alice.said("goodbye"), [])
        chatting(self.bob, self.alice, "alice")

    def test_who_is_asked_gets_the_callers_chain(self) -> None:
        link = self.renew()
        self.alice.ask(vocabulary.RequestChat, callee=BOB)
        (offer,) = self.bob.said("offer")
        self.assertEqual((offer["key"], offer["succession"]), (link.new, encode([link])))

    def test_who_asks_gets_the_callees_chain(self) -> None:
        link = self.renew()
        asked = self.bob.ask(vocabulary.RequestChat, callee=ALICE)
        self.assertIsNone(self.alice.said("offer")[0]["succession"])
        self.alice.answer("accept")
        answer = self.bob.done(asked)
        self.assertEqual((answer["key"], answer["succession"]), (link.new, encode([link])))

    def test_where_both_ask_each_gets_the_others_chain(self) -> None:
        link = self.renew()
        asks = [
            self.alice.ask(vocabulary.RequestChat, callee=BOB),
            self.bob.ask(vocabulary.RequestChat, callee=ALICE),
        ]
        alices, bobs = (self.alice.done(asked) for asked in asks)
        self.assertEqual((alices["succession"], bobs["succession"]), (None, encode([link])))

    def test_who_has_had_one_key_has_no_chain(self) -> None:
        asked = self.alice.ask(vocabulary.RequestChat, callee=BOB)
        self.assertIsNone(self.bob.said("offer")[0]["succession"])
        self.bob.answer("accept")
        self.assertIsNone(self.alice.done(asked)["succession"])

    def test_after_a_new_log_in_too(self) -> None:
        link = self.renew()
        again = ManualClient(self.server, self.new)
        self.assertEqual(again.log_in(takeover=True)["name"], "alice")
        again.prove()
        again.ask(vocabulary.RequestChat, callee=BOB)
        self.assertEqual(self.bob.said("offer")[-1]["succession"], encode([link]))

    def test_the_old_key_logs_nobody_in(self) -> None:
        self.renew()
        self.failureResultOf(self.log_in(self.old), refusals.NotEnrolled)
        self.assertEqual(self.alice.said("goodbye"), [])

    # Promise T120
    def test_after_a_reset_there_is_no_chain(self) -> None:
        """Also not the one that a thief has made."""
        self.renew()
        result(self.server.registry.reset_key(ALICE))
        self.server.reception.sessions.recheck()
        self.network.pump()
        self.assertEqual(self.alice.said("goodbye"), ["disabled"])
        for identity in (self.old, self.new):
            self.failureResultOf(self.log_in(identity), refusals.NotEnrolled)
        fresh, ticket = Identity.generate(), token_hash(b"again")
        self.server.invite("alice", ticket)
        result(self.server.registry.spend(ticket, fresh.public_key, NOW))
        alice = ManualClient(self.server, fresh)
        alice.log_in()
        alice.ask(vocabulary.RequestChat, callee=BOB)
        offer = self.bob.said("offer")[-1]
        self.assertEqual((offer["key"], offer["succession"]), (fresh.public_key, None))


class RefusedTests(NewKeyCase):
    # Promise T64
    def test_what_does_not_prove_it(self) -> None:
        mallory = Identity.generate()
        for link in (
            self.link(server=bytes(32)),
            self.link(name=BOB),
            self.link(old=mallory),
            self.link(new=self.old),
            replace(self.link(), old_signature=bytes(64)),
            replace(self.link(), new_signature=bytes(64)),
            replace(self.link(), old_second_signature=bytes(SECOND_SIGNATURE_BYTES)),
            replace(self.link(), old_second_key=mallory.second_key),
        ):
            self.refused(self.ask(link), refusals.BadProof)

    # Promise T128
    def test_another_old_second_key_that_has_signed_is_not_theirs(self) -> None:
        """Whoever has only the first key signs with a second key of their own."""
        mallory = Identity.generate()
        said = statement(self.server.pin, ALICE, self.old.public_key, self.new.public_key)
        own: dict[str, Any] = {"old_second_key": mallory.second_key}
        own["old_second_signature"] = mallory.sign_second(said, OLD_KEY)
        self.refused(self.ask(replace(self.link(), **own)), refusals.BadProof)

    # Promise T128
    def test_the_new_second_key_has_to_be_proved_too(self) -> None:
        self.refused(self.ask(self.link(), new=Identity.generate()), refusals.BadProof)
        signed = link_arguments(self.server.pin, ALICE, self.link(), self.new)
        signed["new_second_signature"] = bytes(SECOND_SIGNATURE_BYTES)
        self.refused(self.alice.ask(vocabulary.NewKey, **signed), refusals.BadProof)

    # Promise T64
    def test_somebody_elses_session_proves_nothing(self) -> None:
        self.failureResultOf(self.ask(self.link(), self.bob), refusals.BadProof)
        self.assertEqual(self.key(), self.old.public_key)

    def test_a_key_that_is_taken(self) -> None:
        bob = self.bob.identity
        self.refused(self.ask(self.link(bob), new=bob), refusals.KeyInUse)

    def test_it_uncounts_itself_and_no_earlier_one(self) -> None:
        rate = Rate[Name](2, limits.NEW_KEY_WINDOW, self.server.reception.clock.seconds)
        self.server.reception.key_changes.rate = rate
        self.renew()
        taken = self.link(self.bob.identity, old=self.new)
        asked = self.ask(taken, new=self.bob.identity)
        self.failureResultOf(asked, refusals.KeyInUse)
        self.assertEqual(rate.count(ALICE), 1)

    def test_a_key_that_signed_over(self) -> None:
        self.renew()
        self.wait(limits.NEW_KEY_WINDOW)
        back = self.link(self.old, old=self.new)
        self.failureResultOf(self.ask(back, new=self.old), refusals.KeyInUse)
        self.assertEqual(self.key(), self.new.public_key)

    def test_in_a_request_or_chat(self) -> None:
        asked = self.alice.ask(vocabulary.RequestChat, callee=BOB)
        self.refused(self.ask(self.link()), refusals.Occupied)
        self.alice.ask(vocabulary.CancelRequest)
        self.failureResultOf(asked, refusals.Cancelled)
        self.bob.ask(vocabulary.RequestChat, callee=ALICE)
        self.refused(self.ask(self.link()), refusals.Occupied)
        self.alice.answer("accept")
        self.refused(self.ask(self.link()), refusals.Occupied)
        stream = self.alice.said("open")[-1]
        self.alice.done(self.alice.ask(vocabulary.EndChat, stream=stream))
        self.renew()

    def test_not_too_often(self) -> None:
        self.renew()
        self.old, self.new = self.new, Identity.generate()
        self.refused(self.ask(self.link()), refusals.TooManyRequests)
        self.wait(limits.NEW_KEY_WINDOW - 1)
        self.refused(self.ask(self.link()), refusals.TooManyRequests)
        self.wait(1)
        self.renew()

    def test_what_came_to_nothing_does_not_count(self) -> None:
        bob = self.bob.identity
        self.refused(self.ask(self.link(bob), new=bob), refusals.KeyInUse)
        self.renew()

    # Promise T95
    def test_tries_do(self) -> None:
        """Each is work, also one that proves nothing; another session does not help."""
        taken, forged = self.link(self.bob.identity), self.link(server=bytes(32))
        for number in range(limits.NEW_KEY_TRIES):
            lie, why = [(taken, refusals.KeyInUse), (forged, refusals.BadProof)][number % 2]
            self.refused(self.ask(lie, new=self.bob.identity), why)
        self.patch(NewKeyOffer, "holds", lambda *_: self.fail("signatures were looked at"))
        self.refused(self.ask(self.link()), refusals.TooManyRequests)
        again = ManualClient(self.server, self.old)
        again.log_in(takeover=True)
        self.refused(self.ask(self.link(), again), refusals.TooManyRequests)

    def test_tries_are_forgotten_in_time(self) -> None:
        bob = self.bob.identity
        for _ in range(limits.NEW_KEY_TRIES):
            self.refused(self.ask(self.link(bob), new=bob), refusals.KeyInUse)
        self.wait(limits.NEW_KEY_WINDOW)
        self.renew()

    def test_trouble_with_the_disk_changes_nothing(self) -> None:
        busy = fail(StateBusy("another process is writing"))
        self.patch(self.server.registry, "succeed", lambda *_: busy)
        self.refused(self.ask(self.link()), refusals.ServerTrouble)
        chatting(self.bob, self.alice, "alice")  # and nobody is held

    def test_a_key_that_the_admin_has_just_taken_away(self) -> None:
        result(self.server.registry.reset_key(ALICE))
        self.failureResultOf(self.ask(self.link()), refusals.ServerTrouble)
        self.assertIsNone(self.key())

    def test_an_invalid_key_ends_the_session(self) -> None:
        lane = self.alice.standard.control
        small = PublicKey.__new__(PublicKey)
        object.__setattr__(small, "raw", bytes(32))
        object.__setattr__(small, "second", bytes(32))
        signed = {**link_arguments(self.server.pin, ALICE, self.link(), self.new), "key": small}
        lane.call(vocabulary.NewKey, **signed).addErrback(lambda _: None)
        self.network.pump()
        self.assertEqual(self.alice.said("goodbye"), ["violation"])


class UnderWayTests(NewKeyCase):
    """While the registry writes."""

    def setUp(self) -> None:
        super().setUp()
        registry = self.server.registry
        self.pool = HeldThread(registry._pool._connection)  # type: ignore[attr-defined]
        registry._pool = GatheringPool(self.pool)

    def settle(self) -> None:
        for _ in range(20):
            self.pool.settle()
            self.network.pump()

    def test_nobody_reaches_them_and_they_reach_nobody(self) -> None:
        renewing = self.ask(self.link())
        asked = self.bob.ask(vocabulary.RequestChat, callee=ALICE)
        self.assertEqual((self.alice.said("offer"), self.alice.said("missed")), ([], [BOB]))
        self.failureResultOf(self.alice.ask(vocabulary.RequestChat, callee=BOB), refusals.Occupied)
        other = Identity.generate()
        self.failureResultOf(self.ask(self.link(other), new=other), refusals.Occupied)
        self.assertNoResult(renewing)
        self.settle()
        self.assertEqual(self.successResultOf(renewing), {})
        self.assertNoResult(asked)  # as if nobody had been there
        self.bob.ask(vocabulary.CancelRequest)
        self.failureResultOf(asked, refusals.Cancelled)
        chatting(self.bob, self.alice, "alice")

    def test_who_is_gone_is_held_no_longer(self) -> None:
        self.ask(self.link()).addErrback(lambda _: None)
        self.alice.standard_wire.cut()
        self.network.pump()
        self.settle()
        again = ManualClient(self.server, self.new)
        logged_in = again.ask(vocabulary.LogIn, **again.login(takeover=False))
        self.settle()
        self.assertEqual(self.successResultOf(logged_in)["name"], "alice")
        again.ask(vocabulary.RequestChat, callee=BOB)
        self.assertEqual(len(self.bob.said("offer")), 1)

    def test_who_comes_back_meanwhile_is_told_to_try_again(self) -> None:
        """Or they would take the old key for good, and throw the new one away."""
        self.ask(self.link()).addErrback(lambda _: None)
        self.alice.standard_wire.cut()
        self.network.pump()
        logging_in = self.log_in(self.old)
        self.pool.work()  # the new key is written down
        self.pool.work()
        self.assertEqual(len(self.pool.todo), 0)
        self.settle()
        failure = self.failureResultOf(logging_in)
        self.assertTrue(failure.check(refusals.ServerTrouble, refusals.NotEnrolled), failure)

    def test_a_key_that_is_replaced_while_it_logs_in_is_no_key_any_more(self) -> None:
        logging_in = self.log_in(self.old)
        self.pool.work()  # it was found, and nobody has heard of that yet
        self.ask(self.link())
        self.settle()
        self.failureResultOf(logging_in, refusals.ServerTrouble)
        self.assertEqual(self.session_key(), self.new.public_key)

    def test_a_log_in_while_the_disk_fails_is_no_verdict(self) -> None:
        busy = fail(StateBusy("another process is writing"))
        self.patch(self.server.registry, "entrant", lambda _: busy)
        logging_in = self.log_in(self.old)
        self.settle()
        self.failureResultOf(logging_in, refusals.ServerTrouble)

    def race(self, steps: int, first: str) -> tuple[bool, bool]:
        """The old key logs in, with takeover, and signs over, the second after so many steps."""
        self.setUp()
        begins = {
            "log in": lambda: self.log_in(self.old),
            "renew": lambda: self.ask(self.link()),
        }
        came: dict[str, list[Any]] = {"log in": [], "renew": []}
        begin = [first, *(word for word in begins if word != first)]
        begins[begin[0]]().addBoth(came[begin[0]].append)
        for number in range(steps):
            (self.pool.work if number % 2 == 0 else self.pool.deliver)()
            self.network.pump()
        begins[begin[1]]().addBoth(came[begin[1]].append)
        self.settle()
        self.network.advance(limits.CLOSE_DEADLINE)
        outcomes = [bool(found) and isinstance(found[0], dict) for found in came.values()]
        return outcomes[0], outcomes[1]

    def test_a_log_in_and_a_new_key_at_once(self) -> None:
        """At whatever moment: one of the two, and whoever is there then has the key that counts."""
        seen = set()
        for first in ("log in", "renew"):
            for steps in range(10):
                logged_in, renewed = self.race(steps, first)
                self.assertNotEqual(logged_in, renewed, (first, steps))
                seen.add(renewed)
                sessions = self.server.reception.sessions._by_id.values()
                alices = [session.key for session in sessions if session.name == ALICE]
                self.pool.settle()
                user: list[Any] = []
                self.server.registry.user(ALICE).addCallback(user.append)
                self.pool.settle()
                self.assertEqual(alices, [user[0].key], (first, steps))
        self.assertEqual(seen, {True, False})

    def test_the_look_at_the_registry_ends_nobody_who_is_just_changing(self) -> None:
        """It compares keys with sessions: at every moment both are of the same time."""
        for steps in range(8):
            for looks_first in (True, False):
                self.setUp()
                one, other = self.server.reception.sessions.recheck, lambda: self.ask(self.link())
                begin = (one, other) if looks_first else (other, one)
                begin[0]()
                for number in range(steps):
                    (self.pool.work if number % 2 == 0 else self.pool.deliver)()
                begin[1]()
                while self.pool.work():  # all of it before anything is heard of
                    pass
                self.settle()
                self.assertEqual(self.alice.said("goodbye"), [], (steps, looks_first))
                self.assertEqual(self.session_key(), self.new.public_key)
