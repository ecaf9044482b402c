"""What a person types: a line becomes an order, or nothing, or an error.

What looks like a command and is none is never sent to anybody.
"""

from __future__ import annotations

import unicodedata

from securecom import limits
from securecom.client.choices import Choices
from securecom.client.frontends import commands
from securecom.client.frontends.commands import Argument, Command, Kind
from securecom.client.frontends.orders import Order
from securecom.client.terms import read_pause, read_terms, read_wish
from securecom.errors import BadArgument, BadName, NotNow, TooLong, UnknownCommand
from securecom.identity import Name
from securecom.text import before_seen, is_unseen, shown

#: What people, and keyboards of other scripts, may have typed for a slash: full-width (which NFKC
#: makes one anyway), fraction, division, big solidus, rising diagonal, box drawing.
_SLASHES = str.maketrans(dict.fromkeys("\u2044\u2215\u29f8\u27cb\u2571", "/"))
#: Characters of a line that are looked at for a command in disguise: more than any command has.
_LOOKED_AT = 80


class Typed:
    """Reads lines; remembers only that the original's `!chat` has asked for a name, and that a
    question for a pass phrase came to nothing.
    """

    def __init__(self) -> None:
        self._wants_name = False
        self._may_be_secret = False

    def asked_in_vain(self) -> None:
        """A command that asks for pass phrases has failed: who typed ahead, or types it again as
        one does at other questions, means none of it for the peer.
        """
        self._may_be_secret = True

    def read(self, line: str) -> Order | str | None:
        """An order; a question to show; or None for a blank line.

        :raises SecurecomError: if nothing can be done with the line.
        """
        wants_name, self._wants_name = self._wants_name, False
        bare = line.strip()
        told = self._told(line, bare, wants_name)
        self._may_be_secret = False
        return told

    def _told(self, line: str, bare: str, wants_name: bool) -> Order | str | None:
        if not bare:
            return None
        _check_disguise(line)
        if bare == commands.CHAT.original:
            self._wants_name = True
            return "Whom? Type a name; an empty line forgets the question."
        if wants_name and bare[0] not in "/!":
            return order(commands.CHAT, bare)
        command = _command(line, bare)
        if command is None and self._may_be_secret:
            hint = "Nothing was sent. After an empty line, what you type is a message again."
            raise NotNow("a pass phrase was asked for, and that line may be one", hint)
        return command or order(commands.SAY, _text(line))


def _command(line: str, bare: str) -> Order | None:
    if bare.startswith("/") and not bare.startswith("//"):
        return _slash(bare)
    word, _, rest = bare.partition(" ")
    original = None if line[0].isspace() else commands.by_original_word(word)
    return None if original is None else order(original, rest.strip())


def _check_disguise(line: str) -> None:
    """:raises UnknownCommand: for what looks like a command on the screen, and is none."""
    hidden = before_seen(line)
    before, rest = line[:hidden], line[hidden : hidden + _LOOKED_AT]
    visible = "".join(c for c in rest if c.isspace() or not is_unseen(c))
    looks = unicodedata.normalize("NFKC", visible).translate(_SLASHES)
    what = ""
    if looks.startswith("/") and not looks.startswith("//"):
        if rest[0] == "/" and hidden:
            what = _behind(before)
        elif rest[0] != "/" and looks[1:2].isascii() and looks[1:2].isalpha():
            what = f"that looks like a command, but {shown(rest[0])} is no slash"
    elif commands.by_original_word((looks.split() or [""])[0]) is not None:
        if before.strip(" \t"):
            what = _behind(before)
        elif commands.by_original_word(rest.split()[0]) is None:
            what = f"that looks like a command, but is {shown(rest.split()[0])}"
    if what:
        hint = "Nothing was sent. Write the command at the start of the line; //x sends /x."
        raise UnknownCommand(what, hint)


def _behind(before: str) -> str:
    if before.isspace():
        return "a command behind blanks is not carried out"
    code = next(ord(c) for c in before if not c.isspace())
    return f"a command behind a character that nobody sees (U+{code:04X}) is not carried out"


def _slash(bare: str) -> Order:
    word, _, rest = bare.partition(" ")
    return order(commands.typed(word), rest.strip())


def _text(line: str) -> str:
    return line[1:] if line.startswith("//") else line


def order(command: Command, argument: str) -> Order:
    """A command with its argument as text, checked. :raises SecurecomError: if it will not do."""
    if command.argument is None:
        if argument:
            raise BadArgument(f"{command.usage} takes nothing behind it")
        return Order(command)
    if not argument:
        if command.argument.required:
            hint = f"Nothing was sent. Type {command.usage}"
            raise BadArgument(f"{command.usage.split()[0]} lacks something", hint)
        return Order(command)
    return Order(command, checked(command.argument, argument))


def checked(argument: Argument, text: str) -> str:
    """The text of an argument as it may be used. :raises SecurecomError: if it may not."""
    match argument.kind:
        case Kind.NAME:
            return _name(text)
        case Kind.COMMAND:
            return commands.topic(text)
        case Kind.WORD:
            return _word(argument, text)
        case Kind.PIN:
            return _pin(text)
        case Kind.TERMS:
            read_terms(text)
        case Kind.PAUSE:
            read_pause(text)
        case Kind.WISH:
            return _wish(text)
        case Kind.SETTING:
            Choices().changed(text)
    return _message(text)


def _word(argument: Argument, text: str) -> str:
    word = " ".join(text.lower().split())
    if word not in argument.words:
        words = f"{', '.join(argument.words[:-1])} or {argument.words[-1]}"
        raise BadArgument(f"that has to be {words}")
    return word


def _wish(text: str) -> str:
    """A name, alone or with how long behind it."""
    words = text.split()
    if "for" not in words[1:]:
        return _name(text)
    wish = " ".join([_name(words[0]), *words[1:]])
    read_wish(wish)
    return wish


def _pin(text: str) -> str:
    """A name and one more word, a blank between them."""
    name, _, fingerprint = " ".join(text.split()).partition(" ")
    if not fingerprint or " " in fingerprint:
        hint = f"Nothing was sent. Type {commands.TRUST.usage}"
        raise BadArgument("that has to be a name and a fingerprint", hint)
    return f"{_name(name)} {fingerprint}"


def encoded(text: str) -> bytes:
    """As UTF-8. :raises BadArgument: for what only an escape in JSON can bring in."""
    try:
        return text.encode("utf-8")
    except UnicodeEncodeError:
        raise BadArgument("the text holds half a character (a lone surrogate)") from None


def _message(text: str) -> str:
    length = len(encoded(text))
    if length > limits.MAX_TEXT:
        raise TooLong(f"a message has at most {limits.MAX_TEXT} bytes, not {length}")
    return text


def _name(text: str) -> Name:
    try:
        return Name(text.lower())
    except BadName as error:
        what = f'"{shown(text[:40])}" is not a name'
        raise BadName(what, f"Nothing was sent. {error.hint}") from None
