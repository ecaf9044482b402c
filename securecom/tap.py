"""`twistd securecom` and `securecom-server`: the options, and how a server is put together.

If something is wrong, it ends before the server starts, with one line on standard error and exit
code 1.
"""

from __future__ import annotations

import contextlib
import errno
import io
import os
import re
import signal
import sys
import time
from collections.abc import Callable, Generator, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any, NoReturn, TextIO

from twisted.application.service import IService, IServiceCollection
from twisted.internet.defer import Deferred, inlineCallbacks
from twisted.internet.endpoints import serverFromString
from twisted.internet.error import ReactorNotRunning
from twisted.internet.interfaces import IReactorCore, IStreamServerEndpoint
from twisted.logger import ILogObserver, Logger
from twisted.python import usage
from twisted.python.components import Componentized
from twisted.scripts.twistd import run

from securecom import __version__, limits, process, tls
from securecom.clocks import steady_reactor
from securecom.errors import SecurecomError
from securecom.server import left_over, log_output
from securecom.server.dialling import ANY_LOCAL_PORT
from securecom.server.service import (
    Endpoints,
    OneOfSeveral,
    Server,
    ServerContext,
    reactor_endpoint,
)
from securecom.server.state import ServerState, default_state_folder, open_registry, open_state
from securecom.signals import on_signal
from securecom.starting import path_named, print_all, system_errors_told
from securecom.timers import Timers
from securecom.transport import choice, fast

_log = Logger()
_HIGHEST_PORT = 65535
#: Kinds of endpoints; any of them may stand behind `haproxy:`.
_ENDS_TLS = frozenset({"ssl", "tls"})
_TAKES_BACKLOG = frozenset({"tcp", "tcp6", "unix"})
#: Options that only a node among others has.
_OF_NODES = ("switchboard-password-file", "switchboard-ca", "node", "node-address", "request-port")
_HAS_BACKLOG = re.compile(r"(?<!\\):backlog=")


def stop(why: str) -> NoReturn:
    """Print one line and exit with code 1, before anything has started."""
    raise SystemExit(f"securecom: {why}")


class LineOfChild(io.TextIOBase):
    """The standard error of twistd's parent process, which waits while its child starts the server.

    Of an error in the child, twistd passes on only 100 bytes, written as a Python literal. This
    writes the line that the child gave to `say` in their place.
    """

    def __init__(self, errors: TextIO) -> None:
        super().__init__()
        self._errors = errors
        self._read, self._write = os.pipe()
        os.set_blocking(self._read, False)

    def say(self, line: str) -> None:
        """In the child: pass a line to the parent."""
        os.write(self._write, f"{line}\n".encode("utf-8", "backslashreplace"))

    def write(self, text: str) -> int:
        """In the parent: write what the child said, or else twistd's own words."""
        with contextlib.suppress(BlockingIOError):
            text = os.read(self._read, limits.LOG_LINE).decode("utf-8")
        return self._errors.write(text)

    def flush(self) -> None:
        """Flush the real standard error."""
        self._errors.flush()


class ServerExit:
    """Ends a server that cannot go on, with exit code 1 and nothing left behind.

    :param child: takes the line for twistd's parent process; None if twistd does not fork.
    :param pid_file: the file that twistd has written by then.
    """

    def __init__(self, reactor: Any, child: LineOfChild | None, pid_file: str | None) -> None:
        self._reactor, self._child, self._pid_file = reactor, child, pid_file

    def while_starting(self, why: str) -> NoReturn:
        """End before the reactor runs."""
        self._forget_pid()
        if self._child is not None:
            self._child.say(f"securecom: {why}")
            raise RuntimeError(f"securecom: {why}")
        stop(why)

    def later(self, why: str) -> None:
        """Stop the reactor, and exit with an error once everything is shut down."""
        _log.critical("securecom: {why}", why=why)
        self._reactor.addSystemEventTrigger("after", "shutdown", self._leave)
        self._reactor.callWhenRunning(self._reactor.stop)

    def _leave(self) -> None:
        self._forget_pid()
        sys.stdout.flush()
        os._exit(1)  # twistd itself would exit with 0

    def _forget_pid(self) -> None:
        if self._pid_file:
            Path(self._pid_file).unlink(missing_ok=True)


