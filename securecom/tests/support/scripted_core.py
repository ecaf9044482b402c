"""A client's core for tests of front-ends: the test decides what it does; it records its calls."""

from __future__ import annotations

from typing import Any, ClassVar

from twisted.internet.defer import Deferred, succeed

from securecom.client.api import ClientState
from securecom.client.events import (
    AllSettings,
    BackedUp,
    BlockList,
    ChatLogState,
    DataFact,
    DataHeld,
    ForgetMeMeans,
    Forgotten,
    ListedUser,
    Requests,
    Setting,
    Users,
)
from securecom.client.file_events import Transfers
from securecom.client.key_events import (
    Fingerprints,
    IntroductionList,
    IntroductionStep,
    KeyAccepted,
    KeyRenewed,
    KeyRetired,
    RetirementMade,
    SafetyCode,
    SafetyNumber,
    Whois,
    WordsToCompare,
)
from securecom.client.terms import AvailabilityTerms, Choices, Pause
from securecom.errors import SecurecomError
from securecom.identity import Name


class ScriptedCore:
    """A `ClientApi`. `calls` has what came; `waiting`: Deferreds that the test fires."""

    def __init__(self, *, is_online: bool = True) -> None:
        self.is_online = is_online
        self.asking: Name | None = None
        self.offer: object | None = None
        self.is_opening = False
        self.peer: Name | None = None
        self.calls: list[Any] = []
        self.waiting: dict[str, Deferred[Any]] = {}
        #: Raised by the next thing asked.
        self.error: Exception | None = None
        self.is_held = False
        self.keys = ScriptedKeys(self)
        self.log = ScriptedLog(self)
        self.files = ScriptedFiles(self)
        self.settings = ScriptedSettings(self)
        self.account = ScriptedAccount(self)

    name: Name | None = Name("alice")
    is_available = True
    people: ClassVar[list[ListedUser]] = []

    @classmethod
    def in_state(cls, state: ClientState) -> ScriptedCore:
        """One that is in this state."""
        core = cls(is_online=state is not ClientState.OFFLINE)
        core.offer = object() if state is ClientState.ASKED else None
        core.asking = Name("bob") if state is ClientState.ASKING else None
        core.is_opening = state is ClientState.OPENING
        core.peer = Name("bob") if state is ClientState.CHAT else None
        return core

    @property
    def state(self) -> ClientState:
        facts = (
            (not self.is_online, ClientState.OFFLINE),
            (self.peer is not None, ClientState.CHAT),
            (self.is_opening, ClientState.OPENING),
            (self.asking is not None, ClientState.ASKING),
            (self.offer is not None, ClientState.ASKED),
        )
        return next((state for fact, state in facts if fact), ClientState.IDLE)

    def reconnect(self) -> None:
        self._called("reconnect")

    def typing(self) -> None:
        self._called("typing")

    def watch_people(self, wanted: bool) -> None:
        self._called("watch_people", wanted)

    def users(self, text: str = "") -> Deferred[Users]:
        self._called("users", text)
        return self._later("users")

    def request_chat(self, name: Name, chat_seconds: int | None = None) -> Deferred[None]:
        span = () if chat_seconds is None else (chat_seconds,)
        self._called("request_chat", name, *span)
        self.asking = name
        return self._later("request_chat")

    def cancel(self) -> None:
        self._called("cancel")

    def accept(self, name: Name | None = None) -> None:
        self._called("accept", name)

    def refuse(self, name: Name | None = None) -> None:
        self._called("refuse", name)

    def dismiss(self, name: Name | None = None) -> None:
        self._called("dismiss", name)

    def requests(self) -> Requests:
        self._called("requests")
        return Requests(None, None, [])

    def block(self, name: Name) -> Deferred[None]:
        self._called("block", name)
        return succeed(None)

    def unblock(self, name: Name) -> Deferred[None]:
        self._called("unblock", name)
        return succeed(None)

    def blocked(self) -> Deferred[BlockList]:
        self._called("blocked")
        return succeed(BlockList([ListedUser("bob", "met")]))

    def say(self, text: str) -> int:
        self._called("say", text)
        return sum(call[0] == "say" for call in self.calls)

    def stop(self) -> Deferred[None]:
        self._called("stop")
        return self._later("stop")

    def set_available(self, terms: AvailabilityTerms) -> None:
        self._called("set_available", terms)

    def set_away(self, pause: Pause) -> None:
        self._called("set_away", pause)

    def backup(self, file: str) -> Deferred[BackedUp]:
        self._called("backup", file)
        return self._later("backup")

    def hold_incoming(self) -> None:
        self.is_held = True

    def release_incoming(self) -> None:
        self.is_held = False

    # what tests do

    def answer_users(self, *names: str) -> None:
        users = [ListedUser(name, "new") for name in names]
        self.waiting.pop("users").callback(Users(users, "", False))

    def begin_chat(self, name: str) -> None:
        self.asking, self.peer = None, Name(name)
        if "request_chat" in self.waiting:
            self.waiting.pop("request_chat").callback(None)

    def fail_request(self, error: Exception) -> None:
        self.asking = None
        self.waiting.pop("request_chat").errback(error)

    def end_chat(self) -> None:
        self.peer = None
        if "stop" in self.waiting:
            self.waiting.pop("stop").callback(None)

    def _called(self, *call: Any) -> None:
        error, self.error = self.error, None
        if error is not None:
            raise error
        self.calls.append(call)

    def _later(self, what: str) -> Deferred[Any]:
        self.waiting[what] = Deferred()
        return self.waiting[what]


