"""Reads an age file under a pass phrase, whatever that costs (https://c2sp.org/age).

pyrage measures the machine and refuses a file that would take long there. On a slow machine that
can be any backup. Those files are read here, with the primitives of `cryptography`. The header has
been checked before (`sealed.py`).
"""

from __future__ import annotations

import base64
from collections.abc import Iterator

from cryptography.exceptions import InvalidSignature, InvalidTag
from cryptography.hazmat.primitives import hashes, hmac
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

_LABEL = b"age-encryption.org/v1/scrypt"
_KEY_BYTES = 32
_NONCE_BYTES = 16
_BLOCK_SIZE, _PARALLEL = 8, 1
_CHUNK = 64 * 1024
_TAG = 16
_COUNTER_BYTES = 11
_ZERO_NONCE = bytes(12)


class WrongPassPhrase(Exception):
    """The pass phrase does not open the file's own key."""


def opened(data: bytes, pass_phrase: bytes) -> bytes:
    """The content of a file with one scrypt stanza, and nothing else in its header.

    :raises WrongPassPhrase: if that is not its pass phrase.
    :raises ValueError: if the file is damaged.
    :raises MemoryError: if scrypt cannot have its memory.
    """
    _version, stanza, wrapped, mac, payload = data.split(b"\n", 4)
    _arrow, _kind, salt, work = stanza.split(b" ")
    kdf = Scrypt(_LABEL + _bytes(salt), _KEY_BYTES, 2 ** int(work), _BLOCK_SIZE, _PARALLEL)
    try:
        key = ChaCha20Poly1305(kdf.derive(pass_phrase)).decrypt(_ZERO_NONCE, _bytes(wrapped), None)
    except InvalidTag:
        raise WrongPassPhrase from None
    dashes, _, code = mac.partition(b" ")
    check = hmac.HMAC(_derived(key, b"", b"header"), hashes.SHA256())
    check.update(b"\n".join((_version, stanza, wrapped, dashes)))
    try:
        check.verify(_bytes(code))
        return b"".join(_chunks(key, payload))
    except (InvalidSignature, InvalidTag):
        raise ValueError("the file is damaged") from None


def _chunks(key: bytes, payload: bytes) -> Iterator[bytes]:
    """Deciphered; only the last one may be short, and only a lone one empty."""
    nonce, body = payload[:_NONCE_BYTES], payload[_NONCE_BYTES:]
    cipher = ChaCha20Poly1305(_derived(key, nonce, b"payload"))
    size = _CHUNK + _TAG
    starts = range(0, max(len(body), 1), size)
    for number, start in enumerate(starts):
        is_last = number == len(starts) - 1
        chunk = cipher.decrypt(
            number.to_bytes(_COUNTER_BYTES, "big") + bytes([is_last]),
            body[start : start + size],
            None,
        )
        if not chunk and number:
            raise ValueError("an empty last chunk")
        yield chunk


def _derived(key: bytes, salt: bytes, purpose: bytes) -> bytes:
    return HKDF(hashes.SHA256(), _KEY_BYTES, salt or None, purpose).derive(key)


def _bytes(text: bytes) -> bytes:
    """Base64 without padding, in its one spelling."""
    data = base64.b64decode(text + b"=" * (-len(text) % 4), validate=True)
    if base64.b64encode(data).rstrip(b"=") != text:
        raise ValueError("not as it is written")
    return data
