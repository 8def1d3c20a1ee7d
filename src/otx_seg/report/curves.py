"""The learning curves of a run as a picture."""

from __future__ import annotations

from pathlib import Path

from otx_seg.training.loggers import read_metrics

_NO_CURVES = ("step", "epoch", "learning_rate", "kept pixels")


def draw_curves(journal: Path, picture: Path) -> dict[str, tuple[str, ...]]:
    """Plot the training losses and the validation scores of `journal` over the steps into a PNG.

    The sum of the losses stands beside its parts; a run without validations has no second diagram.

    Returns:
        The names of the curves in each diagram, by its title.

    Raises:
        OSError: the journal cannot be read or the picture not written.
    """
    from matplotlib.figure import Figure

    entries = read_metrics(journal)
    losses = [entry for entry in entries if "loss" in entry]
    validations = [entry for entry in entries if "Dice Average" in entry]
    figure = Figure(figsize=(9, 4), layout="constrained")
    axes = figure.subplots(1, 2 if validations else 1, squeeze=False)[0]
    # The parts differ from step to step: a contrast is not computed at every one.
    names = dict.fromkeys(name for entry in losses for name in entry if _is_curve(name, entry[name]))
    for name in names if len(names) > 2 else ["loss"]:  # with a single part, the sum is that part
        drawn = [(entry["step"], entry[name]) for entry in losses if _is_curve(name, entry.get(name))]
        axes[0].plot(*zip(*drawn, strict=True), linewidth=0.8, label="sum" if name == "loss" else name)
    axes[0].set(title="training loss", xlabel="step", yscale="log")
    if len(names) > 2:
        axes[0].legend()
    if validations:
        for key, name in (("Dice Average", "Dice"), ("mIoU", "mIoU")):
            axes[1].plot(
                [entry["step"] for entry in validations], [entry[key] for entry in validations], "o-", label=name
            )
        axes[1].set(title="validation scores", xlabel="step", ylim=(0, 1))
        axes[1].legend()
    for diagram in axes:
        diagram.grid(alpha=0.3)
    figure.savefig(picture, dpi=110)
    return {diagram.get_title(): tuple(line.get_label() for line in diagram.get_lines()) for diagram in axes}


def _is_curve(name: str, value: object) -> bool:
    return name not in _NO_CURVES and isinstance(value, (int, float))
