"""The server's two certificates: its private CA, and the leaf that clients meet.

Both are Ed25519. Clients pin the CA's SHA-256 and look for `peers.SERVER_NAME` in the leaf. Key and
certificate stand in one PEM text, so that they change together. Times are seconds since the epoch.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.exceptions import InternalError, InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from securecom import limits, peers
from securecom.errors import StateDamaged
from securecom.invitation import Host
from securecom.tls import Credentials

_RANDOM_NAME_BYTES = 8
#: What `cryptography` raises for a certificate that is not as it was written. They have no class in
#: common but Exception.
_UNREADABLE = (
    ValueError,
    TypeError,
    InternalError,
    InvalidSignature,
    UnsupportedAlgorithm,
    x509.AttributeNotFound,
    x509.DuplicateExtension,
    x509.ExtensionNotFound,
    x509.InvalidVersion,
    x509.UnsupportedGeneralNameType,
)


# --- making ---------------------------------------------------------------------------------


def new_ca(now: float) -> Credentials:
    """A self-signed CA; its name is random in part, so that no two servers' are the same."""
    key = Ed25519PrivateKey.generate()
    name = _name(f"securecom CA {secrets.token_hex(_RANDOM_NAME_BYTES)}")
    last = _moment(now) + timedelta(days=limits.CA_DAYS)
    builder = (
        _builder(key, now, last, limits.CA_BACKDATED_DAYS)
        .subject_name(name)
        .issuer_name(name)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage("key_cert_sign", "crl_sign"), critical=True)
    )
    return Credentials(key, builder.sign(key, None))


def new_leaf(ca: Credentials, hosts: Sequence[Host], now: float) -> Credentials:
    """A server certificate for `peers.SERVER_NAME` and the hosts; it never outlives its CA."""
    key = Ed25519PrivateKey.generate()
    issuer = x509.AuthorityKeyIdentifier.from_issuer_public_key(ca.key.public_key())
    last = _moment(now) + timedelta(days=limits.CERTIFICATE_DAYS)
    builder = (
        _builder(key, now, min(last, ca.certificate.not_valid_after_utc))
        .subject_name(_name(peers.SERVER_NAME))
        .issuer_name(ca.certificate.subject)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage("digital_signature"), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(_alternatives(hosts), critical=False)
        .add_extension(issuer, critical=False)
    )
    return Credentials(key, builder.sign(ca.key, None), ca.certificate)


def _builder(
    key: Ed25519PrivateKey, now: float, last: datetime, backdated: int = limits.BACKDATED_DAYS
) -> x509.CertificateBuilder:
    subject = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    return (
        x509.CertificateBuilder()
        .serial_number(x509.random_serial_number())
        .not_valid_before(_moment(now) - timedelta(days=backdated))
        .not_valid_after(last)
        .public_key(key.public_key())
        .add_extension(subject, critical=False)
    )


def _moment(now: float) -> datetime:
    return datetime.fromtimestamp(int(now), UTC)


def _name(common: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])


def _usage(*uses: str) -> x509.KeyUsage:
    every = (
        "digital_signature",
        "content_commitment",
        "key_encipherment",
        "data_encipherment",
        "key_agreement",
        "key_cert_sign",
        "crl_sign",
        "encipher_only",
        "decipher_only",
    )
    return x509.KeyUsage(**{use: use in uses for use in every})


def _alternatives(hosts: Sequence[Host]) -> x509.SubjectAlternativeName:
    names: list[x509.GeneralName] = [x509.DNSName(peers.SERVER_NAME)]
    for host in hosts:
        address = host.address
        names.append(x509.DNSName(host) if address is None else x509.IPAddress(address))
    return x509.SubjectAlternativeName(names)


# --- when -----------------------------------------------------------------------------------


def is_for(leaf: x509.Certificate, hosts: Sequence[Host]) -> bool:
    """Whether a leaf bears exactly these hosts, in this order."""
    try:
        present = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except _UNREADABLE:
        return False
    return present == _alternatives(hosts)


def is_due(leaf: x509.Certificate, ca: x509.Certificate, now: float) -> bool:
    """Whether a leaf is to be replaced: little time left, or not valid yet after the clock moved.

    One that ends with its CA stays: a new one would not last longer.
    """
    if leaf.not_valid_before_utc > _moment(now):
        return True
    is_last = leaf.not_valid_after_utc >= ca.not_valid_after_utc
    return days_left(leaf, now) < limits.RENEW_DAYS and not is_last


def days_left(certificate: x509.Certificate, now: float) -> float:
    """Until it expires; negative afterwards."""
    return (certificate.not_valid_after_utc - _moment(now)) / timedelta(days=1)


def ca_warning(ca: x509.Certificate, now: float) -> str:
    """What an operator has to know about the end of the CA; empty while it is far away."""
    left = days_left(ca, now)
    if left >= limits.CA_WARN_DAYS:
        return ""
    last = ca.not_valid_after_utc.date()
    return (
        f"the CA ends on {last}, in {max(left, 0):.0f} days: then this server does not start, and "
        f"no client connects. Before that day, begin a server in a new folder and invite everybody"
    )


# --- keeping --------------------------------------------------------------------------------


def to_pem(credentials: Credentials) -> bytes:
    """Private key (PKCS#8, not encrypted: the server starts by itself) and certificate."""
    key = credentials.key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    return key + credentials.certificate.public_bytes(serialization.Encoding.PEM)


def from_pem(data: bytes, what: str) -> Credentials:
    """What `to_pem` wrote. :raises StateDamaged: if it is anything else.

    :param what: the file, for the error.
    """
    try:
        key = serialization.load_pem_private_key(data, None)
        certificate = x509.load_pem_x509_certificate(data)
        certified = certificate.public_key()
    except _UNREADABLE:
        raise StateDamaged(f"{what} holds no private key with its certificate") from None
    if not isinstance(key, Ed25519PrivateKey):
        raise StateDamaged(f"the key in {what} is not Ed25519")
    if certified != key.public_key():
        raise StateDamaged(f"the key in {what} is not its certificate's")
    return Credentials(key, certificate)


def check_ca(ca: x509.Certificate, now: float, what: str) -> None:
    """:raises StateDamaged: if this is no CA, or its time has not come or is over."""
    try:
        ca.verify_directly_issued_by(ca)
        constraints = ca.extensions.get_extension_for_class(x509.BasicConstraints).value
    except _UNREADABLE:
        raise StateDamaged(f"{what} is no CA") from None
    if not constraints.ca:
        raise StateDamaged(f"{what} is no CA")
    if not ca.not_valid_before_utc <= _moment(now) <= ca.not_valid_after_utc:
        first, last = ca.not_valid_before_utc.date(), ca.not_valid_after_utc.date()
        hint = "Nothing was changed. Is this machine's clock right?"
        raise StateDamaged(f"the CA in {what} is good from {first} to {last}, not today", hint)


def check_leaf(leaf: x509.Certificate, ca: x509.Certificate, what: str) -> None:
    """:raises StateDamaged: if the CA did not issue this."""
    try:
        leaf.verify_directly_issued_by(ca)
    except _UNREADABLE:
        raise StateDamaged(f"the certificate in {what} is not of this server's CA") from None
