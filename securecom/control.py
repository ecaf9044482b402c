"""The control lane: AMP's boxes and typed commands, one box a frame.

A box must fill its frame; anything else is a `WireError`. Bad arguments are the peer's fault and
end the connection; none of the peer's words get into our log.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from functools import cache, partial
from typing import Any, Protocol, cast

from twisted.internet.defer import Deferred, fail
from twisted.logger import Logger
from twisted.protocols import amp
from twisted.python.failure import Failure
from zope.interface import implementer

from securecom import framing, limits
from securecom.errors import OurFault, OutcomeUnknown, PeerFault, WireError
from securecom.vocabulary import new_box

_log = Logger()

#: The key of the padding in a box, which every reader skips.
PAD = b"_pad"
_PAD_COST = 2 + len(PAD) + 2
_ERROR_KEYS = frozenset({amp.ERROR_CODE, amp.ERROR_DESCRIPTION})


class LaneOwner(Protocol):
    """The connection that a control lane belongs to."""

    def send(self, frame: bytes) -> None:
        """Write one frame."""

    def fault(self, error: Exception) -> None:
        """End the connection, since the peer or our own code made a mistake."""


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
        self._responders = responders
        self._most_unanswered, self._unanswered = most_unanswered, 0
        self._most_given_up = max(limits.GIVEN_UP_ANSWERS, most_unanswered)
        self._pad_to = pad_to
        #: Commands that were sent; and those whose answers are to come, by their tags.
        self._sent = 0
        self._waiting: dict[bytes, _Call] = {}
        #: Tags of commands whose answers nobody waits for any more, the oldest first.
        self._given_up: dict[bytes, None] | None = None
        #: Why nothing can be sent any more.
        self._gone: Failure | None = None
        #: Bytes of answers handed to the owner so far.
        self.answer_bytes = 0

    def call(self, command: type[amp.Command], **arguments: Any) -> Deferred[dict[str, Any]]:
        """Send a command. Fires with its answer, or fails with a typed refusal or `ConnectionLost`.

        Any other answer ends the connection and is a `WireError`. Cancelling the Deferred stops the
        wait; an answer that still comes is ignored.
        """
        try:
            box = command.makeArguments(arguments, None)
        except amp.InvalidSignature:  # our own call is wrong, and is not sent
            return fail()
        except KeyError as missing:
            return fail(amp.InvalidSignature(f"{command.__name__} without {missing}"))
        if self._gone is not None:
            return fail(self._gone)
        self._sent += 1
        tag = box[amp.ASK] = b"%x" % self._sent
        box[amp.COMMAND] = command.commandName
        self._send_box(box)
        answer = Deferred[dict[str, Any]](lambda _: self._give_up(tag))
        self._waiting[tag] = command, answer
        return answer

    def tell(self, command: type[amp.Command], **arguments: Any) -> None:
        """Send a command that wants no answer."""
        if self._gone is None:
            self._sent += 1
            box = command.makeArguments(arguments, None)
            box[amp.COMMAND] = command.commandName
            self._send_box(box)

    def receive(self, body: bytes) -> None:
        """Take one frame's body. :raises WireError: it is not a box that may come now."""
        if self._pad_to and (limits.FRAME_HEADER + len(body)) % self._pad_to:
            raise WireError("a frame that is not padded")
        self.take(parse_box(body))

    def take(self, box: amp.AmpBox) -> None:
        """Take one box. :raises WireError: it may not come now."""
        is_command, is_error = amp.COMMAND in box, amp.ERROR in box
        if is_command + is_error + (amp.ANSWER in box) != 1 or (
            is_error and not box.keys() >= _ERROR_KEYS
        ):
            raise WireError("a box that is neither a command nor an answer to one")
        if not 0 < len(box.get(amp.ASK, b"-")) <= limits.MAX_TAG:
            raise WireError("a command whose tag is empty or too long")
        if is_command:
            self._command_received(box)
            return
        tag = box[amp.ERROR] if is_error else box[amp.ANSWER]
        if self._given_up and tag in self._given_up:  # there is only one answer
            del self._given_up[tag]
            return
        call = self._waiting.pop(tag, None)
        if call is None:
            raise WireError("an answer to a command that was not sent")
        self._answer_received(box, *call)

    @property
    def owes_answers(self) -> bool:
        """Whether the peer waits for an answer from us."""
        return self._unanswered > 0

    def stop(self, reason: Failure) -> None:
        """The connection is gone, so commands without an answer fail."""
        self._gone = reason
        self._owner = self._responders = _NO_OWNER  # who would know it, as it knows them
        while self._waiting:  # what one of them causes may cancel others
            _, answer = self._waiting.pop(next(iter(self._waiting)))
            answer.errback(reason)

    # --- insides ----------------------------------------------------------------------------

    def _send_box(self, box: amp.AmpBox) -> None:
        """Send a box as a frame."""
        if self._pad_to:
            box[PAD] = bytes(self._padding(len(box_bytes(box))))
        frame = framing.encode(framing.CONTROL, box_bytes(box), self._most)
        if amp.COMMAND not in box:
            self.answer_bytes += len(frame)
        self._owner.send(frame)

    def _padding(self, box_length: int) -> int:
        return -(limits.FRAME_HEADER + box_length + _PAD_COST) % self._pad_to

    def _give_up(self, tag: bytes) -> None:
        """Forget a command of ours except for its tag, so that a late answer is no violation."""
        if self._waiting.pop(tag, None) is None:
            return
        if self._given_up is None:
            self._given_up = {}
        self._given_up[tag] = None
        if len(self._given_up) > self._most_given_up:
            del self._given_up[next(iter(self._given_up))]

    def _answer_received(
        self, box: amp.AmpBox, command: type[amp.Command], answer: Deferred[dict[str, Any]]
    ) -> None:
        """Let only answers and refusals of the vocabulary reach the caller."""
        if amp.ERROR in box:
            kinds: dict[bytes, type[Exception]] = cast(Any, command).reverseErrors
            kind = kinds.get(box[amp.ERROR_CODE])
            if kind is not None:
                text = box[amp.ERROR_DESCRIPTION].decode("utf-8", "replace")
                answer.errback(Failure(kind(text)))
                return
        elif (facts := _facts(box, command)) is not None:
            answer.callback(facts)
            return
        error = WireError("an answer that this command does not have")
        self._owner.fault(error)
        if not answer.called:  # the end of the connection may have had it cancelled
            answer.errback(Failure(error))

    def _command_received(self, box: amp.AmpBox) -> None:
        """Have a command answered. :raises WireError: it, or its arguments, may not come here."""
        responder = self._responders.locateResponder(box[amp.COMMAND])
        if responder is None:
            raise WireError("a command that may not come here")
        if self._unanswered >= self._most_unanswered:
            raise WireError(f"more than {self._most_unanswered} commands without our answer")
        try:  # arguments are parsed before anybody is asked to answer: these are the peer's
            answer = responder(box)
        except Exception:
            raise WireError("a command with arguments that it cannot have") from None
        self._unanswered += 1
        if isinstance(answer, Deferred):
            answer.addBoth(self._finish, box.get(amp.ASK))
        else:
            self._finish(answer, box.get(amp.ASK))

    def _finish(self, answer: amp.AmpBox | Failure, tag: bytes | None) -> None:
        """Send an answer, if one is wanted; end the connection over what is no typed refusal."""
        self._unanswered -= 1
        if isinstance(answer, Failure):
            if tag is None or not answer.check(amp.RemoteAmpError):
                self._owner.fault(_fatal(answer))
                return
            answer = _refusal(cast(amp.RemoteAmpError, answer.value), tag)
        elif tag is None:
            return
        else:
            answer[amp.ANSWER] = tag
        try:
            self._send_box(answer)
        except Exception:
            self._owner.fault(our_fault(Failure()))


