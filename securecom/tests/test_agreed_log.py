"""A log that both agreed to, between two sessions: asked for, written, ended, and refused."""

from __future__ import annotations

import time
from functools import partial
from random import Random
from typing import Any

from twisted.protocols import amp
from twisted.trial.unittest import SynchronousTestCase

from securecom import limits, vocabulary
from securecom.client.chat.agreement import Role
from securecom.client.events import ChatLogState, ChatOver, Problem
from securecom.client.frontends.plain import Plain
from securecom.errors import LogFailed, NotNow, WireError
from securecom.identity import Identity
from securecom.tests.support.chat_pair import End, Pair
from securecom.tests.support.hostile_text import HOSTILE
from securecom.tests.support.memory_logs import MemoryLogs
from securecom.tests.support.rekeying_pair import Relay
from securecom.tests.support.scripted_server import outcome
from securecom.tests.support.scripted_server_case import ALICE, BOB, AliceTestCase
from securecom.values import replace

DAY = time.strftime("%Y-%m-%d", time.localtime(MemoryLogs().now()))
FAILED = LogFailed.code


class LoggedPair(Pair):
    """Both have a place for logs."""

    def __init__(self) -> None:
        self.logs: dict[Role, MemoryLogs] = {"caller": MemoryLogs(), "callee": MemoryLogs()}
        super().__init__()

    def end(self, role: Role, identity: Identity | None = None, **lies: Any) -> End:
        own = identity or (self.alice_key if role == "caller" else self.bob_key)
        return End(own, replace(self.agreement(role), **lies), self.clock, self.logs[role])


def first(one: str, other: str, asked: str, agreed: str) -> str:
    what = f"log of the chat of {one} with {other}"
    return f"-- {DAY}: {what}: {asked} asked for it, {agreed} agreed"


class LogCase(SynchronousTestCase):
    """A chat in which both have spoken."""

    def setUp(self) -> None:
        self.pair = LoggedPair()
        self.pair.open()
        self.alice, self.bob = self.pair.alice, self.pair.bob
        self.logs = (self.pair.logs["caller"], self.pair.logs["callee"])
        self.say(self.alice, "before")
        self.say(self.bob, "before too")

    def say(self, end: End, text: str) -> None:
        end.session.say(text)
        self.pair.pump()

    def on(self, *ends: End) -> None:
        for end in ends:
            end.session.log.on()
            self.pair.pump()

    def off(self, end: End) -> None:
        end.session.log.off()
        self.pair.pump()

    def agree(self) -> None:
        self.on(self.alice, self.bob)
        self.assertEqual(self.states, ("on", "on"))

    @property
    def states(self) -> tuple[str, str]:
        return tuple(end.session.log.status().state for end in (self.alice, self.bob))  # type: ignore[return-value]

    def told(self, end: End) -> list[ChatLogState]:
        return [event for event in end.events if isinstance(event, ChatLogState)]

    def rows(self, which: int) -> list[list[str]]:
        return [file.rows for file in self.logs[which].files]

    def check_talks(self) -> None:
        """The chat goes on."""
        self.assertEqual((self.alice.over, self.bob.over), ([], []))
        self.say(self.alice, "still here?")
        self.assertEqual(self.bob.messages[-1], "still here?")


