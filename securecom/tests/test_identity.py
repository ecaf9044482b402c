"""Names, OpenSSH lines, fingerprints."""

from __future__ import annotations

import base64
import hashlib
import string

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, ssh
from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from securecom import limits
from securecom.errors import BadKey, BadName, StateUnusable
from securecom.identity import (
    SECOND_KEY_BYTES,
    Identity,
    Name,
    PublicKey,
    SecondKey,
    derived_key,
    server_fingerprint,
    server_id,
)
from securecom.tests.support.server_certificates import Authority

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
        self.assertEqual(Identity(secret).public_key.first, PublicKey(RFC8032_PUBLIC))

    def test_two_identities_differ(self) -> None:
        self.assertNotEqual(Identity.generate().public_key, Identity.generate().public_key)


class SecondKeyTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.identity = Identity(ed25519.Ed25519PrivateKey.from_private_bytes(RFC8032_SECRET))

    def test_one_secret_has_one_second_key(self) -> None:
        again = Identity(ed25519.Ed25519PrivateKey.from_private_bytes(RFC8032_SECRET))
        self.assertEqual(self.identity.second_key, again.second_key)
        self.assertNotEqual(self.identity.second_key, Identity.generate().second_key)
        self.assertEqual(again.second_key.digest, hashlib.sha256(again.second_key.raw).digest())

    # Promise T132
    def test_another_label_is_another_key(self) -> None:
        keys = [derived_key(self.identity.private_key, label) for label in (b"one", b"two")]
        self.assertEqual(len({key.private_bytes_raw() for key in keys}), 2)

    # Promise T132
    def test_the_scalar_is_not_enough(self) -> None:
        """What breaking the curve gives is a hash of the seed, and leads to another key."""
        digest = hashlib.sha512(RFC8032_SECRET).digest()[:32]
        thief = ed25519.Ed25519PrivateKey.from_private_bytes(digest)
        self.assertNotEqual(Identity(thief).second_key, self.identity.second_key)

    # Promise T127
    def test_a_library_that_ignores_purposes_is_not_used(self) -> None:
        """With it, a signature from one place would be good in any other."""
        self.patch(SecondKey, "_verifies", lambda *_: True)
        self.patch(SecondKey, "purposes_count", False)
        key = self.identity.second_key
        for _ in range(2):
            self.assertRaises(StateUnusable, key.has_signed, b"", b"text", b"purpose")

    def test_a_good_library_is_asked_once(self) -> None:
        asked: list[bytes] = []

        def verifies(_: SecondKey, signature: bytes, said: bytes, purpose: bytes) -> bool:
            asked.append(purpose)
            return purpose == b"purpose"

        self.patch(SecondKey, "_verifies", verifies)
        self.patch(SecondKey, "purposes_count", False)
        for _ in range(2):
            self.assertTrue(self.identity.second_key.has_signed(b"", b"text", b"purpose"))
        self.assertEqual(asked, [b"purpose", b"purpose ", b"purpose"])

    def test_a_signature_is_good_for_its_key_text_and_purpose_only(self) -> None:
        signature = self.identity.sign_second(b"text", b"purpose")
        key, other = self.identity.second_key, Identity.generate().second_key
        self.assertTrue(key.has_signed(signature, b"text", b"purpose"))
        self.assertFalse(key.has_signed(signature, b"text", b""))
        self.assertFalse(key.has_signed(signature, b"text", b"purpose!"))
        self.assertFalse(key.has_signed(signature, b"texts", b"purpose"))
        self.assertFalse(other.has_signed(signature, b"text", b"purpose"))
        for wrong in (b"", signature[:-1], signature + b"\0", bytes(len(signature))):
            self.assertFalse(key.has_signed(wrong, b"text", b"purpose"))

    def test_two_signatures_of_one_text_differ(self) -> None:
        """So nothing may take a signature for an id."""
        signatures = {self.identity.sign_second(b"text", b"purpose") for _ in range(2)}
        self.assertEqual(len(signatures), 2)

    def test_the_length_of_a_second_key(self) -> None:
        for wrong in (b"", bytes(SECOND_KEY_BYTES - 1), bytes(SECOND_KEY_BYTES + 1)):
            self.assertRaises(BadKey, SecondKey, wrong)


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
        self.assertEqual(PublicKey.from_openssh(line), identity.public_key.first)

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
