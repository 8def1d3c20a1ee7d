"""`otx eval`: evaluates a model on labelled images."""

from __future__ import annotations

from typing import Any

import click

from otx_seg.cli.options import (
    annotation_options,
    labels_option,
    output_options,
    scales_option,
    several_weights_option,
    template_argument,
    whole_image_options,
    workspace_option,
)
from otx_seg.cli.parameters import ParametersCommand
from otx_seg.metrics.choice import BOUNDARY_WIDTH
from otx_seg.metrics.definitions import METRICS


class _EvalCommand(ParametersCommand):
    """Lists the metrics below the options."""

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Metrics"):
            formatter.write_dl([(metric.name, metric.help) for metric in METRICS.values()])
        super().format_epilog(ctx, formatter)


@click.command("eval", cls=_EvalCommand)
@template_argument
@click.option("--test-data-roots", metavar="FOLDER", help="Labelled data to evaluate on; default: that of data.yaml.")
@annotation_options("test")
@several_weights_option(".pth, .xml, .onnx or a .zip of `otx deploy`")
@labels_option
@whole_image_options
@scales_option
@click.option(
    "--metrics",
    metavar="A,B,...",
    help="Names of the metrics to compute and show, listed below; default: all but "
    + ", ".join(metric.name for metric in METRICS.values() if not metric.usual)
    + ".",
)
@click.option(
    "--without-labels",
    metavar="A,B,...",
    help="Names of labels to leave out of all averages. Where they are confused with other labels, it is still an "
    "error of the others.",
)
@click.option(
    "--boundary-width",
    metavar="R",
    type=float,
    help=f"Width of the bands of boundary_iou as a share of the image's diagonal.  [{BOUNDARY_WIDTH}]",
)
@workspace_option
@output_options
@click.option("--json", "as_json", is_flag=True, help="Print the scores as JSON.")
def command(as_json: bool, **arguments: Any) -> None:
    """Evaluate a model on labelled images: Dice, IoU, precision and recall of each label, and which are confused.

    TEMPLATE is read from the weights; if given, it is compared with them.
    """
    from otx_seg.cli.screen import counting, results
    from otx_seg.report.image_scores import worst_images
    from otx_seg.report.tables import confidence_line, scores_table
    from otx_seg.runtime.terminal import say_json
    from otx_seg.verbs.evaluate import evaluate
    from otx_seg.words import count

    with counting("evaluating") as advance:
        result = evaluate(arguments.pop("test_data_roots"), progress=advance, **arguments)
    if as_json:
        say_json(result.as_json())
        return
    results.print(scores_table(result.scores, count(result.images, "image"), result.measured))
    worst = "" if result.counted is None else worst_images(result.counted)
    if worst:
        results.print(f"lowest Dice of single images: {worst}")
    results.print(confidence_line(result.reliability))
    results.print(f"{1000 * result.seconds_per_image:.1f} ms per image in the network")
    results.print(f"Report: {result.report}")
