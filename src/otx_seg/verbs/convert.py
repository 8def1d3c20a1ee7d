"""`otx convert`: labelled data of any format as Common Semantic Segmentation."""

from __future__ import annotations

import contextlib
import logging
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from otx_seg.datasets import DataSpec, Subset, open_folder
from otx_seg.datasets.chosen_subset import TRAINED_ON
from otx_seg.datasets.conversion import write_as_folders
from otx_seg.datasets.joined import with_additions
from otx_seg.datasets.split import check_same_labels
from otx_seg.errors import DataError, OtxError, UsageError, interrupted_by
from otx_seg.formats.layouts.folder import DEFAULT_SUBSET
from otx_seg.inputs.check_sources import Source, Sources, sources_of
from otx_seg.inputs.data import check_spec
from otx_seg.inputs.resolver import open_resolver
from otx_seg.labels import Labels
from otx_seg.training.setup.data import tell_skipped
from otx_seg.workspace.atomic import write_json
from otx_seg.workspace.data_folders import refuse_among_data
from otx_seg.workspace.digest import digest_of
from otx_seg.workspace.lock import LOCK, alone_in
from otx_seg.workspace.own_files import read_own
from otx_seg.workspace.run_folder import open_run

logger = logging.getLogger(__name__)

_UNDER_WAY = "conversion.json"
"""Stands in the output until everything is written: what is being converted."""


@dataclass(frozen=True)
class Converted:
    """The outcome of `convert`.

    Attributes:
        output: the folder.
        images: number of images by subset.
        labels: those of the data.
        skipped: one message for each file that was left out.
    """

    output: Path
    images: dict[str, int]
    labels: Labels
    skipped: tuple[str, ...]


