"""What a fine-tuning of a quantised network costs and brings, and where that stands."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from otx_seg.deployment.files import IR_XML
from otx_seg.deployment.outcome import Quantized
from otx_seg.errors import DataError
from otx_seg.inference.evaluate import Evaluation
from otx_seg.metrics.confusion import scores_from_json
from otx_seg.runtime.plain_files import read_json
from otx_seg.workspace.run_folder import RunFolder

FOLDER, WEIGHTS, PERFORMANCE = "nncf", "weights.pth", "nncf_performance.json"


@dataclass(frozen=True, kw_only=True)
class FineTuned(Quantized):
    """The outcome of `fine_tune`.

    Attributes:
        weights: the ``.pth`` of the new model, quantised too.
        epochs: of fine-tuning; 0 if none was needed.
        best_epoch: finished epochs when the network that was kept was found.
        reason: why the fine-tuning ended.
        reached: whether the network in torch lost no more Dice than allowed.
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
        return {
            **super().as_json(),
            "epochs": self.epochs,
            "best_epoch": self.best_epoch,
            "reason": self.reason,
            "reached": self.reached,
            "zeros": self.zeros,
            "agreement": self.agreement,
        }


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
            **{name: content[name] for name in ("layers", "quantized_layers", "calibration_images")},
            weights=folder / WEIGHTS,
            **{name: content[name] for name in ("epochs", "best_epoch", "reason", "reached", "zeros", "agreement")},
        )
    except (DataError, ValueError, KeyError, TypeError, AttributeError):
        return None


def _evaluation(content: dict[str, Any], images: int) -> Evaluation:
    return Evaluation(scores_from_json(content), content["avg_time_per_image"], images)
