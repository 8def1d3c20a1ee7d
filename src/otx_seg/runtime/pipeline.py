"""From frames to masks, in order: one after the other, or with reading, the network and all else side by side."""

from __future__ import annotations

import functools
import time
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from queue import SimpleQueue
from typing import Any, TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

from otx_seg.runtime.augmented_views import ONE_VIEW
from otx_seg.runtime.confidence import without_unsure
from otx_seg.runtime.crops import network_input
from otx_seg.runtime.masks import mask_from
from otx_seg.runtime.openvino_predictor import OpenVinoPredictor
from otx_seg.runtime.predict_mask import predict_mask
from otx_seg.runtime.predictor import Predictor, answer_of
from otx_seg.runtime.streams import Frame

_READ_AHEAD = 2
"""Frames read before they are asked for. Few: each is kept in memory at its full size."""

_SPARE_REQUESTS = 2
"""Requests beyond those OpenVINO works on at a time, so that it has the next frame while a mask is being made."""

_Item = TypeVar("_Item")
Masks = Callable[[Iterable[Frame]], Generator["Masked", None, None]]
"""A way of making masks: `in_turn` or `side_by_side` with a predictor."""


@dataclass(frozen=True)
class Masked:
    """A frame and its mask.

    Attributes:
        mask: uint8 (H, W), the index of each pixel's label, or `UNKNOWN`.
        seconds: from the moment the frame was given to the network until its mask was there.
    """

    frame: Frame
    mask: NDArray[np.uint8]
    seconds: float


def in_turn(
    predictor: Predictor, frames: Iterable[Frame], min_confidence: float | None = None
) -> Generator[Masked, None, None]:
    """Masks by any predictor, one frame after the other; the next one is being read meanwhile.

    Args:
        min_confidence: see `without_unsure`; of models that give probabilities alone.

    The network is run once before: the first run of many takes far longer than those that follow.
    """
    answer_of(predictor, np.zeros((1, 3, *predictor.input_size), np.uint8))
    for frame in read_ahead(frames):
        begun = time.perf_counter()
        make_mask = functools.partial(predict_mask, predictor, frame.image, None, ONE_VIEW)
        mask = without_unsure(make_mask, _size(frame), min_confidence)
        yield Masked(frame, mask, time.perf_counter() - begun)


def side_by_side(
    predictor: OpenVinoPredictor, frames: Iterable[Frame], min_confidence: float | None = None
) -> Generator[Masked, None, None]:
    """The masks of `in_turn`, pixel for pixel, as many frames at a time as OpenVINO takes for the highest throughput.

    One thread reads; others resize, wait for the network and make masks, each with a request of its own; who asks for
    the masks can draw meanwhile. They come in the order of the frames, and no more frames are in memory than there
    are requests, and a few read ahead.
    """
    at_once = requests_at_once(predictor)
    # Not openvino.AsyncInferQueue: it calls back in a single thread, in which masks would be made one by one; and in
    # 2026.4 that thread may want Python's lock once more after all is done, which aborts a program that is ending.
    idle: SimpleQueue[Any] = SimpleQueue()
    for _ in range(at_once):
        idle.put(predictor.compiled_for_throughput.create_infer_request())
    waiting: deque[Future[Masked]] = deque()
    with _one_thread_per_operation(), ThreadPoolExecutor(at_once, "masks") as workers:
        for frame in read_ahead(frames):
            while waiting and (len(waiting) == at_once or waiting[0].done()):
                yield waiting.popleft().result()
            waiting.append(workers.submit(_masked, predictor, idle, frame, min_confidence))
        while waiting:
            yield waiting.popleft().result()


@contextmanager
def _one_thread_per_operation() -> Iterator[None]:
    """OpenCV without threads of its own: here all cores are busy anyway, and waiting for each other costs time."""
    before = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        yield
    finally:
        cv2.setNumThreads(before)


def requests_at_once(predictor: OpenVinoPredictor) -> int:
    """How many requests `side_by_side` keeps going."""
    best: int = predictor.compiled_for_throughput.get_property("OPTIMAL_NUMBER_OF_INFER_REQUESTS")
    return best + _SPARE_REQUESTS


def _size(frame: Frame) -> tuple[int, int]:
    return frame.image.shape[0], frame.image.shape[1]


def _masked(predictor: OpenVinoPredictor, idle: SimpleQueue[Any], frame: Frame, min_confidence: float | None) -> Masked:
    begun = time.perf_counter()
    values = network_input(frame.image, predictor.input_size).astype(np.float32)
    request = idle.get()
    try:
        answer = request.infer({0: values}, share_inputs=True, share_outputs=True)[0][0]
        make_mask = functools.partial(mask_from, answer, _size(frame), predictor.post_processing)
        mask = without_unsure(make_mask, _size(frame), min_confidence)
    finally:
        idle.put(request)
    return Masked(frame, mask, time.perf_counter() - begun)


def read_ahead(items: Iterable[_Item], count: int = _READ_AHEAD) -> Iterator[_Item]:
    """The items of an iterable, up to `count` of them made in a thread before they are asked for."""
    end = object()
    source = iter(items)
    with ThreadPoolExecutor(1, "read_ahead") as reader:
        coming = deque(reader.submit(next, source, end) for _ in range(count))
        try:
            while (item := coming.popleft().result()) is not end:
                coming.append(reader.submit(next, source, end))
                yield item  # type: ignore[misc]
        finally:
            for future in coming:
                future.cancel()
