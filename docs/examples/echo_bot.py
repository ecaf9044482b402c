"""A bot that says again whatever is said to it: docs/bots.md.

python3 echo_bot.py [OPTION...]      options of securecom: --profile echo, say
"""

from __future__ import annotations

import json
import subprocess
import sys
from typing import IO, Any


def do(client: IO[str], command: str, **fields: str) -> None:
    """Give the client a command."""
    client.write(json.dumps({"command": command, **fields}) + "\n")
    client.flush()


def heard(event: dict[str, Any], client: IO[str]) -> None:
    """What the bot does about an event; most are none of its business."""
    match event["event"]:
        case "asked" if event["trust"] == "changed":  # nobody is here who could find out why
            do(client, "refuse", name=event["name"])
        case "asked":
            do(client, "accept", name=event["name"])
        case "message":
            do(client, "say", text=event["text"])
        case "availability" if event["available"]:
            print("available", file=sys.stderr)
        case "problem":
            print(f"SC-{event['code']} {event['what']}", file=sys.stderr)
        case "result" if not event["ok"]:
            print(f"{event['command']}: SC-{event['code']} {event['what']}", file=sys.stderr)


def main(options: list[str]) -> int:
    """Run until the client ends; its exit code."""
    command = ["securecom", "--json", "--stay", "--available", "--no-pass", *options]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, encoding="utf-8"
    ) as client:
        if client.stdin is not None and client.stdout is not None:  # they are pipes
            for line in client.stdout:
                heard(json.loads(line), client.stdin)
    return client.returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
