"""End-to-end encrypted terminal chat that asks before it connects anyone.

Where to begin reading:

1. Words: `limits` (every number), `errors` (what people read), `vocabulary` (what machines say).
2. Bytes: `framing` (frames), `control` (boxes in them), `connection` (TLS that carries them).
3. Who is there: `identity` (names and keys), `peers` (who must be at the other end), `tls`.
4. The server: `server.standard_channel` and `server.session` (one person), `server.switchboard`
   (who is free, who is asked), `server.chat_request` (one request), `server.relay` (one chat).
5. The client: `client.coordination.coordinator` between `client.main_role` and
   `client.daemon_role`, then `client.chat.chat_session` (the end-to-end session) and
   `client.frontends`.
6. The ends: `tap` (twistd), `admin`, `client.program.running`.

The bytes are in docs/protocol.md, the ways through the house in docs/architecture.md.
"""

__version__ = "0.2.0"
