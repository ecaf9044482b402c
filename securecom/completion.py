"""Shell completion of our command lines, with shtab.

shtab is imported when a script is printed and not before: importing it takes longer than everything
else that `--help` needs.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from typing import Any, Literal

OPTION = "--print-completion"


def add_option(parser: argparse.ArgumentParser) -> None:
    """Add the option that prints a completion script for the whole command line."""
    text = "print a completion script for a shell: bash, zsh, tcsh and others"
    parser.add_argument(OPTION, action=_PrintScript, metavar="SHELL", help=text)


def names(argument: argparse.Action, what: Literal["file", "folder"]) -> None:
    """Have shells complete this argument as the path of a file or a folder."""
    argument.complete = what  # type: ignore[attr-defined]


class _PrintScript(argparse.Action):
    def __call__(
        self,
        parser: argparse.ArgumentParser,
        _namespace: object,
        shell: Any,
        _option: object = None,
    ) -> None:
        import shtab

        if shell not in shtab.SUPPORTED_SHELLS:
            there = ", ".join(shtab.SUPPORTED_SHELLS)
            raise argparse.ArgumentError(self, f"there is no script for that shell, only {there}")
        self.choices = shtab.SUPPORTED_SHELLS
        paths = {"file": shtab.FILE, "folder": shtab.DIRECTORY}
        for action in _arguments(parser):
            if (what := vars(action).get("complete")) is not None:
                action.complete = paths[what]  # type: ignore[attr-defined]
        print(shtab.complete(parser, shell))
        parser.exit()


def _arguments(parser: argparse.ArgumentParser) -> Iterator[argparse.Action]:
    """Every argument of a parser and of its commands; each action once."""
    seen: set[int] = set()
    waiting = [parser]
    while waiting:
        for action in waiting.pop()._actions:
            if id(action) in seen:  # a parent's arguments are shared by all its commands
                continue
            seen.add(id(action))
            yield action
            if isinstance(action, argparse._SubParsersAction):
                waiting += action.choices.values()
