"""Every TLS transport does with generated sequences what Twisted's own does."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from securecom.tests.support import tls_comparison, tls_runs, tls_sequences
from securecom.tests.support.tls_comparison import ALLOWANCES
from securecom.tests.support.tls_mutants import MUTANTS
from securecom.tests.support.tls_variants import OURS, VARIANTS

#: How many sequences each variant runs in the everyday tests.
EVERYDAY = 150
#: For each allowance a seed that needs it. If sequences change, others have to be found.
NEEDED = {
    tls_comparison.in_order: 39478,
    tls_comparison.ended_at_once: 432,
    tls_comparison.paused_longer: 25215,
    tls_comparison.aborted: 11047,
    tls_comparison.answered: 5194,
    tls_comparison.wrote_after_closing: 5136,
    tls_comparison.closed_twice: 4515,
}


class GeneratedSequencesTests(SynchronousTestCase):
    def test_all_variants_do_as_twisted_does(self) -> None:
        for seed in range(EVERYDAY):
            self.assertEqual(tls_runs.check(seed, VARIANTS), "")

    def test_what_may_differ_does(self) -> None:
        """An allowance that nothing needs any more is one too many."""
        for allowance, seed in NEEDED.items():
            played = tls_sequences.sequence(seed)
            self.assertEqual(tls_runs.check_sequence(played, OURS), "")
            others = tuple(one for one in ALLOWANCES if one is not allowance)
            patched = self.patch(tls_comparison, "ALLOWANCES", others)
            self.assertNotEqual(tls_runs.check_sequence(played, OURS), "", allowance)
            patched.restore()
        self.assertEqual(set(NEEDED), set(ALLOWANCES))

    def test_what_no_transport_may_do_is_found(self) -> None:
        """If sequences change, each fault needs another seed; `check` finds one in some hundred."""
        for mutant, seed in MUTANTS.items():
            self.assertNotEqual(tls_runs.check(seed, {"": mutant}), "", mutant)

    def test_the_same_again_is_the_same(self) -> None:
        """Nothing of it hangs on the wall clock; pull producers do, with Twisted's cooperator."""
        for seed in range(EVERYDAY // 10):
            played = tls_sequences.sequence(seed)
            one, other = (tls_runs.run(played, VARIANTS["native"]) for _ in range(2))
            self.assertEqual(one, other)

    def test_a_sequence_depends_on_its_seed_alone(self) -> None:
        first, again = (tls_sequences.sequence(7) for _ in range(2))
        self.assertEqual(first, again)
        self.assertNotEqual(first, tls_sequences.sequence(8))

    def test_the_sequences_meet_everything_that_the_contract_is_about(self) -> None:
        """Counted over the everyday sequences, so that none of it is missing from them."""
        met: set[str] = set()
        for seed in range(EVERYDAY):
            played = tls_sequences.sequence(seed)
            outcome = tls_runs.run(played, VARIANTS["Twisted's"])
            met |= {step[0] for step in played.steps}
            for event in outcome.states[-1].events:
                met.add(" ".join(event[:2]) if event[0] in {"lost", "producer"} else str(event))
            met |= {f"raised {name}" for name in outcome.states[-1].raised}
        ends = {"ConnectionDone", "ConnectionLost", "Error"}
        wanted = {
            *("write", "send", "deliver", "drain", "room", "lose", "abort", "pause", "resume"),
            *("register", "unregister", "close", "end", "reset", "garbage", "tamper"),
            *("made", "handshake", "producer pause", "producer resume", "producer stop"),
            *(f"lost {end}" for end in ends),
            "raised ReactionError",
        }
        self.assertEqual(wanted - met, set())
