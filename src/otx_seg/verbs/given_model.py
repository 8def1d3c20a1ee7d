"""What is wrong with the model a verb is given, as far as that shows before anything heavy is imported."""

from __future__ import annotations

from pathlib import Path

from otx_seg.errors import UsageError
from otx_seg.workspace.model_file import check_model_file
from otx_seg.workspace.run_folder import latest_weights

_EXPORTED = "is an exported model already; `otx export` takes the .pth that `otx train` wrote"


def choose_weights(load_weights: str | Path | None) -> Path:
    """The weights named, or those of the last training run of the workspace in the current folder.

    Raises:
        UsageError: none are named and there is no such run.
    """
    if load_weights is not None:
        return Path(load_weights)
    latest = latest_weights()
    if latest is None:
        raise UsageError("--load-weights is missing, and there is no training run in this folder's workspace")
    return latest


def weights_to_export(load_weights: str | Path | None) -> Path:
    """See `choose_weights`.

    Raises:
        UsageError: there are none, or it is no file that can be exported.
    """
    weights = choose_weights(load_weights)
    check_model_file(weights, (".pth",), dict.fromkeys((".xml", ".bin", ".onnx", ".zip"), _EXPORTED))
    return weights


def check_given_to_optimize(
    weights: str | Path | None, train_data_roots: str | Path | None, resume_from: str | Path | None
) -> None:
    """See `otx_seg.verbs.optimize.optimize` for the arguments.

    Raises:
        UsageError: one that is needed is missing, two exclude each other, or `weights` is no file to quantise.
    """
    if resume_from is not None:
        if weights is not None:
            raise UsageError("--resume-from and --load-weights exclude each other: a resumed run has its weights")
        return
    if weights is None:
        raise UsageError("--load-weights is missing: name the .xml that `otx export` wrote, or the .pth of `otx train`")
    path = Path(weights)
    other = "cannot be quantised; give the .xml that `otx export` writes, or the .pth of `otx train`"
    instead = {".bin": f"give the .xml beside it: {path.with_suffix('.xml')}", ".onnx": other, ".zip": other}
    check_model_file(path, (".pth", ".xml"), instead)
    if train_data_roots is None:
        purpose = "training data" if path.suffix.lower() == ".pth" else "images that calibrate the ranges"
        raise UsageError(f"--train-data-roots is missing: name the folder of the {purpose}")
