"""Measured models as a table and as a picture."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Group, RenderableType
from rich.table import Table

from otx_seg.deployment.benchmark.measure import Measurement
from otx_seg.report.console import Cell
from otx_seg.runtime.terminal import as_cell

_HEADINGS = ("ms", "p90", "speed", "img/s", "MB", "memory", "load")
_COLORS = {"torch": "#d1622b", "onnx": "#7a7a7a", "openvino": "#1f6fb2"}
_DIGIT, _LINE = 0.021, 0.06  # of the diagram's width and height: a character of a text, and a line of it
_FEW_TICKS, _MORE_TICKS = (1, 2, 5), (1, 1.5, 2, 3, 4, 5, 6, 8)  # ms, and their multiples by powers of 10
_LEAST_TICKS = 3


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


def draw_benchmark(measurements: Sequence[Measurement], title: str, picture: Path) -> dict[str, tuple[str, ...]]:
    """Draw the latency of every model as a bar with its 90th percentile, and Dice against latency, into a PNG.

    Models without scores have no second diagram.

    Returns:
        What is written beside the bars, and beside the points, by the diagram's title.

    Raises:
        OSError: the picture cannot be written.
    """
    from matplotlib.figure import Figure

    from otx_seg.inference.figures import choose_fonts

    scored = all(found.dice is not None for found in measurements)
    height = 1.6 + 0.5 * len(measurements)
    figure = Figure(figsize=(13 if scored else 8.5, max(height, 4.2) if scored else height), layout="constrained")
    axes = figure.subplots(1, 2 if scored else 1, squeeze=False, width_ratios=(1.5, 1) if scored else None)[0]
    title, names = row_names(measurements, title)
    figure.suptitle(title, fontsize=11)
    drawn = {"latency": _draw_latency(axes[0], measurements, ["\n".join(map(as_cell, name)) for name in names])}
    if scored:
        drawn["Dice against latency"] = _draw_dice(axes[1], measurements)
    for diagram, name in zip(axes, drawn, strict=True):
        diagram.set_title(name, fontsize=11)
        diagram.spines[["top", "right"]].set_visible(False)
    choose_fonts(figure)
    figure.savefig(picture, dpi=110)
    return drawn


def _draw_latency(axes: Any, measurements: Sequence[Measurement], names: Sequence[str]) -> tuple[str, ...]:
    places = range(len(measurements))
    medians = [1000 * found.median_s for found in measurements]
    worst = [1000 * found.p90_s for found in measurements]
    colors = [_COLORS[found.variant.kind] for found in measurements]
    axes.barh(places, medians, height=0.62, color=colors)
    axes.hlines(places, medians, worst, color="black", linewidth=1)
    axes.plot(worst, places, "|", color="black", markersize=11)
    labels = [f"{name}  [{number}]" for number, name in enumerate(names, start=1)]
    axes.set_yticks(places, labels, fontsize=9)
    axes.invert_yaxis()
    texts = [f"{median:.1f} ms, {medians[0] / median:.2f}x" for median in medians]
    for place, end, text in zip(places, map(max, medians, worst), texts, strict=True):
        axes.annotate(text, (end, place), (7, 0), textcoords="offset points", va="center", fontsize=9)
    axes.set_xlim(0, 1.3 * max(medians + worst))
    axes.set_xlabel("ms per image: bar median, mark 90th percentile; x: speed compared with the first")
    return tuple(texts)


def _draw_dice(axes: Any, measurements: Sequence[Measurement]) -> tuple[str, ...]:
    points = [(1000 * found.median_s, found.dice or 0.0) for found in measurements]
    for found, point in zip(measurements, points, strict=True):
        axes.plot(*point, "o", color=_COLORS[found.variant.kind], markersize=8)
    times, dices = zip(*points, strict=True)
    margin = max(0.15 * (max(dices) - min(dices)), 0.005)  # so that a difference nobody would notice looks small
    axes.set(xscale="log", xlim=(min(times) / 1.6, 1.6 * max(times)), ylim=(min(dices) - margin, max(dices) + margin))
    ticks = _ticks(*axes.get_xlim())
    axes.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
    axes.set_xticks([], minor=True)
    texts = []
    for members in _groups(axes, points):
        text = _text_of(members)
        place = sum(times[number] for number in members) / len(members), max(dices[number] for number in members)
        axes.annotate(f"[{text}]", place, (0, 7), textcoords="offset points", ha="center", fontsize=9)
        texts.append(text)
    axes.grid(alpha=0.3)
    axes.set(xlabel="ms per image, median (logarithmic)", ylabel="Dice")
    return tuple(texts)


def _ticks(low: float, high: float) -> list[float]:
    """Round numbers from `low` to `high` for a logarithmic axis, in smaller steps where there are few."""

    def among(digits: Sequence[float]) -> list[float]:
        return [tick for power in range(-2, 5) for digit in digits if low <= (tick := digit * 10.0**power) <= high]

    few = among(_FEW_TICKS)
    return few if len(few) >= _LEAST_TICKS else among(_MORE_TICKS)


def _text_of(members: Sequence[int]) -> str:
    return ", ".join(str(number + 1) for number in members)


def _groups(axes: Any, points: Sequence[tuple[float, float]]) -> list[list[int]]:
    """The indices of points, those together whose texts, centred above their points, would cover each other."""
    relative = axes.transAxes.inverted().transform(axes.transData.transform(points))
    groups = [[number] for number in range(len(points))]

    def cover(one: list[int], other: list[int]) -> bool:
        (x, y), (u, v) = ((relative[group, 0].mean(), relative[group, 1].max()) for group in (one, other))
        characters = len(_text_of(one)) + len(_text_of(other)) + 4  # with their brackets
        return bool(abs(x - u) < characters / 2 * _DIGIT and abs(y - v) < _LINE)

    while covering := next((pair for pair in itertools.combinations(groups, 2) if cover(*pair)), None):
        one, other = covering
        groups.remove(other)
        one[:] = sorted([*one, *other])
    return groups
