import errno
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.testing import assert_array_equal

from otx_seg.deployment.agreement import drawn_images
from otx_seg.errors import DataError, OtxError, UsageError
from otx_seg.inference.predict import predict_images
from otx_seg.inference.predict_settings import PredictSettings
from otx_seg.inference.predictor import load_predictor
from otx_seg.labels import Labels
from otx_seg.runtime import result_files
from otx_seg.runtime.augmented_views import AugmentedViews
from otx_seg.runtime.crops import network_input
from otx_seg.runtime.masks import mask_at
from otx_seg.runtime.overlay import draw_legend, overlay
from otx_seg.runtime.predict_mask import SlidingWindow, predict_mask
from otx_seg.runtime.predictor import Predictor


@pytest.fixture(scope="module")
def predictor(tiny_ir: Path) -> Predictor:
    return load_predictor(tiny_ir)


def save(path: Path, image: np.ndarray) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), image[:, :, ::-1])
    return path


IMAGE = drawn_images((50, 70))[0]


def test_an_image(predictor: Predictor, tmp_path: Path) -> None:
    source = save(tmp_path / "in" / "Straße 1.PNG", IMAGE)
    found = predict_images(predictor, source, tmp_path / "out")
    assert found.unreadable == ()
    assert [prediction.image for prediction in found.written] == [source]
    mask = cv2.imread(str(tmp_path / "out" / "Straße 1.png"), cv2.IMREAD_UNCHANGED)
    assert mask.dtype == np.uint8
    assert mask.shape == (50, 70)
    assert_array_equal(mask, mask_at(predictor.probabilities(network_input(IMAGE, (64, 64)))[0], (50, 70)))
    drawn = cv2.imread(str(tmp_path / "out" / "overlays" / "Straße 1.jpg"))[:, :, ::-1]
    expected = overlay(IMAGE, mask, predictor.labels).astype(int)
    assert np.abs(drawn.astype(int) - expected).mean() < 12  # JPEG


def test_an_overlay_names_its_labels(predictor: Predictor, tmp_path: Path) -> None:
    image = np.tile(IMAGE, (4, 4, 1))
    predict_images(predictor, save(tmp_path / "in" / "large.png", image), tmp_path / "out")
    mask = cv2.imread(str(tmp_path / "out" / "large.png"), cv2.IMREAD_UNCHANGED)
    expected = overlay(image, mask, predictor.labels)
    draw_legend(expected, mask, predictor.labels)
    drawn = cv2.imread(str(tmp_path / "out" / "overlays" / "large.jpg"))[:, :, ::-1]
    panel = (slice(0, 20), slice(0, 40))
    assert np.abs(drawn[panel].astype(int) - expected[panel]).mean() < 12  # JPEG
    assert np.abs(overlay(image, mask, predictor.labels)[panel].astype(int) - expected[panel]).mean() > 24


def test_a_folder_with_nested_and_colliding_names(predictor: Predictor, tmp_path: Path) -> None:
    for name in ("a.png", "a.jpg", "A.bmp", "sub/b.jpg", "sub/c.tar.png", "a.jpg.png"):
        save(tmp_path / "in" / name, IMAGE)
    seen: list[tuple[int, int]] = []
    found = predict_images(
        predictor, tmp_path / "in", tmp_path / "out", progress=lambda done, total: seen.append((done, total))
    )
    masks = {prediction.files.mask.relative_to(tmp_path / "out").as_posix() for prediction in found.written}
    assert masks == {"a.png.png", "a.jpg.png", "A.bmp.png", "a.jpg.png_2.png", "sub/b.png", "sub/c.tar.png"}
    overlays = {prediction.files.overlay.relative_to(tmp_path / "out").as_posix() for prediction in found.written}
    assert {"overlays/sub/b.jpg", "overlays/A.bmp.jpg"} < overlays
    assert len(overlays) == 6
    assert all(prediction.files.mask.is_file() and prediction.files.overlay.is_file() for prediction in found.written)
    assert seen == [(number, 6) for number in range(1, 7)]


def test_inputs_are_never_overwritten(predictor: Predictor, tmp_path: Path) -> None:
    source = save(tmp_path / "a.png", IMAGE)
    before = source.read_bytes()
    with pytest.raises(UsageError, match=r"a\.png: is one of the images and would be overwritten"):
        predict_images(predictor, tmp_path, tmp_path)
    assert source.read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["a.png"]
    save(tmp_path / "x" / "overlays" / "b.jpg", IMAGE)
    save(tmp_path / "x" / "b.bmp", IMAGE)
    with pytest.raises(UsageError, match=r"b\.jpg: is one of the images"):
        predict_images(predictor, tmp_path / "x", tmp_path / "x")


