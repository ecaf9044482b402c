"""A front-end in about 50 lines: it prints who asks and what they say, and answers to /yes.

It stands on `securecom.client.api` alone; docs/frontends.md explains it.
"""

from __future__ import annotations

from pathlib import Path

from twisted.internet.defer import Deferred, fail, maybeDeferred
from twisted.internet.protocol import connectionDone
from twisted.internet.stdio import StandardIO
from twisted.protocols.basic import LineOnlyReceiver
from twisted.python.failure import Failure

from securecom.client import events
from securecom.client.api import ClientApi, ClientState, Launch
from securecom.errors import NotNow, SecurecomError


class Small(LineOnlyReceiver):
    """`securecom --frontend small`, where an entry point gives it that name."""

    delimiter = b"\n"
    failure = None  # a person has seen what went wrong
    api: ClientApi | None = None

    def __init__(self, launch: Launch) -> None:
        self.launch, self.ended = launch, Deferred[None]()

    def start(self) -> Deferred[None]:
        StandardIO(self, reactor=self.launch.reactor)
        return self.ended

    def begin(self, api: ClientApi, folder: Path | None) -> None:
        self.api = api

    def stop(self) -> None:
        self.api = None

    def close(self) -> None:
        if self.transport is not None:
            self.transport.loseConnection()

    def connectionLost(self, reason: Failure = connectionDone) -> None:  # or the input has ended
        self.ended.callback(None)

    def show(self, event: events.Event) -> None:
        match event:
            case events.Online(name=name):
                print(f"online as {name}")
            case events.Asked(name=name, trust=trust, fingerprint=key):
                print(f"{name} wants to chat ({trust} key {key}): /yes or /no")
            case events.Message(name=name, text=text):
                print(f"{name}: {text!a}")  # nothing that a terminal obeys
            case events.AskedOver(name=name, reason=reason):
                print(f"{name}'s request: {reason}")
            case events.ChatOver(name=name):
                print(f"the chat with {name} is over")

    def ask_secret(self, question: str) -> Deferred[str]:
        return fail(NotNow("this front-end has no way to ask for a pass phrase"))

    def lineReceived(self, line: bytes) -> None:
        done = maybeDeferred(self.do, line.decode("utf-8", "replace"))
        done.addErrback(lambda why: print(why.trap(SecurecomError) and why.value))

    def do(self, line: str) -> object:
        if line == "/exit":
            self.launch.leave()
            return None
        if self.api is None:
            raise NotNow("that makes no sense now")
        match self.api.state, line:
            case ClientState.ASKED, "/yes":
                return self.api.accept()
            case ClientState.ASKED, "/no":
                return self.api.refuse()
            case ClientState.CHAT, "/stop":
                return self.api.stop()
            case ClientState.CHAT, text:
                return self.api.say(text)
        raise NotNow(f"that makes no sense now: {self.api.state.value}")
