"""`otx check`: is the data fit to train on?"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from otx_seg.cli.options import annotation_options, workspace_option
from otx_seg.cli.verb import Verb
from otx_seg.workspace.command_line import otx_command

if TYPE_CHECKING:
    from otx_seg.datasets.check.data_check import DataCheck


@click.command("check", cls=Verb)
@click.option(
    "--data-roots",
    metavar="FOLDER",
    multiple=True,
    help="The data, with all its subsets. Repeat it if training and validation data are in different folders. "
    "Without it the data of the workspace.",
)
@annotation_options("train", "val", "test")
@workspace_option
@click.option("--html", metavar="FILE", help="Write a page with charts and pictures of the masks.")
@click.option(
    "--load-weights",
    metavar="PATH",
    multiple=True,
    help="Rank masks that contradict networks: the folder of `otx train --folds`, where no network has seen the masks "
    "that it judges, or a .pth, .xml, .onnx or .zip; several: the mean of their probabilities.",
)
@click.option(
    "-o",
    "--output",
    metavar="FOLDER",
    help="Folder of mask_faults.html and mask_faults.csv, with --load-weights; default: a new one in the workspace.",
)
@click.option("--overwrite", is_flag=True, help="Replace an existing page, or existing files in the output folder.")
@click.option("--json", "as_json", is_flag=True, help="Print all results as JSON.")
def command(as_json: bool, load_weights: tuple[str, ...], output: str | None, **arguments: Any) -> None:
    """Check labelled images before training.

    Reads every file. Shows the pixels and images of each label, files that are damaged, unmatched,
    stored twice or in two subsets, masks with unknown values, and what to do. With --load-weights it also shows which
    masks seem to be wrong, and where.

    Exits with 0 if the data can be used, with or without warnings, and with 3 if not.
    """
    from otx_seg.cli.screen import counting, results
    from otx_seg.errors import DataError
    from otx_seg.report.check_tables import check_parts
    from otx_seg.report.mask_faults_table import mask_faults_lines
    from otx_seg.runtime.terminal import as_message, say_json
    from otx_seg.verbs.check import check

    with counting("checking") as advance:
        result = check(
            progress=lambda what, done, total: advance(done, total),
            load_weights=load_weights or None,
            output=output,
            **arguments,
        )
    if as_json:
        say_json(result.as_json())
    else:
        for part in check_parts(result):
            results.print(part)
            results.print()
        if result.mask_faults is not None:
            for line in mask_faults_lines(result.mask_faults):
                results.print(line)
            results.print()
        if arguments["html"] is not None:
            results.print(f"Page: {as_message(arguments['html'])}")
    if result.usable_for is None:
        raise DataError(f"the data is {result.verdict}")
    if not as_json:
        following, faults = _next(result, **arguments), result.mask_faults
        if faults is not None and faults.masks:
            following = f"correct the masks that {faults.page} shows to be wrong; then {following}"
        results.print(f"Next: {following}")


def _next(
    result: DataCheck,
    data_roots: Sequence[str],
    data_format: str | None,
    label_map: str | None,
    workspace: str | None,
    **others: Any,
) -> str:
    """The command that trains on what was checked."""
    files = {part: others[f"{part}_ann_files"] for part in ("train", "val", "test")}
    given = {part: file for part, file in files.items() if file is not None}
    how = ["--data-format", data_format] if data_format else []
    how += ["--label-map", label_map] if label_map else []
    if not data_roots:
        named = [word for part in ("train", "val") if part in given for word in (f"--{part}-ann-files", given[part])]
        return otx_command("train", *(["--workspace", workspace] if workspace else []), *named, *how)
    if result.usable_for != "training":
        return otx_command("train", "--train-type", "Selfsupervised", "--train-data-roots", data_roots[0])
    options = _described_by(given, data_roots) if given else _found_in(result, data_roots)
    return otx_command("train", *options, *how)


def _described_by(files: dict[str, str], roots: Sequence[str]) -> list[str]:
    """The options that name annotation files; the first of them is for training."""
    folders = dict(zip(files, roots if len(roots) > 1 else [roots[0]] * len(files), strict=True))
    first = next(iter(files))
    options = ["--train-data-roots", folders[first], "--train-ann-files", files[first]]
    if "val" in files and first != "val":
        options += ["--val-data-roots", folders["val"]] if len(roots) > 1 else []
        options += ["--val-ann-files", files["val"]]
    return options


def _found_in(result: DataCheck, roots: Sequence[str]) -> list[str]:
    """The options that name folders, as far as their subsets are trained on."""
    from otx_seg.verbs.check import LABELLED_TOO

    by_use = {
        "unlabelled" if subset.kind == "unlabelled" else subset.use: next(
            (root for root in roots if Path(root) in (subset.folder, *subset.folder.parents)), None
        )
        for subset in result.subsets
    }
    if any(problem.code == LABELLED_TOO and problem.severity == "warning" for problem in result.problems):
        by_use.pop("unlabelled", None)
    train = by_use["training"] or roots[0]
    options = ["--train-data-roots", train]
    for option, use in (("--val-data-roots", "validation"), ("--unlabeled-data-roots", "unlabelled")):
        root = by_use.get(use)
        options += [option, root] if root not in (None, train) else []
    return options
