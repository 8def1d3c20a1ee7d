"""`otx train`: from a folder of images and masks to the weights of a trained network."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from accelerate import PartialState
from accelerate.utils import broadcast_object_list, set_seed

from otx_seg import algorithms
from otx_seg.datasets import TrainingData, open_training, require_two_labels, scan, sound_samples
from otx_seg.errors import UsageError
from otx_seg.models.pretrained import initialise_backbone
from otx_seg.report.curves import draw_curves
from otx_seg.report.progress import format_duration
from otx_seg.report.run_report import write_report
from otx_seg.report.tables import as_text, scores_table
from otx_seg.training.devices import describe_device, on_cpu
from otx_seg.training.loop import Training
from otx_seg.training.starting_weights import load_starting_weights
from otx_seg.training.watcher import SilentWatcher, TrainResult, Watcher
from otx_seg.verbs.data import warn_of_unmatched
from otx_seg.verbs.plan import Plan, make_plan
from otx_seg.workspace.atomic import write_json, write_text
from otx_seg.workspace.label_schema import write_label_schema
from otx_seg.workspace.logs import ROOT, log_to
from otx_seg.workspace.run_folder import RunFolder, open_run, point_latest

logger = logging.getLogger(__name__)

_LISTED_SIZES = 3
_LISTED_PATHS = 8  # images that `otx export` compares on
_PRODUCTS = ("template.yaml", "models")


def train(
    train_data_roots: str | Path | None = None,
    val_data_roots: str | Path | None = None,
    *,
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
        train_data_roots: folder with ``images/``, ``masks/`` and ``dataset_meta.json``, or with such subset folders.
        val_data_roots: the same for validation; None: a subset of the training folder called val or valid, else a
            random 20 % of the training images.
        template: name, id or path; None: the default template, or that of the run to go on with.
        load_weights: `weights.pth` to start from; classifier rows are mapped by label name.
        resume_from: folder of a run, or its checkpoint file, to go on with as if it had never stopped.
        output: folder of the run; None: a new one below ``otx-workspace-SEGMENTATION/outputs``, or the resumed one.
        seed: of initialisation, data order and augmentation; None: 42.
        deterministic: use only deterministic GPU kernels (slower).
        parameters: ``{"group.name": value}`` hyper-parameters that differ from the template.
        overwrite: replace a result that `output` already holds.
        watcher: receives a report of each step and each validation.
        scan_progress: called with the subset's name and the numbers of images checked and to check.

    Raises:
        UsageError: arguments that make no sense.
        DataError: the data cannot be used.
        OtxError: the training failed or was interrupted; the message says how to go on.
    """
    plan = make_plan(train_data_roots, val_data_roots, template, resume_from, seed, parameters, load_weights)
    processes = PartialState(cpu=on_cpu())
    # The main process alone chooses and writes; the others of a torchrun job are told.
    run = _open_run(plan, output, overwrite) if processes.is_main_process else None
    run = broadcast_object_list([run])[0]
    with log_to(run.log) if processes.is_main_process else _only_errors():
        data, label_shares = _checked(_open_data(plan), scan_progress)
        if plan.state is not None:
            _refuse_other_data(plan, data)
        _make_deterministic(plan.seed, deterministic)
        algorithm = algorithms.build(plan.template, data.train.labels, label_shares)
        origin = _initial_weights(algorithm, data, plan, load_weights)
        training = Training(algorithm, data, plan.template, run, plan.seed, origin, watcher or SilentWatcher())
        if plan.state is not None:
            training.resume(plan.state)
        elif processes.is_main_process:
            _write_plan(run, plan, data)  # now that nothing can be wrong with what was asked for
        _announce(plan, data, run, origin)
        result = training.fit()
        if processes.is_main_process:
            _finish(run, plan, data, origin, result)
    return result


@contextmanager
def _only_errors() -> Iterator[None]:
    """Keep what the main process says already off the screen."""
    root = logging.getLogger(ROOT)
    level = root.level
    root.setLevel(logging.ERROR)
    try:
        yield
    finally:
        root.setLevel(level)


def _open_run(plan: Plan, output: str | Path | None, overwrite: bool) -> RunFolder:
    if plan.resumed_run is None:
        roots = tuple(root for root in (plan.train_root, plan.val_root) if root is not None)
        return open_run(Path(output) if output is not None else None, "train", _PRODUCTS, overwrite, roots)
    if output is None or Path(output).resolve() == plan.resumed_run.path.resolve():
        return open_run(plan.resumed_run.path, "train", (), overwrite)
    run = open_run(Path(output), "train", _PRODUCTS, overwrite)
    for before, now in zip(_carried(plan.resumed_run), _carried(run), strict=True):
        if before.exists():
            write_text(now, before.read_text(encoding="utf-8"))
    if plan.resumed_run.weights.exists():
        run.weights.parent.mkdir(parents=True, exist_ok=True)
        run.weights.write_bytes(plan.resumed_run.weights.read_bytes())
    return run


def _carried(run: RunFolder) -> tuple[Path, ...]:
    return run.template, run.data, run.metrics, run.label_schema


def _open_data(plan: Plan) -> TrainingData:
    use_polygons = plan.template.hyper_parameters.learning_parameters.use_otx_adapter
    return open_training(plan.train_root, plan.val_root, plan.seed, use_polygons=use_polygons)


