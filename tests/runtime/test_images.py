import struct
import zlib

import cv2
import numpy as np
import pytest
from PIL import Image

from otx_seg.annotations.stored_masks import mask_size
from otx_seg.errors import DataError
from otx_seg.runtime.images import grey_bits, read_image, verify_image

PIXELS = np.random.default_rng(0).integers(0, 256, (6, 8, 3), dtype=np.uint8)
PHOTO = cv2.resize(PIXELS, (64, 48), interpolation=cv2.INTER_CUBIC)  # smooth, so that JPEG keeps it


def with_orientation(orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    return exif


@pytest.mark.parametrize("suffix", [".png", ".PNG", ".bmp", ".tif", ".TIFF"])
def test_lossless_formats_give_the_same_pixels(tmp_path, save, suffix):
    path = save(tmp_path / f"bild{suffix}", PIXELS)
    image = read_image(path)
    np.testing.assert_array_equal(image, PIXELS)
    assert image.dtype == np.uint8
    assert image.flags.c_contiguous
    assert verify_image(path) == (6, 8)


def test_lossless_webp(tmp_path, save):
    np.testing.assert_array_equal(read_image(save(tmp_path / "a.webp", PIXELS, lossless=True)), PIXELS)


@pytest.mark.parametrize("suffix", [".jpg", ".JPEG", ".webp"])
def test_lossy_formats_keep_channel_order(tmp_path, save, suffix):
    red = np.zeros((48, 64, 3), np.uint8)
    red[..., 0] = 200
    difference = np.abs(read_image(save(tmp_path / f"a{suffix}", red)).astype(int) - red)
    assert difference.max() <= 8


def test_the_format_is_judged_by_the_content(tmp_path, save):
    path = save(tmp_path / "a.png", PIXELS)
    np.testing.assert_array_equal(read_image(path.rename(tmp_path / "a.jpg")), PIXELS)


def test_names_in_other_scripts(tmp_path, save):
    np.testing.assert_array_equal(read_image(save(tmp_path / "Größe 猫.png", PIXELS)), PIXELS)


@pytest.mark.parametrize("suffix", [".png", ".tif", ".bmp"])
def test_grey_is_repeated(tmp_path, save, suffix):
    image = read_image(save(tmp_path / f"a{suffix}", PIXELS[..., 0]))
    np.testing.assert_array_equal(image, np.repeat(PIXELS[..., :1], 3, axis=2))


@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_alpha_is_dropped_not_blended(tmp_path, save, suffix):
    transparent = np.dstack([PIXELS, np.zeros((6, 8), np.uint8)])
    np.testing.assert_array_equal(read_image(save(tmp_path / f"a{suffix}", transparent)), PIXELS)


def test_grey_with_alpha(tmp_path):
    Image.fromarray(PIXELS).convert("LA").save(tmp_path / "a.png")
    expected = np.asarray(Image.fromarray(PIXELS).convert("L"))
    np.testing.assert_array_equal(read_image(tmp_path / "a.png")[..., 1], expected)


def test_palette_images_show_their_colours(tmp_path):
    numbers = Image.fromarray(np.array([[0, 1], [1, 0]], np.uint8))
    numbers.putpalette([10, 20, 30, 200, 100, 50])
    numbers.save(tmp_path / "a.png")
    expected = [[[10, 20, 30], [200, 100, 50]], [[200, 100, 50], [10, 20, 30]]]
    np.testing.assert_array_equal(read_image(tmp_path / "a.png"), expected)


@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_sixteen_bit_grey_drops_the_low_byte(tmp_path, save, suffix):
    values = np.array([[0, 255, 256, 32768, 65535]], np.uint16)
    image = read_image(save(tmp_path / f"a{suffix}", values))
    np.testing.assert_array_equal(image[0, :, 0], [0, 0, 1, 128, 255])
    np.testing.assert_array_equal(image[..., 0], image[..., 2])


@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_twelve_bits_of_sixteen_keep_their_shades(tmp_path, save, suffix):
    twelve = np.array([[0, 15, 16, 2048, 4095]], np.uint16)
    np.testing.assert_array_equal(read_image(save(tmp_path / f"a{suffix}", twelve))[0, :, 1], [0, 0, 1, 128, 255])
    brighter = np.array([[0, 15, 16, 2048, 4096]], np.uint16)
    np.testing.assert_array_equal(read_image(save(tmp_path / f"b{suffix}", brighter))[0, :, 1], [0, 0, 0, 8, 16])
    assert [grey_bits(tmp_path / f"{name}{suffix}") for name in "ab"] == [12, 16]
    assert grey_bits(save(tmp_path / f"c{suffix}", np.zeros((2, 2), np.uint8))) is None


@pytest.mark.parametrize("suffix", [".png", ".tiff"])
def test_sixteen_bit_colour_is_scaled_linearly(tmp_path, suffix):
    values = np.array([[[0, 1000, 2000], [30000, 40000, 65535]]], np.uint16)
    cv2.imwrite(str(tmp_path / f"a{suffix}"), values[..., ::-1])
    image = read_image(tmp_path / f"a{suffix}")
    np.testing.assert_allclose(image, values / 257, atol=1)


def test_thirty_two_bit_samples_are_refused(tmp_path, save):
    path = save(tmp_path / "a.tif", PIXELS[..., 0].astype(np.float32))
    with pytest.raises(DataError, match=r"a\.tif.*8 or 16 bits"):
        read_image(path)


# What a viewer shows for each EXIF orientation, from the standard's table of where row 0 and column 0 lie.
SHOWN = {
    1: lambda a: a,
    2: lambda a: a[:, ::-1],
    3: lambda a: a[::-1, ::-1],
    4: lambda a: a[::-1],
    5: lambda a: a.swapaxes(0, 1),
    6: lambda a: np.rot90(a, -1),
    7: lambda a: a.swapaxes(0, 1)[::-1, ::-1],
    8: lambda a: np.rot90(a),
}


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp", ".tif"])
def test_exif_rotation_is_applied(tmp_path, save, orientation, suffix):
    options = {".jpg": {"quality": 98, "subsampling": 0}, ".webp": {"lossless": True}}.get(suffix, {})
    path = save(tmp_path / f"a{suffix}", PHOTO, exif=with_orientation(orientation), **options)
    expected = SHOWN[orientation](PHOTO)
    image = read_image(path)
    assert image.shape == expected.shape
    assert np.abs(image.astype(int) - expected).mean() < 2
    assert verify_image(path) == expected.shape[:2]


def tiff(width, height, pixels, bits=8):
    """An uncompressed grey TIFF of one strip, whatever its header claims."""
    entries = [(256, width), (257, height), (258, bits), (259, 1), (262, 1), (273, 8), (277, 1), (278, height)]
    entries.append((279, len(pixels)))
    directory = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in entries)
    return (
        b"II*\0" + struct.pack("<I", 8 + len(pixels)) + pixels + struct.pack("<H", len(entries)) + directory + b"\0" * 4
    )


