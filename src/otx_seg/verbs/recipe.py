"""What a template says about quantisation, as `deployment` takes it."""

from __future__ import annotations

from otx_seg.deployment.recipe import Recipe
from otx_seg.template import Settings, Template


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
