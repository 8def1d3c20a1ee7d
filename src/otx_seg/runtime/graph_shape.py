"""What the graph of an exported model has to look like."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from otx_seg.errors import UsageError

Shape = Sequence[int | None]
"""The lengths of a tensor's axes; None: left open."""


def check_shapes(
    inputs: Sequence[Shape], outputs: Sequence[Shape], classes: int, declared: tuple[int, int] | None, path: Path
) -> tuple[int, int]:
    """Make sure that a graph turns one RGB image into the probabilities of `classes` labels.

    Args:
        inputs, outputs: the shapes of the graph's inputs and outputs.
        declared: (height, width) in pixels at which to run a graph that leaves its size open, as its file says.
        path: the model, for the message.

    Returns:
        (height, width) in pixels of the image that it is to be given.

    Raises:
        UsageError: it takes or gives something else, or leaves its size open without saying at which to run it.
    """
    if not _is_segmentation(inputs, outputs, classes):
        raise UsageError(
            f"{path}: takes {_words(inputs)} and gives {_words(outputs)}; a model of this toolkit takes one image "
            f"(1, 3, H, W) and gives (1, {classes}, H, W), one probability for each of its {classes} labels"
        )
    height, width = inputs[0][2:]
    if height is not None and width is not None:
        return height, width
    if declared is None:
        raise UsageError(
            f"{path}: takes images of any size and does not say at which to run it (model_info/otx_input_size); "
            "export it again"
        )
    return declared


def _is_segmentation(inputs: Sequence[Shape], outputs: Sequence[Shape], classes: int) -> bool:
    if len(inputs) != 1 or len(outputs) != 1 or len(inputs[0]) != 4:
        return False
    batch, channels, height, width = inputs[0]
    return batch in (1, None) and channels == 3 and list(outputs[0]) == [batch, classes, height, width]


def _words(shapes: Sequence[Shape]) -> str:
    texts = ("(" + ", ".join("?" if side is None else str(side) for side in shape) + ")" for shape in shapes)
    return " and ".join(texts) or "nothing"
