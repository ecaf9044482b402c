"""What all events have, and the words that several of them use."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, ClassVar, Literal

#: What we know of a peer's key: never met, met before (pinned), compared; not the pinned one but
#: one that it signed over to, while it was met or verified; or not the pinned one.
Trust = Literal["new", "met", "verified", "followed", "followed-verified", "changed"]
#: How a key stands that proves somebody whom the person has met, and not a stranger.
KNOWN: frozenset[Trust] = frozenset({"met", "verified", "followed", "followed-verified"})
#: What somebody found who compared the safety numbers: the same, or not.
Word = Literal["yes", "no"]
#: How the log of a chat stands. It is kept only while it is "on".
LogState = Literal["off", "asked-by-me", "asked-by-peer", "on"]
#: How a chat came to its end: one of us said so inside it, the time that both had agreed to was
#: over, or it just stopped.
Ending = Literal["by-me", "by-peer", "time-up", "cut-off"]


@dataclass(frozen=True, slots=True)
class Event:
    """Something happened."""

    kind: ClassVar[str] = ""

    def fields(self) -> dict[str, Any]:
        """The event as JSON has it."""
        return {"event": self.kind, **asdict(self)}
