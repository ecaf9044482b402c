"""Agreed logs in memory, on a disk that fails when the test says so."""

from __future__ import annotations

import errno
import os
from dataclasses import dataclass, field

from securecom.identity import Name


def disk_error() -> OSError:
    return OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@dataclass
class MemoryFile:
    path: str
    logs: MemoryLogs
    data: bytes = b""
    is_closed: bool = False

    def append(self, data: bytes) -> None:
        assert not self.is_closed
        if self.logs.is_full:
            raise disk_error()
        self.data += data

    def close(self) -> None:
        self.is_closed = True
        if self.logs.is_full:
            raise disk_error()

    @property
    def rows(self) -> list[str]:
        """Without their times."""
        lines = self.data.decode("utf-8").split("\n")
        assert lines.pop() == ""
        return [line[len("08:05:10  ") :] for line in lines]


@dataclass
class MemoryLogs:
    files: list[MemoryFile] = field(default_factory=list)
    cannot_open: bool = False
    is_full: bool = False

    def now(self) -> float:
        return 1_800_000_000.0

    def open(self, peer: Name) -> MemoryFile:
        if self.cannot_open:
            raise disk_error()
        self.files.append(MemoryFile(f"{peer}-{len(self.files) + 1}.txt", self))
        return self.files[-1]
