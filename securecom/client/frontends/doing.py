"""What each command does, when it makes sense, and what to say when it does not."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from securecom.client.events import Event
from securecom.client.frontends import commands
from securecom.client.frontends.commands import Command, State
from securecom.client.frontends.helping import help_on
from securecom.client.frontends.role import Role
from securecom.client.terms import read_pause, read_terms, read_wish
from securecom.errors import NotNow
from securecom.identity import Name

_STATE_SAYS = {
    State.OFFLINE: ("not on line", "Nothing was sent. Wait until the server is reached again."),
    State.IDLE: ("that makes no sense now", "Nothing was sent. /help tells what does."),
    State.ASKED: ("somebody is asking you", "Nothing was sent. /accept or /refuse first."),
    State.ASKING: ("your request is still open", "Nothing was sent. /cancel withdraws it."),
    State.OPENING: ("a chat is being set up", "Nothing was sent. Wait a moment."),
    State.CHAT: ("you are in a chat", "Nothing was sent. /stop ends it."),
}

#: What to do instead of writing, where a chat is near.
_BEFORE_A_CHAT = {
    State.ASKED: "/accept or /refuse first.",
    State.ASKING: "Wait, or /cancel.",
    State.OPENING: "Wait a moment.",
}


def do(command: Command, argument: str | None, role: Role, state: State) -> Any:
    """Carry a command out: its result or a Deferred of it. :raises SecurecomError:"""
    if state not in command.states:
        raise not_now(command, state)
    if command is commands.HELP:
        return help_on(argument, state)
    return _DOES[command](role, argument)


def _name(argument: str | None) -> Name | None:
    return None if argument is None else Name(argument)


#: What each command does; help and exit are the front-end's own.
_DOES: dict[Command, Callable[[Role, str | None], Any]] = {
    commands.USERS: lambda role, text: role.users(text or ""),
    commands.CHAT: lambda role, wish: role.request_chat(*read_wish(wish or "")),
    commands.CANCEL: lambda role, _: role.cancel(),
    commands.ACCEPT: lambda role, name: role.accept(_name(name)),
    commands.REFUSE: lambda role, name: role.refuse(_name(name)),
    commands.DISMISS: lambda role, name: role.dismiss(_name(name)),
    commands.REQUESTS: lambda role, _: role.requests(),
    commands.BLOCK: lambda role, name: role.block(Name(name or "")),
    commands.UNBLOCK: lambda role, name: role.unblock(Name(name or "")),
    commands.BLOCKED: lambda role, _: role.blocked(),
    commands.SAY: lambda role, text: role.say(text or ""),
    commands.STOP: lambda role, _: role.stop(),
    commands.VERIFY: lambda role, word: _verify(role, word or ""),
    commands.LOG: lambda role, word: _log(role, word or ""),
    commands.TRUST: lambda role, pin: _trust(role, pin or ""),
    commands.WHOIS: lambda role, name: role.keys.whois(Name(name or "")),
    commands.FINGERPRINT: lambda role, _: role.keys.own(),
    commands.NEWKEY: lambda role, _: role.keys.renew(),
    commands.BACKUP: lambda role, file: role.backup(file or ""),
    commands.MY_DATA: lambda role, _: role.account.my_data(),
    commands.FORGET_ME: lambda role, name: _forget_me(role, _name(name)),
    commands.AVAILABLE: lambda role, text: role.set_available(read_terms(text or "")),
    commands.AWAY: lambda role, text: role.set_away(read_pause(text or "")),
    commands.SET: lambda role, text: _set(role, text or ""),
}


def _verify(role: Role, word: str) -> Any:
    match word:
        case "qr" | "qr invert":  # how it is drawn is the front-end's
            return role.keys.safety_code()
        case "yes" | "no":
            return role.keys.compared(word == "yes")
    return role.keys.safety_number()


def _log(role: Role, word: str) -> Event | None:
    match word:
        case "on":
            role.log.on()
        case "off":
            role.log.off()
        case _:
            return role.log.status()
    return None


def _set(role: Role, text: str) -> Any:
    return role.settings.change(text) if text else role.settings.all()


def _trust(role: Role, pin: str) -> Event:
    name, _, fingerprint = pin.partition(" ")
    return role.keys.take(Name(name), fingerprint)


def _forget_me(role: Role, name: Name | None) -> Any:
    return role.account.means() if name is None else role.account.forget_me(name)


def not_now(command: Command, state: State) -> NotNow:
    """Why a command has no meaning, and what has."""
    what, hint = _STATE_SAYS[state]
    if command is commands.SAY and state in _BEFORE_A_CHAT:
        return NotNow(command.otherwise, _BEFORE_A_CHAT[state])
    if command.otherwise and state is not State.OFFLINE:
        what, hint = command.otherwise, command.instead or "Nothing was sent."
    return NotNow(what, hint)
