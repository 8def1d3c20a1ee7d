"""What NNCF is given to quantise a model: images that set the ranges of its activations, and a recipe in its terms."""

from __future__ import annotations

import contextlib
import io
import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import nncf
import numpy as np
from nncf.quantization.advanced_parameters import AdvancedQuantizationParameters, OverflowFix
from nncf.quantization.range_estimator import (
    AggregatorType,
    RangeEstimatorParameters,
    StatisticsCollectorParameters,
    StatisticsType,
)
from numpy.typing import NDArray

from otx_seg.datasets import Subset
from otx_seg.datasets.scan import Progress, counter
from otx_seg.deployment.saturation import sums_saturate
from otx_seg.errors import DataError
from otx_seg.metrics.watched import DICE, WatchedMetric, metric_named
from otx_seg.runtime.crops import network_input
from otx_seg.runtime.openvino_core import signal_stack_kept
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
        max_loss: what quantisation may cost of `metric`, 0..1; see `quantize`.
        control_seconds: time allowed for finding layers that have to stay in floating point for that.
        weight_bits: of quantised weights, 7 or 8; with 8, sums of products overflow on some processors.
        metric: by which models are compared.
    """

    preset: Literal["Performance", "Mixed"]
    subset_size: int
    ignored_patterns: Sequence[str]
    ignored_types: Sequence[str]
    range_quantile: float
    max_loss: float
    control_seconds: float
    weight_bits: int = 8
    metric: WatchedMetric = DICE


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
        max_loss=promise.maximal_accuracy_degradation / 100,
        control_seconds=60 * promise.accuracy_control_minutes,
        weight_bits=_weight_bits(settings.weight_bits),
        metric=metric_named(template.hyper_parameters.learning_parameters.watch),
    )


def _weight_bits(wanted: Literal["auto", "7", "8"]) -> int:
    return int(wanted) if wanted != "auto" else 7 if sums_saturate() else 8


logger = logging.getLogger(__name__)

_PRESETS = {"Performance": nncf.QuantizationPreset.PERFORMANCE, "Mixed": nncf.QuantizationPreset.MIXED}


class Calibration:
    """Images as the graph takes them, read one at a time; NNCF goes through them more than once."""

    def __init__(
        self,
        subset: Subset,
        size: tuple[int, int],
        count: int,
        seed: int,
        progress: Progress | None,
    ) -> None:
        if not subset.samples:
            raise DataError(f"{subset.root}: has no images to calibrate with")
        self.subset, self.size = subset, size
        chosen = np.random.default_rng(seed).permutation(len(subset))[:count]
        self.indices = [int(index) for index in chosen]
        fewer = f"; pot_parameters.calibration_images, {count}, would allow more" if len(chosen) < count else ""
        logger.info("calibrating on %d of %d images of %s%s", len(chosen), len(subset), subset.root, fewer)
        self.progress = counter("calibrating", len(self.indices), progress)
        self.done = 0

    def read(self, index: int) -> NDArray[np.float32]:
        """float32 (1, 3, h, w), 0-255."""
        self.done += 1
        if self.progress is not None:
            self.progress(min(self.done, len(self.indices)))
        image = self.subset.read_image(self.subset.samples[index])
        return network_input(image, self.size).astype(np.float32)


def nncf_settings(images: Calibration, ignored: set[str], recipe: Recipe) -> dict[str, Any]:
    """The arguments of ``nncf.quantize`` beside the model."""
    return {
        "calibration_dataset": nncf.Dataset(images.indices, images.read),
        "preset": _PRESETS[recipe.preset],
        "subset_size": len(images.indices),
        "ignored_scope": nncf.IgnoredScope(names=sorted(ignored)),
        "advanced_parameters": AdvancedQuantizationParameters(
            activations_range_estimator_params=_range_estimator(recipe.range_quantile),
            # NNCF's default takes a bit from the first layer alone, whose inputs are the largest.
            overflow_fix=OverflowFix.ENABLE if recipe.weight_bits == 7 else OverflowFix.FIRST_LAYER,
        ),
    }


def _range_estimator(quantile: float) -> RangeEstimatorParameters:
    """Ranges from the values between two quantiles of each image; with quantile 0, NNCF's own choice."""
    if quantile == 0:
        return RangeEstimatorParameters()
    low = StatisticsCollectorParameters(StatisticsType.QUANTILE, AggregatorType.MIN, quantile_outlier_prob=quantile)
    high = StatisticsCollectorParameters(StatisticsType.QUANTILE, AggregatorType.MAX, quantile_outlier_prob=quantile)
    return RangeEstimatorParameters(low, high)


@contextlib.contextmanager
def nncf_in_silence() -> Iterator[None]:
    """While NNCF works: nothing printed, and the process's signals unharmed."""
    nncf.set_log_level(logging.ERROR)
    # NNCF draws progress bars on stdout, which belongs to results.
    with contextlib.redirect_stdout(io.StringIO()), signal_stack_kept():
        yield
