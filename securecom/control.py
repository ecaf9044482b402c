"""The control lane: one AMP box a frame, commands dispatched by Twisted's `BoxDispatcher`.

A box must fill its frame; anything else is a `WireError`. Bad arguments are the peer's fault and
end the connection; none of the peer's words get into our log.
"""

from __future__ import annotations

from typing import Any, Protocol, cast

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.error import ConnectionLost
from twisted.logger import Logger
from twisted.protocols import amp
from twisted.python.failure import Failure
from zope.interface import implementer

from securecom import framing, limits
from securecom.errors import OurFault, OutcomeUnknown, PeerFault, WireError

_log = Logger()

#: The key of the padding in a box, which every reader skips.
PAD = b"_pad"
_PAD_COST = 2 + len(PAD) + 2
_KINDS = frozenset({amp.COMMAND, amp.ANSWER, amp.ERROR})
_ERROR_KEYS = frozenset({amp.ERROR_CODE, amp.ERROR_DESCRIPTION})


class LaneOwner(Protocol):
    """The connection that a control lane belongs to."""

    def send(self, frame: bytes) -> None:
        """Write one frame."""

    def fault(self, error: Exception) -> None:
        """End the connection, since the peer or our own code made a mistake."""


@implementer(amp.IBoxSender)
class ControlLane:
    """Sends commands over a connection, and answers the peer's.

    :param responders: answer the peer's commands; no others can come here.
    :param pad_to: if not 0, the length of every frame, of either side, is a multiple of it.
    :param most: bytes of a frame's body that we may send.
    :param most_unanswered: commands of the peer that may wait for our answer.
    """

    def __init__(
        self,
        owner: LaneOwner,
        responders: amp.IResponderLocator,
        pad_to: int = 0,
        most: int = limits.MAX_BODY,
        most_unanswered: int = limits.MAX_UNANSWERED,
    ) -> None:
        self._owner, self._most = owner, most
        self._most_given_up = max(limits.GIVEN_UP_ANSWERS, most_unanswered)
        self._pad_to = pad_to
        self._last_tag = b""
        #: Tags of commands whose answers nobody waits for any more, the oldest first.
        self._given_up: dict[bytes, None] | None = None
        #: Bytes of answers handed to the owner so far.
        self.answer_bytes = 0
        self._dispatcher = _Dispatcher(responders, most_unanswered)
        self._dispatcher.startReceivingBoxes(self)

    def call(self, command: type[amp.Command], **arguments: Any) -> Deferred[dict[str, Any]]:
        """Send a command. Fires with its answer, or fails with a typed refusal or `ConnectionLost`.

        Any other answer ends the connection and is a `WireError`. Cancelling the Deferred stops the
        wait; an answer that still comes is ignored.
        """
        answer = self._dispatcher.callRemote(command, **arguments)
        tag = self._last_tag
        # A new Deferred, since AMP's ends the connection for a refusal that nobody handles.
        result = Deferred[dict[str, Any]](lambda _: self._give_up(answer, tag))
        answer.addErrback(self._check_failure, command).chainDeferred(result)
        return result

    def tell(self, command: type[amp.Command], **arguments: Any) -> None:
        """Send a command that wants no answer."""
        self._dispatcher.callRemote(command, **arguments)

    def receive(self, body: bytes) -> None:
        """Take one frame's body. :raises WireError: it is not a box that may come now."""
        if self._pad_to and (limits.FRAME_HEADER + len(body)) % self._pad_to:
            raise WireError("a frame that is not padded")
        self.take(parse_box(body))

    def take(self, box: amp.AmpBox) -> None:
        """Take one box. :raises WireError: it may not come now."""
        kind = box.keys() & _KINDS
        if len(kind) != 1 or (amp.ERROR in kind and not box.keys() >= _ERROR_KEYS):
            raise WireError("a box that is neither a command nor an answer to one")
        if not 0 < len(box.get(amp.ASK, b"-")) <= limits.MAX_TAG:
            raise WireError("a command whose tag is empty or too long")
        if self._given_up and self._is_given_up(box.get(amp.ANSWER, box.get(amp.ERROR))):
            return
        try:
            self._dispatcher.ampBoxReceived(box)
        except KeyError:
            raise WireError("an answer to a command that was not sent") from None

    @property
    def owes_answers(self) -> bool:
        """Whether the peer waits for an answer from us."""
        return self._dispatcher.owes_answers

    def stop(self, reason: Failure) -> None:
        """The connection is gone, so commands without an answer fail."""
        self._dispatcher.stopReceivingBoxes(reason)

    # --- amp.IBoxSender ---------------------------------------------------------------------

    def sendBox(self, box: amp.AmpBox) -> None:  # noqa: N802
        """Send a box as a frame."""
        self._last_tag = box.get(amp.ASK, b"")
        if self._pad_to:
            box[PAD] = bytes(self._padding(len(box.serialize())))
        frame = framing.encode(framing.CONTROL, box.serialize(), self._most)
        if amp.COMMAND not in box:
            self.answer_bytes += len(frame)
        self._owner.send(frame)

    def unhandledError(self, failure: Failure) -> None:  # noqa: N802
        """End the connection over an error that nobody handled."""
        self._owner.fault(cast(Exception, failure.value))

    # --- insides ----------------------------------------------------------------------------

    def _give_up(self, answer: Deferred[dict[str, Any]], tag: bytes) -> None:
        """Forget a command of ours except for its tag, so that a late answer is no violation."""
        if self._given_up is None:
            self._given_up = {}
        self._given_up[tag] = None
        if len(self._given_up) > self._most_given_up:
            del self._given_up[next(iter(self._given_up))]
        answer.cancel()
        # AMP would keep the command for as long as the connection lasts, so answer it ourselves.
        self._dispatcher.ampBoxReceived(amp.AmpBox({amp.ANSWER: tag}))

    def _is_given_up(self, tag: bytes | None) -> bool:
        """Whether nobody waits for this answer any more; there is only one, so forget the tag."""
        if self._given_up is None or tag not in self._given_up:
            return False
        del self._given_up[tag]
        return True

    def _check_failure(self, failure: Failure, command: type[amp.Command]) -> Failure:
        """Let only refusals of the vocabulary reach the caller, and none of the peer's words."""
        # InvalidSignature: our own call was wrong and never sent. CancelledError: we cancelled it.
        if failure.check(*command.errors, ConnectionLost, amp.InvalidSignature, CancelledError):
            return failure
        error = WireError("an answer that this command does not have")
        self._owner.fault(error)
        return Failure(error)

    def _padding(self, box_length: int) -> int:
        return -(limits.FRAME_HEADER + box_length + _PAD_COST) % self._pad_to


