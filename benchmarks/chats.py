"""Pairs of connections through which opaque chat frames flow, over each kind of server."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from benchmarks.channel import Channel, context
from benchmarks.loop import Loop, fail
from benchmarks.people import Person, Visit
from benchmarks.process import Server, Variant
from securecom import framing, vocabulary

_SETTING_UP = 120.0
_ANY_STREAM = 1


@dataclass(frozen=True)
class Chat:
    """Two connections that the server has joined.

    :param number: of the stream.
    """

    caller: Channel
    callee: Channel
    number: int
    ident: bytes = bytes(16)


async def accepted(caller: Visit, callee: Visit) -> Chat:
    """A chat that was asked for and accepted."""
    await callee.standard.call(vocabulary.SetAvailability, available=True)
    await caller.standard.ask(vocabulary.RequestChat, callee=callee.person.name)
    offer = await callee.request.respond(vocabulary.OfferChat, answer="accept")
    if offer["caller"] != caller.person.name:
        fail("an offer of somebody else's")
    stream = await callee.standard.respond(vocabulary.OpenStream)
    opened = await caller.standard.answer(vocabulary.RequestChat)
    if opened["stream"] != stream["stream"]:
        fail("two ends of a chat with two streams")
    return Chat(caller.standard, callee.standard, stream["stream"], stream["chat"])


@contextlib.contextmanager
def visits(loop: Loop, server: Server, people: Sequence[Person]) -> Iterator[list[Visit]]:
    """All these people online, with both channels."""
    made: list[Visit] = []

    async def arrive(person: Person) -> None:
        visit = Visit(loop, server, person)
        made.append(visit)
        await visit.log_in()
        await visit.prove()

    try:
        for person in people:
            loop.run(arrive(person), _SETTING_UP)
        yield made
    finally:
        loop.drop_all()
        for visit in made:
            visit.close()


@contextlib.contextmanager
def chats(
    loop: Loop, variant: Variant, server: Server, people: Sequence[Person]
) -> Iterator[list[Chat]]:
    """A chat for each two of these people."""
    if not variant.speaks:
        with _byte_pairs(loop, server, people) as pairs:
            yield pairs
        return
    with visits(loop, server, people) as here:
        made: list[Chat] = []

        async def begin(caller: Visit, callee: Visit) -> None:
            made.append(await accepted(caller, callee))

        for caller, callee in zip(here[::2], here[1::2], strict=True):
            loop.run(begin(caller, callee), _SETTING_UP)
        yield made


@contextlib.contextmanager
def _byte_pairs(loop: Loop, server: Server, people: Sequence[Person]) -> Iterator[list[Chat]]:
    """The same for a server that joins each two connections that come one after the other."""
    plain = context(alpn=None)
    made: list[Channel] = []
    try:
        for person in people:
            channel = Channel(loop, plain, person.source, server.standard)
            made.append(channel)
            loop.run(channel.handshake(), _SETTING_UP)
        pairs = zip(made[::2], made[1::2], strict=True)
        yield [Chat(one, other, _ANY_STREAM) for one, other in pairs]
    finally:
        loop.drop_all()
        for channel in made:
            channel.close()


async def check(chat: Chat) -> None:
    """What one sends, the other gets, unchanged."""
    sent = framing.encode_chat(chat.number, b"is this the right one?")
    await chat.caller.send(sent)
    came = await chat.callee.item()
    if came != framing.Run(chat.number, sent):
        fail("a chat frame that was changed on its way")
