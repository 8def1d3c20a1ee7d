"""A template: one YAML file that binds a network to the hyper-parameters it trains well with."""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from otx_seg.catalogue import nearest
from otx_seg.errors import UsageError
from otx_seg.runtime.plain_files import shown
from otx_seg.template import pipelines
from otx_seg.template.extending import Origin, read_template
from otx_seg.template.heads import MAIN, refuse_unequal_outputs
from otx_seg.template.hyper_parameters import LARGEST_SIDE, SIZE_STEP, SMALLEST_SIDE, HyperParameters
from otx_seg.template.idle_keys import refuse_idle_keys
from otx_seg.template.input_sizes import INPUT_SIZE, InputSizes
from otx_seg.template.invalid import explain, explained
from otx_seg.template.listing import find_template_file
from otx_seg.template.losses import Losses, losses_named
from otx_seg.template.plain_names import by_own_names, plainly
from otx_seg.template.search_space import Range, check_search_space

_PACKAGE = r"^[A-Za-z0-9][A-Za-z0-9._-]*==[A-Za-z0-9.+!]+$"
_ONE_LINE = r"^[^\x00-\x1f\x7f-\x9f]+$"  # no control characters


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class Pretrained(_Section):
    """Where the published weights of the backbone are: in a Python package, or at an address."""

    package: str | None = Field(
        None, pattern=_PACKAGE, description="package that holds the file, as NAME==VERSION; null: no package does"
    )
    file: str | None = Field(None, pattern=_ONE_LINE, description="path of the file in the package")
    url: str | None = Field(None, description="https address of the file; null: none")
    sha256: str | None = Field(
        None,
        pattern=r"^[0-9a-fA-F]{8,64}$",
        description="hexadecimal SHA-256 of the file, or its first 8 or more digits; null: not checked",
    )
    keys: str | None = Field(
        None,
        pattern=_ONE_LINE,
        description="how the file names its tensors; null: as the backbone, or a network with it",
    )
    part: str | None = Field(
        None, pattern=_ONE_LINE, description="module of the backbone that the file is for; null: the whole backbone"
    )
    licence: str | None = Field(None, pattern=_ONE_LINE, description="of the weights, as an SPDX identifier")

    @model_validator(mode="after")
    def _check_package(self) -> Pretrained:
        if (self.package is None) != (self.file is None):
            raise ValueError("package and file belong together: give both or none")
        return self

    @property
    def exists(self) -> bool:
        """Whether weights are published at all."""
        return self.package is not None or self.url is not None


class Schedule(_Section):
    """The shape of the learning-rate curve; `learning_parameters` hold its height and length."""

    warmup_start: float = Field(
        1 / 3, ge=0, le=1, description="learning rate of the first step, as a share of learning_rate"
    )
    poly_power: float = Field(0.9, gt=0, le=10, description="exponent of the polynomial decay")
    milestones: tuple[Annotated[float, Field(gt=0, lt=1)], ...] = Field(
        (0.5, 0.75), min_length=1, description="shares of the run after which multi_step lowers the learning rate"
    )
    milestone_factor: float = Field(0.1, gt=0, lt=1, description="factor of the learning rate at each milestone")
    exponential_end: float = Field(
        0.01, gt=0, lt=1, description="learning rate at the end of the exponential decay, as a share of learning_rate"
    )
    one_cycle_rise: float = Field(0.3, gt=0, lt=1, description="share of the run in which one_cycle rises")
    one_cycle_start: float = Field(
        0.04, gt=0, le=1, description="learning rate of the first step of one_cycle, as a share of learning_rate"
    )
    cooldown: float = Field(
        0.0, ge=0, le=0.9, description="last share of the run, in which the learning rate stays where the decay ended"
    )
    minimum_learning_rate: float = Field(1e-6, ge=0, description="learning rate at the end of the decay")
    plateau_factor: float = Field(0.1, gt=0, lt=1, description="factor of the learning rate when the score stalls")
    plateau_patience: int = Field(5, ge=0, description="validations without improvement before the factor applies")


