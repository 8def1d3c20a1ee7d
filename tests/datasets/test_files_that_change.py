import json
import os
import resource
import struct
import time
import zlib

import numpy as np
import pytest

from otx_seg.datasets import open_folder
from otx_seg.datasets.loading.loader import EvaluationImages
from otx_seg.datasets.loading.memory_cache import MemoryCache
from otx_seg.datasets.loading.views import Labelled
from otx_seg.datasets.scan import examine
from otx_seg.errors import DataError

SIZE = (12, 16)


@pytest.fixture
def data(tmp_path, save):
    for name in "ab":
        save(tmp_path / "images" / f"{name}.png", np.zeros((*SIZE, 3), np.uint8))
        save(tmp_path / "masks" / f"{name}.png", np.indices(SIZE, np.uint8)[1] % 2)
    (tmp_path / "dataset_meta.json").write_text(json.dumps({"label_map": {"0": "sky", "1": "sea"}}))
    return tmp_path


def as_they_are(image, mask, rng):
    return image, mask


def change(path):
    """A time of change that differs from the one before on any file system."""
    os.utime(path, ns=(1, time.time_ns() + 10**9))


def larger_image(data, save):
    change(save(data / "images" / "a.png", np.zeros((24, 16, 3), np.uint8)))


def other_image(data, save):
    change(save(data / "images" / "a.png", np.full((*SIZE, 3), 9, np.uint8)))


def other_mask(data, save):
    change(save(data / "masks" / "a.png", np.zeros(SIZE, np.uint8)))


def larger_pair(data, save):
    larger_image(data, save)
    change(save(data / "masks" / "a.png", np.ones((24, 16), np.uint8)))


def no_mask(data, save):
    (data / "masks" / "a.png").unlink()


CHANGES = [larger_image, other_image, other_mask, larger_pair, no_mask]


@pytest.mark.parametrize("changed", CHANGES)
@pytest.mark.parametrize("cached", [False, True])
def test_a_replaced_training_file_is_named(data, save, changed, cached):
    subset = open_folder(data)["default"].stamped()
    view = Labelled(subset, as_they_are, 1, 0, cache=MemoryCache(1 << 20, 4) if cached else None)
    view.read((0, 0, 0))
    changed(data, save)
    for number in (0, 1):
        with pytest.raises(DataError, match=r"(images|masks)/a\.png: (was replaced|cannot be read)"):
            view.read((number, 0, 0))
    assert view.read((1, 1, 1))["file"] == "b.png"


@pytest.mark.parametrize("changed", CHANGES)
def test_a_replaced_validation_file_is_named(data, save, changed):
    images = EvaluationImages(open_folder(data)["default"].stamped(), (8, 8))
    assert images[0]["index"] == 0
    changed(data, save)
    with pytest.raises(DataError, match=r"(images|masks)/a\.png: (was replaced|cannot be read|the mask has)"):
        images[0]


def test_sizes_are_compared_even_where_nothing_was_checked_before(data, save):
    larger_image(data, save)
    subset = open_folder(data)["default"]
    with pytest.raises(DataError, match=r"a\.png: the mask has 16 x 12 pixels, its image a\.png has 16 x 24"):
        Labelled(subset, as_they_are, 1, 0).read((0, 0, 0))


def black_png(side):
    """A grey image of one value, a thousandth of its pixels in bytes."""
    rows = zlib.compress(b"\0" * (side + 1) * side, 1)
    chunks = [(b"IHDR", struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)), (b"IDAT", rows), (b"IEND", b"")]
    parts = (struct.pack(">I", len(d)) + kind + d + struct.pack(">I", zlib.crc32(kind + d)) for kind, d in chunks)
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


@pytest.mark.parametrize("described", [True, False])
def test_a_huge_mask_of_a_small_image_is_not_decoded(data, described):
    (data / "masks" / "a.png").write_bytes(black_png(10_000))
    if not described:
        (data / "dataset_meta.json").unlink()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    subset = open_folder(data)["default"]
    finding, mask = examine(subset, subset.samples[0])
    assert mask is None
    assert finding.wrong_size
    assert "the mask has 10000 x 10000 pixels, its image a.png has 16 x 12" in (finding.fault or "")
    with pytest.raises(DataError, match="10000 x 10000"):
        EvaluationImages(subset, (8, 8))[0]
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 50_000  # kilobytes; decoded it has 100,000
