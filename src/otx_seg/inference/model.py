"""A finished model for programs: images as arrays in, masks and confidences out."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import overload

import numpy as np
from numpy.typing import NDArray

from otx_seg.errors import UsageError
from otx_seg.inference.predictor import load_predictor
from otx_seg.labels import labels_called
from otx_seg.runtime.confidence import ConfidenceMap
from otx_seg.runtime.crops import network_input
from otx_seg.runtime.masks import mask_at, mask_from
from otx_seg.runtime.predictor import Answer, Kind, Predictor, answer_of

_AT_ONCE = 8  # images that a network gets at a time: more take memory, and hardly less time


@dataclass(frozen=True)
class Segmentation:
    """What a model says of an image.

    Attributes:
        mask: the label of each pixel, uint8 (H, W), an index into `Model.labels`.
        confidence: its calibrated probability, float32 (H, W), 0..1. None: the model was exported with
            --argmax and gives masks alone.
    """

    mask: NDArray[np.uint8]
    confidence: NDArray[np.float32] | None


class Model:
    """A trained, exported or quantised model, or a package of `otx deploy`.

    Threads may share it; they take turns.

    Attributes:
        labels: their names, in the order of the values of masks.
        input_size: (height, width) in pixels to which images are resized.
        kind: the program that runs it, ``torch``, ``openvino`` or ``onnx``.
    """

    def __init__(self, predictor: Predictor) -> None:
        self._predictor = predictor
        self._turn = threading.Lock()
        self.labels: tuple[str, ...] = predictor.labels.names
        self.input_size: tuple[int, int] = predictor.input_size
        self.kind: Kind = predictor.kind

    @classmethod
    def load(cls, path: str | Path, *, device: str | None = None, labels: Sequence[str] | None = None) -> Model:
        """Open a model file.

        Args:
            path: `weights.pth`, the ``.xml`` of an IR, an ``.onnx`` or the ``.zip`` of `otx deploy`.
            device: where a ``.pth`` runs, such as ``cpu`` or ``cuda:1``; None: on the first GPU if there is one. Others
                run on the CPU.
            labels: names in the order of the outputs, for a model of another tool that carries none.

        Raises:
            UsageError: there is no such model, or it needs labels.
        """
        return cls(load_predictor(Path(path), device=device, labels=None if labels is None else labels_called(labels)))

    @overload
    def predict(self, images: NDArray[np.uint8]) -> Segmentation: ...
    @overload
    def predict(self, images: Sequence[NDArray[np.uint8]]) -> list[Segmentation]: ...
    def predict(self, images: NDArray[np.uint8] | Sequence[NDArray[np.uint8]]) -> Segmentation | list[Segmentation]:
        """The masks of images of any size.

        Args:
            images: one image, uint8 RGB (H, W, 3) or grey (H, W), or a sequence of such images; an array
                (B, H, W, 3) is a sequence.

        Returns:
            That of the image, or a list with one for each.

        Raises:
            UsageError: something else than such images.
        """
        if isinstance(images, np.ndarray) and images.ndim < 4:
            return self._predict([_checked(images, "the image")])[0]
        each = [_checked(image, f"image {index}") for index, image in enumerate(images)]
        parts = (each[start : start + _AT_ONCE] for start in range(0, len(each), _AT_ONCE))
        return [found for part in parts for found in self._predict(part)]

    def _predict(self, images: Sequence[NDArray[np.uint8]]) -> list[Segmentation]:
        batch = np.concatenate([network_input(image, self.input_size) for image in images])
        with self._turn:
            answers = answer_of(self._predictor, batch)
        return [self._segmentation(*pair) for pair in zip(answers, images, strict=True)]

    def _segmentation(self, answer: Answer, image: NDArray[np.uint8]) -> Segmentation:
        height, width = image.shape[:2]
        if self._predictor.gives_masks:
            return Segmentation(mask_from(answer, (height, width)), None)
        probabilities = answer.astype(np.float32, copy=False)
        confidence = ConfidenceMap((height, width))  # what `otx predict --confidence` shows
        mask = mask_at(probabilities, (height, width), self._predictor.post_processing, confidence)
        return Segmentation(mask, confidence.values)


def _checked(image: object, what: str) -> NDArray[np.uint8]:
    """The image (H, W, 3).

    Raises:
        UsageError: it is none.
    """
    if not isinstance(image, np.ndarray):
        raise UsageError(f"{what} is no NumPy array but {type(image).__name__}")
    is_image = image.ndim == 2 or (image.ndim == 3 and image.shape[2] == 3)
    if image.dtype != np.uint8 or not is_image or 0 in image.shape:
        raise UsageError(
            f"{what} is {image.dtype} {image.shape}; an image is uint8 (H, W, 3), RGB with values 0-255, or (H, W)"
        )
    return np.repeat(image[:, :, None], 3, axis=2) if image.ndim == 2 else image
