"""docs/vectors.json: fixed inputs, and what every implementation must make of them."""

from __future__ import annotations

import json
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from twisted.internet.defer import Deferred
from twisted.protocols import amp
from twisted.trial.unittest import SkipTest, SynchronousTestCase

from securecom import (
    control,
    framing,
    introduction,
    limits,
    peers,
    retirement,
    spoken_words,
    statements,
    vocabulary,
)
from securecom.client.chat.agreement import Agreement, ChatTerms, Role
from securecom.errors import BadArgument, BadKey, BadLink, BadName, WireError
from securecom.identity import (
    SECOND_KEY_BYTES,
    SECOND_KEY_LABEL,
    SECOND_SIGNATURE_BYTES,
    Identity,
    Name,
    PublicKey,
    derived_key,
    server_fingerprint,
    server_id,
)
from securecom.introduction import Person
from securecom.invitation import Host, Invitation, token_hash
from securecom.retirement import RetirementSecret
from securecom.safety_number import in_groups, safety_number
from securecom.succession import (
    LINK_BYTES,
    NEW_KEY,
    OLD_KEY,
    Link,
    decode,
    encode,
    leads,
    statement,
)
from securecom.tests.support.control_pair import Side
from securecom.tests.support.document_case import DOCS
from securecom.values import replace
from securecom.vocabulary import Fact, FactsArgument

_hex = bytes.fromhex
ROLES: tuple[Role, Role] = ("caller", "callee")


class Wire:
    """Keeps the frames of a control lane."""

    def __init__(self) -> None:
        self.frames: list[bytes] = []

    def send(self, frame: bytes) -> None:
        self.frames.append(frame)

    def fault(self, error: Exception) -> None:
        raise error


