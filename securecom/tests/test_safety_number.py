"""The 60 digits that two people compare (docs/vectors.json has fixed ones)."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from securecom.identity import Identity, Name
from securecom.safety_number import in_groups, in_rows, safety_number

ALICE, BOB = Name("alice"), Name("bob")


class SafetyNumberTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.a, self.b = Identity.generate().public_key, Identity.generate().public_key

    # Promise C1
    def test_both_sides_see_the_same(self) -> None:
        number = safety_number((ALICE, self.a), (BOB, self.b))
        self.assertEqual(number, safety_number((BOB, self.b), (ALICE, self.a)))
        self.assertRegex(number, r"\A[0-9]{60}\Z")

    def test_every_name_and_key_counts(self) -> None:
        other = Identity.generate().public_key
        numbers = {
            safety_number((ALICE, self.a), (BOB, self.b)),
            safety_number((ALICE, other), (BOB, self.b)),
            safety_number((ALICE, self.a), (BOB, other)),
            safety_number((Name("alicia"), self.a), (BOB, self.b)),
            safety_number((ALICE, self.a), (Name("rob"), self.b)),
            safety_number((BOB, self.a), (ALICE, self.b)),
        }
        self.assertEqual(len(numbers), 6)

    # Promise T33
    def test_one_in_the_middle_shows_two_numbers(self) -> None:
        mallory = [Identity.generate().public_key for _ in range(2)]
        for to_alice, to_bob in ((mallory[0], mallory[0]), (mallory[0], mallory[1])):
            self.assertNotEqual(
                safety_number((ALICE, self.a), (BOB, to_alice)),
                safety_number((ALICE, to_bob), (BOB, self.b)),
            )

    def test_groups_and_rows(self) -> None:
        number = "".join(f"{group:05}" for group in range(12))
        self.assertEqual(in_groups(number), [f"{group:05}" for group in range(12)])
        self.assertEqual(
            in_rows(number),
            [
                "00000 00001 00002 00003",
                "00004 00005 00006 00007",
                "00008 00009 00010 00011",
            ],
        )