class Options(usage.Options):
    """What an operator can choose; `docs/operations.md` explains each option."""

    synopsis = "[--public HOST]... [--standard ENDPOINT] [--request ENDPOINT] [--state DIR]"
    longdesc = "A securecom server: it introduces people to each other and relays their chats."
    optParameters = [
        ["standard", "s", None, "Endpoint of the standard channel (default: port 4241, loopback)"],
        ["request", "r", None, "Endpoint of the request channel (default: port 4243, loopback)"],
        [
            "log-level",
            None,
            "info",
            f"The lowest level to log: {', '.join(log_output.LEVELS)}",
        ],
        ["state", None, None, "Folder for certificates and users (default: $SECURECOM_STATE)"],
        ["registry", None, None, "sqlite, or postgresql://USER@HOST/DATABASE (once; then kept)"],
        [
            "dial",
            None,
            str(limits.DIAL_PORT),
            "The only port of clients to dial (0: any, on this machine)",
        ],
        ["switchboard", None, None, "Redis or Valkey that all nodes share: redis://HOST:PORT/DB"],
        ["switchboard-password-file", None, None, "Private file with the password for it"],
        ["switchboard-ca", None, None, "Certificates to trust for rediss:// (default: system's)"],
        ["node", None, None, "Endpoint for other nodes (default: port 4245, loopback)"],
        ["node-address", None, None, "Where other nodes reach this one (default: 127.0.0.1)"],
        ["request-port", None, None, "Request port that clients are told (default: the real one)"],
    ]
    optFlags = [
        ["no-dial", None, "Do not dial clients; their daemon roles connect here"],
        ["no-init", None, "Do not begin a new server in a folder without state"],
        ["log-addresses", None, "Write network addresses to the log"],
    ]

    def __init__(self) -> None:
        super().__init__()
        self["public"] = []

    def opt_public(self, host: str) -> None:
        """A name or address for clients; makes the server listen publicly. May be repeated."""
        self["public"].append(host)

    opt_p = opt_public

    def parseOptions(self, options: list[str] | None = None) -> None:  # noqa: N802
        """Turn what usage.Options refuses into one line."""
        try:
            super().parseOptions(options)
        except usage.UsageError as error:
            stop(f"{error}. Try twistd securecom --help")

    def parseArgs(self, *arguments: str) -> None:
        if arguments:
            stop(f"unexpected {arguments[0]!r}. Options start with --; try --help")

    def postOptions(self) -> None:
        self._choose_ports()
        twistd: Mapping[str, Any] = self.parent or {}
        if twistd.get("pidfile"):  # twistd itself looks at it after this
            left_over.remove_pid_file(Path(twistd["pidfile"]))
        if self["log-level"] not in log_output.LEVELS:
            stop(f"--log-level takes {', '.join(log_output.LEVELS)}, not {self['log-level']!r}")
        self["dial"] = None if self["no-dial"] else _port(self["dial"], "dial")
        if self["dial"] == ANY_LOCAL_PORT and self["public"]:
            stop("--dial 0 is for clients on this machine; with --public, choose one port")
        try:
            chosen = self["state"]
            self["state"] = path_named(chosen, "--state") if chosen else default_state_folder()
        except SecurecomError as error:
            stop(str(error))

    def _choose_ports(self) -> None:
        """The channels' endpoints. A node with other nodes may have one of the channels only."""
        interface = "" if self["public"] else ":interface=127.0.0.1"
        usual = {"standard": limits.STANDARD_PORT, "request": limits.REQUEST_PORT}
        has_others = self["switchboard"] is not None
        chosen = [name for name in usual if self[name] is not None]
        for name in set(usual) - set(chosen) if not (has_others and chosen) else ():
            self[name] = f"tcp:{usual[name]}{interface}"
        for name in _OF_NODES:
            if self[name] is not None and not has_others:
                stop(f"--{name} is for a server of several nodes, which needs --switchboard, too")
        told = self["request-port"]
        self["request-port"] = 0 if told is None else _port(told, "request-port")
        if self["request"] is None and not self["request-port"]:
            stop("without --request, --request-port has to say where the request channel is")

    def opt_help(self) -> NoReturn:
        """Show this help."""
        print_and_leave(f"{self}\n")

    def opt_version(self) -> NoReturn:
        """Show the version."""
        print_and_leave(f"securecom-server {__version__}\n")


def print_and_leave(text: str) -> NoReturn:
    """Print text and leave with exit code 0, or, where it cannot be printed, with one line."""
    try:
        print_all(text)
    except SecurecomError as error:
        stop(str(error))
    sys.exit(0)