class Quantization(_Section):
    """Layers that post-training quantisation leaves in floating point, and its estimation of ranges."""

    ignored_patterns: tuple[str, ...] = Field((), description="regular expressions of node names left unquantised")
    ignored_types: tuple[str, ...] = Field((), description="operation types left unquantised")
    range_quantile: float = Field(0.0, ge=0, lt=0.5, description="share of outliers cut from the ranges; 0: none")


class ParameterGroup(_Section):
    """Parameters of the network with their own learning rate, weight decay or freezing."""

    match: str = Field(
        min_length=1,
        max_length=1000,
        description="regular expression, searched for in the parameter names of weights.pth",
    )
    rate: float = Field(1.0, gt=0, le=1e4, description="factor of the learning rate")
    decay: float = Field(1.0, ge=0, le=1e4, description="factor of the optimizer's weight_decay")
    frozen_epochs: int = Field(0, ge=0, le=100_000, description="first epochs, in which the parameters are frozen")

    @field_validator("match")
    @classmethod
    def _check_match(cls, value: str) -> str:
        try:
            re.compile(value)
        except re.error as error:
            raise ValueError(f"not a regular expression: {error}") from error
        return value


class Template(_Section):
    """A complete, validated description of how a model is made."""

    name: str = Field(min_length=1, max_length=200, pattern=_ONE_LINE)
    id: str = Field(min_length=1, max_length=200, pattern=_ONE_LINE)
    family: str = Field("", max_length=200, description="the networks that it belongs to, for listings")
    category: Literal["SPEED", "BALANCE", "ACCURACY", "OTHER"]
    default: bool = False
    summary: str = Field(max_length=2000)
    gigaflops: float = Field(gt=0)
    parameter_count: int = Field(gt=0)
    size_mb: float = Field(gt=0)
    output_stride: float = Field(8.0, gt=0, description="pixels of the image per position of the network's output")
    size_divisor: int = Field(
        SIZE_STEP,
        ge=SIZE_STEP,
        le=LARGEST_SIDE,
        multiple_of=SIZE_STEP,
        description="the sides of the network's input are multiples of it, in pixels",
    )
    smallest_input: int = Field(
        SMALLEST_SIDE,
        ge=SMALLEST_SIDE,
        le=LARGEST_SIDE,
        multiple_of=SIZE_STEP,
        description="shortest side that the network's input may have, in pixels",
    )
    cpu_gigaflops_per_s: float = Field(
        2.0, gt=0, description="speed of training on a CPU core: billions of the forward pass's multiply-adds a second"
    )
    cpu_gigabytes_per_gigaflop: float = Field(
        0.5, gt=0, description="memory of a training step per image, for each billion of those multiply-adds"
    )
    model: dict[str, Any] = Field(
        description="argument of MMSegmentation's MODELS.build; its 2 classes become the labels of the data"
    )
    pretrained: Pretrained
    train_pipeline: pipelines.Pipeline = Field(
        pipelines.TRAIN, description="classes of otx_seg.transforms with their arguments, without sizes"
    )
    weak_pipeline: pipelines.Pipeline = Field(
        pipelines.WEAK, description="as train_pipeline, for the teacher's view of unlabelled images"
    )
    strong_pipeline: pipelines.Pipeline = Field(
        pipelines.STRONG,
        description="further augmentation of the student's view of unlabelled images, without geometry",
    )
    second_pipeline: pipelines.Pipeline = Field(
        pipelines.SECOND, description="as train_pipeline, for the second view of supervised contrastive training"
    )
    first_crop_pipeline: pipelines.Pipeline = Field(
        pipelines.FIRST_CROP, description="as train_pipeline, for the first view of self-supervised training"
    )
    second_crop_pipeline: pipelines.Pipeline = Field(
        pipelines.SECOND_CROP, description="as train_pipeline, for the second view of self-supervised training"
    )
    losses: Losses | dict[str, Losses] | None = Field(
        None,
        description="classes of otx_seg.losses with a weight each, whose weighted sum is minimised: a list for the "
        "main output, or lists by output name (main, aux_0, decode_0); null, or a missing main: "
        "learning_parameters.loss",
    )
    optimizer: dict[str, Any] = Field(
        description="class of torch.optim or otx_seg.optimizers with its arguments except the learning rate"
    )
    parameter_groups: tuple[ParameterGroup, ...] = Field(
        (),
        description="groups of parameters with match, rate, decay and frozen_epochs each; a parameter belongs to "
        "the first group that matches. Without the published weights of the template, all have the highest rate",
    )
    schedule: Schedule = Schedule()
    gradient_clip_norm: float | None = Field(
        None, gt=0, description="gradients are scaled down to this L2 norm; null: never"
    )
    quantization: Quantization = Quantization()
    hyper_parameters: HyperParameters = HyperParameters()
    search_space: dict[str, dict[str, Range]] = Field(
        {},
        description="ranges that --enable-hpo searches, as group: {name: {low, high, log}}; empty: learning rates "
        "from a tenth to ten times the given one, and from 0.0001 to 0.01",
    )

    @property
    def input_size(self) -> tuple[int, int]:
        """(height, width) in pixels of the network's input; the default if it is auto."""
        height, width = self.hyper_parameters.learning_parameters.input_size.split("x")
        return int(height), int(width)

    @property
    def input_sizes(self) -> InputSizes:
        """Those that the network takes."""
        return InputSizes(self.size_divisor, self.smallest_input)

    @property
    def training_gigabytes(self) -> float:
        """Memory of a training step without a GPU, per 512x512 image."""
        return self.gigaflops * self.cpu_gigabytes_per_gigaflop

    @property
    def input_side(self) -> float:
        """The side in pixels of a square input as large as `input_size`."""
        return math.sqrt(math.prod(self.input_size))

    @property
    def left_open(self) -> tuple[str, ...]:
        """``group.name`` of the hyper-parameters that are decided when a training begins."""
        return tuple(f"{name}.{parameter}" for name, group in self.hyper_parameters for parameter in group.left_open)

    @property
    def losses_by_output(self) -> dict[str, Losses]:
        """The losses whose weighted sum is minimised, by output, the main one's first."""
        written = self.losses if isinstance(self.losses, dict) else {}
        if isinstance(self.losses, tuple):
            written = {MAIN: self.losses}
        return {MAIN: losses_named(self.hyper_parameters.learning_parameters.loss), **written}

    @property
    def lists_main_losses(self) -> bool:
        """Whether it lists the losses of the main output, so that learning_parameters.loss has no effect."""
        return isinstance(self.losses, tuple) or (self.losses is not None and MAIN in self.losses)

    def override(self, values: dict[str, Any]) -> Template:
        """The template with some hyper-parameters replaced.

        Args:
            values: ``{"group.name": value}``; texts are converted to the parameter's type.

        Raises:
            UsageError: an unknown name (with the nearest known one), a wrong type, a value out of range, or an input
                size that the network does not take.
        """
        changed = self.model_copy(update={"hyper_parameters": _replaced(self.hyper_parameters, values)})
        changed.input_sizes.refuse_others(changed.input_size, self.name)
        return changed

    def completed_by(self, other: Template) -> Template:
        """The template with its `auto` values taken from another."""
        groups = {group: values.model_dump() for group, values in other.hyper_parameters}
        return self.override({name: groups[name.split(".")[0]][name.split(".")[1]] for name in self.left_open})

    def as_yaml(self) -> str:
        """The template as a file that `load` reads back to an equal template, every default written out."""
        return yaml.safe_dump(self.as_dict(), sort_keys=False, allow_unicode=True, width=120)

    def as_dict(self) -> dict[str, Any]:
        """The template as plain values (no tuples, no objects)."""
        return self.model_dump(mode="json")


