"""The vocabulary: each argument takes what it should and nothing else; names are unique."""

from __future__ import annotations

from keyword import iskeyword
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.protocols import amp
from twisted.trial.unittest import SynchronousTestCase

from securecom import limits, refusals, vocabulary
from securecom.errors import WireError
from securecom.identity import Identity, Name
from securecom.tests.support.every_command import COMMANDS, REFUSALS, longest
from securecom.vocabulary import (
    IN_CHATS,
    SENT_BY_SERVER,
    Fact,
    FactsArgument,
    FixedBytes,
    KeyArgument,
    NameArgument,
    NamesArgument,
    Number,
    OneOf,
)

AMP_METHODS = ("makeArguments", "makeResponse", "parseArguments", "parseResponse")


class ArgumentTests(SynchronousTestCase):
    def assert_round_trip(self, argument: amp.Argument, value: Any, wire: bytes) -> None:
        self.assertEqual(argument.toString(value), wire)
        back = argument.fromString(wire)
        self.assertEqual((back, type(back)), (value, type(value)))

    def assert_refused(self, argument: amp.Argument, *wires: bytes) -> None:
        for wire in wires:
            error = self.assertRaises(WireError, argument.fromString, wire)
            if wire.strip(b"0123456789 "):  # a peer's words stay out of our errors
                self.assertNotIn(repr(wire), repr(error))

    # Promise T59, T77
    def test_names(self) -> None:
        self.assert_round_trip(NameArgument(), Name("bob"), b"bob")
        self.assert_refused(NameArgument(), b"", b"Bob", b"b\xc3\xb6b", b"\xff", b"b" * 33, b"b\0")

    def test_lists_of_names(self) -> None:
        self.assert_round_trip(NamesArgument(), [Name("al"), Name("bo")], b"al bo")
        self.assert_round_trip(NamesArgument(), [], b"")
        self.assert_refused(NamesArgument(), b" ", b"al  bo", b"al bo ", b"al Bo", b"al\nbo")

    def test_facts(self) -> None:
        facts = [Fact("account", "name", "bob"), Fact("", "", "\u00fc")]
        self.assert_round_trip(FactsArgument(), facts, b"account\tname\tbob\n\t\t\xc3\xbc")
        self.assert_round_trip(FactsArgument(), [], b"")
        wrong = (b"a", b"a\tb", b"a\tb\tc\td", b"a\tb\tc\n", b"\na\tb\tc", b"a\tb\t\xff")
        self.assert_refused(FactsArgument(), *wrong)

    def test_what_parts_facts_is_no_part_of_one(self) -> None:
        self.assertEqual(FactsArgument().toString([Fact("a\n", "b\tc", "d")]), b"a \tb c\td")

    def test_keys(self) -> None:
        key = Identity.generate().public_key
        self.assert_round_trip(KeyArgument(), key, key.encoded)
        neutral = (1).to_bytes(32, "little")
        wrong = (b"", key.raw, key.encoded[:-1], key.encoded + b"\0", neutral + key.raw, bytes(64))
        self.assert_refused(KeyArgument(), *wrong)

    def test_bytes_of_one_length(self) -> None:
        self.assert_round_trip(FixedBytes(3), b"a\0b", b"a\0b")
        self.assert_refused(FixedBytes(3), b"", b"ab", b"abcd")

    def test_numbers(self) -> None:
        for number in (5, 40, 300):
            self.assert_round_trip(Number(5, 300), number, b"%d" % number)
        wrong = (b"", b"4", b"301", b"-5", b"+5", b" 5", b"5 ", b"5.0", b"0x5", b"\xd9\xa5", b"1_0")
        self.assert_refused(Number(5, 300), *wrong, b"0005", b"9" * 10_000)

    # Promise R108
    def test_ports(self) -> None:
        """The port that a client connects to is one; the one that a server may dial may be any."""
        port, any_port = (
            dict(vocabulary.LogIn.response)[key] for key in (b"request_port", b"dial_port")
        )
        self.assert_round_trip(port, 1, b"1")
        self.assert_refused(port, b"0", b"65536")
        self.assert_round_trip(any_port, 0, b"0")

    def test_words(self) -> None:
        self.assert_round_trip(OneOf("yes", "no"), "no", b"no")
        self.assert_refused(OneOf("yes", "no"), b"", b"NO", b"no ", b"maybe", b"\xff")

    @given(st.binary(max_size=70))
    def test_junk_raises_only_wire_errors(self, junk: bytes) -> None:
        names = [NameArgument(), NamesArgument(), KeyArgument(), FactsArgument()]
        for argument in (*names, FixedBytes(16), Number(0, 65535), OneOf("yes", "no")):
            try:
                argument.fromString(junk)
            except WireError:
                continue

    def test_an_optional_argument_may_be_absent(self) -> None:
        box = vocabulary.LogIn.makeResponse({"name": Name("al"), "request_port": 1}, None)
        self.assertNotIn(b"dial_port", box)
        self.assertIsNone(vocabulary.LogIn.parseResponse(box, None)["dial_port"])


