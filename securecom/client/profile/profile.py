"""A profile: who one is, at which server, with which settings.

It is a folder with `profile.toml`, `known_peers` and, unless it is the person's own file
elsewhere, `identity`. The settings are for people to change: reading is strict, and what is wrong
is named with its line and never written over.
"""

from __future__ import annotations

import re
import shlex
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal, cast

from securecom import limits
from securecom.client.profile import private_files
from securecom.client.terms import (
    NOBODY,
    Ask,
    BusyAudience,
    Choices,
    Notify,
    read_ask,
    read_busy,
    read_downloads,
    read_notify,
)
from securecom.errors import Mistake, ProfileProblem
from securecom.identity import Name
from securecom.invitation import Host
from securecom.text import shown
from securecom.values import Value, field_names, replace

VERSION = 1
PROFILE_FILE = "profile.toml"
IDENTITY_FILE = "identity"
KNOWN_PEERS_FILE = "known_peers"
#: What can retire keys, and which are retired (`client.retirements`); there need not be one.
RETIREMENTS_FILE = "retirements"

_SERVER_HEX = re.compile(r"[0-9a-f]{64}")
_MAX_PORT = 65535

RequestMode = Literal["listen", "dial"]


class Profile(Value):
    """One profile.

    :param server: the server's id (32 bytes), which is what is pinned.
    :param identity: the identity file; relative paths are in the profile's folder.
    :param request: how the request channel comes to be.
    :param available: log-in makes one available.
    :param on_request: the program that answers chat requests, and its arguments; empty: none.
    :param ask: who may ask at all.
    :param busy: whose requests are answered with "busy".
    :param notify: what calls a person who is not looking.
    :param notify_names: whether it says who it is about.
    :param typing: whether each of a chat sees when the other is writing.
    :param downloads: the folder for received files; empty: the usual one.
    """

    folder: Path
    name: Name
    host: Host
    port: int
    server: bytes
    identity: Path
    request: RequestMode = "listen"
    available: bool = False
    on_request: tuple[str, ...] = ()
    ask: Ask = "anyone"
    busy: BusyAudience = NOBODY
    notify: Notify = "bell"
    notify_names: bool = False
    downloads: str = ""
    typing: bool = False

    @property
    def choices(self) -> Choices:
        """What `/set` shows."""
        notify = (self.notify, self.notify_names)
        return Choices(self.ask, self.busy, *notify, self.downloads, self.typing)

    @property
    def identity_path(self) -> Path:
        """Where the identity file is."""
        return self.folder / self.identity.expanduser()

    @property
    def known_peers(self) -> Path:
        """Where the pins are."""
        return self.folder / KNOWN_PEERS_FILE

    def with_settings(
        self,
        request: RequestMode | None = None,
        available: bool | None = None,
        on_request: tuple[str, ...] | None = None,
    ) -> Profile:
        """The same, but for the settings that are given."""
        told = {"request": request, "available": available, "on_request": on_request}
        given: dict[str, Any] = {key: value for key, value in told.items() if value is not None}
        return replace(self, **given)

    def keep(self, choices: Choices) -> None:
        """Write these into `profile.toml`, and leave what it says of everything else.

        :raises ProfileProblem: if it cannot be read or written; then it is as it was.
        """
        chosen = {word: getattr(choices, word) for word in field_names(choices)}
        replace(read_profile(self.folder), **chosen).save()

    @property
    def portable(self) -> Profile:
        """What of it goes into a backup, and may come out of one: nothing that names a file of a
        machine, be it a key, a program or a folder.
        """
        return replace(self, identity=Path(IDENTITY_FILE), on_request=(), downloads="")

    def written(self) -> bytes:
        """The file."""
        return _to_toml(self).encode("utf-8")

    def save(self) -> None:
        """Write `profile.toml`. :raises ProfileProblem: if that cannot be done."""
        try:
            private_files.write(self.folder / PROFILE_FILE, self.written())
        except OSError as error:
            raise unusable(self.folder / PROFILE_FILE, error) from None


def unusable(path: Path, error: OSError) -> ProfileProblem:
    """What the system says about a file, and what to do if it is another user's."""
    what = f"{path} cannot be used ({(error.strerror or str(error)).lower()})"
    hint = private_files.MAY_BE_ROOTS if isinstance(error, PermissionError) else None
    return ProfileProblem(what, hint)


# --- profile.toml ---------------------------------------------------------------------------


def _to_toml(profile: Profile) -> str:
    return f"""\
# A securecom profile. The settings at the end are yours to change.
version = {VERSION}
name = {_quoted(profile.name)}
host = {_quoted(profile.host)}
port = {profile.port}
# The SHA-256 of the server's CA certificate: the one server that this client talks to.
server = {_quoted(profile.server.hex())}
identity = {_quoted(str(profile.identity))}
# "listen": we connect to the server for chat requests. "dial": the server connects to us.
request = {_quoted(profile.request)}
# Whether people may ask for a chat as soon as we are online.
available = {str(profile.available).lower()}
# A program that answers chat requests (docs/bots.md); "": you do.
on_request = {_quoted(shlex.join(profile.on_request))}
# Who may ever ask for a chat: "anyone", "people" (whose key is known here) or "nobody".
ask = {_quoted(profile.ask)}
# Who of them is told that one is busy: "nobody", "people", or "to bob carol".
busy = {_quoted(str(profile.busy))}
# What calls you when you are not looking: "off", "bell", "terminal" or "desktop"; and whether it
# says who it is about.
notify = {_quoted(profile.notify)}
notify_names = {str(profile.notify_names).lower()}
# Whether you and the other person of a chat see when one of you is writing, if both want that.
typing = {str(profile.typing).lower()}
# The folder for received files, as a whole path; "": the usual one of this machine.
downloads = {_quoted(profile.downloads)}
"""


