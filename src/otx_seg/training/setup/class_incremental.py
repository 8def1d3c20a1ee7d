"""Class-incremental training: data whose labels are not those of the weights it starts from."""

from __future__ import annotations

import logging
from dataclasses import replace

from otx_seg.annotations.masks import MAX_LABELS
from otx_seg.datasets import ScanReport, TrainingData
from otx_seg.errors import UsageError
from otx_seg.labels import Labels, extended

logger = logging.getLogger(__name__)


def adapt_labels(data: TrainingData, known: Labels | None, task_adapt: str) -> TrainingData:
    """The data with the labels the network is to have.

    Args:
        known: labels of the weights that the training starts from, if any.
        task_adapt: ``replace``: the labels of the data; ``merge``: the known ones, then those of the data that are new.

    Raises:
        UsageError: two backgrounds, or more labels than a mask can hold.
    """
    if known is None or task_adapt == "replace":
        return data
    try:
        labels = extended(known, data.train.labels)
    except ValueError as error:
        raise UsageError(f"learning_parameters.task_adapt=merge: {error}; give both the same name") from error
    if len(labels) > MAX_LABELS:
        raise UsageError(
            f"learning_parameters.task_adapt=merge gives {len(labels)} labels; at most {MAX_LABELS} are possible"
        )
    val = None if data.val is None else data.val.with_labels(labels)
    return replace(data, train=data.train.with_labels(labels), val=val)


def find_new(data: TrainingData, report: ScanReport, known: Labels | None) -> tuple[int, ...]:
    """The training samples with labels new to a network, for `EpochSampler`; prints how an epoch balances them.

    Args:
        report: of the training samples, which are all valid.
        known: labels of the weights that the training starts from, if any.

    Returns:
        nothing if the network knows none of the labels but the background: then all is new.
    """
    if known is None:
        return ()
    labels = data.train.labels
    foreground = [labels.names[index] for index in labels.foreground]
    if not any(name in known.names for name in foreground):
        return ()
    missing = [name for name, share in zip(labels.names, report.share_per_label, strict=True) if not share]
    if set(missing) & set(known.names):
        logger.warning(
            "no training mask has %s: where such things are in the images, they are marked as something else, mostly "
            "background, and the network will unlearn them; train on old images too, and let the background of the new "
            'ones not count: {"new/*": ["background"]} as ignored_labels (docs/guides/new-labels.md)',
            ", ".join(name for name in missing if name in known.names),
        )
    new_labels = {index for index, name in enumerate(labels.names) if name not in known.names}
    new = tuple(sample for sample, shown in enumerate(report.labels_of) if new_labels.intersection(shown))
    if not new or len(new) == len(data.train):
        return ()
    logger.info(
        "training data: %d of %d images show new labels (%s); each epoch balances them with the others",
        len(new),
        len(data.train),
        ", ".join(labels.names[index] for index in sorted(new_labels)),
    )
    return new
