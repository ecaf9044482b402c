"""How the directory uses its engine: scripts by name, told again in turn, and bounded.

What it does is in tests/test_redis_directory.py, over a real engine.
"""

from __future__ import annotations

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from securecom import limits
from securecom.errors import DirectoryAway
from securecom.identity import Name
from securecom.server.cluster.directory import Node
from securecom.tests.support.directory_contract import ALICE, SERVER, ident, node, place
from securecom.tests.support.memory_engine import NO_TXREDISAPI, Way

try:
    from securecom.server.cluster.engine import Engine
    from securecom.server.cluster.redis_directory import RedisDirectory
except ModuleNotFoundError:
    skip = NO_TXREDISAPI

PREFIX = b"securecom:0101010101010101:"


class DirectoryCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock, way = Clock(), Way()
        self.directory = RedisDirectory(self.clock, Engine(self.clock, way), SERVER)
        self.directory.nodes()
        self.wire = way.open()
        self.wire.answer(b"+PONG\r\n*0\r\n")
        self.wire.clear()

    def claim(self, name: Name, session: int) -> None:
        claimed = self.directory.claim(name, place(1, session), False)
        self.wire.answer(b"+FREE\r\n")
        self.assertIsNone(self.successResultOf(claimed))
        self.wire.clear()

    def announced(self) -> list[list[bytes]]:
        """The names of keys in all that is asked beside an announcement."""
        announced = self.directory.announce(node(1))
        self.assertEqual(len(self.wire.asked()), 1)
        self.wire.answer(b":1\r\n")
        self.assertIs(self.successResultOf(announced), True)
        asked = self.wire.asked()
        self.wire.answer(b":1\r\n" * len(asked))
        return [words[3 : 3 + int(words[2])] for words in asked]


class ScriptTests(DirectoryCase):
    def test_a_script_has_a_name(self) -> None:
        self.directory.where(ALICE)
        [[command, name, *rest]] = self.wire.asked()
        self.assertEqual((command, len(name)), (b"EVALSHA", 40))
        self.assertEqual(rest, [b"1", PREFIX + b"person:alice", PREFIX + b"node:", b"0" * 64])

    def test_an_engine_that_does_not_know_it_gets_all_of_it(self) -> None:
        found = self.directory.where(ALICE)
        [[_, _, *rest]] = self.wire.asked()
        self.wire.answer(b"-NOSCRIPT No matching script.\r\n")
        [[command, text, *again]] = self.wire.asked()
        self.assertEqual((command, again), (b"EVAL", rest))
        self.assertIn(b"redis.call", text)
        self.wire.answer(b"+" + b"01" * 16 + b"73" * 15 + b"05" + b"\r\n")
        self.assertEqual(self.successResultOf(found), place(1, 5))

    def test_both_together_have_one_deadline(self) -> None:
        found = self.directory.where(ALICE)
        self.clock.advance(limits.DIRECTORY_DEADLINE - 1)
        self.wire.answer(b"-NOSCRIPT No matching script.\r\n")
        self.assertNoResult(found)
        self.clock.advance(1)
        self.failureResultOf(found, DirectoryAway)

    def test_no_other_error_is_tried_again(self) -> None:
        found = self.directory.where(ALICE)
        self.wire.clear()
        self.wire.answer(b"-READONLY You cannot write against a read only replica.\r\n")
        self.failureResultOf(found, DirectoryAway)
        self.assertEqual(self.wire.asked(), [])

    def test_whoever_is_asked_for_the_question_is_as_long(self) -> None:
        lengths = set()
        for name in ("alice", "bobby"):
            self.directory.where(Name(name))
            lengths.add(len(self.wire.value()))
            self.wire.clear()
        self.assertEqual(len(lengths), 1)


class NonsenseTests(DirectoryCase):
    """Whoever can write to the engine can have it answer anything."""

    def test_answers_that_are_none(self) -> None:
        """Whoever asked hears that the directory is away."""
        for answer in (b"+OK\r\n", b"+" + b"g" * 64 + b"\r\n", b":1\r\n", b"$-1\r\n", b"*0\r\n"):
            for asked in (
                self.directory.where(ALICE),
                self.directory.claim(ALICE, place(1, 1), True),
                self.directory.holder(bytes(16)),
                self.directory.recall(ALICE),
            ):
                self.wire.answer(answer)
                self.failureResultOf(asked, DirectoryAway)

    def test_nodes_that_are_none(self) -> None:
        """They are left out, and nothing of them reaches an operator's terminal."""
        good = b"01" * 16 + b" 4245 node.example.org"
        rows = [b"01", b"01" * 16 + b" x y", b"01" * 16 + b" 4245 n\x1b[2Jode", b"\xff", good]
        asked = self.directory.nodes()
        self.wire.answer(b"*5\r\n" + b"".join(b"$%d\r\n%b\r\n" % (len(r), r) for r in rows))
        for _ in rows:
            self.clock.advance(0)
        [found] = self.successResultOf(asked)
        self.assertEqual(found, Node(b"\x01" * 16, "node.example.org", 4245))


