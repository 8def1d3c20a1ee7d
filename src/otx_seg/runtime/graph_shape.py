"""What an exported model has to be, whichever tool made it, and how a model that is something else is told."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from otx_seg.errors import UsageError
from otx_seg.labels import IGNORE_INDEX
from otx_seg.runtime.plain_files import shown

_Sides = tuple[int, int, int, int]
_CHANNELS = 3
_ROUNDING = 0.02
"""By how much probabilities may miss 0, 1 and their sum of 1: in bfloat16 they do by less."""

_REMEDY = "the documentation of deployment shows under 'Models of other tools' how to change that in a few lines"


@dataclass(frozen=True)
class Port:
    """An input or an output of a graph.

    Attributes:
        shape: the lengths of its sides, None for those that are not fixed; None: not even their number is.
        element: type of its numbers, by its name in NumPy.
    """

    shape: tuple[int | None, ...] | None
    element: str

    def __str__(self) -> str:
        if self.shape is None:
            return f"{self.element} of any shape"
        sides = ", ".join("?" if side is None else str(side) for side in self.shape)
        return f"{self.element} ({sides})"


def size_to_run_at(inputs: Sequence[Port], declared: tuple[int, int] | None, path: Path) -> tuple[int, int] | None:
    """The (height, width) in pixels at which to run a graph, or None if what it takes is not an image.

    Args:
        inputs: of the graph.
        declared: (height, width) at which to run it if it leaves its size open, as its file says.
        path: the model, for the message.

    Raises:
        UsageError: it leaves its size open without saying at which to run it.
    """
    if len(inputs) != 1 or inputs[0].shape is None or len(inputs[0].shape) != 4:
        return None
    height, width = inputs[0].shape[2:]
    if declared is not None and not all(
        side in (None, wanted) for side, wanted in zip((height, width), declared, strict=True)
    ):
        raise UsageError(
            f"{path}: takes images of {height} x {width} pixels, but says {declared[0]} x {declared[1]} "
            "(model_info/otx_input_size); export it again"
        )
    if height is not None and width is not None:
        return height, width
    if declared is None:
        raise UsageError(
            f"{path}: takes images of any size and does not say at which to run it (model_info/otx_input_size); "
            "export it again, or give it a fixed size"
        )
    return declared


def closed(port: Port, size: tuple[int, int] | None) -> Port:
    """What a port is where the graph is run on one image of this size: open axes of (B, C, H, W) or of masks (B, H, W)
    get lengths."""
    if size is None or port.shape is None or len(port.shape) not in (3, 4):
        return port
    lengths = (1, None, *size) if len(port.shape) == 4 else (1, *size)
    shape = tuple(length if side is None else side for side, length in zip(port.shape, lengths, strict=True))
    return Port(shape, port.element)


def check_graph(inputs: Sequence[Port], outputs: Sequence[Port], path: Path) -> tuple[tuple[int, int], int]:
    """Make sure that a graph turns one image into one value for each label and pixel.

    Args:
        inputs, outputs: of the graph.
        path: the model, for the message.

    Returns:
        (height, width) in pixels of the image it takes, and for how many labels it gives values.

    Raises:
        UsageError: it takes or gives something else, or leaves its size open without saying at which to run it.
    """
    reason = _odd_input(inputs) or _odd_output(outputs, inputs[0])
    if reason is None:
        (_, _, height, width), (_, classes, _, _) = (cast("_Sides", ports[0].shape) for ports in (inputs, outputs))
        return (height, width), classes
    taken, given = (" and ".join(map(str, ports)) or "nothing" for ports in (inputs, outputs))
    raise UsageError(
        f"{path}: {reason}: it takes {taken} and gives {given}. Needed is a model for semantic segmentation that takes "
        "one RGB image, float32 (1, 3, H, W), and gives the probability of each label at each pixel, float32 "
        f"(1, K, H, W); {_REMEDY}"
    )


def check_mask_graph(inputs: Sequence[Port], outputs: Sequence[Port], path: Path) -> tuple[int, int]:
    """Make sure that a graph that says so turns one image into a mask.

    Args:
        inputs, outputs: of the graph.
        path: the model, for the message.

    Returns:
        (height, width) in pixels of the image it takes.

    Raises:
        UsageError: it takes or gives something else.
    """
    reason = _odd_input(inputs)
    if reason is None:
        _, _, height, width = cast("_Sides", inputs[0].shape)
        if [(port.shape, port.element) for port in outputs] == [((1, height, width), "uint8")]:
            return height, width
    given = " and ".join(map(str, outputs)) or "nothing"
    raise UsageError(
        f"{path}: says that it gives a mask, uint8 (1, H, W), of one RGB image, float32 (1, 3, H, W), but it "
        f"{reason or f'gives {given}'}; export it again"
    )


def _odd_input(inputs: Sequence[Port]) -> str | None:
    """What is not as it has to be, or None."""
    if len(inputs) != 1:
        return f"has {len(inputs)} inputs"
    (port,) = inputs
    if port.shape is None or len(port.shape) != 4:
        return "takes no image"
    if None in port.shape:
        return "takes images of no fixed size"
    batch, channels, _, last = port.shape
    if last in (1, _CHANNELS) and channels != _CHANNELS:
        return "takes images whose channels come last"
    if channels != _CHANNELS:
        return "takes images of one channel" if channels == 1 else f"takes images of {channels} channels"
    if batch != 1:
        return f"takes {batch} images at a time"
    return None if port.element == "float32" else f"takes numbers of the type {port.element}"


def _odd_output(outputs: Sequence[Port], image: Port) -> str | None:
    """What is not as it has to be, or None; `image` is the input that was found to be right."""
    assert image.shape is not None
    size = image.shape[2:]
    if any(_looks_like_boxes(port, size) for port in outputs):
        return "gives lists, such as boxes: it looks like a model for object detection"
    if len(outputs) != 1:
        return f"has {len(outputs)} outputs"
    shape = outputs[0].shape
    if shape is None or None in shape:
        return "gives results of no fixed size"
    if len(shape) == 2 or (len(shape) == 4 and shape[2:] == (1, 1) != size):
        return "gives values for the image as a whole: it looks like a model for classification"
    if shape[-2:] == size and (len(shape) == 3 or shape[1] == 1):
        return "gives a single value for each pixel, a label's number or one label's probability"
    if len(shape) != 4:
        return "gives no value for each label and pixel"
    if shape[1:3] == size:
        return "gives results whose channels come last"
    if shape[2:] != size:
        return f"gives {shape[2]} x {shape[3]} values for images of {size[0]} x {size[1]} pixels"
    if shape[0] != 1 or not 2 <= (shape[1] or 0) <= IGNORE_INDEX:
        return f"gives values for {shape[1]} labels"
    return None if outputs[0].element == "float32" else f"gives numbers of the type {outputs[0].element}"


def _looks_like_boxes(port: Port, size: tuple[int | None, ...]) -> bool:
    """(N, 4 to 7), (1, N, n) or (1, 1, N, 7), where N may depend on the image."""
    shape = port.shape
    if shape is None or len(shape) not in (2, 3, 4) or shape[-2:] == size:
        return False
    if len(shape) == 2:
        return shape[0] != 1 and shape[1] in (4, 5, 6, 7)
    return len(shape) == 3 or (shape[:2] == (1, 1) and shape[3] == 7)


def first_line(error: Exception) -> str:
    """The beginning of what a library says of a fault, which may be a text of many lines."""
    return next((line for line in map(str.strip, str(error).splitlines()) if line), type(error).__name__)[:400]


def check_constants(constants: Iterable[tuple[str, NDArray[np.floating]]], path: Path) -> None:
    """Make sure that the numbers of a model whose file has no digest are numbers.

    What is infinite is let through where all else is 0: such constants are limits and masks.

    Args:
        constants: names and values.
        path: the model, for the message.

    Raises:
        UsageError: some are not.
    """
    for name, values in constants:
        odd = ~np.isfinite(values)
        if odd.any() and (np.isnan(values).any() or values[~odd].any()):
            raise UsageError(
                f"{path}: {np.count_nonzero(odd):,} of {values.size:,} values of the constant {shown(name)} are "
                "NaN or infinite; restore the file, or create it again"
            )


def check_mask(
    give: Callable[[NDArray[np.uint8]], NDArray[np.uint8]], size: tuple[int, int], labels: int, path: Path
) -> None:
    """As `check_probabilities`, of a model that gives masks.

    Raises:
        UsageError: it fails, or gives other values than 0 to `labels` - 1.
    """
    highest = int(_of_noise(give, size, path).max())
    if highest >= labels:
        raise UsageError(f"{path}: gives the label {highest}, but has {labels}; restore the file, or create it again")


def _of_noise(give: Callable[[NDArray[np.uint8]], Any], size: tuple[int, int], path: Path) -> NDArray[Any]:
    try:
        found: NDArray[Any] = give(np.random.default_rng(0).integers(0, 256, (1, _CHANNELS, *size), np.uint8))
    except RuntimeError as error:
        raise UsageError(f"{path}: fails on an image of {size[0]} x {size[1]} pixels ({first_line(error)})") from error
    return found


def check_probabilities(
    give: Callable[[NDArray[np.uint8]], NDArray[np.float32]], size: tuple[int, int], path: Path
) -> None:
    """Make sure, with an image of noise, that a model whose file has no digest of this toolkit gives probabilities.

    Args:
        give: what it makes of an image, uint8 (1, 3, h, w): float32 (1, K, h, w).
        size: (height, width) in pixels of the image.
        path: the model, for the message.

    Raises:
        UsageError: it fails, or gives something else, such as logits.
    """
    values = _of_noise(give, size, path)
    if not np.isfinite(values).all():
        raise UsageError(
            f"{path}: gives values that are NaN or infinite: numbers in it are damaged or far too large; "
            "restore the file, or create it again"
        )
    low, high, sums = float(values.min()) + 0.0, float(values.max()) + 0.0, values.sum(axis=1)  # + 0.0: no -0
    if low < -_ROUNDING or high > 1 + _ROUNDING:
        found = f"values from {low:.3g} to {high:.3g}, as a network does before its softmax"
    elif np.abs(sums - 1).max() > _ROUNDING:
        found = f"values that add up to {sums.min():.3g} to {sums.max():.3g} over the labels, not to 1"
    else:
        return
    raise UsageError(f"{path}: gives {found}; probabilities are needed; {_REMEDY}")
