import json
import threading

import numpy as np
import pytest
from PIL import Image

from otx_seg.datasets import open_folder
from otx_seg.datasets.scan import mean_extents, readable_samples, require_two_labels, scan
from otx_seg.errors import DataError


def open_default(root):
    return open_folder(root)["default"]


def test_pixels_and_sizes(dataset, save):
    root = dataset(["a", "b", "c"])  # masks: 16 pixels of label 1, 2, 1 in 48
    mask = np.full((3, 4), 255, np.uint8)
    mask[0] = 2
    save(root / "images" / "d.png", np.zeros((3, 4, 3), np.uint8))
    save(root / "masks" / "d.png", mask)
    report = scan(open_default(root))
    assert report.images == 4
    assert report.pixels_per_label == (3 * 32, 2 * 16, 16 + 4)
    assert report.ignored_pixels == 8
    assert report.sizes == (((6, 8), 3), ((3, 4), 1))
    assert report.broken == ()
    assert report.share_per_label == pytest.approx((96 / 148, 32 / 148, 20 / 148))


@pytest.mark.parametrize("threads", [1, 3, None])
def test_progress_is_told_in_the_callers_thread(dataset, threads):
    calls = []
    scan(open_default(dataset(list("abcde"))), lambda done: calls.append((done, threading.current_thread())), threads)
    assert calls == [(done, threading.main_thread()) for done in range(1, 6)]


