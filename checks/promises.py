"""Keeps the promises in docs/ and the tests behind them together: `python -m checks.promises`.

A promise is a row of a table whose first cell is its number, such as `T12`. A test that keeps it
says so in a comment directly above it:

    # Promise T12, R40
    def test_no_alpn(self) -> None:

From these comments the last cell of each row is written: `python -m checks.promises --write`.
Renaming or moving a test costs no more than that command. The middle cell of a page that has one
names the code: `check_handshake` in backticks is enough, and the script finds its file and adds
the link. It also corrects `securecom/tls.py:check_handshake` in any page after a move.

Without `--write` nothing is changed, and the exit code is 1 when a page is not what would be
written, a row has no test, a comment names no row, or code that is named does not exist.
"""

from __future__ import annotations

import ast
import os
import re
import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

#: The pages with promises, and whether their rows name code in the cell before the tests.
PAGES = {"docs/consent.md": False, "docs/reliability.md": False, "docs/threat-model.md": True}
#: Where tests are, the quick ones first: in this order they stand in a row.
TESTS = ("securecom/tests", "tests")

_NUMBER = re.compile(r"[A-Z]\d+")
_MARK = re.compile(r"\s*# Promise (.*)")
_CODE = re.compile(r"`([\w.]+)`\]?(?:\[([\w/]+)\])?")
_REFERENCE = re.compile(r"`(securecom/[\w/]+\.py):([\w.]+)`")
_DEFINITION = re.compile(r"^\[[\w/]+\]: \.\./\S+\n", re.M)


@dataclass(frozen=True)
class Mark:
    """A test that says that it keeps a promise."""

    number: str
    file: str
    test: str

    def link(self) -> str:
        words = self.test.removeprefix("test_").replace("_", " ")
        return f"[{words}][{label(self.file)}]"


@dataclass
class Report:
    """What is wrong, and the text of each page as it should be."""

    faults: list[str] = field(default_factory=list)
    pages: dict[Path, str] = field(default_factory=dict)


def label(file: str) -> str:
    """What links call a file: short, and telling unit tests from system tests."""
    return file.removesuffix(".py").removeprefix("securecom/tests/").removeprefix("securecom/")


# --- the tests ------------------------------------------------------------------------------


def marks(root: Path, faults: list[str]) -> dict[str, list[Mark]]:
    """Every mark by the promise that it names."""
    found: dict[str, list[Mark]] = defaultdict(list)
    for folder in TESTS:
        for path in sorted((root / folder).glob("**/*.py")):
            file = path.relative_to(root).as_posix()
            for mark in _marks(file, path.read_text("utf-8").splitlines(), faults):
                found[mark.number].append(mark)
    return found


def _marks(file: str, lines: list[str], faults: list[str]) -> Iterator[Mark]:
    for at, line in enumerate(lines):
        if not (match := _MARK.fullmatch(line)):
            continue
        numbers = match[1].split(", ")
        below = next((one for one in lines[at + 1 :] if not re.match(r"\s*[#@]", one)), "")
        test = re.match(r"\s+(?:async )?def (test_\w+)", below)
        if test and all(map(_NUMBER.fullmatch, numbers)):
            yield from (Mark(number, file, test[1]) for number in numbers)
        else:
            faults.append(f"{file}:{at + 1}: write '# Promise T12, R40' directly above a test")


# --- the code -------------------------------------------------------------------------------


def symbols(root: Path) -> dict[str, list[str]]:
    """The files that define each class, function, method and attribute, by its dotted name."""
    found: dict[str, list[str]] = defaultdict(list)
    for path in sorted((root / "securecom").glob("**/*.py")):
        file = path.relative_to(root).as_posix()
        if not file.startswith(TESTS[0]):
            for name in dict.fromkeys(_names(ast.parse(path.read_text("utf-8")).body)):
                found[name].append(file)
    return found


def _names(body: Iterable[ast.stmt], above: str = "") -> Iterator[str]:
    for node in body:
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            yield above + node.name
            if isinstance(node, ast.ClassDef):
                yield from _names(node.body, f"{above}{node.name}.")
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            yield from (above + one.id for one in targets if isinstance(one, ast.Name))


def home(name: str, said: str, known: dict[str, list[str]]) -> str:
    """The file of a name: the one that was said, else the only one. "" if that is not clear."""
    files = known.get(name, [])
    here = [file for file in files if said in (file, label(file))]
    return (here or files)[0] if len(here or files) == 1 else ""


