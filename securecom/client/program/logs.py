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
    try:
        number = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, whole_files.FILE_MODE)
    except OSError as error:
        raise BadArgument(f"{path} cannot be written ({error.strerror})") from None
    return os.fdopen(number, "w", encoding="utf-8", buffering=1)


@provider(ILogObserver)
def _tell(event: dict[str, Any]) -> None:
    failure = event.get("log_failure")
    what = type(failure.value).__name__ if failure is not None else "see the log"
    print(f"securecom: a fault of its own ({what}); --log-file FILE keeps it", file=sys.stderr)
