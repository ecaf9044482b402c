"""From a key to the screen: the full screen with a long scrollback while messages keep coming.

A child runs the full screen on a terminal of its own, with 10,000 messages in a conversation and
more coming at a steady rate. The parent types a letter, waits until the terminal is told to draw
it, and reads the processor time that the child spent meanwhile, all its threads together. That is
what `process` adds up: drawing the messages that came at the same time is in it.

The child speaks to no server: `python -m benchmarks.typing`.
"""

from __future__ import annotations

import fcntl
import os
import pty
import select
import struct
import sys
import termios
import time
from argparse import Namespace
from pathlib import Path

MESSAGES, RATE, KEYS = 10_000, 200, 400
_LETTERS = "qzxjQZXJ"  # none of them stands anywhere else on the screen
_PATIENCE = 30.0
_CLEAR = b"\x15"


def child() -> None:
    """The full screen, and messages."""
    from twisted.internet import asyncioreactor

    asyncioreactor.install()
    from twisted.internet import reactor
    from twisted.internet.task import LoopingCall

    from securecom.client import events as e
    from securecom.client.api import Launch
    from securecom.client.program.standard_screen import StandardScreen
    from securecom.tests.support.scripted_core import ScriptedCore

    launch = Launch(Namespace(chat=None), reactor, reactor.stop)
    screen = StandardScreen(launch)
    core = ScriptedCore()
    count = 0

    def say() -> None:
        nonlocal count
        for _ in range(max(RATE // 100, 1)):
            count += 1
            screen.show(e.Message("bob", f"message number {count} of a long talk"))

    def begin() -> None:
        screen.start()
        screen.begin(core)
        core.begin_chat("bob")
        screen.show(e.ChatStarted("bob", "caller", "met", "SHA256:" + "a" * 43))
        for number in range(MESSAGES):
            screen.show(e.Message("bob", f"earlier message {number}"))
        reactor.callLater(3, LoopingCall(say).start, 0.01)

    reactor.callWhenRunning(begin)
    reactor.run()


def processor_time(pid: int) -> float:
    """Seconds that all threads of a process have run."""
    files = Path(f"/proc/{pid}/task").glob("*/schedstat")
    return sum(int(file.read_text().split()[0]) for file in files) / 1e9


def parent() -> list[float]:
    """Seconds of the child's processor time for each key."""
    pid, terminal = pty.fork()
    if pid == 0:
        os.environ["TERM"] = "xterm-256color"
        words = [sys.executable, "-m", "benchmarks.typing", "child"]
        os.execv(sys.executable, words)  # noqa: S606 - this very program
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    _wait_for(terminal, b"long talk")
    _drain(terminal, 2)
    spent = []
    for number in range(KEYS):
        letter = _LETTERS[number % len(_LETTERS)].encode()
        os.write(terminal, _CLEAR)
        _drain(terminal, 0.05)
        before = processor_time(pid)
        os.write(terminal, letter)
        _wait_for(terminal, letter)
        spent.append(processor_time(pid) - before)
    os.kill(pid, 15)
    os.waitpid(pid, 0)
    return spent


def _drain(terminal: int, seconds: float) -> None:
    end = time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0:
        if select.select([terminal], [], [], left)[0]:
            os.read(terminal, 65536)


def _wait_for(terminal: int, text: bytes) -> None:
    end = time.monotonic() + _PATIENCE
    while True:
        left = end - time.monotonic()
        if left <= 0 or not select.select([terminal], [], [], left)[0]:
            raise TimeoutError(f"{text!r} was not drawn")
        if text in os.read(terminal, 65536):
            return


def main() -> None:
    """Print the figures."""
    spent = sorted(parent())
    p50, p99 = spent[len(spent) // 2], spent[int(len(spent) * 0.99)]
    print(f"{MESSAGES} messages, {RATE} more a second, {KEYS} keys; processor time a key:")
    print(f"p50 {p50 * 1000:.1f} ms, p99 {p99 * 1000:.1f} ms, most {spent[-1] * 1000:.1f} ms")


if __name__ == "__main__":
    child() if sys.argv[1:] == ["child"] else main()
