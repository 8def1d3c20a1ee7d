"""Learning from a teacher beside the masks."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional

from otx_seg.inference.teacher import Teacher
from otx_seg.labels import IGNORE_INDEX
from otx_seg.loss_parts.precision import widened


class Distillation:
    """Adds to the losses of a student how much it differs from its teacher.

    1. The teacher answers for the images that the student has seen, exactly as they are: augmented, mixed, pasted.
    2. A loss compares the log-probabilities of both, at the size of the images. Pixels whose mask is 255 do not count:
       there is no image, or nobody could say what it shows, and the teacher has never been told either.

    It is no ``nn.Module``, so that the teacher is no part of what is trained, saved or sent between processes.

    Args:
        teacher: of the same labels.
        loss: one of `otx_seg.distillation_losses`.
        weight: of the loss, above 0.
    """

    def __init__(self, teacher: Teacher, loss: nn.Module, weight: float) -> None:
        self.teacher, self.loss, self.weight = teacher, loss, weight

    def added(self, losses: dict[str, Tensor], logits: Tensor, images: Tensor, mask: Tensor) -> dict[str, Tensor]:
        """The losses of a step with this one.

        Args:
            losses: the sum so far under ``"loss"``, and its parts.
            logits: of the student's main output, (B, K, H, W).
            images: what it has seen, uint8 (B, 3, H, W) RGB.
            mask: integer (B, H, W), 255 where a pixel does not count.

        Returns:
            the same with the larger sum, and the weighted loss, without gradient, under ``"distillation"``.
        """
        # 1. answers
        answers = self.teacher.log_probabilities(images)
        # 2. loss
        own = functional.log_softmax(widened(logits), dim=1)
        loss = self.weight * self.loss(own, answers, mask != IGNORE_INDEX)
        return {**losses, "loss": losses["loss"] + loss, "distillation": loss.detach()}
