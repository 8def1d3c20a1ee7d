"""`otx suggest`: which images to label next."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath

from otx_seg.datasets import DEFAULT_SEED, DataSpec, ImageSet, open_unlabelled
from otx_seg.errors import DataError, UsageError
from otx_seg.inputs.labelled import labelled_images
from otx_seg.inputs.resolver import Resolver, Weights, open_resolver
from otx_seg.labelling.methods import DEFAULT_COUNT, METHODS
from otx_seg.labelling.models import open_models
from otx_seg.labelling.suggestions import Suggested, Suggestion, as_csv, files_in_csv, suggest_images
from otx_seg.labels import given_labels
from otx_seg.report.suggest_page import draw_page
from otx_seg.runtime.image_headers import file_and_page
from otx_seg.runtime.plain_files import read_text
from otx_seg.runtime.result_files import writing
from otx_seg.words import count as counted
from otx_seg.workspace.atomic import write_text
from otx_seg.workspace.logs import log_to
from otx_seg.workspace.run_folder import RunFolder, open_run, watched

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class WrittenSuggestions:
    """The outcome of `suggest`.

    Attributes:
        found: the suggestions, with what was left out.
        list: CSV, a line for each.
        page: HTML, with pictures and reasons.
        images: the folder of the copies; None: none were asked for.
    """

    found: Suggested
    list: Path
    page: Path
    images: Path | None

    @property
    def suggestions(self) -> tuple[Suggestion, ...]:
        """The image to label first in front."""
        return self.found.suggestions


def suggest(
    input: str | Path | None = None,
    *,
    load_weights: Weights = None,
    count: int = DEFAULT_COUNT,
    method: str = METHODS[0],
    train_data_roots: str | Path | None = None,
    train_ann_files: str | Path | None = None,
    data_format: str | None = None,
    label_map: str | Path | None = None,
    labels: str | Sequence[str] | None = None,
    workspace: str | Path | None = None,
    output: str | Path | None = None,
    overwrite: bool = False,
    list_only: bool = False,
    seed: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> WrittenSuggestions:
    """Choose the images that are worth labelling next, and write ``suggest.csv``, ``suggest.html`` and ``images/``.

    Images that are labelled already, or equal or nearly equal to a labelled or suggested one, are never suggested. If
    fewer are new than asked for, all of these are suggested.

    Args:
        input: folder of images without labels; None: the unlabelled images of the workspace.
        load_weights: a ``.pth``, ``.xml``, ``.onnx`` or the ``.zip`` of `deploy`; None: the last training run of the
            workspace. Several, with the same labels: what they disagree on counts as uncertain too.
        count: at least 1, how many to suggest.
        method: ``"both"``, ``"uncertainty"``, ``"diversity"`` or ``"random"``, see `otx_seg.labelling.choosing.choose`.
            The first and the third need a ``.pth``, or an exported model with its features, see `export`.
        train_data_roots: labelled images to compare with; None: those of the workspace, else those that the first of
            the weights was trained on.
        train_ann_files, data_format, label_map: see `train`.
        labels: see `predict`.
        workspace, output, overwrite: see `train`.
        list_only: copy no images.
        seed: of ``"random"``; None: 42.
        progress: called with the numbers of images done and to do.

    Raises:
        UsageError: an argument out of range, unusable weights, weights with other labels than the first, or without
            features that the method needs.
        DataError: no image is new, or none can be read; or the labelled data cannot be used.
        OtxError: a result cannot be written.
    """
    if count < 1:
        raise UsageError(f"--count is at least 1: {count}")
    if method not in METHODS:
        raise UsageError(f"--method is {', '.join(METHODS[:-1])} or {METHODS[-1]}: {method!r}")
    resolver = open_resolver(workspace)
    images = _images(resolver, input)
    files = resolver.all_weights(load_weights)
    models = open_models(files, given_labels(labels))
    given = DataSpec.given(data_format, label_map, train_root=train_data_roots, train_annotations=train_ann_files)
    labelled, spec = labelled_images(resolver, given, files)
    roots = (images.root, *spec.folders)
    run = open_run(resolver.destination(output, overwrite), "suggest", ("suggest.csv", "suggest.html", "images"), roots)
    with log_to(run) as note:
        logger.info(
            "choosing among %s; compared with %s, looked at by %s",
            counted(len(images), "image"),
            counted(len(labelled), "labelled image"),
            counted(len(models.models), "model"),
        )
        drawn_by = DEFAULT_SEED if seed is None else seed
        found = suggest_images(images, labelled, models, count, method, drawn_by, watched(run, progress))
        if len(found.suggestions) < count:
            number = counted(len(found.suggestions), "image")
            logger.warning("%d were asked for, but only %s are new: %s", count, number, found.left_out() or "no more")
        with writing(run.path):
            written = _write(run, found, copied=not list_only)
            write_text(written.page, draw_page(found, models, method, images.root))
        note(f"{len(found.suggestions)} of {found.new} images suggested, by {method}")
    return written


def _images(resolver: Resolver, given: str | Path | None) -> ImageSet:
    if given is None:
        root = resolver.root(None, "unlabeled")
        if root is None:
            hint = "name the folder of the images without labels"
            named = resolver.workspace and f", or write it into {resolver.workspace.data} as data.unlabeled.data-roots"
            return resolver.missing("--input", hint + (named or ""))
        return open_unlabelled(root, resolver.file_list(None))
    if Path(given).is_file():
        raise DataError(f"{given}: is a file; name the folder of the images to choose from")
    return open_unlabelled(Path(given))


def _write(run: RunFolder, found: Suggested, copied: bool) -> WrittenSuggestions:
    """Write list and copies in place of those of an earlier call."""
    listed, folder = run.path / "suggest.csv", run.path / "images"
    if listed.is_file():
        for name in files_in_csv(read_text(listed)):
            if ".." not in PurePath(name).parts and not PurePath(name).is_absolute():
                _copy_of(name, folder).unlink(missing_ok=True)
    for one in found.suggestions if copied else ():
        place = _copy_of(one.name, folder)
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file_and_page(one.path)[0], place)
    write_text(listed, as_csv(found.suggestions))
    return WrittenSuggestions(found, listed, run.path / "suggest.html", folder if copied else None)


def _copy_of(name: str, folder: Path) -> Path:
    """Where an image is copied to; a page of a TIFF with its file."""
    return Path(file_and_page(folder / name)[0])
