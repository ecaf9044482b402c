"""Before a command begins to work: paths, output and the system's errors, one line each."""

from __future__ import annotations

import contextlib
import errno
import gc
import io
import os
import pwd
import sys
from pathlib import Path

import platformdirs
from twisted.trial.unittest import SynchronousTestCase

from securecom import __version__, tap
from securecom.admin import __main__ as admin
from securecom.admin.commands import AdminContext
from securecom.client.__main__ import main
from securecom.client.profile.profile import Profile, read_profile
from securecom.client.profile.profiles import Profiles
from securecom.client.program import standard_io, who
from securecom.client.program.command_line import parser
from securecom.errors import BadArgument, OutputFailed, ProfileProblem, StateUnusable
from securecom.server.state import default_state_folder
from securecom.starting import garbage_left, path_named, print_all, system_errors_told, usual_path
from securecom.tests.support.backups import profile_of
from securecom.tests.support.invitations import INVITATION

NOBODY = "~no-such-user-here/x"


class PathTests(SynchronousTestCase):
    def refused(self, text: str) -> BadArgument:
        error: BadArgument = self.assertRaises(BadArgument, path_named, text, "--option")
        self.assertIn("--option", error.what)
        return error

    def test_a_home_folder_is_meant_by_a_tilde(self) -> None:
        home = pwd.getpwuid(os.getuid()).pw_dir
        self.assertEqual(
            path_named(f"~{pwd.getpwuid(os.getuid()).pw_name}/x", "o"), Path(home, "x")
        )
        self.assertEqual(path_named("x", "o"), Path.cwd() / "x")

    def test_a_home_folder_of_nobody(self) -> None:
        self.assertIn("~no-such-user-here", self.refused(NOBODY).what)

    def test_what_no_file_can_be_called(self) -> None:
        self.refused("a\0b")
        self.refused("~\0/b")

    # Promise R54
    def test_a_working_folder_that_is_gone(self) -> None:
        def gone() -> str:
            raise FileNotFoundError(errno.ENOENT, "No such file or directory")

        self.patch(os, "getcwd", gone)
        self.assertIn("folder that exists", self.refused("x").hint)

    # Promise R53
    def test_a_user_without_a_home_makes_no_folder_called_tilde(self) -> None:
        self.unknown_user()
        for find in (lambda: platformdirs.user_data_dir("x"), lambda: "~/.local"):
            error = self.assertRaises(BadArgument, usual_path, find, "--data-dir")
            self.assertIn("--data-dir", error.hint)
        arguments = parser().parse_args([])
        self.assertRaises(BadArgument, who.data_folder, arguments, {})
        self.assertRaises(BadArgument, default_state_folder, {})

    def unknown_user(self) -> None:
        """A number that no password file knows, and no HOME: a container's, often."""

        def unknown(number: int) -> None:
            raise KeyError(number)

        self.patch(pwd, "getpwuid", unknown)
        before = dict(os.environ)
        self.addCleanup(os.environ.update, before)
        for name in ("HOME", "XDG_DATA_HOME"):
            os.environ.pop(name, None)


class SystemErrorTests(SynchronousTestCase):
    def told(self, error: Exception) -> str:
        with self.assertRaises(StateUnusable) as caught, system_errors_told():
            raise error
        return str(caught.exception)

    # Promise R57
    def test_of_a_file(self) -> None:
        line = self.told(OSError(errno.EROFS, "Read-only file system", "/x"))
        self.assertIn("/x: read-only file system", line)
        self.assertIn("Check", line)

    def test_of_no_file(self) -> None:
        self.assertIn(
            "too many open files", self.told(OSError(errno.EMFILE, "Too many open files"))
        )
        self.assertIn("no threads", self.told(RuntimeError("no threads")))


class GarbageTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.addCleanup(gc.unfreeze)

    def test_none_is_looked_for_until_the_work_is_done(self) -> None:
        with garbage_left():
            self.assertFalse(gc.isenabled())
        self.assertTrue(gc.isenabled())
        self.assertGreater(gc.get_freeze_count(), 0)

    def test_nor_does_it_stay_off_if_the_work_fails(self) -> None:
        with contextlib.suppress(BadArgument), garbage_left():
            raise BadArgument("no")
        self.assertTrue(gc.isenabled())

    def test_the_client_starts_like_that(self) -> None:
        seen: list[bool] = []
        self.patch(standard_io, "fill_missing", lambda: seen.append(gc.isenabled()))
        self.assertRaises(SystemExit, main, ["--version"])
        self.assertEqual(seen, [False])
        self.assertTrue(gc.isenabled())


