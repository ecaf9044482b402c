"""What several nodes cost and bring: `python -m benchmarks.cluster`.

Side by side: one server by itself, one node with a switchboard, and two nodes, where chats are
either on one node each or between the two. All of them run meanwhile, and take turns with each
work, another one first in each repetition. It needs redis-server, txredisapi and what the generator
in C needs. Callees are looked up at once (see `servers`), since the drawn moment is longer than all
else that a request takes.

Processor time is that of all nodes together; two nodes on cores of their own do twice as much in a
second as they do in a CPU second.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks import generating
from benchmarks.contenders import Contender, Place, Tree, free_ports, running
from benchmarks.facts import facts, load
from benchmarks.generating import CannotMeasure
from benchmarks.process import PATIENCE, ROOT, end
from benchmarks.tables import short

BUILD = ROOT / "build" / "bench"
_PROTOCOL = 2
_PAUSE = 0.5
#: People who log in; pairs who ask each other, and how many of them at once.
_LOGINS, _ASKING, _AT_ONCE = 200, 100, 16
_PEOPLE = max(_LOGINS, 2 * _ASKING)
_MOST_REPETITIONS, _MOST_SECONDS = 30, 15.0

Figures = dict[str, Any]
#: Places and processes of all nodes, and the engine's process (0: none).
Nodes = tuple[list[Place], list[int], int]


@dataclass(frozen=True)
class Setting:
    """A server to be measured.

    :param nodes: how many; 0 is a server by itself.
    :param options: of the generator: who comes to which node.
    :param is_swapped: whether each node tells its people the request port of the other one.
    """

    name: str
    nodes: int
    options: tuple[str, ...] = ()
    is_swapped: bool = False
    works: tuple[str, ...] = ("pp50", "st-co", "request", "log-in")


EARLIER = Setting("earlier", 0, works=("pp50", "request", "log-in"))
ALONE = Setting("by itself", 0)
NODE = Setting("one node", 1)
LOCAL = Setting("two nodes, local", 2)
ACROSS = Setting("two nodes, across", 2, ("--across",), works=("pp50", "st-co", "request"))
SWAPPED = Setting("two nodes, request channel elsewhere", 2, is_swapped=True, works=("log-in",))
SETTINGS = (EARLIER, ALONE, NODE, LOCAL, ACROSS, SWAPPED)

_CHATS = ("--pairs", "50", "--inflight", "32", "--warm", "0.3")
WORKS = {
    "pp50": ("--work", "pingpong", *_CHATS),
    "st-co": ("--work", "stream", "--coalesce", *_CHATS),
    "request": (
        *("--work", "churn", "--pairs", str(_ASKING), "--together", str(_AT_ONCE)),
        *("--inflight", "32", "--warm", "0"),
    ),
    "log-in": (
        *("--work", "idle", "--settle", "0", "--conns", str(_LOGINS)),
        *("--inflight", "32", "--request"),
    ),
}


@dataclass(frozen=True)
class Row:
    """One line of the table of figures.

    :param value: what it says, given what the generator read.
    """

    title: str
    work: str
    value: Callable[[Figures], float]


def _cost(read: Figures) -> float:
    return 1000.0 * float(read["cpu_sched"]) / float(read["msgs"])


def _rate(read: Figures) -> float:
    """A CPU second of the nodes; log-ins are counted in hundredths of one."""
    if read["work"] == "idle":
        return float(read["logins_per_cpu"])
    return float(read["msgs"]) / float(read["cpu_sched"])


def _of(name: str) -> Callable[[Figures], float]:
    return lambda read: float(read[name])


def _engine(read: Figures) -> float:
    return 100.0 * float(read["aside_cpu"]) / float(read["cpu_sched"])


def _login_engine(read: Figures) -> float:
    return 100.0 * float(read["login_aside"]) / float(read["login_cpu"])


ROWS = (
    Row("ping-pong 200 B, messages a CPU second", "pp50", _rate),
    Row("the same, a second", "pp50", _of("msg_s")),
    Row("the generator's load meanwhile", "pp50", _of("gen_util")),
    Row("the nodes' load meanwhile", "pp50", _of("srv_util")),
    Row("stream 200 B coalesced, messages a CPU second", "st-co", _rate),
    Row("the same, a second", "st-co", _of("msg_s")),
    Row("the generator's load meanwhile", "st-co", _of("gen_util")),
    Row("the nodes' load meanwhile", "st-co", _of("srv_util")),
    Row(f"request, accept, hang up, {_AT_ONCE} at once, a CPU second", "request", _rate),
    Row("the same, a second", "request", _of("msg_s")),
    Row("the same, CPU ms each", "request", _cost),
    Row("the generator's load meanwhile", "request", _of("gen_util")),
    Row("the engine's CPU, % of the nodes'", "request", _engine),
    Row("log-ins, both channels, a CPU second", "log-in", _rate),
    Row("the generator's load meanwhile", "log-in", _of("gen_util")),
    Row("the engine's CPU, % of the nodes'", "log-in", _login_engine),
)


@dataclass(frozen=True)
class Ratio:
    """One line of the table of ratios: `times` what the first does a CPU second, ÷ the second."""

    title: str
    first: Setting
    second: Setting
    works: tuple[str, ...]
    times: float = 1.0


_RELAYED = ("pp50", "st-co")
RATIOS = (
    Ratio("two nodes ÷ one node, all local", LOCAL, NODE, (*_RELAYED, "request", "log-in"), 2),
    Ratio("two nodes ÷ one node, all across", ACROSS, NODE, (*_RELAYED, "request"), 2),
    Ratio("the same, each request channel elsewhere", SWAPPED, NODE, ("log-in",), 2),
    Ratio("one node ÷ by itself", NODE, ALONE, (*_RELAYED, "request", "log-in")),
    Ratio("cost by itself ÷ cost earlier", EARLIER, ALONE, ("pp50", "request", "log-in")),
)


def main() -> None:
    """See above."""
    options = _options()
    try:
        readings = _measured(options)
    except CannotMeasure as why:
        raise SystemExit(f"cluster: {why}") from None
    print(f"\n{_table(readings)}\n\n{_ratios(readings)}\n\n- load when it ended: {load():.1f}")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.cluster", description=__doc__)
    parser.add_argument("--repetitions", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=6, help="the longest that a work takes")
    parser.add_argument("--cpu", type=float, default=0.4, help="CPU seconds that a work takes")
    parser.add_argument("--against", type=Path, help="a checkout of an earlier version")
    parser.add_argument("--servers", help="of: " + ",".join(one.name for one in SETTINGS))
    options = parser.parse_args()
    if not 0 < options.repetitions <= _MOST_REPETITIONS:
        parser.error(f"--repetitions goes up to {_MOST_REPETITIONS}")
    if not 0 < options.seconds <= _MOST_SECONDS:
        parser.error(f"--seconds goes up to {_MOST_SECONDS}")
    names = options.servers.split(",") if options.servers else [one.name for one in SETTINGS]
    if options.against is None and EARLIER.name in names:
        names.remove(EARLIER.name)
    options.settings = [one for one in SETTINGS if one.name in names]
    if len(options.settings) != len(names):
        parser.error("there is no such server")
    return options


def _measured(options: argparse.Namespace) -> list[Figures]:
    if shutil.which("redis-server") is None:
        raise CannotMeasure("there is no engine: apt-get install redis-server")
    program = generating.build(BUILD)
    print(*(f"- {name}: {value}" for name, value in facts().items()), sep="\n")
    print(f"- load when it began: {load():.1f}", flush=True)
    with tempfile.TemporaryDirectory(prefix="securecom-cluster-") as folder:
        run = Run(program, Path(folder), options)
        run.settle()
        return run.all()


class Run:
    """All repetitions of all works at all servers, over one population."""

    def __init__(self, program: Path, folder: Path, options: argparse.Namespace) -> None:
        self._program, self._folder, self._options = program, folder, options
        self._cores = sorted(os.sched_getaffinity(0))
        self._raw = BUILD / time.strftime("cluster-%Y%m%d-%H%M%S.jsonl")

    def settle(self) -> None:
        """Enrol everybody, and have them log in once: the first time writes to the registry."""
        tree = Tree(ROOT, Path(sys.executable), _PROTOCOL)
        tree.settle(self._state, self._folder / "people", _PEOPLE)
        everybody = "--work", "idle", "--settle", "0", "--conns", str(_PEOPLE)
        with self._place() as place, running(self._server(ROOT), place, self._cores[0]) as pid:
            self._generate([place], [pid], everybody)
        self._state.rename(self._folder / "settled")

    @property
    def _state(self) -> Path:
        return self._folder / "state"

    def all(self) -> list[Figures]:
        """Every reading."""
        readings: list[Figures] = []
        with contextlib.ExitStack() as stack:
            stands = [
                (one, stack.enter_context(self._nodes(one))) for one in self._options.settings
            ]
            for repetition in range(self._options.repetitions):
                first = repetition % len(stands)
                for work in WORKS:
                    for setting, nodes in (*stands[first:], *stands[:first]):
                        if work in setting.works:
                            readings += self._work(setting, nodes, work, repetition)
                print(f"cluster: repetition {repetition + 1} done", file=sys.stderr, flush=True)
        print(f"cluster: all readings are in {self._raw.relative_to(ROOT)}", file=sys.stderr)
        return readings

    def _work(self, setting: Setting, nodes: Nodes, work: str, repetition: int) -> list[Figures]:
        """One reading, or none if it failed twice."""
        places, pids, aside = nodes
        words = [*WORKS[work], *setting.options, *(("--aside", str(aside)) if aside else ())]
        words += ["--secs", str(self._options.seconds), "--cpu", str(self._options.cpu)]
        for _ in range(2):
            try:
                read = self._generate(places, pids, words)
            except CannotMeasure as why:
                print(f"cluster: {work} of {setting.name}: {why}", file=sys.stderr)
                continue
            finally:
                time.sleep(_PAUSE)  # so that everybody has left
            read.update(server=setting.name, name=work, repetition=repetition, load=load())
            with self._raw.open("a") as lines:
                lines.write(json.dumps(read) + "\n")
            return [read]
        return []

    def _generate(
        self, places: Sequence[Place], pids: Sequence[int], options: Sequence[str]
    ) -> Figures:
        words = ["--driver", "securecom", "--people", str(self._folder / "people")]
        for name, place in zip(("--port", "--other-port"), places, strict=False):
            words += [name, str(place.port)]
        for pid in pids:
            words += ["--pid", str(pid)]
        return generating.run(self._program, self._cores[-1], [*words, *options])

    # --- servers ----------------------------------------------------------------------------

    @contextlib.contextmanager
    def _place(self) -> Iterator[Place]:
        with tempfile.TemporaryDirectory(dir=self._folder) as name:
            yield Place(Path(name), *free_ports(3))

    def _server(self, tree: Path, state: Path | None = None, *more: str) -> Contender:
        """The server of this version or an earlier one, made to look callees up at once."""

        def command(place: Place) -> tuple[list[str], dict[str, str]]:
            where = "interface=127.0.0.1"
            script = str(Path(__file__).with_name("servers.py"))
            return [
                *(sys.executable, "-P", script, "unpaused", "-n", "--pidfile=", "securecom"),
                *("--no-dial", "--standard", f"tcp:{place.port}:{where}"),
                *("--request", f"tcp:{place.other_port}:{where}"),
                *("--state", str(state or self._state), *more),
            ], {"PYTHONPATH": str(tree)}

        return Contender("securecom", command, "securecom", ours=True)

    @contextlib.contextmanager
    def _nodes(self, setting: Setting) -> Iterator[Nodes]:
        """A server of this kind. Its nodes are where there is room: more than cores may run."""
        with contextlib.ExitStack() as stack:
            count = max(setting.nodes, 1)
            places = [stack.enter_context(self._place()) for _ in range(count)]
            aside = stack.enter_context(_engine_in(places[0].folder)) if setting.nodes else 0
            pids = []
            cores = self._cores
            for number, place in enumerate(places):
                shutil.copytree(self._folder / "settled", place.folder / "state")
                more: list[str] = []
                if setting.nodes:
                    more += ["--switchboard", f"unix://{places[0].folder}/redis.sock"]
                    more += ["--node", f"tcp:{place.backend}:interface=127.0.0.1"]
                if setting.is_swapped:
                    more += ["--request-port", str(places[number - 1].other_port)]
                tree = self._options.against.resolve() if setting is EARLIER else ROOT
                contender = self._server(tree, place.folder / "state", *more)
                pids.append(stack.enter_context(running(contender, place, cores[0])))
                os.sched_setaffinity(pids[-1], cores)
            if count > 1:
                _wait_for_link(places)
            yield places, pids, aside


@contextlib.contextmanager
def _engine_in(folder: Path) -> Iterator[int]:
    """An empty Redis on a socket in this folder; it has ended when the context has."""
    path = folder / "redis.sock"
    program = shutil.which("redis-server") or "redis-server"
    words = [program, "--port", "0", "--unixsocket", str(path), "--save", "", "--dir", str(folder)]
    process = subprocess.Popen(words, stdout=subprocess.DEVNULL)  # noqa: S603 - our own words
    try:
        _wait(path.exists, "the engine opened no socket")
        yield process.pid
    finally:
        end(process)


def _wait_for_link(places: Sequence[Place]) -> None:
    def stands(place: Place) -> bool:
        return " stands" in (place.folder / "log").read_text(errors="replace")

    for place in places:
        _wait(partial(stands, place), "the nodes did not meet")


def _wait(is_there: Callable[[], bool], why: str) -> None:
    until = time.monotonic() + PATIENCE
    while not is_there():
        if time.monotonic() > until:
            raise CannotMeasure(why)
        time.sleep(0.05)


# --- tables ---------------------------------------------------------------------------------


def _table(readings: Sequence[Figures]) -> str:
    names = list(dict.fromkeys(one["server"] for one in readings))
    lines = [["", *names], ["---"] * (len(names) + 1)]
    for row in ROWS:
        found = [_spread(_values(readings, row, name)) for name in names]
        lines.append([row.title, *found])
    return _lines(lines)


def _values(readings: Sequence[Figures], row: Row, server: str) -> list[float]:
    of_row = [one for one in readings if (one["name"], one["server"]) == (row.work, server)]
    return [row.value(one) for one in of_row]


def _ratios(readings: Sequence[Figures]) -> str:
    """Each within one repetition."""
    lines = [["", *WORKS], ["---"] * (len(WORKS) + 1)]
    for ratio in RATIOS:
        cells = [_spread(_quotients(readings, ratio, work)) for work in WORKS]
        lines.append([ratio.title, *cells])
    return _lines(lines)


def _quotients(readings: Sequence[Figures], ratio: Ratio, work: str) -> list[float]:
    if work not in ratio.works:
        return []
    own, other = (
        {
            one["repetition"]: _rate(one)
            for one in readings
            if (one["name"], one["server"]) == (work, setting.name)
        }
        for setting in (ratio.first, ratio.second)
    )
    return [ratio.times * own[at] / other[at] for at in own.keys() & other.keys()]


def _spread(values: Sequence[float]) -> str:
    if not values:
        return "-"
    return f"{short(median(values))} ({short(min(values))}-{short(max(values))})"


def _lines(rows: Sequence[Sequence[str]]) -> str:
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


if __name__ == "__main__":
    main()
