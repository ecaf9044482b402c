"""Chats with an end: asked for, told, bound by HELLO, and kept by each side for itself."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from securecom import limits, vocabulary
from securecom.client.chat.agreement import ChatTerms
from securecom.client.events import Asked, Asking, ChatOver, ChatStarted, TimeLeft
from securecom.client.terms import read_wish
from securecom.errors import BadArgument, BadName, ChatFailed, NotNow, ProofRefused
from securecom.identity import Name
from securecom.tests.support.chat_pair import End, Pair
from securecom.tests.support.rekeying_pair import due
from securecom.tests.support.request_case import RequestCase
from securecom.tests.support.scripted_server import outcome
from securecom.tests.support.scripted_server_case import ALICE, BOB, AliceTestCase
from securecom.tests.support.two_clients_case import TwoClientsCase
from securecom.values import replace

MINUTES = 20 * 60


class WishTests(SynchronousTestCase):
    def test_whom_and_how_long(self) -> None:
        told = {
            "bob": (BOB, None),
            "Bob": (BOB, None),
            "bob for 20m": (BOB, MINUTES),
            " bob  for 90s": (BOB, 90),
            "for for 1m": (Name("for"), limits.MIN_CHAT_SECONDS),
            "bob for 24h": (BOB, limits.MAX_CHAT_SECONDS),
        }
        for text, wish in told.items():
            self.assertEqual(read_wish(text), wish, text)

    def test_what_is_no_wish(self) -> None:
        for text in (
            "bob for",
            "bob 20m",
            "bob for 20",
            "bob for 59s",
            "bob for 25h",
            "bob for 2d",
            "bob for 20m now",
            "bob to 20m",
        ):
            self.assertRaises(BadArgument, read_wish, text)
        self.assertRaises(BadName, read_wish, "")
        self.assertRaises(BadName, read_wish, "b/b for 20m")


class TimedPair(Pair):
    """Both mean a chat with an end."""

    def __init__(self, asked: tuple[int, ...] = (MINUTES,)) -> None:
        super().__init__()
        terms = ChatTerms(asked)
        self.alice, self.bob = self.end("caller", terms=terms), self.end("callee", terms=terms)


class TimeTests(SynchronousTestCase):
    """What each end does when the time comes."""

    def setUp(self) -> None:
        self.pair = TimedPair().open()
        self.alice, self.bob = self.pair.alice, self.pair.bob

    def endings(self) -> list[Any]:
        return [end.over[0][0] if end.over else None for end in (self.alice, self.bob)]

    def test_it_ends_by_itself_on_both_sides(self) -> None:
        self.pair.advance(MINUTES - 0.1)
        self.assertEqual(self.endings(), [None, None])
        self.pair.advance(0.1)
        self.assertEqual(self.endings(), ["time-up", "time-up"])
        self.assertEqual(self.pair.clock.getDelayedCalls(), [])

    def test_both_are_told_a_minute_before(self) -> None:
        self.pair.advance(MINUTES - limits.TIME_WARNING - 0.1)
        for end in (self.alice, self.bob):
            self.assertEqual(end.events, [])
        self.pair.advance(0.1)
        self.assertEqual(self.alice.events, [TimeLeft("bob", 60)])
        self.assertEqual(self.bob.events, [TimeLeft("alice", 60)])

    def test_the_shortest_chat_is_not_told_that_a_minute_is_left(self) -> None:
        pair = TimedPair((60,)).open()
        pair.advance(60)
        self.assertEqual((pair.alice.events, pair.bob.events), ([], []))
        self.assertEqual(pair.alice.over, [("time-up", [])])

    def test_of_two_that_crossed_the_shorter_counts(self) -> None:
        for span in ((600, 3000), (3000, 600), (0, 600), (600, 0)):
            pair = TimedPair(span).open()
            pair.advance(599)
            self.assertEqual(pair.alice.over, [], span)
            pair.advance(1)
            self.assertEqual(pair.alice.over + pair.bob.over, [("time-up", [])] * 2, span)

    def patient(self, end: End) -> None:
        """A client that was changed, and counts no time."""
        end.session._time.stop()

    # Promise T75, C46
    def test_a_peer_cannot_prolong_it(self) -> None:
        self.patient(self.bob)
        self.pair.advance(MINUTES)
        self.assertEqual(self.endings(), ["time-up", "by-peer"])

    def test_also_not_by_leaving_our_goodbye_unanswered(self) -> None:
        self.patient(self.bob)
        self.pair.tap = lambda source, data: data if source is self.alice else b""
        self.pair.advance(MINUTES)
        self.alice.clock.advance(limits.BYE_DEADLINE)
        self.pair.pump()
        self.assertEqual(self.alice.over, [("time-up", [])])

    def test_a_peer_whose_clock_is_a_little_ahead(self) -> None:
        """Their end is the end of the time, and not before."""
        for early, ending in ((limits.TIME_UP_MARGIN, "time-up"), (10.5, "by-peer")):
            pair = TimedPair().open()
            pair.advance(MINUTES - early)
            pair.bob.session.leave()
            pair.pump()
            self.assertEqual(pair.alice.over, [(ending, [])])
            self.assertEqual(pair.bob.over, [("by-me", [])])

    def test_who_ends_it_before_ended_it(self) -> None:
        """Also if the time comes while the answer is awaited."""
        self.pair.advance(MINUTES - 1)
        self.pair.tap = lambda source, data: b""
        self.alice.session.leave()
        self.pair.advance(limits.BYE_DEADLINE)
        self.assertEqual(self.alice.over, [("by-me", [])])

    def test_a_no_is_a_no_whatever_the_time(self) -> None:
        self.pair.advance(MINUTES - 1)
        self.bob.session.disagree()
        self.pair.pump()
        self.assertEqual(self.endings(), ["by-peer", "by-me"])

    # Promise T39
    def test_a_chat_that_stops_is_cut_off_whatever_the_time(self) -> None:
        self.pair.advance(MINUTES - 1)
        self.alice.stream.lost()
        self.pair.pump()
        self.assertEqual(self.alice.over, [("cut-off", [])])
        self.pair.advance(limits.PEER_GONE)
        self.assertEqual(len(self.alice.over), 1)

    # Promise T39
    def test_also_when_it_stops_while_our_goodbye_is_out(self) -> None:
        self.pair.tap = lambda source, data: b""
        self.pair.advance(MINUTES)
        self.alice.stream.lost()
        self.pair.pump()
        self.assertEqual(self.alice.over, [("cut-off", [])])

    def test_a_chat_without_an_end_has_none(self) -> None:
        pair = Pair().open()
        for _ in range(12):
            pair.advance(limits.REKEY_AFTER)
        self.assertEqual((pair.alice.over, pair.alice.events), ([], []))


class LieTests(SynchronousTestCase):
    """A server that tells the two different times gets no chat."""

    def check_never_stands(self, callers: tuple[int, ...], callees: tuple[int, ...]) -> None:
        pair = Pair()
        pair.alice = pair.end("caller", terms=ChatTerms(callers))
        pair.bob = pair.end("callee", terms=ChatTerms(callees))
        pair.open()
        for end in (pair.alice, pair.bob):
            self.assertEqual((end.over, end.stands, end.is_pinned), ([(None, [])], False, False))
        errors = (pair.alice.error, pair.bob.error)
        self.assertTrue(any(isinstance(error, ProofRefused) for error in errors), errors)

    # Promise T38, C47
    def test_shortened(self) -> None:
        self.check_never_stands((MINUTES,), (60,))

    # Promise T38, C47
    def test_lengthened(self) -> None:
        self.check_never_stands((MINUTES,), (MINUTES + 1,))

    # Promise T38, C47
    def test_dropped(self) -> None:
        self.check_never_stands((MINUTES,), ())

    # Promise T38, C47
    def test_added(self) -> None:
        self.check_never_stands((), (MINUTES,))

    # Promise T38
    def test_a_crossing_that_was_none(self) -> None:
        """Bob said yes to 60 s; Alice hears that he asked for 60 s himself."""
        self.check_never_stands((0, 60), (60,))
        self.check_never_stands((MINUTES, 60), (60,))

    def test_the_other_ones_request_changed(self) -> None:
        self.check_never_stands((MINUTES, 60), (MINUTES, 0))
        self.check_never_stands((MINUTES, 0), (MINUTES, 60))
        self.check_never_stands((60, MINUTES), (MINUTES, 60))

    # Promise T38
    def test_in_a_rekey_too(self) -> None:
        pair = TimedPair((3 * 3600,)).open()
        pair.alice.session.say("hello")
        pair.pump()
        rekeying = pair.bob.session._rekeying
        rekeying._agreement = replace(rekeying._agreement, terms=ChatTerms())
        due(pair)
        pair.pump()
        self.assertTrue(pair.alice.over and pair.bob.over)
        errors = (pair.alice.error, pair.bob.error)
        self.assertTrue(any(isinstance(error, ProofRefused) for error in errors), errors)


class ServerTests(RequestCase):
    """What the server makes of it: it tells, and nothing else."""

    def ask_for(self, who: Any, name: str, seconds: int | None) -> Any:
        return who.ask(vocabulary.RequestChat, callee=Name(name), chat_seconds=seconds)

    def test_the_callee_hears_how_long(self) -> None:
        asked = self.ask_for(self.alice, "bob", MINUTES)
        self.assertEqual(self.bob.said("offer")[0]["chat_seconds"], MINUTES)
        self.bob.answer("accept")
        self.assertIsNone(self.alice.done(asked)["their_seconds"])

    def test_two_that_cross_hear_what_the_other_asked(self) -> None:
        for one, other in ((MINUTES, 60), (None, 60), (MINUTES, None)):
            asked, back = (
                self.ask_for(self.alice, "bob", one),
                self.ask_for(self.bob, "alice", other),
            )
            alices, bobs = self.successResultOf(asked), self.successResultOf(back)
            self.assertEqual(
                (alices["their_seconds"], bobs["their_seconds"]), (other or 0, one or 0)
            )
            self.alice.done(self.alice.ask(vocabulary.EndChat, stream=alices["stream"]))

    def test_also_where_nobody_was_asked(self) -> None:
        """A silent request, crossed."""
        self.bob.done(self.bob.ask(vocabulary.SetAvailability, available=False))
        asked, back = self.ask_for(self.alice, "bob", 60), self.ask_for(self.bob, "alice", MINUTES)
        self.assertEqual(self.successResultOf(asked)["their_seconds"], MINUTES)
        self.assertEqual(self.successResultOf(back)["their_seconds"], 60)

    def test_without_times_there_is_nothing_to_hear(self) -> None:
        asked, back = self.ask_for(self.alice, "bob", None), self.ask_for(self.bob, "alice", None)
        self.assertIsNone(self.successResultOf(asked)["their_seconds"])
        self.assertIsNone(self.successResultOf(back)["their_seconds"])

    def test_a_time_out_of_range_is_a_violation(self) -> None:
        for seconds in (limits.MIN_CHAT_SECONDS - 1, limits.MAX_CHAT_SECONDS + 1):
            client = self.server.client(f"dave{seconds}")
            client.ask(vocabulary.RequestChat, callee=BOB, chat_seconds=seconds).addErrback(id)
            self.assertEqual(client.said("goodbye"), ["violation"])


class ClientTests(AliceTestCase):
    """Alice's client, at a server that says what the test wants."""

    def asks(self, seconds: int | None) -> list[Any]:
        return self.told(self.alice.request_chat(BOB, seconds))

    def offered_for(self, seconds: int | None) -> list[Any]:
        more: dict[str, Any] = {} if seconds is None else {"chat_seconds": seconds}
        return self.offer(**more)

    # Promise C45
    def test_the_person_is_asked_for_so_long_and_their_yes_is_for_that(self) -> None:
        self.offer(chat_seconds=MINUTES)
        self.assertEqual(self.notes.last(Asked).chat_seconds, MINUTES)
        stands = self.told(self.alice.accept())
        self.open_stream()
        self.peer("caller", terms=ChatTerms((MINUTES,))).open()
        self.pump()
        self.assertEqual(stands, [None])
        self.assertEqual(self.notes.last(ChatStarted).chat_seconds, MINUTES)

    def test_a_yes_is_for_no_other_time(self) -> None:
        self.offer(chat_seconds=MINUTES)
        stands = self.told(self.alice.accept())
        self.open_stream()
        self.peer("caller", terms=ChatTerms((2 * MINUTES,))).open()
        self.pump()
        self.fails(stands, ChatFailed)

    def test_asking_for_so_long(self) -> None:
        stands = self.asks(MINUTES)
        self.assertEqual(self.end.said("chat for"), [MINUTES])
        self.assertEqual(self.notes.last(Asking).chat_seconds, MINUTES)
        self.peer("callee", terms=ChatTerms((MINUTES,))).open()
        self.grant()
        self.assertEqual(stands, [None])
        self.network.advance(MINUTES)
        self.assertEqual(self.notes.last(ChatOver).ending, "time-up")

    def test_what_the_server_says_of_the_others_request_must_be_proved(self) -> None:
        for asked, theirs, span in (
            (None, 60, (0, 60)),
            (MINUTES, 0, (MINUTES, 0)),
            (MINUTES, 60, (MINUTES, 60)),
        ):
            stands = self.asks(asked)
            self.peer("callee", terms=ChatTerms(span)).open()
            self.grant(their_seconds=theirs)
            self.assertEqual(stands, [None], span)
            self.told(self.alice.stop())

    def test_and_is_nothing_if_it_is_not(self) -> None:
        for asked, theirs, span in ((None, 60, ()), (MINUTES, 60, (MINUTES,)), (None, 60, (60,))):
            stands = self.asks(asked)
            self.peer("callee", terms=ChatTerms(span)).open()
            self.grant(their_seconds=theirs)
            self.fails(stands, ChatFailed)

    def test_neither_asked_for_an_end(self) -> None:
        """A server that tells a zero for nothing changes nothing."""
        stands = self.asks(None)
        self.peer("callee").open()
        self.grant(their_seconds=0)
        self.assertEqual(stands, [None])

    def test_asking_the_caller_back_accepts_what_they_asked_for(self) -> None:
        for theirs, ours in ((MINUTES, None), (MINUTES, MINUTES), (None, None)):
            came = self.offered_for(theirs)
            self.asks(ours)
            self.assertEqual(came, ["accept"])
            self.told(self.alice.stop())

    def test_and_to_nothing_else(self) -> None:
        for theirs, ours, words in (
            (MINUTES, 60, "for 20 min"),
            (60, MINUTES, "for 60 s"),
            (None, 60, "without an end"),
        ):
            came = self.offered_for(theirs)
            error = self.fails(self.asks(ours), NotNow)
            self.assertIn(words, error.what)
            self.assertEqual((came, self.end.said("chat for")), ([], []))
            self.told(self.alice.refuse())


