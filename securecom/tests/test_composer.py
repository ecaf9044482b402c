from textual import events

from securecom.tests.support.pilot_case import PilotCase, Seen


class Lines(PilotCase):
    def test_several_lines_are_asked_about_and_sent_as_one_message(self) -> None:
        async def scenario(seen: Seen) -> None:
            await seen.online()
            await seen.chat()
            seen.app.post_message(events.Paste("one\r\ntwo\rthree\nfour"))
            await seen.settle()
            self.assertEqual(seen.calls, [])
            await seen.press("enter")
            self.assertIn("Send 4 lines to bob as one message?", seen.text)
            self.assertEqual(seen.calls, [])
            await seen.press("enter")
            self.assertEqual(seen.calls, [("say", "one\ntwo\nthree\nfour")])

        self.drive(scenario)

    def test_escape_and_more_typing_answer_no(self) -> None:
        async def scenario(seen: Seen) -> None:
            await seen.online()
            await seen.chat()
            seen.app.composer.insert("one\ntwo")
            for key in ("escape", "x"):
                await seen.press("enter")
                self.assertIn("Send 2 lines", seen.text)
                await seen.press(key)
                self.assertNotIn("Send 2 lines", seen.text)
            self.assertEqual((seen.calls, seen.app.composer.text), ([], "one\ntwox"))

        self.drive(scenario)

    def test_5000_pasted_characters_arrive_whole(self) -> None:
        texts = ["latin " * 833, "кириллица " * 250, "漢字かな" * 600, "e\u0301\u0323 " * 700]

        async def scenario(seen: Seen) -> None:
            await seen.online()
            await seen.chat()
            for text in texts:
                seen.app.post_message(events.Paste(text))
                await seen.settle()
                await seen.press("enter")
            self.assertEqual(seen.calls, [("say", text) for text in texts])

        self.drive(scenario)

    def test_up_brings_back_what_was_typed_and_down_what_was_half_typed(self) -> None:
        async def scenario(seen: Seen) -> None:
            await seen.online()
            await seen.chat()
            await seen.type("first")
            await seen.type("second")
            seen.app.composer.insert("half")
            await seen.press("up", "up")
            self.assertEqual(seen.app.composer.text, "first")
            await seen.press("down", "down")
            self.assertEqual(seen.app.composer.text, "half")

        self.drive(scenario)

    def test_ctrl_c_clears_then_asks_then_leaves(self) -> None:
        async def scenario(seen: Seen) -> None:
            await seen.online()
            await seen.chat()
            seen.app.composer.insert("half")
            await seen.press("ctrl+c")
            self.assertEqual((seen.app.composer.text, seen.left), ("", []))
            await seen.press("ctrl+c")
            self.assertIn("The chat with bob ends.", seen.text)
            await seen.press("escape")
            self.assertNotIn("The chat with bob ends.", seen.text)
            await seen.press("ctrl+d")
            self.assertIn("Leave?", seen.text)
            self.assertEqual(seen.left, [])
            await seen.press("ctrl+c")
            self.assertEqual(seen.left, [True])

        self.drive(scenario)

    def test_ctrl_d_behind_text_does_not_leave(self) -> None:
        async def scenario(seen: Seen) -> None:
            await seen.online()
            seen.app.composer.insert("half")
            await seen.press("ctrl+d")
            self.assertNotIn("Leave?", seen.text)

        self.drive(scenario)

    def test_exit_leaves(self) -> None:
        async def scenario(seen: Seen) -> None:
            await seen.online()
            await seen.type("/exit")

        self.assertEqual(self.drive(scenario).left, [True])

    def test_tab_completes_commands_and_names_by_the_common_table(self) -> None:
        async def scenario(seen: Seen) -> None:
            await seen.online()
            await seen.press(*"/ch", "tab", *"ca", "tab")
            self.assertEqual(seen.app.composer.text, "/chat carol ")

        self.drive(scenario)

    def test_tab_shows_the_choices_until_one_goes_on(self) -> None:
        async def scenario(seen: Seen) -> None:
            await seen.online()
            await seen.press(*"/bl", "tab")
            self.assertEqual(seen.app.composer.text, "/block")
            await seen.press("tab")
            self.assertIn("/block  /blocked", seen.text)
            await seen.press("e")
            self.assertNotIn("/block  /blocked", seen.text)

        self.drive(scenario)
