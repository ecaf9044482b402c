"""`python -m securecom.client`, `securecom`: arguments, then run.

No reactor is imported before it is known which front-end runs.
"""

from __future__ import annotations

import os
import signal
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Sequence

from securecom import limits, process
from securecom.client.program import account, exits, standard_io
from securecom.client.program.arguments import STANDARD_INPUT, parser
from securecom.errors import SecurecomError
from securecom.invitation import Invitation


@standard_io.leaves_no_input
def main(argv: Sequence[str] | None = None) -> int:
    """The exit code of one run."""
    process.forbid_core_dumps()
    standard_io.fill_missing()
    arguments_parser = parser()
    arguments = arguments_parser.parse_args(argv)
    _check(arguments, arguments_parser)
    try:
        return _run(arguments)
    except SecurecomError as error:
        print(f"securecom: {error}", file=sys.stderr)
        return exits.exit_code(error)
    except (KeyboardInterrupt, EOFError):  # while a pass phrase is asked for
        return exits.SIGNALLED + signal.SIGINT


def _check(arguments: Namespace, arguments_parser: ArgumentParser) -> None:
    if arguments.identity is not None and arguments.link is None:
        arguments_parser.error("--identity is for enrolling: give the link too")
    if arguments.demo and arguments.link is not None:
        arguments_parser.error("--demo needs no link: it has a server of its own")
    if arguments.restore is not None and (arguments.demo or arguments.link is not None):
        arguments_parser.error("--restore brings a profile: leave the link, or --demo, away")


def _run(arguments: Namespace) -> int:
    from securecom import tls

    tls.check_openssl()
    if arguments.demo:
        return _demo(arguments)
    profiles = account.profiles_of(arguments, os.environ)
    if arguments.profiles:
        print("".join(f"{name}\n" for name in profiles.names()), end="")
        return exits.OK
    if arguments.link == STANDARD_INPUT:
        arguments.link = Invitation.parse(standard_io.first_line(limits.MAX_LINK))
    source = account.pass_phrases(arguments, is_terminal=os.isatty(standard_io.INPUT))
    if arguments.restore is not None:
        someone: account.Member | account.Newcomer = account.restored(arguments, profiles, source)
    elif arguments.link is None:
        someone = account.member(arguments, profiles, source)
    else:
        someone = account.newcomer(arguments, profiles, source)

    from securecom.client.program import logs, running

    logs.begin(arguments.log_file)
    return running.run(arguments, someone)


def _demo(arguments: Namespace) -> int:
    from securecom import demo
    from securecom.client.program import logs

    logs.begin(arguments.log_file)
    return demo.run(arguments)


if __name__ == "__main__":
    sys.exit(main())
