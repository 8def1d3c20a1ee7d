"""A network in PyTorch as a `Predictor`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from otx_seg.errors import UsageError
from otx_seg.labels import Labels
from otx_seg.models.build import build_model
from otx_seg.models.network import SegmentationNetwork, cooled
from otx_seg.models.open_network import OpenNetwork
from otx_seg.models.quantized_conv import restore_quantized
from otx_seg.runtime.graph_shape import check_probabilities
from otx_seg.runtime.masks import PLAIN_ARGMAX, PostProcessing
from otx_seg.runtime.predictor import Activations
from otx_seg.template import Template
from otx_seg.template.heads import is_deployed
from otx_seg.template.scales import with_test_scales
from otx_seg.workspace.tensor_file import unlike
from otx_seg.workspace.weights import WeightsFile, read_weights


class TorchPredictor:
    """Runs a network where its parameters are, in the precision they have."""

    kind: Literal["torch"] = "torch"
    gives_masks = False

    def __init__(
        self,
        network: SegmentationNetwork,
        labels: Labels,
        input_size: tuple[int, int],
        template: Template | None = None,
        temperature: float = 1.0,
    ) -> None:
        """
        Args:
            network: is switched to evaluation mode whenever it is used; who trains on switches it back.
            labels, input_size: see `Predictor`.
            template: what the network was made from; it says what happens to the probabilities. None: nothing.
            temperature: by which its logits are divided.
        """
        self.network = network
        self.labels = labels
        self.input_size = input_size
        self.template = None if template is None else template.as_dict()
        self.post_processing = PLAIN_ARGMAX if template is None else post_processing_of(template)
        self.temperature = temperature

    @torch.inference_mode()
    def probabilities(self, images: NDArray[np.uint8] | Tensor) -> NDArray[np.float32]:
        """See `Predictor.probabilities`."""
        if self.network.training:
            self.network.eval()
        device = next(self.network.parameters()).device
        batch = torch.as_tensor(images).to(device, non_blocking=True)
        result: NDArray[np.float32] = cooled(self.network(batch).float(), self.temperature).softmax(dim=1).cpu().numpy()
        return result

    def masks(self, images: NDArray[np.uint8] | Tensor) -> NDArray[np.uint8]:
        """See `Predictor.masks`."""
        return self.probabilities(images).argmax(axis=1).astype(np.uint8)

    @torch.inference_mode()
    def activations(self, image: NDArray[np.uint8]) -> Activations:
        """See `ExplainablePredictor.activations`."""
        device = next(self.network.parameters()).device
        found = OpenNetwork(self.network, self.temperature).eval()(torch.as_tensor(image).to(device))
        probabilities, _, feature_map, class_activation = (values.float().cpu().numpy() for values in found)
        return Activations(probabilities[0], feature_map[0], class_activation[0])


def open_checkpoint(
    path: Path,
    template: Template | None = None,
    device: str | None = None,
    input_size: str | None = None,
    scales: Sequence[float] | None = None,
) -> TorchPredictor:
    """Open `weights.pth`.

    Args:
        path: a checkpoint of this toolkit or of OTX 1.x.
        template: for a checkpoint that does not name its template, the one it was made from.
        device: such as ``cpu`` or ``cuda:1``; None: the first GPU if there is one, else the CPU.
        input_size: ``HEIGHTxWIDTH`` in pixels to run it at, as for the parameter of that name; None: that of its
            training.
        scales: factors of that size to look at an image at, of a network that mixes several; None: those of its
            template.

    Raises:
        UsageError: no such checkpoint, an input size that no network here takes, scales of a network that looks once,
            or tensors that are not those of the template's network.
    """
    weights = read_weights(path)
    made_from = weights.template or template
    if made_from is None:
        raise UsageError(f"{path}: does not tell which template it was made from; name it")
    size = weights.input_size
    if input_size is not None:
        made_from = made_from.override({"learning_parameters.input_size": input_size})
        size = made_from.input_size
    if scales is not None:
        made_from = made_from.model_copy(update={"model": with_test_scales(made_from.model, scales, str(path))})
    network = _network(weights, made_from, path)
    network.eval().to(device or ("cuda" if torch.cuda.is_available() else "cpu"))
    predictor = TorchPredictor(network, weights.labels, size, made_from, weights.temperature)
    if not weights.has_digest:
        check_probabilities(predictor.probabilities, size, path)
    return predictor


def post_processing_of(template: Template) -> PostProcessing:
    """What a template asks to be done with probabilities."""
    settings = template.hyper_parameters.postprocessing
    return PostProcessing(settings.soft_threshold, settings.blur_strength)


def _network(weights: WeightsFile, template: Template, path: Path) -> SegmentationNetwork:
    try:
        bare = build_model(template, len(weights.labels), shipped_alone=True)
    except UsageError as error:
        raise UsageError(f"{path}: {error}") from error
    tensors = {key: value for key, value in weights.state_dict.items() if is_deployed(key)}
    try:
        restore_quantized(bare, tensors)
        bare.load_state_dict(tensors)
        for odd in unlike(tensors, bare.state_dict()):
            raise RuntimeError(f"{odd} holds numbers of the type {tensors[odd].dtype}")
    except (RuntimeError, AttributeError) as error:
        first = str(error).splitlines()[1:2] or [str(error)]
        raise UsageError(
            f"{path}: its tensors are not those of the template {template.name} ({first[0].strip()[:200]})"
        ) from error
    return SegmentationNetwork(bare)
