"""Identity files: ours and ssh-keygen's, with and without a pass phrase, and what is refused."""

from __future__ import annotations

import base64
import os
import subprocess

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from securecom import limits
from securecom.client.profile import identity_file
from securecom.client.profile.identity_file import make_identity_file, read_identity_file
from securecom.errors import IdentityProblem, PassPhraseProblem
from securecom.tests.support.identity_file_case import IdentityFileCase, key_file

# Made by: ssh-keygen -q -t ed25519 -N "open sesame" -a 2 -C a@b -f key
OPENSSH_KEY = b"""\
-----BEGIN OPENSSH PRIVATE KEY-----
b3BlbnNzaC1rZXktdjEAAAAACmFlczI1Ni1jdHIAAAAGYmNyeXB0AAAAGAAAABA5Xq+o9o
zD8MMqDJY/X4qbAAAAAgAAAAEAAAAzAAAAC3NzaC1lZDI1NTE5AAAAIBEm6qgiCHccZm4v
K/O1NjGdDHUfAbEpZoFwt9DAdlGWAAAAkPCT8Q1EYbrdXQXmap/LmV6p5NsmHoOBkqTrxA
DRqf8cwczlBeTLs/JiiGbh8fsv8hRxX+T6h98hTQ1qcl+W5sXqnm/5gxAbMHkn0TgyTpTt
aazSv14SyaORpNB/eex4q1qnI6dJLpek6rkeR+2WeUObNIEFfKHieifwwNoe4glMjYiVa+
1T0llf67MQWV+5Zw==
-----END OPENSSH PRIVATE KEY-----
"""


# Made by: ssh-keygen -q -t ed25519 -N "open sesame" -a 1 -Z aes256-gcm@openssh.com -C a@b -f key
GCM_KEY = b"""\
-----BEGIN OPENSSH PRIVATE KEY-----
b3BlbnNzaC1rZXktdjEAAAAAFmFlczI1Ni1nY21Ab3BlbnNzaC5jb20AAAAGYmNyeXB0AA
AAGAAAABDo2RC/TDcIzbs/tV57ostSAAAAAQAAAAEAAAAzAAAAC3NzaC1lZDI1NTE5AAAA
IFmQhhu93T/qD7P5s2jQ2ieMoIM4iDFL1vYQV2eQIgz+AAAAkA608obQkpeaEs/MrI7EK/
CwBFZFCFj0kwYnh80yUxX8ykQBhed+kj3QpD+qDlI90QPOwF+AJGzm4EHuJPJXhVH07Dot
jlvo1bKOtH5mxExyBd44EeOZ5Fn9s32Az+DuaUrMJHZxgbnUdhfJsDr7uUaZI5c/QirYFf
g9ixLShXF3+4kQUAkkyJ7R/ju+5HAzD9XfyEgpZVt8Cyy6aaQJDbQ=
-----END OPENSSH PRIVATE KEY-----
"""
#: Those of `ssh-keygen -Z` (OpenSSH 9.2) that cryptography does not read.
UNREAD = (
    b"3des-cbc",
    b"aes128-cbc",
    b"aes192-cbc",
    b"aes128-ctr",
    b"aes192-ctr",
    b"aes128-gcm@openssh.com",
    b"chacha20-poly1305@openssh.com",
)


