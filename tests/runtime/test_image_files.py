"""Which files of a folder are taken for images."""

import numpy as np
import pytest

from otx_seg.errors import DataError
from otx_seg.runtime.image_files import images_in

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
