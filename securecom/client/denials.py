"""What each refusal means to the person, in one table.

Whoever receives a refusal, from the server or from the peer of a chat, turns it into an error here.
What a refusal means may depend on the command that it answers. Refusals themselves are for
decisions that the program makes; they are never shown.
"""

from __future__ import annotations

from twisted.protocols import amp
from twisted.python.failure import Failure

from securecom import limits, vocabulary
from securecom.client.terms import duration
from securecom.errors import (
    AskedTooSoon,
    CannotReach,
    InvitationRefused,
    IsBusy,
    LoginRefused,
    NotAnswered,
    NotNow,
    OnlineElsewhere,
    ProofRefused,
    SecurecomError,
    ServerInTrouble,
    ServerMismatch,
    TooLong,
    TooOften,
    WasCancelled,
    WasRefused,
    WireError,
)
from securecom.refusals import (
    AlreadyOnline,
    BadInvitation,
    BadProof,
    Busy,
    Cancelled,
    Disabled,
    KeyInUse,
    ListFull,
    NoAnswer,
    NotDialling,
    NotEnrolled,
    NothingToEnd,
    NotYou,
    Occupied,
    OutOfTurn,
    Refusal,
    Refused,
    ServerFull,
    ServerTrouble,
    TooManyRequests,
    TooSoon,
)
from securecom.values import Value


class Denial(Value):
    """One row.

    :param what: what happened; facts of the caller's are in braces.
    :param hint: what to do next; without one, the error's own.
    :param suggested: see `SecurecomError`.
    """

    error: type[SecurecomError]
    what: str
    hint: str | None = None
    suggested: tuple[tuple[str, str], ...] = ()


_LIST_TOO_LONG = Denial(
    TooLong,
    "the server takes no list of so many names",
    "At the server it is as it was before. Name fewer.",
    (("available", "to NAME NAME"),),
)
_TOO_MANY_BLOCKED = Denial(
    TooLong,
    f"you have blocked {limits.MAX_BLOCKED} names",
    "Nothing was changed. Let somebody ask again first.",
    (("unblock", "NAME"),),
)
_ENGAGED = "somebody is just asking you, or your last chat is not over yet"
_UNKNOWN_KEY = (
    "You were removed, have retired it, or have another key now: one from a backup may be older "
    "than that. "
    "Ask the server's admin."
)
_NEW_KEY_WAIT = f"Nothing was changed. Wait {duration(int(limits.NEW_KEY_WINDOW))}."
_IN_TROUBLE = "cannot reach {where} (the server has an internal problem)"

