"""What the client can be asked on its command line, and nothing it does."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from securecom import __version__, completion, limits
from securecom.errors import Mistake
from securecom.invitation import Invitation

if TYPE_CHECKING:
    from securecom.identity import Name

_EPILOG = """\
The first time, give the invitation link that the server's admin made for you; after that,
securecom alone is enough. Input that is not a terminal is carried out line by line, each line when
it makes sense, until it ends. The exit code is that of the first thing that went wrong:
0 all well, 1 something you can fix, 2 usage, 3 server unreachable, 4 not the pinned server,
5 log-in refused, 6 no answer or refused, 7 a changed key, 8 too often, 130 and 143 signals.
docs/json.md lists the commands and events of --json."""

#: In place of a link: it is the first line of standard input.
STANDARD_INPUT = "-"

T = TypeVar("T")


def _typed(parse: Callable[[str], T], name: str) -> Callable[[str], T]:
    """A parser whose mistakes argparse shows as its own."""

    def parse_argument(text: str) -> T:
        try:
            return parse(text)
        except Mistake as error:
            raise argparse.ArgumentTypeError(f"{error.what}. {error.hint}") from None

    parse_argument.__name__ = name  # argparse names it where int() fails
    return parse_argument


def _count(text: str) -> int:
    if not text.isascii() or not text.isdigit():
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 0 up")
    return int(text)


def _link(text: str) -> Invitation | str:
    """A link, or the word for one that comes from standard input."""
    return STANDARD_INPUT if text == "-" else Invitation.parse(text)


# `--help` and `--version` need neither Twisted nor cryptography: what reads a value imports them.


def _name(text: str) -> Name:
    from securecom.identity import Name

    return Name(text)


def _command(text: str) -> tuple[str, ...]:
    from securecom.client.program import deciding

    return deciding.split(text)


def parser() -> argparse.ArgumentParser:
    """The command line of `securecom`."""
    parser = argparse.ArgumentParser(
        prog="securecom",
        description="End-to-end encrypted terminal chat that asks before it connects anyone.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"securecom {__version__}")
    completion.add_option(parser)
    parser.add_argument(
        "link",
        nargs="?",
        type=_typed(_link, "link"),
        metavar="LINK",
        help="securecom://…: enrol with this invitation; - reads it from standard input, which "
        "keeps it out of process lists and shell histories",
    )
    parser.add_argument(
        "--demo",
        action="store_true",
        help="try it out: a server, a partner and a chat, all on this machine",
    )
    parser.add_argument(
        "--doctor",
        action="store_true",
        help="check network, server, clock, channels, key, terminal, and say what to put right; "
        "with --json one object for each finding",
    )
    _add_profile(parser.add_argument_group("who you are"))
    _add_session(parser.add_argument_group("being online"))
    _add_frontend(parser.add_argument_group("what you see"))
    return parser


def _add_profile(group: argparse._ArgumentGroup) -> None:
    group.add_argument("--profile", metavar="NAME", help="which profile, if there are several")
    group.add_argument("--profiles", action="store_true", help="list them and leave")
    folder = group.add_argument(
        "--data-dir",
        type=Path,
        metavar="DIR",
        help="where profiles are kept (default: $SECURECOM_HOME, or the platform's usual place)",
    )
    completion.names(folder, "folder")
    identity = group.add_argument(
        "--identity",
        type=Path,
        metavar="FILE",
        help="enrol with this OpenSSH Ed25519 key instead of a new one; it stays where it is",
    )
    completion.names(identity, "file")
    backup = group.add_argument(
        "--restore",
        type=Path,
        metavar="FILE",
        help="make a profile from this backup (written by /backup) and go online; --profile "
        "names it. The backup's pass phrase comes first, then the identity's, if it has one",
    )
    completion.names(backup, "file")
    group.add_argument(
        "--retire",
        type=_typed(_name, "name"),
        metavar="NAME",
        help="retire NAME's stolen key with its twelve words (/retirement made them), and leave. "
        "The server is that of a profile here, anybody's, or of LINK, which may be a spent one",
    )
    source = group.add_mutually_exclusive_group()
    source.add_argument(
        "--pass-fd",
        type=_count,
        metavar="N",
        help="read the pass phrase as a line from descriptor N",
    )
    file = source.add_argument(
        "--pass-file",
        type=Path,
        metavar="FILE",
        help="read the pass phrase from this file's first line, a second one from its second",
    )
    completion.names(file, "file")
    source.add_argument(
        "--no-pass",
        action="store_true",
        help="no pass phrase: a new key is protected by its file's mode alone (for bots)",
    )


def _add_session(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--request",
        choices=("listen", "dial"),
        help="whether we (listen) or the server (dial) open the connection for chat requests",
    )
    availability = group.add_mutually_exclusive_group()
    availability.add_argument(
        "--available", action="store_const", const=True, help="let people ask you from the start"
    )
    availability.add_argument(
        "--away",
        action="store_const",
        const=False,
        dest="available",
        help="let nobody ask you until /available",
    )
    group.add_argument(
        "--on-request",
        type=_typed(_command, "command"),
        metavar="COMMAND",
        help="this program accepts or refuses chat requests, or leaves them to you "
        "(docs/bots.md); '' for none",
    )
    group.add_argument(
        "--save",
        action="store_true",
        help="keep --request, --available or --away, and --on-request as this profile's settings",
    )
    group.add_argument(
        "--takeover", action="store_true", help="end a session of yours that runs elsewhere"
    )
    group.add_argument(
        "--chat", type=_typed(_name, "name"), metavar="NAME", help="ask NAME for a chat at once"
    )
    group.add_argument(
        "--send",
        metavar="FILE",
        help="with --chat: offer this file or folder once the chat has begun; - offers what "
        "standard input holds. A script leaves when the other person has it",
    )
    group.add_argument(
        "--attempts",
        type=_count,
        metavar="N",
        help="give up after N failed connections; 0: never "
        f"(default: {limits.ATTEMPTS}, but never on a terminal or with --stay)",
    )


def _add_frontend(group: argparse._ArgumentGroup) -> None:
    which = group.add_mutually_exclusive_group()
    which.add_argument(
        "--frontend",
        metavar="NAME",
        help="fullscreen (default on a terminal), lines (default elsewhere), json, or the name of "
        "one that another package brings (docs/frontends.md)",
    )
    which.add_argument(
        "--plain",
        action="store_const",
        const="lines",
        dest="frontend",
        help="the same as --frontend lines: lines of text that never change afterwards",
    )
    which.add_argument(
        "--json",
        action="store_const",
        const="json",
        dest="frontend",
        help="the same as --frontend json: one JSON object per line, in and out",
    )
    group.add_argument(
        "--stay", action="store_true", help="keep running after the end of the input"
    )
    log = group.add_argument(
        "--log-file",
        type=Path,
        metavar="FILE",
        help="append what happens to the connections; never messages, keys or names",
    )
    completion.names(log, "file")
