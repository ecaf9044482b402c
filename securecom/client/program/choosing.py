"""Which front-end runs: the one that is named, or the best one for these standard streams.

Our own front-ends are in a table here, so that they work from a source tree and no other package
can take their names. Others are entry points of the group `securecom.frontends`; nothing of them is
loaded before a user has named one.
"""

from __future__ import annotations

import difflib
import importlib
import os
from argparse import Namespace
from collections.abc import Callable
from typing import TYPE_CHECKING, cast

from securecom.client.api import Launch, UserFrontend
from securecom.client.program import standard_io
from securecom.errors import NoFrontend
from securecom.text import shown
from securecom.values import Value

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

LINES, JSON, FULL_SCREEN = "lines", "json", "fullscreen"
#: What `lines` is where there is a terminal for its editor.
_EDITED = "securecom.client.program.terminal_lines:TerminalFrontend"
#: The group of entry points.
GROUP = "securecom.frontends"

_OURS = {
    LINES: "securecom.client.program.standard_lines:StandardLines",
    JSON: "securecom.client.program.standard_lines:JsonLines",
    FULL_SCREEN: "securecom.client.program.standard_screen:StandardScreen",
}


class Choice(Value):
    """A front-end that is going to run.

    :param make: makes it.
    :param uses_asyncio: Twisted's reactor has to run in asyncio's event loop.
    """

    name: str
    make: Callable[[Launch], UserFrontend]
    uses_asyncio: bool


def choose(arguments: Namespace) -> Choice:
    """What `--frontend`, `--plain` or `--json` names, or else the default.

    :raises NoFrontend: if there is none of that name, or it cannot be loaded.
    """
    name = arguments.frontend or _default()
    make = _ours(name) if name in _OURS else _another(name)
    return Choice(name, make, bool(getattr(make, "uses_asyncio", False)))


def names() -> list[str]:
    """Every front-end that can be named here, ours first."""
    others = {entry.name for entry in _entry_points()} - _OURS.keys()
    return [*_OURS, *sorted(others)]


def is_screen() -> bool:
    """Input and output are a terminal that obeys what an editor has to tell it."""
    here = (standard_io.INPUT, standard_io.OUTPUT)
    return all(map(os.isatty, here)) and standard_io.screen(standard_io.OUTPUT).has_colours


def _default() -> str:
    return FULL_SCREEN if is_screen() else LINES


def _ours(name: str) -> Callable[[Launch], UserFrontend]:
    where = _EDITED if name == LINES and is_screen() else _OURS[name]
    module, _, maker = where.partition(":")
    return cast(Callable[[Launch], UserFrontend], getattr(importlib.import_module(module), maker))


def _another(name: str) -> Callable[[Launch], UserFrontend]:
    found = next((entry for entry in _entry_points() if entry.name == name), None)
    if found is None:
        near = difflib.get_close_matches(name[:40], names(), n=1)
        guess = f"Did you mean {near[0]}?" if near else f"There are: {', '.join(names())}."
        raise NoFrontend(f"there is no front-end {shown(name[:40])}", f"Nothing was sent. {guess}")
    try:
        make = found.load()
    except Exception as error:  # it is somebody else's code
        what = f"the front-end {shown(name)} cannot be loaded ({type(error).__name__}: {error})"
        raise NoFrontend(shown(what)) from error
    return cast(Callable[[Launch], UserFrontend], make)


def _entry_points() -> list[EntryPoint]:
    """Looked up only when a name is not ours: it reads the metadata of every package."""
    from importlib.metadata import entry_points

    return list(entry_points(group=GROUP))
