"""What a user asks about the files of the chat (`api.FilesApi`)."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from twisted.internet.defer import Deferred

from securecom.client.file_events import Transfers

if TYPE_CHECKING:
    from securecom.client.files.exchange import FileExchange


class FileDesk:
    """Passes it on to the chat.

    :param exchange: that of the chat that stands; raises `NotNow` if there is none.
    :param downloads: the folder for received files, as the user has chosen it.
    """

    def __init__(self, exchange: Callable[[], FileExchange], downloads: Callable[[], Path]) -> None:
        self._exchange, self._downloads = exchange, downloads

    def send(self, file: str | int) -> Deferred[int]:
        """Offer a file."""
        return self._exchange().send(file)

    def get(self, number: int, path: str | None = None) -> None:
        """Fetch one."""
        self._exchange().get(number, self._downloads(), path)

    def decline(self, number: int) -> None:
        """Say no to one."""
        self._exchange().decline(number)

    def cancel(self, number: int) -> None:
        """Withdraw an offer, or end a transfer."""
        self._exchange().cancel(number)

    def all(self) -> Transfers:
        """What is not over."""
        return self._exchange().all()
