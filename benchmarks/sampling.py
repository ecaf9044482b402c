"""Where the server's time goes: a look at the stack every 4 ms of its CPU time.

A signal interrupts between two Python instructions, so a C function's time falls on the Python
function that called it. That is less exact than a profiler that counts calls, but it leaves the
proportions alone: such a profiler charges every Python call and no C code.
"""

from __future__ import annotations

import json
import signal
from collections import Counter
from pathlib import Path
from types import FrameType
from typing import cast

from twisted.internet.interfaces import IReactorCore

INTERVAL = 0.004  # a tick of most kernels; they do not look more often
#: The server begins (anew) when it gets this.
BEGIN = signal.SIGUSR2

_counts: Counter[str] = Counter()


def watch(out: Path) -> None:
    """Ready to begin; when the reactor stops, the counts are written to `out`."""
    from twisted.internet import reactor

    signal.signal(BEGIN, _begin)
    signal.signal(signal.SIGPROF, _look)
    # Not atexit: twistd ends itself with the signal that ended its reactor.
    cast(IReactorCore, reactor).addSystemEventTrigger("after", "shutdown", _write, out)


def _write(out: Path) -> None:
    signal.setitimer(signal.ITIMER_PROF, 0)
    out.write_text(json.dumps(_counts))


def _begin(_number: int, _frame: FrameType | None) -> None:
    _counts.clear()
    signal.set_wakeup_fd(-1)  # or each look would wake the reactor
    signal.setitimer(signal.ITIMER_PROF, INTERVAL, INTERVAL)


def _look(_number: int, frame: FrameType | None) -> None:
    if frame is not None:
        _counts[f"{frame.f_globals.get('__name__')}:{frame.f_code.co_name}"] += 1


# --- what it means --------------------------------------------------------------------------

#: Beginnings of `module:function`; the first that fits counts.
GROUPS = {
    "encrypting, decrypting (SSL_write, SSL_read)": ("OpenSSL.SSL:recv", "OpenSSL.SSL:send"),
    "copies in and out of the memory BIOs": ("OpenSSL.SSL:bio_",),
    "the exception that ends every read": ("OpenSSL.SSL:", "OpenSSL._util:"),
    "send": ("twisted.python.util:untilConcludes", "twisted.internet.tcp:writeSomeData"),
    "recv": ("twisted.internet.tcp:doRead",),
    "epoll: waiting, on and off for each write": ("twisted.internet.epollreactor:",),
    "timers of gathered writes": ("twisted.internet.base:", "twisted.protocols.tls:_scheduled"),
    "log context around every doRead, doWrite": (
        "twisted.python.context:",
        "twisted.python.log:",
        "twisted.logger.",
    ),
    "Twisted's TLS protocol": ("twisted.protocols.",),
    "Twisted's transports, the rest": ("twisted.",),
    "securecom: TLS transport, and the C functions it calls": ("securecom.transport.",),
    "securecom: frames": ("securecom.framing:",),
    "securecom: connection, consent, relay": ("securecom.",),
    "other": ("",),
}


def table(out: Path) -> str:
    """The shares of each group, in per cent."""
    counts: Counter[str] = Counter(json.loads(out.read_text()))
    shares: Counter[str] = Counter()
    for place, count in counts.items():
        shares[_group(place)] += count
    total = counts.total()
    lines = [f"| {group} | {100 * shares[group] / total:.0f} % |" for group in GROUPS]
    return "\n".join(["| | share |", "| --- | --- |", *lines, "", f"{total} samples"])


def _group(place: str) -> str:
    return next(group for group, begins in GROUPS.items() if place.startswith(begins))
