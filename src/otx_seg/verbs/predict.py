"""`otx predict`: the masks of images."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from otx_seg.inference.predict import Predictions, predict_images
from otx_seg.inference.predictor import load_predictor
from otx_seg.verbs.weights import choose_weights
from otx_seg.workspace.run_folder import open_run


def predict(
    input: str | Path,
    *,
    load_weights: str | Path | None = None,
    output: str | Path | None = None,
    overwrite: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> Predictions:
    """Write an index mask and an overlay for an image, or for every image in a folder and below.

    Args:
        input: an image file or a folder.
        load_weights: a ``.pth``, ``.xml``, ``.onnx`` or the ``.zip`` of `deploy`; None: the last training run of the
            workspace.
        output, overwrite: see `train`; masks go to ``<run>/NAME.png``, overlays to ``<run>/overlays/NAME.jpg``.
        progress: called with the numbers of images done and to do.

    Raises:
        UsageError: unusable weights, or an output that would overwrite an input.
        DataError: there is no readable image.
    """
    predictor = load_predictor(choose_weights(load_weights))
    run = open_run(Path(output) if output is not None else None, "predict", (), overwrite)
    return predict_images(predictor, Path(input), run.path, overwrite, progress)
