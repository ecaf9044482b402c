"""Somebody new at the full screen: their invitation and pass phrase are asked for there."""

from __future__ import annotations

from argparse import Namespace
from typing import TYPE_CHECKING

from securecom.client.profile.passphrase import Locked, PassPhrases, T
from securecom.client.profile.profiles import Profiles
from securecom.client.program import choosing
from securecom.errors import PassPhraseProblem
from securecom.values import Value

if TYPE_CHECKING:
    from securecom.client.profile.backup import SealedFile


class Phrase(Value):
    """A pass phrase that was entered on the screen."""

    phrase: bytes

    def unlock(self, file: Locked[T]) -> T:
        """PassPhrases: the key of an enrolment that was not finished."""
        return file.unlock(self.phrase if file.is_protected else None)

    def unseal(self, file: SealedFile) -> bytes:
        """PassPhrases: nobody new brings a backup."""
        raise PassPhraseProblem("a backup needs a pass phrase of its own")

    def new(self) -> bytes | None:
        """PassPhrases."""
        return self.phrase or None


def is_asked(arguments: Namespace, profiles: Profiles, choice: choosing.Choice) -> bool:
    """Whether somebody new sits at a full screen, with nothing that answers for them."""
    is_here = choice.name == choosing.FULL_SCREEN and choosing.is_screen()
    answers = (arguments.pass_fd, arguments.pass_file, arguments.restore, arguments.identity)
    if not is_here or arguments.no_pass or any(answer is not None for answer in answers):
        return False
    return arguments.link is not None or (arguments.profile is None and not profiles.names())


def ask(arguments: Namespace) -> PassPhrases:
    """Ask on the screen; the invitation is among the arguments afterwards.

    :raises KeyboardInterrupt: if they leave.
    """
    from securecom.client.frontends.fullscreen.enrolment import FirstScreen, entered
    from securecom.client.program.standard_screen import OutputDriver

    app = FirstScreen(arguments.link)
    app.driver_class = OutputDriver
    told = entered(app)
    arguments.link = told.invitation
    return Phrase(told.phrase)
