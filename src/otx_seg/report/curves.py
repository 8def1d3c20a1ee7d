"""Curves by Matplotlib: losses, validation scores and learning rate over the steps, and reliability diagrams."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from otx_seg.metrics.reliability import BINS, Reliability
from otx_seg.training.loggers import read_metrics

Entries = Sequence[dict[str, Any]]
"""Of a `metrics.jsonl`, see `read_metrics`."""

_NO_LOSSES = ("step", "epoch", "learning_rate", "kept pixels")
_PANEL = (4.6, 3.4)  # width and height in inches
# Inches around a diagram, for its title, its axes' names and numbers; to have them found out takes as long as the rest.
_LEFT, _RIGHT, _TOP, _BOTTOM = 0.85, 0.15, 0.35, 0.5


def draw_curves(journal: Path, picture: Path) -> dict[str, tuple[str, ...]]:
    """Plot the curves of `journal` side by side into a PNG.

    The sum of the losses stands beside its parts; a run without validations has no diagram of them.

    Returns:
        The names of the curves in each diagram, by its title.

    Raises:
        OSError: the journal cannot be read or the picture not written.
    """
    entries = read_metrics(journal)
    panels = list(_panels(entries))
    figure, axes = _diagrams(len(panels), _PANEL[1] + 0.6)
    for diagram, draw in zip(axes, panels, strict=True):
        draw(diagram, entries)
    figure.savefig(picture, dpi=110)
    return {diagram.get_title(): _curves_of(diagram) for diagram in axes}


def curves_as_svg(entries: Entries) -> list[tuple[str, bytes]]:
    """The title of each diagram, and the diagram as an SVG file."""
    return [_as_svg(partial(draw, entries=entries)) for draw in _panels(entries)]


def reliability_as_svg(reliability: Reliability) -> bytes:
    """The share of right pixels over the confidence as an SVG file, and where the pixels are."""
    return _as_svg(partial(_draw_reliability, reliability=reliability))[1]


def _diagrams(count: int, height: float) -> tuple[Any, Sequence[Any]]:
    """A figure of this height in inches, and empty diagrams in it side by side."""
    from matplotlib.figure import Figure

    width = _PANEL[0] * count
    around, inside = _LEFT + _RIGHT, _PANEL[0] - _LEFT - _RIGHT
    figure = Figure(figsize=(width, height))
    figure.subplots_adjust(
        left=_LEFT / width,
        right=1 - _RIGHT / width,
        top=1 - _TOP / height,
        bottom=_BOTTOM / height,
        wspace=around / inside,
    )
    return figure, figure.subplots(1, count, squeeze=False)[0]


def _as_svg(draw: Callable[[Any], None]) -> tuple[str, bytes]:
    """The title of a diagram, and the diagram as an SVG file."""
    import matplotlib

    figure, (diagram,) = _diagrams(1, _PANEL[1])
    draw(diagram)
    file = io.BytesIO()
    with matplotlib.rc_context({"svg.fonttype": "none"}):  # letters stay letters: a tenth of the size
        figure.savefig(file, format="svg", transparent=True, metadata={"Date": None})
    return diagram.get_title(), file.getvalue()


def best_step(entries: Entries) -> int | None:
    """The step of the validation with the highest score, the first of equal ones; None without a validation."""
    scored = [entry for entry in entries if "score" in entry]
    return max(scored, key=lambda entry: entry["score"])["step"] if scored else None


def teacher_step(entries: Entries) -> int | None:
    """The first reported step at which the teacher's pseudo-labels counted; None where they never did."""
    return next((entry["step"] for entry in entries if entry.get("kept pixels", 0) > 0), None)


def _panels(entries: Entries) -> Iterator[Any]:
    yield _draw_losses
    if any("Dice Average" in entry for entry in entries):
        yield _draw_scores
    if any("learning_rate" in entry for entry in entries):
        yield _draw_rate


def _draw_losses(axes: Any, entries: Entries) -> None:
    losses = [entry for entry in entries if "loss" in entry]
    # The parts differ from step to step: a contrast is not computed at every one.
    names = dict.fromkeys(name for entry in losses for name in entry if _is_loss(name, entry[name]))
    for name in names if len(names) > 2 else ["loss"]:  # with a single part, the sum is that part
        drawn = [(entry["step"], entry[name]) for entry in losses if _is_loss(name, entry.get(name))]
        axes.plot(*zip(*drawn, strict=True), linewidth=0.8, label="sum" if name == "loss" else name)
    axes.set(title="training loss", yscale="log")
    _finish(axes, entries, legend=len(names) > 2)


def _draw_scores(axes: Any, entries: Entries) -> None:
    validations = [entry for entry in entries if "Dice Average" in entry]
    watched = str(validations[-1].get("watched", "Dice"))
    for name, key in {watched: "score", "Dice": "Dice Average", "mIoU": "mIoU"}.items():
        drawn = [(entry["step"], entry[key]) for entry in validations if key in entry]
        if drawn:
            axes.plot(*zip(*drawn, strict=True), "o-", markersize=3, label=name)
    axes.set(title="validation scores", ylim=(0, 1))
    _finish(axes, entries, legend=True)


def _draw_rate(axes: Any, entries: Entries) -> None:
    rates = [(entry["step"], entry["learning_rate"]) for entry in entries if "learning_rate" in entry]
    axes.plot(*zip(*rates, strict=True), linewidth=1)
    axes.set(title="learning rate")
    axes.set_ylim(bottom=0)
    _finish(axes, entries, legend=False)


def _draw_reliability(axes: Any, reliability: Reliability) -> None:
    confidence, accuracy, pixels = zip(*reliability.curve(), strict=True)
    edges = [number / BINS for number in range(BINS + 1)]
    shares = [each / sum(pixels) for each in reliability.pixels]
    axes.stairs(shares, edges, fill=True, color="0.85", label="share of the pixels")
    axes.plot((0, 1), (0, 1), "--", color="black", linewidth=0.9, label="reliable")
    axes.plot(confidence, accuracy, "o-", markersize=3, label="model")
    axes.set(title="reliability", xlabel="confidence", ylabel="share of right pixels", xlim=(0, 1), ylim=(0, 1))
    axes.grid(alpha=0.3)
    axes.legend(fontsize=8, loc="upper left")


def _finish(axes: Any, entries: Entries, legend: bool) -> None:
    """What all diagrams share: the steps, and what happened at them."""
    axes.set_xlabel("step")
    for step, style, name in ((best_step(entries), "--", "best score"), (teacher_step(entries), ":", "teacher begins")):
        if step is not None:
            axes.axvline(step, color="black", linestyle=style, linewidth=0.9, label=f"_{name}")
            late = step > sum(axes.get_xlim()) / 2  # right of the line its name would be cut off
            axes.annotate(
                name, (step, 1), (-2 if late else 2, -2), xycoords=("data", "axes fraction"),
                textcoords="offset points", rotation=90, va="top", ha="right" if late else "left", fontsize=7,
            )  # fmt: skip
    axes.grid(alpha=0.3)
    if legend:
        axes.legend(fontsize=8)


def _curves_of(axes: Any) -> tuple[str, ...]:
    return tuple(name for line in axes.get_lines() if not (name := str(line.get_label())).startswith("_"))


def _is_loss(name: str, value: object) -> bool:
    return name not in _NO_LOSSES and isinstance(value, (int, float))
