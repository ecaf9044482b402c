"""What a program that answers chat requests is, is asked and may answer (docs/bots.md)."""

from __future__ import annotations

import json
import os
import shlex
import shutil
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, get_args

from securecom import limits
from securecom.client.coordination.consent import Decision, Facts, Verdict
from securecom.client.frontends.jsonl import INTERFACE
from securecom.errors import NoProgram

#: What a program gets of our environment: where things are, and how people write here.
_PASSED_ON = ("PATH", "HOME", "TMPDIR", "TZ", "LANG", "LC_ALL", "LC_CTYPE")
_WORDS: dict[str, Decision] = {
    **{verdict: verdict for verdict in get_args(Verdict)},
    "ask": "ask",
}

Command = tuple[str, ...]


def split(text: str) -> Command:
    """A command as a shell would split it; an empty one is no program.

    :raises NoProgram: if there is no such program, or it may not be run.
    """
    try:
        return resolved(tuple(shlex.split(text)))
    except ValueError as error:
        raise NoProgram(f"that is no command ({str(error).lower()})") from None


def resolved(command: Command) -> Command:
    """The same with the program's whole path. :raises NoProgram: see above."""
    if not command:
        return command
    is_text = _is_text("".join(command))
    found = shutil.which(os.path.expanduser(command[0])) if is_text else None
    if found is None:
        raise NoProgram("the program of on_request is not there, or may not be run")
    return (os.path.abspath(found), *command[1:])


def _is_text(text: str) -> bool:
    """What a profile can hold, and the system takes: a command line need not be UTF-8."""
    try:
        return b"\0" not in text.encode("utf-8")
    except UnicodeEncodeError:
        return False


def environment(ours: Mapping[str, str]) -> dict[str, str]:
    """The program's."""
    return {name: ours[name] for name in _PASSED_ON if name in ours}


def question(facts: Facts) -> bytes:
    """One line of ASCII, the only one."""
    told = {"event": "asked", "interface": INTERFACE, **asdict(facts)}
    return json.dumps(told, ensure_ascii=True, separators=(",", ":")).encode("ascii") + b"\n"


def read_answer(said: bytes) -> Decision:
    """:raises ValueError: saying in a few words of ours what is wrong with it."""
    if len(said) > limits.MAX_PROGRAM_ANSWER:
        raise ValueError(f"it wrote more than {limits.MAX_PROGRAM_ANSWER} bytes")
    if not said.strip():
        raise ValueError("it wrote nothing")
    try:
        told: Any = json.loads(said.decode("utf-8"), object_pairs_hook=tuple)
    except (ValueError, RecursionError):
        told = None
    if not isinstance(told, tuple):  # that is what the hook makes of an object, each key it has
        raise ValueError("what it wrote is not one JSON object")
    match told:
        case (("answer", str(word)),) if word in _WORDS:
            return _WORDS[word]
    raise ValueError('its object is not an "answer" that is accept, refuse, dismiss or ask')
