import struct
import zlib
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from otx_seg.annotations.masks import MaskCode, read_mask
from otx_seg.annotations.stored_masks import MaskContentError, verify_mask_file
from otx_seg.errors import DataError

CODE = MaskCode(("background", "cat", "dog"), ((0, 0, 0), (255, 0, 0), (0, 128, 0)))
NO_COLORS = MaskCode(CODE.names, (None, None, None))
BLACK_AND_WHITE = MaskCode(("background", "crack"), ((0, 0, 0), (255, 255, 255)))
MASK = np.array([[0, 1, 2, 255], [2, 2, 1, 0]], np.uint8)
SOUND = np.where(MASK == 255, 0, MASK).astype(np.uint8)


def painted(mask, colors=(*CODE.colors, *[(0, 0, 0)] * 252, (255, 255, 255))):
    return np.array(colors, np.uint8)[mask]


def save_palette(path, numbers, palette, **options):
    image = Image.fromarray(numbers)
    image = Image.frombytes("P", image.size, numbers.tobytes())
    image.putpalette(np.array(palette, np.uint8).tobytes())
    image.save(path, **options)
    return path


@pytest.mark.parametrize("suffix", [".png", ".bmp", ".tif", ".PNG"])
@pytest.mark.parametrize("code", [CODE, NO_COLORS])
def test_grey_values_are_indices_and_255_is_ignored(tmp_path, save, suffix, code):
    mask = read_mask(save(tmp_path / f"m{suffix}", MASK), code)
    np.testing.assert_array_equal(mask, MASK)
    assert mask.dtype == np.uint8


def test_grey_with_alpha_and_sixteen_bit_grey(tmp_path, save):
    Image.merge("LA", [Image.fromarray(MASK), Image.fromarray(MASK)]).save(tmp_path / "la.png")
    np.testing.assert_array_equal(read_mask(tmp_path / "la.png", CODE), MASK)
    np.testing.assert_array_equal(read_mask(save(tmp_path / "w.png", MASK.astype(np.uint16)), CODE), MASK)
    np.testing.assert_array_equal(read_mask(save(tmp_path / "w.tif", MASK.astype(np.uint16)), CODE), MASK)


def test_one_bit_masks(tmp_path):
    for suffix in (".png", ".tif", ".bmp"):
        Image.fromarray(SOUND == 1).save(tmp_path / f"m{suffix}")
        np.testing.assert_array_equal(read_mask(tmp_path / f"m{suffix}", CODE), SOUND == 1)


def bits_of(rows, bits):
    return [[value >> bit & 1 for value in row for bit in reversed(range(bits))] for row in rows]


@pytest.mark.parametrize("bits", [2, 4])
def test_grey_of_two_and_four_bits_is_not_stretched(tmp_path, bits):
    # Pillow cannot write such grey files, so this one is put together by hand.
    rows = [[0, 1, 2, 0], [2, 2, 1, 0]]
    packed = b"\0".join([b"", *(np.packbits(unpacked).tobytes() for unpacked in bits_of(rows, bits))])
    header = struct.pack(">IIBBBBB", 4, 2, bits, 0, 0, 0, 0)
    chunks = [(b"IHDR", header), (b"IDAT", zlib.compress(packed)), (b"IEND", b"")]
    parts = [
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in chunks
    ]
    (tmp_path / "m.png").write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(parts))
    np.testing.assert_array_equal(read_mask(tmp_path / "m.png", CODE), rows)


@pytest.mark.parametrize("suffix", [".png", ".bmp", ".tif"])
def test_palette_numbers_are_indices_whatever_the_palette_looks_like(tmp_path, suffix):
    palette = [(i, 255 - i, 7) for i in range(256)]
    np.testing.assert_array_equal(read_mask(save_palette(tmp_path / f"m{suffix}", MASK, palette), CODE), MASK)


@pytest.mark.parametrize("bits", [2, 4])
def test_palettes_of_few_bits(tmp_path, bits):
    palette = [(i, 1, 7) for i in range(2**bits)]
    path = save_palette(tmp_path / "m.png", SOUND, palette, bits=bits)
    np.testing.assert_array_equal(read_mask(path, CODE), SOUND)


def test_a_palette_of_label_colours_only_is_read_by_colour(tmp_path):
    # What image programs write for a colour mask: the numbers follow the order in which colours were met.
    numbers = np.array([[0, 0, 1, 2]], np.uint8)
    path = save_palette(tmp_path / "m.png", numbers, [CODE.colors[2], CODE.colors[0], CODE.colors[1]])
    np.testing.assert_array_equal(read_mask(path, CODE), [[2, 2, 0, 1]])
    np.testing.assert_array_equal(read_mask(path, NO_COLORS), numbers)


