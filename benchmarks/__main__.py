"""`python -m benchmarks`: measure, interleaved, and print tables.

The order is repetition, then server, then work, each server a fresh process, another one first
each time: what changes on the machine meanwhile changes for all alike.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict
from functools import partial
from pathlib import Path

from benchmarks import floods, logins, memory, nested, process, relay, sampling, storm
from benchmarks.facts import facts, load
from benchmarks.people import Person, settle
from benchmarks.process import BYTES, FRAMES, HANDSHAKES, PRODUCT, UNSHARED, Server, Variant, server
from benchmarks.readings import Reading
from benchmarks.tables import Row, Table

Measure = Callable[[Variant, Server], list[Reading]]
Flood = Callable[[Server, Sequence[Person], str, float], list[Reading]]

PARTS = {
    "relay": "Relayed messages a CPU second of the server",
    "logins": "Log-ins a CPU second of the server",
    "storm": "Log-ins all at once, CPU of the server",
    "memory": "KiB of the server an idle user",
    "nested": "Setting up a chat end to end, ms",
    "floods": "CPU ms of the server a log-in, 99th percentile, while 100 people flood it with",
    "profile": "Where the server's time goes in ping-pong",
}
_MOST = {
    "repetitions": 20,
    "seconds": 15.0,
    "logins": 5000,
    "storm": 5000,
    "idle": 2000,
    "handshakes": 100,
}

#: Seconds of the profile.
_PROFILED = 10.0


def main() -> None:
    """See above."""
    options = _options()
    people = max(2 * relay.PAIRS, logins.PEOPLE, options.idle, 2 * options.handshakes)
    if "storm" in options.parts:
        people = max(people, options.storm)
    _allow_sockets(4 * people)
    process.pin_generator()
    print(*(f"- {name}: {value}" for name, value in facts().items()), sep="\n")
    print(f"- load when it began: {load():.1f}", flush=True)
    with tempfile.TemporaryDirectory(prefix="securecom-benchmarks-") as folder:
        run = Run(options, Path(folder), settle(Path(folder) / "state", people))
        rows = [row for part in options.parts if part != "profile" for row in run.part(part)]
        if "profile" in options.parts:
            print(f"\n### {PARTS['profile']}\n\n{run.profile()}")
    print(f"\n- load when it ended: {load():.1f}")
    if options.raw:
        options.raw.write_text("".join(json.dumps(asdict(row)) + "\n" for row in rows))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("parts", nargs="*", choices=[[], *PARTS], help="default: all")
    parser.add_argument("--repetitions", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=3.0, help="of each work in relay")
    parser.add_argument("--logins", type=int, default=1000)
    parser.add_argument("--idle", type=int, default=500, help="users online in memory")
    parser.add_argument("--storm", type=int, default=2000, help="people who come at once")
    parser.add_argument("--handshakes", type=int, default=50)
    parser.add_argument("--raw", type=Path, help="a file for every single reading, JSON lines")
    options = parser.parse_args()
    options.parts = options.parts or list(PARTS)
    for name, most in _MOST.items():
        if not 0 < getattr(options, name) <= most:
            parser.error(f"--{name} goes up to {most}")
    return options


def _allow_sockets(count: int) -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(count + 1000, hard), hard))


class Run:
    """One run over one population."""

    def __init__(self, options: argparse.Namespace, folder: Path, people: Sequence[Person]) -> None:
        self._options, self._folder, self._people = options, folder, people

    def part(self, part: str) -> list[Row]:
        """Measure one part and print its table."""
        rows = list(getattr(self, f"_{part}")())
        print(f"\n{Table(PARTS[part], rows)}", flush=True)
        return rows

    def _interleaved(
        self, part: str, variants: Sequence[Variant], measure: Measure
    ) -> Iterator[Row]:
        for repetition in range(self._options.repetitions):
            first = repetition % len(variants)
            for variant in (*variants[first:], *variants[:first]):
                with self._server(variant) as one:
                    readings = measure(variant, one)
                yield from (Row(part, variant.name, repetition, each) for each in readings)
            print(f"{part}: repetition {repetition + 1} done", file=sys.stderr, flush=True)

    def _server(self, variant: Variant) -> AbstractContextManager[Server]:
        return server(variant, self._folder / "state", self._folder / "log")

    # --- the parts --------------------------------------------------------------------------

    def _relay(self) -> Iterator[Row]:
        def measure(variant: Variant, one: Server) -> list[Reading]:
            seconds = self._options.seconds
            return relay.measure(variant, one, self._people, relay.WORKS, seconds)

        return self._interleaved("relay", (PRODUCT, FRAMES, BYTES), measure)

    def _logins(self) -> Iterator[Row]:
        def measure(variant: Variant, one: Server) -> list[Reading]:
            return logins.measure(variant, one, self._people, self._options.logins)

        return self._interleaved("logins", (PRODUCT, HANDSHAKES), measure)

    def _storm(self) -> Iterator[Row]:
        def measure(_: Variant, one: Server) -> list[Reading]:
            return storm.measure(one, self._people[: self._options.storm])

        return self._interleaved("storm", (PRODUCT,), measure)

    def _memory(self) -> Iterator[Row]:
        def measure(variant: Variant, one: Server) -> list[Reading]:
            return memory.measure(variant, one, self._people[: self._options.idle])

        return self._interleaved("memory", (PRODUCT, HANDSHAKES), measure)

    def _nested(self) -> Iterator[Row]:
        def measure(_: Variant, one: Server) -> list[Reading]:
            count = self._options.handshakes
            through = nested.through(one, self._people, count)
            in_memory = [
                *nested.in_memory(self._people, count),
                *nested.rekeyed(self._people, count),
            ]
            return [*in_memory, *through]

        return self._interleaved("nested", (PRODUCT,), measure)

    def _floods(self) -> Iterator[Row]:
        for kind in (floods.NO_FLOOD, *floods.KINDS, floods.ALL, *floods.FRAMES):
            under = floods.measure_chats if kind in floods.FRAMES else floods.measure

            def measure(
                _: Variant, one: Server, kind: str = kind, under: Flood = under
            ) -> list[Reading]:
                return under(one, self._people, kind, self._options.seconds)

            yield from self._interleaved(f"floods with {kind}", (PRODUCT, UNSHARED), measure)

    # --- the profile ------------------------------------------------------------------------

    def profile(self) -> str:
        """Shares of the samples, function by function, the largest first."""
        out = self._folder / "samples.json"
        variant = process.sampled(out)
        with self._server(variant) as one:
            begin = partial(os.kill, one.pid, sampling.BEGIN)
            work = [relay.PING_PONG]
            relay.measure(variant, one, self._people, work, _PROFILED, begin)
        return sampling.table(out)


if __name__ == "__main__":
    main()
