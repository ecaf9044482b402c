"""A front-end in about 30 lines: it prints who asks and what they say, and answers to /yes.

It stands on `securecom.client.api` alone; docs/frontends.md explains it.
"""

from __future__ import annotations

from twisted.internet.defer import Deferred, fail, maybeDeferred

from securecom.client import events
from securecom.client.api import ClientApi, ClientState
from securecom.errors import NotNow, SecurecomError


class Small:
    """Give it to the client as its front-end, then its lines to `typed`."""

    api: ClientApi  # set when the client is made

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

    def typed(self, line: str) -> None:
        done = maybeDeferred(self.do, line)
        done.addErrback(lambda why: print(why.trap(SecurecomError) and why.value))

    def do(self, line: str) -> object:
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
