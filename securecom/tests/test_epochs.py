"""TLS records, however the bytes come."""

from __future__ import annotations

from random import Random

from twisted.trial.unittest import SynchronousTestCase

from securecom.client.chat.epochs import Records
from securecom.errors import WireError


def record(length: int) -> bytes:
    return b"\x17\x03\x03" + length.to_bytes(2, "big") + bytes(length)


class RecordsTests(SynchronousTestCase):
    def test_any_split_gives_the_same_records(self) -> None:
        for seed in range(50):
            random = Random(seed)
            sent = [record(random.choice((0, 1, 5, 250, 16640))) for _ in range(8)]
            data, records, came = b"".join(sent), Records(), list[bytes]()
            while data:
                size = random.choice((1, 3, 5, 1000, 50_000))
                came += records.feed(data[:size])
                data = data[size:]
            self.assertEqual(came, sent)

    def test_the_longest_and_one_that_is_longer(self) -> None:
        self.assertEqual(list(Records().feed(record(16640))), [record(16640)])
        records = Records()
        given = records.feed(record(3) + record(16641)[:5])
        self.assertEqual(next(given), record(3))
        self.assertRaises(WireError, next, given)
