"""Post-training quantisation of an IR to 8-bit integers, with a limit for the loss of Dice or another metric."""

from __future__ import annotations

import itertools
import json
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import nncf
import numpy as np
import openvino
from nncf import AdvancedAccuracyRestorerParameters
from numpy.typing import NDArray
from torch import Tensor

from otx_seg.datasets import Subset
from otx_seg.datasets.scan import Progress, counter
from otx_seg.deployment.calibration import Calibration, Recipe, nncf_in_silence, nncf_settings
from otx_seg.deployment.compact import halve_large_constants, save_compact, store_kernels_in_8_bits
from otx_seg.deployment.files import IR_XML, size_of, written_atomically
from otx_seg.deployment.ignored_nodes import delicate_nodes, find_ignored_nodes, integer_layers, weighted_nodes
from otx_seg.deployment.outcome import Quantized, evaluate_stage
from otx_seg.errors import DataError, UsageError
from otx_seg.inference.evaluate import Evaluation, count_pixels
from otx_seg.inference.latency import compare_latency
from otx_seg.labels import Labels, labels_to_plain
from otx_seg.metrics.confusion import scores
from otx_seg.metrics.paired import PairedDifference, paired_difference
from otx_seg.metrics.watched import OF_LABEL, WatchedMetric, metric_for
from otx_seg.runtime.model_info import LABEL_SCHEMA, LABELS, SECTION
from otx_seg.runtime.openvino_predictor import OpenVinoPredictor, read_ir
from otx_seg.runtime.predictor import AlteredPredictor
from otx_seg.workspace.atomic import write_json
from otx_seg.workspace.weights import write_label_schema

PERFORMANCE = "ptq_performance.json"

_RANKING_IMAGES = 50
"""Validation images on which layers are compared: every layer is tried on all of them."""


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
    """Quantise an IR within a limit for the loss of the watched metric, and measure costs and gains.

    1. Find the nodes the recipe leaves alone.
    2. Evaluate the model on the validation images.
    3. Collect the ranges of its activations on calibration images, and quantise; the larger ones of the convolutions
       that continue computing in floating point get their parameters stored in 8 bits, all else in 16. Evaluate.
    4. If that costs more than the recipe allows, quantise with accuracy control (see `_quantize_within`); if that
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
            nothing left to quantise, or labels in the data or the metric that the model does not know.
        DataError: there are no images, or none that shows the label that is watched.
        OtxError: the results cannot be written.
    """
    predictor = OpenVinoPredictor(model, labels=labels)
    metric = metric_for(recipe.metric.key, predictor.labels)
    graph = read_ir(model)
    refuse_quantized(graph, model)
    # 1. ignored nodes
    ignored = find_ignored_nodes(graph, recipe.ignored_patterns, recipe.ignored_types, model)
    in_floating_point = ignored | delicate_nodes(graph, predictor.input_size)
    layers = [node.get_friendly_name() for node in weighted_nodes(graph)]
    if in_floating_point.issuperset(layers):
        raise UsageError(f"{model}: nothing to quantise: all of its {len(layers)} layers are small or ignored")
    # 2. before
    before = evaluate_stage(predictor, validation, workers, "FP32", progress)
    _refuse_unseen(metric, before, predictor.labels)
    images = Calibration(calibration, predictor.input_size, recipe.subset_size, seed, progress)
    out_of_time, plain = False, None
    with written_atomically(output) as folder:
        # 3. and 4. attempts
        for attempt in _attempts(model, predictor, images, in_floating_point, validation, recipe, progress):
            if attempt is None:
                out_of_time = True
                continue
            integer = integer_layers(attempt)
            store_kernels_in_8_bits(attempt, ignored)
            halve_large_constants(attempt)
            attempt.set_rt_info(json.dumps(labels_to_plain(predictor.labels), ensure_ascii=False), [SECTION, LABELS])
            save_compact(attempt, folder / IR_XML)
            write_label_schema(folder / LABEL_SCHEMA, predictor.labels)
            new = OpenVinoPredictor(folder / IR_XML)
            after = evaluate_stage(new, validation, workers, "INT8", progress)
            plain = plain or _loss(before, after, metric, predictor.labels)
            if metric.of(before.scores) - metric.of(after.scores) <= recipe.max_loss:
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
            calibration_images=len(images.indices),
            reverted_layers=tuple(sorted(set(layers) - in_floating_point - integer)),
            out_of_time=out_of_time,
            plain=plain,
            weight_bits=recipe.weight_bits,
            metric=metric,
        )
        write_json(folder / PERFORMANCE, result.as_json())
    return result