class VectorTests(SynchronousTestCase):
    def setUp(self) -> None:
        if not DOCS.exists():
            raise SkipTest("an installed package has no docs")
        self.vectors = json.loads((DOCS / "vectors.json").read_text("ascii"))

    def test_none_is_passed_over(self) -> None:
        named = {name for name in dir(self) if name.startswith("test_")}
        for key in self.vectors.keys() - {"about"}:
            self.assertIn(f"test_{key}", named)

    def test_mac(self) -> None:
        for one in self.vectors["mac"]:
            made = peers.mac(_hex(one["key"]), *map(_hex, one["parts"]))
            self.assertEqual(made.hex(), one["mac"])

    def test_names(self) -> None:
        for name in self.vectors["names"]["good"]:
            self.assertEqual(Name(name), name)
        for name in self.vectors["names"]["bad"]:
            self.assertRaises(BadName, Name, name)

    def test_keys(self) -> None:
        for one in self.vectors["keys"].values():
            identity = Identity(Ed25519PrivateKey.from_private_bytes(_hex(one["seed"])))
            key = identity.public_key
            self.assertEqual(key.raw.hex(), one["public"])
            self.assertEqual(key.encoded.hex(), one["both"])
            self.assertEqual(key.first.fingerprint, one["first_fingerprint"])
            self.assertEqual(key.to_openssh(), one["openssh"])
            self.assertEqual(key.fingerprint, one["fingerprint"])

    def test_second_keys(self) -> None:
        told = self.vectors["second_keys"]
        self.assertEqual(told["label"].encode(), SECOND_KEY_LABEL)
        for one in told["people"].values():
            secret = Ed25519PrivateKey.from_private_bytes(_hex(one["seed"]))
            derived = derived_key(secret, SECOND_KEY_LABEL)
            self.assertEqual(derived.private_bytes_raw().hex(), one["second_seed"])
            key = Identity(secret).second_key
            self.assertEqual((key.raw.hex(), key.digest.hex()), (one["key"], one["digest"]))
            said, signature = _hex(one["said"]), _hex(one["signature"])
            self.assertTrue(key.has_signed(signature, said, one["purpose"].encode()))
            for purpose in told["refused_purposes"]:
                self.assertFalse(key.has_signed(signature, said, purpose.encode()), purpose)

    def test_refused_keys(self) -> None:
        for key in self.vectors["refused_keys"]:
            self.assertRaises(BadKey, PublicKey, _hex(key))

    def test_server(self) -> None:
        server = self.vectors["server"]
        ca = x509.load_der_x509_certificate(_hex(server["ca_certificate"]))
        self.assertEqual(server_id(ca).hex(), server["id"])
        self.assertEqual(server_fingerprint(server_id(ca)), server["fingerprint"])

    def test_invitations(self) -> None:
        for one in self.vectors["invitations"]["good"]:
            server, token = _hex(one["server"]), _hex(one["token"])
            invitation = Invitation(Host(one["host"]), one["port"], server, token)
            self.assertEqual(Invitation.parse(one["link"]), invitation)
            self.assertEqual(invitation.link(), one["link"].lower())
            self.assertEqual(token_hash(token).hex(), one["token_hash"])
        for link in self.vectors["invitations"]["bad"]:
            self.assertRaises(BadLink, Invitation.parse, link)

    def test_frames(self) -> None:
        for one in self.vectors["frames"]:
            frame = framing.encode(one["lane"], _hex(one["body"]))
            self.assertEqual(frame.hex(), one["frame"])
            decoder = framing.Decoder(frozenset({one["lane"]}))
            self.assertEqual([*decoder.feed(frame)], [framing.Frame(0, _hex(one["body"]))])

    def test_chat_frames(self) -> None:
        for one in self.vectors["chat_frames"]:
            frames = framing.encode_chat(one["stream"], _hex(one["data"]))
            self.assertEqual(frames.hex(), one["frames"])
            (run,) = framing.Decoder(frozenset({framing.CHAT})).feed(frames)
            assert isinstance(run, framing.Run)
            self.assertEqual(run.stream, one["stream"])
            self.assertEqual(framing.chat_bytes(run).hex(), one["data"])

    def test_refused_frames(self) -> None:
        for one in self.vectors["refused_frames"]:
            decoder = framing.Decoder(frozenset(one["lanes"]))
            with self.assertRaises(WireError, msg=one["why"]):
                list(decoder.feed(_hex(one["bytes"])))

    def test_boxes(self) -> None:
        for one in self.vectors["boxes"]:
            box = {key.encode(): value.encode() for key, value in one["box"].items()}
            self.assertEqual(amp.AmpBox(box).serialize().hex(), one["bytes"])
            self.assertEqual(control.parse_box(_hex(one["bytes"])), box)

    def test_refused_boxes(self) -> None:
        for one in self.vectors["refused_boxes"]:
            with self.assertRaises(WireError, msg=one["why"]):
                control.parse_box(_hex(one["bytes"]))

    def test_commands(self) -> None:
        for one in self.vectors["commands"]:
            self.check_command(one, pad_to=0)

    def test_facts(self) -> None:
        one = self.vectors["facts"]
        facts = [Fact(*texts) for texts in one["facts"]]
        self.assertEqual(FactsArgument().toString(facts).hex(), one["bytes"])
        self.assertEqual(FactsArgument().fromString(_hex(one["bytes"])), facts)
        for refused in one["refused"]:
            self.assertRaises(WireError, FactsArgument().fromString, _hex(refused))

    # Promise R106
    def test_padded_commands(self) -> None:
        for one in self.vectors["padded_commands"]:
            self.check_command(one, pad_to=limits.CHAT_PADDING)

    # Promise R104, R105
    def test_refused_commands(self) -> None:
        for one in self.vectors["refused_commands"]:
            side = Side(pad_to=limits.CHAT_PADDING if one["channel"] == "chat" else 0)
            with self.assertRaises(WireError, msg=one["why"]):
                side.lane.receive(_hex(one["frame"])[limits.FRAME_HEADER :])
            self.assertEqual((side.responders.asked, side.sent), ([], []), one["why"])

    def test_request_proofs(self) -> None:
        one = {key: _hex(value) for key, value in self.vectors["request_proofs"].items()}
        for role in ("daemon", "server"):
            made = peers.mac(one["request_key"], role.encode(), one["request_binding"])
            self.assertEqual(made, one[role])

    def test_hello(self) -> None:
        one = self.vectors["hello"]
        caller = Name(one["caller"]), PublicKey.of_both(_hex(one["caller_key"]))
        callee = Name(one["callee"]), PublicKey.of_both(_hex(one["callee_key"]))
        server, chat, binding = (_hex(one[key]) for key in ("server", "chat", "chat_binding"))
        for agreement in (
            Agreement(server, chat, "caller", *caller, *callee),
            Agreement(server, chat, "callee", *callee, *caller),
        ):
            self.assertEqual(agreement.hello(binding, "caller").hex(), one["callers_proof"])
            self.assertEqual(agreement.hello(binding, "callee").hex(), one["callees_proof"])
            for role in ROLES:
                self.check_signed(one, role, agreement.hello_said(binding, role), peers.HELLO)

    def test_rekey_hello(self) -> None:
        """The people and the chat of `hello`."""
        one, again = self.vectors["hello"], self.vectors["rekey_hello"]
        caller = Name(one["caller"]), PublicKey.of_both(_hex(one["caller_key"]))
        callee = Name(one["callee"]), PublicKey.of_both(_hex(one["callee_key"]))
        server, chat = _hex(one["server"]), _hex(one["chat"])
        made = _hex(again["chat_rekey"]), again["epoch"], _hex(again["chat_binding"])
        for agreement in (
            Agreement(server, chat, "caller", *caller, *callee),
            Agreement(server, chat, "callee", *callee, *caller),
        ):
            callers = agreement.rekey_hello(*made, "caller")
            callees = agreement.rekey_hello(*made, "callee")
            self.assertEqual(callers.hex(), again["callers_proof"])
            self.assertEqual(callees.hex(), again["callees_proof"])
            for role in ROLES:
                self.check_signed(again, role, agreement.rekey_said(*made[1:], role), peers.REKEY)

    def check_signed(self, told: dict[str, Any], role: Role, said: bytes, purpose: bytes) -> None:
        """What the one in this role signs with the second key, and that it is good."""
        self.assertEqual(said.hex(), told[f"{role}s_said"])
        self.assertEqual(purpose.decode(), told["purpose"])
        person = "alice" if role == "caller" else "bob"
        secret = Ed25519PrivateKey.from_private_bytes(_hex(self.vectors["keys"][person]["seed"]))
        signature = _hex(told[f"{role}s_signature"])
        self.assertTrue(Identity(secret).second_key.has_signed(signature, said, purpose))

    def test_second_key_proofs(self) -> None:
        """What a client signs for a server."""
        told = self.vectors["second_key_proofs"]
        identity = Identity(Ed25519PrivateKey.from_private_bytes(_hex(told["seed"])))
        tls: Any = Exporting(_hex(told["login_binding"]))
        said = peers.said_to_server(tls, _hex(told["server"]), identity.public_key.raw)
        self.assertEqual(said.hex(), told["said"])
        for word, purpose in (("log_in", peers.LOG_IN), ("enrol", peers.ENROL)):
            self.assertEqual(told[word]["purpose"].encode(), purpose)
            signature = _hex(told[word]["signature"])
            self.assertTrue(identity.second_key.has_signed(signature, said, purpose))

    def test_timed_hello(self) -> None:
        self.check_span(self.vectors["timed_hello"])

    def test_crossed_hello(self) -> None:
        self.check_span(self.vectors["crossed_hello"])

    def check_span(self, told: dict[str, Any]) -> None:
        """The people, the chat and the bindings of the two above."""
        one, again = self.vectors["hello"], self.vectors["rekey_hello"]
        caller = Name(one["caller"]), PublicKey.of_both(_hex(one["caller_key"]))
        callee = Name(one["callee"]), PublicKey.of_both(_hex(one["callee_key"]))
        server, chat, terms = _hex(one["server"]), _hex(one["chat"]), ChatTerms(tuple(told["span"]))
        rekey = _hex(again["chat_rekey"]), again["epoch"], _hex(again["chat_binding"])
        for agreement in (
            Agreement(server, chat, "caller", *caller, *callee, terms),
            Agreement(server, chat, "callee", *callee, *caller, terms),
        ):
            for role in ROLES:
                proof = agreement.hello(_hex(one["chat_binding"]), role)
                self.assertEqual(proof.hex(), told[f"{role}s_proof"])
                proof = agreement.rekey_hello(*rekey, role)
                self.assertEqual(proof.hex(), told[f"{role}s_rekey_proof"])

    # Promise C1
    def test_safety_numbers(self) -> None:
        for one in self.vectors["safety_numbers"]:
            pairs = [
                (Name(pair["name"]), PublicKey.of_both(_hex(pair["key"])))
                for pair in (one["one"], one["other"])
            ]
            for order in (pairs, pairs[::-1]):
                self.assertEqual(" ".join(in_groups(safety_number(*order))), one["number"])

    # Promise C100
    def test_spoken_words(self) -> None:
        one, told = self.vectors["hello"], self.vectors["spoken_words"]
        caller = Name(one["caller"]), PublicKey.of_both(_hex(one["caller_key"]))
        callee = Name(one["callee"]), PublicKey.of_both(_hex(one["callee_key"]))
        server, chat, binding = (_hex(one[key]) for key in ("server", "chat", "chat_binding"))
        context = Agreement(server, chat, "caller", *caller, *callee).words_context(binding)
        self.assertEqual(context.hex(), told["context"])
        other = Agreement(server, chat, "callee", *callee, *caller)
        self.assertEqual(other.words_context(binding), context)
        for row in told["exchanges"]:
            nonces = {role: _hex(row[f"{role}s_nonce"]) for role in ROLES}
            for role, nonce in nonces.items():
                made = spoken_words.commitment(context, role, nonce)
                self.assertEqual(made.hex(), row[f"{role}s_commitment"])
            words = spoken_words.spoken_words(context, nonces["caller"], nonces["callee"])
            self.assertEqual(words, row["words"])

    def test_introductions(self) -> None:
        """The key pairs of `keys`, and a third one."""
        told = self.vectors["introductions"]
        server = _hex(told["server"])
        made = {
            role: Identity(Ed25519PrivateKey.from_private_bytes(_hex(told[role]["seed"])))
            for role in ("introducer", "introduced", "receiver")
        }
        who = {role: Person(Name(told[role]["name"]), one.public_key) for role, one in made.items()}
        introducer, introduced, receiver = who.values()
        consent = introduction.consent(server, introducer, introduced, receiver.name)
        vouching = introduction.vouching(server, introducer, introduced, receiver)
        self.assertEqual(consent.hex(), told["consent"])
        self.assertEqual(vouching.hex(), told["vouching"])
        for key, said, signature in (
            (introduced.key, consent, told["consent_signature"]),
            (introducer.key, vouching, told["vouching_signature"]),
        ):
            self.assertTrue(statements.has_signed(key, said, _hex(signature)))
            self.assertFalse(statements.has_signed(key.first, said, _hex(signature)))
            self.assertFalse(statements.has_signed(receiver.key, said, _hex(signature)))

    def test_retirements(self) -> None:
        told = self.vectors["retirements"]
        server, name = _hex(told["server"]), Name(told["name"])
        for row in told["secrets"]:
            secret = RetirementSecret(_hex(row["secret"]))
            self.assertEqual(" ".join(secret.words), row["words"])
            self.assertEqual(RetirementSecret.from_words(row["words"]).public, secret.public)
            self.assertEqual(secret.public.hex(), row["public"])
            said = retirement.statement(server, name, secret.public)
            self.assertEqual(said.hex(), row["statement"])
            for signature in (secret.retire(server, name), _hex(row["signature"])):
                self.assertTrue(retirement.is_retired(server, name, _hex(row["public"]), signature))
        for words in told["refused"]:
            self.assertRaises(BadArgument, RetirementSecret.from_words, words)

    # Promise T131
    def test_successions(self) -> None:
        one = self.vectors["successions"]
        server, name, links = _hex(one["server"]), Name(one["name"]), []
        for told in one["links"]:
            seeds = (_hex(told["old_seed"]), _hex(told["new_seed"]))
            old, new = (Identity(Ed25519PrivateKey.from_private_bytes(seed)) for seed in seeds)
            link = Link.signed(server, name, old, new)
            said = statement(server, name, link.old, link.new)
            self.assertEqual(said.hex(), told["statement"])
            made = link.old.encoded, link.new.encoded, link.old_signature, link.new_signature
            fields = ("old", "new", "old_signature", "new_signature")
            self.assertEqual([part.hex() for part in made], [told[field] for field in fields])
            signature = _hex(told["old_second_signature"])  # no two are alike
            links.append(replace(link, old_second_signature=signature))
            self.assertTrue(links[-1].holds(server, name))
            both = (
                (link.old_second_key, signature, OLD_KEY, "old"),
                (
                    new.second_key,
                    _hex(told["new_second_signature"]),
                    NEW_KEY,
                    "new",
                ),
            )
            for key, signature, purpose, whose in both:
                assert key is not None
                self.assertEqual(key.raw.hex(), told[f"{whose}_second_key"])
                self.assertEqual(one["purposes"][whose].encode(), purpose)
                self.assertTrue(key.has_signed(signature, said, purpose))
        self.assertEqual(encode(links).hex(), one["chain"])
        for good in one["leads"]:
            self.assertTrue(_leads({**one, **good}))
        for bad in one["refused"]:
            self.assertFalse(_leads(bad), bad["why"])
        told = one["first_keys_link"]
        (link,) = decode(_hex(told["encoded"]))
        self.assertTrue(link.holds(server, name))
        self.assertEqual(link.encoded().hex(), told["encoded"])
        self.assertEqual(statement(server, name, link.old, link.new).hex(), told["statement"])

    def test_exporters(self) -> None:
        made = {
            (one.label.decode(), one.length): one.context
            for one in map(
                Exported,
                (
                    peers.session_id,
                    peers.login_binding,
                    peers.request_key,
                    peers.request_binding,
                    peers.chat_binding,
                    peers.chat_rekey,
                ),
            )
        }
        told = {(one["label"], one["length"]): b"" for one in self.vectors["exporters"]}
        self.assertEqual(made, told)

    def check_command(self, one: dict[str, Any], pad_to: int) -> None:
        """What the code sends is the vector, and what it reads in it is what was sent."""
        command: type[amp.Command] = getattr(vocabulary, one["command"])
        wire = Wire()
        lane = control.ControlLane(wire, amp.CommandLocator(), pad_to)
        kinds = dict(command.arguments)
        arguments = {
            key: kinds[key.encode()].fromString(_on_the_wire(value))
            for key, value in one["arguments"].items()
        }
        if one["tag"] is None:
            lane.tell(command, **arguments)
        else:
            for _ in range(int(one["tag"], 16)):  # tags count up
                _quiet(lane.call(command, **arguments))
        self.assertEqual(wire.frames[-1].hex(), one["frame"])
        box = control.parse_box(wire.frames[-1][limits.FRAME_HEADER :])
        parsed = command.parseArguments(box, None)
        given = {key: value for key, value in parsed.items() if value is not None}
        self.assertEqual(given, arguments)


