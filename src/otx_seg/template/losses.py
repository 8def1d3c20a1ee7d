"""The losses that hyper-parameters name: those of `otx_seg.losses` with sums of them, and of
`otx_seg.distillation_losses`."""

from __future__ import annotations

import pkgutil
from types import ModuleType
from typing import Annotated, Any

from pydantic import Field

import otx_seg.distillation_losses
import otx_seg.losses

Losses = Annotated[tuple[dict[str, Any], ...], Field(min_length=1)]

_CROSS_ENTROPY = {"type": "CrossEntropy", "weight": 1.0}
_NNUNET_DICE = {"type": "Dice", "weight": 1.0, "squared": False, "absent": True, "background": False}
_SUMS: dict[str, Losses] = {
    "cross_entropy_dice": (_CROSS_ENTROPY, {"type": "Dice", "weight": 1.0}),
    "cross_entropy_nnunet_dice": (_CROSS_ENTROPY, _NNUNET_DICE),
    "top_k_nnunet_dice": ({"type": "TopK", "weight": 1.0}, _NNUNET_DICE),
    "edge_cross_entropy_dice": (
        {"type": "EdgeCrossEntropy", "weight": 1.0},
        {"type": "Dice", "weight": 1.0, "squared": False, "absent": True, "smooth": 1.0},
    ),
    "cross_entropy_boundary": (_CROSS_ENTROPY, {"type": "Boundary", "weight": 1.0}),
    "weighted_rmi": ({"type": "Rmi", "weight": 1.0, "weighted": True},),
    "binary_cross_entropy_dice": (
        {"type": "BinaryCrossEntropy", "weight": 0.5},
        {"type": "BinaryDice", "weight": 0.5},
    ),
}


def loss_names() -> tuple[str, ...]:
    """Every loss, which is called like its file, and every sum; torch, which they need, is not imported."""
    return (*_modules(otx_seg.losses), *_SUMS)


def losses_named(name: str) -> Losses:
    """Classes of `otx_seg.losses` with their weights, as `losses` of a template lists them."""
    return _SUMS.get(name, ({"type": class_of(name), "weight": 1.0},))


def distillation_loss_names() -> tuple[str, ...]:
    """Every loss between a student and its teacher, which is called like its file; torch is not imported."""
    return _modules(otx_seg.distillation_losses)


def class_of(name: str) -> str:
    """The class of the loss that is called so."""
    return name.title().replace("_", "")


def _modules(package: ModuleType) -> tuple[str, ...]:
    return tuple(module.name for module in pkgutil.iter_modules(package.__path__))
