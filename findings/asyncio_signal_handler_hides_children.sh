#!/usr/bin/env bash
# One asyncio signal handler, for any signal, and Twisted never hears that a child process ended.
#
# Expected: under Twisted's asyncio reactor, loop.add_signal_handler(SIGWINCH, ...) concerns SIGWINCH.
#   A process of reactor.spawnProcess that ends is reported by processEnded as before.
# What happens: both use signal.set_wakeup_fd, of which a process has one. asyncio puts its own
#   descriptor there and does not hand on what it does not know. Twisted's SIGCHLD handler does
#   nothing but rely on the descriptor, so children stay zombies and processEnded never comes.
#   remove_signal_handler does not put Twisted's descriptor back: it sets -1. Some children with pipes may
#   be lucky: Twisted also looks when a pipe closes. Those that share our terminal have none.
# Why it matters: prompt_toolkit's Application.run_async calls add_signal_handler(SIGWINCH) by itself
#   on every Unix (3.0.53). What helps: keep the descriptor (set_wakeup_fd returns it), remove the
#   handler as soon as the application runs, put the descriptor back, and handle SIGWINCH by
#   signal.signal and reactor.callFromThread.
#
# Exits 0 while this is so, 1 when the behaviour has changed.
set -euo pipefail
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
python3 -m venv "$scratch/venv"
"$scratch/venv/bin/pip" --disable-pip-version-check install --quiet twisted==26.10.0
cat >"$scratch/children.py" <<'PYTHON'
import asyncio
import signal
import sys

import twisted

loop = asyncio.new_event_loop()
asyncio.set_event_loop(loop)
from twisted.internet import asyncioreactor

asyncioreactor.install(loop)
from twisted.internet import reactor
from twisted.internet.protocol import ProcessProtocol

WAYS = ("no handler", "a handler", "removed, and the descriptor put back")
seen = {}


class Child(ProcessProtocol):
    def __init__(self, way):
        self.way = way

    def processEnded(self, reason):
        seen.setdefault(self.way, True)


def look(ways):
    if not ways:
        reactor.stop()
        return
    way, *others = ways
    kept = signal.set_wakeup_fd(-1)
    signal.set_wakeup_fd(kept)
    if way != WAYS[0]:
        loop.add_signal_handler(signal.SIGWINCH, lambda: None)
    if way == WAYS[2]:
        loop.remove_signal_handler(signal.SIGWINCH)
        signal.set_wakeup_fd(kept)
    reactor.spawnProcess(Child(way), "/bin/true", ["true"], childFDs={0: 0, 1: 1, 2: 2})
    reactor.callLater(1.0, next_way, way, kept, others)


def next_way(way, kept, others):
    seen.setdefault(way, False)
    loop.remove_signal_handler(signal.SIGWINCH)
    signal.set_wakeup_fd(kept)
    look(others)


reactor.callWhenRunning(look, list(WAYS))
reactor.run()
print("Twisted", twisted.__version__, "Python", sys.version.split()[0])
for way in WAYS:
    print(f"{way}: processEnded {'came' if seen[way] else 'did not come within 1 s'}")
sys.exit([seen[way] for way in WAYS] != [True, False, True])
PYTHON
"$scratch/venv/bin/python" "$scratch/children.py"
