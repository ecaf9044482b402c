"""Certificates that no honest identity has: of other keys, other issuers, with bad signatures."""

from __future__ import annotations

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding

from securecom.identity import (
    Identity,
)
from securecom.tests.support.server_certificates import Authority, blank, called

# --- certificates ---------------------------------------------------------------------------


def small_order_certificate() -> x509.Certificate:
    """A certificate over the neutral point: its signature verifies, though nobody made it."""
    neutral = (1).to_bytes(32, "little")
    certificate = Identity.generate().certificate
    key = certificate.public_key()
    der = certificate.public_bytes(Encoding.DER)
    der = der.replace(key.public_bytes_raw(), neutral)  # type: ignore[union-attr]
    return x509.load_der_x509_certificate(der.replace(certificate.signature, neutral + bytes(32)))


def tampered(certificate: x509.Certificate) -> x509.Certificate:
    """The same with one bit of its signature turned."""
    der = bytearray(certificate.public_bytes(Encoding.DER))
    der[-1] ^= 1
    return x509.load_der_x509_certificate(bytes(der))


def self_signed_over(key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey) -> x509.Certificate:
    """Self-signed, over a key of another kind."""
    builder = blank().subject_name(called("me")).issuer_name(called("me"))
    return builder.public_key(key.public_key()).sign(key, hashes.SHA256())


def issued_by_another() -> tuple[ed25519.Ed25519PrivateKey, x509.Certificate, x509.Certificate]:
    """A key, its certificate by a CA, and the CA's."""
    authority, key = Authority(), ed25519.Ed25519PrivateKey.generate()
    builder = blank().subject_name(called("me")).issuer_name(authority.name)
    certificate = builder.public_key(key.public_key()).sign(authority.key, None)
    return key, certificate, authority.certificate