@implementer(amp.IResponderLocator)
class _NoOwner:
    """Who has the lane of a connection that is gone: nobody is told or asked anything more."""

    def send(self, frame: bytes) -> None:
        """LaneOwner."""

    def fault(self, error: Exception) -> None:
        """LaneOwner."""

    def locateResponder(self, name: bytes) -> None:  # noqa: N802
        """IResponderLocator."""


_NO_OWNER: Any = _NoOwner()

#: A command that was sent, and what fires with its answer.
_Call = tuple[type[amp.Command], Deferred[dict[str, Any]]]


def _facts(box: amp.AmpBox, command: type[amp.Command]) -> dict[str, Any] | None:
    """What an answer says; None if this command has no such answer."""
    try:
        facts: dict[str, Any] = command.parseResponse(box, None)
    except Exception:  # and none of the peer's words in it
        return None
    return facts


def _refusal(error: amp.RemoteAmpError, tag: bytes) -> amp.AmpBox:
    said = error.description
    text = said if isinstance(said, bytes) else said.encode("utf-8", "replace")
    return amp.AmpBox(
        {amp.ERROR: tag, amp.ERROR_CODE: error.errorCode, amp.ERROR_DESCRIPTION: text}
    )


class Locator(amp.CommandLocator):
    """Answers commands, at once if the answer is known at once.

    AMP's own makes a Deferred of every answer, with a chain of callbacks for what is to be sent. A
    `ControlLane` takes either, so should AMP ever go about this otherwise, it does so here, too.
    """

    def _wrapWithSerialization(self, aCallable: Any, command: type[amp.Command]) -> Any:  # noqa: N802, N803
        """What AMP calls for a responder that it has found."""
        return partial(_respond, aCallable, command)


