"""Heat maps that explain predictions, as files."""

from __future__ import annotations

import io
import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path, PurePath

import cv2
import numpy as np
from numpy.typing import NDArray

from otx_seg.inference import saliency
from otx_seg.inference.explain_settings import (
    ACTIVATION,
    CLASS_WISE,
    EIGEN,
    PER_LABEL,
    PROBABILITY,
    QUANTITIES,
    ExplainSettings,
)
from otx_seg.inference.image_by_image import process_images
from otx_seg.inference.saliency import SCALE, heat_map
from otx_seg.labels import Labels
from otx_seg.runtime.crops import network_input
from otx_seg.runtime.fonts import readable_names
from otx_seg.runtime.images import read_image
from otx_seg.runtime.masks import mask_at
from otx_seg.runtime.overlay import LEAST_NAMED, draw_note
from otx_seg.runtime.path_filter import ALL_PATHS, PathFilter
from otx_seg.runtime.predictor import Activations, ExplainablePredictor
from otx_seg.runtime.result_files import OVERLAYS, shrunk, write_picture, write_result

MAPS = "maps"
_ALGORITHMS: dict[str, Callable[[Activations], NDArray[np.float32]]] = {
    CLASS_WISE: saliency.class_wise,
    PROBABILITY: saliency.probability,
    ACTIVATION: saliency.activation,
    EIGEN: saliency.eigen,
}
_LONGEST_NAME = 60  # of a label in a file's name, in characters


@dataclass(frozen=True)
class Explanation:
    """One map of one image and the files made from it.

    Attributes:
        label: whose map it is; None: one for all labels.
        map: the numbers, a float32 array (h, w) of the resolution they were computed at (``.npy``); or their colours,
            a PNG of the size of `overlay`.
        overlay: JPEG of the image with these colours, shrunk to 8,000 pixels on its longer side if it has more.
    """

    image: Path
    label: str | None
    map: Path
    overlay: Path


@dataclass(frozen=True)
class Explanations:
    """The outcome of `explain_images`: the written files, and the unreadable images with the reasons."""

    written: tuple[Explanation, ...]
    unreadable: tuple[tuple[Path, str], ...]


def explain_images(
    predictor: ExplainablePredictor,
    source: Path,
    output: Path,
    how: ExplainSettings,
    overwrite: bool = False,
    progress: Callable[[int, int], None] | None = None,
    paths: PathFilter = ALL_PATHS,
) -> Explanations:
    """Write heat maps for an image, or for every image in a folder and below.

    The label ``car`` of index 3 and the image ``sub/a.jpg`` give ``maps/03_car/sub/a.npy`` (or ``.png``) and
    ``overlays/03_car/sub/a.jpg`` in `output`; a map for all labels gives ``maps/sub/a.npy`` and ``overlays/sub/a.jpg``.
    Images are named as by `predict_images`.

    Args:
        source: an image or a folder.
        output: the folder to write to; made if missing. No file of `source` is ever overwritten.
        overwrite: replace files of the results' names, and remove those of labels that are not found any more.
        progress: called with the numbers of images done and to do.
        paths: which images of the folder.

    Raises:
        DataError: there is no image, or none could be read.
        UsageError: the model keeps no features and `how` needs them; a result would overwrite an image, or another file
            without `overwrite`.
        OtxError: a result cannot be written.
    """
    folders = _folders(predictor.labels) if how.algorithm in PER_LABEL else [PurePath()]

    def files_of(_: Path, name: PurePath) -> list[Path]:
        return [file for folder in folders for file in _files(output, folder, name)]

    def work(image: Path, name: PurePath) -> list[Explanation]:
        written = _explain(predictor, image, output, folders, name, how)
        for stale in set(files_of(image, name)) - {file for one in written for file in (one.map, one.overlay)}:
            stale.unlink(missing_ok=True)
        return written

    done, unreadable = process_images(source, files_of, work, overwrite, progress, paths)
    return Explanations(tuple(explanation for of_image in done for explanation in of_image), unreadable)


def _explain(
    predictor: ExplainablePredictor,
    source: Path,
    output: Path,
    folders: list[PurePath],
    name: PurePath,
    how: ExplainSettings,
) -> list[Explanation]:
    image = read_image(source)
    probabilities, maps = _maps(predictor, image, how.algorithm)
    wanted = list(range(len(maps)))
    if how.algorithm in PER_LABEL and not how.all_labels:
        mask = mask_at(probabilities, (image.shape[0], image.shape[1]), predictor.post_processing)
        wanted = np.flatnonzero(cv2.calcHist([mask], [0], None, [256], [0, 256])).tolist()
        del mask
    picture = shrunk(image)
    del image  # it may be large
    written = []
    for index in wanted:
        numbers, colors, overlay = _files(output, folders[index], name)
        label = predictor.labels.names[index] if how.algorithm in PER_LABEL else None
        limits = (0.0, 1.0) if how.algorithm == PROBABILITY else (float(maps[index].min()), float(maps[index].max()))
        heat = heat_map(maps[index], (picture.shape[0], picture.shape[1]), limits)
        drawn = cv2.addWeighted(picture, 1 - how.overlay_weight, heat, how.overlay_weight, 0)
        if len(drawn) >= LEAST_NAMED:
            square = None if label is None else predictor.labels.shown_colors[index]
            whose = "" if label is None else f"{readable_names(predictor.labels.names)[index]}: "
            low, high = map(_short, limits)
            draw_note(drawn, f"{whose}{QUANTITIES[how.algorithm]}  {low}", square, SCALE, high)
        write_picture(overlay, drawn)
        if how.process_maps:
            write_picture(colors, heat)
        else:
            content = io.BytesIO()
            np.save(content, maps[index])
            write_result(numbers, content.getvalue())
        written.append(Explanation(source, label, colors if how.process_maps else numbers, overlay))
    return written


def _maps(
    predictor: ExplainablePredictor, image: NDArray[np.uint8], algorithm: str
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """The probabilities (K, H, W) of an image, and the maps (K, h, w) or (1, h, w)."""
    given = network_input(image, predictor.input_size)
    if algorithm == PROBABILITY:  # for which a model needs no features
        probabilities = predictor.probabilities(given)[0]
        return probabilities, probabilities
    seen = predictor.activations(given)
    return seen.probabilities, _ALGORITHMS[algorithm](seen)


def _files(output: Path, folder: PurePath, name: PurePath) -> tuple[Path, Path, Path]:
    """The numbers, the colours and the overlay of a map."""
    maps = output / MAPS / folder
    return maps / f"{name}.npy", maps / f"{name}.png", output / OVERLAYS / folder / f"{name}.jpg"


def _folders(labels: Labels) -> list[PurePath]:
    """A folder's name for each label: its index makes it unique and possible everywhere, whatever the label's name."""
    digits = len(str(len(labels) - 1))
    words = [re.sub(r"\W+", "_", unicodedata.normalize("NFC", name))[:_LONGEST_NAME] for name in labels.names]
    return [PurePath(f"{index:0{digits}}_{word}") for index, word in enumerate(words)]


def _short(number: float) -> str:
    return f"{round(number, 3):.3g}"
