"""What an admin types and reads: invitations, users, the health of the state, exit codes."""

from __future__ import annotations

import json

from securecom import limits
from securecom.identity import Identity
from securecom.invitation import Invitation, token_hash
from securecom.tests.support.admin_case import ALICE, BOB, DAY, NOW, AdminCase


class InviteTests(AdminCase):
    def test_a_link_for_each(self) -> None:
        lines = self.says("invite", "alice", "bob").splitlines()
        self.assertEqual(lines[0], "alice, once, until 2026-11-23 12:45 UTC:")
        self.assertEqual(lines[2], "bob, once, until 2026-11-23 12:45 UTC:")
        for line, number, name in ((lines[1], 1, ALICE), (lines[3], 2, BOB)):
            invitation = Invitation.parse(line)
            self.assertEqual(invitation.host, "chat.example.org")
            self.assertEqual(invitation.standard_port, limits.STANDARD_PORT)
            self.assertEqual(invitation.server, self.state.server_id)
            self.assertEqual(invitation.token, number.to_bytes(limits.TOKEN_BYTES, "big"))
            key, digest = Identity.generate().public_key, token_hash(invitation.token)
            spent = self.registry.spend(digest, key, NOW + DAY - 1)
            self.assertEqual(self.successResultOf(spent), name)

    # Promise T27
    def test_a_token_is_shown_once_and_kept_nowhere(self) -> None:
        (line,) = self.objects("invite", "alice", "--json")
        link = str(line["link"])
        text, token = link.rsplit("/", 1)[1], Invitation.parse(link).token
        for path in self.folder.rglob("*"):
            content = path.read_bytes() if path.is_file() else b""
            self.assertNotIn(text.encode(), content.lower())
            self.assertNotIn(token, content)
        self.assertNotIn(text, self.says("invites") + self.says("invites", "--json"))

    def test_json(self) -> None:
        (line,) = self.objects("invite", "alice", "--json", "--expires", "90m")
        self.assertEqual(set(line), {"id", "name", "expires", "link"})
        self.assertEqual(line["expires"], "2026-11-22T14:15:00Z")
        self.assertEqual((line["id"], line["name"]), ("I1", "alice"))

    def test_the_port_that_the_server_listens_on(self) -> None:
        self.state.remember_ports(5001, 5003)
        (line,) = self.objects("invite", "alice", "--json")
        self.assertEqual(Invitation.parse(str(line["link"])).standard_port, 5001)

    def test_another_host_and_port(self) -> None:
        for asked, host, port in (
            ("other.example", "other.example", limits.STANDARD_PORT),
            ("other.example:81", "other.example", 81),
            ("[2001:db8::1]:81", "2001:db8::1", 81),
        ):
            (line,) = self.objects("invite", "alice", "--json", "--host", asked)
            invitation = Invitation.parse(str(line["link"]))
            self.assertEqual((invitation.host, invitation.standard_port), (host, port))

    def test_the_same_name_twice_is_one_invitation(self) -> None:
        self.assertEqual(len(self.objects("invite", "bob", "bob", "--json")), 1)

    def test_one_taken_name_and_nobody_is_invited(self) -> None:
        self.enrol(ALICE)
        self.assertIn("alice has a key already", self.refuses("invite", "bob", "alice"))
        self.assertEqual(self.says("invites"), "no open invitations\n")

    def test_a_qr_code(self) -> None:
        plain = self.says("invite", "alice").splitlines()
        lines = self.says("invite", "alice", "--qr").splitlines()
        self.assertEqual(len(plain), 2)
        self.assertGreater(len(lines), 15)
        self.assertEqual(len({len(line) for line in lines[2:]}), 1)
        self.assertTrue(set("".join(lines[2:])) <= set(" █▀▄"))

    def test_a_qr_code_where_there_are_no_blocks(self) -> None:
        self.encoding = "ascii"
        self.assertTrue(self.says("invite", "alice", "--qr").isascii())
        self.encoding = "no-such-encoding"
        self.assertTrue(self.says("invite", "alice", "--qr").isascii())

    def test_of_several_names_the_wrong_one_is_named_and_made_fit_to_show(self) -> None:
        said = self.refuses("invite", "alice", "Bo\x1bb" + "x" * 500, status=2)
        self.assertIn('"Bo', said)
        self.assertNotIn("\x1b", said)
        self.assertNotIn("x" * 50, said)
        self.assertNotIn("alice", said)

    def test_usage(self) -> None:
        for wrong in (
            ("invite",),
            ("invite", "Alice"),
            ("invite", "alice", "--expires", "24"),
            ("invite", "alice", "--expires", "0m"),
            ("invite", "alice", "--expires", "31d"),
            ("invite", "alice", "--expires", "-1h"),
            ("invite", "alice", "--host", "no host"),
            ("invite", "alice", "--host", "a:0"),
            ("frobnicate",),
            (),
        ):
            self.assertIn("usage:", self.refuses(*wrong, status=2))
        self.assertEqual(self.says("invites"), "no open invitations\n")

    def test_the_longest_and_the_shortest(self) -> None:
        (line,) = self.objects("invite", "alice", "--json", "--expires", "30d")
        self.assertEqual(line["expires"], "2026-12-22T12:45:00Z")
        (line,) = self.objects("invite", "alice", "--json", "--expires", "1m")
        self.assertEqual(line["expires"], "2026-11-22T12:46:00Z")


