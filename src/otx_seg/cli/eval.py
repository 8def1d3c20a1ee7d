"""`otx eval`: evaluates a model on labelled images."""

from __future__ import annotations

from typing import Any

import click

from otx_seg.cli.options import (
    annotation_options,
    labels_option,
    output_options,
    several_weights_option,
    whole_image_options,
    workspace_option,
)
from otx_seg.cli.parameters import ParametersCommand


@click.command("eval", cls=ParametersCommand)
@click.argument("template", required=False)
@click.option("--test-data-roots", metavar="FOLDER", help="Labelled data to evaluate on; default: that of data.yaml.")
@annotation_options("test")
@several_weights_option(".pth, .xml, .onnx or a .zip of `otx deploy`")
@labels_option
@whole_image_options
@workspace_option
@output_options
@click.option("--json", "as_json", is_flag=True, help="Print the scores as JSON.")
def command(as_json: bool, **arguments: Any) -> None:
    """Evaluate a model on labelled images: Dice, IoU, precision and recall of each label, and which are confused.

    TEMPLATE is read from the weights; if given, it is compared with them.
    """
    from otx_seg.cli.screen import counting, results
    from otx_seg.report.image_scores import worst_images
    from otx_seg.report.tables import scores_table
    from otx_seg.runtime.terminal import say_json
    from otx_seg.verbs.evaluate import evaluate
    from otx_seg.words import count

    with counting("evaluating") as advance:
        result = evaluate(arguments.pop("test_data_roots"), progress=advance, **arguments)
    if as_json:
        say_json(result.as_json())
        return
    results.print(scores_table(result.scores, count(result.images, "image")))
    worst = "" if result.counted is None else worst_images(result.counted)
    if worst:
        results.print(f"lowest Dice of single images: {worst}")
    results.print(f"{1000 * result.seconds_per_image:.1f} ms per image in the network")
