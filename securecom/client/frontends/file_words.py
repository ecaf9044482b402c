"""What people read about files."""

from __future__ import annotations

from functools import singledispatch

from securecom.client import events as e
from securecom.client import file_events
from securecom.client.frontends.marks import FACT, FRAME, Line
from securecom.client.terms import duration

# A peer chooses the name of a file. It has no quotation marks in it (`files.names.safe_name`), so
# between ours it cannot go on as words of ours.

_KIB = 1024
_ENDED = {
    ("out", "done"): '"{file}" arrived at {name}, whole and checked ({size})',
    ("in", "done"): '"{file}" is here, whole and checked ({size}): {path}',
    ("out", "declined"): '{name} does not want "{file}"',
    ("in", "declined"): 'you declined "{file}"',
    ("out", "cancelled-by-me"): 'you cancelled "{file}"',
    ("in", "cancelled-by-me"): 'you cancelled "{file}"; what had arrived is deleted',
    ("out", "cancelled-by-peer"): '{name} cancelled "{file}" at {done} of {size}',
    ("in", "cancelled-by-peer"): '{name} cancelled "{file}" at {done} of {size}',
    ("out", "chat-over"): '"{file}" stopped at {done} of {size}: the chat is over',
    ("in", "chat-over"): '"{file}" stopped at {done} of {size}: the chat is over',
    ("out", "changed"): '"{file}" changed after you offered it, so the rest was not sent',
    ("in", "changed"): '"{file}" changed at {name}\'s after it was offered: it is not saved',
    ("out", "damaged"): '"{file}" arrived DAMAGED at {name}: it is not saved there',
    ("in", "damaged"): '"{file}" arrived DAMAGED (another SHA-256 than offered): it is not saved',
    ("out", "failed-here"): '"{file}" could not be read to its end and was not sent',
    ("in", "failed-here"): '"{file}" could not be saved',
    ("out", "failed-there"): '{name} could not save "{file}"',
    ("in", "failed-there"): '{name} could not read "{file}" to its end',
}
_STATES = {"offered": "on offer", "under-way": "under way", "checking": "being checked"}


def amount(count: int) -> str:
    """Bytes as people say them: 512 bytes, 1.2 MiB."""
    if count < _KIB:
        return "1 byte" if count == 1 else f"{count} bytes"
    value = float(count)
    for unit in ("KiB", "MiB", "GiB"):
        value /= _KIB
        if value < 1000:  # noqa: PLR2004
            return f"{value:.3g} {unit}"
    return f"{value / _KIB:.3g} TiB"


@singledispatch
def file_words(event: e.Event) -> list[Line]:
    """The lines of such an event."""
    return []


@file_words.register
def _(event: file_events.FileOffered) -> list[Line]:
    digest = (FRAME, f"    SHA-256 {event.sha256}")
    if event.direction == "in":
        answers = f"/get {event.number} fetches it, /decline {event.number} refuses it"
        what = f'{event.name} offers a file: "{event.file}" ({amount(event.size)}); {answers}'
        return [(FRAME, what), digest]
    waits = f"nothing is sent before they fetch it; /cancel {event.number} withdraws it"
    return [
        (FRAME, f"{event.number} {event.file} ({amount(event.size)}) is offered; {waits}"),
        digest,
    ]


@file_words.register
def _(event: file_events.FileProgress) -> list[Line]:
    share = 100 * event.done // max(event.size, 1)
    way = "from" if event.direction == "in" else "to"
    left = "" if event.seconds_left is None else f", {duration(event.seconds_left)} left"
    done = f"{amount(event.done)} of {amount(event.size)}, {amount(event.rate)}/s{left}"
    return [(FRAME, f'{event.number} "{event.file}" {way} {event.name}: {share} % ({done})')]


@file_words.register
def _(event: file_events.FileOver) -> list[Line]:
    text = _ENDED[event.direction, event.ending].format(
        file=event.file,
        name=event.name,
        size=amount(event.size),
        done=amount(event.done),
        path=event.path,
    )
    if event.resumable:
        text += "; what has arrived is kept, and the same file goes on from there"
    return [(FRAME, text)]


@file_words.register
def _(event: file_events.Transfers) -> list[Line]:
    if not event.transfers:
        return [(FACT, "no file is on offer or under way")]
    return [line for one in event.transfers for line in file_words(one)]


@file_words.register
def _(event: file_events.Transfer) -> list[Line]:
    way = "from" if event.direction == "in" else "to"
    done = f"{amount(event.done)} of {amount(event.size)}"
    state = _STATES[event.state]
    return [(FACT, f'{event.number} "{event.file}" {way} {event.name}: {state}, {done}')]
