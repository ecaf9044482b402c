"""Between the two roles: what the user wants, and what other people want of the user.

Each of it is classified here, against our own notes and never against the server's word alone, and
then moves the engagement. In which state that is, and what does not fit it, `engagement_states`
says.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import replace

from twisted.internet.defer import Deferred, fail

from securecom import limits, refusals
from securecom.client.api import ClientState
from securecom.client.chat.agreement import NO_END, ChatTerms
from securecom.client.coordination import engagement_states, outcomes
from securecom.client.coordination.asking import AskedSide, AskingSide, DecidingSide
from securecom.client.coordination.chat_side import ChatSide, OpenChat
from securecom.client.coordination.engagement import (
    Answer,
    Consent,
    Engagement,
    Offer,
    OwnRequest,
    Waiting,
    Withdrawn,
)
from securecom.client.coordination.engagement_states import Sides
from securecom.client.coordination.station import Station
from securecom.client.events import RefusedForYou, problem
from securecom.errors import NotNow, SecurecomError
from securecom.identity import Name


class _Strangers:
    """Offers by strangers that the user, or their program, was asked about lately.

    :param seconds: a monotonic clock.
    """

    def __init__(self, seconds: Callable[[], float]) -> None:
        self._seconds = seconds
        self._times: OrderedDict[bytes, float] = OrderedDict()  # by chat

    @property
    def is_full(self) -> bool:
        """No further one may be put to the user for now."""
        since = self._seconds() - limits.REQUEST_WINDOW
        while self._times and next(iter(self._times.values())) <= since:
            self._times.popitem(last=False)
        return len(self._times) >= limits.OFFERS_BY_STRANGERS

    def count(self, chat: bytes) -> None:
        """The user was asked about one."""
        self._times[chat] = self._seconds()

    def take_back(self, chat: bytes) -> None:
        """Its caller withdrew it or left, so it must not keep out the next one."""
        self._times.pop(chat, None)


class Coordinator:
    """What main role and daemon role have in common.

    :param consent: is consulted before the user is asked.
    """

    def __init__(self, station: Station, consent: Consent) -> None:
        self._station, self._waiting = station, Waiting()
        self._asking = AskingSide(station)
        self._deciding = DecidingSide(station, consent)
        self._asked = AskedSide(station, self._waiting)
        self._chats = ChatSide(station)
        sides = (self._asking, self._deciding, self._asked, self._chats, self._waiting)
        self._sides = Sides(*sides, station.show)
        self._strangers = _Strangers(station.clock.seconds)
        self._life: Engagement = engagement_states.begin(self._sides)
        self._asking.life = self._deciding.life = self._life
        self._asked.life = self._chats.life = self._life
        #: The person is there to be asked. The daemon role never takes the server's word for it.
        self.is_available = False
        #: Those who may ask while we are available, all of them among `askers`; None: everybody.
        self.audience: frozenset[Name] | None = None
        #: Those who may ask at all, and so those whose requests can be missed; None: anybody.
        self.askers: frozenset[Name] | None = None

    # --- facts ------------------------------------------------------------------------------

    @property
    def state(self) -> ClientState:
        """What is going on."""
        return self._sides.state

    @property
    def asking(self) -> Name | None:
        """Whom we ask."""
        return self._asking.callee

    @property
    def offer(self) -> Offer | None:
        """The offer that waits for the user's answer."""
        return self._asked.open

    @property
    def peer(self) -> Name | None:
        """With whom the chat is that stands."""
        return self.standing.peer if self.state is ClientState.CHAT else None

    @property
    def standing(self) -> OpenChat:
        """The chat that stands. :raises NotNow: if none does."""
        chat = self._chats.chat
        if chat is None or self.state is not ClientState.CHAT:
            is_opening = self.state is ClientState.OPENING
            raise NotNow("the chat is still being set up" if is_opening else "you are in no chat")
        return chat

    # --- the main role: what the person wants -----------------------------------------------

    def request(self, callee: Name, terms: ChatTerms = NO_END) -> Deferred[None]:
        """Ask for a chat; fires when it stands. If the callee is asking us, that is a yes to what
        they ask.
        """
        self._ask_person_about(callee)
        offer = self.offer
        if offer is not None and offer.caller == callee:
            if terms in (NO_END, offer.terms):
                return self.accept(callee)
            return fail(outcomes.other_span(callee, offer.terms.seconds))
        request = OwnRequest(callee, self._waiting.promise(), terms)
        self._life.ask(request)
        return request.stands

    def cancel(self) -> Deferred[None]:
        """Withdraw our request; fires when it is over."""
        return self._order(self._life.cancel)

    def accept(self, name: Name | None = None) -> Deferred[None]:
        """Say yes to the open offer, if it is by `name`; fires when the chat stands.

        A changed key is accepted only if the person has taken it before, by its fingerprint.
        """
        offer = self.offer
        if offer is not None:
            if name is None and self._asked.is_mistakable:
                return fail(outcomes.now_asks(offer.caller))
            if name not in (None, offer.caller):
                return fail(outcomes.is_not_asking(name))
            if not self._may_be(offer):
                contacts = self._station.contacts  # the key may have been retired meanwhile
                if contacts.trust(offer.caller, offer.key, offer.chain) == "retired":
                    return fail(outcomes.key_retired(offer.caller))
                return fail(outcomes.key_changed(offer.caller, offer.key))
            if self._asked.is_altered:
                return fail(outcomes.altered(offer.caller))
        return self._order(self._life.accept)

    def refuse(self, name: Name | None = None) -> Deferred[None]:
        """Say no to the open offer, if it is by `name`."""
        return self._order(self._life.refuse, name)

    def dismiss(self, name: Name | None = None) -> Deferred[None]:
        """Say nothing to the open offer, if it is by `name`, and have it gone."""
        return self._order(self._life.dismiss, name)

    def _order(
        self, put: Callable[[Deferred[None]], None], caller: Name | None = None
    ) -> Deferred[None]:
        """:param caller: whose offer it is about; None: whoever asks."""
        if self.offer is not None and caller not in (None, self.offer.caller):
            return fail(outcomes.is_not_asking(caller))
        done = self._waiting.promise()
        put(done)
        return done

    def hush(self, caller: Name) -> None:
        """Dismiss what `caller` asks just now, if they do."""
        self._ask_person_about(caller)
        if self.offer is not None and self.offer.caller == caller:
            self.dismiss()

    def reconsider(self) -> None:
        """Who may ask us has changed: no program answers for a user who is away."""
        undecided = self._deciding.offer
        if undecided is not None and not self._is_available_to(undecided.caller):
            self._life.withdrawn("gone")

    def stop(self) -> Deferred[None]:
        """End the chat, standing or not; fires when it is over."""
        return self._order(self._life.stop)

    def different(self) -> Deferred[None]:
        """The safety numbers are different: end the chat, whatever becomes of the pin."""
        chat = self.standing
        chat.session.disagree()
        over = self.stop()
        chat.different()
        return over

    # --- the daemon role: what other people want --------------------------------------------

    def offered(self, offer: Offer) -> Deferred[Answer]:
        """Answer it ourselves, or ask the user."""
        try:
            trust = self._station.contacts.trust(offer.caller, offer.key, offer.chain)
            offer = replace(offer, trust=trust)
        except SecurecomError as error:  # pins that cannot be read vouch for nobody
            self._station.show(problem(error))
            offer.reply("unavailable")
            return offer.answer
        answer = self._waiting.answer(offer)
        self._classify(offer)
        return answer

    def missed(self, caller: Name) -> None:
        """The server refused for us. In a chat the person hears of the first at once."""
        if caller == self._station.known_name or not _is_among(self.askers, caller):
            return
        if self._station.missed.note(caller) and self.is_available:
            trust = self._station.trust(caller)
            self._station.show(RefusedForYou(caller, trust, "busy"))

    def withdrawn(self, chat: bytes, reason: Withdrawn) -> None:
        """An offer is void; if it is none of ours, it was answered already."""
        if reason in ("cancelled", "gone"):
            self._strangers.take_back(chat)
        asked = self._asked
        offers = (asked.held, self._deciding.offer, asked.open, asked.accepted)
        if any(offer is not None and offer.chat == chat for offer in offers):
            self._life.withdrawn(reason)

    def request_channel_lost(self) -> None:
        """Nobody waits for our answers any more. One that was given may have arrived."""
        asked = self._asked
        if any(offer is not None for offer in (asked.held, self._deciding.offer, asked.open)):
            self._life.withdrawn("gone")

    def _may_be(self, offer: Offer) -> bool:
        return self._station.contacts.may_be(offer.caller, offer.key, offer.chain)

    def _ask_person_about(self, name: Name) -> None:
        """The user has an answer for `name` already, so no program need decide."""
        undecided = self._deciding.offer
        if undecided is not None and undecided.caller == name:
            self._life.undecided()

    def _is_available_to(self, caller: Name) -> bool:
        is_admitted = self.is_available and _is_among(self.audience, caller)
        return is_admitted and caller != self._station.known_name

    def _classify(self, offer: Offer) -> None:
        own_key = self._station.identity.public_key
        if not self._is_available_to(offer.caller):
            offer.reply("unavailable")
        elif offer.key.shares(own_key):
            offer.reply("unavailable")
            trust = self._station.trust(offer.caller)
            self._station.show(RefusedForYou(offer.caller, trust, "own-key"))
        elif offer.caller == self._asking.callee:
            self._life.offered_by_callee(offer)
        elif offer.is_known:
            self._make_room(offer)
            self._life.offered(offer)
        else:
            self._offer_by_stranger(offer)

    def _make_room(self, offer: Offer) -> None:
        """A stranger's offer goes when somebody whom the user knows asks.

        To the stranger that looks like a dismissal, which looks like nobody there.
        """
        present = self._deciding.offer or self._asked.open
        if present is not None and not present.is_known and present.caller != offer.caller:
            self._life.withdrawn("gone")

    def _offer_by_stranger(self, offer: Offer) -> None:
        if self._strangers.is_full:
            self._asked.decline(offer, with_us=False)
            return
        self._life.offered(offer)
        if offer in (self._deciding.offer, self._asked.open, self._asked.accepted):
            self._strangers.count(offer.chat)

    # --- the server -------------------------------------------------------------------------

    def stream_opened(self, chat: bytes, number: int) -> None:
        """:raises refusals.NothingToEnd: unless we accepted this very chat."""
        accepted = self._asked.accepted
        if accepted is None or accepted.chat != chat:
            raise refusals.NothingToEnd()
        self._life.stream_opened(number)

    def connected(self) -> None:
        """Logged in."""
        self._life.connected()

    def line_lost(self) -> None:
        """The standard channel is gone."""
        self._life.lost()


def _is_among(names: frozenset[Name] | None, name: Name) -> bool:
    return names is None or name in names
