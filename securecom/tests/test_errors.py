"""Errors that people read: a number that stays, what happened, what to do next."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from securecom import errors
from securecom.errors import SecurecomError


def _all(kind: type[SecurecomError]) -> list[type[SecurecomError]]:
    return [kind, *(one for below in kind.__subclasses__() for one in _all(below))]


CLASSES = [one for one in _all(SecurecomError) if one.__module__ == errors.__name__]


class ErrorsTests(SynchronousTestCase):
    def test_one_number_a_reason(self) -> None:
        owners: dict[int, str] = {}
        for kind in CLASSES:
            if "code" in vars(kind):
                self.assertNotIn(kind.code, owners, kind.__name__)
                owners[kind.code] = kind.__name__
        self.assertGreater(len(owners), 20)

    def test_numbers_that_the_documents_name(self) -> None:
        numbers = {
            errors.UnknownCommand: 201,
            errors.CannotReach: 301,
            errors.ServerMismatch: 401,
            errors.LoginRefused: 501,
            errors.InvitationRefused: 502,
            errors.NotAnswered: 601,
            errors.PeerKeyChanged: 701,
            errors.TooOften: 801,
            errors.WireError: 901,
        }
        for kind, number in numbers.items():
            self.assertEqual(kind.code, number, kind.__name__)

    def test_number_what_hint(self) -> None:
        error = errors.UnknownCommand("unknown command /hlep", "Did you mean /help?")
        self.assertEqual(str(error), "SC-201 unknown command /hlep. Did you mean /help?")
        self.assertEqual((error.what, error.hint), (error.args[0], "Did you mean /help?"))

    def test_the_class_has_a_hint_of_its_own(self) -> None:
        error = errors.BadKey("that is none")
        self.assertEqual(str(error), f"SC-206 that is none. {errors.BadKey.hint}")

    def test_an_empty_hint_leaves_no_blank(self) -> None:
        self.assertEqual(str(errors.NotNow("no chat", "")), "SC-203 no chat.")

    def test_a_hint_of_one_error_is_not_the_next_ones(self) -> None:
        errors.BadKey("one", "Only this once.")
        self.assertEqual(errors.BadKey("two").hint, errors.BadKey.hint)

    def test_every_hint_is_a_sentence(self) -> None:
        for kind in CLASSES:
            self.assertRegex(kind.hint, r"^[A-Za-z].*[.?]$", kind.__name__)

    def test_every_class_says_what_it_is_for(self) -> None:
        for kind in CLASSES:
            self.assertTrue(vars(kind).get("__doc__"), kind.__name__)
