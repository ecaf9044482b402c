"""Everything that a client can have to tell its person, one class each.

The same objects serve people (a line of text each) and programs (a JSON object each: the field
names here are that interface, docs/json.md). Names come validated; text from peers is raw here
and goes through `securecom.text.shown` wherever a terminal may see it.
"""

from __future__ import annotations

from securecom.client.events.account import DataFact, ForgetMeMeans, Forgotten, MyData
from securecom.client.events.chat import (
    ChatOpening,
    ChatOver,
    ChatStarted,
    Delivered,
    Log,
    Message,
    Said,
    TimeLeft,
)
from securecom.client.events.connection import (
    Availability,
    Connecting,
    Offline,
    Online,
    RequestChannel,
    User,
    Users,
)
from securecom.client.events.event import KNOWN, Ending, Event, LogState, Trust, Word
from securecom.client.events.keys import (
    Compared,
    Fingerprints,
    KeyFollowed,
    KeyNotRenewed,
    KeyRenewed,
    KeyTaken,
    OldKey,
    SafetyCode,
    SafetyNumber,
    Whois,
)
from securecom.client.events.program import (
    BackedUp,
    Hello,
    Help,
    HelpLine,
    Left,
    Notice,
    Problem,
    SecretWanted,
    problem,
)
from securecom.client.events.requests import (
    AnsweredForYou,
    Asked,
    AskedOver,
    Asking,
    Blocked,
    BlockList,
    Missed,
    MissedRequest,
    RefusedForYou,
    RequestOver,
    Requests,
)
from securecom.client.events.settings import Setting, Settings

__all__ = [
    "KNOWN",
    "AnsweredForYou",
    "Asked",
    "AskedOver",
    "Asking",
    "Availability",
    "BackedUp",
    "BlockList",
    "Blocked",
    "ChatOpening",
    "ChatOver",
    "ChatStarted",
    "Compared",
    "Connecting",
    "DataFact",
    "Delivered",
    "Ending",
    "Event",
    "Fingerprints",
    "ForgetMeMeans",
    "Forgotten",
    "Hello",
    "Help",
    "HelpLine",
    "KeyFollowed",
    "KeyNotRenewed",
    "KeyRenewed",
    "KeyTaken",
    "Left",
    "Log",
    "LogState",
    "Message",
    "Missed",
    "MissedRequest",
    "MyData",
    "Notice",
    "Offline",
    "OldKey",
    "Online",
    "Problem",
    "RefusedForYou",
    "RequestChannel",
    "RequestOver",
    "Requests",
    "SafetyCode",
    "SafetyNumber",
    "Said",
    "SecretWanted",
    "Setting",
    "Settings",
    "TimeLeft",
    "Trust",
    "User",
    "Users",
    "Whois",
    "Word",
    "problem",
]
