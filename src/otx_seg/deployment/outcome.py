"""What quantisation costs and brings, measured."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from otx_seg.datasets import Subset
from otx_seg.datasets.scan import Progress, counter
from otx_seg.deployment.files import IR_XML
from otx_seg.errors import DataError
from otx_seg.inference.evaluate import Evaluation, evaluate
from otx_seg.metrics.confusion import scores_from_json
from otx_seg.metrics.paired import PairedDifference
from otx_seg.metrics.watched import DICE, WatchedMetric, metric_named
from otx_seg.runtime.openvino_predictor import OpenVinoPredictor
from otx_seg.runtime.plain_files import read_json
from otx_seg.workspace.run_folder import RunFolder

FOLDER, WEIGHTS, PERFORMANCE = "nncf", "weights.pth", "nncf_performance.json"
"""Where the outcome of a fine-tuning stands."""

_OF_FINE_TUNING = ("epochs", "best_epoch", "reason", "reached", "zeros", "agreement")


@dataclass(frozen=True)
class Quantized:
    """A quantised model beside the one it was made from.

    Attributes:
        model: the ``.xml`` of the new model.
        before, after: how the old and the new model did on the validation images.
        size_before, size_after: bytes of ``.xml`` and ``.bin`` together.
        latency_before, latency_after: seconds for one image, measured in turns, see `compare_latency`.
        layers: number of convolutions and matrix products with weights.
        quantized_layers: how many of them now work with 8-bit integers.
        calibration_images: number of images that the ranges of the values were taken from.
        reverted_layers: names of those that plain quantisation would make work with integers too, and that went back to
            floating point for the sake of the metric.
        out_of_time: whether all went back because the time was not enough to find out which.
        plain: what plain quantisation costs, before any layer goes back; None where that is not known.
        weight_bits: of the quantised weights.
        metric: by which both models were compared.
    """

    model: Path
    before: Evaluation
    after: Evaluation
    size_before: int
    size_after: int
    latency_before: float
    latency_after: float
    layers: int
    quantized_layers: int
    calibration_images: int
    reverted_layers: tuple[str, ...] = ()
    out_of_time: bool = False
    plain: PairedDifference | None = None
    weight_bits: int = 8
    metric: WatchedMetric = DICE

    @property
    def report(self) -> Path:
        """The page that shows it."""
        return RunFolder(self.model.parents[1]).page

    @property
    def dice_loss(self) -> float:
        """By how much the Dice Average fell, 0..1; negative if it rose."""
        return self.before.scores.dice_average - self.after.scores.dice_average

    @property
    def loss(self) -> float:
        """By how much the metric fell, 0..1; negative if it rose."""
        return self.metric.of(self.before.scores) - self.metric.of(self.after.scores)

    @property
    def summary(self) -> str:
        """The metric now and before, in a line."""
        after, before = self.metric.of(self.after.scores), self.metric.of(self.before.scores)
        return f"{self.metric.name} {after:.4f}, before {before:.4f}"

    def as_json(self) -> dict[str, Any]:
        """What the performance file holds: the new model's scores as in `performance.json`, and the comparison."""

        def plain(evaluation: Evaluation, latency: float, size: int) -> dict[str, Any]:
            return {**evaluation.scores.as_json(), "avg_time_per_image": latency, "size_bytes": size}

        return {
            **plain(self.after, self.latency_after, self.size_after),
            "images": self.after.images,
            "dice_loss": self.dice_loss,
            "watched": self.metric.key,
            "loss": self.loss,
            "layers": self.layers,
            "quantized_layers": self.quantized_layers,
            "weight_bits": self.weight_bits,
            "calibration_images": self.calibration_images,
            "reverted_layers": list(self.reverted_layers),
            "out_of_time": self.out_of_time,
            "plain_loss": None if self.plain is None else self.plain.as_json(),
            "speed_up": self.latency_before / self.latency_after,
            "before": plain(self.before, self.latency_before, self.size_before),
        }


def evaluate_stage(
    predictor: OpenVinoPredictor,
    subset: Subset,
    workers: int,
    stage: str,
    progress: Progress | None,
) -> Evaluation:
    """Evaluate a model, and call `progress` with the stage's name and the numbers of images done and to do."""
    return evaluate(predictor, subset, workers=workers, progress=counter(f"evaluating {stage}", len(subset), progress))


@dataclass(frozen=True, kw_only=True)
class FineTuned(Quantized):
    """The outcome of `fine_tune`.

    Attributes:
        weights: the ``.pth`` of the new model, quantised too.
        epochs: of fine-tuning; 0 if none was needed.
        best_epoch: the one in or after which the network that was kept was found, from 1; 0: before the first one.
        reason: why the fine-tuning ended.
        reached: whether the network in torch lost no more than allowed.
        zeros: share, 0..1, of the weights of the quantised layers that are pruned.
        agreement: share of pixels, 0..1, on which the new IR agrees with the new network in torch.
    """

    weights: Path
    epochs: int
    best_epoch: int
    reason: str
    reached: bool
    zeros: float
    agreement: float

    def as_json(self) -> dict[str, Any]:
        """What `nncf_performance.json` holds, see `Quantized.as_json`."""
        return {**super().as_json(), **{name: getattr(self, name) for name in _OF_FINE_TUNING}}


def read_fine_tuned(run: RunFolder) -> FineTuned | None:
    """What the fine-tuning of a run has come to; None if it is not finished, or does not tell."""
    folder = run.path / FOLDER
    if not (folder / IR_XML).is_file():
        return None
    try:
        content = read_json(folder / PERFORMANCE)
        before = content["before"]
        return FineTuned(
            model=folder / IR_XML,
            before=_evaluation(before, content["images"]),
            after=_evaluation(content, content["images"]),
            size_before=before["size_bytes"],
            size_after=content["size_bytes"],
            latency_before=before["avg_time_per_image"],
            latency_after=content["avg_time_per_image"],
            weights=folder / WEIGHTS,
            weight_bits=content.get("weight_bits", 8),  # an earlier version did not tell
            metric=metric_named(content.get("watched", DICE.key)),
            **{name: content[name] for name in ("layers", "quantized_layers", "calibration_images", *_OF_FINE_TUNING)},
        )
    except (DataError, ValueError, KeyError, TypeError, AttributeError):
        return None


def _evaluation(content: dict[str, Any], images: int) -> Evaluation:
    return Evaluation(scores_from_json(content), content["avg_time_per_image"], images)
