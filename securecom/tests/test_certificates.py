"""The CA and the server's certificate: what they say, when they are due, what is none of ours."""

from __future__ import annotations

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.x509.oid import ExtendedKeyUsageOID
from twisted.trial.unittest import SynchronousTestCase

from securecom import limits, peers
from securecom.errors import StateDamaged
from securecom.identity import Identity, server_id
from securecom.invitation import Host
from securecom.server import certificates
from securecom.server.certificates import from_pem, is_due, is_for, new_ca, new_leaf, to_pem
from securecom.tls import Credentials

DAY = 86400.0
NOW = 20_000 * DAY + 0.7
HOSTS = (Host("chat.example.org"), Host("192.0.2.7"), Host("2001:db8::7"))


class CertificateTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.ca = new_ca(NOW)
        self.leaf = new_leaf(self.ca, HOSTS, NOW)

    def test_the_ca_may_issue_leaves_and_nothing_else(self) -> None:
        extensions = self.ca.certificate.extensions
        basic = extensions.get_extension_for_class(x509.BasicConstraints)
        self.assertEqual(basic.value, x509.BasicConstraints(ca=True, path_length=0))
        usage = extensions.get_extension_for_class(x509.KeyUsage)
        self.assertTrue(usage.value.key_cert_sign and usage.value.crl_sign)
        self.assertFalse(usage.value.digital_signature or usage.value.key_agreement)
        self.assertTrue(basic.critical and usage.critical)
        self.assertAlmostEqual(certificates.days_left(self.ca.certificate, NOW), limits.CA_DAYS)

    def test_two_cas_differ_in_key_name_and_id(self) -> None:
        other = new_ca(NOW).certificate
        self.assertNotEqual(other.subject, self.ca.certificate.subject)
        self.assertNotEqual(other.public_key(), self.ca.certificate.public_key())
        self.assertNotEqual(server_id(other), server_id(self.ca.certificate))

    def test_the_leaf_is_for_servers_of_this_name_and_these_hosts(self) -> None:
        extensions = self.leaf.certificate.extensions
        usage = extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
        self.assertEqual(list(usage), [ExtendedKeyUsageOID.SERVER_AUTH])
        names = extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        self.assertEqual(
            names.get_values_for_type(x509.DNSName), [peers.SERVER_NAME, "chat.example.org"]
        )
        addresses = map(str, names.get_values_for_type(x509.IPAddress))
        self.assertEqual(list(addresses), ["192.0.2.7", "2001:db8::7"])

    def test_a_nodes_leaf_is_for_both_ends_and_for_nodes_alone(self) -> None:
        node = certificates.new_node_leaf(self.ca, NOW)
        extensions = node.certificate.extensions
        usage = extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
        both = {ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH}
        self.assertEqual(set(usage), both)
        names = extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        self.assertEqual(names.get_values_for_type(x509.DNSName), [peers.NODE_NAME])
        self.assertFalse(extensions.get_extension_for_class(x509.BasicConstraints).value.ca)
        self.assertEqual(node.ca, self.ca.certificate)
        certificates.check_leaf(node.certificate, self.ca.certificate, "a node")
        days = certificates.days_left(node.certificate, NOW)
        self.assertAlmostEqual(days, limits.CERTIFICATE_DAYS)

    def test_the_leaf_can_issue_nothing(self) -> None:
        extensions = self.leaf.certificate.extensions
        self.assertFalse(extensions.get_extension_for_class(x509.BasicConstraints).value.ca)
        usage = extensions.get_extension_for_class(x509.KeyUsage).value
        self.assertTrue(usage.digital_signature)
        self.assertFalse(usage.key_cert_sign)

    def test_the_leaf_names_its_issuer(self) -> None:
        of_ca = self.ca.certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier)
        issuer = self.leaf.certificate.extensions.get_extension_for_class(
            x509.AuthorityKeyIdentifier
        )
        self.assertEqual(issuer.value.key_identifier, of_ca.value.digest)
        self.assertEqual(self.leaf.ca, self.ca.certificate)

    # Promise R11
    def test_both_begin_early(self) -> None:
        for made, days in ((self.ca, limits.CA_BACKDATED_DAYS), (self.leaf, limits.BACKDATED_DAYS)):
            begins = made.certificate.not_valid_before_utc.timestamp()
            self.assertEqual(begins, int(NOW) - days * DAY)

    def test_whom_it_is_for(self) -> None:
        leaf = self.leaf.certificate
        self.assertTrue(is_for(leaf, HOSTS))
        self.assertFalse(is_for(leaf, HOSTS[:2]))
        self.assertFalse(is_for(leaf, ()))
        self.assertFalse(is_for(Identity.generate().certificate, ()))


