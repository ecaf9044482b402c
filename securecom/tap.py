"""`twistd securecom`: the options, and the wiring of a server. No rule of the protocol is here.

Whatever cannot work ends before the server starts, with one line on standard error and exit
code 1.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NoReturn

from twisted.application.service import IService
from twisted.internet.endpoints import serverFromString
from twisted.internet.interfaces import IReactorCore, IStreamServerEndpoint
from twisted.logger import Logger
from twisted.python import usage

from securecom import limits, tls
from securecom.clocks import steady_reactor
from securecom.errors import SecurecomError
from securecom.server.dialling import ANY_LOCAL_PORT
from securecom.server.service import Server, Settings, Surroundings, reactor_endpoint
from securecom.server.state import State, default_state_folder, open_registry, open_state

_log = Logger()
_HIGHEST_PORT = 65535


def stop(why: str) -> NoReturn:
    """End before anything has started."""
    raise SystemExit(f"securecom: {why}")


class Ending:
    """How a server that cannot go on ends, with exit code 1 and nothing left behind.

    :param daemon: twistd forks: its parent waits for an ordinary exception, and shows it.
    :param pid_file: what twistd has written by then.
    """

    def __init__(self, reactor: Any, daemon: bool, pid_file: str | None) -> None:
        self._reactor, self._daemon, self._pid_file = reactor, daemon, pid_file

    def while_starting(self, why: str) -> NoReturn:
        """Nothing runs yet."""
        self._forget_pid()
        if self._daemon:
            raise RuntimeError(f"securecom: {why}")
        stop(why)

    def later(self, why: str) -> None:
        """The reactor runs: stop it, and leave with an error when all is shut down."""
        _log.critical("securecom: {why}", why=why)
        self._reactor.addSystemEventTrigger("after", "shutdown", self._leave)
        self._reactor.callWhenRunning(self._reactor.stop)

    def _leave(self) -> None:
        self._forget_pid()
        sys.stdout.flush()
        os._exit(1)  # twistd itself would say 0

    def _forget_pid(self) -> None:
        if self._pid_file:
            Path(self._pid_file).unlink(missing_ok=True)


class Options(usage.Options):
    """What an operator can choose; `docs/operations.md` explains each."""

    synopsis = "[--public HOST]... [--standard ENDPOINT] [--request ENDPOINT] [--state DIR]"
    longdesc = "A server for securecom: it introduces people to each other and relays their chats."
    optParameters = [
        ["standard", "s", None, "Endpoint of the standard channel (default: port 4241, loopback)"],
        ["request", "r", None, "Endpoint of the request channel (default: port 4243, loopback)"],
        ["state", None, None, "Folder of certificates and users (default: $SECURECOM_STATE)"],
        [
            "dial",
            None,
            str(limits.DIAL_PORT),
            "The one client port to dial (0: any, on this machine)",
        ],
    ]
    optFlags = [["no-dial", None, "Dial nobody; clients' daemon roles connect to us"]]

    def __init__(self) -> None:
        super().__init__()
        self["public"] = []

    def opt_public(self, host: str) -> None:
        """A name or address that clients use; listens beyond loopback. May be repeated."""
        self["public"].append(host)

    opt_p = opt_public

    def parseOptions(self, options: list[str] | None = None) -> None:  # noqa: N802
        """What usage.Options refuses becomes one line too."""
        try:
            super().parseOptions(options)
        except usage.UsageError as error:
            stop(f"{error}. Try twistd securecom --help")

    def parseArgs(self, *arguments: str) -> None:
        if arguments:
            stop(f"unexpected {arguments[0]!r}. Options start with --; try --help")

    def postOptions(self) -> None:
        interface = "" if self["public"] else ":interface=127.0.0.1"
        for name, port in (("standard", limits.STANDARD_PORT), ("request", limits.REQUEST_PORT)):
            if self[name] is None:
                self[name] = f"tcp:{port}{interface}"
        self["dial"] = None if self["no-dial"] else _port(self["dial"])
        if self["dial"] == ANY_LOCAL_PORT and self["public"]:
            stop("--dial 0 is for clients on this machine; a --public server dials one port")
        self["state"] = Path(self["state"]) if self["state"] else default_state_folder()


def _port(text: str) -> int:
    if text.isascii() and text.isdigit() and ANY_LOCAL_PORT <= int(text) <= _HIGHEST_PORT:
        return int(text)
    stop(f"--dial takes a port number, not {text!r}")


def endpoint(reactor: IReactorCore, option: str, description: str) -> IStreamServerEndpoint:
    """The endpoint of a description, or one clear line."""
    try:
        made: IStreamServerEndpoint = serverFromString(reactor, description)
    except Exception as error:  # each kind of endpoint has its own way of complaining
        stop(f"--{option} {description!r} is no endpoint ({error!r}). Try tcp:4241")
    return made


def makeService(options: Options) -> IService:
    """The server, ready to be started."""
    reactor = steady_reactor()
    settings = Settings(
        standard=endpoint(reactor, "standard", options["standard"]),
        request=endpoint(reactor, "request", options["request"]),
        dial=options["dial"],
    )
    try:
        tls.check_openssl()
        state = open_state(options["state"], options["public"], time.time())
        registry = open_registry(state)
    except SecurecomError as error:
        stop(str(error))
    twistd: Mapping[str, Any] = options.parent or {}
    ending = Ending(reactor, not twistd.get("nodaemon", True), twistd.get("pidfile"))
    around = Surroundings(reactor, time.time, os.urandom, reactor_endpoint(reactor))
    opened = _Announcement(state, options)
    return Server(state, registry, settings, around, opened, ending.while_starting, ending.later)


class _Announcement:
    """What the operator reads when the server is open."""

    def __init__(self, state: State, options: Options) -> None:
        self._state, self._options = state, options

    def __call__(self, standard: int, request: int, users: int) -> None:
        self._state.remember_ports(standard, request)
        for line in self.lines(standard, request, users):
            _log.info("{line}", line=line)

    def lines(self, standard: int, request: int, users: int) -> list[str]:
        """Fingerprint, ports, users, and the command to type next."""
        hosts = ", ".join(self._options["public"]) or "this machine only (--public HOST opens it)"
        folder = self._state.path
        chosen = "" if folder == default_state_folder() else f" --state {folder}"
        return [
            f"server fingerprint {self._state.fingerprint}",
            f"standard channel on port {standard}, request channel on port {request}",
            f"for {hosts}",
            f"users: {users}",
            f"next: securecom-admin{chosen} invite NAME",
        ]
