"""Starts programs of securecom with the packages that they use already imported.

Nearly all the work of the system tests is Python's: each server and client imports the same four
hundred modules of other people's. So each process of trial keeps a nursery, a process that has
imported these and nothing else, and never a module of securecom. It forks once for each program;
the child gets the program's own descriptors, environment and folder and then runs it as
`python -m` does. It is a process like any other: its own pid, signals, memory and exit code.

What a fork would change for a program is started by itself instead: see `can_raise`.
"""

from __future__ import annotations

import ctypes
import importlib
import json
import os
import runpy
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from typing import Any

from twisted.internet.process import Process

#: What servers, clients and admins import of others, outermost modules only.
_PACKAGES = (
    "argparse",
    "automat",
    "bcrypt",
    "cryptography.exceptions",
    "cryptography.hazmat.primitives.ciphers.aead",
    "cryptography.hazmat.primitives.kdf.hkdf",
    "cryptography.hazmat.primitives.kdf.scrypt",
    "cryptography.x509.verification",
    "difflib",
    "OpenSSL.SSL",
    "platformdirs",
    "pyrage",
    "service_identity.cryptography",
    "shlex",
    "sqlite3",
    "tarfile",
    "tomllib",
    "twisted.application.internet",
    "twisted.enterprise.adbapi",
    "twisted.internet.endpoints",
    "twisted.internet.epollreactor",
    "twisted.internet.ssl",
    "twisted.internet.stdio",
    "twisted.internet.threads",
    "twisted.logger",
    "twisted.protocols.amp",
    "twisted.protocols.haproxy",
    "twisted.protocols.tls",
    "twisted.python.logfile",
    "twisted.scripts.twistd",
)
#: Modules that may be run here: each changes what it changes of securecom after the fork.
_PROGRAMS = ("securecom.client", "securecom.admin", "tests.support.shortened")
#: What Python and its libraries read from the environment when they are started or imported.
_READ_EARLY = ("PYTHON", "LC_", "LANG", "LD_", "OPENSSL", "SSL_")
_PR_SET_CHILD_SUBREAPER = 36  # prctl(2)
_MAX_REQUEST, _MAX_FILES = 1 << 17, 8

# --- in trial's process ---------------------------------------------------------------------

_nurseries: list[_Nursery] = []


def can_raise(argv: Sequence[str], env: Mapping[str, str], usual: Mapping[str, str]) -> bool:
    """Whether a process with these arguments would be the same if the nursery forked it.

    :param usual: the nursery's own environment.
    """
    return (
        sys.platform == "linux"
        and argv[:2] == [sys.executable, "-m"]
        and argv[2] in _PROGRAMS
        and _early(env) == _early(usual)
    )


def _early(env: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in env.items() if name.startswith(_READ_EARLY)}


class Raised(Process):
    """A process that the nursery has forked, with pipes for its three descriptors."""

    def __init__(self, *arguments: Any, usual: Mapping[str, str]) -> None:
        self._usual = usual
        super().__init__(*arguments)

    def _trySpawnInsteadOfFork(  # noqa: N802
        self,
        path: str | None,
        _uid: None,
        _gid: None,
        _executable: str,
        args: list[str],
        environment: dict[str, str],
        kwargs: dict[str, dict[int, int]],
    ) -> bool:
        if not _nurseries:
            _nurseries.append(_Nursery(self._usual))
        files = kwargs["fdmap"]
        self.pid = _nurseries[0].fork(args[2:], environment, path, [files[n] for n in range(3)])
        self.status = -1
        return True


class _Nursery:
    def __init__(self, env: Mapping[str, str]) -> None:
        self._socket, its = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._process = subprocess.Popen(
            [sys.executable, "-m", __name__, str(its.fileno())],
            stdin=subprocess.PIPE,  # as its children will have, since Python looks at them now
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=dict(env),
            pass_fds=[its.fileno()],
        )
        its.close()  # it ends when we do, and close our end

    def fork(
        self, argv: Sequence[str], env: Mapping[str, str], folder: str | None, files: list[int]
    ) -> int:
        """The pid of a program that runs, and is a child of ours."""
        request = json.dumps([argv, dict(env), folder or os.getcwd()])
        prctl = ctypes.CDLL(None).prctl
        prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)  # we get the orphan that the nursery makes
        try:
            socket.send_fds(self._socket, [request.encode("utf-8")], files)
            answer = self._socket.recv(_MAX_REQUEST)
        finally:
            prctl(_PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0)
        if not answer:
            said = self._process.communicate()[1].decode("utf-8", "replace")
            raise RuntimeError(f"the nursery has ended\n{said}")
        return int(answer)


# --- in the nursery -------------------------------------------------------------------------


def _serve(control: socket.socket) -> list[str]:
    """Fork for each request; returns in the child, with the program's arguments."""
    while True:
        request, files, *_ = socket.recv_fds(control, _MAX_REQUEST, _MAX_FILES)
        if not request:
            os._exit(0)
        read_end, write_end = os.pipe()
        between = os.fork()
        if not between:
            pid = os.fork()
            if not pid:
                argv, env, folder = json.loads(request)
                _become(env, folder, files)
                return [str(word) for word in argv]
            os.write(write_end, str(pid).encode("ascii"))
            os._exit(0)
        os.waitpid(between, 0)  # from now on the program is trial's child
        control.send(os.read(read_end, 32))
        for number in (read_end, write_end, *files):
            os.close(number)


def _become(env: dict[str, str], folder: str, files: list[int]) -> None:
    for number, file in enumerate(files):
        os.dup2(file, number)
    os.closerange(len(files), 256)
    os.environ.clear()
    os.environ.update(env)
    os.chdir(folder)
    time.tzset()


def _main() -> None:
    control = socket.socket(fileno=int(sys.argv[1]))
    for name in _PACKAGES:
        importlib.import_module(name)
    ours = [name for name in sys.modules if name.startswith("securecom")]
    if ours or "twisted.internet.reactor" in sys.modules:
        sys.exit(f"the nursery has imported what each program imports for itself: {ours}")
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    sys.argv[:] = _serve(control)
    control.detach()  # closed already
    signal.signal(signal.SIGINT, signal.default_int_handler)
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    _main()
