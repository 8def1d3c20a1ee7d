"""Masks without a list of labels whose values are those of other data: they get the names that these have there."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np

from otx_seg.annotations.samples import Sample, Subset
from otx_seg.annotations.stored_masks import MaskContentError
from otx_seg.annotations.values_found import name_of_value, value_of_name
from otx_seg.datasets.joined import union
from otx_seg.datasets.label_map import IGNORE, OPTION, LabelMap, through_map
from otx_seg.datasets.scan import for_each
from otx_seg.errors import DataError
from otx_seg.labels import MaskValue
from otx_seg.words import listed

logger = logging.getLogger(__name__)

_SOURCE = "the labels of the workspace"


class _Known(NamedTuple):
    """Data whose masks have values with names.

    Attributes:
        subset: the data.
        meanings: see `MaskReader.meanings`.
    """

    subset: Subset
    meanings: Mapping[MaskValue, str | None]


def known_values(
    batch: Subset, known: Sequence[Subset], new_labels: str | None = None, root: Path | None = None
) -> LabelMap | None:
    """A label map from the values in masks that nothing names to what they mean in other data.

    It lists all values of that data, so that masks may show others later. Each mask is read in both ways.

    Args:
        batch: the new images.
        known: the other data; the first whose labels have the most of the values counts.
        new_labels: the option that accepts values without a name; None: it was given.
        root: the folder of the other data, where its list of labels lies; None: the labels have been mapped.

    Returns:
        None where the new masks have a list of labels, or none of their values is known.

    Raises:
        DataError: some of the values are not known, or masks would be read otherwise with the list of the other data.
    """
    values = [value_of_name(name) for name in batch.labels.names]
    found = [value for value in values if value is not None]
    named = [_Known(one, one.mask_code.meanings()) for one in known if None in map(value_of_name, one.labels.names)]
    if len(found) < len(values) or not named:
        return None
    best = max(named, key=lambda one: sum(value in one.meanings for value in found))
    unknown = [value for value in found if value not in best.meanings]
    if len(unknown) == len(found):
        return None
    kind = "colours" if isinstance(found[0], tuple) else "values"
    advice = f"{_beside(batch, best.subset, root)}, name them with a {OPTION}"
    if unknown and new_labels is not None:
        raise DataError(
            f"{batch.root}: its masks have no list of labels, and the workspace has no label for these {kind} in them: "
            f"{listed(list(map(str, unknown)), 5)}; {advice}, or accept them as new labels with {new_labels}"
        )
    names = {name_of_value(value): label or IGNORE for value, label in best.meanings.items() if _alike(value, found[0])}
    names |= {name_of_value(value): name_of_value(value) for value in unknown}
    label_map = LabelMap(tuple(names.items()), _SOURCE, some_labels=True)
    _refuse_other_reading(batch, through_map(batch, label_map), best.subset, bool(unknown), advice)
    shown = [f"{value} {names[name_of_value(value)]}" for value in found if value not in unknown]
    logger.info(
        "%s: masks have no list of labels; their %s are those of the workspace's labels: %s",
        batch.root,
        kind,
        listed(shown, 5),
    )
    return label_map


def _alike(value: MaskValue, other: MaskValue) -> bool:
    return isinstance(value, tuple) == isinstance(other, tuple)


def _beside(batch: Subset, known: Subset, root: Path | None) -> str:
    """What to do with the list of labels of the other data."""
    source = getattr(known.mask_code, "source", "")
    places = [] if root is None or not source else [known.root / source, root / source]
    path = next((path for path in places if path.is_file()), None)
    if path is None:
        return f"write their list of labels, labels.txt or dataset_meta.json, into {batch.root}"
    return f"copy {path} into {batch.root} and complete it there"


def _refuse_other_reading(batch: Subset, mapped: Subset, known: Subset, some_unknown: bool, advice: str) -> None:
    """
    Args:
        batch: for its samples.
        mapped: the same with the names of the other data.
        known: the other data, in whose way each mask has to be read alike.

    Raises:
        DataError: a mask is not.
    """
    labels = union([known, mapped])
    theirs = Subset(known.root, known.labels, (), (), known.mask_code).with_labels(labels)
    alike = for_each(partial(_read_alike, mapped.with_labels(labels), theirs, some_unknown), batch.samples, None, None)
    first = next((sample for sample, same in zip(batch.samples, alike, strict=True) if not same), None)
    if first is not None:
        raise DataError(
            f"{first.mask}: has no list of labels, and its values alone mean something else than with the labels of "
            f"the workspace, as with a palette of its own or with white for a label; {advice}"
        )


def _read_alike(ours: Subset, theirs: Subset, some_unknown: bool, sample: Sample) -> bool:
    try:
        return np.array_equal(ours.read_mask(sample), theirs.read_mask(sample))
    except MaskContentError:
        return some_unknown
    except DataError:  # told when all files are looked at
        return True
