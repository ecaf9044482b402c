"""A QR code in half blocks, light on a dark terminal, without any control sequence."""

from __future__ import annotations

import io

import segno

#: Modules of quiet around it: the gutter on its left is quiet too.
_BORDER = 2


def qr_rows(digits: str) -> list[str]:
    """Rows of text, two rows of modules in each. Digits take the fewest modules."""
    text = io.StringIO()
    code = segno.make_qr(digits, error="m", boost_error=False)
    code.terminal(text, border=_BORDER, compact=True)
    return text.getvalue().splitlines()
