"""What every registry must do, whatever it stores its rows in.

A test of another implementation inherits from `RegistryContract` and provides `open_registry`.
"""

from __future__ import annotations

from securecom import limits
from securecom.errors import (
    NameInQuarantine,
    NameTaken,
    NoSuchInvitation,
    NoSuchUser,
    NotInQuarantine,
)
from securecom.identity import Name
from securecom.refusals import BadInvitation, KeyInUse, ListFull
from securecom.server.registry import Quarantined, User
from securecom.tests.support.registry_case import (
    ALICE,
    BOB,
    CAROL,
    LATER,
    NOW,
    RegistryCase,
    SuccessionContract,
    hashed,
    new_key,
)


class RegistryContract(SuccessionContract, RegistryCase):
    """The cases. A subclass is a `SynchronousTestCase`, too, and says `open_registry`."""

    # --- invitations ------------------------------------------------------------------------

    def test_nobody_is_there_at_first(self) -> None:
        self.assertEqual(self.done(self.registry.users()), [])
        self.assertEqual(self.done(self.registry.invitations()), [])
        self.assertIsNone(self.done(self.registry.user(ALICE)))
        self.assertIsNone(self.user_of(new_key()))

    # Promise T10
    def test_an_invitation_makes_a_user(self) -> None:
        made = self.done(self.registry.invite(ALICE, hashed(1), LATER))
        self.assertEqual((made.name, made.expires), (ALICE, LATER))
        self.assertEqual(self.done(self.registry.invitations()), [made])
        self.assertIsNone(self.done(self.registry.user(ALICE)))
        key = new_key()
        name = self.done(self.registry.spend(hashed(1), key, NOW))
        self.assertIsInstance(name, Name)
        alice = User(ALICE, key, disabled=False, created=NOW)
        self.assertEqual(self.done(self.registry.user(ALICE)), alice)
        self.assertEqual(self.user_of(key), alice)
        self.assertEqual(self.done(self.registry.invitations()), [])

    def test_it_is_spent_once(self) -> None:
        key = self.enrol(ALICE)
        self.refused(self.registry.spend(hashed(1), new_key(), NOW), BadInvitation)
        self.refused(self.registry.spend(hashed(1), key, NOW), BadInvitation)
        self.assertEqual(len(self.done(self.registry.users())), 1)

    def test_it_is_spent_once_when_fifty_try(self) -> None:
        self.invite(ALICE)
        keys = [new_key() for _ in range(50)]
        tries = [self.registry.spend(hashed(1), key, NOW) for key in keys]
        outcomes: list[object] = []
        for one in tries:
            one.addErrback(lambda failure: failure.trap(BadInvitation)).addCallback(outcomes.append)
        self.assertEqual(outcomes.count(ALICE), 1)
        self.assertEqual(outcomes.count(BadInvitation), 49)
        (user,) = self.done(self.registry.users())
        self.assertEqual(user.key, keys[outcomes.index(ALICE)])

    def test_an_unknown_one_is_bad(self) -> None:
        self.refused(self.registry.spend(hashed(1), new_key(), NOW), BadInvitation)

    def test_it_expires(self) -> None:
        self.invite(ALICE)
        self.refused(self.registry.spend(hashed(1), new_key(), LATER), BadInvitation)
        self.assertEqual(self.done(self.registry.spend(hashed(1), new_key(), LATER - 1)), ALICE)

    # Promise T66
    def test_a_key_is_not_taken_twice_and_the_invitation_stays(self) -> None:
        key = self.enrol(ALICE)
        self.invite(BOB, 2)
        self.refused(self.registry.spend(hashed(2), key, NOW), KeyInUse)
        self.assertIsNone(self.done(self.registry.user(BOB)))
        self.assertEqual(self.done(self.registry.spend(hashed(2), new_key(), NOW)), BOB)

    def test_whether_a_key_is_taken_is_not_told_without_an_invitation(self) -> None:
        key = self.enrol(ALICE)
        self.refused(self.registry.spend(hashed(9), key, NOW), BadInvitation)

    def test_of_several_for_one_name_the_first_spent_ends_the_others(self) -> None:
        self.invite(ALICE, 1)
        self.invite(ALICE, 2)
        self.invite(BOB, 3)
        self.assertEqual(self.done(self.registry.spend(hashed(2), new_key(), NOW)), ALICE)
        self.refused(self.registry.spend(hashed(1), new_key(), NOW), BadInvitation)
        self.assertEqual([i.name for i in self.done(self.registry.invitations())], [BOB])

    def test_expired_ones_are_forgotten_when_another_is_spent(self) -> None:
        self.invite(BOB, 1, expires=NOW)
        self.invite(CAROL, 2, expires=NOW + 1)
        self.enrol(ALICE, 3)
        self.assertEqual([i.name for i in self.done(self.registry.invitations())], [CAROL])

    def test_a_name_with_a_key_is_not_invited(self) -> None:
        self.enrol(ALICE)
        self.refused(self.registry.invite(ALICE, hashed(2), LATER), NameTaken)
        self.assertEqual(self.done(self.registry.invitations()), [])

    def test_revoked_by_number(self) -> None:
        first = self.done(self.registry.invite(ALICE, hashed(1), LATER))
        second = self.done(self.registry.invite(ALICE, hashed(2), LATER))
        self.assertEqual(self.done(self.registry.revoke(first.number)), [first])
        self.refused(self.registry.spend(hashed(1), new_key(), NOW), BadInvitation)
        self.assertEqual(self.done(self.registry.invitations()), [second])

    def test_revoked_by_name(self) -> None:
        first = self.done(self.registry.invite(ALICE, hashed(1), LATER))
        other = self.done(self.registry.invite(BOB, hashed(2), LATER))
        second = self.done(self.registry.invite(ALICE, hashed(3), LATER))
        self.assertEqual(self.done(self.registry.revoke(ALICE)), [first, second])
        self.assertEqual(self.done(self.registry.invitations()), [other])

    def test_a_name_of_digits_is_no_number(self) -> None:
        made = self.done(self.registry.invite(ALICE, hashed(1), LATER))
        self.refused(self.registry.revoke(Name(str(made.number))), NoSuchInvitation)

    def test_nothing_to_revoke(self) -> None:
        self.refused(self.registry.revoke(7), NoSuchInvitation)
        self.refused(self.registry.revoke(ALICE), NoSuchInvitation)

    def test_a_number_is_not_used_again(self) -> None:
        first = self.done(self.registry.invite(ALICE, hashed(1), LATER))
        self.done(self.registry.revoke(first.number))
        second = self.done(self.registry.invite(ALICE, hashed(2), LATER))
        self.assertNotEqual(first.number, second.number)

    # --- users ------------------------------------------------------------------------------

    def test_users_come_in_the_order_of_their_names(self) -> None:
        for number, name in enumerate((CAROL, ALICE, BOB)):
            self.enrol(name, number)
        names = [user.name for user in self.done(self.registry.users())]
        self.assertEqual(names, [ALICE, BOB, CAROL])

    def test_disabled_and_enabled_again(self) -> None:
        key = self.enrol(ALICE)
        self.enrol(BOB, 2)
        self.done(self.registry.disable(ALICE))
        self.assertTrue(_is_disabled(self.user_of(key)))
        self.assertFalse(_is_disabled(self.done(self.registry.user(BOB))))
        self.done(self.registry.enable(ALICE))
        self.assertFalse(_is_disabled(self.user_of(key)))

    def test_removed_with_everything(self) -> None:
        key = self.enrol(ALICE)
        self.done(self.registry.reset_key(ALICE))
        self.invite(ALICE, 2)
        self.invite(BOB, 3)
        self.done(self.registry.remove(ALICE, NOW))
        self.assertEqual(self.done(self.registry.users()), [])
        self.assertEqual([i.name for i in self.done(self.registry.invitations())], [BOB])
        self.assertIsNone(self.user_of(key))
        self.refused(self.registry.spend(hashed(2), new_key(), NOW), BadInvitation)

    def test_a_reset_key_knows_nobody_and_the_name_can_be_invited_again(self) -> None:
        old = self.enrol(ALICE)
        self.done(self.registry.disable(ALICE))
        self.done(self.registry.reset_key(ALICE))
        self.assertIsNone(self.user_of(old))
        self.assertEqual(
            self.done(self.registry.user(ALICE)), User(ALICE, None, disabled=True, created=NOW)
        )
        new = new_key()
        self.invite(ALICE, 2)
        self.assertEqual(self.done(self.registry.spend(hashed(2), new, NOW + 5)), ALICE)
        self.assertEqual(  # still disabled: a new key is no way around that
            self.done(self.registry.user(ALICE)), User(ALICE, new, disabled=True, created=NOW)
        )

    def test_a_reset_key_may_enrol_again(self) -> None:
        key = self.enrol(ALICE)
        self.done(self.registry.reset_key(ALICE))
        self.invite(BOB, 2)
        self.assertEqual(self.done(self.registry.spend(hashed(2), key, NOW)), BOB)

    def test_two_users_without_a_key_are_no_conflict(self) -> None:
        for number, name in enumerate((ALICE, BOB)):
            self.enrol(name, number)
            self.done(self.registry.reset_key(name))
        self.assertEqual([u.key for u in self.done(self.registry.users())], [None, None])

    def test_nobody_of_that_name(self) -> None:
        self.invite(ALICE)  # invited, but not a user yet
        for change in ("disable", "enable", "reset_key"):
            self.refused(getattr(self.registry, change)(ALICE), NoSuchUser)
        self.refused(self.registry.remove(ALICE, NOW), NoSuchUser)
        self.assertEqual(self.done(self.registry.quarantine()), [])
        self.assertEqual(len(self.done(self.registry.invitations())), 1)

    # --- blocks -----------------------------------------------------------------------------

    def test_blocked_and_unblocked(self) -> None:
        self.enrol(ALICE)
        self.enrol(BOB, 2)
        for name in (CAROL, BOB, BOB):
            self.done(self.registry.block(ALICE, name))
        self.assertEqual(self.done(self.registry.blocked(ALICE)), [BOB, CAROL])
        self.assertEqual(self.done(self.registry.blocked(BOB)), [])
        self.assertEqual(self.blocks(), {ALICE: [BOB, CAROL]})
        self.assertTrue(self.done(self.registry.unblock(ALICE, BOB)))
        self.assertFalse(self.done(self.registry.unblock(ALICE, BOB)))
        self.assertEqual(self.done(self.registry.blocked(ALICE)), [CAROL])

    def test_a_block_list_is_bounded_and_one_that_is_full_takes_what_it_has(self) -> None:
        self.enrol(ALICE)
        names = [Name(f"u{number:03}") for number in range(limits.MAX_BLOCKED)]
        for name in names:
            self.done(self.registry.block(ALICE, name))
        self.refused(self.registry.block(ALICE, BOB), ListFull)
        self.done(self.registry.block(ALICE, names[0]))
        self.assertEqual(self.done(self.registry.blocked(ALICE)), names)

    def test_only_users_block(self) -> None:
        self.invite(ALICE)
        self.refused(self.registry.block(ALICE, BOB), NoSuchUser)

    def test_a_new_key_keeps_the_blocks(self) -> None:
        self.enrol(ALICE)
        self.done(self.registry.block(ALICE, BOB))
        self.done(self.registry.reset_key(ALICE))
        self.enrol(ALICE, 2)
        self.assertEqual(self.done(self.registry.blocked(ALICE)), [BOB])

    # --- leaving ----------------------------------------------------------------------------

    def test_who_is_removed_blocks_nobody_and_stays_blocked(self) -> None:
        """Or a harasser could be forgotten and come back."""
        self.people_with_blocks()
        self.done(self.registry.remove(BOB, NOW))
        self.assertEqual(self.blocks(), {ALICE: [BOB], CAROL: [ALICE, BOB]})

    def people_with_blocks(self) -> None:
        for number, name in enumerate((ALICE, BOB, CAROL)):
            self.enrol(name, number)
        for blocker, who in ((ALICE, BOB), (BOB, ALICE), (CAROL, BOB), (CAROL, ALICE)):
            self.done(self.registry.block(blocker, who))

    # Promise T88, T126, C55
    def test_a_name_that_is_left_is_nobodys_for_a_while(self) -> None:
        self.people_with_blocks()
        self.done(self.registry.remove(BOB, NOW))
        until = NOW + limits.NAME_QUARANTINE
        self.assertEqual(self.done(self.registry.quarantine()), [Quarantined(BOB, until)])
        error = self.failureResultOf(
            self.registry.invite(BOB, hashed(9), LATER), NameInQuarantine
        ).value
        self.assertIn("until 1970-04-12 13:46 UTC", str(error))
        self.assertEqual(self.done(self.registry.end_quarantines(until - 1)), [])
        self.refused(self.registry.invite(BOB, hashed(9), LATER), NameInQuarantine)
        self.assertEqual(self.done(self.registry.end_quarantines(until)), [BOB])
        self.assertEqual(self.done(self.registry.quarantine()), [])

    def test_when_that_is_over_nobody_blocks_the_next_owner(self) -> None:
        self.people_with_blocks()
        self.done(self.registry.remove(BOB, NOW))
        self.done(self.registry.end_quarantines(NOW + limits.NAME_QUARANTINE))
        self.assertEqual(self.blocks(), {CAROL: [ALICE]})
        self.enrol(BOB, 9)
        self.assertEqual(self.done(self.registry.blocked(BOB)), [])

    def test_released_before_its_time(self) -> None:
        self.people_with_blocks()
        self.done(self.registry.remove(BOB, NOW))
        self.done(self.registry.release(BOB))
        self.assertEqual(self.done(self.registry.quarantine()), [])
        self.assertEqual(self.blocks(), {CAROL: [ALICE]})
        self.enrol(BOB, 9)

    def test_only_what_is_held_back_is_released(self) -> None:
        """Or a slip of the admin's would take away blocks of somebody who is there."""
        self.people_with_blocks()
        self.refused(self.registry.release(BOB), NotInQuarantine)
        self.assertEqual(self.done(self.registry.blocked(ALICE)), [BOB])

    def test_an_invitation_made_before_is_gone(self) -> None:
        self.enrol(ALICE)
        self.done(self.registry.reset_key(ALICE))
        self.invite(ALICE, 2)
        self.done(self.registry.remove(ALICE, NOW))
        self.assertEqual(self.done(self.registry.invitations()), [])
        self.refused(self.registry.spend(hashed(2), new_key(), NOW), BadInvitation)

    def test_forgotten_at_ones_own_wish(self) -> None:
        key = self.enrol(ALICE)
        self.done(self.registry.block(ALICE, CAROL))
        self.done(self.registry.forget(ALICE, key, NOW))
        self.assertIsNone(self.user_of(key))
        self.assertEqual(self.done(self.registry.users()), [])
        self.assertEqual(self.blocks(), {})
        self.assertEqual([one.name for one in self.done(self.registry.quarantine())], [ALICE])

    def test_only_by_the_key_of_the_moment(self) -> None:
        """It was reset and given to somebody else: the last one ends nothing of theirs."""
        old = self.enrol(ALICE)
        self.done(self.registry.reset_key(ALICE))
        self.refused(self.registry.forget(ALICE, old, NOW), NoSuchUser)
        self.enrol(ALICE, 2)
        self.refused(self.registry.forget(ALICE, old, NOW), NoSuchUser)
        self.refused(self.registry.forget(BOB, old, NOW), NoSuchUser)
        self.assertEqual(len(self.done(self.registry.users())), 1)
        self.assertEqual(self.done(self.registry.quarantine()), [])

    def test_the_same_key_may_come_back_under_another_name(self) -> None:
        """It is erased: nobody can know it any more."""
        key = self.enrol(ALICE)
        self.done(self.registry.forget(ALICE, key, NOW))
        self.invite(BOB, 2)
        self.assertEqual(self.done(self.registry.spend(hashed(2), key, NOW)), BOB)

    # --- others -----------------------------------------------------------------------------

    def test_the_version_stays_while_nobody_changes_anything(self) -> None:
        before = self.done(self.registry.version())
        self.done(self.registry.users())
        self.assertEqual(self.done(self.registry.version()), before)


def _is_disabled(user: User | None) -> bool:
    return user is not None and user.disabled