class Process(SynchronousTestCase):
    """A command whose standard output and standard error are ours."""

    def setUp(self) -> None:
        self.folder = Path(self.mktemp()).absolute()

    def client(self, *words: str, output: io.TextIOBase | None = None) -> tuple[int, str]:
        return self.run_it(lambda: main(list(words)), output)

    def admin(self, *words: str, output: io.TextIOBase | None = None) -> tuple[int, str]:
        around = AdminContext(lambda: 1_800_000_000.0, bytes, None, "utf-8")
        return self.run_it(lambda: admin.run(list(words), around), output)

    def server(self, *words: str, output: io.TextIOBase | None = None) -> tuple[int, str]:
        def parse() -> int:
            tap.Options().parseOptions(list(words))
            return 0

        return self.run_it(parse, output)

    def run_it(self, run: object, output: io.TextIOBase | None) -> tuple[int, str]:
        """Exit code and standard error."""
        assert callable(run)
        errors = io.StringIO()
        with (
            contextlib.redirect_stdout(output or io.StringIO()),
            contextlib.redirect_stderr(errors),
        ):
            try:
                code = run()
            except SystemExit as left:
                code = left.code or 0
        if isinstance(code, str):  # the interpreter prints it
            code, said = 1, f"{code}\n"
            return code, errors.getvalue() + said
        return code, errors.getvalue()


class TildeTests(Process):
    """A home folder of nobody, wherever a path may be given."""

    def one_line(self, outcome: tuple[int, str], *parts: str) -> None:
        code, errors = outcome
        self.assertEqual((code, errors.count("\n")), (1, 1), errors)
        for part in (*parts, "~no-such-user-here"):
            self.assertIn(part, errors)

    # Promise R52
    def test_client_options(self) -> None:
        data = ("--data-dir", str(self.folder))
        link = INVITATION.link()
        for option, *words in (
            ("--data-dir", "--profiles"),
            ("--identity", *data, link, "--no-pass"),
            ("--restore", *data, "--no-pass"),
            ("--pass-file", *data, link),
            ("--log-file", *data, link, "--no-pass"),
        ):
            self.one_line(self.client(option, NOBODY, *words), option)

    # Promise R52
    def test_variables(self) -> None:
        for name, run in (("SECURECOM_HOME", self.client), ("SECURECOM_STATE", self.server)):
            self.setting(name)
            self.one_line(run(), name)
        self.one_line(self.admin("users"), "SECURECOM_STATE")

    # Promise R52
    def test_admin_and_server(self) -> None:
        self.one_line(self.admin("--state", NOBODY, "users"), "--state")
        self.one_line(self.server("--state", NOBODY), "--state")

    # Promise R52
    def test_identity_of_a_profile(self) -> None:
        profile = profile_of(Profiles(self.folder), self.folder / "new")
        file = profile.folder / "profile.toml"
        for value, why in ((NOBODY, "~no-such-user-here"), ("a\\u0000b", "no name of a file")):
            file.write_text(file.read_text().replace('"identity"', f'"{value}"'))
            error = self.assertRaises(ProfileProblem, read_profile, profile.folder)
            self.assertIn("line 8", error.what)
            self.assertIn(why, error.what)
            file.write_text(file.read_text().replace(f'"{value}"', '"identity"'))
        self.assertIsInstance(read_profile(profile.folder), Profile)

    def setting(self, name: str) -> None:
        before = os.environ.get(name)
        os.environ[name] = NOBODY
        self.addCleanup(os.environ.pop, name)
        if before is not None:
            self.addCleanup(os.environ.__setitem__, name, before)


class FullDeviceTests(Process):
    """Output that cannot be written is no success."""

    def full(self) -> io.TextIOWrapper:
        device = open("/dev/full", "w", encoding="utf-8")  # noqa: SIM115
        self.addCleanup(device.close)  # and nothing fails any more when it is closed
        return device

    # Promise R60
    def test_each_command(self) -> None:
        data = ("--data-dir", str(self.folder))
        profile_of(Profiles(self.folder), self.folder / "new")
        for run, words in (
            (self.client, ("--help",)),
            (self.client, ("--version",)),
            (self.client, ("--print-completion", "bash")),
            (self.client, (*data, "--profiles")),
            (self.admin, ("--help",)),
            (self.admin, ("invite", "--help")),
            (self.admin, ("--version",)),
            (self.admin, ("--print-completion", "bash")),
            (self.server, ("--help",)),
            (self.server, ("--version",)),
        ):
            code, errors = run(*words, output=self.full())
            self.assertEqual((code, errors.count("\n")), (1, 1), (words, errors))
            self.assertIn("no space left", errors)

    def test_what_can_be_written_is(self) -> None:
        for run in (self.client, self.admin, self.server):
            for words, part in ((("--version",), __version__), (("--help",), "--state")):
                output = io.StringIO()
                self.assertEqual(run(*words, output=output), (0, ""))
                if run != self.client or part == __version__:
                    self.assertIn(part, output.getvalue())

    # Promise R60
    def test_no_output_at_all(self) -> None:
        self.patch(sys, "stdout", None)
        self.assertRaises(OutputFailed, print_all, "x")

    def test_names_that_are_no_text(self) -> None:
        raw = io.BytesIO()
        with contextlib.redirect_stdout(io.TextIOWrapper(raw, "ascii")) as output:
            print_all("caf\xe9 \udcff\n")
        self.assertEqual(raw.getvalue(), b"caf\\xe9 \\udcff\n")
        output.detach()
