"""Whole clients on a network in memory, each with a front-end that records what it is shown."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.interfaces import IStreamClientEndpoint

from securecom.client.channels.request_ways import ServerDials, ServerListens, Way
from securecom.client.contacts import Contacts
from securecom.client.events import Event, StateChanged
from securecom.client.service import Client
from securecom.errors import NotNow
from securecom.identity import Identity, Name
from securecom.tests.support.network import Network
from securecom.tests.support.scripted_server import STANDARD, outcome

E = TypeVar("E", bound=Event)


class RecordingFrontend:
    """The front-end."""

    def __init__(self) -> None:
        #: All but what `states` holds: that comes with whatever changes the state.
        self.events: list[Event] = []
        self.states: list[StateChanged] = []
        self.secrets: list[str] = []
        self.questions: list[str] = []
        self.on_event: Callable[[Event], object] = lambda event: None

    def show(self, event: Event) -> None:
        if isinstance(event, StateChanged):
            self.states.append(event)
        else:
            self.events.append(event)
        self.on_event(event)

    def ask_secret(self, question: str) -> Deferred[str]:
        """Answered by what stands in `secrets`, in order."""
        self.questions.append(question)
        if not self.secrets:
            return fail(NotNow("nobody says it"))
        return succeed(self.secrets.pop(0))

    def of(self, kind: type[E]) -> list[E]:
        """The events of one class, in order."""
        return [event for event in self.events if isinstance(event, kind)]

    def last(self, kind: type[E]) -> E:
        return self.of(kind)[-1]


class MemoryClient:
    """A client, started or not."""

    def __init__(
        self,
        network: Network,
        identity: Identity,
        server: bytes,
        *,
        name: Name | None = None,
        how: str = "listen",
        endpoint: IStreamClientEndpoint | None = None,
        **settings: Any,
    ) -> None:
        self.network, self.identity = network, identity
        self.notes = RecordingFrontend()
        self.contacts = Contacts(None, server, network.clock.seconds)
        self.client = Client(
            name=name,
            identity=identity,
            server=server,
            contacts=self.contacts,
            frontend=self.notes,
            host="chat.example.org",
            port=STANDARD,
            endpoint=endpoint or network.client_endpoint(STANDARD),
            way=way_of(how, network),
            clock=network.clock,
            random=lambda: 0.0,
            unix_time=network.clock.seconds,
            **{"available": True, **settings},
        )
        self.main = self.client.main
        self.done = outcome(self.client.done)

    def start(self) -> MemoryClient:
        self.client.start()
        self.network.pump()
        return self


def way_of(how: str, network: Network) -> Way:
    """One of the two ways of a request channel, in memory."""
    if how == "dial":
        return ServerDials(network.server_endpoint)
    return ServerListens(network.client_endpoint)
