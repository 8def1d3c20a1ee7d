import pickle
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from otx_seg.annotations.polygon_round_trip import polygon_round_trip
from otx_seg.datasets import open_folder
from otx_seg.errors import DataError
from otx_seg.labels import Labels, default_colors

META = {"label_map": {"0": "background", "1": "cat", "2": "dog"}}


@pytest.fixture
def subset(dataset):
    return open_folder(dataset(["a", "sub/b", "c"]))["default"]


def test_samples_are_small_and_cannot_be_changed(subset):
    sample = subset.samples[0]
    assert not hasattr(sample, "__dict__")
    with pytest.raises(AttributeError):
        sample.name = "x"


def test_a_subset_goes_to_another_process_and_reads_the_same(subset):
    copy = pickle.loads(pickle.dumps(subset))
    assert copy == subset
    np.testing.assert_array_equal(copy.read_mask(copy.samples[1]), subset.read_mask(subset.samples[1]))


def test_without_leaves_out_by_name(subset):
    assert [sample.name for sample in subset.without(["a.png", "unknown"]).samples] == ["c.png", "sub/b.png"]
    assert len(subset) == 3


def test_masks_go_through_polygons_when_asked(dataset, save):
    root = dataset(["a"])
    ring = np.zeros((6, 8), np.uint8)
    ring[1:5, 1:6] = 1
    ring[2:4, 3] = 0
    save(root / "masks" / "a.png", ring)
    subset = open_folder(root)["default"]
    sample = subset.samples[0]
    np.testing.assert_array_equal(subset.read_mask(sample), ring)
    through = subset.through_polygons().read_mask(sample)
    np.testing.assert_array_equal(through, polygon_round_trip(ring, subset.labels))
    assert through[2, 3] == 1  # the hole is filled


def test_masks_follow_other_labels_and_ignored_ones(dataset, save):
    root = dataset(["a"])
    mask = np.array([[0, 1, 2, 255]] * 3, np.uint8)
    save(root / "masks" / "a.png", mask)
    subset = open_folder(root)["default"]
    labels = Labels(("dog", "bird", "background", "cat"), default_colors(4), 2)
    sample = subset.samples[0]
    np.testing.assert_array_equal(subset.with_labels(labels).read_mask(sample), [[2, 3, 0, 255]] * 3)
    ignoring = replace(subset.with_labels(labels), ignored_labels={"a.png": ("cat",)})
    np.testing.assert_array_equal(ignoring.read_mask(sample), [[2, 255, 0, 255]] * 3)


def test_ignored_labels_by_pattern(dataset):
    root = dataset(["a", "old/a", "old/deep/b"], meta={**META, "ignored_labels": {"old/*": ["cat"], "*b.png": ["dog"]}})
    subset = open_folder(root)["default"]
    assert subset.ignored_labels == {"old/a.png": ("cat",), "old/deep/b.png": ("cat", "dog")}


@pytest.mark.parametrize(
    ("ignored", "message"),
    [
        ({"a.png": ["bird"]}, r"ignored_labels of 'a\.png': 'bird' is none of the 3 labels"),
        (["a.png"], "map images to lists"),
        ([], "map images"),
    ],
)
def test_unusable_ignored_labels(dataset, ignored, message):
    root = dataset(["a"], meta={**META, "ignored_labels": ignored})
    with pytest.raises(DataError, match=message):
        open_folder(root)


def test_a_palette_mask_can_ignore_labels(dataset):
    root = dataset(["a"], meta={**META, "ignored_labels": {"a.png": ["cat"]}})
    mask = Image.fromarray(np.array([[0, 1, 2, 0]] * 6, np.uint8), "P")
    mask.putpalette([0, 0, 0, 9, 9, 9, 5, 5, 5])
    mask.save(root / "masks" / "a.png")
    subset = open_folder(root)["default"]
    np.testing.assert_array_equal(subset.read_mask(subset.samples[0]), [[0, 255, 2, 0]] * 6)
