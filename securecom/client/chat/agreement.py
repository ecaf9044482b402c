"""What both sides must mean by one chat, each from its own notes."""

from __future__ import annotations

from typing import Literal

from securecom import peers
from securecom.identity import Name, PublicKey, framed
from securecom.safety_number import safety_number
from securecom.values import Value

Role = Literal["caller", "callee"]


class ChatTerms(Value):
    """How long a chat may last, as the two people asked.

    :param asked: in seconds. Empty if nobody asked for an end; one number if the caller asked for
        it and the callee accepted; two if both sent a request, the caller's first, 0 for no end.
    """

    asked: tuple[int, ...] = ()

    @classmethod
    def of(cls, seconds: int | None) -> ChatTerms:
        """What one request asks for; None: a chat without an end."""
        return cls() if seconds is None else cls((seconds,))

    def crossed_with(self, theirs: int | None, role: Role) -> ChatTerms:
        """These are our request's, and the other person sent one too.

        :param role: ours.
        """
        asked = (self.seconds or 0, theirs or 0)
        if not any(asked):
            return ChatTerms()
        return ChatTerms(asked if role == "caller" else asked[::-1])

    @property
    def seconds(self) -> int | None:
        """How long the chat lasts: the shorter of two, since both people agreed to it."""
        return min((seconds for seconds in self.asked if seconds), default=None)

    @property
    def parts(self) -> tuple[bytes, ...]:
        """What HELLO says of them: nothing about a chat for which nobody asked for an end."""
        return (b"".join(one.to_bytes(4, "big") for one in self.asked),) if self.asked else ()


NO_END = ChatTerms()


class Agreement(Value):
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
    terms: ChatTerms = NO_END

    @property
    def peer_role(self) -> Role:
        """The other one."""
        return "callee" if self.role == "caller" else "caller"

    @property
    def about_peer(self) -> bytes:
        """What tells this pair of people, at this server, from others: for files that wait."""
        return b"\0".join((self.server, self.own.encode("ascii"), self.peer.encode("ascii")))

    @property
    def safety_number(self) -> str:
        """What the two people may compare: 60 digits."""
        return safety_number((self.own, self.own_key), (self.peer, self.peer_key))

    def hello(self, binding: bytes, role: Role) -> bytes:
        """The proof that the one in `role` means this chat, over this end-to-end session.

        :param binding: `proofs.chat_binding` of the session (32 bytes).
        """
        return peers.mac(binding, b"hello", *self._parts(role))

    def words_context(self, binding: bytes) -> bytes:
        """What the six words stand for: these two names and keys, this server and this chat.

        :param binding: `peers.chat_binding` of the first epoch (32 bytes).
        """
        return peers.mac(binding, b"words", *self._meant())

    def rekey_hello(self, secret: bytes, number: int, binding: bytes, role: Role) -> bytes:
        """The proof that the one in `role` goes on with this chat in its next epoch.

        :param secret: `proofs.chat_rekey` of the present epoch (32 bytes).
        :param number: the next epoch's; the first epoch of a chat is 0.
        :param binding: `proofs.chat_binding` of the next epoch (32 bytes).
        """
        place = number.to_bytes(4, "big")
        return peers.mac(secret, b"rekey", place, binding, *self._parts(role))

    def hello_said(self, binding: bytes, role: Role) -> bytes:
        """What the second key of the one in `role` signs: what `hello` is a code of."""
        return framed(b"hello", binding, *self._parts(role))

    def rekey_said(self, number: int, binding: bytes, role: Role) -> bytes:
        """The same for `rekey_hello`."""
        return framed(b"rekey", number.to_bytes(4, "big"), binding, *self._parts(role))

    def _parts(self, role: Role) -> tuple[bytes, ...]:
        return (role.encode("ascii"), *self._meant())

    def _meant(self) -> tuple[bytes, ...]:
        own, peer = (self.own, self.own_key), (self.peer, self.peer_key)
        caller, callee = (own, peer) if self.role == "caller" else (peer, own)
        return (
            self.server,
            caller[0].encode("ascii"),
            caller[1].encoded,
            callee[0].encode("ascii"),
            callee[1].encoded,
            self.chat,
            *self.terms.parts,
        )
