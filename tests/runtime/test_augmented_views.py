import cv2
import numpy as np
import pytest
from numpy.testing import assert_allclose

from otx_seg.errors import UsageError
from otx_seg.labels import Labels, default_colors
from otx_seg.runtime.augmented_views import ONE_VIEW, AugmentedViews, mirrored, parse_views, probabilities_of
from otx_seg.runtime.crops import Box, crop, resample, whole
from otx_seg.runtime.masks import PLAIN_ARGMAX

SIZE = (32, 48)


class Model:
    """Says how red a pixel is, and remembers what it was shown. With `lopsided`, the more to the left the more so."""

    gives_masks = False
    kind = "torch"
    input_size = SIZE
    template = None
    post_processing = PLAIN_ARGMAX
    labels = Labels(("red", "other"), default_colors(2), None)

    def __init__(self, lopsided: bool = False) -> None:
        self.seen: list[np.ndarray] = []
        self._factor = np.linspace(1, 0, SIZE[1], dtype=np.float32) if lopsided else np.float32(1)

    def probabilities(self, images: np.ndarray) -> np.ndarray:
        self.seen += list(np.asarray(images))
        red = np.asarray(images)[:, 0].astype(np.float32) / 255 * self._factor
        return np.stack([red, 1 - red], axis=1)


IMAGE = cv2.resize(
    np.random.default_rng(0).integers(0, 256, (6, 8, 3), dtype=np.uint8), (90, 70), interpolation=cv2.INTER_CUBIC
)


def test_the_mirror_image_is_turned_back_and_averaged() -> None:
    batch = crop(IMAGE, whole(IMAGE), SIZE)
    red = batch[:, 0] / 255
    found = mirrored(Model(lopsided=True)).probabilities(batch)
    assert_allclose(found[:, 0], red / 2, atol=1e-6)  # the factors of a place and of its mirror image sum to 1
    assert_allclose(found.sum(axis=1), 1, atol=1e-6)


def test_one_view_is_the_plain_answer() -> None:
    model = Model()
    found = probabilities_of(model, IMAGE, whole(IMAGE), ONE_VIEW)
    assert_allclose(found, Model().probabilities(crop(IMAGE, whole(IMAGE), SIZE))[0])
    assert len(model.seen) == 1


def test_enlarged_parts_are_put_together_where_they_belong() -> None:
    model = Model()
    found = probabilities_of(model, IMAGE, whole(IMAGE), AugmentedViews(scales=(1.5,)))
    larger = cv2.resize(IMAGE, (72, 48), interpolation=cv2.INTER_LINEAR).transpose(2, 0, 1)
    assert len(model.seen) == 1 + 4
    for seen, (top, left) in zip(model.seen[1:], [(0, 0), (0, 24), (16, 0), (16, 24)], strict=True):
        assert_allclose(seen, larger[:, top : top + 32, left : left + 48], atol=6)
    # A model that looks at each pixel by itself says the same in every size.
    assert_allclose(found, probabilities_of(Model(), IMAGE, whole(IMAGE), ONE_VIEW), atol=0.05)


def test_a_smaller_look_has_surroundings() -> None:
    model = Model()
    part = Box(20, 30, 32, 36)
    found = probabilities_of(model, IMAGE, part, AugmentedViews(scales=(0.8,)))
    assert_allclose(model.seen[0], crop(IMAGE, part, SIZE)[0])
    assert_allclose(model.seen[1], crop(IMAGE, Box(16, 25.5, 40, 45), SIZE)[0])
    assert_allclose(found, probabilities_of(Model(), IMAGE, part, ONE_VIEW), atol=0.05)


def test_beyond_the_edge_the_image_is_mirrored() -> None:
    model = Model()
    probabilities_of(model, IMAGE, whole(IMAGE), AugmentedViews(scales=(0.5,)))
    padded = cv2.copyMakeBorder(IMAGE, 35, 35, 45, 45, cv2.BORDER_REFLECT_101)
    expected = cv2.resize(padded, SIZE[::-1], interpolation=cv2.INTER_LINEAR)
    assert_allclose(model.seen[1], expected.transpose(2, 0, 1), atol=6)


def test_all_looks_count_alike() -> None:
    class Counting(Model):
        def probabilities(self, images: np.ndarray) -> np.ndarray:
            self.seen += list(images)
            likely = np.full((1, *SIZE), {1: 0.8, 2: 0.5}.get(len(self.seen), 0.2), np.float32)
            return np.stack([likely, 1 - likely], axis=1)

    found = probabilities_of(Counting(), IMAGE, whole(IMAGE), AugmentedViews(scales=(0.5, 2)))
    assert_allclose(found[0], (0.8 + 0.5 + 0.2) / 3, atol=1e-6)


def test_resampling_against_cv2() -> None:
    plane = IMAGE[..., 0].astype(np.float32)
    assert_allclose(resample(plane, Box(0, 0, 70, 90), (35, 60)), cv2.resize(plane, (60, 35)), atol=1.5)
    assert_allclose(resample(plane, Box(10, 20, 30, 40), (30, 40)), plane[10:40, 20:60])


def test_a_side_longer_than_opencv_can_address() -> None:
    row = np.repeat(np.linspace(0, 255, 100_000).astype(np.uint8)[None], 3, axis=0)
    found = resample(row, Box(0, 0, 3, 100_000), (3, 100))
    assert_allclose(found[1], cv2.resize(row, (100, 3))[1], atol=1)


def test_reading() -> None:
    assert parse_views("flip") == AugmentedViews(flip=True)
    assert parse_views("0.75,1.25") == AugmentedViews(scales=(0.75, 1.25))
    assert parse_views("1.5, flip") == AugmentedViews(flip=True, scales=(1.5,))
    assert str(parse_views("1.50,flip")) == "flip,1.5"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("flop", "'flop' is no test-time augmentation: give flip, scales"),
        ("", "is no test-time augmentation"),
        ("flip,", "is no test-time augmentation"),
        ("nan", "is no test-time augmentation"),
        ("0", "is 0.5 to 2.0: 0"),
        ("-1.5", "is 0.5 to 2.0: -1.5"),
        ("inf", "is 0.5 to 2.0: inf"),
        ("1", "has the scale 1 in any case"),
        ("0.75,0.75", "scale 0.75 of test-time augmentation is given twice"),
        ("flip,flip", "flip is given twice"),
    ],
)
def test_what_is_refused(text: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        parse_views(text)