def _respond(
    answer: Callable[..., Any], command: type[amp.Command], box: amp.AmpBox
) -> amp.AmpBox | Failure | Deferred[amp.AmpBox]:
    """The answer to a command, or the refusal, as it is to be sent.

    :raises Exception: the arguments cannot be read.
    """
    arguments = command.parseArguments(box, None)
    try:
        result = answer(**arguments)
        if not isinstance(result, Deferred):
            made: amp.AmpBox = command.makeResponse(result, None)
            return made
    except Exception:
        return _as_sent(Failure(), command)
    return result.addCallbacks(
        command.makeResponse, _as_sent, callbackArgs=(None,), errbackArgs=(command,)
    )


def _as_sent(failure: Failure, command: type[amp.Command]) -> Failure:
    """A refusal that the command declares, as AMP sends it; other failures as they are."""
    words: dict[type[Exception], bytes] = cast(Any, command).allErrors
    kind = failure.check(*words)
    return failure if kind is None else Failure(amp.RemoteAmpError(words[kind], str(failure.value)))


@implementer(amp.IResponderLocator)
class Responders:
    """Several locators as one."""

    def __init__(self, *locators: amp.CommandLocator) -> None:
        self._locators = locators

    def locateResponder(self, name: bytes) -> Any:  # noqa: N802
        found = (locator.locateResponder(name) for locator in self._locators)
        return next((responder for responder in found if responder is not None), None)


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
    box, at, keys = new_box(), 0, 0
    try:
        while length := body[at + 1]:
            if body[at]:
                break  # a key of more than 255 bytes
            key_end = at + 2 + length
            value_at = key_end + 2
            end = value_at + (body[key_end] << 8 | body[key_end + 1])
            box[body[at + 2 : key_end]] = body[value_at:end]
            at = end
            keys += 1
        is_whole = not body[at]
    except IndexError:
        raise WireError("a box that ends too early") from None
    if not is_whole or len(box) != keys:
        raise WireError("a box with a key that is too long or comes twice")
    if at + 2 != len(body) or not keys:
        raise WireError("a frame that does not hold exactly one box")
    box.pop(PAD, None)
    return box


def box_bytes(box: amp.AmpBox) -> bytes:
    """A box of ours on the wire, as `amp.AmpBox.serialize` writes it.

    :raises ValueError: a value is too long for a box.
    """
    parts: list[bytes] = []
    for key in sorted(box):
        value = box[key]
        size = len(value)
        if size > amp.MAX_VALUE_LENGTH:
            raise ValueError(f"a value of {size} bytes was about to be sent")
        parts += _key(key), _length(size), value
    parts.append(b"\0\0")
    return b"".join(parts)


@cache
def _key(key: bytes) -> bytes:
    """A key on the wire, one of the few in our vocabulary."""
    return _length(len(key)) + key


_length = struct.Struct(">H").pack
