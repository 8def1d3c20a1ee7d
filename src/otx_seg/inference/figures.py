"""Figures by Matplotlib that trainings and reports share, with letters of any script."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from otx_seg.metrics.counted_images import CountedImages
from otx_seg.runtime.fonts import font_file, readable_names

if TYPE_CHECKING:
    from matplotlib.figure import Figure

NUMBERED_LABELS = 40
"""Of a confusion matrix with more, no numbers are shown."""


def confusion_figure(counted: CountedImages) -> Figure:
    """Which labels are taken for which: rows are true labels, and add up to 100 %.

    Labels that are neither there nor predicted are left out. Up to 40 labels have numbers.
    """
    from matplotlib.figure import Figure

    confusion = counted.pixels.confusion.double()
    shown = ((confusion.sum(dim=0) + confusion.sum(dim=1)) > 0).nonzero()[:, 0].tolist()
    confusion = confusion[shown][:, shown]
    shares = (100 * confusion / confusion.sum(dim=1, keepdim=True).clamp(min=1)).numpy()
    names = readable_names(tuple(counted.labels.names[index] for index in shown))
    side = max(4.0, 0.42 * len(names) + 2)
    figure = Figure(figsize=(side, side), dpi=100, layout="constrained")
    axes = figure.subplots()
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=100)
    axes.set_xticks(range(len(names)), names, rotation=90)
    axes.set_yticks(range(len(names)), names)
    axes.set(xlabel="predicted", ylabel="true", title="% of the true pixels")
    if len(names) <= NUMBERED_LABELS:
        for row, column in ((r, c) for r in range(len(names)) for c in range(len(names)) if shares[r, c] >= 0.5):
            colour = "white" if shares[row, column] > 60 else "black"
            axes.text(column, row, f"{shares[row, column]:.0f}", ha="center", va="center", fontsize=8, color=colour)
    choose_fonts(figure)
    return figure


def pixels_of(figure: Figure) -> NDArray[np.uint8]:
    """A figure as a picture, uint8 (H, W, 3) RGB."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[:, :, :3].copy()


def choose_fonts(figure: Figure) -> None:
    """Give every text of a figure a font with all of its letters, where there is one and it needs another one."""
    from matplotlib.font_manager import FontProperties
    from matplotlib.text import Text

    for text in figure.findobj(Text):
        assert isinstance(text, Text)
        file = None if text.get_text().isascii() else font_file(text.get_text())
        if file is not None:
            text.set_fontproperties(FontProperties(fname=file, size=text.get_fontsize()))
