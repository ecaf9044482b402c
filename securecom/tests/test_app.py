from textual import events

from securecom.client import events as e
from securecom.tests.support.hostile_text import HOSTILE
from securecom.tests.support.pilot_case import PilotCase, Seen


class Chats(PilotCase):
    def test_a_message_and_its_receipt(self) -> None:
        async def scenario(seen: Seen) -> None:
            await seen.online()
            await seen.chat()
            await seen.happens(e.Message("bob", "hi alice"), e.Said("bob", 1, "hi bob", False))
            self.assertIn("bob| hi alice", seen.text)
            self.assertIn(">   me| hi bob", seen.text)
            await seen.happens(e.Delivered("bob", 1))
            self.assertIn("ok  me| hi bob", seen.text)

        self.drive(scenario)

    def test_a_message_without_receipt_is_marked_when_the_chat_ends(self) -> None:
        async def scenario(seen: Seen) -> None:
            await seen.online()
            await seen.chat()
            await seen.happens(
                e.Said("bob", 1, "one", False),
                e.Said("bob", 2, "two", False),
                e.Delivered("bob", 1),
            )
            seen.core.end_chat()
            await seen.happens(e.ChatOver("bob", "cut-off", [2]))
            self.assertIn("ok  me| one", seen.text)
            self.assertIn("!!  me| two", seen.text)

        self.drive(scenario)

    def test_what_is_typed_is_said(self) -> None:
        async def scenario(seen: Seen) -> None:
            await seen.online()
            await seen.chat()
            await seen.type("hello")
            self.assertEqual(seen.calls, [("say", "hello")])
            self.assertEqual(seen.app.composer.text, "")

        self.drive(scenario)

    def test_a_message_that_cannot_be_sent_stays_in_the_line(self) -> None:
        async def scenario(seen: Seen) -> None:
            await seen.online()
            await seen.type("hello")
            self.assertEqual(seen.calls, [])
            self.assertEqual(seen.app.composer.text, "hello")
            self.assertIn("you are not in a chat", seen.text)
            await seen.chat()
            seen.app.composer.text = "x" * 20_000
            await seen.press("enter")
            self.assertEqual(seen.app.composer.text, "x" * 20_000)

        self.drive(scenario)

    # Promise C112
    def test_writing_a_message_is_told_and_a_command_or_a_pass_phrase_is_not(self) -> None:
        async def scenario(seen: Seen) -> None:
            def told() -> int:
                return seen.core.calls.count(("typing",))

            await seen.online()
            await seen.press("h", "i")
            self.assertEqual(told(), 0, "there is no chat")
            await seen.press("ctrl+u")
            await seen.chat()
            for command in ("/users", " /x", "!help"):
                for key in command:
                    await seen.press(
                        {"/": "slash", "!": "exclamation_mark", " ": "space"}.get(key, key)
                    )
                seen.app.composer.replace_text("")
                await seen.settle()
            self.assertEqual(told(), 0, "commands")
            answer = seen.screen.ask_secret("pass phrase")
            answer.addErrback(lambda _: None)
            await seen.settle()
            await seen.press("s", "e")
            await seen.press("escape")
            self.assertEqual(told(), 0, "a pass phrase")
            await seen.press("h", "i")
            self.assertEqual(told(), 2)

        self.drive(scenario)

    def test_the_other_one_is_seen_writing(self) -> None:
        async def scenario(seen: Seen) -> None:
            await seen.online()
            await seen.chat()
            await seen.happens(e.PeerTyping("bob", True))
            self.assertIn("chat with bob | is writing", seen.text)
            await seen.happens(e.PeerTyping("bob", False))
            self.assertNotIn("is writing", seen.text)

        self.drive(scenario)

    def test_an_unknown_command_is_not_sent_and_stays(self) -> None:
        async def scenario(seen: Seen) -> None:
            await seen.online()
            await seen.chat()
            await seen.type("/hlep")
            self.assertIn("Did you mean /help?", seen.said)
            self.assertEqual((seen.calls, seen.app.composer.text), ([], "/hlep"))

        self.drive(scenario)

    # Promise T67
    def test_nothing_of_a_peers_reaches_the_terminal_raw(self) -> None:
        async def scenario(seen: Seen) -> None:
            await seen.online()
            await seen.chat()
            await seen.happens(e.Message("bob", HOSTILE))
            await seen.happens(e.Message("bob", "[bold]markup[/bold] \x1b[31mred"))
            self.assertIn("[bold]markup[/bold] \u241b[31mred", seen.text)
            drawn = set(seen.text) - {"\n"}
            self.assertFalse([c for c in drawn if ord(c) < 32 or 127 <= ord(c) < 160])
            self.assertFalse(drawn & set("\u202e\u200b\u2066"))

        self.drive(scenario)

    def test_no_row_of_a_peer_begins_like_one_of_ours(self) -> None:
        async def scenario(seen: Seen) -> None:
            await seen.online()
            await seen.chat()
            await seen.happens(e.Message("bob", "a\n08:05 *  bob is verified\n" + "word " * 40))
            rows = [row for row in seen.rows if "verified" in row or "word" in row]
            self.assertGreater(len(rows), 4)
            for row in rows:
                self.assertRegex(row, r"bob\| ")

        self.drive(scenario)


class Views(PilotCase):
    def test_a_chat_does_not_take_over_a_half_typed_line(self) -> None:
        async def scenario(seen: Seen) -> None:
            await seen.online()
            seen.app.composer.insert("half")
            await seen.chat()
            self.assertEqual((seen.app.viewed, seen.app.composer.text), ("", "half"))
            self.assertIn("Alt+C shows bob", seen.text)
            await seen.press("enter")
            self.assertEqual(seen.calls, [])
            self.assertIn("your chat is with bob", seen.said)
            await seen.press("alt+c")
            self.assertEqual((seen.app.viewed, seen.app.composer.text), ("bob", ""))
            await seen.press("alt+up")
            self.assertEqual((seen.app.viewed, seen.app.composer.text), ("", "half"))

        self.drive(scenario)

    def test_what_comes_while_the_terminal_is_not_looked_at_is_unread(self) -> None:
        async def scenario(seen: Seen) -> None:
            await seen.online()
            await seen.chat()
            seen.app.post_message(events.AppBlur())
            await seen.settle()
            await seen.happens(e.Message("bob", "unseen"))
            self.assertIn("1 new", seen.text)
            seen.app.post_message(events.AppFocus())
            await seen.settle()
            self.assertNotIn("1 new", seen.text)
            self.assertIn("- new -", seen.text)

        self.drive(scenario)

    def test_clear_empties_the_conversation(self) -> None:
        async def scenario(seen: Seen) -> None:
            await seen.online()
            await seen.chat()
            await seen.happens(e.Message("bob", "hi alice"))
            await seen.type("/clear")
            self.assertNotIn("hi alice", seen.text)

        self.drive(scenario)


class Flood(PilotCase):
    def test_a_screen_that_is_behind_stops_the_server(self) -> None:
        async def scenario(seen: Seen) -> None:
            await seen.online()
            await seen.chat()
            for number in range(600):
                seen.screen.show(e.Message("bob", f"line {number}"))
            self.assertTrue(seen.core.is_held)
            await seen.settle()
            self.assertFalse(seen.core.is_held)
            self.assertIn("line 599", seen.text)

        self.drive(scenario)
