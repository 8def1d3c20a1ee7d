"""Where a command works: in a workspace, which fills in what its arguments leave out, or in any folder.

One mechanism for all verbs: each asks the place for what it needs, with what was given; the place says what it took
from where.
"""

from __future__ import annotations

import functools
import logging
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from otx_seg.datasets.folder import subsets_in
from otx_seg.errors import DataError, UsageError
from otx_seg.workspace.data_file import Data, read_data_file
from otx_seg.workspace.exports import latest_exported, latest_quantized
from otx_seg.workspace.run_folder import latest_weights
from otx_seg.workspace.workspace import OUTPUTS, WORKSPACE, Workspace, find_workspace, hint_to_workspace

logger = logging.getLogger(__name__)

_TESTED_ON = ("test", "val")


def open_place(workspace: str | Path | None) -> Place:
    """The place of a command.

    Args:
        workspace: the folder of a workspace; None: the current folder, whether it is one or not.

    Raises:
        UsageError: `workspace` is none.
    """
    return Place(find_workspace(Path(workspace) if workspace is not None else None))


@dataclass(frozen=True)
class Place:
    """A workspace, or (None) none: then nothing but the last models below the current folder can be filled in."""

    workspace: Workspace | None

    @property
    def outputs(self) -> Path:
        """The folder of new runs."""
        return WORKSPACE / OUTPUTS if self.workspace is None else self.workspace.outputs

    @functools.cached_property
    def _data(self) -> Data:
        return Data() if self.workspace is None else read_data_file(self.workspace.data)

    # ------------------------------------------------------------------ template

    def template(self, given: str | Path | None) -> str | Path | None:
        """The template given, else that of the workspace, if there is one."""
        if given is not None or self.workspace is None:
            return given
        return self._taken("template", self.workspace.template)

    # ------------------------------------------------------------------ data

    def root(self, given: str | Path | None, part: str) -> str | Path | None:
        """The folder given, else that which ``data.yaml`` names for a part of the data, else None.

        Args:
            part: ``train``, ``val``, ``test`` or ``unlabeled``.

        Raises:
            UsageError: ``data.yaml`` cannot be understood.
            DataError: it names a folder that is not there.
        """
        return given if given is not None else self._path(part, "data_roots", f"{part} data")

    def train_root(self, given: str | Path | None) -> str | Path:
        """The folder to train on: the one given, else that of ``data.yaml``.

        Raises:
            UsageError: there is none.
        """
        found = self.root(given, "train")
        hint = (
            "name the folder of the training images and masks; or, to learn a backbone from images alone, the folder "
            "of these images"
        )
        return self._missing("--train-data-roots", hint) if found is None else found

    def labelled_roots(self, option: str) -> dict[str, Path]:
        """The folders of images and masks that ``data.yaml`` names, by part: ``train``, ``val`` and ``test``.

        Raises:
            UsageError: there are none; the message names `option`.
        """
        found = {part: self.root(None, part) for part in ("train", "val", "test")}
        named = {part: Path(root) for part, root in found.items() if root is not None}
        return named or self._missing(option, "name the folder of the data")

    def names(self, part: str) -> bool:
        """Whether ``data.yaml`` names a folder for a part of the data."""
        return getattr(self._data, part).data_roots is not None

    def file_list(self, given: str | Path | None) -> str | Path | None:
        """The list of unlabelled images given, else that of ``data.yaml``, else None. Raises as `root`."""
        return given if given is not None else self._path("unlabeled", "file_list", "list of unlabeled images")

    def test_root(self, given: str | Path | None, option: str = "--test-data-roots") -> str | Path:
        """The folder to evaluate on: the one given, else the test data, else the validation data.

        Raises:
            UsageError: there is none; the message names `option`.
        """
        found = given if given is not None else self.test_root_if_any()
        return self._missing(option, "name the folder of labelled images to measure on") if found is None else found

    def test_root_if_any(self) -> str | Path | None:
        """The workspace's test data, else its validation data, else its training data if such a subset is in it."""
        for part in _TESTED_ON:
            if self.names(part):
                return self._path(part, "data_roots", "data to measure on")
        train = self._data.train.data_roots
        if train is None or self.workspace is None:
            return None
        folder = self.workspace.path / train
        subsets = subsets_in(folder) if folder.is_dir() else {}
        if not any(part in subsets for part in _TESTED_ON):
            return None
        return self._path("train", "data_roots", "data to measure on")

    def images(self, given: str | Path | None, option: str, what: str) -> str | Path:
        """Images to run a model on: those given, else those of the test or validation data.

        Args:
            option: what gives them on the command line.
            what: what else could be given.

        Raises:
            UsageError: there are none.
        """
        if given is not None:
            return given
        root = self.test_root_if_any()
        if root is None:
            return self._missing(option, f"name {what}")
        from otx_seg.datasets import open_test

        folders = {sample.images_folder for sample in open_test(Path(root)).samples}
        if len(folders) != 1:
            return self._missing(option, f"the images of {root} lie in several folders: name one of them")
        return folders.pop()

    def _path(self, part: str, field: str, what: str) -> Path | None:
        if self.workspace is None:
            return None
        value = getattr(getattr(self._data, part), field)
        if value is None:
            return None
        path = self.workspace.path / value
        if not path.exists():
            key = f"data.{part}.{field.replace('_', '-')}"
            raise DataError(f"{self.workspace.data}: {key}: {path}: no such file or folder; correct it there")
        return self._taken(what, path)

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
            return self._missing("--load-weights", "and there is no training run in this folder's workspace", ", ")
        return self._taken("weights of the last training", latest)

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
            return self._missing("--load-weights", hint, ", ")
        self._warn_if_old(found)
        return self._taken("model exported last" if not quantized_too else "model exported or quantised last", found)

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
            return self._missing("--load-weights", "and there is no model in this folder's workspace", ", ")
        return [self._taken("model", path) for path in found]

    def _warn_if_old(self, exported: Path) -> None:
        trained = latest_weights(self.outputs)
        if trained is not None and trained.stat().st_mtime_ns > exported.stat().st_mtime_ns:
            logger.warning(
                "%s was exported before the last training (%s); run `otx export` to use that", exported, trained
            )

    # ------------------------------------------------------------------ words

    def _taken(self, what: str, path: Path) -> Path:
        if os.environ.get("RANK", "0") != "0":
            return path  # of the processes of a torchrun job, the first one tells
        source = "this folder's outputs" if self.workspace is None else f"the workspace {self.workspace.path.resolve()}"
        logger.info("%s: %s, from %s", what, path, source)
        return path

    def _missing(self, option: str, hint: str, joined: str = ": ") -> NoReturn:
        beside = hint_to_workspace() if self.workspace is None else ""
        if self.workspace is not None and "data" in option:
            beside = f", or write it into {self.workspace.data}"
        raise UsageError(f"{option} is missing{joined}{hint}{beside}")


def _newest(candidates: Iterable[Path | None]) -> Path | None:
    found = [path for path in candidates if path is not None]
    return max(found, key=lambda path: path.stat().st_mtime_ns, default=None)
