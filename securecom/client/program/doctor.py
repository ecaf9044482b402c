"""`securecom --doctor`: looks at everything that has to work, and says what does not.

Each check ends in findings: what is so, whether that is fine, and what to do if it is not. No
finding holds a key, a pass phrase, a token, or the name of a person. Another client of the same
person is not disturbed: the log-in that is tried never takes over.
"""

from __future__ import annotations

import json
import os
import platform
import sys
from argparse import Namespace
from collections.abc import Callable, Generator, Mapping
from pathlib import Path
from typing import Any, ClassVar, Literal

from twisted.internet.defer import Deferred, fail, inlineCallbacks
from twisted.internet.interfaces import IReactorTime, IStreamClientEndpoint
from twisted.internet.protocol import Factory
from twisted.python.failure import Failure

from securecom import __version__, limits, tls
from securecom.client.channels.reaching import cannot_reach
from securecom.client.channels.request_ways import Way
from securecom.client.contacts import Contacts
from securecom.client.events import Event, Online, RequestChannelState
from securecom.client.frontends.attention import Means
from securecom.client.frontends.plain import broken
from securecom.client.frontends.qr import Screen
from securecom.client.profile.identity_file import IdentityFile, read_identity_file
from securecom.client.profile.passphrase import PassPhrases
from securecom.client.profile.profile import Profile
from securecom.client.profile.profiles import Profiles
from securecom.client.program import exits, standard_io, who
from securecom.client.program.desktop import PROGRAM, desktop_of
from securecom.client.service import Client
from securecom.client.terms import duration
from securecom.connection import Connection
from securecom.errors import (
    BadKey,
    ClockIsOff,
    NotNow,
    OnlineElsewhere,
    SecurecomError,
    ServerMismatch,
    WhichProfile,
)
from securecom.identity import Identity
from securecom.text import shown
from securecom.transport.choice import TLSFactory
from securecom.values import Value, as_dict
from securecom.whole_files import is_open_to_others

State = Literal["fine", "note", "problem"]
#: Where the text of a finding begins.
_INDENT = len("ok  certificate      ")
_MARKS: dict[State, str] = {"fine": "ok", "note": "--", "problem": "!!"}


class Finding(Value):
    """What a check came to.

    :param check: which: one word.
    :param do: what to do about it; empty if there is nothing to do.
    """

    check: str
    state: State
    what: str
    do: str = ""


def fine(check: str, what: str) -> Finding:
    """As it should be."""
    return Finding(check, "fine", what)


def note(check: str, what: str, do: str = "") -> Finding:
    """Not wrong, but worth knowing."""
    return Finding(check, "note", what, do)


def problem(check: str, what: str, do: str) -> Finding:
    """Something to put right."""
    return Finding(check, "problem", what, do)


def trouble(check: str, error: SecurecomError) -> Finding:
    """The same of an error."""
    return problem(check, shown(error.what), shown(error.hint))


# --- the machine ------------------------------------------------------------------------------


def of_program() -> list[Finding]:
    """Which program this is, and on what."""
    python = platform.python_version()
    return [fine("program", f"securecom {__version__}, Python {python} on {platform.system()}")]


def of_terminal(screen: Screen, environment: Mapping[str, str], encoding: str) -> list[Finding]:
    """What the terminal can do.

    :param screen: the output; without columns it is no terminal.
    :param encoding: in which text is written there.
    """
    if screen.columns is None:
        return [note("terminal", "the output is no terminal: --plain and --json work there")]
    term = shown(environment.get("TERM", ""))[: limits.MAX_NAME] or "not set"
    size = f"{screen.columns} columns, {screen.rows or 0} rows"
    found = [_of_abilities(term, size, screen.has_colours)]
    if screen.columns < limits.GOOD_COLUMNS or (screen.rows or 0) < limits.GOOD_ROWS:
        good = f"{limits.GOOD_COLUMNS} columns and {limits.GOOD_ROWS} rows"
        found.append(note("size", f"the terminal has {size}", f"{good} are enough for everything."))
    is_utf8 = encoding.lower().replace("-", "") == "utf8"
    if is_utf8:
        found.append(fine("text", "the terminal gets UTF-8"))
    else:
        what = f"the terminal gets {shown(encoding)[:20]}: other people's letters are not shown"
        found.append(problem("text", what, "Set LANG to a UTF-8 locale, such as C.UTF-8."))
    return found


