"""`otx build`: a workspace, new or changed."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path

from otx_seg import template as templates
from otx_seg.datasets import DataSpec
from otx_seg.errors import UsageError
from otx_seg.formats.layouts.folder import DEFAULT_SUBSET, SUBSETS, subsets_in
from otx_seg.inputs.edit_data_file import differences, merge, open_given
from otx_seg.inputs.resolver import data_of
from otx_seg.template import Template
from otx_seg.training.setup.train_type import PARAMETER, choose_train_type
from otx_seg.workspace.atomic import write_atomic, write_text
from otx_seg.workspace.data_file import Data, DataFile
from otx_seg.workspace.data_folders import refuse_among_data
from otx_seg.workspace.workspace import WORKSPACE, Workspace, find_workspace

logger = logging.getLogger(__name__)

TASK = "SEGMENTATION"
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
        kept: the copies of the files that were replaced.
    """

    workspace: Workspace
    new: bool
    template: Template
    data: Data
    changes: tuple[str, ...]
    kept: tuple[Path, ...]


def build(
    train_data_roots: str | Path | None = None,
    val_data_roots: str | Path | None = None,
    test_data_roots: str | Path | None = None,
    *,
    unlabeled_data_roots: str | Path | None = None,
    unlabeled_file_list: str | Path | None = None,
    train_ann_files: str | Path | None = None,
    val_ann_files: str | Path | None = None,
    test_ann_files: str | Path | None = None,
    data_format: str | None = None,
    label_map: str | Path | None = None,
    task: str | None = None,
    train_type: str | None = None,
    model: str | Path | None = None,
    backbone: str | Path | None = None,
    workspace: str | Path | None = None,
) -> Built:
    """Make a workspace, or change the given parts of one.

    Args:
        train_data_roots, val_data_roots, test_data_roots, unlabeled_data_roots, unlabeled_file_list: the data, as for
            `train` and `evaluate`. What is given is opened, but no image is.
        train_ann_files, val_ann_files, test_ann_files: COCO files that describe these data. Another folder that is
            given without one is described by what is in it.
        data_format: name of the format of the labelled data; None: that of the workspace, in a new one what it looks
            like. It is forgotten where all folders it was for are replaced.
        label_map: see `train`; it is forgotten as the format is.
        task: ``SEGMENTATION``, which is all there is.
        train_type: see `train`; None: that of the workspace, in a new one what the data allows.
        model: name, id or path of a template; None: that of the workspace, in a new one the default.
        backbone: replaces that of the template, see `choose_backbone`.
        workspace: its folder; None: the current one if it is a workspace, else ``otx-workspace-SEGMENTATION`` in it.

    Raises:
        UsageError: another task, an unknown template or backbone, one that cannot be used, or a data folder as
            workspace.
        DataError: data that is given cannot be used.
    """
    if task is not None and task.upper() != TASK:
        raise UsageError(f"--task {task}: this toolkit trains semantic segmentation only; leave it out, or give {TASK}")
    given = DataSpec.given(
        data_format,
        label_map,
        train_root=train_data_roots,
        val_root=val_data_roots,
        test_root=test_data_roots,
        unlabelled_root=unlabeled_data_roots,
        unlabelled_list=unlabeled_file_list,
        train_annotations=train_ann_files,
        val_annotations=val_ann_files,
        test_annotations=test_ann_files,
    )
    target = _choose_folder(workspace, given)
    old_data = data_of(target)
    old = templates.load(target.template) if target.template.is_file() and model is None else None
    data = merge(old_data, given, target)
    chosen = old or templates.load(model or templates.default_template())
    kind = _train_type(train_type, _kept_train_type(target, old), given, data, target)
    open_given(given, data, target, kind)
    if backbone is not None:
        chosen = _with_backbone(chosen, backbone)
    chosen = chosen.override({PARAMETER: kind})
    before = _readable(target.template)
    new = bool(target.missing)
    kept = _write(target, chosen, old_data, data)
    return Built(target, new, chosen, data, _changes(before, chosen, old_data, data), kept)


def _with_backbone(template: Template, backbone: str | Path) -> Template:
    from otx_seg.models.fit import with_backbone
    from otx_seg.models.known_backbones import choose_backbone

    return with_backbone(template, choose_backbone(backbone))


def _choose_folder(workspace: str | Path | None, given: DataSpec) -> Workspace:
    here = find_workspace(None) if workspace is None else None
    target = here or Workspace(Path(workspace) if workspace is not None else WORKSPACE)
    if target.path.exists() and not target.path.is_dir():
        raise UsageError(f"{target.path}: --workspace names a file; name a folder")
    refuse_among_data(target.path, given.folders, "give a --workspace elsewhere")
    if target.missing and target.path.is_dir() and {DEFAULT_SUBSET, *SUBSETS} & subsets_in(target.path).keys():
        raise UsageError(f"{target.path}: holds data, nothing is written there; give a --workspace elsewhere")
    return target


def _kept_train_type(target: Workspace, old: Template | None) -> str | None:
    """That of the workspace as it was; None: there is no template, or none that can be read."""
    before = old or _readable(target.template)
    return None if before is None else before.hyper_parameters.algo_backend.train_type


def _readable(template: Path) -> Template | None:
    try:
        return templates.load(template)
    except UsageError:
        return None


def _train_type(asked: str | None, before: str | None, given: DataSpec, data: Data, target: Workspace) -> str:
    """The given train type, else that of the workspace, else as the data allows.

    Unlabelled images may be there for `otx suggest` alone, so supervised training does not exclude them.
    """
    if asked is None and before is not None and given.unlabelled_root is None:
        return before
    needs_unlabelled = asked is not None and asked.lower() == "semisupervised"
    unlabelled = given.unlabelled_root is not None or (needs_unlabelled and data.unlabeled.data_roots is not None)
    unlabelled = unlabelled and str(asked).lower() != "incremental"
    # Data that is said to be of some format is not looked at as bare images.
    described = data.data_format is not None or data.train.ann_files is not None
    bare = None if described or data.train.data_roots is None else target.path / data.train.data_roots
    return choose_train_type(asked, bare, given.validation_named, unlabelled)[0]


def _write(target: Workspace, template: Template, old_data: Data, data: Data) -> tuple[Path, ...]:
    """Write both files; gives the copies of those that were replaced."""
    kept = []
    if not target.data.is_file() or old_data != data:
        as_written = DataFile(data=old_data).as_yaml()
        kept += replace_file(target.data, DataFile(data=data).as_yaml(), as_written)
    kept += replace_file(target.template, _TEMPLATE_HEAD + template.as_yaml())
    return tuple(kept)


def replace_file(file: Path, text: str, as_written: str = "") -> list[Path]:
    """Write a file; gives the copy of what it held, if that was something else, and not just what we wrote there."""
    copies = []
    if file.is_file() and (content := file.read_bytes()) not in (text.encode(), as_written.encode()):
        copies.append(_free_name(file))
        write_atomic(copies[0], content)
    write_text(file, text)
    return copies


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
    pairs += differences(old, data)
    return tuple(f"{what}: {was} -> {is_now}" for what, was, is_now in pairs if was != is_now)
