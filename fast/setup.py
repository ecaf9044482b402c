"""What pyproject.toml cannot say: the extension, and the version, which is that of securecom."""

import re
from pathlib import Path

from setuptools import Extension, setup

HERE = Path(__file__).resolve().parent
#: An sdist knows the version that it was made with; in the repository it is securecom's own.
PLACES = (
    (HERE / "PKG-INFO", r"^Version: (.+)$"),
    (HERE.parent / "securecom" / "__init__.py", r'^__version__ = "(.+)"$'),
)


def version() -> str:
    """The version in the first of `PLACES` that exists."""
    for path, pattern in PLACES:
        if path.exists():
            found = re.search(pattern, path.read_text("utf-8"), re.MULTILINE)
            if found is not None:
                return found[1]
    raise SystemExit(f"no version in {' or '.join(str(path) for path, _ in PLACES)}")


setup(
    version=version(),
    ext_modules=[Extension("securecom_fast", ["securecom_fast.c"], py_limited_api=True)],
    # One wheel for 3.11 and later; the source asks for no more either (Py_LIMITED_API).
    options={"bdist_wheel": {"py_limited_api": "cp311"}},
)
