"""The commands between nodes: declared once, and told in docs/cluster.md."""

from __future__ import annotations

from twisted.protocols import amp
from twisted.trial.unittest import SynchronousTestCase

from securecom import limits, tls, vocabulary
from securecom.errors import WireError
from securecom.peers import NODE_NAME
from securecom.refusals import Refusal
from securecom.server.cluster.carrier import FrameKind
from securecom.server.cluster.node_vocabulary import MeetNode, NodeCommand
from securecom.tests.support.document_case import DocumentCase, row_of, rows
from securecom.tests.support.every_command import longest

COMMANDS = NodeCommand.__subclasses__()


class NodeVocabularyTests(SynchronousTestCase):
    def test_names_are_those_of_no_other_command(self) -> None:
        names = [one.commandName for one in COMMANDS]
        self.assertEqual(len(set(names)), len(names))
        self.assertEqual(set(names) & set(vocabulary.BY_NAME), set())

    def test_every_command_is_explained_and_fails_with_refusals_only(self) -> None:
        for one in COMMANDS:
            self.assertTrue(vars(one).get("__doc__"), one)
            for kind, word in one.errors.items():
                self.assertTrue(issubclass(kind, Refusal), one)
                self.assertEqual(word, vars(kind)["wire"], one)

    def test_whatever_may_be_said_fits_a_frame(self) -> None:
        for one in COMMANDS:
            said = one.makeArguments({n.decode(): longest(a) for n, a in one.arguments}, None)
            told = one.makeResponse({n.decode(): longest(a) for n, a in one.response}, None)
            said[amp.COMMAND] = one.commandName
            for box in (said, told):
                box[amp.ASK] = b"f" * limits.MAX_TAG
                self.assertLessEqual(len(box.serialize()), limits.MAX_SERVER_BODY, one)

    def test_an_ident_has_its_length(self) -> None:
        ident = dict(MeetNode.arguments)[b"ident"]
        self.assertEqual(ident.fromString(bytes(16)), bytes(16))
        for wrong in (b"", bytes(15), bytes(17)):
            self.assertRaises(WireError, ident.fromString, wrong)


class PageTests(DocumentCase):
    def test_every_command_is_on_the_page(self) -> None:
        section = self.text("cluster.md").split("### Commands\n")[1].split("\n## ")[0]
        found = [row[:4] for row in rows(section.split("\n### ")[0])]
        self.assertEqual(found, [row_of(one) for one in COMMANDS])

    def test_every_frame_is_on_the_page(self) -> None:
        section = self.text("cluster.md").split("### Frames\n")[1].split("\n### ")[0]
        found = [row[:2] for row in rows(section)]
        self.assertEqual(found, [[f"`{one.name}`", f"{one.value}"] for one in FrameKind])

    def test_the_names_of_tls(self) -> None:
        text = self.text("cluster.md")
        for word in (tls.ALPN_NODE.decode(), NODE_NAME, tls.GROUP):
            self.assertIn(f"`{word}`", text)
