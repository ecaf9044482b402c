"""An identity file on disk, good or bad, as tests write it."""

from __future__ import annotations

import base64
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from securecom.client.profile.identity_file import read_identity_file
from securecom.errors import IdentityProblem


def key_file(
    cipher: bytes = b"aes256-ctr",
    kdf: bytes = b"bcrypt",
    rounds: int = 2,
    body: bytes = b"x" * 96,
    kind: bytes = b"ssh-ed25519",
) -> bytes:
    """A file in OpenSSH's form, whose outer part says this."""

    def field(data: bytes) -> bytes:
        return len(data).to_bytes(4, "big") + data

    options = field(b"s" * 16) + rounds.to_bytes(4, "big")
    key = field(kind) + field(b"k" * 32)
    parts = (cipher, kdf, options)
    blob = b"openssh-key-v1\0" + b"".join(map(field, parts)) + b"\0\0\0\x01" + field(key)
    text = base64.encodebytes(blob + field(body))
    begin, end = (b"-----%s OPENSSH PRIVATE KEY-----\n" % word for word in (b"BEGIN", b"END"))
    return begin + text + end


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
