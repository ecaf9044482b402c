"""Lasting choices, as people type them and as a profile keeps them; and spans of time in words."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from securecom import limits
from securecom.client.terms import NOBODY, BusyAudience, Choices, duration, read_ask, read_busy
from securecom.errors import BadArgument, BadName
from securecom.identity import Name

BOB, CAROL = Name("bob"), Name("carol")


class ChoicesTests(SynchronousTestCase):
    def test_by_itself_anyone_may_ask_and_nobody_sees_that_one_is_busy(self) -> None:
        self.assertEqual(Choices(), Choices("anyone", NOBODY))

    def test_one_is_changed_and_the_other_stays(self) -> None:
        former = Choices("people", BusyAudience(names=(BOB,)))
        told = {
            "ask nobody": Choices("nobody", former.busy),
            "Ask  Anyone": Choices("anyone", former.busy),
            "busy nobody": Choices("people", NOBODY),
            "busy people": Choices("people", BusyAudience(people=True)),
            " busy to Carol bob carol ": Choices("people", BusyAudience(names=(CAROL, BOB))),
            "busy to people": Choices("people", BusyAudience(names=(Name("people"),))),
            "busy to nobody": Choices("people", BusyAudience(names=(Name("nobody"),))),
        }
        for text, choices in told.items():
            self.assertEqual(former.changed(text), choices, text)

    def test_what_changes_nothing(self) -> None:
        for text in (
            "",
            "colour blue",
            "ask",
            "ask bob",
            "ask people nobody",
            "busy",
            "busy bob",
            "busy to",
            "busy people bob",
            "busy anyone",
        ):
            error = self.assertRaises(BadArgument, Choices().changed, text)
            self.assertTrue(error.hint.startswith("Nothing was changed."), text)
        self.assertRaises(BadName, Choices().changed, "busy to b/b")
        names = " ".join(f"u{number}" for number in range(limits.MAX_AUDIENCE + 1))
        self.assertRaises(BadArgument, Choices().changed, f"busy to {names}")

    def test_what_is_written_is_read(self) -> None:
        for busy in (NOBODY, BusyAudience(people=True), BusyAudience(names=(BOB, CAROL))):
            self.assertEqual(read_busy(str(busy)), busy)
        self.assertEqual(read_ask("nobody"), "nobody")


class DurationTests(SynchronousTestCase):
    def test_as_people_say_it(self) -> None:
        told = {0: "0 s", 119: "119 s", 120: "2 min", 121: "3 min", 3540: "59 min"}
        told |= {3541: "1 h", 3600: "1 h", 5400: "1 h 30 min", 86_400: "24 h"}
        for seconds, text in told.items():
            self.assertEqual(duration(seconds), text)
