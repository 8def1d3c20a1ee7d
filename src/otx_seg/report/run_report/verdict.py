"""What a report says first: how good the result is and what it costs, and what to do next."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from otx_seg.metrics.confusion import Scores, scores_from_json
from otx_seg.report.progress import format_duration
from otx_seg.report.run_report.record import Evaluated, ModelRow, RunRecord, Trained
from otx_seg.words import count, listed

_GOOD, _POOR = 0.9, 0.5  # Dice: nothing needs to be done about a label, and something has to be
_FEW_IMAGES = 20  # of validation: their score says little
_COSTLY = 0.01  # Dice that quantisation may cost before one has to think about it
_LATE = 0.9  # share of the steps behind which a best score is late
_RISE = 0.01  # of the score in the last third of the steps: it still rises
_SHOWN_CONFUSIONS = 3
_SHOWN_SHARE = 0.005  # of the pixels of the true label: below, a confusion is not worth a sentence


@dataclass(frozen=True)
class Confusion:
    """One label taken for another.

    Attributes:
        true, predicted: names.
        pixels: how many.
        share: of the pixels of the true label, 0..1.
    """

    true: str
    predicted: str
    pixels: int
    share: float


def largest_confusions(evaluated: Evaluated) -> list[Confusion]:
    """The few pairs of labels with the most wrong pixels, the most first."""
    return _confusions(evaluated)[:_SHOWN_CONFUSIONS]


def mostly_taken_for(evaluated: Evaluated) -> dict[str, Confusion]:
    """The largest confusion of each true label that has one."""
    return {confusion.true: confusion for confusion in reversed(_confusions(evaluated))}


def _confusions(evaluated: Evaluated) -> list[Confusion]:
    """All of them, the most pixels first; pairs that hardly touch the true label are left out."""
    names = evaluated.labels.names
    found = [
        Confusion(names[true], names[predicted], pixels, pixels / sum(row))
        for true, row in enumerate(evaluated.confusion)
        for predicted, pixels in enumerate(row)
        if true != predicted and pixels
    ]
    worth_it = [confusion for confusion in found if confusion.share >= _SHOWN_SHARE]
    return sorted(worth_it, key=lambda confusion: -confusion.pixels)


def verdict(record: RunRecord) -> str:
    """A sentence on score and cost."""
    if record.evaluated is None:
        assert record.trained is not None
        if record.trained.backbone:
            return f"A backbone was trained in {effort(record.trained)}; it has no labels yet, so there is no score."
        return f"{record.trained.template} was trained in {effort(record.trained)}."
    found = record.evaluated
    said = f"{_called(record, found)} reaches a Dice of {_scores(found).dice_average:.3f} on {found.images_are}"
    if len(record.models) > 1:
        return f"{said}{_compared(record.models)}."
    if record.verb == "train" and record.trained is not None:
        return f"{said}, after {effort(record.trained)}."
    if found.seconds_per_image is not None:
        return f"{said}, in {1000 * found.seconds_per_image:.1f} ms per image."
    return f"{said}."


def _called(record: RunRecord, found: Evaluated) -> str:
    shipped = record.models[-1].name if record.models else ""
    template = "" if record.trained is None else record.trained.template
    return " as ".join(filter(None, (template, shipped))) or found.model


def _compared(models: Sequence[ModelRow]) -> str:
    before, after = models[0], models[-1]
    points = 100 * (before.dice - after.dice)
    change = "as" if abs(points) < 0.005 else f"{abs(points):.2f} points {'below' if points > 0 else 'above'}"
    return (
        f", {change} the same model in {before.name}; it takes {1000 * after.latency:.1f} ms per image, "
        f"{before.latency / after.latency:.1f} times as fast, and {after.size / 1e6:.1f} MB instead of "
        f"{before.size / 1e6:.1f}"
    )


def effort(trained: Trained) -> str:
    """How long a training took, in words."""
    return f"{format_duration(trained.elapsed_s)} ({count(trained.epochs, 'epoch')}, {count(trained.steps, 'step')})"


def next_step(record: RunRecord, metrics: Sequence[dict[str, Any]]) -> str:
    """A sentence on what to do next: the first thing that is wrong with the result, or how to ship it.

    Args:
        metrics: of the training, see `read_metrics`; empty where there was none.
    """
    if record.evaluated is None:
        if record.trained is not None and record.trained.backbone:
            return "Train on labelled images with --load-weights and this backbone."
        return "Evaluate it with `otx eval`: how it does on each image was not recorded."
    found = record.evaluated
    return next(_advice(record, found, _scores(found), metrics))


def _scores(evaluated: Evaluated) -> Scores:
    return scores_from_json(evaluated.scores)


def _advice(record: RunRecord, found: Evaluated, scores: Scores, metrics: Sequence[dict[str, Any]]) -> Iterator[str]:
    background = None if found.labels.background is None else found.labels.names[found.labels.background]
    shown = {name: score for name, score in scores.per_label.items() if name != background}
    if not shown:
        yield "The images show no label but background: evaluate on images that show some, before you trust this model."
        return
    missed = [name for name, score in shown.items() if not score.pixels_predicted]
    if missed:
        yield (
            f"No pixel was predicted as {listed(missed, 3)}: train longer or with a larger input size, or label more "
            f"images that show {'it' if len(missed) == 1 else 'them'}."
        )
    if len(record.models) > 1 and record.models[-2].dice - record.models[-1].dice > _COSTLY:
        lost = 100 * (record.models[-2].dice - record.models[-1].dice)
        yield (
            f"Quantisation costs {lost:.1f} points: ship the model in floating point, or fine-tune the quantised one "
            "with `otx optimize --load-weights weights.pth`."
        )
    if _still_rises(metrics):
        yield "The score still rose when the training ended: train longer."
    weakest = min(shown, key=lambda name: shown[name].dice)
    if shown[weakest].dice < _POOR:
        yield f"The weakest label is {weakest}, Dice {shown[weakest].dice:.2f}{_taken_for(found, weakest)}."
    if found.images < _FEW_IMAGES:
        yield f"{found.images_are} say little: label more images to rely on this score."
    if shown[weakest].dice < _GOOD:
        yield (
            f"Look at the worst images below, then label more images like them; {weakest} gains most, its Dice is "
            f"{shown[weakest].dice:.2f}."
        )
    yield _shipping(record)


def _taken_for(found: Evaluated, label: str) -> str:
    worst = mostly_taken_for(found).get(label)
    if worst is None:
        return ": label more images that show it"
    return (
        f", {100 * worst.share:.0f} % of its pixels are taken for {worst.predicted}: check its masks on the worst "
        "images below, and label more images that show it"
    )


def _still_rises(metrics: Sequence[dict[str, Any]]) -> bool:
    """Whether the best score is among the last, and clearly above what there was after two thirds of the steps."""
    scored = [(entry["step"], entry["score"]) for entry in metrics if isinstance(entry.get("score"), (int, float))]
    if len(scored) < 3:
        return False
    last = scored[-1][0]
    best_at, best = max(scored, key=lambda pair: pair[1])
    earlier = [score for step, score in scored if step <= last * 2 / 3]
    return bool(earlier) and best_at >= _LATE * last and best - max(earlier) > _RISE


def _shipping(record: RunRecord) -> str:
    following = {
        "run": "It can be shipped: the package is ready to be handed over.",
        "quickstart": "Do the same with your own images: `otx run --train-data-roots FOLDER`.",
        "optimize": "Pack it for those who will use it with `otx deploy`.",
    }
    return following.get(record.verb, "Export it with `otx export`, and quantise it with `otx optimize`.")
