"""Where the client's log goes: nowhere, unless a file is named. It never holds what people say."""

from __future__ import annotations

import os
import sys
from io import TextIOWrapper
from pathlib import Path
from typing import Any

from twisted.logger import (
    FilteringLogObserver,
    ILogObserver,
    LogLevel,
    LogLevelFilterPredicate,
    globalLogBeginner,
    textFileLogObserver,
)
from zope.interface import provider

from securecom import whole_files
from securecom.errors import BadArgument
from securecom.starting import path_named


def begin(path: Path | None) -> None:
    """Log to a file, or keep only a word for what nobody foresaw.

    :raises BadArgument: if the file cannot be written.
    """
    if path is None:
        observer: Any = FilteringLogObserver(
            _tell, [LogLevelFilterPredicate(defaultLogLevel=LogLevel.critical)]
        )
    else:
        observer = textFileLogObserver(_opened(path))
    globalLogBeginner.beginLoggingTo([observer], redirectStandardIO=False, discardBuffer=True)


def _opened(path: Path) -> TextIOWrapper:
    path = path_named(path, "--log-file")
    # Not blocking: a named pipe that nobody reads would keep us waiting for ever.
    flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NONBLOCK | os.O_CLOEXEC
    try:
        number = os.open(path, flags, whole_files.FILE_MODE)
    except OSError as error:
        raise BadArgument(f"{path} cannot be written ({error.strerror})") from None
    os.set_blocking(number, True)
    return os.fdopen(number, "w", encoding="utf-8", buffering=1)


@provider(ILogObserver)
def _tell(event: dict[str, Any]) -> None:
    failure = event.get("log_failure")
    what = type(failure.value).__name__ if failure is not None else "see the log"
    print(f"securecom: a fault of its own ({what}); --log-file FILE keeps it", file=sys.stderr)
