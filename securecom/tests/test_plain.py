"""What a user sees on a terminal: rows, colours, QR codes."""

from __future__ import annotations

import re
import unicodedata
from functools import partial

import segno
from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from securecom import limits
from securecom.client import events as e
from securecom.client import key_events
from securecom.client.frontends import commands
from securecom.client.frontends import plain as rows
from securecom.client.frontends.jsonl import Json
from securecom.client.frontends.orders import Order
from securecom.client.frontends.people_words import TRUST
from securecom.client.frontends.plain import Plain
from securecom.client.frontends.qr import Screen, least_room, qr_rows
from securecom.client.frontends.words import words
from securecom.tests.support.event_kinds import KINDS
from securecom.tests.support.hostile_text import HOSTILE
from securecom.tests.support.scripted_core import Failing

DIGITS = "19055174454966026154" * 3


ENDINGS = ("by-me", "by-peer", "time-up", "cut-off")


def plain(*, columns: int | None = None, echoes: bool = False) -> Plain:
    return Plain(lambda: "08:05", lambda: Screen(columns), echoes=echoes)


bob, carol = e.ListedUser("bob", "verified"), e.ListedUser("carol", "new")


class PlainTests(SynchronousTestCase):
    def test_system_lines_stand_in_a_gutter(self) -> None:
        lines = plain().lines(e.Online("alice", "K7QD", False))
        self.assertEqual(lines, ["08:05   *  online as alice; the server is K7QD"])
        lines = plain().lines(e.ChatOver("bob", "by-peer", []))
        self.assertEqual(lines, ["08:05  -- bob ended the chat; its keys are gone"])

    def test_cut_off_is_never_called_ended(self) -> None:
        [cut] = plain().lines(e.ChatOver("bob", "cut-off", []))
        self.assertIn("cut off", cut)
        self.assertNotIn("ended", cut)

    def test_a_chat_with_an_end_says_so_all_the_way(self) -> None:
        told = {
            "asking bob (never met) to chat for 20 min, waiting up to 60 s": e.Asking(
                "bob", "new", 60, 1200
            ),
            "asking bob (never met), waiting up to 60 s": e.Asking("bob", "new", 60),
            "bob asks to chat for 20 min (60 s to": e.Asked("bob", "new", "SHA256:x", 60, 1200),
            "bob asks to chat (60 s to": e.Asked("bob", "new", "SHA256:x", 60),
            "chat with bob for 2 h,": e.ChatStarted("bob", "caller", "met", "SHA256:x", 7200),
            "chat with bob, end": e.ChatStarted("bob", "caller", "met", "SHA256:x"),
            "60 s left until the chat ends by itself": e.TimeLeft("bob", 60),
            "the time of the chat with bob is up": e.ChatOver("bob", "time-up", []),
        }
        for words_, event in told.items():
            self.assertIn(words_, plain().lines(event)[0])

    def test_a_chat_begins_without_a_log(self) -> None:
        event = e.ChatStarted("bob", "caller", "met", "SHA256:x")
        self.assertIn("log off", plain().lines(event)[0])

    def test_what_has_no_receipt_is_said(self) -> None:
        _, receipt = plain().lines(e.ChatOver("bob", "cut-off", [3, 4]))
        self.assertIn("no receipt for 3, 4", receipt)

    def test_what_was_never_sent_is_told_apart(self) -> None:
        lines = plain().lines(e.ChatOver("bob", "by-me", [1, 2, 3], [1, 2]))
        self.assertEqual(
            lines[1:],
            [
                "08:05  -- never sent: 1, 2",
                "08:05  -- no receipt for 3: may not have arrived",
            ],
        )
        self.assertEqual(len(plain().lines(e.ChatOver("bob", "by-me", [1], [1]))), 2)

    def test_the_request_channel_is_told_when_it_fails_and_comes_back(self) -> None:
        language = plain()
        up, down = (e.RequestChannelState(is_up, "listen", None) for is_up in (True, False))
        shown = [len(language.lines(event)) for event in (up, down, up, up)]
        self.assertEqual(shown, [0, 1, 1, 0])

    def test_the_last_reason_is_left_to_the_problem_that_follows(self) -> None:
        lines = plain().lines(e.Offline("refused", None))
        self.assertEqual(lines, ["08:05   *  offline"])

    def test_a_receipt_on_a_terminal_needs_no_number_if_it_is_the_last_ones(self) -> None:
        language = plain(echoes=True)
        for number in (1, 2):
            language.lines(e.Said("bob", number, "hi", False))
        self.assertEqual(language.lines(e.Delivered("bob", 1)), ["08:05  -- 1 delivered"])
        self.assertEqual(language.lines(e.Delivered("bob", 2)), ["08:05  -- delivered"])

    # Promise T68
    def test_every_line_of_a_peers_text_bears_the_name(self) -> None:
        lines = plain().lines(e.Message("bob", HOSTILE))
        self.assertEqual(len(lines), 2)
        self.assertTrue(lines[0].startswith("08:05  bob| "))
        self.assertTrue(lines[1].startswith("       bob| "))

    # Promise T67
    def test_nothing_in_a_peers_text_reaches_the_terminal_raw(self) -> None:
        for line in plain().lines(e.Message("bob", HOSTILE)):
            self.assertTrue(line.isprintable(), repr(line))

    def test_a_screen_is_cleared_where_there_is_one_and_only_at_ones_own_word(self) -> None:
        cleared = e.ScreenCleared()
        on_terminal = Plain(lambda: "08:05", lambda: Screen(80, 24, has_colours=True))
        [row] = on_terminal.lines(cleared)
        self.assertTrue(row.startswith("\x1b[H\x1b[2J\x1b[3J08:05   *  the screen is cleared"))
        for screen in (Screen(), Screen(80, 24)):  # a pipe or file, a dumb terminal
            [row] = Plain(lambda: "08:05", iter([screen, screen, screen]).__next__).lines(cleared)
            self.assertNotIn("\x1b", row)
            self.assertIn("nothing was cleared: this output is not a terminal", row)
        self.assertEqual(Json().lines(cleared), ['{"event":"screen-cleared"}'])
        [row] = on_terminal.lines(e.Message("bob", "\x1b[H\x1b[2J\x1b[3J"))
        self.assertNotIn("\x1b", row)

    def test_a_message_of_line_feeds_cannot_fill_the_screen_or_the_memory(self) -> None:
        lines = plain().lines(e.Message("m" * limits.MAX_NAME, "\n" * limits.MAX_TEXT))
        self.assertEqual(len(lines), limits.MAX_LINES_SHOWN + 1)
        rest = limits.MAX_TEXT - limits.MAX_LINES_SHOWN
        self.assertEqual(lines[-1].count("\u240a"), rest, "nothing is left out")
        self.assertLess(sum(map(len, lines)), 2 * limits.MAX_TEXT + 50 * limits.MAX_LINES_SHOWN)

    def test_rows_keep_within_a_narrow_terminal_whatever_the_name(self) -> None:
        name = "m" * limits.MAX_NAME
        for columns in (20, 30, 48, 49):
            lines = plain(columns=columns).lines(e.Message(name, "word " * 20))
            self.assertEqual({row.count("|") for row in lines}, {1})
            for row in lines:
                self.assertLessEqual(sum(map(rows.cells, row)), columns)
            self.assertEqual(f"{name}|" in lines[0], columns >= 49, "cut only if it must be")
            self.assertEqual("~|" in lines[0], columns < 49)

    def test_nothing_in_a_system_line_reaches_the_terminal_raw(self) -> None:
        for event in (e.Notice(HOSTILE), e.Offline(HOSTILE, 3.0), e.Problem(1, HOSTILE, HOSTILE)):
            [line] = plain().lines(event)
            self.assertTrue(line.isprintable(), repr(line))

    def test_long_text_is_broken_with_the_name_in_every_row(self) -> None:
        fake = "08:05   *  you are verified"
        for text in ("x" * 68 + fake, " " * 68 + fake, "\u4e00" * 34 + fake):
            lines = plain(columns=80).lines(e.Message("bob", text))
            self.assertGreater(len(lines), 1)
            for line in lines:
                self.assertIn("bob| ", line[:12])
                self.assertLessEqual(sum(map(rows.cells, line)), 80)

    def test_long_system_lines_go_on_behind_the_gutter(self) -> None:
        first, *others = plain(columns=40).lines(e.Notice("word " * 20))
        self.assertTrue(first.startswith("08:05   *  word"))
        self.assertTrue(all(line.startswith(" " * 11 + "word") for line in others))

    def test_where_nothing_breaks_lines_a_line_stays_whole(self) -> None:
        self.assertEqual(len(plain().lines(e.Message("bob", "x" * 5000))), 1)

    def test_own_messages_are_shown_where_nothing_echoes_them(self) -> None:
        self.assertEqual(plain().lines(e.Said("bob", 1, "hi", False)), ["08:05  > hi"])
        self.assertEqual(plain(echoes=True).lines(e.Said("bob", 1, "hi", False)), [])

    def test_what_is_kept_back_is_said(self) -> None:
        [kept] = plain(echoes=True).lines(e.Said("bob", 7, "hi", True))
        self.assertIn("7 waits until the other person has written", kept)

    def test_the_callee_learns_who_starts(self) -> None:
        text = "\n".join(plain().lines(e.ChatStarted("alice", "callee", "new", "SHA256:x")))
        self.assertIn("alice writes first; what you type is sent after that", text)
        text = "\n".join(plain().lines(e.ChatStarted("bob", "caller", "met", "SHA256:x")))
        self.assertIn("you asked, so you write first", text)

    def test_a_request_says_who_which_key_and_how_long(self) -> None:
        for trust, told in TRUST.items():
            event = e.Asked("alice", trust, "SHA256:abc", 48)  # type: ignore[arg-type]
            text = "\n".join(plain().lines(event))
            for part in ("alice asks", "48 s", "/accept", "/refuse", told, "SHA256:abc"):
                self.assertIn(part, text)

    def test_availability_and_channel_and_asking(self) -> None:
        told = {
            e.Availability(True): "available",
            e.Availability(False): "away: nobody can ask you; /available changes that",
            e.Availability(True, 2700): "available for 45 min: anybody on this server",
            e.Availability(True, 60, ("bob", "carol")): "for 60 s to bob, carol",  # type: ignore[arg-type]
            e.Availability(True, None, ()): "to nobody: you have met none of them",  # type: ignore[arg-type]
            e.Availability(False, 600): "away for 10 min",
            e.RequestChannelState(True, "dial", 4242): "port 4242",
            e.RequestChannelState(False, "listen", None): "cannot",
            e.Asking("bob", "met", 60): "asking bob (met), waiting up to 60 s",
            e.Connecting("::1", 4241): "connecting to ::1, port 4241",
            e.Online("a", "K", True): "again",
            e.Offline("refused.", 4.2): "offline: refused. Trying again in 4 s",
            e.Offline("refused", None): "offline",
            e.RefusedForYou(
                "bob", "verified", "busy"
            ): "bob (verified) asked: refused for you (busy)",
            e.RefusedForYou("bob", "new", "own-key"): "your own key is theirs",
            e.AnsweredForYou(
                "bob", "accept", "new", "SHA256:f"
            ): "bob asked (never met): your program accepted",
            e.AnsweredForYou(
                "bob", "refuse", "changed", "SHA256:f"
            ): "bob asked (KEY CHANGED): your program refused",
            e.AnsweredForYou(
                "bob", "accept", "followed", "SHA256:f"
            ): "bob asked (NEW KEY, signed by the old one): your program accepted",
            e.AnsweredForYou(
                "bob", "accept", "followed-verified", "SHA256:f"
            ): "bob asked (NEW KEY, signed by the verified one): your program accepted",
            e.AnsweredForYou(
                "bob", "dismiss", "met", "SHA256:f"
            ): "bob asked (met): your program ignored them: to them you seem offline",
            e.Blocked("bob", True): "bob is blocked and cannot ask you",
            e.Blocked("bob", False): "bob is no longer blocked",
            e.BlockList((bob, carol)): "2 blocked: bob (verified), carol (never met)",  # type: ignore[arg-type]
            e.BlockList(()): "you have blocked nobody",  # type: ignore[arg-type]
            e.ChatOpening("bob"): "bob and you agreed",
            e.Delivered("bob", 3): "3 delivered",
            e.Welcome(1, "1.2"): "securecom 1.2; /help",
            e.Left(0): "bye",
            e.Left(6): "bye (exit code 6)",
        }
        for event, part in told.items():
            [line] = plain().lines(event)
            self.assertIn(part, line)
        [line] = plain().lines(e.Problem(201, "What", "Do that."))
        self.assertIn("SC-201 What. Do that.", line)

    def test_lists(self) -> None:
        users = [bob, carol]
        [line] = plain().lines(e.Users(users, "", False))
        self.assertIn("2 available: bob (verified), carol (never met)", line)
        [line] = plain().lines(e.Users(users, "", False, ["bob"]))
        self.assertIn("bob (verified, busy), carol (never met)", line)
        [line] = plain().lines(e.Users(users, "o", True))
        self.assertIn("with 'o' in the name", line)
        self.assertIn("narrows", line)
        [line] = plain().lines(e.Users([], "", False))
        self.assertIn("nobody is available", line)

    def test_requests_that_are_open_and_that_were_missed(self) -> None:
        missed = [e.MissedCaller("carol", "met", 1, 45), e.MissedCaller("dave", "new", 3, 600)]
        [line] = plain().lines(e.Missed(missed))
        told = "away or busy: carol (met, once, 45 s ago), dave (never met, 3 times, 10 min ago)"
        self.assertIn(told, line)
        lines = plain().lines(e.Requests(bob, e.ListedUser("alice", "changed"), missed))
        parts = (
            "alice (KEY CHANGED) is asking you",
            "you are asking bob (verified)",
            "missed: carol (met",
        )
        for line, part in zip(lines, parts, strict=True):
            self.assertIn(part, line)
        [line] = plain().lines(e.Requests(None, None, []))
        self.assertIn("no requests", line)

    def test_settings(self) -> None:
        settings = [e.Setting("ask", "people", "who may"), e.Setting("busy", "to bob", "who sees")]
        first, second = plain().lines(e.AllSettings(settings))
        self.assertIn("ask is people: who may", first)
        self.assertIn("busy is to bob: who sees", second)

    def test_how_a_request_of_somebody_else_ended(self) -> None:
        for reason in ("refused", "dismissed", "cancelled", "expired", "gone", "crossed"):
            [line] = plain().lines(e.AskedOver("alice", reason))
            self.assertIn("alice", line)
        self.assertEqual(plain().lines(e.AskedOver("alice", "accepted")), [])

    def test_all_endings_have_words(self) -> None:
        for ending in ENDINGS:
            self.assertTrue(plain().lines(e.ChatOver("bob", ending, [])))  # type: ignore[arg-type]

    def test_only_these_events_say_nothing_by_themselves(self) -> None:
        inside = {e.MissedCaller, e.ListedUser, e.PersonNow, e.Suggestion}
        self.assertEqual(set(KINDS) - set(words.registry), {e.RequestOver, *inside})

    # --- keys -------------------------------------------------------------------------------

    def test_a_safety_number_is_three_rows_of_four_groups(self) -> None:
        number = " ".join(f"{group:05}" for group in range(12))
        for trust, told in (("met", "not verified"), ("verified", "verified before")):
            event = key_events.SafetyNumber("bob", number, trust)  # type: ignore[arg-type]
            first, *rows, last = plain().lines(event)
            self.assertIn(f"safety number with bob, {told}:", first)
            self.assertEqual(
                [row.split("  *  ")[1].strip() for row in rows],
                [
                    "00000 00001 00002 00003",
                    "00004 00005 00006 00007",
                    "00008 00009 00010 00011",
                ],
            )
            self.assertIn("/verify yes or /verify no", last)

    # Promise C1
    def test_a_qr_code_holds_the_digits_and_nothing_that_a_terminal_obeys(self) -> None:
        digits = "19055174454966026154" * 3
        _, *drawn, last = plain(columns=80).lines(key_events.SafetyCode("bob", digits, "met"))
        self.assertIn("/verify yes or /verify no", last)
        self.assertTrue(all(row.isprintable() and len(row) <= 80 for row in drawn))
        self.assertEqual(modules(drawn), expected_modules(digits, 4))
        inverted = qr_rows(digits, Screen(80), inverted=True)
        opposite = [[not dark for dark in row] for row in modules(inverted)]
        self.assertEqual(opposite, expected_modules(digits, 4))

    # Promise R47
    def test_a_qr_code_has_the_size_that_fits(self) -> None:
        """33 modules with their quiet, or 29: two blanks each, else half blocks; never wrapped."""
        for columns, rows_, wide, border in (
            (80, 40, True, 4),
            (66, 36, True, 4),
            (65, 36, True, 2),
            (66, 35, True, 2),
            (58, 32, True, 2),
            (57, 50, False, 4),
            (80, 24, False, 4),
            (33, 20, False, 4),
            (32, 20, False, 2),
            (29, 18, False, 2),
            (200, None, True, 4),
        ):
            for inverted in (False, True):
                screen = Screen(columns, rows_, True)
                drawn = qr_rows(DIGITS, screen, inverted=inverted)
                dark, wide_drawn = painted(drawn)
                self.assertEqual(wide_drawn, wide, (columns, rows_))
                self.assertLessEqual(len(dark[0]) * (2 if wide else 1), columns)
                wanted = expected_modules(DIGITS, border, whole=wide)
                self.assertEqual([[one != inverted for one in row] for row in dark], wanted)

    # Promise R47
    def test_where_no_qr_code_fits_a_word_says_what_would(self) -> None:
        self.assertEqual(least_room(DIGITS), (29, 18))
        for columns, rows_ in ((28, 50), (200, 17)):
            self.assertEqual(qr_rows(DIGITS, Screen(columns, rows_, True)), [])
            screen = partial(Screen, columns, rows_, True)
            lines = Plain(lambda: "08:05", screen).lines(
                key_events.SafetyCode("bob", DIGITS, "met")
            )
            told = " ".join(" ".join(lines).split())
            self.assertIn("needs a terminal of 29 columns and 18 rows", told.replace("* ", ""))
            self.assertNotIn("\x1b", told)

    # Promise R48
    def test_verify_qr_invert_inverts_that_code_and_no_other(self) -> None:
        language = Plain(lambda: "08:05", lambda: Screen(80, 40, True))
        event = key_events.SafetyCode("bob", DIGITS, "met")
        for word, inverted in (("qr", False), ("qr invert", True), ("qr", False)):
            order = language.read(f"/verify {word.replace(' ', '  ')}")
            assert isinstance(order, Order)
            self.assertEqual(language.answer(order, event, None), [event])
            drawn = language.lines(event)[1:-1]
            self.assertEqual(painted(drawn)[0][0][0], inverted, "the quiet around it")

    def test_what_a_user_who_compared_is_shown(self) -> None:
        for by, word, told in (
            ("me", "yes", "bob is now verified, on your word"),
            ("me", "no", "NOT VERIFIED"),
            ("peer", "yes", "what counts here is your own /verify yes"),
            ("peer", "no", "DIFFER"),
        ):
            [line] = plain().lines(key_events.ComparisonResult("bob", by, word))  # type: ignore[arg-type]
            self.assertIn(told, line)

    def test_where_a_key_was_retired(self) -> None:
        for here, server, told in (
            (True, True, ("gets nothing from you any more", "the server has retired it too")),
            (True, False, ("gets nothing from you any more", "the server has not")),
            (False, True, ("nothing changes here", "the server has retired alice's key")),
        ):
            lines = plain().lines(key_events.KeyRetired("alice", here, server, "met"))
            for part in told:
                self.assertIn(part, " ".join(lines))

    def test_what_goes_on_with_whom_in_an_introduction(self) -> None:
        for agreed, done, whom in (
            ([], [], "bob or carol"),
            (["bob"], [], "carol"),
            (["bob", "carol"], ["carol"], "bob"),
        ):
            pending = key_events.PendingIntroduction("bob", "carol", agreed, done)
            (line,) = plain().lines(key_events.IntroductionList([pending]))
            self.assertTrue(line.endswith(f"It goes on when you chat with {whom}"), line)

    def test_a_changed_key_names_the_command(self) -> None:
        lines = plain().lines(e.Asked("bob", "changed", "SHA256:abc", 48))
        self.assertIn("KEY CHANGED", lines[-2])
        self.assertTrue(lines[-1].endswith("  /trust bob SHA256:abc"))
        for trust in ("new", "met", "verified", "followed", "followed-verified"):
            event = e.Asked("bob", trust, "SHA256:abc", 48)
            self.assertNotIn("/trust", "".join(plain().lines(event)))

    def test_a_key_that_was_signed_over_to_is_shown_as_a_new_one(self) -> None:
        for trust, told in (
            ("followed", "a NEW one, signed by the one you know, not verified"),
            ("followed-verified", "a NEW one, signed by the verified one you know"),
        ):
            event = e.Asked("bob", trust, "SHA256:abc", 48)  # type: ignore[arg-type]
            self.assertTrue(plain().lines(event)[1].endswith(f"their key: {told}, SHA256:abc"))

    def test_a_chat_says_how_the_key_stands(self) -> None:
        for trust, told in (
            ("new", "their key: first meeting, SHA256:x"),
            ("met", "their key: the one you know, SHA256:x"),
            ("verified", "their key: verified"),
            ("changed", "their key: the NEW one that you accepted, SHA256:x"),
            ("followed", "their key: the NEW one, signed by the one you knew, SHA256:x"),
            ("followed-verified", "their key: the NEW one, signed by the verified one"),
        ):
            event = e.ChatStarted("bob", "caller", trust, "SHA256:x")  # type: ignore[arg-type]
            text = "\n".join(plain().lines(event))
            self.assertIn(told, text)
            self.assertEqual("NOT VERIFIED. Call each other" in text, "verified" not in trust)

    def test_keys_and_pins(self) -> None:
        [line] = plain().lines(key_events.KeyAccepted("bob", "SHA256:abc"))
        self.assertIn("once they prove that they have it, and is not verified", line)
        own, server = plain().lines(key_events.Fingerprints("alice", "SHA256:abc", "K7QD"))
        self.assertIn("alice, your key: SHA256:abc", own)
        self.assertIn("the server: K7QD", server)
        own, _ = plain().lines(key_events.Fingerprints(None, "SHA256:abc", "K7QD"))
        self.assertIn("*  your key: SHA256:abc", own)
        [line] = plain().lines(key_events.Whois("bob", "new", None, None, []))
        self.assertIn("bob: never met", line)

    def test_a_key_that_was_followed_is_told_with_both_fingerprints(self) -> None:
        for trust, state in (
            ("verified", "; it is verified, as the old one was"),
            ("met", "; it is not verified"),
        ):
            event = key_events.KeyFollowed("bob", "SHA256:old", "SHA256:new", trust)  # type: ignore[arg-type]
            told, new, old = plain().lines(event)
            self.assertIn("bob has a NEW KEY, signed by the one you knew", told)
            self.assertTrue(told.endswith(state), told)
            self.assertTrue(new.endswith("new: SHA256:new"))
            self.assertIn("old: SHA256:old", old)

    def test_a_new_key_of_ours(self) -> None:
        told, new, old, where, keep = plain().lines(
            key_events.KeyRenewed("SHA256:old", "SHA256:new", None)
        )
        self.assertIn("you have a NEW KEY", told)
        self.assertTrue(new.endswith("new: SHA256:new") and old.endswith("old: SHA256:old"))
        self.assertIn(
            "erased from this disk, but not from copies, snapshots, or blocks an SSD", where
        )
        self.assertIn("make a new /backup", keep)
        *_, where, _ = plain().lines(
            key_events.KeyRenewed("SHA256:old", "SHA256:new", "/home/a/key")
        )
        self.assertIn("the old private key is still in /home/a/key", where)
        [line] = plain().lines(key_events.KeyNotRenewed("SHA256:old"))
        self.assertIn("erased, and your key is still SHA256:old", line)

    def test_a_backup_says_what_is_in_it_and_what_is_not(self) -> None:
        written, inside, outside, keep, back = plain().lines(e.BackedUp("/usb/kept.age", 2))
        self.assertIn("the backup is written: /usb/kept.age", written)
        self.assertIn("your key, your settings, the keys of 2 people", inside)
        self.assertIn("not in it: messages, logs of chats", outside)
        self.assertIn("as good as your key", keep)
        self.assertIn("securecom --restore FILE", back)
        self.assertIn("the keys of 1 person", plain().lines(e.BackedUp("x", 1))[1])

    def test_a_pin_with_its_history_the_latest_first(self) -> None:
        old = [
            key_events.FormerKey("SHA256:one", 0, 86400, "verified"),
            key_events.FormerKey("SHA256:two", 86400, 253402300799, "met", signed_over=True),
        ]
        pin, *before = plain().lines(key_events.Whois("bob", "met", "SHA256:now", 1795305600, old))
        self.assertIn("bob: NOT VERIFIED, since 2026-11-22, SHA256:now", pin)
        self.assertIn("before: not verified, 1970-01-02 to 9999-12-31, SHA256:two", before[0])
        self.assertTrue(before[0].endswith("SHA256:two, which signed the next one"))
        self.assertTrue(before[1].endswith("1970-01-01 to 1970-01-02, SHA256:one"), before[1])
        [line] = plain().lines(key_events.Whois("bob", "verified", "SHA256:now", 0, []))
        self.assertIn("bob: verified, since 1970-01-01", line)

    def test_answers(self) -> None:
        order = Order(commands.USERS)
        users = e.Users([], "", False)
        self.assertEqual(plain().answer(order, users, None), [users])
        self.assertEqual(plain().answer(order, 3, None), [])
        problem = e.Problem(999, "No", "Try.")
        self.assertEqual(plain().answer(order, None, Failing("No")), [problem])
        self.assertEqual(plain().complaint("x", Failing("No")), [problem])

    def test_a_question_is_shown(self) -> None:
        self.assertIsInstance(plain().read("!chat"), e.Notice)