class DueTests(SynchronousTestCase):
    """When a leaf is to be replaced."""

    def setUp(self) -> None:
        self.ca = new_ca(NOW)
        self.leaf = new_leaf(self.ca, HOSTS, NOW).certificate

    def is_due(self, days: float) -> bool:
        return is_due(self.leaf, self.ca.certificate, NOW + days * DAY)

    def test_not_while_there_is_time(self) -> None:
        self.assertFalse(self.is_due(0))
        self.assertFalse(self.is_due(limits.CERTIFICATE_DAYS - limits.RENEW_DAYS))

    def test_well_before_its_end(self) -> None:
        self.assertTrue(self.is_due(limits.CERTIFICATE_DAYS - limits.RENEW_DAYS + 0.01))

    def test_after_its_end(self) -> None:
        self.assertTrue(self.is_due(limits.CERTIFICATE_DAYS + 1000))

    def test_when_the_clock_was_put_back(self) -> None:
        self.assertTrue(self.is_due(-limits.BACKDATED_DAYS - 1))

    def test_the_last_leaf_ends_with_its_ca_and_is_not_made_again_and_again(self) -> None:
        late = NOW + (limits.CA_DAYS - 10) * DAY
        leaf = new_leaf(self.ca, HOSTS, late).certificate
        self.assertEqual(leaf.not_valid_after_utc, self.ca.certificate.not_valid_after_utc)
        self.assertFalse(is_due(leaf, self.ca.certificate, late))
        self.assertTrue(is_due(self.leaf, self.ca.certificate, late))


class CAWarningTests(SynchronousTestCase):
    """Everybody has to be invited anew before the CA ends: that takes months."""

    # Promise R123
    def test_a_year_before(self) -> None:
        ca = certificates.new_ca(NOW).certificate
        first = NOW + (limits.CA_DAYS - limits.CA_WARN_DAYS) * 86400
        self.assertEqual(certificates.ca_warning(ca, first - 86400), "")
        warning = certificates.ca_warning(ca, first + 86400)
        self.assertIn(f"in {limits.CA_WARN_DAYS - 1} days", warning)
        self.assertIn(str(ca.not_valid_after_utc.date()), warning)


class PemTests(SynchronousTestCase):
    """One text for key and certificate, and what is refused in its place."""

    def refused(self, data: bytes, why: str) -> None:
        error = self.assertRaises(StateDamaged, from_pem, data, "ca.pem")
        self.assertIn(why, str(error))
        self.assertIn("ca.pem", str(error))

    def setUp(self) -> None:
        self.ca = new_ca(NOW)
        pem = to_pem(self.ca)
        at = pem.index(b"-----BEGIN CERTIFICATE")
        self.key, self.certificate = pem[:at], pem[at:]

    def test_there_and_back(self) -> None:
        again = from_pem(to_pem(self.ca), "ca.pem")
        self.assertEqual(again.certificate, self.ca.certificate)
        self.assertEqual(again.key.private_bytes_raw(), self.ca.key.private_bytes_raw())

    def test_a_half(self) -> None:
        for data in (b"", self.key, self.certificate, self.key + self.certificate[:-60]):
            self.refused(data, "no private key with its certificate")

    def test_junk(self) -> None:
        self.refused(b"\xff" * 100, "no private key with its certificate")

    def test_the_key_of_another_certificate(self) -> None:
        other = to_pem(new_ca(NOW))
        self.refused(self.key + other[other.index(b"-----BEGIN CERTIFICATE") :], "certificate's")

    def test_a_key_of_another_kind(self) -> None:
        key = ec.generate_private_key(ec.SECP256R1()).private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        self.refused(key + self.certificate, "not Ed25519")

    def test_an_encrypted_key(self) -> None:
        key = self.ca.key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(b"x"),
        )
        self.refused(key + self.certificate, "no private key with its certificate")


