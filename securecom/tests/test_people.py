from typing import get_args

from securecom.client import events as e
from securecom.client.frontends.fullscreen.people import TRUST_MARKS
from securecom.tests.support.pilot_case import PilotCase, Seen


class Listed(PilotCase):
    def test_unread_messages_are_counted_and_divided(self) -> None:
        async def scenario(seen: Seen) -> None:
            await seen.online()
            await seen.chat()
            await seen.happens(e.Message("bob", "seen"))
            await seen.press("alt+up")
            self.assertEqual(seen.app.viewed, "")
            await seen.happens(e.Message("bob", "unseen"), e.Message("bob", "too"))
            self.assertIn("2 new", seen.text)
            await seen.press("alt+a")
            self.assertEqual(seen.app.viewed, "bob")
            self.assertNotIn("2 new", seen.text)
            rows = [row.strip() for row in seen.rows]
            at = next(i for i, row in enumerate(rows) if "- new -" in row)
            self.assertIn("unseen", rows[at + 1])

        self.drive(scenario)

    def test_a_click_shows_somebody(self) -> None:
        async def scenario(seen: Seen) -> None:
            await seen.online()
            await seen.pilot.click("#people", offset=(3, 2))
            await seen.settle()
            self.assertEqual(seen.app.viewed, "bob")

        self.drive(scenario)

    def test_presence_comes_with_the_list_that_the_client_keeps(self) -> None:
        async def scenario(seen: Seen) -> None:
            await seen.online()
            seen.core.people = [e.ListedUser("carol", "introduced")]  # type: ignore[misc]
            people = [
                e.PersonNow("bob", "verified", "available"),
                e.PersonNow("carol", "introduced", "busy"),
            ]
            await seen.happens(e.PeopleNow(people))
            self.assertIn("+ bob         here", seen.text)
            self.assertIn("= carol       busy", seen.text)
            self.assertIn(("watch_people", True), seen.core.calls)

        self.drive(scenario)

    def test_every_trust_has_a_mark(self) -> None:
        self.assertEqual(set(TRUST_MARKS), set(get_args(e.Trust)))
