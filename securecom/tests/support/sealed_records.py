"""TLS 1.3 records as a hostile peer may make them: OpenSSL itself would send no such ones."""

from __future__ import annotations

from cryptography.hazmat.primitives.ciphers.aead import AESGCM, ChaCha20Poly1305
from cryptography.hazmat.primitives.hashes import SHA256, SHA384, HashAlgorithm
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

ALERT, HANDSHAKE, DATA = 21, 22, 23
#: close_notify, as a warning.
CLOSE = b"\1\0"
_NONCE = 12
_SUITES: dict[str, tuple[type[AESGCM | ChaCha20Poly1305], int, HashAlgorithm]] = {
    "TLS_AES_128_GCM_SHA256": (AESGCM, 16, SHA256()),
    "TLS_AES_256_GCM_SHA384": (AESGCM, 32, SHA384()),
    "TLS_CHACHA20_POLY1305_SHA256": (ChaCha20Poly1305, 32, SHA256()),
}


class Sealer:
    """Encrypts what one side of a connection sends, in OpenSSL's place (RFC 8446, 5 and 7).

    :param suite: the name of the negotiated cipher suite.
    :param secret: the side's first secret for application data, as in a key log.
    :param number: of the next record.
    """

    def __init__(self, suite: str, secret: bytes, number: int) -> None:
        self._kind, self._size, self._hash = _SUITES[suite]
        self._use(secret, number)

    def _use(self, secret: bytes, number: int) -> None:
        self._secret, self._number = secret, number
        self._cipher = self._kind(self._expand(b"key", self._size))
        self._start = int.from_bytes(self._expand(b"iv", _NONCE), "big")

    def _expand(self, label: bytes, size: int) -> bytes:
        label = b"tls13 " + label
        info = size.to_bytes(2, "big") + bytes((len(label),)) + label + b"\0"
        return HKDFExpand(self._hash, size, info).derive(self._secret)

    def record(self, content: bytes, kind: int = DATA, padding: int = 0) -> bytes:
        """One record, however long it gets.

        :param kind: what it says it holds.
        :param padding: so many zeros behind the content.
        """
        inner = content + bytes((kind,)) + bytes(padding)
        header = bytes((DATA, 3, 3)) + (len(inner) + 16).to_bytes(2, "big")
        nonce = (self._start ^ self._number).to_bytes(_NONCE, "big")
        self._number += 1
        return header + self._cipher.encrypt(nonce, inner, header)

    def new_key(self, wants_answer: bool) -> bytes:
        """A record that announces new keys, which the following ones have."""
        record = self.record(bytes((24, 0, 0, 1, wants_answer)), HANDSHAKE)
        self._use(self._expand(b"traffic upd", self._hash.digest_size), 0)
        return record
