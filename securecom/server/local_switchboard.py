"""The switchboard in memory: one server, everybody on it.

One dictionary says who is engaged, in a request or a chat; both parties enter it and leave it
together, so that a reservation is atomic and nobody is in two things at once.
"""

from __future__ import annotations

from bisect import bisect_right, insort
from collections.abc import Callable
from dataclasses import dataclass

from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.interfaces import IReactorTime

from securecom import commands, limits
from securecom.identity import Name
from securecom.server.chat_request import Request
from securecom.server.rates import Rate
from securecom.server.relay import Relay
from securecom.server.switchboard import Opened, Party, Role

_CHAT_BYTES = 16
_STREAM_BYTES = 4


@dataclass(eq=False)
class Chat:
    """Two people who both agreed."""

    caller: Party
    callee: Party
    relay: Relay


class LocalSwitchboard:
    """See `securecom.server.switchboard.Switchboard`.

    :param random: so many random bytes, for chat ids and stream numbers.
    """

    def __init__(self, clock: IReactorTime, random: Callable[[int], bytes]) -> None:
        self._clock, self._random = clock, random
        self._parties: dict[Name, Party] = {}
        self._available: list[Name] = []
        self._engaged: dict[Name, Request | Chat] = {}
        window = limits.REQUEST_WINDOW
        self._by_caller = Rate(limits.REQUESTS_BY_CALLER, window, clock.seconds)
        self._lists = Rate(limits.LISTS_BY_ASKER, window, clock.seconds)
        self._by_pair = Rate(limits.REQUESTS_BY_PAIR, limits.PAIR_WINDOW, clock.seconds)
        self._to_callee = Rate(limits.REQUESTS_TO_CALLEE, window, clock.seconds)

    # --- presence ---------------------------------------------------------------------------

    def arrive(self, party: Party) -> Deferred[None]:
        """See the interface."""
        self._parties[party.name] = party
        return succeed(None)

    def leave(self, party: Party) -> Deferred[None]:
        """See the interface."""
        if self._parties.get(party.name) is not party:
            return succeed(None)
        self._set_available(party.name, False)
        del self._parties[party.name]
        engagement = self._engaged.get(party.name)
        if isinstance(engagement, Chat):
            self._end(engagement, party)
        elif engagement is not None and engagement.caller is party:
            engagement.machine.abandon()
        elif engagement is not None:
            engagement.machine.excuse()
        return succeed(None)

    def set_available(self, party: Party, available: bool) -> Deferred[None]:
        """See the interface."""
        if self._parties.get(party.name) is party:
            self._set_available(party.name, available)
        return succeed(None)

    def available(self, asker: Party, after: str, text: str) -> Deferred[tuple[list[Name], bool]]:
        """See the interface."""
        if not self._lists.allow(asker.name):
            return fail(commands.TooManyRequests())
        page: list[Name] = []
        names = self._available
        for at in range(bisect_right(names, after), len(names)):
            if text in (name := names[at]) and name != asker.name and self._is_free(name):
                if len(page) == limits.USERS_PAGE:
                    return succeed((page, True))
                page.append(name)
        return succeed((page, False))

    def _set_available(self, name: Name, available: bool) -> None:
        at = bisect_right(self._available, name)
        is_in = at > 0 and self._available[at - 1] == name
        if available and not is_in:
            insort(self._available, name)
        elif is_in and not available:
            del self._available[at - 1]

    def _may_be_asked(self, name: Name) -> bool:
        at = bisect_right(self._available, name)
        return at > 0 and self._available[at - 1] == name and self._is_free(name)

    def _is_free(self, name: Name) -> bool:
        """Of somebody who is available: nobody has them, and a request would reach them."""
        return name not in self._engaged and self._parties[name].reachable

    # --- requests ---------------------------------------------------------------------------

    def request(self, caller: Party, callee: Name) -> Deferred[Opened]:
        """See the interface."""
        if self._parties.get(caller.name) is not caller:
            return fail(commands.NoAnswer())
        engagement = self._engaged.get(caller.name)
        if isinstance(engagement, Request) and self._crosses(engagement, caller, callee):
            return self._join_crossing(engagement)
        if engagement is not None:
            return fail(commands.Occupied())
        if not self._by_caller.allow(caller.name):
            return fail(commands.TooManyRequests())
        if callee == caller.name or not self._may_be_asked(callee):
            return fail(commands.NoAnswer())
        pair = (caller.name, callee)  # the callee is spared, the caller learns nothing
        if not self._by_pair.allow(pair) or not self._to_callee.allow(callee):
            return fail(commands.NoAnswer())
        return self._ask(caller, self._parties[callee])

    def cancel(self, caller: Party) -> Deferred[None]:
        """See the interface."""
        engagement = self._engaged.get(caller.name)
        if not isinstance(engagement, Request) or engagement.caller is not caller:
            return fail(commands.NothingToEnd())
        engagement.machine.cancel()
        return succeed(None)

    def _ask(self, caller: Party, callee: Party) -> Deferred[Opened]:
        request = Request(
            self._random(_CHAT_BYTES),
            self._new_stream(),
            caller,
            callee,
            self._clock,
            self._establish,
            self._release,
        )
        self._engaged[caller.name] = self._engaged[callee.name] = request
        request.machine.ask()
        return request.answer

    @staticmethod
    def _crosses(request: Request, asker: Party, asked: Name) -> bool:
        return request.callee is asker and request.caller.name == asked

    @staticmethod
    def _join_crossing(request: Request) -> Deferred[Opened]:
        if request.machine.cross():
            return request.crossing
        return fail(commands.Occupied())  # accepted a moment ago: the chat is on its way

    def _release(self, request: Request) -> None:
        for party in (request.caller, request.callee):
            self._engaged.pop(party.name, None)

    def _new_stream(self) -> int:
        """A number that tells nobody how many chats there were; 0 is none."""
        return int.from_bytes(self._random(_STREAM_BYTES), "big") or 1

    # --- chats ------------------------------------------------------------------------------

    def end(self, party: Party, stream: int) -> Deferred[None]:
        """See the interface."""
        engagement = self._engaged.get(party.name)
        if not isinstance(engagement, Chat) or engagement.relay.stream != stream:
            return fail(commands.NothingToEnd())
        self._end(engagement, party)
        return succeed(None)

    def _establish(self, request: Request) -> None:
        """Both legs are joined, and told: the callee first, so that they hear the caller."""
        self._by_pair.forget((request.caller.name, request.callee.name))
        relay = Relay(request.stream, request.caller.leg, request.callee.leg)
        chat = Chat(request.caller, request.callee, relay)
        for party in (chat.caller, chat.callee):
            self._engaged[party.name] = chat
            party.open_stream(relay)
        if not request.is_crossed:
            request.answer.callback(_opened(request, request.callee, "caller"))
            return
        asker_calls = request.caller.name < request.callee.name
        answers = [
            (request.answer, _opened(request, request.callee, _role(asker_calls))),
            (request.crossing, _opened(request, request.caller, _role(not asker_calls))),
        ]
        for answer, opened in sorted(answers, key=lambda pair: pair[1].role):
            answer.callback(opened)

    def _end(self, chat: Chat, by: Party) -> None:
        chat.relay.end()
        for party in (chat.caller, chat.callee):
            self._engaged.pop(party.name, None)
            party.close_stream(chat.relay.stream, tell=party is not by)


def _role(calls: bool) -> Role:
    return "caller" if calls else "callee"


def _opened(request: Request, peer: Party, role: Role) -> Opened:
    return Opened(request.chat, request.stream, peer.key, role)
