"""The load generator: built from `generator/` with cc, and run.

It needs OpenSSL 3.5 or later, for X25519MLKEM768 and ML-DSA-65. Debian 12 has 3.0, so on x86-64 it
is linked against the libraries in a wheel of psycopg-binary, whatever the system has: then the
generator is the same everywhere. The headers are the system's: those of 3.0 suffice.
"""

from __future__ import annotations

import json
import platform
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

SOURCE = Path(__file__).with_name("generator")
_FLAGS = ("-std=gnu11", "-O2", "-g", "-Wall", "-Wextra", "-Werror")
_WHEEL = (
    "psycopg-binary==3.3.9"
    " --hash=sha256:0953c1b94c73f97efce5b8fb1dad85cf5e4085b94902e439e27e6805ebc8be99\n"
)
_WHEEL_PLATFORM = (
    *("--implementation", "cp", "--python-version", "311", "--abi", "cp311"),
    *("--platform", "manylinux2014_x86_64"),
)
#: Seconds for compiler and downloads; of one work; the generator itself gives up earlier.
_BUILDING, _WORKING = 300, 310


class CannotMeasure(Exception):
    """Something that is needed is missing; the text says what, and how to get it."""


def build(folder: Path, flags: Sequence[str] = _FLAGS) -> Path:
    """The generator's program, in this folder.

    :raises CannotMeasure: without a compiler, headers, or OpenSSL 3.5.
    """
    compiler = shutil.which("cc")
    if compiler is None:
        raise CannotMeasure("there is no C compiler: apt-get install gcc libc6-dev libssl-dev")
    headers = _run([compiler, "-E", "-include", "openssl/kdf.h", "-x", "c", "/dev/null"])
    if headers.returncode:
        raise CannotMeasure("there are no headers of OpenSSL: apt-get install libssl-dev libc6-dev")
    folder.mkdir(parents=True, exist_ok=True)
    program = folder / "generator"
    sources = [str(one) for one in sorted(SOURCE.glob("*.c"))]
    made = _run([compiler, *flags, "-o", str(program), *sources, *_libraries(folder)])
    if made.returncode:
        raise CannotMeasure(f"the generator cannot be built:\n{made.stderr}")
    return program


def _libraries(folder: Path) -> list[str]:
    if platform.machine() != "x86_64":
        return ["-lssl", "-lcrypto"]  # has to be 3.5: the generator says so when it is older
    where = folder / "openssl"
    if not where.is_dir():
        _unpack(folder, where)
    return [*(str(one) for one in sorted(where.iterdir())), f"-Wl,-rpath,{where}"]


def _unpack(folder: Path, where: Path) -> None:
    """The two libraries of the wheel, under the names by which they are linked."""
    wanted = folder / "wheel.txt"
    wanted.write_text(_WHEEL)
    what = ("download", "--no-deps", "--only-binary", ":all:", "--require-hashes")
    pip = [sys.executable, "-m", "pip", *what, *_WHEEL_PLATFORM, "-d", str(folder)]
    fetched = _run([*pip, "-r", str(wanted)])
    if fetched.returncode:
        raise CannotMeasure(f"no way to PyPI for the wheel with OpenSSL:\n{fetched.stderr}")
    (wheel,) = folder.glob("psycopg_binary-*.whl")
    where.mkdir()
    with zipfile.ZipFile(wheel) as archive:
        for name in archive.namelist():
            if Path(name).name.startswith(("libssl", "libcrypto-")):
                (where / Path(name).name).write_bytes(archive.read(name))


def run(program: Path, core: int, options: Sequence[str]) -> dict[str, Any]:
    """One work on this core: what the generator read.

    :raises CannotMeasure: if it failed, or a message was lost or not in order.
    """
    done = _run(["taskset", "-c", str(core), str(program), *options], _WORKING)
    if done.returncode:
        raise CannotMeasure(done.stderr[-300:].strip() or "the generator failed")
    read: dict[str, Any] = json.loads(done.stdout)
    if read.get("bad") or read.get("closed") or read["lost"]:
        raise CannotMeasure(f"messages or connections were lost: {done.stderr[-300:]}")
    return read


def _run(command: Sequence[str], seconds: int = _BUILDING) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(  # noqa: S603 - our own words
            command, capture_output=True, text=True, timeout=seconds, check=False
        )
    except subprocess.TimeoutExpired:
        raise CannotMeasure(f"{command[0]} took more than {seconds} s") from None
