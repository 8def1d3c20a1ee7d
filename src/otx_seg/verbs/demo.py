"""`otx demo`: predictions on images, a video or a camera."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from pathlib import Path

from otx_seg.inference.predictor import load_predictor
from otx_seg.inputs.images import images_to_run_on
from otx_seg.inputs.resolver import open_resolver
from otx_seg.labels import given_labels
from otx_seg.runtime.demonstration import DemoResult, DemoSettings, demonstrate
from otx_seg.runtime.openvino_predictor import OpenVinoPredictor
from otx_seg.runtime.path_filter import path_filter
from otx_seg.runtime.pipeline import Masks, in_turn, side_by_side
from otx_seg.runtime.predictor import Predictor, refuse_masks_alone
from otx_seg.runtime.streams import open_stream
from otx_seg.workspace.logs import log_to
from otx_seg.workspace.run_folder import Destination, open_run, watched


def demo(
    input: str | Path | int | None = None,
    *,
    load_weights: str | Path | None = None,
    include: str | Sequence[str] = (),
    exclude: str | Sequence[str] = (),
    labels: str | Sequence[str] | None = None,
    workspace: str | Path | None = None,
    min_confidence: float | None = None,
    display_perf: bool = False,
    loop: bool = False,
    delay: int | None = None,
    fit_to_size: tuple[int, int] | None = None,
    output: str | Path | None = None,
    overwrite: bool = False,
    progress: Callable[[int, int | None], None] | None = None,
) -> DemoResult:
    """Show images, a video or a camera with the labels' colours and names drawn over them.

    Args:
        input: an image, a folder of images, a video, or the index of a camera; None: the test or else the validation
            images of the workspace.
        load_weights: a ``.pth``, ``.xml``, ``.onnx``, or the ``.zip`` of `deploy`; None: the last training run of the
            workspace. OpenVINO models work on several frames at a time.
        include, exclude, labels: see `predict`; the former are for images of a folder alone.
        workspace: see `train`.
        min_confidence: above 0 and at most 1: pixels of a lower confidence are shown as unknown, and are 255 in masks;
            None: none is.
        display_perf: write frames per second and milliseconds, means of the last ten frames, onto the picture.
        loop: begin again at the end.
        delay: milliseconds each frame is shown, 0: until a key is pressed, negative: without a window; None: still
            images until a key is pressed, videos and cameras as fast as they go.
        fit_to_size: (width, height) in pixels that pictures are enlarged or shrunk to, with their proportions kept.
        output: a folder for masks and overlays, named as by `predict`; None: nothing is kept.
        overwrite: replace files of their names.
        progress: called with the numbers of frames done and to do, None if that is not known.

    Raises:
        UsageError: unusable weights, a pattern that matches nothing, `output` with `loop`, an output that would
            overwrite a file, or a confidence that is out of range or that the model does not give.
        DataError: there is nothing to show.
        OtxError: a result cannot be written.
    """
    show = DemoSettings(
        window=delay is None or delay >= 0,
        delay=delay,
        fit_to_size=fit_to_size,
        output=Path(output) if output is not None else None,
        overwrite=overwrite,
        loop=loop,
        display_perf=display_perf,
        min_confidence=min_confidence,
    )
    resolver = open_resolver(workspace)
    what = "an image, a video or a camera"
    source = str(images_to_run_on(resolver, None, "--input", what) if input is None else input)
    stream = open_stream(source, path_filter(include, exclude))
    file = resolver.weights(load_weights)
    predictor = load_predictor(file, labels=given_labels(labels))
    refuse_masks_alone(predictor, file, min_confidence)
    run = None if show.output is None else open_run(Destination(show.output, overwrite), "demo", (), (Path(source),))
    with nullcontext() if run is None else log_to(run) as note:
        seen = progress if run is None else watched(run, progress)
        shown = demonstrate(stream, _masks_by(predictor, min_confidence), predictor.labels, show, seen)
        if note is not None:
            speed = f"{shown.frames_per_second:.1f} per second, {shown.milliseconds:.1f} ms to a mask"
            note(f"{shown.frames} frames, {speed}")
    return shown


def _masks_by(predictor: Predictor, min_confidence: float | None) -> Masks:
    if isinstance(predictor, OpenVinoPredictor):
        return functools.partial(side_by_side, predictor, min_confidence=min_confidence)
    return functools.partial(in_turn, predictor, min_confidence=min_confidence)
