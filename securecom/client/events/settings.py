"""What the person has chosen for good."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from securecom.client.events.event import Event


@dataclass(frozen=True, slots=True)
class Setting(Event):
    """One of them. `value`: as it is typed behind its name; `about`: what it does."""

    kind: ClassVar[str] = "setting"
    name: str
    value: str
    about: str


@dataclass(frozen=True, slots=True)
class Settings(Event):
    """All of them, as they are now."""

    kind: ClassVar[str] = "settings"
    settings: list[Setting]
