import json

import numpy as np
import pytest
from PIL import Image
from tiff_files import tiff_pages

from otx_seg.datasets import open_folder
from otx_seg.datasets.check.copies import equal_files
from otx_seg.datasets.conversion import write_as_folders
from otx_seg.datasets.scan import scan
from otx_seg.datasets.unlabelled import open_unlabelled
from otx_seg.errors import DataError
from otx_seg.inference.image_by_image import process_images
from otx_seg.runtime.images import read_image, verify_image
from otx_seg.runtime.result_files import unique_names

IMAGES = np.random.default_rng(0).integers(0, 256, (3, 10, 14, 3), np.uint8)
MASKS = np.random.default_rng(1).integers(0, 2, (3, 10, 14, 1), np.uint8)


def write_stack(path, arrays, **how):
    path.parent.mkdir(parents=True, exist_ok=True)
    photometric = "rgb" if arrays.shape[-1] == 3 else "black is zero"
    path.write_bytes(tiff_pages([{"samples": array, "photometric": photometric, **how} for array in arrays]))
    return path


@pytest.fixture
def data(tmp_path, save):
    write_stack(tmp_path / "images" / "stack.tif", IMAGES)
    write_stack(tmp_path / "masks" / "stack.tif", MASKS, compression="lzw")
    save(tmp_path / "images" / "single.png", IMAGES[0])
    save(tmp_path / "masks" / "single.tif", MASKS[0, ..., 0])
    return tmp_path


@pytest.fixture
def described(data):
    meta = {"label_map": {"0": "sky", "1": "sea"}, "ignored_labels": {"stack.tif": ["sea"]}}
    (data / "dataset_meta.json").write_text(json.dumps(meta))
    return data


@pytest.mark.parametrize("form", ["data", "described"])
def test_each_page_is_a_sample(form, request):
    subset = open_folder(request.getfixturevalue(form))["default"]
    assert [sample.name for sample in subset.samples] == ["single.png", "stack.tif#1", "stack.tif#2", "stack.tif#3"]
    for page, sample in enumerate(subset.samples[1:]):
        np.testing.assert_array_equal(subset.read_image(sample), IMAGES[page])
        expected = MASKS[page, ..., 0]
        np.testing.assert_array_equal(
            subset.read_mask(sample), np.where(expected, 255, 0) if form == "described" else expected
        )
    assert scan(subset).images == 4


def test_different_numbers_of_pages_are_refused_with_both(data):
    write_stack(data / "masks" / "stack.tif", MASKS[:2])
    with pytest.raises(DataError, match=r"images/stack\.tif: holds 3 pages, .*masks/stack\.tif 2 pages; give both"):
        open_folder(data)["default"]
    (data / "masks" / "stack.tif").unlink()
    Image.fromarray(MASKS[0, ..., 0]).save(data / "masks" / "stack.png")
    with pytest.raises(DataError, match=r"holds 3 pages, .*masks/stack\.png 1 page"):
        open_folder(data)["default"]


def test_a_page_is_named_where_one_image_is_meant(data):
    path = data / "images" / "stack.tif"
    with pytest.raises(DataError, match=r"stack\.tif: holds 3 pages.*stack\.tif#1"):
        read_image(path)
    np.testing.assert_array_equal(read_image(f"{path}#3"), IMAGES[2])
    assert verify_image(f"{path}#2") == (10, 14)
    with pytest.raises(DataError, match="there is no such page, the file has 3"):
        read_image(f"{path}#4")


def test_reduced_images_and_transparency_masks_are_no_pages(tmp_path):
    pages = [{"samples": MASKS[0], "subfile": kind} for kind in (1, 0, 1, 4)]
    (tmp_path / "a.tif").write_bytes(tiff_pages([{"samples": MASKS[1]}, *pages[2:]]))
    np.testing.assert_array_equal(read_image(tmp_path / "a.tif")[..., 0], MASKS[1, ..., 0])
    (tmp_path / "b.tif").write_bytes(tiff_pages([{"samples": MASKS[0, :5], "subfile": 1}, {"samples": MASKS[1]}]))
    np.testing.assert_array_equal(read_image(tmp_path / "b.tif")[..., 0], MASKS[1, ..., 0])


def test_images_to_predict_are_pages_too(data, tmp_path):
    results = []
    process_images(
        data / "images",
        lambda _, name: [tmp_path / "out" / f"{name}.png"],
        lambda *one: results.append(one),
        False,
        None,
    )
    assert [str(name) for _, name in results] == ["single", "stack#1", "stack#2", "stack#3"]
    np.testing.assert_array_equal(read_image(results[2][0]), IMAGES[1])
    assert len(open_unlabelled(data / "images")) == 4


def test_pages_whose_files_have_the_same_name_keep_their_suffixes(tmp_path):
    paths = [tmp_path / "a.tif#1", tmp_path / "a.tiff#1", tmp_path / "b.tif#1"]
    assert [name.name for name in unique_names(paths)] == ["a.tif#1", "a.tiff#1", "b#1"]


def test_pages_of_a_file_are_no_copies_of_each_other(data):
    path = data / "images" / "stack.tif"
    copy = path.with_name("copy.tif")
    copy.write_bytes(path.read_bytes())
    pages = [f"{file}#{page}" for page in (1, 2) for file in (path, copy)]
    assert equal_files(pages) == ((pages[0], pages[1]), (pages[2], pages[3]))


def test_pages_become_files_of_their_own(data, tmp_path):
    write_as_folders({"default": open_folder(data)["default"]}, tmp_path / "new")
    again = open_folder(tmp_path / "new")["default"]
    assert [sample.name for sample in again.samples] == ["single.png", "stack#1.png", "stack#2.png", "stack#3.png"]
    np.testing.assert_array_equal(again.read_image(again.samples[2]), IMAGES[1])
    np.testing.assert_array_equal(again.read_mask(again.samples[3]), MASKS[2, ..., 0])
