"""The lines and JSON front-ends as the program makes them."""

from __future__ import annotations

import os
import signal
from argparse import Namespace
from typing import Any

from twisted.internet.testing import MemoryReactorClock
from twisted.trial.unittest import SynchronousTestCase

from securecom.client.api import Launch
from securecom.client.frontends.jsonl import Json
from securecom.client.frontends.plain import Plain
from securecom.client.program import standard_io, standard_lines
from securecom.client.program.standard_lines import JsonLines, StandardLines
from securecom.identity import Name


class StandardLinesTests(SynchronousTestCase):
    def setUp(self) -> None:
        here, there = os.pipe()
        self.addCleanup(os.close, here)
        self.addCleanup(os.close, there)
        self.patch(standard_io, "INPUT", here)

    def launch(self, **more: Any) -> Launch:
        return Launch(Namespace(stay=False), MemoryReactorClock(), lambda: None, **more)

    def test_what_is_spoken(self) -> None:
        self.assertIsInstance(StandardLines(self.launch())._language, Plain)
        self.assertIsInstance(JsonLines(self.launch())._language, Json)

    def test_a_program_is_patient_wherever_it_is_and_a_person_without_a_terminal(self) -> None:
        lines, objects = StandardLines(self.launch()), JsonLines(self.launch())
        self.assertEqual([lines.is_patient(at) for at in (True, False)], [False, True])
        self.assertEqual([objects.is_patient(at) for at in (True, False)], [True, True])

    def test_what_the_command_line_asks_for_comes_first(self) -> None:
        lines = StandardLines(self.launch(chat=Name("bob"), message="hello"))
        self.assertEqual([order.command.word for order in lines._first], ["chat", "say"])
        self.assertEqual(lines._first[0].argument, (Name("bob"), None))
        self.assertTrue(all(order.essential for order in lines._first))
        lines = StandardLines(self.launch(chat=Name("bob"), file="plan.pdf"))
        self.assertEqual([order.command.word for order in lines._first], ["chat", "send"])

    def test_it_opens_when_it_starts(self) -> None:
        opened: list[Any] = []
        handlers: dict[int, Any] = {}
        self.patch(standard_lines, "StandardIO", lambda lines, **_: opened.append(lines))
        self.patch(signal, "signal", handlers.__setitem__)
        lines = JsonLines(self.launch())
        self.assertEqual(opened, [])
        self.assertNoResult(lines.start())
        self.assertEqual(opened, [lines])
        self.assertEqual(list(handlers), [signal.SIGCONT])
