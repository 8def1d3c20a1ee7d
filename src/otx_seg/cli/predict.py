"""`otx predict`: predicts the masks of images."""

from __future__ import annotations

from typing import Any

import click

from otx_seg.cli.options import (
    ValueNeeded,
    labels_option,
    output_options,
    path_options,
    scales_option,
    several_weights_option,
    whole_image_options,
    workspace_option,
)
from otx_seg.cli.verb import Verb
from otx_seg.inference.predict_settings import (
    BITS,
    DEFAULT_BITS,
    DEFAULT_CONFIDENCE_THRESHOLD,
    DEFAULT_POLYGON_TOLERANCE,
    MAPS,
    MASK_VALUES,
    annotation_formats,
)


@click.command("predict", cls=Verb)
@click.option(
    "-i",
    "--input",
    "input_path",
    metavar="PATH",
    help="An image, or a folder of images; default: the workspace's test data.",
)
@path_options
@several_weights_option(".pth, .xml, .onnx or a .zip of `otx deploy`")
@labels_option
@whole_image_options
@scales_option
@click.option(
    "--mask-values",
    type=ValueNeeded(MASK_VALUES),
    default="index",
    show_default=True,
    help="What masks hold: label indices, the labels' colours as in overlays, or what the masks of the training data "
    "held.",
)
@click.option("--confidence", is_flag=True, help="Short for --save confidence.")
@click.option(
    "--save",
    type=ValueNeeded(MAPS),
    multiple=True,
    help="Save maps too: the confidence, which is the probability of each pixel's label (PNG), or the probabilities of "
    "all labels (TIFF, a page each); and per_image.csv. May be given several times.",
)
@click.option(
    "--save-bits",
    type=click.Choice([*map(str, BITS)]),
    callback=lambda context, parameter, bits: bits and int(bits),
    help=f"Bits of each value in these maps.  [{DEFAULT_BITS}]",
)
@click.option(
    "--confidence-threshold",
    metavar="R",
    type=float,
    help="The share of pixels with a lower confidence stands in per_image.csv; above 0, at most 1.  "
    f"[{DEFAULT_CONFIDENCE_THRESHOLD:g}]",
)
@click.option(
    "--save-as",
    type=ValueNeeded(annotation_formats()),
    multiple=True,
    help="Write annotations too, to annotations/FORMAT with the images, to be corrected in a labelling tool. May be "
    "given several times.",
)
@click.option(
    "--polygon-tolerance",
    metavar="PIXELS",
    type=float,
    help="How far the polygons of these may be beside the border of a region; 0: not at all.  "
    f"[{DEFAULT_POLYGON_TOLERANCE:g}]",
)
@click.option(
    "--min-confidence",
    metavar="P",
    type=float,
    help="Leave regions with a lower mean confidence out of these; a region is connected pixels of one label; above 0, "
    "at most 1.  [none are left out]",
)
@workspace_option
@output_options
def command(input_path: str | None, **arguments: Any) -> None:
    """Write a mask (PNG) and an overlay (JPEG) for each image."""
    from otx_seg.cli.screen import counting, results
    from otx_seg.verbs.predict import predict
    from otx_seg.words import count

    with counting("predicting") as advance:
        result = predict(input_path, progress=advance, **arguments)
    first = result.written[0]
    maps = [f"{path.parent.name} {path}" for path in first.written[2:]]
    named = ", ".join([str(first.files.mask), f"overlay {first.files.overlay}", *maps])
    results.print(f"{count(len(result.written), 'mask')} written, the first: {named}")
    for folder, regions in result.annotations.items():
        left_out = f", {result.uncertain:,} left out as uncertain" if arguments["min_confidence"] is not None else ""
        results.print(f"{count(regions, 'region')} annotated in {folder}{left_out}")
    if result.annotations:
        results.print(f"Next: {_next(arguments['workspace'])}")


def _next(workspace: str | None) -> str:
    """What to do with annotations."""
    from otx_seg.workspace.command_line import otx_command
    from otx_seg.workspace.workspace import find_workspace

    first = "correct them in the labelling tool, and export them to a folder; then"
    if find_workspace(workspace) is None:
        return f"{first} train on all that is labelled: {otx_command('train', '--train-data-roots', 'FOLDER')}"
    where = ["--workspace", workspace] if workspace else []
    return f"{first} {otx_command('build', '--add-data', 'FOLDER', *where)}"
