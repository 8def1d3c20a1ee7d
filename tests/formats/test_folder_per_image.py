"""A folder for each image, a mask for each object."""

import numpy as np
import pytest
from data_layouts import put

from otx_seg.datasets import open_folder
from otx_seg.datasets.opening import looks_like
from otx_seg.errors import DataError


def nuclei(root, names=("a1", "b2")):
    for name in names:
        put(root / name / f"images/{name}.png", np.zeros((4, 6, 3), np.uint8))
        for number in range(3):
            mask = np.zeros((4, 6), np.uint8)
            mask[number, : number + 1] = 255
            put(root / name / f"masks/{name}{number}.png", mask)
    return root


EXPECTED = [[1, 0, 0, 0, 0, 0], [1, 1, 0, 0, 0, 0], [1, 1, 1, 0, 0, 0], [0] * 6]


def test_masks_of_an_image_are_united(tmp_path, messages):
    nuclei(tmp_path)
    put(tmp_path / "c3/images/c3.png", np.zeros((4, 6, 3), np.uint8))
    assert looks_like(tmp_path) == ["folder_per_image"]
    (subset,) = open_folder(tmp_path).values()
    assert (subset.labels.names, subset.labels.background) == (("background", "object"), 0)
    assert [subset.read_mask(sample).tolist() for sample in subset.samples] == [EXPECTED, EXPECTED]
    assert [str(left) for left in subset.unmatched] == ["image without mask: c3/images/c3.png"]
    assert messages.text.count("the masks of each image are united; the labels are background and object") == 1


def test_subsets_and_labels(tmp_path):
    nuclei(tmp_path / "train")
    nuclei(tmp_path / "valid", ("c",))
    (tmp_path / "classes.txt").write_text("tissue\nnucleus\n")
    subsets = open_folder(tmp_path)
    assert {name: len(subset) for name, subset in subsets.items()} == {"train": 2, "val": 1}
    assert subsets["val"].labels.names == ("tissue", "nucleus")
    (tmp_path / "classes.txt").write_text("tissue\nnucleus\ncell\n")
    with pytest.raises(DataError, match=r"lists 3 labels \(tissue, nucleus, cell\); masks of single objects tell two"):
        open_folder(tmp_path)


def test_folders_of_subjects_with_a_mask_for_each_image_are_no_such_data(tmp_path):
    for name in ("s1", "s2"):
        put(tmp_path / name / "images/a.png", np.zeros((4, 6, 3), np.uint8))
        put(tmp_path / name / "masks/a.png", np.eye(4, 6, dtype=np.uint8))
    assert looks_like(tmp_path) == ["image_and_mask_folders"]
