"""Whether anybody has changed the registry, told without SQLite and so without waiting for it.

In a file with a rollback journal (decision 15) SQLite counts the commits in the file's header, and
nobody hears that a commit is done before the new count is there (https://sqlite.org/fileformat2.html,
section 1.3.5).
"""

from __future__ import annotations

import os
from pathlib import Path

from securecom.server import files

# Of SQLite's header: the formats for writing and for reading, and the count of commits.
_FORMATS_AT, _COUNT_ENDS = 18, 28
_ROLLBACK_JOURNAL = b"\1\1"


class Changes:
    """Watches the file of a registry, which exists.

    :raises StateUnusable: it cannot be opened.
    """

    def __init__(self, path: Path) -> None:
        with files.telling(path):
            self._file = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)

    def mark(self) -> bytes | None:
        """As long as this stays the same, nobody has changed anything; None if nobody can tell."""
        try:
            header = os.pread(self._file, _COUNT_ENDS - _FORMATS_AT, _FORMATS_AT)
        except OSError:
            return None
        return header if header.startswith(_ROLLBACK_JOURNAL) else None

    def close(self) -> None:
        """Only when this process is done with the registry, since it loses all locks on the file.

        That is how POSIX has it, whichever of its descriptors a process closes.
        """
        os.close(self._file)
