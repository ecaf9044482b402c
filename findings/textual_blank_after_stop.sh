#!/bin/bash
# Textual: after Ctrl-Z and fg (SIGTSTP, SIGCONT) an application's screen stays empty.
#
# One would expect: the driver enters the alternate screen again, and the application draws all of itself there.
#
# What happens: the driver enters the alternate screen, which is empty, and reports the terminal's size. App
# ignores a size that is the one it knows, and nothing else asks it to draw: until a widget changes, and then
# only there, the screen stays empty. App.suspend(), the context manager, does draw again.
#
# Why it matters: nobody sees it who tries Ctrl-Z with a clock or another widget that changes by itself.
# A driver, or a handler, has to call app.refresh(layout=True) when it starts for the second time.
#
# Needs python3 and a package index. Exits 0 while Textual behaves like this.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet textual==8.2.8
cat > "$folder/still.py" <<'PYTHON'
from textual.app import App
from textual.widgets import Static


class Still(App):
    """A text that never changes."""

    def compose(self):
        yield Static("a still text")


Still().run()
PYTHON
"$folder/venv/bin/python" - "$folder/still.py" <<'PYTHON'
import os
import pty
import select
import signal
import sys
import time
from importlib.metadata import version

pid, terminal = pty.fork()
if not pid:
    os.environ["TERM"] = "xterm-256color"
    os.execv(sys.executable, [sys.executable, sys.argv[1]])


def output(until, seconds):
    """What is drawn until a text was, or for so long."""
    told, end = b"", time.monotonic() + seconds
    while until not in told and time.monotonic() < end:
        if select.select([terminal], [], [], 0.1)[0]:
            told += os.read(terminal, 65536)
    return told


drawn = b"still text" in output(b"still text", 20)
output(b"nothing", 1)
os.kill(pid, signal.SIGTSTP)
output(b"\x1b[?1049l", 10)
os.waitpid(pid, os.WUNTRACED)
os.kill(pid, signal.SIGCONT)
again = output(b"still text", 5)
os.kill(pid, signal.SIGKILL)
os.waitpid(pid, 0)
print(f"textual {version('textual')}")
print(f"drawn at the start                 {drawn}")
print(f"alternate screen after SIGCONT     {b'[?1049h' in again}")
print(f"drawn after SIGCONT                {b'still text' in again}")
sys.exit(0 if drawn and b"[?1049h" in again and b"still text" not in again else 1)
PYTHON
