"""Rules for the tests themselves, run by `./dev check`, or `python -m checks.tests`.

- No test file imports another one: what two of them share is in `support/`.
- Unit tests use no sockets, threads or processes, do not sleep, and do not read the wall clock.
- Every product module has tests that its name leads to, or is listed below with where they are.
"""

from __future__ import annotations

import ast
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "securecom"
UNIT = PACKAGE / "tests"
SYSTEM = ROOT / "tests"

#: What a unit test must not touch: modules, names in modules, and calls by any of these names.
FORBIDDEN = {
    *("asyncio", "multiprocessing", "socket", "subprocess", "threading"),
    *("os.fork", "os.popen", "os.system", "time.sleep", "time.time", "time.monotonic"),
    *("deferToThread", "callInThread", "callFromThread", "reactor.run"),
}
#: The uses that are allowed, each with its reason.
ALLOWED = {
    ("support/memory_server.py", "time.time"): "OpenSSL compares certificates with the wall clock",
    ("test_clock_jumps.py", "time.time"): "the same",
    ("test_server_service.py", "time.time"): "the same",
    ("test_node_service.py", "time.time"): "the same",
    ("test_joining.py", "time.time"): "the same",
    ("test_presence.py", "time.time"): "the time shown to people is the machine's own",
    ("test_left_over.py", "socket"): "only a real socket can be left over; nothing waits",
    ("test_backup_files.py", "subprocess"): "patched, so that nothing is started",
    ("test_arrival.py", "asyncio"): "the same: its screen runs before there is a client",
    ("support/pilot_case.py", "asyncio"): "Textual has its own loop; it draws into memory",
    ("test_line_editor.py", "asyncio"): "prompt_toolkit runs in it; nothing waits but for a key",
    ("test_outside_editor.py", "asyncio"): "a double of the reactor ends the editor",
    ("test_loop_application.py", "asyncio"): "it is about tasks, in a loop that is turned by hand",
    ("test_identity_file.py", "subprocess"): "a hint is shell commands, and the shell runs them",
}
#: Modules that the rule leads to no test file for -> the file that has their tests, and why.
ELSEWHERE: dict[str, tuple[str, str]] = {
    "server/cluster/membership.py": ("test_places", "what it is for shows in who is where"),
    "server/listening.py": ("test_server_service", "a port is tested as the server opens it"),
    "transport/openssl.py": ("test_native", "it is what the native one consists of"),
    "admin/command_line.py": ("test_admin_commands", "each command is tested from its words on"),
    "admin/tables.py": ("test_admin_commands", "tables are tested as the commands print them"),
    "client/api.py": ("test_frontend_example", "it declares the seam; an example uses all of it"),
    "client/channels/reaching.py": ("test_client_service", "waits show in how a client reconnects"),
    "client/channels/request_channel.py": ("test_daemon_role", "it is half of that role"),
    "client/channels/request_ways.py": ("test_client_service", "a client listens or is dialled"),
    "client/channels/standard_channel.py": ("test_main_role", "it is half of that role"),
    "client/coordination/asking.py": ("test_coordinator", "its parts only make sense together"),
    "client/coordination/chat_side.py": ("test_coordinator", "the same"),
    "client/coordination/engagement_states.py": ("test_engagement", "one state machine, two files"),
    "client/coordination/outcomes.py": ("test_coordinator", "outcomes are tested where they show"),
    "client/known_peers.py": ("test_contacts", "a file of pins is tested as it is read and kept"),
    "client/files/access.py": ("test_exchange", "it only passes on what files need"),
    "client/files/desk.py": ("test_main_role", "it passes on what the main role is asked"),
    "client/files/transfer.py": ("test_exchange", "a transfer shows in what the two ends do"),
    "client/frontends/fullscreen/enrolment.py": (
        "test_arrival",
        "its screen is tested there",
    ),
    "client/events.py": ("test_plain", "they are data; front-ends and docs/json.md are tested"),
    "client/file_events.py": ("test_plain_files", "the same"),
    "client/key_events.py": ("test_plain_trust", "the same"),
    "client/frontends/file_words.py": ("test_plain_files", "words are tested as lines show them"),
    "client/frontends/key_words.py": ("test_plain_trust", "the same"),
    "client/frontends/marks.py": ("test_plain", "the same"),
    "client/frontends/people_words.py": ("test_plain", "the same"),
    "client/frontends/qr.py": ("test_plain", "a code is tested as a terminal shows it"),
    "client/profile/age_reader.py": ("test_backup_files", "both readers must agree on each file"),
    "client/profile/own_key.py": ("test_rotation", "it exists for a key that is replaced"),
    "client/profile/private_files.py": ("test_profile", "a profile is made of such files"),
    "client/profile/profiles.py": (
        "test_profile",
        "a shelf of profiles, tested with what is on it",
    ),
    "client/profile/spelling.py": ("test_identity_file", "one spelling opens one identity file"),
    "client/program/doctor_run.py": ("test_client_main", "it runs the reactor; tests/ do the rest"),
    "client/program/terminal_lines.py": (
        "test_choosing",
        "tests/test_editor.py has a terminal",
    ),
    "client/program/exits.py": ("test_client_command_line", "exit codes are tested with options"),
    "client/program/sealing.py": ("test_backing_up", "it is the process that makes a backup"),
    "server/dialling.py": ("test_server_request_channel", "a dialled channel is like any other"),
    "server/files.py": ("test_state_damaged", "the state folder is made of such files"),
    "server/local_switchboard.py": ("test_chat_request", "requests are what a switchboard is for"),
    "server/personal.py": ("test_account_my_data", "what it declares is compared with the schema"),
    "server/moving.py": (
        "test_admin_commands",
        "refusals; tests/test_postgres_server.py moves one",
    ),
    "server/pools.py": ("test_database_gathering", "it declares what pools are; these are some"),
    "server/sql_registry.py": ("test_registry", "its methods are what a registry does"),
    "server/reception.py": ("test_server_standard_channel", "log-in is tested from its connection"),
    "server/switchboard.py": ("test_chat_request", "the interface of local_switchboard"),
}


