"""Windows against a slow, literal computation of what they are meant to do."""

import cv2
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from otx_seg.errors import UsageError
from otx_seg.labels import Labels, default_colors
from otx_seg.runtime import predict_mask as module
from otx_seg.runtime.augmented_views import parse_views
from otx_seg.runtime.crops import Box, shares, starts
from otx_seg.runtime.masks import PLAIN_ARGMAX, PostProcessing
from otx_seg.runtime.predict_mask import DEFAULT_OVERLAP, SlidingWindow, mask_by_windows, parse_window, predict_mask

CLASSES = 3
INPUT = (12, 16)


def probabilities_at(box: Box) -> np.ndarray:
    """What a model might say of a box, different for every box and place."""
    seed = [round(1000 * value) for value in box]
    values = np.random.default_rng(seed).random((CLASSES, *INPUT))
    return (values / values.sum(axis=0)).astype(np.float32)


def begins(length: int, side: int, overlap: float) -> list[int]:
    count = 1
    while side + (count - 1) * int(side * (1 - overlap)) < length:
        count += 1
    return [round(place) for place in np.linspace(0, length - side, count)]


def literally(size: tuple[int, int], canvas: tuple[int, int], overlap: float, blur: int = 1) -> np.ndarray:
    """Every window on one canvas in memory, every pixel by itself."""
    total, weight = np.zeros((CLASSES, *canvas)), np.zeros(canvas)
    ramps = [[min(place + 1, side - place) for place in range(side)] for side in INPUT]
    for top in begins(canvas[0], INPUT[0], overlap):
        for left in begins(canvas[1], INPUT[1], overlap):
            scale = size[0] / canvas[0], size[1] / canvas[1]
            box = Box(top * scale[0], left * scale[1], INPUT[0] * scale[0], INPUT[1] * scale[1])
            found = probabilities_at(box)
            for y in range(INPUT[0]):
                for x in range(INPUT[1]):
                    share = ramps[0][y] * ramps[1][x]
                    total[:, top + y, left + x] += share * found[:, y, x]
                    weight[top + y, left + x] += share
    mean = total / weight
    if blur > 1:
        mean = np.stack([cv2.blur(plane, (blur, blur)) for plane in mean])
    planes = [cv2.resize(plane, size[::-1], interpolation=cv2.INTER_LINEAR) for plane in mean]
    return np.stack(planes).argmax(axis=0)


# Size of the image, of the windows, and of the canvas that follows: at the input size, larger, smaller, and other
# than the network's shape; images lower or narrower than a window; and windows that share nearly everything.
CASES = [
    ((50, 70), (12, 16), (50, 70)),
    ((61, 103), (24, 32), (30, 52)),
    ((37, 41), (6, 4), (74, 164)),
    ((90, 40), (30, 16), (36, 40)),
    ((9, 90), (12, 16), (12, 90)),
    ((90, 10), (12, 16), (90, 16)),
    ((13, 17), (12, 16), (13, 17)),
]


@pytest.mark.parametrize("overlap", [0, 0.25, 0.6])
@pytest.mark.parametrize(("size", "window", "canvas"), CASES)
@pytest.mark.parametrize("blur", [1, 4])
def test_equals_the_literal_computation(size, window, canvas, overlap, blur) -> None:
    chosen = SlidingWindow(*window, overlap)
    found = mask_by_windows(probabilities_at, CLASSES, size, INPUT, chosen, PostProcessing(0.0, blur))
    assert found.dtype == np.uint8
    assert found.shape == size
    # Only rounding may decide otherwise, where two labels are equally likely.
    assert (found == literally(size, canvas, overlap, blur)).mean() > 0.998


@pytest.mark.parametrize(("size", "window", "canvas"), CASES)
@pytest.mark.parametrize("blur", [1, 5])
def test_no_pixel_depends_on_how_the_work_is_divided(size, window, canvas, blur, monkeypatch) -> None:
    def found():
        chosen = SlidingWindow(*window, 0.3)
        return mask_by_windows(probabilities_at, CLASSES, size, INPUT, chosen, PostProcessing(0.0, blur))

    whole = found()
    for columns in (1, 7, 33):
        monkeypatch.setattr(module, "_BYTES_AT_ONCE", 4 * CLASSES * INPUT[0] * columns)
        for pixels in (1, 200):
            monkeypatch.setattr(module, "PIXELS_AT_ONCE", pixels)
            assert (found() == whole).mean() > (0.9995 if blur > 1 else 0.99999)


def test_soft_threshold_comes_after_the_average() -> None:
    # Two windows say 0.9 and 0.1 for label 1 wherever they look: where they meet, neither is above the threshold.
    def look(box: Box) -> np.ndarray:
        likely = 0.9 if box.left == 0 else 0.1
        return np.stack([np.full(INPUT, 1 - likely), np.full(INPUT, likely)]).astype(np.float32)

    found = mask_by_windows(look, 2, (12, 24), INPUT, SlidingWindow(12, 16, 0.5), PostProcessing(0.8, 1))
    # Label 1 needs a share of 7/8 of the left window; the windows share columns 8 to 15, with weights 8:1, 7:2, ...
    assert_array_equal(found[5], [1] * 9 + [0] * 15)


