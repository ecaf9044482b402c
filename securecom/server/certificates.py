"""The server's certificates: its private CA, the leaf that it shows to clients, those of its nodes.

All are Ed25519. Clients pin the CA's SHA-256 and look for `peers.SERVER_NAME` in the leaf. Key and
certificate share one PEM file, so that they change together. Times are seconds since the epoch.
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
#: What `cryptography` raises for a damaged certificate. Their only common base is Exception.
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
    """Make a self-signed CA. Part of its name is random, so that no two servers share one."""
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
    """Make a certificate for `peers.SERVER_NAME` and the hosts; it never outlives its CA."""
    usage = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH])
    return _issued(ca, peers.SERVER_NAME, usage, _alternatives(hosts), now)


def new_node_leaf(ca: Credentials, now: float) -> Credentials:
    """Make a certificate for one node of the server, which other nodes accept at both ends.

    No client takes it for the server's: that has another name.
    """
    both = [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
    names = x509.SubjectAlternativeName([x509.DNSName(peers.NODE_NAME)])
    return _issued(ca, peers.NODE_NAME, x509.ExtendedKeyUsage(both), names, now)


def _issued(
    ca: Credentials,
    name: str,
    usage: x509.ExtendedKeyUsage,
    names: x509.SubjectAlternativeName,
    now: float,
) -> Credentials:
    key = Ed25519PrivateKey.generate()
    issuer = x509.AuthorityKeyIdentifier.from_issuer_public_key(ca.key.public_key())
    last = _moment(now) + timedelta(days=limits.CERTIFICATE_DAYS)
    builder = (
        _builder(key, now, min(last, ca.certificate.not_valid_after_utc))
        .subject_name(_name(name))
        .issuer_name(ca.certificate.subject)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage("digital_signature"), critical=True)
        .add_extension(usage, critical=False)
        .add_extension(names, critical=False)
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


# --- renewing -------------------------------------------------------------------------------


def is_for(leaf: x509.Certificate, hosts: Sequence[Host]) -> bool:
    """Whether a leaf names exactly these hosts, in this order."""
    try:
        present = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except _UNREADABLE:
        return False
    return present == _alternatives(hosts)


def is_due(leaf: x509.Certificate, ca: x509.Certificate, now: float) -> bool:
    """Whether to replace a leaf: it expires soon, or is not valid yet because the clock was set.

    A leaf that expires with its CA stays, since a new one would not last longer.
    """
    if leaf.not_valid_before_utc > _moment(now):
        return True
    is_last = leaf.not_valid_after_utc >= ca.not_valid_after_utc
    return days_left(leaf, now) < limits.RENEW_DAYS and not is_last


def days_left(certificate: x509.Certificate, now: float) -> float:
    """Days until a certificate expires; negative afterwards."""
    return (certificate.not_valid_after_utc - _moment(now)) / timedelta(days=1)


def ca_warning(ca: x509.Certificate, now: float) -> str:
    """A warning for the operator that the CA expires soon; empty while that is far away."""
    left = days_left(ca, now)
    if left >= limits.CA_WARN_DAYS:
        return ""
    last = ca.not_valid_after_utc.date()
    return (
        f"the CA expires on {last}, in {max(left, 0):.0f} days. After that this server does not "
        f"start and no client connects. Set up a server in a new folder before that day, and "
        f"invite everybody"
    )


# --- keeping --------------------------------------------------------------------------------


def to_pem(credentials: Credentials) -> bytes:
    """Write private key (PKCS#8, unencrypted: the server starts unattended) and certificate."""
    key = credentials.key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    return key + credentials.certificate.public_bytes(serialization.Encoding.PEM)


def from_pem(data: bytes, what: str) -> Credentials:
    """Read what `to_pem` wrote.

    :param what: the file, for the error.
    :raises StateDamaged: if it is anything else.
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
    """:raises StateDamaged: if this is not a CA, or is not valid now."""
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
        raise StateDamaged(f"this server's CA did not issue the certificate in {what}") from None