def _checked(
    data: TrainingData, progress: Callable[[str, int, int], None] | None
) -> tuple[TrainingData, tuple[float, ...]]:
    """Look at every file once, so that a broken one shows now and not in epoch 12; say what was found.

    Returns:
        The data without what cannot be read, and the share of each label among the labelled training pixels.
    """
    subsets, label_shares = {}, {}
    for name, subset in (("training", data.train), ("validation", data.val)):
        report = scan(subset, _counter(name, len(subset), progress))
        warn_of_unmatched(subset, name)
        for file, reason in report.broken:
            logger.warning("%s data: skipped: %s: %s", name, file, reason)
        kept = sound_samples(subset, report)
        if name == "training":
            require_two_labels(kept, report)
        shares = ", ".join(
            f"{label} {100 * share:.1f} %"
            for label, share in zip(subset.labels.names, report.share_per_label, strict=True)
        )
        sizes = ", ".join(f"{count} of {width}x{height}" for (height, width), count in report.sizes[:_LISTED_SIZES])
        more = ", ..." if len(report.sizes) > _LISTED_SIZES else ""
        logger.info("%s data: %d images (%s%s); pixels per label: %s", name, len(kept), sizes, more, shares)
        if report.ignored_pixels:
            logger.info("%s data: %d pixels are ignored", name, report.ignored_pixels)
        subsets[name], label_shares[name] = kept, report.share_per_label
    return replace(data, train=subsets["training"], val=subsets["validation"]), label_shares["training"]


def _counter(name: str, total: int, progress: Callable[[str, int, int], None] | None) -> Callable[[int], None] | None:
    return None if progress is None else lambda done: progress(name, done, total)


def _write_plan(run: RunFolder, plan: Plan, data: TrainingData) -> None:
    for left_over in (run.checkpoint, run.metrics, run.curves, run.weights, run.report):
        left_over.unlink(missing_ok=True)  # of a run that --overwrite replaces
    write_text(run.template, plan.template.as_yaml())
    write_label_schema(run.label_schema, data.train.labels)
    write_json(run.data, _describe_data(plan, data))


def _describe_data(plan: Plan, data: TrainingData) -> dict[str, Any]:
    return {
        "seed": plan.seed,
        "train_root": str(plan.train_root.resolve()),
        "val_root": str(plan.val_root.resolve()) if plan.val_root is not None else None,
        "split": data.split,
        "train": [sample.name for sample in data.train.samples],
        "val": [sample.name for sample in data.val.samples],
        "val_images": [str(Path(sample.image).resolve()) for sample in data.val.samples[:_LISTED_PATHS]],
    }


def _refuse_other_data(plan: Plan, data: TrainingData) -> None:
    assert plan.resumed_run is not None
    recorded = json.loads(plan.resumed_run.data.read_text(encoding="utf-8"))
    now = _describe_data(plan, data)
    for subset in ("train", "val"):
        if recorded[subset] != now[subset]:
            raise UsageError(
                f"the {subset} files are not those the run began with ({len(recorded[subset])} then, "
                f"{len(now[subset])} now, see {plan.resumed_run.data}); start a new training with --load-weights"
            )


def _make_deterministic(seed: int, deterministic: bool) -> None:
    set_seed(seed)
    if deterministic:
        torch.use_deterministic_algorithms(True, warn_only=True)
        torch.backends.cudnn.benchmark = False


def _initial_weights(algorithm: Any, data: TrainingData, plan: Plan, load_weights: str | Path | None) -> str:
    """Initialise the network; a sentence on how."""
    if plan.state is not None:
        return str(plan.state["origin"])
    network = algorithm.deployable().network
    if load_weights is not None:
        return load_starting_weights(network, Path(load_weights), data.train.labels, plan.template)
    mode = plan.template.hyper_parameters.learning_parameters.pretrained
    return initialise_backbone(network, mode, plan.template.pretrained.url, plan.template.pretrained.sha256)


def _announce(plan: Plan, data: TrainingData, run: RunFolder, origin: str) -> None:
    parameters = plan.template.hyper_parameters.learning_parameters
    limit = f", at most {parameters.max_minutes:g} minutes" if parameters.max_minutes else ""
    logger.info("template %s on %s; %s", plan.template.name, describe_device(), origin)
    logger.info("%s", data.split)
    logger.info(
        "input %s, batches of %d, up to %d epochs%s; results go to %s",
        parameters.input_size,
        parameters.batch_size,
        parameters.num_iters,
        limit,
        run.path,
    )


def _finish(run: RunFolder, plan: Plan, data: TrainingData, origin: str, result: TrainResult) -> None:
    draw_curves(run.metrics, run.curves)
    point_latest(run)
    outcome = (
        f"time elapsed: {format_duration(result.elapsed_s)}\nended: {result.reason}\nbest epoch: {result.epoch} of "
        f"{result.epochs}\nscore: {result.scores.dice_average:.4f}\nmodel_path: {result.weights}\n\n"
    )
    files = f"{len(data.train.samples)} training and {len(data.val.samples)} validation images; {data.split}"
    write_report(
        run.report,
        {
            "Template": f"{plan.template.name} ({plan.template.id})\n{plan.template.summary}",
            "Dataset": f"{plan.train_root}\n{files}\nlabels: {', '.join(data.train.labels.names)}",
            "Configuration": f"started from {origin}\nseed {plan.seed}\n{plan.template.as_yaml()}",
            "Results": outcome + as_text(scores_table(result.scores)),
        },
    )
