"""Frames per second of `otx demo` over a video, against the throughput of the bare network.

Both sides run in the same process, in turns, with the same compiled model and the same number of requests at a time.
The bare network gets inputs that lie in memory, and no one looks at what it gives. `otx demo` decodes a video drawn for
the purpose, resizes, runs the network, makes masks, and draws them with their legend; no window is opened.

    python benchmarks/video.py exported/openvino.xml [--size 640x480] [--frames 300] [--rounds 7]
"""

from __future__ import annotations

import argparse
import functools
import statistics
import tempfile
import time
from pathlib import Path

import cv2
import numpy as np
import openvino

from otx_seg.runtime.crops import network_input
from otx_seg.runtime.demonstration import Show, demonstrate
from otx_seg.runtime.openvino_predictor import OpenVinoPredictor
from otx_seg.runtime.pipeline import requests_at_once, side_by_side
from otx_seg.runtime.streams import open_stream


def draw_video(path: Path, width: int, height: int, frames: int) -> None:
    """A camera moving over a landscape of soft blobs with some grain, so that it costs to decode what a video costs."""
    rng = np.random.default_rng(0)
    small = rng.integers(0, 256, (height // 16, width // 8, 3), np.uint8)
    land = cv2.resize(small, (2 * width, height), interpolation=cv2.INTER_CUBIC)
    land = cv2.add(land, rng.integers(0, 24, land.shape, np.uint8))
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"mp4v"), 30, (width, height))
    for number in range(frames):
        left = number * width // frames
        writer.write(np.ascontiguousarray(land[:, left : left + width]))
    writer.release()


def bare_rate(predictor: OpenVinoPredictor, video: Path, frames: int) -> float:
    """Images per second of the network alone."""
    some = [frame.image for frame, _ in zip(open_stream(video).frames(), range(8), strict=False)]
    inputs = [network_input(image, predictor.input_size).astype(np.float32) for image in some]
    queue = openvino.AsyncInferQueue(predictor.compiled_for_throughput, requests_at_once(predictor))
    begun = time.perf_counter()
    for number in range(frames):
        queue.start_async({0: inputs[number % len(inputs)]}, share_inputs=True)
    queue.wait_all()
    return frames / (time.perf_counter() - begun)


def main() -> None:
    parser = argparse.ArgumentParser(description="Frames per second of otx demo against the bare network.")
    parser.add_argument("model", type=Path, help="the .xml of otx export or otx optimize")
    parser.add_argument("--size", default="640x480", metavar="WxH", help="of the video, in pixels")
    parser.add_argument("--frames", type=int, default=300)
    parser.add_argument("--rounds", type=int, default=7)
    arguments = parser.parse_args()

    width, height = map(int, arguments.size.split("x"))
    predictor = OpenVinoPredictor(arguments.model)
    make_masks = functools.partial(side_by_side, predictor)
    bare, demo = [], []
    with tempfile.TemporaryDirectory() as folder:
        video = Path(folder) / "drawn.mp4"
        draw_video(video, width, height, arguments.frames)
        for turn in range(arguments.rounds + 1):
            rate = bare_rate(predictor, video, arguments.frames)
            shown = demonstrate(open_stream(video), make_masks, predictor.labels, Show(window=False))
            if turn:  # the first compiles the model and fills caches
                bare.append(rate)
                demo.append(shown.frames_per_second)
    size = "{1} x {0}".format(*predictor.input_size)
    print(f"{arguments.frames} frames of {width} x {height}, network at {size}, {requests_at_once(predictor)} requests")
    print(f"{'bare network':20} {statistics.median(bare):7.1f} images/s")
    print(f"{'otx demo':20} {statistics.median(demo):7.1f} frames/s")
    # Ratios within a round: other work on the machine slows both sides of a round alike.
    ratios = sorted(a / b for a, b in zip(demo, bare, strict=True))
    print(
        f"{'otx demo / bare':20} {statistics.median(ratios):7.2f}   (needed: 0.90; {ratios[0]:.2f} to {ratios[-1]:.2f})"
    )


if __name__ == "__main__":
    main()
