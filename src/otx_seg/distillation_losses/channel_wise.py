"""Distillation of where each label is."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional

from otx_seg.loss_parts.precision import widened

_NOWHERE = -1e9  # its softmax is 0, and without a pixel that counts it gives no NaN, as infinity would


class ChannelWise(nn.Module):
    """T^2 / K times the sum over the labels of KL(teacher, student), both as distributions over the pixels of an image.

    Shu et al. 2021, "Channel-wise knowledge distillation for dense prediction" (CWD), equations 3 and 4: the
    distribution of a label is the softmax of its channel / T over the pixels. The mean is taken over the images. A
    constant that is added to all pixels of a channel changes nothing: what is learned is where a label is, and a rare
    label counts as much as a common one.

    Pixels that do not count are left out of the distributions. (super-gradients leaves them in and takes their terms
    out, so that the loss may be negative.) Enlarging both sides to more pixels hardly changes the value.
    """

    def __init__(self, temperature: float) -> None:
        """
        Args:
            temperature: T, above 0; the paper's is 4.
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
            scalar, float32 at least, >= 0, natural logarithm; the mean over the images in which a pixel counts, 0 with
            a gradient of zeros when there is none.
        """
        log_q, log_p = self._over_pixels(student, counted), self._over_pixels(teacher, counted)
        divergence = functional.kl_div(log_q, log_p, reduction="none", log_target=True)  # (B, K, H*W)
        divergence = (divergence * counted.flatten(1)[:, None]).sum(dim=2).mean(dim=1)  # (B,)
        return self.temperature**2 * divergence.sum() / counted.flatten(1).any(dim=1).sum().clamp(min=1)

    def _over_pixels(self, logits: Tensor, counted: Tensor) -> Tensor:
        """Logarithms of the distributions over the pixels: (B, K, H, W) -> (B, K, H*W)."""
        scaled = (widened(logits) / self.temperature).masked_fill(~counted[:, None], _NOWHERE)
        return functional.log_softmax(scaled.flatten(2), dim=2)