class NotPublicTests(AdminCase):
    hosts = ()

    def test_the_admin_is_told_that_the_link_works_here_only(self) -> None:
        output, note = self.run_command("invite", "alice", "--json")
        self.assertEqual(Invitation.parse(json.loads(output)["link"]).host, "127.0.0.1")
        self.assertIn("this machine only", note)
        self.says("invite", "alice", "--host", "chat.example.org")

    def test_check_says_so(self) -> None:
        self.assertIn("for this machine only", self.says("check"))


class InvitationsTests(AdminCase):
    def test_listed(self) -> None:
        self.says("invite", "alice", "--expires", "1h")
        self.says("invite", "bob")
        self.now += 3600
        self.assertEqual(
            self.says("invites"),
            "ID  NAME   GOOD UNTIL\n"
            "I1  alice  2026-11-22 13:45 UTC (expired)\n"
            "I2  bob    2026-11-23 12:45 UTC\n",
        )
        first, second = self.objects("invites", "--json")
        self.assertEqual(
            first,
            {"id": "I1", "name": "alice", "expires": "2026-11-22T13:45:00Z", "expired": True},
        )
        self.assertEqual(second["expired"], False)

    def test_revoked(self) -> None:
        self.says("invite", "alice", "bob")
        self.says("invite", "alice")
        self.assertEqual(self.says("revoke", "I1"), "revoked I1 for alice\n")
        self.says("invite", "alice")
        self.assertEqual(
            self.says("revoke", "alice"), "revoked I3 for alice\nrevoked I4 for alice\n"
        )
        self.assertEqual([one["name"] for one in self.objects("invites", "--json")], ["bob"])

    def test_nothing_to_revoke(self) -> None:
        self.says("invite", "alice")
        self.assertIn("no open invitation 7", self.refuses("revoke", "I7"))
        self.assertIn("no open invitation bob", self.refuses("revoke", "bob"))
        self.assertIn("no open invitation 1", self.refuses("revoke", "1"))
        self.assertIn("usage:", self.refuses("revoke", "I", status=2))


class UsersTests(AdminCase):
    def test_nobody(self) -> None:
        output, note = self.run_command("users")
        self.assertEqual(output, "no users yet\n")
        self.assertIn("securecom-admin invite", note)
        self.assertEqual(self.says("users", "--json"), "")

    def test_listed(self) -> None:
        key = self.enrol(BOB)
        self.enrol(ALICE)
        self.run_command("reset-key", "alice", "--yes")
        lines = self.says("users").splitlines()
        self.assertEqual(lines[0].split(), ["NAME", "STATE", "SINCE", "KEY"])
        self.assertEqual(lines[1], "alice  no key    2026-11-22 12:45 UTC")
        self.assertEqual(lines[2], f"bob    enrolled  2026-11-22 12:45 UTC  {key.fingerprint}")
        alice, bob = self.objects("users", "--json")
        self.assertEqual((alice["key"], alice["fingerprint"]), (None, None))
        self.assertEqual(
            bob,
            {
                "name": "bob",
                "disabled": False,
                "created": "2026-11-22T12:45:00Z",
                "key": key.to_openssh(),
                "fingerprint": key.fingerprint,
            },
        )

    def test_disabled_and_enabled(self) -> None:
        self.enrol(ALICE)
        self.assertEqual(self.says("disable", "alice"), "alice is disabled\n")
        self.assertIn("alice  disabled ", self.says("users"))
        self.run_command("reset-key", "alice", "--yes")
        self.assertIn("alice  disabled, no key ", self.says("users"))
        self.assertEqual(self.says("enable", "alice"), "alice is enabled\n")
        self.assertIn("alice  no key ", self.says("users"))

    def test_a_key_reset_and_invited_again(self) -> None:
        self.enrol(ALICE)
        output, note = self.run_command("reset-key", "alice", "--yes")
        self.assertEqual(output, "alice has no key any more\n")
        self.assertIn("securecom-admin invite alice", note)
        self.says("invite", "alice")

    # Promise R67
    def test_a_key_is_not_reset_without_a_yes(self) -> None:
        key = self.enrol(ALICE)
        self.assertIn("--yes", self.refuses("reset-key", "alice"))
        asked: list[str] = []

        def no(question: str) -> bool:
            asked.append(question)
            return False

        self.confirm = no
        self.assertIn("was not reset", self.refuses("reset-key", "alice"))
        self.assertIn("changed key", asked[0])
        user = self.successResultOf(self.registry.user(ALICE))
        assert user is not None
        self.assertEqual(user.key, key)
        self.confirm = lambda question: True
        self.run_command("reset-key", "alice")
        user = self.successResultOf(self.registry.user(ALICE))
        assert user is not None
        self.assertIsNone(user.key)

    def test_nobody_of_that_name(self) -> None:
        self.says("invite", "alice")
        for command in ("disable", "enable", "reset-key", "remove"):
            self.assertIn("SC-220 there is no user alice", self.refuses(command, "alice"))

    def test_removed(self) -> None:
        self.enrol(ALICE)
        until = "2027-02-20 12:45 UTC"
        self.assertEqual(
            self.says("remove", "alice", "--yes"),
            f"alice is removed; nobody can have the name until {until}\n",
        )
        self.assertIsNone(self.successResultOf(self.registry.user(ALICE)))

    def test_not_removed_without_a_yes(self) -> None:
        self.enrol(ALICE)
        self.assertIn("--yes", self.refuses("remove", "alice"))
        asked: list[str] = []

        def no(question: str) -> bool:
            asked.append(question)
            return False

        self.confirm = no
        self.assertIn("not removed", self.refuses("remove", "alice"))
        self.assertEqual(asked, ["Remove alice for good?"])
        self.assertIsNotNone(self.successResultOf(self.registry.user(ALICE)))
        self.confirm = lambda question: True
        self.says("remove", "alice")
        self.assertIsNone(self.successResultOf(self.registry.user(ALICE)))


