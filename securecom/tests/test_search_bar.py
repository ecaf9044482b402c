from securecom.client import events as e
from securecom.tests.support.pilot_case import PilotCase, Seen


class Searching(PilotCase):
    def test_search_goes_from_match_to_match(self) -> None:
        async def scenario(seen: Seen) -> None:
            await seen.online()
            await seen.chat()
            lines = [f"line {n} {'Needle' * (n in (3, 50))}" for n in range(100)]
            await seen.happens(*(e.Message("bob", line) for line in lines))
            seen.app.composer.insert("half")
            await seen.press("ctrl+f", *"needle")
            self.assertIn("1 of 2", seen.text)
            self.assertIn("line 50", seen.text)
            await seen.press("enter")
            self.assertIn("line 3 ", seen.text)
            await seen.press("x")
            self.assertIn("not found", seen.text)
            await seen.press("escape")
            self.assertEqual(seen.app.composer.text, "half")
            await seen.press("x")
            self.assertEqual(seen.app.composer.text, "halfx")

        self.drive(scenario)
