"""Lets mmseg be imported on mmcv-lite, which comes without the compiled operators of `mmcv.ops`.

mmseg imports a few of these operators unconditionally. Two have an exact equivalent in plain torch and are given
here; the others belong to networks that need the compiled package, and say so when one of them is constructed.
"""

from __future__ import annotations

import importlib.machinery
import importlib.util
import sys
import types
import warnings
from typing import Any

import torch
import torch.nn.functional as functional
from torch import Tensor, nn

COMPILED_ONLY = ("CrissCrossAttention", "PSAMask", "DeformConv2d", "ModulatedDeformConv2d")


def point_sample(input: Tensor, points: Tensor, align_corners: bool = False, **kwargs: Any) -> Tensor:
    """Bilinear samples of a feature map at relative positions (PointRend, https://arxiv.org/abs/1912.08193).

    Args:
        input: (B, C, H, W) float.
        points: (B, P, 2) or (B, Hp, Wp, 2) positions (x, y), 0..1 across the image.
        align_corners: whether 0 and 1 are the centres (True) or the outer edges (False) of the border pixels.
        kwargs: further arguments of `torch.nn.functional.grid_sample`.

    Returns:
        (B, C, P) or (B, C, Hp, Wp), of the type of `input`.
    """
    grid = points * 2.0 - 1.0
    if points.dim() == 3:
        return functional.grid_sample(input, grid.unsqueeze(2), align_corners=align_corners, **kwargs).squeeze(3)
    return functional.grid_sample(input, grid, align_corners=align_corners, **kwargs)


def sigmoid_focal_loss(
    input: Tensor,
    target: Tensor,
    gamma: float = 2.0,
    alpha: float = 0.25,
    weight: Tensor | None = None,
    reduction: str = "mean",
) -> Tensor:
    """Focal loss of independent sigmoids (https://arxiv.org/abs/1708.02002, equation 5).

    Args:
        input: (N, C) logits.
        target: (N,) integer class of each row, 0..C-1; C stands for "none of them".
        gamma: exponent that plays down well-classified entries.
        alpha: weight of the positive entries; the negative ones get 1 - alpha.
        weight: (C,) factor per class, or None.
        reduction: "mean" (over the N rows, as the compiled operator does), "sum" or "none".

    Returns:
        A scalar, or (N, C) for "none".
    """
    positive = functional.one_hot(target.long(), input.size(1) + 1)[:, : input.size(1)].type_as(input)
    cross_entropy = functional.binary_cross_entropy_with_logits(input, positive, reduction="none")
    probability = input.sigmoid()
    wrongness = probability * (1 - positive) + (1 - probability) * positive
    loss = (alpha * positive + (1 - alpha) * (1 - positive)) * wrongness.pow(gamma) * cross_entropy
    if weight is not None:
        # The compiled operator weighs a row by its target's class; "none of them" keeps 1.
        loss = loss * torch.cat([weight, weight.new_ones(1)])[target.long()].unsqueeze(1)
    if reduction == "none":
        return loss
    return loss.sum() / input.size(0) if reduction == "mean" else loss.sum()


def _compiled_only(name: str) -> type[nn.Module]:
    def refuse(self: nn.Module, *args: Any, **kwargs: Any) -> None:
        raise ImportError(
            f"{name} needs the compiled operators of the full mmcv package, and mmcv-lite is installed; "
            "replace it with `pip uninstall mmcv-lite && pip install mmcv`"
        )

    return type(name, (nn.Module,), {"__init__": refuse, "__doc__": f"Refuses to be built: {name} is compiled."})


def ensure_ops() -> None:
    """Provide `mmcv.ops` unless the full mmcv with its compiled operators is installed. Call before importing mmseg."""
    if importlib.util.find_spec("mmcv._ext") is not None:
        return
    if "point_sample" in vars(sys.modules.get("mmcv.ops", types.ModuleType("mmcv.ops"))):
        return
    import mmcv

    ops = types.ModuleType("mmcv.ops", "What mmseg needs of mmcv.ops, in plain torch.")
    ops.__spec__ = importlib.machinery.ModuleSpec("mmcv.ops", None)
    ops.__dict__.update(point_sample=point_sample, sigmoid_focal_loss=sigmoid_focal_loss)
    ops.__dict__.update({name: _compiled_only(name) for name in COMPILED_ONLY})
    sys.modules["mmcv.ops"] = ops
    mmcv.ops = ops
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # advice to install the full mmcv, at the first import of this
        importlib.import_module("mmcv.cnn.bricks.transformer")