def modules(rows: list[str]) -> list[list[bool]]:
    """The dark modules of a QR code in half blocks."""
    halves = {" ": (1, 1), "\u2580": (0, 1), "\u2584": (1, 0), "\u2588": (0, 0)}
    pairs = [[halves[c] for c in row] for row in rows]
    return [[bool(cell[half]) for cell in row] for row in pairs for half in (0, 1)]


def expected_modules(digits: str, border: int, *, whole: bool | None = None) -> list[list[bool]]:
    """The same from the matrix itself, with its border.

    An odd last row is filled up, in half blocks: dark as text, light in colours.
    """
    code = segno.make_qr(digits, error="m", boost_error=False)
    matrix = [[bool(module) for module in row] for row in code.matrix_iter(border=border)]
    return matrix + [[whole is None] * len(matrix[0])] * (len(matrix) % 2 and not whole)


def painted(drawn: list[str]) -> tuple[list[list[bool]], bool]:
    """The dark modules of a QR code in colours, as a terminal shows them; is a module two blanks?

    Nothing but colours, blanks and upper halves may be in it, and no row may leave its colour on.
    """
    dark: list[list[bool]] = []
    shades = {"16": True, "231": False}
    is_wide = "  " in drawn[0]
    for row in drawn:
        assert row.endswith("\x1b[0m"), row
        inside = row.removesuffix("\x1b[0m")
        if is_wide:
            cells = re.findall(r"\x1b\[48;5;(16|231)m  ", inside)
            assert "".join(f"\x1b[48;5;{shade}m  " for shade in cells) == inside
            dark.append([shades[shade] for shade in cells])
        else:
            halves = re.findall(r"\x1b\[38;5;(16|231);48;5;(16|231)m\u2580", inside)
            assert "".join(f"\x1b[38;5;{a};48;5;{b}m\u2580" for a, b in halves) == inside
            dark += [[shades[pair[half]] for pair in halves] for half in (0, 1)]
    return dark, is_wide


