"""A registry with people in it; and what every registry must do with keys that sign over."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from securecom import limits
from securecom.errors import NoSuchUser
from securecom.identity import Identity, Name, PublicKey
from securecom.invitation import token_hash
from securecom.refusals import KeyInUse
from securecom.server.registry import Registry, User
from securecom.succession import Link, decode
from securecom.values import replace

ALICE, BOB, CAROL = Name("alice"), Name("bob"), Name("carol")
NOW, LATER = 1_000_000.25, 1_000_600.5

T = TypeVar("T")
if TYPE_CHECKING:
    _Case = SynchronousTestCase
else:
    _Case = object


def new_key() -> PublicKey:
    return Identity.generate().public_key


def hashed(number: int) -> bytes:
    return token_hash(number.to_bytes(20, "big"))


class RegistryCase(_Case):
    """A registry, and people in it."""

    def open_registry(self) -> Registry:
        raise NotImplementedError

    def setUp(self) -> None:
        super().setUp()
        self.registry = self.open_registry()
        self.addCleanup(self.registry.close)

    def done(self, result: Deferred[T]) -> T:
        value: T = self.successResultOf(result)
        return value

    def user_of(self, key: PublicKey) -> User | None:
        """The user of this first key."""
        found = self.done(self.registry.entrant(key))
        return None if found is None else found.user

    def blocks(self) -> dict[Name, list[Name]]:
        """Everybody who has blocked anybody, and whom."""
        return self.done(self.registry.everybody()).blocks

    def refused(self, result: Deferred[T], why: type[Exception]) -> None:
        self.failureResultOf(result, why)

    def invite(self, name: Name, number: int = 1, expires: float = LATER) -> None:
        self.done(self.registry.invite(name, hashed(number), expires))

    def enrol(self, name: Name, number: int = 1) -> PublicKey:
        key = new_key()
        self.invite(name, number)
        self.assertEqual(self.done(self.registry.spend(hashed(number), key, NOW)), name)
        return key

    def enrol_as(self, name: Name, identity: Identity, number: int = 1) -> None:
        """The same for a key of one's own."""
        self.invite(name, number)
        self.done(self.registry.spend(hashed(number), identity.public_key, NOW))


