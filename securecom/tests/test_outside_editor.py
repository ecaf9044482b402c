"""A message written in the user's own editor, with a double of the process."""

from __future__ import annotations

import asyncio
import errno
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from twisted.internet.error import ProcessDone, ProcessExitedAlready, ProcessTerminated
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from securecom import limits
from securecom.client.frontends import outside_editor
from securecom.errors import BadArgument, ProgramFailed, SecurecomError, TooLong


class Editor:
    """A reactor whose processes are editors: `does` gets the file, then they end as they are told.

    `obeys`: the signals that end one that goes on.
    """

    def __init__(self, does: Callable[[Path], None], reason: Exception | None) -> None:
        self.does, self.reason = does, reason
        self.obeys: tuple[int, ...] = ()
        self.signals: list[int] = []
        self.files: list[Path] = []

    def spawnProcess(self, protocol: Any, path: str, argv: list[str], *_: Any, **__: Any) -> Any:  # noqa: N802
        self.protocol = protocol
        self.files.append(Path(argv[-1]))
        self.does(self.files[-1])
        if self.reason is not None:
            protocol.processEnded(Failure(self.reason))
        return self

    def signalProcess(self, number: int) -> None:  # noqa: N802
        if self.obeys is None:
            raise ProcessExitedAlready
        self.signals.append(number)
        if number in self.obeys:
            self.protocol.processEnded(Failure(ProcessTerminated(signal=number)))


class OutsideEditorTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.folder = Path(self.mktemp()).absolute()
        self.folder.mkdir()
        self.editor = self.folder / "my editor"
        self.editor.touch(mode=0o700)
        self.env = {
            "EDITOR": f"'{self.editor}' -x",
            "XDG_RUNTIME_DIR": str(self.folder),
            "PATH": "",
        }
        self.loop = asyncio.new_event_loop()
        self.addCleanup(self.loop.close)

    def edit(self, does: Callable[[Path], Any], *, reason: Exception | None = None) -> str:
        self.process = Editor(does, reason or ProcessDone(0))
        return self.loop.run_until_complete(
            outside_editor.edited("as it was", self.process, self.env)
        )

    def fails(self, kind: type[SecurecomError], does: Callable[[Path], Any], **more: Any) -> None:
        error = self.assertRaises(kind, self.edit, does, **more)
        self.assertIn("Nothing was sent", error.hint)
        self.assertFalse(self.process.files[-1].parent.exists())

    def test_it_gets_the_text_and_its_own_comes_back(self) -> None:
        seen: list[Any] = []

        def does(file: Path) -> None:
            seen.extend((file.read_text(), file.stat().st_mode & 0o777))
            seen.append(file.parent.stat().st_mode & 0o777)
            file.with_name(".message.txt.swp").write_text("a copy")
            file.write_text("two\r\nlines\n\n")

        self.assertEqual(self.edit(does), "two\nlines")
        self.assertEqual(seen, ["as it was", 0o600, 0o700])
        self.assertFalse(self.process.files[-1].parent.exists(), "with the copy in it")

    def test_which_editor(self) -> None:
        self.assertEqual(outside_editor.command(self.env), [str(self.editor), "-x"])
        first = {**self.env, "VISUAL": f"'{self.editor}'"}
        self.assertEqual(outside_editor.command(first), [str(self.editor)])
        usual = self.folder / "vi"
        usual.touch(mode=0o700)
        self.assertEqual(outside_editor.command({"PATH": str(self.folder)}), [str(usual)])

    def test_no_editor(self) -> None:
        for env in ({"PATH": ""}, {"PATH": "", "EDITOR": "none"}, {"EDITOR": "'open"}):
            error = self.assertRaises(ProgramFailed, outside_editor.command, env)
            self.assertIn("Nothing was sent", error.hint)

    def test_it_fails(self) -> None:
        self.fails(ProgramFailed, lambda _: None, reason=ProcessTerminated(1))

    def test_it_cannot_be_started(self) -> None:
        def no_process(_: Path) -> None:
            raise BlockingIOError(errno.EAGAIN, "Resource temporarily unavailable")

        self.fails(ProgramFailed, no_process)
        (self.folder / "none").write_text("a file")
        self.patch(tempfile, "mkdtemp", lambda **_: str(self.folder / "none"))
        with self.assertRaises(ProgramFailed) as caught:
            self.edit(lambda _: None)
        self.assertIn("Nothing was sent", caught.exception.hint)

    def test_what_it_writes_is_no_message(self) -> None:
        self.fails(TooLong, lambda file: file.write_text("x" * (limits.MAX_LINE + 1)))
        self.fails(BadArgument, lambda file: file.write_bytes(b"\xff\xfe"))
        self.fails(ProgramFailed, lambda file: file.unlink())

    def test_we_leave_before_it_ends(self) -> None:
        self.patch(limits, "EDITOR_DEADLINE", 0.0)
        for obeys, signals in (((15,), [15]), ((9,), [15, 9])):
            process = Editor(lambda _: None, None)
            process.obeys = obeys

            async def leave(process: Any = process) -> None:
                task = asyncio.ensure_future(outside_editor.edited("x", process, self.env))
                await asyncio.sleep(0)
                task.cancel()
                await asyncio.wait([task])
                self.assertTrue(task.cancelled())

            self.loop.run_until_complete(leave())
            self.assertEqual(process.signals[: len(signals)], signals)
            self.assertFalse(process.files[-1].parent.exists())
