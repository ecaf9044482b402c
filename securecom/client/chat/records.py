"""Cuts the bytes of a stream into TLS records. Each belongs to one epoch."""

from __future__ import annotations

from collections.abc import Iterator

from securecom.errors import WireError

_HEADER = 5
#: The longest body of a record in TLS 1.3 (RFC 8446, section 5.2).
_MAX_BODY = 16 * 1024 + 256


class Records:
    """Collects bytes, gives whole records; holds one unfinished record at the most."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> Iterator[bytes]:
        """The records that `data` completes, headers and all.

        :raises WireError: at the first that is too long; the records before it are given.
        """
        data, self._rest = self._rest + data, b""
        at = 0
        while (end := _end(data, at)) <= len(data):
            yield data[at:end]
            at = end
        self._rest = data[at:]


def _end(data: bytes, at: int) -> int:
    """Where the record at `at` ends; with less than a header, where that would end."""
    if len(data) - at < _HEADER:
        return at + _HEADER
    length = int.from_bytes(data[at + 3 : at + _HEADER], "big")
    if length > _MAX_BODY:
        raise WireError(f"a TLS record of {length} bytes")
    return at + _HEADER + length
