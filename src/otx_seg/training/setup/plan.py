"""What a training is to do, settled from its arguments before anything is written."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from otx_seg import template as templates
from otx_seg.algorithms.build_losses import takes_label_weights
from otx_seg.configuration.facts import AS_GIVEN, Decision
from otx_seg.configuration.learning import FROZEN_START
from otx_seg.datasets import DEFAULT_SEED, DataSpec, Fold
from otx_seg.errors import UsageError
from otx_seg.labels import Labels
from otx_seg.models.fit import try_network
from otx_seg.template import Template
from otx_seg.template.group import AUTO
from otx_seg.template.plain_names import by_own_names
from otx_seg.training.checkpoint import (
    find_checkpoint,
    is_written_down,
    read_checkpoint,
    refuse_other_template,
    template_of,
)
from otx_seg.training.optimizer import refuse_idle_groups
from otx_seg.training.recorded_data import read_recorded
from otx_seg.training.setup.search_settings import Settings, check_settings, read_settings
from otx_seg.training.setup.teacher import choose_teacher, resumed_teacher
from otx_seg.training.setup.train_type import ASKED, OF_TEMPLATE, PARAMETER, choose_train_type
from otx_seg.workspace.run_folder import RunFolder
from otx_seg.workspace.teacher_file import TeacherFile
from otx_seg.workspace.weights import BackboneFile, WeightsFile, read_start


@dataclass(frozen=True)
class Plan:
    """What a training is to do, settled before anything is written.

    Attributes:
        reason: why its train type was chosen.
        load_weights: what the training starts from, or None.
        known: the labels of these weights, or None where there are none.
        trained_size: (height, width) in pixels of the input that the whole network of these weights was trained with;
            None where they are none, or a backbone alone.
        state: the checkpoint of the run to resume, or None.
        search: how to search for hyper-parameters before the training, or None.
        given: the parameters that were asked for, which any template gets.
        template_named: whether the template is settled; otherwise the data may decide on another one.
        template_reason: why it is that one, if it is settled.
        fold: which part of the training images is validated on in a cross-validation, or None.
        decisions: what was decided since, see `training.setup.auto_configuration`; those of another fold count for
            this one too.
        deterministic: whether only deterministic GPU kernels are used.
        teacher: what the training learns from beside the masks, or None.
        last_round: folder of an earlier training that this one is compared with, or None.
    """

    template: Template
    reason: str
    data: DataSpec
    seed: int
    load_weights: Path | None
    known: Labels | None
    state: dict[str, Any] | None
    resumed_run: RunFolder | None
    search: Settings | None = None
    given: dict[str, Any] = field(default_factory=dict)
    template_named: bool = True
    trained_size: tuple[int, int] | None = None
    decisions: tuple[Decision, ...] = ()
    deterministic: bool = False
    template_reason: str = AS_GIVEN
    teacher: TeacherFile | None = None
    fold: Fold | None = None
    last_round: Path | None = None

    @property
    def train_type(self) -> str:
        return self.template.hyper_parameters.algo_backend.train_type


@dataclass(frozen=True)
class Request:
    """The arguments of `train` that decide the plan; see there.

    Attributes:
        template_reason, train_type_reason: where `template` and `train_type` come from.
        fold, last_round: see `Plan`; one that is resumed has its own.
    """

    data: DataSpec = field(default_factory=DataSpec)
    train_type: str | None = None
    template: str | Path | None = None
    load_weights: str | Path | None = None
    teacher: str | Path | None = None
    resume_from: str | Path | None = None
    seed: int | None = None
    parameters: dict[str, Any] = field(default_factory=dict)
    enable_hpo: bool = False
    hpo_time_ratio: float | None = None
    hpo_parallel: int | None = None
    deterministic: bool = False
    template_reason: str = AS_GIVEN
    train_type_reason: str = ASKED
    fold: Fold | None = None
    last_round: Path | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "parameters", by_own_names(self.parameters))


def make_plan(request: Request) -> Plan:
    """Settle the arguments of `train`.

    Raises:
        UsageError: they make no sense together, or the run to resume is not there or was made otherwise.
    """
    given = request.data
    if given.unlabelled_list is not None and given.unlabelled_root is None and request.resume_from is None:
        raise UsageError("--unlabeled-file-list names images in a folder: give --unlabeled-data-roots too")
    if not request.enable_hpo and request.resume_from is None:
        for option, value in (("time-ratio", request.hpo_time_ratio), ("parallel", request.hpo_parallel)):
            if value is not None:
                raise UsageError(f"--hpo-{option} says how to search for hyper-parameters: give --enable-hpo too")
    if request.resume_from is not None:
        return _resumed_plan(request, Path(request.resume_from))
    by_weights = request.template is None
    reason = "that of the weights" if by_weights else request.template_reason
    plan = replace(_new_plan(request), deterministic=request.deterministic, template_reason=reason)
    return replace(plan, fold=request.fold, last_round=request.last_round)


def _new_plan(request: Request) -> Plan:
    assert request.data.train_root is not None  # the resolver of the command has asked for it
    by_parameter = request.parameters.get(PARAMETER)
    if None not in (request.train_type, by_parameter) and str(by_parameter).lower() != str(request.train_type).lower():
        raise UsageError(f"--train-type {request.train_type} and {PARAMETER}={by_parameter} contradict each other")
    weights = None if request.load_weights is None else Path(request.load_weights)
    start = None if weights is None else read_start(weights)
    chosen = _choose_template(request.template, start)
    in_template = chosen.hyper_parameters.algo_backend.train_type
    asked, why = request.train_type or by_parameter, request.train_type_reason
    if asked is None and in_template != "Incremental":
        asked, why = in_template, OF_TEMPLATE
    # Data that is said to be of some format is not looked at as bare images.
    bare = None if request.data.described else request.data.train_root
    unlabelled = request.data.unlabelled_root is not None
    train_type, reason = choose_train_type(asked, bare, request.data.validation_named, unlabelled, why)
    if train_type == "Selfsupervised" and (request.data.described or request.data.label_map is not None):
        raise UsageError(
            "--train-type Selfsupervised uses only images: leave out --data-format, --label-map and "
            "--train-ann-files, and name the folder of the images"
        )
    chosen = chosen.override({**request.parameters, PARAMETER: train_type})
    seed = DEFAULT_SEED if request.seed is None else request.seed
    known = start.labels if isinstance(start, WeightsFile) else None
    _refuse_unused(chosen, known, request.parameters)
    if train_type == "Selfsupervised":
        chosen = chosen.override({FROZEN_START: AUTO})  # of a template for other trainings
    search = check_settings(request.hpo_time_ratio, request.hpo_parallel) if request.enable_hpo else None
    if search is not None and train_type == "Selfsupervised":
        raise UsageError("--enable-hpo compares validation scores, and self-supervised training has none: leave it out")
    named = request.template is not None or (start is not None and start.template is not None)
    shipped = _shipped(chosen)
    # The last of what may be refused, since they take a second.
    teacher = choose_teacher(request.teacher, train_type, request.parameters)
    if shipped is None or _learning(chosen) != _learning(shipped):
        refuse_idle_groups(try_network(chosen), chosen)
    size = start.input_size if isinstance(start, WeightsFile) and start.input_size in chosen.input_sizes else None
    plan = Plan(chosen, reason, request.data, seed, weights, known, None, None, search, request.parameters, named, size)
    return replace(plan, teacher=teacher)


def _choose_template(named: str | Path | None, start: WeightsFile | BackboneFile | None) -> Template:
    """The named template; else that of the weights, as shipped if it still exists; else the default."""
    made_from = start.template if start is not None and named is None else None
    if made_from is None:
        return templates.load(named or templates.default_template())
    return _shipped(made_from) or made_from.override({FROZEN_START: AUTO})


def _shipped(template: Template) -> Template | None:
    """The template of this name that comes with the program, if it makes the same network."""
    if all(item.name != template.name for item in templates.find_templates()):
        return None
    shipped = templates.load(template.name)
    return shipped if shipped.model == template.model else None


def _learning(template: Template) -> tuple[Any, ...]:
    return template.optimizer, template.parameter_groups


def _refuse_unused(template: Template, known: Labels | None, given: dict[str, Any]) -> None:
    """
    Raises:
        UsageError: a parameter that would do nothing, or that does not go with the training method.
    """
    parameters = template.hyper_parameters.learning_parameters
    train_type = template.hyper_parameters.algo_backend.train_type
    if parameters.enable_supcon and train_type != "Incremental":
        raise UsageError(f"learning_parameters.enable_supcon needs only labelled images, not {train_type} training")
    if FROZEN_START in given and parameters.frozen_backbone_iters and train_type == "Selfsupervised":
        raise UsageError(
            "learning_parameters.frozen_backbone_steps: self-supervised training trains the backbone alone"
        )
    if train_type == "Selfsupervised" and "learning_parameters.watch" in given:
        raise UsageError("learning_parameters.watch is a validation score, and self-supervised training has none")
    compares = [name for name in ("average_best", "precise_bn_images") if getattr(parameters, name)]
    if train_type == "Selfsupervised" and compares:
        raise UsageError(
            f"learning_parameters.{compares[0]} compares validation scores, and self-supervised training has none"
        )
    if template.lists_main_losses and "learning_parameters.loss" in given:
        raise UsageError(
            f"learning_parameters.loss={parameters.loss}: template {template.name} lists losses of its own; remove one"
        )
    if "learning_parameters.class_weights" in given and not takes_label_weights(template):
        raise UsageError(
            f"learning_parameters.class_weights: {parameters.loss} counts labels alike: leave them out, "
            "or choose a loss that uses them, such as learning_parameters.loss=cross_entropy_dice"
        )
    if parameters.task_adapt == "merge" and (known is None or train_type == "Selfsupervised"):
        raise UsageError(
            "learning_parameters.task_adapt=merge adds labels to those of a trained model: give its --load-weights"
        )
    if "learning_parameters.binary_threshold" in given and not parameters.binary:
        raise UsageError(
            "learning_parameters.binary_threshold is about a network with one channel for two labels: add "
            "learning_parameters.binary=true"
        )
    if parameters.binary and train_type == "Selfsupervised":
        raise UsageError("learning_parameters.binary is about labels, which self-supervised training has none of")
    if parameters.use_otx_adapter and train_type == "Selfsupervised":
        raise UsageError(
            "learning_parameters.polygon_round_trip is about masks, which self-supervised training has none of"
        )


def _resumed_plan(request: Request, resume_from: Path) -> Plan:
    if request.load_weights is not None:
        raise UsageError("--resume-from and --load-weights cannot be combined: a resumed run has its weights")
    run, of_run, state, search = _find_resumed(request, resume_from)
    asked, data = dict(request.parameters), request.data
    if request.train_type is not None or data.unlabelled_root is not None:
        given = (data.val_root is not None, data.unlabelled_root is not None)
        asked[PARAMETER] = choose_train_type(request.train_type, None, *given)[0]
    chosen = templates.load(request.template) if request.template is not None else of_run
    chosen = chosen.override(asked).completed_by(of_run)
    refuse_other_template(of_run, chosen)
    if data.val_root is not None and of_run.hyper_parameters.algo_backend.train_type == "Selfsupervised":
        raise UsageError("the run to resume is self-supervised and uses no masks: leave out --val-data-roots")
    if data.unlabelled_list is not None and of_run.hyper_parameters.algo_backend.train_type != "Semisupervised":
        raise UsageError("the run to resume uses no unlabelled images: leave out --unlabeled-file-list")
    recorded = read_recorded(run)
    recorded.refuse_other_seed(request.seed)
    recorded.refuse_other_label_map(data.label_map)
    reason = "as in the run to resume"
    begins_with = recorded.load_weights if state is None and search is None else None
    data = data.or_else(recorded.data)
    plan = Plan(chosen, reason, data, recorded.seed, begins_with, recorded.known_labels, state, run, search)
    teacher = resumed_teacher(request.teacher, recorded.teacher)
    deterministic = request.deterministic or recorded.deterministic
    plan = replace(plan, deterministic=deterministic, teacher=teacher)
    return replace(plan, fold=recorded.fold, last_round=recorded.last_round)


def _find_resumed(
    request: Request, resume_from: Path
) -> tuple[RunFolder, Template, dict[str, Any] | None, Settings | None]:
    """The run to continue with: its template, its checkpoint or, where there is none yet, its search, if it has one.

    Raises:
        UsageError: it is missing, or was not started like this.
    """
    searching = RunFolder(resume_from.resolve())
    if searching.search_settings.is_file() and not searching.checkpoint.exists():
        recorded, of_run = read_settings(searching)
        _refuse_other_search(request, recorded.ratio)
        parallel = recorded.parallel if request.hpo_parallel is None else request.hpo_parallel
        return searching, of_run, None, check_settings(recorded.ratio, parallel)
    if is_written_down(searching):
        return searching, templates.load(searching.template), None, None
    path = find_checkpoint(resume_from)
    state = read_checkpoint(path)
    run = RunFolder(path.resolve().parents[2])
    if run.search_settings.is_file():
        _refuse_other_search(request, read_settings(run)[0].ratio)
    elif request.enable_hpo or request.hpo_time_ratio is not None or request.hpo_parallel is not None:
        raise UsageError(f"{run.path}: was started without --enable-hpo; leave it out, or search in a new run")
    return run, template_of(state, path), state, None


def _refuse_other_search(request: Request, ratio: float) -> None:
    if request.hpo_time_ratio not in (None, ratio):
        raise UsageError(
            f"the run to resume has --hpo-time-ratio {ratio:g}, not {request.hpo_time_ratio:g}; leave it out"
        )