def test_starts() -> None:
    assert starts(16, 16, 0.25) == [0]
    assert starts(17, 16, 0.25) == [0, 1]
    assert starts(40, 16, 0.25) == [0, 12, 24]
    assert starts(41, 16, 0.25) == [0, 8, 17, 25]
    assert starts(20, 16, 0.99) == [0, 1, 2, 3, 4]
    assert starts(48, 16, 0) == [0, 16, 32]


def test_shares_sum_to_1_and_fall_towards_the_border() -> None:
    places = starts(41, 16, 0.25)
    total = np.zeros(41)
    for begin, share in zip(places, shares(places, 16), strict=True):
        assert share.min() > 0
        total[begin : begin + 16] += share
    assert_allclose(total, 1, atol=1e-6)
    first = shares([0, 12], 16)[0]
    assert_allclose(first, [1] * 12 + [4 / 5, 3 / 5, 2 / 5, 1 / 5], rtol=1e-6)


class Painter:
    """A model that says for each pixel how red, green and blue it is, and remembers what it was shown."""

    gives_masks = False
    kind = "torch"
    input_size = INPUT
    template = None
    post_processing = PLAIN_ARGMAX
    labels = Labels(("red", "green", "blue"), default_colors(3), None)

    def __init__(self) -> None:
        self.seen: list[np.ndarray] = []

    def probabilities(self, images: np.ndarray) -> np.ndarray:
        self.seen += list(np.asarray(images))
        bright = np.asarray(images).astype(np.float32) + 1
        return bright / bright.sum(axis=1, keepdims=True)


NOISE = np.random.default_rng(3).integers(0, 256, (40, 60, 3), dtype=np.uint8)


def test_at_full_resolution_a_model_sees_the_pixels_themselves() -> None:
    model = Painter()
    found = predict_mask(model, NOISE, SlidingWindow(12, 16, 0.25))
    assert_array_equal(found, NOISE.argmax(axis=2))
    assert len(model.seen) == len(starts(40, 12, 0.25)) * len(starts(60, 16, 0.25)) == 5 * 5
    assert_array_equal(model.seen[6], NOISE[7:19, 11:27].transpose(2, 0, 1))


@pytest.mark.parametrize("window", ["40x60", "100x100"])
def test_a_window_as_large_as_the_image_changes_nothing(window: str) -> None:
    model = Painter()
    assert_array_equal(predict_mask(model, NOISE, parse_window(window, None)), predict_mask(model, NOISE))
    assert len(model.seen) == 2


def test_larger_windows_show_the_image_smaller() -> None:
    smooth = cv2.resize(NOISE[:5, :6], (60, 40), interpolation=cv2.INTER_CUBIC)
    model = Painter()
    found = predict_mask(model, smooth, SlidingWindow(24, 32, 0.25))
    assert_allclose(model.seen[0], cv2.resize(smooth, (30, 20))[:12, :16].transpose(2, 0, 1), atol=6)
    assert (found == smooth.argmax(axis=2)).mean() > 0.95


def test_windows_with_augmented_views() -> None:
    smooth = cv2.resize(NOISE[:5, :6], (60, 40), interpolation=cv2.INTER_CUBIC)
    found = predict_mask(Painter(), smooth, SlidingWindow(12, 16, 0.25), parse_views("flip,0.75,1.5"))
    assert (found == smooth.argmax(axis=2)).mean() > 0.95


def test_reading_a_window() -> None:
    assert parse_window("512x640", 0.5) == SlidingWindow(512, 640, 0.5)
    assert parse_window(" 512x640", None) == SlidingWindow(512, 640, DEFAULT_OVERLAP)
    assert parse_window(None, None) is None
    assert str(SlidingWindow(512, 640)) == "512x640"


@pytest.mark.parametrize("text", ["512", "512X512", "512x", "x", "-5x10", "1.5x2", "512x512x3", "", "a lot"])
def test_a_mistyped_window(text: str) -> None:
    with pytest.raises(UsageError, match="is not a sliding window: give HEIGHTxWIDTH"):
        parse_window(text, None)


@pytest.mark.parametrize("text", ["0x512", "512x0", "100001x5"])
def test_a_window_out_of_range(text: str) -> None:
    with pytest.raises(UsageError, match="sides are 1 to 100000 pixels: "):
        parse_window(text, None)


@pytest.mark.parametrize("overlap", [-0.1, 1, 1.5, float("nan"), float("inf")])
def test_an_overlap_out_of_range(overlap: float) -> None:
    with pytest.raises(UsageError, match="overlap of sliding windows is at least 0 and below 1"):
        SlidingWindow(5, 5, overlap)


def test_an_overlap_without_windows() -> None:
    with pytest.raises(UsageError, match="without a sliding window"):
        parse_window(None, 0.5)


def test_a_window_that_would_be_enlarged_beyond_reason() -> None:
    with pytest.raises(UsageError, match="side of 1 pixels would be enlarged more than 8 times to the 12"):
        predict_mask(Painter(), NOISE, SlidingWindow(1, 16))
