"""`otx predict`: the masks of images."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from otx_seg.errors import DataError, UsageError
from otx_seg.inference.certainty import Certainty
from otx_seg.inference.ensemble import ensemble
from otx_seg.inference.predict import Predictions, predict_images
from otx_seg.inference.predict_settings import (
    CONFIDENCE,
    DEFAULT_BITS,
    DEFAULT_CONFIDENCE_THRESHOLD,
    DEFAULT_POLYGON_TOLERANCE,
    PROBABILITIES,
    MaskValues,
    PredictSettings,
)
from otx_seg.inference.predictor import load_predictor
from otx_seg.inputs.images import images_to_run_on
from otx_seg.inputs.resolver import Weights, open_resolver
from otx_seg.labels import given_labels
from otx_seg.report.image_certainty import write_image_certainty
from otx_seg.runtime.augmented_views import parse_views
from otx_seg.runtime.image_files import IMAGE_SUFFIXES, UNREAD_SUFFIXES
from otx_seg.runtime.image_headers import is_image
from otx_seg.runtime.path_filter import path_filter
from otx_seg.runtime.predict_mask import parse_window
from otx_seg.template.scales import parse_scales
from otx_seg.workspace.command_line import otx_command
from otx_seg.workspace.logs import log_to
from otx_seg.workspace.run_folder import open_run, watched


def predict(
    input: str | Path | None = None,
    *,
    load_weights: Weights = None,
    include: str | Sequence[str] = (),
    exclude: str | Sequence[str] = (),
    labels: str | Sequence[str] | None = None,
    workspace: str | Path | None = None,
    output: str | Path | None = None,
    overwrite: bool = False,
    sliding_window: str | None = None,
    overlap: float | None = None,
    tta: str | None = None,
    scales: str | None = None,
    mask_values: MaskValues = "index",
    confidence: bool = False,
    save: Sequence[str] = (),
    save_bits: int | None = None,
    confidence_threshold: float | None = None,
    save_as: Sequence[str] = (),
    polygon_tolerance: float | None = None,
    min_confidence: float | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Predictions:
    """Write an index mask and an overlay for an image, or for every image in a folder and below.

    Args:
        input: an image file or a folder; None: the test or else the validation images of the workspace.
        load_weights: a ``.pth``, ``.xml``, ``.onnx`` or the ``.zip`` of `deploy`; None: the last training run of the
            workspace. Several: the mean of their probabilities.
        include, exclude: patterns of paths below the folder, see `PathFilter`: images that match none of the former, or
            one of the latter, are left out.
        labels: names in the order of the outputs, for a model of another tool that carries none: a list, or one text
            with commas.
        workspace, output, overwrite: see `train`; masks go to ``<run>/NAME.png``, overlays to
            ``<run>/overlays/NAME.jpg``.
        sliding_window: ``"HEIGHTxWIDTH"`` in pixels of the image: it is cut into overlapping windows, each resized to
            the model's input size; None: all of the image is.
        overlap: share of a window's side, 0 to below 1, that it has in common with the next one; None: 0.25.
        tta: test-time augmentation, what to average: ``"flip"`` (the mirror image), scales from 0.5 to 2, or both, as
            in ``"flip,0.75,1.25"``; None: nothing.
        scales: factors of the input size, as in ``"0.5,1,2"``, at which a ``.pth`` looks whose network has learned to
            mix several; None: those of its template.
        mask_values: what masks hold: ``"index"``, label indices; ``"color"``, the colours of labels in overlays, RGB;
            ``"original"``, what the mask files of the training data held, with 8 or 16 bits or as RGB.
        confidence: the same as ``"confidence"`` among `save`.
        save: ``"confidence"``, the calibrated probability of each pixel's label, to ``<run>/confidence/NAME.png``;
            ``"probabilities"``, those of all labels, a page for each, to ``<run>/probabilities/NAME.tif``; or both.
            With either, ``<run>/per_image.csv`` has figures of each image.
        save_bits: of each value in them: 8, for 0..1 as 0 to 255, or 16, as 0 to 65535; None: 8.
        confidence_threshold: above 0 and at most 1; of which share of an image's pixels the confidence is lower, stands
            in ``per_image.csv``; None: 0.75.
        save_as: formats of labelling tools in which the masks are written too, with a copy of the images, to
            ``<run>/annotations/FORMAT``: ``"coco"``, ``"cvat"``, ``"datumaro"``, ``"label-studio"``, ``"labelme"``,
            ``"yolo"``; one or several.
        polygon_tolerance: of polygons in these: by how many pixels, 0 to 100, they may be beside the border of a
            region; None: 0.75.
        min_confidence: above 0 and at most 1; connected pixels of one label with a lower mean confidence are left out
            of these; None: none are.
        progress: called with the numbers of images done and to do.

    Raises:
        UsageError: unusable weights, a window or augmentation out of range, a pattern that matches nothing, or an
            output that would overwrite an input.
        DataError: there is no readable image.
    """
    how = replace(
        _settings(_maps(save, confidence), save_bits, confidence_threshold, save_as, polygon_tolerance, min_confidence),
        window=parse_window(sliding_window, overlap),
        views=parse_views(tta),
        mask_values=mask_values,
    )
    looks, paths = parse_scales(scales), path_filter(include, exclude)
    resolver = open_resolver(workspace)
    images = images_to_run_on(resolver, input, "--input", "an image or a folder of images")
    _refuse_video(images, load_weights)
    files = resolver.all_weights(load_weights)
    predictor = ensemble({file: load_predictor(file, labels=given_labels(labels), scales=looks) for file in files})
    products = ("per_image.csv",) if how.save else ()
    run = open_run(resolver.destination(output, overwrite), "predict", products, (images,))
    with log_to(run) as note:
        result = predict_images(predictor, images, run.path, how, overwrite, watched(run, progress), paths)
        if how.save:
            figures = _by_name(result, images)
            write_image_certainty(figures, predictor.labels.names, how.confidence_threshold, run.image_scores)
        note(f"{len(result.written)} masks written, {len(result.unreadable)} images left out")
    return result


def _maps(save: Sequence[str], confidence: bool) -> tuple[str, ...]:
    return (*((save,) if isinstance(save, str) else save), *((CONFIDENCE,) if confidence else ()))


def _settings(
    maps: tuple[str, ...],
    save_bits: int | None,
    threshold: float | None,
    save_as: Sequence[str],
    tolerance: float | None,
    min_confidence: float | None,
) -> PredictSettings:
    """
    Raises:
        UsageError: one of them is out of range, or would change nothing.
    """
    formats = (save_as,) if isinstance(save_as, str) else tuple(save_as)
    for needed, given, options in (
        (
            f"--save {CONFIDENCE} or --save {PROBABILITIES}",
            maps,
            {"save-bits": save_bits, "confidence-threshold": threshold},
        ),
        ("--save-as FORMAT", formats, {"polygon-tolerance": tolerance, "min-confidence": min_confidence}),
    ):
        idle = next((option for option, value in options.items() if value is not None and not given), None)
        if idle:
            raise UsageError(f"--{idle} changes nothing without {needed}")
    settings = PredictSettings(
        save=maps,
        save_bits=DEFAULT_BITS if save_bits is None else save_bits,
        confidence_threshold=DEFAULT_CONFIDENCE_THRESHOLD if threshold is None else threshold,
        save_as=formats,
        polygon_tolerance=DEFAULT_POLYGON_TOLERANCE if tolerance is None else tolerance,
        min_confidence=min_confidence,
    )
    if tolerance is not None:
        from otx_seg.formats.writers import writer_of  # without annotations, a prediction begins sooner

        if not any(writer_of(name).simplifies for name in formats):
            exact = formats[0]
            raise UsageError(f"--polygon-tolerance changes nothing with --save-as {exact}, which holds no polygons")
    return settings


def _by_name(result: Predictions, source: Path) -> dict[str, Certainty]:
    """The figures of each image by its path below the folder."""
    root = source if source.is_dir() else source.parent
    return {
        found.image.relative_to(root).as_posix(): found.certainty
        for found in result.written
        if found.certainty is not None
    }


def _refuse_video(source: Path, load_weights: Weights) -> None:
    """
    Raises:
        DataError: `source` is a file, but by its name and content no image.
    """
    if source.is_file() and source.suffix.lower() not in IMAGE_SUFFIXES | UNREAD_SUFFIXES and not is_image(source):
        model = ("--load-weights", load_weights) if isinstance(load_weights, (str, Path)) else ()
        demo = otx_command("demo", "--input", source, *model, "--output", "FOLDER")
        raise DataError(f"{source}: is not an image; if it is a video, this writes the masks of its frames: {demo}")
