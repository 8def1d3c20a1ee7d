"""The learning curves of a run as a picture."""

from __future__ import annotations

from pathlib import Path

from otx_seg.training.journal import read_journal


def draw_curves(journal: Path, picture: Path) -> None:
    """Plot the training loss and the validation scores of `journal` over the steps into a PNG.

    Raises:
        OSError: the journal cannot be read or the picture not written.
    """
    from matplotlib.figure import Figure

    entries = read_journal(journal)
    losses = [entry for entry in entries if "loss" in entry]
    validations = [entry for entry in entries if "Dice Average" in entry]
    figure = Figure(figsize=(9, 4), layout="constrained")
    left, right = figure.subplots(1, 2)
    left.plot([entry["step"] for entry in losses], [entry["loss"] for entry in losses], linewidth=0.8)
    left.set(title="training loss", xlabel="step", yscale="log")
    for key, name in (("Dice Average", "Dice"), ("mIoU", "mIoU")):
        right.plot([entry["step"] for entry in validations], [entry[key] for entry in validations], "o-", label=name)
    right.set(title="validation scores", xlabel="step", ylim=(0, 1))
    right.legend()
    for axes in (left, right):
        axes.grid(alpha=0.3)
    figure.savefig(picture, dpi=110)
