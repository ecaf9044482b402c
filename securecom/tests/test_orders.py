"""Orders: at once on a terminal, each at its time from a script."""

from __future__ import annotations

from itertools import groupby
from typing import Any

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from securecom import limits
from securecom.client.api import ClientState
from securecom.client.events import (
    ChatOver,
    DataHeld,
    Delivered,
    ForgetMeMeans,
    Forgotten,
    Help,
    Notice,
    Online,
    Said,
    Users,
)
from securecom.client.file_events import (
    Direction,
    FileOffered,
    FileOver,
    FileProgress,
    TransferEnding,
)
from securecom.client.frontends import commands
from securecom.client.frontends.commands import COMMANDS, Command
from securecom.client.frontends.orders import Order, Orders
from securecom.client.key_events import Fingerprints, SafetyCode, SafetyNumber, Whois
from securecom.client.terms import AvailabilityTerms, Pause
from securecom.errors import FileFailed, NotDelivered, NotNow, OurFault, SecurecomError
from securecom.identity import Name
from securecom.tests.support.scripted_core import Failing, ScriptedCore


def read(command: Command, text: str | None, *, essential: bool = False) -> Order:
    """An order as a front-end makes it of text."""
    argument = None
    if text is not None and command.argument is not None:
        argument = command.argument.read(text)
    return Order(command, argument, essential=essential)


class OrdersCase(SynchronousTestCase):
    patient = False
    is_online = True

    def setUp(self) -> None:
        self.clock = Clock()
        self.role = ScriptedCore(is_online=self.is_online)
        self.reports: list[tuple[str, Any, SecurecomError | None]] = []
        self.leaves = 0
        self.changes = 0
        self.orders = Orders(
            self.role, self._report, self._leave, self.clock, self._changed, patient=self.patient
        )

    def _report(self, order: Order, result: Any, error: SecurecomError | None) -> None:
        self.reports.append((order.command.word, result, error))

    def _leave(self) -> None:
        self.leaves += 1

    def _changed(self) -> None:
        self.changes += 1

    def take(self, command: Command, argument: str | None = None) -> None:
        self.orders.take(read(command, argument))
        self.clock.advance(0)

    def something_happens(self) -> None:
        self.orders.heard(Notice("x"))
        self.clock.advance(0)

    def refused(self) -> str:
        error = self.reports[-1][2]
        assert isinstance(error, NotNow)
        return str(error)


class StateTests(OrdersCase):
    def test_the_state_is_what_the_role_says(self) -> None:
        role = self.role
        self.assertIs(self.role.state, ClientState.IDLE)
        role.offer = object()
        self.assertIs(self.role.state, ClientState.ASKED)
        role.asking = Name("bob")
        self.assertIs(self.role.state, ClientState.ASKING)
        role.is_opening = True
        self.assertIs(self.role.state, ClientState.OPENING)
        role.peer = Name("bob")
        self.assertIs(self.role.state, ClientState.CHAT)
        role.is_online = False
        self.assertIs(self.role.state, ClientState.OFFLINE)


