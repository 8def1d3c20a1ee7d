"""Images that show the same, and images that nearly do."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from otx_seg.deployment.agreement import drawn_images
from otx_seg.labelling.near_copies import SeenImages, thumbnail


@pytest.fixture
def image() -> np.ndarray:
    """480 x 640 pixels."""
    return cv2.resize(drawn_images((120, 160))[0], (640, 480), interpolation=cv2.INTER_CUBIC)


def test_recompressed_enlarged_and_noisy_copies_are_found(image: np.ndarray) -> None:
    seen = SeenImages([thumbnail(np.zeros_like(image)), thumbnail(image)])
    for quality in (95, 60):
        compressed = cv2.imdecode(cv2.imencode(".jpg", image, (cv2.IMWRITE_JPEG_QUALITY, quality))[1], -1)
        assert seen.copied(thumbnail(compressed)) == 1
    assert seen.copied(thumbnail(cv2.resize(image, None, fx=2, fy=2, interpolation=cv2.INTER_CUBIC))) == 1
    noisy = image + np.random.default_rng(0).normal(0, 5, image.shape)
    assert seen.copied(thumbnail(np.clip(noisy, 0, 255).astype(np.uint8))) == 1
    assert seen.copied(thumbnail(np.full_like(image, 3))) == 0


def test_a_scratch_makes_another_image(image: np.ndarray) -> None:
    seen = SeenImages([thumbnail(image)])
    scratched = image.copy()
    cv2.line(scratched, (300, 200), (330, 205), tuple(int(value) for value in 255 - image[200, 300]), 4)
    assert seen.copied(thumbnail(scratched)) is None
    assert seen.copied(thumbnail(np.ascontiguousarray(image[:, ::-1]))) is None


def test_any_number_of_images_is_seen() -> None:
    seen = SeenImages([])
    assert seen.copied(np.zeros((64, 64), np.uint8)) is None
    for number in range(300):
        one = np.zeros((64, 64), np.uint8)
        one[number // 64, number % 64] = 200
        assert seen.copied(one) is None
        seen.add(one)
    assert seen.copied(one) == 299
