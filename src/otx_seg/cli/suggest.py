"""`otx suggest`: which images to label next."""

from __future__ import annotations

from typing import Any

import click

from otx_seg.cli.options import (
    annotation_options,
    labels_option,
    output_options,
    seed_option,
    several_weights_option,
    workspace_option,
)
from otx_seg.cli.verb import Verb
from otx_seg.inference.predict_settings import annotation_formats
from otx_seg.labelling.methods import DEFAULT_COUNT, METHODS


@click.command("suggest", cls=Verb)
@click.option(
    "-i",
    "--input",
    "input_path",
    metavar="FOLDER",
    help="Images to choose from; default: the workspace's unlabelled data.",
)
@several_weights_option(
    ".pth, .xml, .onnx or a .zip of `otx deploy`", "Several: what they disagree on counts as uncertain too."
)
@click.option(
    "-n",
    "--count",
    type=click.IntRange(1),
    default=DEFAULT_COUNT,
    show_default=True,
    help="How many images to suggest.",
)
@click.option(
    "--method",
    type=click.Choice(METHODS),
    default=METHODS[0],
    show_default=True,
    help="What to look for: pixels the model is uncertain of, images unlike what is labelled or suggested already, or "
    "both; or random images. Exported models without features know only uncertainty and random.",
)
@click.option(
    "--train-data-roots",
    metavar="FOLDER",
    help="Labelled images to compare with; default: those of the workspace, or those the model was trained on.",
)
@annotation_options("train")
@labels_option
@click.option("--list-only", is_flag=True, help="List the images, and copy none.")
@seed_option
@workspace_option
@output_options
def command(input_path: str | None, **arguments: Any) -> None:
    """Suggest which images to label next.

    Writes the images in the order of what a label would teach (suggest.csv), copies of them (images), and a page with
    predictions and reasons (suggest.html). Images that are labelled already, and copies, are never suggested.
    """
    from otx_seg.cli.screen import counting, results
    from otx_seg.verbs.suggest import suggest
    from otx_seg.words import count
    from otx_seg.workspace.command_line import otx_command

    with counting("looking at images") as advance:
        done = suggest(input_path, progress=advance, **arguments)
    found = done.found
    where = "" if done.images is None else f", copied to {done.images}"
    first = done.suggestions[0].name
    results.print(f"{count(len(done.suggestions), 'image')} of {found.new:,} new ones suggested{where}; first: {first}")
    results.print(f"List: {done.list}")
    results.print(f"Page: {done.page}")
    if done.images is not None:
        weights = arguments["load_weights"] or ()
        files = [weights] if isinstance(weights, str) else weights
        by = [word for file in files for word in ("--load-weights", file)]
        by += [word for name in ("labels", "workspace") if arguments[name] for word in (f"--{name}", arguments[name])]
        first, *others = annotation_formats()
        drafts = otx_command("predict", "--input", done.images, *by, "--save-as", first)
        results.print(f"Next: {drafts} (or {', '.join(others)}), to correct masks instead of drawing them")
