"""Every command of the client: one declaration each, the same for people and for programs.

A person types `/chat bob`, a program writes `{"command": "chat", "name": "bob"}`. The states say
when a command has a meaning; `/help` and the errors are made from the same table.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Any

from securecom.client.api import ClientApi
from securecom.client.events import Event, Help, HelpLine
from securecom.client.terms import read_pause, read_terms, read_wish
from securecom.errors import NotNow, UnknownCommand
from securecom.identity import Name
from securecom.text import shown


class ClientState(Enum):
    """What a client is doing, as far as commands care."""

    OFFLINE = "not on line"
    IDLE = "on line, nothing going on"
    ASKED = "somebody asks us"
    ASKING = "we ask somebody"
    OPENING = "both agreed, the chat is being set up"
    CHAT = "in a chat"


#: States that end by themselves: a script's next line may wait for that.
PASSING = frozenset({ClientState.OFFLINE, ClientState.ASKING, ClientState.OPENING})

ANY = frozenset(ClientState)
ONLINE = ANY - {ClientState.OFFLINE}


class Kind(Enum):
    """What an argument has to be."""

    NAME = "a name"
    TEXT = "text"
    COMMAND = "a command's name"
    WORD = "one of a few words"
    PIN = "a name and a fingerprint"
    TERMS = "how long and to whom"
    PAUSE = "how long"
    WISH = "a name, and perhaps how long"
    SETTING = "a setting and its value"
    FILE = "a file"


@dataclass(frozen=True)
class Argument:
    """A command's one argument. `field`: its key in JSON; people see it in capitals.

    :param words: what it may be, where that is one of a few words; people see these.
    :param shape: what people see instead, where the words are too long or the field's name does not
        tell.
    """

    field: str
    kind: Kind
    required: bool
    words: tuple[str, ...] = ()
    shape: str = ""

    @property
    def usage(self) -> str:
        """As a help line shows it."""
        told = self.shape or "|".join(self.words) or self.field.upper()
        return told if self.required else f"[{told}]"


@dataclass(frozen=True)
class Command:
    """One command.

    :param word: what is typed behind the slash, and the JSON command.
    :param also: other words for it, behind the slash.
    :param original: words with an exclamation mark, from the program that this one descends from.
    :param states: where it makes sense.
    :param otherwise: what to say elsewhere; the state's own words if empty.
    :param instead: what to do then; "Nothing was sent." if empty.
    :param asks: it asks for pass phrases: until it is done a line is an answer, and no command.
    """

    word: str
    about: str
    states: frozenset[ClientState]
    also: tuple[str, ...] = ()
    original: str = ""
    argument: Argument | None = None
    otherwise: str = ""
    instead: str = ""
    asks: bool = False

    @property
    def usage(self) -> str:
        """As it is typed."""
        if self is SAY:
            return "anything else"
        return f"/{self.word} {self.argument.usage}" if self.argument else f"/{self.word}"


_NAME = Argument("name", Kind.NAME, required=True)
_ANY_NAME = Argument("name", Kind.NAME, required=False)

USERS = Command(
    "users",
    "who is available; with TEXT, only names that hold it",
    ONLINE,
    also=("who",),
    original="!users_online",
    argument=Argument("text", Kind.TEXT, required=False),
)
CHAT = Command(
    "chat",
    "ask somebody for a chat, which may end by itself; nothing is sent until they accept",
    frozenset({ClientState.IDLE, ClientState.ASKED}),
    also=("ask",),
    original="!chat",
    argument=Argument("name", Kind.WISH, required=True, shape="NAME [for 20m]"),
)
CANCEL = Command(
    "cancel",
    "withdraw your request",
    frozenset({ClientState.ASKING}),
    otherwise="there is no request of yours to cancel",
)
ACCEPT = Command(
    "accept",
    "say yes to the person who asks; who asked writes first",
    frozenset({ClientState.ASKED}),
    argument=_ANY_NAME,
    otherwise="nobody is asking you",
)
REFUSE = Command(
    "refuse",
    "say no, to NAME or to all; they have to wait before they can ask again",
    frozenset({ClientState.ASKED}),
    also=("deny", "decline"),
    argument=_ANY_NAME,
    otherwise="nobody is asking you",
)
DISMISS = Command(
    "dismiss",
    "say nothing: to the person who asks you look like somebody who is not there",
    frozenset({ClientState.ASKED}),
    argument=_ANY_NAME,
    otherwise="nobody is asking you",
)
REQUESTS = Command(
    "requests",
    "who asks whom, and who asked while you were away or busy",
    ONLINE,
)
BLOCK = Command(
    "block",
    "never be asked by NAME again, on any device; to them you are not there",
    ONLINE,
    argument=_NAME,
)
UNBLOCK = Command("unblock", "let NAME ask you again", ONLINE, argument=_NAME)
BLOCKED = Command("blocked", "whom you have blocked", ONLINE)
SAY = Command(
    "say",
    "in a chat: what you write goes to the other; //x sends /x",
    frozenset({ClientState.CHAT}),
    argument=Argument("text", Kind.TEXT, required=True),
    otherwise="not in a chat; nothing was sent",
    instead="/chat NAME asks for one; /help tells the rest.",
)
STOP = Command(
    "stop",
    "end the chat and erase its keys",
    frozenset({ClientState.CHAT, ClientState.OPENING}),
    also=("hangup",),
    original="!stop_chat",
    otherwise="there is no chat to end",
)
VERIFY = Command(
    "verify",
    "the chat's safety number (qr: the same for any QR reader, qr invert: if yours does not take "
    "that); compare all of it by another way, then say yes or no",
    frozenset({ClientState.CHAT}),
    argument=Argument(
        "word", Kind.WORD, required=False, words=("yes", "no", "qr", "qr invert"), shape="yes|no|qr"
    ),
    otherwise="there is no chat whose keys could be compared",
    instead="/chat NAME asks for one; then both type /verify.",
)
LOG = Command(
    "log",
    "is this chat logged? on asks for a log, or agrees; off ends it for both. It binds clients "
    "that keep their word: a changed one, or a camera, asks nobody",
    frozenset({ClientState.CHAT}),
    argument=Argument("word", Kind.WORD, required=False, words=("on", "off")),
    otherwise="there is no chat that could be logged",
)
TRUST = Command(
    "trust",
    "take a changed key, once its owner told you by another way that it is theirs",
    ANY,
    argument=Argument("pin", Kind.PIN, required=True, shape="NAME FINGERPRINT"),
)
WHOIS = Command("whois", "what is known of somebody's key", ANY, argument=_NAME)
FINGERPRINT = Command("fingerprint", "your own key's fingerprint, and the server's", ANY)
NEWKEY = Command(
    "newkey",
    "take a new key; your old one signs over to it, so who knows you follows, and is erased",
    frozenset({ClientState.IDLE}),
    asks=True,
)
AVAILABLE = Command(
    "available",
    "let people ask you for a chat; /available 45m people, /available 2h to bob carol",
    ONLINE,
    also=("back",),
    argument=Argument("terms", Kind.TERMS, required=False),
)
AWAY = Command(
    "away",
    "let nobody ask you, as if you were not there; /away 45m, /away until 15:00",
    ONLINE,
    also=("busy", "dnd"),
    argument=Argument("pause", Kind.PAUSE, required=False),
)
SET = Command(
    "set",
    "your settings, for good: /set ask anyone|people|nobody, /set busy nobody|people|to NAME NAME",
    ANY,
    argument=Argument("setting", Kind.SETTING, required=False, shape="SETTING VALUE"),
)
BACKUP = Command(
    "backup",
    "copy your key and the people you know into FILE, encrypted, for another machine; no messages",
    ANY,
    argument=Argument("file", Kind.FILE, required=True),
    asks=True,
)
MY_DATA = Command("mydata", "all that the server holds about you", ONLINE)
FORGET_ME = Command(
    "forget-me",
    "what it is to leave this server for good; with your own NAME, do it",
    frozenset({ClientState.IDLE, ClientState.ASKED}),
    argument=_ANY_NAME,
)
HELP = Command(
    "help",
    "what makes sense now, what one command does, or all that there is",
    ANY,
    original="!help",
    argument=Argument("topic", Kind.COMMAND, required=False, shape="COMMAND|all"),
)
EXIT = Command("exit", "leave", ANY, also=("quit",), original="!exit")

COMMANDS = (
    *(USERS, CHAT, CANCEL, ACCEPT, REFUSE, DISMISS, SAY, VERIFY, LOG, STOP, AVAILABLE, AWAY),
    *(SET, REQUESTS, BLOCK, UNBLOCK, BLOCKED, WHOIS, FINGERPRINT, TRUST, NEWKEY),
    *(BACKUP, MY_DATA, FORGET_ME, HELP, EXIT),
)
#: The topic of help that is every command.
ALL = "all"
#: What can be typed behind a slash.
TYPED = tuple(command for command in COMMANDS if command is not SAY)

_BY_SLASH = {f"/{word}": c for c in TYPED for word in (c.word, *c.also)}
_BY_BANG = {c.original: c for c in TYPED if c.original}
_BY_WORD = {c.word: c for c in COMMANDS}


def by_original_word(word: str) -> Command | None:
    """The command of a word with an exclamation mark, or None: then it is text."""
    return _BY_BANG.get(word)


def typed(word: str) -> Command:
    """The command of a word with its slash. :raises UnknownCommand: with the nearest one."""
    return _find(word, _BY_SLASH)


def named(word: str) -> Command:
    """The command of a JSON word. :raises UnknownCommand: with the nearest one."""
    return _find(word, _BY_WORD)


def topic(word: str) -> str:
    """The word of the command that somebody wants help with, however they write it; or `ALL`."""
    bare = word.removeprefix("/").lower()
    if bare in (SAY.word, ALL):
        return bare
    return (by_original_word(word) or _find(f"/{bare}", _BY_SLASH, called=word)).word


def _find(word: str, words: dict[str, Command], called: str | None = None) -> Command:
    command = words.get(word.lower())
    if command is not None:
        return command
    near = difflib.get_close_matches(word.lower()[:40], words, n=1)
    hint = f"Nothing was sent. Did you mean {near[0]}?" if near else "Nothing was sent. Try /help."
    raise UnknownCommand(f"unknown command {shown((called or word)[:40])}", hint)


# --- What each command does, when it makes sense, and what to say when it does not ------------

_STATE_SAYS = {
    ClientState.OFFLINE: (
        "not on line",
        "Nothing was sent. Wait until the server is reached again.",
    ),
    ClientState.IDLE: ("that makes no sense now", "Nothing was sent. /help tells what does."),
    ClientState.ASKED: ("somebody is asking you", "Nothing was sent. /accept or /refuse first."),
    ClientState.ASKING: ("your request is still open", "Nothing was sent. /cancel withdraws it."),
    ClientState.OPENING: ("a chat is being set up", "Nothing was sent. Wait a moment."),
    ClientState.CHAT: ("you are in a chat", "Nothing was sent. /stop ends it."),
}

#: What to do instead of writing, where a chat is near.
_BEFORE_A_CHAT = {
    ClientState.ASKED: "/accept or /refuse first.",
    ClientState.ASKING: "Wait, or /cancel.",
    ClientState.OPENING: "Wait a moment.",
}


def do(command: Command, argument: str | None, role: ClientApi, state: ClientState) -> Any:
    """Carry a command out: its result or a Deferred of it. :raises SecurecomError:"""
    if state not in command.states:
        raise not_now(command, state)
    if command is HELP:
        return help_on(argument, state)
    return _DOES[command](role, argument)


def _name(argument: str | None) -> Name | None:
    return None if argument is None else Name(argument)


#: What each command does; help and exit are the front-end's own.
_DOES: dict[Command, Callable[[ClientApi, str | None], Any]] = {
    USERS: lambda role, text: role.users(text or ""),
    CHAT: lambda role, wish: role.request_chat(*read_wish(wish or "")),
    CANCEL: lambda role, _: role.cancel(),
    ACCEPT: lambda role, name: role.accept(_name(name)),
    REFUSE: lambda role, name: role.refuse(_name(name)),
    DISMISS: lambda role, name: role.dismiss(_name(name)),
    REQUESTS: lambda role, _: role.requests(),
    BLOCK: lambda role, name: role.block(Name(name or "")),
    UNBLOCK: lambda role, name: role.unblock(Name(name or "")),
    BLOCKED: lambda role, _: role.blocked(),
    SAY: lambda role, text: role.say(text or ""),
    STOP: lambda role, _: role.stop(),
    VERIFY: lambda role, word: _verify(role, word or ""),
    LOG: lambda role, word: _log(role, word or ""),
    TRUST: lambda role, pin: _trust(role, pin or ""),
    WHOIS: lambda role, name: role.keys.whois(Name(name or "")),
    FINGERPRINT: lambda role, _: role.keys.own(),
    NEWKEY: lambda role, _: role.keys.renew(),
    BACKUP: lambda role, file: role.backup(file or ""),
    MY_DATA: lambda role, _: role.account.my_data(),
    FORGET_ME: lambda role, name: _forget_me(role, _name(name)),
    AVAILABLE: lambda role, text: role.set_available(read_terms(text or "")),
    AWAY: lambda role, text: role.set_away(read_pause(text or "")),
    SET: lambda role, text: _set(role, text or ""),
}


def _verify(role: ClientApi, word: str) -> Any:
    match word:
        case "qr" | "qr invert":  # how it is drawn is the front-end's
            return role.keys.safety_code()
        case "yes" | "no":
            return role.keys.compared(word == "yes")
    return role.keys.safety_number()


def _log(role: ClientApi, word: str) -> Event | None:
    match word:
        case "on":
            role.log.on()
        case "off":
            role.log.off()
        case _:
            return role.log.status()
    return None


def _set(role: ClientApi, text: str) -> Any:
    return role.settings.change(text) if text else role.settings.all()


def _trust(role: ClientApi, pin: str) -> Event:
    name, _, fingerprint = pin.partition(" ")
    return role.keys.take(Name(name), fingerprint)


def _forget_me(role: ClientApi, name: Name | None) -> Any:
    return role.account.means() if name is None else role.account.forget_me(name)


def not_now(command: Command, state: ClientState) -> NotNow:
    """Why a command has no meaning, and what has."""
    what, hint = _STATE_SAYS[state]
    if command is SAY and state in _BEFORE_A_CHAT:
        return NotNow(command.otherwise, _BEFORE_A_CHAT[state])
    if command.otherwise and state is not ClientState.OFFLINE:
        what, hint = command.otherwise, command.instead or "Nothing was sent."
    return NotNow(what, hint)


# --- `/help`: what makes sense now, short enough for one screen; `/help all` and one command's

#: Every command once, in the order in which help shows them, under a heading.
GROUPS: dict[str, tuple[Command, ...]] = {
    "a chat": (
        *(USERS, CHAT, CANCEL, ACCEPT, REFUSE),
        *(DISMISS, SAY, VERIFY, LOG, STOP),
    ),
    "who may ask you": (
        *(AVAILABLE, AWAY, SET, REQUESTS),
        *(BLOCK, UNBLOCK, BLOCKED),
    ),
    "keys": (WHOIS, FINGERPRINT, TRUST, NEWKEY),
    "what is yours": (BACKUP, MY_DATA, FORGET_ME),
    "this program": (HELP, EXIT),
}

_PAIRS = [(group, command) for group, those in GROUPS.items() for command in those]

#: What the short help has a line for, while it makes sense, and the line; the rest are names.
BRIEF: dict[Command, str] = {
    USERS: "who is available",
    CHAT: "ask for a chat: nothing is sent before a yes",
    CANCEL: "withdraw your request",
    ACCEPT: "say yes; who asked writes first",
    REFUSE: "say no",
    DISMISS: "say nothing, as if you were not there",
    SAY: "goes to the other; //x sends /x",
    VERIFY: "is it really them? compare, then say it",
    LOG: "keep a log, if both say so",
    STOP: "end the chat and erase its keys",
    AVAILABLE: "let people ask you for a chat",
    AWAY: "let nobody ask you",
    REQUESTS: "who asks, and who asked in vain",
    HELP: "more about one of these, or about all",
    EXIT: "leave",
}


def help_on(topic: str | None, state: ClientState) -> Help:
    """On one command, or on every one: by groups, or what is most needed now first."""
    if topic is None:
        pairs = sorted(_PAIRS, key=lambda pair: _rank(pair[1], state))
    elif topic == ALL:
        pairs = _PAIRS
    else:
        pairs = [pair for pair in _PAIRS if pair[1].word == topic]
    return Help(topic, [_line(group, command, state) for group, command in pairs])


def _rank(command: Command, state: ClientState) -> int:
    """What makes sense in few states comes first in these; what has no brief line, last."""
    is_near = state in command.states and command in BRIEF
    return len(command.states) if is_near else len(ClientState) + 1


def _line(group: str, command: Command, state: ClientState) -> HelpLine:
    also = [f"/{word}" for word in command.also] + [command.original] * bool(command.original)
    now = state in command.states
    brief = BRIEF.get(command, "")
    return HelpLine(command.word, command.usage, also, command.about, now, group, brief)
