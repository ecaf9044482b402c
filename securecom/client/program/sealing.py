"""Encrypting a backup in a process of its own.

It takes a second and more, and pyrage holds the interpreter's lock meanwhile: in a thread of ours
nothing else would move, chats and pings neither. The secrets go through a pipe.
"""

from __future__ import annotations

import os
import subprocess
import sys

from securecom import limits, process
from securecom.client.profile.backup import seal, unmeasured
from securecom.errors import BackupProblem

_LENGTH = 4
#: The exit status for a machine that cannot be measured; others are Python's.
_UNMEASURED = 3


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
            check=False,
            env=environment,
            timeout=limits.SEAL_DEADLINE,
        )
    except (OSError, subprocess.SubprocessError) as error:
        why = type(error).__name__
        raise BackupProblem(f"the backup could not be encrypted ({why})") from None
    if done.returncode == _UNMEASURED:
        raise unmeasured()
    if done.returncode:
        raise BackupProblem(f"the backup could not be encrypted (status {done.returncode})")
    return done.stdout


def main() -> None:
    """The other end."""
    process.forbid_core_dumps()
    told = sys.stdin.buffer.read()
    end = _LENGTH + int.from_bytes(told[:_LENGTH], "big")
    try:
        sealed = seal(told[end:], told[_LENGTH:end].decode("utf-8"))
    except BackupProblem:
        sys.exit(_UNMEASURED)
    sys.stdout.buffer.write(sealed)


if __name__ == "__main__":
    main()
