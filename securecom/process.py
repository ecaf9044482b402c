"""Settings for our own process: core dumps, open files, and how often Python looks for garbage."""

from __future__ import annotations

import contextlib
import ctypes
import gc
import resource
import sys

_PR_SET_DUMPABLE = 4  # prctl(2)


def forbid_core_dumps() -> None:
    """Keep a crash from writing our memory, and the private keys in it, to a file.

    The limit alone is not enough: Linux ignores it when a program such as systemd-coredump collects
    the dumps. On Linux we therefore make the process undumpable too, which also keeps other
    processes of the same user from reading its memory.
    """
    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)


def raise_file_limit() -> int:
    """Raise the soft limit of open files to the hard one; return how many files may be open now.

    If the system refuses, the soft limit stays.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        soft = hard
    return sys.maxsize if soft == resource.RLIM_INFINITY else soft


def look_for_garbage_less_often(new_objects: int) -> None:
    """Look after so many new objects. Call it when a process that runs for long has started.

    Nearly all that it makes from now on is freed by its counts of references, and what is there now
    stays until the end: it is never looked at again.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(new_objects, *gc.get_threshold()[1:])