def _port(text: str, option: str) -> int:
    if text.isascii() and text.isdigit() and ANY_LOCAL_PORT <= int(text) <= _HIGHEST_PORT:
        return int(text)
    stop(f"--{option} takes a port number, not {text!r}")


def endpoint(reactor: IReactorCore, option: str, description: str) -> IStreamServerEndpoint:
    """The endpoint that a description stands for; exits with one line if there is none."""
    kind = description.lower().removeprefix("haproxy:").partition(":")[0]
    if kind in _ENDS_TLS:
        stop(
            f"--{option} {description!r} would end TLS in front of securecom, which has to do that "
            "itself. Use tcp: instead"
        )
    try:
        return _with_backlog(reactor, kind, description)
    except Exception as error:  # each kind of endpoint raises errors of its own
        stop(f"--{option} {description!r} is not an endpoint ({error!r}). Try tcp:4241")


def _with_backlog(reactor: IReactorCore, kind: str, description: str) -> IStreamServerEndpoint:
    """The endpoint, with our backlog if it takes one and the operator gives none."""
    longer = f"{description}:backlog={limits.LISTEN_BACKLOG}"
    made: IStreamServerEndpoint
    if kind in _TAKES_BACKLOG and not _HAS_BACKLOG.search(description):
        with contextlib.suppress(TypeError):  # it is given by position, as in tcp:4241::50
            made = serverFromString(reactor, longer)
            return made
    made = serverFromString(reactor, description)
    return made


class LoggedServer(Server):
    """A server with its own log, which twistd takes from the application if there is one.

    Set `log` before the parent. When the server stops, lines that were only counted are written.
    """

    log: ILogObserver
    flush: Callable[[], None]

    def setServiceParent(self, parent: IServiceCollection) -> None:
        if isinstance(parent, Componentized):
            parent.setComponent(ILogObserver, self.log)
        super().setServiceParent(parent)

    @inlineCallbacks
    def stopService(self) -> Generator[Deferred[Any], Any, None]:
        yield super().stopService()
        self.flush()


def _begin_log(server: LoggedServer, options: Options, reactor: Any) -> None:
    """Open the log where twistd's options say, and have signals reopen it."""
    try:
        sink = log_output.sink_of(options.parent or {}, sys.stdout)
    except OSError as error:
        stop(f"the log cannot be written ({error.strerror}: {error.filename}). Try --logfile FILE")
    level, addresses = options["log-level"], bool(options["log-addresses"])
    server.log, server.flush = log_output.chosen(sink, level, reactor, time.time, addresses)
    handle_signals(reactor, sink if isinstance(sink, log_output.BoundedFile) else None)


def handle_signals(reactor: Any, file: log_output.BoundedFile | None) -> None:
    """Handle the signals that operators and logrotate send, each of which would kill the server.

    HUP reopens the log file. If the terminal that the server was started in is gone, HUP stops it,
    as TERM does. USR1 rotates the file, as in twistd. USR2 does nothing. A signal that is ignored
    (nohup) or has a handler already keeps it.
    """
    had_terminal = has_terminal()

    def hung_up() -> None:
        if had_terminal and not has_terminal():
            with contextlib.suppress(ReactorNotRunning):  # shell and kernel each send one
                reactor.stop()
        elif file is not None:
            file.reopen()

    for number, answer in (
        (signal.SIGHUP, hung_up),
        (signal.SIGUSR1, _nothing if file is None else file.rotate),
        (signal.SIGUSR2, _nothing),
    ):
        if signal.getsignal(number) == signal.SIG_DFL:
            on_signal(reactor, number, answer)


def has_terminal() -> bool:
    """Whether this process has a controlling terminal."""
    try:
        os.close(os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY))
    except OSError as error:
        return error.errno in (
            errno.EMFILE,
            errno.ENFILE,
        )  # there is one, but no file can be opened
    return True


def _nothing() -> None:
    """Ignore a signal."""


