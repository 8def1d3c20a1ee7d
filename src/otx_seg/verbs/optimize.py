"""`otx optimize`: from a floating-point model to an INT8 one."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from otx_seg.datasets import DEFAULT_SEED, DataSpec, open_training
from otx_seg.datasets.scan import Progress
from otx_seg.deployment.calibration import recipe
from otx_seg.deployment.outcome import Quantized
from otx_seg.deployment.quantize import quantize, refuse_quantized
from otx_seg.errors import UsageError
from otx_seg.inputs.data import training_spec
from otx_seg.inputs.last_training import LastTraining, last_training, training_of
from otx_seg.inputs.model import check_given_to_optimize
from otx_seg.inputs.open_model import open_model
from otx_seg.inputs.resolver import Resolver, open_resolver
from otx_seg.report.run_report.make import report_quantization
from otx_seg.runtime.openvino_predictor import read_ir
from otx_seg.template import USED_TO_QUANTIZE
from otx_seg.template.hyper_parameters import NncfOptimization
from otx_seg.training.devices import choose_workers
from otx_seg.training.loggers import Logger, Loggers
from otx_seg.training.setup.plan import Request
from otx_seg.verbs.fine_tune import fine_tune_weights
from otx_seg.words import count
from otx_seg.workspace.logs import log_to
from otx_seg.workspace.run_folder import Destination, open_run

logger = logging.getLogger(__name__)

_PRODUCTS = ("ptq/openvino.xml",)


def optimize(
    load_weights: str | Path | None = None,
    train_data_roots: str | Path | None = None,
    val_data_roots: str | Path | None = None,
    *,
    train_ann_files: str | Path | None = None,
    val_ann_files: str | Path | None = None,
    data_format: str | None = None,
    label_map: str | Path | None = None,
    resume_from: str | Path | None = None,
    template: str | Path | None = None,
    labels: str | Sequence[str] | None = None,
    workspace: str | Path | None = None,
    output: str | Path | None = None,
    overwrite: bool = False,
    seed: int | None = None,
    parameters: dict[str, Any] | None = None,
    loggers: Sequence[Logger] = (),
    progress: Progress | None = None,
) -> Quantized:
    """Quantise a model with images it was trained on, and measure costs and gains.

    Of an ``.xml`` no weights change, and layers that cost too much stay in floating point: the INT8 model and
    ``ptq_performance.json`` go to ``<run>/ptq``. A ``.pth`` is fine-tuned until the quantised network is as good as
    promised: ``weights.pth``, its INT8 model and ``nncf_performance.json`` go to ``<run>/nncf``, and the result is a
    `FineTuned`.

    Args:
        load_weights: the ``.xml`` that `export` wrote, or the ``.pth`` of `train`; None: what was exported last in the
            workspace.
        train_data_roots: images that calibrate the ranges; for a ``.pth`` with masks, to train on. None: those of the
            workspace.
        val_data_roots: labelled images to compare on; None: as in `train`.
        train_ann_files, val_ann_files: COCO annotation files to use instead of those in the folders.
        data_format: name of the format of the data; None: for data of the workspace as it says, else what it looks
            like.
        label_map: see `train`.
        resume_from: folder of an interrupted run that began with a ``.pth``, or its checkpoint file, to resume.
        template: the template the model is expected to be made from; it is read from the model.
        labels: see `predict`; the new model carries them.
        workspace, output, overwrite: see `train`.
        seed: of the choice of calibration images and of the fine-tuning, and of the random validation images where
            `val_data_roots` is missing: give that of the training, so that none of them was trained on. None: that of
            the training of the weights, else of the last training of the workspace, if it chose from the same folder,
            with the same fold of a cross-validation; else 42.
        parameters: ``{"group.name": value}``; only ``pot_parameters``, ``nncf_optimization`` and what concerns reading
            data are possible; what does nothing for the kind of weights given is refused.
        loggers: receive what is told of a fine-tuning.
        progress: called with the name of a stage, and the numbers of images done and to do in it.

    Raises:
        UsageError: neither IR nor weights, a model that is quantised already, or an unknown parameter.
        DataError: the data cannot be used.
        OtxError: the fine-tuning failed or was interrupted; the message says how to continue.
    """
    check_given_to_optimize(load_weights, train_data_roots, resume_from, workspace)
    resolver = open_resolver(workspace)
    data = DataSpec.given(
        data_format,
        label_map,
        train_root=train_data_roots,
        val_root=val_data_roots,
        train_annotations=train_ann_files,
        val_annotations=val_ann_files,
    )
    request = Request(data, template=template, resume_from=resume_from, seed=seed, parameters=parameters or {})
    if resume_from is None:
        request = _filled(resolver, replace(request, load_weights=resolver.exported(load_weights, quantized_too=False)))
    to = resolver.destination(output, overwrite)
    if request.load_weights is None or Path(request.load_weights).suffix.lower() == ".pth":
        if labels is not None:
            raise UsageError("--labels is for exported models of other tools; a .pth has its labels: leave it out")
        return fine_tune_weights(request, to, Loggers(loggers), progress)
    return quantize_ir(request, to, labels, progress)


def _filled(resolver: Resolver, request: Request) -> Request:
    data = training_spec(resolver, request.data)
    last = _split_before(resolver, data, request.load_weights)
    if last is None or request.seed not in (None, last.seed):
        return replace(request, data=data)
    data = replace(data, label_map=data.label_map or last.label_map)
    return replace(request, data=data, seed=last.seed, fold=last.fold)


def _split_before(resolver: Resolver, data: DataSpec, weights: str | Path | None) -> LastTraining | None:
    """How the training of the weights, or else the last one, divided its images, so that no training image is used for
    the comparison."""
    if data.validation_named:
        return None
    own = training_of(Path(weights), data) if weights is not None else None
    last = own or last_training(resolver.outputs, data)
    if weights is not None and own is None and last is not None and last.fold is not None:
        raise UsageError(
            f"{weights}: which images it may be compared on is not known: the last training is {last.fold}, and the "
            "model may be of another fold; name images that it was not trained on with --val-data-roots"
        )
    if last is not None and (last.seed, last.fold) != (DEFAULT_SEED, None):
        fold = f", {last.fold}" if last.fold is not None else ""
        logger.info("seed: %d%s, as of the training %s", last.seed, fold, last.run.path)
    return last


def quantize_ir(
    request: Request, to: Destination, labels: str | Sequence[str] | None, progress: Progress | None
) -> Quantized:
    """As `optimize` of an ``.xml``, but nothing is filled in."""
    assert request.load_weights is not None
    weights, seed = Path(request.load_weights), DEFAULT_SEED if request.seed is None else request.seed
    used = USED_TO_QUANTIZE[".xml"]
    predictor, made_from = open_model(weights, request.template, labels, request.parameters, used)
    refuse_quantized(read_ir(weights), weights)
    settings = made_from.hyper_parameters
    use_polygons = settings.learning_parameters.use_otx_adapter
    data = open_training(request.data, seed, use_polygons, progress, request.fold)
    assert data.val is not None
    roots = (*request.data.folders, data.train.root, data.val.root)
    run = open_run(to, "optimize", _PRODUCTS, roots)
    with log_to(run) as note:
        logger.info("%s", data.split)
        workers = choose_workers(settings.learning_parameters, processes=1)
        how = recipe(made_from)
        logger.info("weights in %d bits, %s", how.weight_bits, _WEIGHT_BITS[how.weight_bits])
        result = quantize(
            weights,
            data.train,
            data.val,
            run.path / "ptq",
            how,
            seed,
            workers,
            progress,
            predictor.labels,
        )
        _report_outcome(result, settings.nncf_optimization)
        report_quantization(run, result, data)
        note(f"{result.model}: {result.summary}")
    return result


_WEIGHT_BITS = {
    7: "for any processor; for devices with VNNI or AMX pot_parameters.weight_bits=8 is more accurate",
    8: "for devices that sum them up as this processor does; for x86 ones without VNNI pot_parameters.weight_bits=7",
}


def _report_outcome(result: Quantized, settings: NncfOptimization) -> None:
    limit, metric = settings.maximal_accuracy_degradation, result.metric.name
    planned = result.quantized_layers + len(result.reverted_layers)
    if result.out_of_time:
        logger.warning(
            "the layers that cost the accuracy were not found in %g minutes, so all stay in floating point; "
            "allow more with nncf_optimization.accuracy_control_minutes, or a larger loss than %.2f %s points with "
            "nncf_optimization.max_score_drop",
            settings.accuracy_control_minutes,
            limit,
            metric,
        )
    elif result.reverted_layers:
        assert result.plain is not None
        logger.info(
            "%d of %d layers returned to floating point, to lose no more than %.2f %s points: with all of them in "
            "integers it was %.2f (standard error of that %s: %s, %s)",
            len(result.reverted_layers),
            planned,
            limit,
            metric,
            100 * result.plain.difference,
            metric,
            result.plain.error_in_words,
            count(result.plain.images, "image"),
        )
    if 100 * result.loss > limit:
        logger.warning(
            "storing parameters in 8 and 16 bits alone cost %.2f %s points, more than the %.2f of "
            "nncf_optimization.max_score_drop; use the model as it was exported",
            100 * result.loss,
            metric,
            limit,
        )
