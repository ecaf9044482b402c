"""Whole visits: typed lines, the real core, a real server, all in memory."""

from __future__ import annotations

import re
from pathlib import Path

from securecom import limits
from securecom.client.frontends import commands
from securecom.client.frontends.orders import Order
from securecom.client.profile.profile import IDENTITY_FILE
from securecom.client.profile.profiles import Profiles
from securecom.client.program.who import Member, Newcomer
from securecom.client.service import Client
from securecom.errors import StateDamaged
from securecom.identity import Identity, Name, server_fingerprint
from securecom.invitation import Host, Invitation, token_hash
from securecom.tests.support.memory_server import STANDARD, MemoryServer
from securecom.tests.support.visitor import VisitCase, Visitor
from securecom.values import replace

TOKEN = bytes(limits.TOKEN_BYTES)


class TwoPeopleTests(VisitCase):
    def test_two_people_who_follow_help_have_a_chat(self) -> None:
        alice, bob = self.visitor("alice"), self.visitor("bob")
        bob.type("/help\n")
        told = bob.seen()
        self.assertIn("let people ask you", told)
        for word in ("available", "users", "chat", "accept", "stop", "verify", "whois"):
            self.assertIn(f"/{word}", told, "who follows /help alone does not find it")
        bob.type("/available\n")
        self.assertIn("available: anybody on this server may ask you", bob.seen())
        alice.type("/users\n")
        self.assertIn("1 available: bob (never met)", alice.seen())
        alice.type("/chat bob\n")
        self.assertIn("asking bob", alice.seen())
        self.assertIn(
            "alice asks to chat (31 s to answer): /accept, /refuse or /dismiss", bob.seen()
        )
        bob.type("/accept\n")
        self.assertIn("you asked, so you write first", alice.seen())
        self.assertIn("alice writes first; what you type is sent after that", bob.seen())
        bob.type("early\n")
        self.assertIn("1 waits until the other person has written", bob.seen())
        alice.type("hi bob\n")
        self.assertIn("08:05  bob| early", alice.seen())
        self.assertIn("08:05  alice| hi bob", bob.seen())
        alice.type("/stop\n")
        self.assertIn("you ended the chat with bob", alice.seen())
        self.assertIn("alice ended the chat", bob.seen())

    # Promise C4
    def test_two_people_who_follow_help_have_a_verified_chat(self) -> None:
        alice, bob = self.visitor("alice"), self.visitor("bob")
        bob.type("/available\n")
        alice.type("/chat bob\n")
        bob.type("/accept\n")
        for visitor in (alice, bob):
            self.assertIn("NOT VERIFIED. Call each other and both type /verify", visitor.seen())
            visitor.type("/help verify\n")
            self.assertIn("/verify [yes|no|words|qr]", visitor.seen())
            visitor.type("/verify\n")
        digits = [re.findall(r"(?: \d{5}){4}", visitor.seen()) for visitor in (alice, bob)]
        self.assertEqual(digits[0], digits[1])
        self.assertEqual(len(digits[0]), 3)
        alice.type("/verify yes\n")
        self.assertIn("bob is now verified, on your word", alice.seen())
        self.assertIn("alice says that they are the same", bob.seen())
        bob.type("/whois alice\n")
        self.assertIn("alice: NOT VERIFIED", bob.seen())
        bob.type("/verify yes\n/whois alice\n")
        self.assertIn("alice: verified, since", bob.seen())
        alice.type("/stop\n")
        alice.type("/users\n")
        self.assertIn("bob (verified)", alice.seen())
        alice.type("/chat bob\n")
        self.assertIn("their key: verified", bob.seen())

    # Promise C100, C102
    def test_two_people_who_follow_help_compare_six_words(self) -> None:
        alice, bob = self.visitor("alice"), self.visitor("bob")
        bob.type("/available\n")
        alice.type("/chat bob\n")
        bob.type("/accept\n")
        alice.type("/help\n")
        self.assertIn("is it really them?", alice.seen())
        alice.type("/help verify\n")
        self.assertIn("/verify words", alice.seen())
        alice.type("/verify words\n")
        self.assertIn("shown when bob types /verify words too", alice.seen())
        self.assertIn("call each other, then type /verify words", bob.seen())
        bob.type("/verify words\n")
        found = [
            re.findall(r"^\S+ +\*      ((?:[a-z]+ ){5}[a-z]+)$", one.seen(), re.M)
            for one in (alice, bob)
        ]
        self.assertEqual(len(found[0]), 1)
        self.assertEqual(found[0], found[1])
        bob.type("/verify yes\n")
        self.assertIn("alice is now verified, on your word", bob.seen())
        self.assertIn("bob says that they are the same", alice.seen())

    # Promise C109
    def test_three_people_who_follow_help_make_an_introduction(self) -> None:
        alice, bob, carol = (self.visitor(name) for name in ("alice", "bob", "carol"))
        for other, name in ((bob, "bob"), (carol, "carol")):
            other.type("/available\n")
            alice.type(f"/chat {name}\n")
            other.type("/accept\n")
            for visitor in (alice, other):
                visitor.type("/verify\n/verify yes\n")
            alice.type("/stop\n")
        alice.type("/help introduce\n")
        self.assertIn("/introduce bob to carol", alice.seen())
        alice.type("/introduce bob to carol\n")
        self.assertIn("gets nothing before both say yes", alice.seen())
        for other, name in ((bob, "bob"), (carol, "carol"), (bob, "bob")):
            alice.type(f"/chat {name}\n")
            other.type("/accept\n")
            [line] = re.findall(r"/introduce yes \S+", other.seen())[-1:] or [""]
            other.type(f"{line}\n" if line else "")
            alice.type("/stop\n")
        told = alice.seen()
        self.assertIn("bob wants to be introduced to carol; it goes on when you chat with", told)
        self.assertIn("carol has bob's key from you; it goes on when you chat with bob", told)
        self.assertIn("bob has carol's key from you", told)
        bob.type("/whois carol\n")
        self.assertIn("carol: introduced by alice (verified), not verified by yourself", bob.seen())
        carol.type("/chat bob\n")
        self.assertIn("carol asks to chat", told := bob.seen())
        self.assertIn("their key: introduced by alice (verified), not verified by yourself", told)

    # Promise C144
    def test_two_people_who_follow_help_retire_a_stolen_key(self) -> None:
        alice, bob = self.visitor("alice"), self.visitor("bob")
        alice.type("/help all\n")
        self.assertIn("/retirement", told := alice.seen())
        self.assertIn("/retire NAME", told)
        alice.type("/retirement\n")
        words = re.findall(r"\d+\. ([a-z]+)", alice.seen())
        self.assertEqual(len(words), 12)
        bob.type("/available\n")
        alice.type("/chat bob\n")
        bob.type("/accept\n")
        alice.type("/stop\n")
        bob.type("/help retire\n")
        self.assertIn("/retire alice", bob.seen())
        bob.type("/retire alice\n")
        self.assertIn("the twelve words that retire alice's key", bob.seen())
        bob.type(f"{' '.join(words)}\n")
        told = bob.seen()
        self.assertIn("the key that you know as alice's is retired", told)
        self.assertIn("the server has retired it too", told)
        self.assertNotIn(words[0] + " " + words[1], told)
        self.assertIn("bye", alice.seen())
        bob.type("/whois alice\n")
        self.assertIn("alice: RETIRED by its owner", bob.seen())

    def test_a_no_is_seen_by_both_and_ends_the_chat(self) -> None:
        alice, bob = self.visitor("alice"), self.visitor("bob")
        bob.type("/available\n")
        alice.type("/chat bob\n")
        bob.type("/accept\n")
        bob.type("/verify no\n")
        told = bob.seen()
        self.assertIn("alice is NOT VERIFIED", told)
        self.assertIn("you ended the chat with alice", told)
        told = alice.seen()
        self.assertIn("bob says that they DIFFER", told)
        self.assertIn("bob ended the chat", told)

    def test_a_changed_key_is_taken_by_the_line_that_is_shown(self) -> None:
        alice, bob = self.visitor("alice"), self.visitor("bob")
        old = Identity.generate().public_key
        alice.contacts.meet(Name("bob"), old)
        alice.type("/available\n")
        bob.type("/chat alice\n")
        [line] = re.findall(r"/trust bob SHA256:\S+", alice.seen())
        alice.type("/accept\n")
        told = alice.seen()
        self.assertIn("SC-701 bob's key is not the one you know. No message was sent", told)
        self.assertIn(line, told)
        alice.type(f"{line}\n")
        self.assertIn("you accept this key as bob's", alice.seen())
        alice.type("/accept\n")
        self.assertIn("the NEW one that you accepted", alice.seen())
        bob.type("hi\n")
        alice.type("/whois bob\n")
        told = alice.seen()
        self.assertIn("bob| hi", told)
        self.assertIn(f"to 1970-01-01, {old.fingerprint}", told)

    def test_fingerprints(self) -> None:
        alice = self.visitor("alice")
        alice.type("/fingerprint\n")
        told = alice.seen()
        self.assertIn(alice.identity.public_key.fingerprint, told)
        self.assertIn(server_fingerprint(self.server.pin), told)

    def test_the_original_words_do_too(self) -> None:
        alice, bob = self.visitor("alice"), self.visitor("bob")
        bob.type("/back\n")
        alice.type("!users_online\n!chat\nbob\n")
        self.assertIn("Whom?", alice.seen())
        bob.type("/accept alice\n")
        alice.type("!x is text\n!stop_chat\n")
        self.assertIn("alice| !x is text", bob.seen())
        self.assertIn("ended", alice.seen())

    def test_what_is_no_command_is_never_sent(self) -> None:
        alice, bob = self.visitor("alice"), self.visitor("bob")
        bob.type("/available\n")
        alice.type("/chat bob\n")
        bob.type("/accept\n")
        bob.seen()
        alice.type("/hlep\n /exit\n/\n\n   \n//exit\n")
        self.assertIn("SC-201", alice.seen())
        self.assertEqual(bob.seen(), "08:05  alice| /exit\n")

    def test_who_is_asked_answers_before_asking_somebody_else(self) -> None:
        alice, bob = self.visitor("alice"), self.visitor("bob")
        bob.type("/available\n")
        alice.type("/chat bob\n")
        bob.seen()
        bob.type("/chat carol\n")
        told = "SC-203 alice is asking you. Nothing was sent. Try /accept or /refuse."
        self.assertIn(told, bob.seen())

    def test_who_is_away_is_told_so_on_the_way_in(self) -> None:
        text = self.visitor("alice").seen()
        self.assertIn("away: nobody can ask you; /available changes that", text)
        self.assertNotIn("reach you", text)

    def test_a_chat_from_the_command_line_is_asked_for_on_a_terminal(self) -> None:
        alice = Visitor(
            self.server, first=[Order(commands.CHAT, (Name("bob"), None), essential=True)]
        )
        alice.begin(self.member("alice"))
        text = alice.seen()
        self.assertIn("asking bob", text)
        self.assertNotIn("SC-203", text)

    def test_a_no_is_told(self) -> None:
        alice, bob = self.visitor("alice"), self.visitor("bob")
        bob.type("/available\n")
        alice.type("/chat bob\n")
        bob.type("/refuse\n")
        self.assertIn("SC-602 bob said no", alice.seen())
        self.assertIn("alice was refused", bob.seen())

    def test_dismissed_and_blocked_look_like_nobody_there(self) -> None:
        alice, bob = self.visitor("alice"), self.visitor("bob")
        bob.type("/available\n")
        alice.type("/chat bob\n")
        bob.type("/dismiss\n")
        self.server.network.advance(limits.REQUEST_EXPIRES)
        self.assertIn("ignored: to alice you seem offline", bob.seen())
        self.assertIn("SC-601 bob did not answer", alice.seen())
        bob.type("/block alice\n/blocked\n")
        self.assertIn("1 blocked: alice", bob.seen())
        alice.type("/users\n/chat bob\n")
        self.server.network.advance(limits.REQUEST_EXPIRES)
        said = alice.seen()
        self.assertIn("nobody is available", said)
        self.assertIn("SC-601 bob did not answer", said)
        self.assertNotIn("asks", bob.seen())
        bob.type("/unblock alice\n/unblock alice\n")
        self.assertIn("alice is no longer blocked", bob.seen())
        alice.type("/chat bob\n")
        self.assertIn("alice asks to chat", bob.seen())

    def test_away_and_unknown_look_alike(self) -> None:
        alice, _ = self.visitor("alice"), self.visitor("bob")
        alice.seen()
        alice.type("/chat bob\n")
        self.server.network.advance(limits.REQUEST_EXPIRES)
        away = alice.seen()
        self.assertIn("SC-601", away)
        alice.type("/chat nobody\n")
        self.server.network.advance(limits.REQUEST_EXPIRES)
        self.assertEqual(alice.seen(), away.replace("bob", "nobody"))


