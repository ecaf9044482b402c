"""What can happen between us and other people; `engagement_states` says what follows from it."""

from __future__ import annotations

from typing import Protocol

from twisted.internet.defer import Deferred

from securecom.client.coordination.consent import Verdict
from securecom.client.coordination.requests import Grant, Offer, Request, Withdrawn
from securecom.client.events import Ending
from securecom.errors import SecurecomError


class Engagement(Protocol):
    """What can happen."""

    def ask(self, request: Request) -> None:
        """The person asks somebody."""

    def cancel(self, done: Deferred[None]) -> None:
        """The person withdraws the request."""

    def granted(self, grant: Grant) -> None:
        """Our request became a chat."""

    def misgranted(self, grant: Grant, error: SecurecomError) -> None:
        """Our request became a chat that we must not have."""

    def denied(self, error: SecurecomError) -> None:
        """Our request came to nothing."""

    def offered(self, offer: Offer) -> None:
        """Somebody asks us."""

    def offered_by_callee(self, offer: Offer) -> None:
        """The person whom we ask asks us."""

    def withdrawn(self, reason: Withdrawn) -> None:
        """The open offer is void."""

    def expired(self) -> None:
        """The open offer, or the wait for its stream, took too long."""

    def undecided(self) -> None:
        """The offer is for the person."""

    def agreed(self) -> None:
        """A yes to the offer, in the person's name."""

    def declined(self, verdict: Verdict) -> None:
        """A no, or nothing, likewise."""

    def accept(self, done: Deferred[None]) -> None:
        """The person says yes; `done` fires when the chat stands."""

    def refuse(self, done: Deferred[None]) -> None:
        """The person says no."""

    def dismiss(self, done: Deferred[None]) -> None:
        """The person says nothing, and does not want to be asked any longer."""

    def stream_opened(self, number: int) -> None:
        """The server opened the stream of the offer that we accepted.

        :raises refusals.NothingToEnd: if we accepted none.
        """

    def stood(self) -> None:
        """The end-to-end session is secure."""

    def over(self, ending: Ending | None, undelivered: list[int], error: Exception | None) -> None:
        """The end-to-end session is over."""

    def stop(self, done: Deferred[None]) -> None:
        """The person ends the chat."""

    def lost(self) -> None:
        """The standard channel is gone."""
