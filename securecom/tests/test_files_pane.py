from securecom.client import events as e
from securecom.client import file_events
from securecom.tests.support.pilot_case import PilotCase, Seen

DIGEST = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"


def offered(
    number: int, file: str = "plan.pdf", direction: file_events.Direction = "in"
) -> file_events.FileOffered:
    return file_events.FileOffered("bob", number, direction, file, 1_887_436, DIGEST)


def progress(number: int, done: int) -> file_events.FileProgress:
    return file_events.FileProgress("bob", number, "in", "plan.pdf", done, 1_887_436, 317_440, 2, 4)


class Transfers(PilotCase):
    def test_an_offer_its_progress_and_its_end(self) -> None:
        async def scenario(seen: Seen) -> None:
            await seen.online()
            await seen.chat()
            await seen.happens(offered(1))
            self.assertIn("< 1 plan.pdf", seen.text)
            self.assertIn("/get 1  /decline 1", seen.text)
            self.assertIn(DIGEST, "".join(seen.said.split()))
            await seen.happens(progress(1, 1_207_959))
            self.assertIn("[############........]  63 %  1.15 MiB of 1.8 MiB", seen.text)
            await seen.happens(
                file_events.FileOver("bob", 1, "in", "plan.pdf", "done", 9, 9, "/tmp/plan.pdf")
            )
            self.assertNotIn("####", seen.text)
            self.assertIn("is here, whole and checked", seen.said)

        self.drive(scenario)

    def test_many_files_leave_room_for_the_chat(self) -> None:
        async def scenario(seen: Seen) -> None:
            await seen.online()
            await seen.chat()
            await seen.happens(*(offered(number) for number in range(1, 10)))
            self.assertEqual(sum("/get" in row for row in seen.rows if "<" in row), 3)
            self.assertIn("6 more: F4", seen.text)
            await seen.press("f4")
            self.assertEqual(sum("/get" in row for row in seen.rows if "<" in row), 7)

        self.drive(scenario)

    def test_a_hostile_name_is_cut_and_harmless(self) -> None:
        async def scenario(seen: Seen) -> None:
            await seen.online()
            await seen.chat()
            await seen.happens(offered(1, "\x1b[2J[red]" + "x" * 300))
            (row,) = [row for row in seen.rows if "< 1" in row]
            self.assertIn("\u241b[2J[red]xxx", row)
            self.assertIn("~", row)
            self.assertLessEqual(len(row), 80)

        self.drive(scenario)

    def test_a_wide_name_leaves_room_for_what_can_be_done(self) -> None:
        async def scenario(seen: Seen) -> None:
            await seen.online()
            await seen.chat()
            for number, name in enumerate(("\u6f22" * 60, "a" + "\u0301" * 90, "\u6f22.pdf"), 1):
                await seen.happens(offered(number, name))
                (row,) = [row for row in seen.rows if f"< {number}" in row]
                self.assertIn(f"1.8 MiB  /get {number}  /decline {number}", row)

        self.drive(scenario)

    def test_with_the_chat_they_go(self) -> None:
        async def scenario(seen: Seen) -> None:
            await seen.online()
            await seen.chat()
            await seen.happens(offered(1), e.ChatOver("bob", "by-me", []))
            self.assertNotIn("< 1 plan", seen.text)

        self.drive(scenario, (40, 10))