class ScriptTests(VisitCase):
    def test_a_script_says_what_it_has_to_say_and_leaves(self) -> None:
        bob = self.visitor("bob")
        bob.type("/available\n")
        script = self.script("alice")
        script.type("/chat bob\nhi\nthere")
        bob.type("/accept\n")
        script.end_input()
        text = bob.seen()
        self.assertIn("alice| hi", text)
        self.assertIn("alice| there", text)
        self.assertIn("alice ended the chat", text)
        self.assertEqual(script.codes, [0])

    def test_no_answer_is_6(self) -> None:
        script = self.script("alice")
        script.type("/chat bob\nhi\n")
        self.server.network.advance(limits.REQUEST_EXPIRES)
        script.end_input()
        self.assertIn("SC-601", script.seen())
        self.assertEqual(script.codes, [6])

    def test_the_chat_of_the_command_line_failing_is_the_end_and_6(self) -> None:
        script = self.script("alice", [Order(commands.CHAT, (Name("bob"), None), essential=True)])
        script.type("hi\n")
        self.server.network.advance(limits.REQUEST_EXPIRES)
        script.finish()
        self.assertEqual(script.codes, [6])
        self.assertNotIn("SC-203", script.seen())

    def test_a_mistake_is_1(self) -> None:
        script = self.script("alice")
        script.type("/hlep\n")
        script.end_input()
        self.assertEqual(script.codes, [1])

    def test_on_a_terminal_mistakes_do_not_count(self) -> None:
        alice = self.visitor("alice")
        alice.type("/hlep\n/chat bob\n/exit\n")
        alice.finish()
        self.assertEqual(alice.codes, [0])
        self.assertIn("bye\n", alice.seen())

    def test_nothing_after_exit_is_carried_out(self) -> None:
        script = self.script("alice")
        script.type("/exit\n/hlep\n")
        script.finish()
        self.assertEqual(script.codes, [0])

    def test_an_output_that_went_away_is_1(self) -> None:
        script = self.script("alice")
        script.lines.writeConnectionLost()
        script.finish()
        self.assertEqual(script.codes, [1])