class ToldAgainTests(DirectoryCase):
    def test_people_are_told_again_in_turn(self) -> None:
        self.patch(limits, "PLACES_TOLD", 2)
        for number, name in enumerate(("a", "b", "c")):
            self.claim(Name(name), number)
        told = [[keys[0].decode()[-1] for keys in self.announced()] for _ in range(3)]
        self.assertEqual(told, [["a", "b"], ["c", "a"], ["b", "c"]])

    def test_somebody_elses_by_now(self) -> None:
        """The engine has lost a claim, and others came: the node has to claim again, once."""
        self.claim(ALICE, 1)
        for renewed, is_known in ((b":0\r\n", True), (b":1\r\n", False), (b":1\r\n", True)):
            announced = self.directory.announce(node(1))
            self.wire.clear()
            self.wire.answer(b":1\r\n")
            self.assertIs(self.successResultOf(announced), is_known)
            self.wire.clear()
            self.wire.answer(renewed)

    def test_somebody_elses_and_released(self) -> None:
        """Whoever took it over has said so meanwhile: nothing has to be claimed again."""
        self.claim(ALICE, 1)
        self.directory.announce(node(1))
        self.wire.answer(b":1\r\n")
        self.wire.answer(b":0\r\n")
        self.directory.release(ALICE, place(1, 1))
        self.wire.answer(b":0\r\n")
        self.wire.clear()
        self.assertEqual(self.announced(), [])

    def test_whoever_left_is_not(self) -> None:
        self.claim(ALICE, 1)
        released = self.directory.release(ALICE, place(1, 1))
        self.wire.clear()
        self.wire.answer(b":1\r\n")
        self.successResultOf(released)
        self.assertEqual(self.announced(), [])

    def test_a_session_that_another_replaced_is_not(self) -> None:
        self.claim(ALICE, 1)
        self.claim(ALICE, 2)
        released = self.directory.release(ALICE, place(1, 1))
        self.wire.clear()
        self.wire.answer(b":0\r\n")
        self.successResultOf(released)
        [[_, session]] = self.announced()
        self.assertEqual(session, PREFIX + b"session:" + place(1, 2).session.hex().encode())

    def test_a_release_that_failed_is_told_again_until_it_is_done(self) -> None:
        self.claim(ALICE, 1)
        released = self.directory.release(ALICE, place(1, 1))
        self.wire.clear()
        self.wire.answer(b"-BUSY a script runs\r\n")
        self.failureResultOf(released, DirectoryAway)
        for answer, left in ((b"-BUSY a script runs\r\n", 1), (b":1\r\n", 1), (b"", 0)):
            announced = self.directory.announce(node(1))
            self.wire.clear()
            self.wire.answer(b":1\r\n")
            self.successResultOf(announced)
            self.assertEqual(len(self.wire.asked()), left)
            self.wire.answer(answer)

    def test_a_claim_that_was_refused_is_not_taken_back(self) -> None:
        for answer in (b"+TAKEN\r\n", b"+UNKNOWN\r\n", b"-OOM command not allowed\r\n"):
            claimed = self.directory.claim(ALICE, place(1, 1), False)
            self.wire.answer(answer)
            self.failureResultOf(claimed)
            self.wire.clear()
        self.assertEqual(self.announced(), [])

    def test_whoever_was_taken_elsewhere_is_told_no_more(self) -> None:
        self.claim(ALICE, 1)
        claimed = self.directory.claim(ALICE, place(1, 1), False)
        self.wire.answer(b"+TAKEN\r\n")
        self.failureResultOf(claimed)
        self.wire.clear()
        self.assertEqual(self.announced(), [])

    def test_a_node_that_departs_tells_nothing(self) -> None:
        self.claim(ALICE, 1)
        departed = self.directory.depart(ident(1))
        self.wire.clear()
        self.wire.answer(b":1\r\n")
        self.successResultOf(departed)
        self.assertEqual(self.announced(), [])
