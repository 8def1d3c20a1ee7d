"""A close look at each sample: what can be used, what is equal, and how large regions are."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from otx_seg.datasets import inspection as module
from otx_seg.datasets import open_folder
from otx_seg.datasets.inspection import inspect, region_areas

SIZE = (6, 8)


def opened(root: Path) -> module.Inspection:
    return inspect("train", "train", open_folder(root)["default"], SIZE)


def test_faults_and_damage_are_recorded_and_the_rest_is_counted(dataset: Callable, save: Callable) -> None:
    root = dataset(list("abcd"))
    save(root / "masks" / "a.png", np.full((6, 8), 7, np.uint8))
    save(root / "masks" / "b.png", np.zeros((3, 8), np.uint8))
    (root / "images" / "c.png").write_bytes(b"text")
    found = opened(root)
    assert [sample.sound for sample in found.samples] == [False, False, False, True]
    assert "mask value 7" in str(found.samples[0].finding.fault)
    assert "8 x 3 pixels" in str(found.samples[1].finding.fault)
    assert "not an image" in str(found.samples[2].finding.damage)
    assert found.report.images == 1
    assert found.report.pixels_per_label == (32, 0, 16)
    assert found.report.images_per_label == (1, 0, 1)


def test_the_same_image_in_another_format_is_equal(dataset: Callable) -> None:
    root = dataset(list("abc"))
    Image.open(root / "images" / "a.png").save(root / "images" / "b.bmp")
    (root / "images" / "b.png").unlink()
    first, second, third = opened(root).samples
    assert first.image_digest == second.image_digest != third.image_digest
    assert first.mask_digest == third.mask_digest != second.mask_digest


def test_huge_images_are_compared_as_files(dataset: Callable, monkeypatch: pytest.MonkeyPatch) -> None:
    root = dataset(list("ab"))
    (root / "images" / "b.png").write_bytes((root / "images" / "a.png").read_bytes())
    monkeypatch.setattr(module, "_MAX_COMPARED_PIXELS", 47)
    monkeypatch.setattr(module, "read_image", lambda path: pytest.fail("decoded"))
    first, second = opened(root).samples
    assert first.image_digest == second.image_digest


def test_regions_touch_at_corners_and_are_measured_at_the_input_size() -> None:
    mask = np.zeros((4, 8), np.uint8)
    mask[0, 0] = mask[1, 1] = mask[3, 7] = 1
    mask[3, 4] = 255
    assert region_areas(mask, [0, 1], 3, (4, 8)) == ((28,), (2, 1), ())
    assert region_areas(mask, [0, 1], 3, (8, 16)) == ((28 * 4,), (8, 4), ())


def test_half_of_a_labels_pixels_lie_in_typical_regions_and_smaller_ones(dataset: Callable, save: Callable) -> None:
    root = dataset(["a"])
    mask = np.zeros((6, 8), np.uint8)
    mask[0, 0] = mask[0, 2] = mask[0, 4] = 1  # three specks, and 10 pixels together: the 7th of 13 is among these
    mask[2:4, :5] = 1
    save(root / "masks" / "a.png", mask)
    assert opened(root).typical_regions == (35, 10, None)


def test_regions_are_measured_in_some_images(dataset: Callable, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "REGION_SAMPLES", 2)
    measured = [bool(sample.regions) for sample in opened(dataset(list("abcde"))).samples]
    assert measured == [True, False, False, True, False]


def test_progress_is_told_in_the_callers_thread(dataset: Callable) -> None:
    calls = []
    subset = open_folder(dataset(list("abc")))["default"]
    inspect("train", "train", subset, SIZE, lambda done: calls.append((done, threading.current_thread())), threads=2)
    assert calls == [(done, threading.main_thread()) for done in (1, 2, 3)]
