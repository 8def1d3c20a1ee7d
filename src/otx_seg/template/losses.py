"""The losses that `learning_parameters.loss` names: those of `otx_seg.losses`, and mixtures of them."""

from __future__ import annotations

import pkgutil
from typing import Annotated, Any

from pydantic import Field

import otx_seg.losses

Losses = Annotated[tuple[dict[str, Any], ...], Field(min_length=1)]

_MIXTURES: dict[str, dict[str, float]] = {"cross_entropy_dice": {"cross_entropy": 1.0, "dice": 1.0}}
"""The weight of each loss in the sum."""


def loss_names() -> tuple[str, ...]:
    """Every loss, which is called like its file, and every mixture; torch, which they need, is not imported."""
    return (*(module.name for module in pkgutil.iter_modules(otx_seg.losses.__path__)), *_MIXTURES)


def losses_named(name: str) -> Losses:
    """Classes of `otx_seg.losses` with their weights, as `losses` of a template lists them."""
    parts = _MIXTURES.get(name, {name: 1.0})
    return tuple({"type": part.title().replace("_", ""), "weight": weight} for part, weight in parts.items())