def test_earlier_results_are_replaced_only_if_allowed(predictor: Predictor, tmp_path: Path) -> None:
    source = save(tmp_path / "a.png", IMAGE)
    predict_images(predictor, source, tmp_path / "out")
    (tmp_path / "out" / "a.png").write_text("something of the user's")
    with pytest.raises(UsageError, match=r"a\.png: exists; choose another --output"):
        predict_images(predictor, source, tmp_path / "out")
    assert (tmp_path / "out" / "a.png").read_text() == "something of the user's"
    predict_images(predictor, source, tmp_path / "out", overwrite=True)
    assert cv2.imread(str(tmp_path / "out" / "a.png"), cv2.IMREAD_UNCHANGED).shape == (50, 70)


def test_unreadable_images_are_listed_and_the_rest_is_done(predictor: Predictor, tmp_path: Path) -> None:
    save(tmp_path / "in" / "good.png", IMAGE)
    (tmp_path / "in" / "text.png").write_text("no image")
    found = predict_images(predictor, tmp_path / "in", tmp_path / "out")
    assert [prediction.files.mask.name for prediction in found.written] == ["good.png"]
    ((path, reason),) = found.unreadable
    assert path.name == "text.png"
    assert "not an image" in reason
    (tmp_path / "in" / "good.png").unlink()
    with pytest.raises(DataError, match="none of 1 images could be read"):
        predict_images(predictor, tmp_path / "in", tmp_path / "out")


def test_a_full_disk(predictor: Predictor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: Path, content: bytes) -> None:
        raise OSError(errno.ENOSPC, "No space left on device", str(path))

    monkeypatch.setattr(result_files, "write_atomic", refuse)
    with pytest.raises(OtxError, match=r"a\.png: cannot be written \(No space left on device\)"):
        predict_images(predictor, save(tmp_path / "a.png", IMAGE), tmp_path / "out")


def test_masks_have_the_image_s_size(predictor: Predictor) -> None:
    for size in ((1, 1), (3, 200), (130, 64)):
        assert predict_mask(predictor, np.zeros((*size, 3), np.uint8)).shape == size


def test_windows_and_augmented_views(predictor: Predictor, tmp_path: Path) -> None:
    source = save(tmp_path / "a.png", IMAGE)
    window, views = SlidingWindow(30, 40, 0.5), AugmentedViews(flip=True, scales=(1.5,))
    predict_images(predictor, source, tmp_path / "out", PredictSettings(window, views))
    mask = cv2.imread(str(tmp_path / "out" / "a.png"), cv2.IMREAD_UNCHANGED)
    assert_array_equal(mask, predict_mask(predictor, IMAGE, window, views))
    assert (mask != predict_mask(predictor, IMAGE)).any()


def test_overlays_of_large_images_are_shrunk(
    predictor: Predictor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(result_files, "_OVERLAY_SIDE", 35)
    (written,) = predict_images(predictor, save(tmp_path / "a.png", IMAGE), tmp_path / "out").written
    mask = cv2.imread(str(written.files.mask), cv2.IMREAD_UNCHANGED)
    assert mask.shape == (50, 70)
    drawn = cv2.imread(str(written.files.overlay))[:, :, ::-1]
    assert drawn.shape == (25, 35, 3)
    expected = overlay(cv2.resize(IMAGE, (35, 25), interpolation=cv2.INTER_AREA), mask[::2, ::2], predictor.labels)
    assert np.abs(drawn.astype(int) - expected).mean() < 15  # JPEG


@pytest.mark.parametrize("suffix", [".tif", ".png"])
def test_the_overlay_of_an_image_that_is_all_length(predictor: Predictor, tmp_path: Path, suffix: str) -> None:
    source = save(tmp_path / f"a{suffix}", np.zeros((1, 30_000, 3), np.uint8))
    (written,) = predict_images(predictor, source, tmp_path / "out").written
    assert cv2.imread(str(written.files.overlay)).shape == (1, 8000, 3)


def test_overlay_by_hand() -> None:
    labels = Labels(("ground", "background", "tree"), ((0, 0, 0), (9, 9, 9), (0, 200, 100)), background=1)
    image = np.full((1, 4, 3), 100, np.uint8)
    drawn = overlay(image, np.array([[0, 1, 2, 255]], np.uint8), labels)
    assert drawn.tolist() == [[[50, 50, 50], [100, 100, 100], [50, 150, 100], [100, 100, 100]]]
