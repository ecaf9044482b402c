"""A server's state folder, and what a test sees of it."""

from __future__ import annotations

import stat
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from securecom.server.state import (
    StoredState,
    open_state,
)

DAY = 86400.0


NOW = 20_000 * DAY


HOSTS = ("Chat.Example.org", "192.0.2.7")


LEAF, CA, REGISTRY, SETTINGS = "server.pem", "ca.pem", "registry.sqlite", "settings.json"


Snapshot = dict[str, tuple[int, int, bytes | str | None]]


def snapshot(folder: Path) -> Snapshot:
    """Every name under a folder: its mode, which file it is (inode), and what is in it."""
    return {str(path.relative_to(folder)): _content(path) for path in sorted(folder.rglob("*"))}


def _content(path: Path) -> tuple[int, int, bytes | str | None]:
    status = path.lstat()
    if stat.S_ISLNK(status.st_mode):
        return status.st_mode, status.st_ino, str(path.readlink())
    content = path.read_bytes() if stat.S_ISREG(status.st_mode) else None
    return status.st_mode, status.st_ino, content


class StateCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.folder = Path(self.mktemp()).absolute()

    def start(self, *hosts: str, now: float = NOW) -> StoredState:
        """What a server finds or makes when it starts, and leaves when it stops."""
        state = open_state(self.folder, hosts, now)
        state.close()
        return state

    def inside(self, name: str) -> Path:
        return self.folder / "server" / name
