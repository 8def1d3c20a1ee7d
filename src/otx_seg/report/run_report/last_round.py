"""A training against the one before it, on the same validation images."""

from __future__ import annotations

import csv
import io
import logging
import math
from collections.abc import Iterator, Mapping
from pathlib import Path

import torch

from otx_seg.errors import OtxError, UsageError
from otx_seg.labels import Labels
from otx_seg.metrics.confusion import Scores, scores_from_json
from otx_seg.metrics.counted_images import CountedImages
from otx_seg.metrics.definitions import METRICS
from otx_seg.metrics.paired import FEW_IMAGES, NOISE, paired_difference
from otx_seg.metrics.watched import DICE
from otx_seg.report.run_report.record import LastRound, read_record
from otx_seg.runtime.plain_files import read_text
from otx_seg.runtime.terminal import as_message
from otx_seg.training.checkpoint import read_checkpoint
from otx_seg.training.recorded_data import read_recorded
from otx_seg.words import count
from otx_seg.workspace.run_folder import RunFolder

logger = logging.getLogger(__name__)

CHANGED = 0.01
"""Dice by which an image or a label changes for people to hear of it."""

_TOLD = 2
_LONGEST_FILE = 1 << 28  # bytes: the scores of some million images


CONTINUED = (
    "This training went on from the weights of the last one: its minutes of training count in the change too, not only "
    "new labels"
)


def compare_rounds(last: RunFolder, run: RunFolder, scores: Scores, counted: CountedImages) -> LastRound | None:
    """What has changed since an earlier training; None: it has scores of other images, or none.

    Args:
        last: the folder of that training.
        run, scores, counted: of this one.
    """
    try:
        then = read_record(last).evaluated
        before = _image_scores(last.image_scores)
    except (OtxError, OSError) as error:
        logger.info("no comparison with the last training: %s", error)
        return None
    if then is None or set(before) != set(counted.files):
        logger.info("no comparison with the last training, %s: its scores are of other images", last.path)
        return None
    was = scores_from_json(then.scores)
    labels = {name: (was.per_label[name], now) for name, now in scores.per_label.items() if name in was.per_label}
    now_of = counted.of_images(METRICS["dice"])
    files = {name: (old, now) for name, old in before.items() if old is not None and (now := now_of[name]) is not None}
    return LastRound(
        run=str(last.path.absolute()),
        images=count(len(before), "validation image"),
        dice=(was.dice_average, scores.dice_average),
        labels={name: (old.dice, now.dice) for name, (old, now) in labels.items()},
        files=dict(sorted(files.items(), key=lambda item: item[1][1] - item[1][0])),
        masks_changed=any(old.pixels_true != now.pixels_true for old, now in labels.values()),
        standard_error=_standard_error(last, then.labels, counted),
        few_images=len(before) < FEW_IMAGES,
        continued=_continues(run, last),
    )


def _continues(run: RunFolder, last: RunFolder) -> bool:
    """Whether a training began with the weights of an earlier one."""
    try:
        began_with = read_recorded(run).load_weights
    except UsageError:  # what it began with is unknown
        return False
    return began_with is not None and began_with.resolve() == last.weights.resolve()


def _standard_error(last: RunFolder, labels: Labels, counted: CountedImages) -> float | None:
    """That of the difference in Dice, see `paired_difference`; None: the counts of the earlier training are gone.

    Args:
        labels: those of the earlier training.
    """
    try:
        names, counts = read_recorded(last).val, read_checkpoint(last.checkpoint).get("best_per_image")
    except UsageError as error:
        logger.info("no standard error of the difference to the last training: %s", error)
        return None
    if counts is None or len(counts) != len(names) or set(names) != set(counted.files):
        return None
    now = counted.pixels.per_image
    before = torch.zeros_like(now)
    for number, name in enumerate(counted.labels.names):
        if name in labels.names:
            order = [names.index(file) for file in counted.files]
            before[:, number] = counts[order][:, labels.names.index(name)]
    of_difference = paired_difference(now, before, DICE, counted.labels).standard_error
    return None if math.isinf(of_difference) else of_difference


def _image_scores(file: Path) -> dict[str, float | None]:
    """The Dice of each image in a ``per_image.csv``.

    Raises:
        UsageError: the file is missing or damaged.
    """
    text = read_text(file, UsageError, _LONGEST_FILE)
    try:
        rows = list(csv.DictReader(io.StringIO(text)))
        return {row["file"]: float(row["dice"]) if row["dice"] else None for row in rows}
    except (KeyError, ValueError, TypeError, csv.Error) as error:
        raise UsageError(f"{file}: is damaged ({error})") from error


def last_round_lines(run: RunFolder) -> Iterator[str]:
    """What a finished training changed, in a few lines for the screen; none without a comparison."""
    try:
        found = read_record(run).last_round
    except UsageError:  # the report could not be written, and that was said
        return
    if found is None:
        return
    name = Path(found.run).name
    labels = ", ".join(f"{as_message(label)} {value:+.3f}" for label, value in most_changed(found.labels))
    most = f"; most: {labels}" if labels else ""
    yield (
        f"Against the last training, {name}, on all pixels of the same {found.images}: Dice {found.dice[0]:.4f} -> "
        f"{found.dice[1]:.4f} ({change_in_words(found)}){most}."
    )
    if found.continued:
        yield f"{CONTINUED}."
    better, worse = better_and_worse(found)
    images = ", ".join(f"{as_message(name)} {then:.2f} -> {now:.2f}" for name, (then, now) in _extremes(found))
    of_which = f"; most changed: {images}" if images else ""
    yield f"Each image by itself: {better:,} better and {worse:,} worse by {CHANGED} or more{of_which}."
    if found.masks_changed:
        yield MASKS_CHANGED


def against_last(found: LastRound) -> str:
    """The change of the Dice, a sentence for the verdict."""
    if found.masks_changed:
        return f"The last training had {found.dice[0]:.3f}, on other masks of the same images."
    return f"The last training had {found.dice[0]:.3f} on the same images ({change_in_words(found)})."


def change_in_words(found: LastRound) -> str:
    """By how much the Dice has changed, and whether that is more than noise, which few images cannot tell."""
    change, error = found.dice[1] - found.dice[0], found.standard_error
    if found.few_images:
        known = "" if error is None else f", standard error {error:.4f}"
        return f"{change:+.4f}{known}; so few images prove little"
    if error is None:
        return f"{change:+.4f}"
    where = "beyond" if abs(change) > NOISE * error else "within"
    return f"{change:+.4f}, {where} the noise: standard error {error:.4f}"


MASKS_CHANGED = "The masks of these images have changed since, so the figures are not comparable."


def better_and_worse(found: LastRound) -> tuple[int, int]:
    """How many images have clearly gained, and how many lost."""
    changes = [now - then for then, now in found.files.values()]
    return sum(change >= CHANGED for change in changes), sum(change <= -CHANGED for change in changes)


def most_changed(dices: Mapping[str, tuple[float, float]]) -> list[tuple[str, float]]:
    """What changed most and clearly, with the change, the largest first."""
    changes = {name: now - then for name, (then, now) in dices.items() if abs(now - then) >= CHANGED}
    return sorted(changes.items(), key=lambda item: -abs(item[1]))[:_TOLD]


def _extremes(found: LastRound) -> list[tuple[str, tuple[float, float]]]:
    """The image that gained most and the one that lost most, if they did clearly."""
    every = list(found.files.items())
    ends = every[-1:] + every[:1] if len(every) > 1 else every
    return [item for item in ends if abs(item[1][1] - item[1][0]) >= CHANGED]
