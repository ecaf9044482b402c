"""The shelf of profiles.

While an enrolment is under way its key stands in `enrolling/`, one for each invitation, so that a
second try after a failed one uses the same key, and two at once keep apart; a finished one is
renamed into its place in `profiles/`, whole, and so is what comes from a backup, made in
`restoring/`. Profiles whose key was reset end in `former/`.
"""

from __future__ import annotations

import hashlib
import re
import secrets
import shutil
from collections.abc import Callable
from itertools import count
from pathlib import Path

from securecom import whole_files
from securecom.client.profile import private_files
from securecom.client.profile.profile import (
    PROFILE_FILE,
    Profile,
    read_profile,
    unusable,
)
from securecom.errors import ProfileProblem, WhichProfile
from securecom.invitation import Invitation
from securecom.text import shown
from securecom.values import replace

_PENDING_NAME = 32  # hexadecimal digits
_INSTEAD_OF_A_LINK = "Leave the link away to use it, or name another one."
_PROFILE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9@._:-]{0,199}")


#: Takes the former folder and the new one.
CarryOver = Callable[[Path, Path], None]


class Profiles:
    """All profiles under one folder.

    :param start_with: what starts the program with this folder.
    """

    def __init__(self, folder: Path, start_with: str = "securecom") -> None:
        self._folder = folder
        self._start_with = start_with

    def names(self) -> list[str]:
        """In order. :raises ProfileProblem: if the folder cannot be read."""
        shelf = self._folder / "profiles"
        try:
            names = sorted(entry.name for entry in shelf.iterdir())
        except (FileNotFoundError, NotADirectoryError):
            return []
        except OSError as error:
            raise unusable(shelf, error) from None
        return [name for name in names if _is_there(shelf / name / PROFILE_FILE)]

    def load(self, name: str | None) -> Profile:
        """The one with this name, or with what stands before its `@`, or the only one.

        :raises WhichProfile: if that is none or several.
        :raises ProfileProblem: if it is not what `save` writes.
        """
        names = self.names()
        if name is None and len(names) == 1:
            name = names[0]
        if name is not None and name not in names:
            of_person = [one for one in names if one.partition("@")[0] == name]
            names = of_person or names
            name = of_person[0] if len(of_person) == 1 else name
        if name is None or name not in names:
            raise _which(name, names, self._start_with)
        return read_profile(self._place(name))

    def start(self, profile: Profile) -> str:
        """What to type to be this one."""
        name = profile.folder.name
        start = self._start_with
        return start if self.names() == [name] else f"{start} --profile {name}"

    def pending(self, invitation: Invitation) -> Path:
        """The folder of this invitation's enrolment; its name does not give the token away."""
        name = hashlib.sha256(invitation.server + invitation.token).hexdigest()[:_PENDING_NAME]
        return self._folder / "enrolling" / name

    def check_new(self, name: str, instead: str = _INSTEAD_OF_A_LINK) -> None:
        """:raises ProfileProblem: if a new profile cannot have this name.

        :param instead: what to do where there is one.
        """
        if not _PROFILE_NAME.fullmatch(name):
            hint = "Nothing was sent. Letters, digits and any of @._:- will do."
            raise ProfileProblem("that is no name for a profile", hint)
        if _is_there(self._place(name)):
            raise ProfileProblem(
                f"there is a profile {name} already", f"Nothing was sent. {instead}"
            )

    def add(self, profile: Profile, name: str | None) -> Profile:
        """Give an enrolment's folder its place on the shelf, named after person and server."""
        names = self.names()
        usual = f"{profile.name}@{profile.host}"
        several = (f"{usual}-{number}" for number in range(2, len(names) + 3))
        name = name or next(one for one in (usual, *several) if one not in names)
        place = self._place(name)
        try:
            private_files.make_folder(profile.folder)
            private_files.make_folder(place.parent)
            profile.save()
            profile.folder.rename(place)
            whole_files.sync_folder(place.parent)
        except OSError as error:
            raise unusable(place, error) from None
        return replace(profile, folder=place)

    def restore(self, new: Profile, files: dict[str, bytes], name: str | None) -> Profile:
        """Give a profile with these files beside it its place, all of it or nothing.

        :raises ProfileProblem: if it cannot be written, or its person has a profile already.
        """
        for old in self._same_person(new):
            hint = f"Nothing was changed or sent. To use it: securecom --profile {old.folder.name}"
            what = f"there is a profile of {new.name} at that server already, {old.folder.name}"
            raise ProfileProblem(what, hint)
        folder = self._folder / "restoring" / secrets.token_hex(_PENDING_NAME // 2)
        try:
            private_files.make_folder(folder)
            for file, data in files.items():
                private_files.write(folder / file, data)
            return self.add(replace(new, folder=folder), name)
        except OSError as error:
            raise unusable(folder, error) from None
        finally:
            shutil.rmtree(folder, ignore_errors=True)  # not there any more if all went well

    def set_aside(self, new: Profile, carry_over: CarryOver) -> list[Path]:
        """Take profiles of the same person at the same server off the shelf: the server knows one
        key of each. Their pins stay good, so the new profile has them too. Where they are now.

        :param carry_over: gives the new folder what else stays good in the former one.
        :raises ProfileProblem: if that cannot be done.
        """
        key = new.identity_path.absolute()
        old = [one for one in self._same_person(new) if one.identity_path.absolute() != key]
        return [self._retire(one, new, carry_over) for one in old]

    def _same_person(self, new: Profile) -> list[Profile]:
        found = []
        for name in self.names():
            try:
                old = read_profile(self._place(name))
            except ProfileProblem:  # told to whoever uses it
                continue
            if (old.name, old.server) == (new.name, new.server):
                found.append(old)
        return found

    def _retire(self, old: Profile, new: Profile, carry_over: CarryOver) -> Path:
        shelf = self._folder / "former"
        name = old.folder.name
        places = (shelf / (f"{name}-{number}" if number else name) for number in count())
        place = next(one for one in places if not one.exists())
        try:
            private_files.make_folder(new.folder)
            private_files.make_folder(shelf)
            if old.known_peers.exists() and not new.known_peers.exists():
                private_files.write(new.known_peers, old.known_peers.read_bytes())
            carry_over(old.folder, new.folder)
            old.folder.rename(place)
            whole_files.sync_folder(shelf)
        except OSError as error:
            raise unusable(place, error) from None
        return place

    def _place(self, name: str) -> Path:
        return self._folder / "profiles" / name


def _is_there(path: Path) -> bool:
    """Something is there. If we may not look, we say yes: using it says why not."""
    try:
        path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError:
        return True
    return True


def _which(name: str | None, names: list[str], start: str) -> WhichProfile:
    if not names:
        hint = "Ask the server's admin for a link and type: securecom securecom://…"
        return WhichProfile("there is no profile yet", hint)
    what = "there are several profiles" if name is None else f"there is no profile {shown(name)}"
    listed = "".join(f"\n  {start} --profile {one}" for one in names)
    return WhichProfile(what, f"Type one of:{listed}")
