"""Two ends of a chat that send each other files, with disks in temporary folders."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater
from twisted.trial.unittest import SynchronousTestCase

from securecom import framing, limits
from securecom.client.chat.agreement import Role
from securecom.client.file_events import FileOffered, FileOver, FileProgress
from securecom.client.files.access import FileAccess
from securecom.client.files.exchange import FileExchange
from securecom.identity import Identity
from securecom.tests.support.chat_pair import End, Pair
from securecom.values import replace

E = TypeVar("E")
#: Bytes after which a transfer counts as under way.
HALF_WAY = 500_000


class FilePair(Pair):
    """Each end has a folder; the disk's work is done in the clock's next step."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.held: list[str] = []  # whose disk works no more
        self.waiting: list[Callable[[], None]] = []
        for name in ("alice", "bob"):
            (home / name).mkdir(exist_ok=True)
        super().__init__()

    def end(self, role: Role, identity: Identity | None = None, **lies: Any) -> End:
        name = "alice" if role == "caller" else "bob"
        own = identity or (self.alice_key if role == "caller" else self.bob_key)
        folder = self.home / name

        def elsewhere(call: Callable[[], Any]) -> Deferred[Any]:
            if name not in self.held:
                return deferLater(self.clock, 0, call)
            later: Deferred[Any] = Deferred()
            later.addCallback(lambda _: call())
            self.waiting.append(lambda: later.callback(None))
            return later

        access = FileAccess(elsewhere, folder, folder / "downloads")
        return End(own, replace(self.agreement(role), **lies), self.clock, access=access)

    def pump(self) -> None:
        """Relay until nothing moves, also after the receiver's short waits."""
        super().pump()
        for _ in range(10_000):
            before = len(self.relayed)
            self.clock.advance(limits.FILE_KEPT_WAIT)
            super().pump()
            if len(self.relayed) == before:
                return
        raise RuntimeError("the transfer never comes to rest")

    def step(self) -> None:
        """Relay what is there, once."""
        self.clock.advance(0)
        self._relay(self.alice, self.bob)
        self._relay(self.bob, self.alice)
        self.clock.advance(limits.FILE_KEPT_WAIT)

    def pump_some(self) -> None:
        """Relay a little: bob then has a part of the file."""
        for _ in range(1000):
            self.step()
            if any(one.done > HALF_WAY for one in files(self.bob).all().transfers):
                return
        raise RuntimeError("the transfer does not begin")

    def let_go(self) -> None:
        """Disks work again."""
        self.held = []
        waiting, self.waiting = self.waiting, []
        for go_on in waiting:
            go_on()


def files(end: End) -> FileExchange:
    """The files of one end."""
    return end.session.files


def say(end: End, command: Any, **arguments: Any) -> None:
    """An end says something, whatever its exchange thinks of it, and ignores the answer."""
    if command.requiresAnswer:
        end.session.control.call(command, **arguments).addErrback(lambda _: None)
    else:
        end.session.control.tell(command, **arguments)


def last(end: End, kind: type[E]) -> E:
    """The last event of a kind that this end was shown."""
    return [event for event in end.events if isinstance(event, kind)][-1]


class FileCase(SynchronousTestCase):
    """A chat in which alice, the caller, has spoken."""

    def setUp(self) -> None:
        self.home = Path(self.mktemp())
        self.home.mkdir()
        self.begin()

    def begin(self) -> None:
        """A new chat of the two."""
        self.pair = FilePair(self.home)
        self.pair.open()
        self.alice, self.bob = self.pair.alice, self.pair.bob
        self.alice.session.say("hello")
        self.pair.pump()

    def file(self, data: bytes, name: str = "plan.pdf") -> Path:
        """A file of alice's."""
        path = self.home / "alice" / name
        path.write_bytes(data)
        return path

    def offer(self, data: bytes, name: str = "plan.pdf") -> Path:
        """A file that alice offers, and bob has heard of."""
        path = self.file(data, name)
        files(self.alice).send(str(path))
        self.pair.pump()
        return path

    def get(self, number: int = 1, path: str | None = None) -> None:
        """Bob fetches it."""
        files(self.bob).get(number, self.downloads, path)

    @property
    def downloads(self) -> Path:
        return self.home / "bob" / "downloads"

    def check_saved(self, expected: dict[str, bytes]) -> None:
        """Bob's folder holds this and nothing else."""
        paths = list(self.downloads.iterdir()) if self.downloads.exists() else []
        self.assertCountEqual([path.name for path in paths], expected)
        for path in paths:
            data = path.read_bytes()
            self.assertEqual(len(data), len(expected[path.name]))
            self.assertTrue(data == expected[path.name], f"{path.name} has other bytes")

    def check_among_saved(self, name: str, data: bytes) -> None:
        """Bob's folder holds this, and perhaps more."""
        self.assertTrue((self.downloads / name).read_bytes() == data)

    def tell(self, end: End, command: Any, **arguments: Any) -> None:
        """An end says something that its exchange would not say."""
        say(end, command, **arguments)
        self.pair.pump()

    def data(self, end: End, number: int, data: bytes) -> None:
        """An end sends data that its exchange would not send."""
        for at in range(0, len(data), limits.FILE_CHUNK):
            piece = data[at : at + limits.FILE_CHUNK]
            end.session.send_frames([framing.encode_data(number, piece)])
        self.pair.pump()

    def over(self, end: End) -> FileOver:
        return last(end, FileOver)

    def offered(self, end: End) -> FileOffered:
        return last(end, FileOffered)

    def progress(self, end: End) -> FileProgress:
        return last(end, FileProgress)

    def check_cut(self, end: End, why: str) -> None:
        """This end cut the chat off, for what the other did."""
        self.assertEqual([one for one, _ in end.over], ["cut-off"])
        self.assertIn(why, str(end.error))

    def check_talk(self) -> None:
        """The chat goes on."""
        self.alice.session.say("still here")
        self.pair.pump()
        self.assertEqual(self.bob.messages[-1], "still here")
