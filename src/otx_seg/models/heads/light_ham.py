"""SegNeXt's decode head (https://arxiv.org/abs/2209.08575) with fixed bases: the same image gives the same mask.

mmseg's head draws new random bases for its matrix factorisation at every forward pass, so that neither an
evaluation nor an exported model can be compared with anything. Here the bases are drawn once, at construction, and
belong to the weights.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as functional
from mmseg.models.decode_heads.ham_head import LightHamHead
from mmseg.registry import MODELS
from torch import Tensor, nn

_SMALL = 1e-6


class FixedBasesNMF(nn.Module):
    """Non-negative matrix factorisation by multiplicative updates from fixed bases ("Hamburger", arXiv 2109.04553).

    The (D, N) features of an image are approximated by bases (D, R) times coefficients (R, N):

    1. Coefficients: softmax over the similarities of features and bases.
    2. `steps` rounds of multiplicative updates of coefficients, then bases.
    3. One more update of the coefficients, and the product.
    """

    def __init__(self, channels: int, rank: int, train_steps: int, eval_steps: int) -> None:
        """
        Args:
            channels: D.
            rank: R.
            train_steps, eval_steps: rounds of updates in training and in evaluation mode.
        """
        super().__init__()
        self.train_steps = train_steps
        self.eval_steps = eval_steps
        self.bases: Tensor
        self.register_buffer("bases", functional.normalize(torch.rand(1, channels, rank), dim=1))

    @staticmethod
    def update(factor: Tensor, numerator: Tensor, other: Tensor) -> Tensor:
        """One multiplicative update of `factor` (B, n, R) whose partner is `other` (B, m, R)."""
        return factor * numerator / (factor @ (other.transpose(1, 2) @ other) + _SMALL)

    def forward(self, x: Tensor) -> Tensor:
        """Non-negative features (B, D, H, W) -> their approximation of rank R, same shape."""
        features = x.flatten(2)  # (B, D, N)
        positions = features.transpose(1, 2)  # (B, N, D)
        bases = self.bases.expand(x.shape[0], -1, -1)
        coefficients = torch.softmax(positions @ bases, dim=-1)  # (B, N, R)
        for _ in range(self.train_steps if self.training else self.eval_steps):
            coefficients = self.update(coefficients, positions @ bases, bases)
            bases = self.update(bases, features @ coefficients, coefficients)
        coefficients = self.update(coefficients, positions @ bases, bases)
        return (bases @ coefficients.transpose(1, 2)).view_as(x)


@MODELS.register_module()
class FixedLightHamHead(LightHamHead):
    """mmseg's LightHamHead with `FixedBasesNMF` as its matrix factorisation."""

    def __init__(self, rank: int, train_steps: int, eval_steps: int, **kwargs: Any) -> None:
        """
        Args:
            rank, train_steps, eval_steps: see `FixedBasesNMF`.
            kwargs: of mmseg's `LightHamHead`: `in_channels`, `in_index`, `channels`, `ham_channels`, `num_classes`,
                `norm_cfg`, `dropout_ratio`, `align_corners`.
        """
        super().__init__(**kwargs)
        self.hamburger.ham = FixedBasesNMF(self.ham_channels, rank, train_steps, eval_steps)
