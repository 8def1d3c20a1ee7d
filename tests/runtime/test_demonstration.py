"""What is kept, drawn and shown of a stream, and how it ends."""

from __future__ import annotations

import functools
import time
from collections.abc import Generator, Iterable
from pathlib import Path, PurePath
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.testing import assert_array_equal

from otx_seg.deployment.agreement import drawn_images
from otx_seg.errors import UsageError
from otx_seg.runtime import demonstration
from otx_seg.runtime.demo_program import in_words
from otx_seg.runtime.demonstration import DemoResult, DemoSettings, Window, demonstrate, why_no_window
from otx_seg.runtime.images import read_image
from otx_seg.runtime.openvino_predictor import OpenVinoPredictor
from otx_seg.runtime.pipeline import Masked, in_turn, side_by_side
from otx_seg.runtime.predict_mask import predict_mask
from otx_seg.runtime.streams import Frame, open_stream


@pytest.fixture(scope="module")
def predictor(tiny_ir: Path) -> OpenVinoPredictor:
    return OpenVinoPredictor(tiny_ir)


@pytest.fixture
def images(tmp_path: Path, save: Any) -> Path:
    for number, image in enumerate(drawn_images((120, 160))[:3]):
        save(tmp_path / "in" / f"{number}.png", image)
    return tmp_path / "in"


@pytest.fixture
def run(predictor: OpenVinoPredictor, images: Path) -> Any:
    def call(progress: Any = None, **settings: Any) -> DemoResult:
        make_masks = functools.partial(side_by_side, predictor)
        return demonstrate(open_stream(images), make_masks, predictor.labels, DemoSettings(**settings), progress)

    return call


class Viewer:
    """In place of the window: looks at some pictures, then has seen enough."""

    def __init__(self, patience: int) -> None:
        self.patience = patience
        self.seen: list[tuple[np.ndarray, int]] = []
        self.closed = 0

    def __call__(self, title: str) -> Viewer:
        return self

    def show(self, picture: np.ndarray, delay: int) -> bool:
        self.seen.append((picture, delay))
        return len(self.seen) < self.patience

    def close(self) -> None:
        self.closed += 1


@pytest.fixture
def viewer(monkeypatch: pytest.MonkeyPatch) -> Viewer:
    viewer = Viewer(patience=7)
    monkeypatch.setattr(demonstration, "why_no_window", lambda: None)
    monkeypatch.setattr(demonstration, "Window", viewer)
    return viewer


def test_masks_and_overlays_are_kept(run: Any, predictor: OpenVinoPredictor, images: Path, tmp_path: Path) -> None:
    seen: list[tuple[int, int | None]] = []
    shown = run(progress=lambda done, total: seen.append((done, total)), window=False, output=tmp_path / "out")
    assert shown.frames == 3
    assert shown.seconds > 0
    assert shown.frames_per_second == pytest.approx(3 / shown.seconds)
    assert 0 < shown.milliseconds < 1000 * shown.seconds
    assert seen == [(1, 3), (2, 3), (3, 3)]
    for name in ("0", "1", "2"):
        mask = cv2.imread(str(tmp_path / "out" / f"{name}.png"), cv2.IMREAD_UNCHANGED)
        assert_array_equal(mask, predict_mask(predictor, read_image(images / f"{name}.png")))
        assert read_image(tmp_path / "out" / "overlays" / f"{name}.jpg").shape == (120, 160, 3)


def test_making_the_model_ready_is_not_in_the_rate(predictor: OpenVinoPredictor, images: Path) -> None:
    def late(frames: Iterable[Frame]) -> Generator[Masked, None, None]:
        time.sleep(0.5)  # as compiling takes
        for frame in frames:
            yield Masked(frame, np.zeros(frame.image.shape[:2], np.uint8), seconds=0.01)

    shown = demonstrate(open_stream(images), late, predictor.labels, DemoSettings(window=False))
    assert shown.frames == 3
    assert 0.01 <= shown.seconds < 0.5
    assert shown.milliseconds == pytest.approx(10)


def test_the_network_is_run_before_frames_are_timed(predictor: OpenVinoPredictor) -> None:
    slept = []

    class Slow:
        gives_masks = False
        input_size, post_processing = predictor.input_size, predictor.post_processing

        def probabilities(self, images: np.ndarray) -> np.ndarray:
            if not slept:  # as the first run of many does
                slept.append(True)
                time.sleep(0.5)
            return np.full((1, 4, *self.input_size), 0.25, np.float32)

    frames = [Frame(PurePath(str(number)), np.zeros((20, 30, 3), np.uint8)) for number in range(2)]
    assert all(masked.seconds < 0.5 for masked in in_turn(Slow(), frames))  # type: ignore[arg-type]


def test_the_outcome_in_words(tmp_path: Path) -> None:
    shown = DemoResult(frames=30, seconds=2.0, milliseconds=72.61)
    assert in_words(shown, None) == [
        "Frames: 30, 15.0 per second with reading and drawing; 72.6 ms from frame to mask on average"
    ]
    figures, where = in_words(shown, tmp_path)
    assert "with reading and drawing and writing" not in figures
    assert "15.0 per second with reading, drawing and writing; 72.6 ms" in figures
    assert where == f"Masks: {tmp_path}, overlays: {tmp_path / 'overlays'}"


def test_nothing_is_overwritten(run: Any, images: Path, tmp_path: Path) -> None:
    before = (images / "0.png").read_bytes()
    with pytest.raises(UsageError, match=r"0\.png: is one of the images"):
        run(window=False, output=images, overwrite=True)
    assert (images / "0.png").read_bytes() == before
    run(window=False, output=tmp_path / "out")
    with pytest.raises(UsageError, match=r"0\.png: exists; .*--overwrite"):
        run(window=False, output=tmp_path / "out")
    run(window=False, output=tmp_path / "out", overwrite=True)


