"""How a half-typed command may go on."""

from __future__ import annotations

from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from securecom import limits
from securecom.client.api import ClientState
from securecom.client.events import ListedUser
from securecom.client.frontends import commands
from securecom.client.frontends.tab_completion import complete, listed
from securecom.client.terms import Choices
from securecom.identity import Name
from securecom.tests.support.scripted_core import ScriptedCore
from securecom.values import field_names


class Core(ScriptedCore):
    people = [ListedUser(Name("bob"), "verified"), ListedUser(Name("bobby"), "met")]


class CompletionTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.core = Core()

    def after(self, text: str, *names: str) -> str:
        return complete(text, self.core, lambda folder: names).text

    def ways(self, text: str, *names: str) -> list[str]:
        found = complete(text, self.core, lambda folder: names)
        common = found.text[found.start :].rstrip()
        self.assertTrue(all(one.text.startswith(common) for one in found.candidates))
        return [one.text for one in found.candidates]

    def test_a_command(self) -> None:
        self.assertEqual(self.after("/cha"), "/chat ")
        self.assertEqual(self.after("/fo"), "/forget-me ")
        self.assertEqual(self.after("/a"), "/a")
        self.assertEqual(set(self.ways("/a")), {"/accept", "/available", "/away"})

    def test_what_makes_sense_now_comes_first(self) -> None:
        self.core.offer = object()
        self.assertIs(self.core.state, ClientState.ASKED)
        self.assertEqual(self.ways("/a")[0], "/accept")
        self.core.offer = None
        self.assertEqual(self.ways("/a")[-1], "/accept")

    def test_other_words_for_a_command_only_if_no_first_one_fits(self) -> None:
        self.assertEqual(self.after("/hang"), "/hangup ")
        self.assertNotIn("/who", self.ways("/w"))

    def test_every_command_can_be_reached(self) -> None:
        self.assertEqual(set(self.ways("/")), {f"/{command.word}" for command in commands.TYPED})

    def test_a_name(self) -> None:
        self.assertEqual(self.after("/chat b"), "/chat bob")
        self.assertEqual(self.ways("/chat b"), ["bob", "bobby"])
        self.assertEqual(self.after("/whois bobb"), "/whois bobby ")
        self.assertEqual(self.after("/trust bobb"), "/trust bobby ")
        self.assertEqual(self.after("/available to bobb"), "/available to bobby ")

    def test_a_name_that_nobody_has(self) -> None:
        self.assertEqual(complete("/chat carol", self.core).candidates, ())

    def test_settings(self) -> None:
        self.assertEqual(self.after("/set a"), "/set ask ")
        self.assertEqual(self.after("/set ask an"), "/set ask anyone ")
        self.assertEqual(self.after("/set busy to bobb"), "/set busy to bobby ")
        self.assertEqual(self.after("/set ask people x"), "/set ask people x")
        self.assertEqual(self.after("/set nothing x"), "/set nothing x")

    def test_every_setting_and_every_word_of_one(self) -> None:
        kept = field_names(Choices)
        self.assertEqual({one.replace("-", "_") for one in self.ways("/set ")}, set(kept))
        for name in self.ways("/set "):
            for word in self.ways(f"/set {name} "):
                Choices().changed(f"{name} {word}{' bob' * (word == 'to')}")
        for word in ("off", "bell", "terminal", "desktop"):
            self.assertIn(word, self.ways("/set notify "))

    def test_an_introduction(self) -> None:
        self.assertEqual(self.ways("/introduce "), ["bob", "bobby", "yes", "no", "cancel"])
        self.assertEqual(self.after("/introduce bobb"), "/introduce bobby ")
        self.assertEqual(self.after("/introduce bobby "), "/introduce bobby to ")
        self.assertEqual(self.after("/introduce bob to bobb"), "/introduce bob to bobby ")
        self.assertEqual(self.after("/introduce cancel bob "), "/introduce cancel bob to ")
        self.assertEqual(self.ways("/introduce cancel bob to b"), ["bob", "bobby"])
        self.assertEqual(self.after("/introduce yes bobb"), "/introduce yes bobby ")
        self.assertEqual(self.after("/introduce bob to bobby t"), "/introduce bob to bobby t")

    def test_who_asks_can_be_declined_by_name(self) -> None:
        self.assertEqual(self.after("/decline bobb"), "/decline bobb")
        self.core.offer = object()
        self.assertEqual(self.after("/decline bobb"), "/decline bobby ")

    def test_where_a_file_is_to_be_saved(self) -> None:
        names = ("plans/", "plan a.txt")
        self.assertEqual(self.after("/get 1 pl", *names), "/get 1 plan")
        self.assertEqual(self.after("/get 1 x/plans", *names), "/get 1 x/plans/")
        self.assertEqual(self.after("/get 12 a b/plan ", *names), "/get 12 a b/plan a.txt ")
        self.assertEqual(self.after("/get pl", *names), "/get pl")
        self.assertEqual(self.after("/set downloads /a/pl", "plans/"), "/set downloads /a/plans/")

    def test_what_fits_is_found_in_a_large_folder(self) -> None:
        names = [f"f{n:05}" for n in range(limits.MAX_LISTED)]
        self.assertEqual(self.after("/send z", *names, "zebra"), "/send zebra ")

    def test_words(self) -> None:
        self.assertEqual(self.after("/log of"), "/log off ")
        self.assertEqual(self.after("/away un"), "/away until ")
        self.assertEqual(self.after("/help cha"), "/help chat ")
        self.assertIn("yes", self.ways("/verify "))

    def test_a_file(self) -> None:
        names = ("copy.age", "code/", ".hidden", "other")
        self.assertEqual(self.after("/backup cop", *names), "/backup copy.age ")
        self.assertEqual(self.after("/backup cod", *names), "/backup code/")
        self.assertEqual(self.after("/backup a b/cop", *names), "/backup a b/copy.age ")
        self.assertEqual(self.ways("/backup ", *names), ["code/", "copy.age", "other"])
        self.assertEqual(self.after("/backup .h", *names), "/backup .hidden ")

    def test_the_folder_is_the_one_that_is_named(self) -> None:
        asked: list[str] = []

        def files(folder: str) -> list[str]:
            asked.append(folder)
            return []

        complete("/backup /tmp/x/y", self.core, files)
        complete("/backup y", self.core, files)
        self.assertEqual(asked, ["/tmp/x/", ""])

    def test_files_of_the_disk(self) -> None:
        folder = Path(self.mktemp())
        (folder / "inner").mkdir(parents=True)
        (folder / "file").touch()
        (folder / "one\x1b[2J").touch()
        self.assertEqual(sorted(listed(f"{folder}/")), ["file", "inner/"])
        self.assertEqual(listed(f"{folder}/none/"), [])
        self.assertEqual(listed("\0"), [])

    def test_so_many_are_told_of(self) -> None:
        names = [f"f{n:05}" for n in range(2 * limits.MAX_CANDIDATES)]
        self.assertEqual(len(self.ways("/backup f", *names)), limits.MAX_CANDIDATES)

    def test_text_and_what_is_no_command_is_left_alone(self) -> None:
        for text in ("", "hello", "//x", "/nothing x", "/exit x", "/chat bob\n/a", " /a"):
            self.assertEqual(complete(text, self.core), complete(text, None))
            self.assertEqual(self.after(text), text)

    def test_before_there_is_a_client(self) -> None:
        self.assertEqual(complete("/cha", None).text, "/chat ")
        self.assertEqual(complete("/chat b", None).candidates, ())