def _leads(told: dict[str, str]) -> bool:
    known, offered = _one_or_both(told["from"]), _one_or_both(told["to"])
    return leads(_hex(told["chain"]), _hex(told["server"]), Name(told["name"]), known, offered)


def _one_or_both(text: str) -> PublicKey:
    """A first key alone, or with its second one's digest."""
    encoded = _hex(text)
    return PublicKey(encoded[:32], encoded[32:] or None)


def _on_the_wire(value: bool | int | str) -> bytes:
    """A JSON value as an argument's bytes: hexadecimal where it is so long."""
    text = str(value)
    keys = (SECOND_KEY_BYTES, SECOND_SIGNATURE_BYTES, LINK_BYTES, statements.SIGNATURE_BYTES)
    sizes = (16, limits.TOKEN_BYTES, 32, 64, *keys)
    is_hex = len(text) / 2 in sizes and set(text) <= set("0123456789abcdef")
    return _hex(text) if is_hex else text.encode()


def _quiet(call: Deferred[Any]) -> None:
    call.addErrback(lambda _: None)


class Exporting:
    """A TLS connection that exports this."""

    def __init__(self, binding: bytes) -> None:
        self._binding = binding

    def export_keying_material(self, label: bytes, length: int, context: bytes) -> bytes:
        return self._binding


class Exported:
    """What an exporter function asks of a TLS connection."""

    def __init__(self, export: Any) -> None:
        export(self)

    def export_keying_material(self, label: bytes, length: int, context: bytes) -> bytes:
        self.label, self.length, self.context = label, length, context
        return b""