#: By the refusal and the command that it answers; None: any command without a row of its own.
DENIALS: dict[tuple[type[Refusal], type[amp.Command] | None], Denial] = {
    # reaching the server, and being let in
    (BadInvitation, vocabulary.Enrol): Denial(
        InvitationRefused, "this invitation is not good (used, expired or withdrawn)"
    ),
    (BadProof, vocabulary.Enrol): Denial(
        LoginRefused,
        "the server did not accept the proof of your second key",
        "The invitation was not used. Ask the server's admin.",
    ),
    (KeyInUse, vocabulary.Enrol): Denial(
        LoginRefused,
        "this key is registered already",
        "Start without the invitation, or with another identity.",
    ),
    (ServerTrouble, vocabulary.Enrol): Denial(CannotReach, _IN_TROUBLE),
    (NotEnrolled, vocabulary.LogIn): Denial(
        LoginRefused, "the server does not know this key", _UNKNOWN_KEY
    ),
    (BadProof, vocabulary.LogIn): Denial(
        LoginRefused,
        "the server has another second key for you, or did not accept the proof of yours",
        "Nobody was logged in. Ask the server's admin: somebody else may have used your first key.",
    ),
    (Disabled, vocabulary.LogIn): Denial(LoginRefused, "the server's admin has disabled you"),
    (AlreadyOnline, vocabulary.LogIn): Denial(
        OnlineElsewhere,
        "you are already online, in another client",
        "End that one, or take its session over with --takeover.",
    ),
    (ServerFull, vocabulary.LogIn): Denial(
        CannotReach, "cannot reach {where} (the server is full)"
    ),
    (ServerTrouble, vocabulary.LogIn): Denial(CannotReach, _IN_TROUBLE),
    (NotDialling, vocabulary.DialMe): Denial(
        CannotReach, "cannot reach {where} (the server could not connect to us)"
    ),
    (BadProof, vocabulary.ProveSession): Denial(
        ProofRefused, "the server refused the proof of the session"
    ),
    # asking for a chat; `name` is the person asked
    (NoAnswer, vocabulary.RequestChat): Denial(NotAnswered, "{name} did not answer"),
    (Busy, vocabulary.RequestChat): Denial(IsBusy, "{name} is busy"),
    (Refused, vocabulary.RequestChat): Denial(WasRefused, "{name} said no"),
    (TooSoon, vocabulary.RequestChat): Denial(AskedTooSoon, "{name} said no not long ago"),
    (Cancelled, vocabulary.RequestChat): Denial(
        WasCancelled, "your request to {name} was withdrawn"
    ),
    (TooManyRequests, vocabulary.RequestChat): Denial(
        TooOften, "you asked too often", "They were not asked. Wait a minute and try again."
    ),
    (Occupied, vocabulary.RequestChat): Denial(
        NotNow, _ENGAGED, "They were not asked. Try again in a moment."
    ),
    # who may ask
    (ListFull, vocabulary.SetAvailability): _LIST_TOO_LONG,
    (ListFull, vocabulary.Block): _TOO_MANY_BLOCKED,
    # our key, and what the server holds about us
    (Occupied, vocabulary.NewKey): Denial(
        NotNow, _ENGAGED, "Nothing was changed. Try again in a moment."
    ),
    (TooManyRequests, vocabulary.NewKey): Denial(
        TooOften, "you have had a new key, or tried to, not long ago", _NEW_KEY_WAIT
    ),
    (KeyInUse, vocabulary.NewKey): Denial(
        ServerInTrouble, "the server did not take the new key (KEY_TAKEN)", "Nothing was changed."
    ),
    (BadProof, vocabulary.NewKey): Denial(
        ServerInTrouble, "the server did not take the new key (BAD_PROOF)", "Nothing was changed."
    ),
    # The server's disk may have failed after the key was written.
    (ServerTrouble, vocabulary.NewKey): Denial(
        ServerInTrouble,
        "the server could not do it, or its answer was lost",
        "Whether your key is the new one, the next log-in tells.",
    ),
    (KeyInUse, vocabulary.SetRetirement): Denial(
        NotNow,
        "there are words already that can retire your key",
        "Nothing was changed. If you did not make them, ask the server's admin to reset your key.",
    ),
    (TooManyRequests, vocabulary.SetRetirement): Denial(
        TooOften, "you have tried that often enough for now", _NEW_KEY_WAIT
    ),
    (ServerTrouble, vocabulary.SetRetirement): Denial(
        ServerInTrouble,
        "the server could not do it, or its answer was lost",
        "It may have these words all the same: write them down and keep them.",
    ),
    (BadProof, vocabulary.Retire): Denial(
        NotNow, "these words retire no key of that name", "Nothing was changed."
    ),
    (ServerTrouble, vocabulary.Retire): Denial(
        ServerInTrouble, "the server could not do it", "Try again with the same words."
    ),
    (TooManyRequests, vocabulary.MyData): Denial(
        TooOften,
        "you have looked often enough for now",
        "Nothing was shown. Wait a minute and try again.",
    ),
    (NotYou, vocabulary.ForgetMe): Denial(
        ServerMismatch,
        "the server knows you by another name",
        "Nothing was erased. Ask the server's admin.",
    ),
    # the peer of a chat, who must not refuse these
    (BadProof, vocabulary.Hello): Denial(WireError, "the peer refused {sent}"),
    (OutOfTurn, vocabulary.Say): Denial(WireError, "the peer refused {sent}"),
    # whatever the command was
    (TooManyRequests, None): Denial(TooOften, "the server does not do that so often"),
    (ServerTrouble, None): Denial(ServerInTrouble, "the server could not do it"),
    (NothingToEnd, None): Denial(NotNow, "that was over already", "Nothing was changed."),
}


def denial(refusal: Refusal, command: type[amp.Command], **facts: str) -> SecurecomError:
    """The error that tells the person of a refusal.

    :param command: the command that was refused.
    :param facts: what the row's sentence has in braces.
    """
    kind = type(refusal)
    row = DENIALS.get((kind, command)) or DENIALS[kind, None]
    error = row.error(row.what.format(**facts), row.hint, *row.suggested)
    if isinstance(error, WasRefused | AskedTooSoon) and refusal.seconds is not None:
        error.wait = refusal.seconds
        error.hint = f"{error.hint} Ask again in {duration(refusal.seconds)}."
    return error


def denied(failure: Failure, /, command: type[amp.Command], **facts: str) -> Failure:
    """An errback: a refusal becomes its error, and any other failure is passed on."""
    if not isinstance(failure.value, Refusal):
        return failure
    return Failure(denial(failure.value, command, **facts))
