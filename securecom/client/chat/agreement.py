"""What both sides must mean by one chat, each from its own notes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from securecom import peers
from securecom.identity import Name, PublicKey
from securecom.safety_number import safety_number

Role = Literal["caller", "callee"]
#: How long a chat may last, in seconds, as the two asked: nothing if nobody asked for an end; what
#: the caller asked and the callee accepted; or what each asked, the caller first, 0 for no end.
Span = tuple[int, ...]


def crossed_span(role: Role, own: int | None, theirs: int | None) -> Span:
    """What both asked, each with a request of their own."""
    asked = (own or 0, theirs or 0)
    if not any(asked):
        return ()
    return asked if role == "caller" else asked[::-1]


@dataclass(frozen=True)
class Agreement:
    """Server (its id, 32 bytes), chat id (16 bytes), our role, and who the two are.

    The peer's name is from our own request or the offer we accepted; the peer's key from our pin,
    or at first contact from the server. A server that lies about either is found out by `hello`,
    unless it lies to both alike, which is what comparing safety numbers is for.
    """

    server: bytes
    chat: bytes
    role: Role
    own: Name
    own_key: PublicKey
    peer: Name
    peer_key: PublicKey
    span: Span = ()

    @property
    def seconds(self) -> int | None:
        """How long the chat lasts: of two spans the shorter, which both have agreed to."""
        return min((seconds for seconds in self.span if seconds), default=None)

    @property
    def peer_role(self) -> Role:
        """The other one."""
        return "callee" if self.role == "caller" else "caller"

    @property
    def safety_number(self) -> str:
        """What the two people may compare: 60 digits."""
        return safety_number((self.own, self.own_key), (self.peer, self.peer_key))

    def hello(self, binding: bytes, role: Role) -> bytes:
        """The proof that the one in `role` means this chat, over this end-to-end session.

        :param binding: `proofs.chat_binding` of the session (32 bytes).
        """
        return peers.mac(binding, b"hello", *self._parts(role))

    def rekey_hello(self, secret: bytes, number: int, binding: bytes, role: Role) -> bytes:
        """The proof that the one in `role` goes on with this chat in its next epoch.

        :param secret: `proofs.chat_rekey` of the present epoch (32 bytes).
        :param number: the next epoch's; the first epoch of a chat is 0.
        :param binding: `proofs.chat_binding` of the next epoch (32 bytes).
        """
        place = number.to_bytes(4, "big")
        return peers.mac(secret, b"rekey", place, binding, *self._parts(role))

    def _parts(self, role: Role) -> tuple[bytes, ...]:
        own, peer = (self.own, self.own_key), (self.peer, self.peer_key)
        caller, callee = (own, peer) if self.role == "caller" else (peer, own)
        return (
            role.encode("ascii"),
            self.server,
            caller[0].encode("ascii"),
            caller[1].raw,
            callee[0].encode("ascii"),
            callee[1].raw,
            self.chat,
            *([b"".join(one.to_bytes(4, "big") for one in self.span)] if self.span else []),
        )