class FileTests(OrdersCase):
    """A script stays for files that it was asked to send or to fetch."""

    patient = True

    def begin(self) -> None:
        """In a chat."""
        self.orders.heard(Online("alice", "K7QD", False))
        self.role.peer = Name("bob")

    def offered(self, number: int, direction: Direction) -> None:
        self.orders.heard(FileOffered("bob", number, direction, "plan.pdf", 7, "00"))

    def over(self, number: int, direction: Direction, ending: TransferEnding) -> None:
        self.orders.heard(FileOver("bob", number, direction, "plan.pdf", ending, 7, 7))

    def test_until_a_file_of_ours_is_over(self) -> None:
        self.begin()
        self.offered(1, "out")
        self.assertFalse(self.orders.is_done)
        self.assertEqual(self.orders.patience, limits.OFFER_DEADLINE)
        self.orders.heard(FileProgress("bob", 1, "out", "plan.pdf", 1, 7, 1, 6, 1))
        self.assertEqual(self.orders.patience, limits.FINISH_DEADLINE)
        self.over(1, "out", "done")
        self.assertTrue(self.orders.is_done)
        self.assertIsNone(self.orders.first_error)

    def test_one_of_theirs_counts_from_when_it_is_fetched(self) -> None:
        self.begin()
        self.offered(1, "in")
        self.assertTrue(self.orders.is_done)
        self.take(commands.GET, "1")
        self.assertFalse(self.orders.is_done)
        self.over(1, "in", "done")
        self.assertTrue(self.orders.is_done)

    def test_what_did_not_arrive_is_an_error(self) -> None:
        self.begin()
        self.offered(1, "out")
        self.over(1, "out", "declined")
        self.assertIsInstance(self.orders.first_error, FileFailed)

    def test_what_was_never_fetched_is_none(self) -> None:
        self.begin()
        self.offered(1, "in")
        self.over(1, "in", "cancelled-by-peer")
        self.assertIsNone(self.orders.first_error)

    # Promise T236
    def test_time_and_offers_of_theirs_are_no_progress(self) -> None:
        self.begin()
        self.offered(1, "out")
        for done, moved in ((0, False), (1, True), (1, False), (2, True)):
            before = self.orders.progress
            self.orders.heard(FileProgress("bob", 1, "out", "plan.pdf", done, 7, 1, 6, 1))
            self.assertEqual(self.orders.progress > before, moved)
        before = self.orders.progress
        self.offered(2, "in")
        self.over(2, "in", "cancelled-by-peer")
        self.assertEqual(self.orders.progress, before)
        self.over(1, "out", "done")
        self.assertEqual(self.orders.progress, before + 1)

    def test_a_file_that_is_being_prepared_has_its_time(self) -> None:
        self.begin()
        self.take(commands.SEND, "/tmp/x")
        self.assertEqual(self.orders.patience, limits.OFFER_DEADLINE)
        self.role.waiting.pop("send").callback(1)
        self.assertEqual(self.orders.patience, limits.FINISH_DEADLINE)