class Settings(_Section):
    """What of a template concerns a finished model; the schema's defaults for one that was made from no template."""

    hyper_parameters: HyperParameters = HyperParameters()
    quantization: Quantization = Quantization()

    def override(self, values: dict[str, Any]) -> Settings:
        """See `Template.override`."""
        return self.model_copy(update={"hyper_parameters": _replaced(self.hyper_parameters, values)})


def _replaced(parameters: HyperParameters, values: dict[str, Any]) -> HyperParameters:
    groups = parameters.model_dump()
    known = [f"{group}.{name}" for group, held in groups.items() for name in held]
    for dotted, value in by_own_names(values).items():
        if dotted not in known:
            raise UsageError(f"unknown parameter {dotted!r}; {nearest(dotted, [plainly(name) for name in known])}")
        group, name = dotted.split(".")
        groups[group][name] = value
    try:
        return HyperParameters.model_validate(groups)
    except ValidationError as error:
        raise UsageError(explain(error, HyperParameters)) from error


def load(name: str | Path) -> Template:
    """Read a template by name, id or path.

    Raises:
        UsageError: unknown name; a file that is no template: unknown keys, wrong types, values out of range.
    """
    content, origin = read_template(find_template_file(name))
    template = _validated(content, origin)
    refuse_idle_keys(template.model, origin)
    refuse_unequal_outputs(template.model, template.losses_by_output, origin)
    return template


