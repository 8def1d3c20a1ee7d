"""How a model is to be quantised."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from otx_seg.template import Settings, Template


@dataclass(frozen=True)
class Recipe:
    """How a model is quantised.

    Attributes:
        preset: Performance quantises all values symmetrically around zero, Mixed the activations asymmetrically.
        subset_size: calibration images at most.
        ignored_patterns: regular expressions; nodes in whose name one is found stay in floating point, beside those
            that do in any network, see `delicate_nodes`.
        ignored_types: operation types that stay in floating point.
        range_quantile: share of the smallest and of the largest values of an activation that its range leaves out.
        max_dice_loss: Dice that quantisation may cost, 0..1; see `quantize`.
        control_seconds: time allowed for finding layers that have to stay in floating point for that.
    """

    preset: Literal["Performance", "Mixed"]
    subset_size: int
    ignored_patterns: Sequence[str]
    ignored_types: Sequence[str]
    range_quantile: float
    max_dice_loss: float
    control_seconds: float


def recipe(template: Settings | Template) -> Recipe:
    """How the template wants its model quantised."""
    settings, fixed = template.hyper_parameters.pot_parameters, template.quantization
    promise = template.hyper_parameters.nncf_optimization
    return Recipe(
        preset=settings.preset,
        subset_size=settings.stat_subset_size,
        ignored_patterns=fixed.ignored_patterns,
        ignored_types=fixed.ignored_types,
        range_quantile=fixed.range_quantile,
        max_dice_loss=promise.maximal_accuracy_degradation / 100,
        control_seconds=60 * promise.accuracy_control_minutes,
    )