class IdentityFileTests(IdentityFileCase):
    def test_a_new_key_without_a_pass_phrase_comes_back(self) -> None:
        identity = make_identity_file(self.path, None)
        file = read_identity_file(self.path)
        self.assertFalse(file.is_protected)
        self.assertEqual(file.unlock(None).public_key, identity.public_key)

    # Promise T108
    def test_a_new_key_with_a_pass_phrase_comes_back_only_with_it(self) -> None:
        identity = make_identity_file(self.path, b"open sesame")
        file = read_identity_file(self.path)
        self.assertTrue(file.is_protected)
        self.assertEqual(file.unlock(b"open sesame").public_key, identity.public_key)
        for wrong in (b"open Sesame", b"", None):
            self.assertRaises(PassPhraseProblem, file.unlock, wrong)

    # Promise T108
    def test_the_protection_has_its_rounds(self) -> None:
        self.patch(limits, "BCRYPT_ROUNDS", 3)
        make_identity_file(self.path, b"x")
        text = read_identity_file(self.path).data.split(b"\n")[1:-2]
        self.assertIn(b"\0\0\0\x03\0\0\0\x01", base64.b64decode(b"".join(text))[:100])

    def test_a_new_key_is_private_and_so_is_its_folder(self) -> None:
        path = self.folder / "new" / "identity"
        make_identity_file(path, None)
        self.assertEqual(path.stat().st_mode & 0o777, 0o600)
        self.assertEqual(path.parent.stat().st_mode & 0o777, 0o700)

    def test_a_key_that_ssh_keygen_made(self) -> None:
        file = read_identity_file(self.write(OPENSSH_KEY))
        self.assertTrue(file.is_protected)
        fingerprint = file.unlock(b"open sesame").public_key.first.fingerprint
        self.assertEqual(fingerprint, "SHA256:EzJe3nqf8MFiCa763qS9sNoUTNd43FV39M6/P8DxiEQ")

    def test_where_no_key_can_be_written_none_is_made(self) -> None:
        (self.folder / "file").write_bytes(b"")
        path = self.folder / "file" / "identity"
        self.assertRaises(IdentityProblem, make_identity_file, path, None)

    def test_a_file_that_others_may_read_is_refused_with_what_to_type(self) -> None:
        for mode in (0o640, 0o604, 0o620, 0o666):
            path = self.write(OPENSSH_KEY, mode)
            error = self.assertRaises(IdentityProblem, read_identity_file, path)
            self.assertIn(f"chmod 600 {path}", error.hint)

    def test_what_is_no_private_key_is_called_that_whoever_may_read_it(self) -> None:
        path = self.write(b"ssh-ed25519 AAAA alice@example.org\n", 0o644)
        error = self.assertRaises(IdentityProblem, read_identity_file, path)
        self.assertIn("no OpenSSH private key", error.what)
        self.assertNotIn("chmod", error.hint)

    def test_a_missing_file(self) -> None:
        error = self.assertRaises(IdentityProblem, read_identity_file, self.folder / "none")
        self.assertIn("no such file", str(error))

    def test_other_kinds_of_key_are_named(self) -> None:
        keys = (
            (rsa.generate_private_key(65537, 2048), "ssh-rsa"),
            (ec.generate_private_key(ec.SECP256R1()), "ecdsa-sha2-nistp256"),
        )
        for key, kind in keys:
            data = key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.OpenSSH,
                serialization.NoEncryption(),
            )
            message = self.refused(data)
            self.assertIn(kind, message)
            self.assertIn("ssh-keygen -t ed25519", message)

    def test_a_key_whose_secret_is_not_in_the_file_is_refused(self) -> None:
        """It has no seed, so no second key comes of it. Told before a pass phrase is asked for."""
        for kind in (b"sk-ssh-ed25519@openssh.com", b"sk-ecdsa-sha2-nistp256@openssh.com"):
            for cipher, kdf in ((b"none", b"none"), (b"aes256-ctr", b"bcrypt")):
                told = self.refused(key_file(cipher=cipher, kdf=kdf, kind=kind))
                self.assertIn("in a security key, not in the file: no second key", told)
                self.assertIn("Nothing was sent", told)
                self.assertIn("ssh-keygen -t ed25519", told)

    def test_another_format_is_named(self) -> None:
        data = Ed25519PrivateKey.generate().private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        self.assertIn("PKCS#8", self.refused(data))

    # Promise R61
    def test_a_key_under_a_cipher_that_checks(self) -> None:
        """Its wrong pass phrase is an InvalidTag, which is no ValueError."""
        file = read_identity_file(self.write(GCM_KEY))
        fingerprint = file.unlock(b"open sesame").public_key.first.fingerprint
        self.assertEqual(fingerprint, "SHA256:QefZVIX9jA+4+78o5XcjLn8VknaCgiD4dLbMGSQN3F4")
        for wrong in (b"open Sesame", b"", None):
            self.assertRaises(PassPhraseProblem, file.unlock, wrong)

    # Promise R62
    def test_a_cipher_that_is_not_read_is_told_before_anybody_is_asked(self) -> None:
        again = f"ssh-keygen -p -Z aes256-ctr -a {limits.BCRYPT_ROUNDS} -f {self.path}"
        for cipher in UNREAD:
            message = self.refused(key_file(cipher))
            self.assertIn(cipher.decode(), message)
            self.assertIn(again, message)

    # Promise R62
    def test_the_ciphers_that_are_read_are_those_of_the_library(self) -> None:
        for cipher in (*UNREAD, *identity_file._CIPHERS):
            with self.assertRaises(Exception) as caught:
                serialization.load_ssh_private_key(key_file(cipher), b"x")
            is_unread = isinstance(caught.exception, UnsupportedAlgorithm)
            self.assertEqual(is_unread, cipher in UNREAD, cipher)

    # Promise R59
    def test_work_without_end_is_told_before_anybody_is_asked(self) -> None:
        for rounds in (0, limits.MAX_BCRYPT_ROUNDS + 1, 2**32 - 1):
            self.assertIn(f"{rounds} rounds", self.refused(key_file(rounds=rounds)))
        read_identity_file(self.write(key_file(rounds=limits.MAX_BCRYPT_ROUNDS)))
        self.assertIn("scrypt", self.refused(key_file(kdf=b"scrypt")))
        self.assertIn("none", self.refused(key_file(cipher=b"none")))

    # Promise R63
    def test_other_forms_are_named_with_what_converts_them(self) -> None:
        for data, what, hint in (
            (b"\xef\xbb\xbf" + OPENSSH_KEY, "BOM", "tail -c +4"),
            (OPENSSH_KEY.decode().encode("utf-16"), "UTF-16", "iconv -f UTF-16"),
            (b"\xfe\xff" + OPENSSH_KEY.decode().encode("utf-16-be"), "UTF-16", "iconv"),
            (b"PuTTY-User-Key-File-3: ssh-ed25519\n", "PuTTY", "puttygen"),
            (b"-----BEGIN ENCRYPTED PRIVATE KEY-----\n", "PKCS#8", "OpenSSH 9.6"),
            (b"ssh-ed25519 AAAA a@b\n", "a public one", "without .pub"),
            (b"hello", "no OpenSSH private key", "ssh-keygen -t ed25519"),
        ):
            message = self.refused(data)
            self.assertIn(what, message)
            self.assertIn(hint, message)

    # Promise R63
    def test_a_hint_can_be_pasted_whatever_the_file_is_called(self) -> None:
        path = self.folder / "my key"
        path.write_bytes(key_file(b"3des-cbc"))
        path.chmod(0o600)
        error = self.assertRaises(IdentityProblem, read_identity_file, path)
        self.assertIn(f"-f '{path}'", error.hint)

    # Promise R63
    def test_what_the_hints_say_does_convert_them(self) -> None:
        """Those that need no program but a shell's."""
        for data in (b"\xef\xbb\xbf" + OPENSSH_KEY, OPENSSH_KEY.decode().encode("utf-16")):
            error = self.assertRaises(IdentityProblem, read_identity_file, self.write(data))
            command = error.hint[error.hint.index("(umask") :]
            subprocess.run(["/bin/sh", "-c", command], check=True)
            made = self.path.with_name("identity.openssh")
            self.assertEqual(read_identity_file(made).data, OPENSSH_KEY)
            made.unlink()

    # Promise R64
    def test_text_behind_the_end_is_no_part_of_the_key(self) -> None:
        for behind in (b"a note\n", b"\n\n", b"-----BEGIN CERTIFICATE-----\n"):
            file = read_identity_file(self.write(OPENSSH_KEY + behind))
            file.unlock(b"open sesame")
        self.assertIn("no OpenSSH", self.refused(b"a note\n" + OPENSSH_KEY))

    def test_ends_of_line_of_another_system(self) -> None:
        read_identity_file(self.write(OPENSSH_KEY.replace(b"\n", b"\r\n"))).unlock(b"open sesame")

    # Promise R51
    def test_what_is_no_regular_file_keeps_nobody_waiting(self) -> None:
        os.mkfifo(self.path)
        error = self.assertRaises(IdentityProblem, read_identity_file, self.path)
        self.assertIn("not a regular file", error.what)
        self.assertRaises(IdentityProblem, read_identity_file, self.folder)

    def test_what_is_no_key_is_refused(self) -> None:
        begin, end = b"-----BEGIN OPENSSH PRIVATE KEY-----\n", b"-----END OPENSSH PRIVATE KEY-----"
        for data in (b"", b"hello", OPENSSH_KEY[:200], begin + end, begin + b"AAAA" + end):
            self.refused(data)
        self.assertIn("too long", self.refused(b"x" * (limits.MAX_IDENTITY_FILE + 1)))

    def test_every_cut_of_a_key_is_refused(self) -> None:
        lines = OPENSSH_KEY.split(b"\n")
        body = b"".join(lines[1:-2])
        for length in range(0, len(body), 4):
            data = b"\n".join((lines[0], body[:length], lines[-2]))
            path = self.write(data)
            with self.assertRaises(IdentityProblem):
                read_identity_file(path).unlock(b"open sesame")

    def test_a_damaged_key_without_pass_phrase_is_called_damaged(self) -> None:
        make_identity_file(self.path, None)
        lines = self.path.read_bytes().split(b"\n")
        lines[3] = lines[3][:10] + b"AAAAAAAA" + lines[3][18:]
        file = read_identity_file(self.write(b"\n".join(lines)))
        self.assertIn("damaged", str(self.assertRaises(IdentityProblem, file.unlock, None)))

    def test_a_protection_that_is_not_supported_is_named(self) -> None:
        file = read_identity_file(self.write(OPENSSH_KEY))

        def unsupported(data: bytes, password: bytes | None) -> None:
            raise UnsupportedAlgorithm("rot13")

        self.patch(serialization, "load_ssh_private_key", unsupported)
        self.assertIn("rot13", str(self.assertRaises(IdentityProblem, file.unlock, b"x")))
