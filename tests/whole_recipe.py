"""A recipe under which all that is worth it is quantised, whatever it costs."""

from otx_seg.deployment.calibration import Recipe

EVERYTHING = Recipe(
    preset="Performance",
    subset_size=10,
    ignored_patterns=(),
    ignored_types=(),
    range_quantile=0.0,
    max_loss=1.0,
    control_seconds=600.0,
)
