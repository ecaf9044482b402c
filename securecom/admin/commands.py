"""What each command of `securecom-admin` does, from its arguments to the lines it prints."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from securecom import limits
from securecom.admin.command_line import invitation_id
from securecom.admin.tables import day_and_time, iso, json_lines, qr_code, table
from securecom.errors import NameInQuarantine, NameTaken, NoSuchUser, NotConfirmed, NotInQuarantine
from securecom.identity import Name
from securecom.invitation import Host, Invitation, token_hash
from securecom.server import certificates, moving
from securecom.server.registry import OpenInvitation, Registry, User
from securecom.server.state import StoredState

T = TypeVar("T")


@dataclass(frozen=True)
class AdminContext:
    """What commands need from outside.

    :param now: gives the time in seconds since the epoch.
    :param random: gives this many bytes that nobody can guess.
    :param confirm: asks the person a question; None if there is nobody to ask.
    :param encoding: the encoding of standard output.
    """

    now: Callable[[], float]
    random: Callable[[int], bytes]
    confirm: Callable[[str], bool] | None
    encoding: str

    def must_agree(self, yes: bool, question: str, otherwise: str) -> None:
        """Ask for a yes, unless it was given with --yes. :raises NotConfirmed: the answer is no."""
        if not yes and (self.confirm is None or not self.confirm(question)):
            raise NotConfirmed(otherwise)


@dataclass(frozen=True)
class Report:
    """Lines for standard output, and a note for the person on standard error."""

    lines: Sequence[str]
    note: str = ""


def done(result: Deferred[T]) -> T:
    """The result of a registry whose pool is synchronous; its error is raised."""
    outcome: list[T | Failure] = []
    result.addBoth(outcome.append)
    (only,) = outcome
    if isinstance(only, Failure):
        only.raiseException()
    return only


_HERE = Host("127.0.0.1")


class Desk:
    """One server's state and registry, with a method for each command."""

    def __init__(self, state: StoredState, registry: Registry, around: AdminContext) -> None:
        self._state = state
        self._registry = registry
        self._around = around

    # --- invitations ------------------------------------------------------------------------

    def invite(self, asked: Namespace) -> Report:
        """Make a link for each name, or none if one of the names cannot be invited."""
        names = list(dict.fromkeys(asked.names))
        for name in names:
            user = done(self._registry.user(name))
            if user is not None and user.key is not None:
                raise NameTaken(f"{name} has a key already")
            self._check_quarantine(name)
        host, port, note = self._public_address(asked.host)
        expires = float(int(self._around.now() + asked.expires))
        made = [self._invite_one(name, host, port, expires) for name in names]
        if asked.json:
            return Report(json_lines(_invitation_fields(one, link) for one, link in made), note)
        lines: list[str] = []
        for invitation, link in made:
            lines += [f"{invitation.name}, once, until {day_and_time(expires)}:", f"  {link}"]
            lines += qr_code(link, self._around.encoding) if asked.qr else []
        return Report(lines, note)

    def _check_quarantine(self, name: Name) -> None:
        for one in done(self._registry.quarantine()):
            if one.name == name:
                raise NameInQuarantine(one.explanation)

    def _invite_one(
        self, name: Name, host: Host, port: int, expires: float
    ) -> tuple[OpenInvitation, str]:
        token = self._around.random(limits.TOKEN_BYTES)
        invitation = done(self._registry.invite(name, token_hash(token), expires))
        return invitation, Invitation(host, port, self._state.server_id, token).link()

    def _public_address(self, asked: tuple[Host, int | None] | None) -> tuple[Host, int, str]:
        listens = self._state.settings.standard_port or limits.STANDARD_PORT
        if asked is not None:
            return asked[0], asked[1] or listens, ""
        if self._state.public_hosts:
            return self._state.public_hosts[0], listens, ""
        note = (
            "This server is not public: the link works on this machine only. "
            "Start the server with --public HOST, or use invite --host."
        )
        return _HERE, listens, note

    def invites(self, asked: Namespace) -> Report:
        """List the open invitations. Their links cannot be shown again."""
        now = self._around.now()
        invitations = done(self._registry.invitations())
        if asked.json:
            return Report(
                json_lines(
                    _invitation_fields(one) | {"expired": one.expires <= now} for one in invitations
                )
            )
        if not invitations:
            return Report(["no open invitations"])
        rows = [
            (
                invitation_id(one.number),
                one.name,
                day_and_time(one.expires) + (" (expired)" if one.expires <= now else ""),
            )
            for one in invitations
        ]
        return Report(table(("ID", "NAME", "GOOD UNTIL"), rows))

    def revoke(self, asked: Namespace) -> Report:
        """Close one invitation, or all those for a name."""
        closed = done(self._registry.revoke(asked.which))
        return Report([f"revoked {invitation_id(one.number)} for {one.name}" for one in closed])

    # --- users ------------------------------------------------------------------------------

    def users(self, asked: Namespace) -> Report:
        """List the users with their state and keys."""
        users = done(self._registry.users())
        if asked.json:
            return Report(json_lines(map(_user_fields, users)))
        if not users:
            return Report(["no users yet"], "Next: securecom-admin invite NAME")
        rows = [
            (
                user.name,
                _standing(user),
                day_and_time(user.created),
                "" if user.key is None else user.key.fingerprint,
            )
            for user in users
        ]
        return Report(table(("NAME", "STATE", "SINCE", "KEY"), rows))

    def disable(self, asked: Namespace) -> Report:
        """Log a user out, and do not let them log in again."""
        done(self._registry.disable(asked.name))
        return Report([f"{asked.name} is disabled"])

    def enable(self, asked: Namespace) -> Report:
        """Let a user log in again."""
        done(self._registry.enable(asked.name))
        return Report([f"{asked.name} is enabled"])

    def reset_key(self, asked: Namespace) -> Report:
        """Take a user's key away, after asking."""
        name = asked.name
        if done(self._registry.user(name)) is None:
            raise NoSuchUser(f"there is no user {name}")
        question = (
            f"{name}'s key will no longer work, and everybody who has met {name} will see a "
            f"changed key. Reset it?"
        )
        self._around.must_agree(asked.yes, question, f"{name}'s key was not reset")
        done(self._registry.reset_key(name))
        return Report([f"{name} has no key any more"], f"Next: securecom-admin invite {name}")

    # --- people who leave, and their names --------------------------------------------------

    def remove(self, asked: Namespace) -> Report:
        """Forget a user, after asking."""
        if done(self._registry.user(asked.name)) is None:
            raise NoSuchUser(f"there is no user {asked.name}")
        question = f"Remove {asked.name} for good?"
        self._around.must_agree(asked.yes, question, f"{asked.name} was not removed")
        now = self._around.now()
        done(self._registry.remove(asked.name, now))
        until = day_and_time(now + limits.NAME_QUARANTINE)
        return Report([f"{asked.name} is removed; nobody can have the name until {until}"])

    def quarantine(self, asked: Namespace) -> Report:
        """List the names in quarantine, and until when they stay there."""
        names = done(self._registry.quarantine())
        if asked.json:
            return Report(json_lines({"name": one.name, "until": iso(one.until)} for one in names))
        if not names:
            return Report(["no names in quarantine"])
        rows = [(one.name, day_and_time(one.until)) for one in names]
        return Report(table(("NAME", "QUARANTINED UNTIL"), rows))

    def release(self, asked: Namespace) -> Report:
        """Free a name before its time, after asking."""
        name = asked.name
        if name not in [one.name for one in done(self._registry.quarantine())]:
            raise NotInQuarantine(f"{name} is not in quarantine")
        question = (
            f"People may take the next {name} for the last one, whom they had not met yet, and "
            f"nobody blocks {name} any more. Release {name}?"
        )
        self._around.must_agree(asked.yes, question, f"{name} was not released")
        done(self._registry.release(name))
        return Report([f"{name} is released"], f"Next: securecom-admin invite {name}")

    # --- the server -------------------------------------------------------------------------

    def fingerprint(self, _asked: Namespace) -> Report:
        """Print the fingerprint that clients show for this server."""
        return Report([self._state.fingerprint])

    def check(self, _asked: Namespace) -> Report:
        """Report on a state in good order; a damaged one could not have been opened."""
        now, state = self._around.now(), self._state
        users, invitations = done(self._registry.users()), done(self._registry.invitations())
        is_open = sum(one.expires > now for one in invitations)
        held_back = len(done(self._registry.quarantine()))
        leaf = certificates.days_left(state.credentials.certificate, now)
        hosts = ", ".join(state.public_hosts) or "this machine only"
        rows = [
            ("state", f"{state.path}: private, complete"),
            ("CA", f"{state.fingerprint}, {certificates.days_left(state.ca, now):.0f} days left"),
            ("certificate", f"from this CA, for {hosts}; {_days(leaf)}"),
            (
                "registry",
                f"undamaged; users: {len(users)}, open invitations: {is_open}, "
                f"names in quarantine: {held_back}",
            ),
        ]
        if state.address is not None:
            rows.append(("its place", state.address.url))
        warning = certificates.ca_warning(state.ca, now)
        if state.address is not None:
            warning = warning or state.address.warning
        last = f"in order, but {warning}." if warning else "all in order"
        return Report([*table(("CHECKED", "FOUND"), rows), last])


