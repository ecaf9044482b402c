"""Where the client's own log goes."""

from __future__ import annotations

import contextlib
import io
from pathlib import Path

from twisted.logger import Logger, globalLogBeginner
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from securecom.client.program import logs
from securecom.errors import (
    BadArgument,
)


class LogTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.observers: list[object] = []

        def begin(observers: list[object], **options: object) -> None:
            self.observers = observers

        self.patch(globalLogBeginner, "beginLoggingTo", begin)

    def logger(self) -> Logger:
        return Logger(observer=self.observers[0])  # type: ignore[arg-type]

    def test_a_file_is_private_and_appended_to(self) -> None:
        path = Path(self.mktemp())
        for word in ("one", "two"):
            logs.begin(path)
            self.logger().info(word)
        self.assertEqual(path.stat().st_mode & 0o777, 0o600)
        self.assertEqual(
            [line.split()[-1] for line in path.read_text().splitlines()], ["one", "two"]
        )

    def test_a_file_that_cannot_be_written(self) -> None:
        self.assertRaises(BadArgument, logs.begin, Path("/none/log"))

    def test_without_a_file_only_the_unforeseen_is_told_and_not_its_words(self) -> None:
        logs.begin(None)
        stderr = io.StringIO()
        with contextlib.redirect_stderr(stderr):
            self.logger().error("secret")
            self.logger().failure("secret", Failure(ZeroDivisionError("secret")))
            self.logger().critical("secret")
        self.assertEqual(stderr.getvalue().count("\n"), 2)
        self.assertIn("ZeroDivisionError", stderr.getvalue())
        self.assertNotIn("secret", stderr.getvalue())
