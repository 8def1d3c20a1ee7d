"""`otx explain`: heat maps of what a model decided on."""

from __future__ import annotations

from typing import Any

import click

from otx_seg.cli.options import labels_option, output_options, weights_option, workspace_option
from otx_seg.cli.verb import Verb
from otx_seg.inference.how_to_explain import FOR_ALL_LABELS, PER_LABEL, HowToExplain


@click.command("explain", cls=Verb)
@click.option("--explain-data-roots", metavar="PATH", help="An image or a folder; else the workspace's test data.")
@weights_option(".pth, or .xml, .onnx, .zip from `otx export --dump-features`")
@labels_option
@click.option(
    "--explain-algorithm",
    type=click.Choice([*PER_LABEL, *FOR_ALL_LABELS], case_sensitive=False),
    default=HowToExplain.algorithm,
    show_default=True,
    help="What is mapped: for each label, what speaks for it (Seg-Grad-CAM) or its probability; for all labels "
    "together, the mean response or the first principal component (Eigen-CAM). Exported models without features know "
    "probabilities only.",
)
@click.option("--explain-all-classes", is_flag=True, help="Maps of all labels, not only of those found in the image.")
@click.option(
    "--process-saliency-maps",
    is_flag=True,
    help="Write maps as heat maps of the image's size (PNG) instead of the numbers themselves (NPY).",
)
@click.option(
    "--overlay-weight",
    type=float,
    default=HowToExplain.overlay_weight,
    show_default=True,
    metavar="R",
    help="Share of the heat map in an overlay, 0 to 1; the rest is the image.",
)
@workspace_option
@output_options
def command(explain_data_roots: str | None, **arguments: Any) -> None:
    """Show what a model decided on: heat maps over images (JPEG), and the maps.

    Blue is low, red is high: probabilities from 0 to 1, other maps from their smallest to their largest value, which
    stand in the overlay's corner beside the label.
    """
    from otx_seg.cli.screen import counting, results
    from otx_seg.verbs.explain import explain
    from otx_seg.words import count

    with counting("explaining") as advance:
        result = explain(explain_data_roots, progress=advance, **arguments)
    first = result.written[0]
    images = len({explanation.image for explanation in result.written})
    written = f"{count(len(result.written), 'map')} of {count(images, 'image')} written"
    results.print(f"{written}, the first: {first.map}, overlay {first.overlay}")
