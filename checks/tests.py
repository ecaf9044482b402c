"""Rules for the tests themselves, run by `./dev check`, or `python -m checks.tests`.

- No test file imports another one: what two of them share is in `support/`.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
UNIT = ROOT / "securecom" / "tests"
SYSTEM = ROOT / "tests"


def imported(tree: ast.AST) -> Iterator[str]:
    """Every module that may be meant, in functions too: `from a import b` gives `a` and `a.b`."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            module = "." * node.level + (node.module or "")
            yield module
            yield from (f"{module}.{alias.name}" for alias in node.names)


def imports_of_tests(folder: Path) -> Iterator[str]:
    """Places where a file imports a test file."""
    for path in sorted(folder.rglob("*.py")):
        for name in imported(ast.parse(path.read_text("utf-8"))):
            last = name.rpartition(".")[2]
            if last.startswith("test_") and (folder / f"{last}.py").exists():
                yield f"{path} imports {name}; move it to support/"


def main() -> int:
    """Print what is wrong; 1 if anything is."""
    faults = [*imports_of_tests(UNIT), *imports_of_tests(SYSTEM)]
    for fault in faults:
        print(f"FAULT         {fault}")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