class AtOnceTests(OrdersCase):
    def test_every_command_asks_the_role_for_its_own(self) -> None:
        role = self.role
        self.take(commands.USERS, "bo")
        role.answer_users("bob")
        self.take(commands.AVAILABLE)
        self.take(commands.AWAY)
        self.take(commands.CHAT, "bob")
        self.take(commands.CANCEL)
        role.asking, role.offer = None, object()
        self.take(commands.ACCEPT, "bob")
        self.take(commands.REFUSE)
        self.take(commands.DISMISS, "bob")
        self.take(commands.BLOCK, "bob")
        self.take(commands.UNBLOCK, "bob")
        self.take(commands.BLOCKED)
        self.take(commands.REQUESTS)
        role.begin_chat("bob")
        self.take(commands.SAY, "hi")
        for word in (None, "qr", "words", "yes", "no"):
            self.take(commands.VERIFY, word)
        self.take(commands.STOP)
        self.take(commands.WHOIS, "carol")
        self.take(commands.FINGERPRINT)
        self.take(commands.TRUST, "carol SHA256:x")
        for text in ("bob to carol", "cancel bob to carol", "yes carol", "no carol", None):
            self.take(commands.INTRODUCE, text)
        self.take(commands.RETIREMENT)
        self.take(commands.RETIRE, "bob")
        self.take(commands.SET)
        self.take(commands.SET, "ask people")
        self.assertEqual(
            role.calls,
            [
                ("users", "bo"),
                ("set_available", AvailabilityTerms()),
                ("set_away", Pause()),
                ("request_chat", "bob"),
                ("cancel",),
                ("accept", "bob"),
                ("refuse", None),
                ("dismiss", "bob"),
                ("block", "bob"),
                ("unblock", "bob"),
                ("blocked",),
                ("requests",),
                ("say", "hi"),
                ("safety_number",),
                ("safety_code",),
                ("words",),
                ("compared", True),
                ("compared", False),
                ("stop",),
                ("whois", "carol"),
                ("own",),
                ("take", "carol", "SHA256:x"),
                ("introduce", "bob", "carol"),
                ("cancel_introduction", "bob", "carol"),
                ("answer_introduction", "carol", True),
                ("answer_introduction", "carol", False),
                ("introductions",),
                ("make_retirement",),
                ("retire", "bob"),
                ("settings",),
                ("set", "ask people"),
            ],
        )

    def test_what_is_asked_about_keys_is_the_result(self) -> None:
        self.role.peer = Name("bob")
        asked = ((commands.VERIFY, None), (commands.VERIFY, "qr"), (commands.WHOIS, "bob"))
        for command, argument in (*asked, (commands.FINGERPRINT, None)):
            self.take(command, argument)
        kinds = [type(result) for _, result, _ in self.reports]
        self.assertEqual(kinds, [SafetyNumber, SafetyCode, Whois, Fingerprints])

    def test_what_the_server_holds(self) -> None:
        self.take(commands.MY_DATA)
        self.take(commands.FORGET_ME)
        self.take(commands.FORGET_ME, "alice")
        self.assertEqual(self.role.calls, [("my_data",), ("means",), ("forget_me", "alice")])
        kinds = [type(result) for _, result, _ in self.reports]
        self.assertEqual(kinds, [DataHeld, ForgetMeMeans, Forgotten])

    def test_nobody_is_forgotten_in_the_middle_of_something(self) -> None:
        for self.role.peer, self.role.asking in ((Name("bob"), None), (None, Name("bob"))):
            self.take(commands.FORGET_ME, "alice")
            self.assertIsInstance(self.reports.pop()[2], NotNow)
        self.assertEqual(self.role.calls, [])

    def test_keys_can_be_looked_at_off_line_too(self) -> None:
        self.role.is_online = False
        self.take(commands.WHOIS, "bob")
        self.take(commands.FINGERPRINT)
        self.take(commands.TRUST, "bob SHA256:x")
        self.assertEqual([error for _, _, error in self.reports], [None] * 3)

    def test_results_are_reported(self) -> None:
        self.take(commands.USERS)
        self.assertEqual(self.reports, [])
        self.role.answer_users("bob")
        [(_, users, error)] = self.reports
        self.assertIsInstance(users, Users)
        self.assertIsNone(error)

    def test_what_makes_no_sense_is_refused_in_every_state(self) -> None:
        told = {
            commands.CANCEL: "no open request to cancel",
            commands.ACCEPT: "nobody is asking you",
            commands.REFUSE: "nobody is asking you",
            commands.STOP: "no chat to end",
            commands.VERIFY: "no chat whose keys you could compare. /chat NAME asks for one",
            commands.SAY: "not in a chat; nothing was sent",
        }
        for command, part in told.items():
            has_none = command in (commands.VERIFY, commands.CANCEL)
            self.take(command, None if has_none else "bob")
            self.assertIn(part, self.refused())
        self.assertEqual(self.role.calls, [])

    def test_the_state_says_what_to_do_instead(self) -> None:
        self.role.asking = Name("bob")
        self.take(commands.CHAT, "carol")
        self.assertIn("/cancel", self.refused())
        self.role.begin_chat("bob")
        self.take(commands.CHAT, "carol")
        self.assertIn("/stop", self.refused())
        self.role.is_online = False
        self.take(commands.SAY, "hi")
        self.assertIn("you are offline", self.refused())

    def test_a_terminal_is_never_kept_waiting(self) -> None:
        self.role.is_online = False
        self.take(commands.USERS)
        self.assertIn("you are offline", self.refused())
        self.assertFalse(self.orders.is_full)

    def test_what_the_command_line_asks_for_waits_and_nothing_typed_behind_it(self) -> None:
        self.role.is_online = False
        self.orders.take(read(commands.CHAT, "bob", essential=True))
        self.assertEqual((self.reports, self.role.calls), ([], []))
        self.assertFalse(self.orders.is_full)
        self.assertFalse(self.orders.is_done)
        self.take(commands.USERS)
        self.assertIn("you are offline", self.refused())
        self.take(commands.HELP)
        self.assertIsInstance(self.reports[-1][1], Help)
        self.role.is_online = True
        self.something_happens()
        self.assertEqual(self.role.calls, [("request_chat", "bob")])
        self.take(commands.EXIT)
        self.assertEqual(self.leaves, 1)

    def test_only_an_offline_client_reconnects(self) -> None:
        self.take(commands.RECONNECT)
        self.assertIn("you are already connected. Nothing was changed.", self.refused())
        self.role.is_online = False
        self.take(commands.RECONNECT)
        self.assertEqual(self.role.calls, [("reconnect",)])

    def test_text_where_a_chat_is_near_is_told_the_next_step(self) -> None:
        for fact, hint in (
            ({"asking": Name("bob")}, "Wait, or /cancel."),
            ({"asking": None, "offer": object()}, "/accept or /refuse first."),
            ({"offer": None, "is_opening": True}, "Wait a moment."),
        ):
            vars(self.role).update(fact)
            self.take(commands.SAY, "hi")
            self.assertTrue(self.refused().endswith(f"nothing was sent. {hint}"), self.refused())
        self.assertEqual(self.role.calls, [])

    def test_exit_leaves(self) -> None:
        self.take(commands.EXIT)
        self.assertEqual(self.leaves, 1)

    def test_help_lists_first_what_makes_sense_only_now(self) -> None:
        self.role.offer = object()
        self.take(commands.HELP)
        told = self.reports[-1][1]
        assert isinstance(told, Help)
        first = [line.command for line in told.lines[:3]]
        self.assertEqual(first, ["accept", "refuse", "dismiss"])
        self.assertEqual(len(told.lines), len(commands.COMMANDS))
        self.assertIn("accept", [line.command for line in told.lines if line.now])
        self.assertNotIn("say", [line.command for line in told.lines if line.now])

    def test_help_on_all_is_by_groups(self) -> None:
        self.take(commands.HELP, "all")
        told = self.reports[-1][1]
        assert isinstance(told, Help)
        groups = [line.group for line in told.lines]
        self.assertEqual(
            [group for group, _ in groupby(groups)],
            list(dict.fromkeys(command.group for command in COMMANDS)),
        )
        words = [line.command for line in told.lines]
        self.assertCountEqual(words, [command.word for command in commands.COMMANDS])

    def test_help_on_one_command(self) -> None:
        self.take(commands.HELP, "chat")
        told = self.reports[-1][1]
        assert isinstance(told, Help)
        [line] = told.lines
        self.assertEqual((line.usage, line.also), ("/chat NAME [for 20m]", ["/ask", "!chat"]))

    def test_failures_are_reported_and_the_first_is_kept(self) -> None:
        self.role.error = first = Failing("first")
        self.take(commands.AVAILABLE)
        self.role.error = Failing("second")
        self.take(commands.AVAILABLE)
        self.assertEqual(
            [str(error.what) for _, _, error in self.reports if error], ["first", "second"]
        )
        self.assertIs(self.orders.first_error, first)

    def test_a_fault_of_ours_is_an_error_people_can_read(self) -> None:
        self.role.error = ZeroDivisionError("secret")
        self.take(commands.AVAILABLE)
        error = self.reports[-1][2]
        self.assertIsInstance(error, OurFault)
        self.assertNotIn("secret", str(error))
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_a_line_that_is_no_order_counts_as_gone_wrong(self) -> None:
        error = Failing("bad line")
        self.orders.refused(error)
        self.assertIs(self.orders.first_error, error)


