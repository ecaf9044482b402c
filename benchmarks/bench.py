"""`./dev bench`: this version beside other servers, and beside an earlier version of itself.

Interleaved: repetition, server, work, another server first each time. A server has one core, the
generator another. Every reading goes to build/bench as a line of JSON; the table goes into
docs/performance.md, the plot beside it.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from benchmarks import bench_report, generating
from benchmarks.contenders import (
    PEERS,
    Contender,
    Place,
    Tree,
    certificate,
    compiled,
    earlier_tree,
    free_ports,
    running,
)
from benchmarks.facts import facts, load
from benchmarks.generating import CannotMeasure
from benchmarks.process import ROOT

BUILD = ROOT / "build" / "bench"
OURS, LEAN, EARLIER = "securecom", "securecom, lean reactor", "securecom, earlier"
COMPILED = "securecom, compiled"
REACTOR = "securecom"

#: Above this load average nothing is measured without --busy; above half of it there is a warning.
_BUSY = 2.0
#: Seconds between two works, so that the server has seen the people of the first leave.
_PAUSE = 1.0
_WARM_UP = "0.5"
_MOST_REPETITIONS, _MOST_SECONDS = 20, 15.0
_SOCKETS = 20_000


@dataclass(frozen=True)
class Work:
    """What the generator does with a server.

    :param metric: the reading that counts.
    :param drivers: who is asked to do it; empty for all.
    """

    title: str
    options: tuple[str, ...]
    metric: str = "msgs_per_cpu"
    drivers: tuple[str, ...] = ()


def _relayed(title: str, kind: str, *more: str, pairs: int = 50) -> Work:
    options = ("--work", kind, "--pairs", str(pairs), "--inflight", "128", *more)
    short = any(one.isdigit() and int(one) > _IRC_LINE for one in more) or "--mixed" in more
    # ngIRCd takes lines of 512 bytes, and stalls when many come in one TLS record
    drivers = _NOT_IRC if short or "--coalesce" in more else ()
    return Work(title, options, drivers=drivers)


_IRC_LINE = 400
_NOT_IRC = ("securecom", "raw", "mqtt", "xmpp")
_SESSIONS = ("securecom", "mqtt", "xmpp", "irc")
_LOG_IN = ("--work", "idle", "--settle", "0", "--conns")
_SILENT = ("--work", "idle", "--settle", "500", "--conns")
_SIZE = "--size"


def _unread(title: str, *more: str) -> Work:
    options = ("--work", "unread", "--pairs", "50", "--inflight", "128", "--secs", "15", *more)
    return Work(title, options, "pss_per_pair_kb", ("securecom",))


#: In this order: memory is read first, from a server that nobody has used.
WORKS = {
    "memory": Work(
        "KiB a silent user, 2,000 users", (*_SILENT, "2000"), "pss_per_conn_kb", _SESSIONS
    ),
    "pp1": _relayed("ping-pong 200 B, 1 pair", "pingpong", pairs=1),
    "pp50": _relayed("ping-pong 200 B, 50 pairs", "pingpong"),
    "pp500": _relayed("ping-pong 200 B, 500 pairs", "pingpong", pairs=500),
    "st": _relayed("stream 200 B, a record each", "stream"),
    "st-co": _relayed("stream 200 B, coalesced", "stream", "--coalesce"),
    "st16k": _relayed("stream 16 KiB", "stream", _SIZE, "16384"),
    "st37": _relayed("stream 37 B", "stream", _SIZE, "37"),
    "st1k": _relayed("stream 1 KiB", "stream", _SIZE, "1024"),
    "st4k": _relayed("stream 4 KiB", "stream", _SIZE, "4096"),
    "st60k": _relayed("stream 60 KiB", "stream", _SIZE, "61440"),
    "mixed": _relayed("ping-pong, 37 B to 16 KiB", "pingpong", "--mixed"),
    "log-in": Work("log-ins, standard channel", (*_LOG_IN, "800"), "logins_per_cpu", _SESSIONS),
    "log-in2": Work(
        "log-ins, both channels",
        (*_LOG_IN, "800", "--request"),
        "logins_per_cpu",
        ("securecom",),
    ),
    "requests": Work(
        "request, accept, hang up",
        ("--work", "churn", "--pairs", "800", "--inflight", "128"),
        drivers=("securecom",),
    ),
    "unread": _unread("KiB a pair of which one reads nothing, 200 B"),
    "unread16k": _unread("KiB a pair of which one reads nothing, 16 KiB", _SIZE, "16384"),
}
CORE_WORKS = ("memory", "pp1", "pp50", "pp500", "st", "st-co", "st16k", "log-in", "log-in2")
QUICK_WORKS = ("memory", "pp50", "st-co", "st16k", "log-in", "log-in2")
CORE_SERVERS = ("nginx stream", "mosquitto", "ejabberd")


def main() -> None:
    """See above."""
    options = _options()
    try:
        _check_load(options.busy)
        if options.profile:
            words = [sys.executable, "-m", "benchmarks", "profile"]
            raise SystemExit(subprocess.call(words))  # noqa: S603 - our own words
        _bench(options)
    except CannotMeasure as why:
        raise SystemExit(f"bench: {why}") from None


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="./dev bench", description=__doc__)
    parser.add_argument("--reps", type=int, default=3, help="repetitions (default: %(default)s)")
    parser.add_argument("--seconds", type=float, default=1.5, help="of each work with messages")
    parser.add_argument("--works", default=",".join(CORE_WORKS), help=f"of: {','.join(WORKS)}")
    parser.add_argument("--all", action="store_true", help="all works and all peers")
    parser.add_argument("--against", metavar="REVISION", help="an earlier version to measure too")
    parser.add_argument(
        "--peers", default=",".join(CORE_SERVERS), help="names, with commas; empty for none"
    )
    parser.add_argument("--quick", action="store_true", help="one repetition of a few works")
    parser.add_argument("--busy", action="store_true", help="measure though the machine is busy")
    parser.add_argument("--dry", action="store_true", help="leave docs/performance.md alone")
    parser.add_argument("--profile", action="store_true", help="where the server's time goes")
    options = parser.parse_args()
    if options.quick:
        options.reps, options.works, options.dry = 1, ",".join(QUICK_WORKS), True
    if options.all:
        options.works = ",".join(WORKS)
        options.peers = ",".join(one.contender.name for one in PEERS)
    options.works = options.works.split(",")
    options.peers = [one for one in options.peers.split(",") if one]
    if unknown := set(options.works) - set(WORKS):
        parser.error(f"no work {', '.join(sorted(unknown))}")
    if unknown := set(options.peers) - {one.contender.name for one in PEERS}:
        parser.error(f"no peer {', '.join(sorted(unknown))}")
    if not 0 < options.reps <= _MOST_REPETITIONS or not 0 < options.seconds <= _MOST_SECONDS:
        parser.error(f"up to {_MOST_REPETITIONS} repetitions of {_MOST_SECONDS:.0f} s")
    return options


def _check_load(busy: bool) -> None:
    now = load()
    if now > _BUSY and not busy:
        raise CannotMeasure(f"the load average is {now:.1f}: wait, or measure with --busy")
    if now > _BUSY / 2:
        print(f"bench: the load average is {now:.1f}; ratios only", file=sys.stderr)


def _bench(options: argparse.Namespace) -> None:
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) <= 1:
        raise CannotMeasure("server and generator need a core each, and there is only one")
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(_SOCKETS, hard), hard))
    BUILD.mkdir(parents=True, exist_ok=True)
    program = generating.build(BUILD)
    with tempfile.TemporaryDirectory(prefix="securecom-bench-") as folder:
        os.environ["HOME"] = folder  # whoever keeps something there
        certificate(Path(folder))
        contenders = [*_versions(options.against, Path(folder)), *_peers(options.peers)]
        run = Run(program, Path(folder), (cores[0], cores[-1]), options)
        began = load()
        readings = run.all(contenders)
    about = {**facts(), **_about(contenders, readings, began)}
    report = bench_report.Report(readings, {name: WORKS[name].title for name in options.works})
    print(report.table(about))
    if not options.dry:
        bench_report.write(ROOT, report, about)


def _versions(against: str | None, folder: Path) -> list[Contender]:
    """Ours, each over accounts of its own."""
    tree = Tree(ROOT, Path(sys.executable), 2)
    home = _settled(tree, folder / "now")
    found = [tree.contender(OURS, home)]
    if tree.has_reactor(REACTOR):
        found.append(tree.contender(LEAN, home, f"--reactor={REACTOR}"))
    else:
        _missing(f"--reactor={REACTOR}", "this version has no such reactor")
    try:
        found.append(replace(tree, also=compiled(ROOT, BUILD)).contender(COMPILED, home))
    except CannotMeasure as why:
        _missing(COMPILED, str(why))
    if against is not None:
        earlier = earlier_tree(ROOT, against, BUILD)
        home = _settled(earlier, folder / "earlier")
        found.append(replace(earlier.contender(EARLIER, home), version=against))
    return found


def _settled(tree: Tree, folder: Path) -> Path:
    folder.mkdir()
    tree.settle(folder / "state", folder / "people")
    return folder


def _peers(names: Sequence[str]) -> list[Contender]:
    found = []
    for peer in PEERS:
        if peer.contender.name not in names:
            continue
        if peer.installed():
            found.append(replace(peer.contender, version=peer.version()))
        else:
            _missing(
                peer.contender.name, f"apt-get install --no-install-recommends {peer.packages}"
            )
    return found


def _missing(what: str, how: str) -> None:
    print(f"bench: without {what} ({how})", file=sys.stderr)


def _about(
    contenders: Sequence[Contender], readings: Sequence[dict[str, Any]], began: float
) -> dict[str, str]:
    """What the table's head says in addition to `facts`."""
    tls: dict[str, list[str]] = {}
    for reading in readings:
        servers = tls.setdefault(reading["tls"], [])
        if reading["server"] not in servers:
            servers.append(reading["server"])
    versions = [f"{one.name} {one.version}" for one in contenders if one.version]
    return {
        "TLS": "; ".join(f"{', '.join(servers)}: {what}" for what, servers in tls.items()),
        "certificates": "securecom: Ed25519, also of clients; the others: P-256, none of clients",
        "other servers": ", ".join(versions) or "none",
        "OpenSSL of the others; of the generator": f"{_system_openssl()}; {_openssl(readings)}",
        "load average": f"{began:.1f} when it began, {load():.1f} when it ended",
    }


