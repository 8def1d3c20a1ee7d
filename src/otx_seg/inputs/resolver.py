"""The inputs of a command: its arguments, completed from the workspace around it.

One mechanism for all verbs: each asks the resolver for what it needs, with what was given; the resolver says what it
took from where. What reads data is imported when a workspace has some, since `otx predict` would wait for it.
"""

from __future__ import annotations

import functools
import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn, TypeAlias

from otx_seg.errors import DataError, UsageError
from otx_seg.processes import rank
from otx_seg.workspace.exports import latest_exported, latest_quantized
from otx_seg.workspace.run_folder import Destination, latest_weights
from otx_seg.workspace.workspace import Workspace, find_workspace, hint_to_workspace, nothing_trained, outputs_of

if TYPE_CHECKING:
    from otx_seg.datasets import DataSpec
    from otx_seg.datasets.data_spec import Addition
    from otx_seg.datasets.label_map import LabelMap
    from otx_seg.workspace.data_file import Added, Data

logger = logging.getLogger(__name__)

Weights: TypeAlias = str | Path | Sequence[str | Path] | None
"""One model, several whose probabilities are averaged, or None for the last one trained."""


def open_resolver(workspace: str | Path | None) -> Resolver:
    """The resolver of a command.

    Args:
        workspace: the folder of a workspace; None: the current folder, whether it is one or not; empty: in none.

    Raises:
        UsageError: `workspace` is none.
    """
    return Resolver(find_workspace(workspace))


