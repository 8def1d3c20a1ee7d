"""`otx predict`: predicts the masks of images."""

from __future__ import annotations

from typing import Any

import click

from otx_seg.cli.options import (
    labels_option,
    output_options,
    path_options,
    scales_option,
    several_weights_option,
    whole_image_options,
    workspace_option,
)
from otx_seg.cli.verb import Verb


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
@workspace_option
@output_options
def command(input_path: str | None, **arguments: Any) -> None:
    """Write a mask of label indices (PNG) and an overlay (JPEG) for each image."""
    from otx_seg.cli.screen import counting, results
    from otx_seg.verbs.predict import predict
    from otx_seg.words import count

    with counting("predicting") as advance:
        result = predict(input_path, progress=advance, **arguments)
    first = result.written[0].files
    results.print(f"{count(len(result.written), 'mask')} written, the first: {first.mask}, overlay {first.overlay}")