class RealServerTests(TwoClientsCase):
    """Two whole clients, and the server as it is."""

    def check_ends(self, seconds: int) -> None:
        for person in (self.alice, self.bob):
            self.assertEqual(person.notes.last(ChatStarted).chat_seconds, seconds)
        self.network.advance(seconds)
        for person in (self.alice, self.bob):
            self.assertEqual(person.notes.last(ChatOver).ending, "time-up")

    def test_asked_for_and_accepted(self) -> None:
        came = outcome(self.alice.main.request_chat(BOB, MINUTES))
        self.network.pump()
        self.assertEqual(came, [None])
        self.assertEqual(self.bob.notes.last(Asked).chat_seconds, MINUTES)
        self.check_ends(MINUTES)

    # Promise C48
    def test_both_ask_for_different_times(self) -> None:
        """Whoever asks first, whoever is the caller, with or without an end."""
        for person in (self.alice, self.bob):
            person.notes.on_event = lambda _: None
        for first, second in (
            ((self.alice, BOB), (self.bob, ALICE)),
            ((self.bob, ALICE), (self.alice, BOB)),
        ):
            for one, other in ((60, MINUTES), (MINUTES, 60), (None, 60), (60, None)):
                came = outcome(first[0].main.request_chat(first[1], one))
                came_too = outcome(second[0].main.request_chat(second[1], other))
                self.network.pump()
                self.assertEqual((came, came_too), ([None], [None]))
                self.check_ends(60)
