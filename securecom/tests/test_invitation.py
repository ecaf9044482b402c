"""An invitation is one line of text: what it says, and everything that it is not."""

from __future__ import annotations

import string

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from securecom import limits
from securecom.errors import BadHost, BadLink
from securecom.invitation import Host, Invitation, is_unfinished, parse_authority, token_hash

SERVER = bytes(range(32))
TOKEN = bytes(range(100, 120))
LINK = Invitation(Host("chat.example.org"), limits.STANDARD_PORT, SERVER, TOKEN).link()
_SERVER_TEXT, _TOKEN_TEXT = LINK.split("/")[3:]

_alphanumeric = string.ascii_lowercase + string.digits
_labels = st.from_regex(r"[a-z]([a-z0-9-]{0,10}[a-z0-9])?", fullmatch=True)
hosts = st.one_of(
    st.lists(_labels, min_size=1, max_size=5).map(".".join),
    st.ip_addresses().map(str),
    st.just("duckduckgogg42xjoc72x3sjasowoarfbgcmvfimaftt6twagswzczad.onion"),
).map(Host)
invitations = st.builds(
    Invitation,
    hosts,
    st.integers(1, 65535),
    st.binary(min_size=32, max_size=32),
    st.binary(min_size=limits.TOKEN_BYTES, max_size=limits.TOKEN_BYTES),
)


class Links(SynchronousTestCase):
    @settings(deadline=None)
    @given(invitations)
    def test_round_trip(self, invitation: Invitation) -> None:
        self.assertEqual(Invitation.parse(invitation.link()), invitation)

    @settings(deadline=None)
    @given(invitations)
    def test_capitals_mean_the_same(self, invitation: Invitation) -> None:
        self.assertEqual(Invitation.parse(invitation.link().upper()), invitation)

    @settings(deadline=None)
    @given(st.text(max_size=200) | st.text(max_size=200).map("securecom://".__add__))
    def test_junk_is_a_bad_link_and_nothing_else(self, text: str) -> None:
        try:
            invitation = Invitation.parse(text)
        except BadLink:
            return
        self.assertEqual(invitation.link().lower(), text.strip().lower())

    @settings(deadline=None)
    @given(invitations, st.data())
    def test_a_link_cut_off_or_mistyped_is_noticed_or_means_something_else(
        self, invitation: Invitation, data: st.DataObject
    ) -> None:
        link = invitation.link()
        at = data.draw(st.integers(0, len(link) - 1))
        self.assertRaises(BadLink, Invitation.parse, link[: max(at, len(link) - 40)])
        changed = link[:at] + data.draw(st.characters()) + link[at + 1 :]
        try:
            other = Invitation.parse(changed)
        except BadLink:
            return
        self.assertEqual(other == invitation, changed.lower().strip() == link)

    def test_the_usual_port_is_left_out(self) -> None:
        self.assertEqual(LINK, f"securecom://chat.example.org/{_SERVER_TEXT}/{_TOKEN_TEXT}")
        other = Invitation(Host("chat.example.org"), 5000, SERVER, TOKEN)
        self.assertTrue(other.link().startswith("securecom://chat.example.org:5000/"))

    def test_an_ipv6_host_stands_in_brackets(self) -> None:
        link = Invitation(Host("2001:DB8:0::1"), limits.STANDARD_PORT, SERVER, TOKEN).link()
        self.assertTrue(link.startswith("securecom://[2001:db8::1]/"))

    def test_white_space_around_it_is_ignored(self) -> None:
        self.assertEqual(Invitation.parse(f"  {LINK}\r\n").token, TOKEN)

    # Promise R66
    def test_as_the_admin_command_prints_it(self) -> None:
        self.reads(f"alice, once, until 2026-11-29 21:06 UTC:\n  {LINK}\n")

    # Promise R66
    def test_as_mail_hands_it_over(self) -> None:
        for width in (20, 72):
            lines = [LINK[at : at + width] for at in range(0, len(LINK), width)]
            self.reads("\n".join(lines))
            self.reads("\r\n  ".join(lines))
        for around in ("<{}>", "<{}>.", "{}.", "{},", "<{}>,", " < {} > ", "<\n{}\n>"):
            self.reads(around.format(LINK))
            self.reads(around.format(LINK.upper()))

    def reads(self, text: str) -> None:
        self.assertEqual(Invitation.parse(text), Invitation.parse(LINK))
        self.assertFalse(is_unfinished(text))

    def test_a_link_is_finished_at_its_last_letter(self) -> None:
        for at in range(1, len(LINK)):
            self.assertTrue(is_unfinished(LINK[:at]), LINK[:at])
            self.assertRaises(BadLink, Invitation.parse, LINK[:at])
        for text in (LINK, f"{LINK}/users", "/users", "rubbish", "x" * 1000, f"{LINK}a"):
            self.assertFalse(is_unfinished(text), text)
        self.assertTrue(is_unfinished("alice, once, until 2026-11-29 21:06 UTC:"))

    def test_the_longest_host_fits(self) -> None:
        host = Host(".".join(["a" * 63] * 3 + ["b" * 61]))
        link = Invitation(host, 65535, SERVER, TOKEN).link()
        self.assertEqual(len(host), limits.MAX_HOST)
        self.assertEqual(Invitation.parse(link).host, host)

    def test_the_token_does_not_show_in_its_hash(self) -> None:
        self.assertEqual(len(token_hash(TOKEN)), 32)
        self.assertNotIn(TOKEN, token_hash(TOKEN))
        self.assertNotEqual(token_hash(TOKEN), token_hash(bytes(limits.TOKEN_BYTES)))


