"""From a backup to a profile on the shelf: all of it is looked at before anything is kept."""

from __future__ import annotations

from pathlib import Path

from securecom.client import known_peers
from securecom.client.profile.backup import Backup, unpacked
from securecom.client.profile.identity_file import parse_identity_file
from securecom.client.profile.passphrase import PassPhrases
from securecom.client.profile.profile import (
    IDENTITY_FILE,
    KNOWN_PEERS_FILE,
    Profile,
    parse_profile,
)
from securecom.client.profile.profiles import Profiles
from securecom.client.profile.sealed import damaged, read_sealed_file
from securecom.errors import SecurecomError

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
    except SecurecomError as error:
        raise damaged(path, error.what) from None
    if profile != profile.portable:
        raise damaged(path, "its profile.toml names a file that is not in it")
    return profile, backup
