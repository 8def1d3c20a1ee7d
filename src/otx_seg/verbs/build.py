"""`otx build`: a workspace, new or changed."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path

from otx_seg import template as templates
from otx_seg.datasets import find_training, open_test, open_unlabelled
from otx_seg.datasets.folder import subsets_in
from otx_seg.errors import UsageError
from otx_seg.template import Template
from otx_seg.verbs.train_type import PARAMETER, choose_train_type
from otx_seg.workspace.atomic import write_atomic, write_text
from otx_seg.workspace.data_file import Data, DataFile, Labelled, Unlabelled, read_data_file
from otx_seg.workspace.data_folders import refuse_among_data
from otx_seg.workspace.workspace import WORKSPACE, Workspace, find_workspace

logger = logging.getLogger(__name__)

TASK = "SEGMENTATION"
_PARTS = ("train", "val", "test", "unlabeled")
_TEMPLATE_HEAD = """\
# What is trained here, and how. Everything can be edited; what the parameters mean and may be, is shown by
# `otx find --template template.yaml`. Trained weights carry the template they were made with.
"""


@dataclass(frozen=True)
class Built:
    """The outcome of `build`.

    Attributes:
        new: whether there was no workspace before.
        template: what its ``template.yaml`` holds now.
        data: what its ``data.yaml`` holds now.
        changes: what is other than before, in words.
        kept: the copy of the template that was replaced, or None.
    """

    workspace: Workspace
    new: bool
    template: Template
    data: Data
    changes: tuple[str, ...]
    kept: Path | None


@dataclass(frozen=True)
class DataRoots:
    """The folders and files given to `build`."""

    train: Path | None
    val: Path | None
    test: Path | None
    unlabelled: Path | None
    unlabelled_list: Path | None

    @property
    def all(self) -> tuple[Path, ...]:
        """The folders among them."""
        return tuple(root for root in (self.train, self.val, self.test, self.unlabelled) if root is not None)


def build(
    train_data_roots: str | Path | None = None,
    val_data_roots: str | Path | None = None,
    test_data_roots: str | Path | None = None,
    *,
    unlabeled_data_roots: str | Path | None = None,
    unlabeled_file_list: str | Path | None = None,
    task: str | None = None,
    train_type: str | None = None,
    model: str | Path | None = None,
    backbone: str | Path | None = None,
    workspace: str | Path | None = None,
) -> Built:
    """Make a workspace, or change one: what is not given stays as it is.

    Args:
        train_data_roots, val_data_roots, test_data_roots, unlabeled_data_roots, unlabeled_file_list: the data, as for
            `train` and `evaluate`. What is given is opened, but no image is.
        task: ``SEGMENTATION``, which is all there is.
        train_type: see `train`; None: that of the workspace, in a new one what the data allows.
        model: name, id or path of a template; None: that of the workspace, in a new one the default.
        backbone: replaces that of the template, see `choose_backbone`.
        workspace: its folder; None: the current one if it is a workspace, else ``otx-workspace-SEGMENTATION`` in it.

    Raises:
        UsageError: another task, an unknown template or backbone, one that cannot be used, or a folder of data as
            workspace.
        DataError: data that is given cannot be used.
    """
    if task is not None and task.upper() != TASK:
        raise UsageError(f"--task {task}: this toolkit trains semantic segmentation only; leave it out, or give {TASK}")
    given = DataRoots(
        *map(_path, (train_data_roots, val_data_roots, test_data_roots, unlabeled_data_roots, unlabeled_file_list))
    )
    place = _choose_folder(workspace, given)
    old_data = read_data_file(place.data) if place.data.is_file() else Data()
    old = templates.load(place.template) if place.template.is_file() and model is None else None
    data = _merged(old_data, given, place)
    chosen = old or templates.load(model or templates.default_template())
    kind = _train_type(train_type, _kept_train_type(place, old), given, data, place)
    _open(given, data, place, kind)
    if backbone is not None:
        chosen = _with_backbone(chosen, backbone)
    chosen = chosen.override({PARAMETER: kind})
    before = _readable(place.template)
    new = bool(place.missing)
    kept = _write(place, chosen, data)
    return Built(place, new, chosen, data, _changes(before, chosen, old_data, data), kept)


def _with_backbone(template: Template, backbone: str | Path) -> Template:
    from otx_seg.models.backbones import choose_backbone
    from otx_seg.models.fit import with_backbone

    return with_backbone(template, choose_backbone(backbone))


def _choose_folder(workspace: str | Path | None, given: DataRoots) -> Workspace:
    here = find_workspace(None) if workspace is None else None
    place = here or Workspace(Path(workspace) if workspace is not None else WORKSPACE)
    if place.path.exists() and not place.path.is_dir():
        raise UsageError(f"{place.path}: --workspace names a file; name a folder")
    refuse_among_data(place.path, given.all, "give a --workspace elsewhere")
    if place.path.is_dir() and subsets_in(place.path):
        raise UsageError(f"{place.path}: holds data, nothing is written there; give a --workspace elsewhere")
    return place


def _merged(before: Data, given: DataRoots, place: Workspace) -> Data:
    def root(path: Path | None, now: str | None) -> str | None:
        return now if path is None else _written(path, place)

    unlabelled = before.unlabeled
    if given.unlabelled is not None:  # a list belongs to its folder
        unlabelled = Unlabelled(data_roots=_written(given.unlabelled, place))
    if given.unlabelled_list is not None:
        if unlabelled.data_roots is None:
            raise UsageError("--unlabeled-file-list names images in a folder: give --unlabeled-data-roots too")
        unlabelled = Unlabelled(data_roots=unlabelled.data_roots, file_list=_written(given.unlabelled_list, place))
    return Data(
        train=Labelled(data_roots=root(given.train, before.train.data_roots)),
        val=Labelled(data_roots=root(given.val, before.val.data_roots)),
        test=Labelled(data_roots=root(given.test, before.test.data_roots)),
        unlabeled=unlabelled,
    )


def _written(path: Path, place: Workspace) -> str:
    """A path as it stands in ``data.yaml``: one in the workspace moves with it."""
    real, folder = path.resolve(), place.path.resolve()
    return real.relative_to(folder).as_posix() if folder in real.parents else str(real)


def _kept_train_type(place: Workspace, old: Template | None) -> str | None:
    """That of the workspace as it was; None: there is no template, or none that can be read."""
    before = old or _readable(place.template)
    return None if before is None else before.hyper_parameters.algo_backend.train_type


def _readable(template: Path) -> Template | None:
    try:
        return templates.load(template)
    except UsageError:
        return None


def _train_type(asked: str | None, before: str | None, given: DataRoots, data: Data, place: Workspace) -> str:
    """The train type asked for, else that of the workspace, else what the data allows."""
    if asked is None and before is not None and given.unlabelled is None:
        return before
    needs_unlabelled = asked is not None and asked.lower() == "semisupervised"
    unlabelled = given.unlabelled is not None or (needs_unlabelled and data.unlabeled.data_roots is not None)
    train = None if data.train.data_roots is None else place.path / data.train.data_roots
    return choose_train_type(asked, train, given.val is not None, unlabelled)[0]


def _open(given: DataRoots, data: Data, place: Workspace, train_type: str) -> None:
    """Look at the files that are given, so that what cannot be used shows now.

    Raises:
        DataError: it cannot be used.
    """
    if given.train is not None and train_type == "Selfsupervised":
        open_unlabelled(given.train)
    elif given.train is not None or given.val is not None:
        val = None if data.val.data_roots is None else place.path / data.val.data_roots
        if data.train.data_roots is not None:
            find_training(place.path / data.train.data_roots, val)
        elif val is not None:
            open_test(val)
    if given.test is not None:
        open_test(given.test)
    if given.unlabelled is not None or given.unlabelled_list is not None:
        assert data.unlabeled.data_roots is not None
        open_unlabelled(place.path / data.unlabeled.data_roots, given.unlabelled_list)


def _write(place: Workspace, template: Template, data: Data) -> Path | None:
    """Write both files; gives the copy of a template that was another one."""
    text = _TEMPLATE_HEAD + template.as_yaml()
    kept = None
    if place.template.is_file() and (content := place.template.read_bytes()) != text.encode():
        kept = _free_name(place.template)
        write_atomic(kept, content)
    if not place.data.is_file() or read_data_file(place.data) != data:
        write_text(place.data, DataFile(data=data).as_yaml())
    write_text(place.template, text)
    return kept


def _free_name(path: Path) -> Path:
    number, candidate = 2, path.with_name(f"{path.name}.bak")
    while candidate.exists():
        candidate = path.with_name(f"{path.name}.bak{number}")
        number += 1
    return candidate


def _changes(before: Template | None, now: Template, old: Data, data: Data) -> tuple[str, ...]:
    pairs = []
    if before is not None:
        pairs += [
            ("template", before.name, now.name),
            ("backbone", before.model["backbone"].get("type"), now.model["backbone"].get("type")),
            ("train type", *(item.hyper_parameters.algo_backend.train_type for item in (before, now))),
        ]
    pairs += [
        (f"{part} data", getattr(old, part).data_roots or "none", getattr(data, part).data_roots or "none")
        for part in _PARTS
    ]
    return tuple(f"{what}: {was} -> {is_now}" for what, was, is_now in pairs if was != is_now)


def _path(value: str | Path | None) -> Path | None:
    return None if value is None else Path(value)
