"""The georeference of a GeoTIFF, and the files that keep it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

from otx_seg.deployment.agreement import drawn_images
from otx_seg.errors import UsageError
from otx_seg.inference.predict import predict_images
from otx_seg.inference.predict_settings import PredictSettings
from otx_seg.inference.predictor import load_predictor
from otx_seg.runtime.georeference import georeference_of
from otx_seg.runtime.images import read_image
from otx_seg.runtime.predict_mask import predict_mask
from otx_seg.runtime.tiff_writing import write_tiff

IMAGE = drawn_images((50, 70))[0]
SCALE = (33550, "d", 3, (0.25, 0.25, 0.0), True)
TIE_POINT = (33922, "d", 6, (0.0, 0.0, 0.0, 500_000.125, 5_400_000.875, 0.0), True)
TRANSFORMATION = (34264, "d", 16, tuple(float(number) / 3 for number in range(16)), True)
KEYS = (34735, "H", 16, (1, 1, 0, 3, 1024, 0, 1, 1, 1025, 0, 1, 1, 3072, 0, 1, 32633), True)
NUMBERS = (34736, "d", 2, (298.257223563, 6378137.0), True)
TEXTS = (34737, "s", 22, "WGS 84 / UTM zone 33N|", True)
NO_DATA = (42113, "s", 2, "0", True)
CAMERA = (50844, "d", 92, tuple(float(number) for number in range(92)), True)

PLACED: dict[str, list[Any]] = {
    "scale and tie point": [SCALE, TIE_POINT, KEYS, NUMBERS, TEXTS],
    "transformation": [TRANSFORMATION, KEYS, TEXTS],
    "camera": [CAMERA],
    "without a coordinate reference system": [SCALE, TIE_POINT],
}


def geotiff(path: Path, tags: list[Any], pages: int = 1, **how: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with tifffile.TiffWriter(path, **how) as writer:
        for _ in range(pages):
            writer.write(IMAGE, photometric="rgb", metadata=None, extratags=tags)
    return path


def tags_in(path: Path, page: int = 0) -> dict[int, Any]:
    with tifffile.TiffFile(path) as file:
        tags = file.pages[page].tags
        return {tag.code: (tag.dtype, tag.count, tag.value) for tag in tags if tag.code > 33000}


@pytest.mark.parametrize("tags", PLACED.values(), ids=PLACED.keys())
@pytest.mark.parametrize("how", [{}, {"byteorder": ">"}, {"bigtiff": True}], ids=["little", "big", "64 bits"])
def test_tags_are_the_same(tmp_path: Path, tags: list[Any], how: dict[str, Any]) -> None:
    source = geotiff(tmp_path / "a.tif", tags, **how)
    found = georeference_of(source)
    assert {tag.code for tag in found} == {tag[0] for tag in tags}
    write_tiff(tmp_path / "b.tif", [np.zeros((50, 70), np.uint8)], 3500, georeference=found)
    assert tags_in(tmp_path / "b.tif") == tags_in(source)


def test_the_value_for_no_data_is_no_label(tmp_path: Path) -> None:
    found = georeference_of(geotiff(tmp_path / "a.tif", [SCALE, TIE_POINT, NO_DATA]))
    assert [tag.code for tag in found] == [33550, 33922]


def test_images_without_a_place(tmp_path: Path, save: Callable[..., Path], messages: Any) -> None:
    assert georeference_of(geotiff(tmp_path / "plain.tif", [])) == ()
    assert georeference_of(geotiff(tmp_path / "keys.tif", [KEYS, TEXTS])) == ()
    assert georeference_of(save(tmp_path / "a.png", IMAGE)) == ()
    assert georeference_of(tmp_path / "missing.tif") == ()
    (tmp_path / "damaged.tif").write_bytes(b"II*\0\x08\0\0\0\xff\xff")
    assert georeference_of(tmp_path / "damaged.tif") == ()
    assert georeference_of(f"{tmp_path / 'plain.tif'}#7") == ()
    assert messages.text == ""


def test_an_image_that_is_stored_turned(tmp_path: Path, messages: Any) -> None:
    source = geotiff(tmp_path / "a.tif", [SCALE, TIE_POINT, (274, "H", 1, 6, True)])
    assert georeference_of(source) == ()
    assert "is stored turned, which its georeference does not fit" in messages.text


def test_each_page_has_its_own(tmp_path: Path) -> None:
    with tifffile.TiffWriter(tmp_path / "a.tif") as writer:
        writer.write(IMAGE, photometric="rgb", metadata=None)
        writer.write(IMAGE, photometric="rgb", metadata=None, extratags=[TRANSFORMATION])
    assert georeference_of(f"{tmp_path / 'a.tif'}#1") == ()
    assert [tag.code for tag in georeference_of(f"{tmp_path / 'a.tif'}#2")] == [34264]


def test_predictions_keep_it(tiny_ir: Path, tmp_path: Path, save: Callable[..., Path]) -> None:
    source = geotiff(tmp_path / "in" / "scan.tif", PLACED["scale and tie point"])
    save(tmp_path / "in" / "other.png", IMAGE)
    predictor = load_predictor(tiny_ir)
    how = PredictSettings(save=("confidence", "probabilities"))
    other, scan = predict_images(predictor, tmp_path / "in", tmp_path / "out", how).written
    names = {path.relative_to(tmp_path / "out").as_posix() for path in scan.written}
    assert names == {"scan.tif", "overlays/scan.jpg", "confidence/scan.tif", "probabilities/scan.tif"}
    assert other.files.mask.name == "other.png"
    assert tags_in(scan.files.mask) == tags_in(source)
    assert scan.confidence is not None
    assert scan.probabilities is not None
    assert tags_in(scan.confidence) == tags_in(source)
    assert [tags_in(scan.probabilities, page) for page in range(4)] == [tags_in(source)] * 4
    np.testing.assert_array_equal(tifffile.imread(scan.files.mask), predict_mask(predictor, IMAGE))
    colors = PredictSettings(mask_values="color")
    (painted,) = predict_images(predictor, source, tmp_path / "colors", colors).written
    assert tifffile.imread(painted.files.mask).shape == (50, 70, 3)
    assert tags_in(painted.files.mask) == tags_in(source)
    assert read_image(painted.files.mask).shape == (50, 70, 3)


def test_a_mask_never_replaces_its_image(tiny_ir: Path, tmp_path: Path) -> None:
    source = geotiff(tmp_path / "scan.tif", PLACED["transformation"])
    with pytest.raises(UsageError, match=r"scan\.tif: is one of the images and would be overwritten"):
        predict_images(load_predictor(tiny_ir), source, tmp_path, overwrite=True)


def test_a_file_of_more_than_4_gib_is_a_big_tiff(tmp_path: Path) -> None:
    for nbytes, signature in ((1000, b"II*\0"), (5_000_000_000, b"II+\0")):
        write_tiff(tmp_path / "a.tif", [np.zeros((50, 20), np.uint8)], nbytes)
        assert (tmp_path / "a.tif").read_bytes()[:4] == signature
        assert tifffile.imread(tmp_path / "a.tif").shape == (50, 20)
