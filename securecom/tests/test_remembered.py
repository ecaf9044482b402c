"""What the server has in memory about people: every attribute of its objects is declared here.

Whoever adds an attribute to a class of the server's says what it is: shown by /mydata and in which
part, kept back and how that is told, or nobody's. A server full of people is walked through to see
that nothing was left out, and that nobody's name is in what is nobody's.
"""

from __future__ import annotations

import gc
import importlib
import inspect
import pkgutil

from twisted.trial.unittest import SynchronousTestCase

import securecom.server
from securecom import limits, refusals, vocabulary
from securecom.identity import Identity, Name
from securecom.server.remembered import NOT_SHOWN
from securecom.succession import new_key_arguments
from securecom.tests.support.held_in_memory import Holding, held, is_in
from securecom.tests.support.memory_server import ManualClient, MemoryServer, chatting, result
from securecom.tests.support.my_data_case import MyDataCase

#: Attribute -> the part of /mydata that shows it.
SHOWN = {
    "Account._name": "account",
    "Blocks._names": "blocked by you",
    "Blocks._owner": "account",
    "Blocks._rate": "counted lately",
    "Chat.callee": "chat",
    "Chat.caller": "chat",
    "Chat.relay": "chat",
    "Cooldowns._callees": "refusals",
    "Cooldowns._refusals": "refusals",
    "Entrant.blocked": "blocked by you",
    "Entrant.succession": "earlier key",
    "Entrant.user": "account",
    "KeyChanges.rate": "counted lately",
    "KeyChanges.tries": "counted lately",
    "KeyRetirements.tries": "counted lately",
    "Lease.audience": "availability",
    "Lease.busy_to": "availability",
    "Lease.seconds": "availability",
    "Leases._names": "availability",
    "Leases._running": "availability",
    "Restraints.by_caller": "counted lately",
    "LocalSwitchboard._behind": "request",
    "LocalSwitchboard._engaged": "request",
    "LocalSwitchboard._leases": "availability",
    "Restraints.lists": "counted lately",
    "LocalSwitchboard._parties": "session",
    "LocalSwitchboard._standing": "request",
    "Restraints.to_callee": "counted lately",
    "Rate._events": "counted lately",
    "Reception._blocks": "blocked by you",
    "Reception._rates": "counted lately",
    "Relay._other": "chat",
    "Relay.stream": "chat",
    "ChatRequest.caller": "request",
    "ChatRequest.chat_seconds": "request",
    "ChatRequest.wanted": "request",
    "RequestConnection._only": "session",
    "RequestConnection._session": "session",
    "Session.blocks": "blocked by you",
    "Session._request_channel_origin": "session",
    "Session.host": "session",
    "Session.ident": "session",
    "Session.key": "account",
    "Session.leg": "session",
    "Session.name": "account",
    "Session.request_channel": "session",
    "Session.streams": "session",
    "Session.succession": "earlier key",
    "Roster._entrants": "account",
    "Roster._keys": "account",
    "Sessions._by_id": "session",
    "Sessions._by_name": "session",
    "StandardConnection._host": "session",
    "StandardConnection._session": "session",
    "StandardConnection.phase": "session",
    "Streams._ended": "session",
    "Streams._open": "chat",
    "User.created": "account",
    "User.disabled": "account",
    "User.key": "account",
    "User.name": "account",
    "_No.at": "refusals",
    "_No.wait": "refusals",
    "_Running.lease": "availability",
    "_Running.timer": "availability",
}
_SILENCE = "whether your request reached anybody"
_TIME = "when your request ends without an answer"
_ADDRESS = "how many connections come from your address"
_DUE = "when your next commands are due"
#: Attribute -> what /mydata says instead of showing it.
KEPT_BACK = {
    "Account._pacer": _DUE,
    "AdmittingFactory._by_site": _ADDRESS,
    "AdmittingFactory._pending": _ADDRESS,
    "AdmittingFactory._silent": _ADDRESS,
    "AdmittingFactory._visitors": _ADDRESS,
    "AdmittingFactory.stalled": _ADDRESS,
    "AdmittingFactory.unheard": _ADDRESS,
    "AdmittingFactory.unserved": _ADDRESS,
    "Line._served": _ADDRESS,
    "Line._served_by_site": _ADDRESS,
    "Line._turns": _ADDRESS,
    "Line._waiting": _ADDRESS,
    "Visitor._address": _ADDRESS,
    "Visitor.peer": _ADDRESS,
    "Visitor.site": _ADDRESS,
    "Reception.pacer": _DUE,
    "Restraints._asked": _SILENCE,
    "Restraints.by_pair": _SILENCE,
    "ChatRequest._ends": _TIME,
    "ChatRequest._timer": _TIME,
    "ChatRequest.answer": _SILENCE,
    "ChatRequest.callee": _SILENCE,
    "ChatRequest.chat": _SILENCE,
    "ChatRequest.crossing": _SILENCE,
    "ChatRequest.is_crossed": _SILENCE,
    "ChatRequest._opened_elsewhere": _SILENCE,
    "ChatRequest._shown": _SILENCE,
    "ChatRequest.machine": _SILENCE,
    "ChatRequest.stream": _SILENCE,
    "Session.request_key": "the keys of your connections",
}
#: Held while the person's own command waits: a dialled channel, a new key that is being written, a
#: connection whose turn has not come; or the pages that they did not fetch; or, in the moment in
#: which two requests cross, a time.
PASSING = frozenset(
    {
        "Account._pages",
        "Aside._waiting",
        "Dialler._dialling",
        "KeyChanges._under_way",
        "Reception.server",
        "Reception.turns",
        "ChatRequest.crossing_seconds",
        "Session._offers",
    }
)
#: Class -> clocks, settings, other parts of the program.
_NOBODYS = {
    "Aside": "_clock _due _pause",
    "Account": "_now _rates _recheck _registry",
    "AdmittingFactory": "_last_said _tls clock line",
    "Blocks": "_registry",
    "Cooldowns": "_is_ordered _pairs _seconds",
    "Dialler": "_allowed _clock _endpoint _options",
    "KeyChanges": "_registry _server _switchboard",
    "KeyRetirements": "_end_session _registry _server",
    "Leases": "_clock",
    "Line": "_clock _length _next",
    "LocalSwitchboard": "_clock _random restraints",
    "Rate": "_count _keys _seconds _window",
    "Reception": "_now _registry change_key channels clock deadlines dial dial_port key_changes "
    "looks new_account pause request_port retirements roster sessions switchboard",
    "ChatRequest": "_board _clock",
    "RequestConnection": "_is_asked _liveness _reception deadlines proven turns",
    "RequestFactory": "_only _reception",
    "Roster": "_registry _seconds confirmed",
    "SQLiteRegistry": "_changes _pool on_write",
    "SynchronousPool": "_connection",
    "Restraints": "_has_told cooldowns",
    "Session": "_asides _change_key _dial _leave _made_account _new_account _pause _retirements "
    "_switchboard",
    "Sessions": "_roster claims is_open on_first",
    "StandardConnection": "_liveness _reception deadlines turns",
    "StandardFactory": "_reception",
    "Streams": "_leg",
    "Visitor": "_door _hello _is_over _is_relayed _secure _stage _timer connected dataReceived "
    "transport",
}
NOBODYS = frozenset(f"{kind}.{name}" for kind, names in _NOBODYS.items() for name in names.split())

