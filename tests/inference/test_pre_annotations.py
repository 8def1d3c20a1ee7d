"""`PreAnnotations` of `predict_images`: which regions, what becomes of interruptions, and how little is in memory."""

from __future__ import annotations

import gc
import json
import tracemalloc
from pathlib import Path, PurePath
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image

from otx_seg.datasets import open_folder
from otx_seg.errors import DataError, OtxError, UsageError
from otx_seg.inference.pre_annotations import PreAnnotations
from otx_seg.inference.predict import predict_images
from otx_seg.inference.predict_settings import PredictSettings, annotation_formats
from otx_seg.inference.predictor import load_predictor
from otx_seg.labels import Labels, default_colors
from otx_seg.runtime.confidence import ConfidenceMap
from otx_seg.runtime.predict_mask import SlidingWindow, predict_mask
from otx_seg.runtime.predictor import Predictor

LABELS = Labels(("background", "cat"), default_colors(2), 0)
EVERY = annotation_formats()


@pytest.fixture(scope="module")
def predictor(tiny_ir: Path) -> Predictor:
    return load_predictor(tiny_ir)


def masks_in(folder: Path) -> dict[str, np.ndarray]:
    (subset,) = open_folder(folder).values()
    return {Path(sample.name).name: subset.read_mask(sample) for sample in subset.samples}


def put(path: Path, shape: tuple[int, int] = (20, 30)) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), np.full((*shape, 3), 90, np.uint8))
    return path


@pytest.mark.parametrize("window", [None, SlidingWindow(40, 50)])
def test_annotations_are_the_written_masks(predictor: Predictor, tiny_data, tmp_path: Path, window) -> None:
    how = PredictSettings(window, save_as=EVERY, polygon_tolerance=0)
    found = predict_images(predictor, tiny_data.root / "images", tmp_path / "out", how)
    assert [folder.name for folder in found.annotations] == [*EVERY]
    assert len(set(found.annotations.values())) == 1
    for folder in found.annotations:
        masks = masks_in(folder)
        assert len(masks) == 4
        for name, mask in masks.items():
            expected = cv2.imread(str(tmp_path / "out" / name), cv2.IMREAD_UNCHANGED)
            np.testing.assert_array_equal(mask, expected, err_msg=f"{folder.name} {name}")


@pytest.mark.parametrize("window", [None, SlidingWindow(40, 50)])
def test_uncertain_regions_are_left_out(predictor: Predictor, tiny_data, tmp_path: Path, window) -> None:
    image = tiny_data.root / "images" / "0.png"
    pixels = cv2.imread(str(image))[:, :, ::-1]
    confidence = ConfidenceMap(pixels.shape[:2])
    mask = predict_mask(predictor, pixels, window, record=confidence)
    regions = []
    for label in range(1, 4):
        number, numbers = cv2.connectedComponents((mask == label).astype(np.uint8))
        regions += [(confidence.values[numbers == each].mean(), label, numbers == each) for each in range(1, number)]
    least = float(np.median([mean for mean, _, _ in regions])) + 1e-4
    expected = np.zeros_like(mask)
    for mean, label, region in regions:
        if mean >= least:
            expected[region] = label
    how = PredictSettings(window, save_as=("coco",), min_confidence=least, polygon_tolerance=0)
    found = predict_images(predictor, image, tmp_path / "out", how)
    folder = tmp_path / "out" / "annotations" / "coco"
    assert found.annotations[folder] == sum(mean >= least for mean, _, _ in regions) > 0
    assert found.uncertain == len(regions) - found.annotations[folder] > 0
    np.testing.assert_array_equal(masks_in(folder)["0.png"], expected)


def test_it_is_told_if_no_region_is_sure_enough(predictor: Predictor, tmp_path: Path, messages: Any) -> None:
    how = PredictSettings(save_as=("coco",), min_confidence=1.0)
    found = predict_images(predictor, put(tmp_path / "a.png"), tmp_path / "out", how)
    assert found.uncertain > 0
    assert f"none of {found.uncertain} region" in messages.text
    assert "has a mean confidence of 1; lower --min-confidence" in messages.text


def test_names_that_become_the_same(tmp_path: Path) -> None:
    annotations = PreAnnotations(tmp_path / "out", LABELS, PredictSettings(save_as=EVERY))
    for name in ("train/a", "train_a", "Train/A"):
        annotations.add(put(tmp_path / "in" / f"{name}.png"), PurePath(name), np.ones((20, 30), np.uint8), None)
    annotations.close()
    for name in EVERY:
        assert masks_in(tmp_path / "out" / name).keys() == {"train_a.png", "train_a_2.png", "Train_A_3.png"}