def _of_abilities(term: str, size: str, has_colours: bool) -> Finding:
    if has_colours:
        return fine("terminal", f"TERM is {term}: colours and cursor, {size}")
    what = f"TERM is {term}: no colours, nothing but lines of text, {size}"
    return note("terminal", what, "In a real terminal TERM is wrong: xterm-256color fits most.")


def of_attention(
    screen: Screen, environment: Mapping[str, str], notify: str, has_desktop: bool
) -> list[Finding]:
    """What can call a person who is not looking."""
    if screen.columns is None or not screen.has_colours:
        return [note("attention", "nothing rings here")]
    means = Means.of(environment)
    around = "" if means.inside is None else f" through {means.inside}"
    title = ", the title counts" if means.titles else ""
    found = [fine("attention", f"the bell rings{around}{title}; /set notify is {notify}")]
    if notify == "terminal" and means.osc is None:
        do = "/set notify bell, or desktop"
        found.append(problem("notify", "this terminal has no notifications", do))
    elif notify == "terminal" and means.inside == "tmux":
        do = "Put this into ~/.tmux.conf: set -g allow-passthrough on"
        found.append(note("notify", "tmux passes notifications on only if it is told to", do))
    if notify == "desktop" and not has_desktop:
        do = f"Install {PROGRAM} (Debian: libnotify-bin), or /set notify bell"
        found.append(problem("notify", f"there is no {PROGRAM} on this machine", do))
    elif notify == "desktop" and "SSH_CONNECTION" in environment:
        what = f"{PROGRAM} shows on the machine at the other end of ssh"
        found.append(note("notify", what, "/set notify terminal shows here, if the terminal can."))
    return found


# --- the profile ------------------------------------------------------------------------------


def of_folder(folder: Path) -> list[Finding]:
    """Where profiles are kept."""
    try:
        mode = folder.stat().st_mode
    except FileNotFoundError:
        return [note("folder", "there is no folder for profiles yet: enrolling makes it")]
    except OSError as error:
        what = f"the folder for profiles cannot be used ({(error.strerror or '').lower()})"
        return [problem("folder", what, "Look who owns it and what is in its place.")]
    if is_open_to_others(mode):
        what = "others on this machine may look into the folder for profiles"
        return [note("folder", what, "chmod 700 on it hides even the names of profiles.")]
    if not os.access(folder, os.W_OK | os.X_OK):
        what = "nothing can be written into the folder for profiles"
        return [problem("folder", what, "Give it back to yourself (chown), or free the disk.")]
    return [fine("folder", "the folder for profiles is yours alone")]


def of_profile(profiles: Profiles, name: str | None) -> tuple[list[Finding], Profile | None]:
    """The profile that a start would take."""
    try:
        profile = profiles.load(name)
    except WhichProfile as error:
        if profiles.names():
            return [note("profile", shown(error.what), shown(error.hint))], None
        do = "Start securecom with the invitation link that your server's admin made for you."
        return [note("profile", "there is no profile here yet", do)], None
    except SecurecomError as error:
        return [trouble("profile", error)], None
    return [
        fine("profile", f"the profile can be read; request channel: {profile.request}")
    ], profile


def of_key(profile: Profile) -> tuple[list[Finding], IdentityFile | None]:
    """The identity file, as far as that goes without a pass phrase."""
    try:
        file = read_identity_file(profile.identity_path)
    except SecurecomError as error:
        return [trouble("key", error)], None
    if not file.is_protected:
        what = "the key file can be read, is yours alone, and has no pass phrase"
        do = "Whoever gets the file is you. ssh-keygen -p -Z aes256-ctr -a 64 -f FILE adds one."
        return [note("key", what, do)], file
    if file.rounds < limits.BCRYPT_ROUNDS:
        what = f"the key file's pass phrase is guarded by {file.rounds} rounds only"
        do = f"ssh-keygen -p -Z aes256-ctr -a {limits.BCRYPT_ROUNDS} -f FILE makes guessing dearer."
        return [note("key", what, do)], file
    what = f"the key file can be read, is yours alone, and has a pass phrase ({file.rounds} rounds)"
    return [fine("key", what)], file


def of_people(profile: Profile, now: Callable[[], float]) -> list[Finding]:
    """The pinned keys."""
    try:
        count = len(Contacts(profile.known_peers, profile.server, now).names())
    except SecurecomError as error:
        return [trouble("people", error)]
    return [fine("people", f"the pinned keys can be read: {count}")]


