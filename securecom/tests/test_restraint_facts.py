"""What holds somebody back, in bytes: comes back as it was, is bounded, and is checked."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from securecom import limits
from securecom.identity import Name
from securecom.server.restraint_facts import NotFacts, PastRefusal, RestraintFacts, decode, encode

BOB, CAROL = Name("bob"), Name("carol")
SOME = RestraintFacts(
    asked=[59.5, 1.25, 0.0],
    listed=[],
    reached=[3.0],
    refusals=[PastRefusal(CAROL, 3600.0, 80_000.0), PastRefusal(BOB, 60.0, 12.5)],
    in_vain={BOB: [500.0, 400.0, 0.001], CAROL: [1.0]},
)
NONE = RestraintFacts([], [], [], [], {})
LONGEST = [Name(f"{number:032}") for number in range(1000)]


class FactsTests(SynchronousTestCase):
    def test_they_come_back(self) -> None:
        for facts in (SOME, NONE):
            self.assertEqual(decode(encode(facts), 0.0), facts)

    def test_they_are_older_by_then(self) -> None:
        later = decode(encode(SOME), 100.0)
        self.assertEqual(later.asked, [159.5, 101.25, 100.0])
        self.assertEqual(later.refusals[1], PastRefusal(BOB, 60.0, 112.5))
        self.assertEqual(later.in_vain[CAROL], [101.0])

    def test_they_are_never_empty(self) -> None:
        """Nothing would be kept, and what another node remembers would count again."""
        self.assertTrue(encode(NONE))

    def test_of_too_many_the_latest_are_kept(self) -> None:
        refusals = [PastRefusal(name, 60.0, 1000.0 - at) for at, name in enumerate(LONGEST)]
        in_vain = {name: [599.0, 1.0, 0.0] for name in LONGEST}
        ages = [60.0] * limits.REQUESTS_TO_CALLEE
        most = RestraintFacts(ages[:20], ages, ages, refusals, in_vain)
        raw = encode(most)
        self.assertLessEqual(len(raw), limits.MAX_RESTRAINTS)
        found = decode(raw, 0.0)
        self.assertEqual(found.refusals, refusals[-limits.RESTRAINTS_OF_PEOPLE :])
        self.assertEqual(list(found.in_vain), LONGEST[-limits.RESTRAINTS_OF_PEOPLE :])
        self.assertEqual((found.listed, found.reached), (ages, ages))

    def test_more_events_than_a_byte_can_count(self) -> None:
        ages = [float(300 - at) for at in range(300)]
        found = decode(encode(RestraintFacts(ages, [], [], [], {})), 0.0)
        self.assertEqual(found.asked, ages[-255:])

    def test_ages_and_waits_beyond_all_measure(self) -> None:
        facts = RestraintFacts([1e12, -5.0], [], [], [PastRefusal(BOB, 1e12, 1e12)], {})
        found = decode(encode(facts), 0.0)
        self.assertEqual(found.asked, [(2**32 - 1) / 1000, 0.0])
        self.assertEqual(found.refusals[0].wait, 65535.0)

    def test_bytes_that_are_no_facts(self) -> None:
        good = encode(SOME)
        name = good.index(b"bob")
        turned = SOME.refusals[::-1]
        bad = {
            "empty": b"",
            "another version": b"\x02" + good[1:],
            "longer": good + b"\0",
            "no name": good[:name] + b"BOB" + good[name + 3 :],
            "no text": good[:name] + b"\xff\xff\xff" + good[name + 3 :],
            "out of order": encode(RestraintFacts([1.0, 2.0], [], [], [], {})),
            "refusals out of order": encode(RestraintFacts([], [], [], turned, {})),
        }
        for what, raw in bad.items():
            with self.assertRaises(NotFacts, msg=what):
                decode(raw, 0.0)
        for end in range(len(good)):
            with self.assertRaises(NotFacts, msg=str(end)):
                decode(good[:end], 0.0)

    def test_more_bytes_than_may_be(self) -> None:
        good = encode(SOME)
        self.patch(limits, "MAX_RESTRAINTS", len(good))
        decode(good, 0.0)
        self.patch(limits, "MAX_RESTRAINTS", len(good) - 1)
        self.assertRaises(NotFacts, decode, good, 0.0)

    @given(st.binary(max_size=200))
    def test_any_bytes_are_facts_or_refused(self, raw: bytes) -> None:
        for data in (raw, b"\x01" + raw):
            try:
                found = decode(data, 0.0)
            except NotFacts:
                continue
            self.assertLessEqual(len(encode(found)), len(data))
