"""Events about keys: how two people compare them, what is pinned, what became of our own, and who
introduces whom.
"""

from __future__ import annotations

from typing import ClassVar, Literal

from securecom.client.events import ChatEvent, Event, Trust

#: What somebody found who compared the safety numbers: the same, or not.
Word = Literal["yes", "no"]
#: How far two people are who compare words: neither has asked for them, one of us, both; or the
#: words are there.
WordsState = Literal["off", "asked-by-me", "asked-by-peer", "agreed", "shown"]
#: How far an introduction that we make is, at the person named; or what we answered to one.
IntroductionStage = Literal[
    "begun", "cancelled", "asked", "yes", "no", "delivered", "dropped", "i-agreed", "i-declined"
]


class SafetyNumber(Event):
    """What the two of a chat compare. `number`: 12 groups of five digits, a blank between them."""

    kind: ClassVar[str] = "safety-number"
    name: str
    number: str
    trust: Trust


class SafetyCode(Event):
    """The same, to be scanned. `digits`: what the QR code holds, 60 digits and nothing else."""

    kind: ClassVar[str] = "safety-code"
    name: str
    digits: str
    trust: Trust


class WordsToCompare(Event):
    """The six words of this chat, once both people have asked for them.

    `tries`: how often we have asked for words with this person since the client started and since
    we last confirmed some, this time included; somebody between the two has a guess each time.
    """

    kind: ClassVar[str] = "words"
    name: str
    state: WordsState
    words: list[str]
    tries: int
    trust: Trust


class ComparisonResult(ChatEvent):
    """One of the two said what the comparison came to. A peer's word changes no trust of ours."""

    kind: ClassVar[str] = "compared"
    name: str
    by: Literal["me", "peer"]
    word: Word


class KeyAccepted(Event):
    """The person takes this key in place of the pinned one, once the peer has proved it."""

    kind: ClassVar[str] = "key-taken"
    name: str
    fingerprint: str


class KeyFollowed(Event):
    """The pinned key signed over to a new one, which the peer has proved: that is the pin now.

    `former`, `fingerprint`: of the old and the new key; `trust`: of the new one, as of the old
    unless only a first key was compared.
    """

    kind: ClassVar[str] = "key-followed"
    name: str
    former: str
    fingerprint: str
    trust: Trust


class KeyCompleted(Event):
    """The peer has proved a second key beside the pinned first one: both are the pin now.

    `former`, `fingerprint`: of the first key alone, and of both; `trust`: of both, "met";
    `compared`: the first key alone was verified.
    """

    kind: ClassVar[str] = "key-completed"
    name: str
    former: str
    fingerprint: str
    trust: Trust
    compared: bool


class KeyRenewed(Event):
    """Our own key is a new one, which the old one signed over to, and the server has it.

    `former`, `fingerprint`: of the old and the new key; `kept`: the file where the old private key
    still is, because it is no file of ours; None: it is erased.
    """

    kind: ClassVar[str] = "key-renewed"
    former: str
    fingerprint: str
    kept: str | None


class RetirementMade(Event):
    """Twelve words that can retire our key, shown this once."""

    kind: ClassVar[str] = "retirement-made"
    name: str
    words: list[str]


class KeyRetired(Event):
    """What became of somebody's twelve words.

    `here`: the key that we know as theirs is retired; `server`: the server has retired their key.
    """

    kind: ClassVar[str] = "key-retired"
    name: str
    here: bool
    server: bool
    trust: Trust


class RetirementDiffers(Event):
    """A peer names other words than before as what can retire their key; the first ones count."""

    kind: ClassVar[str] = "retirement-differs"
    name: str
    trust: Trust


class KeyNotRenewed(Event):
    """A new key of which the server never heard is erased. `fingerprint`: our present key's."""

    kind: ClassVar[str] = "key-not-renewed"
    fingerprint: str


class Fingerprints(Event):
    """Our own key's and the server's. `name`: None before the first log-in."""

    kind: ClassVar[str] = "fingerprints"
    name: str | None
    fingerprint: str
    server: str


class FormerKey(Event):
    """A key that was somebody's pin. `first_seen`, `until`: Unix seconds; `signed_over`: to the
    next one, which was followed; if not, that one was taken.
    """

    kind: ClassVar[str] = "old-key"
    fingerprint: str
    first_seen: int
    until: int
    trust: Trust
    signed_over: bool = False


class Whois(Event):
    """What is pinned for a name; nothing if we never met. `first_seen`: Unix seconds."""

    kind: ClassVar[str] = "whois"
    name: str
    trust: Trust
    fingerprint: str | None
    first_seen: int | None
    earlier: list[FormerKey]
    introduced_by: str | None = None


class IntroductionOffered(Event):
    """Somebody offers to introduce us to `other`; our answer decides. `trust`: in who offers."""

    kind: ClassVar[str] = "introduction-offered"
    name: str
    other: str
    trust: Trust


class IntroductionStep(Event):
    """How far an introduction of `name` to `other` is, or what we answered to `name`'s offer.

    `next`: who of the two has to be met in a chat so that it goes on.
    """

    kind: ClassVar[str] = "introduction"
    name: str
    other: str
    stage: IntroductionStage
    next: str | None = None


class Introduced(Event):
    """`by`, whom we have verified, has given us `name`'s key, to which `name` agreed.

    `trust`: of the key, now.
    """

    kind: ClassVar[str] = "introduced"
    name: str
    by: str
    fingerprint: str
    trust: Trust


class PendingIntroduction(Event):
    """In a list: an introduction that we make. `agreed`: who said yes; `done`: who has the key."""

    kind: ClassVar[str] = "pending-introduction"
    name: str
    other: str
    agreed: list[str]
    done: list[str]


class IntroductionList(Event):
    """The introductions that we make and that are not done, the oldest first."""

    kind: ClassVar[str] = "introductions"
    pending: list[PendingIntroduction]
