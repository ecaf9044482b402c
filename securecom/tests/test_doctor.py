"""The doctor: each finding, what it says, and that nothing secret is in it."""

from __future__ import annotations

import json
import os
from argparse import Namespace
from pathlib import Path
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from securecom import limits
from securecom.client.frontends.qr import Screen
from securecom.client.profile.identity_file import make_identity_file, read_identity_file
from securecom.client.profile.passphrase import NoPassPhrase, Nowhere
from securecom.client.profile.profile import Profile
from securecom.client.profile.profiles import Profiles
from securecom.client.program import doctor
from securecom.client.program.command_line import parser
from securecom.client.program.doctor import Finding
from securecom.identity import Identity, Name
from securecom.invitation import Host
from securecom.tests.support.memory_client import MemoryClient, way_of
from securecom.tests.support.memory_server import NOW, REQUEST, STANDARD, MemoryServer
from securecom.tests.support.scripted_server import outcome

TERMINAL = Screen(100, 30, has_colours=True)
XTERM = {"TERM": "xterm-256color"}
SERVER = b"\x07" * 32


def states(findings: list[Finding]) -> dict[str, str]:
    return {one.check: one.state for one in findings}


class TerminalTests(SynchronousTestCase):
    def found(self, screen: Screen, environment: Any, encoding: str = "utf-8") -> dict[str, str]:
        return states(doctor.of_terminal(screen, environment, encoding))

    def test_a_good_one(self) -> None:
        self.assertEqual(self.found(TERMINAL, XTERM), {"terminal": "fine", "text": "fine"})

    def test_none(self) -> None:
        self.assertEqual(self.found(Screen(), {}), {"terminal": "note"})

    def test_one_without_colours(self) -> None:
        found = self.found(Screen(80, 24, has_colours=False), {"TERM": "dumb"})
        self.assertEqual(found["terminal"], "note")

    def test_a_small_one(self) -> None:
        for columns, rows in ((limits.GOOD_COLUMNS - 1, 24), (80, limits.GOOD_ROWS - 1)):
            self.assertEqual(self.found(Screen(columns, rows, True), XTERM)["size"], "note")

    def test_one_that_gets_no_utf_8(self) -> None:
        self.assertEqual(self.found(TERMINAL, XTERM, "ascii")["text"], "problem")

    def test_a_term_that_would_do_something_to_the_terminal(self) -> None:
        for one in doctor.of_terminal(TERMINAL, {"TERM": "x\033[2J"}, "utf-8\033c"):
            self.assertTrue(one.what.isprintable(), one.what)


class AttentionTests(SynchronousTestCase):
    def found(self, notify: str, environment: Any = XTERM, desktop: bool = True) -> dict[str, str]:
        return states(doctor.of_attention(TERMINAL, environment, notify, desktop))

    def test_what_gets_through(self) -> None:
        self.assertEqual(self.found("bell"), {"attention": "fine"})
        self.assertEqual(self.found("terminal"), {"attention": "fine"})
        self.assertEqual(self.found("desktop"), {"attention": "fine"})

    def test_what_does_not(self) -> None:
        self.assertEqual(self.found("terminal", {"TERM": "linux"})["notify"], "problem")
        self.assertEqual(self.found("terminal", {**XTERM, "TMUX": "x"})["notify"], "note")
        self.assertEqual(self.found("desktop", desktop=False)["notify"], "problem")
        self.assertEqual(self.found("desktop", {**XTERM, "SSH_CONNECTION": "x"})["notify"], "note")

    def test_nothing_rings_where_there_is_no_terminal(self) -> None:
        found = doctor.of_attention(Screen(), {}, "bell", has_desktop=True)
        self.assertEqual(states(found), {"attention": "note"})


class ProfileTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.folder = Path(self.mktemp())
        self.folder.mkdir(0o700)
        self.profiles = Profiles(self.folder)

    def profile(self, pass_phrase: bytes | None = b"open sesame") -> Profile:
        folder = self.folder / "profiles" / "alice"
        make_identity_file(folder / "identity", pass_phrase)
        profile = Profile(
            folder, Name("alice"), Host("chat.example.org"), 4241, SERVER, Path("identity")
        )
        profile.save()
        return profile

    def test_the_folder(self) -> None:
        self.assertEqual(states(doctor.of_folder(self.folder)), {"folder": "fine"})
        self.assertEqual(states(doctor.of_folder(self.folder / "none")), {"folder": "note"})
        self.folder.chmod(0o755)
        self.assertEqual(states(doctor.of_folder(self.folder)), {"folder": "note"})
        self.folder.chmod(0o700)
        self.patch(os, "access", lambda path, mode: False)
        self.assertEqual(states(doctor.of_folder(self.folder)), {"folder": "problem"})
        file = self.folder / "file"
        file.write_text("x")
        self.assertEqual(states(doctor.of_folder(file / "x")), {"folder": "problem"})

    def test_no_profile_one_several_and_a_damaged_one(self) -> None:
        findings, profile = doctor.of_profile(self.profiles, None)
        self.assertEqual((states(findings), profile), ({"profile": "note"}, None))
        ours = self.profile()
        findings, profile = doctor.of_profile(self.profiles, None)
        self.assertEqual((states(findings), profile), ({"profile": "fine"}, ours))
        findings, profile = doctor.of_profile(self.profiles, "bob")
        self.assertEqual((states(findings), profile), ({"profile": "note"}, None))
        (ours.folder / "profile.toml").write_text("a diary")
        findings, profile = doctor.of_profile(self.profiles, None)
        self.assertEqual((states(findings), profile), ({"profile": "problem"}, None))

    def test_a_key_with_a_pass_phrase(self) -> None:
        (finding,), file = doctor.of_key(self.profile())
        self.assertEqual(finding.state, "fine")
        self.assertIn(f"{limits.BCRYPT_ROUNDS} rounds", finding.what)
        self.assertIsNotNone(file)

    def test_a_key_without_one(self) -> None:
        (finding,), file = doctor.of_key(self.profile(None))
        self.assertEqual((finding.state, "no pass phrase" in finding.what), ("note", True))
        self.assertIsNotNone(file)

    def test_a_key_whose_guessing_is_cheap(self) -> None:
        self.patch(limits, "BCRYPT_ROUNDS", 4)
        profile = self.profile()
        self.patch(limits, "BCRYPT_ROUNDS", 64)
        (finding,), _ = doctor.of_key(profile)
        self.assertEqual((finding.state, "4 rounds" in finding.what), ("note", True))

    def test_a_key_that_is_gone_damaged_or_open_to_others(self) -> None:
        profile = self.profile()
        path = profile.identity_path
        path.chmod(0o644)
        self.assertEqual(states(doctor.of_key(profile)[0]), {"key": "problem"})
        path.chmod(0o600)
        path.write_text("a diary")
        self.assertEqual(states(doctor.of_key(profile)[0]), {"key": "problem"})
        path.unlink()
        self.assertEqual((states(doctor.of_key(profile)[0])), {"key": "problem"})

    def test_the_pins(self) -> None:
        profile = self.profile()
        self.assertEqual(states(doctor.of_people(profile, lambda: NOW)), {"people": "fine"})
        profile.known_peers.write_text("a diary")
        profile.known_peers.chmod(0o600)
        self.assertEqual(states(doctor.of_people(profile, lambda: NOW)), {"people": "problem"})

    def examined(self, source: Any) -> doctor.Patient:
        arguments: Namespace = parser().parse_args(["--doctor", "--data-dir", str(self.folder)])
        return doctor.examined(arguments, XTERM, source, lambda: NOW)

    def test_a_pass_phrase_that_nobody_gives_is_no_problem(self) -> None:
        self.profile()
        patient = self.examined(Nowhere())
        self.assertIsNone(patient.identity)
        self.assertEqual(states(patient.findings)["log-in"], "note")
        self.assertEqual(doctor.exit_code(patient.findings), 0)

    # Promise T213
    def test_nothing_secret_is_told(self) -> None:
        profile = self.profile(None)
        patient = self.examined(NoPassPhrase())
        identity = read_identity_file(profile.identity_path).unlock(None)
        told = "\n".join(doctor.lines(patient.findings, as_json=False))
        for secret in (
            "chat.example.org",
            str(self.folder),
            SERVER.hex(),
            identity.public_key.fingerprint,
            "alice",
        ):
            self.assertNotIn(secret, told)

    def test_without_a_profile_the_rest_is_looked_at(self) -> None:
        patient = self.examined(NoPassPhrase())
        self.assertLess({"program", "terminal", "folder", "profile"}, set(states(patient.findings)))
        self.assertEqual(self.successResultOf(doctor.of_network(patient, None)), [])


