"""Backups of a profile: made while the client runs, restored before it starts.

Before a backup is written, it is checked as restoring would check it. A restored profile is checked
as a whole before any of it is kept.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred, inlineCallbacks

from securecom import limits
from securecom.client import known_peers, retirements
from securecom.client.events import BackedUp
from securecom.client.known_peers import Pins
from securecom.client.profile import private_files
from securecom.client.profile.backup import (
    Backup,
    damaged,
    parse_sealed_file,
    read_sealed_file,
    unpacked,
)
from securecom.client.profile.identity_file import parse_identity_file, read_identity_file
from securecom.client.profile.own_key import OwnKey
from securecom.client.profile.passphrase import AskSecret, Elsewhere, PassPhrases, Vault
from securecom.client.profile.profile import (
    IDENTITY_FILE,
    KNOWN_PEERS_FILE,
    RETIREMENTS_FILE,
    Profile,
    parse_profile,
    read_profile,
)
from securecom.client.profile.profiles import Profiles
from securecom.errors import (
    BackupProblem,
    BadArgument,
    PassPhraseProblem,
    SecurecomError,
    StateDamaged,
)
from securecom.starting import path_named

_INSTEAD = "Name another one with --profile."


def restore(path: Path, name: str | None, profiles: Profiles, source: PassPhrases) -> Profile:
    """The profile that the backup holds, on the shelf.

    :param name: what to call it; None: as after an enrolment.
    :raises SecurecomError: if that cannot be; then nothing is there that was not before.
    """
    if name is not None:
        profiles.check_new(name, _INSTEAD)
    profile, backup = looked_at(path, source.unseal(read_sealed_file(path)))
    files = {IDENTITY_FILE: backup.identity, KNOWN_PEERS_FILE: backup.known_peers}
    if backup.retirements is not None:
        files[RETIREMENTS_FILE] = backup.retirements
    return profiles.restore(profile, files, name)


def looked_at(path: Path, data: bytes) -> tuple[Profile, Backup]:
    """What a decrypted backup holds, if it can be restored. `/backup` asks here before it writes.

    :raises BackupProblem: if it cannot.
    """
    backup = unpacked(path, data)
    try:
        profile = parse_profile(path, backup.profile)
        parse_identity_file(path / IDENTITY_FILE, backup.identity)
        known_peers.parse(backup.known_peers, path / KNOWN_PEERS_FILE)
        if backup.retirements is not None:
            retirements.parse(backup.retirements, path / RETIREMENTS_FILE)
    except SecurecomError as error:
        raise damaged(path, error.what) from None
    if profile != profile.portable:
        raise damaged(path, "its profile.toml names a file that is not in it")
    return profile, backup


# --- Making one: the identity, the settings and the pins, in one encrypted file ---------------
# It takes the identity's pass phrase, and gets one of its own. An existing file is never replaced.

_NOTHING = "Nothing was written."
_BOM = "\N{ZERO WIDTH NO-BREAK SPACE}"


class Backups:
    """Backups of one profile.

    :param folder: the profile's.
    :param seal: encrypts bytes under a pass phrase, which takes a second.
    """

    def __init__(
        self,
        folder: Path,
        ask: AskSecret,
        elsewhere: Elsewhere,
        seal: Callable[[bytes, str], bytes],
    ) -> None:
        self._folder, self._ask = folder, ask
        self._elsewhere, self._seal = elsewhere, seal

    @inlineCallbacks
    def make(self, file: str) -> Generator[Deferred[Any], Any, BackedUp]:
        """Write a backup. Fails with a `SecurecomError`; then there is no new file."""
        path, profile = _place(file), read_profile(self._folder)
        backup, pins = _collected(profile)  # what is wrong is said before anything is asked
        packed = backup.packed()
        _check(path, packed)
        yield Vault(profile.identity_path, self._ask, self._elsewhere).pass_phrase()
        phrase = yield self._agree_on_one(path)
        yield self._elsewhere(lambda: _write(path, self._seal(packed, phrase)))
        return BackedUp(str(path), len(pins))

    @inlineCallbacks
    def _agree_on_one(self, path: Path) -> Generator[Deferred[Any], Any, str]:
        """The backup's own pass phrase, twice the same; a few attempts."""
        prefix = ""
        for _ in range(limits.PASS_ATTEMPTS):
            phrase: str = yield self._ask(f"{prefix}a pass phrase for the backup {path.name}")
            _check_phrase(phrase)
            again: str = yield self._ask("the same again")
            if _composed(again) == _composed(phrase):
                return phrase
            prefix = "these were two different ones; "
        raise PassPhraseProblem("these were two different pass phrases", _NOTHING)


