"""An identity file on disk, good or bad, as tests write it."""

from __future__ import annotations

from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from securecom.client.profile.identity_file import read_identity_file
from securecom.errors import IdentityProblem


class IdentityFileCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.folder = Path(self.mktemp())
        self.folder.mkdir()
        self.path = self.folder / "identity"

    def write(self, data: bytes, mode: int = 0o600) -> Path:
        self.path.write_bytes(data)
        self.path.chmod(mode)
        return self.path

    def refused(self, data: bytes) -> str:
        return str(self.assertRaises(IdentityProblem, read_identity_file, self.write(data)))
