"""Every command a person or a program can give, in one table.

A person types `/chat bob`, a program writes `{"command": "chat", "name": "bob"}`. Each row says
what is typed, when it makes sense, how its argument is read, which method of the client it calls,
and what help says about it. Help, the JSON interface and the tests are made from these rows, and a
test compares docs/json.md with them. A new command is a row, a method, and the words for its
result.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable
from typing import Any

from securecom import limits
from securecom.client.api import ClientApi, ClientState, already_connected
from securecom.client.events import Help, HelpLine, ScreenCleared
from securecom.client.terms import (
    Choices,
    IntroductionWish,
    read_introduction,
    read_pause,
    read_terms,
    read_wish,
)
from securecom.errors import BadArgument, BadName, NotNow, TooLong, UnknownCommand
from securecom.identity import Name
from securecom.text import shown
from securecom.values import Value

#: States that end by themselves: a script's next line may wait for that.
PASSING = frozenset({ClientState.OFFLINE, ClientState.ASKING, ClientState.OPENING})

_ANY = frozenset(ClientState)
_ONLINE = _ANY - {ClientState.OFFLINE}
_CHAT = frozenset({ClientState.CHAT})
_ASKED = frozenset({ClientState.ASKED})


class Argument(Value):
    """A command's one argument.

    :param field: its key in JSON.
    :param read: turns the text into a value, or raises a `SecurecomError`.
    :param shape: how help shows it.
    :param words: what it may be, where that is one of a few words.
    """

    field: str
    read: Callable[[str], Any]
    shape: str
    required: bool = True
    words: tuple[str, ...] = ()

    @property
    def usage(self) -> str:
        """The shape, in brackets if it may be left out."""
        return self.shape if self.required else f"[{self.shape}]"


class Command(Value):
    """One row.

    :param word: what is typed behind the slash, and the JSON command.
    :param group: the heading under which help lists it.
    :param states: when it makes sense.
    :param does: calls the client with the argument's value, None without one. Returns an event that
        answers the command, a message's number, None, or a Deferred of these. None in the row of
        `/exit`, which the front-end carries out itself.
    :param about: what it does, for its own page of help.
    :param brief: a few words for the short help; without them only the command's name is listed.
    :param examples: how it may look, for its own page of help.
    :param also: other words for it, behind the slash.
    :param original: the same with an exclamation mark, from the program this one descends from.
    :param otherwise: what is wrong in any other state; the state's own words if empty.
    :param instead: what to do then.
    :param asks: it asks for pass phrases: until it is done, a line is an answer and no command.
    """

    word: str
    group: str
    states: frozenset[ClientState]
    does: Callable[[ClientApi, Any], Any] | None
    about: str
    brief: str = ""
    argument: Argument | None = None
    examples: tuple[str, ...] = ()
    also: tuple[str, ...] = ()
    original: str = ""
    otherwise: str = ""
    instead: str = "Nothing was sent."
    asks: bool = False

    @property
    def usage(self) -> str:
        """As it is typed."""
        if self is SAY:
            return "anything else"
        return f"/{self.word} {self.argument.usage}" if self.argument else f"/{self.word}"


# --- reading arguments ----------------------------------------------------------------------


def _name(text: str) -> Name:
    try:
        return Name(text.lower())
    except BadName as error:
        what = f'"{shown(text[:40])}" is not a name'
        raise BadName(what, f"Nothing was sent. {error.hint}") from None


def message(text: str) -> str:
    """Text that fits one message. :raises TooLong: or BadArgument, if it does not."""
    length = len(encoded(text))
    if length > limits.MAX_TEXT:
        raise TooLong(f"a message holds at most {limits.MAX_TEXT} bytes, and this has {length}")
    return text


def encoded(text: str) -> bytes:
    """The text as UTF-8. :raises BadArgument: for half a character, which JSON can spell."""
    try:
        return text.encode("utf-8")
    except UnicodeEncodeError:
        raise BadArgument("the text holds half a character (a lone surrogate)") from None


def _wish(text: str) -> tuple[Name, int | None]:
    """A name, alone or followed by how long the chat is to last."""
    name, *span = text.split() or [text]
    if "for" not in span:
        return _name(text), None
    return read_wish(" ".join((_name(name), *span)))


def _pin(text: str) -> tuple[Name, str]:
    words = text.split()
    if len(words) != 2:  # noqa: PLR2004
        hint = f"Nothing was sent. Type {TRUST.usage}"
        raise BadArgument("that has to be a name and a fingerprint", hint)
    return _name(words[0]), words[1]


def _setting(text: str) -> str:
    Choices().changed(text)
    return message(text)


def _topic(text: str) -> str:
    return help_topic(text)  # which looks it up in the table below


def _one_of(*words: str) -> Callable[[str], str]:
    def read(text: str) -> str:
        word = " ".join(text.lower().split())
        if word not in words:
            raise BadArgument(f"that has to be {', '.join(words[:-1])} or {words[-1]}")
        return word

    return read


def _words(field: str, *words: str, shape: str = "") -> Argument:
    """One of a few words, or nothing."""
    shape = shape or "|".join(words)
    return Argument(field, _one_of(*words), shape, required=False, words=words)


def _number(text: str) -> int:
    """The number of a transfer."""
    if not text.isascii() or not text.isdigit() or len(text) > _MAX_DIGITS:
        raise BadArgument("that has to be the number of a file", "Nothing was changed.")
    return int(text)


def _fetched(text: str) -> tuple[int, str | None]:
    """The number of a transfer, alone or followed by where it is to be saved."""
    number, _, path = text.strip().partition(" ")
    return _number(number), message(path.strip()) or None


def _declined(text: str) -> int | Name:
    """The number of a file; or a name, of somebody who asks for a chat. Some names are digits, so
    the state tells which it is.
    """
    return _number(text) if text.isdigit() and text.isascii() else _name(text)


#: Digits of the number of a transfer.
_MAX_DIGITS = 9
_NAME = Argument("name", _name, "NAME")
_ANY_NAME = Argument("name", _name, "NAME", required=False)


# --- what a command does, where that is more than one call ----------------------------------


def _cancel(api: ClientApi, number: int | None) -> Any:
    if api.state is ClientState.CHAT:
        return api.files.cancel(_chosen(number))
    if number is not None:
        raise BadArgument("there is no file: a request is withdrawn without a number")
    return api.cancel()


def _decline(api: ClientApi, what: int | Name | None) -> Any:
    if api.state is not ClientState.CHAT:
        return api.refuse(None if what is None else Name(str(what)))
    if isinstance(what, str):
        raise BadArgument("that has to be the number of a file", "Nothing was sent.", ("files", ""))
    return api.files.decline(_chosen(what))


def _chosen(number: int | None) -> int:
    """:raises BadArgument: without a number."""
    if number is None:
        raise BadArgument("which file? Its number is needed", "Nothing was sent.", ("files", ""))
    return number


def _verify(api: ClientApi, word: str | None) -> Any:
    match word:
        case "qr" | "qr invert":  # how it is drawn is up to the front-end
            return api.keys.safety_code()
        case "yes" | "no":
            return api.keys.compared(word == "yes")
        case "words":
            return api.keys.words()
    return api.keys.safety_number()


def _log(api: ClientApi, word: str | None) -> Any:
    match word:
        case "on":
            return api.log.on()
        case "off":
            return api.log.off()
    return api.log.status()


def _set(api: ClientApi, text: str | None) -> Any:
    return api.settings.change(text) if text else api.settings.all()


def _introduce(api: ClientApi, wish: IntroductionWish | None) -> Any:
    if wish is None:
        return api.keys.introductions()
    if wish.word in ("yes", "no"):
        return api.keys.answer_introduction(wish.other, wish.word == "yes")
    one = Name(wish.one)
    if wish.word == "cancel":
        return api.keys.cancel_introduction(one, wish.other)
    return api.keys.introduce(one, wish.other)


def _forget_me(api: ClientApi, name: Name | None) -> Any:
    return api.account.means() if name is None else api.account.forget_me(name)


# --- the table ------------------------------------------------------------------------------

CHATTING = "a chat"
REACH = "who may ask you"
KEYS = "keys"
YOURS = "what is yours"
PROGRAM = "this program"

USERS = Command(
    "users",
    CHATTING,
    _ONLINE,
    lambda api, text: api.users(text or ""),
    "shows who is available to you; with TEXT, only names that contain it",
    "who is available",
    Argument("text", message, "TEXT", required=False),
    examples=("/users", "/users bo"),
    also=("who",),
    original="!users_online",
)
CHAT = Command(
    "chat",
    CHATTING,
    frozenset({ClientState.IDLE, ClientState.ASKED}),
    lambda api, wish: api.request_chat(*wish),
    "asks somebody for a chat, which may have an end; nothing is sent until they accept",
    "ask for a chat; nothing is sent before a yes",
    Argument("name", _wish, "NAME [for 20m]"),
    examples=("/chat bob", "/chat bob for 20m"),
    also=("ask",),
    original="!chat",
)
CANCEL = Command(
    "cancel",
    CHATTING,
    frozenset({ClientState.ASKING, ClientState.CHAT}),
    _cancel,
    "withdraws your request; in a chat, with the number of a file, ends its transfer or withdraws "
    "your offer",
    "withdraw your request, or a file",
    Argument("number", _number, "N", required=False),
    examples=("/cancel", "/cancel 2"),
    otherwise="you have no open request to cancel",
)
ACCEPT = Command(
    "accept",
    CHATTING,
    _ASKED,
    lambda api, name: api.accept(name),
    "accepts a chat request; the caller writes first",
    "say yes; the caller writes first",
    _ANY_NAME,
    examples=("/accept", "/accept alice"),
    otherwise="nobody is asking you",
)
REFUSE = Command(
    "refuse",
    CHATTING,
    _ASKED,
    lambda api, name: api.refuse(name),
    "refuses a chat request; the caller must wait before they can ask again",
    "say no; they must wait before they ask again",
    _ANY_NAME,
    examples=("/refuse", "/refuse alice"),
    also=("deny",),
    otherwise="nobody is asking you",
)
DECLINE = Command(
    "decline",
    CHATTING,
    frozenset({ClientState.ASKED, ClientState.CHAT}),
    _decline,
    "says no to a file that is offered to you; or to a chat request, as /refuse does",
    argument=Argument("what", _declined, "N", required=False),
    examples=("/decline", "/decline 1"),
    otherwise="nobody is asking you, and no file is offered to you",
)
DISMISS = Command(
    "dismiss",
    CHATTING,
    _ASKED,
    lambda api, name: api.dismiss(name),
    "ignores a chat request; to the caller you seem offline",
    "ignore it; to the caller you seem offline",
    _ANY_NAME,
    otherwise="nobody is asking you",
)
SAY = Command(
    "say",
    CHATTING,
    _CHAT,
    lambda api, text: api.say(text),
    "sends what you type to the person you chat with; //x sends /x",
    "goes to the other person; //x sends /x",
    Argument("text", message, "TEXT"),
    otherwise="you are not in a chat; nothing was sent",
    instead="/chat NAME asks for one; /help shows the other commands.",
)
VERIFY = Command(
    "verify",
    CHATTING,
    _CHAT,
    _verify,
    "shows the safety number of this chat (qr: as a QR code; qr invert: for readers that cannot "
    "take that one; words: six words, once both of you have typed that). Compare all of it on the "
    "phone or in person, then type /verify yes or no",
    "is it really them? compare, then say so",
    _words("word", "yes", "no", "words", "qr", "qr invert", shape="yes|no|words|qr"),
    examples=("/verify", "/verify words", "/verify yes", "/verify qr", "/verify qr invert"),
    otherwise="there is no chat whose keys you could compare",
    instead="/chat NAME asks for one; then both of you type /verify.",
)
LOG = Command(
    "log",
    CHATTING,
    _CHAT,
    _log,
    "is this chat logged? on asks for a log, or agrees to one; off ends it for both. The agreement "
    "binds honest clients only: a modified one, or a camera, records without asking",
    "keep a log, if both agree",
    _words("word", "on", "off"),
    otherwise="there is no chat to log",
)
SEND = Command(
    "send",
    CHATTING,
    _CHAT,
    lambda api, file: api.files.send(file),
    "offers FILE, or a folder as a tar file, to the person you chat with: name, size and SHA-256; "
    "nothing of it is sent before they type /get",
    "offer a file, or a folder as a tar file",
    Argument("file", message, "FILE"),
    examples=("/send plan.pdf", "/send ~/photos"),
    otherwise="there is no chat to send a file in",
    instead="/chat NAME asks for one.",
)
GET = Command(
    "get",
    CHATTING,
    _CHAT,
    lambda api, wish: api.files.get(*wish),
    "fetches a file that is offered to you, into your folder for downloads or to PATH, which is a "
    "folder or a file that does not exist yet; what was interrupted goes on",
    argument=Argument("number", _fetched, "N [PATH]"),
    examples=("/get 1", "/get 1 ~/plans/"),
    otherwise="there is no chat, so no file is offered to you",
    instead="Nothing was changed.",
)
FILES = Command(
    "files",
    CHATTING,
    _CHAT,
    lambda api, _: api.files.all(),
    "shows the files that are on offer or under way in this chat, in both directions",
    otherwise="there is no chat, so there are no files",
    instead="Nothing was changed.",
)
STOP = Command(
    "stop",
    CHATTING,
    frozenset({ClientState.CHAT, ClientState.OPENING}),
    lambda api, _: api.stop(),
    "ends the chat and erases its keys",
    "end the chat and erase its keys",
    also=("hangup",),
    original="!stop_chat",
    otherwise="there is no chat to end",
)
AVAILABLE = Command(
    "available",
    REACH,
    _ONLINE,
    lambda api, terms: api.set_available(terms or read_terms("")),
    "lets people ask you for a chat: anybody, the people whose keys you know, or those you name; "
    "for a while, or until you say /away",
    "let people ask you for a chat",
    Argument("terms", read_terms, "TERMS", required=False),
    examples=("/available", "/available 45m people", "/available 2h to bob carol"),
    also=("back",),
)
AWAY = Command(
    "away",
    REACH,
    _ONLINE,
    lambda api, pause: api.set_away(pause or read_pause("")),
    "lets nobody ask you: you seem offline",
    "let nobody ask you",
    Argument("pause", read_pause, "PAUSE", required=False),
    examples=("/away", "/away 45m", "/away until 15:00"),
    also=("busy", "dnd"),
)
SET = Command(
    "set",
    REACH,
    _ANY,
    _set,
    "shows your settings, or changes one for good: who may ask you (ask anyone|people|nobody), "
    "who sees that you are busy (busy nobody|people|to NAME NAME), what calls you when you are not "
    "looking (notify off|bell|terminal|desktop), whether that says who it is about (notify-names "
    "on|off), and whether you and the other see when one is writing (typing on|off)",
    argument=Argument("setting", _setting, "SETTING VALUE", required=False),
    examples=("/set", "/set ask people", "/set busy to bob carol", "/set notify desktop"),
)
REQUESTS = Command(
    "requests",
    REACH,
    _ONLINE,
    lambda api, _: api.requests(),
    "shows open requests, yours and other people's, and the ones you missed",
    "who is asking, and who asked in vain",
)
BLOCK = Command(
    "block",
    REACH,
    _ONLINE,
    lambda api, name: api.block(name),
    "never lets NAME ask you again, on any device; to them you seem offline",
    argument=_NAME,
)
UNBLOCK = Command(
    "unblock",
    REACH,
    _ONLINE,
    lambda api, name: api.unblock(name),
    "lets NAME ask you again",
    argument=_NAME,
)
BLOCKED = Command(
    "blocked",
    REACH,
    _ONLINE,
    lambda api, _: api.blocked(),
    "shows whom you have blocked",
)
WHOIS = Command(
    "whois",
    KEYS,
    _ANY,
    lambda api, name: api.keys.whois(name),
    "shows what you know about somebody's key",
    argument=_NAME,
)
FINGERPRINT = Command(
    "fingerprint",
    KEYS,
    _ANY,
    lambda api, _: api.keys.own(),
    "shows the fingerprint of your keys, of which the second one holds against quantum computers "
    "too, and the server's",
)
TRUST = Command(
    "trust",
    KEYS,
    _ANY,
    lambda api, pin: api.keys.take(*pin),
    "accepts a changed key, once its owner has confirmed it to you on the phone or in person",
    argument=Argument("pin", _pin, "NAME FINGERPRINT"),
)
INTRODUCE = Command(
    "introduce",
    KEYS,
    _ANY,
    _introduce,
    "introduces two people whom you have verified to each other: in your next chats with them each "
    "is asked, and only if both say yes each gets the other's key from you. yes NAME or no NAME "
    "answers such an offer; without a word it shows what is under way; cancel takes one back",
    argument=Argument("introduction", read_introduction, "NAME to NAME", required=False),
    examples=(
        *("/introduce bob to carol", "/introduce yes carol", "/introduce no carol"),
        *("/introduce", "/introduce cancel bob to carol"),
    ),
)
NEWKEY = Command(
    "newkey",
    KEYS,
    frozenset({ClientState.IDLE}),
    lambda api, _: api.keys.renew(),
    "replaces your key; the old one signs the new one, so people who know you follow, and is "
    "erased",
    asks=True,
)
RETIREMENT = Command(
    "retirement",
    KEYS,
    _ONLINE,
    lambda api, _: api.keys.make_retirement(),
    "makes twelve words to write on paper, once: if your key is ever stolen, they retire it at "
    "once, and can do nothing else. The people you chat with from then on can check them",
)
RETIRE = Command(
    "retire",
    KEYS,
    _ANY,
    lambda api, name: api.keys.retire(name),
    "asks for the twelve words of NAME, and retires their stolen key, here and at the server: "
    "whoever uses it from then on gets nothing from you. Also: securecom --retire NAME",
    argument=_NAME,
    examples=("/retire alice",),
    asks=True,
)
BACKUP = Command(
    "backup",
    YOURS,
    _ANY,
    lambda api, file: api.backup(file),
    "copies your key, your settings and the keys of people you know into FILE, encrypted, for "
    "another machine; no messages",
    argument=Argument("file", message, "FILE"),
    asks=True,
)
MY_DATA = Command(
    "mydata",
    YOURS,
    _ONLINE,
    lambda api, _: api.account.my_data(),
    "shows everything the server holds about you",
)
FORGET_ME = Command(
    "forget-me",
    YOURS,
    frozenset({ClientState.IDLE, ClientState.ASKED}),
    _forget_me,
    "explains what leaving this server for good means; with your own NAME, does it",
    argument=_ANY_NAME,
)
HELP = Command(
    "help",
    PROGRAM,
    _ANY,
    lambda api, topic: help_on(topic, api.state),
    "shows what makes sense now, what one command does, or every command",
    "more about one of these, or about all",
    Argument("topic", _topic, "COMMAND|all", required=False),
    examples=("/help", "/help chat", "/help all"),
    original="!help",
)
RECONNECT = Command(
    "reconnect",
    PROGRAM,
    frozenset({ClientState.OFFLINE}),
    lambda api, _: api.reconnect(),
    "tries to reach the server now, without waiting for the next attempt",
    "try to reach the server now",
    otherwise=already_connected().what,
    instead=already_connected().hint,
)
CLEAR = Command(
    "clear",
    PROGRAM,
    _ANY,
    lambda api, _: ScreenCleared(),
    "clears the screen, and what scrolled off it where the terminal allows that; a log of the chat "
    "and the other person's screen stay as they are",
)
EXIT = Command("exit", PROGRAM, _ANY, None, "leaves", "leave", also=("quit",), original="!exit")

#: Every command, in the order in which help lists them.
COMMANDS = (
    *(USERS, CHAT, CANCEL, ACCEPT, REFUSE, DECLINE, DISMISS),
    *(SAY, VERIFY, SEND, GET, FILES, LOG, STOP),
    *(AVAILABLE, AWAY, SET, REQUESTS, BLOCK, UNBLOCK, BLOCKED),
    *(WHOIS, FINGERPRINT, TRUST, INTRODUCE, NEWKEY, RETIREMENT, RETIRE),
    *(BACKUP, MY_DATA, FORGET_ME),
    *(HELP, RECONNECT, CLEAR, EXIT),
)
#: What can be typed behind a slash.
TYPED = tuple(command for command in COMMANDS if command is not SAY)
#: The topic of help that is every command.
ALL = "all"

_BY_SLASH = {f"/{word}": c for c in TYPED for word in (c.word, *c.also)}
_BY_BANG = {c.original: c for c in TYPED if c.original}
_BY_WORD = {c.word: c for c in COMMANDS}


# --- finding a command ----------------------------------------------------------------------


def by_original_word(word: str) -> Command | None:
    """The command of a word with an exclamation mark, or None: then it is text."""
    return _BY_BANG.get(word)


def typed(word: str) -> Command:
    """The command of a word with its slash. :raises UnknownCommand: with the nearest one."""
    return _find(word, _BY_SLASH)


def named(word: str) -> Command:
    """The command of a JSON word. :raises UnknownCommand: with the nearest one."""
    return _find(word, _BY_WORD)


def help_topic(word: str) -> str:
    """The command somebody wants help with, however they write it; or `ALL`.

    :raises UnknownCommand: with the nearest one.
    """
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


# --- carrying it out, or saying why not -----------------------------------------------------

_STATE_SAYS = {
    ClientState.OFFLINE: (
        "you are offline",
        "Nothing was sent. The client keeps trying; /reconnect tries now.",
    ),
    ClientState.IDLE: ("that makes no sense now", "Nothing was sent. /help shows what does."),
    ClientState.ASKED: ("somebody is asking you", "Nothing was sent. /accept or /refuse first."),
    ClientState.ASKING: ("your request is still open", "Nothing was sent. /cancel withdraws it."),
    ClientState.OPENING: ("the chat is still being set up", "Nothing was sent. Wait a moment."),
    ClientState.CHAT: ("you are in a chat", "Nothing was sent. /stop ends it."),
}
#: What to do instead of writing, where a chat is near.
_BEFORE_A_CHAT = {
    ClientState.ASKED: "/accept or /refuse first.",
    ClientState.ASKING: "Wait, or /cancel.",
    ClientState.OPENING: "Wait a moment.",
}


def do(command: Command, argument: Any, api: ClientApi) -> Any:
    """Carry a command out. :raises NotNow: if it makes no sense in this state."""
    if api.state not in command.states:
        raise _misplaced(command, api.state)
    return None if command.does is None else command.does(api, argument)


def _misplaced(command: Command, state: ClientState) -> NotNow:
    """Why a command makes no sense in this state, and what does."""
    if command is SAY and state in _BEFORE_A_CHAT:
        return NotNow(command.otherwise, _BEFORE_A_CHAT[state])
    if command.otherwise and state is not ClientState.OFFLINE:
        return NotNow(command.otherwise, command.instead)
    return NotNow(*_STATE_SAYS[state])


# --- help -----------------------------------------------------------------------------------


def help_on(topic: str | None, state: ClientState) -> Help:
    """Help on one command, on every one, or (without a topic) on what makes sense now."""
    rows: tuple[Command, ...] = COMMANDS if topic in (None, ALL) else (_BY_WORD[str(topic)],)
    if topic is None:
        rows = tuple(sorted(rows, key=lambda command: _rank(command, state)))
    return Help(topic, [_line(command, state) for command in rows])


def _rank(command: Command, state: ClientState) -> int:
    """Commands of few states come first in these, those without a brief line last."""
    is_near = state in command.states and command.brief
    return len(command.states) if is_near else len(ClientState) + 1


def _line(command: Command, state: ClientState) -> HelpLine:
    also = [f"/{word}" for word in command.also] + [command.original] * bool(command.original)
    now = state in command.states
    return HelpLine(
        command=command.word,
        usage=command.usage,
        also=also,
        about=command.about,
        now=now,
        group=command.group,
        brief=command.brief,
        examples=list(command.examples),
    )
