"""What tests at a real terminal share, whichever front-end runs in it."""

from __future__ import annotations

from pathlib import Path

from tests.support.system_case import SystemCase
from tests.support.tmux import PROMPT, Tmux, Window


class TerminalCase(SystemCase):
    """A server, and windows of tmux in which people start their clients from a shell."""

    async def prepare(self) -> None:
        self.tmux = Tmux(self.home)
        self.addCleanup(self.tmux.close)
        await super().prepare()
        self.at = await self.server()

    async def shell_state(self, window: Window, when: str) -> None:
        """Keep what the shell's terminal is like."""
        await window.text(PROMPT)
        window.enter(f"stty -a > {self.home}/{window.name}.{when}; echo [{when}]")
        await window.text(rf"^\[{when}\]")

    async def check_left(self, window: Window, code: int) -> None:
        """The shell has its terminal back as it was, and nothing to run but what follows."""
        await window.text(rf"^\[exit {code}\]")
        await self.shell_state(window, "after")
        before, after = (
            (self.home / f"{window.name}.{when}").read_text() for when in ("before", "after")
        )
        self.assertEqual(before, after)
        self.assertEqual(window.modes, "0 0 1 0")
        window.paste("echo one\necho two")  # one would run by itself, were the paste mode left on
        await window.text("two(one)?$")
        self.assertNotIn("200~", window.screen)
        window.key("C-c")

    def client_of(self, window: Window) -> int:
        """The process id of the client in a window."""
        pid = self.tmux.do("display-message", "-p", "-t", window.name, "#{pane_pid}").strip()
        while below := Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
            (pid,) = below
            if b"python" in Path(f"/proc/{pid}/cmdline").read_bytes():
                break
        return int(pid)
