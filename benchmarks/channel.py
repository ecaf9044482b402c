"""A client's end of a channel, as light as it can be and still speak the protocol.

Sockets are given to OpenSSL directly, one TLS record a `send`. The server's certificate is not
checked and its commands are answered by whoever waits for them: the load is what a real client
causes, the generator's own work is less.
"""

from __future__ import annotations

import contextlib
import socket
from collections import deque
from typing import Any

from OpenSSL import SSL
from twisted.protocols import amp

from benchmarks.loop import READ, WRITE, Loop, fail, ready
from securecom import framing, tls
from securecom.control import parse_box
from securecom.tls import Credentials

_RECORD = 16 * 1024
_LANES = frozenset({framing.CONTROL, framing.CHAT})
_TAG = b"1"  # one command at a time


def context(alpn: bytes | None, credentials: Credentials | None = None) -> SSL.Context:
    """TLS 1.3 as a client speaks it, without a look at the server's certificate."""
    made = SSL.Context(SSL.TLS_METHOD)
    made.set_min_proto_version(SSL.TLS1_3_VERSION)
    made.set_session_cache_mode(SSL.SESS_CACHE_OFF)
    made.set_mode(SSL.MODE_RELEASE_BUFFERS)
    if alpn is not None:
        made.set_alpn_protos([alpn])
    if credentials is not None:
        made.use_certificate(credentials.certificate)
        made.use_privatekey(credentials.key)
    return made


class Channel:
    """One TLS connection.

    :param source: the loopback address it comes from; the server counts connections by address.
    """

    def __init__(self, loop: Loop, made: SSL.Context, source: str, port: int) -> None:
        self._loop = loop
        self._socket = socket.socket()
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._socket.setsockopt(socket.IPPROTO_IP, socket.IP_BIND_ADDRESS_NO_PORT, 1)
        self._socket.bind((source, 0))
        self._socket.connect(("127.0.0.1", port))  # at once, on loopback
        self._socket.setblocking(False)
        self._fd = self._socket.fileno()
        self.tls = SSL.Connection(made, self._socket)
        self.tls.set_connect_state()
        self._decoder = framing.Decoder(_LANES)
        self._items: deque[framing.Frame | framing.Run] = deque()

    async def handshake(self) -> None:
        """Up to and with our Finished."""
        while True:
            try:
                self.tls.do_handshake()
            except SSL.WantReadError:
                await ready(self._fd, READ)
            else:
                break
        if self.tls.get_group_name() != tls.GROUP:
            fail(f"the group is {self.tls.get_group_name()}")

    async def receive(self) -> bytes:
        """One record's bytes."""
        while True:
            if not self.tls.pending():
                await ready(self._fd, READ)
            try:
                return self.tls.recv(_RECORD)
            except SSL.WantReadError:
                continue

    async def send(self, data: bytes) -> None:
        """All of it, in as few records as it takes."""
        rest = data
        while rest:
            try:
                rest = rest[self.tls.send(rest) :]
            except SSL.WantWriteError:
                await ready(self._fd, WRITE)

    def close(self) -> None:
        """Say goodbye to TLS and go."""
        self._loop.forget(self._fd)
        with contextlib.suppress(SSL.Error):
            self.tls.shutdown()
        self._socket.close()

    # --- frames -----------------------------------------------------------------------------

    async def item(self) -> framing.Frame | framing.Run:
        """The next frame, or run of chat frames."""
        while not self._items:
            self._items.extend(self._decoder.feed(await self.receive()))
        return self._items.popleft()

    async def box(self) -> amp.AmpBox:
        """The next control frame's box; nothing else may come."""
        item = await self.item()
        if not isinstance(item, framing.Frame):
            fail("chat frames where an answer was due")
        return parse_box(item.body)

    async def call(self, command: type[amp.Command], **arguments: Any) -> dict[str, Any]:
        """Send a command and wait for its answer."""
        await self.ask(command, **arguments)
        return await self.answer(command)

    async def ask(self, command: type[amp.Command], **arguments: Any) -> None:
        """Send a command."""
        box = command.makeArguments(arguments, None)
        box[amp.COMMAND], box[amp.ASK] = command.commandName, _TAG
        await self._send_box(box)

    async def answer(self, command: type[amp.Command]) -> dict[str, Any]:
        """The answer to the command that was sent."""
        box = await self.box()
        if amp.ANSWER not in box:
            fail(f"{command.__name__} was not answered: {dict(box)}")
        parsed: dict[str, Any] = command.parseResponse(box, None)
        return parsed

    async def respond(self, command: type[amp.Command], **answer: Any) -> dict[str, Any]:
        """Answer the command that comes next; its arguments."""
        box = await self.box()
        if box.get(amp.COMMAND) != command.commandName:
            fail(f"not {command.__name__}: {dict(box)}")
        answer_box = command.makeResponse(answer, None)
        answer_box[amp.ANSWER] = box[amp.ASK]
        await self._send_box(answer_box)
        parsed: dict[str, Any] = command.parseArguments(box, None)
        return parsed

    async def _send_box(self, box: amp.AmpBox) -> None:
        await self.send(framing.encode(framing.CONTROL, box.serialize()))
