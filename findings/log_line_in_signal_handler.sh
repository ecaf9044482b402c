#!/usr/bin/env bash
# A log line written by a signal handler can be lost, and no error says so.
#
# Expected: Python runs signal handlers between bytecodes of the main thread, so a handler that
#   calls twisted.logger.Logger.info() adds its line to the log, before or after the line that was
#   being written; or, if that is not possible, an error shows somewhere.
# What happens: io.BufferedWriter runs pending handlers after each write of its raw file, while it
#   still holds its lock. The handler's own write then raises "RuntimeError: reentrant call". The
#   text is already out of the TextIOWrapper, so it is lost. Twisted's LogPublisher catches the
#   error, and reports it to its *other* observers; twistd has only one, so nobody hears of it.
# Why it matters: whoever reads a log and signals the process as soon as a line appears hits
#   exactly this moment. The handler has run, what it says in the log never appears. Twisted's own
#   handlers of SIGINT and SIGTERM log this way too: "Received SIGTERM, shutting down." may be
#   missing. What helps: reactor.callFromThread(...) as the handler's only act.
#
# Exits 0 while this is so, 1 when the behaviour has changed.
set -euo pipefail
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
python3 -m venv "$scratch/venv"
"$scratch/venv/bin/pip" --disable-pip-version-check install --quiet twisted==26.10.0
cat >"$scratch/lost.py" <<'PYTHON'
import io
import os
import signal
import sys

import twisted
from twisted.internet import reactor
from twisted.logger import Logger, globalLogBeginner, textFileLogObserver


class SignallingFile(io.FileIO):
    """Signals this process during its first write, as a reader of the log might."""

    sent = False

    def write(self, data):
        written = super().write(data)
        if not self.sent:
            self.sent = True
            os.kill(os.getpid(), signal.SIGUSR1)
        return written


def run(path, install):
    log = Logger()
    runs = []

    def say():
        runs.append(1)
        log.info("line of the signal")

    install(say)
    file = io.TextIOWrapper(io.BufferedWriter(SignallingFile(path, "w")), encoding="utf-8")
    globalLogBeginner.beginLoggingTo([textFileLogObserver(file)], redirectStandardIO=False)
    reactor.callWhenRunning(log.info, "first line")
    reactor.callLater(0.2, log.info, "last line")
    reactor.callLater(0.3, reactor.stop)
    reactor.run()
    text = open(path).read()
    print(text, end="")
    assert len(runs) == 1, "the handler did not run"
    return "line of the signal" in text


print("Python", sys.version.split()[0], "Twisted", twisted.__version__)
installs = {
    "direct": lambda say: signal.signal(signal.SIGUSR1, lambda *_: say()),
    "reactor": lambda say: signal.signal(
        signal.SIGUSR1, lambda *_: reactor.callFromThread(say)
    ),
}
path, how = sys.argv[1:]
kept = run(path, installs[how])
print(f"logged by the handler ({how}): handler ran, line {'kept' if kept else 'LOST'}")
sys.exit(kept != (how == "reactor"))
PYTHON
for how in direct reactor; do
    "$scratch/venv/bin/python" "$scratch/lost.py" "$scratch/log" "$how" 2>&1 || exit 1
done
echo "as described"
