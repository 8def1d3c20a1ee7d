"""`otx train --folds K`: how good the networks of a training are on images that they were not trained on, all of them.

1. The images to train on are divided into K folds by label and seed.
2. For each fold a network is trained on the others and validated on it, in a folder of its own. All are trained in the
   same way: what the first one decides by itself, the others take from it.
3. The scores of the folds give a mean and a spread, and all images together a confusion matrix.

Nothing but the folders of the folds says what is done, so that they may be trained on several machines, and brought
together.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from otx_seg import template as templates
from otx_seg.datasets import Fold, scan
from otx_seg.datasets.loading.loader_processes import LoadingError
from otx_seg.errors import UsageError, interrupted_by
from otx_seg.inputs.resolver import open_resolver
from otx_seg.inputs.training import complete_request
from otx_seg.processes import world_size
from otx_seg.report.cross_validation import CrossValidation, write_cross_validation
from otx_seg.training.checkpoint import TRAIN, differences, is_written_down
from otx_seg.training.finished_fold import read_finished
from otx_seg.training.loggers import Logger, Loggers
from otx_seg.training.recorded_data import read_recorded
from otx_seg.training.setup.data import check_data, open_data
from otx_seg.training.setup.folder import decisions_of
from otx_seg.training.setup.plan import Plan, Request, make_plan
from otx_seg.training.stopping import InterruptedRunError
from otx_seg.training.trackers import check_trackers
from otx_seg.verbs.train import join_processes, settled, train_planned, training_request
from otx_seg.workspace.command_line import otx_command
from otx_seg.workspace.run_folder import Destination, RunFolder, choose_folder, folds_in, point_latest
from otx_seg.workspace.teacher_file import TeacherFile

logger = logging.getLogger(__name__)

SEVERAL_PROCESSES = (
    "--folds trains in one process: leave out torchrun, --gpus, --rdzv-endpoint, --base-rank and --world-size. To use "
    "several GPUs or machines, start a command for each fold, with --fold I and the same --output; "
    "CUDA_VISIBLE_DEVICES chooses among the GPUs"
)


def cross_validate(
    train_data_roots: str | Path | None = None,
    *,
    folds: int | None = None,
    fold: int | None = None,
    resume_from: str | Path | None = None,
    workspace: str | Path | None = None,
    output: str | Path | None = None,
    overwrite: bool = False,
    trackers: Sequence[str] = (),
    loggers: Sequence[Logger] = (),
    **arguments: Any,
) -> CrossValidation:
    """Train a network for each fold of the training images, and score each image by the network that has not seen it.

    Each fold is a run in ``<folder>/fold-<number>``. Once all are there, the folder holds ``cross_validation.json``
    (mean and standard deviation over folds), ``performance.json`` and ``confusion.png`` (all images together), and
    ``per_image.csv``.

    Args:
        train_data_roots: folder of labelled data; its images to train on are divided, a subset for validation is
            left out. None: that of the workspace.
        folds: number of folds, 2 to the number of images; None: that of the cross-validation to resume.
        fold: train this one alone, from 1; None: all that are not there.
        resume_from: folder of a cross-validation to continue with.
        output: the folder; folds that are in it are taken, or continued with, if they were made in the same way.
        overwrite: train folds again that are there.
        workspace, trackers, loggers: see `train`.
        arguments: others of `train`, which say how each fold is trained; not `enable_hpo`.

    Raises:
        UsageError: arguments that make no sense, or the folder holds folds of other data, seed or parameters.
        DataError: the data cannot be used.
        OtxError: a training failed or was interrupted; the message says how to continue.
    """
    request = training_request(train_data_roots=train_data_roots, **arguments)
    _refuse(request)
    check_trackers(trackers)
    resolver = open_resolver(workspace)
    if resume_from is None:
        request = _without_validation(complete_request(resolver, request))
    else:
        request, folds, output = _as_before(request, RunFolder(Path(resume_from)), folds, output)
    wanted = _wanted(folds, fold)
    plan, whole = _settle(request, resolver.destination(output, overwrite), wanted, Loggers(loggers))
    go_on = otx_command(TRAIN, "--resume-from", whole.path, *(() if fold is None else ("--fold", str(fold))))
    how = _How(request.parameters, overwrite, trackers, loggers, go_on)
    for each in wanted:
        plan = _train(replace(plan, fold=each), whole.fold(each.number), how)
    finished = [read_finished(whole.fold(number)) for number in range(1, wanted[0].of + 1)]
    found = CrossValidation(whole.path, wanted[0].of, tuple(one for one in finished if one is not None))
    if not found.missing:
        write_cross_validation(found)
    return found


# ---------------------------------------------------------------------- what is asked for


def _refuse(request: Request) -> None:
    """
    Raises:
        UsageError: the request does not go with folds.
    """
    if world_size() > 1:
        raise UsageError(SEVERAL_PROCESSES)
    if request.data.validation_named:
        raise UsageError(
            "--folds validates on the images of --train-data-roots, each once: leave out --val-data-roots and "
            "--val-ann-files; evaluate the finished networks on such images with `otx eval`"
        )
    if request.enable_hpo:
        raise UsageError(
            "--folds and --enable-hpo: each fold would have other values; search first, and give --folds the "
            "template.yaml of that run"
        )


def _without_validation(request: Request) -> Request:
    """The request without the validation data of a workspace."""
    if not request.data.validation_named:
        return request
    logger.info("the validation data of data.yaml is not used: each fold is validated on its part of the training data")
    return replace(request, data=replace(request.data, val_root=None, val_annotations=None))


def _wanted(folds: int | None, fold: int | None) -> list[Fold]:
    """The folds to train.

    Raises:
        UsageError: impossible numbers.
    """
    if folds is None:
        raise UsageError("--fold is one of several: give --folds too, the number of all")
    if folds < 2:
        raise UsageError(f"--folds {folds}: one part is validated on and the others are trained on; give 2 or more")
    if fold is not None and not 1 <= fold <= folds:
        raise UsageError(f"--fold {fold}: there are the folds 1 to {folds}")
    return [Fold(number, folds) for number in (range(1, folds + 1) if fold is None else (fold,))]


def _as_before(
    request: Request, whole: RunFolder, folds: int | None, output: str | Path | None
) -> tuple[Request, int, Path]:
    """The request completed by what a cross-validation was begun with; its number of folds, and its folder.

    Raises:
        UsageError: it is not there, or the request contradicts it.
    """
    begun = folds_in(whole.path)
    if not begun:
        raise UsageError(f"{whole.path}: no fold has begun there; run the original command again")
    if request.load_weights is not None:
        raise UsageError("--resume-from and --load-weights cannot be combined: the folds have their weights")
    if output is not None and Path(output).resolve() != whole.path.resolve():
        raise UsageError(f"a cross-validation stays in its folder, {whole.path}: leave --output out")
    recorded = read_recorded(begun[0])
    completed = replace(
        request,
        data=request.data.or_else(recorded.data),
        template=request.template or begun[0].template,
        load_weights=recorded.load_weights,
        teacher=request.teacher or _path_of(recorded.teacher),
        seed=recorded.seed if request.seed is None else request.seed,
        deterministic=request.deterministic or recorded.deterministic,
    )
    of_run = recorded.fold.of if recorded.fold is not None else 0
    return completed, of_run if folds is None else folds, whole.path


def _settle(request: Request, to: Destination, wanted: Sequence[Fold], loggers: Loggers) -> tuple[Plan, RunFolder]:
    """What all folds are trained with, as far as it is settled now, and the folder they are in.

    Raises:
        UsageError: the folder holds something else, or folds that were made otherwise.
    """
    replaced = {each.number for each in wanted} if to.overwrite else set()
    begun = [] if to.named is None else folds_in(to.named.path)
    kept = [run for run in begun if run.path.name not in {run.fold(number).path.name for number in replaced}]
    if kept and request.template is None and request.load_weights is None:
        request = replace(request, template=kept[0].template)
    plan = make_plan(replace(request, fold=wanted[0]))
    if plan.train_type == "Selfsupervised":
        raise UsageError("--folds compares validation scores, and self-supervised training has none: leave it out")
    whole = RunFolder(choose_folder(to, "cross_validation", plan.data.folders))
    if whole.template.exists() or whole.weights.exists():
        raise UsageError(f"{whole.path}: holds a training, not folds; choose another --output")
    for run in kept:
        plan = _as_begun(plan, run)
    if kept:
        _refuse_other_images(plan, kept)
    elif wanted[0].number != 1:
        plan = _decided_by_first(plan, loggers)
    return plan, whole


def _as_begun(plan: Plan, run: RunFolder) -> Plan:
    """The plan with what a fold that has begun has decided.

    Raises:
        UsageError: the fold was begun otherwise.
    """
    assert plan.fold is not None
    recorded, of_run = read_recorded(run), templates.load(run.template)
    chosen = plan.template.completed_by(of_run)
    number = run.path.name.removeprefix("fold-")
    pairs: list[tuple[str, object, object]] = [
        ("folds", recorded.fold, f"fold {number} of {plan.fold.of}"),
        ("seed", recorded.seed, plan.seed),
        ("load-weights", recorded.load_weights, plan.load_weights and plan.load_weights.resolve()),
        ("teacher", _short_digest(recorded.teacher), _short_digest(plan.teacher)),
    ]
    different = [(f"--{name}", *both) for name, *both in pairs if str(both[0]) != str(both[1])]
    maps = recorded.data.label_map, plan.data.label_map
    different += [("--label-map", *(one and one.source for one in maps))] if maps[0] != maps[1] else []
    different += differences(of_run.as_dict(), chosen.as_dict())
    if different:
        name, then, now = different[0]
        raise UsageError(
            f"{run.path}: was trained otherwise ({name}: {then} there, {now} here), and all folds are trained in the "
            "same way: give the same arguments, or choose another --output"
        )
    return replace(plan, template=chosen, template_named=True, decisions=plan.decisions or decisions_of(run))


def _path_of(teacher: TeacherFile | None) -> Path | None:
    return None if teacher is None else teacher.path


def _short_digest(teacher: TeacherFile | None) -> str | None:
    return None if teacher is None else f"SHA-256 {teacher.digest[:12]}..."


def _refuse_other_images(plan: Plan, begun: Sequence[RunFolder]) -> None:
    """
    Raises:
        UsageError: the images to train on are not those of the folds that have begun.
    """
    data = open_data(plan).train
    now = {sample.name for sample in data.samples}
    for run in begun:
        recorded = read_recorded(run)
        then = {*recorded.train, *recorded.val}
        # What cannot be read was left out then too.
        added = replace(data, samples=tuple(sample for sample in data.samples if sample.name not in then))
        if then - now or (added.samples and scan(added).images):
            first = sorted(then ^ now)[0]
            raise UsageError(
                f"{run.path}: was made from other images ({len(then)} then, {len(now)} now, the first that is not in "
                f"both: {first}); put them back, or choose another --output"
            )


def _decided_by_first(plan: Plan, loggers: Loggers) -> Plan:
    """The plan with what the first fold would decide, so that folds that begin on several machines agree."""
    assert plan.fold is not None
    wanted, first = plan.fold, replace(plan, fold=Fold(1, plan.fold.of))
    logger.info("%s decides what all folds are trained with:", first.fold)
    data, report = check_data(first, open_data(first), loggers.on_scan)
    return replace(settled(first, data, report, join_processes()), fold=wanted, template_named=True)


# ---------------------------------------------------------------------- a fold


@dataclass(frozen=True)
class _How:
    """What is the same for all folds, beside the plan.

    Attributes:
        parameters: those given.
        go_on: the command that continues with the cross-validation.
    """

    parameters: dict[str, Any]
    overwrite: bool
    trackers: Sequence[str]
    loggers: Sequence[Logger]
    go_on: str


def _train(plan: Plan, run: RunFolder, how: _How) -> Plan:
    """Train a fold, or go on with it, unless it is finished; the plan with what it has decided."""
    if not how.overwrite and read_finished(run) is not None:
        logger.info("%s: already finished, in %s", plan.fold, run.path)
        return plan
    logger.info("%s, in %s", plan.fold, run.path)
    planned = plan
    if not how.overwrite and (run.checkpoint.is_file() or is_written_down(run)):
        given = Request(plan.data, resume_from=run.path, seed=plan.seed, parameters=how.parameters)
        planned = make_plan(replace(given, deterministic=plan.deterministic, teacher=_path_of(plan.teacher)))
    try:
        train_planned(planned, Destination(run.path, how.overwrite), how.trackers, how.loggers)
    except (InterruptedRunError, LoadingError) as error:
        raise type(error)(f"{plan.fold}: {error.what}", how.go_on) from error
    except KeyboardInterrupt as error:
        if not folds_in(run.path.parent):
            raise
        what = f"{plan.fold}: {interrupted_by(error)} before its first step"
        raise InterruptedRunError(what, how.go_on) from error
    point_latest(run, part_of=run.path.parent)
    if plan.decisions:
        return plan
    return replace(plan, template=templates.load(run.template), template_named=True, decisions=decisions_of(run))
