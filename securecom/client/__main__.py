"""`python -m securecom.client`, `securecom`: arguments, then run.

No reactor is imported before it is known which front-end runs. Nothing heavy is imported before the
command line has been read: `--help`, `--version` and mistakes are answered at once.
"""

from __future__ import annotations

import os
import signal
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from securecom import limits, process
from securecom.client.program import exits, standard_io
from securecom.client.program.command_line import STANDARD_INPUT, parser
from securecom.errors import SecurecomError
from securecom.invitation import Invitation, is_unfinished
from securecom.starting import garbage_left, output_kept, print_all, system_errors_told

if TYPE_CHECKING:
    from securecom.client.profile.profiles import Profiles
    from securecom.client.program.choosing import Choice
    from securecom.client.program.who import Member, Newcomer


@standard_io.leaves_no_input
def main(argv: Sequence[str] | None = None) -> int:
    """The exit code of one run."""
    process.forbid_core_dumps()
    try:
        with system_errors_told(), garbage_left():
            standard_io.fill_missing()
            start = _prepared(argv)
        return start()
    except SecurecomError as error:
        print(f"securecom: {error}", file=sys.stderr)
        return exits.exit_code(error)
    except (KeyboardInterrupt, EOFError):  # while a pass phrase is asked for
        return exits.SIGNALLED + signal.SIGINT


def _prepared(argv: Sequence[str] | None) -> Callable[[], int]:
    """All that comes before the reactor runs; what then runs it, for an exit code."""
    arguments_parser = parser()
    with output_kept():
        arguments = arguments_parser.parse_args(argv)
    _check(arguments, arguments_parser)
    return _chosen(arguments)


def _check(arguments: Namespace, arguments_parser: ArgumentParser) -> None:
    if arguments.identity is not None and arguments.link is None:
        arguments_parser.error("--identity is for enrolling: give the link too")
    if arguments.demo and arguments.link is not None:
        arguments_parser.error("--demo needs no link: it has a server of its own")
    if arguments.doctor and (arguments.demo or arguments.link or arguments.restore):
        arguments_parser.error("--doctor looks at a profile: leave link, --demo, --restore away")
    if arguments.retire is not None and (arguments.demo or arguments.restore is not None):
        arguments_parser.error("--retire does one thing: leave --demo and --restore away")
    if arguments.restore is not None and (arguments.demo or arguments.link is not None):
        arguments_parser.error("--restore brings a profile: leave the link, or --demo, away")
    if arguments.send is not None and arguments.chat is None:
        arguments_parser.error("--send needs somebody to send to: --chat NAME")
    if arguments.send == STANDARD_INPUT:
        if arguments.link == STANDARD_INPUT:
            arguments_parser.error("standard input is either the link or the file, not both")
        if os.isatty(standard_io.INPUT):
            arguments_parser.error("--send - reads a file or a pipe, and this is a terminal")


def _chosen(arguments: Namespace) -> Callable[[], int]:
    from securecom import tls
    from securecom.client.program import arrival, choosing, who

    tls.check_openssl()
    if arguments.doctor:
        return _doctor(arguments)
    choice = choosing.choose(arguments)
    if arguments.send == STANDARD_INPUT:
        arguments.send = standard_io.input_moved()
    if arguments.demo:
        return _demo(arguments, choice)
    profiles = who.profiles_of(arguments, os.environ)
    if arguments.profiles:
        print_all("".join(f"{name}\n" for name in profiles.names()))
        return lambda: exits.OK
    if arguments.link == STANDARD_INPUT:
        arguments.link = Invitation.parse(_pasted_link())
    if arguments.retire is not None:
        return _retirement(arguments, profiles, choice)
    if arrival.is_asked(arguments, profiles, choice):
        source = arrival.ask(arguments)
    else:
        source = who.pass_phrases(arguments, is_terminal=os.isatty(standard_io.INPUT))
    if arguments.restore is not None:
        someone: Member | Newcomer = who.restored(arguments, profiles, source)
    elif arguments.link is None:
        someone = who.member(arguments, profiles, source)
    else:
        someone = who.newcomer(arguments, profiles, source)

    from securecom.client.program import logs, running

    logs.begin(arguments.log_file)
    _import_reactor(choice)
    return lambda: running.run(arguments, someone, choice)


def _doctor(arguments: Namespace) -> Callable[[], int]:
    from securecom.client.program import doctor_run, who

    source = who.pass_phrases(arguments, is_terminal=os.isatty(standard_io.INPUT))
    return lambda: doctor_run.run(arguments, os.environ, source)


def _retirement(arguments: Namespace, profiles: Profiles, choice: Choice) -> Callable[[], int]:
    """Ask for the words; what then sends what they sign."""
    _import_reactor(choice)
    from securecom.client.program import logs, retire

    task = retire.Errand.of(arguments, profiles)
    logs.begin(arguments.log_file)
    return lambda: task.run(choice.uses_asyncio)


def _pasted_link() -> str:
    """A link from the input, whose line may be wrapped; an empty line, or the end, ends it."""
    text = line = standard_io.first_line(limits.MAX_LINK)
    while line and is_unfinished(text):
        line = standard_io.first_line(limits.MAX_LINK, question="")
        text = f"{text}\n{line}"
    return text


def _demo(arguments: Namespace, choice: Choice) -> Callable[[], int]:
    from securecom import demo
    from securecom.client.program import logs

    logs.begin(arguments.log_file)
    _import_reactor(choice)
    return lambda: demo.run(arguments, choice)


def _import_reactor(choice: Choice) -> None:
    """Installs it, which the system may refuse: it needs descriptors."""
    from securecom.clocks import steady_reactor

    steady_reactor(in_asyncio=choice.uses_asyncio)


if __name__ == "__main__":
    sys.exit(main())
