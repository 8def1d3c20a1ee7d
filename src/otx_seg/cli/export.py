"""`otx export`: trained weights as an OpenVINO or ONNX model."""

from __future__ import annotations

from typing import Any

import click

from otx_seg.cli.options import (
    ValueNeeded,
    output_options,
    scales_option,
    template_argument,
    weights_option,
    workspace_option,
)
from otx_seg.cli.verb import Verb


@click.command("export", cls=Verb)
@template_argument
@weights_option("weights.pth")
@click.option(
    "--export-type", type=click.Choice(["openvino", "onnx"]), default="openvino", show_default=True, help="Format."
)
@click.option("--half-precision", is_flag=True, help="Store the weights as 16-bit floats (OpenVINO only).")
@click.option(
    "--input-size",
    metavar="HxW",
    help="Input height and width of the model in pixels, multiples of 32; default: as in training.",
)
@scales_option
@click.option(
    "--dynamic",
    type=ValueNeeded(["batch", "size", "both"]),
    help="Leave open how many images the model takes at once, their size (a slower model), or both; otx itself runs it "
    "on one image of the input size.",
)
@click.option(
    "--compare-on", metavar="PATH", help="Images for the comparison with the network; default: validation images."
)
@click.option(
    "--dump-features", is_flag=True, help="Add a feature vector of the image as output, and what `otx explain` needs."
)
@click.option(
    "--argmax",
    is_flag=True,
    help="Let the model give the label of each pixel (uint8) instead of probabilities: less output, slightly coarser "
    "edges.",
)
@workspace_option
@output_options
def command(**arguments: Any) -> None:
    """Write trained weights as an OpenVINO or ONNX model, and check that it computes the same.

    The model takes an RGB image of values 0-255 and returns the probability of each label at each pixel, or with
    --argmax the label. TEMPLATE is needed only for weights of OpenVINO Training Extensions 1.x.
    """
    from otx_seg.inputs.model import check_given_to_export

    # What is wrong with these is said before the long import.
    check_given_to_export(arguments["load_weights"], arguments["workspace"])
    from otx_seg.cli.screen import results
    from otx_seg.verbs.export import export
    from otx_seg.words import count
    from otx_seg.workspace.command_line import otx_command

    result = export(**arguments)
    compared = count(result.images, "image") if result.images else "synthetic images, as no real ones were given"
    results.print(f"Model: {result.model}")
    results.print(f"It agrees with the network on {100 * result.agreement:.3f} % of the pixels of {compared}.")
    if arguments["dump_features"]:
        explain = ("explain", "--explain-data-roots", "IMAGES", "--load-weights", result.model, "--output", "heatmaps")
        results.print(f"Next: {otx_command(*explain)}")
    if result.model.suffix != ".xml":
        return
    if result.quantized:
        following = otx_command("deploy", "--load-weights", result.model, "--output", "package")
    else:
        roots = ("--train-data-roots", "FOLDER")
        following = otx_command("optimize", "--load-weights", result.model, *roots, "--output", "optimized")
    results.print(f"{'Or' if arguments['dump_features'] else 'Next'}: {following}")