class QuarantineTests(AdminCase):
    """Names of people who are gone."""

    def setUp(self) -> None:
        super().setUp()
        for name in (ALICE, BOB):
            self.enrol(name)
        self.says("remove", "alice", "--yes")

    def test_listed(self) -> None:
        until = "2027-02-20 12:45 UTC"
        self.assertEqual(self.says("quarantine"), f"NAME   QUARANTINED UNTIL\nalice  {until}\n")
        self.assertEqual(
            self.objects("quarantine", "--json"),
            [{"name": "alice", "until": "2027-02-20T12:45:00Z"}],
        )
        self.assertIn("users: 1, open invitations: 0, names in quarantine: 1", self.says("check"))

    def test_none(self) -> None:
        self.run_command("release", "alice", "--yes")
        self.assertEqual(self.says("quarantine"), "no names in quarantine\n")
        self.assertEqual(self.says("quarantine", "--json"), "")

    # Promise T126, C55
    def test_not_invited_and_the_admin_hears_why_and_until_when(self) -> None:
        said = self.refuses("invite", "carol", "alice")
        self.assertIn("SC-226 alice belonged to somebody", said)
        self.assertIn("in quarantine until 2027-02-20 12:45 UTC", said)
        self.assertEqual(self.says("invites"), "no open invitations\n")

    def test_it_ends_by_itself_when_the_admin_looks(self) -> None:
        self.now += limits.NAME_QUARANTINE - 1
        self.refuses("invite", "alice")
        self.now += 1
        self.assertEqual(self.says("quarantine"), "no names in quarantine\n")
        self.says("invite", "alice")

    def test_released(self) -> None:
        self.successResultOf(self.registry.block(BOB, ALICE))
        output, note = self.run_command("release", "alice", "--yes")
        self.assertEqual(output, "alice is released\n")
        self.assertIn("securecom-admin invite alice", note)
        self.assertEqual(self.successResultOf(self.registry.blocked(BOB)), [])
        self.says("invite", "alice")

    def test_not_released_without_a_yes(self) -> None:
        self.assertIn("--yes", self.refuses("release", "alice"))
        asked: list[str] = []

        def no(question: str) -> bool:
            asked.append(question)
            return False

        self.confirm = no
        self.assertIn("alice was not released", self.refuses("release", "alice"))
        self.assertIn("nobody blocks alice any more", asked[0])
        self.refuses("invite", "alice")
        self.confirm = lambda question: True
        self.run_command("release", "alice")
        self.says("invite", "alice")

    def test_nothing_to_release(self) -> None:
        self.assertIn("SC-227 bob is not in quarantine", self.refuses("release", "bob", "--yes"))
        self.assertIn("bob is not in quarantine", self.refuses("release", "bob"))


class MigrateTests(AdminCase):
    """What is refused before PostgreSQL is asked; `tests/test_postgres_server` has one."""

    def test_not_to_where_it_is(self) -> None:
        self.assertIn("already", self.refuses("migrate", "--to", "sqlite"))

    def test_not_while_a_server_runs(self) -> None:
        self.assertIn("SC-111", self.refuses("migrate", "--to", "postgresql://u@localhost:1/x"))

    def test_not_to_a_bad_address(self) -> None:
        for address in ("nonsense", "postgresql://u:secret@localhost/x"):
            said = self.refuses("migrate", "--to", address)
            self.assertIn("SC-202", said)
            self.assertNotIn("secret", said)

    def test_usage(self) -> None:
        self.assertIn("usage:", self.refuses("migrate", status=2))