class AgreeingTests(LogCase):
    # Promise T72, T110, C39
    def test_it_is_off_until_both_said_on(self) -> None:
        self.assertEqual(self.states, ("off", "off"))
        self.on(self.alice)
        self.say(self.alice, "only I want it")
        self.say(self.bob, "I have not said so")
        self.assertEqual(self.states, ("asked-by-me", "asked-by-peer"))
        self.assertEqual((self.rows(0), self.rows(1)), ([], []))

    # Promise C40
    def test_both_hold_exactly_what_was_agreed_to(self) -> None:
        self.agree()
        self.say(self.alice, "one")
        self.say(self.bob, "two\nlines")
        self.off(self.bob)
        self.say(self.alice, "after")
        self.say(self.bob, "after too")
        said = ["alice| one", "bob| two", "bob| lines", "-- the log ends: bob ended it"]
        self.assertEqual(self.rows(0), [[first("alice", "bob", "alice", "bob"), *said]])
        self.assertEqual(self.rows(1), [[first("bob", "alice", "alice", "bob"), *said]])
        self.assertTrue(all(logs.files[0].is_closed for logs in self.logs))

    def test_each_row_has_its_time(self) -> None:
        self.agree()
        at = time.strftime("%H:%M:%S", time.localtime(self.logs[0].now()))
        for line in self.logs[0].files[0].data.decode().splitlines():
            self.assertTrue(line.startswith(f"{at}  "), line)

    # Promise C42
    def test_everybody_is_told_who_did_what_and_where_it_is(self) -> None:
        self.agree()
        since = int(self.logs[0].now())
        self.assertEqual(
            self.told(self.alice),
            [
                ChatLogState("bob", "asked-by-me", "off", "me"),
                ChatLogState("bob", "on", "asked-by-me", "peer", "bob-1.txt", since),
            ],
        )
        self.assertEqual(
            self.told(self.bob),
            [
                ChatLogState("alice", "asked-by-peer", "off", "peer"),
                ChatLogState("alice", "on", "asked-by-peer", "me", "alice-1.txt", since),
            ],
        )
        status = self.alice.session.log.status()
        self.assertEqual(status, ChatLogState("bob", "on", "on", "nobody", "bob-1.txt", since))
        self.off(self.alice)
        ended = [self.told(end)[-1] for end in (self.alice, self.bob)]
        self.assertEqual(ended[0], ChatLogState("bob", "off", "on", "me", "bob-1.txt", since))
        self.assertEqual(ended[1], ChatLogState("alice", "off", "on", "peer", "alice-1.txt", since))
        self.assertEqual(self.alice.session.log.status(), ChatLogState("bob", "off", "off"))

    # Promise C43
    def test_going_on_again_needs_both_words_anew(self) -> None:
        self.agree()
        self.off(self.alice)
        self.on(self.bob)
        self.say(self.alice, "not for a file")
        self.assertEqual(self.states, ("asked-by-peer", "asked-by-me"))
        self.on(self.alice)
        self.say(self.bob, "for the second file")
        self.assertEqual(len(self.rows(0)), 2)
        again = [first("alice", "bob", "bob", "alice"), "bob| for the second file"]
        self.assertEqual(self.rows(0)[1], again)

    # Promise C43
    def test_who_ended_it_cannot_go_on_alone(self) -> None:
        self.agree()
        self.off(self.alice)
        self.on(self.alice)
        self.say(self.alice, "not for a file")
        self.say(self.bob, "nor is this")
        self.assertEqual(self.states, ("asked-by-me", "asked-by-peer"))
        ended = "-- the log ends: alice ended it"
        self.assertEqual([rows[1:] for rows in self.rows(0) + self.rows(1)], [[ended], [ended]])

    def test_declining_and_withdrawing(self) -> None:
        self.on(self.alice)
        self.off(self.bob)
        self.assertEqual(
            self.told(self.alice)[-1], ChatLogState("bob", "off", "asked-by-me", "peer")
        )
        self.on(self.bob)
        self.off(self.bob)
        self.assertEqual(
            self.told(self.alice)[-1], ChatLogState("bob", "off", "asked-by-peer", "peer")
        )
        self.assertEqual((self.states, self.rows(0)), (("off", "off"), []))

    def test_what_makes_no_sense_is_refused_and_says_nothing(self) -> None:
        self.assertRaises(NotNow, self.alice.session.log.off)
        self.on(self.alice)
        self.assertRaises(NotNow, self.alice.session.log.on)
        self.on(self.bob)
        self.assertRaises(NotNow, self.alice.session.log.on)
        self.alice.session.leave()
        self.pair.pump()
        self.assertRaises(NotNow, self.alice.session.log.on)
        self.assertRaises(NotNow, self.alice.session.log.off)

    def test_a_chat_that_is_ending_begins_no_log(self) -> None:
        self.on(self.bob)
        self.alice.session.leave()
        self.assertRaises(NotNow, self.alice.session.log.on)
        self.pair.pump()
        self.assertEqual((self.rows(0), self.rows(1)), ([], []))

    # Promise T110
    def test_what_they_said_before_they_knew_of_our_yes_is_not_kept(self) -> None:
        self.on(self.alice)
        self.bob.session.log.on()
        self.alice.session.say("does not know yet")
        self.pair.pump()
        self.say(self.alice, "knows")
        for which in (0, 1):
            self.assertEqual(self.rows(which)[0][1:], ["alice| knows"])

    # Promise T72
    def test_what_was_typed_before_and_waited_for_the_caller_is_not_kept(self) -> None:
        pair = LoggedPair()
        pair.open()
        pair.bob.session.say("not for a file")
        pair.alice.session.log.on()
        pair.pump()
        self.assertRaises(NotNow, pair.bob.session.log.on)
        pair.alice.session.say("hello")
        pair.pump()
        self.assertEqual(pair.alice.messages, ["not for a file"])
        pair.bob.session.log.on()
        pair.pump()
        pair.bob.session.say("for the file")
        pair.pump()
        for logs in pair.logs.values():
            self.assertEqual([file.rows[1:] for file in logs.files], [["bob| for the file"]])

    def test_nor_what_waits_behind_a_question_of_ones_own(self) -> None:
        pair = LoggedPair()
        pair.open()
        self.assertRaises(NotNow, pair.bob.session.log.on)
        pair.pump()
        self.assertEqual(pair.alice.session.log.status().state, "off")

    # Promise T73
    def test_a_peers_text_cannot_stand_in_anothers_place(self) -> None:
        self.agree()
        self.say(self.bob, HOSTILE.replace("\ud800", ""))
        self.say(self.bob, "\n" * 1000)
        data = self.logs[0].files[0].data.decode()
        rows = self.rows(0)[0][1:]
        self.assertTrue(all(row.startswith("bob| ") for row in rows), rows)
        self.assertEqual(len(rows), 2 + limits.MAX_LINES_SHOWN + 1)
        self.assertTrue(all(c == "\n" or c.isprintable() for c in data))

    # Promise T21
    def test_its_size_tells_nothing(self) -> None:
        """A word about a log, and a message, look alike to the server."""
        sizes = set()
        for send in (self.alice.session.log.on, partial(self.alice.session.say, "hello")):
            send()
            self.pair.clock.advance(0)
            sizes.add(len(self.alice.leg.outgoing))
            self.pair.pump()
        self.assertEqual(len(sizes), 1)

    def test_a_message_of_ours_is_kept_when_it_has_arrived(self) -> None:
        self.agree()
        self.pair.tap = lambda source, data: b"" if source is self.bob else data
        self.say(self.alice, "is anybody there?")
        self.assertEqual(self.rows(1)[0][1:], ["alice| is anybody there?"])
        self.assertEqual(self.rows(0)[0][1:], [])

    def test_an_off_comes_before_the_receipts_of_what_it_crossed(self) -> None:
        self.agree()
        self.alice.session.say("crosses")
        self.bob.session.log.off()
        self.pair.pump()
        self.assertEqual(self.alice.delivered, [1, 2])
        for which in (0, 1):
            self.assertEqual(self.rows(which)[0][1:], ["-- the log ends: bob ended it"])

    def test_it_ends_with_the_chat(self) -> None:
        self.agree()
        self.alice.session.leave()
        self.pair.pump()
        for which, end in enumerate((self.alice, self.bob)):
            self.assertEqual(self.rows(which)[0][1:], ["-- the log ends: the chat is over"])
            ended = self.told(end)[-1]
            self.assertEqual((ended.state, ended.before, ended.by), ("off", "on", "nobody"))
        self.assertTrue(all(logs.files[0].is_closed for logs in self.logs))

    def test_and_with_a_chat_that_just_stops(self) -> None:
        self.agree()
        self.alice.stream.lost()
        self.pair.pump()
        self.assertEqual(self.rows(0)[0][1:], ["-- the log ends: the chat is over"])
        self.assertTrue(self.logs[0].files[0].is_closed)

    def test_without_a_log_the_end_says_nothing_of_one(self) -> None:
        self.alice.session.leave()
        self.pair.pump()
        self.assertEqual(self.told(self.alice) + self.told(self.bob), [])

    def test_words_in_every_order_and_at_every_pace(self) -> None:
        """Through the real sessions, byte by byte: the files say the same."""
        for seed in range(12):
            random, pair = Random(seed), LoggedPair()
            pair.open()
            pair.alice.session.say("hello")
            pair.pump()
            relay, ends = Relay(pair), (pair.alice, pair.bob)
            for number in range(60):
                self.step(random, random.choice(ends), number)
                relay.some(random)
            while relay.some(random):
                pass
            states = [end.session.log.status().state for end in ends]
            mirror = {"asked-by-me": "asked-by-peer", "asked-by-peer": "asked-by-me"}
            self.assertEqual(states[1], mirror.get(states[0], states[0]), seed)
            logs = (pair.logs["caller"], pair.logs["callee"])
            for (one, other), name in ((logs, "alice"), (logs[::-1], "bob")):
                own, theirs = self.kept(one, name), self.kept(other, name)
                self.assertLessEqual(set(own), set(theirs), seed)

    def step(self, random: Random, end: End, number: int) -> None:
        log, what = end.session.log, random.choice(("on", "on", "off", "say", "say"))
        state = log.status().state
        if what == "say":
            end.session.say(str(number))
        elif what == "on" and state in ("off", "asked-by-peer"):
            log.on()
        elif what == "off" and state != "off":
            log.off()

    def kept(self, logs: MemoryLogs, name: str) -> list[str]:
        return [row for file in logs.files for row in file.rows if row.startswith(f"{name}|")]