@dataclass(frozen=True)
class Resolver:
    """Completes arguments from a workspace; without one, only from the last models below the current folder."""

    workspace: Workspace | None

    @property
    def outputs(self) -> Path:
        """The folder of new runs."""
        return outputs_of(self.workspace)

    def destination(self, output: str | Path | None, overwrite: bool) -> Destination:
        """Where the command writes: the folder given, else a new one among the runs."""
        return Destination(output, overwrite, self.outputs)

    @functools.cached_property
    def data(self) -> Data:
        """What ``data.yaml`` says. Raises UsageError if it cannot be understood."""
        from otx_seg.workspace.data_file import Data

        return Data() if self.workspace is None else data_of(self.workspace)

    # ------------------------------------------------------------------ template

    def template(self, given: str | Path | None) -> str | Path | None:
        """The template given, else that of the workspace, if there is one."""
        if given is not None or self.workspace is None:
            return given
        return self.taken("template", self.workspace.template)

    # ------------------------------------------------------------------ data

    def root(self, given: str | Path | None, part: str) -> Path | None:
        """The folder given, else that which ``data.yaml`` names for a part of the data, else None.

        Args:
            part: ``train``, ``val``, ``test`` or ``unlabeled``.

        Raises:
            UsageError: ``data.yaml`` cannot be understood.
            DataError: it names a folder that is missing.
        """
        return Path(given) if given is not None else self.path_in_data(part, "data_roots", f"{part} data")

    def train_root(self, given: str | Path | None) -> Path:
        """The folder to train on: the one given, else that of ``data.yaml``.

        Raises:
            UsageError: there is none.
        """
        found = self.root(given, "train")
        hint = (
            "name the folder of the training images and masks; or, to train a backbone on images alone, the folder "
            "of these images"
        )
        return self.missing("--train-data-roots", hint) if found is None else found

    def names(self, part: str) -> bool:
        """Whether ``data.yaml`` names a folder for a part of the data."""
        return getattr(self.data, part).data_roots is not None

    def file_list(self, given: str | Path | None) -> Path | None:
        """The list of unlabelled images given, else that of ``data.yaml``, else None. Raises as `root`."""
        if given is not None:
            return Path(given)
        return self.path_in_data("unlabeled", "file_list", "list of unlabeled images")

    def data_format(self, given: str | None) -> str | None:
        """The name of the format given, else that which ``data.yaml`` names for labelled data, else None."""
        if given is not None or self.data.data_format is None:
            return given
        self._tell("format of the data", self.data.data_format)
        return self.data.data_format

    def label_map(self, given: LabelMap | None) -> LabelMap | None:
        """The label map given, else that which ``data.yaml`` names for labelled data, else None.

        Raises:
            UsageError: it cannot be read.
        """
        if given is not None or self.workspace is None or self.data.label_map is None:
            return given
        found = label_map_of(self.data, self.workspace)
        self._tell("label map", self.data.label_map)
        return found

    def path_in_data(self, part: str, field: str, what: str) -> Path | None:
        """A path that ``data.yaml`` names, else None.

        Args:
            part: ``train``, ``val``, ``test`` or ``unlabeled``.
            field: ``data_roots``, ``ann_files`` or ``file_list``.
            what: what it is, to say that it was taken from there.

        Raises:
            UsageError: ``data.yaml`` cannot be understood.
            DataError: there is no such folder or file.
        """
        if self.workspace is None:
            return None
        value = getattr(getattr(self.data, part), field)
        if value is None:
            return None
        path = self.workspace.path / value
        of_folder = field == "data_roots"
        if not (path.exists() if of_folder else path.is_file()):
            key = f"data.{part}.{field.replace('_', '-')}"
            lacking = "no such file or folder" if of_folder else "no such file"
            raise DataError(f"{self.workspace.data}: {key}: {path}: {lacking}; correct it there")
        return self.taken(what, path)

    def additions(self) -> tuple[Addition, ...]:
        """What came to the training data of ``data.yaml`` later.

        Raises:
            UsageError: ``data.yaml`` or a label map cannot be read.
            DataError: a folder or a file is missing.
        """
        if self.workspace is None:
            return ()
        found = additions_of(self.data, self.workspace)
        for one in found:
            for key, path in (("data-roots", one.root), ("ann-files", one.annotations)):
                if path is not None and not path.exists():
                    where = f"{self.workspace.data}: data.added.{one.name}.{key}: {path}"
                    raise DataError(f"{where}: no such file or folder; correct it there, or remove the entry")
            self.taken("added to it", one.root)
        return found

    # ------------------------------------------------------------------ models

    def weights(self, given: str | Path | None) -> Path:
        """The model given, else the last one trained.

        Raises:
            UsageError: there is none.
        """
        if given is not None:
            return Path(given)
        latest = latest_weights(self.outputs)
        if latest is None:
            raise UsageError(nothing_trained(self.workspace is not None))
        return self.taken("weights of the last training", latest)

    def all_weights(self, given: Weights) -> list[Path]:
        """The models given, else the last one trained.

        Raises:
            UsageError: there is none, or one is given twice.
        """
        if given is None or isinstance(given, (str, Path)):
            return [self.weights(given)]
        files = [Path(file) for file in given]
        if not files:
            raise UsageError("load_weights is an empty list; leave it out for the last model trained")
        twice = next((file for file in files if files.count(file) > 1), None)
        if twice is not None:
            raise UsageError(f"{twice}: is given twice with --load-weights; give it once")
        return files

    def exported(self, given: str | Path | None, quantized_too: bool) -> Path:
        """The model given, else the OpenVINO model exported last; the warning says if it is older than the weights.

        Args:
            quantized_too: whether one from `otx optimize` is taken as well.

        Raises:
            UsageError: there is none.
        """
        if given is not None:
            return Path(given)
        candidates = [latest_exported(self.outputs), latest_quantized(self.outputs) if quantized_too else None]
        found = _newest(candidates)
        if found is None:
            hint = "and no model was exported in this folder's workspace: run `otx export` first"
            return self.missing("--load-weights", hint, ", ")
        self._warn_if_old(found)
        return self.taken("model exported last" if not quantized_too else "model exported or quantised last", found)

    def every_model(self, given: Iterable[str | Path]) -> list[Path]:
        """The models given, else the weights trained, the model exported and the model quantised last.

        Raises:
            UsageError: there are none.
        """
        if named := [Path(file) for file in given]:
            return named
        outputs = self.outputs
        exported = [path for path in (latest_exported(outputs), latest_quantized(outputs)) if path is not None]
        trained = latest_weights(outputs)
        for path in exported:
            self._warn_if_old(path)
        found = [path for path in (trained, *exported) if path is not None]
        if not found:
            raise UsageError(nothing_trained(self.workspace is not None))
        return [self.taken("model", path) for path in found]

    def _warn_if_old(self, exported: Path) -> None:
        trained = latest_weights(self.outputs)
        if trained is not None and trained.stat().st_mtime_ns > exported.stat().st_mtime_ns:
            logger.warning(
                "%s was exported before the last training (%s); run `otx export` to use that", exported, trained
            )

    # ------------------------------------------------------------------ words

    def taken(self, what: str, path: Path) -> Path:
        """Say that a path was filled in, and from where; gives the path."""
        self._tell(what, path)
        return path

    def _tell(self, what: str, value: object) -> None:
        if rank() != 0:
            return  # of the processes of a torchrun job, the first one tells
        source = "this folder's outputs" if self.workspace is None else f"the workspace {self.workspace.path.resolve()}"
        logger.info("%s: %s, from %s", what, value, source)

    def missing(self, option: str, hint: str, joined: str = ": ") -> NoReturn:
        """
        Raises:
            UsageError: an option is missing, with a hint on what to give, and on the workspace.
        """
        beside = hint_to_workspace() if self.workspace is None else ""
        if self.workspace is not None and "data" in option:
            beside = f", or write it into {self.workspace.data}"
        raise UsageError(f"{option} is missing{joined}{hint}{beside}")


