"""What was said and what happened, person by person, for as long as the program runs.

Nothing here knows Textual, and nothing is written to disk.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import Enum
from typing import Literal

from securecom import limits

#: How far a message of ours has come.
Progress = Literal["", "held", "sent", "delivered", "failed"]
#: Where the front-end itself speaks, and what concerns nobody in particular.
HOME = ""


class Kind(Enum):
    """Who speaks in an entry."""

    PEER = "the other person"
    MINE = "we"
    FACT = "the program"
    FRAME = "the program, about this chat"
    PROBLEM = "the program, about what went wrong"
    SERVER = "the server, in its own words"


@dataclass(eq=False, slots=True)
class Entry:
    """One message or notice. `at`: Unix seconds; `text`: as it came, not safe to print."""

    at: float
    kind: Kind
    text: str
    speaker: str = ""
    progress: Progress = ""


@dataclass(eq=False)
class Conversation:
    """All that was said with one person, or what concerns nobody in particular (`HOME`).

    `dropped` counts the entries that are no longer here, `unread` the messages that came while
    nobody looked. `divider` is the number of the first of these, counted from the very first entry.
    """

    name: str
    entries: list[Entry] = field(default_factory=list)
    dropped: int = 0
    unread: int = 0
    divider: int | None = None
    draft: str = ""
    cost: int = 0
    _numbered: dict[int, Entry] = field(default_factory=dict)

    def add(self, entry: Entry, number: int | None = None, *, seen: bool = True) -> None:
        """Append an entry; `number` is that of our own message, which gets a receipt."""
        if not seen and entry.kind is Kind.PEER:
            if not self.unread:
                self.divider = self.dropped + len(self.entries)
            self.unread += 1
        self.entries.append(entry)
        self.cost += _cost(entry)
        if number is not None:
            self._numbered[number] = entry
        too_many = len(self.entries) > limits.SCROLLBACK + limits.SCROLLBACK_SLACK
        if too_many or self.cost > limits.SCROLLBACK_COST:
            self._drop()

    def advance(self, number: int, progress: Progress) -> bool:
        """Note how far our message has come; False if there is no such message."""
        entry = self._numbered.get(number)
        if entry is None:
            return False
        entry.progress = progress
        if progress in ("delivered", "failed"):
            del self._numbered[number]
        return True

    def chat_begins(self) -> None:
        """Numbers begin at 1 again."""
        self._numbered.clear()

    def looked_at(self) -> None:
        """The user sees the newest message."""
        self.unread = 0

    def clear(self) -> None:
        """Forget every entry."""
        self.dropped += len(self.entries)
        self.entries.clear()
        self.cost, self.unread, self.divider = 0, 0, None

    def matches(self, text: str) -> Iterator[int]:
        """The numbers of the entries that contain this text, the newest first."""
        wanted = text.casefold()
        for index in range(len(self.entries) - 1, -1, -1):
            if wanted in self.entries[index].text.casefold():
                yield self.dropped + index

    def _drop(self) -> None:
        """Drop the oldest entries, but never the last one."""
        count = 0
        while count < len(self.entries) - 1 and (
            len(self.entries) - count > limits.SCROLLBACK or self.cost > limits.SCROLLBACK_COST
        ):
            self.cost -= _cost(self.entries[count])
            count += 1
        del self.entries[:count]
        self.dropped += count


def _cost(entry: Entry) -> int:
    """What an entry takes in memory, in characters: each of its lines costs something too."""
    return len(entry.text) + limits.LINE_COST * (1 + entry.text.count("\n"))
