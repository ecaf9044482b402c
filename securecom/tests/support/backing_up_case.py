"""Alice's profile on disk, and the programs that back it up and restore it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred, maybeDeferred
from twisted.trial.unittest import SynchronousTestCase

from securecom import limits
from securecom.client.events import BackedUp
from securecom.client.profile.profiles import Profiles
from securecom.client.program.backing_up import Backups
from securecom.errors import (
    SecurecomError,
)
from securecom.tests.support.backups import profile_of, quickly
from securecom.tests.support.memory_client import RecordingFrontend

PHRASE = "a long one"


class BackingUpCase(SynchronousTestCase):
    pass_phrase: bytes | None = None

    def setUp(self) -> None:
        self.patch(limits, "BCRYPT_ROUNDS", 1)
        self.home = Path(self.mktemp()).absolute()
        self.target = self.home / "usb"
        self.target.mkdir(parents=True)
        self.file = self.target / "kept.age"
        self.profiles = Profiles(self.home / "data")
        self.profile = profile_of(self.profiles, self.home / "new", self.pass_phrase)
        self.notes = RecordingFrontend()
        self.notes.secrets = [PHRASE, PHRASE]
        self.seal: Callable[[bytes, str], bytes] = quickly

    def elsewhere(self, call: Any) -> Deferred[Any]:
        return maybeDeferred(call)

    def make(self, file: str | None = None) -> Deferred[BackedUp]:
        backups = Backups(self.profile.folder, self.notes.ask_secret, self.elsewhere, self.seal)
        return backups.make(str(self.file) if file is None else file)

    def refused(
        self, kind: type[SecurecomError], file: str | None = None, *, asked: int = 0
    ) -> SecurecomError:
        """It fails, after so many questions, and nothing new is there."""
        before = sorted(self.target.iterdir())
        error = self.failureResultOf(self.make(file), kind).value
        self.assertEqual(sorted(self.target.iterdir()), before)
        self.assertEqual(len(self.notes.questions), asked)
        assert isinstance(error, SecurecomError)
        return error
