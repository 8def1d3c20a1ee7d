"""The mask of an image of any size: of all of it at once, or from overlapping windows, in bounded memory.

The windows lie on a canvas: the image, scaled so that a window has the network's input size. Probabilities are added
up on the canvas, in a band one window high, and turned into the mask's rows as soon as no further window reaches them.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from otx_seg.errors import UsageError
from otx_seg.runtime.augmented_views import ONE_VIEW, AugmentedViews, probabilities_of
from otx_seg.runtime.crops import Box, crop, network_input, shares, starts, whole
from otx_seg.runtime.masks import PIXELS_AT_ONCE, PostProcessing, Record, decide, mask_at, mask_from, neighbours
from otx_seg.runtime.predictor import Predictor

DEFAULT_OVERLAP = 0.25
_LARGEST_SIDE = 100_000
_MOST_ENLARGED = 8
_BYTES_AT_ONCE = 1 << 29
"""Of the band of probabilities. Images for which it would take more are worked on in strips of columns."""


@dataclass(frozen=True)
class SlidingWindow:
    """How an image is cut.

    Attributes:
        height, width: of a window, in pixels of the image; each window is resized to the network's input size.
        overlap: share of a window's side, 0 to below 1, that it has in common with the next one; at least.
    """

    height: int
    width: int
    overlap: float = DEFAULT_OVERLAP

    def __post_init__(self) -> None:
        """Raises UsageError: a side or the overlap is out of range."""
        for side in (self.height, self.width):
            if not 1 <= side <= _LARGEST_SIDE:
                raise UsageError(f"a sliding window's sides are 1 to {_LARGEST_SIDE} pixels: {self}")
        if not 0 <= self.overlap < 1:
            raise UsageError(f"the overlap of sliding windows is at least 0 and below 1: {self.overlap:g}")

    def __str__(self) -> str:
        return f"{self.height}x{self.width}"


def parse_window(text: str | None, overlap: float | None) -> SlidingWindow | None:
    """Read ``HEIGHTxWIDTH`` in pixels; None for None.

    Args:
        overlap: None for the default.

    Raises:
        UsageError: something else, out of range, or an overlap without a window.
    """
    if text is None:
        if overlap is not None:
            raise UsageError("an overlap without a sliding window changes nothing; name the window, such as 512x512")
        return None
    match = re.fullmatch(r"(\d{1,9})x(\d{1,9})", text.strip())
    if match is None:
        raise UsageError(f"{text!r} is not a sliding window: give HEIGHTxWIDTH in pixels, such as 512x512")
    return SlidingWindow(int(match[1]), int(match[2]), DEFAULT_OVERLAP if overlap is None else overlap)


class _Side:
    """Rows or columns: of the canvas, where windows lie on them, and of the mask, which lies between them."""

    def __init__(self, image: int, window: int, network: int, overlap: float) -> None:
        if window * _MOST_ENLARGED < min(network, image):
            raise UsageError(
                f"a sliding window's side of {window} pixels would be enlarged more than {_MOST_ENLARGED} times to the "
                f"{network} the network takes; choose larger windows, best the network's input size"
            )
        self.image, self.network = image, network
        self.canvas = network if window >= image else max(network, round(image * network / window))
        self.starts = starts(self.canvas, network, overlap)
        self.shares = shares(self.starts, network)
        self.before, self.after, self.share = neighbours(self.canvas, image)

    def part(self, start: int) -> tuple[float, float]:
        """(begin, extent) in pixels of the image of the window that begins at `start` on the canvas."""
        return start * self.image / self.canvas, self.network * self.image / self.canvas

    def needed(self, wanted: slice, reach: int) -> tuple[int, int]:
        """(first, one after the last) canvas row or column behind the `wanted` ones of the mask, blurred by `reach`."""
        return max(0, self.before[wanted][0] - reach), min(self.canvas, self.after[wanted][-1] + reach + 1)

    def covered_by(self, complete: int, reach: int) -> int:
        """How many rows or columns of the mask follow from the first `complete` ones of the canvas."""
        if complete == self.canvas:
            return self.image
        return int(np.searchsorted(self.after + reach, complete))

    def blend(self, values: NDArray[np.float32], first: int, wanted: slice, axis: int) -> NDArray[np.float32]:
        """The `wanted` rows or columns of the mask, from those of the canvas from `first` on; a copy."""
        mixed = np.take(values, self.before[wanted] - first, axis)
        if self.canvas == self.image:
            return mixed
        share = self.share[wanted] if axis == 0 else self.share[wanted].T
        mixed += (np.take(values, self.after[wanted] - first, axis) - mixed) * share
        return mixed


class _Band:
    """The probabilities of some columns of the canvas, in those of its rows that windows still reach."""

    def __init__(self, classes: int, rows: _Side, columns: _Side, wanted: slice, post_processing: PostProcessing):
        """Choose the `wanted` columns of the mask, for a model of `classes` labels."""
        self._rows, self._columns, self._wanted = rows, columns, wanted
        self._post_processing = post_processing
        self._reach = post_processing.reach
        self._left, self._right = columns.needed(wanted, self._reach)
        # Rows before a window are kept where rows of the mask lie between them and those of the window.
        height = rows.network + 2 * self._reach + 1
        self._planes = np.zeros((classes, height, self._right - self._left), np.float32)
        self._top = 0  # of the band, on the canvas

    def move_to(self, top: int) -> None:
        """Begin with row `top` of the canvas."""
        passed = top - self._top
        if passed:
            for plane in self._planes:
                plane[:-passed] = plane[passed:]
                plane[-passed:] = 0
        self._top = top

    def add_windows(self, number: int, probabilities_of: Callable[[Box], NDArray[np.float32]]) -> None:
        """Add the windows of row `number`, from left to right, as far as they have anything in these columns."""
        start = self._rows.starts[number]
        begin, height = self._rows.part(start)
        down = self._rows.shares[number][:, None]
        for left, across in zip(self._columns.starts, self._columns.shares, strict=True):
            first, last = max(left, self._left), min(left + self._columns.network, self._right)
            if first >= last:
                continue
            offset, width = self._columns.part(left)
            seen = slice(first - left, last - left)
            found = probabilities_of(Box(begin, offset, height, width))[:, :, seen]
            place = self._planes[:, start - self._top :][:, : self._rows.network]
            place[:, :, first - self._left : last - self._left] += found * (down * across[seen])

    def write(self, done: int, end: int, mask: NDArray[np.uint8], record: Record | None) -> None:
        """Fill rows `done` to `end` of the mask (H, W) in these columns, and tell `record`."""
        labels = mask[:, self._wanted]
        # A blur reaches over the ends of what it gets: the more rows at once, the fewer are smoothed twice.
        step = max(1, PIXELS_AT_ONCE // labels.shape[1], 4 * self._reach)
        for first in range(done, end, step):
            wanted = slice(first, min(end, first + step))
            top, bottom = self._rows.needed(wanted, self._reach)
            smooth = self._post_processing.smoothed(self._planes[:, top - self._top : bottom - self._top])
            decided = self._post_processing.thresholded(smooth)
            blend = functools.partial(self._blended, top=top, rows=wanted)
            decide(blend, smooth, decided, labels[wanted], (wanted, self._wanted), record)

    def _blended(self, planes: Iterable[NDArray[np.float32]], top: int, rows: slice) -> Iterator[NDArray[np.float32]]:
        """The `rows` of the mask, from planes of the canvas that begin with its row `top`."""
        for plane in planes:
            yield self._columns.blend(self._rows.blend(plane, top, rows, 0), self._left, self._wanted, 1)


def mask_by_windows(
    probabilities_of: Callable[[Box], NDArray[np.float32]],
    classes: int,
    image_size: tuple[int, int],
    input_size: tuple[int, int],
    window: SlidingWindow,
    post_processing: PostProcessing,
    record: Record | None = None,
) -> NDArray[np.uint8]:
    """The index mask of an image.

    Where windows overlap, their probabilities are averaged with weights that fall towards a window's border. Then
    comes the post-processing, then the probabilities are resized bilinearly to the image's size, and the largest wins.
    A side of the image shorter than the window's is covered by one window of its own length. Memory beyond the mask is
    bounded by half a gigabyte and what a few windows take, and no pixel depends on how the work is divided.

    Args:
        probabilities_of: the probabilities of a part of the image, float32 (K, h, w).
        classes: K.
        image_size: (H, W) in pixels.
        input_size: (h, w) in pixels, of the network.
        record: see `Record`.

    Returns:
        uint8 (H, W), values 0..K-1.

    Raises:
        UsageError: the windows are much smaller than the network's input.
    """
    rows = _Side(image_size[0], window.height, input_size[0], window.overlap)
    columns = _Side(image_size[1], window.width, input_size[1], window.overlap)
    mask = np.zeros(image_size, np.uint8)
    bytes_per_column = 4 * classes * rows.network * columns.canvas / columns.image
    width = max(1, int(_BYTES_AT_ONCE / bytes_per_column))
    for left in range(0, columns.image, width):
        band = _Band(classes, rows, columns, slice(left, min(columns.image, left + width)), post_processing)
        done = 0
        for number, start in enumerate(rows.starts):
            band.move_to(min(start, rows.needed(slice(done, done + 1), post_processing.reach)[0]))
            band.add_windows(number, probabilities_of)
            complete = rows.starts[number + 1] if number + 1 < len(rows.starts) else rows.canvas
            end = rows.covered_by(complete, post_processing.reach)
            band.write(done, end, mask, record)
            if end == rows.image:
                break
            done = end
    return mask


def _votes(predictor: Predictor, image: NDArray[np.uint8], box: Box) -> NDArray[np.float32]:
    """In place of probabilities (K, h, w) of a part of an image: 1 for the label that a model gives, 0 for others."""
    labels = predictor.masks(crop(image, box, predictor.input_size))[0]
    return (labels == np.arange(len(predictor.labels), dtype=np.uint8)[:, None, None]).astype(np.float32)


def predict_mask(
    predictor: Predictor,
    image: NDArray[np.uint8],
    window: SlidingWindow | None = None,
    views: AugmentedViews = ONE_VIEW,
    record: Record | None = None,
) -> NDArray[np.uint8]:
    """The label of every pixel of an image.

    Args:
        image: uint8 RGB (H, W, 3).
        window: cut the image into such overlapping parts, each resized to the model's input size; None: resize all of
            it.
        views: looks to average.
        record: see `Record`.

    Returns:
        uint8 (H, W), values 0..K-1.

    Raises:
        UsageError: the window is much smaller than the model's input size; or views are to be averaged, or there is a
            `record`, and the model gives masks.
    """
    size = (image.shape[0], image.shape[1])
    one_window = window is None or (window.height >= size[0] and window.width >= size[1])
    if predictor.gives_masks and views == ONE_VIEW and record is None:
        if one_window:
            return mask_from(predictor.masks(network_input(image, predictor.input_size))[0], size)
        look = functools.partial(_votes, predictor, image)
    else:
        look = functools.partial(probabilities_of, predictor, image, views=views)
    if window is None or one_window:
        return mask_at(look(whole(image)), size, predictor.post_processing, record)
    classes = len(predictor.labels)
    return mask_by_windows(look, classes, size, predictor.input_size, window, predictor.post_processing, record)
