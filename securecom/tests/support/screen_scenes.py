"""The screens of the documents, each as a scene: what happens, and how large the terminal is."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from unittest.mock import patch

from securecom.client import events as e
from securecom.client import file_events, key_events
from securecom.client.events import AllSettings, ListedUser, Setting
from securecom.client.frontends.fullscreen.enrolment import FirstScreen
from securecom.errors import PeerKeyChanged
from securecom.tests.support.invitations import INVITATION
from securecom.tests.support.pilot_case import KEY, OTHER_KEY, PilotCase, Seen, in_memory
from securecom.tests.support.svg_screen import drawn_rows, svg

PICTURES = Path(__file__).resolve().parents[3] / "docs" / "pictures"
DIGITS = "310692118351122340834649321218483463599776871693030823336857"
_MINUTE = 60


@dataclass(frozen=True)
class Scene:
    """One picture. `has_colours`: NO_COLOR is not set."""

    play: Callable[[Seen], Awaitable[None]]
    size: tuple[int, int] = (80, 24)
    has_colours: bool = True


async def _talk(seen: Seen) -> None:
    await seen.online()
    users = [ListedUser("bob", "verified"), ListedUser("carol", "met")]
    seen.screen._situation.heard(e.Users(users, "", False))
    await seen.chat(trust="verified")
    seen.wall += _MINUTE
    await seen.happens(
        e.Said("bob", 1, "hi bob, is it you?", False),
        e.Delivered("bob", 1),
        e.Message("bob", "the one and only"),
        e.Message("bob", "the tickets: https://example.org/tickets?order=48213&seats=B7,B8"),
    )
    seen.wall += _MINUTE
    await seen.happens(
        e.Said("bob", 2, "Great.\nShall we meet at eight?", False),
        e.RefusedForYou("dave", "met", "busy"),
        e.Said("bob", 3, "I can be there a little earlier", False),
    )


async def chat(seen: Seen) -> None:
    """A chat with a verified friend."""
    await _talk(seen)
    seen.app.composer.insert("or at half past se")
    await seen.settle()


async def request(seen: Seen) -> None:
    """Somebody asks while a line is half typed."""
    await seen.online()
    seen.app.composer.insert("/chat bo")
    seen.core.offer = object()
    await seen.happens(e.Asked("carol", "met", KEY, 48))


async def unread(seen: Seen) -> None:
    """Messages that came while one looked elsewhere."""
    await _talk(seen)
    await seen.press("alt+up", "alt+up")
    await seen.happens(e.Message("bob", "are you there?"), e.Message("bob", "see you at eight"))
    await seen.press("alt+a")


async def verification(seen: Seen) -> None:
    """Digits and QR code, side by side."""
    await _talk(seen)
    number = " ".join(DIGITS[at : at + 5] for at in range(0, 60, 5))
    seen.core.keys.safety_number = lambda: key_events.SafetyNumber("bob", number, "met")  # type: ignore[method-assign]
    await seen.type("/verify")


SIX_WORDS = ["orbit", "velvet", "canyon", "ticket", "harvest", "lemon"]


async def six_words(seen: Seen) -> None:
    """Six words that both asked for."""
    await verification(seen)
    await seen.press(*"words", "enter")
    await seen.happens(key_events.WordsToCompare("bob", "shown", SIX_WORDS, 1, "met"))


async def changed_key(seen: Seen) -> None:
    """A key that is not the one we know."""
    await seen.online()
    known = key_events.Whois("bob", "met", OTHER_KEY, 7, [])
    seen.core.keys.whois = lambda name: known  # type: ignore[method-assign]
    seen.core.error = PeerKeyChanged(
        "bob's key is not the one you know",
        "No message was sent to it. Call them and ask whether they have a new key.",
        ("trust", f"bob {KEY}"),
    )
    await seen.type("/chat bob")


async def changed_key_asks(seen: Seen) -> None:
    """A request whose key is not the one we know."""
    await seen.online()
    await seen.happens(e.Asked("bob", "changed", KEY, 48))


async def searched_help(seen: Seen) -> None:
    """Help on blocking people."""
    await seen.online()
    await seen.press("f1", *"block")


async def found(seen: Seen) -> None:
    """Text that was found in a conversation."""
    await _talk(seen)
    await seen.press("ctrl+f", *"eight")


async def several_lines(seen: Seen) -> None:
    """The question before several lines are sent."""
    await _talk(seen)
    seen.app.composer.insert("def double(x):\n    return 2 * x\n\nprint(double(21))")
    await seen.press("enter")


async def settings(seen: Seen) -> None:
    """What is chosen for good."""
    await seen.online()
    rows = [
        Setting("ask", "anyone", "who may ask you at all: anyone, people, nobody"),
        Setting("busy", "nobody", "who of them sees that you are busy: nobody, people, to NAMES"),
        Setting("notify", "bell", "what calls you: off, bell, terminal, desktop"),
    ]
    seen.core.settings.all = lambda: AllSettings(rows)  # type: ignore[method-assign]
    await seen.press("f5")


async def files(seen: Seen) -> None:
    """A file on its way, and another one on offer."""
    await _talk(seen)
    await seen.happens(
        file_events.FileProgress("bob", 1, "out", "plan.pdf", 1_207_959, 1_887_436, 317_440, 2, 4),
        file_events.FileOffered("bob", 2, "in", "tickets.zip", 48_213, "9f86d081" * 8),
    )


async def enrolment(seen: Seen) -> None:
    """The screen before there is a client: an application of its own."""


#: Every picture by its name.
SCENES = {
    "enrolment": Scene(enrolment),
    "chat": Scene(chat),
    "chat-without-colours": Scene(chat, has_colours=False),
    "chat-40x10": Scene(chat, (40, 10)),
    "chat-200x60": Scene(chat, (200, 60)),
    "request": Scene(request),
    "request-40x10": Scene(request, (40, 10)),
    "request-changed-key": Scene(changed_key_asks),
    "unread": Scene(unread),
    "verification": Scene(verification, (100, 40)),
    "verification-80x24": Scene(verification),
    "verification-40x10": Scene(verification, (40, 10)),
    "six-words": Scene(six_words),
    "six-words-40x10": Scene(six_words, (40, 10)),
    "changed-key": Scene(changed_key),
    "changed-key-40x10": Scene(changed_key, (40, 10)),
    "help": Scene(searched_help),
    "search": Scene(found),
    "files": Scene(files),
    "several-lines": Scene(several_lines),
    "settings": Scene(settings),
}


class _Drawing(PilotCase):
    """Draws scenes outside a test too."""

    def runTest(self) -> None:  # noqa: N802
        """A test case needs one."""


def _first_screen(size: tuple[int, int]) -> str:
    """Somebody new has given two pass phrases that differ."""

    async def play() -> str:
        app = FirstScreen(INVITATION)
        async with app.run_test(size=size) as pilot:
            await pilot.press(*"one", "enter", *"two", "enter")
            return svg(drawn_rows(app), size[0])

    with patch.dict(os.environ):
        os.environ.pop("NO_COLOR", None)
        return in_memory(play())


def drawn(name: str) -> str:
    """The picture of a scene, drawn now."""
    scene = SCENES[name]
    if scene.play is enrolment:
        return _first_screen(scene.size)
    pictures: list[str] = []

    async def play(seen: Seen) -> None:
        await scene.play(seen)
        pictures.append(svg(drawn_rows(seen.app), scene.size[0]))

    case = _Drawing()
    case.setUp()
    try:
        case.drive(play, scene.size, has_colours=scene.has_colours)
    finally:
        case.doCleanups()
    return pictures[0]
