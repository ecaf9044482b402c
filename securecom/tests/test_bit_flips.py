"""One flipped bit in a file that we keep is told in an error of ours, or does no harm at all."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path

from cryptography.utils import CryptographyDeprecationWarning
from twisted.trial import util
from twisted.trial.unittest import SynchronousTestCase

from securecom import limits
from securecom.admin.commands import done
from securecom.client import known_peers
from securecom.client.profile.backup import parse_sealed_file
from securecom.client.profile.identity_file import make_identity_file, parse_identity_file
from securecom.client.profile.profile import parse_profile
from securecom.client.profile.profiles import Profiles
from securecom.errors import SecurecomError, StateDamaged
from securecom.identity import Identity, Name
from securecom.invitation import token_hash
from securecom.server import certificates, database
from securecom.server.sqlite_registry import SQLiteRegistry
from securecom.server.state import StoredSettings, open_state
from securecom.tests.support.age_files import age_file
from securecom.tests.support.backups import PINS, profile_of

NOW = 1_800_000_000.0
HOSTS = ("chat.example.org", "192.0.2.7")
PATH = Path("file")
#: The header of an SQLite file; and, behind it, each so many bits one.
HEADER_BITS, REGISTRY_STEP = 800, 2003
#: Where a try takes milliseconds: odd, so that each bit of a byte has its turn.
STEP = 11


def flipped(data: bytes, bits: range | None = None) -> Iterator[bytes]:
    """The bytes with each of these bits, one after the other, turned over."""
    for bit in bits or range(8 * len(data)):
        other = bytearray(data)
        other[bit // 8] ^= 1 << bit % 8
        yield bytes(other)


class FlipCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.folder = Path(self.mktemp()).absolute()
        self.patch(limits, "BCRYPT_ROUNDS", 1)
        self.patch(limits, "MAX_BCRYPT_ROUNDS", 2)
        self.patch(limits, "MAX_SCRYPT_WORK", 5)

    def survive(self, data: bytes, read: Callable[[bytes], object], step: int = 1) -> None:
        """Whatever is raised that is not ours fails the test; some flips have to be refused.

        :param step: only each so many bits one is flipped, as each costs time.
        """
        read(data)
        refused = 0
        for other in flipped(data, range(0, 8 * len(data), step)):
            with contextlib.suppress(SecurecomError):
                read(other)
                continue
            refused += 1
        self.assertGreater(refused, len(data) // step, "one bit of each byte, at least")


class ServerTests(FlipCase):
    #: Of serial numbers that may not be: the next cryptography raises a ValueError for them.
    suppress = [util.suppress(category=CryptographyDeprecationWarning)]

    def setUp(self) -> None:
        super().setUp()
        self.state = open_state(self.folder, HOSTS, NOW)
        self.addCleanup(self.state.close)
        self.inside = self.folder / "server"

    # Promise R58
    def test_ca(self) -> None:
        def read(data: bytes) -> None:
            ca = certificates.from_pem(data, "ca").certificate
            certificates.check_ca(ca, NOW, "ca")

        self.survive((self.inside / "ca.pem").read_bytes(), read)

    # Promise R58
    def test_certificate(self) -> None:
        def read(data: bytes) -> None:
            leaf = certificates.from_pem(data, "leaf").certificate
            certificates.check_leaf(leaf, self.state.ca, "leaf")
            certificates.is_for(leaf, self.state.public_hosts)
            certificates.is_due(leaf, self.state.ca, NOW)

        self.survive((self.inside / "server.pem").read_bytes(), read)

    # Promise R58
    def test_a_version_and_a_key_that_do_not_exist(self) -> None:
        """What neither ValueError nor any other class has in common."""
        whole = (self.inside / "server.pem").read_bytes()
        key, certificate = whole.split(b"-----BEGIN CERTIFICATE-----\n")
        begin = b"-----BEGIN CERTIFICATE-----\n"
        version = certificate.replace(b"AwIBAgI", b"AwIBBgI", 1)  # 6, where 2 means version 3
        x448 = key.replace(b"MC4CAQAwBQYDK2Vw", b"MC4CAQAwBQYDK2Vv", 1)
        for damaged in (key + begin + version, x448 + begin + certificate):
            self.assertNotEqual(damaged, whole)
            self.assertRaises(StateDamaged, certificates.from_pem, damaged, "leaf")

    def test_settings(self) -> None:
        data = (self.inside / "settings.json").read_bytes()
        self.survive(data, lambda other: StoredSettings.from_json(other, "settings"))

    # Promise R58
    def test_registry(self) -> None:
        path = self.inside / "registry.sqlite"
        with self.opened(path) as registry:
            done(registry.invite(Name("alice"), token_hash(b"a"), NOW + 1))
            done(registry.spend(token_hash(b"a"), Identity.generate().public_key, NOW))
            done(registry.invite(Name("bob"), token_hash(b"b"), NOW + 1))
        whole = path.read_bytes()
        refused = 0
        for bits in (range(HEADER_BITS), range(HEADER_BITS, 8 * len(whole), REGISTRY_STEP)):
            for other in flipped(whole, bits):
                path.write_bytes(other)
                try:
                    self.look(path)
                except SecurecomError:
                    refused += 1
        self.assertGreater(refused, HEADER_BITS // 4)

    # Promise R58
    def test_a_registry_whose_statements_are_not_utf8(self) -> None:
        path = self.inside / "registry.sqlite"
        whole = path.read_bytes()
        at = whole.index(b"CREATE TABLE users") + len(b"CREATE TABLE users (\n    ")
        path.write_bytes(whole[:at] + b"\xc3" + whole[at + 1 :])
        self.assertRaises(StateDamaged, self.look, path)

    def look(self, path: Path) -> None:
        database.verify(path)
        with self.opened(path) as registry:
            done(registry.users())
            done(registry.invitations())
            done(registry.quarantine())

    def opened(self, path: Path) -> contextlib.closing[SQLiteRegistry]:
        return contextlib.closing(SQLiteRegistry(database.SynchronousPool(database.connect(path))))


class ClientTests(FlipCase):
    # Promise R58
    def test_identity(self) -> None:
        make_identity_file(self.folder / "identity", None)
        data = (self.folder / "identity").read_bytes()
        self.survive(data, lambda other: parse_identity_file(PATH, other).unlock(None))

    # Promise R58
    def test_protected_identity(self) -> None:
        make_identity_file(self.folder / "identity", b"right")
        data = (self.folder / "identity").read_bytes()
        self.survive(data, lambda other: parse_identity_file(PATH, other).unlock(b"right"), STEP)

    # Promise R58
    def test_profile(self) -> None:
        profile = profile_of(Profiles(self.folder / "data"), self.folder / "new")
        data = profile.with_settings(on_request=("/bin/decide", "it's")).written()
        self.survive(data, lambda other: parse_profile(self.folder, other).identity_path)

    # Promise R58
    def test_pins(self) -> None:
        self.survive(PINS, lambda other: known_peers.parse(other, PATH))

    # Promise R58
    def test_backup(self) -> None:
        data = age_file(b"what is in it", "right")
        self.survive(data, lambda other: parse_sealed_file(PATH, other).unseal(b"right"), STEP)
