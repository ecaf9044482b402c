"""What a client's files need of the machine."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred

from securecom.values import Value


class FileAccess(Value):
    """Disks.

    :param elsewhere: calls something outside the reactor's thread, where it may wait for a disk.
    :param spool: a folder of our own, for what is packed before it is offered.
    :param downloads: where files go unless the user says otherwise.
    """

    elsewhere: Callable[[Callable[[], Any]], Deferred[Any]]
    spool: Path
    downloads: Path