class FailureTests(VisitCase):
    def test_an_unreachable_server_is_3(self) -> None:
        self.server.network.ports.clear()
        script = self.script("alice")
        script.server.network.advance(10)
        script.finish()
        self.assertEqual(script.codes, [3])
        self.assertIn("SC-301", script.seen())

    def test_another_server_is_4(self) -> None:
        member = self.member("alice")
        self.server = MemoryServer()
        visitor = Visitor(self.server)
        visitor.begin(member)
        visitor.finish()
        self.assertEqual(visitor.codes, [4])
        self.assertIn("SC-401", visitor.seen())

    def test_a_refused_log_in_is_5(self) -> None:
        visitor = Visitor(self.server)
        visitor.begin(self.member("alice", Identity.generate()))
        visitor.finish()
        self.assertEqual(visitor.codes, [5])
        self.assertIn("SC-501", visitor.seen())

    def test_a_refusal_is_told_once(self) -> None:
        visitor = Visitor(self.server)
        visitor.begin(self.member("alice", Identity.generate()))
        visitor.finish()
        seen = visitor.seen()
        self.assertEqual(seen.count("does not know this key"), 1)
        self.assertIn("one from a backup may be older", seen)

    def test_what_there_is_to_say_of_a_new_profile_is_said_before_it_is_used(self) -> None:
        visitor = Visitor(self.server)
        visitor.begin(replace(self.member("alice"), notices=("restored as alice",)))
        self.assertRegex(visitor.seen(), r"(?s)\*  restored as alice\n.*online as alice")

    def test_what_fails_before_the_log_in_is_told_and_the_end(self) -> None:
        visitor = Visitor(self.server)

        def core(member: Member) -> Client:
            raise StateDamaged("the pins are damaged")

        visitor.make_visit(self.server.network.clock, core)
        visitor.begin(self.member("alice"))
        visitor.finish()
        self.assertEqual(visitor.codes, [1])
        self.assertIn("SC-110 the pins are damaged", visitor.seen())

    def test_a_signal_ends_it_in_order(self) -> None:
        alice = self.visitor("alice")
        alice.visit.signalled(15)
        alice.finish()
        self.assertEqual(alice.codes, [143])
        self.assertIn("bye (exit code 143)", alice.seen())

    def test_the_second_signal_ends_it_at_once(self) -> None:
        alice = self.visitor("alice")
        alice.visit.signalled(2)
        alice.visit.signalled(2)
        self.assertEqual(alice.codes, [130])

    def test_a_signal_before_there_is_anything(self) -> None:
        visitor = Visitor(self.server)
        visitor.visit.signalled(2)
        visitor.finish()
        self.assertEqual(visitor.codes, [130])

    def test_a_reader_that_takes_nothing_cannot_keep_us(self) -> None:
        alice = self.visitor("alice")
        alice.visit.leave()
        self.server.network.advance(limits.EXIT_DEADLINE + limits.CLOSE_DEADLINE + 1)
        self.assertEqual(alice.codes, [0])

    def test_a_server_that_takes_no_leave_cannot_keep_us(self) -> None:
        alice = self.visitor("alice")
        for wire in self.server.network.wires:
            wire.client.pauseProducing()
        alice.visit.leave()
        self.server.network.advance(limits.EXIT_DEADLINE + limits.CLOSE_DEADLINE + 1)
        self.assertEqual(alice.codes, [0])


