"""Post-training quantisation of an IR to 8-bit integers, with its price kept within a limit and measured."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nncf
import openvino

from otx_seg.datasets import Subset
from otx_seg.deployment.accuracy_control import OutOfTimeError, quantize_within
from otx_seg.deployment.calibration import Calibration, nncf_in_silence, nncf_settings
from otx_seg.deployment.compact import halve_large_constants, save_compact, store_kernels_in_8_bits
from otx_seg.deployment.files import IR_XML, size_of, written_whole
from otx_seg.deployment.ignored_nodes import delicate_nodes, find_ignored_nodes, weighted_nodes
from otx_seg.deployment.recipe import Recipe
from otx_seg.errors import UsageError
from otx_seg.inference.evaluate import Evaluation, evaluate
from otx_seg.inference.latency import compare_latency
from otx_seg.labels import Labels, labels_to_plain
from otx_seg.runtime.model_info import LABEL_SCHEMA, LABELS, SECTION
from otx_seg.runtime.openvino_predictor import OpenVinoPredictor, read_ir
from otx_seg.workspace.atomic import write_json
from otx_seg.workspace.label_schema import write_label_schema

PERFORMANCE = "ptq_performance.json"

Progress = Callable[[str, int, int], None]


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
        reverted_layers: names of those that plain quantisation would make work with integers too, and that went back to
            floating point for the sake of the Dice.
        out_of_time: whether all went back because the time was not enough to find out which.
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
    reverted_layers: tuple[str, ...]
    out_of_time: bool

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
            "reverted_layers": list(self.reverted_layers),
            "out_of_time": self.out_of_time,
            "speed_up": self.latency_before / self.latency_after,
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
    progress: Progress | None = None,
    labels: Labels | None = None,
) -> Quantized:
    """Quantise an IR, keep what it costs within a limit, and measure what it brings.

    1. Find the nodes the recipe leaves alone.
    2. Evaluate the model on the validation images.
    3. Collect the ranges of its activations on calibration images, and quantise; the larger ones of the convolutions
       that go on computing in floating point get their parameters stored in 8 bits, all else in 16. Evaluate.
    4. If that costs more Dice than the recipe allows, quantise with accuracy control (see `quantize_within`); if that
       takes longer than allowed, or its result is not within the limit either, leave all layers in floating point.
    5. Compare the speed of both models, and write the new one with `label_schema.json` and `ptq_performance.json` to
       `output`.

    Args:
        model: the ``.xml`` of an IR, written by `export` or like those.
        calibration: images like those the model will see; masks are not looked at.
        validation: images with masks.
        output: a folder; nothing is written there if anything fails.
        seed: of the choice of calibration images, if there are more than the recipe asks for.
        workers: processes that decode images for the evaluations.
        progress: called with the name of a stage, and the numbers of images done and to do in it.
        labels: of a model of another tool that carries none; the new one carries them.

    Raises:
        UsageError: no such model, one that is already quantised, a pattern or type that matches nothing, or
            nothing left to quantise, or labels in the data that the model does not know.
        DataError: there are no images.
        OtxError: the results cannot be written.
    """
    predictor = OpenVinoPredictor(model, labels=labels)
    graph = read_ir(model)
    _refuse_quantized(graph, model)
    # 1. ignored nodes
    ignored = find_ignored_nodes(graph, recipe.ignored_patterns, recipe.ignored_types, model)
    in_floating_point = ignored | delicate_nodes(graph, predictor.input_size)
    layers = [node.get_friendly_name() for node in weighted_nodes(graph)]
    if in_floating_point.issuperset(layers):
        raise UsageError(f"{model}: nothing to quantise: all of its {len(layers)} layers are small or ignored")
    # 2. before
    before = _evaluate(predictor, validation, workers, "FP32", progress)
    images = Calibration(calibration, predictor.input_size, recipe.subset_size, seed, progress)
    out_of_time = False
    with written_whole(output) as folder:
        # 3. and 4. attempts
        for attempt in _attempts(model, predictor, images, in_floating_point, validation, recipe, progress):
            if attempt is None:
                out_of_time = True
                continue
            integer = _integer_layers(attempt)
            store_kernels_in_8_bits(attempt, ignored)
            halve_large_constants(attempt)
            attempt.set_rt_info(json.dumps(labels_to_plain(predictor.labels), ensure_ascii=False), [SECTION, LABELS])
            save_compact(attempt, folder / IR_XML)
            write_label_schema(folder / LABEL_SCHEMA, predictor.labels)
            new = OpenVinoPredictor(folder / IR_XML)
            after = _evaluate(new, validation, workers, "INT8", progress)
            if before.scores.dice_average - after.scores.dice_average <= recipe.max_dice_loss:
                break
        # 5. speed
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
            quantized_layers=len(integer),
            reverted_layers=tuple(sorted(set(layers) - in_floating_point - integer)),
            out_of_time=out_of_time,
        )
        write_json(folder / PERFORMANCE, result.as_json())
    return result


def _attempts(
    model: Path,
    predictor: OpenVinoPredictor,
    images: Calibration,
    in_floating_point: set[str],
    validation: Subset,
    recipe: Recipe,
    progress: Progress | None,
) -> Iterator[openvino.Model | None]:
    """Versions of a model that cost less and less; None for one that could not be made in the time allowed."""

    def report(done: int) -> None:
        if progress is not None:
            progress("controlling the accuracy", (done - 1) % len(validation) + 1, len(validation))

    settings = nncf_settings(images, in_floating_point, recipe)
    with nncf_in_silence():
        quantized = nncf.quantize(read_ir(model), **settings)
    # Settings of NNCF with the names of all ignored nodes: 20 KB of text for Lite-HRNet.
    del quantized.rt_info["nncf"]
    yield quantized
    settings["advanced_quantization_parameters"] = settings.pop("advanced_parameters")
    try:
        with nncf_in_silence():
            quantized = quantize_within(
                recipe.max_dice_loss, recipe.control_seconds, read_ir(model), predictor, validation, report, **settings
            )
        del quantized.rt_info["nncf"]
        yield quantized
    except OutOfTimeError:
        yield None
    yield read_ir(model)


def _integer_layers(graph: openvino.Model) -> set[str]:
    """The names of the convolutions and matrix products whose input is quantised."""
    return {
        node.get_friendly_name()
        for node in weighted_nodes(graph)
        if node.input_value(0).get_node().get_type_name() == "FakeQuantize"
    }


def _refuse_quantized(graph: openvino.Model, model: Path) -> None:
    if any(node.get_type_name() == "FakeQuantize" for node in graph.get_ops()):
        raise UsageError(f"{model}: is quantised already; give the IR that `otx export` wrote")


def _evaluate(
    predictor: OpenVinoPredictor,
    subset: Subset,
    workers: int,
    stage: str,
    progress: Progress | None,
) -> Evaluation:
    def report(done: int) -> None:
        if progress is not None:
            progress(f"evaluating {stage}", done, len(subset))

    return evaluate(predictor, subset, workers=workers, progress=report)
