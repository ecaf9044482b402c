from securecom.tests.support.pilot_case import PilotCase, Seen


class Settings(PilotCase):
    def test_settings_are_shown_and_changed(self) -> None:
        async def scenario(seen: Seen) -> None:
            await seen.online()
            await seen.press("f5")
            self.assertIn("ask: anyone", seen.text)
            await seen.press("enter", *"people", "enter")
            self.assertIn(("set", "ask people"), seen.calls)
            self.assertIn("ask: people", seen.text)
            await seen.press("escape")
            self.assertEqual(len(seen.app.screen_stack), 1)

        self.drive(scenario)
