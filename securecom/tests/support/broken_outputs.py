"""State machines whose outputs do nothing, or raise, as the test says."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

from automat import TypeMachine


@dataclass(frozen=True)
class OutputCase:
    """What one input in one state does; `late`: it raises when it is done, not instead of that."""

    state: str
    word: str
    output: Any
    late: bool

    def __str__(self) -> str:
        return f"{self.word} in {self.state}, {'late' if self.late else 'early'}"

    @contextmanager
    def broken(self) -> Iterator[None]:
        """It raises meanwhile."""
        real = self.output.method

        def raising(*arguments: Any) -> None:
            if self.late:
                real(*arguments)
            raise ZeroDivisionError("a trial with bob")

        with _replaced(self.output, raising):
            yield


def output_cases(machine: TypeMachine[Any, Any]) -> Iterator[OutputCase]:
    """Every output that does something."""
    for state, word, _, outputs in machine.__automat_automaton__.allTransitions():
        for output in outputs:
            if not output.name.startswith("returns("):
                yield OutputCase(state.name, word, output, late=False)
                yield OutputCase(state.name, word, output, late=True)


@contextmanager
def idle(machine: TypeMachine[Any, Any]) -> Iterator[None]:
    """Inputs move the machine meanwhile, and nothing is done."""
    with ExitStack() as stack:
        for case in output_cases(machine):
            if not case.late:
                stack.enter_context(_replaced(case.output, lambda *_: None))
        yield


@contextmanager
def _replaced(output: Any, method: Callable[..., Any]) -> Iterator[None]:
    real = output.method
    object.__setattr__(output, "method", method)  # Automat's outputs are frozen
    try:
        yield
    finally:
        object.__setattr__(output, "method", real)
