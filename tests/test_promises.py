"""What `./dev check` makes of the promises in docs/ and the marks at the tests."""

from __future__ import annotations

import contextlib
import io
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from checks import promises

PAGE = """\
# Threat model

See `securecom/tls.py:check`.

| | promise | by | tests |
|---|---|---|---|
| T1 | cannot read | `check` | |
| T2 | cannot say a \\| b | `Line.close` | |
"""
WRITTEN = """\
# Threat model

See `securecom/tls.py:check`.

| | promise | by | tests |
|---|---|---|---|
| T1 | cannot read | [`check`][tls] | [no alpn][test_tls], [two in a chat][tests/test_chat] |
| T2 | cannot say a \\| b | [`Line.close`][server/line] | [no alpn][test_tls] |

[server/line]: ../securecom/server/line.py
[test_tls]: ../securecom/tests/test_tls.py
[tests/test_chat]: ../tests/test_chat.py
[tls]: ../securecom/tls.py
"""
UNIT = """\
class TlsTests:
    # Promise T1, T2
    @patched
    def test_no_alpn(self):
        pass
"""
SYSTEM = """\
class ChatTests:
    # Promise T1
    async def test_two_in_a_chat(self):
        pass
"""


class PromiseCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.root = Path(self.mktemp())
        for file in promises.PAGES:
            self.write(file, "# Nothing here\n")
        self.write("docs/threat-model.md", PAGE)
        self.write("securecom/tls.py", "def check(): ...\n")
        self.write("securecom/server/line.py", "class Line:\n    def close(self): ...\n")
        self.write("securecom/tests/test_tls.py", UNIT)
        self.write("tests/test_chat.py", SYSTEM)

    def write(self, file: str, text: str) -> None:
        path = self.root / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")

    def page(self) -> str:
        return (self.root / "docs/threat-model.md").read_text("utf-8")

    def run_script(self, *arguments: str) -> str:
        """What it says; nothing is wrong if that is nothing."""
        with contextlib.redirect_stdout(io.StringIO()) as said:
            code = promises.main([*arguments], self.root)
        self.assertEqual(code, 1 if said.getvalue() else 0)
        return said.getvalue()


class WritingTests(PromiseCase):
    def test_the_cells_and_their_links(self) -> None:
        self.assertEqual(self.run_script("--write"), "")
        self.assertEqual(self.page(), WRITTEN)

    def test_once_written_nothing_changes(self) -> None:
        self.write("docs/threat-model.md", WRITTEN)
        self.assertEqual(self.run_script(), "")
        self.run_script("--write")
        self.assertEqual(self.page(), WRITTEN)

    def test_a_renamed_and_moved_test_costs_nothing(self) -> None:
        self.write("docs/threat-model.md", WRITTEN)
        (self.root / "securecom/tests/test_tls.py").unlink()
        self.write("securecom/tests/test_peers.py", UNIT.replace("no_alpn", "an_alpn"))
        self.assertEqual(self.run_script("--write"), "")
        self.assertIn("| [an alpn][test_peers] |", self.page())
        self.assertNotIn("test_tls", self.page())

    def test_moved_code_is_followed_in_tables_and_in_text(self) -> None:
        self.write("docs/threat-model.md", WRITTEN)
        (self.root / "securecom/tls.py").rename(self.root / "securecom/ssl.py")
        self.assertEqual(self.run_script("--write"), "")
        self.assertIn("| [`check`][ssl] |", self.page())
        self.assertIn("See `securecom/ssl.py:check`.", self.page())


class FaultTests(PromiseCase):
    def setUp(self) -> None:
        super().setUp()
        self.write("docs/threat-model.md", WRITTEN)

    def test_a_page_that_is_out_of_date(self) -> None:
        self.write("docs/threat-model.md", PAGE)
        self.assertIn("docs/threat-model.md is out of date", self.run_script())
        self.assertEqual(self.page(), PAGE)

    def test_a_row_without_a_test(self) -> None:
        self.write("securecom/tests/test_tls.py", UNIT.replace("T1, T2", "T1"))
        self.assertIn("docs/threat-model.md, T2: no test", self.run_script("--write"))

    def test_a_mark_that_names_no_row(self) -> None:
        self.write("tests/test_chat.py", SYSTEM.replace("T1", "T1, T3"))
        self.assertIn("test_two_in_a_chat: there is no promise T3", self.run_script())

    def test_a_mark_above_something_else(self) -> None:
        self.write("tests/test_chat.py", SYSTEM.replace("def test_two", "def two"))
        self.assertIn("tests/test_chat.py:2: write", self.run_script())

    def test_a_mark_that_is_no_list_of_numbers(self) -> None:
        self.write("tests/test_chat.py", SYSTEM.replace("T1", "T1 and T2"))
        self.assertIn("tests/test_chat.py:2: write", self.run_script())

    def test_two_rows_of_one_number(self) -> None:
        self.write("docs/threat-model.md", WRITTEN.replace("T2", "T1"))
        self.assertIn("T1 is the number of two rows", self.run_script())

    def test_a_row_without_a_number(self) -> None:
        self.write("docs/threat-model.md", WRITTEN.replace("| T2 |", "| |"))
        self.assertIn("a row without a number", self.run_script())

    def test_code_that_is_nowhere(self) -> None:
        self.write("securecom/tls.py", "def other(): ...\n")
        said = self.run_script()
        self.assertIn("T1: `check` is nowhere", said)
        self.assertIn("`securecom/tls.py:check` is not there", said)

    def test_code_that_could_be_either_of_two(self) -> None:
        self.write("docs/threat-model.md", PAGE)
        self.write("securecom/peers.py", "def check(): ...\n")
        said = self.run_script()
        self.assertIn("T1: `check` is one of [`check`][peers], [`check`][tls]", said)

    def test_a_row_that_names_no_code(self) -> None:
        self.write("docs/threat-model.md", WRITTEN.replace("[`check`][tls]", "TLS"))
        self.assertIn("T1: name the code", self.run_script())


class ThisTreeTests(SynchronousTestCase):
    def test_every_page_is_as_it_would_be_written(self) -> None:
        report = promises.look()
        self.assertEqual(report.faults, [])
        for path, text in report.pages.items():
            self.assertEqual(path.read_text("utf-8"), text, path.name)

    def test_none_of_the_promises_got_lost(self) -> None:
        marks = promises.marks(promises.ROOT, [])
        self.assertGreater(len(marks), 300)