def code_cell(cell: str, known: dict[str, list[str]], where: str, faults: list[str]) -> list[Code]:
    """The code that a cell names, each with its file."""
    found = []
    for name, said in _CODE.findall(cell):
        if file := home(name, said, known):
            found.append(Code(name, file))
        else:
            files = ", ".join(f"[`{name}`][{label(one)}]" for one in known.get(name, []))
            faults.append(f"{where}: `{name}` is {f'one of {files}' if files else 'nowhere'}")
    if not found:
        faults.append(f"{where}: name the code that sees to it")
    return found


@dataclass(frozen=True)
class Code:
    """A function, method or class that sees to a promise."""

    name: str
    file: str

    def link(self) -> str:
        return f"[`{self.name}`][{label(self.file)}]"


# --- the pages ------------------------------------------------------------------------------


class Page:
    """A page with promises, and what it should say."""

    def __init__(self, file: str, names_code: bool, known: dict[str, list[str]]) -> None:
        self.file, self.names_code, self.known = file, names_code, known
        self.seen: list[str] = []
        self._linked: set[str] = set()

    def written(self, text: str, tests: dict[str, list[Mark]], faults: list[str]) -> str:
        """Its text with the cells of code and tests made anew, and what they link to."""
        lines = [
            self._row(line, tests, faults)
            for line in _DEFINITION.sub("", text).rstrip().splitlines()
        ]
        up = "../" * self.file.count("/")
        definitions = [f"[{label(file)}]: {up}{file}" for file in sorted(self._linked, key=label)]
        return "\n".join([*lines, "", *definitions]).rstrip() + "\n"

    def _row(self, line: str, tests: dict[str, list[Mark]], faults: list[str]) -> str:
        cells = re.split(r"(?<!\\) ?\| ?", line)[1:-1] if line.startswith("| ") else []
        if not cells or not _NUMBER.fullmatch(cells[0]):
            if cells and cells[-1] != "tests":
                faults.append(f"{self.file}: a row without a number: {line[:60]}")
            return line
        number = cells[0]
        self.seen.append(number)
        where = f"{self.file}, {number}"
        linked: list[Code | Mark] = list(tests.get(number, []))
        cells[-1] = ", ".join(one.link() for one in linked)
        if not linked:
            faults.append(f"{where}: no test; put '# Promise {number}' above the one that keeps it")
        if self.names_code:
            codes = code_cell(cells[-2], self.known, where, faults)
            cells[-2] = ", ".join(one.link() for one in codes) or cells[-2]
            linked += codes
        self._linked |= {one.file for one in linked}
        return f"| {' | '.join(cells)} |".replace("|  |", "| |")


def follow(text: str, where: str, known: dict[str, list[str]], faults: list[str]) -> str:
    """`securecom/module.py:name` in running text, with the module that holds the name now."""

    def moved(match: re.Match[str]) -> str:
        if file := home(match[2], match[1], known):
            return f"`{file}:{match[2]}`"
        faults.append(f"{where}: {match[0]} is not there")
        return match[0]

    return _REFERENCE.sub(moved, text)


def look(root: Path = ROOT) -> Report:
    """Read tests, code and pages; say what is wrong and how the pages should be."""
    report = Report()
    known = symbols(root)
    tests = marks(root, report.faults)
    seen: list[str] = []
    for path in [*sorted(root.glob("*.md")), *sorted((root / "docs").glob("**/*.md"))]:
        file = path.relative_to(root).as_posix()
        text = follow(path.read_text("utf-8"), file, known, report.faults)
        if file in PAGES:
            page = Page(file, PAGES[file], known)
            text = page.written(text, tests, report.faults)
            seen += page.seen
        report.pages[path] = text
    for number in sorted({one for one in seen if seen.count(one) > 1}):
        report.faults.append(f"{number} is the number of two rows")
    for number in sorted(set(tests) - set(seen)):
        for mark in tests[number]:
            report.faults.append(f"{mark.file}, {mark.test}: there is no promise {number}")
    return report


def main(arguments: list[str], root: Path = ROOT) -> int:
    """Write the pages, or only say what is wrong; 1 if anything is."""
    report = look(root)
    for path, text in report.pages.items():
        if path.read_text("utf-8") == text:
            continue
        if "--write" in arguments:
            path.write_text(text, "utf-8")
        else:
            file = os.path.relpath(path, root)
            report.faults.append(f"{file} is out of date: python -m checks.promises --write")
    for fault in report.faults:
        print(f"FAULT  {fault}")
    return 1 if report.faults else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