@implementer(amp.IResponderLocator)
class Responders:
    """Several locators as one."""

    def __init__(self, *locators: amp.CommandLocator) -> None:
        self._locators = locators

    def locateResponder(self, name: bytes) -> Any:  # noqa: N802
        found = (locator.locateResponder(name) for locator in self._locators)
        return next((responder for responder in found if responder is not None), None)


class _Dispatcher(amp.BoxDispatcher):
    """A `BoxDispatcher` that counts open commands and keeps the peer's words out of the log."""

    def __init__(self, responders: amp.IResponderLocator, most_unanswered: int) -> None:
        super().__init__(responders)
        self._most_unanswered = most_unanswered
        self._unanswered = 0

    @property
    def owes_answers(self) -> bool:
        """Whether there are commands that we have not answered."""
        return self._unanswered > 0

    def dispatchCommand(self, box: amp.AmpBox) -> Deferred[amp.AmpBox]:
        """Have a command answered. :raises WireError: it, or its arguments, may not come here."""
        responder = self.locator.locateResponder(box[amp.COMMAND])
        if responder is None:
            raise WireError("a command that may not come here")
        if self._unanswered >= self._most_unanswered:
            raise WireError(f"more than {self._most_unanswered} commands without our answer")
        try:  # arguments are parsed before the responder's Deferred exists: these are the peer's
            answer: Deferred[amp.AmpBox] = responder(box)
        except Exception:
            raise WireError("a command with arguments that it cannot have") from None
        self._unanswered += 1
        return answer.addBoth(self._finished, wants_answer=amp.ASK in box)

    def _finished(self, result: amp.AmpBox | Failure, wants_answer: bool) -> amp.AmpBox | Failure:
        """End the connection over a failure that is not a typed refusal."""
        self._unanswered -= 1
        if not isinstance(result, Failure) or (wants_answer and result.check(amp.RemoteAmpError)):
            return result
        self.boxSender.unhandledError(Failure(_fatal(result)))  # type: ignore[union-attr]
        return Failure(amp.RemoteAmpError(amp.UNKNOWN_ERROR_CODE, b""))


def _fatal(failure: Failure) -> Exception:
    """Why a command that failed ends the connection."""
    if failure.check(PeerFault, OutcomeUnknown):
        return cast(Exception, failure.value)
    if failure.check(amp.RemoteAmpError):
        return WireError("a command was refused that wants no answer")
    return our_fault(failure)


def our_fault(failure: Failure) -> OurFault:
    """Log where a mistake of ours happened, without values, which may come from a peer."""
    error = OurFault(f"{type(failure.value).__name__} inside securecom")
    _log.failure("a mistake in securecom", Failure(error, OurFault, failure.getTracebackObject()))
    return error


def parse_box(body: bytes) -> amp.AmpBox:
    """Parse exactly one AMP box, and drop its padding.

    :raises WireError: these bytes are anything else.
    """
    box, at = amp.AmpBox(), 0
    while key_length := int.from_bytes(body[at : at + 2], "big"):
        key, at = _string(body, at, key_length)
        value, at = _string(body, at, int.from_bytes(body[at : at + 2], "big"))
        if key_length > amp.MAX_KEY_LENGTH or key in box:
            raise WireError("a box with a key that is too long or comes twice")
        box[key] = value
    if at + 2 != len(body) or not box:
        raise WireError("a frame that does not hold exactly one box")
    box.pop(PAD, None)
    return box


def _string(body: bytes, at: int, length: int) -> tuple[bytes, int]:
    end = at + 2 + length
    if end > len(body):
        raise WireError("a box that ends too early")
    return body[at + 2 : end], end
