"""Every refusal that a command may be answered with has an error, and words for the person."""

from __future__ import annotations

import string
from typing import cast

from twisted.internet.error import ConnectionLost
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from securecom import refusals, vocabulary
from securecom.client.denials import DENIALS, denial, denied
from securecom.refusals import Refusal

#: What callers say of the command that was refused.
FACTS = {
    vocabulary.Enrol: {"where": "chat.example.org:4241"},
    vocabulary.LogIn: {"where": "chat.example.org:4241"},
    vocabulary.DialMe: {"where": "the request channel"},
    vocabulary.RequestChat: {"name": "bob"},
    vocabulary.Hello: {"sent": "what we sent"},
    vocabulary.Say: {"sent": "what we sent"},
}
DECLARED = [
    (cast(type[Refusal], refusal), command)
    for command in vocabulary.BY_NAME.values()
    for refusal in command.errors
]


class DenialTests(SynchronousTestCase):
    def test_each_refusal_of_each_command_becomes_an_error_with_words(self) -> None:
        for kind, command in DECLARED:
            with self.subTest(refusal=kind.__name__, command=command.__name__):
                error = denial(kind("words of the server"), command, **FACTS.get(command, {}))
                self.assertTrue(error.what)
                self.assertTrue(error.hint)
                self.assertFalse({"{", "}", "/"} & set(str(error)))
                self.assertNotIn("words of the server", str(error))

    def test_each_refusal_answers_some_command(self) -> None:
        kinds = {kind for kind, _ in DECLARED}
        self.assertEqual(set(Refusal.__subclasses__()), kinds)

    def test_each_row_is_of_a_refusal_that_its_command_declares(self) -> None:
        used = {
            (kind, command if (kind, command) in DENIALS else None) for kind, command in DECLARED
        }
        self.assertEqual(set(DENIALS), used)

    def test_each_fact_is_in_some_sentence(self) -> None:
        for command, facts in FACTS.items():
            rows = [row for (_, answered), row in DENIALS.items() if answered is command]
            parts = (part for row in rows for part in string.Formatter().parse(row.what))
            self.assertEqual({name for _, name, _, _ in parts if name}, set(facts))

    def test_a_refusal_that_its_command_does_not_declare_has_no_words(self) -> None:
        self.assertRaises(KeyError, denial, refusals.Busy(), vocabulary.MyData)

    def test_only_a_wait_for_asking_again_is_shown(self) -> None:
        for kind in (refusals.Refused, refusals.TooSoon):
            self.assertTrue(self.asked(kind("90")).endswith(" Ask again in 90 s."))
            self.assertNotIn("Ask again", self.asked(kind("soon")))
        self.assertNotIn("Ask again", self.asked(refusals.Busy("90")))

    def test_no_other_failure_is_changed(self) -> None:
        lost = Failure(ConnectionLost())
        self.assertIs(denied(lost, vocabulary.MyData), lost)

    def asked(self, refusal: Refusal) -> str:
        return denial(refusal, vocabulary.RequestChat, name="bob").hint
