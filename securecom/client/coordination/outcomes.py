"""Errors for what does not fit the requests and chats that are going on, and how these end."""

from __future__ import annotations

from typing import Literal

from securecom.client.terms import duration
from securecom.errors import (
    ChatFailed,
    IsBusy,
    NotAnswered,
    NotNow,
    PeerFault,
    PeerKeyChanged,
    SecurecomError,
    WasCancelled,
    WasRefused,
)
from securecom.identity import Name, PublicKey

Outcome = Literal["refused", "no-answer", "busy", "cancelled", "failed"]


def key_changed(name: Name, key: PublicKey) -> PeerKeyChanged:
    """Another key than the pinned one, which the person has not taken: what it would take."""
    return PeerKeyChanged(
        f"{name}'s key is not the one you know",
        "No message was sent to it. Call them and ask whether they have a new key.",
        ("trust", f"{name} {key.fingerprint}"),
    )


def key_retired(name: Name) -> PeerKeyChanged:
    """The pinned key, which its owner has retired."""
    return PeerKeyChanged(
        f"{name} has retired this key, so whoever uses it is not {name}",
        "No message was sent to it. Ask them, by phone or in person, for their new key.",
    )


def somebody_asks() -> NotNow:
    """A request that the person has not seen yet is being decided about."""
    return NotNow("somebody is just asking you", "Nothing was sent. Try again in a moment.")


def asks_already(name: Name) -> NotNow:
    """One request at a time, and theirs is there."""
    return NotNow(f"{name} is asking you", "Nothing was sent.", ("accept", ""), ("refuse", ""))


def is_not_asking(name: Name) -> NotNow:
    """An answer to somebody whose request is not there."""
    return NotNow(f"{name} is not asking you")


def now_asks(name: Name) -> NotNow:
    """A yes without a name, just after another person's request took the place of the first."""
    return NotNow(f"now it is {name} who asks", "Nothing was sent.", ("accept", name))


def altered(name: Name) -> NotNow:
    """They ask anew, and what they ask is not what the person saw a moment ago."""
    what = f"{name} has just asked anew, with another key or for another time"
    return NotNow(what, "Nothing was sent. Look at it first.", ("accept", ""), ("refuse", ""))


def other_span(name: Name, chat_seconds: int | None) -> NotNow:
    """They ask for a chat of another length than we do."""
    span = "without an end" if chat_seconds is None else f"for {duration(chat_seconds)}"
    return NotNow(
        f"{name} asks to chat {span}",
        "Nothing was sent. Agree to that, or refuse and ask for what you want.",
        ("accept", name),
        ("refuse", ""),
    )


def word_of(error: SecurecomError) -> Outcome:
    """The outcome of a request, in one word."""
    match error:
        case WasRefused():
            return "refused"
        case WasCancelled():
            return "cancelled"
        case IsBusy():
            return "busy"
        case NotAnswered():
            return "no-answer"
    return "failed"


def chat_failed(what: str, reason: Exception | None) -> SecurecomError:
    """Why a chat never stood, or was cut.

    :param what: what happened, as the person sees it.
    :param reason: why, if we know: the peer's fault, or an error with words of its own.
    """
    if isinstance(reason, PeerFault):
        return ChatFailed(f"{what} ({reason.what})")
    return reason if isinstance(reason, SecurecomError) else ChatFailed(what)
