"""The trained and the deployed network: plain images in, scores for every pixel out."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from mmseg.models.segmentors import EncoderDecoder
from torch import Tensor, nn

from otx_seg.models.resampling import resize_bilinear
from otx_seg.models.segmentors import Segmentor, TrainingLogits
from otx_seg.template.heads import MAIN, by_output


@dataclass(frozen=True)
class SegmentationOutput:
    """The logits of all outputs of a network for the same images.

    Attributes:
        logits: of the main output, (B, K, H, W), at the size of the images.
        others: of the further outputs by name, (B, C, H, W) each; C is K but for heads that learn something else.
        features: what the backbone gives: (B, C, h, w) of each of its levels.
    """

    logits: Tensor
    others: dict[str, Tensor] = field(default_factory=dict)
    features: Sequence[Tensor] = ()

    def by_name(self) -> dict[str, Tensor]:
        """The logits of every output by its name, the main one's first."""
        return {MAIN: self.logits, **self.others}

    def split(self, sizes: Sequence[int]) -> list[SegmentationOutput]:
        """Those of the first ``sizes[0]`` images, of the next ``sizes[1]``, and so on, without the features."""
        parts = {name: logits.split(list(sizes)) for name, logits in self.others.items()}
        return [
            SegmentationOutput(logits, {name: split[index] for name, split in parts.items()})
            for index, logits in enumerate(self.logits.split(list(sizes)))
        ]


class SegmentationNetwork(nn.Module):
    """A network with its normalisation in front and its logits brought to the size of the image.

    Called, it gives its main output alone, as a deployed network does; `outputs` gives all that it is trained with.
    """

    def __init__(
        self, network: EncoderDecoder, mean: Sequence[float] | None = None, std: Sequence[float] | None = None
    ) -> None:
        """
        Args:
            network: with `.backbone`, `.decode_head` (several of them form a cascade) and perhaps `.auxiliary_head`,
                for normalised images.
            mean, std: of the red, green and blue channel, in grey values 0-255; by default those of the network's
                `data_preprocessor`.
        """
        super().__init__()
        self.network = network
        self.mean: Tensor
        self.scale: Tensor
        # Not persistent: a state dict holds what was learned, the template says how images are normalised.
        self.register_buffer("mean", self._channels(network, "mean", mean), persistent=False)
        self.register_buffer("scale", 1 / self._channels(network, "std", std), persistent=False)

    @staticmethod
    def _channels(network: EncoderDecoder, name: str, values: Sequence[float] | None) -> Tensor:
        chosen = getattr(network.data_preprocessor, name) if values is None else torch.tensor(values)
        return chosen.detach().clone().float().view(1, 3, 1, 1)

    def forward(self, images: Tensor) -> Tensor:
        """
        Args:
            images: (B, 3, H, W) RGB, uint8 or floating point, 0-255.

        Returns:
            Logits (B, K, H, W), floating point, resized bilinearly to the image. Those of a binary network are moved by
            its threshold.
        """
        logits = self._resized(main_logits(self.network, self._normalised(images)), images)
        return two_logits(logits, self.main_head.threshold) if is_binary(self.main_head) else logits

    def features(self, images: Tensor) -> Sequence[Tensor]:
        """
        Args:
            images: as for `forward`.

        Returns:
            What the backbone gives: (B, C, h, w) of each of its levels.
        """
        levels: Sequence[Tensor] = self.network.backbone(self._normalised(images))
        return levels

    def outputs(self, images: Tensor) -> SegmentationOutput:
        """As `forward` in training, with the features and the further outputs: earlier stages of a cascade, auxiliary
        heads, those of a `Segmentor`."""
        found = training_logits(self.network, self._normalised(images))
        of_auxiliary = [head(found.features) for head in self._auxiliary]
        logits = {**by_output(found.of_stages, of_auxiliary), **found.further}
        resized = {name: self._resized(of_output, images) for name, of_output in logits.items()}
        if is_binary(self.main_head):
            for name in (MAIN, *found.further):
                resized[name] = two_logits(resized[name])
        return SegmentationOutput(resized.pop(MAIN), resized, found.features)

    @property
    def main_head(self) -> Any:
        """The head whose output is shipped."""
        return _modules(self.network.decode_head)[-1]

    @property
    def channels(self) -> dict[str, int]:
        """The number of channels of each output by its name."""
        heads = by_output(_modules(self.network.decode_head), self._auxiliary)
        if isinstance(self.network, Segmentor):
            heads |= dict.fromkeys(self.network.further_outputs, self.main_head)
        return {name: 2 if is_binary(head) else head.out_channels for name, head in heads.items()}

    @property
    def _auxiliary(self) -> Sequence[Any]:
        return _modules(getattr(self.network, "auxiliary_head", None))

    def _normalised(self, images: Tensor) -> Tensor:
        return (images.to(self.mean.dtype) - self.mean) * self.scale

    @staticmethod
    def _resized(logits: Tensor, images: Tensor) -> Tensor:
        return resize_bilinear(logits, (images.shape[-2], images.shape[-1]), align_corners=False)


