"""A CA for tests, and the good and bad server certificates that it or an impostor can issue."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID, ObjectIdentifier

from securecom.peers import SERVER_NAME
from securecom.tls import Credentials

SERVER = (ExtendedKeyUsageOID.SERVER_AUTH,)
CLIENT = (ExtendedKeyUsageOID.CLIENT_AUTH,)
CA_NAME = "securecom test CA"


def called(text: str) -> x509.Name:
    """An X.509 name."""
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def blank(days: tuple[int, int] = (-1, 30)) -> x509.CertificateBuilder:
    """A certificate that says nothing but when it is valid, in days from now."""
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .serial_number(x509.random_serial_number())
        .not_valid_before(now + timedelta(days[0]))
        .not_valid_after(now + timedelta(days[1]))
    )


class Authority:
    """A private CA: the root, or, with a parent, an intermediate below one."""

    def __init__(
        self,
        parent: Authority | None = None,
        name: str = CA_NAME,
        days: tuple[int, int] = (-1, 30),
        depth: int = 0,
    ) -> None:
        self.key = Ed25519PrivateKey.generate()
        self.name = called(name)
        issuer = parent or self
        self.certificate = (
            blank(days)
            .subject_name(self.name)
            .issuer_name(issuer.name)
            .public_key(self.key.public_key())
            .add_extension(x509.BasicConstraints(ca=True, path_length=depth), critical=True)
            .sign(issuer.key, None)
        )

    def credentials(
        self,
        *,
        names: Iterable[str] = (SERVER_NAME,),
        usage: tuple[ObjectIdentifier, ...] = SERVER,
        days: tuple[int, int] = (-1, 30),
        is_ca: bool = False,
    ) -> Credentials:
        """A server's, good unless told otherwise; an empty `names` or `usage` is left out."""
        key = Ed25519PrivateKey.generate()
        builder = blank(days).subject_name(called("leaf")).issuer_name(self.name)
        builder = builder.public_key(key.public_key())
        builder = builder.add_extension(x509.BasicConstraints(is_ca, None), critical=True)
        if names:
            several = [x509.DNSName(name) for name in names]
            builder = builder.add_extension(x509.SubjectAlternativeName(several), critical=False)
        if usage:
            builder = builder.add_extension(x509.ExtendedKeyUsage(usage), critical=False)
        return Credentials(key, builder.sign(self.key, None), self.certificate)


def bad_servers(real: Authority) -> dict[str, tuple[Credentials, str]]:
    """What a client that pinned `real` must refuse: credentials, and a part of the reason."""
    impostor = Authority()
    good, forged = real.credentials(), impostor.credentials()
    below = Authority(parent=real, name="an intermediate").credentials()
    stale = Authority(days=(-9, -1)).credentials()
    return {
        "another CA": (forged, "not the server you know"),
        "forged": (Credentials(forged.key, forged.certificate, real.certificate), "signature"),
        "no name": (real.credentials(names=()), "another name"),
        "wrong name": (real.credentials(names=("chat.example.org",)), "another name"),
        "no usage": (real.credentials(usage=()), "what it is for"),
        "for clients": (real.credentials(usage=CLIENT), "not for servers"),
        "a CA itself": (real.credentials(is_ca=True), "could issue others"),
        "no CA attached": (Credentials(good.key, good.certificate), "no CA came with it"),
        "an intermediate": (below, "not the server you know"),
        "self-signed": (self_signed(), "self-signed"),
        "another, expired CA": (stale, "not the server you know"),
    }


def bad_dates(real: Authority) -> dict[str, Credentials]:
    """What the pinned CA did issue, and this machine's clock says no to, by what it says."""
    return {
        "3 days behind": real.credentials(days=(3, 90)),
        "100 days ahead": real.credentials(days=(-190, -100)),
    }


def self_signed() -> Credentials:
    """A server's certificate that is its own CA."""
    key = Ed25519PrivateKey.generate()
    name = x509.SubjectAlternativeName([x509.DNSName(SERVER_NAME)])
    builder = blank().subject_name(called("leaf")).issuer_name(called("leaf"))
    builder = builder.public_key(key.public_key()).add_extension(name, critical=False)
    return Credentials(key, builder.sign(key, None))
