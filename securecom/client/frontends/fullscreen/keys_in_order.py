"""Keys count in the order in which they are typed, however quickly they come.

Textual puts a letter into the queue of the line that has the focus, and looks for bindings
(Backspace, Ctrl+U, Enter of a dialog) only after the key has come back through the queues of all
parents. Of keys that come in one read, over a slow connection or from somebody who types ahead,
the letters would be taken first: `oops`, Ctrl+U, `hello` would become `oopshello` and be gone.
"""

from __future__ import annotations

from typing import Any, Generic, TypeVar

from textual import events
from textual.app import App
from textual.widgets import Input, TextArea

_T = TypeVar("_T")


class KeysInOrder(App[_T], Generic[_T]):
    """An application that is done with a key in a line before it takes the next one."""

    async def on_event(self, event: events.Event) -> None:
        """Keys and pastes for a line are carried out here; all else is Textual's."""
        if event.is_forwarded or not isinstance(event, (events.Key, events.Paste)):
            await super().on_event(event)
            return
        line: Any = self.focused
        if not isinstance(line, (Input, TextArea)):
            await super().on_event(event)
        elif isinstance(event, events.Key):
            await self._key(event, line)
        elif isinstance(line, TextArea):
            await line._on_paste(event)
        else:
            line._on_paste(event)

    async def _key(self, event: events.Key, line: Any) -> None:
        """What the whole screen wants comes first, then the line, then everybody's bindings."""
        if await self._check_bindings(event.key, priority=True):
            return
        await line._on_key(event)
        if not event._stop_propagation:
            await self._check_bindings(event.key)
