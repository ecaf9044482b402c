"""The connection, and who may ask us, in words."""

from __future__ import annotations

from securecom.client import events as e
from securecom.client.durations import duration
from securecom.client.frontends.wording.line import FACT, Line, person, words

_TO_NOBODY = "nobody: none of them is among the people whom you have met"


@words.register
def _(event: e.Connecting) -> list[Line]:
    return [(FACT, f"connecting to {event.host}, port {event.port}")]


@words.register
def _(event: e.Online) -> list[Line]:
    again = "again " if event.again else ""
    return [(FACT, f"on line {again}as {event.name}; the server is {event.server}")]


@words.register
def _(event: e.Offline) -> list[Line]:
    if event.retry_in is None:  # the problem that follows says why
        return [(FACT, "off line")]
    retry = f"Trying again in {max(event.retry_in, 1):.0f} s"
    return [(FACT, f"off line: {event.why.rstrip('.')}. {retry}")]


@words.register
def _(event: e.RequestChannel) -> list[Line]:
    if not event.up:
        return [(FACT, "the request channel is down: chat requests cannot reach you for now")]
    port = "" if event.port is None else f"; the server dialled port {event.port}"
    return [(FACT, f"the request channel is up{port}")]


@words.register
def _(event: e.Availability) -> list[Line]:
    lasts = "" if event.seconds is None else f" for {duration(event.seconds)}"
    if not event.available:
        hint = "; /available changes that" if event.seconds is None else ""
        return [(FACT, f"away{lasts}: nobody can ask you{hint}")]
    if event.to is None:
        return [(FACT, f"available{lasts}: anybody here may ask you for a chat")]
    return [(FACT, f"available{lasts} to {', '.join(event.to) or _TO_NOBODY}")]


@words.register
def _(event: e.Users) -> list[Line]:
    matching = f" with {event.text!r} in the name" if event.text else ""
    if not event.users:
        return [(FACT, f"nobody{matching} is available")]
    names = ", ".join(person(user, *["busy"] * (user.name in event.busy)) for user in event.users)
    more = "; there are more: /users TEXT narrows it down" if event.more else ""
    return [(FACT, f"{len(event.users)}{matching} available: {names}{more}")]