def _refuse_unseen(metric: WatchedMetric, before: Evaluation, labels: Labels) -> None:
    """
    Raises:
        DataError: no image shows the label that is watched, so that nothing could be lost, whatever became of it.
    """
    names = [labels.names[index] for index in metric.counted(labels)]
    if metric.key.startswith(OF_LABEL) and not any(name in before.scores.per_label for name in names):
        raise DataError(
            f"learning_parameters.watch={metric.key}: no validation image shows {names[0]!r}: name images that do with "
            "--val-data-roots, or watch another score"
        )


def _loss(before: Evaluation, after: Evaluation, metric: WatchedMetric, labels: Labels) -> PairedDifference:
    assert before.counted is not None
    assert after.counted is not None
    return paired_difference(before.counted.pixels.per_image, after.counted.pixels.per_image, metric, labels)


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
    settings = nncf_settings(images, in_floating_point, recipe)
    with nncf_in_silence():
        quantized = nncf.quantize(read_ir(model), **settings)
    # Settings of NNCF with the names of all ignored nodes: 20 KB of text for Lite-HRNet.
    del quantized.rt_info["nncf"]
    yield quantized
    settings["advanced_quantization_parameters"] = settings.pop("advanced_parameters")
    try:
        with nncf_in_silence():
            quantized = _quantize_within(recipe, read_ir(model), predictor, validation, progress, settings)
        del quantized.rt_info["nncf"]
        yield quantized
    except _OutOfTimeError:
        yield None
    yield read_ir(model)


class _OutOfTimeError(Exception):
    pass


def _quantize_within(
    recipe: Recipe,
    graph: openvino.Model,
    predictor: OpenVinoPredictor,
    validation: Subset,
    progress: Progress | None,
    settings: dict[str, Any],
) -> openvino.Model:
    """Quantise with NNCF's accuracy control.

    Layers are ranked by what the metric gains when they alone go back to floating point. In that order they go back,
    one after another, until its value on all validation images is within the limit.

    Raises:
        _OutOfTimeError: that takes longer than the recipe allows.
    """
    deadline = time.monotonic() + recipe.control_seconds
    evaluated = itertools.count()
    told = counter("controlling the accuracy", len(validation), progress)

    def score(compiled: openvino.CompiledModel, indices: Iterable[int]) -> tuple[float, None]:
        chosen = [int(index) for index in indices]

        def answer(images: NDArray[np.uint8] | Tensor) -> NDArray[Any]:
            batch = np.asarray(images, dtype=np.float32)
            return np.concatenate([compiled(image[None])[0].copy() for image in batch])

        def count(_: int) -> None:
            if told is not None:
                told(next(evaluated) % len(validation) + 1)
            if time.monotonic() > deadline:
                raise _OutOfTimeError

        counts = count_pixels(AlteredPredictor(predictor, answer), validation, chosen, 1, 0, count)
        return recipe.metric.of(scores(counts.confusion, predictor.labels)), None

    return nncf.quantize_with_accuracy_control(
        graph,
        validation_dataset=nncf.Dataset(list(range(len(validation)))),
        validation_fn=score,
        max_drop=recipe.max_loss,
        advanced_accuracy_restorer_parameters=AdvancedAccuracyRestorerParameters(
            ranking_subset_size=min(_RANKING_IMAGES, len(validation)), num_ranking_workers=1
        ),
        **settings,
    )


def refuse_quantized(graph: openvino.Model, model: Path) -> None:
    """
    Raises:
        UsageError: a graph, read from `model`, is quantised.
    """
    if any(node.get_type_name() == "FakeQuantize" for node in graph.get_ops()):
        raise UsageError(f"{model}: is quantised already; give the IR that `otx export` wrote")
