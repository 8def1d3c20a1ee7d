"""What labels hold in the mask files of a data set, so that predictions can be written alike."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from otx_seg.annotations.masks import MaskCode
from otx_seg.annotations.samples import Sample, Subset
from otx_seg.datasets import open_folder
from otx_seg.datasets.label_map import LabelMap, through_map
from otx_seg.inference.mask_coding import MaskCoding
from otx_seg.labels import Labels, MaskValue, default_colors

NAMES = ("background", "cat", "dog")
PLAIN = MaskCode(NAMES, (None, None, None))
COLORED = MaskCode(NAMES, ((0, 0, 0), (255, 0, 0), (0, 128, 0)))
SHADES = MaskCode(NAMES, ((0, 0, 0), (128, 128, 128), (200, 200, 200)))
TWO_TONE = MaskCode(NAMES[:2], ((0, 0, 0), (255, 255, 255)))
GAPS = replace(PLAIN, values=(7, 11, 300))
OBJECTS = MaskCode(NAMES, (None, None, None), instance_bits=8)
VOID = MaskCode(("void", *NAMES), (None, (0, 0, 0), (255, 0, 0), (0, 128, 0)), void=("void",))
INDEX = np.array([[0, 1, 2], [2, 1, 0]], np.uint8)


def rgb(code: MaskCode, index: np.ndarray) -> np.ndarray:
    return np.array([color or (9, 9, 9) for color in code.colors], np.uint8)[index]


CASES: Sequence[tuple[MaskCode, np.ndarray, Sequence[MaskValue]]] = [
    (PLAIN, INDEX, (0, 1, 2)),
    (COLORED, INDEX, (0, 1, 2)),
    (COLORED, rgb(COLORED, INDEX), ((0, 0, 0), (255, 0, 0), (0, 128, 0))),
    (COLORED, rgb(COLORED, INDEX * 0), ((0, 0, 0), (255, 0, 0), (0, 128, 0))),
    (COLORED, np.repeat(INDEX[..., None], 3, axis=2), (0, 1, 2)),
    (SHADES, rgb(SHADES, INDEX)[..., 0], (0, 128, 200)),
    (SHADES, INDEX, (0, 1, 2)),
    (SHADES, rgb(SHADES, INDEX), ((0, 0, 0), (128, 128, 128), (200, 200, 200))),
    (TWO_TONE, np.array([[0, 255]], np.uint8), (0, 255)),
    (TWO_TONE, np.array([[0, 3, 128, 255]], np.uint8), (0, 255)),
    (TWO_TONE, np.array([[0, 1]], np.uint8), (0, 1)),
    (GAPS, np.array([[7, 11, 300, 255]], np.uint16), (7, 11, 300)),
    (OBJECTS, np.array([[0, 256 + 3, 512]], np.uint16), (0, 256, 512)),
    (VOID, INDEX + np.uint8(1), (1, 2, 3)),
    (VOID, rgb(COLORED, INDEX), ((0, 0, 0), (255, 0, 0), (0, 128, 0))),
]


def subset_of(code: MaskCode, folder: Path, *masks: str) -> Subset:
    names = tuple(name for name in code.names if name not in code.void)
    samples = tuple(Sample(mask, mask, str(folder), str(folder)) for mask in masks)
    return Subset(folder, Labels(names, default_colors(len(names)), 0), samples, (), code)


@pytest.mark.parametrize(("code", "stored", "values"), CASES)
def test_masks_are_written_as_they_were_read(
    tmp_path: Path, save: Callable[..., Path], code: MaskCode, stored: np.ndarray, values: Sequence[MaskValue]
) -> None:
    save(tmp_path / "a.png", stored)
    subset = subset_of(code, tmp_path, "a.png").with_mask_values()
    assert subset.labels.mask_values == tuple(values)
    index = subset.read_mask(subset.samples[0])
    coding = MaskCoding(subset.labels, "original")
    written = coding(np.where(index == 255, 0, index).astype(np.uint8))
    assert written.dtype == (np.uint16 if stored.max() > 255 else np.uint8)
    save(tmp_path / "b.png", written)
    again = subset.read_mask(Sample("b.png", "b.png", str(tmp_path), str(tmp_path)))
    np.testing.assert_array_equal(again, np.where(index == 255, 0, index))


def test_a_palette_of_colours(tmp_path: Path) -> None:
    for name, code, palette in (("a.png", COLORED, [0, 0, 0, 255, 0, 0, 0, 128, 0]), ("b.png", PLAIN, [9] * 9)):
        image = Image.frombytes("P", INDEX.shape[::-1], INDEX.tobytes())
        image.putpalette(palette)
        image.save(tmp_path / name)
        found = subset_of(code, tmp_path, name).with_mask_values().labels.mask_values
        assert found == (COLORED.colors if code is COLORED else (0, 1, 2))


def test_a_mask_that_shows_too_little_is_passed_over(tmp_path: Path, save: Callable[..., Path]) -> None:
    save(tmp_path / "black.png", np.zeros((2, 2), np.uint8))
    save(tmp_path / "shown.png", np.array([[0, 255]], np.uint8))
    (tmp_path / "damaged.png").write_text("no mask")
    subset = subset_of(TWO_TONE, tmp_path, "black.png", "damaged.png", "shown.png")
    assert subset.with_mask_values().labels.mask_values == (0, 255)
    assert subset_of(TWO_TONE, tmp_path, "black.png", "damaged.png").with_mask_values().labels.mask_values is None


def test_merged_labels_have_the_value_of_the_first(tmp_path: Path, save: Callable[..., Path]) -> None:
    save(tmp_path / "a.png", np.array([[7, 11, 300]], np.uint16))
    subset = subset_of(GAPS, tmp_path, "a.png")
    merged = through_map(subset, LabelMap((("background", "ground"), ("cat", "pet"), ("dog", "pet")), "map.yaml"))
    assert merged.with_mask_values().labels.mask_values == (7, 11)
    dropped = through_map(subset, LabelMap((("background", "ignore"), ("cat", "cat"), ("dog", "dog")), "map.yaml"))
    assert dropped.with_mask_values().labels.mask_values == (11, 300)


@pytest.mark.parametrize("layout", ["coco", "labelme json", "yolo", "label studio in masks"])
def test_outlines_have_no_values(written: Callable[[str], Path], layout: str) -> None:
    subset = next(iter(open_folder(written(layout)).values()))
    assert subset.with_mask_values().labels.mask_values is None


@pytest.mark.parametrize(
    "layout", ["voc in colours", "voc in numbers", "cityscapes", "camvid", "kitti", "mapillary", "loveda"]
)
def test_formats_with_mask_files_have_values(written: Callable[[str], Path], layout: str) -> None:
    subset = next(iter(open_folder(written(layout)).values())).with_mask_values()
    values = subset.labels.mask_values
    assert values is not None
    stored = np.array(Image.open(subset.samples[0].mask))
    held = (
        {tuple(color) for color in stored.reshape(-1, 3).tolist()} if stored.ndim == 3 else {*stored.ravel().tolist()}
    )
    index = subset.read_mask(subset.samples[0])
    assert {values[label] for label in np.unique(index) if label != 255} & held