# --- the server -------------------------------------------------------------------------------


class World(Value):
    """What the checks of the server stand on.

    :param endpoint: of its standard port.
    :param now: the wall clock, in Unix seconds.
    """

    endpoint: IStreamClientEndpoint
    way: Way
    clock: IReactorTime
    now: Callable[[], float]


class _Probe(Connection):
    """A TLS connection to the standard port, with a key made for it, that says nothing."""

    alpn: ClassVar[frozenset[bytes]] = frozenset({tls.ALPN_STANDARD})
    awaits: ClassVar[str] = "the handshake"

    def __init__(self, clock: IReactorTime) -> None:
        super().__init__(clock, limits.LOGIN_PATIENCE)
        #: Fires with the time until which the certificate is valid, in Unix seconds.
        self.result: Deferred[float] = Deferred()
        self._until: float | None = None

    def responders(self) -> Any:
        """Nothing may be asked of us."""
        return _NOBODY

    def secured(self, alpn: bytes) -> None:
        """It is the pinned server."""
        certificate = self.tls.get_peer_certificate()
        if certificate is not None:
            self._until = certificate.to_cryptography().not_valid_after_utc.timestamp()
        self.close()

    def lost(self, reason: Failure) -> None:
        """What came of it."""
        if self._until is not None:
            self.result.callback(self._until)
        else:
            self.result.errback(self.reason or reason)


@inlineCallbacks
def of_server(world: World, server: bytes) -> Generator[Deferred[Any], Any, list[Finding]]:
    """Can it be reached, is it the pinned one, and do its dates fit this machine's clock?

    :param server: the pinned id (32 bytes).
    """
    probe = _Probe(world.clock)
    factory = Factory.forProtocol(lambda: probe)
    factory.noisy = False
    options = tls.standard_client(Identity.generate(), server)
    began = world.clock.seconds()
    try:
        yield world.endpoint.connect(TLSFactory(options, True, factory, world.clock))
        took = f"{(world.clock.seconds() - began) * 1000:.0f} ms"
        until: float = yield probe.result
    except Exception:
        return [_unreached(cannot_reach(Failure(), "the server's standard port"))]
    days = int((until - world.now()) / 86_400)
    found = [fine("network", f"the server's standard port answers (connected in {took})")]
    if days < limits.CERTIFICATE_SOON:
        what = f"it is the pinned server, and its certificate ends in {max(days, 0)} days"
        found.append(note("certificate", what, "The server renews it at a start: tell its admin."))
    else:
        what = f"it is the pinned server; its certificate is good for {days} days"
        found.append(fine("certificate", what))
    return found


def _unreached(error: SecurecomError) -> Finding:
    if isinstance(error, ClockIsOff):
        return trouble("clock", error)
    if isinstance(error, ServerMismatch):
        return trouble("certificate", error)
    do = "Look at this machine's network, then ask the server's admin whether it runs."
    return problem("network", shown(error.what), do)


class _Listener:
    """A front-end that notes what decides about the two channels."""

    def __init__(self) -> None:
        self.channel: RequestChannelState | None = None
        self.online: Deferred[None] = Deferred()

    def show(self, event: Event) -> None:
        """Frontend."""
        if isinstance(event, RequestChannelState):
            self.channel = event
        elif isinstance(event, Online) and not self.online.called:
            self.online.callback(None)

    def failed(self, failure: Failure) -> None:
        """The client gave up."""
        if not self.online.called:
            self.online.errback(failure)

    def ask_secret(self, question: str) -> Deferred[str]:
        """Frontend."""
        return fail(NotNow("nobody is asked"))


@inlineCallbacks
def of_channels(
    world: World, profile: Profile, identity: Identity
) -> Generator[Deferred[Any], Any, list[Finding]]:
    """Log in, away, without taking over; look at both channels and the clocks; log out."""
    listener = _Listener()
    client = Client(
        name=profile.name,
        identity=identity,
        server=profile.server,
        contacts=Contacts(None, profile.server, world.now),
        frontend=listener,
        host=profile.host,
        port=profile.port,
        endpoint=world.endpoint,
        way=world.way,
        clock=world.clock,
        random=lambda: 0.0,
        attempts=1,
    )
    client.done.addErrback(listener.failed)
    client.start()
    try:
        yield listener.online
    except OnlineElsewhere:
        what = "a client of yours is online, and was left alone: the channels were not tried"
        return [note("log-in", what, "Leave it and try again, if something there does not work.")]
    except SecurecomError as error:
        return [trouble("log-in", error)]
    found = [fine("log-in", "the server knows you; the standard channel works")]
    found += [_of_request_channel(listener.channel, profile.request)]
    found += _of_clock(client.server_time, world.now())
    yield client.leave()
    return found


