"""twistd with some of `securecom.limits` changed:

`python -m tests.support.shortened NAME=VALUE… ARGUMENT…`

The waits of the product are as long as people need them, and no option changes them. Tests have
less time; this sets the constants before anything else of securecom is imported, and then is
twistd, with the rest of the command line. While it runs, a line `NAME=VALUE…` on its standard
input sets others, and the log says so: this works for constants that are read at each use, such
as the times of a request.

What still waits in these tests, and why:
- A request stands for 30 to 60 s, as the product has it, wherever somebody has to answer it, so
  that a slow machine is no failure. Tests that wait for a silence set `SOON` for that time; or
  `SILENCE`, which is 6 to 9 s, if somebody has to be reached by the request first.
- `test_silence` compares 112 drawn times of 0.1 to 0.2 s, one after the other, because a person has
  one request at a time; and a friend's answer, which comes at once, with a silence of a minute.
- `test_agreed` and `test_set_clocks` let a chat end by its time, 4 s: two clients have to be in it
  before. `test_strangers` waits for a silence of 6 to 9 s, because a friend is asked meanwhile.
- `test_bots` lets a request be dismissed, which the caller hears after 6 to 9 s, and lets a program
  use up the 5 s that it has. `test_intruders` and `test_consent` use up deadlines of 2 s.
- Anything else is work: a server or client that starts costs a third of a second of a processor,
  nearly all of it Python's imports of securecom, since `tests.support.nursery` has imported the
  rest. A server for a whole class of tests would save little: its rates and blocks outlive a test,
  so each test would have to enrol people of its own.
"""

from __future__ import annotations

import os
import sys
from typing import Any, cast

from twisted.internet.interfaces import IReadDescriptor
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.scripts.twistd import run
from zope.interface import implementer

from securecom import limits

_log = Logger()
#: The client, with limits changed likewise: they stand in front of its own options.
CLIENT = (
    sys.executable,
    "-c",
    "import sys; from tests.support.shortened import shorten; sys.argv[1:] = shorten(sys.argv[1:]);"
    "from securecom.client.__main__ import main; sys.exit(main())",
)
#: As the product has it: people here answer at once, and a busy machine does not.
USUAL = ("REQUEST_STANDS=30", "REQUEST_EXPIRES=60")
#: While a request comes to nothing for which nobody has half a minute.
SILENCE = ("REQUEST_STANDS=6", "REQUEST_EXPIRES=9")
#: While nobody is asked who answers: the times of a silence are still drawn, and differ.
SOON = ("REQUEST_STANDS=0.5", "REQUEST_EXPIRES=1")


def shorten(words: list[str]) -> list[str]:
    """Set what is named in front; the words that are left."""
    while words and "=" in words[0] and not words[0].startswith("-"):
        name, value = words.pop(0).split("=", 1)
        old = getattr(limits, name)  # a misspelt name fails here
        setattr(limits, name, type(old)(value))
    return words


@implementer(IReadDescriptor)
class _Orders:
    """Limits that come on standard input, while the server runs."""

    def __init__(self, reactor: Any) -> None:
        self._reactor = reactor
        self._times = 0

    def fileno(self) -> int:
        return 0

    def logPrefix(self) -> str:
        return "limits"

    def doRead(self) -> None:  # noqa: N802
        words = os.read(0, 4096).decode().split()
        if not words:
            self._reactor.removeReader(self)
            return
        shorten(words)
        self._times += 1  # a line like one before would be held back and counted
        _log.info("limits changed, time {times}", times=self._times)

    def connectionLost(self, reason: Failure) -> None:
        """Nothing was connected."""


if __name__ == "__main__":
    sys.argv[1:] = shorten(sys.argv[1:])
    if "-n" in sys.argv:  # a server in the background reads nothing
        from twisted.internet import reactor

        cast(Any, reactor).addReader(_Orders(reactor))
    run()