def from_dict(content: dict[str, Any], where: str) -> Template:
    """Validate a template given as plain values; `where` names its origin in messages.

    Raises:
        UsageError: as for `load`.
    """
    if not isinstance(content, dict):
        raise UsageError(f"{where}: a template is a mapping of keys to values, this is {shown(content)}")
    return _validated(content, Origin.one(where))


def _validated(content: dict[str, Any], origin: Origin) -> Template:
    _refuse_numbers_as_text(content, origin)
    content = _with_groups(content)
    try:
        # JSON mode: lists stand for tuples, but texts do not stand for numbers.
        template = Template.model_validate_json(_as_json(content, origin.of("")), strict=True)
    except ValidationError as error:
        key, problem = explained(error, Template)
        raise UsageError(f"{origin.of(key)}: {problem}") from error
    check_search_space(template.search_space, origin)
    try:
        template.input_sizes.refuse_others(template.input_size, template.name)
    except UsageError as error:
        raise UsageError(f"{origin.of(f'hyper_parameters.{INPUT_SIZE}')}: {error}") from error
    return template


def _with_groups(content: dict[str, Any]) -> dict[str, Any]:
    """A template of an earlier version, which named the parameters without weight decay under `optimizer`."""
    optimizer = content.get("optimizer")
    if not isinstance(optimizer, dict) or not isinstance(optimizer.get("undecayed"), list):
        return content
    rest = {key: value for key, value in optimizer.items() if key != "undecayed"}
    groups = [{"match": re.escape(str(text)), "decay": 0.0} for text in optimizer["undecayed"]]
    return {"parameter_groups": groups, **content, "optimizer": rest}


def _as_json(content: dict[str, Any], where: str) -> str:
    import json

    try:
        return json.dumps(content, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise UsageError(f"{where}: has a value that is not text, a number, a list or a mapping ({error})") from error


_NUMBER_AS_TEXT = re.compile(r"[+-]?\d+(\.\d*)?[eE][+-]?\d+")


def _refuse_numbers_as_text(value: Any, origin: Origin, key: str = "") -> None:
    """YAML 1.1 takes 6e-5 for text; handing that to an optimiser fails far away, or worse, does not. Nor are NaN and
    infinity of use to anybody."""
    if isinstance(value, dict):
        for name, item in value.items():
            _refuse_numbers_as_text(item, origin, f"{key}.{name}".lstrip("."))
    elif isinstance(value, (list, tuple)):
        for index, item in enumerate(value):
            _refuse_numbers_as_text(item, origin, f"{key}[{index}]")
    elif isinstance(value, float) and not math.isfinite(value):
        raise UsageError(f"{origin.of(key)}: {key}: is {value}, no number")
    elif isinstance(value, str) and _NUMBER_AS_TEXT.fullmatch(value):
        mantissa, exponent = re.split("[eE]", value)
        sign = exponent if exponent[0] in "+-" else f"+{exponent}"
        fixed = f"{mantissa if '.' in mantissa else mantissa + '.0'}e{sign}"
        raise UsageError(f"{origin.of(key)}: {key}: YAML reads {value[:60]} as text; write {fixed[:60]}")