def test_the_standard_palette_of_indices_is_read_by_number(tmp_path):
    palette = [*CODE.colors, *[(9, 9, 9)] * 253]
    np.testing.assert_array_equal(read_mask(save_palette(tmp_path / "m.png", MASK, palette), CODE), MASK)


def test_palette_numbers_beyond_the_labels_fall_back_to_colours(tmp_path):
    palette = [(9, 9, 9)] * 10 + [CODE.colors[1], CODE.colors[2]]
    path = save_palette(tmp_path / "m.png", np.array([[10, 11]], np.uint8), palette)
    np.testing.assert_array_equal(read_mask(path, CODE), [[1, 2]])


@pytest.mark.parametrize("mask", [MASK, np.array([[1, 2, 255]], np.uint8)])
def test_a_palette_that_was_filled_up_with_black(tmp_path, mask):
    path = save_palette(tmp_path / "m.png", mask, CODE.colors, bits=8)
    np.testing.assert_array_equal(read_mask(path, CODE), mask)


def test_a_palette_of_label_colours_that_was_filled_up_with_black(tmp_path):
    path = save_palette(tmp_path / "m.png", np.array([[0, 1, 2]], np.uint8), CODE.colors[::-1], bits=8)
    np.testing.assert_array_equal(read_mask(path, CODE), [[2, 1, 0]])


def test_a_palette_that_lacks_a_number_in_use(tmp_path):
    path = save_palette(tmp_path / "m.png", MASK, CODE.colors, bits=8)
    content = path.read_bytes()
    start = content.index(b"PLTE") - 4
    entries = bytes(CODE.colors[0] + CODE.colors[1] + CODE.colors[2])
    chunk = struct.pack(">I", 9) + b"PLTE" + entries + struct.pack(">I", zlib.crc32(b"PLTE" + entries))
    path.write_bytes(content[:start] + chunk + content[start + 12 + 256 * 3 :])
    np.testing.assert_array_equal(read_mask(path, CODE), MASK)


@pytest.mark.parametrize("suffix", [".png", ".bmp", ".tif", ".webp"])
def test_colour_masks(tmp_path, save, suffix):
    options = {"lossless": True} if suffix == ".webp" else {}
    mask = read_mask(save(tmp_path / f"m{suffix}", painted(MASK), **options), CODE)
    np.testing.assert_array_equal(mask, MASK)  # white is ignored: no label has it
    assert mask.dtype == np.uint8


def test_colour_masks_with_alpha(tmp_path, save):
    pixels = np.dstack([painted(MASK), np.full(MASK.shape, 3, np.uint8)])
    np.testing.assert_array_equal(read_mask(save(tmp_path / "m.png", pixels), CODE), MASK)


def test_white_is_a_label_where_a_label_is_white(tmp_path, save):
    path = save(tmp_path / "m.png", np.array([[[0, 0, 0], [255, 255, 255]]], np.uint8))
    np.testing.assert_array_equal(read_mask(path, BLACK_AND_WHITE), [[0, 1]])


def test_indices_saved_as_rgb(tmp_path, save):
    path = save(tmp_path / "m.png", np.repeat(MASK[..., None], 3, axis=2))
    np.testing.assert_array_equal(read_mask(path, CODE), MASK)
    np.testing.assert_array_equal(read_mask(path, NO_COLORS), MASK)


def test_every_colour_of_many_is_found(tmp_path, save):
    rng = np.random.default_rng(0)
    colors = tuple(map(tuple, np.unique(rng.integers(0, 256**3 - 1, 300))[:254, None] >> np.array([16, 8, 0]) & 255))
    code = MaskCode(tuple(map(str, range(254))), tuple(tuple(map(int, color)) for color in colors))
    mask = rng.integers(0, 254, (40, 50)).astype(np.uint8)
    np.testing.assert_array_equal(read_mask(save(tmp_path / "m.png", painted(mask, colors)), code), mask)


def test_black_and_white_masks(tmp_path, save):
    grey = save(tmp_path / "m.png", np.array([[0, 255]], np.uint8))
    np.testing.assert_array_equal(read_mask(grey, BLACK_AND_WHITE), [[0, 1]])
    np.testing.assert_array_equal(read_mask(grey, CODE), [[0, 255]])  # no white label: 255 is ignored
    indices = save(tmp_path / "i.png", np.array([[0, 1, 255]], np.uint8))
    np.testing.assert_array_equal(read_mask(indices, BLACK_AND_WHITE), [[0, 1, 255]])