def convert(
    data_roots: str | Path | None = None,
    output: str | Path | None = None,
    *,
    data_format: str | None = None,
    label_map: str | Path | None = None,
    ann_files: str | Path | None = None,
    workspace: str | Path | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Converted:
    """Write labelled data as ``images/``, ``masks/`` (PNG files of label indices) and ``dataset_meta.json``.

    A data set with subsets gets a folder for each. Images are copied. The same call resumes an
    interrupted conversion.

    Args:
        data_roots: the data folder; None: all labelled data of the workspace. Nothing is written there.
        output: a new or empty folder, or that of an interrupted conversion of the same data; None: a new one in
            ``outputs`` of the workspace.
        data_format: name of its format, see `otx_seg.datasets.known_formats`; None: that of the workspace, with its
            data, else what it looks like.
        label_map: see `train`; the written masks and labels are those after it.
        ann_files: COCO file of annotations to use instead of those in `data_roots`.
        workspace: see `train`.
        progress: called with the numbers of images done and to do.

    Raises:
        UsageError: an unknown format, no data, or an output that holds something else or lies in the data.
        DataError: the data cannot be used.
        OtxError: it was interrupted.
    """
    resolver = open_resolver(workspace)
    if data_roots is None and ann_files is not None:
        raise UsageError("--ann-files describes the images in a folder: give --data-roots too")
    if data_roots is None:
        sources = sources_of(check_spec(resolver, "--data-roots", DataSpec.given(data_format, label_map)))
    else:
        spec = DataSpec.given(data_format, label_map, train_root=data_roots, train_annotations=ann_files)
        assert spec.train_root is not None
        source = Source(spec.train_root, spec.train_annotations)
        sources = Sources((source,), data_format=spec.data_format, label_map=spec.label_map)
    origin = _origin(sources)
    if output is not None:
        refuse_among_data(Path(output), sources.folders, "choose another --output")
        _refuse_other_content(Path(output), origin)
    subsets = _all_subsets(sources)
    first = next(iter(subsets.values()))
    for subset in subsets.values():
        check_same_labels(first, subset)
    if sources.added:
        subsets = _with_added(subsets, sources)
        first = next(iter(subsets.values()))
    if output is None:
        folder = open_run(resolver.destination(None, False), "convert", (), sources.folders).path
    else:
        folder = Path(output)
    folder.mkdir(parents=True, exist_ok=True)
    with _undone(folder, new=output is None), alone_in(folder):
        write_json(folder / _UNDER_WAY, origin)
        written = write_as_folders(subsets, folder, progress)
        _end(folder)
    tell_skipped("converted", written.skipped)
    return Converted(folder, dict(written.images), first.labels, written.skipped)


def _origin(sources: Sources) -> dict[str, Any]:
    """What tells the conversion of these data from others."""
    return {
        "data_roots": [str(folder.resolve()) for folder in sources.folders],
        "data_format": sources.data_format,
        "label_map": None if sources.label_map is None else sources.label_map.as_plain(),
        "annotations": [str(file.resolve()) for file in sources.files],
        "files": [digest_of(path) for path in (*sources.folders, *sources.files)],
        **({"added": [one.as_plain() for one in sources.added]} if sources.added else {}),
    }


@contextlib.contextmanager
def _undone(folder: Path, new: bool) -> Iterator[None]:
    """What becomes of a conversion that does not come to its end.

    Raises:
        OtxError: it was interrupted.
    """
    try:
        yield
    except DataError:
        if new:  # with other data the conversion would not continue there
            shutil.rmtree(folder, ignore_errors=True)
        raise
    except KeyboardInterrupt as error:
        where = f"with --output {folder}" if new else f"what is done is in {folder}"
        raise OtxError(f"{interrupted_by(error)}; to resume, run the same command again ({where})") from error


def _end(folder: Path) -> None:
    """
    Raises:
        OtxError: the folder is not the one that the conversion began in.
    """
    try:
        (folder / _UNDER_WAY).unlink()
    except FileNotFoundError as error:
        gone = f"{folder}: was deleted, emptied, renamed or replaced while otx was working there; convert again"
        raise OtxError(gone) from error


def _all_subsets(sources: Sources) -> dict[str, Subset]:
    """The subsets in all folders, by name; where there are several, one without a name is called by what it is for.

    Raises:
        DataError: two of them are called alike, or a folder cannot be read.
    """
    found: dict[str, Subset] = {}
    for source in sources.labelled:
        opened = open_folder(source.root, sources.data_format, source.annotations, sources.label_map)
        for name, subset in opened.items():
            key = (source.meant_for if name == DEFAULT_SUBSET and len(sources.labelled) > 1 else None) or name
            if key in found:
                there = f"has a subset {key}, as {found[key].root}"
                raise DataError(f"{source.root}: {there}; convert them separately, with --data-roots")
            found[key] = subset
    return found


def _with_added(subsets: dict[str, Subset], sources: Sources) -> dict[str, Subset]:
    """The same with what was added to the training images, and the labels of all in each."""
    name = next(name for name in (*TRAINED_ON, *subsets) if name in subsets)
    whole = with_additions(subsets[name], sources.added)
    return {key: whole if key == name else subset.with_labels(whole.labels) for key, subset in subsets.items()}


def _refuse_other_content(folder: Path, origin: dict[str, Any]) -> None:
    """
    Raises:
        UsageError: the folder holds anything but an interrupted conversion of what comes from there.
    """
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"{folder}: --output names a file; name a folder")
    if not folder.exists() or all(path.name == LOCK for path in folder.iterdir()):
        return
    try:
        under_way = read_own(folder / _UNDER_WAY, dict[str, Any], "")
    except UsageError:
        raise UsageError(f"{folder}: is not empty; choose another --output, or empty it") from None
    if under_way != origin:
        others = ", ".join(map(str, under_way.get("data_roots") or ()))
        raise UsageError(
            f"{folder}: holds an interrupted conversion of {others}, which was another folder, was "
            "read in another way, or held other files then; choose another --output, or empty it"
        )
    logger.info("resuming the conversion in %s", folder)
