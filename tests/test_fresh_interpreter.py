"""What only a new process can show: core dumps, imports, and how OpenSSL is configured."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path
from unittest import skipUnless

from twisted.trial.unittest import SynchronousTestCase

from securecom import tls

#: Prints the limit of core dumps, and whether the system would dump this process (prctl(2): 3).
LOOK = """
import ctypes, resource, sys
sys.stdout.write(f"{resource.getrlimit(resource.RLIMIT_CORE)} {ctypes.CDLL(None).prctl(3)}")
sys.stdout.flush()
"""
NOT_DUMPED = "(0, 0) 0"
#: A file for OPENSSL_CONF that changes the default of every context.
OPENSSL_CONF = """\
openssl_conf = all
[all]
ssl_conf = ssl
[ssl]
system_default = defaults
[defaults]
"""
#: Prints the group that two plain contexts agree on, and then that of two ends of ours.
MEET_ITSELF = """
from OpenSSL import SSL
from securecom import tls
from securecom.identity import Identity
from securecom.tests.support.tls_case import shake_hands

one, two = Identity.generate(), Identity.generate()
plain = SSL.Context(SSL.TLS_METHOD)
plain.use_certificate(one.certificate)
plain.use_privatekey(one.private_key)
ends = SSL.Connection(plain), SSL.Connection(plain)
ends[0].set_connect_state()
ends[1].set_accept_state()
shake_hands(*ends)
print(ends[0].get_group_name())
ends = (
    tls.chat_end(one, two.public_key).in_memory(True, None),
    tls.chat_end(two, one.public_key).in_memory(False, None),
)
shake_hands(*ends)
print(ends[0].get_group_name())
"""


@skipUnless(sys.platform == "linux", "prctl is Linux's")
class CoreDumpTests(SynchronousTestCase):
    """Each program looks at itself where it would ask for a pass phrase or read the CA's key."""

    def seen_by(self, program: str) -> str:
        env = {**os.environ, "HOME": self.mktemp(), "SECURECOM_STATE": self.mktemp()}
        done = subprocess.run(
            [sys.executable, "-c", program], env=env, capture_output=True, text=True, check=False
        )
        return done.stdout

    def test_by_itself_a_process_is_dumped(self) -> None:
        """Or the tests below would show nothing."""
        self.assertTrue(self.seen_by(LOOK).endswith(" 1"))

    # Promise R126
    def test_the_client(self) -> None:
        told = self.seen_by(
            "from securecom.client import __main__ as it\n"
            f"it.parser = lambda: exec({LOOK!r})\n"
            "it.main([])"
        )
        self.assertEqual(told, NOT_DUMPED)

    # Promise R126
    def test_the_process_that_encrypts_a_backup(self) -> None:
        told = self.seen_by(
            "from types import SimpleNamespace as S\n"
            "import sys\n"
            "from securecom.client.program import sealing as it\n"
            "sys.stdin = S(buffer=S(read=lambda: bytes(4)))\n"
            f"def seal(data, phrase):\n exec({LOOK!r})\n return b''\n"
            "it.seal = seal\n"
            "it.main()"
        )
        self.assertEqual(told, NOT_DUMPED)

    # Promise R126
    def test_the_server(self) -> None:
        told = self.seen_by(
            "from securecom import tap as it\n"
            f"it.open_state = lambda *_: exec({LOOK!r})\n"
            "options = it.Options()\n"
            "options.parseOptions([])\n"
            "it.makeService(options)"
        )
        self.assertEqual(told, NOT_DUMPED)

    # Promise R126
    def test_the_admin_command(self) -> None:
        told = self.seen_by(
            "from securecom.admin import __main__ as it\n"
            f"it.run = lambda *_: exec({LOOK!r})\n"
            "it.main([])"
        )
        self.assertEqual(told, NOT_DUMPED)

    # Promise R126
    def test_the_unit(self) -> None:
        unit = Path(__file__).parents[1] / "etc" / "securecom.service"
        self.assertIn("\nLimitCORE=0\n", unit.read_text())


class ReactorTests(SynchronousTestCase):
    def test_nothing_imports_a_reactor_before_it_is_time(self) -> None:
        program = (
            "import sys, securecom.client.__main__, securecom.client.frontends.lines, "
            "securecom.client.program.visit; sys.exit('twisted.internet.reactor' in sys.modules)"
        )
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
        done = subprocess.run([sys.executable, "-c", program], env=environment, check=False)
        self.assertEqual(done.returncode, 0)


