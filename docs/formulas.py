"""A hook of MkDocs: writes the formulas of a page as MathML, which browsers draw without a script."""

from __future__ import annotations

import html
import re
from typing import Any

from latex2mathml.converter import convert

_FORMULA = re.compile(r'<(span|div) class="arithmatex">\\([(\[])(.*?)\\[)\]]</\1>', re.DOTALL)


def on_page_content(content: str, **_: Any) -> str:
    """The HTML of a page with `arithmatex` replaced.

    Raises:
        ValueError: a formula has an unknown command.
    """
    return _FORMULA.sub(_as_mathml, content)


def _as_mathml(found: re.Match[str]) -> str:
    display = "block" if found[2] == "[" else "inline"
    drawn = str(convert(html.unescape(found[3]).strip(), display=display))
    if "\\" in drawn:
        raise ValueError(f"a formula has a command that latex2mathml does not know: {found[3]}")
    return drawn
