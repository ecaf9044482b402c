"""Help on a terminal: short enough to be read, and nothing left out."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from securecom.client.api import ClientState
from securecom.client.frontends import commands
from securecom.client.frontends.commands import COMMANDS, SAY, TYPED, help_on
from securecom.client.frontends.plain import Plain
from securecom.client.frontends.qr import Screen

#: A small terminal has 24 rows: the line typed last, the next one, and some of what was before.
ROWS = 18
COLUMNS = 80


def rows(topic: str | None, state: ClientState) -> list[str]:
    return Plain(lambda: "08:05", lambda: Screen(COLUMNS)).lines(help_on(topic, state))


class ShortTests(SynchronousTestCase):
    def test_it_fits_on_a_small_terminal_whatever_is_going_on(self) -> None:
        for state in ClientState:
            self.assertLessEqual(len(rows(None, state)), ROWS, state)

    def test_every_command_is_in_it_once(self) -> None:
        for state in ClientState:
            words = " ".join(rows(None, state)).split()
            for command in TYPED:
                self.assertEqual(words.count(f"/{command.word}"), 1, (state, command.word))

    def test_what_is_needed_most_has_a_row_while_it_makes_sense(self) -> None:
        for state in ClientState:
            told = rows(None, state)
            for command in (command for command in COMMANDS if command.brief):
                row = [row for row in told if row.endswith(f"  {command.brief}")]
                self.assertEqual(len(row), state in command.states, (state, command.word))
                self.assertTrue(all(command.usage in one for one in row))

    def test_writing_is_named_in_a_chat_only(self) -> None:
        for state in ClientState:
            told = "\n".join(rows(None, state))
            self.assertEqual(SAY.usage in told, state is ClientState.CHAT)


class LongTests(SynchronousTestCase):
    def test_all_says_of_each_command_what_its_own_help_says(self) -> None:
        told = rows(commands.ALL, ClientState.IDLE)
        for command in TYPED:
            own = rows(command.word, ClientState.IDLE)
            self.assertTrue(own[0].startswith(f"08:05   *  {command.usage}  "))
            at = told.index(own[0])
            self.assertEqual(told[at : at + len(own)], own)

    def test_a_command_of_its_own_shows_its_examples(self) -> None:
        told = "\n".join(rows("away", ClientState.IDLE))
        self.assertIn("for example  /away, /away 45m, /away until 15:00", told)

    def test_it_is_under_headings_and_says_what_makes_no_sense_now(self) -> None:
        told = rows(commands.ALL, ClientState.IDLE)
        self.assertEqual(told[0], "08:05   *  A CHAT")
        self.assertIn("[not now]", "".join(rows("accept", ClientState.IDLE)))
        self.assertNotIn("[not now]", "".join(rows("accept", ClientState.ASKED)))