def test_files_that_cannot_be_decoded_are_listed_and_left_out(dataset, save):
    root = dataset(list("abcdef"))
    (root / "images" / "a.png").write_text("not an image")
    noise = np.random.default_rng(0).integers(0, 256, (60, 80, 3), dtype=np.uint8)
    content = save(root / "images" / "b.png", noise).read_bytes()
    (root / "images" / "b.png").write_bytes(content[:-500])
    jpeg = save(root / "images" / "c.jpg", noise).read_bytes()
    (root / "images" / "c.png").unlink()
    (root / "images" / "c.jpg").write_bytes(jpeg[:-500])
    mask = (root / "masks" / "d.png").read_bytes()
    (root / "masks" / "d.png").write_bytes(mask[: len(mask) // 2])
    flipped = bytearray((root / "masks" / "e.png").read_bytes())
    flipped[-14] ^= 1  # in the checksum of the pixels
    (root / "masks" / "e.png").write_bytes(flipped)
    subset = open_default(root)
    report = scan(subset)
    assert [name for name, _ in report.broken] == ["a.png", "b.png", "c.jpg", "d.png", "e.png"]
    reasons = [reason for _, reason in report.broken]
    assert reasons[0].endswith("images/a.png: not an image (its content is neither JPEG, PNG, BMP, GIF, TIFF nor WebP)")
    assert all("damaged" in reason for reason in reasons[1:])
    assert "masks/d.png" in reasons[3]
    assert report.images == 1
    assert report.pixels_per_label == (32, 0, 16)
    assert [sample.name for sample in readable_samples(subset, report).samples] == ["f.png"]


def test_nothing_left(dataset):
    root = dataset(["a", "b"])
    for name in ("a", "b"):
        (root / "images" / f"{name}.png").write_text("no image")
    subset = open_default(root)
    report = scan(subset)
    with pytest.raises(DataError, match=r"none of the 2 images can be used; first: .*a\.png: not an image"):
        readable_samples(subset, report)


def test_a_mask_of_another_size(dataset, save):
    root = dataset(["a", "b"])
    save(root / "masks" / "b.png", np.zeros((6, 9), np.uint8))
    with pytest.raises(DataError, match=r"masks/b\.png: the mask has 9 x 6 pixels, its image b\.png has 8 x 6"):
        scan(open_default(root))


def test_a_rotated_photo_pairs_with_a_mask_of_the_size_viewers_show(dataset, save):
    root = dataset(["b"])
    exif = Image.Exif()
    exif[0x0112] = 6
    save(root / "images" / "a.jpg", np.zeros((6, 8, 3), np.uint8), exif=exif)
    save(root / "masks" / "a.png", np.ones((8, 6), np.uint8))
    subset = open_default(root)
    report = scan(subset)
    assert dict(report.sizes) == {(8, 6): 1, (6, 8): 1}
    assert subset.read_image(subset.samples[0]).shape[:2] == (8, 6)

    save(root / "masks" / "a.png", np.ones((6, 8), np.uint8))
    with pytest.raises(DataError, match=r"8 x 6 pixels, its image a\.jpg has 6 x 8; .*rotation by EXIF counts"):
        scan(open_default(root))


def test_every_wrong_mask_is_counted_and_the_first_ones_listed(dataset, save):
    root = dataset(list("abcdefg"))
    for name in "bcdefg":
        save(root / "masks" / f"{name}.png", np.full((6, 8), 7, np.uint8))
    with pytest.raises(DataError) as caught:
        scan(open_default(root))
    lines = str(caught.value).splitlines()
    assert lines[0] == f"{root}: 6 of 7 masks cannot be used"
    assert lines[1].strip().startswith(f"{root}/masks/b.png: mask value 7 (48 pixels) is no label; allowed are 0 back")
    assert lines[-1].strip() == "and 1 more"
    assert len(lines) == 7


def test_one_wrong_mask_is_told_in_one_line(dataset, save):
    root = dataset(["a", "b"])
    save(root / "masks" / "a.png", np.full((6, 8, 3), (9, 9, 8), np.uint8))
    with pytest.raises(DataError, match=r"^.*a\.png: mask colour \(9, 9, 8\) \(48 pixels\) is no label"):
        scan(open_default(root))


def test_background_only_images_are_kept(dataset, save):
    root = dataset(["a", "b"])
    save(root / "masks" / "a.png", np.zeros((6, 8), np.uint8))
    assert scan(open_default(root)).images == 2


@pytest.mark.parametrize(("value", "message"), [(1, "only the label 'cat' occurs"), (255, "every pixel is ignored")])
def test_nothing_to_tell_apart(dataset, save, value, message):
    root = dataset(["a"])
    save(root / "masks" / "a.png", np.full((6, 8), value, np.uint8))
    subset = open_default(root)
    with pytest.raises(DataError, match=f"{message} in the masks of 1 images; there is nothing to learn"):
        require_two_labels(subset, scan(subset))


def test_a_label_of_255_is_said_to_be_ignored(dataset, save):
    root = dataset(["a"])
    save(root / "masks" / "a.png", np.where(np.arange(48).reshape(6, 8) < 12, 255, 0).astype(np.uint8))
    with pytest.raises(
        DataError, match=r"nothing to learn: 25\.0 % of the pixels are 255 or white, which is ignored; if"
    ):
        require_two_labels(open_default(root), scan(open_default(root)))


def test_two_labels_are_enough(dataset):
    subset = open_default(dataset(["a"]))
    require_two_labels(subset, scan(subset))


def test_labels_without_background(dataset):
    root = dataset(["a", "b"], meta={"label_map": {"0": "x", "1": "y", "2": "z"}})
    report = scan(open_default(root))
    assert report.pixels_per_label == (64, 16, 16)
    assert json.dumps(report.pixels_per_label)  # plain integers


def test_camvid(camvid):
    subset = open_folder(camvid)["val"]
    report = scan(subset)
    assert report.images == 101
    assert report.sizes == (((360, 480), 101),)
    assert sum(report.pixels_per_label) + report.ignored_pixels == 101 * 360 * 480
    assert all(report.pixels_per_label)


def test_extents_of_regions():
    mask = np.zeros((20, 30), np.uint8)
    mask[2:8, 3:9] = 1  # a square of 6
    mask[12:14, :] = 2  # two rows: 30 long, 2 high
    mask[16:18, 5:7] = 3  # two squares of 2
    mask[16:18, 15:17] = 3
    mask[0, 0] = 255
    _, square, line, spots, absent = mean_extents(mask, 5)
    assert square == pytest.approx(6.0)
    assert line == pytest.approx(2 / (1 / 30 + 1 / 2))
    assert spots == pytest.approx(2.0)
    assert absent == 0.0


def test_statistics_for_class_weights(dataset):
    report = scan(open_default(dataset(["a", "b", "c"])))  # cat, dog, cat in the upper third, background below
    found = report.label_statistics
    assert found.shares == pytest.approx((2 / 3, 2 / 9, 1 / 9))
    assert found.frequencies == pytest.approx((2 / 3, 1 / 3, 1 / 3))
    assert (found.images, report.images_per_label) == (3, (3, 2, 1))
    part = report.part([True, False, True])
    assert (part.images, part.pixels_per_label[2]) == (2, 0)