#: Classes of which the full server has no object -> what they are.
ELSEWHERE = {
    "Closed Door EnrolmentPhase": "a connection before its log-in",
    "OnHold": "the person themselves, in nothing, while their new key is being written",
    "Opened OpenedElsewhere Page": "answers on their way",
    "GatheringPool Task": "questions to the registry on their way to its thread",
    "SQLRegistry": "what a SQLiteRegistry is, too",
    "PostgresRegistry PostgresPool PostgresCursor Job": "the same for PostgreSQL",
    "PooledConnections PooledSession DirectPool DirectSession Lost": "connections to it",
    "Address Moved": "where the registry is, or was moved",
    "Everybody OpenInvitation Quarantined": "rows of the registry on their way",
    "Changes": "the mark of the registry's file",
    "Kept PastRefusal RestraintFacts": "restraints on their way to another node",
    "_Reader NotFacts": "what reads these",
    "Moment": "when the registry was looked at",
    "DataOwner Exempt Shown Table": "what is declared about the registry",
    "BoundedFile Flushed LogLines Syslog": "the log, which names nobody",
    "ListeningPort Endpoints Rounds Server ServerContext ServerState": "the program",
    "StoredSettings StoredState": "the program, too",
}


def classes() -> set[str]:
    """All classes of the server's that have objects."""
    names = set()
    for module in pkgutil.iter_modules(securecom.server.__path__):
        there = importlib.import_module(f"securecom.server.{module.name}")
        for name, kind in vars(there).items():
            is_ours = inspect.isclass(kind) and kind.__module__ == there.__name__
            if is_ours and not getattr(kind, "_is_protocol", False):
                names.add(name)
    return names


