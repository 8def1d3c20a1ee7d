"""Masks in order, made side by side, without piling up frames."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path, PurePath

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from otx_seg.deployment.agreement import drawn_images
from otx_seg.errors import DataError
from otx_seg.runtime import pipeline
from otx_seg.runtime.openvino_predictor import OpenVinoPredictor
from otx_seg.runtime.pipeline import in_turn, read_ahead, requests_at_once, side_by_side
from otx_seg.runtime.predict_mask import predict_mask
from otx_seg.runtime.streams import Frame


@pytest.fixture(scope="module")
def predictor(tiny_ir: Path) -> OpenVinoPredictor:
    return OpenVinoPredictor(tiny_ir)


def frames(count: int) -> list[Frame]:
    """Frames of different sizes, so that none can be taken for another."""
    return [
        Frame(PurePath(str(number)), drawn_images((40 + number, 120 - 2 * number))[number % 4])
        for number in range(count)
    ]


@pytest.mark.parametrize("way", [in_turn, side_by_side])
def test_masks_are_those_of_predict_in_order(way: object, predictor: OpenVinoPredictor) -> None:
    given = frames(23)
    found = list(way(predictor, given))  # type: ignore[operator]
    assert [masked.frame.name for masked in found] == [frame.name for frame in given]
    for masked in found:
        assert_array_equal(masked.mask, predict_mask(predictor, masked.frame.image))
        assert masked.seconds > 0
    assert len({int(masked.mask.max()) for masked in found} | {int(masked.mask.min()) for masked in found}) > 1


def test_few_frames_are_in_memory(predictor: OpenVinoPredictor) -> None:
    read = 0

    def endless() -> Iterator[Frame]:
        nonlocal read
        while True:
            read += 1
            yield Frame(PurePath("frame"), np.zeros((30, 40, 3), np.uint8))

    requests = requests_at_once(predictor)
    found = side_by_side(predictor, endless())
    for taken in range(1, 3 * requests):
        next(found)
        # taken, with a request, in hand, and read ahead
        assert read <= taken + requests + 1 + 2
    found.close()
    stopped = read
    assert list(side_by_side(predictor, [])) == []
    assert read == stopped


@pytest.mark.parametrize("way", [in_turn, side_by_side])
def test_what_goes_wrong_in_reading_comes_after_the_frames_before(way: object, predictor: OpenVinoPredictor) -> None:
    def broken() -> Iterator[Frame]:
        yield frames(1)[0]
        raise DataError("the camera is gone")

    found = way(predictor, broken())  # type: ignore[operator]
    with pytest.raises(DataError, match="the camera is gone"):
        list(found)


def test_what_goes_wrong_in_a_thread_is_raised(predictor: OpenVinoPredictor, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise MemoryError("no room for a mask")

    monkeypatch.setattr(pipeline, "mask_from", fail)
    with pytest.raises(MemoryError, match="no room for a mask"):
        list(side_by_side(predictor, frames(9)))


def test_reading_ahead() -> None:
    made: list[int] = []

    def items() -> Iterator[int]:
        for number in range(10):
            made.append(number)
            yield number

    assert list(read_ahead(items(), 3)) == list(range(10))
    made.clear()
    ahead = read_ahead(items(), 3)
    assert next(ahead) == 0
    ahead.close()  # type: ignore[attr-defined]
    assert len(made) <= 4
