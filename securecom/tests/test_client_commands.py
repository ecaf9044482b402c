"""The command table and what a person types."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from securecom import limits
from securecom.client.api import ClientState
from securecom.client.frontends import commands
from securecom.client.frontends.commands import COMMANDS, Command
from securecom.client.frontends.orders import Order
from securecom.client.frontends.plain import Typed
from securecom.client.terms import IntroductionWish
from securecom.errors import BadArgument, BadName, NotNow, TooLong, UnknownCommand
from securecom.identity import Name
from securecom.tests.support.scripted_core import ScriptedCore
from securecom.text import is_unseen

#: A text for each required argument that is not a name.
TEXTS = {commands.SAY: "hi", commands.TRUST: "bob SHA256:x", commands.BACKUP: "/tmp/file"}
TEXTS |= {commands.SEND: "/tmp/file", commands.GET: "1"}
#: Commands that need the number of a file in a chat.
OF_FILES = (commands.CANCEL, commands.DECLINE)
#: Commands that are answered without the client.
HELD_HERE = (commands.HELP, commands.CLEAR)


class TableTests(SynchronousTestCase):
    def test_every_word_means_one_command(self) -> None:
        words = [w for c in commands.TYPED for w in (c.word, *c.also, c.original) if w]
        self.assertEqual(len(words), len(set(words)))

    def test_the_original_five(self) -> None:
        originals = {command.original for command in COMMANDS} - {""}
        five = {"!users_online", "!chat", "!stop_chat", "!help", "!exit"}
        self.assertEqual(originals, five)

    def test_aliases(self) -> None:
        told = {
            "/who": commands.USERS,
            "/ask": commands.CHAT,
            "/deny": commands.REFUSE,
            "/decline": commands.DECLINE,
            "/hangup": commands.STOP,
            "/back": commands.AVAILABLE,
            "/busy": commands.AWAY,
            "/dnd": commands.AWAY,
            "/quit": commands.EXIT,
        }
        for word, command in told.items():
            self.assertIs(commands.typed(word), command)

    def test_every_command_has_its_row(self) -> None:
        declared = [one for one in vars(commands).values() if isinstance(one, Command)]
        self.assertCountEqual(declared, COMMANDS)

    def test_every_row_is_complete(self) -> None:
        for command in COMMANDS:
            self.assertTrue(command.group and command.about and command.states, command.word)
            self.assertEqual(command.does is None, command is commands.EXIT, command.word)

    def test_every_example_is_a_line_that_the_command_takes(self) -> None:
        for command in COMMANDS:
            for example in command.examples:
                order = Typed().read(example)
                assert isinstance(order, Order), example
                self.assertIs(order.command, command)

    def test_every_command_calls_the_client_in_each_state_that_it_is_for(self) -> None:
        for command in (command for command in COMMANDS if command.does is not None):
            for state in command.states:
                api = ScriptedCore.in_state(state)
                argument = command.argument
                value = None
                if argument is not None and argument.required:
                    value = argument.read(TEXTS.get(command, "bob"))
                if command in OF_FILES and state is ClientState.CHAT:
                    value = 1
                commands.do(command, value, api)
                self.assertEqual(bool(api.calls), command not in HELD_HERE, command.word)

    def test_no_command_calls_the_client_in_any_other_state(self) -> None:
        for command in COMMANDS:
            for state in set(ClientState) - command.states:
                api = ScriptedCore.in_state(state)
                self.assertRaises(NotNow, commands.do, command, None, api)
                self.assertEqual(api.calls, [])

    def test_every_state_has_something_to_do(self) -> None:
        for state in ClientState:
            now = [command for command in COMMANDS if state in command.states]
            self.assertIn(commands.EXIT, now)
            self.assertIn(commands.HELP, now)

    def test_case_does_not_matter(self) -> None:
        self.assertIs(commands.typed("/Chat"), commands.CHAT)

    def test_a_near_miss_is_named(self) -> None:
        error = self.assertRaises(UnknownCommand, commands.typed, "/hlep")
        self.assertEqual(
            str(error), "SC-201 unknown command /hlep. Nothing was sent. Did you mean /help?"
        )

    def test_a_far_miss_points_to_help(self) -> None:
        error = self.assertRaises(UnknownCommand, commands.typed, "/zzzzzz")
        self.assertIn("Try /help", error.hint)

    def test_an_unknown_word_is_made_fit_to_show(self) -> None:
        error = self.assertRaises(UnknownCommand, commands.typed, "/a\x1b[2J" + "b" * 500)
        self.assertNotIn("\x1b", error.what)
        self.assertLess(len(error.what), 100)

    def test_topics_are_found_however_they_are_written(self) -> None:
        for word in ("/chat", "chat", "!chat", "CHAT", "/ask"):
            self.assertEqual(commands.help_topic(word), "chat")
        self.assertEqual(commands.help_topic("say"), "say")
        error = self.assertRaises(UnknownCommand, commands.help_topic, "nonsense")
        self.assertEqual(error.what, "unknown command nonsense")


class TypedTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.typed = Typed()

    def read(self, line: str) -> tuple[str, Any]:
        order = self.typed.read(line)
        assert order is not None and not isinstance(order, str)
        return order.command.word, order.argument

    def test_commands_with_and_without_arguments(self) -> None:
        self.assertEqual(self.read("/users"), ("users", None))
        self.assertEqual(self.read("/users bo "), ("users", "bo"))
        self.assertEqual(self.read("/chat Bob"), ("chat", ("bob", None)))
        self.assertEqual(self.read("/accept"), ("accept", None))
        self.assertEqual(self.read("/refuse bob"), ("refuse", "bob"))
        self.assertEqual(self.read("/help !chat"), ("help", "chat"))
        for all_of_it in ("all", "/all", "ALL"):
            self.assertEqual(self.read(f"/help {all_of_it}"), ("help", "all"))
        self.assertEqual(self.read("!users_online"), ("users", None))
        self.assertEqual(self.read("!stop_chat"), ("stop", None))
        self.assertEqual(self.read("!chat bob"), ("chat", ("bob", None)))

    def test_words_and_pins(self) -> None:
        self.assertEqual(self.read("/verify"), ("verify", None))
        self.assertEqual(self.read("/verify YES"), ("verify", "yes"))
        self.assertEqual(self.read("/trust Bob  SHA256:aB "), ("trust", ("bob", "SHA256:aB")))
        self.assertEqual(self.read("/whois bob"), ("whois", "bob"))
        self.assertEqual(self.read("/fingerprint"), ("fingerprint", None))
        self.assertEqual(self.read("/newkey"), ("newkey", None))
        self.assertRaises(BadArgument, self.read, "/newkey please")
        for line in ("/verify yess", "/verify yes no", "/trust", "/trust bob", "/trust bob a b"):
            self.assertRaises(BadArgument, self.typed.read, line)
        error = self.assertRaises(BadArgument, self.typed.read, "/verify maybe")
        self.assertIn("yes, no, words, qr or qr invert", str(error))
        self.assertEqual(self.read("/verify QR  Invert"), ("verify", "qr invert"))
        self.assertRaises(BadName, self.typed.read, "/trust SHA256:x bob")

    def test_introductions(self) -> None:
        for line, wish in (
            ("/introduce", None),
            ("/introduce Bob to carol", IntroductionWish("make", "bob", Name("carol"))),
            ("/introduce yes to carol", IntroductionWish("make", "yes", Name("carol"))),
            ("/introduce cancel bob to carol", IntroductionWish("cancel", "bob", Name("carol"))),
            ("/introduce YES carol", IntroductionWish("yes", "", Name("carol"))),
            ("/introduce no carol", IntroductionWish("no", "", Name("carol"))),
        ):
            self.assertEqual(self.read(line), ("introduce", wish))
        for text in ("bob", "bob carol", "bob to", "to carol", "maybe carol", "bob to carol now"):
            self.assertRaises(BadArgument, self.typed.read, f"/introduce {text}")
        for text in ("b/b to carol", "bob to c/c", "yes c/c"):
            self.assertRaises(BadName, self.typed.read, f"/introduce {text}")

    def test_settings(self) -> None:
        self.assertEqual(self.read("/set"), ("set", None))
        self.assertEqual(self.read("/set busy  to Bob "), ("set", "busy  to Bob"))
        for line in ("/set x", "/set ask", "/set ask bob", "/set busy bob"):
            self.assertRaises(BadArgument, self.typed.read, line)
        self.assertEqual(commands.SET.usage, "/set [SETTING VALUE]")

    def test_forget_me_is_not_typed_by_accident(self) -> None:
        self.assertEqual(self.read("/forget-me"), ("forget-me", None))
        self.assertEqual(self.read("/forget-me Alice"), ("forget-me", "alice"))
        for line in ("/forget-me yes please", "/forget-me !", "/forget-me alice bob"):
            self.assertRaises(BadName, self.typed.read, line)
        for line in ("/forget", "/forgetme alice", "/forget-me-not"):
            self.assertRaises(UnknownCommand, self.typed.read, line)

    def test_usages_show_what_can_be_said(self) -> None:
        self.assertEqual(commands.VERIFY.usage, "/verify [yes|no|words|qr]")
        self.assertEqual(commands.TRUST.usage, "/trust NAME FINGERPRINT")
        self.assertEqual(commands.WHOIS.usage, "/whois NAME")

    def test_text_goes_as_it_is(self) -> None:
        for text in ("hi", "  hi ", "!important", "!", "a /chat bob", " !exit", "h\x1b[2J", "1/2"):
            self.assertEqual(self.read(text), ("say", text))

    def test_two_slashes_send_one(self) -> None:
        self.assertEqual(self.read("//chat bob"), ("say", "/chat bob"))
        self.assertEqual(self.read("///"), ("say", "//"))

    def test_blank_lines_do_nothing(self) -> None:
        for line in ("", " ", "\t "):
            self.assertIsNone(self.typed.read(line))

    def test_unknown_commands_are_never_text(self) -> None:
        for line in ("/x", "/", "/chatbob", "/user/bin", "/ chat bob", "/say hi"):
            self.assertRaises(UnknownCommand, self.typed.read, line)

    def test_a_slash_behind_blanks_is_neither_text_nor_command(self) -> None:
        for line in (" /chat bob", "\t/exit", "   /x", "\u00a0/exit"):
            error = self.assertRaises(UnknownCommand, self.typed.read, line)
            self.assertIn("blanks", error.what)

    # Promise R45
    def test_a_command_behind_what_nobody_sees_is_neither_text_nor_command(self) -> None:
        """It looks like one on the screen: whoever typed or pasted it means no message."""
        unseen = [chr(code) for code in range(0x3000) if is_unseen(chr(code)) and code != 0x0A]
        unseen += ["\ufeff", "\u3164", "\U000e0001", "\x1b[200~", "\x1b[A", "\x1bOA", "\x9b1;5C"]
        unseen += ["\u200b\u200e \x00", "\x1b[200~\ufeff", "\x1b", "\U00013441", "\U00013442"]
        # A terminal's answers, a click, a function key, and a sequence that was cut off.
        unseen += ["\x1b]11;rgb:0/0/0\x1b\\", "\x1b]0;t\x07", "\x9d0;t\x9c", "\x1bP1$r0m\x1b\\"]
        unseen += ["\x1b_x\x1b\\", "\x1b[?2004;1$y", "\x1b[M !!", "\x1b[[A", "\x1b[1;2", "\x1b["]
        for before in unseen:
            for command in ("/exit", "/chat bob", "/x", "!exit", "!chat"):
                if before.isspace() and command.startswith("!") and before in " \t":
                    continue  # text, as it always was
                error = self.assertRaises(UnknownCommand, self.typed.read, before + command)
                self.assertIn("Nothing was sent", error.hint)
                self.assertTrue(error.what.isprintable(), repr(before))

    # Promise R46
    def test_a_character_that_only_looks_like_a_slash_is_not_one(self) -> None:
        for slash in "\uff0f\u2044\u2215\u29f8\u2571":
            for before in ("", " ", "\u200b"):
                for line in (f"{slash}exit", f"{slash}\uff45xit", f"{slash}\u200bexit"):
                    self.assertRaises(UnknownCommand, self.typed.read, before + line)
        for line in ("\uff01exit", "\uff01chat bob", "!ex\u200bit", "!\uff45xit", "!exit\u200b"):
            self.assertRaises(UnknownCommand, self.typed.read, line)
        self.assertRaises(UnknownCommand, self.typed.read, "/\u200bexit")

    # Promise R46
    def test_what_looks_like_no_command_is_text(self) -> None:
        for text in (
            "\uff0f(^o^)\uff3c",
            "\uff0f\uff0fexit",
            "\u200b//exit",
            "\u200bhello",
            "\ufeffhi /exit",
            "e\u0301t\u00e9",
            "\u00bd/2",
            "\uff01wow",
            "\u0628/\u0629",
        ):
            self.assertEqual(self.read(text), ("say", text))

    def test_arguments_are_checked(self) -> None:
        self.assertRaises(BadArgument, self.typed.read, "/chat")
        self.assertRaises(BadArgument, self.typed.read, "/exit now")
        self.assertRaises(BadArgument, self.typed.read, "!exit now")
        self.assertRaises(BadName, self.typed.read, "/chat b b")
        self.assertRaises(BadName, self.typed.read, "/accept ../x")
        self.assertRaises(UnknownCommand, self.typed.read, "/help nonsense")

    def test_what_is_no_name_is_shown_and_nothing_was_sent(self) -> None:
        error = self.assertRaises(BadName, self.typed.read, "/chat b\x1bb" + "x" * 500)
        self.assertTrue(error.what.startswith('"b\u241bbxxx'), error.what)
        self.assertTrue(error.what.endswith('" is not a name'))
        self.assertLess(len(error.what), 80)
        self.assertTrue(error.hint.startswith("Nothing was sent. A name is 1 to 32"))

    def test_text_up_to_the_limit(self) -> None:
        self.assertEqual(self.read("x" * limits.MAX_TEXT)[0], "say")
        self.assertRaises(TooLong, self.typed.read, "x" * (limits.MAX_TEXT + 1))
        self.assertRaises(TooLong, self.typed.read, "ä" * (limits.MAX_TEXT // 2 + 1))

    def test_the_original_chat_asks_for_the_name(self) -> None:
        self.assertIn("Whom?", str(self.typed.read("!chat")))
        self.assertEqual(self.read("bob"), ("chat", ("bob", None)))
        self.assertEqual(self.read("bob"), ("say", "bob"))

    def test_the_question_can_be_forgotten(self) -> None:
        self.typed.read("!chat")
        self.assertIsNone(self.typed.read(""))
        self.assertEqual(self.read("bob"), ("say", "bob"))
        self.typed.read("!chat")
        self.assertEqual(self.read("/users"), ("users", None))
        self.assertEqual(self.read("bob"), ("say", "bob"))

    def test_a_bad_answer_to_the_question_is_an_error(self) -> None:
        self.typed.read("!chat")
        self.assertRaises(BadName, self.typed.read, "no name at all")