class FailingTests(LogCase):
    """A disk that is full, read-only or broken."""

    def problems(self, end: End) -> list[int]:
        return [event.code for event in end.events if isinstance(event, Problem)]

    def test_who_agrees_and_cannot_open_the_file_has_not_agreed(self) -> None:
        self.on(self.alice)
        self.logs[1].cannot_open = True
        error = self.assertRaises(LogFailed, self.bob.session.log.on)
        self.assertIn("no space left", error.what)
        self.pair.pump()
        self.assertEqual(self.states, ("asked-by-me", "asked-by-peer"))
        self.logs[1].cannot_open = False
        self.on(self.bob)
        self.assertEqual(self.states, ("on", "on"))

    def test_who_asked_and_cannot_open_the_file_ends_it_for_both(self) -> None:
        self.logs[0].cannot_open = True
        self.on(self.alice, self.bob)
        self.assertEqual(self.states, ("off", "off"))
        self.assertEqual(self.problems(self.alice), [FAILED])
        self.assertEqual(self.rows(1)[0][1:], ["-- the log ends: alice ended it"])
        self.check_talks()

    def check_ended(self) -> None:
        self.assertEqual(self.states, ("off", "off"))
        self.assertEqual((self.problems(self.alice), self.problems(self.bob)), ([FAILED], []))
        self.assertEqual(self.told(self.alice)[-1].by, "me")
        self.assertTrue(self.logs[0].files[0].is_closed)
        self.assertEqual(self.rows(1)[0][-1], "-- the log ends: alice ended it")
        self.check_talks()

    def test_a_disk_that_fills_up_when_they_speak(self) -> None:
        self.agree()
        self.logs[0].is_full = True
        self.say(self.bob, "more")
        self.assertEqual(self.alice.messages[-1], "more")
        self.check_ended()
        self.assertEqual(self.rows(0)[0][1:], [])

    def test_a_disk_that_fills_up_when_we_speak(self) -> None:
        self.agree()
        self.logs[0].is_full = True
        self.say(self.alice, "more")
        self.assertEqual(self.alice.delivered, [1, 2])
        self.check_ended()

    def test_a_disk_that_is_full_at_once(self) -> None:
        self.logs[0].is_full = True
        self.on(self.alice, self.bob)
        self.check_ended()

    # Promise T74
    def test_a_log_that_is_as_long_as_it_may_be(self) -> None:
        self.agree()
        size = len(self.logs[0].files[0].data)
        row = len("08:05:10  bob| \n") + 100
        self.patch(limits, "MAX_LOG_BYTES", size + 2 * row)
        for _ in range(2):
            self.say(self.bob, "x" * 100)
        self.assertEqual(self.states, ("on", "on"))
        self.say(self.bob, "x")
        self.assertEqual(self.states, ("off", "off"))
        self.assertIn(FAILED, self.problems(self.alice))
        last = "-- the log ends: it could not be written any further"
        self.assertEqual(self.rows(0)[0][1:], [f"bob| {'x' * 100}"] * 2 + [last])
        self.check_talks()

    def test_a_client_without_a_place_for_logs_agrees_to_none(self) -> None:
        pair = Pair().open()
        pair.alice.session.say("hello")
        pair.pump()
        error = self.assertRaises(NotNow, pair.alice.session.log.on)
        self.assertIn("no place for a log", error.what)
        pair.pump()
        self.assertEqual(pair.bob.session.log.status().state, "off")

    def test_it_can_be_asked_all_the_same_and_say_no(self) -> None:
        self.pair.bob.session.log._logs = None
        self.on(self.alice)
        self.assertRaises(NotNow, self.bob.session.log.on)
        self.off(self.bob)
        self.assertEqual(
            self.told(self.alice)[-1], ChatLogState("bob", "off", "asked-by-me", "peer")
        )


