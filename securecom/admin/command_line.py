"""What `securecom-admin` can be asked, and nothing it does: the command line as argparse has it."""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import shtab

from securecom import __version__, limits
from securecom.errors import Mistake
from securecom.identity import Name
from securecom.invitation import Host, parse_authority
from securecom.text import shown

_DURATION = re.compile(r"([0-9]{1,6})([mhd])")
_MINUTES = {"m": 1, "h": 60, "d": 24 * 60}
_INVITATION = re.compile(r"I([0-9]{1,15})")

T = TypeVar("T")


def invitation_id(number: int) -> str:
    """An invitation's number as people type it; the capital tells it from a name."""
    return f"I{number}"


def duration(text: str) -> float:
    """`90m`, `24h` or `7d` in seconds, within the limits of an invitation."""
    match = _DURATION.fullmatch(text)
    if match is None:
        raise argparse.ArgumentTypeError(f"{text!r} is no duration such as 90m, 24h or 7d")
    minutes = int(match[1]) * _MINUTES[match[2]]
    low, high = limits.MIN_INVITATION_MINUTES, limits.MAX_INVITATION_HOURS * 60
    if not low <= minutes <= high:
        raise argparse.ArgumentTypeError(f"an invitation is good for {low}m to {high // 1440}d")
    return minutes * 60.0


def name_or_invitation(text: str) -> Name | int:
    """A name, or an invitation's number."""
    match = _INVITATION.fullmatch(text)
    return Name(text) if match is None else int(match[1])


def _typed(parse: Callable[[str], T]) -> Callable[[str], T]:
    """A parser whose mistakes argparse shows as its own."""

    def parse_argument(text: str) -> T:
        try:
            return parse(text)
        except Mistake as error:
            given = shown(text[:40])  # of several names, this one
            raise argparse.ArgumentTypeError(f'"{given}": {error.what}. {error.hint}') from None

    return parse_argument


_name: Callable[[str], Name] = _typed(Name)
_which: Callable[[str], Name | int] = _typed(name_or_invitation)
_authority: Callable[[str], tuple[Host, int | None]] = _typed(parse_authority)


def parser() -> argparse.ArgumentParser:
    """The whole command line. The chosen command's word is in `command`."""
    top = argparse.ArgumentParser(
        prog="securecom-admin",
        description="Who may use this securecom server. Works while it runs, too.",
        epilog="Exit codes: 0 done, 1 something to put right, 2 usage.",
    )
    top.add_argument("--version", action="version", version=f"securecom-admin {__version__}")
    shtab.add_argument_to(top, ["--print-completion"], help="print a completion script for a shell")
    _add_state(top, None)
    commands = top.add_subparsers(dest="command", metavar="COMMAND", required=True)
    everywhere = argparse.ArgumentParser(add_help=False)
    _add_state(everywhere, argparse.SUPPRESS)

    def add(command: str, text: str) -> argparse.ArgumentParser:
        return commands.add_parser(command, help=text, description=text, parents=[everywhere])

    _add_invitations(add)
    _add_users(add)
    add("fingerprint", "print the fingerprint by which clients know this server")
    add("check", "check the state folder, certificates and registry")
    return top


def _add_state(to: argparse.ArgumentParser, default: str | None) -> None:
    text = "the server's state folder (otherwise $SECURECOM_STATE, otherwise the platform's)"
    state = to.add_argument("--state", metavar="DIR", type=Path, default=default, help=text)
    state.complete = shtab.DIRECTORY  # type: ignore[attr-defined]


def _add_invitations(add: Callable[[str, str], argparse.ArgumentParser]) -> None:
    invite = add("invite", "make a link for each name, good for one use")
    invite.add_argument("names", metavar="NAME", nargs="+", type=_name)
    invite.add_argument(
        "--expires",
        metavar="DURATION",
        type=duration,
        default=limits.INVITATION_HOURS * 3600.0,
        help=f"how long the link is good: 90m, 24h, 7d (otherwise {limits.INVITATION_HOURS}h)",
    )
    text = "where clients find the server, if not where it was started to be public"
    invite.add_argument("--host", metavar="HOST[:PORT]", type=_authority, help=text)
    invite.add_argument("--qr", action="store_true", help="show each link as a QR code, too")
    _add_json(invite)
    _add_json(add("invites", "list the open invitations"))
    revoke = add("revoke", "close an invitation, or all of a name")
    revoke.add_argument("which", metavar="NAME-or-ID", type=_which)


def _add_users(add: Callable[[str, str], argparse.ArgumentParser]) -> None:
    _add_json(add("users", "list the users and their keys"))
    _add_json(add("quarantine", "list the names of users who are gone, which nobody may have yet"))
    for command, text in (
        ("disable", "log a user out, and in no more"),
        ("enable", "undo disable"),
        ("remove", "forget a user, key, blocks and invitations; nobody gets the name for 90 days"),
        ("release", "let a name go from quarantine: others may have it, and nobody blocks it"),
        ("reset-key", "take a user's key away; the next invitation enrols a new one"),
    ):
        about_one = add(command, text)
        about_one.add_argument("name", metavar="NAME", type=_name)
        if command in ("remove", "release", "reset-key"):
            about_one.add_argument("--yes", action="store_true", help="do not ask")


def _add_json(to: argparse.ArgumentParser) -> None:
    to.add_argument("--json", action="store_true", help="one JSON object a line")
