"""`otx optimize`: from a floating-point model to an INT8 one."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from otx_seg.datasets import DEFAULT_SEED, open_training
from otx_seg.deployment.quantize import Quantized, quantize
from otx_seg.deployment.recipe import Recipe
from otx_seg.errors import UsageError
from otx_seg.template import USED_BY, Settings, Template
from otx_seg.template.hyper_parameters import NncfOptimization
from otx_seg.training.devices import choose_workers
from otx_seg.verbs.weights import open_model
from otx_seg.workspace.logs import log_to
from otx_seg.workspace.run_folder import open_run

logger = logging.getLogger(__name__)

_PRODUCTS = ("ptq/openvino.xml",)


def optimize(
    load_weights: str | Path,
    train_data_roots: str | Path,
    val_data_roots: str | Path | None = None,
    *,
    template: str | Path | None = None,
    labels: str | Sequence[str] | None = None,
    output: str | Path | None = None,
    overwrite: bool = False,
    seed: int = DEFAULT_SEED,
    parameters: dict[str, Any] | None = None,
    progress: Callable[[str, int, int], None] | None = None,
) -> Quantized:
    """Quantise an exported model with images it was trained on, and measure what that costs and brings.

    Writes the INT8 model and ``ptq_performance.json`` to ``<run>/ptq``.

    Args:
        load_weights: the ``.xml`` that `export` wrote.
        train_data_roots: images that calibrate the ranges.
        val_data_roots: labelled images to compare on; None: as in `train`.
        template: the template the model is expected to be made from; it is read from the model.
        labels: see `predict`; the new model carries them.
        output, overwrite: see `train`.
        seed: of the choice of calibration images, and of the random validation images where `val_data_roots` is
            missing: give that of the training, so that none of them was trained on.
        parameters: ``{"group.name": value}``; only ``pot_parameters``,
            ``nncf_optimization.maximal_accuracy_degradation`` and what concerns reading data are possible.
        progress: called with the name of a stage, and the numbers of images done and to do in it.

    Raises:
        UsageError: no IR, one that is quantised already, or an unknown parameter.
        DataError: the data cannot be used.
    """
    weights = Path(load_weights)
    if weights.suffix.lower() != ".xml":
        raise UsageError(f"{weights}: quantisation works on an OpenVINO model; give the .xml that `otx export` writes")
    predictor, made_from = open_model(weights, template, labels, parameters, USED_BY["optimize"])
    settings = made_from.hyper_parameters
    val_root = Path(val_data_roots) if val_data_roots is not None else None
    use_polygons = settings.learning_parameters.use_otx_adapter
    data = open_training(Path(train_data_roots), val_root, seed, use_polygons=use_polygons)
    assert data.val is not None
    roots = (data.train.root, data.val.root)
    run = open_run(Path(output) if output is not None else None, "optimize", _PRODUCTS, overwrite, roots)
    with log_to(run):
        logger.info("%s", data.split)
        workers = choose_workers(settings.learning_parameters, processes=1)
        result = quantize(
            weights,
            data.train,
            data.val,
            run.path / "ptq",
            recipe(made_from),
            seed,
            workers,
            progress,
            predictor.labels,
        )
        _tell_what_was_kept(result, settings.nncf_optimization)
    return result


def _tell_what_was_kept(result: Quantized, settings: NncfOptimization) -> None:
    limit = settings.maximal_accuracy_degradation
    planned = result.quantized_layers + len(result.reverted_layers)
    if result.out_of_time:
        logger.warning(
            "which layers cost the accuracy could not be found out in %g minutes, so that all stay in floating point; "
            "allow more with nncf_optimization.accuracy_control_minutes, or a larger loss than %.2f Dice points with "
            "nncf_optimization.maximal_accuracy_degradation",
            settings.accuracy_control_minutes,
            limit,
        )
    elif result.reverted_layers:
        logger.info(
            "%d of %d layers went back to floating point, so that no more than %.2f Dice points are lost",
            len(result.reverted_layers),
            planned,
            limit,
        )
    if 100 * result.dice_loss > limit:
        logger.warning(
            "storing parameters in 8 and 16 bits alone cost %.2f Dice points, more than the %.2f of "
            "nncf_optimization.maximal_accuracy_degradation; use the model as it was exported",
            100 * result.dice_loss,
            limit,
        )


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
