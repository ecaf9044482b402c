"""The documents say what the code does: their tables of commands and limits, and the diagrams."""

from __future__ import annotations

import re
import runpy
from pathlib import Path
from typing import ClassVar

from twisted.protocols import amp

import securecom
from securecom import limits, peers, refusals, tls, vocabulary
from securecom.server import standard_channel
from securecom.tests.support.document_case import DOCS, DocumentCase, row_of, rows
from securecom.vocabulary import Pace

# --- commands and refusals ------------------------------------------------------------------


def declared() -> dict[str, list[str]]:
    """The names of the commands under each heading of commands.py."""
    source = Path(vocabulary.__file__).read_text("utf-8")
    sections = re.split(r"^# --- (.+?) -+$", source, flags=re.M)[1:]
    found = {
        title: re.findall(r"^class (\w+)\(PacedCommand\):", body, re.M)
        for title, body in zip(sections[::2], sections[1::2], strict=True)
    }
    return {title: names for title, names in found.items() if names}


class VocabularyTests(DocumentCase):
    def test_every_command_stands_under_its_channel_with_its_arguments(self) -> None:
        text = self.text("protocol.md")
        expected = {
            title: [row_of(getattr(vocabulary, name)) for name in names]
            for title, names in declared().items()
        }
        sections = dict(re.findall(r"^### (.+?)\n(.*?)(?=^##|\Z)", text, re.M | re.S))
        found = {
            title: [row[:4] for row in rows(sections.get(title.capitalize(), ""))]
            for title in expected
        }
        self.assertEqual(found, expected)
        self.assertEqual(len(expected), 7)

    def test_every_refusal(self) -> None:
        section = self.text("protocol.md").split("### Refusals\n")[1].split("\n#")[0]
        kinds = sorted(one.wire.decode() for one in refusals.Refusal.__subclasses__())
        self.assertEqual(sorted(row[0].strip("`") for row in rows(section)), kinds)

    # Promise R30
    def test_every_pace(self) -> None:
        section = self.text("protocol.md").split("### Pace\n")[1].split("\n### ")[0]
        paced = {one.__name__: one.pace for one in vocabulary.BY_NAME.values()}
        expected = [
            [f"`{name}`", f"{pace.count}", f"{pace.seconds:g}"]
            for name, pace in paced.items()
            if isinstance(pace, Pace)
        ]
        self.assertEqual(list(rows(section)), expected)

    def test_who_may_say_what_when(self) -> None:
        """The phases of the standard channel are those of the document."""
        heads = {
            "before log-in": standard_channel.Door,
            "on the enrolment ALPN": standard_channel.EnrolmentPhase,
        }
        for phase, locator in heads.items():
            row = next(row for row in rows(self.text("protocol.md")) if row[0] == phase)
            named = set(re.findall(r"`(\w+)`", row[1]))
            every = {name for names in declared().values() for name in names}
            taken = {n for n in every if locator.locateResponder(_bare(locator), n.encode())}
            self.assertEqual(taken, named, phase)


def _bare(kind: type[amp.CommandLocator]) -> amp.CommandLocator:
    return kind.__new__(kind)


# --- limits ---------------------------------------------------------------------------------


class LimitTests(DocumentCase):
    #: Where the limits of each section of limits.py are told; the client's own are in no table.
    tables: ClassVar[dict[str, str]] = {
        "frames": "protocol.md",
        "messages": "protocol.md",
        "names, links, keys": "protocol.md",
        "deadlines of a connection": "protocol.md",
        "chat requests and chats": "protocol.md",
        "the server's doors": "operations.md",
        "the server's state": "operations.md",
        "memory of a relayed chat": "operations.md",
        "links between nodes": "cluster.md",
    }

    def test_every_value(self) -> None:
        for name in ("protocol.md", "operations.md", "cluster.md"):
            for row in rows(self.text(name)):
                if re.fullmatch(r"`[A-Z]+(_[A-Z]+)+`", row[0]) and len(row) == 3:
                    value = float(row[1].replace(" ", ""))
                    self.assertEqual(value, getattr(limits, row[0].strip("`"), None), row[0])

    def test_none_is_left_out(self) -> None:
        source = Path(limits.__file__).read_text("utf-8")
        sections = re.split(r"^# --- (.+?) -+$", source, flags=re.M)[1:]
        for title, body in zip(sections[::2], sections[1::2], strict=True):
            if document := self.tables.get(title.split(" (")[0]):
                told = {row[0].strip("`") for row in rows(self.text(document))}
                self.assertEqual(set(re.findall(r"^([A-Z_]+) =", body, re.M)) - told, set(), title)


class LabelTests(DocumentCase):
    def test_the_names_of_tls(self) -> None:
        text = self.text("protocol.md")
        alpns = {tls.ALPN_STANDARD, tls.ALPN_ENROL, tls.ALPN_REQUEST, tls.ALPN_CHAT}
        self.assertEqual(
            set(re.findall(r"`(securecom-\w+/\d)`", text)), {a.decode() for a in alpns}
        )
        for word in (peers.SERVER_NAME, tls.GROUP):
            self.assertIn(f"`{word}`", text)


# --- cryptography -----------------------------------------------------------------------------


class CryptographyTests(DocumentCase):
    #: What is more than handing keys and certificates to a library: a digest, a code, a cipher, a
    #: key made of others, or a signature that is no certificate's.
    own = re.compile(
        r"^import (hashlib|hmac)$|export_keying_material\(|private_key\.sign\("
        r"|hazmat\.primitives(\.(ciphers|kdf|hmac|hashes|cmac)| import .*(hashes|hmac))",
        re.M,
    )

    def test_the_protocol_names_every_module_with_some_of_its_own(self) -> None:
        package = Path(securecom.__file__).parent
        found = {
            str(path.relative_to(package.parent))
            for path in package.rglob("*.py")
            if package / "tests" not in path.parents and self.own.search(path.read_text("utf-8"))
        }
        _, table = self.text("protocol.md").split("### Cryptography of our own\n")
        self.assertEqual(set(re.findall(r"`(securecom/[\w/]+\.py)`", table)), found)


# --- diagrams -------------------------------------------------------------------------------


class DiagramTests(DocumentCase):
    def test_the_diagrams_are_those_of_the_machines(self) -> None:
        script = runpy.run_path(str(DOCS / "state_diagrams.py"))
        hint = "python docs/state_diagrams.py > docs/states.md"
        self.assertEqual(self.text("states.md"), script["document"](), hint)
