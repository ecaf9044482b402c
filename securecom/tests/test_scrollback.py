from securecom.client import events as e
from securecom.tests.support.pilot_case import PilotCase, Seen


class Scrolling(PilotCase):
    def test_page_up_scrolls_and_new_messages_do_not_move_it(self) -> None:
        async def scenario(seen: Seen) -> None:
            await seen.online()
            await seen.chat()
            await seen.happens(*(e.Message("bob", f"line {n}") for n in range(100)))
            await seen.press("pageup")
            self.assertNotIn("line 99", seen.text)
            before = [row[20:] for row in seen.rows if "line" in row]
            await seen.happens(e.Message("bob", "newest"))
            self.assertEqual([row[20:] for row in seen.rows if "line" in row], before)
            self.assertIn("rows below", seen.text)
            await seen.press("ctrl+home")
            self.assertIn("line 0", seen.text)
            await seen.press("escape")
            self.assertIn("newest", seen.text)

        self.drive(scenario)


class Copying(PilotCase):
    def test_ctrl_c_copies_what_the_mouse_selected_and_joins_rows(self) -> None:
        async def scenario(seen: Seen) -> None:
            await seen.online()
            await seen.chat()
            await seen.happens(e.Message("bob", "https://example.org/" + "a" * 80))
            seen.app.composer.insert("half")
            await seen.settle()
            y = next(i for i, row in enumerate(seen.rows) if "https" in row)
            x = seen.rows[y].index("https")
            await seen.pilot.mouse_down(offset=(x, y))
            await seen.pilot.hover(offset=(78, y + 1))
            await seen.pilot.mouse_up(offset=(78, y + 1))
            await seen.press("ctrl+c")
            self.assertTrue(seen.app.clipboard.startswith("https://example.org/aaaa"))
            self.assertNotIn("\n", seen.app.clipboard)
            self.assertEqual(seen.app.composer.text, "half")

        self.drive(scenario)