def _place(file: str) -> Path:
    """Where it goes. :raises BackupProblem: if something is there already, or no folder is."""
    try:
        path = path_named(file, "/backup")
        if _is_there(path):
            hint = f"{_NOTHING} Name a file that is not there yet."
            raise BackupProblem(f"{path} is there already", hint)
        if not path.parent.is_dir():
            raise BackupProblem(f"there is no folder {path.parent}", f"{_NOTHING} Make it first.")
    except BadArgument as error:
        hint = f"{_NOTHING} Give the whole path, starting with /."
        raise BackupProblem(error.what, hint) from None
    except OSError:  # too long
        raise BackupProblem("that cannot be the name of a file", _NOTHING) from None
    return path


def _is_there(path: Path) -> bool:
    """Anything, a link that leads nowhere too. :raises OSError, ValueError: if that is no path."""
    try:
        path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    return True


def _check(path: Path, packed: bytes) -> None:
    """:raises BackupProblem: if restoring would refuse it."""
    try:
        looked_at(path, packed)
    except BackupProblem as error:
        what = f"a backup of this profile could not be restored: {error.what}"
        raise BackupProblem(what, _NOTHING) from None


def _composed(phrase: str) -> str:
    return unicodedata.normalize("NFC", phrase)


def _check_phrase(phrase: str) -> None:
    """:raises PassPhraseProblem: if it is none, or cannot be said again when restoring: at a
    terminal, or as a line of a file.
    """
    if not phrase:
        raise PassPhraseProblem("a backup needs a pass phrase", _NOTHING)
    if phrase.startswith(_BOM) or any(unicodedata.category(one) == "Cc" for one in phrase):
        what = "a pass phrase holds no control characters, and does not begin with a BOM"
        raise PassPhraseProblem(what, _NOTHING)
    try:
        length = max(len(phrase.encode("utf-8")), len(_composed(phrase).encode("utf-8")))
    except UnicodeEncodeError:
        raise PassPhraseProblem("that pass phrase is not UTF-8", _NOTHING) from None
    if length > limits.MAX_PASS:
        raise PassPhraseProblem("that is too long for a pass phrase", _NOTHING)


def _collected(profile: Profile) -> tuple[Backup, Pins]:
    """What is on the disk, and the pins in it. :raises SecurecomError: what a log-in would too."""
    identity = read_identity_file(profile.identity_path)
    if OwnKey(profile).coming() is not None:
        hint = f"{_NOTHING} Start again: the log-in tells which key is yours."
        raise BackupProblem("a new key is on its way, and the backup would hold the old one", hint)
    try:
        data, _ = private_files.read_plain(profile.known_peers, limits.MAX_KNOWN_PEERS_FILE)
    except FileNotFoundError:  # nobody was met yet
        data = known_peers.written({})
    except OSError as error:
        raise StateDamaged(f"{profile.known_peers} cannot be used ({error.strerror})") from None
    pins = known_peers.parse(data, profile.known_peers)
    return Backup(profile.portable.written(), identity.data, data, _retirements(profile)), pins


def _retirements(profile: Profile) -> bytes | None:
    """Which keys are retired: a backup without them would trust these again."""
    path = profile.folder / RETIREMENTS_FILE
    try:
        data, _ = private_files.read_plain(path, limits.MAX_RETIREMENTS_FILE)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise StateDamaged(f"{path} cannot be used ({error.strerror})") from None
    retirements.parse(data, path)
    return data


def _write(path: Path, data: bytes) -> None:
    parse_sealed_file(path, data)  # never write what restoring would refuse
    try:
        private_files.write_beside(path, data)
    except OSError as error:
        why = (error.strerror or "unwritable").lower()
        raise BackupProblem(f"{path} cannot be written ({why})", _NOTHING) from None
