"""An invitation to a server that nobody runs."""

from __future__ import annotations

from securecom import limits
from securecom.invitation import Host, Invitation

SERVER = bytes(range(32))


INVITATION = Invitation(Host("chat.example.org"), 4241, SERVER, bytes(limits.TOKEN_BYTES))
