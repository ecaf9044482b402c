"""Names, keys, certificates, fingerprints."""

from __future__ import annotations

import base64
import hashlib
import string
from datetime import UTC, datetime

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, ssh
from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from securecom import limits
from securecom.errors import BadKey, BadName, WireError
from securecom.identity import (
    Identity,
    Name,
    PublicKey,
    certified_key,
    server_fingerprint,
    server_id,
)
from securecom.tests.certificates import Authority, blank, called

# The key of RFC 8032, section 7.1, test 2. Line and fingerprint as OpenSSH 9.2 gives them for it:
# `ssh-keygen -y` on the private half, and `ssh-keygen -lf` on that line.
RFC8032_SECRET = bytes.fromhex("4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb")
RFC8032_PUBLIC = bytes.fromhex("3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c")
OPENSSH_LINE = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAID1AF8PoQ4lakrcKp00bfrycmCzPLsSWjMDNVfEq9GYM"
OPENSSH_FINGERPRINT = "SHA256:F34nin7tcaYH6WR5LSWSfj6weFBPfBpuyUUoPFP9YjA"


class NameTests(SynchronousTestCase):
    @given(st.from_regex(r"[a-z0-9][a-z0-9._-]{0,31}", fullmatch=True))
    def test_what_a_name_may_be(self, text: str) -> None:
        self.assertEqual(Name(text), text)
        self.assertIsInstance(Name(text), Name)

    @given(st.text(max_size=40))
    def test_a_name_has_only_its_characters(self, text: str) -> None:
        first = string.ascii_lowercase + string.digits
        good = 1 <= len(text) <= 32 and set(text) <= set(first + "._-") and text[0] in first
        try:
            Name(text)
        except BadName:
            self.assertFalse(good)
        else:
            self.assertTrue(good)

    def test_the_edges(self) -> None:
        self.assertEqual(Name("a" * limits.MAX_NAME), "a" * limits.MAX_NAME)
        bad = ["", "a" * (limits.MAX_NAME + 1), "-a", ".a", "_a", "..", "a b", "A", "a\n", "\na"]
        lookalikes = ["\u0430lice", "b\u00f6b", "\uff41", "\u0661", "a/b", "a\0", "a\u200d", "a@b"]
        for text in bad + lookalikes:
            self.assertRaises(BadName, Name, text)


class PublicKeyTests(SynchronousTestCase):
    def test_thirty_two_bytes(self) -> None:
        raw = Identity.generate().public_key.raw
        self.assertEqual(PublicKey(raw).raw, raw)
        for wrong in (b"", raw[:-1], raw + b"\0"):
            self.assertRaises(BadKey, PublicKey, wrong)

    def test_the_key_of_an_identity_is_its_public_half(self) -> None:
        secret = ed25519.Ed25519PrivateKey.from_private_bytes(RFC8032_SECRET)
        self.assertEqual(Identity(secret).public_key, PublicKey(RFC8032_PUBLIC))

    def test_two_identities_differ(self) -> None:
        self.assertNotEqual(Identity.generate().public_key, Identity.generate().public_key)


