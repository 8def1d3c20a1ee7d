"""Maps of confidences and probabilities, and what they say of an image as a whole."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
import tifffile
from numpy.testing import assert_allclose, assert_array_equal

from otx_seg.deployment.agreement import drawn_images
from otx_seg.errors import OtxError, UsageError
from otx_seg.inference import certainty
from otx_seg.inference.certainty import CertaintyRecord
from otx_seg.inference.predict import predict_images
from otx_seg.inference.predict_settings import PredictSettings
from otx_seg.inference.predictor import load_predictor
from otx_seg.runtime import masks
from otx_seg.runtime import predict_mask as windows
from otx_seg.runtime.augmented_views import AugmentedViews
from otx_seg.runtime.crops import network_input
from otx_seg.runtime.masks import PostProcessing, mask_at
from otx_seg.runtime.predict_mask import SlidingWindow, predict_mask
from otx_seg.runtime.predictor import Predictor

IMAGE = drawn_images((50, 70))[0]
BOTH = ("confidence", "probabilities")


@pytest.fixture(scope="module")
def predictor(tiny_ir: Path) -> Predictor:
    return load_predictor(tiny_ir)


def record_of(size: tuple[int, int], classes: int, folder: Path, **settings: object) -> CertaintyRecord:
    return CertaintyRecord(size, classes, PredictSettings(save=BOTH, **settings), folder)  # type: ignore[arg-type]


def likely(classes: int, height: int, width: int) -> np.ndarray:
    logits = np.random.default_rng(1).normal(scale=3, size=(classes, height, width)).astype(np.float32)
    return np.asarray(np.exp(logits) / np.exp(logits).sum(axis=0))


def test_by_hand(tmp_path: Path) -> None:
    probabilities = np.array([[0.5, 1], [0.25, 0], [0.25, 0]], np.float32)[:, None]
    record = record_of((1, 2), 3, tmp_path, confidence_threshold=0.6)
    assert_array_equal(mask_at(probabilities, (1, 2), record=record), [[0, 0]])
    found = record.figures()
    assert found.mean_confidence == 0.75
    assert found.mean_entropy == 0.75  # 1.5 bits and none
    assert found.below_threshold == 0.5
    assert found.per_label == (1, 0, 0)
    assert record.confidence is not None
    assert record.confidence.tolist() == [[128, 255]]
    assert [page.tolist() for page in record.probability_maps()] == [[[128, 255]], [[64, 0]], [[64, 0]]]


@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("post", [PostProcessing(0.0, 1), PostProcessing(0.4, 3), PostProcessing(0.4, -1)])
@pytest.mark.parametrize("in_bands", [False, True])
def test_maps_belong_to_the_mask(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, bits: int, post: PostProcessing, in_bands: bool
) -> None:
    probabilities, size = likely(4, 9, 8), (40, 33)
    if in_bands:
        monkeypatch.setattr(masks, "_PIXELS_IN_ONE_PIECE", 0)
        monkeypatch.setattr(masks, "PIXELS_AT_ONCE", 7 * size[1])
    record = record_of(size, 4, tmp_path, save_bits=bits)
    mask = mask_at(probabilities, size, post, record)
    assert_array_equal(mask, mask_at(probabilities, size, post))
    pages = np.stack([*record.probability_maps()])
    assert pages.dtype == record.confidence.dtype == {8: np.uint8, 16: np.uint16}[bits]
    smooth = post.smoothed(probabilities)
    expected = np.stack([cv2.resize(plane, size[::-1], interpolation=cv2.INTER_LINEAR) for plane in smooth])
    assert_allclose(pages / (2**bits - 1), expected, atol=0.51 / (2**bits - 1))
    assert_array_equal(record.confidence, np.take_along_axis(pages, mask[None].astype(int), axis=0)[0])
    if post.soft_threshold == 0 or post.blur_strength == -1:
        assert_array_equal(record.confidence, pages.max(axis=0))
    found = record.figures()
    assert_allclose(found.per_label, np.bincount(mask.ravel(), minlength=4) / mask.size)
    entropy = -(expected * np.log2(expected)).sum(axis=0).mean()
    assert_allclose(
        (found.mean_entropy, found.mean_confidence), (entropy, record.confidence.mean() / (2**bits - 1)), atol=1e-3
    )


def test_probabilities_that_do_not_fit_into_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    probabilities = likely(3, 9, 8)
    small, large = (record_of((30, 20), 3, tmp_path / "new") for _ in range(2))
    mask_at(probabilities, (30, 20), record=small)
    monkeypatch.setattr(certainty, "_BYTES_IN_MEMORY", 100)
    spilled = record_of((30, 20), 3, tmp_path / "new")
    mask_at(probabilities, (30, 20), record=spilled)
    for expected, found in zip(small.probability_maps(), spilled.probability_maps(), strict=True):
        assert_array_equal(found, expected)
    for record in (small, large, spilled):
        record.close()
    assert not list((tmp_path / "new").iterdir())


@pytest.mark.parametrize("pieces", [1 << 29, 1])
def test_sliding_windows_and_views(
    predictor: Predictor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pieces: int
) -> None:
    monkeypatch.setattr(windows, "_BYTES_AT_ONCE", pieces)  # the second: each column by itself
    for window, views in (
        (SlidingWindow(30, 40), AugmentedViews()),
        (SlidingWindow(64, 64), AugmentedViews(True, (0.75,))),
    ):
        image = drawn_images((90, 80))[1]
        record = record_of((90, 80), 4, tmp_path)
        mask = predict_mask(predictor, image, window, views, record)
        assert_array_equal(mask, predict_mask(predictor, image, window, views))
        pages = np.stack([*record.probability_maps()]).astype(int)
        assert np.abs(pages.sum(axis=0) - 255).max() <= 2
        assert_array_equal(np.take_along_axis(pages, mask[None].astype(int), axis=0)[0], pages.max(axis=0))


def test_files(predictor: Predictor, tmp_path: Path, save: Callable[..., Path]) -> None:
    save(tmp_path / "in" / "sub" / "a.png", IMAGE)
    how = PredictSettings(save=BOTH, save_bits=16)
    (found,) = predict_images(predictor, tmp_path / "in", tmp_path / "out", how).written
    names = {path.relative_to(tmp_path / "out").as_posix() for path in found.written}
    assert names == {"sub/a.png", "overlays/sub/a.jpg", "confidence/sub/a.png", "probabilities/sub/a.tif"}
    confidence = cv2.imread(str(found.confidence), cv2.IMREAD_UNCHANGED)
    probabilities = tifffile.imread(found.probabilities)
    assert (confidence.dtype, confidence.shape) == (np.uint16, (50, 70))
    assert (probabilities.dtype, probabilities.shape) == (np.uint16, (4, 50, 70))
    with tifffile.TiffFile(found.probabilities) as file:
        assert [page.tags[285].value for page in file.pages] == list(predictor.labels.names)
    raw = predictor.probabilities(network_input(IMAGE, (64, 64)))[0]
    expected = np.stack([cv2.resize(plane, (70, 50), interpolation=cv2.INTER_LINEAR) for plane in raw])
    assert_allclose(probabilities / 65535, expected, atol=1e-5)
    assert_array_equal(confidence, probabilities.max(axis=0))
    mask = cv2.imread(str(found.files.mask), cv2.IMREAD_UNCHANGED)
    assert_array_equal(np.take_along_axis(probabilities, mask[None].astype(int), axis=0)[0], confidence)
    assert found.certainty is not None
    assert_allclose(found.certainty.mean_confidence, confidence.mean() / 65535, atol=1e-5)
    found.files.mask.unlink()
    found.files.overlay.unlink()
    with pytest.raises(UsageError, match=r"confidence/sub/a\.png: exists"):
        predict_images(predictor, tmp_path / "in", tmp_path / "out", how)


def test_one_map_alone(predictor: Predictor, tmp_path: Path, save: Callable[..., Path]) -> None:
    source = save(tmp_path / "a.png", IMAGE)
    (found,) = predict_images(predictor, source, tmp_path / "out", PredictSettings(save=("confidence",))).written
    assert found.probabilities is None
    assert found.certainty is not None
    assert not (tmp_path / "out" / "probabilities").exists()
    assert cv2.imread(str(found.confidence), cv2.IMREAD_UNCHANGED).dtype == np.uint8


def test_a_full_disk(
    predictor: Predictor, tmp_path: Path, save: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(CertaintyRecord, "__call__", refuse)
    with pytest.raises(OtxError, match=r"out: cannot be written \(No space left on device\)"):
        predict_images(predictor, save(tmp_path / "a.png", IMAGE), tmp_path / "out", PredictSettings(save=BOTH))
