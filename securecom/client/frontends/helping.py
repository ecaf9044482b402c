"""`/help`: what makes sense now, short enough for one screen; `/help all` and one command's."""

from __future__ import annotations

from securecom.client.events import Help, HelpLine
from securecom.client.frontends import commands
from securecom.client.frontends.commands import Command, State

#: Every command once, in the order in which help shows them, under a heading.
GROUPS: dict[str, tuple[Command, ...]] = {
    "a chat": (
        *(commands.USERS, commands.CHAT, commands.CANCEL, commands.ACCEPT, commands.REFUSE),
        *(commands.DISMISS, commands.SAY, commands.VERIFY, commands.LOG, commands.STOP),
    ),
    "who may ask you": (
        *(commands.AVAILABLE, commands.AWAY, commands.SET, commands.REQUESTS),
        *(commands.BLOCK, commands.UNBLOCK, commands.BLOCKED),
    ),
    "keys": (commands.WHOIS, commands.FINGERPRINT, commands.TRUST, commands.NEWKEY),
    "what is yours": (commands.BACKUP, commands.MY_DATA, commands.FORGET_ME),
    "this program": (commands.HELP, commands.EXIT),
}

_PAIRS = [(group, command) for group, those in GROUPS.items() for command in those]

#: What the short help has a line for, while it makes sense, and the line; the rest are names.
BRIEF: dict[Command, str] = {
    commands.USERS: "who is available",
    commands.CHAT: "ask for a chat: nothing is sent before a yes",
    commands.CANCEL: "withdraw your request",
    commands.ACCEPT: "say yes; who asked writes first",
    commands.REFUSE: "say no",
    commands.DISMISS: "say nothing, as if you were not there",
    commands.SAY: "goes to the other; //x sends /x",
    commands.VERIFY: "is it really them? compare, then say it",
    commands.LOG: "keep a log, if both say so",
    commands.STOP: "end the chat and erase its keys",
    commands.AVAILABLE: "let people ask you for a chat",
    commands.AWAY: "let nobody ask you",
    commands.REQUESTS: "who asks, and who asked in vain",
    commands.HELP: "more about one of these, or about all",
    commands.EXIT: "leave",
}


def help_on(topic: str | None, state: State) -> Help:
    """On one command, or on every one: by groups, or what is most needed now first."""
    if topic is None:
        pairs = sorted(_PAIRS, key=lambda pair: _rank(pair[1], state))
    elif topic == commands.ALL:
        pairs = _PAIRS
    else:
        pairs = [pair for pair in _PAIRS if pair[1].word == topic]
    return Help(topic, [_line(group, command, state) for group, command in pairs])


def _rank(command: Command, state: State) -> int:
    """What makes sense in few states comes first in these; what has no brief line, last."""
    is_near = state in command.states and command in BRIEF
    return len(command.states) if is_near else len(State) + 1


def _line(group: str, command: Command, state: State) -> HelpLine:
    also = [f"/{word}" for word in command.also] + [command.original] * bool(command.original)
    now = state in command.states
    brief = BRIEF.get(command, "")
    return HelpLine(command.word, command.usage, also, command.about, now, group, brief)