class FullServer:
    """Somebody in every state: a chat, a request, refusals, blocks, audiences, a new key."""

    def __init__(self) -> None:
        self.server = server = MemoryServer()
        names = ("alice", "bob", "carol", "dave", "erin", "frank")
        self.clients: dict[str, ManualClient] = {name: server.client(name) for name in names}
        alice, bob, carol, dave, erin, frank = self.clients.values()
        for command, more in (
            (vocabulary.Block, {"name": Name("mallory")}),
            (vocabulary.ListAvailable, {"after": b"", "text": b""}),
            (vocabulary.MyData, {"further": False}),
        ):
            for client in self.clients.values():
                client.done(client.ask(command, **more))
        self.renew(erin, "erin")
        self.refuse(erin, frank, "frank")
        self.refuse(frank, alice, "alice")
        stream = chatting(alice, bob, "bob")
        alice.done(alice.ask(vocabulary.EndChat, stream=stream))
        chatting(alice, bob, "bob")
        carol.ask(vocabulary.RequestChat, callee=Name("dave")).addErrback(lambda _: None)
        lease = {"available": True, "seconds": 600, "audience": [Name("alice"), Name("dave")]}
        lease["busy_to"] = [Name("alice"), Name("frank")]
        dave.done(dave.ask(vocabulary.SetAvailability, **lease))
        result(server.reception.sessions.recheck())

    def renew(self, client: ManualClient, name: str) -> None:
        signed = new_key_arguments(
            self.server.pin, Name(name), client.identity, Identity.generate()
        )
        client.done(client.ask(vocabulary.NewKey, **signed))

    @staticmethod
    def refuse(caller: ManualClient, callee: ManualClient, name: str) -> None:
        asked = caller.ask(vocabulary.RequestChat, callee=Name(name))
        callee.answer("refuse")
        asked.addErrback(lambda failure: failure.trap(refusals.Refused))

    def holdings(self) -> list[Holding]:
        return held(self.server)


class DeclaredTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.full = FullServer()

    # Promise T25, C50
    def test_every_attribute_is_declared(self) -> None:
        found = {holding.where for holding in self.full.holdings()}
        kinds = (SHOWN, KEPT_BACK, PASSING, NOBODYS)
        declared = {where for kind in kinds for where in kind}
        missed = sorted(found - declared)
        hint = "say in SHOWN, KEPT_BACK, PASSING or NOBODYS of this test what it holds about people"
        self.assertEqual(missed, [], hint)
        self.assertEqual(sorted(declared - found), [], "declared, and not there (any more)")
        self.assertEqual(len(declared), sum(map(len, kinds)), "declared twice")

    def test_every_class_is_found_in_the_full_server_or_known(self) -> None:
        """Or what it holds about people would be looked at by nobody."""
        met = {holding.where.split(".")[0] for holding in self.full.holdings()}
        known = {name for names in ELSEWHERE for name in names.split()}
        hint = "let FullServer have one, or say in ELSEWHERE what it is"
        self.assertEqual(sorted(classes() - met - known), [], hint)
        self.assertEqual(sorted(known - classes()), [], "known, and not there any more")

    def test_attributes_that_belong_to_no_user_name_no_user(self) -> None:
        people = [Name(name) for name in (*self.full.clients, "mallory")]
        keys = [client.identity.public_key for client in self.full.clients.values()]
        for where, value in self.full.holdings():
            for mark in (*people, *keys, "192.0.2.1"):
                if is_in(mark, value):
                    self.assertNotIn(where, NOBODYS, f"{where} holds {mark}")

    def test_the_walk_finds_what_it_has_to_find(self) -> None:
        named = {where for where, value in self.full.holdings() if is_in(Name("mallory"), value)}
        lists = {"Blocks._names", "Entrant.blocked", "Account._pages"}
        self.assertEqual(named, lists & named)
        self.assertIn("Blocks._names", named)

    # Promise C51
    def test_what_is_kept_back_is_said(self) -> None:
        said = {fact.what for fact in NOT_SHOWN}
        self.assertEqual(set(KEPT_BACK.values()) - said, set())


class ShownTests(MyDataCase):
    # Promise T25, C50
    def test_every_part_is_shown_to_somebody_whom_it_concerns(self) -> None:
        full = FullServer()
        parts = {fact.part for client in full.clients.values() for fact in self.facts(client)}
        self.assertEqual({*SHOWN.values()} - parts, set())


class ForgottenTests(SynchronousTestCase):
    # Promise T26, C54
    def test_no_trace_of_the_name_is_left_but_in_other_peoples_lists(self) -> None:
        full = FullServer()
        clients = full.clients
        bob = clients["bob"]
        bob.done(bob.ask(vocabulary.Block, name=Name("alice")))
        for client in clients.values():  # what they did not fetch is theirs, and not looked at here
            client.done(client.ask(vocabulary.MyData, further=True))
        self.patch(limits, "PEER_GONE", float("inf"))  # nobody pings here
        for name in ("alice", "frank", "dave"):
            client = clients[name]
            client.done(client.ask(vocabulary.ForgetMe, name=Name(name)))
            full.server.network.pump()
            self.assertEqual(client.said("goodbye"), ["forgotten"])
            full.server.network.advance(limits.REQUEST_EXPIRES)  # of who asked them
            gc.collect()  # what refers to itself is there until then, as in any Python program
            traces = {where for where, value in full.holdings() if is_in(Name(name), value)}
            lists = {"Blocks._names", "Entrant.blocked", "Lease.audience", "Lease.busy_to"}
            self.assertLessEqual(traces, lists, name)
            key = client.identity.public_key
            self.assertFalse(any(is_in(key, value) for _, value in full.holdings()), name)

    def test_what_is_remembered_of_others_stays(self) -> None:
        full = FullServer()
        switchboard = full.server.switchboard
        erin, frank, zed = Name("erin"), Name("frank"), Name("zed")
        switchboard.restraints.cooldowns.refused(erin, zed)
        client = full.clients["frank"]
        client.done(client.ask(vocabulary.ForgetMe, name=frank))
        full.server.network.pump()
        restraints = switchboard.restraints
        self.assertEqual(restraints.cooldowns.of(frank), [])
        self.assertEqual([one[:2] for one in restraints.cooldowns.of(erin)], [(erin, zed)])
        self.assertEqual(switchboard.restraints.by_caller.count(frank), 0)
        self.assertEqual(switchboard.restraints.by_caller.count(erin), 1)
        self.assertEqual(list(switchboard.restraints.by_pair), [("carol", "dave")])
        self.assertEqual(full.clients["erin"].said("goodbye"), [])
