"""What both sides must mean by one chat."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from securecom.client.chat.agreement import Agreement
from securecom.tests.support.chat_pair import Pair


class AgreementTests(SynchronousTestCase):
    def test_both_notes_give_the_same_two_proofs_and_the_two_differ(self) -> None:
        pair, binding = Pair(), b"b" * 32
        caller, callee = pair.agreement("caller"), pair.agreement("callee")
        proofs = {caller.hello(binding, "caller"), callee.hello(binding, "caller")}
        self.assertEqual(len(proofs), 1)
        self.assertEqual(caller.hello(binding, "callee"), callee.hello(binding, "callee"))
        self.assertNotIn(caller.hello(binding, "callee"), proofs)
        self.assertEqual((caller.peer_role, callee.peer_role), ("callee", "caller"))

    def test_another_session_gives_another_proof(self) -> None:
        agreement: Agreement = Pair().agreement("caller")
        self.assertNotEqual(
            agreement.hello(b"a" * 32, "caller"), agreement.hello(b"b" * 32, "caller")
        )
