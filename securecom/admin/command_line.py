"""The command line of `securecom-admin`, as argparse describes it."""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from securecom import __version__, completion, limits
from securecom.errors import Mistake
from securecom.identity import Name
from securecom.invitation import Host, parse_authority
from securecom.text import shown

_DURATION = re.compile(r"([0-9]{1,6})([mhd])")
_MINUTES = {"m": 1, "h": 60, "d": 24 * 60}
_INVITATION = re.compile(r"I([0-9]{1,15})")

T = TypeVar("T")

#: The command that works on the state folder while nobody uses the registry.
MIGRATE = "migrate"
#: The commands about a server of several nodes.
NODES, WHERE = "nodes", "where"


def invitation_id(number: int) -> str:
    """An invitation's number as people type it; the capital I sets it apart from names."""
    return f"I{number}"


def duration(text: str) -> float:
    """`90m`, `24h` or `7d` in seconds, within the limits of an invitation."""
    match = _DURATION.fullmatch(text)
    if match is None:
        raise argparse.ArgumentTypeError(f"{text!r} is not a duration such as 90m, 24h or 7d")
    minutes = int(match[1]) * _MINUTES[match[2]]
    low, high = limits.MIN_INVITATION_MINUTES, limits.MAX_INVITATION_HOURS * 60
    if not low <= minutes <= high:
        raise argparse.ArgumentTypeError(f"an invitation is valid for {low}m to {high // 1440}d")
    return minutes * 60.0


def name_or_invitation(text: str) -> Name | int:
    """A name, or an invitation's number."""
    match = _INVITATION.fullmatch(text)
    return Name(text) if match is None else int(match[1])


def _typed(parse: Callable[[str], T]) -> Callable[[str], T]:
    """Wrap a parser so that argparse shows its errors."""

    def parse_argument(text: str) -> T:
        try:
            return parse(text)
        except Mistake as error:
            given = shown(text[:40])  # says which one, if there are several names
            raise argparse.ArgumentTypeError(f'"{given}": {error.what}. {error.hint}') from None

    return parse_argument


_name: Callable[[str], Name] = _typed(Name)
_which: Callable[[str], Name | int] = _typed(name_or_invitation)
_authority: Callable[[str], tuple[Host, int | None]] = _typed(parse_authority)


def parser() -> argparse.ArgumentParser:
    """The whole command line. The chosen command's word is in `command`."""
    top = argparse.ArgumentParser(
        prog="securecom-admin",
        description="Manage who can use this securecom server, also while it runs.",
        epilog="Exit codes: 0 done, 1 error (the message says what to do), 2 usage.",
    )
    top.add_argument("--version", action="version", version=f"securecom-admin {__version__}")
    completion.add_option(top)
    _add_state(top, None)
    commands = top.add_subparsers(dest="command", metavar="COMMAND", required=True)
    everywhere = argparse.ArgumentParser(add_help=False)
    _add_state(everywhere, argparse.SUPPRESS)

    def add(command: str, text: str) -> argparse.ArgumentParser:
        return commands.add_parser(command, help=text, description=text, parents=[everywhere])

    _add_invitations(add)
    _add_users(add)
    add("fingerprint", "print the fingerprint that clients show for this server")
    add("check", "check the state folder, the certificates and the registry")
    move = add(MIGRATE, "move the registry into PostgreSQL, or back into a file")
    text = "postgresql://USER@HOST/DATABASE for PostgreSQL, or sqlite for a file"
    move.add_argument("--to", metavar="ADDRESS", required=True, help=text)
    _add_nodes(add)
    return top


def _add_nodes(add: Callable[[str, str], argparse.ArgumentParser]) -> None:
    where = add(WHERE, "say which node somebody is on")
    where.add_argument("name", metavar="NAME", type=_name)
    for about in (add(NODES, "list the nodes of a server that has several"), where):
        text = "the engine that the nodes share, as they are told it: redis://HOST:PORT/DB"
        about.add_argument("--switchboard", metavar="URL", required=True, help=text)
        about_it = "a private file with the password for it"
        about.add_argument("--switchboard-password-file", metavar="FILE", type=Path, help=about_it)
        trusted = "the certificates to trust for rediss:// (default: the system's)"
        about.add_argument("--switchboard-ca", metavar="FILE", type=Path, help=trusted)
        _add_json(about)


def _add_state(to: argparse.ArgumentParser, default: str | None) -> None:
    text = "the server's state folder (default: $SECURECOM_STATE, or the platform's folder)"
    state = to.add_argument("--state", metavar="DIR", type=Path, default=default, help=text)
    completion.names(state, "folder")


def _add_invitations(add: Callable[[str, str], argparse.ArgumentParser]) -> None:
    invite = add("invite", "make a link for each name, valid once")
    invite.add_argument("names", metavar="NAME", nargs="+", type=_name)
    invite.add_argument(
        "--expires",
        metavar="DURATION",
        type=duration,
        default=limits.INVITATION_HOURS * 3600.0,
        help=f"how long the link is valid: 90m, 24h, 7d (default: {limits.INVITATION_HOURS}h)",
    )
    text = "where clients find the server (default: its first --public host)"
    invite.add_argument("--host", metavar="HOST[:PORT]", type=_authority, help=text)
    invite.add_argument("--qr", action="store_true", help="also show each link as a QR code")
    _add_json(invite)
    _add_json(add("invites", "list the open invitations"))
    revoke = add("revoke", "close one invitation, or all those for a name")
    revoke.add_argument("which", metavar="NAME-or-ID", type=_which)


def _add_users(add: Callable[[str, str], argparse.ArgumentParser]) -> None:
    _add_json(add("users", "list the users and their keys"))
    _add_json(add("quarantine", "list the names of former users, which nobody can have yet"))
    for command, text in (
        ("disable", "log a user out and do not let them log in again"),
        ("enable", "undo disable"),
        ("remove", "forget a user completely; nobody can have the name for 90 days"),
        ("release", "free a name from quarantine; blocks of it are deleted"),
        ("reset-key", "take a user's key away; the next invitation enrols a new one"),
    ):
        about_one = add(command, text)
        about_one.add_argument("name", metavar="NAME", type=_name)
        if command in ("remove", "release", "reset-key"):
            about_one.add_argument("--yes", action="store_true", help="do not ask for confirmation")


def _add_json(to: argparse.ArgumentParser) -> None:
    to.add_argument("--json", action="store_true", help="print one JSON object per line")
