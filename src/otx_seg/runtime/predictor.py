"""One interface to a model, whichever program runs it: probabilities, and what the network saw before it decided."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from otx_seg.errors import UsageError
from otx_seg.labels import Labels
from otx_seg.runtime.masks import PostProcessing

if TYPE_CHECKING:
    from torch import Tensor

Kind = Literal["torch", "openvino", "onnx"]

FEATURE_VECTOR = "feature_vector"
"""An output of models exported with features, (1, C), the mean of the feature map. Model API of OpenVINO knows it."""

FEATURE_MAP, CLASS_ACTIVATION = "feature_map", "class_activation"
"""Values inside such a model. They are no outputs, since Model API takes no more than one beside the probabilities;
who wants them makes them outputs when he opens the model."""

WITHOUT_FEATURES = (
    "choose what needs none: --explain-algorithm probability of `otx explain`, --method uncertainty of `otx suggest`"
)
"""What a model without features can be used for, as advice."""


class Predictor(Protocol):
    """A segmentation model that is ready to run.

    Attributes:
        kind: the program that runs it.
        labels: the K labels, in the order of the model's outputs.
        input_size: (height, width) in pixels of the images it takes.
        template: the resolved template it was made from, as plain values, or None if the weights do not tell.
        post_processing: what `mask_at` is to do with its probabilities.
        gives_masks: whether it gives masks and no probabilities.
    """

    @property
    def kind(self) -> Kind: ...

    @property
    def labels(self) -> Labels: ...

    @property
    def input_size(self) -> tuple[int, int]: ...

    @property
    def template(self) -> dict[str, Any] | None: ...

    @property
    def post_processing(self) -> PostProcessing: ...

    @property
    def gives_masks(self) -> bool: ...

    def probabilities(self, images: NDArray[np.uint8] | Tensor) -> NDArray[np.float32]:
        """The probability of each label at each pixel.

        Args:
            images: uint8 RGB (B, 3, h, w) of the model's input size.

        Returns:
            float32 (B, K, h, w); they sum to 1 over K.

        Raises:
            UsageError: it gives masks.
        """
        ...

    def masks(self, images: NDArray[np.uint8] | Tensor) -> NDArray[np.uint8]:
        """The label of each pixel, of a model that `gives_masks`.

        Args:
            images: uint8 RGB (B, 3, h, w) of the model's input size.

        Returns:
            uint8 (B, h, w), values 0..K-1.
        """
        ...


Answer = NDArray[np.float32] | NDArray[np.uint8]
"""Of a batch: probabilities, float32 (B, K, h, w), or of a model that `gives_masks` labels, uint8 (B, h, w)."""


def answer_of(predictor: Predictor, images: NDArray[np.uint8] | Tensor) -> Answer:
    """What a model says of images, for who needs their masks alone; `mask_from` makes these."""
    return predictor.masks(images) if predictor.gives_masks else predictor.probabilities(images)


def no_probabilities(path: Path) -> UsageError:
    """For a model, read from `path`, that gives masks where probabilities are needed."""
    return UsageError(
        f"{path}: was exported with --argmax, so it gives masks and no probabilities, which are needed here (for "
        "--save, --min-confidence, --tta, several models, a teacher, explanations, suggestions and checks of masks); "
        "export it without --argmax"
    )


def refuse_masks_alone(predictor: Predictor, path: Path, min_confidence: float | None) -> None:
    """
    Raises:
        UsageError: a model, read from `path`, gives masks, so that there is no confidence to compare with the least.
    """
    if min_confidence is not None and predictor.gives_masks:
        raise no_probabilities(path)


@dataclass(frozen=True)
class Activations:
    """One image inside a network.

    Attributes:
        probabilities: float32 (K, H, W), of the network's input size.
        feature_map: float32 (C, h, w), what the last layer classifies, mostly coarser than the input.
        class_activation: float32 (K, h, w), each label's sum over the feature map, weighted as by the last layer; with
            that layer's bias they would be the logits.
    """

    probabilities: NDArray[np.float32]
    feature_map: NDArray[np.float32]
    class_activation: NDArray[np.float32]


class ExplainablePredictor(Predictor, Protocol):
    """One that can also show what it decided on."""

    def activations(self, image: NDArray[np.uint8]) -> Activations:
        """What the network saw in an image.

        Args:
            image: uint8 RGB (1, 3, h, w) of the model's input size.

        Raises:
            UsageError: the model was exported without its features, or ends in no 1x1 convolution.
        """
        ...


class AlteredPredictor:
    """A `Predictor` with the labels, the input size and all else of another one."""

    def __init__(self, original: Predictor, answer: Callable[[NDArray[np.uint8] | Tensor], Any]) -> None:
        """
        Args:
            answer: what stands for `Predictor.probabilities`, or, of a model that gives masks, for `Predictor.masks`.
        """
        self.kind = original.kind
        self.labels = original.labels
        self.input_size = original.input_size
        self.template: dict[str, Any] | None = original.template
        self.post_processing = original.post_processing
        self.gives_masks = original.gives_masks
        self._original, self._answer = original, answer

    def probabilities(self, images: NDArray[np.uint8] | Tensor) -> NDArray[np.float32]:
        """See `Predictor.probabilities`."""
        found: NDArray[np.float32] = self._original.probabilities(images) if self.gives_masks else self._answer(images)
        return found

    def masks(self, images: NDArray[np.uint8] | Tensor) -> NDArray[np.uint8]:
        """See `Predictor.masks`."""
        found: NDArray[np.uint8] = self._answer(images)
        return found


def check_features(names: Collection[str], is_ours: bool, path: Path) -> None:
    """Make sure that a graph keeps its features.

    Args:
        names: of the values inside it.
        is_ours: whether this toolkit exported it.
        path: the model, for the message.

    Raises:
        UsageError: it does not.
    """
    if FEATURE_MAP not in names or CLASS_ACTIVATION not in names:
        if is_ours:
            reason, way = "was exported without its features", f"export it with --dump-features, or {WITHOUT_FEATURES}"
        else:
            reason, way = "is another tool's model, which keeps no features", WITHOUT_FEATURES
        raise UsageError(f"{path}: {reason}, so that nothing but its probabilities can be used; {way}")
