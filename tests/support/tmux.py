"""A real terminal for a test: a window of a tmux server of the test's own, with a shell in it.

tmux draws what a terminal would show, and its keys and pastes arrive as a person's do. A test that
needs it is skipped where there is none; `tests.suite` knows which ones.
"""

from __future__ import annotations

import hashlib
import os
import re
import shlex
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TypeVar

from twisted.internet.task import deferLater
from twisted.trial.unittest import FailTest, SkipTest

from tests.support.processes import DEADLINE, environment, reactor

T = TypeVar("T")
#: Why tests are skipped, for `tests.suite`.
NO_TMUX = "there is no tmux"
#: Between two looks at a screen, in seconds.
_LOOK = 0.05
#: Of the file that crosses: several pieces, and the last one not whole.
_FILE_SIZE = 100_001
#: Without the first, the server ends with its last window, and a window that somebody opens in that
#: moment is refused.
_CONFIGURATION = "set-option -g exit-empty off\nset-option -g escape-time 0\n"
#: What the shell says when it waits for a command.
PROMPT = "shell:"


class Tmux:
    """A tmux server with a socket of its own. `close` ends it, and all that runs in it."""

    def __init__(self, home: Path) -> None:
        if shutil.which("tmux") is None:
            raise SkipTest(NO_TMUX)
        self._folder = tempfile.mkdtemp(prefix="tmux-")  # short: a socket's path has 107 bytes
        self._configuration = Path(self._folder, "tmux.conf")
        self._configuration.write_text(_CONFIGURATION)
        self._env = environment(home, PS1=PROMPT, ENV="", TERM="xterm-256color", SHELL="/bin/sh")
        self._names = 0

    def do(self, *words: str, text: str | None = None) -> str:
        """Give tmux a command; what it says.

        :raises FailTest: if tmux refuses it, with what it says then.
        """
        done = self._run(words, text)
        if done.returncode:
            raise FailTest(f"tmux {words[0]}: {done.stderr.strip()}")
        return done.stdout

    def _run(self, words: tuple[str, ...], text: str | None) -> subprocess.CompletedProcess[str]:
        argv = ["tmux", "-S", f"{self._folder}/socket", "-f", str(self._configuration), *words]
        return subprocess.run(
            argv, env=self._env, input=text, capture_output=True, text=True, check=False
        )

    def window(self, columns: int = 80, rows: int = 24) -> Window:
        """A new window with a shell."""
        self._names += 1
        name = f"w{self._names}"
        size = ("-x", str(columns), "-y", str(rows))
        self.do("new-session", "-d", "-s", name, *size, "/bin/sh")
        return Window(self, name)

    def close(self) -> None:
        """End it, if it was started."""
        self._run(("kill-server",), None)
        shutil.rmtree(self._folder, ignore_errors=True)


class Window:
    """One window and what a person does there."""

    def __init__(self, tmux: Tmux, name: str) -> None:
        self._tmux, self.name = tmux, name

    def key(self, *keys: str) -> None:
        """Press keys, by tmux's names: Enter, C-c, M-Enter."""
        self._tmux.do("send-keys", "-t", self.name, *keys)

    def type(self, text: str) -> None:
        """Type a text."""
        self._tmux.do("send-keys", "-t", self.name, "-l", text)

    def enter(self, text: str) -> None:
        """Type a line, and Enter."""
        self.type(text)
        self.key("Enter")

    def paste(self, text: str) -> None:
        """Paste, as a terminal does: in brackets if the program wants them."""
        self._tmux.do("load-buffer", "-b", self.name, "-", text=text)
        self._tmux.do("paste-buffer", "-p", "-b", self.name, "-t", self.name)

    def resize(self, columns: int, rows: int) -> None:
        """Change the window's size."""
        self._tmux.do("resize-window", "-t", self.name, "-x", str(columns), "-y", str(rows))

    def close(self) -> None:
        """The terminal is closed under the program."""
        self._tmux.do("kill-session", "-t", self.name)

    @property
    def screen(self) -> str:
        """What is on the screen now, wrapped lines in one."""
        return self._tmux.do("capture-pane", "-p", "-J", "-t", self.name)

    @property
    def all(self) -> str:
        """Also what has scrolled off."""
        return self._tmux.do("capture-pane", "-p", "-J", "-S", "-", "-t", self.name)

    @property
    def modes(self) -> str:
        """The terminal's own modes that a program may leave on: alternate screen, mouse, paste."""
        what = "#{alternate_on} #{mouse_any_flag} #{cursor_flag} #{keypad_flag}"
        return self._tmux.do("display-message", "-p", "-t", self.name, what).strip()

    async def text(self, pattern: str) -> re.Match[str]:
        """Wait for something on the screen, or in what has scrolled off it."""
        compiled = re.compile(pattern, re.MULTILINE)
        return await self._until(f"no {pattern!r}", lambda: compiled.search(self.all))

    async def without(self, text: str) -> None:
        """Wait until this is on the screen no more."""
        await self._until(f"still {text!r}", lambda: text not in self.screen or None)

    async def _until(self, failure: str, look: Callable[[], T | None]) -> T:
        end = reactor.seconds() + DEADLINE
        while (found := look()) is None:
            if reactor.seconds() > end:
                raise FailTest(f"{failure} after {DEADLINE:g} s\n{self.all}")
            await deferLater(reactor, _LOOK)
        return found

    async def run(self, argv: Iterable[str]) -> None:
        """Start a program from the shell; its exit code is shown when it ends."""
        await self.text(PROMPT)
        self.enter(f"clear; {shlex.join(argv)}; echo [exit $?]")


async def cross(folder: Path, sender: Window, receiver: Window) -> tuple[str, str]:
    """Two who chat send and get a file by what they type; the SHA-256 of it here and there.

    :param folder: for both files.
    """
    here, there = folder / "sent.bin", folder / "got.bin"
    here.write_bytes(os.urandom(_FILE_SIZE))
    sender.enter(f"/send {here}")
    await receiver.text(r'offers a file: "sent\.bin"')
    if there.exists():
        raise FailTest("the file was there before anybody asked for it")
    receiver.enter(f"/get 1 {there}")
    await receiver.text(r"is here, whole and checked")
    await sender.text(r"whole and checked")
    here_hash, there_hash = (hashlib.sha256(one.read_bytes()).hexdigest() for one in (here, there))
    return here_hash, there_hash
