"""`securecom --retire`: where it finds the server, and what it reads; the rest runs in `tests`."""

from __future__ import annotations

from argparse import Namespace
from typing import Any

from securecom import limits
from securecom.client.profile.profiles import Profiles
from securecom.client.program import retire, standard_io
from securecom.client.program.retire import Errand
from securecom.errors import BadArgument, SecurecomError
from securecom.identity import Name
from securecom.retirement import RetirementSecret
from securecom.tests.support.invitations import INVITATION
from securecom.tests.support.start_case import StartCase

SECRET = RetirementSecret(bytes(range(16)))


class ErrandTests(StartCase):
    def setUp(self) -> None:
        super().setUp()
        self.typed = " ".join(SECRET.words)
        self.asked: list[tuple[int, str]] = []
        self.patch(standard_io, "first_line", self.first_line)

    def first_line(self, most: int, question: str) -> str:
        self.asked.append((most, question))
        return self.typed

    def errand(self, **more: Any) -> Errand:
        facts = {"retire": Name("alice"), "link": None, "profile": None, **more}
        return Errand.of(Namespace(**facts), Profiles(self.folder, "securecom"))

    def test_a_link_names_the_server_and_may_be_spent(self) -> None:
        errand = self.errand(link=INVITATION)
        place = (errand.host, errand.port, errand.server)
        expected = (str(INVITATION.host), INVITATION.standard_port, INVITATION.server)
        self.assertEqual(place, expected)
        self.assertEqual(errand.secret.public, SECRET.public)
        self.assertEqual([most for most, _ in self.asked], [limits.MAX_RETIREMENT_LINE])
        self.assertIn("alice", self.asked[0][1])

    def test_without_a_profile_or_link_nothing_is_asked(self) -> None:
        error = self.assertRaises(SecurecomError, self.errand)
        self.assertEqual(self.asked, [])
        self.assertIn("securecom --retire alice securecom://…", error.hint)
        self.assertIn("even a spent one", error.hint)

    def test_words_that_are_none(self) -> None:
        self.typed = "these are not twelve words"
        self.assertRaises(BadArgument, self.errand, link=INVITATION)

    def test_what_it_says_names_the_person_and_what_comes_next(self) -> None:
        told: list[str] = []
        self.patch(retire, "print_all", told.append)
        self.assertEqual(self.errand(link=INVITATION)._retired(None), 0)
        self.assertIn("alice's key is retired", told[0])
        self.assertIn("each types /retire alice in their client", told[0])