class ScriptedKeys:
    """A `KeysApi`: what came is among the role's calls."""

    def __init__(self, role: ScriptedCore) -> None:
        self._role = role

    def own(self) -> Fingerprints:
        self._role._called("own")
        return Fingerprints("alice", "SHA256:a", "K7QD")

    def renew(self) -> Deferred[KeyRenewed]:
        self._role._called("renew")
        return self._role._later("renew")

    def whois(self, name: Name) -> Whois:
        self._role._called("whois", name)
        return Whois(name, "met", "SHA256:b", 7, [])

    def safety_number(self) -> SafetyNumber:
        self._role._called("safety_number")
        return SafetyNumber("bob", " ".join(["12345"] * 12), "met")

    def safety_code(self) -> SafetyCode:
        self._role._called("safety_code")
        return SafetyCode("bob", "12345" * 12, "met")

    def words(self) -> WordsToCompare:
        self._role._called("words")
        return WordsToCompare("bob", "asked-by-me", [], 1, "met")

    def compared(self, same: bool) -> None:
        self._role._called("compared", same)

    def introduce(self, one: Name, other: Name) -> IntroductionStep:
        self._role._called("introduce", one, other)
        return IntroductionStep(one, other, "begun")

    def cancel_introduction(self, one: Name, other: Name) -> IntroductionStep:
        self._role._called("cancel_introduction", one, other)
        return IntroductionStep(one, other, "cancelled")

    def answer_introduction(self, other: Name, agrees: bool) -> IntroductionStep:
        self._role._called("answer_introduction", other, agrees)
        return IntroductionStep("bob", other, "i-agreed" if agrees else "i-declined")

    def introductions(self) -> IntroductionList:
        self._role._called("introductions")
        return IntroductionList([])

    def make_retirement(self) -> Deferred[RetirementMade]:
        self._role._called("make_retirement")
        return succeed(RetirementMade("alice", ["abandon"] * 11 + ["about"]))

    def retire(self, name: Name) -> Deferred[KeyRetired]:
        self._role._called("retire", name)
        return succeed(KeyRetired(name, True, True, "retired"))

    def take(self, name: Name, fingerprint: str) -> KeyAccepted:
        self._role._called("take", name, fingerprint)
        return KeyAccepted(name, fingerprint)


class ScriptedLog:
    """A `ChatLogApi`: what came is among the role's calls."""

    def __init__(self, role: ScriptedCore) -> None:
        self._role = role

    def status(self) -> ChatLogState:
        self._role._called("log")
        return ChatLogState("bob", "off", "off")

    def on(self) -> None:
        self._role._called("log", "on")

    def off(self) -> None:
        self._role._called("log", "off")


class ScriptedFiles:
    """A `FilesApi`, likewise."""

    def __init__(self, role: ScriptedCore) -> None:
        self._role = role

    def send(self, file: str | int) -> Deferred[int]:
        self._role._called("send", file)
        return self._role._later("send")

    def get(self, number: int, path: str | None = None) -> None:
        self._role._called("get", number, path)

    def decline(self, number: int) -> None:
        self._role._called("decline", number)

    def cancel(self, number: int) -> None:
        self._role._called("cancel_file", number)

    def all(self) -> Transfers:
        self._role._called("files")
        return Transfers([])


class ScriptedSettings:
    """A `SettingsApi`, likewise."""

    def __init__(self, role: ScriptedCore) -> None:
        self._role = role

    choices = Choices()

    def all(self) -> AllSettings:
        self._role._called("settings")
        return AllSettings([Setting("ask", "anyone", "who may ask you")])

    def change(self, text: str) -> Deferred[AllSettings]:
        self._role._called("set", text)
        return succeed(AllSettings([Setting("ask", "people", "who may ask you")]))


class ScriptedAccount:
    """An `AccountApi`, likewise."""

    def __init__(self, role: ScriptedCore) -> None:
        self._role = role

    def my_data(self) -> Deferred[DataHeld]:
        self._role._called("my_data")
        return succeed(DataHeld("alice", [DataFact("account", "name", "alice")]))

    def means(self) -> ForgetMeMeans:
        self._role._called("means")
        return ForgetMeMeans("alice", 90)

    def forget_me(self, name: Name) -> Deferred[Forgotten]:
        self._role._called("forget_me", name)
        return succeed(Forgotten(name, 90, None))


class Failing(SecurecomError):
    """An error of the test's own."""

    code = 999
    hint = "Try."
