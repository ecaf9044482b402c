"""How Sphinx builds these pages: `./dev docs`. They are plain Markdown and can be read without."""

from __future__ import annotations

import re
from pathlib import Path

from pygments.lexers.special import TextLexer
from sphinx.application import Sphinx

project = "securecom"
author = project_copyright = "The securecom authors"
_init = Path(__file__).parent.parent / "securecom" / "__init__.py"
(release,) = re.findall(r'^__version__ = "(.+)"$', _init.read_text("utf-8"), re.M)

extensions = ["myst_parser"]
root_doc = "architecture"
exclude_patterns = ["examples"]
myst_heading_anchors = 4
html_theme = "furo"
html_title = f"{project} {release}"


def add_contents(_: Sphinx, name: str, source: list[str]) -> None:
    """The first page's and the decisions' tables of pages are the table of contents as well."""
    pages = re.findall(r"^\| \[[^\]]+\]\(([\w./-]+)\.md\) \|", source[0], re.M)
    if name in (root_doc, "decisions/README"):
        source[0] += "\n".join(["\n```{toctree}", ":hidden:\n", *pages, "```\n"])


def setup(app: Sphinx) -> None:
    """Called by Sphinx."""
    app.connect("source-read", add_contents)
    app.add_lexer("mermaid", TextLexer)  # diagrams are drawn where the repository is browsed
