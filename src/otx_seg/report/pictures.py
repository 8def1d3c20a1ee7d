"""Pictures by Matplotlib: images beside what a model makes of them, and letters of any script."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from otx_seg.datasets import DataSpec, open_test
from otx_seg.inference.pictures import pictures_of
from otx_seg.inference.predictor import load_predictor
from otx_seg.metrics.counted_images import CountedImages
from otx_seg.runtime.fonts import font_file, readable_names
from otx_seg.training.rate_range import RatePoint

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_COMPARED_IMAGES = 4
_NUMBERED_LABELS = 40
_FIRST_POINTS = 20


def draw_comparison(weights: Path, data_root: Path, picture: Path) -> None:
    """Draw some images of a labelled data set into a PNG: image, truth, prediction, with a legend.

    Args:
        weights: any model `load_predictor` opens.
        data_root: labelled images with the model's labels.
        picture: the PNG to write.
    """
    from matplotlib.figure import Figure
    from matplotlib.patches import Patch

    subset = open_test(DataSpec(test_root=data_root))
    pictures = pictures_of(load_predictor(weights), subset, _COMPARED_IMAGES)
    figure = Figure(figsize=(2.6 * len(pictures), 8.2), layout="constrained")
    axes = figure.subplots(3, len(pictures), squeeze=False)
    for column, shown in enumerate(pictures):
        for row, (pixels, name) in enumerate(zip(shown.drawn(), ("image", "truth", "prediction"), strict=True)):
            axes[row][column].imshow(pixels)
            axes[row][column].set(xticks=[], yticks=[])
            if column == 0:
                axes[row][column].set_ylabel(name)
    names = readable_names(subset.labels.names)
    patches = [
        Patch(color="#{:02x}{:02x}{:02x}".format(*subset.labels.shown_colors[index]), label=names[index])
        for index in subset.labels.foreground
    ]
    figure.legend(handles=patches, loc="outside lower center", ncols=6, frameon=False)
    choose_fonts(figure)
    figure.savefig(picture, dpi=90)


def draw_rates(points: Sequence[RatePoint], rate: float | None, picture: Path) -> None:
    """Draw the losses of a learning-rate range test over the rates into a PNG, with the proposed rate if there is one.

    What diverges is cut off at twice the first losses.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6, 4), layout="constrained")
    axes = figure.subplots()
    rates, losses = [point.rate for point in points], [point.loss for point in points]
    axes.plot(rates, losses, linewidth=0.6, alpha=0.5, label="loss")
    axes.plot(rates, [point.smoothed for point in points], label="smoothed")
    if rate is not None:
        axes.axvline(rate, color="black", linestyle="--", label=f"proposed: {rate:g}")
    axes.set(title="learning-rate range test", xlabel="learning rate", ylabel="training loss", xscale="log")
    if losses:
        axes.set_ylim(top=min(2 * max(losses[:_FIRST_POINTS]), 1.05 * max(losses)))
    axes.grid(alpha=0.3)
    axes.legend()
    figure.savefig(picture, dpi=110)


def draw_confusions(counted: CountedImages, picture: Path) -> None:
    """Draw which labels are taken for which into a PNG: rows are true labels, and add up to 100 %.

    Labels that are neither there nor predicted are left out. Up to 40 labels have numbers.
    """
    from matplotlib.figure import Figure

    confusion = counted.pixels.confusion.double()
    shown = ((confusion.sum(dim=0) + confusion.sum(dim=1)) > 0).nonzero()[:, 0].tolist()
    confusion = confusion[shown][:, shown]
    shares = (100 * confusion / confusion.sum(dim=1, keepdim=True).clamp(min=1)).numpy()
    names = readable_names(tuple(counted.labels.names[index] for index in shown))
    side = max(4.0, 0.42 * len(names) + 2)
    figure = Figure(figsize=(side, side), layout="constrained")
    axes = figure.subplots()
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=100)
    axes.set_xticks(range(len(names)), names, rotation=90)
    axes.set_yticks(range(len(names)), names)
    axes.set(xlabel="predicted", ylabel="true", title="% of the true pixels")
    if len(names) <= _NUMBERED_LABELS:
        for row, column in ((r, c) for r in range(len(names)) for c in range(len(names)) if shares[r, c] >= 0.5):
            colour = "white" if shares[row, column] > 60 else "black"
            axes.text(column, row, f"{shares[row, column]:.0f}", ha="center", va="center", fontsize=8, color=colour)
    choose_fonts(figure)
    figure.savefig(picture, dpi=100)


def choose_fonts(figure: Figure) -> None:
    """Give every text of a figure a font with all of its letters, where there is one and it needs another one."""
    from matplotlib.font_manager import FontProperties
    from matplotlib.text import Text

    for text in figure.findobj(Text):
        assert isinstance(text, Text)
        file = None if text.get_text().isascii() else font_file(text.get_text())
        if file is not None:
            text.set_fontproperties(FontProperties(fname=file, size=text.get_fontsize()))