class CheckTests(SynchronousTestCase):
    """Whether a CA is one, and whether a leaf is its."""

    def setUp(self) -> None:
        self.ca = new_ca(NOW)

    def ca_refused(self, certificate: x509.Certificate, now: float, why: str) -> None:
        error = self.assertRaises(StateDamaged, certificates.check_ca, certificate, now, "ca.pem")
        self.assertIn(why, str(error))

    def test_ours_pass(self) -> None:
        certificates.check_ca(self.ca.certificate, NOW, "ca.pem")
        leaf = new_leaf(self.ca, (), NOW).certificate
        certificates.check_leaf(leaf, self.ca.certificate, "server.pem")

    def test_a_leaf_is_no_ca(self) -> None:
        self.ca_refused(new_leaf(self.ca, (), NOW).certificate, NOW, "no CA")

    def test_an_identity_certificate_is_no_ca(self) -> None:
        self.ca_refused(Identity.generate().certificate, NOW, "no CA")

    def test_a_self_signed_certificate_that_says_it_is_no_ca(self) -> None:
        key = Ed25519PrivateKey.generate()
        name = self.ca.certificate.subject
        fake = Credentials(key, _self_signed(key, name))
        self.ca_refused(fake.certificate, NOW, "no CA")

    def test_a_ca_that_somebody_else_signed(self) -> None:
        key, name = Ed25519PrivateKey.generate(), self.ca.certificate.subject
        forged = _self_signed(key, name, is_ca=True, signer=self.ca.key)
        self.ca_refused(forged, NOW, "no CA")
        certificates.check_ca(_self_signed(key, name, is_ca=True), NOW, "ca.pem")

    def test_a_ca_out_of_its_time(self) -> None:
        self.ca_refused(self.ca.certificate, NOW + (limits.CA_DAYS + 1) * DAY, "not today")
        before = (limits.CA_BACKDATED_DAYS + 1) * DAY
        self.ca_refused(self.ca.certificate, NOW - before, "clock")

    def test_a_leaf_of_another_ca(self) -> None:
        leaf = new_leaf(new_ca(NOW), (), NOW).certificate
        check = (certificates.check_leaf, leaf, self.ca.certificate, "server.pem")
        self.assertIn("server.pem", str(self.assertRaises(StateDamaged, *check)))

    def test_a_leaf_of_a_ca_of_the_same_name_and_another_key(self) -> None:
        key = Ed25519PrivateKey.generate()
        twin = Credentials(key, _self_signed(key, self.ca.certificate.subject))
        leaf = new_leaf(twin, (), NOW).certificate
        check = (certificates.check_leaf, leaf, self.ca.certificate, "server.pem")
        self.assertRaises(StateDamaged, *check)


def _self_signed(
    key: Ed25519PrivateKey,
    name: x509.Name,
    is_ca: bool = False,
    signer: Ed25519PrivateKey | None = None,
) -> x509.Certificate:
    like = new_ca(NOW).certificate
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(like.not_valid_before_utc)
        .not_valid_after(like.not_valid_after_utc)
        .add_extension(x509.BasicConstraints(ca=is_ca, path_length=None), critical=True)
        .sign(signer or key, None)
    )
