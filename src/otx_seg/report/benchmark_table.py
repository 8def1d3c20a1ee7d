"""Measured models as a table."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rich.box import SIMPLE_HEAD
from rich.console import Group, RenderableType
from rich.table import Table

from otx_seg.deployment.benchmark.measure import Measurement
from otx_seg.report.console import Cell

_HEADINGS = ("ms", "p90", "speed", "img/s", "MB", "memory", "load")


def benchmark_table(measurements: Sequence[Measurement], title: str) -> Table:
    """One row for each variant of a model.

    Its columns: median and 90th percentile of the latency in ms; how many times faster than the first model; images
    per second; file size and peak memory in MB (millions of bytes); seconds to load it; Dice, where it was measured.
    """
    scored = any(found.scores is not None for found in measurements)
    title, names = row_names(measurements, title)
    # Narrow enough for 80 columns; there, names are broken before numbers are.
    made = Table(
        title=title, title_justify="left", header_style="bold", box=SIMPLE_HEAD, show_edge=False, padding=(0, 1, 0, 0)
    )
    made.add_column("model", overflow="fold")
    for heading in (*_HEADINGS, "Dice") if scored else _HEADINGS:
        made.add_column(heading, justify="right", no_wrap=True)
    for name, found in zip(names, measurements, strict=True):
        peak = found.peak_memory_bytes
        row: list[RenderableType] = [
            Group(*map(Cell, name)),
            f"{1000 * found.median_s:.1f}",
            f"{1000 * found.p90_s:.1f}",
            f"{measurements[0].median_s / found.median_s:.2f}",
            f"{found.images_per_second:.1f}",
            f"{found.size_bytes / 1e6:.2f}",
            "-" if peak is None else f"{peak / 1e6:.0f}",
            f"{found.load_s:.2f}",
        ]
        made.add_row(*row, *([] if found.dice is None else [f"{found.dice:.4f}"]))
    return made


def row_names(measurements: Sequence[Measurement], title: str) -> tuple[str, list[tuple[str, str]]]:
    """The title, and two texts for each variant: what runs it, and its file.

    The input size stands in the title if it is that of all, else in the names.
    """
    sizes = ["{}x{}".format(*found.input_size) for found in measurements]
    files = short_names([found.variant.weights for found in measurements])
    runs_as = [f"{found.variant.runtime} {found.variant.precision}" for found in measurements]
    if len(set(sizes)) == 1:
        title = f"{title}, input {sizes[0]}"
    else:
        runs_as = [f"{first} {size}" for first, size in zip(runs_as, sizes, strict=True)]
    return title, list(zip(runs_as, files, strict=True))


def short_names(paths: Sequence[Path]) -> list[str]:
    """For each path as much of its end as tells it from the other ones."""
    different = set(paths)

    def name(path: Path) -> str:
        for length in range(1, len(path.parts) + 1):
            end = path.parts[-length:]
            if sum(other.parts[-length:] == end for other in different) == 1:
                return str(Path(*end))
        return str(path)

    return [name(path) for path in paths]
