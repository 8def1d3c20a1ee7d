"""`otx explain`: heat maps that explain predictions."""

from __future__ import annotations

from typing import Any

import click

from otx_seg.cli.options import labels_option, output_options, path_options, weights_option, workspace_option
from otx_seg.cli.verb import Verb
from otx_seg.inference.explain_settings import FOR_ALL_LABELS, PER_LABEL, ExplainSettings


@click.command("explain", cls=Verb)
@click.option("--explain-data-roots", metavar="PATH", help="An image or a folder; default: the workspace's test data.")
@path_options
@weights_option(".pth, or .xml, .onnx, .zip from `otx export --dump-features`")
@labels_option
@click.option(
    "--explain-algorithm",
    type=click.Choice([*PER_LABEL, *FOR_ALL_LABELS], case_sensitive=False),
    default=ExplainSettings.algorithm,
    show_default=True,
    help="For each label its evidence (Seg-Grad-CAM) or its probability; for all labels together the mean activation "
    "or its first principal component (Eigen-CAM). Exported models without features give only probabilities.",
)
@click.option("--explain-all-classes", is_flag=True, help="Maps of all labels, not only of the predicted ones.")
@click.option(
    "--process-saliency-maps",
    is_flag=True,
    help="Write maps as heat maps of the image's size (PNG) instead of arrays (NPY).",
)
@click.option(
    "--overlay-weight",
    type=float,
    default=ExplainSettings.overlay_weight,
    show_default=True,
    metavar="R",
    help="Share of the heat map in an overlay, 0 to 1; the rest is the image.",
)
@workspace_option
@output_options
def command(explain_data_roots: str | None, **arguments: Any) -> None:
    """Explain predictions: heat maps over images (JPEG), and the maps.

    Blue is low, red is high: probabilities from 0 to 1; other maps, whose numbers have no unit, from their smallest to
    their largest value. The legend of an overlay says what is shown, and the values at both ends of the colours.
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
