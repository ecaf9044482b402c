"""What the server was started with, for invitation links: its public hosts and its ports."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass

from securecom.errors import BadHost, StateDamaged
from securecom.invitation import Host

_FORMAT = 1
_MAX_PORT = 65535


@dataclass(frozen=True)
class Settings:
    """The hosts, the one for links first; the ports, 0 where there is none (yet)."""

    public_hosts: tuple[Host, ...] = ()
    standard_port: int = 0
    request_port: int = 0

    def to_json(self) -> bytes:
        """As it stands in the file."""
        return json.dumps({"format": _FORMAT} | asdict(self), indent=1).encode("ascii") + b"\n"

    @classmethod
    def from_json(cls, data: bytes, what: str) -> Settings:
        """What `to_json` wrote. :raises StateDamaged: for anything else.

        :param what: the file, for the error.
        """
        try:
            values = json.loads(data)
            if values.pop("format") != _FORMAT:
                raise ValueError
            values["public_hosts"] = _hosts(values["public_hosts"])
            settings = cls(**values)
            _check_port(settings.standard_port)
            _check_port(settings.request_port)
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError, BadHost):
            raise StateDamaged(f"{what} does not hold what securecom wrote into it") from None
        return settings


def _hosts(value: object) -> tuple[Host, ...]:
    if not isinstance(value, list) or not all(isinstance(host, str) for host in value):
        raise TypeError
    return tuple(map(Host, value))


def _check_port(port: object) -> None:
    if type(port) is not int or not 0 <= port <= _MAX_PORT:
        raise ValueError