def makeService(options: Options) -> IService:
    """The server, ready to be started."""
    reactor = steady_reactor()
    process.forbid_core_dumps()
    settings = Endpoints(
        standard=_chosen_endpoint(reactor, options, "standard"),
        request=_chosen_endpoint(reactor, options, "request"),
        dial=options["dial"],
        told=options["request-port"],
    )
    around = ServerContext(Timers(reactor), time.time, os.urandom, reactor_endpoint(reactor))
    try:
        with system_errors_told():
            tls.check_openssl()
            state = open_state(
                options["state"],
                options["public"],
                time.time(),
                not options["no-init"],
                options["registry"],
            )
            registry = open_registry(state, reactor)
            node = _node(options, state, around, reactor)
    except SecurecomError as error:
        stop(str(error))
    twistd: Mapping[str, Any] = options.parent or {}
    child = None
    if not twistd.get("nodaemon", True) and sys.__stderr__ is not None:
        sys.__stderr__ = child = LineOfChild(sys.__stderr__)  # type: ignore[misc, assignment]
    ending = ServerExit(reactor, child, twistd.get("pidfile"))
    opened = _Announcement(state, options, process.raise_file_limit())
    server = LoggedServer(
        state, registry, settings, around, opened, ending.while_starting, ending.later, node
    )
    _begin_log(server, options, reactor)
    return server


def _chosen_endpoint(
    reactor: IReactorCore, options: Options, name: str
) -> IStreamServerEndpoint | None:
    return None if options[name] is None else endpoint(reactor, name, options[name])


def _node(
    options: Options, state: ServerState, around: ServerContext, reactor: Any
) -> OneOfSeveral | None:
    """What makes this server one of several nodes, if the operator wants that."""
    if options["switchboard"] is None:
        return None
    try:
        joining = import_module("securecom.server.cluster.joining")  # few servers have nodes
    except ModuleNotFoundError as error:
        stop(f"--switchboard needs {error.name}: pip install 'securecom-chat[cluster]'")
    described = options["node"] or f"tcp:{limits.NODE_PORT}:interface=127.0.0.1"
    password, ca = options["switchboard-password-file"], options["switchboard-ca"]
    chosen = joining.ChosenNode(
        options["switchboard"],
        None if password is None else path_named(password, "--switchboard-password-file"),
        None if ca is None else path_named(ca, "--switchboard-ca"),
        endpoint(reactor, "node", described),
        options["node-address"] or "127.0.0.1",
    )
    node: OneOfSeveral = joining.node_service(chosen, state, around, reactor)
    return node


class _Announcement:
    """Writes to the log what the operator needs to know once the server is open.

    :param files: how many files this process may have open.
    """

    def __init__(self, state: ServerState, options: Options, files: int) -> None:
        self._state, self._options, self._files = state, options, files

    def __call__(self, standard: int, request: int, users: int) -> None:
        process.look_for_garbage_less_often(limits.NEW_OBJECTS)
        self._state.remember_ports(standard, request)
        for line in (*self.lines(standard, request, users), *choice.facts()):
            _log.info("{line}", line=line)
        for line in self.warnings():
            _log.warn("{line}", line=line)

    @property
    def people(self) -> int:
        """How many people can be online at once."""
        by_files = max(self._files - limits.FILES_ASIDE, 0) // limits.FILES_BY_PERSON
        return min(by_files, limits.MAX_SESSIONS)

    def warnings(self) -> list[str]:
        """Problems that will come later, and what to do about them."""
        address = self._state.address
        about_address = [address.warning] if address is not None and address.warning else []
        return [
            *choice.warnings(choice.MISSING, fast.WHY_NOT),
            *about_address,
            *self._about_files(),
        ]

    def _about_files(self) -> list[str]:
        if self.people == limits.MAX_SESSIONS:
            return []
        return [
            f"this process may open {self._files} files, which is enough for {self.people} people "
            f"online at once. Raise the hard limit (LimitNOFILE= in a systemd unit, ulimit -Hn in "
            f"a shell)"
        ]

    def lines(self, standard: int, request: int, users: int) -> list[str]:
        """Fingerprint, ports and users; and what to type if there are no users yet."""
        hosts = ", ".join(self._options["public"]) or "this machine only (--public HOST opens it)"
        folder = self._state.path
        chosen = "" if folder == default_state_folder() else f" --state {folder}"
        lines = [
            f"server fingerprint {self._state.fingerprint}",
            _channels(standard, request),
            f"for {hosts}",
            f"users: {users}",
            f"room for {self.people} people online at once",
        ]
        if not users:
            lines.append(f"next: securecom-admin{chosen} invite NAME")
        return lines


def _channels(standard: int, request: int) -> str:
    """Which channels are here, and where."""
    ports = {"standard channel": standard, "request channel": request}
    return ", ".join(f"{name} on port {port}" for name, port in ports.items() if port)


# --- securecom-server -----------------------------------------------------------------------


def main() -> None:
    """Do what `twistd --nodaemon securecom` does, where twistd is not on the PATH."""
    sys.argv[1:1] = ["--nodaemon", "--pidfile=", "securecom"]
    run()
