"""`otx train`: from a folder of images and masks to the weights of a trained network."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import torch
from accelerate import PartialState
from accelerate.utils import broadcast_object_list, set_seed
from torch import nn

from otx_seg import algorithms
from otx_seg.configuration.learning import MOST_EPOCHS
from otx_seg.datasets import ScanReport, TrainingData
from otx_seg.errors import UsageError
from otx_seg.models import build_model
from otx_seg.models.network import SegmentationNetwork
from otx_seg.models.pretrained import initialise_backbone
from otx_seg.report.curves import draw_curves
from otx_seg.report.progress import format_duration
from otx_seg.report.run_report import write_report
from otx_seg.report.tables import as_text, scores_table
from otx_seg.training.devices import describe_device, machine_facts, on_cpu
from otx_seg.training.loop import Training
from otx_seg.training.starting_weights import load_starting_backbone, load_starting_weights
from otx_seg.training.watcher import SilentWatcher, TrainResult, Watcher
from otx_seg.verbs.auto_configuration import announce, as_lines, configure, decisions_of, plain
from otx_seg.verbs.plan import Plan, Request, make_plan
from otx_seg.verbs.training_data import (
    check_data,
    describe_data,
    label_weights,
    open_data,
    open_regions_to_train_on,
    refuse_other_data,
)
from otx_seg.workspace.atomic import write_json, write_text
from otx_seg.workspace.label_schema import write_label_schema
from otx_seg.workspace.logs import log_to, only_errors
from otx_seg.workspace.run_folder import RunFolder, open_run, point_latest

logger = logging.getLogger(__name__)

_LONGEST_WAIT = timedelta(hours=12)
_PRODUCTS = ("template.yaml", "models")


def train(
    train_data_roots: str | Path | None = None,
    val_data_roots: str | Path | None = None,
    *,
    unlabeled_data_roots: str | Path | None = None,
    unlabeled_file_list: str | Path | None = None,
    train_type: str | None = None,
    template: str | Path | None = None,
    load_weights: str | Path | None = None,
    resume_from: str | Path | None = None,
    output: str | Path | None = None,
    seed: int | None = None,
    deterministic: bool = False,
    parameters: dict[str, Any] | None = None,
    overwrite: bool = False,
    watcher: Watcher | None = None,
    scan_progress: Callable[[str, int, int], None] | None = None,
) -> TrainResult:
    """Train a network and write the best of it to ``<run>/models/weights.pth``.

    Args:
        train_data_roots: folder with ``images/``, ``masks/`` and ``dataset_meta.json``, or with such subset folders;
            for self-supervised training a folder of images.
        val_data_roots: the same for validation; None: a subset of the training folder called val or valid, else a
            fifth of the training images, chosen by label.
        unlabeled_data_roots: folder of images without masks to learn from as well.
        unlabeled_file_list: text file that names those to use, one path per line relative to that folder; None: all.
        train_type: ``Incremental``, ``Semisupervised`` or ``Selfsupervised``; None: the second if there are unlabelled
            images, the third if `train_data_roots` holds nothing but images, else the first.
        template: name, id or path; None: that of the run to go on with or of the weights to start from, else the
            default.
        load_weights: `weights.pth` to start from; classifier rows are mapped by label name.
        resume_from: folder of a run, or its checkpoint file, to go on with as if it had never stopped.
        output: folder of the run; None: a new one below ``otx-workspace-SEGMENTATION/outputs``, or the resumed one.
        seed: of initialisation, data order and augmentation; None: 42.
        deterministic: use only deterministic GPU kernels (slower).
        parameters: ``{"group.name": value}`` hyper-parameters that differ from the template.
        overwrite: replace a result that `output` already holds.
        watcher: receives a report of each step and each validation.
        scan_progress: called before the training with what is being done to the images, and with the numbers of
            images done and to do.

    Raises:
        UsageError: arguments that make no sense.
        DataError: the data cannot be used.
        OtxError: the training failed or was interrupted; the message says how to go on.
    """
    request = Request(
        train_root=train_data_roots,
        val_root=val_data_roots,
        unlabelled_root=unlabeled_data_roots,
        unlabelled_list=unlabeled_file_list,
        train_type=train_type,
        template=template,
        load_weights=load_weights,
        resume_from=resume_from,
        seed=seed,
        parameters=parameters or {},
    )
    return _train(make_plan(request), output, deterministic, overwrite, watcher, scan_progress)


def _train(
    plan: Plan,
    output: str | Path | None,
    deterministic: bool,
    overwrite: bool,
    watcher: Watcher | None,
    scan_progress: Callable[[str, int, int], None] | None,
) -> TrainResult:
    # Dividing many images into regions is done by one process; the others wait for longer than the usual minutes.
    processes = PartialState(cpu=on_cpu(), timeout=_LONGEST_WAIT)
    # The main process alone chooses and writes; the others of a torchrun job are told.
    run = _open_run(plan, output, overwrite) if processes.is_main_process else None
    run = broadcast_object_list([run])[0]
    with log_to(run) if processes.is_main_process else only_errors():
        data, report = _open(plan, run, scan_progress)
        if plan.state is None:
            # The processes of several machines might decide differently.
            machine = broadcast_object_list([machine_facts(processes.num_processes)])[0]
            plan = configure(plan, data, report, machine)
        else:
            refuse_other_data(plan, data)
            plan = replace(plan, decisions=decisions_of(run))
        _make_deterministic(plan.seed, deterministic)
        network = SegmentationNetwork(build_model(plan.template, _outputs(plan, data)))
        origin = _initial_weights(network.network, data, plan)
        weights = () if report is None else label_weights(plan, report)
        algorithm = algorithms.build(plan.template, network, weights)
        training = Training(algorithm, data, plan.template, run, plan.seed, origin, watcher or SilentWatcher())
        if plan.state is not None:
            training.resume(plan.state)
        elif processes.is_main_process:
            _write_plan(run, plan, data)  # now that nothing can be wrong with what was asked for
            announce(plan.decisions)
        _announce(plan, data, run, origin)
        result = training.fit()
        if processes.is_main_process:
            _finish(run, plan, data, origin, result)
    return result


def _open(
    plan: Plan, run: RunFolder, progress: Callable[[str, int, int], None] | None
) -> tuple[TrainingData, ScanReport | None]:
    if plan.train_type == "Selfsupervised":
        with PartialState().main_process_first():  # the others find the pseudo-masks made
            return open_regions_to_train_on(plan, run.region_masks, progress), None
    return check_data(plan, open_data(plan), progress)


def _open_run(plan: Plan, output: str | Path | None, overwrite: bool) -> RunFolder:
    if plan.resumed_run is None:
        given = (plan.roots.train, plan.roots.val, plan.roots.unlabelled)
        roots = tuple(root for root in given if root is not None)
        folder = Path(output) if output is not None else None
        _refuse_among_images(plan, folder)
        return open_run(folder, "train", _PRODUCTS, overwrite, roots)
    if output is None or Path(output).resolve() == plan.resumed_run.path.resolve():
        return open_run(plan.resumed_run.path, "train", (), overwrite)
    run = open_run(Path(output), "train", _PRODUCTS, overwrite)
    for before, now in zip(_carried(plan.resumed_run), _carried(run), strict=True):
        if before.exists():
            write_text(now, before.read_text(encoding="utf-8"))
        else:
            now.unlink(missing_ok=True)
    if plan.resumed_run.weights.exists():
        run.weights.parent.mkdir(parents=True, exist_ok=True)
        run.weights.write_bytes(plan.resumed_run.weights.read_bytes())
    return run


def _refuse_among_images(plan: Plan, folder: Path | None) -> None:
    """
    Raises:
        UsageError: the pictures of the run would be found where images to learn from are looked for.
    """
    searched = [plan.roots.unlabelled, plan.roots.train if plan.train_type == "Selfsupervised" else None]
    for root in searched:
        if root is not None and folder is not None and root.resolve() in (folder.resolve(), *folder.resolve().parents):
            raise UsageError(f"{folder}: lies in {root}, where images are looked for; choose another --output")


def _carried(run: RunFolder) -> tuple[Path, ...]:
    return run.template, run.data, run.decisions, run.metrics, run.label_schema


def _write_plan(run: RunFolder, plan: Plan, data: TrainingData) -> None:
    for left_over in (run.checkpoint, run.metrics, run.curves, run.weights, run.label_schema, run.report):
        left_over.unlink(missing_ok=True)  # of a run that --overwrite replaces
    write_text(run.template, plan.template.as_yaml())
    if plan.train_type != "Selfsupervised":
        write_label_schema(run.label_schema, data.train.labels)
    write_json(run.data, describe_data(plan, data))
    write_json(run.decisions, plain(plan.decisions))


def _make_deterministic(seed: int, deterministic: bool) -> None:
    set_seed(seed)
    if deterministic:
        torch.use_deterministic_algorithms(True, warn_only=True)
        torch.backends.cudnn.benchmark = False


def _outputs(plan: Plan, data: TrainingData) -> int:
    """Outputs of the network; where only its backbone is trained, as many as the template has."""
    if plan.train_type == "Selfsupervised":
        return int(plan.template.model["decode_head"]["num_classes"])
    return len(data.train.labels)


def _initial_weights(network: nn.Module, data: TrainingData, plan: Plan) -> str:
    """Initialise the network; a sentence on how."""
    if plan.state is not None:
        return str(plan.state["origin"])
    if plan.load_weights is not None and plan.train_type == "Selfsupervised":
        return load_starting_backbone(network, plan.load_weights, plan.template)
    if plan.load_weights is not None:
        return load_starting_weights(network, plan.load_weights, data.train.labels, plan.template)
    mode = plan.template.hyper_parameters.learning_parameters.pretrained
    return initialise_backbone(network, mode, plan.template.pretrained.url, plan.template.pretrained.sha256)


def _announce(plan: Plan, data: TrainingData, run: RunFolder, origin: str) -> None:
    parameters = plan.template.hyper_parameters.learning_parameters
    limits = [f"at most {_minutes(parameters.max_minutes)}"] if parameters.max_minutes else []
    if not limits or parameters.num_iters < MOST_EPOCHS:
        limits.insert(0, f"up to {parameters.num_iters} epochs")
    more = f" and {parameters.unlabeled_batch_size} unlabelled images" if data.unlabelled is not None else ""
    logger.info("template %s on %s; %s", plan.template.name, describe_device(), origin)
    logger.info("training: %s, %s", plan.train_type, plan.reason)
    logger.info("%s", data.split)
    logger.info(
        "input %s, batches of %d%s, %s; results go to %s",
        parameters.input_size,
        parameters.batch_size,
        more,
        ", ".join(limits),
        run.path,
    )


def _minutes(number: float) -> str:
    return f"{number:g} minute{'' if number == 1 else 's'}"


def _finish(run: RunFolder, plan: Plan, data: TrainingData, origin: str, result: TrainResult) -> None:
    draw_curves(run.metrics, run.curves)
    if data.val is not None:
        point_latest(run)  # a backbone cannot be evaluated or exported
    chosen = plan.template
    write_report(
        run.report,
        {
            "Template": f"{chosen.name} ({chosen.id})\n{chosen.summary}",
            "Dataset": _dataset_text(plan, data),
            "Decisions": as_lines(plan.decisions),
            "Configuration": f"training: {plan.train_type}, {plan.reason}\n{origin}\nseed {plan.seed}\n"
            + chosen.as_yaml(),
            "Results": _results_text(result),
        },
    )


def _dataset_text(plan: Plan, data: TrainingData) -> str:
    skipped = "".join(f"\n{message}" for message in data.skipped)
    if data.val is None:
        return f"{plan.roots.train}\n{len(data.train)} images without masks{skipped}"
    files = f"{len(data.train)} training and {len(data.val)} validation images; {data.split}"
    if data.unlabelled is not None:
        files += f"\n{plan.roots.unlabelled}: {len(data.unlabelled)} unlabelled images"
    return f"{plan.roots.train}\n{files}\nlabels: {', '.join(data.train.labels.names)}{skipped}"


def _results_text(result: TrainResult) -> str:
    outcome = f"time elapsed: {format_duration(result.elapsed_s)}\nended: {result.reason}\n"
    if result.scores is None:
        return f"{outcome}model_path: {result.weights} (a backbone, for --load-weights)"
    return (
        f"{outcome}best epoch: {result.epoch} of {result.epochs}\nscore: {result.scores.dice_average:.4f}\n"
        f"model_path: {result.weights}\n\n{as_text(scores_table(result.scores))}"
    )
