"""Distillation of the probabilities of each pixel."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional

from otx_seg.loss_parts.precision import widened


class Logits(nn.Module):
    """T^2 times the mean over the pixels of KL(teacher, student), both softened: softmax over the labels of logits / T.

    Hinton, Vinyals & Dean 2015, "Distilling the knowledge in a neural network", section 2. The factor T^2 keeps the
    gradients as large as they are without T. A constant that is added to all logits of a pixel changes nothing.
    """

    def __init__(self, temperature: float) -> None:
        """
        Args:
            temperature: T, above 0.
        """
        super().__init__()
        self.temperature = temperature

    def forward(self, student: Tensor, teacher: Tensor, counted: Tensor) -> Tensor:
        """Compare the student with its teacher.

        Args:
            student: logits or log-probabilities (B, K, H, W), floating point of any width; computed in float32 at
                least.
            teacher: the same of the teacher, finite, without gradient.
            counted: bool (B, H, W), which pixels count.

        Returns:
            scalar, float32 at least, >= 0, natural logarithm; 0 with a gradient of zeros when no pixel counts.
        """
        log_q = functional.log_softmax(widened(student) / self.temperature, dim=1)
        log_p = functional.log_softmax(widened(teacher) / self.temperature, dim=1)
        divergence = functional.kl_div(log_q, log_p, reduction="none", log_target=True).sum(dim=1)  # (B, H, W)
        return self.temperature**2 * (divergence * counted).sum() / counted.sum().clamp(min=1)
