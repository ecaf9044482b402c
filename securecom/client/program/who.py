"""From the command line to who we are: the profile, or the invitation, and the unlocked identity.

All of it before the reactor runs, since a terminal may be asked and a pass phrase takes its time.
"""

from __future__ import annotations

import os
import shlex
import time
from argparse import Namespace
from collections.abc import Mapping
from functools import partial
from pathlib import Path

import platformdirs

from securecom.client.contacts import Contacts
from securecom.client.profile import passphrase, private_files
from securecom.client.profile.identity_file import make_identity_file, read_identity_file
from securecom.client.profile.own_key import Both, OwnKey
from securecom.client.profile.passphrase import PassPhrases
from securecom.client.profile.profile import IDENTITY_FILE, Profile
from securecom.client.profile.profiles import Profiles
from securecom.client.program import deciding, standard_io
from securecom.client.retirements import carry_over
from securecom.errors import IdentityProblem, SecurecomError
from securecom.identity import Identity, Name
from securecom.invitation import Host, Invitation
from securecom.starting import path_named, usual_path
from securecom.values import Value, replace

_TWO_MACHINES = (
    "the same key may be on another machine now: it has one session at a time, and --takeover "
    "ends the other one"
)
_RESUMED = "the key of an enrolment that was not finished"


class Member(Value):
    """Somebody whom the server knows.

    :param notices: what to tell them about a profile that is new.
    :param coming: a new key, which may have taken the identity's place when they were last here.
    """

    profile: Profile
    identity: Identity
    notices: tuple[str, ...] = ()
    coming: Identity | None = None


class Newcomer(Value):
    """Somebody with an invitation, and with a key that is safe on the disk already.

    :param identity_file: as the profile will name it.
    :param is_old: the key was not made just now: the server may know it already.
    """

    invitation: Invitation
    identity: Identity
    identity_file: Path
    profiles: Profiles
    profile_name: str | None
    is_old: bool

    def enrolled(self, name: Name) -> Member:
        """The server has taken the key. :raises ProfileProblem: if that cannot be written."""
        invitation = self.invitation
        profile = Profile(
            self.profiles.pending(invitation),
            name,
            Host(invitation.host),
            invitation.standard_port,
            invitation.server,
            self.identity_file,
        )
        former = self.profiles.set_aside(profile, carry_over)
        profile = self.profiles.add(profile, self.profile_name)
        notices = [f"the profile with your former key is kept in {path}" for path in former]
        notices.append(f"next time: {self.profiles.start(profile)}")
        return Member(profile, self.identity, tuple(notices))

    @property
    def is_resumed(self) -> bool:
        """The key is that of an earlier try with this invitation."""
        return self.is_old and not self.identity_file.is_absolute()


def data_folder(arguments: Namespace, environment: Mapping[str, str]) -> Path:
    """Where profiles are kept. :raises BadArgument: if there can be no such folder."""
    if arguments.data_dir is not None:
        return path_named(arguments.data_dir, "--data-dir")
    if environment.get("SECURECOM_HOME"):
        return path_named(environment["SECURECOM_HOME"], "SECURECOM_HOME")
    find = partial(platformdirs.user_data_dir, "securecom")
    return usual_path(find, "--data-dir or SECURECOM_HOME")


def profiles_of(arguments: Namespace, environment: Mapping[str, str]) -> Profiles:
    """The profiles there; who named the folder has to name it the next time too."""
    folder = data_folder(arguments, environment)
    named = [] if arguments.data_dir is None else ["--data-dir", str(folder)]
    return Profiles(folder, shlex.join(["securecom", *named]))


def pass_phrases(arguments: Namespace, *, is_terminal: bool) -> PassPhrases:
    """Where pass phrases come from."""
    if arguments.no_pass:
        return passphrase.NoPassPhrase()
    if arguments.pass_fd is not None:
        return passphrase.Given(partial(passphrase.from_descriptor, arguments.pass_fd))
    if arguments.pass_file is not None:
        file = path_named(arguments.pass_file, "--pass-file")
        return passphrase.Given(passphrase.lines_of(file))
    if not is_terminal:
        return passphrase.Nowhere()
    return passphrase.Terminal(hidden=standard_io.typing_hidden)


def member(arguments: Namespace, profiles: Profiles, source: PassPhrases) -> Member:
    """Who has a profile. :raises SecurecomError: if it, or its identity, cannot be used."""
    profile = profiles.load(arguments.profile)
    profile = _settled(profile, arguments)
    Contacts(profile.known_peers, profile.server, time.time)  # reports damaged pins at once
    identity, coming = _identities(profile, source)
    if arguments.save:
        profile.save()
    return Member(profile, identity, coming=coming)


def _identities(profile: Profile, source: PassPhrases) -> tuple[Identity, Identity | None]:
    """The profile's, and one that may be about to take its place."""
    present, coming = read_identity_file(profile.identity_path), OwnKey(profile).coming()
    return (
        (source.unlock(present), None) if coming is None else source.unlock(Both(present, coming))
    )


def restored(arguments: Namespace, profiles: Profiles, source: PassPhrases) -> Member:
    """Who brings a backup: its profile is on the shelf, and chosen, when this returns.

    :raises SecurecomError: if it cannot be restored; or if it was, and its identity is not opened.
    """
    from securecom.client.program.backing_up import restore

    file = path_named(arguments.restore, "--restore")
    profile = restore(file, arguments.profile, profiles, source)
    name, start = profile.folder.name, profiles.start(profile)
    arguments.profile = name
    try:
        someone = member(arguments, profiles, source)
    except SecurecomError as error:
        error.hint = f"{error.hint} The backup was restored as {name}; next time: {start}"
        raise
    return replace(someone, notices=(f"restored as {name}; next time: {start}", _TWO_MACHINES))


def newcomer(arguments: Namespace, profiles: Profiles, source: PassPhrases) -> Newcomer:
    """Who has an invitation: makes the key, or takes the one of a try that failed.

    :raises SecurecomError: if there can be no such profile or key.
    """
    if arguments.profile is not None:
        profiles.check_new(arguments.profile)
    if arguments.identity is not None:
        path = file = path_named(arguments.identity, "--identity")
        try:
            is_ours_alone = private_files.is_descriptor(path)
        except OSError as error:
            what = f"the identity file {path} cannot be used ({(error.strerror or '').lower()})"
            raise IdentityProblem(what) from None
        if is_ours_alone:
            hint = "Nothing was sent. It is read at every start: name the file itself."
            what = f"the identity file {path} is one that this process alone has open"
            raise IdentityProblem(what, hint)
    else:
        path, file = profiles.pending(arguments.link) / IDENTITY_FILE, Path(IDENTITY_FILE)
    is_old = arguments.identity is not None or os.path.lexists(path)
    if is_old:
        key = read_identity_file(path)
        identity = source.unlock(key if arguments.identity else replace(key, title=_RESUMED))
    else:
        identity = make_identity_file(path, source.new())
    return Newcomer(arguments.link, identity, file, profiles, arguments.profile, is_old)


def settled(someone: Member, arguments: Namespace) -> Member:
    """A member fresh from enrolment, with the settings of the command line."""
    profile = _settled(someone.profile, arguments)
    if arguments.save:
        profile.save()
    return replace(someone, profile=profile)


def _settled(profile: Profile, arguments: Namespace) -> Profile:
    """With the command line's settings. :raises NoProgram: if what is to answer is not there."""
    profile = profile.with_settings(arguments.request, arguments.available, arguments.on_request)
    return replace(profile, on_request=deciding.resolved(profile.on_request))
