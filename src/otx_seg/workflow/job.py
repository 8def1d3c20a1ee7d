"""The state of an `otx run`: its inputs, and which of its steps are done."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager, suppress
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from otx_seg.datasets import DataSpec
from otx_seg.datasets.data_spec import PARTS
from otx_seg.errors import OtxError, UsageError
from otx_seg.runtime.plain_files import shown
from otx_seg.template import Template, from_dict
from otx_seg.training.checkpoint import differences, is_free
from otx_seg.training.loggers import Logger
from otx_seg.training.setup.plan import Plan
from otx_seg.workspace.atomic import write_json
from otx_seg.workspace.digest import digest_of
from otx_seg.workspace.own_files import damaged, read_own
from otx_seg.workspace.run_folder import JOB_STATE, RunFolder

_VERSION = 1
ADVICE = "start again with --overwrite, or choose another --output"
"""Where the state of a job is damaged."""
_CALLED = {
    "train data": "train_root",
    "validation data": "val_root",
    "test data": "test_root",
    "unlabelled data": "unlabelled_root",
    "list of unlabelled data": "unlabelled_list",
    "train annotations": "train_annotations",
    "validation annotations": "val_annotations",
    "test annotations": "test_annotations",
}
"""The paths of a `DataSpec` by what people call them."""


@dataclass(frozen=True)
class JobRequest:
    """The arguments that decide what an `otx run` makes; paths are absolute. What is None was not given."""

    data: DataSpec = field(default_factory=DataSpec)
    template: str | None = None
    seed: int | None = None
    parameters: dict[str, Any] = field(default_factory=dict)
    workspace: str | None = None  # its folder; None: the current one if it is one; empty: none

    @property
    def nothing(self) -> bool:
        """Whether no argument describes the job."""
        return replace(self, workspace=None) == JobRequest()

    def or_as_before(self, before: JobRequest) -> JobRequest:
        """These arguments, completed by those of an earlier job."""
        given = {name: value for name, value in vars(self).items() if value is not None}
        given["parameters"] = {**before.parameters, **self.parameters}
        was, now = before.data.roots, self.data.or_else(before.data).roots
        moved = [part for part in PARTS if now[part] != was[part]]
        if "train" in moved and was["val"] is None:
            moved.append("val")
        # A file of annotations belongs to its folder.
        given["data"] = self.data.or_else(before.data.without_annotations(moved))
        return replace(before, **given)


@dataclass(frozen=True)
class Job:
    """What the steps of an `otx run` work on.

    Attributes:
        folder: where everything goes, each step in a folder of its own.
        plan: of its training. Its data is also what is measured on; without a `test_root`, that is done on the
            validation images which are taken from the training images.
        workspace: its folder, if there is one.
        seconds: how long each model's speed is measured.
        shown: opens the display of a step.
        trackers: of the training, see `train`.
    """

    folder: Path
    plan: Plan
    workspace: Path | None
    seconds: float
    shown: Callable[[], AbstractContextManager[Logger]]
    trackers: Sequence[str] = ()

    @property
    def data(self) -> DataSpec:
        """What is trained on and measured on."""
        return self.plan.data

    @property
    def free_parameters(self) -> dict[str, Any]:
        """The given hyper-parameters that may change between calls."""
        named = _named_in(self.plan.template) if self.plan.template_named else self.plan.given
        return {name: value for name, value in named.items() if is_free(name)}

    @property
    def folders(self) -> dict[str, str | None]:
        """Where the data is, by what it is."""
        plain = self.data.resolved().as_plain()
        named = {what: plain[name] for what, name in _CALLED.items()}
        return named | {f"data added as {one['name']}": one["root"] for one in plain["added"]}

    def inputs(self) -> dict[str, Any]:
        """All inputs of the results, as plain values: the template, the data format, the folders and files, a digest of
        their names, sizes and times, and the lines of the label map.
        """
        plan, label_map = self.plan, self.data.label_map
        added = {
            f"data added as {one.name}": [one.as_plain(), *map(digest_of, filter(None, (one.root, one.annotations)))]
            for one in self.data.added
        }
        lines = None if label_map is None else label_map.as_yaml()
        return {
            "data format": self.data.data_format,
            "template": plan.template.as_dict() if plan.template_named else {"parameters": plan.given},
            "seed": plan.seed,
            "folders": self.folders,
            "files": {**{what: self._digest(name) for what, name in _CALLED.items()}, "label map": lines, **added},
        }

    def _digest(self, name: str) -> str | None:
        path = getattr(self.data, name)
        return None if path is None else digest_of(path)


def _named_in(template: Template) -> dict[str, Any]:
    values = {f"{group}.{name}": value for group, held in template.hyper_parameters for name, value in held}
    return {name: value for name, value in values.items() if name not in template.left_open}


@dataclass
class JobState:
    """``run.json``: rewritten after every step.

    Attributes:
        done: the result of each step that is done, by its name, as plain values.
        stopped: the name of the step that failed or was interrupted, and why; empty where none did.
        replaces: the products of another job in the folder, which stays until the first step of this one is done;
            None where there is none.
    """

    file: Path
    asked: JobRequest
    inputs: dict[str, Any]
    done: dict[str, dict[str, Any]] = field(default_factory=dict)
    stopped: dict[str, str] = field(default_factory=dict)
    replaces: tuple[str, ...] | None = None

    @property
    def trained(self) -> bool:
        """Whether there is a checkpoint to resume from."""
        return "train" in self.done or RunFolder(self.file.parent / "train").checkpoint.is_file()

    def write(self) -> None:
        """Write the file, atomically, unless it is still that of another job."""
        if self.replaces is not None:
            return
        asked = {**asdict(self.asked), **self.asked.data.as_plain()}
        del asked["data"]
        content = {"asked": asked, "inputs": self.inputs, "done": self.done, "stopped": self.stopped}
        write_json(self.file, {"version": _VERSION, **content})

    def forget_from(self, steps: Iterable[str]) -> None:
        """Mark these steps as not done."""
        for name in steps:
            self.done.pop(name, None)


@dataclass(frozen=True)
class _StateFile:
    """What ``run.json`` holds."""

    version: int
    asked: JobRequest
    inputs: dict[str, Any]
    done: dict[str, dict[str, Any]]
    stopped: dict[str, str]


@dataclass(frozen=True)
class _StateData:
    """The data in it, whose attributes stand beside the other arguments."""

    asked: DataSpec


def read_state(folder: Path) -> JobState | None:
    """The state of the `otx run` in a folder, or None if there is none.

    Raises:
        UsageError: the file is damaged.
    """
    file = folder / JOB_STATE
    if not file.is_file():
        return None
    found = read_own(file, _StateFile, ADVICE)
    if found.version != _VERSION:
        raise damaged(file, f"version {shown(found.version)}, not {_VERSION}", ADVICE)
    for name, result in found.done.items():
        product = result.get("file")
        if not isinstance(product, str) or Path(product).is_absolute() or ".." in Path(product).parts:
            raise damaged(file, f"done.{shown(name)}.file is {shown(product)}", ADVICE)
    asked = replace(found.asked, data=read_own(file, _StateData, ADVICE).asked)
    return JobState(file, asked, _with_all_keys(found.inputs), found.done, found.stopped)


def _with_all_keys(inputs: dict[str, Any]) -> dict[str, Any]:
    """The inputs that an earlier version wrote, with the defaults of what it did not know."""
    files, template = {"label map": None, **inputs.get("files", {})}, inputs.get("template", {})
    if "hyper_parameters" in template:
        with suppress(UsageError):  # another template: then the inputs differ
            template = from_dict(template, "the template of the job").as_dict()
    return {**inputs, "files": files, "template": template}


def only_evaluation_data_changed(before: dict[str, Any], now: dict[str, Any]) -> bool:
    """Whether the inputs of a job differ only in the files of its evaluation data."""
    return all(key in ("files.test data", "files.test annotations") for key, _, _ in differences(before, now))


def first_change(before: dict[str, Any], now: dict[str, Any]) -> str:
    """The first difference between the inputs of a job then and now, in words; empty if there is none."""
    found = differences(before, now)
    if not found:
        return ""
    key, then, is_now = found[0]
    more = f" (and {len(found) - 1} more)" if len(found) > 1 else ""
    if key.startswith("files."):
        return f"the files of the {key.removeprefix('files.')} have changed{more}"
    return f"{key.removeprefix('folders.')} was {then!r} and is {is_now!r}{more}"


def remove_replaced(state: JobState) -> None:
    """Forget the job that this one replaces: its state, the checkpoint of its training, and what its steps have made.

    Raises:
        OtxError: they cannot be removed.
    """
    folder = state.file.parent
    try:
        state.file.unlink(missing_ok=True)
        RunFolder(folder / "train").checkpoint.unlink(missing_ok=True)
        for product in state.replaces or ():
            (folder / product).unlink(missing_ok=True)
    except OSError as error:
        raise OtxError(f"{folder}: cannot be changed ({error.strerror}); choose another --output") from error
    state.replaces = None
