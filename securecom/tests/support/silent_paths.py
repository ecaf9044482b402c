"""Every reason for which a caller hears nothing, each as a server that can be asked."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any, ClassVar

from twisted.internet.defer import Deferred

from securecom import limits, vocabulary
from securecom.identity import Identity, Name
from securecom.succession import new_key_arguments
from securecom.tests.support.memory_server import ManualClient, MemoryServer, chatting

BOB = Name("bob")


#: Requests by each path.
SAMPLES = 200


def servers(seed: str) -> tuple[MemoryServer, MemoryServer]:
    """Bob's server and Alice's, here one and the same; tests of several nodes patch this."""
    server = MemoryServer(random=random.Random(seed).randbytes)
    return server, server


class Empty:
    """A server at which Bob does not answer Alice, for one of the possible reasons."""

    listed = True
    #: What else Alice says in her request.
    more: ClassVar[dict[str, Any]] = {}

    def __init__(self, seed: str) -> None:
        #: Bob's server, or his node of it, and Alice's.
        self.server, self.home = servers(seed)
        server = self.server
        for one in (self.server, self.home):
            one.switchboard.restraints.by_pair._count = 2 * SAMPLES
        self.clock = server.network.clock
        self.prepare()
        self.alice = self.home.client("alice")

    def prepare(self) -> None:
        """Once. Bob lets his friends see when he is busy, and Alice is not one of them."""
        self.bob = self.server.client("bob")
        self.befriend(self.bob, "frank")

    def befriend(self, who: ManualClient, *names: str, **terms: Any) -> None:
        """These see when `who` is busy."""
        friends = [Name(name) for name in names]
        terms = {"available": True, "busy_to": friends, **terms}
        who.done(who.ask(vocabulary.SetAvailability, **terms))

    def before(self) -> None:
        """Before each request."""

    def meanwhile(self) -> None:
        """Right after each request."""

    def after(self) -> None:
        """When it is over: clients answer what was withdrawn."""
        for client in self.clients:
            while client.offers:
                client.answer("unavailable")

    @property
    def clients(self) -> list[ManualClient]:
        """Everybody but Alice."""
        return [client for client in vars(self).values() if isinstance(client, ManualClient)]

    def names(self) -> list[str]:
        """Whom Alice sees in the list."""
        answer = self.alice.ask(vocabulary.ListAvailable, after=b"", text=b"")
        return list(self.alice.done(answer)["names"])

    def until(self, happened: Callable[[], bool]) -> None:
        """From one thing that is due to the next, each at its very time."""
        while not happened():
            self.to(min(call.getTime() for call in self.clock.getDelayedCalls()))

    def to(self, time: float) -> None:
        self.clock.advance(max(0.0, time - self.clock.seconds()))
        self.server.network.pump()


class Silent(Empty):
    pass


class Unknown(Empty):
    listed = False

    def prepare(self) -> None:
        pass


class Offline(Empty):
    listed = False

    def prepare(self) -> None:
        self.server.enrolled("bob")


class Away(Empty):
    listed = False

    def prepare(self) -> None:
        super().prepare()
        self.bob.done(self.bob.ask(vocabulary.SetAvailability, available=False))


class Blocking(Empty):
    listed = False

    def prepare(self) -> None:
        super().prepare()
        self.bob.done(self.bob.ask(vocabulary.Block, name=Name("alice")))


class Excluding(Empty):
    listed = False

    def prepare(self) -> None:
        super().prepare()
        self.befriend(self.bob, "frank", audience=[Name("frank")])


class Forgotten(Empty):
    """He was here, and nobody may have his name yet."""

    listed = False

    def prepare(self) -> None:
        super().prepare()
        self.bob.done(self.bob.ask(vocabulary.ForgetMe, name=BOB))
        self.server.network.advance(limits.CLOSE_DEADLINE)


class WithoutRequestChannel(Empty):
    listed = False

    def prepare(self) -> None:
        super().prepare()
        self.bob.request_wire.cut()  # type: ignore[union-attr]
        self.server.network.pump()


class AskedTooOften(Empty):
    def prepare(self) -> None:
        super().prepare()
        self.server.switchboard.restraints.to_callee._count = 0


class AskedTooOftenByAlice(Empty):
    def prepare(self) -> None:
        super().prepare()
        self.server.switchboard.restraints.by_pair._count = 0


class WithCarol(Empty):
    def prepare(self) -> None:
        super().prepare()
        self.carol = self.server.client("carol")


class InAChat(WithCarol):
    def prepare(self) -> None:
        super().prepare()
        chatting(self.bob, self.carol, "carol")


class BeingAsked(WithCarol):
    def before(self) -> None:
        self.carol.ask(vocabulary.RequestChat, callee=BOB).addErrback(lambda _: None)


class Asking(WithCarol):
    def before(self) -> None:
        asked = self.bob.ask(vocabulary.RequestChat, callee=Name("carol"))
        asked.addErrback(lambda _: None)


class HavingANewKeyWritten(Empty):
    """For as long as the disk takes."""

    def prepare(self) -> None:
        super().prepare()
        self.writing: Deferred[Any] = Deferred()
        self.server.registry.succeed = lambda *_: self.writing  # type: ignore[method-assign]
        signed = new_key_arguments(self.server.pin, BOB, self.bob.identity, Identity.generate())
        self.bob.ask(vocabulary.NewKey, **signed).addErrback(lambda _: None)


class OfAFriendHavingANewKeyWritten(HavingANewKeyWritten):
    def prepare(self) -> None:
        super().prepare()
        self.befriend(self.bob, "alice")


class SaysBusy(Empty):
    word = "busy"

    def meanwhile(self) -> None:
        self.bob.answer(self.word)


class Dismisses(SaysBusy):
    word = "unavailable"


class DismissesLater(Dismisses):
    def meanwhile(self) -> None:
        self.to(self.clock.seconds() + 12)
        super().meanwhile()


class TalksNonsense(SaysBusy):
    """Which costs the request channel."""

    listed = False
    word = "perhaps"

    def before(self) -> None:
        self.bob.prove()


class BlocksMeanwhile(Empty):
    listed = False  # once Bob has

    def before(self) -> None:
        self.bob.done(self.bob.ask(vocabulary.Unblock, name=Name("alice")))

    def meanwhile(self) -> None:
        self.bob.done(self.bob.ask(vocabulary.Block, name=Name("alice")))


class AvailableNotForLong(Empty):
    """His time is up while he is asked, and that ends nothing."""

    def before(self) -> None:
        self.befriend(self.bob, "frank", seconds=7)


class GoesAwayMeanwhile(Empty):
    listed = False  # once Bob has

    def before(self) -> None:
        self.befriend(self.bob, "frank")

    def meanwhile(self) -> None:
        self.befriend(self.bob, "frank", available=False)


class AcceptsAndOpensTooLate(Empty):
    def meanwhile(self) -> None:
        ready: Deferred[Any] = Deferred()
        self.clock.callLater(limits.OPENING_DEADLINE + 1, ready.callback, {})
        self.bob.opens = lambda: ready
        self.bob.answer("accept")


class AcceptsAndCannot(Empty):
    def meanwhile(self) -> None:
        self.bob.opens = False
        self.bob.answer("accept")


class LosesTheRequestChannel(Empty):
    listed = False

    def before(self) -> None:
        self.bob.prove()

    def meanwhile(self) -> None:
        self.bob.request_wire.cut()  # type: ignore[union-attr]
        self.server.network.pump()


class OfAFriend(InAChat):
    """Whoever may see that Bob is busy learns it only if they may ask him."""

    listed = False

    def prepare(self) -> None:
        super().prepare()
        self.befriend(self.bob, "alice")
        self.estrange()

    def estrange(self) -> None:
        """And then something stands in the way."""
        self.bob.done(self.bob.ask(vocabulary.Block, name=Name("alice")))


class OfAFriendWhoIsExcluded(OfAFriend):
    def estrange(self) -> None:
        self.befriend(self.bob, "alice", audience=[Name("carol")])


class OfAFriendOfOneAway(OfAFriend):
    def estrange(self) -> None:
        self.befriend(self.bob, "alice", available=False)


class OfAFriendOfOneWithoutRequestChannel(OfAFriend):
    def estrange(self) -> None:
        self.bob.request_wire.cut()  # type: ignore[union-attr]
        self.server.network.pump()


class OfAFriendTooOften(OfAFriend):
    listed = True

    def estrange(self) -> None:
        self.server.switchboard.restraints.to_callee._count = 0


class OfAFriendWhileBeingAsked(BeingAsked):
    """Or Carol could learn from Alice whether Bob has been asked at all."""

    def prepare(self) -> None:
        super().prepare()
        self.befriend(self.bob, "alice")


class OfAFriendDismissed(Dismisses):
    def prepare(self) -> None:
        super().prepare()
        self.befriend(self.bob, "alice")


class OfAFriendToWhomBusyIsSaidTooLate(SaysBusy):
    listed = False  # once Bob has gone away

    def before(self) -> None:
        self.befriend(self.bob, "alice")

    def meanwhile(self) -> None:
        self.befriend(self.bob, "alice", available=False)
        super().meanwhile()


class OfAFriendLeftOutTooLate(OfAFriendToWhomBusyIsSaidTooLate):
    def meanwhile(self) -> None:
        self.befriend(self.bob, "alice", audience=[Name("carol")])
        self.bob.answer(self.word)


PATHS = (
    Silent,
    Unknown,
    Offline,
    Away,
    Blocking,
    Excluding,
    Forgotten,
    WithoutRequestChannel,
    AskedTooOften,
    AskedTooOftenByAlice,
    InAChat,
    BeingAsked,
    Asking,
    HavingANewKeyWritten,
    SaysBusy,
    Dismisses,
    DismissesLater,
    TalksNonsense,
    BlocksMeanwhile,
    AvailableNotForLong,
    GoesAwayMeanwhile,
    AcceptsAndCannot,
    AcceptsAndOpensTooLate,
    LosesTheRequestChannel,
    OfAFriend,
    OfAFriendWhoIsExcluded,
    OfAFriendOfOneAway,
    OfAFriendOfOneWithoutRequestChannel,
    OfAFriendTooOften,
    OfAFriendWhileBeingAsked,
    OfAFriendHavingANewKeyWritten,
    OfAFriendDismissed,
    OfAFriendToWhomBusyIsSaidTooLate,
    OfAFriendLeftOutTooLate,
)