@pytest.mark.parametrize(("size", "expected"), [((400, 240), (240, 320)), ((80, 300), (60, 80))])
def test_pictures_fit(run: Any, tmp_path: Path, size: tuple[int, int], expected: tuple[int, int]) -> None:
    run(window=False, output=tmp_path / "out", fit_to_size=size)
    assert read_image(tmp_path / "out" / "overlays" / "0.jpg").shape[:2] == expected
    assert read_image(tmp_path / "out" / "0.png").shape[:2] == (120, 160)  # masks are results, not pictures


def test_figures_are_written_onto_the_picture(run: Any, viewer: Viewer) -> None:
    run()
    run(display_perf=True)
    plain, noted = viewer.seen[1][0].astype(int), viewer.seen[4][0].astype(int)
    differs = (plain != noted).any(axis=2)
    assert differs[-12:, :60].mean() > 0.9
    assert not differs[:90].any()


def test_the_legend_is_on_the_picture(run: Any, viewer: Viewer, predictor: OpenVinoPredictor, images: Path) -> None:
    run()
    for number, (picture, _) in enumerate(viewer.seen):
        mask = predict_mask(predictor, read_image(images / f"{number}.png"))
        colors = {tuple(color) for color in picture[:80, 5].tolist()}
        areas = np.bincount(mask.ravel(), minlength=4)
        largest = max(predictor.labels.foreground, key=lambda index: int(areas[index]))
        assert predictor.labels.colors[largest] in colors


def test_a_loop_goes_on_until_the_viewer_has_seen_enough(run: Any, viewer: Viewer) -> None:
    assert run(loop=True).frames == 7
    assert viewer.closed == 1
    assert_array_equal(viewer.seen[0][0], viewer.seen[3][0])
    with pytest.raises(UsageError, match="--output keeps each frame once"):
        DemoSettings(loop=True, output=Path("out"))


@pytest.mark.parametrize(("delay", "expected"), [(None, 0), (30, 30)])
def test_still_images_wait_for_a_key(run: Any, viewer: Viewer, delay: int | None, expected: int) -> None:
    run(delay=delay)
    assert [delay for _, delay in viewer.seen] == [expected] * 3


def test_interrupting(predictor: OpenVinoPredictor, images: Path) -> None:
    def interrupted(frames: Iterable[Frame]) -> Generator[Masked, None, None]:
        for number, masked in enumerate(in_turn(predictor, frames)):
            if number == 2:
                raise KeyboardInterrupt
            yield masked

    stream = open_stream(images)
    # What has no end is ended in this way; what has one was not finished.
    assert demonstrate(stream, interrupted, predictor.labels, DemoSettings(window=False, loop=True)).frames == 2
    with pytest.raises(KeyboardInterrupt):
        demonstrate(stream, interrupted, predictor.labels, DemoSettings(window=False))


def test_without_a_display(run: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, messages: Any) -> None:
    monkeypatch.setattr(demonstration, "why_no_window", lambda: "there is no display")
    assert run().frames == 3
    assert messages.text.count("no window: there is no display") == 1
    assert "add --output FOLDER" in messages.text
    run(output=tmp_path / "out")
    assert messages.text.count("add --output FOLDER") == 1
    run(window=False)
    assert messages.text.count("no window") == 2


def test_an_opencv_without_windows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cv2, "getBuildInformation", lambda: "  GUI:                           NONE\n  Media I/O:\n")
    assert "opencv-python-headless" in (why_no_window() or "")


def test_a_machine_without_display(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cv2, "getBuildInformation", lambda: "  GUI:                           QT5\n")
    monkeypatch.setattr(demonstration.sys, "platform", "linux")
    monkeypatch.delenv("DISPLAY", raising=False)
    assert "DISPLAY is not set" in (why_no_window() or "")
    monkeypatch.setenv("DISPLAY", ":94")
    assert "the display :94 does not answer" in (why_no_window() or "")
    monkeypatch.setattr(demonstration.sys, "platform", "win32")
    assert why_no_window() is None


@pytest.mark.parametrize(
    ("keys", "open_window", "delay", "wanted"),
    [
        ([ord("q")], 1, 0, False),
        ([27], 1, 1000, False),
        ([-1, -1, ord("n")], 1, 0, True),
        ([-1] * 3, 1, 120, True),
        ([-1], 0, 0, False),
        ([-1], 1, 1, True),
    ],
)
def test_keys(monkeypatch: pytest.MonkeyPatch, keys: list[int], open_window: int, delay: int, wanted: bool) -> None:
    pressed, shown, waits = iter(keys), [], []

    def wait_key(milliseconds: int) -> int:
        waits.append(milliseconds)
        return next(pressed)

    monkeypatch.setattr(cv2, "namedWindow", lambda *_: None)
    monkeypatch.setattr(cv2, "imshow", lambda _, pixels: shown.append(pixels[0, 0].tolist()))
    monkeypatch.setattr(cv2, "waitKey", wait_key)
    monkeypatch.setattr(cv2, "getWindowProperty", lambda *_: open_window)
    picture = np.full((4, 5, 3), (1, 2, 3), np.uint8)
    assert Window("title").show(picture, delay) is wanted
    assert shown == [[3, 2, 1]]  # OpenCV shows blue, green, red
    assert len(waits) == len(keys)
    assert 0 not in waits  # would wait for a key even after the window is closed
