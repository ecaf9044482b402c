"""The switchboard of one node among others.

Each node has a `LocalSwitchboard` for its own people and decides alone what happens to them. So
nothing is locked across nodes: a request whose callee is elsewhere is passed to their node, has its
machine there, and is answered from there. Of two people who ask each other from two nodes, the
request of the one with the smaller name is joined.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Generator
from functools import partial
from itertools import islice
from typing import Any, cast

from twisted.internet.defer import Deferred, fail, inlineCallbacks
from twisted.internet.interfaces import IReactorTime
from twisted.python.failure import Failure

from securecom import limits, refusals
from securecom.errors import DirectoryAway, NodeGone
from securecom.identity import Name, PublicKey
from securecom.server.chat_request import ChatRequest, OpenedElsewhere
from securecom.server.cluster.carrier import Carrier
from securecom.server.cluster.directory import Directory, Place
from securecom.server.cluster.links import Links
from securecom.server.cluster.node_vocabulary import ListThere, PassRequest, TakeBackRequest
from securecom.server.cluster.remote_people import RemotePerson
from securecom.server.gathered import gathered
from securecom.server.local_switchboard import Chat, LocalSwitchboard
from securecom.server.session import Aside, search_text
from securecom.server.switchboard import Opened, Page, Party, Withdrawn
from securecom.vocabulary import Fact


class ClusterSwitchboard(LocalSwitchboard):
    """A `Switchboard` for the people of one node, who can ask those of the others.

    :param own: this node's ident.
    :param pause: draws the seconds after which something is done for somebody elsewhere.
    """

    has_others = True

    def __init__(
        self,
        clock: IReactorTime,
        random: Callable[[int], bytes],
        own: bytes,
        directory: Directory,
        links: Links,
        pause: Callable[[], float],
    ) -> None:
        super().__init__(clock, random)
        self._own, self._directory = own, directory
        self._links, self._pause = links, pause
        #: Requests to people here of callers elsewhere, by the names that their nodes gave them.
        self._passed_here: dict[tuple[bytes, bytes], ChatRequest] = {}
        #: Requests of people here that are with another node: which, and the name they have there.
        self._passed_on: dict[ChatRequest, tuple[bytes, bytes]] = {}
        #: Chats with somebody elsewhere, by their node and the name of the request.
        self._across: dict[tuple[bytes, bytes], tuple[RemotePerson, Chat]] = {}
        #: The other nodes that live.
        self.others: list[bytes] = []
        #: People whose restraints may have changed.
        self.touched: set[Name] = set()

    # --- requests to people elsewhere -------------------------------------------------------

    @inlineCallbacks
    def ask_elsewhere(
        self, request: ChatRequest, lasts: float
    ) -> Generator[Deferred[Any], Any, OpenedElsewhere]:
        """Find the callee's node, and pass the request to it."""
        insists = self.restraints.insists(request.caller.name, request.wanted)
        place: Place | None = yield self._directory.where(request.wanted)
        if place is None or insists or not request.is_elsewhere:
            raise refusals.NoAnswer()
        ident, caller = request.chat, request.caller
        self._passed_on[request] = place.node, ident
        try:
            box = yield self._links.call(
                place.node,
                PassRequest,
                request=ident,
                caller=caller.name,
                key=caller.key,
                succession=caller.succession or None,
                callee=request.wanted,
                milliseconds=max(0, int(1000 * lasts)),
                chat_seconds=request.chat_seconds,
            )
        except NodeGone:  # it may be there all the same, and its callee may be asked
            self._links.tell(place.node, TakeBackRequest, request=ident, reason="gone")
            raise
        finally:
            self._passed_on.pop(request, None)
        opened = Opened(**{**box, "succession": box["succession"] or b""})
        who = (request.wanted, opened.key, opened.succession)
        return OpenedElsewhere(self.person(place.node, ident, *who), opened)

    def withdraw_elsewhere(self, request: ChatRequest, reason: Withdrawn) -> None:
        if request in self._passed_on:
            node, ident = self._passed_on[request]
            self._links.tell(node, TakeBackRequest, request=ident, reason=reason)

    def end_elsewhere(self, there: OpenedElsewhere) -> None:
        person = cast(RemotePerson, there.callee)
        facts = {"request": person.request, "reason": "gone"}
        self._links.tell(person.node, TakeBackRequest, **facts)

    # --- requests from elsewhere ------------------------------------------------------------

    def take(
        self,
        node: bytes,
        ident: bytes,
        caller: RemotePerson,
        callee: Name,
        lasts: float,
        chat_seconds: int | None,
    ) -> Deferred[Opened]:
        """Somebody elsewhere asks somebody here; their drawn moment has come.

        Fails as `request` does, at the same times.
        """
        mine = self._engaged.get(callee)
        is_mutual = (
            isinstance(mine, ChatRequest)
            and mine.caller.name == callee
            and mine.wanted == caller.name
        )
        if callee not in self._parties or (is_mutual and callee < caller.name):
            return fail(refusals.NoAnswer())  # if mutual: this node's request is joined, there
        self.touched.add(callee)
        request = ChatRequest(self, self._clock, caller, callee, lasts, chat_seconds)
        self._standing[caller.name, callee] = request
        self._passed_here[node, ident] = request
        if is_mutual:
            cast(ChatRequest, mine).machine.give_way(request)
            if not request.is_crossed:  # it had become a chat, or was over
                request.machine.hush()
        else:
            self._look_here(request)
        return request.answer.addBoth(self._answered, node, ident)

    def _answered(self, result: Any, node: bytes, ident: bytes) -> Any:
        self._passed_here.pop((node, ident), None)
        return result

    def take_back(self, node: bytes, ident: bytes, reason: Withdrawn) -> None:
        """The caller's node no longer wants the request, or the chat that came of it."""
        request = self._passed_here.get((node, ident))
        if request is not None:
            request.machine.cancel() if reason == "cancelled" else request.machine.abandon()
            return
        if (node, ident) in self._across:
            person, chat = self._across[node, ident]
            self._end(chat, person)

    def person(
        self, node: bytes, ident: bytes, name: Name, key: PublicKey, succession: bytes
    ) -> RemotePerson:
        """Somebody on another node, whose request has this name there or here."""
        carry: Callable[..., Carrier] = partial(self._links.carrier, node, ident)
        aside = Aside(self._clock, self._pause)
        return RemotePerson(node, ident, name, key, succession, carry, self._ended_there, aside)

    # --- chats ------------------------------------------------------------------------------

    def _engage(self, party: Party, chat: Chat) -> None:
        if isinstance(party, RemotePerson):
            self._across[party.node, party.request] = party, chat
        else:
            self.touched.add(party.name)
            super()._engage(party, chat)

    def _ended_there(self, person: RemotePerson) -> None:
        found = self._across.get((person.node, person.request))
        if found is not None and found[0] is person:
            self._end(found[1], person)

    def _end(self, chat: Chat, by: Party | None) -> None:
        for person in (chat.caller, chat.callee):
            if isinstance(person, RemotePerson):
                self._across.pop((person.node, person.request), None)
        super()._end(chat, by)

    def node_lost(self, node: bytes) -> None:
        """Nobody on this node can be reached: end what they have with people here."""
        for (where, _), request in list(self._passed_here.items()):
            if where == node:
                request.machine.abandon()
        for person, chat in list(self._across.values()):
            if person.node == node:
                self._end(chat, person)

    # --- restraints -------------------------------------------------------------------------

    def request(
        self, caller: Party, callee: Name, chat_seconds: int | None = None
    ) -> Deferred[Opened]:
        self.touched.add(caller.name)
        return super().request(caller, callee, chat_seconds)

    def held(self, party: Party) -> Deferred[list[Fact]]:
        node = Fact("session", "node of the server", self._own.hex())
        return super().held(party).addCallback(lambda facts: [node, *facts])

    def forget(self, names: frozenset[Name]) -> Deferred[None]:
        forgotten = self._directory.forget(names).addErrback(_is_forgotten_in_time)
        return super().forget(names).addCallback(lambda _: forgotten)

    def refused(self, request: ChatRequest) -> int:
        self.touched.update((request.caller.name, request.wanted))
        return super().refused(request)

    # --- the list ---------------------------------------------------------------------------

    def page_there(self, asker: Name, after: bytes, text: bytes) -> Page:
        """Those of the people here whom somebody elsewhere can ask."""
        return self.page(asker, search_text(after), search_text(text))

    def available(self, asker: Party, after: str, text: str) -> Deferred[Page]:
        """A page of the people of all nodes that answer in time."""
        self.touched.add(asker.name)
        if refusal := self.restraints.against_list(asker.name):
            return fail(refusal)
        here = self.page(asker.name, after, text)
        facts = {"asker": asker.name, "after": after.encode(), "text": text.encode()}
        asked = [
            self._links.call(node, ListThere, **facts)
            .addTimeout(limits.LINK_DEADLINE, self._clock)
            .addCallbacks(_page, lambda _: _NOBODY)
            for node in self.others
            if self._links.is_linked(node)
        ]
        return gathered(asked).addCallback(lambda pages: _merged([here, *pages]))


def _is_forgotten_in_time(failure: Failure) -> None:
    """The directory cannot be reached: it forgets by itself when nothing can count any more."""
    failure.trap(DirectoryAway)


_NOBODY = Page([], [], more=False)


def _page(box: dict[str, Any]) -> Page:
    return Page(box["names"], box["busy"], box["more"])


def _merged(pages: list[Page]) -> Page:
    """One page of several, each in order; what does not fit comes with the next page."""
    found = heapq.merge(*(page.names for page in pages))
    names = list(islice(found, limits.USERS_PAGE))
    is_cut = next(found, None) is not None
    # Beyond the last name of a page that goes on, its node may have names that are not here.
    ends = [page.names[-1] for page in pages if page.more and page.names]
    last = min(ends, default=None)
    if last is not None:
        names = [name for name in names if name <= last]
    busy = {name for page in pages for name in page.busy}
    more = is_cut or any(page.more for page in pages)
    return Page(names, [name for name in names if name in busy], more)
