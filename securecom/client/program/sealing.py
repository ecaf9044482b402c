"""Encrypting a backup in a process of its own.

It takes a second and more, and pyrage holds the interpreter's lock meanwhile: in a thread of ours
nothing else would move, chats and pings neither. The secrets go through a pipe.
"""

from __future__ import annotations

import os
import subprocess
import sys

from securecom import limits, process
from securecom.client.profile.sealed import seal
from securecom.errors import BackupProblem

_LENGTH = 4


def seal_in_a_process(data: bytes, pass_phrase: str) -> bytes:
    """`seal`, while this thread waits and others do not. :raises BackupProblem: if it fails."""
    phrase = pass_phrase.encode("utf-8")
    told = len(phrase).to_bytes(_LENGTH, "big") + phrase + data
    # -P: nothing in the folder of the moment is taken for a module of ours.
    command = [sys.executable, "-P", "-m", __name__]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    try:
        done = subprocess.run(  # noqa: S603
            command,
            input=told,
            capture_output=True,
            check=True,
            env=environment,
            timeout=limits.SEAL_DEADLINE,
        )
    except (OSError, subprocess.SubprocessError) as error:
        why = type(error).__name__
        raise BackupProblem(f"the backup could not be encrypted ({why})") from None
    return done.stdout


def main() -> None:
    """The other end."""
    process.forbid_core_dumps()
    told = sys.stdin.buffer.read()
    end = _LENGTH + int.from_bytes(told[:_LENGTH], "big")
    sys.stdout.buffer.write(seal(told[end:], told[_LENGTH:end].decode("utf-8")))


if __name__ == "__main__":
    main()
