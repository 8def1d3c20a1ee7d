import numpy as np
import pytest
from PIL import Image

from otx_seg.annotations.stored_masks import MaskContentError, mask_size, stored_mask
from otx_seg.annotations.values_found import find_labels
from otx_seg.datasets import open_folder
from otx_seg.errors import DataError
from otx_seg.runtime.images import read_image, verify_image

MASK = np.random.default_rng(3).integers(0, 3, (9, 13)).astype(np.uint8)


@pytest.mark.parametrize("kind", ["bool", "uint8", ">u2", "int64", "int8"])
@pytest.mark.parametrize("order", ["C", "F"])
def test_arrays_of_whole_numbers(tmp_path, kind, order):
    np.save(tmp_path / "a.npy", np.asarray(MASK.astype(kind), order=order))
    pixels, palette = stored_mask(tmp_path / "a.npy")
    assert palette is None
    assert pixels.dtype.isnative
    np.testing.assert_array_equal(pixels, MASK.astype(kind))
    assert mask_size(tmp_path / "a.npy") == (9, 13)


@pytest.mark.parametrize(
    ("array", "words"),
    [
        (MASK.astype(np.float32), r"an array of float32 \(9 x 13\); save integers"),
        (np.zeros((9, 13, 3), np.uint8), r"an array of uint8 \(9 x 13 x 3\)"),
        (np.zeros(5, np.int64), r"an array of int64 \(5\)"),
        (np.array([[{"a": 1}]], object), r"an array of object \(1 x 1\)"),
        (np.zeros((0, 4), np.uint8), r"an empty array \(0 x 4\)"),
    ],
)
def test_other_arrays_are_refused_as_what_they_are(tmp_path, array, words):
    np.save(tmp_path / "a.npy", array, allow_pickle=True)
    with pytest.raises(MaskContentError, match=rf"a\.npy: {words}"):
        stored_mask(tmp_path / "a.npy")


@pytest.mark.parametrize("kept", [8, 40, 200])
def test_truncated_arrays(tmp_path, kept):
    path = tmp_path / "a.npy"
    np.save(path, MASK)
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(DataError, match=r"a\.npy: the array('s header is damaged| is truncated)"):
        stored_mask(path)


def test_an_array_that_claims_more_than_the_file_holds(tmp_path):
    path = tmp_path / "a.npy"
    np.save(path, MASK)
    path.write_bytes(path.read_bytes().replace(b"(9, 13), }", b"(9999999, 9999999), }"))
    with pytest.raises(DataError, match=r"a\.npy: the array"):
        stored_mask(path)


def test_a_folder_of_arrays_as_masks(tmp_path, save):
    for name in "ab":
        save(tmp_path / "images" / f"{name}.jpg", np.zeros((9, 13, 3), np.uint8))
        (tmp_path / "masks").mkdir(exist_ok=True)
        np.save(tmp_path / "masks" / f"{name}.npy", MASK.astype(np.int32))
    subset = open_folder(tmp_path)["default"]
    assert subset.labels.names == ("label_0", "label_1", "label_2")
    np.testing.assert_array_equal(subset.read_mask(subset.samples[1]), MASK)


def gif(path, colours, numbers=MASK):
    path.parent.mkdir(parents=True, exist_ok=True)
    picture = Image.fromarray(numbers)
    picture.putpalette(np.asarray(colours, np.uint8).tobytes())
    picture.save(path, optimize=False)
    return path


def test_gif_images_and_masks(tmp_path):
    colours = [(0, 0, 0), (200, 10, 30), (0, 90, 0)]
    path = gif(tmp_path / "a.gif", colours)
    np.testing.assert_array_equal(read_image(path), np.array(colours, np.uint8)[MASK])
    assert verify_image(path) == mask_size(path) == MASK.shape
    pixels, palette = stored_mask(path)
    np.testing.assert_array_equal(palette[pixels], np.array(colours, np.uint8)[MASK])


def test_black_and_white_gif_masks_of_a_folder(tmp_path, save):
    for name in "ab":
        save(tmp_path / "images" / f"{name}.png", np.zeros((9, 13, 3), np.uint8))
        gif(tmp_path / "masks" / f"{name}.gif", [(0, 0, 0), (255, 255, 255)], MASK % 2)
    (tmp_path / "labels.txt").write_text("background 0 0 0\nvessel 255 255 255\n")
    subset = open_folder(tmp_path)["default"]
    np.testing.assert_array_equal(subset.read_mask(subset.samples[0]), MASK % 2)


def test_animations_are_refused_with_their_number_of_frames(tmp_path):
    frames = [Image.fromarray(MASK * shade) for shade in (1, 60, 100)]
    for name in ("a.gif", "a.webp"):
        frames[0].save(tmp_path / name, save_all=True, append_images=frames[1:], lossless=True)
        with pytest.raises(DataError, match=rf"{name}: an animation of 3 frames; save those that matter as PNG"):
            read_image(tmp_path / name)
    with pytest.raises(DataError, match=r"none of its 1 mask can be read; first: .*a\.gif: an animation of 3 frames"):
        find_labels(tmp_path, [str(tmp_path / "a.gif")])


@pytest.mark.parametrize("values", [[0, 1000], [0, 65534], [0, 10**12]])
def test_large_numbers_are_no_shades_of_grey(tmp_path, values):
    np.save(tmp_path / "a.npy", np.array([values]))
    with pytest.raises(DataError, match=rf"value {values[1]} occurs.*labels.txt with a line for each.*{values[1]}: "):
        find_labels(tmp_path, [str(tmp_path / "a.npy")])
