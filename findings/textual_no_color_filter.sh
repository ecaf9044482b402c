#!/bin/bash
# Textual: with NO_COLOR set, an application with a theme of the terminal's own colours may end with an error.
#
# One would expect: NO_COLOR takes the colours away, whatever the theme is and wherever it is chosen.
#
# What happens: App.__init__ chooses the filter for NO_COLOR by the theme of that moment. A theme chosen in
# on_mount comes too late: if it has the terminal's own colours ("ansi-dark"), the filter for RGB colours
# (Monochrome) stays, and that one raises AttributeError for a segment without a style, which a widget
# may draw. With ansi_color=True given to the constructor the right filter (NoColor) is chosen, and all is well.
#
# Why it matters: it works for whoever writes it, and ends at once for the people who set NO_COLOR.
#
# Needs python3 and a package index. Exits 0 while Textual behaves like this.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet textual==8.2.8
NO_COLOR=1 "$folder/venv/bin/python" - <<'PYTHON'
import asyncio
import os
import sys

import textual
from rich.segment import Segment
from textual.app import App
from textual.strip import Strip
from textual.widget import Widget


class Plain(Widget):
    """Draws segments without a style."""

    def render_line(self, y):
        return Strip([Segment("text")]).adjust_cell_length(self.size.width)


class Late(App):
    """Chooses its theme in on_mount, as the documentation of themes does."""

    def compose(self):
        yield Plain()

    def on_mount(self):
        self.theme = "ansi-dark"


async def outcome(**named):
    os.environ["NO_COLOR"] = "1"
    app = Late(**named)
    filters = [type(one).__name__ for one in app._filters[1:]]
    try:
        async with app.run_test(size=(20, 5)) as pilot:
            await pilot.pause()
    except AttributeError as error:
        return f"{filters[0]}: {error}"
    return f"{filters[0]}: fine"


sys.stderr = open(os.devnull, "w")  # its traceback
late, early = asyncio.run(outcome()), asyncio.run(outcome(ansi_color=True))
print(f"textual {textual.__version__ if hasattr(textual, '__version__') else '8.2.8'}")
print(f"theme in on_mount           {late}")
print(f"ansi_color=True             {early}")
sys.exit(0 if "NoneType" in late and early == "NoColor: fine" else 1)
PYTHON
