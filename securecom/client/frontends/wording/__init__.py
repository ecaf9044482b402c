"""Events in words: what a person reads, one short line for most, without time or gutter.

A line is a mark and its text. `*` marks facts, `--` what frames a chat, `>` one's own messages,
`NAME|` a peer's, `(server)` the server's: no name contains `*`, `-` in front, `>`, `|` or `(`.
Text is raw here.
"""

from __future__ import annotations

from securecom.client.frontends.wording import (
    account,
    chat,
    connection,
    help,
    keys,
    log,
    program,
    requests,
)
from securecom.client.frontends.wording.line import FACT, FRAME, OWN, SERVER, TRUST, Line, words

__all__ = ["FACT", "FRAME", "OWN", "SERVER", "TRUST", "Line", "words"]

#: Each teaches `words` its events.
KINDS = (account, chat, connection, help, keys, log, program, requests)
