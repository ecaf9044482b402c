"""A state folder, and `securecom-admin` run on it in this process."""

from __future__ import annotations

import contextlib
import io
import json
from collections.abc import Callable
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from securecom.admin.__main__ import run
from securecom.admin.commands import AdminContext
from securecom.identity import Identity, Name, PublicKey
from securecom.invitation import token_hash
from securecom.server.database import SynchronousPool, connect
from securecom.server.sqlite_registry import SQLiteRegistry
from securecom.server.state import open_state

DAY = 86400.0


NOW = 1_795_351_500.5  # 2026-11-22 12:45 UTC


ALICE, BOB = Name("alice"), Name("bob")


class AdminCase(SynchronousTestCase):
    """A server's state, and the command beside it."""

    hosts: tuple[str, ...] = ("chat.example.org", "192.0.2.7")

    def setUp(self) -> None:
        self.folder = Path(self.mktemp()).absolute()
        self.state = open_state(self.folder, self.hosts, NOW)
        self.addCleanup(self.state.close)
        self.registry = SQLiteRegistry(SynchronousPool(connect(self.state.registry_path)))
        self.addCleanup(self.registry.close)
        self.now = NOW
        self.confirm: Callable[[str], bool] | None = None
        self.encoding = "utf-8"
        self._token = 0

    def random(self, length: int) -> bytes:
        self._token += 1
        return self._token.to_bytes(length, "big")

    def run_command(self, *argv: str, status: int = 0) -> tuple[str, str]:
        """Standard output and standard error of a command, its exit code checked."""
        around = AdminContext(lambda: self.now, self.random, self.confirm, self.encoding)
        output, errors = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(output), contextlib.redirect_stderr(errors):
            try:
                result = run(["--state", str(self.folder), *argv], around)
            except SystemExit as left:
                result = int(left.code or 0)
        self.assertEqual(result, status, errors.getvalue())
        return output.getvalue(), errors.getvalue()

    def says(self, *argv: str) -> str:
        """What a command that succeeds and has no remark says."""
        output, errors = self.run_command(*argv)
        self.assertEqual(errors, "")
        return output

    def refuses(self, *argv: str, status: int = 1) -> str:
        """The one line of a command that fails."""
        output, errors = self.run_command(*argv, status=status)
        self.assertEqual(output, "")
        if status == 1:
            self.assertEqual(errors.count("\n"), 1)
        return errors

    def objects(self, *argv: str) -> list[dict[str, object]]:
        return [json.loads(line) for line in self.says(*argv).splitlines()]

    def enrol(self, name: Name) -> PublicKey:
        key = Identity.generate().public_key
        token = name.encode()
        self.successResultOf(self.registry.invite(name, token_hash(token), NOW + DAY))
        self.successResultOf(self.registry.spend(token_hash(token), key, NOW))
        return key