class VocabularyTests(SynchronousTestCase):
    # Promise T86
    def test_every_name_on_the_wire_is_one_commands(self) -> None:
        names = [one.commandName for one in COMMANDS]
        self.assertGreater(len(names), 15)
        self.assertEqual(len(set(names)), len(names))

    def test_every_refusal_has_a_word_of_its_own(self) -> None:
        words = [one.wire for one in REFUSALS]
        self.assertGreater(len(words), 10)
        self.assertEqual(len(set(words)), len(words))
        for reserved in (amp.UNKNOWN_ERROR_CODE, amp.UNHANDLED_ERROR_CODE, refusals.Refusal.wire):
            self.assertNotIn(reserved, words)

    def test_commands_fail_with_refusals_only_and_with_their_words(self) -> None:
        for command in COMMANDS:
            for kind, word in command.errors.items():
                self.assertTrue(issubclass(kind, refusals.Refusal), command)
                self.assertEqual(word, vars(kind)["wire"], command)
            self.assertEqual(command.fatalErrors, {})

    def test_whatever_may_be_said_fits_a_frame(self) -> None:
        for command in COMMANDS:
            asked = {name.decode(): longest(one) for name, one in command.arguments}
            answered = {name.decode(): longest(one) for name, one in command.response}
            said = command.makeArguments(asked, None)
            said[amp.COMMAND], said[amp.ASK] = command.commandName, b"f" * limits.MAX_TAG
            told = command.makeResponse(answered, None)
            told[amp.ANSWER] = b"f" * limits.MAX_TAG
            most = [limits.MAX_BODY, limits.MAX_BODY]
            if command.pace is not IN_CHATS:
                most[command.pace is not SENT_BY_SERVER] = limits.MAX_SERVER_BODY
            for box, allowed in zip((said, told), most, strict=True):
                size = len(box.serialize()) + limits.CHAT_PADDING
                self.assertLessEqual(size, allowed, command)

    def test_boxes_are_written_and_read_as_by_twisted(self) -> None:
        """Also with everything absent that may be, and with what nobody declared."""
        its = {name: getattr(amp.Command, name).__func__ for name in AMP_METHODS}
        for command in COMMANDS:
            for declared, write, read in (
                (command.arguments, "makeArguments", "parseArguments"),
                (command.response, "makeResponse", "parseResponse"),
            ):
                every = {name.decode(): longest(one) for name, one in declared}
                few = {name.decode(): longest(one) for name, one in declared if not one.optional}
                for values in (every, few, {**every, **dict.fromkeys(every.keys() - few.keys())}):
                    box = getattr(command, write)(dict(values), None)
                    self.assertEqual(box, its[write](command, dict(values), None), command)
                    box[b"other"] = b"more"
                    read_here = getattr(command, read)(box.copy(), None)
                    self.assertEqual(read_here, its[read](command, box.copy(), None), command)

    def test_what_has_to_be_there_is_missed(self) -> None:
        for command in COMMANDS:
            needed = {name.decode(): one for name, one in command.arguments if not one.optional}
            values = {name: longest(one) for name, one in needed.items()}
            for name in needed:
                box = command.makeArguments(values, None)
                del box[name.encode()]
                self.assertRaises(KeyError, command.parseArguments, box, None)
                few = {other: value for other, value in values.items() if other != name}
                self.assertRaises(KeyError, command.makeArguments, few, None)

    def test_an_argument_that_nobody_declared_is_not_sent(self) -> None:
        self.assertRaises(
            amp.InvalidSignature, vocabulary.CancelRequest.makeArguments, {"chat": bytes(16)}, None
        )

    def test_names_are_the_same_in_python(self) -> None:
        for command in COMMANDS:
            for name, _ in (*command.arguments, *command.response):
                self.assertTrue(name.decode().isidentifier(), command)
                self.assertFalse(iskeyword(name.decode()), command)

    def test_what_wants_no_answer_has_none(self) -> None:
        for command in COMMANDS:
            if not command.requiresAnswer:
                self.assertEqual((command.response, command.errors), ([], {}), command)

    def test_every_command_and_refusal_is_explained(self) -> None:
        for one in (*COMMANDS, *REFUSALS):
            self.assertTrue(vars(one).get("__doc__"), one)
