"""Which files of a folder are taken for images."""

import logging

import numpy as np
import pytest

from otx_seg.errors import DataError
from otx_seg.formats.layouts.folder import pair_files
from otx_seg.runtime.image_files import images_in
from otx_seg.runtime.images import read_image
from otx_seg.runtime.streams import open_stream

PIXELS = np.zeros((2, 3, 3), np.uint8)


def test_images_in_a_file_or_a_folder(tmp_path, save):
    files = [save(tmp_path / name, PIXELS) for name in ("b.PNG", "a.jpg", "sub/deeper/c.webp")]
    save(tmp_path / ".hidden" / "d.png", PIXELS)
    save(tmp_path / "._a.png", PIXELS)
    (tmp_path / "notes.txt").write_text("no image")
    assert images_in(tmp_path) == sorted(files)
    assert images_in(files[0]) == [files[0]]


def test_images_in_nothing(tmp_path):
    with pytest.raises(DataError, match="no images in this folder"):
        images_in(tmp_path)
    with pytest.raises(DataError, match="no such file or folder"):
        images_in(tmp_path / "missing")


def test_links_are_followed_wherever_they_lead(tmp_path, save):
    save(tmp_path / "elsewhere" / "deep" / "a.png", PIXELS)
    folder = tmp_path / "folder"
    save(folder / "b.png", PIXELS)
    (folder / "more").symlink_to(tmp_path / "elsewhere")
    (folder / "c.png").symlink_to(folder / "b.png")
    (tmp_path / "elsewhere" / "back").symlink_to(tmp_path / "elsewhere")
    assert [str(path.relative_to(folder)) for path in images_in(folder)] == ["b.png", "c.png", "more/deep/a.png"]


def test_formats_that_are_not_read_are_named(tmp_path, save, caplog):
    for name in ("a.HEIC", "b.avif", "c.jp2"):
        (tmp_path / name).write_bytes(b"\0\0\0\x1cftypheic" + b"\0" * 20)
    with pytest.raises(DataError, match=r"3 files in formats that are not read \(AVIF, HEIC, JP2\): a\.HEIC, .*as PNG"):
        images_in(tmp_path)
    with pytest.raises(DataError, match=r"a\.HEIC: HEIC, which is not read; save the image as PNG or JPEG"):
        read_image(tmp_path / "a.HEIC")
    with pytest.raises(DataError, match=r"a\.HEIC: HEIC, which is not read"):
        list(open_stream(tmp_path / "a.HEIC").frames())
    save(tmp_path / "d.png", np.zeros((2, 2), np.uint8))
    assert images_in(tmp_path) == [tmp_path / "d.png"]
    with caplog.at_level(logging.WARNING, "otx_seg"):
        assert open_stream(tmp_path).total == 1
    assert "left out: 3 files in formats that are not read" in caplog.text


def test_formats_that_are_not_read_among_labelled_images(tmp_path, save):
    save(tmp_path / "images" / "a.png", np.zeros((2, 2, 3), np.uint8))
    save(tmp_path / "masks" / "a.png", np.zeros((2, 2), np.uint8))
    (tmp_path / "images" / "b.heic").touch()
    left = pair_files(tmp_path / "images", tmp_path / "masks")[1]
    assert [(one.kind, one.name) for one in left] == [("unread_files", "b.heic")]
    (tmp_path / "images" / "a.png").unlink()
    with pytest.raises(DataError, match=r"images: 1 files? in formats that are not read \(HEIC\): b\.heic"):
        pair_files(tmp_path / "images", tmp_path / "masks")
