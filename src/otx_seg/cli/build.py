"""`otx build`: a workspace."""

from __future__ import annotations

from typing import Any

import click

from otx_seg.cli.options import TemplateName, annotation_options
from otx_seg.cli.verb import Verb


@click.command("build", cls=Verb)
@click.option("--train-data-roots", metavar="FOLDER", help="Training data, see `otx train`.")
@click.option("--val-data-roots", metavar="FOLDER", help="Validation data, see `otx train`.")
@click.option("--test-data-roots", metavar="FOLDER", help="Test data, see `otx eval`.")
@annotation_options("train", "val", "test")
@click.option("--unlabeled-data-roots", metavar="FOLDER", help="Images without masks for semi-supervised training.")
@click.option(
    "--unlabeled-file-list", metavar="FILE", help="List of the images to use, one path per line; default: all."
)
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
    """
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