def migrate(folder: Path, asked: Namespace, around: AdminContext) -> Report:
    """Move the registry, while no server runs."""
    moved = moving.move(folder, asked.to, around.now())
    return Report([moved.what], f"Next: {moved.next_step}")


#: What each command's word does.
COMMANDS: dict[str, Callable[[Desk, Namespace], Report]] = {
    "invite": Desk.invite,
    "invites": Desk.invites,
    "revoke": Desk.revoke,
    "users": Desk.users,
    "disable": Desk.disable,
    "enable": Desk.enable,
    "reset-key": Desk.reset_key,
    "remove": Desk.remove,
    "quarantine": Desk.quarantine,
    "release": Desk.release,
    "fingerprint": Desk.fingerprint,
    "check": Desk.check,
}


def _invitation_fields(invitation: OpenInvitation, link: str | None = None) -> dict[str, object]:
    fields: dict[str, object] = {
        "id": invitation_id(invitation.number),
        "name": invitation.name,
        "expires": iso(invitation.expires),
    }
    return fields if link is None else fields | {"link": link}


def _user_fields(user: User) -> dict[str, object]:
    return {
        "name": user.name,
        "disabled": user.disabled,
        "created": iso(user.created),
        "key": None if user.key is None else user.key.to_openssh(),
        "fingerprint": None if user.key is None else user.key.fingerprint,
    }


def _standing(user: User) -> str:
    words = ["disabled"] if user.disabled else []
    words += ["no key"] if user.key is None else []
    return ", ".join(words) or "enrolled"


def _days(left: float) -> str:
    if left < 0:
        return "expired; the server renews it when it starts"
    return f"{left:.0f} days left"
