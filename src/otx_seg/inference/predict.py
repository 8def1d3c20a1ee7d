"""Masks and overlays of unlabelled images, and maps of the probabilities behind them, as files."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePath

from otx_seg.inference.certainty import Certainty, CertaintyRecord, told_all
from otx_seg.inference.image_by_image import process_images
from otx_seg.inference.mask_coding import MaskCoding
from otx_seg.inference.pre_annotations import ANNOTATIONS, PreAnnotations
from otx_seg.inference.predict_settings import CONFIDENCE, PROBABILITIES, PredictSettings
from otx_seg.labels import Labels
from otx_seg.runtime.augmented_views import ONE_VIEW
from otx_seg.runtime.confidence import ConfidenceMap
from otx_seg.runtime.georeference import GeoTag, georeference_of
from otx_seg.runtime.images import read_image
from otx_seg.runtime.overlay import LEAST_NAMED, draw_legend, overlay
from otx_seg.runtime.path_filter import ALL_PATHS, PathFilter
from otx_seg.runtime.predict_mask import predict_mask
from otx_seg.runtime.predictor import Predictor
from otx_seg.runtime.result_files import ResultFiles, result_files, shrunk, write_picture, writing
from otx_seg.runtime.tiff_writing import write_raster, write_tiff


@dataclass(frozen=True)
class Prediction:
    """One image and the files made from it.

    Attributes:
        files: the mask of an image with a georeference is a GeoTIFF with the same one, of any other a PNG.
        confidence: PNG or TIFF, as the mask: the probability of each pixel's label, 0..1 as 0 to 255 or 65535; None: it
            was not asked for.
        probabilities: TIFF with a page of such values for each label, in their order, which has the label's name; or
            None.
        certainty: figures of the image; None where neither was asked for.
    """

    image: Path
    files: ResultFiles
    confidence: Path | None = None
    probabilities: Path | None = None
    certainty: Certainty | None = None

    @property
    def written(self) -> tuple[Path, ...]:
        """All files."""
        maps = (self.confidence, self.probabilities)
        return (self.files.mask, self.files.overlay, *(path for path in maps if path is not None))


@dataclass(frozen=True)
class Predictions:
    """The outcome of `predict_images`.

    Attributes:
        written: the files of each image.
        unreadable: images that could not be read, and why.
        annotations: the folder of each format of `PredictSettings.save_as`, with the number of regions in it.
        uncertain: how many regions are in none of them for their confidence.
    """

    written: tuple[Prediction, ...]
    unreadable: tuple[tuple[Path, str], ...]
    annotations: Mapping[Path, int] = field(default_factory=dict)
    uncertain: int = 0


def predict_images(
    predictor: Predictor,
    source: Path,
    output: Path,
    how: PredictSettings | None = None,
    overwrite: bool = False,
    progress: Callable[[int, int], None] | None = None,
    paths: PathFilter = ALL_PATHS,
) -> Predictions:
    """Write a mask and an overlay for an image, or for every image in a folder and below.

    An image ``sub/a.jpg`` gives ``sub/a.png`` and ``overlays/sub/a.jpg``, with a legend, in `output`, and if they are
    asked for ``confidence/sub/a.png`` and ``probabilities/sub/a.tif``; where two images differ in nothing but their
    suffix, it is kept: ``sub/a.jpg.png``. Mask and maps of a GeoTIFF are GeoTIFF, ``sub/a.tif``. Annotations are in
    ``annotations/FORMAT``, see `PreAnnotations`. Unreadable images are logged and skipped.

    Args:
        source: an image or a folder.
        output: the folder to write to; made if missing. No file of `source` is ever overwritten.
        overwrite: replace files of the results' names, such as those of an earlier call.
        progress: called with the numbers of images done and to do.
        paths: which images of the folder.

    Raises:
        DataError: there is no image, or none could be read.
        UsageError: a result would overwrite an image, or another file without `overwrite`; or see
            `PathFilter.chosen`, `MaskCoding` and `PreAnnotations`.
        OtxError: a result cannot be written.
    """
    how = how or PredictSettings()
    annotations = PreAnnotations(output / ANNOTATIONS, predictor.labels, how)
    annotations.check_free(source, overwrite)
    maker = _Maker(predictor, output, how, MaskCoding(predictor.labels, how.mask_values), annotations)
    try:
        done = process_images(source, lambda *one: maker.planned(*one).written, maker.make, overwrite, progress, paths)
    finally:
        annotations.close()
    return Predictions(*done, annotations.regions, annotations.left_out)


@dataclass(frozen=True)
class _Maker:
    """Makes the prediction of one image after the other."""

    predictor: Predictor
    output: Path
    how: PredictSettings
    coding: MaskCoding
    annotations: PreAnnotations

    def planned(self, image: Path, name: PurePath) -> Prediction:
        """Where the results of an image go."""
        suffix = ".tif" if georeference_of(image) else ".png"
        files = ResultFiles(self.output / f"{name}{suffix}", result_files(self.output, name).overlay)
        confidence = self.output / CONFIDENCE / f"{name}{suffix}" if CONFIDENCE in self.how.save else None
        probabilities = self.output / PROBABILITIES / f"{name}.tif" if PROBABILITIES in self.how.save else None
        return Prediction(image, files, confidence, probabilities)

    def make(self, image: Path, name: PurePath) -> Prediction:
        """Predict an image and write its results."""
        planned, how, labels = self.planned(image, name), self.how, self.predictor.labels
        georeference, pixels = georeference_of(image), read_image(image)
        size = (pixels.shape[0], pixels.shape[1])
        with writing(self.output):
            record = CertaintyRecord(size, len(labels), how, self.output) if how.save else None
            confidence = ConfidenceMap(size) if how.min_confidence is not None else None
            told = told_all([each for each in (record, confidence) if each is not None])
            try:
                mask = predict_mask(self.predictor, pixels, how.window, how.views or ONE_VIEW, told)
                # Shrunk before they are tinted: of a large image there is no room for another of its size.
                small = shrunk(mask)
                drawn = overlay(shrunk(pixels), small, labels)
                del pixels
                if len(drawn) >= LEAST_NAMED:
                    draw_legend(drawn, small, labels)
                write_raster(planned.files.mask, self.coding(mask), georeference)
                write_picture(planned.files.overlay, drawn)
                self.annotations.add(image, name, mask, None if confidence is None else confidence.values)
                return planned if record is None else _with_maps(planned, record, labels, georeference)
            finally:
                if record is not None:
                    record.close()


def _with_maps(
    planned: Prediction, record: CertaintyRecord, labels: Labels, georeference: Sequence[GeoTag]
) -> Prediction:
    """The prediction with its figures; its maps are written."""
    if planned.confidence is not None:
        assert record.confidence is not None
        write_raster(planned.confidence, record.confidence, georeference)
    if planned.probabilities is not None:
        write_tiff(planned.probabilities, record.probability_maps(), record.nbytes, labels.names, georeference)
    return replace(planned, certainty=record.figures())