class PeerTests(LogCase):
    """A client that was changed."""

    def send(self, word: str) -> None:
        outcome(self.bob.session.control.call(vocabulary.Log, word=word))
        self.pair.pump()

    def check_cut(self) -> None:
        self.assertEqual(self.alice.over, [("cut-off", [])])
        self.assertIsInstance(self.alice.error, WireError)

    # Promise T74
    def test_asking_without_end(self) -> None:
        for _ in range(limits.MAX_LOG_ASKS):
            self.send("on")
        self.assertEqual(self.alice.over, [])
        self.assertEqual(len(self.told(self.alice)), 1)  # what changes nothing is not shown
        self.send("on")
        self.check_cut()

    def test_a_word_that_was_said_already_begins_nothing(self) -> None:
        self.agree()
        self.send("on")
        self.say(self.bob, "one file")
        self.assertEqual(len(self.rows(0)), 1)
        self.assertEqual(self.rows(0)[0][1:], ["bob| one file"])

    # Promise T74
    def test_ending_without_end(self) -> None:
        self.send("on")
        self.send("off")
        self.assertEqual(self.alice.over, [])
        self.send("off")
        self.check_cut()

    def test_a_file_is_closed_also_when_the_peer_is_cut(self) -> None:
        self.agree()
        for _ in range(3):
            self.send("off")
        self.check_cut()
        self.assertTrue(self.logs[0].files[0].is_closed)

    def test_another_word(self) -> None:
        box = vocabulary.Log.makeArguments({"word": "maybe"}, None)
        box.update({amp.COMMAND: b"Log", amp.ASK: b"x"})
        self.pair.bob.session.control._send_box(box)
        self.pair.pump()
        self.check_cut()

    def test_a_word_before_hello_is_no_chat(self) -> None:
        for word in ("on", "off"):
            pair = LoggedPair()
            early = partial(pair.bob.session.control.call, vocabulary.Log, word=word)
            self.patch(pair.bob.session, "send_hello", lambda send=early: outcome(send()))
            pair.open()
            self.assertEqual(pair.alice.over, [(None, [])])
            self.assertIsInstance(pair.alice.error, WireError)

    def test_a_word_that_crosses_our_goodbye_is_heard_and_means_nothing(self) -> None:
        self.alice.session.leave()
        self.send("on")
        self.assertEqual((self.alice.over, self.bob.over), ([("by-me", [])], [("by-peer", [])]))
        self.assertEqual(self.told(self.alice), [])

    def test_our_own_questions_have_an_end_too(self) -> None:
        for _ in range(limits.MAX_LOG_ASKS):
            self.on(self.alice)
            self.off(self.bob)
        error = self.assertRaises(NotNow, self.alice.session.log.on)
        self.assertIn("too often", error.what)
        self.check_talks()


