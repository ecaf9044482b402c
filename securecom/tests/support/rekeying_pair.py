"""Rekeying of a chat in memory: step by step, record by record, and with ends that lie."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from twisted.trial.unittest import SynchronousTestCase

from securecom import framing, limits
from securecom.client.chat.epochs import Epoch, Epochs, Records
from securecom.tests.support.chat_pair import End, Pair


def epochs(end: End) -> Epochs:
    """The epochs of an open session."""
    return end.session._epochs


def epoch(end: End) -> Epoch:
    """The epoch that the peer currently sends in."""
    return epochs(end).present


Change = Callable[[int, str, bytes], bytes | None]


def honest(count: int, source: str, record: bytes) -> bytes:
    """Every record as it is."""
    return record


def first(records: int) -> Change:
    """The first `count` records, and then none."""
    return lambda count, source, record: record if count < records else None


def but(moment: int, change: Callable[[str, bytes], bytes]) -> Change:
    """One record changed, by its number."""
    return lambda count, source, record: change(source, record) if count == moment else record


class Relay:
    """A relay in small steps, instead of `Pair.pump`: what is under way stays in sight."""

    def __init__(self, pair: Pair) -> None:
        self.pair = pair
        self.clock = pair.clock
        self.under_way = {"alice": b"", "bob": b""}

    def collect(self) -> None:
        """Take what both have sent."""
        self.clock.advance(0)
        for name in self.under_way:
            leg = getattr(self.pair, name).leg
            data, leg.outgoing = leg.outgoing, b""
            for run in framing.Decoder(frozenset({framing.CHAT})).feed(data):
                assert isinstance(run, framing.Run)
                self.under_way[name] += framing.chat_bytes(run)

    def deliver(self, source: str, data: bytes) -> None:
        """To the other end."""
        target: End = getattr(self.pair, "bob" if source == "alice" else "alice")
        if data:
            target.stream.received(data)

    def some(self, random: Random) -> bool:
        """Hand on a few bytes of one direction; False if none is under way."""
        self.collect()
        waiting = [name for name, data in self.under_way.items() if data]
        if not waiting:
            return False
        source = random.choice(waiting)
        size = random.choice((1, 7, 300, 5000, 100_000))
        data = self.under_way[source]
        self.under_way[source] = data[size:]
        self.deliver(source, data[:size])
        return True

    def one_turn(self, size: int, *sources: str) -> bool:
        """Hand on all that these have under way, so much at a time; then they have a next turn.

        False if that leaves nothing under way.
        """
        coming = [(source, self.under_way[source]) for source in sources]
        for source, data in coming:
            self.under_way[source] = b""
            for at in range(0, len(data), size):
                self.deliver(source, data[at : at + size])
        self.collect()
        return any(self.under_way.values())

    def record(self) -> tuple[str, bytes] | None:
        """Take the next whole record, the caller's before the callee's."""
        self.collect()
        for source, data in self.under_way.items():
            for one in Records().feed(data):
                self.under_way[source] = data[len(one) :]
                return source, one
        return None

    def run(self, change: Change) -> int:
        """Hand on record by record; `change` sees each with its number. How many there were.

        Stops when `change` gives None.
        """
        count = 0
        while (found := self.record()) is not None:
            source, record = found
            changed = change(count, source, record)
            if changed is None:
                self.under_way[source] = record + self.under_way[source]
                break
            self.deliver(source, changed)
            count += 1
        return count


def due(pair: Pair) -> None:
    """The caller's time has come; nothing is relayed yet."""
    pair.clock.advance(limits.REKEY_AFTER)


#: A short message, or its receipt, as TLS seals it: padded frame, header, content type, tag.
MESSAGE = limits.CHAT_PADDING + 5 + 1 + 16


#: Records of TLS in one rekey, if nobody says anything meanwhile.
RECORDS = 7


class RekeyCase(SynchronousTestCase):
    """A chat in which the caller has spoken."""

    def setUp(self) -> None:
        self.pair = Pair().open()
        self.alice, self.bob = self.pair.alice, self.pair.bob
        self.alice.session.say("hello")
        self.pair.pump()

    def check_epoch(self, number: int) -> None:
        """Both are there, in both directions."""
        for end in (self.alice, self.bob):
            self.assertEqual(end.over, [])
            self.assertEqual(epoch(end).number, number)
            self.assertIs(epochs(end)._sealing, epoch(end))

    def check_talk(self, text: str) -> None:
        """What they say still arrives, both ways, with receipts."""
        for end, other in ((self.alice, self.bob), (self.bob, self.alice)):
            number = end.session.say(text)
            self.pair.pump()
            self.assertEqual(other.messages[-1], text)
            self.assertEqual(end.delivered[-1], number)

    def check_cut(self, kind: type[Exception], *ends: End) -> None:
        """The chat was cut off, for this reason."""
        for end in ends:
            self.assertEqual([one for one, _ in end.over], ["cut-off"])
            self.assertIsInstance(end.error, kind)
