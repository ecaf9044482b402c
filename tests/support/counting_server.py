"""twistd with streams numbered from 1, so that an attacker in a test can know them.

The product draws the numbers at random; no test may rest on that an attacker cannot guess them.
"""

from __future__ import annotations

from twisted.scripts.twistd import run

from securecom.server.local_switchboard import LocalSwitchboard

_last = [0]


def _next_stream(_board: LocalSwitchboard) -> int:
    _last[0] += 1
    return _last[0]


if __name__ == "__main__":
    LocalSwitchboard._new_stream = _next_stream  # type: ignore[method-assign, assignment]
    run()