def test_pages_become_png_files(predictor: Predictor, tmp_path: Path) -> None:
    pages = [Image.fromarray(np.full((20, 30, 3), shade, np.uint8)) for shade in (10, 200)]
    (tmp_path / "in").mkdir()
    pages[0].save(tmp_path / "in" / "a.tif", save_all=True, append_images=pages[1:])
    found = predict_images(predictor, tmp_path / "in", tmp_path / "out", PredictSettings(save_as=EVERY))
    for folder in found.annotations:
        (subset,) = open_folder(folder).values()
        shades = {Path(sample.name).name: subset.read_image(sample)[0, 0, 0] for sample in subset.samples}
        assert shades == {"a#1.png": 10, "a#2.png": 200}


def test_unreadable_images_are_in_no_annotations(predictor: Predictor, tmp_path: Path) -> None:
    put(tmp_path / "in" / "a.png")
    (tmp_path / "in" / "b.png").write_text("no image")
    found = predict_images(predictor, tmp_path / "in", tmp_path / "out", PredictSettings(save_as=EVERY))
    assert len(found.unreadable) == 1
    assert all(masks_in(folder).keys() == {"a.png"} for folder in found.annotations)
    (tmp_path / "in" / "a.png").unlink()
    with pytest.raises(DataError, match="none of 1 images could be read"):
        predict_images(predictor, tmp_path / "in", tmp_path / "other", PredictSettings(save_as=EVERY))
    assert not (tmp_path / "other" / "annotations").exists()


def test_an_interruption_leaves_the_annotations_of_what_is_done(predictor: Predictor, tmp_path: Path) -> None:
    for name in "abc":
        put(tmp_path / "in" / f"{name}.png")

    def stop(done: int, total: int) -> None:
        if done == 2:
            raise OtxError("stopped")

    with pytest.raises(OtxError, match="stopped"):
        predict_images(predictor, tmp_path / "in", tmp_path / "out", PredictSettings(save_as=EVERY), progress=stop)
    for name in EVERY:
        assert masks_in(tmp_path / "out" / "annotations" / name).keys() == {"a.png", "b.png"}


def test_earlier_annotations_are_replaced_only_if_allowed(predictor: Predictor, tmp_path: Path) -> None:
    how, folder = PredictSettings(save_as=("yolo",)), tmp_path / "out" / "annotations" / "yolo"
    predict_images(predictor, put(tmp_path / "in" / "a.png"), tmp_path / "out", how)
    with pytest.raises(UsageError, match="yolo: exists; choose another --output, or allow replacing it"):
        predict_images(predictor, put(tmp_path / "in" / "b.png"), tmp_path / "out", how)
    predict_images(predictor, tmp_path / "in" / "b.png", tmp_path / "out", how, overwrite=True)
    assert masks_in(folder).keys() == {"b.png"}
    with pytest.raises(UsageError, match=r"lies in .*yolo, which would be replaced"):
        predict_images(predictor, folder / "images", tmp_path / "out", how, overwrite=True)
    assert masks_in(folder).keys() == {"b.png"}


def test_a_full_disk_leaves_no_half_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from full_disk import full_disk

    annotations = PreAnnotations(tmp_path / "out", LABELS, PredictSettings(save_as=("coco",)))
    mask = (np.random.default_rng(1).random((300, 300)) > 0.5).astype(np.uint8)
    image = put(tmp_path / "a.png")
    annotations.add(image, PurePath("a"), mask, None)
    with full_disk(20_000):
        with pytest.raises(OSError, match="File too large"):
            annotations.add(image, PurePath("b"), mask, None)
        annotations.close()
    assert [path.name for path in (tmp_path / "out" / "coco" / "annotations").iterdir()] == []


@pytest.mark.parametrize("name", EVERY)
def test_memory_does_not_grow_with_the_images(tmp_path: Path, name: str) -> None:
    mask = np.zeros((200, 200), np.uint8)
    mask[20:160, 30:170] = np.eye(140, dtype=np.uint8)[::-1]
    mask[100:180, 100:190] = 1
    image = put(tmp_path / "a.png", mask.shape)
    annotations = PreAnnotations(tmp_path / "out", LABELS, PredictSettings(save_as=(name,)))
    held = []
    tracemalloc.start()
    try:
        for number in range(12):
            annotations.add(image, PurePath(f"{number}"), mask, None)
            gc.collect()
            held.append(tracemalloc.get_traced_memory()[0])
    finally:
        tracemalloc.stop()
    annotations.close()
    assert held[-1] - held[3] < mask.size / 4


def test_the_file_is_valid_without_any_region(tmp_path: Path) -> None:
    annotations = PreAnnotations(tmp_path / "out", LABELS, PredictSettings(save_as=("coco",)))
    annotations.add(put(tmp_path / "a.png"), PurePath("a"), np.zeros((20, 30), np.uint8), None)
    annotations.close()
    content = json.loads((tmp_path / "out" / "coco" / "annotations" / "instances_default.json").read_text())
    assert (content["annotations"], len(content["images"])) == ([], 1)
