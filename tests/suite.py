"""All tests, once, in parallel: `python -m tests.suite`. What `./dev test` runs.

First `securecom.tests` under coverage, in as many processes as this machine has processors. Then
`tests`, in twice as many, since each of those waits now and then. A test that was skipped is named,
and an unexpected skip is a failure: `KNOWN_SKIPS` says which ones may be, and why. The last line is
`N passed, N failed, N skipped`.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
#: Tests, or classes of tests, that may be skipped on some machines, with the reason they give.
KNOWN_SKIPS = {
    # It makes a key in OpenSSH's own format, with OpenSSH; a minimal Debian has none.
    "tests.test_enrolment.EnrolmentTests.test_an_identity_of_ones_own": "there is no ssh-keygen",
    # It looks at another process's descriptors; a client hides these from its own user.
    "tests.test_nursery.RaisedTests.test_it_has_no_descriptors_of_ours": "only root can look",
    # They need an engine from the distribution, or what speaks to it.
    **dict.fromkeys(
        (
            "securecom.tests.test_engine.AskingTests",
            "securecom.tests.test_engine.ClosingTests",
            "securecom.tests.test_engine.ConnectingTests",
            "securecom.tests.test_redis_directory.ScriptTests",
            "securecom.tests.test_redis_directory.ToldAgainTests",
            "tests.test_redis_directory.AccessTests",
            "tests.test_redis_directory.FaultTests",
            "tests.test_redis_directory.AnyContract",
            "tests.test_redis_directory.TLSTests",
            "tests.test_redis_directory.ValkeyContract",
        ),
        "there is no",
    ),
    # It makes networks of its own.
    "tests.test_node_links.OneWayTests": "only root, with ip, can make networks",
    # They ask for one port and no other.
    **dict.fromkeys(
        (
            "tests.test_ports.OwnPortTests.test_whoever_asks_for_any_port_does_not_get_it",
            "tests.test_ports.OwnPortTests.test_no_connection_goes_out_from_it",
        ),
        "only Linux 6.3",
    ),
    # They need a real terminal, which tmux draws; a minimal Debian has none.
    **dict.fromkeys(
        (
            "tests.test_editor.VisitTests",
            "tests.test_editor.TypedAheadTests",
            "tests.test_editor.TypingTests",
            "tests.test_editor.OwnEditorTests",
            "tests.test_fullscreen.VisitTests",
            "tests.test_set_clocks.SetClockTests.test_a_chat_with_an_end_under_the_line_editor",
            "tests.test_tmux.TmuxTests",
        ),
        "there is no tmux",
    ),
    # They need the compiled relay: a package of its own, which ./dev fast builds.
    **dict.fromkeys(
        (
            "securecom.tests.test_fast.DeliveringTests",
            "securecom.tests.test_fast.EndingTests",
            "securecom.tests.test_fast.PassingTests",
            "securecom.tests.test_fast.RunTests",
            "securecom.tests.test_fast.SameTests",
            "securecom.tests.test_fast.SetUpTests",
        ),
        "securecom_fast is not installed",
    ),
    # They start a PostgreSQL of their own, from the distribution's package.
    **dict.fromkeys(
        (
            "tests.test_postgres.ContractTests",
            "tests.test_postgres.SchemaTests",
            "tests.test_postgres.SharedTests",
            "tests.test_postgres.SpendersTests",
            "tests.test_postgres.PooledTests",
            "tests.test_postgres.FaultTests",
            "tests.test_postgres_server.StartTests",
            "tests.test_postgres_server.PasswordTests",
            "tests.test_postgres_server.AdminTests",
            "tests.test_postgres_server.MovingTests",
            "tests.test_postgres_server.AwayTests",
        ),
        "there is no PostgreSQL",
    ),
    # Several nodes want an engine, a PostgreSQL and what speaks to both; some tests HAProxy, too.
    **dict.fromkeys(
        (
            "tests.test_cluster.AwayTests",
            "tests.test_cluster.BalancedTests",
            "tests.test_cluster.PeopleTests",
            "tests.test_cluster.TwoProcessesTests",
        ),
        "there is no",
    ),
}

#: It waits for many answers that come at drawn times.
LONGEST = "tests.test_silence"
#: With two, a processor has work while one of its tests waits for a request to run out.
SYSTEM_TESTS_PER_PROCESSOR = 2

_TOTALS = re.compile(r"^(?:PASSED|FAILED)(?: \((.*)\))?$", re.MULTILINE)
_RULE = "=" * 79
_BAD = ("failures", "errors", "unexpectedSuccesses")


@dataclass
class Outcome:
    """What one or more runs of trial came to."""

    passed: int = 0
    failed: int = 0
    #: Names of the tests, with the reason that each gave.
    skipped: dict[str, str] = field(default_factory=dict)
    #: What is wrong beside tests that failed.
    problems: list[str] = field(default_factory=list)

    def __iadd__(self, other: Outcome) -> Outcome:
        self.passed += other.passed
        self.failed += other.failed
        self.skipped |= other.skipped
        self.problems += other.problems
        return self

    @property
    def good(self) -> bool:
        """Nothing failed, and every skip was foreseen."""
        return not (self.failed or self.problems)

    def lines(self) -> list[str]:
        """For the end of a run."""
        told = [f"skipped: {name} ({reason})" for name, reason in sorted(self.skipped.items())]
        told += [f"FAILED: {problem}" for problem in self.problems]
        failed = self.failed + len(self.problems)
        counts = f"{self.passed} passed, {failed} failed, {len(self.skipped)} skipped"
        return [*told, counts]


def outcome(what: str, text: str, exit_code: int, known: dict[str, str]) -> Outcome:
    """Read what trial has written about the tests `what`.

    :param known: names of tests, or of their classes, that may be skipped, with the beginning of
        the reason.
    """
    totals = _TOTALS.findall(text)
    if not totals:
        return Outcome(problems=[f"trial {what} ended with {exit_code} and no result"])
    counts = dict(part.split("=") for part in totals[-1].split(", ") if part)
    number = {name: int(count) for name, count in counts.items()}
    found = Outcome(number.get("successes", 0), sum(number.get(name, 0) for name in _BAD))
    found.skipped = _skips(text)
    if len(found.skipped) != number.get("skips", 0):
        found.problems.append(f"{number.get('skips', 0)} skips of {what}, not all were found")
    for name, reason in found.skipped.items():
        foreseen = known.get(name) or known.get(name.rpartition(".")[0])
        if foreseen is None or not reason.startswith(foreseen):
            found.problems.append(f"{name} was skipped, which nobody expects ({reason})")
    if exit_code and not found.failed:
        found.problems.append(f"trial {what} ended with {exit_code}")
    if not found.passed and not found.failed:
        found.problems.append(f"trial {what} ran no test")
    return found


def _skips(text: str) -> dict[str, str]:
    """Name and reason of every test in the sections `[SKIPPED]`."""
    skipped: dict[str, str] = {}
    for section in text.split(_RULE)[1:]:
        lines = section.partition("-" * 79)[0].split("\n")[1:]
        if lines[0] == "[SKIPPED]":
            named = [line for line in lines[1:] if re.fullmatch(r"(\w+\.){2,}\w+", line)]
            reason = " ".join(line for line in lines[1:] if line and line not in named)
            skipped |= dict.fromkeys(named, reason)
    return skipped


def run(what: str, jobs: int, prefix: Sequence[str] = (), modules: Sequence[str] = ()) -> Outcome:
    """Run trial and show what it writes.

    :param prefix: options of Python in front of `-m twisted.trial`.
    :param modules: those of `what`, in the order in which they are to begin; none: in any.
    """
    argv = [sys.executable, *prefix, "-m", "twisted.trial", f"--jobs={jobs}", *(modules or [what])]
    print("\n==", what, flush=True)
    with subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as trial:
        assert trial.stdout is not None
        lines = []
        for line in trial.stdout:
            lines.append(line.decode("utf-8", "replace"))
            sys.stdout.write(lines[-1])
            sys.stdout.flush()
    return outcome(what, "".join(lines), trial.returncode, KNOWN_SKIPS)


def system_modules() -> list[str]:
    """All of `tests`, the one with the longest test first: begun late, it would run on alone."""
    found = [f"tests.{path.stem}" for path in sorted((ROOT / "tests").glob("test_*.py"))]
    return sorted(found, key=lambda name: name != LONGEST)


def coverage(*words: str) -> int:
    """Run a command of coverage; its exit code."""
    return subprocess.call([sys.executable, "-m", "coverage", *words])


def main() -> int:
    """Both suites, whatever becomes of the first."""
    jobs = os.cpu_count() or 1
    coverage("erase")
    found = run("securecom.tests", jobs, ("-m", "coverage", "run"))
    print("\n== coverage", flush=True)
    coverage("combine", "--quiet")
    if coverage("report"):
        found.problems.append("too little of the code is covered")
    found += run("tests", SYSTEM_TESTS_PER_PROCESSOR * jobs, modules=system_modules())
    print()
    print("\n".join(found.lines()), flush=True)
    return 0 if found.good else 1


if __name__ == "__main__":
    os.chdir(ROOT)
    sys.exit(main())
