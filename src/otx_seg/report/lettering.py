"""Letters of any script in Matplotlib's pictures."""

from __future__ import annotations

from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.text import Text

from otx_seg.runtime.fonts import font_file


def choose_fonts(figure: Figure) -> None:
    """Give every text of a figure a font with all of its letters, where there is one and it needs another one."""
    for text in figure.findobj(Text):
        assert isinstance(text, Text)
        file = None if text.get_text().isascii() else font_file(text.get_text())
        if file is not None:
            text.set_fontproperties(FontProperties(fname=file, size=text.get_fontsize()))