class OpenSSHTests(SynchronousTestCase):
    def test_line_and_fingerprint_are_openssh_s(self) -> None:
        key = PublicKey(RFC8032_PUBLIC)
        self.assertEqual(key.to_openssh(), OPENSSH_LINE)
        self.assertEqual(key.fingerprint, OPENSSH_FINGERPRINT)

    @given(st.binary(min_size=32, max_size=32))
    def test_round_trip_of_any_bytes_that_are_a_key(self, raw: bytes) -> None:
        try:
            key = PublicKey(raw)
        except BadKey:
            return
        self.assertEqual(PublicKey.from_openssh(key.to_openssh()), key)
        self.assertRegex(key.fingerprint, r"^SHA256:[A-Za-z0-9+/]{43}$")

    def test_the_same_as_the_library_writes(self) -> None:
        identity = Identity.generate()
        public = identity.private_key.public_key()
        line = public.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()
        self.assertEqual(identity.public_key.to_openssh(), line)
        self.assertEqual(PublicKey.from_openssh(line), identity.public_key)

    def test_comments_and_blanks_do_not_matter(self) -> None:
        key = PublicKey(RFC8032_PUBLIC)
        kind, blob = OPENSSH_LINE.split()
        for line in (
            f"{OPENSSH_LINE} bob@laptop",
            f"{OPENSSH_LINE} several words of it",
            f"{OPENSSH_LINE} b\u00f6b@b\u00fcro",
            f"{OPENSSH_LINE}\n",
            f"  {kind}\t{blob}  \r\n",
        ):
            self.assertEqual(PublicKey.from_openssh(line), key, line)

    def test_keys_of_other_kinds(self) -> None:
        form = (Encoding.OpenSSH, PublicFormat.OpenSSH)
        rsa_key = rsa.generate_private_key(65537, 2048).public_key()
        ecdsa_key = ec.generate_private_key(ec.SECP256R1()).public_key()
        for public in (rsa_key, ecdsa_key):
            line = public.public_bytes(*form).decode()
            self.assertRaises(BadKey, PublicKey.from_openssh, line)
            relabelled = f"ssh-ed25519 {line.split()[1]}"
            self.assertRaises(BadKey, PublicKey.from_openssh, relabelled)

    def test_an_ssh_certificate_is_no_key(self) -> None:
        public = Identity.generate().private_key.public_key()
        line = (
            ssh_certificate(public)
            .sign(ed25519.Ed25519PrivateKey.generate())
            .public_bytes()
            .decode()
        )
        self.assertTrue(line.startswith("ssh-ed25519-cert-v01@openssh.com "))
        self.assertRaises(BadKey, PublicKey.from_openssh, line)

    def test_a_key_cut_short_or_drawn_out(self) -> None:
        head, raw = base64.b64decode(OPENSSH_LINE.split()[1])[:19], RFC8032_PUBLIC
        for blob in (b"", head, head + raw[:-1], head + raw + b"\0", raw, head[4:] + raw):
            line = f"ssh-ed25519 {base64.b64encode(blob).decode()}"
            self.assertRaises(BadKey, PublicKey.from_openssh, line)

    def test_a_line_whose_kind_is_not_its_keys(self) -> None:
        for kind in ("ssh-rsa", "ssh-ed25519-cert-v01@openssh.com", "sk-ssh-ed25519@openssh.com"):
            line = f"{kind} {OPENSSH_LINE.split()[1]}"
            self.assertRaises(BadKey, PublicKey.from_openssh, line)

    def test_characters_that_are_not_of_the_alphabet(self) -> None:
        for junk in ("*", "-", "\u00e9", "="):
            line = OPENSSH_LINE[:40] + junk + OPENSSH_LINE[40:]
            self.assertRaises(BadKey, PublicKey.from_openssh, line)

    def test_one_line_only(self) -> None:
        for between in ("\n", "\r\n", "\n\n", "\r"):
            twice = OPENSSH_LINE + between + OPENSSH_LINE
            self.assertRaises(BadKey, PublicKey.from_openssh, twice)

    def test_options_before_the_key_are_not_taken(self) -> None:
        self.assertRaises(BadKey, PublicKey.from_openssh, f"restrict {OPENSSH_LINE}")

    @given(st.text(max_size=80) | st.text(max_size=80).map(lambda text: f"ssh-ed25519 {text}"))
    def test_junk_is_a_bad_key_and_nothing_else(self, line: str) -> None:
        self.assertRaises(BadKey, PublicKey.from_openssh, line)


def ssh_certificate(public: ed25519.Ed25519PublicKey) -> ssh.SSHCertificateBuilder:
    """OpenSSH's own kind of certificate over a key."""
    builder: ssh.SSHCertificateBuilder = (
        ssh.SSHCertificateBuilder()
        .public_key(public)
        .type(ssh.SSHCertificateType.USER)
        .key_id(b"anybody")
        .valid_for_all_principals()
        .valid_after(0)
        .valid_before(2**63)
    )
    return builder


