"""What one measurement gave, and how the generator fared meanwhile."""

from __future__ import annotations

import time
from dataclasses import dataclass

from benchmarks.process import Server


@dataclass(frozen=True)
class Reading:
    """One figure.

    :param value: in the unit of `what`; more is better for rates, less for costs.
    :param load: CPU seconds a second of the generator; near 1 it is the bottleneck. 0: no matter.
    :param server_load: the same of the server.
    """

    what: str
    value: float
    load: float = 0.0
    server_load: float = 0.0


class Meter:
    """From now to `read`: the CPU seconds of server and generator, and the time."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._began = self._now()

    def read(self, what: str, count: float) -> Reading:
        """How many a CPU second of the server."""
        used, own, passed = (b - a for a, b in zip(self._began, self._now(), strict=True))
        return Reading(what, count / used, own / passed, used / passed)

    def _now(self) -> tuple[float, float, float]:
        return self._server.cpu_seconds(), time.process_time(), time.monotonic()
