"""What the documents name is there: functions, tests, other pages."""

from __future__ import annotations

import re
from pathlib import Path

from twisted.python.reflect import namedAny

import securecom
from securecom.tests.support.document_case import DOCS, ROOT, DocumentCase, rows

#: A test as `checks.promises` writes it; some are in a base class in support/.
_TEST = r"\[[\w ]+\]\[(tests/|support/)?(test_\w+|\w+_contract)\]"


def pages() -> list[Path]:
    return [*sorted(ROOT.glob("*.md")), *sorted(DOCS.rglob("*.md"))]


def decisions() -> list[Path]:
    return sorted((DOCS / "decisions").glob("[0-9]*.md"))


def prose(page: Path) -> str:
    """A page without its blocks of code."""
    return re.sub(r"^```.*?^```", "", page.read_text("utf-8"), flags=re.M | re.S)


def anchors(page: Path) -> set[str]:
    """The headings of a page, as a browser of the repository links to them."""
    heads = re.findall(r"^#+ (.+)$", prose(page), re.M)
    return {re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-") for head in heads}


class ReferenceTests(DocumentCase):
    def check(self, page: Path, name: str) -> None:
        try:
            namedAny(name)
        except (AttributeError, ImportError, ValueError) as error:
            self.fail(f"{page.name}: there is no {name} ({error})")

    def test_every_function_named_exists(self) -> None:
        """`securecom/module.py:Class.method`, or a module alone."""
        seen = 0
        for page in pages():
            named = re.findall(r"`((?:securecom|tests)/[\w/]+)\.py(?::([\w.]+))?`", prose(page))
            for path, name in named:
                seen += 1
                module = path.replace("/", ".").removesuffix(".__init__")
                self.check(page, f"{module}.{name}".rstrip("."))
        self.assertGreater(seen, 100)

    def test_every_file_named_exists(self) -> None:
        for page in pages():
            for path in re.findall(
                r"`((?:docs|etc|securecom|tests|twisted)/[\w./-]+)`", prose(page)
            ):
                self.assertTrue((ROOT / path).exists(), f"{page.name}: {path}")

    def test_every_test_named_exists(self) -> None:
        """`test_module.Class.test_method`, with or without `securecom.tests.` before it."""
        for page in pages():
            for name in re.findall(r"`(?:securecom\.tests\.)?(test_\w+[\w.]*)`", prose(page)):
                self.check(page, f"securecom.tests.{name}")
            for name in re.findall(r"`(tests\.test_\w+[\w.]*)`", prose(page)):
                self.check(page, name)

    def test_every_promise_of_consent_has_its_test(self) -> None:
        """That the tests are there, and say so, is for `checks.promises`."""
        found = list(rows(self.text("consent.md")))
        self.assertGreater(len(found), 20)
        for row in found:
            self.assertRegex(row[-1], _TEST, row[0])

    def test_every_cannot_has_its_function_and_its_test(self) -> None:
        found = list(rows(self.text("threat-model.md")))
        self.assertGreater(len(found), 80)
        for row in found:
            self.assertRegex(row[2], r"^\[`[\w.]+`\]\[[\w/]+\]", row[0])
            self.assertRegex(row[3], _TEST, row[0])

    def test_every_module_of_the_reading_order_exists(self) -> None:
        told = securecom.__doc__ or ""
        named = re.findall(r"`([\w.]+)`", told)
        self.assertGreater(len(named), 20)
        for name in named:
            path = Path(securecom.__file__).parent / name.replace(".", "/")
            self.assertTrue(path.with_suffix(".py").exists() or path.is_dir(), name)


class LinkTests(DocumentCase):
    def test_links_between_pages_lead_somewhere(self) -> None:
        for page in pages():
            for target in re.findall(r"\]\(([^)\s]+)\)", prose(page)):
                if re.match(r"[a-z]+:", target):
                    continue
                path, _, anchor = target.partition("#")
                there = (page.parent / path).resolve() if path else page
                self.assertTrue(there.exists(), f"{page.name}: {target}")
                if anchor and there.suffix == ".md":
                    self.assertIn(anchor, anchors(there), f"{page.name}: {target}")

    def test_every_page_is_reached(self) -> None:
        for page in sorted(DOCS.glob("*.md")):
            if page.name != "architecture.md":
                self.assertIn(f"({page.name})", self.text("architecture.md"), "add it to the table")

    def test_every_decision_is_in_the_index_once(self) -> None:
        """In the row of its number; gaps may be, for changes that are still under way."""
        text = self.text("decisions/README.md")
        index = re.findall(r"^\| \[(\d+)\]\((.+)\) \| .+ \|$", text, re.M)
        self.assertEqual(sorted(name for _, name in index), [page.name for page in decisions()])
        for number, name in index:
            self.assertEqual(int(number), int(name[:4]), name)

    def test_no_two_decisions_have_one_number(self) -> None:
        numbers = [int(page.name[:4]) for page in decisions()]
        self.assertGreaterEqual(len(numbers), 45)
        self.assertEqual(len(set(numbers)), len(numbers))

    def test_every_decision_says_why_and_what_follows(self) -> None:
        for page in decisions():
            for head in ("## Context", "## Decision", "## Consequences"):
                self.assertIn(f"\n{head}\n", page.read_text("utf-8"), page.name)
