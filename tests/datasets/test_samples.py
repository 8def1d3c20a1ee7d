import pickle

import numpy as np
import pytest

from otx_seg.datasets.folder import open_folder
from otx_seg.datasets.polygon_round_trip import polygon_round_trip


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
