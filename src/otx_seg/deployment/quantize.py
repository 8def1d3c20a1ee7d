"""Post-training quantisation of an IR to 8-bit integers, with its price measured."""

from __future__ import annotations

import contextlib
import io
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import nncf
import numpy as np
import openvino
from nncf.quantization.advanced_parameters import AdvancedQuantizationParameters
from nncf.quantization.range_estimator import (
    AggregatorType,
    RangeEstimatorParameters,
    StatisticsCollectorParameters,
    StatisticsType,
)
from numpy.typing import NDArray

from otx_seg.datasets import Subset
from otx_seg.deployment.compact import halve_large_constants, save_compact, store_kernels_in_8_bits
from otx_seg.deployment.files import IR_XML, size_of, written_whole
from otx_seg.deployment.ignored_nodes import delicate_nodes, find_ignored_nodes, weighted_nodes
from otx_seg.errors import DataError, UsageError
from otx_seg.inference.evaluate import Evaluation, evaluate
from otx_seg.inference.latency import compare_latency
from otx_seg.runtime.model_info import LABEL_SCHEMA
from otx_seg.runtime.network_input import network_input
from otx_seg.runtime.openvino_core import signal_stack_kept
from otx_seg.runtime.openvino_predictor import OpenVinoPredictor, read_ir
from otx_seg.workspace.atomic import write_json
from otx_seg.workspace.label_schema import write_label_schema

PERFORMANCE = "ptq_performance.json"

_PRESETS = {"Performance": nncf.QuantizationPreset.PERFORMANCE, "Mixed": nncf.QuantizationPreset.MIXED}


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
    """

    preset: Literal["Performance", "Mixed"]
    subset_size: int
    ignored_patterns: Sequence[str]
    ignored_types: Sequence[str]
    range_quantile: float


@dataclass(frozen=True)
class Quantized:
    """The outcome of `quantize`.

    Attributes:
        model: the ``.xml`` of the new model.
        before, after: how the old and the new model did on the validation images.
        size_before, size_after: bytes of ``.xml`` and ``.bin`` together.
        latency_before, latency_after: seconds for one image, measured in turns, see `compare_latency`.
        layers: number of convolutions and matrix products with weights.
        quantized_layers: how many of them now work with 8-bit integers.
    """

    model: Path
    before: Evaluation
    after: Evaluation
    size_before: int
    size_after: int
    latency_before: float
    latency_after: float
    layers: int
    quantized_layers: int

    @property
    def dice_loss(self) -> float:
        """By how much the Dice Average fell, 0..1; negative if it rose."""
        return self.before.scores.dice_average - self.after.scores.dice_average

    def as_json(self) -> dict[str, Any]:
        """What `ptq_performance.json` holds: the new model's scores as in `performance.json`, and the comparison."""

        def plain(evaluation: Evaluation, latency: float, size: int) -> dict[str, Any]:
            return {**evaluation.scores.as_json(), "avg_time_per_image": latency, "size_bytes": size}

        return {
            **plain(self.after, self.latency_after, self.size_after),
            "dice_loss": self.dice_loss,
            "layers": self.layers,
            "quantized_layers": self.quantized_layers,
            "before": plain(self.before, self.latency_before, self.size_before),
        }


