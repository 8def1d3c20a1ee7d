"""Options that several verbs share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

Decorated = Callable[..., Any]


def weights_option(kinds: str) -> Callable[[Decorated], Decorated]:
    """``--load-weights`` for files of these kinds."""
    return click.option(
        "--load-weights",
        metavar="FILE",
        help=f"The model: {kinds}; without it the last one trained in this folder's workspace.",
    )


def output_options(command: Decorated) -> Decorated:
    """``--output`` and ``--overwrite``."""
    output = click.option(
        "-o", "--output", metavar="FOLDER", help="Where to write; without it a new folder in the workspace."
    )
    overwrite = click.option("--overwrite", is_flag=True, help="Replace a result that the output folder already holds.")
    return output(overwrite(command))