def _of_request_channel(channel: RequestChannelState | None, mode: str) -> Finding:
    if channel is not None and channel.up:
        return fine("request-channel", f"the request channel works ({mode})")
    do = "A firewall may block the server's second port; ask its admin for the number."
    if mode == "dial":
        do = "The server cannot connect to this machine: --request listen needs no open port."
    return problem("request-channel", f"chat requests cannot reach you ({mode})", do)


def _of_clock(theirs: int | None, ours: float) -> list[Finding]:
    if theirs is None:
        return [note("clock", "the server does not say what time it is: it is an older version")]
    apart = int(ours - theirs)
    if abs(apart) <= limits.CLOCKS_APART:
        return [fine("clock", "this machine's clock and the server's agree")]
    off = f"{duration(abs(apart))} {'ahead of' if apart > 0 else 'behind'}"
    what = f"this machine's clock is {off} the server's"
    return [problem("clock", what, "See which of the two is wrong (date -u), and set it.")]


# --- all of it --------------------------------------------------------------------------------


class _Nobody:
    """Answers no command."""

    def locateResponder(self, name: bytes) -> None:  # noqa: N802
        """IResponderLocator."""


_NOBODY = _Nobody()


class Patient(Value):
    """What could be found out before the server is asked."""

    findings: list[Finding]
    profile: Profile | None
    identity: Identity | None


def examined(
    arguments: Namespace,
    environment: Mapping[str, str],
    source: PassPhrases,
    now: Callable[[], float],
) -> Patient:
    """Everything on this machine; a pass phrase may be asked for."""
    screen = standard_io.screen(standard_io.OUTPUT)
    found = of_program()
    found += of_terminal(screen, environment, sys.stdout.encoding or "")
    folder = who.data_folder(arguments, environment)
    found += of_folder(folder)
    findings, profile = of_profile(who.profiles_of(arguments, environment), arguments.profile)
    found += findings
    notify = "bell" if profile is None else profile.notify
    found += of_attention(screen, environment, notify, desktop_of(None, environment) is not None)
    if profile is None:
        return Patient(found, None, None)
    findings, file = of_key(profile)
    found += findings + of_people(profile, now)
    if file is None:
        return Patient(found, profile, None)
    try:
        return Patient(found, profile, source.unlock(file))
    except (SecurecomError, BadKey) as error:
        what = f"the key was not opened, so no log-in was tried ({shown(error.what)})"
        do = "--pass-file or --pass-fd gives its pass phrase; a terminal asks for it."
        return Patient([*found, note("log-in", what, do)], profile, None)


@inlineCallbacks
def of_network(
    patient: Patient, world: World | None
) -> Generator[Deferred[Any], Any, list[Finding]]:
    """What only the server can show."""
    if patient.profile is None or world is None:
        return []
    found: list[Finding] = yield of_server(world, patient.profile.server)
    is_reached = all(one.state != "problem" for one in found)
    if is_reached and patient.identity is not None:
        found = [*found, *(yield of_channels(world, patient.profile, patient.identity))]
    return found


def lines(findings: list[Finding], *, as_json: bool, columns: int | None = None) -> list[str]:
    """The findings, for people or for programs. `columns`: of a terminal, for people."""
    if as_json:
        return [json.dumps({"finding": one.check, **_rest(one)}) for one in findings]
    rows = []
    for one in findings:
        what = [one.what] + [f"-> {one.do}"] * bool(one.do)
        width = None if columns is None else max(columns - _INDENT, _INDENT)
        told = [row for text in what for row in broken(text, width)]
        rows.append(f"{_MARKS[one.state]}  {one.check:<16} {told[0]}")
        rows += [" " * _INDENT + row for row in told[1:]]
    count = sum(one.state == "problem" for one in findings)
    rows.append("nothing to put right" if not count else f"to put right: {count}")
    return rows


def _rest(finding: Finding) -> dict[str, str]:
    return {key: value for key, value in as_dict(finding).items() if key != "check"}


def exit_code(findings: list[Finding]) -> int:
    """0: nothing to put right."""
    return exits.FIXABLE if any(one.state == "problem" for one in findings) else exits.OK
