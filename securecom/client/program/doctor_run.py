"""One run of the doctor, on the reactor."""

from __future__ import annotations

import signal
import time
from argparse import Namespace
from collections.abc import Mapping
from typing import Any

from twisted.python.failure import Failure

from securecom.client.profile.passphrase import PassPhrases
from securecom.client.program import doctor, exits, standard_io
from securecom.client.program.running import Route
from securecom.clocks import steady_reactor
from securecom.signals import on_signal
from securecom.starting import print_all

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)


class _InterruptedError(Exception):
    """A signal came before everything was examined: there is no verdict."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self.number = number


def run(arguments: Namespace, environment: Mapping[str, str], source: PassPhrases) -> int:
    """Examine everything and print it; the exit code."""
    patient = doctor.examined(arguments, environment, source, time.time)
    findings = list(patient.findings)
    try:
        findings += _of_network(arguments, patient)
    except _InterruptedError as ending:
        return exits.SIGNALLED + ending.number
    as_json = arguments.frontend == "json"
    columns = standard_io.screen(standard_io.OUTPUT).columns
    rows = doctor.lines(findings, as_json=as_json, columns=columns)
    print_all("".join(f"{row}\n" for row in rows))
    return doctor.exit_code(findings)


def _of_network(arguments: Namespace, patient: doctor.Patient) -> list[doctor.Finding]:
    reactor: Any = steady_reactor()
    profile = patient.profile
    if profile is None:
        return []
    route = Route(reactor, profile.host, profile.port)
    mode = arguments.request or profile.request
    world = doctor.World(route, route.way(mode), reactor, time.time)
    found: list[doctor.Finding] = []
    failed: list[Failure] = []
    signals: list[int] = []

    def interrupted(number: int) -> None:
        if not signals:
            reactor.stop()
        signals.append(number)

    def begin() -> None:
        for number in _SIGNALS:
            on_signal(reactor, number, interrupted, number)
        done = doctor.of_network(patient, world)
        done.addCallbacks(found.extend, failed.append)
        done.addBoth(lambda _: None if signals else reactor.stop())

    reactor.callWhenRunning(begin)
    reactor.run()
    if signals:
        raise _InterruptedError(signals[0])
    if failed:
        failed[0].raiseException()
    return found