def _quoted(text: str) -> str:
    """A TOML string."""
    plain = text.replace("\\", "\\\\").replace('"', '\\"')
    return '"' + "".join(c if c.isprintable() else f"\\U{ord(c):08X}" for c in plain) + '"'


def _port(value: int) -> int:
    if not 1 <= value <= _MAX_PORT:
        raise ValueError("no port")
    return value


def _server(value: str) -> bytes:
    if not _SERVER_HEX.fullmatch(value):
        raise ValueError("64 hexadecimal digits are a server")
    return bytes.fromhex(value)


def _mode(value: str) -> RequestMode:
    if value not in ("listen", "dial"):
        raise ValueError('"listen" or "dial"')
    return cast(RequestMode, value)


def _identity(value: str) -> Path:
    if "\0" in value:
        raise ValueError("no name of a file")
    path = Path(value)
    try:
        path.expanduser()
    except RuntimeError:
        raise ValueError(f"there is no home folder for {shown(path.parts[0])}") from None
    return path


def _command(value: str) -> tuple[str, ...]:
    return tuple(shlex.split(value))


def _version(value: int) -> int:
    if value != VERSION:
        raise ValueError("another version of securecom wrote this")
    return value


#: Every key of the file: its TOML type, and what makes the value of it (raising ValueError).
_KEYS: dict[str, tuple[type, Callable[[Any], Any]]] = {
    "version": (int, _version),
    "name": (str, Name),
    "host": (str, Host),
    "port": (int, _port),
    "server": (str, _server),
    "identity": (str, _identity),
    "request": (str, _mode),
    "available": (bool, bool),
    "ask": (str, read_ask),
    "busy": (str, read_busy),
    "notify": (str, read_notify),
    "notify_names": (bool, bool),
    "typing": (bool, bool),
    "downloads": (str, read_downloads),
    "on_request": (str, _command),
}
#: Keys that a file may lack: an earlier version wrote it.
_LATER = frozenset({"on_request", "ask", "busy", "notify", "notify_names", "downloads", "typing"})


def read_profile(folder: Path) -> Profile:
    """:raises ProfileProblem: naming file and line, for whatever `save` does not write."""
    path = folder / PROFILE_FILE
    try:
        data, is_open = private_files.read_plain(path, limits.MAX_PROFILE_FILE)
    except OSError as error:
        raise unusable(path, error) from None
    if is_open:
        what = f"others on this machine may use {path}; it was not read"
        raise ProfileProblem(what, f"Nothing was sent. Type: chmod 600 {path}")
    return parse_profile(folder, data)


def parse_profile(folder: Path, data: bytes) -> Profile:
    """The same of bytes that are, or will be, in the folder's file. :raises ProfileProblem:"""
    path = folder / PROFILE_FILE
    if len(data) > limits.MAX_PROFILE_FILE:
        raise _damaged(path, None, "it is too long for a profile")
    values = _values(path, data)
    del values["version"]
    return Profile(folder=folder, **values)


def _values(path: Path, data: bytes) -> dict[str, Any]:
    try:
        text = data.decode("utf-8")
        told = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise _damaged(path, None, str(error).lower()) from None
    except UnicodeDecodeError:
        raise _damaged(path, None, "it is not UTF-8") from None
    except (ValueError, RecursionError):  # thousands of digits, or of brackets
        raise _damaged(path, None, "it holds what no setting is") from None
    for key in told:
        if key not in _KEYS:
            raise _damaged(path, _line_of(key, text), f"there is no setting {shown(key)}")
    for key in _KEYS:
        if key not in told and key not in _LATER:
            raise _damaged(path, None, f"{key} is missing")
    return {key: _value(path, key, value, text) for key, value in told.items()}


def _value(path: Path, key: str, value: Any, text: str) -> Any:
    kind, make = _KEYS[key]
    try:
        if type(value) is not kind:
            raise ValueError(f"not {'a text' if kind is str else kind.__name__}")
        return make(value)
    except Mistake as error:
        raise _damaged(path, _line_of(key, text), f"{key}: {error.what}") from None
    except ValueError as error:
        raise _damaged(path, _line_of(key, text), f"{key}: {error}") from None


def _line_of(key: str, text: str) -> int | None:
    """The line where the key stands."""
    starts = (line.split("=")[0].strip(" \t\"'[]") for line in text.split("\n"))
    return next((number for number, start in enumerate(starts, 1) if start == key), None)


def _damaged(path: Path, line: int | None, why: str) -> ProfileProblem:
    where = f"{path}" if line is None else f"{path}, line {line}"
    hint = "Nothing was changed or sent. Mend it, or name another profile."
    return ProfileProblem(f"{where}: {why}", hint)
