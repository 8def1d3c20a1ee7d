"""What the graph of an exported model has to look like."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from otx_seg.errors import UsageError


def check_shapes(
    inputs: Sequence[Sequence[object]], outputs: Sequence[Sequence[object]], classes: int, path: Path
) -> tuple[int, int]:
    """Make sure that a graph turns one RGB image into the probabilities of `classes` labels.

    Args:
        inputs, outputs: the shapes of the graph's fixed-size inputs and outputs.
        path: the model, for the message.

    Returns:
        (height, width) of the image it takes, in pixels.

    Raises:
        UsageError: it takes or gives something else.
    """
    if len(inputs) == 1 and len(outputs) == 1 and len(inputs[0]) == 4 and all(isinstance(n, int) for n in inputs[0]):
        batch, channels, height, width = inputs[0]
        if (batch, channels) == (1, 3) and list(outputs[0]) == [1, classes, height, width]:
            return int(str(height)), int(str(width))
    raise UsageError(
        f"{path}: takes {_words(inputs)} and gives {_words(outputs)}; a model of this toolkit takes one image "
        f"(1, 3, H, W) and gives (1, {classes}, H, W), one probability for each of its {classes} labels"
    )


def _words(shapes: Sequence[Sequence[object]]) -> str:
    return " and ".join(str(tuple(shape)) for shape in shapes) or "nothing of a fixed size"
