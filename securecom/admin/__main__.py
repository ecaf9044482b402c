"""`securecom-admin`: invitations, users, and the health of a server's state.

A short-lived process beside the server: it reads the state folder and works on the registry, where
the server notices what has changed. It needs no reactor.
"""

from __future__ import annotations

import contextlib
import secrets
import sys
import time
from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path
from typing import NoReturn

from securecom import process
from securecom.admin.command_line import MIGRATE, NODES, WHERE, parser
from securecom.admin.commands import COMMANDS, AdminContext, Desk, Report, done, migrate
from securecom.errors import OutputFailed, SecurecomError
from securecom.server.state import default_state_folder, open_directly, read_state
from securecom.starting import output_kept, path_named, print_all, system_errors_told

_OK, _ERROR, _INTERRUPTED = 0, 1, 130


def answer(argv: Sequence[str], around: AdminContext) -> Report:
    """Do what a command line asks for.

    :raises SecurecomError: it cannot be done, and nothing was changed.
    :raises SystemExit: from argparse, after `--help` or a mistake in usage.
    """
    with output_kept():
        asked = parser().parse_args(argv)
    folder = _folder(asked.state)
    if asked.command == MIGRATE:
        return migrate(folder, asked, around)
    state = read_state(folder, around.now())
    if asked.command in (NODES, WHERE):
        nodes = import_module("securecom.admin.nodes")  # which needs a reactor
        report: Report = nodes.ask(asked, state)
        return report
    with contextlib.closing(open_directly(state)) as registry:
        done(registry.end_quarantines(around.now()))
        return COMMANDS[asked.command](Desk(state, registry, around), asked)


def _folder(named: Path | None) -> Path:
    return default_state_folder() if named is None else path_named(named, "--state")


def run(argv: Sequence[str], around: AdminContext) -> int:
    """Do what a command line asks for and print the result. Returns the exit code."""
    try:
        with system_errors_told():
            said = answer(argv, around)
    except SecurecomError as error:
        return _cannot(str(error))
    except KeyboardInterrupt:
        return _INTERRUPTED
    if said.note:
        print(said.note, file=sys.stderr)
    try:
        print_all("".join(f"{line}\n" for line in said.lines))
    except OutputFailed as error:
        return _cannot(f"{error.what}; the command itself was carried out")
    return _OK


def main(argv: Sequence[str] | None = None) -> NoReturn:
    """The command `securecom-admin`."""
    process.forbid_core_dumps()
    if sys.stdout is None:  # closed before we were started: a token would be lost
        sys.exit(_cannot("there is no standard output; nothing was done"))
    around = AdminContext(time.time, secrets.token_bytes, _confirmer(), sys.stdout.encoding)
    sys.exit(run(sys.argv[1:] if argv is None else argv, around))


def _cannot(why: str) -> int:
    print(why, file=sys.stderr)
    return _ERROR


def _confirmer() -> Callable[[str], bool] | None:
    if sys.stdin is None or not sys.stdin.isatty():
        return None
    return _confirm


def _confirm(question: str) -> bool:
    print(f"{question} [y/N] ", end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip().lower() in ("y", "yes")


if __name__ == "__main__":
    main()
