"""`otx build`: a workspace."""

from __future__ import annotations

from typing import Any

import click

from otx_seg.cli.options import TemplateName, annotation_options
from otx_seg.cli.verb import Verb
from otx_seg.errors import UsageError
from otx_seg.words import count


@click.command("build", cls=Verb)
@click.option("--train-data-roots", metavar="FOLDER", help="Training data, see `otx train`.")
@click.option("--val-data-roots", metavar="FOLDER", help="Validation data, see `otx train`.")
@click.option("--test-data-roots", metavar="FOLDER", help="Test data, see `otx eval`.")
@annotation_options("train", "val", "test")
@click.option(
    "--unlabeled-data-roots",
    metavar="FOLDER",
    help="Images without masks for semi-supervised training; with --train-type Incremental only for `otx suggest`.",
)
@click.option(
    "--unlabeled-file-list", metavar="FILE", help="List of the images to use, one path per line; default: all."
)
@click.option(
    "--add-data",
    metavar="FOLDER",
    help="Add these labelled images to the training data of a workspace. Images that it has already are named; those "
    "it validates on stay the same.",
)
@click.option("--new-labels", is_flag=True, help="Accept labels of --add-data that the workspace lacks.")
@click.option("--task", metavar="TASK", help="SEGMENTATION, the only one.")
@click.option(
    "--train-type",
    metavar="TYPE",
    help="Incremental, Semisupervised or Selfsupervised; default: that of the workspace, or as the data allows.",
)
@click.option(
    "--model",
    metavar="TEMPLATE",
    type=TemplateName(),
    help="A template of `otx find`, or a file; default: that of the workspace.",
)
@click.option(
    "--backbone",
    metavar="NAME",
    help="Another backbone for the template: one of `otx find --backbone mmseg`, or a YAML file with its type "
    "and arguments. The decode head is fitted to it.",
)
@click.option(
    "--workspace",
    metavar="FOLDER",
    help="Its folder; default: the current one if it is a workspace, else otx-workspace-SEGMENTATION in it.",
)
def command(**arguments: Any) -> None:
    """Make a workspace: a folder with template.yaml and data.yaml, in which every command works without arguments.

    In an existing workspace, only the given arguments change: another --model keeps the data. The old template
    and an edited data.yaml are saved as copies; outputs are not touched.

    With --add-data, the options --data-format, --label-map and --train-ann-files are about the new images.
    """
    folder, new_labels = arguments.pop("add_data"), arguments.pop("new_labels")
    if folder is not None:
        _add_data(folder, new_labels, arguments)
        return
    if new_labels:
        raise UsageError("--new-labels is about more data for a workspace: give --add-data too")
    from otx_seg.cli.screen import results
    from otx_seg.template.heads import main_head_of
    from otx_seg.verbs.build import build

    made = build(**arguments)
    folder, template = made.workspace.path, made.template
    results.print(f"{'New workspace' if made.new else 'Workspace'}: {folder}")
    train_type = template.hyper_parameters.algo_backend.train_type
    results.print(f"template.yaml: {template.name}, {train_type} training")
    if arguments["backbone"] is not None:
        head = main_head_of(template.model)
        results.print(
            f"  decode head {head['type']} on levels {head['in_index']} of {head['in_channels']} channels; "
            f"{template.gigaflops:.2f} GFLOPs, {template.parameter_count:,} parameters"
        )
    results.print(f"data.yaml: {made.data.summary or 'empty'}")
    if not made.new:
        results.print(f"Changed: {'; '.join(made.changes) or 'nothing'}")
    for copy in made.kept:
        results.print(f"The old file is saved as {copy}")
    if made.data.train.data_roots is None:
        results.print(f"Next: write the data's folders into {made.workspace.data}, then `otx train`")
    else:
        go = "" if str(folder) == "." else f"cd {folder} && "
        results.print(f"Next: {go}otx train")


def _add_data(folder: str, new_labels: bool, arguments: dict[str, Any]) -> None:
    from otx_seg.cli.screen import counting, results
    from otx_seg.report.check_tables import twin_lines
    from otx_seg.verbs.add_data import add_data

    how = {name: arguments.pop(name) for name in ("train_ann_files", "data_format", "label_map", "workspace")}
    if others := [f"--{name.replace('_', '-')}" for name, value in arguments.items() if value is not None]:
        raise UsageError(f"--add-data and {others[0]} cannot be combined: give them one after the other")
    with counting("checking") as advance:
        added = add_data(folder, new_labels=new_labels, progress=lambda what, done, total: advance(done, total), **how)
    results.print(f"Workspace: {added.workspace.path}")
    results.print(f"Added as {added.name}: {count(added.new, 'new image')}")
    for line in twin_lines(added.left_out, added.replaced):
        results.print(f"  {line}")
    for name, images in added.new_labels.items():
        results.print(f"New label {name}: in {count(images, 'new image')}; images from before do not mark it")
    before, now = added.trained_on
    results.print(
        f"Images to train on: {before:,} before, {now:,} now; to validate on: the same {added.validated_on:,}"
    )
    for copy in added.kept:
        results.print(f"The old file is saved as {copy}")
    results.print(f"To take it back, remove {added.name} below added in {added.workspace.data}")
    path = added.workspace.path
    results.print(f"Next: {'' if str(path) == '.' else f'cd {path} && '}otx train")
