"""The limits fit each other: what one allows, the others can carry."""

from __future__ import annotations

from twisted.protocols import amp
from twisted.trial.unittest import SynchronousTestCase

from securecom import control, framing, limits
from securecom.identity import Name
from securecom.vocabulary import ListAvailable, Say


class _Frames:
    """Keeps what a control lane sends."""

    def __init__(self) -> None:
        self.sent: list[bytes] = []

    def send(self, frame: bytes) -> None:
        self.sent.append(frame)

    def fault(self, error: Exception) -> None:
        raise error


class LimitsTests(SynchronousTestCase):
    def test_every_limit_is_a_positive_number(self) -> None:
        values = {k: v for k, v in vars(limits).items() if k.isupper()}
        self.assertGreater(len(values), 30)
        for name, value in values.items():
            self.assertIsInstance(value, int | float, name)
            self.assertGreater(value, 0, name)

    def test_the_longest_message_fits_one_frame_padding_and_all(self) -> None:
        owner = _Frames()
        lane = control.ControlLane(owner, amp.CommandLocator(), limits.CHAT_PADDING)
        lane.call(Say, text="\u20ac" * (limits.MAX_TEXT // 3))
        self.assertLessEqual(len(owner.sent[0]), limits.FRAME_HEADER + limits.MAX_BODY)

    def test_a_page_of_the_longest_names_fits_one_frame(self) -> None:
        names = [Name("n" * limits.MAX_NAME)] * limits.USERS_PAGE
        answer = ListAvailable.makeResponse({"names": names, "more": True}, None)
        self.assertLessEqual(len(answer.serialize()) + 64, limits.MAX_BODY)

    def test_a_frame_holds_a_chat_chunk_and_its_stream_number(self) -> None:
        frame = framing.encode_chat(2**32 - 1, bytes(limits.MAX_CHAT_CHUNK))
        self.assertEqual(len(frame), limits.FRAME_HEADER + 4 + limits.MAX_CHAT_CHUNK)

    def test_a_frames_length_fits_its_three_bytes(self) -> None:
        self.assertLess(limits.MAX_BODY, 2**24)

    def test_whatever_one_read_completes_has_room_when_decrypted(self) -> None:
        """A record that came in part, and all that is read behind it."""
        self.assertGreaterEqual(limits.TLS_BUFFER, limits.LARGE_READ + 2 * limits.TLS_RECORD)

    def test_receipts_of_all_messages_under_way_are_no_flood(self) -> None:
        receipts = limits.MAX_UNDELIVERED * limits.CHAT_PADDING
        self.assertLess(2 * receipts, limits.MAX_UNREAD_ANSWERS)

    def test_silence_is_noticed_only_after_several_pings(self) -> None:
        self.assertGreater(limits.PEER_GONE, 2 * limits.PING_INTERVAL)

    def test_a_certificate_is_renewed_while_it_is_valid(self) -> None:
        self.assertLess(limits.RENEW_DAYS, limits.CERTIFICATE_DAYS)
        self.assertLess(limits.CERTIFICATE_DAYS, limits.CA_DAYS)
        self.assertLess(limits.RENEW_CHECK, limits.RENEW_DAYS * 24 * 3600)

    def test_an_invitations_token_cannot_be_guessed(self) -> None:
        self.assertGreaterEqual(limits.TOKEN_BYTES * 8, 128)

    def test_a_request_outlives_the_deadlines_within_it(self) -> None:
        within = limits.OPENING_DEADLINE + limits.CHAT_HANDSHAKE_DEADLINE
        self.assertLess(within, limits.REQUEST_EXPIRES)
        self.assertLess(limits.REQUEST_EXPIRES, 3600)
