from securecom.tests.support.pilot_case import PilotCase, Seen


class Help(PilotCase):
    def test_help_is_searched_and_puts_the_command_into_the_line(self) -> None:
        async def scenario(seen: Seen) -> None:
            await seen.online()
            await seen.press("f1", *"safety number")
            self.assertIn("/verify", seen.text)
            self.assertNotIn("/block", seen.text)
            await seen.press("enter")
            self.assertEqual(seen.app.composer.text, "/verify ")

        self.drive(scenario)
