"""Events about agreed logs in words."""

from __future__ import annotations

from datetime import datetime

from securecom.client import events as e
from securecom.client.frontends.wording.line import FRAME, Line, words

#: What an agreement can do, and what not: said to who asks or agrees.
_HONEST = (
    FRAME,
    "this binds clients that keep their word: a changed one, or a camera, keeps what it likes",
)
_ASKED = "{name} is asked to keep a log of this chat; nothing is written until they agree"
_ASKS = "{name} asks to keep a log of this chat: /log on agrees, /log off declines"
_ON = "log on since {at}: both of you keep this chat; /log off ends it for both; yours is in {file}"
_STANDS = {
    "off": "log off: nothing of this chat is written",
    "asked-by-me": "log off: {name} has not answered your question for one",
    "asked-by-peer": _ASKS,
    "on": _ON,
}
_CHANGES = {
    ("me", "asked-by-me", "off"): "log off: you no longer ask for one",
    ("me", "asked-by-peer", "off"): "log off: you do not agree to one",
    ("me", "on", "off"): "log off: you ended it for both; it is in {file}",
    ("peer", "asked-by-me", "off"): "log off: {name} does not agree to one",
    ("peer", "asked-by-peer", "off"): "log off: {name} no longer asks for one",
    ("peer", "on", "off"): "log off: {name} ended it for both; yours is in {file}",
    ("nobody", "on", "off"): "log off: it ends with the chat; it is in {file}",
}
_ASKING = {"asked-by-me": _ASKED, "asked-by-peer": _ASKS, "on": _ON}


@words.register
def _(event: e.Log) -> list[Line]:
    if event.state == event.before:
        text = _STANDS[event.state]
    else:
        change = (event.by, event.before, event.state)
        text = _CHANGES.get(change) or _ASKING.get(event.state) or _STANDS[event.state]
    at = "" if event.since is None else datetime.fromtimestamp(event.since).strftime("%H:%M")
    told = (FRAME, text.format(name=event.name, file=event.file, at=at))
    return [told] if event.state == "off" else [told, _HONEST]
