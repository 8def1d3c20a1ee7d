"""In what precision losses compute."""

from __future__ import annotations

import torch
from torch import Tensor


def widened(logits: Tensor) -> Tensor:
    """The same as float32 if they are narrower: sums of thousands of pixels need it."""
    return logits if logits.dtype == torch.float64 else logits.float()