def imported(tree: ast.AST) -> Iterator[str]:
    """Every module that may be meant, in functions too: `from a import b` gives `a` and `a.b`."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            module = "." * node.level + (node.module or "")
            yield module
            yield from (f"{module}.{alias.name}" for alias in node.names)


def imports_of_tests(folder: Path) -> Iterator[str]:
    """Places where a file imports a test file."""
    for path in sorted(folder.rglob("*.py")):
        for name in imported(ast.parse(path.read_text("utf-8"))):
            if any(part.startswith("test_") for part in name.split(".")):
                yield f"{path} imports {name}; move it to support/"


def used(tree: ast.AST) -> set[str]:
    """The forbidden things that a file imports or calls."""
    names = set(imported(tree))
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            names.add(f"{node.value.id}.{node.attr}")
        if isinstance(node, ast.Call):
            names.add(getattr(node.func, "attr", getattr(node.func, "id", "")))
    return names & FORBIDDEN


def forbidden_uses(folder: Path, allowed: Iterable[tuple[str, str]]) -> Iterator[str]:
    """Unit tests that touch the outside world, and exceptions that nothing needs any more."""
    unused = set(allowed)
    for path in sorted(folder.rglob("*.py")):
        name = path.relative_to(folder).as_posix()
        for what in sorted(used(ast.parse(path.read_text("utf-8")))):
            if (name, what) in unused:
                unused.remove((name, what))
            else:
                yield f"{name} uses {what}; pass a double in, or move the test to tests/"
    for name, what in sorted(unused):
        yield f"{name} does not use {what} any more; remove it from ALLOWED"


def test_names(package: Path) -> dict[str, str]:
    """For each product module the name that its test files begin with.

    That is `test_` and the module's name. Where two modules have one name, its side comes first:
    `test_client_service` for `client/service.py`.
    """
    paths = [path.relative_to(package) for path in sorted(package.rglob("*.py"))]
    paths = [path for path in paths if path.parts[0] != "tests" and path.stem != "__init__"]
    count = Counter(path.stem for path in paths)
    found = {}
    for path in paths:
        side = f"{path.parts[0]}_" if count[path.stem] > 1 else ""
        found[path.as_posix()] = f"test_{side}{path.stem.strip('_')}"
    return found


def missing_tests(package: Path, elsewhere: dict[str, tuple[str, str]]) -> Iterator[str]:
    """Product modules without a test file, and entries of `elsewhere` that are out of date."""
    names = test_names(package)
    files = {path.stem for path in (package / "tests").glob("test_*.py")}
    tested = set()
    for file in files:  # test_backup_files is of backup.py, and of backup_files.py if there is one
        fit = [name for name in names.values() if file == name or file.startswith(f"{name}_")]
        tested |= {max(fit, key=len)} if fit else set()
    for module, name in names.items():
        if name not in tested and module not in elsewhere:
            yield f"{module} has no {name}*.py; write it, or say in ELSEWHERE where its tests are"
    for module, (file, _) in elsewhere.items():
        if module not in names or names[module] in tested:
            yield f"{module} needs no entry in ELSEWHERE"
        elif file not in files:
            yield f"{module} is said to be tested by {file}.py, which does not exist"


def main() -> int:
    """Print what is wrong; 1 if anything is."""
    faults = [
        *imports_of_tests(UNIT),
        *imports_of_tests(SYSTEM),
        *forbidden_uses(UNIT, ALLOWED),
        *missing_tests(PACKAGE, ELSEWHERE),
    ]
    for fault in faults:
        print(f"FAULT         {fault}")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
