"""age files made from the specification alone, as cheap or as expensive to open as a test wants.

https://c2sp.org/age: a header that wraps a key of the file under scrypt, its MAC, the payload in
chunks. Nothing of pyrage is in here, so what it opens is what the format says.
"""

from __future__ import annotations

import base64

from cryptography.hazmat.primitives import hashes, hmac
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

_FILE_KEY = bytes(range(16))
_SALT = bytes(range(100, 116))
_NONCE = bytes(range(200, 216))
_CHUNK = 64 * 1024
_LABEL = b"age-encryption.org/v1/scrypt"


def age_file(data: bytes, pass_phrase: str, work: int = 1) -> bytes:
    """Under a pass phrase that costs 2**work to try."""
    key = Scrypt(_LABEL + _SALT, 32, 2**work, 8, 1).derive(pass_phrase.encode("utf-8"))
    wrapped = ChaCha20Poly1305(key).encrypt(bytes(12), _FILE_KEY, None)
    return _sealed(data, f"-> scrypt {_b64(_SALT)} {work}\n{_b64(wrapped)}\n")


def asking_for_work(data: bytes, work: int) -> bytes:
    """The same, but for what it says of the work, which would have to be done to find out."""
    return age_file(data, "right").replace(b" 1\n", f" {work}\n".encode(), 1)


def _sealed(data: bytes, stanza: str) -> bytes:
    head = f"age-encryption.org/v1\n{stanza}---".encode("ascii")
    mac = hmac.HMAC(_derived(b"", b"header"), hashes.SHA256())
    mac.update(head)
    start = head + f" {_b64(mac.finalize())}\n".encode("ascii") + _NONCE
    payload = ChaCha20Poly1305(_derived(_NONCE, b"payload"))
    chunks = [data[at : at + _CHUNK] for at in range(0, max(len(data), 1), _CHUNK)]
    for number, chunk in enumerate(chunks):
        nonce = number.to_bytes(11, "big") + bytes([chunk is chunks[-1]])
        start += payload.encrypt(nonce, chunk, None)
    return start


def _derived(salt: bytes, info: bytes) -> bytes:
    return HKDF(hashes.SHA256(), 32, salt or None, info).derive(_FILE_KEY)


def _b64(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii").rstrip("=")