class SuccessionContract(RegistryCase):
    """A user's key signs over to another one."""

    def setUp(self) -> None:
        super().setUp()
        self.keys = [Identity.generate() for _ in range(limits.MAX_SUCCESSIONS + 3)]
        self.links: dict[tuple[int, int], Link] = {}

    def link(self, old: int, new: int) -> Link:
        """Signed once: no two signatures of a second key are alike."""
        if (old, new) not in self.links:
            link = Link.signed(b"s" * 32, ALICE, self.keys[old], self.keys[new])
            self.links[old, new] = link
        return self.links[old, new]

    def succeed(self, old: int, new: int) -> list[Link]:
        return self.done(self.registry.succeed(ALICE, self.link(old, new)))

    def chain(self, number: int) -> list[Link]:
        found = self.done(self.registry.entrant(self.keys[number].public_key))
        if found is None:
            raise AssertionError("nobody has this key")
        self.assertEqual(found.user.name, ALICE)
        return list(decode(found.succession))

    def test_the_new_key_is_the_users_and_the_old_key_is_unknown(self) -> None:
        self.enrol_as(ALICE, self.keys[0])
        self.assertEqual(self.chain(0), [])
        self.assertEqual(self.succeed(0, 1), [self.link(0, 1)])
        user = self.user_of(self.keys[1].public_key)
        self.assertEqual(user and user.name, ALICE)
        self.assertIsNone(self.user_of(self.keys[0].public_key))
        self.assertEqual(self.chain(1), [self.link(0, 1)])

    def test_a_chain_in_its_order_and_no_longer_than_may_be(self) -> None:
        self.enrol_as(ALICE, self.keys[0])
        last = len(self.keys) - 1
        links = [self.link(number, number + 1) for number in range(last)]
        for number in range(last):
            kept = links[: number + 1][-limits.MAX_SUCCESSIONS :]
            self.assertEqual(self.succeed(number, number + 1), kept)
        self.assertEqual(self.chain(last), links[-limits.MAX_SUCCESSIONS :])

    def test_only_from_the_present_key(self) -> None:
        self.enrol_as(ALICE, self.keys[0])
        self.refused(self.registry.succeed(ALICE, self.link(1, 2)), NoSuchUser)
        self.refused(self.registry.succeed(BOB, self.link(0, 1)), NoSuchUser)
        link = self.link(0, 1)
        half = replace(link, old=PublicKey(link.old.raw, self.keys[2].public_key.second))
        self.refused(self.registry.succeed(ALICE, half), NoSuchUser)
        self.succeed(0, 1)
        self.refused(self.registry.succeed(ALICE, self.link(0, 2)), NoSuchUser)
        self.assertEqual(self.chain(1), [self.link(0, 1)])

    # Promise T283
    def test_only_the_present_key_says_what_can_retire_it(self) -> None:
        self.enrol_as(ALICE, self.keys[0])
        key, other = self.keys[0].public_key, self.keys[1].public_key
        for wrong in (other, PublicKey(key.raw, other.second)):
            self.refused(self.registry.set_retirement(ALICE, wrong, b"w" * 64), NoSuchUser)
        self.done(self.registry.set_retirement(ALICE, key, b"p" * 64))
        self.refused(self.registry.set_retirement(ALICE, key, b"w" * 64), KeyInUse)

    def test_not_to_a_key_that_is_somebodys_or_was(self) -> None:
        self.enrol_as(ALICE, self.keys[0])
        self.enrol_as(BOB, self.keys[2], 2)
        self.refused(self.registry.succeed(ALICE, self.link(0, 2)), KeyInUse)
        self.succeed(0, 1)
        self.refused(self.registry.succeed(ALICE, self.link(1, 0)), KeyInUse)
        self.refused(self.registry.succeed(ALICE, self.link(1, 1)), KeyInUse)
        self.assertEqual(self.chain(1), [self.link(0, 1)])

    # Promise T65
    def test_a_key_that_signed_over_is_not_enrolled_again(self) -> None:
        self.enrol_as(ALICE, self.keys[0])
        self.succeed(0, 1)
        self.invite(BOB, 2)
        for number in (0, 1):
            spent = self.registry.spend(hashed(2), self.keys[number].public_key, NOW)
            self.refused(spent, KeyInUse)

    def test_a_reset_forgets_the_chain(self) -> None:
        """It may be a thief's."""
        self.enrol_as(ALICE, self.keys[0])
        self.succeed(0, 1)
        self.done(self.registry.reset_key(ALICE))
        self.assertIsNone(self.user_of(self.keys[1].public_key))
        self.enrol_as(ALICE, self.keys[2], 2)
        self.assertEqual(self.chain(2), [])

    def test_with_the_user_goes_the_chain(self) -> None:
        self.enrol_as(ALICE, self.keys[0])
        self.succeed(0, 1)
        self.done(self.registry.remove(ALICE, NOW))
        self.enrol_as(BOB, self.keys[0], 2)
        self.done(self.registry.release(ALICE))
        self.enrol_as(ALICE, self.keys[2], 3)
        self.assertEqual(self.chain(2), [])

    def test_chains_do_not_touch_each_other(self) -> None:
        self.enrol_as(ALICE, self.keys[0])
        self.enrol_as(BOB, self.keys[5], 2)
        bobs = replace(self.link(5, 6))
        self.done(self.registry.succeed(BOB, bobs))
        self.succeed(0, 1)
        self.assertEqual(self.chain(1), [self.link(0, 1)])
        found = self.done(self.registry.entrant(self.keys[6].public_key))
        self.assertEqual(found and decode(found.succession), (bobs,))
        self.done(self.registry.reset_key(BOB))
        self.assertEqual(self.chain(1), [self.link(0, 1)])
