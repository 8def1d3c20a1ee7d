"""Letters in Matplotlib's figures."""

from __future__ import annotations

from pathlib import Path

import pytest
from matplotlib.figure import Figure
from matplotlib.font_manager import fontManager

from otx_seg.inference.figures import choose_fonts
from otx_seg.runtime import fonts


def test_a_text_gets_a_font_with_its_letters(monkeypatch: pytest.MonkeyPatch) -> None:
    # The one of Matplotlib's own fonts that lacks Greek letters stands for one that lacks any.
    plain = next(entry.fname for entry in fontManager.ttflist if entry.name == "STIXSizeOneSym")
    monkeypatch.setattr(fonts, "font_folders", lambda: iter(()))
    monkeypatch.setattr(fonts, "_font_files", fonts._font_files.__wrapped__)  # which remembers the folders of before
    figure = Figure()
    greek = figure.text(0.5, 0.5, "Δρόμος", fontsize=17, font=Path(plain))
    latin = figure.text(0.5, 0.2, "road", font=Path(plain))
    unknown = figure.text(0.5, 0.1, "道路", font=Path(plain))
    choose_fonts(figure)
    assert Path(str(greek.get_fontproperties().get_file())).name == "DejaVuSans.ttf"
    assert greek.get_fontsize() == 17
    for text in (latin, unknown):
        assert Path(str(text.get_fontproperties().get_file())) == Path(plain)
