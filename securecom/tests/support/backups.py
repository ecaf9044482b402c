"""A profile on disk, with pins, and backups of it that are cheap to open."""

from __future__ import annotations

from pathlib import Path

from securecom.client import known_peers
from securecom.client.known_peers import Pin
from securecom.client.profile import private_files
from securecom.client.profile.backup import Backup
from securecom.client.profile.identity_file import make_identity_file
from securecom.client.profile.profile import IDENTITY_FILE, Profile
from securecom.client.profile.profiles import Profiles
from securecom.identity import Identity, Name
from securecom.invitation import Host
from securecom.tests.support.age_files import age_file

SERVER = bytes(range(32))
PEER = Identity.generate().public_key
PINS = known_peers.written({(SERVER, "bob"): Pin(PEER, 7, "verified")})


def profile_of(profiles: Profiles, staging: Path, pass_phrase: bytes | None = None) -> Profile:
    """Alice's, on the shelf, with one pin."""
    profile = Profile(
        staging, Name("alice"), Host("chat.example.org"), 4241, SERVER, Path(IDENTITY_FILE)
    )
    make_identity_file(profile.identity_path, pass_phrase)
    private_files.write(profile.known_peers, PINS)
    return profiles.add(profile, None)


def backup_of(profile: Profile) -> Backup:
    """What a backup of it holds."""
    identity = profile.identity_path.read_bytes()
    return Backup(profile.written(), identity, profile.known_peers.read_bytes())


def quickly(data: bytes, pass_phrase: str) -> bytes:
    """`seal`, with next to no work."""
    return age_file(data, pass_phrase)
