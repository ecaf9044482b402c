"""Keys that come faster than they are taken."""

from __future__ import annotations

from textual import events

from securecom.tests.support.pilot_case import PilotCase, Seen


def typed(*keys: str) -> list[events.Event]:
    """Keys, as the terminal's driver hands them over."""
    return [events.Key(key, key if len(key) == 1 else None) for key in keys]


class OrderTests(PilotCase):
    def test_keys_that_come_at_once_count_in_their_order(self) -> None:
        async def scenario(seen: Seen) -> None:
            await seen.online()
            await seen.chat()
            for event in [
                *typed(*"oops", "ctrl+u", *"helx", "backspace", "l", "o", "enter"),
                *typed(*"wrong", "ctrl+c", *"one", "ctrl+j", *"tw", "left", "o", "enter", "enter"),
                *(events.Paste("1\n2"), *typed("enter", "enter")),
                *typed(*"/whois cax", "backspace", "r", "tab"),
            ]:
                seen.app.post_message(event)
            await seen.settle()
            self.assertEqual([text for _, text in seen.calls], ["hello", "one\ntow", "1\n2"])
            self.assertEqual(seen.app.composer.text, "/whois carol ")

        self.drive(scenario)