class BadLinks(SynchronousTestCase):
    def refused(self, text: str, why: str) -> None:
        error = self.assertRaises(BadLink, Invitation.parse, text)
        self.assertIn(why, str(error))

    def with_host(self, host: str) -> str:
        return f"securecom://{host}/{_SERVER_TEXT}/{_TOKEN_TEXT}"

    def test_too_long(self) -> None:
        self.refused(LINK + "a" * limits.MAX_LINK, "at most 512 characters")

    def test_of_another_kind(self) -> None:
        self.refused("https://chat.example.org/", "begins with securecom://")

    def test_without_its_parts(self) -> None:
        self.refused("securecom://chat.example.org", "a host, a server's fingerprint and a token")
        self.refused(LINK + "/", "a host, a server's fingerprint and a token")

    def test_with_a_mistyped_server(self) -> None:
        self.refused(LINK.replace(_SERVER_TEXT, "1" + _SERVER_TEXT[1:]), "server's fingerprint")
        self.refused(LINK.replace(_SERVER_TEXT, _SERVER_TEXT[:-3]), "server's fingerprint")

    def test_with_a_token_cut_off(self) -> None:
        self.refused(LINK[:-1], "token is mistyped or cut off")
        self.refused(LINK[:-8], "token is mistyped or cut off")

    def test_with_padding(self) -> None:
        self.refused(LINK.replace(_SERVER_TEXT, _SERVER_TEXT + "===="), "server's fingerprint")

    def test_with_a_second_spelling_of_the_same_bytes(self) -> None:
        last = "abcdefghijklmnopqrstuvwxyz234567".index(_SERVER_TEXT[-1])
        other = "abcdefghijklmnopqrstuvwxyz234567"[last + 1]
        self.refused(LINK.replace(_SERVER_TEXT, _SERVER_TEXT[:-1] + other), "mistyped")

    def test_with_letters_whose_capitals_are_ascii(self) -> None:
        for text in ("\N{LATIN SMALL LETTER SHARP S}", "\N{LATIN SMALL LETTER DOTLESS I}"):
            self.refused(
                LINK.replace(_TOKEN_TEXT, text + _TOKEN_TEXT[len(text.upper()) :]), "token"
            )

    def test_with_a_bad_host(self) -> None:
        self.refused(self.with_host(""), "that is not a host name")
        self.refused(self.with_host("bob@chat.example.org"), "that is not a host name")
        self.refused(self.with_host("2001:db8::1"), "put an IPv6 address in brackets")

    def test_with_a_bad_port(self) -> None:
        self.refused(self.with_host("chat.example.org:0"), "0 is not a port")
        self.refused(self.with_host("chat.example.org:65536"), "65536 is not a port")
        self.refused(self.with_host("chat.example.org:"), "not a host, with or without a port")
        self.refused(self.with_host("chat.example.org:٣"), "not a host, with or without a port")

    def test_values_that_no_link_can_hold(self) -> None:
        host = Host("chat.example.org")
        self.assertRaises(BadLink, Invitation, host, 0, SERVER, TOKEN)
        self.assertRaises(BadLink, Invitation, host, 65536, SERVER, TOKEN)
        self.assertRaises(BadLink, Invitation, host, 1, SERVER[1:], TOKEN)
        self.assertRaises(BadLink, Invitation, host, 1, SERVER, TOKEN + b"x")


class Hosts(SynchronousTestCase):
    def test_one_spelling(self) -> None:
        self.assertEqual(Host("Chat.Example.ORG"), "chat.example.org")
        self.assertEqual(Host("2001:0DB8::0:1"), "2001:db8::1")

    def test_addresses_are_known_as_such(self) -> None:
        self.assertEqual(str(Host("192.0.2.7").address), "192.0.2.7")
        self.assertEqual(str(Host("::1").address), "::1")
        self.assertIsNone(Host("localhost").address)

    def test_what_is_no_host(self) -> None:
        long_name = ".".join(["a" * 63] * 4)
        for text in (
            "",
            ".",
            "a..b",
            "-a",
            "a-",
            "a_b",
            "a b",
            "a" * 64,
            long_name,
            "a\n",
            "[::1]",
        ):
            self.assertRaises(BadHost, Host, text)

    def test_what_only_looks_like_an_address(self) -> None:
        for text in ("1", "192.0.2", "192.0.2.256", "192.0.2.01", "chat.1"):
            self.assertIn("not an IPv4 address", str(self.assertRaises(BadHost, Host, text)))

    def test_other_letters_are_told_how(self) -> None:
        self.assertIn("xn--", str(self.assertRaises(BadHost, Host, "bücher.example")))

    def test_a_zone_means_nothing_elsewhere(self) -> None:
        self.assertIn("zone", str(self.assertRaises(BadHost, Host, "fe80::1%eth0")))


class Authorities(SynchronousTestCase):
    def test_with_and_without_a_port(self) -> None:
        self.assertEqual(parse_authority("a.example"), ("a.example", None))
        self.assertEqual(parse_authority("a.example:81"), ("a.example", 81))
        self.assertEqual(parse_authority("[::1]:81"), ("::1", 81))
        self.assertEqual(parse_authority("[::1]"), ("::1", None))
        self.assertEqual(parse_authority("::1"), ("::1", None))

    def test_what_is_none(self) -> None:
        for text in ("", ":81", "a:0", "a:65536", "a:123456", "[a]:81", "[a", "a]", "[]", "a:b"):
            self.assertRaises(BadHost, parse_authority, text)
