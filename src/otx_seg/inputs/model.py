"""Checks the model file of a verb before any slow import."""

from __future__ import annotations

from pathlib import Path

from otx_seg.errors import UsageError
from otx_seg.workspace.exports import latest_exported
from otx_seg.workspace.model_file import check_model_file
from otx_seg.workspace.run_folder import latest_weights
from otx_seg.workspace.workspace import find_workspace, hint_to_workspace, nothing_trained, outputs_of

_EXPORTED = "is already exported; `otx export` takes the .pth of `otx train`"


def check_given_to_export(weights: str | Path | None, workspace: str | Path | None) -> None:
    """See `otx_seg.verbs.export.export` for the arguments.

    Raises:
        UsageError: `weights` is not a file that can be exported, or it is missing and nothing was trained.
    """
    if weights is not None:
        check_model_file(Path(weights), (".pth",), dict.fromkeys((".xml", ".bin", ".onnx", ".zip"), _EXPORTED))
    elif latest_weights(outputs_of(find_workspace(workspace))) is None:
        raise UsageError(nothing_trained(find_workspace(workspace) is not None))


def check_given_to_optimize(
    weights: str | Path | None,
    train_data_roots: str | Path | None,
    resume_from: str | Path | None,
    workspace: str | Path | None,
) -> None:
    """See `otx_seg.verbs.optimize.optimize` for the arguments.

    Raises:
        UsageError: one that is needed is missing, two cannot be combined, or `weights` is not a file to quantise.
    """
    if resume_from is not None:
        if weights is not None:
            raise UsageError("--resume-from and --load-weights cannot be combined: a resumed run has its weights")
        return
    if weights is not None:
        path = Path(weights)
        other = "cannot be quantised; give the .xml that `otx export` writes, or the .pth of `otx train`"
        instead = {".bin": f"give the .xml beside it: {path.with_suffix('.xml')}", ".onnx": other, ".zip": other}
        check_model_file(path, (".pth", ".xml"), instead)
    around = find_workspace(workspace)
    hint = "" if around else hint_to_workspace()
    if weights is None and latest_exported(outputs_of(around)) is None:
        raise UsageError(
            "--load-weights is missing: name the .xml that `otx export` wrote, or the .pth of `otx train`; nothing was "
            f"exported in this folder's workspace{hint}"
        )
    if train_data_roots is None and around is None:
        of_weights = weights is not None and Path(weights).suffix.lower() == ".pth"
        purpose = "training data" if of_weights else "images that calibrate the ranges"
        raise UsageError(f"--train-data-roots is missing: name the folder of the {purpose}{hint}")
