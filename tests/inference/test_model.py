"""A finished model for programs."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal

import otx_seg
from otx_seg.deployment.agreement import drawn_images
from otx_seg.errors import UsageError
from otx_seg.models.network import SegmentationNetwork


@pytest.fixture(scope="module", params=["tiny_weights", "tiny_ir", "tiny_onnx"])
def model(request: pytest.FixtureRequest) -> otx_seg.Model:
    return otx_seg.Model.load(str(request.getfixturevalue(request.param)), device="cpu")


def test_what_it_tells_of_itself(model: otx_seg.Model) -> None:
    assert model.labels == ("background", "red brick", "pole", "sky")
    assert model.input_size == (64, 64)
    assert model.kind in ("torch", "openvino", "onnx")


def test_an_image_as_large_as_the_input(model: otx_seg.Model, tiny_network: SegmentationNetwork) -> None:
    (image, *_) = drawn_images((64, 64))
    with torch.no_grad():
        probabilities = tiny_network(torch.from_numpy(image.transpose(2, 0, 1)[None].copy())).softmax(1)[0].numpy()
    found = model.predict(image)
    assert (found.mask.dtype, found.confidence.dtype) == (np.uint8, np.float32)
    assert np.mean(found.mask == probabilities.argmax(0)) > 0.999
    assert_allclose(found.confidence, probabilities.max(0), atol=1e-3)


def test_masks_are_as_large_as_their_images(model: otx_seg.Model) -> None:
    images = [drawn_images(size)[0] for size in ((48, 80), (100, 30), (1, 1))]
    together = model.predict(images)
    assert [found.mask.shape for found in together] == [found.confidence.shape for found in together]
    assert [found.mask.shape for found in together] == [(48, 80), (100, 30), (1, 1)]
    for image, found in zip(images, together, strict=True):
        alone = model.predict(image)
        assert_array_equal(alone.mask, found.mask)
        assert_allclose(alone.confidence, found.confidence, atol=1e-4)
        # The largest of four probabilities, mixed between pixels.
        assert 0.25 <= found.confidence.min() <= found.confidence.max() <= 1


def test_a_batch_and_grey_images(model: otx_seg.Model) -> None:
    grey = drawn_images((20, 24))[0][:, :, 0]
    colour = np.repeat(grey[:, :, None], 3, axis=2)
    batch = model.predict(np.stack([colour] * 9))
    assert len(batch) == 9
    for found in (*batch, model.predict(grey)):
        assert_array_equal(found.mask, batch[0].mask)
    assert model.predict([]) == []


def test_threads_share_it(model: otx_seg.Model) -> None:
    images = [image for image in drawn_images((40, 40)) for _ in range(4)]
    expected = model.predict(images)
    with ThreadPoolExecutor(4) as pool:
        for found, wanted in zip(pool.map(model.predict, images), expected, strict=True):
            assert_array_equal(found.mask, wanted.mask)


@pytest.mark.parametrize(
    ("image", "message"),
    [
        (np.zeros((4, 4, 3), np.float32), r"the image is float32 \(4, 4, 3\); an image is uint8"),
        (np.zeros((4, 4, 4), np.uint8), r"the image is uint8 \(4, 4, 4\)"),
        (np.zeros((0, 4, 3), np.uint8), r"the image is uint8 \(0, 4, 3\)"),
        ([np.zeros((4, 4, 3), np.uint8), "a.png"], "image 1 is no NumPy array but str"),
    ],
)
def test_what_is_no_image(model: otx_seg.Model, image: object, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        model.predict(image)  # type: ignore[call-overload]


def test_what_is_no_model(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"nothing\.xml"):
        otx_seg.Model.load(tmp_path / "nothing.xml")