def _openssl(readings: Sequence[dict[str, Any]]) -> str:
    return ", ".join(sorted({str(one["openssl"]) for one in readings})) or "?"


def _system_openssl() -> str:
    """Which the servers of others use, as Debian packages them (ngIRCd uses GnuTLS)."""
    words = [shutil.which("openssl") or "openssl", "version"]
    said = subprocess.run(words, capture_output=True, text=True, check=False)  # noqa: S603
    return " ".join(said.stdout.split()[1:2]) or "?"


class Run:
    """All repetitions of all works at all servers."""

    def __init__(
        self, program: Path, folder: Path, cores: tuple[int, int], options: argparse.Namespace
    ) -> None:
        self._program, self._folder, self._options = program, folder, options
        self._server_core, self._generator_core = cores
        self._raw = BUILD / time.strftime("%Y%m%d-%H%M%S.jsonl")

    def all(self, contenders: Sequence[Contender]) -> list[dict[str, Any]]:
        """Every reading."""
        readings = []
        for repetition in range(self._options.reps):
            first = repetition % len(contenders)
            for contender in (*contenders[first:], *contenders[:first]):
                readings += self._one(contender, repetition)
            print(f"bench: repetition {repetition + 1} done", file=sys.stderr, flush=True)
        print(f"bench: all readings are in {self._raw.relative_to(ROOT)}", file=sys.stderr)
        return readings

    def _one(self, contender: Contender, repetition: int) -> list[dict[str, Any]]:
        """All works at one server, started for them."""
        readings = []
        port, other, backend = free_ports(3)
        with tempfile.TemporaryDirectory(dir=self._folder) as name:
            for one in ("server.crt", "server.key", "server.pem"):
                (Path(name) / one).write_bytes((self._folder / one).read_bytes())
            place = Place(Path(name), port, other, backend)
            try:
                with running(contender, place, self._server_core) as pid:
                    for work in self._options.works:
                        if not (drivers := WORKS[work].drivers) or contender.driver in drivers:
                            readings += self._work(contender, place, pid, work, repetition)
            except CannotMeasure as why:
                _missing(contender.name, str(why))
        return readings

    def _work(
        self, contender: Contender, place: Place, pid: int, name: str, repetition: int
    ) -> list[dict[str, Any]]:
        """One reading, or none if it failed twice."""
        work = WORKS[name]
        both = ("--request",) if contender.ours and name == "memory" else ()
        words = [
            *("--driver", contender.driver, "--port", str(place.port), "--pid", str(pid)),
            *("--secs", str(self._options.seconds), "--warm", _WARM_UP),
            *(*contender.options, *work.options, *both, *self._backend(contender, place)),
        ]
        for _ in range(2):
            try:
                read = generating.run(self._program, self._generator_core, words)
            except CannotMeasure as why:
                _missing(f"{name} of {contender.name}", str(why))
                time.sleep(2 * _PAUSE)
                continue
            time.sleep(_PAUSE)
            read.update(server=contender.name, name=name, repetition=repetition)
            read.update(value=read[work.metric], load=load())
            with self._raw.open("a") as lines:
                lines.write(json.dumps(read) + "\n")
            return [read]
        return []

    def _backend(self, contender: Contender, place: Place) -> tuple[str, ...]:
        """A relay of TCP has the generator at both ends."""
        if contender.driver != "raw":
            return ()
        shown = ("--listen-cert", f"{place.folder}/server.crt")
        key = ("--listen-key", f"{place.folder}/server.key")
        return ("--listen-port", str(place.backend), *shown, *key)


if __name__ == "__main__":
    main()
