"""Writing a data set as Common Semantic Segmentation, image by image."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePath
from typing import Any

import cv2

from otx_seg.annotations.dataset_meta import META_FILE
from otx_seg.annotations.samples import Sample, Subset
from otx_seg.annotations.stored_masks import MaskContentError
from otx_seg.datasets.loading.loader import read_pair
from otx_seg.errors import DataError
from otx_seg.formats.layouts.folder import DEFAULT_SUBSET, SUBSETS, subset_name
from otx_seg.labels import Labels
from otx_seg.runtime.image_headers import file_and_page, read_bytes
from otx_seg.runtime.processors import processor_count
from otx_seg.runtime.result_files import unique_names
from otx_seg.runtime.whole_file import write_atomic

_WHITE, _BLACK = (255, 255, 255), (0, 0, 0)


@dataclass(frozen=True)
class Written:
    """What a conversion wrote.

    Attributes:
        images: number of images by subset.
        skipped: one message for each file that was left out.
    """

    images: Mapping[str, int]
    skipped: tuple[str, ...]


def write_as_folders(
    subsets: Mapping[str, Subset], output: Path, progress: Callable[[int, int], None] | None = None
) -> Written:
    """Write subsets as Common Semantic Segmentation, see `otx_seg.formats.layouts.folder`, and the labels at the end.

    Images are copied byte for byte; pages become PNG files, and masks PNG files of label indices. Pairs that are there
    already stay as they are: files are written as a whole, and the mask of a pair last.

    Args:
        subsets: by name, at least one, all with the same labels.
        output: the folder; made if need be.
        progress: called in the caller's thread with the numbers of images done and to do.

    Raises:
        DataError: a mask contradicts the data set, or no image of a subset can be read.
        OSError: a file cannot be written.
    """
    total, done = sum(map(len, subsets.values())), 0
    images: dict[str, int] = {}
    skipped: list[str] = []
    for name, subset in subsets.items():
        folder = output if name == DEFAULT_SUBSET else output / name
        faults = []
        with ThreadPoolExecutor(processor_count()) as pool:
            for fault in pool.map(partial(_write_pair, subset, folder), subset.samples, _short_names(subset)):
                faults += [fault] if fault else []
                done += 1
                if progress is not None:
                    progress(done, total)
        if len(faults) == len(subset):
            raise DataError(f"{subset.root}: no image of the subset {name} can be read; first: {faults[0]}")
        images[name] = len(subset) - len(faults)
        skipped += [f"{name}: {message}" for message in (*subset.unmatched, *faults)]
    labels = next(iter(subsets.values())).labels
    write_atomic(output / META_FILE, json.dumps(_described(labels), indent=2, ensure_ascii=False).encode())
    return Written(images, tuple(skipped))


def _short_names(subset: Subset) -> list[PurePath]:
    """A name without suffix for each image, and without the folders that all of them are in.

    Without any folders where some are called like subsets: they would be taken for such.
    """
    names = [Path(sample.name) for sample in subset.samples]
    common = os.path.commonpath([str(name.parent) for name in names])
    short = [name.relative_to(common) for name in names]
    if any(subset_name(name.parts[0]) in SUBSETS for name in short if len(name.parts) > 1):
        short = [Path("_".join(name.parts)) for name in short]
    return unique_names(short)


def _write_pair(subset: Subset, folder: Path, sample: Sample, name: PurePath) -> str | None:
    """Why it cannot be written, or None."""
    is_page = file_and_page(sample.name)[1] is not None
    image = folder / "images" / f"{name}{'.png' if is_page else PurePath(sample.name).suffix}"
    mask = folder / "masks" / f"{name}.png"
    if image.is_file() and mask.is_file():
        return None
    try:
        shown, labelled = read_pair(subset, sample)
        content = cv2.imencode(".png", shown[:, :, ::-1])[1].tobytes() if is_page else read_bytes(sample.image)
    except MaskContentError:
        raise
    except DataError as error:
        return str(error)
    write_atomic(image, content)
    write_atomic(mask, cv2.imencode(".png", labelled)[1].tobytes())
    return None


def _described(labels: Labels) -> dict[str, Any]:
    """What ``dataset_meta.json`` says."""
    described: dict[str, Any] = {"label_map": {str(index): name for index, name in enumerate(labels.names)}}
    # Where shades of grey are colours of labels, a mask of indices could be read as one of these colours.
    if _WHITE not in labels.colors and _BLACK not in labels.colors[1:] and len(set(labels.colors)) == len(labels):
        described["segmentation_colors"] = [list(color) for color in labels.colors]
    if labels.background is not None:
        described["background_label"] = str(labels.background)
    return described