def test_black_that_could_mean_two_labels_is_refused(tmp_path, save):
    paper = MaskCode(("paper", "ink"), ((255, 255, 255), (0, 0, 0)))
    path = save(tmp_path / "m.png", np.zeros((2, 2), np.uint8))
    with pytest.raises(MaskContentError, match=r"m\.png: an all-black grey mask; is it label 0, paper"):
        read_mask(path, paper)
    np.testing.assert_array_equal(read_mask(save(tmp_path / "n.png", np.array([[0, 255]], np.uint8)), paper), [[1, 0]])


def test_values_that_are_no_label(tmp_path, save):
    mask = MASK.copy()
    mask[0, :2] = (3, 77)
    mask[1, 0] = 77
    with pytest.raises(MaskContentError) as caught:
        read_mask(save(tmp_path / "m.png", mask), CODE)
    assert str(caught.value) == (
        f"{tmp_path}/m.png: mask value 3 (1 pixels), 77 (2 pixels) is no label; allowed are 0 background, 1 cat, 2 dog "
        "and 255 (ignored); correct the mask or add the label to dataset_meta.json"
    )


def test_sixteen_bit_values_that_are_no_label(tmp_path, save):
    with pytest.raises(MaskContentError, match=r"mask value 256 \(1 pixels\), 511"):
        read_mask(save(tmp_path / "m.png", np.array([[0, 256, 511]], np.uint16)), CODE)


@pytest.mark.parametrize("largest", [300, 2_000_000_000])
def test_listed_values_may_be_large(tmp_path, largest):
    np.save(tmp_path / "m.npy", np.array([[0, largest, 7]], np.int32))
    code = replace(NO_COLORS, values=(0, 7, largest))
    np.testing.assert_array_equal(read_mask(tmp_path / "m.npy", code), [[0, 2, 1]])


def test_colours_that_are_no_label(tmp_path, save):
    pixels = painted(SOUND)
    pixels[0, 0] = (1, 2, 3)
    with pytest.raises(MaskContentError) as caught:
        read_mask(save(tmp_path / "m.png", pixels), CODE)
    assert str(caught.value) == (
        f"{tmp_path}/m.png: mask colour (1, 2, 3) (1 pixels) is no label; allowed are (0, 0, 0) background, "
        "(255, 0, 0) cat, (0, 128, 0) dog and (255, 255, 255) (ignored); correct the mask or add the label to "
        "dataset_meta.json"
    )


def test_colours_where_the_data_set_has_none(tmp_path, save):
    with pytest.raises(MaskContentError, match=r"mask colour .* dataset_meta.json has no colours"):
        read_mask(save(tmp_path / "m.png", painted(SOUND)), NO_COLORS)


def test_jpeg_masks_say_what_is_wrong(tmp_path, save):
    ramp = np.arange(256, dtype=np.uint8).reshape(16, 16)
    with pytest.raises(MaskContentError, match="JPEG changes the values of a mask: save masks as PNG"):
        read_mask(save(tmp_path / "m.jpg", ramp), CODE)


def test_pixel_types_that_no_mask_has(tmp_path, save):
    with pytest.raises(MaskContentError, match="32-bit floating-point samples: this is not read"):
        read_mask(save(tmp_path / "m.tif", MASK.astype(np.float32)), CODE)


def test_exif_rotation_of_a_mask_is_not_applied(tmp_path, save):
    exif = Image.Exif()
    exif[0x0112] = 6
    np.testing.assert_array_equal(read_mask(save(tmp_path / "m.png", MASK, exif=exif), CODE), MASK)


@pytest.mark.parametrize("share", [0.5, 0.97])
@pytest.mark.parametrize("code", [NO_COLORS, CODE], ids=["grey", "colour"])
def test_truncated_masks(tmp_path, save, share, code):
    mask = np.random.default_rng(0).integers(0, 3, (60, 80), dtype=np.uint8)
    path = save(tmp_path / "m.png", mask if code is NO_COLORS else painted(mask))
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])
    with pytest.raises(DataError, match=r"m\.png: the mask is truncated or damaged"):
        read_mask(path, code)
    with pytest.raises(DataError, match=r"m\.png: the image is truncated or damaged"):
        verify_mask_file(path)
