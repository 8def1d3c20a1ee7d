import itertools

import numpy as np
import pytest
from PIL import Image
from tiff_files import tiff_file

from otx_seg.annotations.stored_masks import mask_size, stored_mask
from otx_seg.errors import DataError
from otx_seg.runtime.images import read_image, verify_image

HEIGHT, WIDTH = 7, 18
BITS = {"1": 1, "4": 4, "8": 8, "12 packed": 12, "12 in 16": 16, "16": 16, "int16": 16, "float": 32}
COLOURS = {"white is zero": 1, "black is zero": 1, "palette": 1, "rgb": 3}
PALETTE = np.random.default_rng(9).integers(0, 1 << 16, (256, 3))


def numbers(depth, bands):
    """Samples (H, W, bands) that use all of their bits."""
    bits = 12 if depth == "12 in 16" else BITS[depth]
    rng = np.random.default_rng(bands)
    if depth == "float":
        return rng.random((HEIGHT, WIDTH, bands), np.float32)
    if depth == "8":  # smooth, so that JPEG keeps it
        rows, columns, bands_ = np.ogrid[:HEIGHT, :WIDTH, :bands]
        return (5 * rows + 7 * columns + 40 * bands_).astype(np.uint8)
    kind = np.int16 if depth == "int16" else np.uint8 if bits <= 8 else np.uint16
    return rng.integers(0, 1 << min(bits, 15) if depth == "int16" else 1 << bits, (HEIGHT, WIDTH, bands)).astype(kind)


def shown(samples, depth, photometric):
    """What a viewer shows, worked out pixel by pixel from the standard."""
    bits = 12 if depth == "12 in 16" and COLOURS[photometric] == 1 else BITS[depth]
    if photometric == "palette":
        return (PALETTE[samples[..., 0]] // 256).astype(np.uint8)
    highest = (1 << bits) - 1
    eight = samples // (1 << (bits - 8)) if bits > 8 else np.rint(samples * 255.0 / highest)
    eight = eight.astype(np.uint8)[..., : COLOURS[photometric]]
    eight = 255 - eight if photometric == "white is zero" else eight
    return np.broadcast_to(eight, (HEIGHT, WIDTH, 3))


def refusal(depth, photometric, bands, extra, compression, planar, predictor):
    """What the message says of a kind that is not read; None where it is."""
    more = bands - COLOURS[photometric]
    if more and not (more == 1 and extra == (2,)):
        return rf"{bands} channels?, "
    if depth == "float":
        return "32-bit floating-point samples"
    if compression == "jpeg" and (photometric == "palette" or (more and not planar)):
        return "JPEG compression"
    if compression == "packbits" and predictor:  # libtiff takes the differences for values, tifffile does not
        return "PackBits compression of differences"
    return None


TILE = (16, 16)
FILES = ((None, False, False), (TILE, True, False), (None, True, True), (TILE, False, True))
"""Tile, whether big-endian, whether BigTIFF."""

WAYS = list(itertools.product(COLOURS, (1, 2, 3, 4, 5), ((), (2,), (0,)), FILES))


@pytest.mark.parametrize("planar", [False, True], ids=["pixels", "planes"])
@pytest.mark.parametrize("compression", ["none", "lzw", "deflate", "packbits", "jpeg"])
@pytest.mark.parametrize("depth", BITS)
def test_every_kind_is_read_rightly_or_refused_as_what_it_is(tmp_path, depth, compression, planar):
    path = tmp_path / "a.tif"
    for photometric, bands, extra, (tile, big_endian, big) in WAYS:
        more = bands - COLOURS[photometric]
        if (extra and more < 1) or (extra == (2,) and more > 1) or (not extra and more > 0):
            continue
        if (planar and bands == 1) or (
            compression == "jpeg" and (depth != "8" or (bands not in (1, 3) and not planar))
        ):
            continue
        if photometric == "palette" and BITS[depth] > 8:
            continue
        predictor = compression in ("lzw", "deflate", "packbits") and BITS[depth] in (8, 16) and big
        predictor = predictor and (compression, depth) != ("packbits", "int16")  # refused for two reasons
        samples = numbers(depth, bands)
        how = {
            **{"bits": BITS[depth], "photometric": photometric, "compression": compression, "planar": planar},
            **{"tile": tile, "predictor": predictor, "extra": extra * max(more, 0) if extra == (0,) else extra},
            **{"kind": {"float": 3, "int16": 2}.get(depth, 1), "big_endian": big_endian, "big": big},
            "palette": PALETTE[: 1 << BITS[depth]] if photometric == "palette" else None,
        }
        path.write_bytes(tiff_file(samples, **how))
        reason = refusal(depth, photometric, bands, extra, compression, planar, predictor)
        lossy = 6 if compression == "jpeg" else 0
        check_image(path, reason or ("signed samples" if depth == "int16" else None), how, samples, depth, lossy)
        check_mask(path, reason, how, samples, depth, lossy)


def check_image(path, reason, how, samples, depth, lossy):
    if reason is not None:
        with pytest.raises(DataError, match=rf"a\.tif: .*{reason}") as told:
            read_image(path)
        assert "damaged" not in str(told.value)
        return
    image = read_image(path)
    expected = shown(samples, depth, how["photometric"])
    assert image.dtype == np.uint8
    assert np.abs(image.astype(int) - expected).max() <= lossy
    assert verify_image(path) == (HEIGHT, WIDTH)


def check_mask(path, reason, how, samples, depth, lossy):
    photometric, bits = how["photometric"], how["bits"]  # the numbers that are stored, also where white is zero
    if reason is None and photometric == "rgb" and bits != 8:
        reason = f"{bits} bits per channel|{bits}-bit signed"
    if reason is None and depth == "int16" and samples.shape[2] > 1:
        reason = "16-bit signed samples"
    assert mask_size(path) == (HEIGHT, WIDTH)
    if reason is not None:
        with pytest.raises(DataError, match=rf"a\.tif: .*({reason})") as told:
            stored_mask(path)
        assert "damaged" not in str(told.value)
        return
    pixels, palette = stored_mask(path)
    expected = samples[..., 2::-1] if photometric == "rgb" else samples[..., 0].astype(int)
    assert pixels.shape == expected.shape
    assert np.abs(pixels.astype(int) - expected).max() <= lossy, how
    if photometric == "palette":
        np.testing.assert_array_equal(palette, PALETTE[: 1 << bits] // 256)


@pytest.mark.parametrize("compression", ["lzma", "zstd"])
def test_what_only_libtiff_packs(tmp_path, compression):
    pixels = np.arange(20 * 30 * 3, dtype=np.uint8).reshape(20, 30, 3)
    try:
        Image.fromarray(pixels).save(tmp_path / "a.tif", compression=compression)
    except OSError:
        pytest.skip(f"Pillow's libtiff here was built without {compression}")
    np.testing.assert_array_equal(read_image(tmp_path / "a.tif"), pixels)