def is_binary(head: Any) -> bool:
    """Whether a head has one channel for two labels, the log-odds of label 1."""
    return bool(head.num_classes == 2 and head.out_channels == 1)


def two_logits(one: Tensor, threshold: float = 0.5) -> Tensor:
    """The logits of two labels.

    Args:
        one: log-odds of label 1, (B, 1, H, W).
        threshold: the probability from which on label 1 is to have the larger logit, 0..1.

    Returns:
        (B, 2, H, W). For a threshold of 0.5 its softmax is 1 - p and p, with p the sigmoid of `one`.
    """
    half = (one - math.log(threshold / (1 - threshold))) / 2
    return torch.cat([-half, half], dim=1)


def log_odds(logits: Tensor) -> Tensor:
    """Of label 1 of two, (B, 1, H, W), from the logits of both, (B, 2, H, W)."""
    return logits[:, 1:] - logits[:, :1]


def main_logits(network: EncoderDecoder, images: Tensor) -> Tensor:
    """Logits of the main output at its own size, (B, K, h, w), for normalised images (B, 3, H, W)."""
    if isinstance(network, Segmentor):
        return network.main_logits(images)
    return stages(network.decode_head, network.backbone(images))[-1]


def training_logits(network: EncoderDecoder, images: Tensor) -> TrainingLogits:
    """The logits of all outputs but those of auxiliary heads, for normalised images (B, 3, H, W)."""
    if isinstance(network, Segmentor):
        return network.training_logits(images)
    features = network.backbone(images)
    return TrainingLogits(stages(network.decode_head, features), {}, features)


def stages(decode_head: nn.Module, features: Sequence[Tensor]) -> list[Tensor]:
    """Logits of a head, or of each stage of a cascade, the main ones last, at its own size: (B, K, h, w)."""
    first, *later = _modules(decode_head)
    logits = [first(features)]
    for head in later:
        logits.append(head(features, logits[-1]))
    return logits


def _modules(heads: Any) -> Sequence[Any]:
    """mmseg keeps one head as it is, and several in a list."""
    if heads is None:
        return ()
    return list(heads) if isinstance(heads, nn.ModuleList) else [heads]


def cooled(logits: Tensor, temperature: float) -> Tensor:
    """Logits divided by a temperature; a graph of 1 has no division."""
    return logits if temperature == 1 else logits / temperature


class Deployable(nn.Module):
    """What is exported: a segmentation network that ends in probabilities."""

    def __init__(self, network: SegmentationNetwork, temperature: float = 1.0) -> None:
        """Divide the logits by a temperature."""
        super().__init__()
        self.network = network
        self.temperature = temperature

    def forward(self, images: Tensor) -> Tensor:
        """
        Args:
            images: (B, 3, H, W) RGB, 0-255.

        Returns:
            Probabilities (B, K, H, W), summing to 1 over K.
        """
        return cooled(self.network(images), self.temperature).softmax(dim=1)


class DeployableMask(nn.Module):
    """What is exported with the decision inside: a segmentation network that ends in labels."""

    def __init__(self, network: SegmentationNetwork) -> None:
        super().__init__()
        self.network = network

    def forward(self, images: Tensor) -> Tensor:
        """
        Args:
            images: (B, 3, H, W) RGB, 0-255.

        Returns:
            The label of each pixel, uint8 (B, H, W), values 0..K-1.
        """
        return self.network(images).argmax(dim=1).to(torch.uint8)
