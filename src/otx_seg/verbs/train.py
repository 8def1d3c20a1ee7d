"""`otx train`: from a folder of images and masks to the weights of a trained network."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import replace
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

from accelerate import PartialState
from accelerate.utils import broadcast_object_list

from otx_seg.datasets import DataSpec, ScanReport, TrainingData
from otx_seg.distributed.consistency import all_or_none, refuse_differences
from otx_seg.distributed.worker import end_with_launcher, naming_lost_processes, note_run, only_errors
from otx_seg.errors import UsageError
from otx_seg.hpo.promote import promote_next
from otx_seg.hpo.trial import free_memory
from otx_seg.inputs.last_round import with_last_round
from otx_seg.inputs.resolver import Resolver, open_resolver
from otx_seg.inputs.training import complete_request
from otx_seg.interrupts import interruptions_as_such
from otx_seg.models.network import SegmentationNetwork
from otx_seg.processes import processes_here
from otx_seg.report.training_report import announce_plan, finish, report_finished, report_resume
from otx_seg.template.byte_size import parse_byte_size
from otx_seg.training.checkpoint import TRAIN
from otx_seg.training.context import TrainContext
from otx_seg.training.devices import machine_facts, on_cpu
from otx_seg.training.ending import with_resume_command
from otx_seg.training.loggers import Logger, Loggers, MayFail, TrainResult
from otx_seg.training.loss_guard import DivergedError
from otx_seg.training.out_of_memory import OutOfMemoryError
from otx_seg.training.picture_rows import PictureRows
from otx_seg.training.setup.auto_configuration import configure, with_validation
from otx_seg.training.setup.build import begin, build_trainer, make_deterministic
from otx_seg.training.setup.data import (
    check_data,
    label_weights,
    open_data,
    open_regions_to_train_on,
    refuse_other_data,
)
from otx_seg.training.setup.folder import clear, copy_run_files, decisions_of, open_training_run, write_plan
from otx_seg.training.setup.plan import Plan, Request, make_plan
from otx_seg.training.trackers import check_trackers, open_trackers
from otx_seg.training.trainer import Trainer
from otx_seg.training.views import open_training_cache
from otx_seg.workspace.logs import log_to
from otx_seg.workspace.run_folder import Destination, FolderGoneError, RunFolder

_LONGEST_WAIT = timedelta(hours=12)
_CACHE = "algo_backend.mem_cache_size"
_DATA = {
    "train_root": "train_data_roots",
    "val_root": "val_data_roots",
    "unlabelled_root": "unlabeled_data_roots",
    "unlabelled_list": "unlabeled_file_list",
    "train_annotations": "train_ann_files",
    "val_annotations": "val_ann_files",
}
"""The arguments of `train` that name data, by what `DataSpec` calls them."""


def train(
    train_data_roots: str | Path | None = None,
    val_data_roots: str | Path | None = None,
    *,
    unlabeled_data_roots: str | Path | None = None,
    unlabeled_file_list: str | Path | None = None,
    train_ann_files: str | Path | None = None,
    val_ann_files: str | Path | None = None,
    data_format: str | None = None,
    label_map: str | Path | None = None,
    train_type: str | None = None,
    template: str | Path | None = None,
    load_weights: str | Path | None = None,
    from_pretrained: bool = False,
    teacher: str | Path | None = None,
    resume_from: str | Path | None = None,
    workspace: str | Path | None = None,
    output: str | Path | None = None,
    seed: int | None = None,
    deterministic: bool = False,
    mem_cache_size: str | int | None = None,
    parameters: dict[str, Any] | None = None,
    overwrite: bool = False,
    enable_hpo: bool = False,
    hpo_time_ratio: float | None = None,
    hpo_parallel: int | None = None,
    trackers: Sequence[str] = (),
    loggers: Sequence[Logger] = (),
) -> TrainResult:
    """Train a network and write it to ``<run>/models/weights.pth``.

    Args:
        train_data_roots: folder of labelled data (see `otx_seg.datasets.known_formats`); for self-supervised training
            of images.
        val_data_roots: the same for validation; None: a subset of the training folder called val or valid, else a
            fifth of the training images, chosen by label.
        unlabeled_data_roots: folder of images without masks to learn from as well.
        unlabeled_file_list: text file that names those to use, one path per line relative to that folder.
        train_ann_files, val_ann_files: COCO annotation files to use instead of those in the folders.
        data_format: name of the format of the data; None: for data of the workspace as it says, else what it looks
            like.
        label_map: YAML file with a line ``old label: new label`` or ``old label: ignore`` for each label of the data,
            or the name of one that comes with the program; None: for data of the workspace as it says, else labels
            stay as they are. The run keeps its content.
        train_type: ``Incremental``, ``Semisupervised`` or ``Selfsupervised``; None: the second if there are unlabelled
            images, the third if `train_data_roots` holds nothing but images, else the first.
        template: name, id or path; None: that of the run to resume or of the weights, else one chosen for
            data, machine and time.
        load_weights: `weights.pth` to start from; classifier rows are mapped by label name. None: in a workspace with
            added data, those of its last training that validated on the same images; else pretrained weights.
        from_pretrained: start from pretrained weights there too.
        teacher: a trained or exported model of the same labels, whose answers are learned too (see the group
            ``distillation`` of the parameters); None: none, or that of the run to resume.
        resume_from: folder of a run, or its checkpoint file, to continue with as if it had never stopped.
        workspace: a folder that `build` made; None: the current folder, if it is one. Data, how to read it,
            template and train type that are not given are taken from it.
        output: folder of the run; None: a new one in ``outputs`` of the workspace, without one in
            ``otx-workspace-SEGMENTATION/outputs``; or the resumed one.
        seed: of initialisation, data order and augmentation; None: 42.
        deterministic: use only deterministic GPU kernels (slower).
        mem_cache_size: memory for decoded training images, such as ``500MB``; None: `algo_backend.mem_cache_size`.
        parameters: ``{"group.name": value}`` hyper-parameters that differ from the template.
        overwrite: replace a result that `output` already holds.
        enable_hpo: search for better hyper-parameters first, see `search_space` of a template.
        hpo_time_ratio: time of search and training as a multiple of that of the training alone, above 1; None: 1.1, or
            what two trials take where epochs end the training.
        hpo_parallel: trials of the search at once; None: one for each GPU, one on a CPU.
        trackers: names of programs that show trainings, such as ``tensorboard`` or ``mlflow``; each gets a folder in
            ``trackers`` of the run. A run that continues keeps those it had.
        loggers: receive what the training tells, see `otx_seg.training.loggers`.

    Raises:
        UsageError: arguments that make no sense.
        DataError: the data cannot be used.
        OtxError: the training failed or was interrupted; the message says how to continue.
    """
    request = training_request(
        train_data_roots=train_data_roots,
        val_data_roots=val_data_roots,
        unlabeled_data_roots=unlabeled_data_roots,
        unlabeled_file_list=unlabeled_file_list,
        train_ann_files=train_ann_files,
        val_ann_files=val_ann_files,
        data_format=data_format,
        label_map=label_map,
        mem_cache_size=mem_cache_size,
        parameters=parameters,
        train_type=train_type,
        template=template,
        load_weights=load_weights,
        teacher=teacher,
        resume_from=resume_from,
        seed=seed,
        enable_hpo=enable_hpo,
        hpo_time_ratio=hpo_time_ratio,
        hpo_parallel=hpo_parallel,
        deterministic=deterministic,
    )
    end_with_launcher()
    join_processes()
    resolver, plan = all_or_none(lambda: _settle(workspace, request, from_pretrained, trackers))
    return train_planned(plan, resolver.destination(output, overwrite), trackers, loggers)


def training_request(**arguments: Any) -> Request:
    """What arguments of `train` ask for: those that say what the data is, and those that `Request` has.

    Raises:
        UsageError: two of them say the same.
    """
    roots = {name: arguments.pop(argument, None) for name, argument in _DATA.items()}
    data = DataSpec.given(arguments.pop("data_format", None), arguments.pop("label_map", None), **roots)
    parameters = _with_cache(arguments.pop("parameters", None) or {}, arguments.pop("mem_cache_size", None))
    return Request(data, parameters=parameters, **arguments)


def train_planned(
    plan: Plan, to: Destination, trackers: Sequence[str] = (), loggers: Sequence[Logger] = ()
) -> TrainResult:
    """As `train`, once it is settled what is trained."""
    processes = join_processes()
    with ExitStack() as stack:

        def begin() -> RunFolder | None:
            # The main process alone chooses and writes; the others of a torchrun job are told.
            if not processes.is_main_process:
                stack.enter_context(only_errors())
                return None
            opened = open_training_run(plan, to)
            stack.enter_context(log_to(opened))
            copy_run_files(plan, opened)
            return opened

        run = broadcast_object_list([all_or_none(begin)])[0]
        note_run(run)
        stack.enter_context(naming_lost_processes(run))
        stack.enter_context(with_resume_command(TRAIN, run, plan.resumed_run is not None))
        stack.enter_context(interruptions_as_such())
        tracked = open_trackers(trackers, run.trackers, plan.resumed_run is not None)
        rows = MayFail("what writes pictures of the training", PictureRows(run.pictures))
        told = Loggers([*loggers, rows, *tracked])
        stack.callback(told.on_close)
        return _train(plan, run, processes, told)


def join_processes() -> PartialState:
    """Take part in the training, be it with one process."""
    # Dividing many images into regions is done by one process; the others wait for longer than the usual minutes.
    return PartialState(cpu=on_cpu(), timeout=_LONGEST_WAIT)


def _settle(
    workspace: str | Path | None, request: Request, anew: bool, trackers: Sequence[str]
) -> tuple[Resolver, Plan]:
    check_trackers(trackers)
    resolver = open_resolver(workspace)
    return resolver, make_plan(with_last_round(resolver, complete_request(resolver, request), anew))


def _with_cache(parameters: dict[str, Any], size: str | int | None) -> dict[str, Any]:
    if size is None:
        return parameters
    if _CACHE in parameters:
        raise UsageError(f"--mem-cache-size and {_CACHE} are the same: give one of them")
    return {**parameters, _CACHE: parse_byte_size(str(size), "--mem-cache-size")}


def _train(plan: Plan, run: RunFolder, processes: PartialState, loggers: Loggers) -> TrainResult:
    # 1. Data, and what of the plan it decides.
    data, report = open_training_data(plan, run, loggers.on_scan)
    plan = settled(plan, data, report, processes)
    weights = () if report is None else label_weights(plan, report)
    cache = open_training_cache(data, plan.template)
    # 2. The network, after a search perhaps for what it is trained with.
    make_deterministic(plan.seed, plan.deterministic)
    plan, network, origin = begin(plan, data)
    context = TrainContext(plan.template, data, weights, run, plan.seed, loggers, cache, plan.teacher)
    if plan.search is not None:
        plan, context = _search(plan, context, network, origin)
        plan, network, origin = begin(plan, data)
    # 3. The training.
    training = _begin(plan, context, network, origin)
    if training.is_over:
        report_finished(run, training.state.ended)
    elif plan.search is None:
        announce_plan(plan, data, run, origin)
        if plan.state is not None:
            report_resume(training.state, plan.state, processes.num_processes)
    plan, result = _fit(training, plan, context)
    # 4. The report.
    if processes.is_main_process:
        finish(run, plan, data, report, origin, result)
        loggers.on_report(run.page)
    return result


def settled(plan: Plan, data: TrainingData, report: ScanReport | None, processes: PartialState) -> Plan:
    """The plan with all decisions made, or with those of the run to resume, or of another fold."""
    if plan.resumed_run is None and plan.decisions:
        plan = replace(plan, decisions=with_validation(plan.decisions, data))
    elif plan.resumed_run is None:
        # The processes of several machines might decide differently.
        machine = broadcast_object_list([machine_facts(processes_here(), processes.num_processes)])[0]
        plan = configure(plan, data, report, machine)
    else:
        refuse_other_data(plan, data)
        plan = replace(plan, decisions=decisions_of(plan.resumed_run))
    if processes.num_processes > 1:
        refuse_differences(plan, data)
    return plan


def _begin(plan: Plan, context: TrainContext, network: SegmentationNetwork, origin: str) -> Trainer:
    """The training of a plan, at its start or resumed."""
    training = build_trainer(context, network, origin)
    if plan.state is not None:
        training.resume(plan.state)
    elif PartialState().is_main_process:
        clear(context.run)  # now that nothing can be wrong with what was asked for
        write_plan(plan, context.data, context.run)
    return training


def _fit(training: Trainer, plan: Plan, context: TrainContext) -> tuple[Plan, TrainResult]:
    """Train to the end; if the values of a search fail, continue with those of its next best trial."""
    while True:
        try:
            return plan, training.fit()
        except FolderGoneError as error:
            raise training.rescued(error, partial(write_plan, plan, context.data)) from error
        except (DivergedError, OutOfMemoryError) as error:
            alone = PartialState().num_processes == 1  # otherwise the others know nothing of it
            following = promote_next(plan, context.run, str(error)) if alone else None
            if following is None:
                raise
            plan = following
        del training
        free_memory()
        plan, network, origin = begin(plan, context.data)
        training = _begin(plan, replace(context, template=plan.template), network, origin)


def _search(plan: Plan, context: TrainContext, network: SegmentationNetwork, origin: str) -> tuple[Plan, TrainContext]:
    """The plan with the best hyper-parameters, and their training so far as its state."""
    from otx_seg.hpo.search import Search  # Optuna is needed for nothing else

    search = Search(plan, context, network, origin)
    if plan.resumed_run is None:
        clear(context.run)
        search.prepare()  # before the plan: without these files it would be that of a training alone
        write_plan(plan, context.data, context.run)
    announce_plan(plan, context.data, context.run, origin)
    found, loggers = search.find()
    return found, replace(context, template=found.template, loggers=loggers)


def open_training_data(
    plan: Plan, run: RunFolder, progress: Callable[[str, int, int], None]
) -> tuple[TrainingData, ScanReport | None]:
    """The checked data of a plan, and the report on its training images, if they have masks."""
    if plan.train_type == "Selfsupervised":
        with PartialState().main_process_first():  # the others find the pseudo-masks made
            return open_regions_to_train_on(plan, run.region_masks, progress), None
    return all_or_none(lambda: check_data(plan, open_data(plan), progress))
