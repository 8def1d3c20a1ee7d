"""What a finished fold of a cross-validation says of the images that it was validated on."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from otx_seg.datasets import Fold
from otx_seg.metrics.confusion import PixelCounts, Scores, scores
from otx_seg.metrics.counted_images import CountedImages
from otx_seg.training.checked_state import unusable
from otx_seg.training.checkpoint import read_checkpoint
from otx_seg.training.recorded_data import read_recorded
from otx_seg.workspace.run_folder import RunFolder
from otx_seg.workspace.weights import read_weights


@dataclass(frozen=True)
class FinishedFold:
    """A fold whose training has ended.

    Attributes:
        run: its folder.
        fold: which it is.
        counted: its validation images, as the network that was kept sees them; it was not trained on them.
    """

    run: RunFolder
    fold: Fold
    counted: CountedImages

    @cached_property
    def scores(self) -> Scores:
        """Over all pixels of these images."""
        return scores(self.counted.pixels.confusion, self.counted.labels)


def read_finished(run: RunFolder) -> FinishedFold | None:
    """The fold in the folder of a run; None if its training has not ended, or if its weights are missing.

    Raises:
        UsageError: a file of the run is damaged, or it is no fold.
    """
    if not run.checkpoint.is_file() or not run.weights.is_file():
        return None
    state = read_checkpoint(run.checkpoint)
    if not state["position"]["ended"] or not state.get("finished", True):
        return None
    recorded = read_recorded(run)
    confusion, per_image = state.get("best_confusion"), state.get("best_per_image")
    if recorded.fold is None or confusion is None or per_image is None or len(per_image) != len(recorded.val):
        raise unusable(run.checkpoint, "it does not hold the scores of the images of a fold")
    pixels = PixelCounts(confusion, per_image)
    return FinishedFold(run, recorded.fold, CountedImages(read_weights(run.weights).labels, recorded.val, pixels))