class EnrolmentTests(VisitCase):
    def newcomer(self, identity: Identity | None = None) -> Newcomer:
        host = Host("chat.example.org")
        invitation = Invitation(host, STANDARD, self.server.pin, TOKEN)
        return Newcomer(
            invitation,
            identity or Identity.generate(),
            Path(IDENTITY_FILE),
            Profiles(self.folder),
            None,
            is_old=identity is not None,
        )

    def test_an_invitation_becomes_a_profile_and_a_log_in(self) -> None:
        self.server.invite("alice", token_hash(TOKEN))
        visitor = Visitor(self.server)
        visitor.begin(self.newcomer())
        text = visitor.seen()
        self.assertIn("you are alice", text)
        self.assertIn("next time: securecom\n", text)
        self.assertNotIn("not finished", text)
        self.assertIn("online as alice", text)
        profile = Profiles(self.folder).load(None)
        self.assertEqual((profile.name, profile.server), ("alice", self.server.pin))

    def test_a_bad_invitation_leaves_no_profile_and_is_5(self) -> None:
        visitor = Visitor(self.server)
        visitor.begin(self.newcomer())
        visitor.finish()
        self.assertEqual(visitor.codes, [5])
        self.assertIn("SC-502", visitor.seen())
        self.assertEqual(Profiles(self.folder).names(), [])

    def test_an_enrolment_that_was_interrupted_is_finished_by_the_next_try(self) -> None:
        identity = self.server.enrolled("alice")
        visitor = Visitor(self.server)
        visitor.begin(self.newcomer(identity))
        self.server.network.advance(1)
        text = visitor.seen()
        self.assertIn("using the key of an enrolment that was not finished", text)
        self.assertIn("online as alice", text)
        self.assertEqual(Profiles(self.folder).load(None).name, "alice")

    def test_an_old_key_that_the_server_does_not_know_gets_the_first_refusal(self) -> None:
        visitor = Visitor(self.server)
        visitor.begin(self.newcomer(Identity.generate()))
        visitor.finish()
        self.assertIn("SC-502", visitor.seen())
        self.assertEqual(visitor.codes, [5])

    # Promise R82
    def test_a_profile_that_cannot_be_written_is_told(self) -> None:
        self.server.invite("alice", token_hash(TOKEN))
        self.folder.write_bytes(b"")
        visitor = Visitor(self.server)
        visitor.begin(self.newcomer())
        visitor.finish()
        told = visitor.seen()
        self.assertIn("SC-211", told)
        self.assertIn("invitation is spent, and the server knows your key", told)
        self.assertNotIn("othing was sent", told)
        self.assertEqual(visitor.codes, [1])

    def test_who_leaves_while_enrolling_is_not_logged_in(self) -> None:
        self.server.invite("alice", token_hash(TOKEN))
        visitor = Visitor(self.server)
        visitor.visit.begin(visitor.lines, self.newcomer())
        visitor.visit.signalled(2)
        visitor.finish()
        self.assertEqual(visitor.codes, [130])
        self.assertFalse(hasattr(visitor, "client"), "no log-in was begun")