# --- points of small order, by arithmetic (RFC 8032, section 5.1) ---------------------------

P = 2**255 - 19
D = -121665 * pow(121666, -1, P) % P
ONE = (0, 1)
Point = tuple[int, int]


def add(a: Point, b: Point) -> Point:
    """The sum of two points of the curve -x^2 + y^2 = 1 + d x^2 y^2."""
    product = D * a[0] * b[0] * a[1] * b[1] % P
    x = (a[0] * b[1] + b[0] * a[1]) * pow(1 + product, -1, P)
    y = (a[1] * b[1] + a[0] * b[0]) * pow(1 - product, -1, P)
    return x % P, y % P


def times(factor: int, point: Point) -> Point:
    total = ONE
    while factor:
        total = add(total, point) if factor & 1 else total
        point, factor = add(point, point), factor >> 1
    return total


def point_at(y: int) -> Point | None:
    """A point with this y, if there is one: x^2 = (y^2 - 1) / (d y^2 + 1)."""
    square = (y * y - 1) * pow(D * y * y + 1, -1, P) % P
    root = pow(square, (P + 3) // 8, P)
    for x in (root, root * pow(2, (P - 1) // 4, P) % P):
        if x * x % P == square:
            return x, y % P
    return None


def small_points() -> set[Point]:
    """All eight points whose order divides 8: the prime order times some point, and multiples."""
    order = 2**252 + 27742317777372353535851937790883648493
    for y in range(2, 100):
        point = point_at(y)
        if point is not None:
            small = times(order, point)
            if times(4, small) != ONE:  # of order 8 itself, so that it makes all the others
                return {times(factor, small) for factor in range(8)}
    raise AssertionError("no point of order 8 was found")


def encodings(y: int) -> list[bytes]:
    """Every 32 bytes that a lenient decoder takes for this y: unreduced too, either sign."""
    values = [value for value in (y, y + P) if value < 2**255]
    return [(value | sign << 255).to_bytes(32, "little") for value in values for sign in (0, 1)]


class SmallOrderTests(SynchronousTestCase):
    def test_no_encoding_of_a_point_of_small_order_is_a_key(self) -> None:
        points = small_points()
        self.assertEqual(len(points), 8)
        for point in points:
            self.assertEqual(times(8, point), ONE)
        raws = {raw for _, y in points for raw in encodings(y)}
        self.assertEqual(len(raws), 14)  # 5 values of y, two of them in two ways, two signs each
        for raw in raws:
            error = self.assertRaises(BadKey, PublicKey, raw)
            self.assertIn("small order", str(error))

    def test_their_neighbours_are_not_refused(self) -> None:
        for y in (2, P - 2, P + 2, 2**255 - 1):
            self.assertEqual(PublicKey(y.to_bytes(32, "little")).raw, y.to_bytes(32, "little"))


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


class CertificateTests(SynchronousTestCase):
    def assert_refused(self, certificate: x509.Certificate, why: str) -> None:
        error = self.assertRaises(WireError, certified_key, certificate)
        self.assertIn(why, str(error))

    def test_an_identity_certifies_its_key(self) -> None:
        identity = Identity.generate()
        self.assertEqual(certified_key(identity.certificate), identity.public_key)
        self.assertIs(identity.certificate, identity.certificate)  # made once

    def test_a_certificate_tells_nothing_but_the_key(self) -> None:
        one, two = Identity.generate().certificate, Identity.generate().certificate
        self.assertEqual(one.subject, two.subject)
        self.assertEqual(one.not_valid_before_utc, two.not_valid_before_utc)
        self.assertEqual(one.not_valid_after_utc, two.not_valid_after_utc)
        self.assertLess(one.not_valid_before_utc, datetime(2001, 1, 1, tzinfo=UTC))
        self.assertGreater(one.not_valid_after_utc, datetime(9000, 1, 1, tzinfo=UTC))

    def test_names_and_dates_do_not_matter(self) -> None:
        key = ed25519.Ed25519PrivateKey.generate()
        builder = blank((-9, -1)).subject_name(called("a\x1b")).issuer_name(called("a\x1b"))
        certificate = builder.public_key(key.public_key()).sign(key, None)
        self.assertEqual(certified_key(certificate), Identity(key).public_key)

    def test_keys_of_other_kinds(self) -> None:
        for key in (rsa.generate_private_key(65537, 2048), ec.generate_private_key(ec.SECP256R1())):
            self.assert_refused(self_signed_over(key), "without an Ed25519 key")
        other = ed448.Ed448PrivateKey.generate()
        builder = blank().subject_name(called("me")).issuer_name(called("me"))
        certificate = builder.public_key(other.public_key()).sign(other, None)
        self.assert_refused(certificate, "without an Ed25519 key")

    def test_issued_by_somebody_else(self) -> None:
        self.assert_refused(issued_by_another()[1], "somebody else issued")

    def test_issued_by_somebody_of_the_same_name(self) -> None:
        authority, key = Authority(name="me"), ed25519.Ed25519PrivateKey.generate()
        builder = blank().subject_name(called("me")).issuer_name(called("me"))
        certificate = builder.public_key(key.public_key()).sign(authority.key, None)
        self.assert_refused(certificate, "bad signature")

    def test_a_bad_signature(self) -> None:
        self.assert_refused(tampered(Identity.generate().certificate), "bad signature")

    def test_a_point_of_small_order(self) -> None:
        certificate = small_order_certificate()
        key = certificate.public_key()
        assert isinstance(key, ed25519.Ed25519PublicKey)
        key.verify(certificate.signature, certificate.tbs_certificate_bytes)
        self.assert_refused(certificate, "small order")

    def test_a_key_of_an_unknown_kind(self) -> None:
        certificate = Identity.generate().certificate
        der = certificate.public_bytes(Encoding.DER)
        oid = bytes.fromhex("300506032b6570032100")  # the key's algorithm, 1.3.101.112, and length
        unknown = der.replace(oid, bytes.fromhex("300506032b656f032100"))  # X448, wrong length
        unknown = unknown.replace(b"\x2b\x65\x70", b"\x2b\x65\x7f")
        for raw in (der.replace(oid, bytes.fromhex("300506032b657f032100")), unknown):
            self.assertNotEqual(raw, der)
            self.assert_refused(x509.load_der_x509_certificate(raw), "cannot be read")


class ServerIdTests(SynchronousTestCase):
    def test_an_id_is_the_hash_of_the_whole_certificate(self) -> None:
        certificate = Authority().certificate
        self.assertEqual(server_id(certificate), certificate.fingerprint(hashes.SHA256()))
        self.assertNotEqual(server_id(certificate), server_id(Authority().certificate))

    def test_a_fingerprint_is_eighty_bits_in_crockfords_alphabet(self) -> None:
        self.assertEqual(server_fingerprint(bytes(32)), "0000-0000-0000-0000")
        self.assertEqual(server_fingerprint(b"\xff" * 32), "ZZZZ-ZZZZ-ZZZZ-ZZZZ")
        counted = bytes.fromhex("00443214c74254b635cf")  # 0, 1, 2 ... 15, five bits each
        self.assertEqual(server_fingerprint(counted + bytes(22)), "0123-4567-89AB-CDEF")
        ident = hashlib.sha256(b"").digest()
        self.assertNotRegex(server_fingerprint(ident), "[ILOU]")

    def test_every_one_of_its_eighty_bits_counts(self) -> None:
        seen = {server_fingerprint(bytes(32))}
        for bit in range(80):
            seen.add(server_fingerprint((1 << (255 - bit)).to_bytes(32, "big")))
        self.assertEqual(len(seen), 81)
