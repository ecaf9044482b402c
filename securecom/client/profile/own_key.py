"""Our identity file, and a new one on its way into its place.

The new key is on the disk, whole, before anybody hears of it; it takes the old one's place when
the server has it. Whatever happens in between, one of the two files holds the key that the server
knows, and a log-in tells which. A file that is the person's own (elsewhere, or a link to there) is
read and never changed: then the profile names the new file instead.
"""

from __future__ import annotations

import os
from pathlib import Path

from securecom import whole_files
from securecom.client.profile import private_files
from securecom.client.profile.identity_file import (
    IdentityFile,
    make_identity_file,
    read_identity_file,
)
from securecom.client.profile.profile import IDENTITY_FILE, Profile, read_profile, unusable
from securecom.errors import IdentityProblem, NotNow, ProfileProblem
from securecom.identity import Identity, PublicKey
from securecom.values import Value, replace

NEXT_FILE = "identity.next"


class OwnKey:
    """The key files of one profile."""

    def __init__(self, profile: Profile) -> None:
        self._folder = profile.folder
        self._place = profile.folder / IDENTITY_FILE
        self._next = profile.folder / NEXT_FILE
        #: The file of the present key.
        self.path = profile.identity_path

    def coming(self) -> IdentityFile | None:
        """A new key of which it is not known whether the server has it.

        :raises IdentityProblem: if there is one that cannot be used.
        """
        return read_identity_file(self._next) if os.path.lexists(self._next) else None

    def prepare(self, pass_phrase: bytes | None, present: PublicKey) -> Identity:
        """A new key, protected as the present one is, and on the disk.

        :raises SecurecomError: if there can be none; then nothing has changed.
        """
        if os.path.lexists(self._next):
            what = f"there is a new key already, in {self._next}"
            raise NotNow(what, "Nothing was changed. It is settled at the next log-in.")
        if not self._is_ours and os.path.lexists(self._place) and self._place != self.path:
            what = f"{self._place} is where the new key belongs, and something is there"
            raise ProfileProblem(what, "Nothing was changed. Move it away.")
        if read_identity_file(self.path).unlock(pass_phrase).public_key != present:
            what = f"{self.path} does not hold the key that is in use"
            raise IdentityProblem(what, "Nothing was changed. Start again.")
        return make_identity_file(self._next, pass_phrase)

    def adopt(self) -> Path | None:
        """The new key is the profile's from now on, and the old one is erased.

        :returns: where the old one still is, if that file is not ours.
        :raises SecurecomError: if it cannot be written; then it stays where it was, for next time.
        """
        is_ours = self._is_ours
        kept = None if is_ours else self.path.resolve()
        try:
            data = self._next.read_bytes()
            if is_ours:
                private_files.write_over(self._place, data)
            else:
                private_files.write(self._place, data)
                replace(read_profile(self._folder), identity=Path(IDENTITY_FILE)).save()
            self._next.unlink()
            whole_files.sync_folder(self._folder)
        except OSError as error:
            raise unusable(self._next, error) from None
        self.path = self._place
        return kept

    def drop(self) -> None:
        """The new key is nobody's. :raises SecurecomError: if it cannot be erased."""
        try:
            private_files.erase(self._next)
        except OSError as error:
            raise unusable(self._next, error) from None

    @property
    def _is_ours(self) -> bool:
        """The present key is in the profile's own file, and not behind a link."""
        return self.path == self._place and not self.path.is_symlink()


class Both(Value):
    """The present key and the coming one, for one question: their pass phrase is the same."""

    present: IdentityFile
    coming: IdentityFile

    @property
    def is_protected(self) -> bool:
        """A pass phrase is needed."""
        return self.present.is_protected or self.coming.is_protected

    @property
    def called(self) -> str:
        """As a question or an error names them."""
        return self.present.called

    def unlock(self, pass_phrase: bytes | None) -> tuple[Identity, Identity]:
        """Both identities. :raises IdentityProblem: as each of them."""
        present, coming = (
            file.unlock(pass_phrase if file.is_protected else None)
            for file in (self.present, self.coming)
        )
        return present, coming
