"""Predicted masks as annotations for labelling tools, with the images beside them."""

from __future__ import annotations

import logging
import shutil
from pathlib import Path, PurePath
from typing import TYPE_CHECKING

import cv2
import numpy as np
from numpy.typing import NDArray

from otx_seg.annotations.mask_regions import MaskRegions
from otx_seg.errors import UsageError
from otx_seg.inference.predict_settings import PredictSettings
from otx_seg.labels import Labels, background_index
from otx_seg.runtime.image_headers import file_and_page, read_bytes
from otx_seg.runtime.images import read_image
from otx_seg.runtime.result_files import writing
from otx_seg.runtime.whole_file import write_atomic
from otx_seg.words import count

if TYPE_CHECKING:
    from otx_seg.formats import AnnotationWriter

logger = logging.getLogger(__name__)

ANNOTATIONS = "annotations"
"""The folder, in that of a run, with a folder for each format."""


class PreAnnotations:
    """Writes the annotations of one image after the other, in each format that is asked for.

    Images are copied byte for byte to where the format has them, and pages become PNG files. The path of an image below
    its folder becomes one name, ``sub/a.jpg`` is ``sub_a.jpg``: folders called train or test would mean subsets.

    Attributes:
        regions: the folder of each format, with the number of regions written to it.
        left_out: how many regions were not sure enough.
    """

    def __init__(self, folder: Path, labels: Labels, how: PredictSettings) -> None:
        """Choose where to write; nothing is written yet.

        Args:
            folder: for a folder for each format.
            labels: the model's.

        Raises:
            UsageError: a format cannot hold the name of a label.
        """
        self._least = how.min_confidence or 0.0
        around = background_index(labels.names)
        self._labels = [index for index in range(len(labels)) if index != around]
        self._writers: dict[Path, AnnotationWriter] = {}
        self._taken: set[str] = set()
        self.left_out = 0
        for name in dict.fromkeys(how.save_as):
            from otx_seg.formats.writers import writer_of  # without annotations, a prediction begins sooner

            try:
                self._writers[folder / name] = writer_of(name)(folder / name, labels, how.polygon_tolerance)
            except ValueError as error:
                raise UsageError(
                    f"--save-as {name}: cannot hold the labels of the model: {error}; choose another format, or train "
                    "with other names (--label-map)"
                ) from error
        self.regions = dict.fromkeys(self._writers, 0)

    def check_free(self, source: Path, overwrite: bool) -> None:
        """Make sure that the folders of the formats are free, or may be emptied.

        Raises:
            UsageError: one exists, without `overwrite`; or the images at `source` lie in it.
        """
        for folder in self._writers:
            if source.resolve().is_relative_to(folder.resolve()):
                raise UsageError(f"{source}: lies in {folder}, which would be replaced; choose another --output")
            if folder.exists() and not overwrite:
                raise UsageError(f"{folder}: exists; choose another --output, or allow replacing it with --overwrite")

    def add(self, image: Path, name: PurePath, mask: NDArray[np.uint8], confidence: NDArray[np.float32] | None) -> None:
        """Write the annotations of an image.

        Args:
            name: its path without suffix, as that of its mask.
            mask: uint8 (H, W), label indices.
            confidence: float32 (H, W), 0..1; needed to leave out uncertain regions.

        Raises:
            OSError: they cannot be written.
        """
        if not self._writers:
            return
        is_page = file_and_page(image)[1] is not None
        file = f"{self._free('_'.join(name.parts))}{'.png' if is_page else image.suffix}"
        regions = MaskRegions(mask, self._labels, confidence, self._least)
        if len(self._taken) == 1:
            for folder in filter(Path.exists, self._writers):
                shutil.rmtree(folder)  # an image of an earlier call that has no annotations now would be background
        content = _as_png(image) if is_page else read_bytes(image)
        for folder, writer in self._writers.items():
            write_atomic(folder / writer.images / file, content)
            writer.add(file, regions)
            self.regions[folder] += len(regions)
        self.left_out += regions.left_out

    def _free(self, name: str) -> str:
        """The name, with a number if another image has it."""
        number, free = 1, name
        while free.casefold() in self._taken:
            number += 1
            free = f"{name}_{number}"
        self._taken.add(free.casefold())
        return free

    def close(self) -> None:
        """Complete the files, also if not all images are done. Raises OtxError if they cannot be written."""
        for folder, writer in self._writers.items() if self._taken else ():
            with writing(folder):
                from otx_seg.annotations.predicted import record_predictions  # as above

                writer.close()
                record_predictions(folder)
        if self.left_out and not any(self.regions.values()):
            logger.warning(
                "nothing annotated: none of %s has a mean confidence of %g; lower --min-confidence, or train longer",
                count(self.left_out, "region"),
                self._least,
            )


def _as_png(image: Path) -> bytes:
    content: bytes = cv2.imencode(".png", read_image(image)[:, :, ::-1])[1].tobytes()
    return content
