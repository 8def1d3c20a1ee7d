"""A picture of images, their true masks and what a model makes of them, side by side."""

from __future__ import annotations

from pathlib import Path

from otx_seg.datasets import DataSpec, open_test
from otx_seg.inference.predictor import load_predictor
from otx_seg.runtime.fonts import readable_names
from otx_seg.runtime.overlay import overlay
from otx_seg.runtime.predict_mask import predict_mask

_IMAGES = 4


def draw_comparison(weights: Path, data_root: Path, picture: Path) -> None:
    """Draw some images of a labelled data set into a PNG: image, truth, prediction, with a legend.

    Args:
        weights: any model `load_predictor` opens.
        data_root: labelled images with the model's labels.
        picture: the PNG to write.
    """
    from matplotlib.figure import Figure
    from matplotlib.patches import Patch

    from otx_seg.report.lettering import choose_fonts

    predictor = load_predictor(weights)
    subset = open_test(DataSpec(test_root=data_root))
    step = max(1, len(subset) // _IMAGES)
    samples = subset.samples[::step][:_IMAGES]
    figure = Figure(figsize=(2.6 * len(samples), 8.2), layout="constrained")
    axes = figure.subplots(3, len(samples), squeeze=False)
    for column, sample in enumerate(samples):
        image, truth = subset.read_image(sample), subset.read_mask(sample)
        shown = (
            image,
            overlay(image, truth, subset.labels),
            overlay(image, predict_mask(predictor, image), subset.labels),
        )
        for row, (pixels, name) in enumerate(zip(shown, ("image", "truth", "prediction"), strict=True)):
            axes[row][column].imshow(pixels)
            axes[row][column].set(xticks=[], yticks=[])
            if column == 0:
                axes[row][column].set_ylabel(name)
    names = readable_names(subset.labels.names)
    patches = [
        Patch(color="#{:02x}{:02x}{:02x}".format(*subset.labels.colors[index]), label=names[index])
        for index in subset.labels.foreground
    ]
    figure.legend(handles=patches, loc="outside lower center", ncols=6, frameon=False)
    choose_fonts(figure)
    figure.savefig(picture, dpi=90)
