"""A client that starts: its command line, its profiles, and what it prints."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from securecom import limits
from securecom.client.profile.passphrase import NoPassPhrase
from securecom.client.profile.profiles import Profiles
from securecom.client.program import who
from securecom.client.program.command_line import parser
from securecom.tests.support.invitations import INVITATION


class StartCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.folder = Path(self.mktemp()).absolute()
        self.profiles = Profiles(self.folder)
        self.patch(limits, "BCRYPT_ROUNDS", 1)

    def parse(self, *words: str) -> Namespace:
        return parser().parse_args(["--data-dir", str(self.folder), *words])

    def newcomer(self, *words: str) -> who.Newcomer:
        return who.newcomer(self.parse(INVITATION.link(), *words), self.profiles, NoPassPhrase())
