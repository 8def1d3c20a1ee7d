"""Where a training writes."""

from __future__ import annotations

from pathlib import Path

from otx_seg.errors import UsageError
from otx_seg.verbs.training.plan import Plan
from otx_seg.workspace.atomic import write_atomic
from otx_seg.workspace.run_folder import RunFolder, open_run

_PRODUCTS = ("template.yaml", "models")


def open_training_run(plan: Plan, outputs: Path, output: str | Path | None, overwrite: bool) -> RunFolder:
    """The folder of a training: a new one, that of the run to go on with, or one to go on with it elsewhere.

    Args:
        plan: what is trained.
        outputs: the workspace's folder of runs.
        output, overwrite: see `train`.

    Raises:
        UsageError: the folder holds a result, or lies in a folder of data.
        OtxError: it cannot be written to.
    """
    given = (plan.roots.train, plan.roots.val, plan.roots.unlabelled)
    roots = tuple(root for root in given if root is not None)
    if plan.resumed_run is None:
        return open_run(output, "train", _PRODUCTS, overwrite, roots, outputs)
    if output is None or Path(output).resolve() == plan.resumed_run.path.resolve():
        return open_run(plan.resumed_run.path, "train", (), overwrite)
    if plan.search is not None:
        raise UsageError(f"a search stays in its folder, {plan.resumed_run.path}: leave --output out")
    return open_run(output, "train", _PRODUCTS, overwrite, roots)


def bring_along(plan: Plan, run: RunFolder) -> None:
    """Copy what a training that goes on in another folder than its own has written so far."""
    if plan.resumed_run is None or plan.resumed_run.path.resolve() == run.path.resolve():
        return
    for before, now in zip(_carried(plan.resumed_run), _carried(run), strict=True):
        if before.exists():
            write_atomic(now, before.read_bytes())
        else:
            now.unlink(missing_ok=True)
    if plan.resumed_run.weights.exists():
        run.weights.parent.mkdir(parents=True, exist_ok=True)
        run.weights.write_bytes(plan.resumed_run.weights.read_bytes())


def _carried(run: RunFolder) -> tuple[Path, ...]:
    return run.template, run.data, run.decisions, run.metrics, run.label_schema
