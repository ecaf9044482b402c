"""The switchboard of one server, in memory.

One dictionary says who is engaged, in a request or a chat. Both people of either enter and leave it
together, so that nobody is ever in two things at once.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import Any

from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.interfaces import IReactorTime
from twisted.python.failure import Failure

from securecom import limits, refusals
from securecom.control import our_fault
from securecom.identity import Name
from securecom.server import remembered
from securecom.server.chat_request import ChatRequest, OpenedElsewhere
from securecom.server.relay import Relay
from securecom.server.restraints import Leases, Restraints
from securecom.server.switchboard import Lease, Opened, Page, Party, Withdrawn
from securecom.vocabulary import Fact

_CHAT_BYTES = 16
_STREAM_BYTES = 4
_SHARE_BYTES = 4
_SHARES = 1 << (8 * _SHARE_BYTES)


@dataclass(eq=False)
class Chat:
    """A chat of two people who both agreed to it."""

    caller: Party
    callee: Party
    relay: Relay


class OnHold:
    """Keeps somebody whose key is being changed out of requests and chats."""


class LocalSwitchboard:
    """A `Switchboard` (which documents its methods) for one process.

    :param random: gives this many random bytes, for chat ids and stream numbers.
    """

    #: Whether there are other nodes on which people may be.
    has_others = False

    def __init__(self, clock: IReactorTime, random: Callable[[int], bytes]) -> None:
        self._clock, self._random = clock, random
        self._parties: dict[Name, Party] = {}
        self._leases = Leases(clock)
        self._engaged: dict[Name, ChatRequest | Chat | OnHold] = {}
        #: Requests that are not over, by caller and callee.
        self._standing: dict[tuple[Name, Name], ChatRequest] = {}
        #: Callee -> the request that was put to their client besides the one they are engaged in.
        self._behind: dict[Name, ChatRequest] = {}
        self.restraints = Restraints(clock)

    # --- presence ---------------------------------------------------------------------------

    def arrive(self, party: Party) -> Deferred[None]:
        self._parties[party.name] = party
        return succeed(None)

    def leave(self, party: Party) -> Deferred[None]:
        if self._parties.get(party.name) is not party:
            return succeed(None)
        self._leases.end(party.name)
        del self._parties[party.name]
        if behind := self._behind.get(party.name):
            behind.machine.excuse()
        engagement = self._engaged.get(party.name)
        if isinstance(engagement, Chat):
            self._end(engagement, party)
        elif isinstance(engagement, ChatRequest) and engagement.caller is party:
            engagement.machine.abandon()
        elif isinstance(engagement, ChatRequest):
            engagement.machine.excuse()
        return succeed(None)

    def set_available(self, party: Party, lease: Lease | None) -> Deferred[None]:
        if self._parties.get(party.name) is not party:
            return succeed(None)
        if lease is None:
            self._leases.end(party.name)
        else:
            self._leases.begin(party.name, lease)
        return succeed(None)

    def available(self, asker: Party, after: str, text: str) -> Deferred[Page]:
        if refusal := self.restraints.against_list(asker.name):
            return fail(refusal)
        return succeed(self.page(asker.name, after, text))

    def page(self, asker: Name, after: str, text: str) -> Page:
        """Those of the people here whom the asker can ask, however often they have looked."""
        found = (
            name
            for name in self._leases.after(after)
            if text in name and self._is_open_to(asker, name)
        )
        names = list(islice(found, limits.USERS_PAGE))
        busy = [name for name in names if self._shows_busy(name, asker)]
        return Page(names, busy, more=next(found, None) is not None)

    def _is_open_to(self, asker: Name, name: Name) -> bool:
        """Whether the asker can ask this person, who may be busy."""
        if name == asker or not self._leases.admits(name, asker):
            return False
        party = self._parties[name]
        return party.reachable and party.admits(asker)

    def _shows_busy(self, name: Name, asker: Name) -> bool:
        """Whether the asker can ask this person and sees, by their choice, that they are busy.

        Busy is who chats or asks somebody, and not who is being asked. Otherwise a caller could
        learn from a third person whether their request reached anybody.
        """
        if not self._leases.shows_busy(name, asker) or not self._is_open_to(asker, name):
            return False
        engagement = self._engaged.get(name)
        is_asking = isinstance(engagement, ChatRequest) and engagement.caller.name == name
        return is_asking or isinstance(engagement, Chat)

    # --- what is remembered -----------------------------------------------------------------

    def held(self, party: Party) -> Deferred[list[Fact]]:
        name = party.name
        facts = remembered.availability(self._leases.of(name))
        facts += self._engagement(name)
        return succeed(facts + self.restraints.held(name))

    def _engagement(self, name: Name) -> list[Fact]:
        """The request or chat of this person; a caller does not learn what became of theirs."""
        engagement = self._engaged.get(name)
        if isinstance(engagement, Chat):
            names = (engagement.caller.name, engagement.callee.name)
            return remembered.chat(name, names, engagement.relay.stream)
        facts = []
        for one in (engagement, self._behind.get(name)):
            if isinstance(one, ChatRequest):
                facts += remembered.request(name, one.caller.name, one.wanted, one.chat_seconds)
        return facts

    def forget(self, names: frozenset[Name]) -> Deferred[None]:
        self.restraints.forget(names)
        return succeed(None)

    def drop_old(self) -> None:
        self.restraints.drop_old()

    # --- requests ---------------------------------------------------------------------------

    def request(
        self, caller: Party, callee: Name, chat_seconds: int | None = None
    ) -> Deferred[Opened]:
        if self._parties.get(caller.name) is not caller:
            return fail(refusals.NoAnswer())
        if theirs := self._crossing(caller, callee):
            return self._join_crossing(theirs, caller, chat_seconds)
        if caller.name in self._engaged:
            return fail(refusals.Occupied())
        if refusal := self.restraints.against_request(caller.name, callee):
            return fail(refusal)
        request = ChatRequest(self, self._clock, caller, callee, self._drawn_time(), chat_seconds)
        self._engaged[caller.name] = request
        self._standing[caller.name, callee] = request
        caller.later(partial(self._look, request))
        return request.answer

    def cancel(self, caller: Party) -> Deferred[None]:
        engagement = self._engaged.get(caller.name)
        if not isinstance(engagement, ChatRequest) or engagement.caller is not caller:
            return fail(refusals.NothingToEnd())
        engagement.machine.cancel()
        return succeed(None)

    def silence(self, party: Party, caller: Name) -> Deferred[None]:
        request = self._standing.get((caller, party.name))
        if request is not None:
            request.machine.dismiss()
        return succeed(None)

    def _drawn_time(self) -> float:
        """How long a request lasts, whatever becomes of it: drawn once, evenly spread."""
        share = int.from_bytes(self._random(_SHARE_BYTES), "big") / _SHARES
        return limits.REQUEST_STANDS + share * (limits.REQUEST_EXPIRES - limits.REQUEST_STANDS)

    def _look(self, request: ChatRequest) -> None:
        """Look for the callee, which is the first thing that depends on who they are.

        This never happens in the reactor turn of the request: a ping sent along could measure it.
        """
        if self._standing.get((request.caller.name, request.wanted)) is not request:
            return
        if self.has_others and request.wanted not in self._parties:
            request.machine.look_elsewhere()
            return
        self._look_here(request)

    def _look_here(self, request: ChatRequest) -> None:
        callee = self._whom_to_tell(request)
        if callee is None:
            request.machine.hush()
        elif self._is_put_before(callee, request):
            request.callee = callee
            request.machine.ask()
        else:
            callee.missed(request.caller.name)
            if self._may_see_busy(request):
                request.machine.tell_busy()
            else:
                request.machine.hush()

    def _whom_to_tell(self, request: ChatRequest) -> Party | None:
        """The callee, if they are online and may hear of the request, now or as a missed one."""
        caller, name = request.caller, request.wanted
        party = self._parties.get(name)
        if party is None or party is caller or not party.admits(caller.name):
            return None
        if self._leases.excludes(name, caller.name):
            return None
        return None if self.restraints.insists(caller.name, name) else party

    def _is_put_before(self, callee: Party, request: ChatRequest) -> bool:
        """Reserve the callee, or put this request to their client besides the open one.

        Their client chooses, since it knows whom the callee has met, and the server does not.
        """
        name = callee.name
        if not self._is_open_to(request.caller.name, name):
            return False
        present = self._engaged.get(name)
        if present is None:
            places: dict[Name, Any] = self._engaged
        elif isinstance(present, ChatRequest) and present.is_offered and present.wanted == name:
            places = self._behind
        else:
            return False
        if name in places or not self.restraints.reach(name):
            return False
        places[name] = request
        return True

    def _may_see_busy(self, request: ChatRequest) -> bool:
        """Whether the caller sees that the callee is busy; not once they were asked too often."""
        name = request.wanted
        return self._shows_busy(name, request.caller.name) and not self.restraints.is_full(name)

    def _crossing(self, asker: Party, asked: Name) -> ChatRequest | None:
        """The open request of `asked` to the asker, if the asker is in nothing else."""
        theirs = self._standing.get((asked, asker.name))
        if asked == asker.name or self._engaged.get(asker.name) not in (None, theirs):
            return None  # a request to oneself crosses nothing
        return theirs

    @staticmethod
    def _join_crossing(
        request: ChatRequest, asker: Party, chat_seconds: int | None
    ) -> Deferred[Opened]:
        request.machine.cross(asker, chat_seconds)
        if request.is_crossed:
            return request.crossing
        return fail(refusals.Occupied())  # accepted a moment ago: the chat is on its way

    # --- chat_request.Board -----------------------------------------------------------------

    def new_chat(self) -> tuple[bytes, int]:
        """Random numbers, which do not show how many chats there have been."""
        return self._random(_CHAT_BYTES), self._new_stream()

    def _new_stream(self) -> int:
        return int.from_bytes(self._random(_STREAM_BYTES), "big") or 1  # 0 is none

    def refused(self, request: ChatRequest) -> int:
        """Note the refusal, and say how long the caller has to wait."""
        return self.restraints.cooldowns.refused(request.caller.name, request.wanted)

    def shows_busy(self, request: ChatRequest) -> bool:
        """Whether the callee lets the caller see that they are busy."""
        return self._leases.shows_busy(request.wanted, request.caller.name)

    def reserves(self, request: ChatRequest) -> bool:
        """Whether the callee is engaged in this request, and not only asked alongside another."""
        return self._engaged.get(request.wanted) is request

    def unasked(self, request: ChatRequest) -> None:
        """Do not count this request against the next caller."""
        self.restraints.unreach(request.wanted)

    def released(self, request: ChatRequest, name: Name) -> None:
        """Free this person for others; a request that was put besides this one takes its place."""
        pair = (name, request.wanted)
        if name == request.caller.name and self._standing.get(pair) is request:
            del self._standing[pair]
        if self._behind.get(name) is request:
            del self._behind[name]
        elif self._engaged.get(name) is request:
            del self._engaged[name]
            if behind := self._behind.pop(name, None):
                self._engaged[name] = behind

    def hold(self, party: Party) -> Deferred[None]:
        if party.name in self._engaged:
            return fail(refusals.Occupied())
        self._engaged[party.name] = OnHold()
        return succeed(None)

    def release(self, party: Party) -> None:
        if isinstance(self._engaged.get(party.name), OnHold):
            del self._engaged[party.name]

    # --- chats ------------------------------------------------------------------------------

    def end(self, party: Party, stream: int) -> Deferred[None]:
        engagement = self._engaged.get(party.name)
        if not isinstance(engagement, Chat) or engagement.relay.stream != stream:
            return fail(refusals.NothingToEnd())
        self._end(engagement, party)
        return succeed(None)

    def ask_elsewhere(self, request: ChatRequest, lasts: float) -> Deferred[OpenedElsewhere]:
        """Nobody is elsewhere."""
        return fail(refusals.NoAnswer())

    def withdraw_elsewhere(self, request: ChatRequest, reason: Withdrawn) -> None:
        """Nothing is elsewhere."""

    def end_elsewhere(self, there: OpenedElsewhere) -> None:
        """Nothing is elsewhere."""

    def established(self, request: ChatRequest) -> None:
        """Join the two legs, and then tell both people."""
        caller, callee = request.caller, request.asked
        relay = Relay(request.stream, caller.leg, callee.leg)
        chat = Chat(caller, callee, relay)
        self.restraints.lift(caller.name, callee.name)
        for party in (chat.caller, chat.callee):
            self._engage(party, chat)
            party.open_stream(relay)
        request.tell_opened()

    def _engage(self, party: Party, chat: Chat) -> None:
        self._engaged[party.name] = chat

    def broken(self, request: ChatRequest) -> None:
        """Free both people of a request whose transition raised, and end what it made of them."""
        for name in (request.caller.name, request.wanted):
            self.released(request, name)
            engagement = self._engaged.get(name)
            if isinstance(engagement, Chat) and engagement.relay.stream == request.stream:
                self._end(engagement, None)

    def _end(self, chat: Chat, by: Party | None) -> None:
        """End a chat; both are free even if one of them cannot be told.

        :param by: the person who ended it, and so need not be told.
        """
        for party in (chat.caller, chat.callee):
            if self._engaged.get(party.name) is chat:
                del self._engaged[party.name]
        chat.relay.end()
        for party in (chat.caller, chat.callee):
            try:
                party.close_stream(chat.relay.stream, tell=party is not by)
            except Exception:
                our_fault(Failure())
