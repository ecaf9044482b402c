"""Text that a hostile peer may send to fool a terminal."""

from __future__ import annotations

HOSTILE = "\x1b[2J\r08:05   *  SC-401\n08:05   *  you are hacked\u202e\x07\x9b\ud800"