def quantize(
    model: Path,
    calibration: Subset,
    validation: Subset,
    output: Path,
    recipe: Recipe,
    seed: int,
    workers: int = 0,
    progress: Callable[[str, int, int], None] | None = None,
) -> Quantized:
    """Quantise an IR and measure what it costs and brings.

    1. Find the nodes the recipe leaves alone.
    2. Evaluate the model on the validation images.
    3. Collect the ranges of its activations on calibration images, and quantise; the larger ones of the convolutions
       that go on computing in floating point get their parameters stored in 8 bits, all else in 16.
    4. Evaluate the result, compare the speed of both, and write the new model with `label_schema.json` and
       `ptq_performance.json` to `output`.

    Args:
        model: the ``.xml`` of an IR written by `export`.
        calibration: images like those the model will see; masks are not looked at.
        validation: images with masks.
        output: a folder; nothing is written there if anything fails.
        seed: of the choice of calibration images, if there are more than the recipe asks for.
        workers: processes that decode images for the evaluations.
        progress: called with the name of a stage, and the numbers of images done and to do in it.

    Raises:
        UsageError: no such model, one that is already quantised, a pattern or type that matches nothing, or
            nothing left to quantise, or labels in the data that the model does not know.
        DataError: there are no images.
        OtxError: the results cannot be written.
    """
    predictor = OpenVinoPredictor(model)
    graph = read_ir(model)
    _refuse_quantized(graph, model)
    # 1. ignored nodes
    ignored = find_ignored_nodes(graph, recipe.ignored_patterns, recipe.ignored_types, model)
    in_floating_point = ignored | delicate_nodes(graph)
    layers = [node.get_friendly_name() for node in weighted_nodes(graph)]
    if in_floating_point.issuperset(layers):
        raise UsageError(f"{model}: nothing to quantise: all of its {len(layers)} layers are small or ignored")
    # 2. before
    before = _evaluate(predictor, validation, workers, "FP32", progress)
    # 3. ranges
    images = _Calibration(calibration, predictor.input_size, recipe.subset_size, seed, progress)
    quantized = _run_nncf(graph, images, in_floating_point, recipe)
    store_kernels_in_8_bits(quantized, ignored)
    halve_large_constants(quantized)
    # 4. after
    with written_whole(output) as folder:
        save_compact(quantized, folder / IR_XML)
        write_label_schema(folder / LABEL_SCHEMA, predictor.labels)
        new = OpenVinoPredictor(folder / IR_XML)
        after = _evaluate(new, validation, workers, "INT8", progress)
        latency_before, latency_after = compare_latency((predictor, new))
        result = Quantized(
            model=output / IR_XML,
            before=before,
            after=after,
            size_before=size_of(model),
            size_after=size_of(folder / IR_XML),
            latency_before=latency_before,
            latency_after=latency_after,
            layers=len(layers),
            quantized_layers=len(set(layers) - in_floating_point),
        )
        write_json(folder / PERFORMANCE, result.as_json())
    return result


def _refuse_quantized(graph: openvino.Model, model: Path) -> None:
    if any(node.get_type_name() == "FakeQuantize" for node in graph.get_ops()):
        raise UsageError(f"{model}: is quantised already; give the IR that `otx export` wrote")


def _evaluate(
    predictor: OpenVinoPredictor,
    subset: Subset,
    workers: int,
    stage: str,
    progress: Callable[[str, int, int], None] | None,
) -> Evaluation:
    def report(done: int) -> None:
        if progress is not None:
            progress(f"evaluating {stage}", done, len(subset))

    return evaluate(predictor, subset, workers=workers, progress=report)


class _Calibration:
    """Images as the graph takes them, read one at a time; NNCF goes through them more than once."""

    def __init__(
        self,
        subset: Subset,
        size: tuple[int, int],
        count: int,
        seed: int,
        progress: Callable[[str, int, int], None] | None,
    ) -> None:
        if not subset.samples:
            raise DataError(f"{subset.root}: has no images to calibrate with")
        self.subset, self.size = subset, size
        chosen = np.random.default_rng(seed).permutation(len(subset))[:count]
        self.indices = [int(index) for index in chosen]
        self.progress = progress
        self.done = 0

    def read(self, index: int) -> NDArray[np.float32]:
        """float32 (1, 3, h, w), 0-255."""
        self.done += 1
        if self.progress is not None:
            self.progress("calibrating", min(self.done, len(self.indices)), len(self.indices))
        image = self.subset.read_image(self.subset.samples[index])
        return network_input(image, self.size).astype(np.float32)


def _run_nncf(graph: openvino.Model, images: _Calibration, ignored: set[str], recipe: Recipe) -> openvino.Model:
    nncf.set_log_level(logging.ERROR)
    # NNCF draws progress bars on stdout, which belongs to results.
    with contextlib.redirect_stdout(io.StringIO()), signal_stack_kept():
        quantized = nncf.quantize(
            graph,
            nncf.Dataset(images.indices, images.read),
            preset=_PRESETS[recipe.preset],
            subset_size=len(images.indices),
            ignored_scope=nncf.IgnoredScope(names=sorted(ignored)),
            advanced_parameters=AdvancedQuantizationParameters(
                activations_range_estimator_params=_range_estimator(recipe.range_quantile)
            ),
        )
    # Settings of NNCF with the names of all ignored nodes: 20 KB of text for Lite-HRNet.
    del quantized.rt_info["nncf"]
    return quantized


def _range_estimator(quantile: float) -> RangeEstimatorParameters:
    """Ranges from the values between two quantiles of each image; with quantile 0, NNCF's own choice."""
    if quantile == 0:
        return RangeEstimatorParameters()
    low = StatisticsCollectorParameters(StatisticsType.QUANTILE, AggregatorType.MIN, quantile_outlier_prob=quantile)
    high = StatisticsCollectorParameters(StatisticsType.QUANTILE, AggregatorType.MAX, quantile_outlier_prob=quantile)
    return RangeEstimatorParameters(low, high)
