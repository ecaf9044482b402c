"""Points of small order, which are no keys, and the certificates that carry a key."""

from __future__ import annotations

from datetime import UTC, datetime

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from twisted.trial.unittest import SynchronousTestCase

from securecom.errors import BadKey, WireError
from securecom.identity import (
    Identity,
    PublicKey,
    certified_key,
)
from securecom.tests.support.identity_certificates import (
    issued_by_another,
    self_signed_over,
    small_order_certificate,
    tampered,
)
from securecom.tests.support.server_certificates import Authority, blank, called

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


class CertificateTests(SynchronousTestCase):
    def assert_refused(self, certificate: x509.Certificate, why: str) -> None:
        error = self.assertRaises(WireError, certified_key, certificate)
        self.assertIn(why, str(error))

    def test_an_identity_certifies_its_key(self) -> None:
        identity = Identity.generate()
        self.assertEqual(certified_key(identity.certificate), identity.public_key.first)
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
        self.assertEqual(certified_key(certificate), Identity(key).public_key.first)

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