#: Runs the client with some arguments, and prints which of some packages that has imported.
IMPORTED = """
import sys
from contextlib import suppress
from securecom.client.__main__ import main

sys.argv[1:], packages = sys.argv[2:], sys.argv[1].split()
with suppress(SystemExit):
    main()
print("\\nimported:", *(name for name in packages if name in sys.modules))
"""
#: Prints the same after a front-end was made as the client makes it, by its name.
CHOSEN = """
import sys
from argparse import Namespace
from securecom.client.program import choosing, running

packages, name = sys.argv[1].split(), sys.argv[2]
print(choosing.choose(Namespace(frontend=name)).name)
print("\\nimported:", *(name for name in packages if name in sys.modules))
"""
#: Prints which data classes of ours a client has that goes on line.
DATA_CLASSES = """
import sys
from securecom.client import __main__
from securecom.client.program import running, standard_lines

for module in [one for name, one in sys.modules.items() if name.startswith("securecom.")]:
    for thing in vars(module).values():
        if "__dataclass_fields__" in getattr(thing, "__dict__", {}):
            print(f"{thing.__module__}.{thing.__qualname__}")
"""
MOST_DATA_CLASSES = 12
#: What a client needs only once somebody chats, or makes a backup.
LATER = (
    "securecom.client.chat.chat_session",
    "securecom.client.files.exchange",
    "securecom.client.program.backing_up",
    "securecom.client.profile.backup",
)


class ImportTests(SynchronousTestCase):
    """What a start needs no time for, since it is not imported."""

    def imported(self, program: str, packages: str, *arguments: str) -> tuple[str, str]:
        """What it writes, and which of the packages it imports."""
        path = os.pathsep.join(filter(None, sys.path))
        env = {**os.environ, "PYTHONPATH": path, "SECURECOM_HOME": self.mktemp()}
        argv = [sys.executable, "-c", program, packages, *arguments]
        done = subprocess.run(argv, env=env, capture_output=True, text=True, check=True)
        before, _, found = done.stdout.rpartition("imported:")
        return before + done.stderr, found.strip()

    def test_help_version_and_mistakes_come_without_twisted_and_cryptography(self) -> None:
        heavy = "twisted cryptography OpenSSL zope.interface shtab segno asyncio"
        for option, shown in (
            ("--help", "usage: securecom"),
            ("--version", "securecom 0"),
            ("--no-such-option", "unrecognized arguments"),
        ):
            told, found = self.imported(IMPORTED, heavy, option)
            self.assertIn(shown, told)
            self.assertEqual(found, "", option)

    def test_what_they_go_without_is_what_a_run_needs(self) -> None:
        """Or the test above could not fail."""
        _, found = self.imported(IMPORTED, "twisted cryptography OpenSSL", "--profiles")
        self.assertEqual(found, "twisted cryptography OpenSSL")

    def test_lines_and_json_come_without_what_other_front_ends_draw_with(self) -> None:
        for name in ("lines", "json"):
            told, found = self.imported(CHOSEN, "twisted textual prompt_toolkit rich segno", name)
            self.assertIn(name, told)
            self.assertEqual(found, "twisted", name)

    def test_chats_and_backups_are_imported_with_the_first_one(self) -> None:
        for name in LATER:
            self.assertIsNotNone(importlib.util.find_spec(name), name)
        later = " ".join(LATER) + " tarfile pyrage"
        for name in ("lines", "json"):
            self.assertEqual(self.imported(CHOSEN, later, name)[1], "", name)

    def test_json_needs_no_words(self) -> None:
        words = "securecom.client.frontends.words"
        self.assertIsNotNone(importlib.util.find_spec(words))
        self.assertEqual(self.imported(CHOSEN, words, "json")[1], "")

    def test_few_classes_are_compiled(self) -> None:
        """Each data class is 0.3 ms of a start; `securecom.values` has what costs less."""
        done = subprocess.run(
            [sys.executable, "-c", DATA_CLASSES],
            env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
            capture_output=True,
            text=True,
            check=True,
        )
        found = {name for name in done.stdout.split() if name.startswith("securecom.")}
        self.assertIn("securecom.framing.Run", found)
        self.assertLessEqual(len(found), MOST_DATA_CLASSES, sorted(found))


class OpenSSLTests(SynchronousTestCase):
    # Promise T1, R120
    def test_a_configuration_of_openssl_that_somebody_else_made(self) -> None:
        """A context made while a file named by OPENSSL_CONF asks for another group."""
        self.assertEqual(self.agreed("Groups = P-256"), ["secp256r1", tls.GROUP])

    # Promise R120
    def test_one_that_allows_only_older_versions_of_tls(self) -> None:
        self.assertEqual(self.agreed("MaxProtocol = TLSv1.2")[1:], [tls.GROUP])

    def agreed(self, setting: str) -> list[str]:
        """The groups that plain ends, and ours, agree on under this configuration."""
        config = Path(self.mktemp())
        config.write_text(OPENSSL_CONF + setting + "\n")
        env = {**os.environ, "OPENSSL_CONF": str(config)}
        told = subprocess.run(
            [sys.executable, "-c", MEET_ITSELF], env=env, capture_output=True, text=True, check=True
        )
        return told.stdout.split()
