"""`otx report`: makes the page of a finished run again."""

from __future__ import annotations

import click

from otx_seg.cli.verb import Verb


@click.command("report", cls=Verb)
@click.argument("run", metavar="RUN")
@click.option("-o", "--output", metavar="FILE", help="The page to write; default: report.html in RUN.")
def command(run: str, output: str | None) -> None:
    """Make the report of RUN again, the folder of a finished train, eval, optimize, run or quickstart.

    The report is one HTML file that needs no network: scores, the worst and best images, confused labels, learning
    curves, decisions, and what to do next.
    """
    from otx_seg.cli.screen import results
    from otx_seg.verbs.draw_report import draw_report

    results.print(f"Report: {draw_report(run, output)}")
