"""Several Deferreds as one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from twisted.internet.defer import Deferred, FirstError, gatherResults
from twisted.python.failure import Failure

T = TypeVar("T")


def gathered(several: Sequence[Deferred[T]]) -> Deferred[list[T]]:
    """Fires with all results, in order, or fails as the first one that fails does."""
    return gatherResults(several, consumeErrors=True).addErrback(_as_itself)


def _as_itself(failure: Failure) -> Failure:
    """The failure, in place of the one that says which of several failed."""
    error = failure.value
    return error.subFailure if isinstance(error, FirstError) else failure
