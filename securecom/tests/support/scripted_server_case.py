"""Alice, a whole client, at a server whose answers the test decides; the test plays the others."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred, succeed
from twisted.trial.unittest import SynchronousTestCase

from securecom import framing, vocabulary
from securecom.client.chat.agreement import Agreement, Role
from securecom.client.coordination.engagement import Decision, Facts
from securecom.identity import Identity, Name
from securecom.tests.support.chat_pair import STREAM, End
from securecom.tests.support.memory_client import MemoryClient
from securecom.tests.support.scripted_server import ScriptedServer, outcome

CHAT, OTHER_CHAT = b"c" * 16, b"d" * 16
ALICE, BOB, CAROL = Name("alice"), Name("bob"), Name("carol")


class ScriptedConsent:
    """Lets the person decide, or takes its time and decides as the test says.

    `is_stubborn`: told to stop, it says yes.
    """

    def __init__(self) -> None:
        self.is_slow = self.is_stubborn = False
        self.asked: list[Facts] = []
        self.cancelled = 0

    def decide(self, facts: Facts) -> Deferred[Decision]:
        if not self.is_slow:
            return succeed("ask")
        self.asked.append(facts)
        self.decision: Deferred[Decision] = Deferred(self._cancel)
        return self.decision

    def _cancel(self, decision: Deferred[Decision]) -> None:
        self.cancelled += 1
        if self.is_stubborn:
            decision.callback("accept")


class AliceTestCase(SynchronousTestCase):
    """Alice is online and available."""

    how = "listen"
    name = "alice"

    def setUp(self) -> None:
        self.server = ScriptedServer()
        self.network = self.server.network
        self.bob, self.carol = Identity.generate(), Identity.generate()
        self.consent = ScriptedConsent()
        self.person = MemoryClient(
            self.network,
            self.server.enrol(self.name),
            self.server.pin,
            how=self.how,
            consent=self.consent,
        ).start()
        self.alice, self.notes = self.person.main, self.person.notes
        self.end = self.server.people[Name(self.name)]
        self.notes.events.clear()

    def pump(self) -> None:
        self.network.pump()

    def told(self, deferred: Any) -> list[Any]:
        """What a call to the main role comes to, when everything has happened."""
        came = outcome(deferred)
        self.pump()
        return came

    def fails(self, came: list[Any], kind: type[BaseException]) -> Any:
        """The one outcome is this failure."""
        self.assertEqual([type(one) for one in came], [kind])
        return came[0]

    # --- towards the states of an engagement ------------------------------------------------

    def offer(self, chat: bytes = CHAT, caller: str = "bob", **more: Any) -> list[Any]:
        """Somebody asks Alice; the daemon role's answer."""
        key = self.carol if caller == "carol" else self.bob
        came = self.end.offer(chat, caller, more.pop("key", key.public_key), **more)
        self.pump()
        return came

    def withdraw(self, reason: str, chat: bytes = CHAT) -> None:
        self.end.withdraw(chat, reason)
        self.pump()

    def ask(self, name: Name = BOB) -> list[Any]:
        """Alice asks; what `request_chat` comes to."""
        return self.told(self.alice.request_chat(name))

    def grant(self, **more: Any) -> None:
        """The server makes Alice's request a chat."""
        facts = {"chat": CHAT, "stream": STREAM, "key": self.bob.public_key, **more}
        self.end.grant(**facts)
        self.pump()

    def deny(self, refusal: Exception) -> None:
        self.end.deny(refusal)
        self.pump()

    def open_stream(self, chat: bytes = CHAT) -> list[Any]:
        """The server opens the stream of an offer."""
        return self.told(self.end.ask(vocabulary.OpenStream, chat=chat, stream=STREAM))

    def peer(self, role: Role, **lies: Any) -> End:
        """Bob's end of the chat, joined to Alice's."""
        own = {"own": BOB, "own_key": self.bob.public_key}
        alice = {"peer": Name(self.name), "peer_key": self.person.identity.public_key}
        facts = {"server": self.server.pin, "chat": CHAT, "role": role, **own, **alice, **lies}
        bob = End(self.bob, Agreement(**facts), self.network.clock)
        bob.leg.send = self.end.standard.send  # type: ignore[method-assign]
        self.end.relay = lambda run: bob.stream.received(framing.chat_bytes(run))
        return bob

    def reach(self, state: str) -> list[Any]:
        """Bring Alice into a state; what the request or acceptance comes to."""
        came: list[Any] = []
        if state in ("asking", "crossing", "withdrawing"):
            came = self.ask()
        if state == "crossing":
            self.offer()
        if state == "withdrawing":
            self.told(self.alice.cancel())
        self.consent.is_slow = state == "deciding"
        if state in ("deciding", "considering", "accepted", "opening", "chatting"):
            self.offer()
        if state in ("accepted", "opening", "chatting"):
            came = self.told(self.alice.accept())
        if state in ("opening", "chatting"):
            self.open_stream()
        if state == "chatting":
            self.chatting = self.peer("caller")
            self.chatting.open()
            self.pump()
        return came


STATES = (
    "free",
    "asking",
    "crossing",
    "withdrawing",
    "deciding",
    "considering",
    "accepted",
    "opening",
    "chatting",
)