class RowsTests(SynchronousTestCase):
    @given(st.text(), st.integers(min_value=0, max_value=60))
    def test_no_row_is_too_wide_and_nothing_is_lost(self, text: str, width: int) -> None:
        pieces = list(rows.broken(text, width))
        self.assertEqual("".join(pieces).replace(" ", ""), text.replace(" ", ""))
        for piece in pieces:
            self.assertLessEqual(sum(map(rows.cells, piece)), max(width, 8))

    # Promise R50
    def test_addresses_and_fingerprints_stay_whole(self) -> None:
        """No gutter inside: they are there to be copied."""
        link = "securecom://chat.example.org:4241/abcdefghijklmnopqrstuvwxyz234567"
        pin = f"SHA256:{'aB3+/' * 8}xyz"
        web = "https://example.org/a?b=(c)&d=[e]#f~g%20h"
        for whole in (link, pin, web):
            for width in (20, 30, 40):
                for text in (whole, f"see {whole} now", f"({whole}) or so", f"{whole}, {whole}"):
                    pieces = list(rows.broken(text, width))
                    held = [piece for piece in pieces if whole in piece]
                    self.assertEqual(len(held), text.count(whole), pieces)
                    self.assertEqual("".join(pieces).replace(" ", ""), text.replace(" ", ""))
                    self.assertNotIn("", pieces)
        self.assertEqual(list(rows.broken(f"see {pin} now", 40)), ["see", pin, "now"])

    # Promise T68, R50
    def test_only_these_are_longer_than_a_row_and_none_can_look_like_one_of_ours(self) -> None:
        fake = "08:05   *  you are verified"
        for text in ("x" * 90, f"x://{'y' * 60}{fake}", f"SHA256:{'z' * 50}", f"a://b|{'c' * 60}"):
            for piece in rows.broken(text, 40):
                long = sum(map(rows.cells, piece)) > 40
                self.assertTrue(not long or "://" in piece or piece.startswith("SHA256:"), piece)
                self.assertFalse(long and set(piece) & set(' *|<>"'), piece)

    def test_a_command_to_copy_keeps_its_fingerprint_whole_in_a_narrow_terminal(self) -> None:
        pin = f"SHA256:{'A' * 43}"
        lines = plain(columns=40).lines(e.Asked("bob", "changed", pin, 48))
        self.assertEqual(sum(pin in line for line in lines), 2)

    # Promise R49
    def test_ambiguous_width_is_one_cell_in_latin_greek_and_cyrillic(self) -> None:
        for c in "\u00e0\u00df\u03b1\u03a9\u0434\u042f\u0451":
            self.assertEqual(unicodedata.east_asian_width(c), "A")
            self.assertEqual(rows.cells(c), 1, c)

    def test_rows_break_at_blanks(self) -> None:
        self.assertEqual(list(rows.broken("one two three four", 9)), ["one two", "three", "four"])

    # Promise T68
    def test_what_the_tables_may_not_know_takes_two_cells(self) -> None:
        one = "az\u00eb\u010d\u1e9e\u1f04\u0457\u00a0"
        self.assertEqual([rows.cells(c) for c in one], [1] * len(one))
        two = "\u05d0\u0e01\u2192\u2318\U0001f9ff\U0001fae9\U00016d40"
        self.assertEqual([rows.cells(c) for c in two], [2] * len(two))

    def test_wide_and_combining_characters(self) -> None:
        self.assertEqual([rows.cells(c) for c in "a\u4e00\u0301\u200d"], [1, 2, 0, 0])