class PersonTests(AliceTestCase):
    """Alice's whole client."""

    def setUp(self) -> None:
        super().setUp()
        self.logs = self.person.client._station.logs = MemoryLogs()

    def test_without_a_chat_there_is_nothing_to_log(self) -> None:
        self.assertRaises(NotNow, lambda: self.alice.log)

    def test_asked_agreed_and_ended_with_the_chat(self) -> None:
        self.reach("chatting")
        self.chatting.session.say("hello")
        self.pump()
        self.chatting.session.log._logs = MemoryLogs()
        self.chatting.session.log.on()
        self.pump()
        self.assertEqual(
            self.alice.log.status(), ChatLogState(BOB, "asked-by-peer", "asked-by-peer")
        )
        self.alice.log.on()
        self.pump()
        self.chatting.session.say("kept")
        self.pump()
        self.told(self.alice.stop())
        rows = [first(ALICE, BOB, BOB, ALICE), "bob| kept", "-- the log ends: the chat is over"]
        self.assertEqual(self.logs.files[0].rows, rows)
        kinds = [type(event) for event in self.notes.events]
        self.assertLess(kinds.index(ChatLogState), kinds.index(ChatOver))


class WordingTests(SynchronousTestCase):
    """What a person reads."""

    def lines(self, event: ChatLogState) -> str:
        return "\n".join(Plain(lambda: "08:05").lines(event))

    def test_every_change_has_its_words(self) -> None:
        def told(*facts: Any) -> str:
            return self.lines(ChatLogState("bob", *facts))

        words = {
            "you asked bob to keep a log": told("asked-by-me", "off", "me"),
            "/log on agrees, /log off declines": told("asked-by-peer", "off", "peer"),
            "/log off ends it for both; yours is in F": told("on", "asked-by-me", "peer", "F", 0),
            "you no longer ask": told("off", "asked-by-me", "me"),
            "you do not agree": told("off", "asked-by-peer", "me"),
            "you ended it for both; it is in F": told("off", "on", "me", "F", 0),
            "bob does not agree": told("off", "asked-by-me", "peer"),
            "bob no longer asks": told("off", "asked-by-peer", "peer"),
            "bob ended it for both; yours is in F": told("off", "on", "peer", "F", 0),
            "ends with the chat; it is in F": told("off", "on", "nobody", "F", 0),
            "nothing of this chat is written": told("off", "off"),
            "has not answered": told("asked-by-me", "asked-by-me"),
        }
        for expected, text in words.items():
            self.assertIn(expected, text)

    def test_the_status_says_since_when_and_where(self) -> None:
        at = time.strftime("%H:%M", time.localtime(1_800_000_000))
        text = self.lines(ChatLogState("bob", "on", "on", "nobody", "F", 1_800_000_000))
        self.assertIn(f"log on since {at}", text)
        self.assertIn("yours is in F\n", text)

    # Promise C44
    def test_who_asks_or_is_asked_hears_what_it_is_worth(self) -> None:
        for state, before in (("asked-by-me", "off"), ("asked-by-peer", "off"), ("on", "on")):
            text = self.lines(ChatLogState("bob", state, before, "me", "F", 0))  # type: ignore[arg-type]
            self.assertIn("a modified one, or a camera, records without asking", text)
