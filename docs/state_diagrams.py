"""Prints docs/states.md, the state diagrams, from the machines themselves.

python docs/state_diagrams.py > docs/states.md
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from automat import TypeMachine

from securecom.client.chat import chat_life, rekeying
from securecom.client.coordination import engagement_states
from securecom.server import chat_request

_HEAD = """\
# State machines

Made by `docs/state_diagrams.py` from the code; do not edit. Four machines, each fed with inputs
that were classified before. An arrow shows the inputs that move the machine. The table below each
diagram has the inputs that do not: some are answered all the same (by the function behind the
arrow), the others come late and change nothing.
"""

#: Title, what it is about, where it is declared, the machine.
MACHINES: tuple[tuple[str, str, str, Any], ...] = (
    (
        "A chat request, on the server",
        "From `RequestChat` to the caller's answer; both people are reserved until `settled`.",
        "securecom/server/chat_request.py",
        chat_request.machine,
    ),
    (
        "With whom one is in what, on the client",
        "One request, one offer or one chat at a time.",
        "securecom/client/coordination/engagement_states.py",
        engagement_states.machine,
    ),
    (
        "An end-to-end session, on the client",
        "From the opened stream to the end of the chat.",
        "securecom/client/chat/chat_life.py",
        chat_life.machine,
    ),
    (
        "Rekeying a chat, on the client",
        "From one TLS session of a chat to the next.",
        "securecom/client/chat/rekeying.py",
        rekeying.machine,
    ),
)


@dataclass(frozen=True, order=True)
class Transition:
    """One input in one state; `act`: the function that is called, empty if none is."""

    state: str
    word: str
    following: str
    act: str

    @property
    def moves(self) -> bool:
        """Into another state."""
        return self.state != self.following


def transitions(machine: TypeMachine[Any, Any]) -> tuple[str, list[Transition]]:
    """The name of the first state, and all transitions in order.

    Automat's public `TypeMachine.asDigraph` draws with Graphviz only, so what it draws from is
    read here, and nowhere else.
    """
    automaton = machine.__automat_automaton__
    found = [
        Transition(state.name, word, following.name, "".join(map(_act, outputs)))
        for state, word, following, outputs in automaton.allTransitions()
    ]
    return automaton.initialState.name, sorted(found)


def _act(output: Any) -> str:
    """The name of what a transition does; `.returns(value)` does nothing."""
    name: str = output.name
    return "" if name.startswith("returns(") else name


def states(first: str, known: list[Transition]) -> list[str]:
    """State names, nearest to the first one first."""
    order = [first]
    for state in order:  # it grows meanwhile
        for one in known:
            if one.state == state and one.following not in order:
                order.append(one.following)
    return order


def diagram(first: str, known: list[Transition]) -> Iterator[str]:
    """A Mermaid diagram: an arrow for each pair of states, its inputs as the label."""
    yield "```mermaid"
    yield "stateDiagram-v2"
    yield f"    [*] --> {first}"
    order = states(first, known)
    for state in order:
        for following in order:
            inputs = [one for one in known if (one.state, one.following) == (state, following)]
            if inputs and state != following:
                yield f"    {state} --> {following}: {', '.join(one.word for one in inputs)}"
    yield "```"


def stays(first: str, known: list[Transition]) -> Iterator[str]:
    """A table of the inputs that do not move the machine."""
    yield "| state | answered | changes nothing |"
    yield "|---|---|---|"
    for state in states(first, known):
        here = [one for one in known if one.state == state and not one.moves]
        answered = [f"`{one.word}` → `{one.act}`" for one in here if one.act]
        silent = [f"`{one.word}`" for one in here if not one.act]
        if here:
            yield f"| `{state}` | {', '.join(answered)} | {', '.join(silent)} |"


def document() -> str:
    """The text of docs/states.md."""
    lines = [_HEAD]
    for title, about, path, machine in MACHINES:
        first, known = transitions(machine)
        lines += [f"## {title}", "", f"{about} Declared in `{path}`.", ""]
        lines += [*diagram(first, known), "", *stays(first, known), ""]
    return "\n".join(lines).rstrip("\n") + "\n"


if __name__ == "__main__":
    print(document(), end="")
