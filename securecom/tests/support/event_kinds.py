"""Every kind of event that there is."""

from __future__ import annotations

from typing import Any

from securecom.client import events, file_events, key_events
from securecom.client.events import Event

KINDS: list[Any] = [
    thing
    for module in (events, file_events, key_events)
    for thing in vars(module).values()
    if isinstance(thing, type) and issubclass(thing, Event) and thing.kind
]