def _newest(candidates: Iterable[Path | None]) -> Path | None:
    found = [path for path in candidates if path is not None]
    return max(found, key=lambda path: path.stat().st_mtime_ns, default=None)


def data_of(workspace: Workspace) -> Data:
    """The content of a workspace's ``data.yaml``; empty without such a file.

    Raises:
        UsageError: it cannot be understood, or names an unknown format; the message names file and key.
    """
    from otx_seg.datasets import check_format_name
    from otx_seg.workspace.data_file import Data, read_data_file

    if not workspace.data.is_file():
        return Data()
    data = read_data_file(workspace.data)
    if data.data_format is not None:
        check_format_name(data.data_format, f"{workspace.data}: data.data-format:")
    return data


def spec_of(data: Data, workspace: Workspace) -> DataSpec:
    """The data that ``data.yaml`` names, whether it is there or not."""
    from otx_seg.datasets import DataSpec

    labelled = {"train": data.train, "val": data.val, "test": data.test}
    paths = {f"{name}_root": part.data_roots for name, part in labelled.items()}
    paths |= {f"{name}_annotations": part.ann_files for name, part in labelled.items()}
    paths |= {"unlabelled_root": data.unlabeled.data_roots, "unlabelled_list": data.unlabeled.file_list}
    named = {name: workspace.path / path for name, path in paths.items() if path is not None}
    return replace(
        DataSpec.given(data.data_format, **named),
        label_map=label_map_of(data, workspace),
        val_names=tuple(data.val.images or ()),
        added=additions_of(data, workspace),
    )


def additions_of(data: Data, workspace: Workspace) -> tuple[Addition, ...]:
    """What ``data.yaml`` says was added, whether it is there or not.

    Raises:
        UsageError: a label map cannot be read, or a format is unknown.
    """
    return tuple(_addition(name, part, workspace) for name, part in data.added.items())


def _addition(name: str, part: Added, workspace: Workspace) -> Addition:
    from otx_seg.datasets import check_format_name
    from otx_seg.datasets.data_spec import Addition
    from otx_seg.datasets.label_map import label_map_here, read_label_map

    where = f"{workspace.data}: data.added.{name}"
    if part.data_format is not None:
        check_format_name(part.data_format, f"{where}.data-format:")
    label_map = None
    if isinstance(part.label_map, dict):
        label_map = label_map_here(part.label_map, f"{where}.label-map")
    elif part.label_map is not None:
        label_map = read_label_map(part.label_map, workspace.path, f"{where}.label-map:")
    file = None if part.ann_files is None else workspace.path / part.ann_files
    left_out = {of: tuple(images) for of, images in part.left_out.items()}
    return Addition(name, workspace.path / part.data_roots, part.data_format, file, label_map, left_out)


def label_map_of(data: Data, workspace: Workspace) -> LabelMap | None:
    """The label map that ``data.yaml`` names.

    Raises:
        UsageError: it cannot be read.
    """
    if data.label_map is None:
        return None
    from otx_seg.datasets.label_map import read_label_map

    return read_label_map(data.label_map, workspace.path, f"{workspace.data}: data.label-map:")
