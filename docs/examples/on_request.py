"""Answers securecom's chat requests, one each time it is run: docs/bots.md.

securecom --available --on-request "python3 /path/to/on_request.py"

Whoever we have verified comes in, strangers find nobody at home, and about the rest (somebody whom
we have met, a key that changed) we are asked.
"""

from __future__ import annotations

import json
import sys
from typing import Any


def answer(request: dict[str, Any]) -> str:
    """What becomes of a request."""
    match request["trust"]:
        case "verified":
            return "accept"
        case "new":
            return "dismiss"
    return "ask"


if __name__ == "__main__":
    json.dump({"answer": answer(json.loads(sys.stdin.readline()))}, sys.stdout)
