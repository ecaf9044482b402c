#!/usr/bin/env bash
# Twisted's timers stop when the machine's clock is set back, and all fire when it is set forward.
#
# Expected: callLater(0.2, …) fires after 0.2 s. asyncio, threading and select all count on the
#   monotonic clock, and the asyncio reactor runs on asyncio's event loop.
# What happens: ReactorBase.seconds is time.time, in every reactor, the asyncio one too. Set the
#   clock back by an hour, and a timer of 0.2 s fires an hour later; set it forward, and a timer of
#   an hour fires at once. So do LoopingCall, ClientService and the timeouts of endpoints.
# Why it matters: NTP, suspended virtual machines and boards without a battery set clocks. What
#   helps: assign reactor.seconds = functools.partial(time.clock_gettime, time.CLOCK_BOOTTIME) before
#   the reactor runs; callLater, the timers and asyncio's reactor all read that one attribute.
#
# The machine's clock is not touched: time.time is replaced before Twisted is imported.
# Exits 0 while this is so, 1 when the behaviour has changed.
set -euo pipefail
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
python3 -m venv "$scratch/venv"
"$scratch/venv/bin/pip" --disable-pip-version-check install --quiet twisted==26.10.0
cat >"$scratch/timers.py" <<'PYTHON'
import functools
import importlib
import sys
import threading
import time

ahead = 0
real = time.time
time.time = lambda: real() + ahead

import twisted

name, steady = sys.argv[1], sys.argv[2] == "steady"
importlib.import_module(f"twisted.internet.{name}reactor").install()
from twisted.internet import reactor

if steady:
    reactor.seconds = functools.partial(time.clock_gettime, time.CLOCK_MONOTONIC)
fired = []
reactor.callLater(0.2, fired.append, "0.2 s")
reactor.callLater(3600, fired.append, "1 h")


def set_clock(seconds):
    global ahead
    ahead = seconds
    reactor.wakeUp()


for after, call in (
    (0.1, lambda: set_clock(-3600)),
    (1.0, lambda: fired.append("| forward:")),
    (1.0, lambda: set_clock(7200)),
    (2.0, reactor.stop),
):
    timer = threading.Timer(after, reactor.callFromThread, (call,))
    timer.daemon = True
    timer.start()
reactor.run()
print(f"Twisted {twisted.__version__}, {name} reactor, {sys.argv[2]}: fired", *fired)
follows = fired == ["| forward:", "0.2 s", "1 h"]
sys.exit(follows == steady)
PYTHON
for reactor in epoll poll select asyncio; do
    "$scratch/venv/bin/python" "$scratch/timers.py" "$reactor" as-it-is
    "$scratch/venv/bin/python" "$scratch/timers.py" "$reactor" steady
done
