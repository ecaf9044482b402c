"""What the three uses of TLS prove to each other: exporters, and codes under their keys.

Labels, lengths and parts are in docs/protocol.md, "Exporters and proofs".
"""

from __future__ import annotations

import hashlib
import hmac

from OpenSSL import SSL

_LABEL = b"EXPERIMENTAL-SecureCom/1 "


def session_id(tls: SSL.Connection) -> bytes:
    """The public handle of a standard channel's session (16 bytes)."""
    return tls.export_keying_material(_LABEL + b"session-id", 16, b"")


def request_key(tls: SSL.Connection) -> bytes:
    """The session key of a standard channel, which authenticates the request channel."""
    return tls.export_keying_material(_LABEL + b"request-key", 32, b"")


def request_binding(tls: SSL.Connection) -> bytes:
    """What ties a proof to one request channel."""
    return tls.export_keying_material(_LABEL + b"request-binding", 32, b"")


def chat_binding(tls: SSL.Connection) -> bytes:
    """What ties HELLO to one end-to-end session."""
    return tls.export_keying_material(_LABEL + b"chat-binding", 32, b"")


def chat_rekey(tls: SSL.Connection) -> bytes:
    """The key under which an epoch of a chat vouches for the next one."""
    return tls.export_keying_material(_LABEL + b"chat-rekey", 32, b"")


def mac(key: bytes, *parts: bytes) -> bytes:
    """HMAC-SHA256 over the parts, each behind its length in 4 bytes."""
    code = hmac.new(key, digestmod=hashlib.sha256)
    for part in parts:
        code.update(len(part).to_bytes(4, "big") + part)
    return code.digest()


def same(one: bytes, other: bytes) -> bool:
    """Equality in constant time."""
    return hmac.compare_digest(one, other)
