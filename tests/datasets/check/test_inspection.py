"""A close look at each sample: what can be used, and what is equal."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from otx_seg.datasets import open_folder
from otx_seg.datasets.check import inspection as module
from otx_seg.datasets.check.inspection import inspect


def opened(root: Path) -> module.Inspection:
    return inspect("train", "train", open_folder(root)["default"])


def test_faults_and_damage_are_recorded_and_the_rest_is_counted(dataset: Callable, save: Callable) -> None:
    root = dataset(list("abcd"))
    save(root / "masks" / "a.png", np.full((6, 8), 7, np.uint8))
    save(root / "masks" / "b.png", np.zeros((3, 8), np.uint8))
    (root / "images" / "c.png").write_bytes(b"text")
    found = opened(root)
    assert [sample.valid for sample in found.samples] == [False, False, False, True]
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


def test_progress_is_told_in_the_callers_thread(dataset: Callable) -> None:
    calls = []
    subset = open_folder(dataset(list("abc")))["default"]
    inspect("train", "train", subset, lambda done: calls.append((done, threading.current_thread())), threads=2)
    assert calls == [(done, threading.main_thread()) for done in (1, 2, 3)]
