"""The shape of the code, in figures: `./dev house`, or `python -m checks.house`.

Prints how many files, lines and functions there are and how long they are, how deep imports go,
which names mean more than one thing, and how many modules one chat request and one message cross.
Exits with 1 when a name has a second meaning that is not argued for below, when imports form a
circle, or when a path has grown beyond its bound.
"""

from __future__ import annotations

import ast
import statistics
import sys
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "securecom"
TESTS = PACKAGE / "tests"

#: Class names that occur twice, each with the reason why both mean the same thing.
SAME_CLASS: dict[str, str] = {
    "RequestChannel": "the two ends of one channel; neither side imports the other",
    "StandardChannel": "likewise",
}
#: File names that occur twice, likewise.
SAME_FILE: dict[str, str] = {
    "__init__.py": "Python's",
    "__main__.py": "Python's: what `python -m` runs",
    "command_line.py": "what a program can be asked, in argparse's terms",
    "commands.py": "what a person can ask: of the client, and of the server's admin command",
    "request_channel.py": "the two ends of one channel",
    "standard_channel.py": "likewise",
    "service.py": "a side as a whole, as Twisted starts and stops it",
}
#: The most modules that these ways may cross.
#: Three of each are the TLS transport below both ends, which was Twisted's before.
REQUEST_MODULES = 33
MESSAGE_MODULES = 25
#: Not counted on them: it makes and compares values as `dataclasses` would, which nobody reads to
#: find out where a call goes.
_AS_IF_BUILT_IN = str(PACKAGE / "values.py")


@dataclass
class Module:
    """One product file."""

    name: str
    path: Path
    tree: ast.Module
    lines: int
    imports: set[str] = field(default_factory=set)


def modules() -> dict[str, Module]:
    """Every product module by its dotted name."""
    found = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        if TESTS in path.parents:
            continue
        text = path.read_text("utf-8")
        name = ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
        found[name] = Module(name, path, ast.parse(text), text.count("\n"))
    for module in found.values():
        module.imports = set(_imports(module, found)) - {module.name}
    return found


def _imports(module: Module, found: dict[str, Module]) -> Iterator[str]:
    """What it imports when it is imported; imports inside functions come later."""
    for node in module.tree.body:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in found)
        elif isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                inner = f"{node.module}.{alias.name}"
                if inner in found:
                    yield inner
                elif node.module in found:
                    yield node.module


def depths(found: dict[str, Module]) -> dict[str, int]:
    """The longest way down from each module. :raises ValueError: for a circle."""
    known: dict[str, int] = {}

    def depth(name: str, above: tuple[str, ...]) -> int:
        if name in above:
            raise ValueError(" -> ".join((*above[above.index(name) :], name)))
        if name not in known:
            below = [depth(other, (*above, name)) for other in sorted(found[name].imports)]
            known[name] = 1 + max(below, default=-1)
        return known[name]

    for name in found:
        depth(name, ())
    return known


def second_meanings(found: dict[str, Module]) -> list[str]:
    """Class and file names that occur more than once and are not argued for above."""
    classes: dict[str, list[str]] = defaultdict(list)
    files: dict[str, list[str]] = defaultdict(list)
    for module in found.values():
        where = str(module.path.relative_to(ROOT))
        files[module.path.name].append(where)
        for node in ast.walk(module.tree):
            if isinstance(node, ast.ClassDef):
                classes[node.name].append(where)
    twice = [("class", name, where) for name, where in classes.items() if name not in SAME_CLASS]
    twice += [("file", name, where) for name, where in files.items() if name not in SAME_FILE]
    return [f"{kind} {name}: {', '.join(at)}" for kind, name, at in twice if len(at) > 1]


def lengths(values: list[int]) -> str:
    """Median, ninetieth percentile and most."""
    tenths = statistics.quantiles(values, n=10)
    return f"median {statistics.median(values):.0f}, p90 {tenths[8]:.0f}, most {max(values)}"


def functions(found: dict[str, Module]) -> list[int]:
    """Lines of every function and method."""
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef)
    nodes = (node for module in found.values() for node in ast.walk(module.tree))
    return [1 + (node.end_lineno or 0) - node.lineno for node in nodes if isinstance(node, kinds)]


class Trail:
    """Which modules and functions of the product run inside a `with` block."""

    def __init__(self) -> None:
        self.functions: set[tuple[str, str]] = set()
        self.changes = 0
        self._last = ""

    @property
    def modules(self) -> set[str]:
        return {file for file, _ in self.functions}

    def __enter__(self) -> Trail:
        sys.setprofile(self._called)
        return self

    def __exit__(self, *_: object) -> None:
        sys.setprofile(None)

    def _called(self, frame: FrameType, event: str, _: Any) -> None:
        file = frame.f_code.co_filename
        if event != "call" or not file.startswith(str(PACKAGE)) or file.startswith(str(TESTS)):
            return
        if file == _AS_IF_BUILT_IN:
            return
        self.functions.add((file, frame.f_code.co_qualname))
        self.changes += file != self._last
        self._last = file

    def __str__(self) -> str:
        counts = f"{len(self.modules)} modules, {len(self.functions)} functions"
        return f"{counts}, {self.changes} changes of module"


def walks() -> tuple[Trail, Trail]:
    """A chat request from the key that sends it until the other person reads it, and a message
    from its key to its receipt: typed lines, whole clients, a whole server, all in memory.
    """
    from securecom.tests.support.visitor import VisitCase

    case = VisitCase()
    case.mktemp = lambda: "no-folder"  # type: ignore[method-assign]  # trial would make one here
    case.setUp()
    alice, bob = case.visitor("alice"), case.visitor("bob")
    bob.type("/available\n")
    bob.seen()
    with Trail() as request:
        alice.type("/chat bob\n")
    if "alice asks to chat" not in bob.seen():
        raise AssertionError("bob was not asked")
    bob.type("/accept\n")
    alice.type("first\n")
    alice.seen(), bob.seen()
    with Trail() as message:
        alice.type("hi bob\n")
    if "hi bob" not in bob.seen():
        raise AssertionError("bob was not told")
    return request, message


def main() -> int:
    """Print it all; 1 if something is not as it has to be."""
    found = modules()
    faults = second_meanings(found)
    sizes = [module.lines for module in found.values()]
    print(f"files         {len(sizes)}, with {sum(sizes)} lines: {lengths(sizes)}")
    print(f"functions     {lengths(functions(found))}")
    print(f"imports       {sum(len(module.imports) for module in found.values())}", end="")
    try:
        deep = list(depths(found).values())
        print(f", deep: median {statistics.median(deep):.0f}, most {max(deep)}; no circle")
    except ValueError as circle:
        print()
        faults.append(f"imports form a circle: {circle}")
    request, message = walks()
    print(f"/chat bob     {request}")
    print(f"a message     {message}")
    if len(request.modules) > REQUEST_MODULES:
        faults.append(f"a chat request crosses more than {REQUEST_MODULES} modules")
    if len(message.modules) > MESSAGE_MODULES:
        faults.append(f"a message crosses more than {MESSAGE_MODULES} modules")
    for fault in faults:
        print(f"FAULT         {fault}")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
