"""One interface to a model, whichever program runs it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from otx_seg.errors import UsageError
from otx_seg.inference.masks import PostProcessing
from otx_seg.labels import Labels

if TYPE_CHECKING:
    from torch import Tensor

    from otx_seg.template import Template

Kind = Literal["torch", "openvino", "onnx"]


class Predictor(Protocol):
    """A segmentation model that is ready to run.

    Attributes:
        kind: the program that runs it.
        labels: the K labels, in the order of the model's outputs.
        input_size: (height, width) in pixels of the images it takes.
        template: the resolved template it was made from, or None if the weights do not tell.
        post_processing: what `mask_at` is to do with its probabilities.
    """

    @property
    def kind(self) -> Kind: ...

    @property
    def labels(self) -> Labels: ...

    @property
    def input_size(self) -> tuple[int, int]: ...

    @property
    def template(self) -> Template | None: ...

    @property
    def post_processing(self) -> PostProcessing: ...

    def probabilities(self, images: NDArray[np.uint8] | Tensor) -> NDArray[np.float32]:
        """The probability of each label at each pixel.

        Args:
            images: uint8 RGB (B, 3, h, w) of the model's input size.

        Returns:
            float32 (B, K, h, w); they sum to 1 over K.
        """
        ...


def load_predictor(weights: Path, template: Template | None = None, device: str | None = None) -> Predictor:
    """Open a trained or exported model.

    Args:
        weights: `weights.pth`, an IR's ``.xml`` (with the ``.bin`` beside it) or an ``.onnx``.
        template: the template the model is expected to be made from; needed only for checkpoints of OTX 1.x, which
            do not name theirs.
        device: where a ``.pth`` runs, such as ``cpu`` or ``cuda:1``; None: on the first GPU if there is one. Exported
            models always run on the CPU.

    Raises:
        UsageError: the file is missing, of an unknown kind, damaged, without labels, or made from another template.
    """
    weights = Path(weights)
    opener = _OPENERS.get(weights.suffix.lower())
    if opener is None:
        raise UsageError(f"{weights}: weights end in {', '.join(_OPENERS)}, not in {weights.suffix or 'nothing'!r}")
    if not weights.is_file():
        raise UsageError(f"{weights}: there is no such file")
    predictor = opener(weights, template, device)
    made_from = predictor.template
    if template is not None and made_from is not None and made_from.name != template.name:
        raise UsageError(
            f"{weights}: was made from the template {made_from.name}, not from {template.name}; leave the template out"
        )
    return predictor


def _open_torch(path: Path, template: Template | None, device: str | None) -> Predictor:
    from otx_seg.inference.torch_predictor import open_checkpoint

    return open_checkpoint(path, template, device)


def _open_openvino(path: Path, template: Template | None, device: str | None) -> Predictor:
    from otx_seg.inference.openvino_predictor import OpenVinoPredictor

    return OpenVinoPredictor(path)


def _open_onnx(path: Path, template: Template | None, device: str | None) -> Predictor:
    from otx_seg.inference.onnx_predictor import OnnxPredictor

    return OnnxPredictor(path)


_OPENERS: dict[str, Any] = {".pth": _open_torch, ".xml": _open_openvino, ".onnx": _open_onnx}
