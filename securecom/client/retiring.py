"""Twelve words that can retire a key: made for our own, used for anybody's."""

from __future__ import annotations

import os
from collections.abc import Generator
from typing import Any

from twisted.internet.defer import Deferred, inlineCallbacks

from securecom import refusals, vocabulary
from securecom.client.coordination.coordinator import Coordinator
from securecom.client.coordination.station import Station
from securecom.client.denials import denial
from securecom.client.key_events import KeyRetired, RetirementMade
from securecom.errors import ConnectionWasLost, NotNow, SecurecomError
from securecom.identity import Name
from securecom.retirement import RetirementSecret

_KEPT = "The server may have these words all the same: write them down and keep them."


class Retiring:
    """Whatever cannot be done fails with a `SecurecomError`."""

    def __init__(self, station: Station, coordinator: Coordinator) -> None:
        self._station, self._coordinator = station, coordinator

    @inlineCallbacks
    def make(self) -> Generator[Deferred[Any], Any, RetirementMade]:
        """Make the words for our own key, and register their public half. Nobody keeps the words.

        We say that there are words only once the person has them: if this client ends before, it
        can make others. Fails with `NotNow` if there are some already.
        """
        station, kept = self._station, self._station.contacts.retirements
        line = station.line
        if kept.own is not None:
            raise NotNow("there are words already that can retire your key", "Nothing was changed.")
        secret = RetirementSecret.generate(os.urandom)
        made = RetirementMade(station.name, secret.words)
        try:
            yield line.ask(vocabulary.SetRetirement, public=secret.public)
        except ConnectionWasLost as error:
            self._hand_out(made, secret)
            raise ConnectionWasLost(error.what, _KEPT) from None
        except refusals.Refusal as refusal:
            if isinstance(refusal, refusals.ServerTrouble):  # it may have them all the same
                self._hand_out(made, secret)
            raise denial(refusal, vocabulary.SetRetirement) from None
        try:
            kept.keep_own(secret.public)
        except SecurecomError:
            station.show(made)
            raise
        return made

    def _hand_out(self, made: RetirementMade, secret: RetirementSecret) -> None:
        self._station.show(made)
        self._station.contacts.retirements.keep_own(secret.public)

    @inlineCallbacks
    def retire(self, name: Name) -> Generator[Deferred[Any], Any, KeyRetired]:
        """Retire somebody's key by their words: here, and at the server.

        Fails with `NotNow` if the words can retire no key of that name that either knows.
        """
        station = self._station
        text = yield station.frontend.ask_secret(f"the twelve words that retire {name}'s key")
        secret = RetirementSecret.from_words(text)
        here = station.contacts.retire(name, secret.public)
        if here and self._coordinator.peer == name:
            self._coordinator.stop()
        at_server = yield self._at_server(name, secret, here)
        if not (here or at_server):
            what = f"these words retire no key of {name} that you or the server know"
            raise NotNow(what, "Nothing was changed.")
        if at_server and name == station.known_name:
            station.contacts.retirements.keep_own(None)
        return KeyRetired(name, here, at_server, station.trust(name))

    @inlineCallbacks
    def _at_server(
        self, name: Name, secret: RetirementSecret, here: bool
    ) -> Generator[Deferred[Any], Any, bool]:
        """Whether the server has retired it. What we know ourselves counts without the server."""
        station = self._station
        try:
            signature = secret.retire(station.server, name)
            yield station.line.ask(
                vocabulary.Retire, name=name, public=secret.public, signature=signature
            )
        except refusals.BadProof:
            return False
        except (refusals.Refusal, SecurecomError) as error:
            if here:
                return False
            if isinstance(error, refusals.Refusal):
                raise denial(error, vocabulary.Retire) from None
            raise
        return True
