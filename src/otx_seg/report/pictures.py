"""Pictures by Matplotlib: images beside what a model makes of them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from otx_seg.datasets import DataSpec, open_test
from otx_seg.inference.figures import choose_fonts, confusion_figure
from otx_seg.inference.pictures import pictures_of
from otx_seg.inference.predictor import load_predictor
from otx_seg.metrics.counted_images import CountedImages
from otx_seg.runtime.fonts import readable_names
from otx_seg.training.rate_range import RatePoint

_COMPARED_IMAGES = 4
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
    """Draw which labels are taken for which into a PNG, see `confusion_figure`."""
    confusion_figure(counted).savefig(picture)
