from twisted.trial.unittest import SynchronousTestCase

from securecom import limits
from securecom.client.frontends.fullscreen.conversations import Conversation, Entry, Kind


def said(text: str) -> Entry:
    return Entry(0.0, Kind.PEER, text, "bob")


class Bounds(SynchronousTestCase):
    def test_old_entries_are_dropped(self) -> None:
        conversation = Conversation("bob")
        for number in range(limits.SCROLLBACK + limits.SCROLLBACK_SLACK + 1):
            conversation.add(said(str(number)))
        self.assertEqual(len(conversation.entries), limits.SCROLLBACK)
        self.assertEqual(conversation.entries[0].text, str(conversation.dropped))

    def test_the_longest_messages_are_bounded_together(self) -> None:
        for text in ("x" * limits.MAX_TEXT, "\n" * limits.MAX_TEXT):
            conversation = Conversation("bob")
            for _ in range(2 * limits.SCROLLBACK_COST // limits.MAX_TEXT):
                conversation.add(said(text))
                self.assertLessEqual(conversation.cost, limits.SCROLLBACK_COST)
            self.assertGreater(len(conversation.entries), 0)
            self.assertGreater(conversation.dropped, 0)


class Progress(SynchronousTestCase):
    def test_numbers_begin_again_with_a_chat(self) -> None:
        conversation = Conversation("bob")
        first, second = said("first"), said("second")
        conversation.add(first, 1)
        conversation.chat_begins()
        conversation.add(second, 1)
        self.assertTrue(conversation.advance(1, "delivered"))
        self.assertEqual((first.progress, second.progress), ("", "delivered"))
        self.assertFalse(conversation.advance(1, "failed"))


class Unread(SynchronousTestCase):
    def test_the_divider_stands_before_the_first_unread_message(self) -> None:
        conversation = Conversation("bob")
        conversation.add(said("seen"))
        conversation.add(said("one"), seen=False)
        conversation.add(said("two"), seen=False)
        self.assertEqual((conversation.unread, conversation.divider), (2, 1))
        conversation.looked_at()
        self.assertEqual((conversation.unread, conversation.divider), (0, 1))

    def test_matches_come_newest_first_and_ignore_case(self) -> None:
        conversation = Conversation("bob")
        for text in ("Needle", "hay", "a needle"):
            conversation.add(said(text))
        self.assertEqual(list(conversation.matches("NEEDLE")), [2, 0])
