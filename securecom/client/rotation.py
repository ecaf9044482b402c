"""`/newkey`: our own key signs over to a new one.

    on the disk -> said to the server -> taken: in the old one's place | refused: erased
                                      -> no answer: the next log-in tells

Between saying it and an answer either key may be ours. Then the log-in shows the old one first, the
new one if the server does not know the old one any more, and what it takes is our key.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any

from twisted.internet.defer import Deferred, inlineCallbacks

from securecom import refusals, vocabulary
from securecom.client.api import ClientState
from securecom.client.coordination.coordinator import Coordinator
from securecom.client.coordination.station import ServerLine, Station
from securecom.client.denials import denial
from securecom.client.events import problem
from securecom.client.key_events import KeyNotRenewed, KeyRenewed
from securecom.client.profile.own_key import OwnKey
from securecom.client.profile.passphrase import Elsewhere, Vault
from securecom.errors import (
    ConnectionWasLost,
    NotNow,
    ProfileProblem,
    SecurecomError,
)
from securecom.identity import Identity
from securecom.succession import new_key_arguments
from securecom.values import Value

_NOTHING = "Nothing was changed."
_OPEN = "Whether your key is the new one, the next log-in tells."


class Keeping(Value):
    """Where our key is kept.

    :param elsewhere: makes a call that takes its time where nobody waits for it.
    :param coming: a new key that was said to the server, perhaps, before this client began.
    """

    files: OwnKey
    elsewhere: Elsewhere
    coming: Identity | None = None


class Rotation:
    """Our own key, and one that is to take its place.

    :param keeping: None where keys are not on a disk: then there are no new ones.
    :param show: connections from now on show this identity.
    """

    def __init__(
        self,
        station: Station,
        coordinator: Coordinator,
        keeping: Keeping | None,
        show: Callable[[Identity], None],
    ) -> None:
        self._station, self._coordinator = station, coordinator
        self._keeping, self._show = keeping, show
        self._present = station.identity
        self._coming = None if keeping is None else keeping.coming
        self._is_under_way = False

    # --- what the person wants --------------------------------------------------------------

    @inlineCallbacks
    def renew(self) -> Generator[Deferred[Any], Any, KeyRenewed]:
        """Make a new key, sign over to it, and be known by it.

        Fails with a `SecurecomError`; then the key is what it was, unless the answer got lost.
        """
        keeping = self._keeping
        if keeping is None:
            raise NotNow("this client has no profile that could keep a new key", _NOTHING)
        if self._is_under_way or self._coming is not None:
            raise NotNow("a new key is on its way already", _NOTHING)
        self._is_under_way = True
        try:
            self._coming = yield self._prepared(keeping)
            yield self._said(self._coming)
        finally:
            self._is_under_way = False
        return self._taken(keeping, self._coming)

    @inlineCallbacks
    def _prepared(self, keeping: Keeping) -> Generator[Deferred[Any], Any, Identity]:
        """The new key, on the disk."""
        files, present = keeping.files, self._station.identity.public_key
        vault = Vault(files.path, self._station.frontend.ask_secret, keeping.elsewhere)
        pass_phrase = yield vault.pass_phrase()
        coming: Identity = yield keeping.elsewhere(lambda: files.prepare(pass_phrase, present))
        return coming

    @inlineCallbacks
    def _said(self, coming: Identity) -> Generator[Deferred[Any], Any, None]:
        """The server has it."""
        station = self._station
        try:
            line = self._free_line()
            signed = new_key_arguments(station.server, station.name, station.identity, coming)
            yield line.ask(vocabulary.NewKey, **signed)
        except ConnectionWasLost as error:
            raise ConnectionWasLost(error.what, _OPEN) from None
        except refusals.Refusal as refusal:
            if not isinstance(refusal, refusals.ServerTrouble):  # its disk may have it all the same
                self._drop()
            raise denial(refusal, vocabulary.NewKey) from None
        except NotNow:
            self._drop()
            raise

    def _free_line(self) -> ServerLine:
        """:raises NotNow: if something began, or the line went, while the key was made."""
        line = self._station.line
        if self._coordinator.state is not ClientState.IDLE:
            raise NotNow("something else began while the key was made", _NOTHING)
        return line

    # --- at a log-in ------------------------------------------------------------------------

    def use_other(self) -> bool:
        """The server does not know the key that we showed: show the coming one, if there is one."""
        coming = self._coming
        if coming is None or self._station.identity is coming:
            return False
        self._use(coming)
        return True

    def logged_in(self) -> None:
        """The server knows the key that we showed, so it is known which of the two is ours."""
        coming, keeping = self._coming, self._keeping
        if coming is None or keeping is None:
            return
        try:
            if self._station.identity is coming:
                self._station.show(self._taken(keeping, coming))
            elif self._present.public_key == coming.public_key:
                self._taken(keeping, coming)  # it was, and all that is left is to tidy up
            else:
                self._drop()
                self._station.show(KeyNotRenewed(self._present.public_key.fingerprint))
        except SecurecomError as error:
            self._station.show(problem(error))

    # --- which one it is --------------------------------------------------------------------

    def _taken(self, keeping: Keeping, coming: Identity) -> KeyRenewed:
        """The new key is ours: in memory at once, then on the disk.

        :raises ProfileProblem: if it cannot be put in its place there.
        """
        former, self._present, self._coming = self._present.public_key, coming, None
        self._use(coming)
        try:
            kept = keeping.files.adopt()
        except ProfileProblem as error:
            hint = "Your key is the new one all the same: mend that, and start again."
            raise ProfileProblem(error.what, hint) from None
        fingerprint = coming.public_key.fingerprint
        return KeyRenewed(former.fingerprint, fingerprint, None if kept is None else str(kept))

    def _drop(self) -> None:
        """The new key is nobody's."""
        self._coming = None
        if self._keeping is not None:
            try:
                self._keeping.files.drop()
            except ProfileProblem as error:
                hint = "A new key that the server did not take is still there, to be erased later."
                self._station.show(problem(ProfileProblem(error.what, hint)))

    def _use(self, identity: Identity) -> None:
        self._station.identity = identity
        self._show(identity)