@pytest.mark.parametrize("compression", ["raw", "tiff_lzw", "tiff_adobe_deflate", "packbits"])
@pytest.mark.parametrize("tiled", [False, True])
@pytest.mark.parametrize("channels", [1, 3])
def test_strips_and_tiles(tmp_path, compression, tiled, channels):
    pixels = cv2.resize(PIXELS, (100, 70), interpolation=cv2.INTER_CUBIC)[..., :channels]
    path = tmp_path / "ä.tif"
    layout = {322: 32, 323: 48} if tiled and compression != "raw" else {278: 8}
    Image.fromarray(pixels.squeeze()).save(path, compression=compression, tiffinfo=layout)
    np.testing.assert_array_equal(read_image(path), np.broadcast_to(pixels, (70, 100, 3)))
    assert verify_image(path) == (70, 100)


def test_a_tiff_whose_name_the_decoder_cannot_open(tmp_path, save, monkeypatch):
    monkeypatch.setattr(cv2, "imread", lambda path, flags: None)
    np.testing.assert_array_equal(read_image(save(tmp_path / "猫.tif", PIXELS)), PIXELS)


def test_tiffs_larger_than_pillow_takes_are_read(tmp_path, save, monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 20)  # the 48 pixels are more than twice as many
    path = save(tmp_path / "a.tif", PIXELS)
    np.testing.assert_array_equal(read_image(path), PIXELS)
    assert verify_image(path) == (6, 8)
    unusual = save(tmp_path / "b.tif", PIXELS, compression="jpeg")
    with pytest.raises(DataError, match=r"b\.tif: a strip of 6 x 8 pixels is too large; save it in smaller ones"):
        read_image(unusual)


def test_a_damaged_tiff_is_refused_without_a_word_of_the_decoder(tmp_path, capfd):
    path = tmp_path / "a.tif"
    path.write_bytes(tiff(400, 300, b"\1" * 1000))
    with pytest.raises(DataError, match=r"a\.tif: the image is truncated or damaged"):
        read_image(path)
    assert capfd.readouterr().err == ""


def test_what_the_decoder_says_of_a_profile_is_not_printed(tmp_path, capfd):
    path, profile = tmp_path / "a.png", b"x\0\0" + zlib.compress(b"none")
    cv2.imwrite(str(path), np.zeros((4, 4, 3), np.uint8))
    chunk = b"iCCP" + profile
    content = path.read_bytes()
    path.write_bytes(
        content[:33] + struct.pack(">I", len(profile)) + chunk + struct.pack(">I", zlib.crc32(chunk)) + content[33:]
    )
    assert read_image(path).shape == (4, 4, 3)
    assert capfd.readouterr() == ("", "")


def png_header(width, height):
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunks = [(b"IHDR", header), (b"IDAT", zlib.compress(b"\0" * 1000)), (b"IEND", b"")]
    parts = [
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in chunks
    ]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def jpeg_header(width, height):
    frame = struct.pack(">BHHB", 8, height, width, 1) + b"\x01\x11\x00"
    return (
        b"\xff\xd8\xff\xc0"
        + struct.pack(">H", len(frame) + 2)
        + frame
        + b"\xff\xda\x00\x08\x01\x01\x00\x00?\x00\xff\xd9"
    )


