from securecom.client import events as e
from securecom.client import key_events
from securecom.client.frontends.fullscreen.dialogs import SixWords
from securecom.errors import NotNow, PeerKeyChanged
from securecom.tests.support.pilot_case import KEY, OTHER_KEY, PilotCase, Seen
from securecom.tests.support.screen_scenes import SIX_WORDS


class Keys(PilotCase):
    def test_a_changed_key_has_a_dialog_that_enter_does_not_close(self) -> None:
        async def scenario(seen: Seen) -> None:
            await seen.online()
            changed = PeerKeyChanged("bob's key is not the one", None, ("trust", f"bob {KEY}"))
            await seen.type("/chat bob")
            seen.core.fail_request(changed)
            await seen.settle()
            self.assertIn("STOP: bob's key has changed", seen.text)
            self.assertIn(KEY, seen.text)
            await seen.press("enter", "space", "y", "enter")
            self.assertIn("STOP", seen.text)
            await seen.press(*"trust", "enter")
            self.assertNotIn("STOP", seen.text)
            self.assertIn(("take", "bob", KEY), seen.calls)

        self.drive(scenario)

    def test_on_the_smallest_screen_both_keys_are_whole_and_the_answer_has_room(self) -> None:
        async def scenario(seen: Seen) -> None:
            await seen.online()
            known = key_events.Whois("bob", "met", OTHER_KEY, 7, [])
            seen.core.keys.whois = lambda name: known  # type: ignore[method-assign]
            seen.core.error = PeerKeyChanged("changed", None, ("trust", f"bob {KEY}"))
            await seen.type("/chat bob")
            squeezed = "".join("".join(seen.rows).split())
            self.assertIn(KEY, squeezed)
            self.assertIn(OTHER_KEY, squeezed)
            self.assertIn("trust or no >", seen.text)

        self.drive(scenario, (40, 10))

    def test_escape_leaves_a_changed_key_alone(self) -> None:
        async def scenario(seen: Seen) -> None:
            await seen.online()
            seen.core.error = PeerKeyChanged("changed", None, ("trust", f"bob {KEY}"))
            await seen.type("/chat bob")
            await seen.press("escape")
            self.assertNotIn("STOP", seen.text)
            self.assertEqual([call for call in seen.calls if call[0] == "take"], [])

        self.drive(scenario)

    def test_a_key_that_the_old_one_signed_is_shown_with_the_old_one(self) -> None:
        async def scenario(seen: Seen) -> None:
            await seen.online()
            await seen.chat()
            await seen.happens(key_events.KeyFollowed("bob", OTHER_KEY, KEY, "met"))
            self.assertIn(KEY, seen.text)
            self.assertIn(OTHER_KEY, seen.text)
            await seen.press("enter")
            self.assertIn(OTHER_KEY, seen.text)
            await seen.press("o", "k", "enter")
            self.assertEqual(len(seen.app.screen_stack), 1)

        self.drive(scenario)

    def test_verification_shows_all_digits_and_needs_a_word(self) -> None:
        async def scenario(seen: Seen) -> None:
            await seen.online()
            await seen.chat()
            await seen.type("/verify")
            self.assertEqual(seen.text.count("12345"), 12)
            await seen.press("y", "enter")
            self.assertNotIn(("compared", True), seen.calls)
            await seen.press(*"yes", "enter")
            self.assertIn(("compared", True), seen.calls)

        self.drive(scenario)

    # Promise C100
    def test_six_words_are_shown_when_both_asked_and_only_then_confirmed(self) -> None:
        async def scenario(seen: Seen) -> None:
            await seen.online()
            await seen.chat()
            await seen.type("/verify")
            await seen.happens(key_events.WordsToCompare("bob", "asked-by-peer", [], 0, "met"))
            hint = "bob wants to compare six words: type words"
            self.assertIn(hint, " ".join(seen.text.split()))
            await seen.press(*"words", "enter")
            self.assertIn(("words",), seen.calls)
            self.assertIn("they are shown when bob types", " ".join(seen.text.split()))
            for typed in ("yes", "hello"):
                await seen.press(*typed, "enter")
                what = f'"{typed}" was not sent. Type digits, then Enter. Esc closes.'
                self.assertIn(what, " ".join(seen.text.split()))
            await seen.happens(key_events.WordsToCompare("bob", "shown", SIX_WORDS, 2, "met"))
            for word in SIX_WORDS:
                self.assertIn(word, seen.text)
            self.assertIn("this is try 2", seen.text)
            self.assertIn("same? yes or no >", seen.text)
            self.assertNotIn(("compared", True), seen.calls)
            await seen.press(*"yes", "enter")
            self.assertIn(("compared", True), seen.calls)
            self.assertEqual(len(seen.app.screen_stack), 1)

        for size in ((80, 24), (40, 12)):
            self.drive(scenario, size)

    def test_words_that_come_while_their_dialog_opens_are_shown(self) -> None:
        async def scenario(seen: Seen) -> None:
            await seen.online()
            await seen.chat()
            dialog = SixWords(key_events.WordsToCompare("bob", "asked-by-me", [], 1, "met"), print)
            seen.app.push_screen(dialog)
            dialog.heard(key_events.WordsToCompare("bob", "shown", SIX_WORDS, 1, "met"))
            await seen.settle()
            self.assertIn(SIX_WORDS[5], seen.text)

        self.drive(scenario)

    def test_from_the_words_back_to_the_digits(self) -> None:
        async def scenario(seen: Seen) -> None:
            await seen.online()
            await seen.chat()
            await seen.type("/verify words")
            await seen.press(*"digits", "enter")
            self.assertEqual(seen.text.count("12345"), 12)
            await seen.press(*"no", "enter")
            self.assertIn(("compared", False), seen.calls)

        self.drive(scenario)

    def test_a_comparison_ends_with_its_chat_and_takes_no_answer_then(self) -> None:
        for command in ("/verify", "/verify words"):

            async def scenario(seen: Seen, command: str = command) -> None:
                await seen.online()
                await seen.chat()
                await seen.type(command)
                await seen.happens(e.ChatOver("bob", "by-peer", [], []))
                self.assertIn("The chat is over: there is nothing to compare", seen.text)
                await seen.press(*"yes", "enter")
                self.assertNotIn(("compared", True), seen.calls)
                await seen.press(*"close", "enter")
                self.assertEqual(len(seen.app.screen_stack), 1)

            self.drive(scenario)

    def test_without_colours_the_code_is_drawn_with_characters(self) -> None:
        async def scenario(seen: Seen) -> None:
            await seen.online()
            await seen.chat()
            await seen.type("/verify")
            self.assertGreater(seen.text.count("\u2588"), 100)
            self.assertGreater(seen.text.count("\u2580"), 20)

        self.drive(scenario, has_colours=False)

    def test_a_pass_phrase_is_asked_for_and_never_shown(self) -> None:
        async def scenario(seen: Seen) -> None:
            await seen.online()
            answers: list[str] = []
            seen.screen.ask_secret("pass phrase").addCallback(answers.append)
            await seen.settle()
            await seen.press(*"hunter2")
            self.assertNotIn("hunter2", seen.text)
            await seen.press("enter")
            self.assertEqual(answers, ["hunter2"])
            asked = seen.screen.ask_secret("pass phrase")
            await seen.settle()
            await seen.press("escape")
            self.failureResultOf(asked, NotNow)

        self.drive(scenario)
