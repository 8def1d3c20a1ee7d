"""`otx benchmark`: compares models."""

from __future__ import annotations

from typing import Any

import click

from otx_seg.cli.options import annotation_options, json_option, labels_option, output_options, workspace_option
from otx_seg.cli.verb import Verb
from otx_seg.deployment.benchmark import DEFAULT_SECONDS


class _SeveralWeights(Verb):
    """A command whose ``--load-weights`` may be followed by several files."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        repeated: list[str] = []
        within = False
        for word in args:
            if word.startswith("-"):
                within = word == _OPTION
            elif within and repeated[-1] != _OPTION:
                repeated.append(_OPTION)
            repeated.append(word)
        return super().parse_args(ctx, repeated)

    def takes_several(self, option: str) -> bool:
        return option == _OPTION


_OPTION = "--load-weights"


@click.command("benchmark", cls=_SeveralWeights)
@click.option(
    _OPTION,
    metavar="FILE...",
    multiple=True,
    help="The models: .pth, .xml and .onnx, with the same labels. The first one is what the others are compared with. "
    "the last ones in the workspace.",
)
@labels_option
@click.option("--data-roots", metavar="FOLDER", help="Labelled data for Dice; default: that of data.yaml, if any.")
@annotation_options("test")
@click.option("--threads", type=int, help="Threads for each model; default: one for each available processor.")
@click.option(
    "--seconds", type=float, default=DEFAULT_SECONDS, show_default=True, help="Measuring time for each model."
)
@workspace_option
@output_options
@json_option
def command(as_json: bool, **arguments: Any) -> None:
    """Compare models: latency, throughput, size, memory, loading time, and Dice on labelled images.

    Every file is run in all variants: a .pth and a floating-point .xml in FP32, and in bf16 if the
    processor supports it. The models take turns on the CPU, each in its own process.
    """
    from otx_seg.cli.screen import counting, results
    from otx_seg.report.benchmark import benchmark_table
    from otx_seg.runtime.terminal import say_json
    from otx_seg.verbs.benchmark import benchmark

    with counting("measuring") as advance:
        result = benchmark(progress=lambda stage, done, total: advance(done, total), **arguments)
    if as_json:
        say_json(result.as_json())
        return
    results.print(benchmark_table(result.measurements, result.title))
    results.print(f"Chart: {result.chart}")
