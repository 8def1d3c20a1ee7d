"""The pixel losses that `learning_parameters.loss` names: classes of `otx_seg.losses` with their weights in the sum."""

from __future__ import annotations

from typing import Any

Losses = tuple[dict[str, Any], ...]

_CROSS_ENTROPY = {"type": "CrossEntropy", "weight": 1.0}
_DICE = {"type": "Dice", "weight": 1.0}

LOSSES: dict[str, Losses] = {
    "cross_entropy": (_CROSS_ENTROPY,),
    "dice": (_DICE,),
    "cross_entropy_dice": (_CROSS_ENTROPY, _DICE),
}