@pytest.mark.parametrize(
    ("content", "claim"),
    [
        (png_header(100_000, 100_000), "100000 x 100000"),
        (jpeg_header(60_000, 60_000), "60000 x 60000"),
        (
            b"BM" + struct.pack("<IHHIIiiHHIIiiII", 54, 0, 0, 54, 40, 100_000, 100_000, 1, 24, 0, 0, 0, 0, 0, 0),
            "100000",
        ),
        (tiff(50_000, 10_001, b"\0" * 100), "50000 x 10001"),
        (tiff(50_000, 10_001, b"\0" * 100, bits=16), "50000 x 10001"),
    ],
    ids=["png", "jpeg", "bmp", "tiff", "tiff of 16 bits"],
)
@pytest.mark.parametrize("read", [read_image, verify_image])
def test_a_header_that_claims_too_much_is_refused_before_decoding(tmp_path, content, claim, read):
    path = tmp_path / "bomb.png"
    path.write_bytes(content)
    with pytest.raises(DataError, match=f"bomb.png.*{claim}.*500 million"):
        read(path)


@pytest.mark.parametrize("read", [read_image, verify_image])
def test_a_file_of_kilobytes_makes_no_work_for_minutes(tmp_path, read):
    path = tmp_path / "blank.png"
    path.write_bytes(png_header(20_000, 20_000) + b"\0" * 48_000)
    with pytest.raises(DataError, match="20000 x 20000 pixels, which so small a file cannot hold"):
        read(path)
    assert mask_size(path) == (20_000, 20_000)  # which its image has to have too


@pytest.mark.parametrize("read", [read_image, verify_image])
@pytest.mark.parametrize("content", [b"just some text, not an image\n" * 20, b"GIF12a...", b"\x89PN"])
def test_no_image_behind_the_suffix(tmp_path, content, read):
    path = tmp_path / "a.png"
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"a\.png: not an image"):
        read(path)


@pytest.mark.parametrize("read", [read_image, verify_image])
def test_empty_and_missing_files(tmp_path, read):
    (tmp_path / "a.png").touch()
    with pytest.raises(DataError, match=r"a\.png: the file is empty"):
        read(tmp_path / "a.png")
    with pytest.raises(DataError, match=r"b\.png: cannot be read \(No such file"):
        read(tmp_path / "b.png")


@pytest.mark.parametrize("read", [read_image, verify_image])
@pytest.mark.parametrize("share", [0.02, 0.3, 0.7, 0.97])
@pytest.mark.parametrize("suffix", [".jpg", ".png", ".bmp", ".tif", ".webp"])
def test_truncated_files_are_refused(tmp_path, save, suffix, share, read):
    noise = np.random.default_rng(1).integers(0, 256, (60, 80, 3), dtype=np.uint8)
    path = save(tmp_path / f"a{suffix}", noise)
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])
    with pytest.raises(DataError, match=rf"a\{suffix}: "):
        read(path)


def test_a_flipped_bit_in_a_png_is_found(tmp_path, save):
    path = save(tmp_path / "a.png", PHOTO)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"a\.png: the image is truncated or damaged"):
        verify_image(path)


@pytest.mark.parametrize("suffix", [".jpg", ".png"])
def test_something_after_the_end_does_no_harm(tmp_path, save, suffix):
    path = save(tmp_path / f"a{suffix}", PHOTO)
    expected = read_image(path)
    path.write_bytes(path.read_bytes() + b"appended by a camera" * 5)
    np.testing.assert_array_equal(read_image(path), expected)
    assert verify_image(path) == (48, 64)


@pytest.mark.filterwarnings("ignore")  # Pillow warns of some of the damage
@pytest.mark.parametrize("suffix", [".jpg", ".png", ".bmp", ".tif", ".webp"])
def test_random_damage_gives_an_image_or_a_clear_error(tmp_path, save, suffix):
    rng = np.random.default_rng(5)
    valid = save(tmp_path / f"valid{suffix}", PHOTO[:20, :30], exif=with_orientation(6)).read_bytes()
    path = tmp_path / f"a{suffix}"
    for _ in range(100):
        content = np.frombuffer(valid, np.uint8).copy()
        content[rng.integers(0, rng.choice([100, len(content)]), 4)] = rng.integers(0, 256, 4)
        path.write_bytes(content)
        for read in (read_image, verify_image):
            try:
                read(path)
            except DataError as error:
                assert str(error).startswith(f"{path}: ")  # noqa: PT017  either way is right


def test_garbage_in_place_of_exif_data(tmp_path, save):
    path = save(tmp_path / "a.webp", PHOTO, exif=b"Exif\0\0no such thing")
    assert read_image(path).shape == PHOTO.shape


def test_a_side_longer_than_the_decoder_takes(tmp_path):
    path = tmp_path / "a.png"
    path.write_bytes(png_header(1_500_000, 10))
    with pytest.raises(DataError, match=r"a\.png: the image is truncated or damaged"):
        read_image(path)