class ServerTests(SynchronousTestCase):
    """At a whole server in memory."""

    def setUp(self) -> None:
        self.server = MemoryServer()
        self.network = self.server.network
        self.identity = self.server.enrolled("alice")
        self.now = NOW

    def world(self, how: str = "listen") -> doctor.World:
        endpoint = self.network.client_endpoint(STANDARD)
        return doctor.World(endpoint, way_of(how, self.network), self.network.clock, self.time)

    def time(self) -> float:
        return self.now

    def done(self, deferred: Any) -> list[Finding]:
        came = outcome(deferred)
        self.network.pump()
        (findings,) = came
        assert isinstance(findings, list), findings
        return findings

    def reached(self, pin: bytes | None = None) -> list[Finding]:
        self.now = self.server.credentials.certificate.not_valid_before_utc.timestamp()
        return self.done(doctor.of_server(self.world(), pin or self.server.pin))

    def channels(self, how: str = "listen", identity: Identity | None = None) -> list[Finding]:
        profile = Profile(
            Path("x"), Name("alice"), Host("h"), STANDARD, self.server.pin, Path("identity")
        )
        profile = profile.with_settings(request=how)  # type: ignore[arg-type]
        world = self.world(how)
        return self.done(doctor.of_channels(world, profile, identity or self.identity))

    def test_the_server_answers_and_is_the_pinned_one(self) -> None:
        self.assertEqual(states(self.reached()), {"network": "fine", "certificate": "fine"})

    def test_nobody_is_logged_in_by_that(self) -> None:
        opened: list[object] = []
        self.patch(self.server.reception.sessions, "open", lambda *one: opened.append(one))
        self.reached()
        self.assertEqual(opened, [])

    def test_a_certificate_that_ends_soon(self) -> None:
        self.patch(limits, "CERTIFICATE_SOON", limits.CERTIFICATE_DAYS + limits.BACKDATED_DAYS + 1)
        self.assertEqual(states(self.reached())["certificate"], "note")

    def test_another_server(self) -> None:
        self.assertEqual(states(self.reached(SERVER)), {"certificate": "problem"})

    def test_nobody_there(self) -> None:
        del self.network.ports[STANDARD]
        self.assertEqual(states(self.reached()), {"network": "problem"})

    def test_both_channels_and_the_clock(self) -> None:
        for how in ("listen", "dial"):
            found = states(self.channels(how))
            wanted = dict.fromkeys(("log-in", "request-channel", "clock"), "fine")
            self.assertEqual(found, wanted, how)

    def test_it_is_logged_out_again(self) -> None:
        self.channels()
        self.assertEqual(len(self.server.reception.sessions), 0)

    def test_a_client_of_the_same_person_is_left_alone(self) -> None:
        person = MemoryClient(self.network, self.identity, self.server.pin).start()
        (finding,) = self.channels()
        self.assertEqual((finding.check, finding.state), ("log-in", "note"))
        self.assertTrue(person.main.is_online)
        self.assertEqual(person.done, [])

    def test_a_key_that_the_server_does_not_know(self) -> None:
        found = self.channels(identity=Identity.generate())
        self.assertEqual(states(found), {"log-in": "problem"})

    def test_a_request_channel_that_cannot_be_opened(self) -> None:
        del self.network.ports[REQUEST]
        found = {one.check: one for one in self.channels()}
        self.assertEqual(found["request-channel"].state, "problem")
        self.assertIn("firewall", found["request-channel"].do)

    def test_clocks_that_differ(self) -> None:
        for off, words in ((limits.CLOCKS_APART + 1, "ahead of"), (-7200, "2 h behind")):
            self.now = NOW + off
            (finding,) = [one for one in self.channels() if one.check == "clock"]
            self.assertEqual((finding.state, words in finding.what), ("problem", True))
        self.now = NOW + limits.CLOCKS_APART
        self.assertEqual(states(self.channels())["clock"], "fine")

    def test_a_server_that_does_not_say_what_time_it_is(self) -> None:
        welcome = self.server.reception.welcome
        self.patch(self.server.reception, "welcome", lambda s: {**welcome(s), "time": None})
        self.assertEqual(states(self.channels())["clock"], "note")


class PrintingTests(SynchronousTestCase):
    FINDINGS = [
        doctor.fine("one", "good"),
        doctor.note("two", "so", "try"),
        doctor.problem("three", "bad", "mend it"),
    ]

    def test_for_people(self) -> None:
        rows = doctor.lines(self.FINDINGS, as_json=False)
        self.assertIn("mend it", "\n".join(rows))
        self.assertEqual(rows[-1], "to put right: 1")
        self.assertEqual(doctor.lines(self.FINDINGS[:2], as_json=False)[-1], "nothing to put right")

    def test_a_terminals_rows_break_between_words(self) -> None:
        what, do = "one two three " * 4, "four five six " * 4
        rows = doctor.lines([doctor.problem("text", what, do)], as_json=False, columns=60)
        self.assertTrue(all(len(row) <= 60 for row in rows))
        begin = len("!!  text             ")
        self.assertEqual({row[:begin].strip() for row in rows[1:-1]}, {""})
        told = " ".join(row[begin:].strip() for row in rows[:-1])
        self.assertEqual(told.split(), [*what.split(), "->", *do.split()])

    def test_for_programs(self) -> None:
        told = [json.loads(row) for row in doctor.lines(self.FINDINGS, as_json=True)]
        wanted = {"finding": "three", "state": "problem", "what": "bad", "do": "mend it"}
        self.assertEqual(told[2], wanted)

    def test_the_exit_code(self) -> None:
        codes = [doctor.exit_code(self.FINDINGS[:end]) for end in (0, 1, 2, 3)]
        self.assertEqual(codes, [0, 0, 0, 1])