class PatienceTests(OrdersCase):
    patient = True
    is_online = False

    def log_in(self) -> None:
        self.role.is_online = True
        self.orders.heard(Online("alice", "K", False))
        self.clock.advance(0)

    def test_orders_wait_for_the_log_in(self) -> None:
        self.take(commands.AVAILABLE)
        self.assertTrue(self.orders.is_full)
        self.assertEqual(self.role.calls, [])
        self.log_in()
        self.assertEqual(self.role.calls, [("set_available", AvailabilityTerms())])
        self.assertFalse(self.orders.is_full)

    def test_text_waits_for_the_chat_that_was_asked_for(self) -> None:
        self.log_in()
        self.take(commands.CHAT, "bob")
        self.take(commands.SAY, "hi")
        self.take(commands.STOP)
        self.assertEqual(len(self.role.calls), 1)
        self.role.begin_chat("bob")
        self.something_happens()
        self.assertEqual(self.role.calls[1:], [("say", "hi"), ("stop",)])

    def test_after_a_refusal_the_text_is_not_sent(self) -> None:
        self.log_in()
        self.take(commands.CHAT, "bob")
        self.take(commands.SAY, "hi")
        self.role.fail_request(Failing("no"))
        self.clock.advance(0)
        self.assertEqual(len(self.role.calls), 1)
        self.assertIn("not in a chat", self.refused())

    def test_what_makes_sense_meanwhile_does_not_wait(self) -> None:
        self.log_in()
        self.take(commands.CHAT, "bob")
        self.take(commands.CANCEL)
        self.assertEqual(self.role.calls[-1], ("cancel",))

    def test_order_is_kept(self) -> None:
        self.log_in()
        self.take(commands.CHAT, "bob")
        self.take(commands.SAY, "hi")
        self.take(commands.CANCEL)
        self.assertEqual(len(self.role.calls), 1)

    def test_an_order_waits_for_the_end_of_the_one_before(self) -> None:
        self.log_in()
        self.role.begin_chat("bob")
        self.take(commands.STOP)
        self.take(commands.CHAT, "carol")
        self.assertEqual(self.role.calls, [("stop",)])
        self.role.end_chat()
        self.clock.advance(0)
        self.assertEqual(self.role.calls[-1], ("request_chat", "carol"))

    def test_nothing_waits_for_what_will_not_come_by_itself(self) -> None:
        self.log_in()
        self.take(commands.ACCEPT)
        self.assertIn("nobody is asking", self.refused())

    def test_help_and_exit_need_no_log_in(self) -> None:
        self.take(commands.HELP)
        self.take(commands.EXIT)
        self.assertEqual(self.leaves, 1)

    def test_messages_wait_for_receipts_instead_of_failing(self) -> None:
        self.log_in()
        self.role.begin_chat("bob")
        for number in range(1, limits.MAX_UNDELIVERED + 1):
            self.take(commands.SAY, "x")
            self.orders.heard(Said("bob", number, "x", False))
        self.take(commands.SAY, "one more")
        self.assertEqual(len(self.role.calls), limits.MAX_UNDELIVERED)
        self.orders.heard(Delivered("bob", 1))
        self.clock.advance(0)
        self.assertEqual(self.role.calls[-1], ("say", "one more"))

    def test_done_when_nothing_is_outstanding(self) -> None:
        self.assertFalse(self.orders.is_done, "never logged in")
        self.log_in()
        self.assertTrue(self.orders.is_done)
        self.take(commands.USERS)
        self.assertFalse(self.orders.is_done, "an answer is outstanding")
        self.role.answer_users()
        self.assertTrue(self.orders.is_done)
        self.role.is_opening = True
        self.assertFalse(self.orders.is_done, "a chat is being set up")
        self.role.is_opening = False
        self.orders.heard(Said("bob", 1, "x", False))
        self.assertFalse(self.orders.is_done, "a receipt is outstanding")
        self.orders.heard(Delivered("bob", 1))
        self.assertTrue(self.orders.is_done)

    def test_a_chat_that_ends_leaves_no_receipt_outstanding(self) -> None:
        self.log_in()
        self.orders.heard(Said("bob", 1, "x", False))
        self.orders.heard(ChatOver("bob", "cut-off", [1]))
        self.assertTrue(self.orders.is_done)
        self.assertIsInstance(self.orders.first_error, NotDelivered)

    def test_a_chat_that_ends_with_all_receipts_is_no_error(self) -> None:
        self.orders.heard(ChatOver("bob", "by-peer", []))
        self.assertIsNone(self.orders.first_error)

    def test_what_waits_when_we_leave_is_not_carried_out(self) -> None:
        self.take(commands.AVAILABLE)
        self.orders.abandon()
        self.take(commands.AWAY)
        self.log_in()
        self.assertEqual(self.role.calls, [])

    def test_events_from_inside_the_core_never_call_back_into_it(self) -> None:
        self.take(commands.AVAILABLE)
        self.role.is_online = True
        self.orders.heard(Online("alice", "K", False))
        self.assertEqual(self.role.calls, [])
        self.clock.advance(0)
        self.assertEqual(len(self.role.calls), 1)
