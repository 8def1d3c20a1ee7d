"""What is trained and what is shipped: plain images in, scores for every pixel out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from mmseg.models.segmentors import EncoderDecoder
from torch import Tensor, nn

from otx_seg.models.outputs import SegmentationOutput
from otx_seg.models.resampling import resize_bilinear
from otx_seg.template.heads import MAIN


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
            Logits (B, K, H, W), floating point, resized bilinearly to the image.
        """
        return self.decode(self.features(images), (images.shape[-2], images.shape[-1]))

    def features(self, images: Tensor) -> Sequence[Tensor]:
        """
        Args:
            images: as for `forward`.

        Returns:
            What the backbone gives: (B, C, h, w) of each of its levels.
        """
        normalised = (images.to(self.mean.dtype) - self.mean) * self.scale
        levels: Sequence[Tensor] = self.network.backbone(normalised)
        return levels

    def decode(self, features: Sequence[Tensor], size: tuple[int, int]) -> Tensor:
        """
        Args:
            features: as from `features`.
            size: (H, W) of the result in pixels.

        Returns:
            Logits of the main output (B, K, H, W).
        """
        return self._resized(stages(self.network.decode_head, features)[-1], size)

    def outputs(self, images: Tensor) -> SegmentationOutput:
        """As `forward`, with the further outputs and the features."""
        return self.decode_all(self.features(images), (images.shape[-2], images.shape[-1]))

    def decode_all(self, features: Sequence[Tensor], size: tuple[int, int]) -> SegmentationOutput:
        """As `decode`, with the further outputs: those of earlier stages of a cascade, and of auxiliary heads."""
        *earlier, main = stages(self.network.decode_head, features)
        others = {f"decode_{index}": logits for index, logits in enumerate(earlier)}
        others |= {f"aux_{index}": head(features) for index, head in enumerate(_modules(self._auxiliary))}
        resized = {name: self._resized(logits, size) for name, logits in others.items()}
        return SegmentationOutput(self._resized(main, size), resized, features)

    @property
    def main_head(self) -> Any:
        """The head whose output is shipped."""
        return _modules(self.network.decode_head)[-1]

    @property
    def channels(self) -> dict[str, int]:
        """The number of channels of each output by its name."""
        *earlier, main = (head.out_channels for head in _modules(self.network.decode_head))
        found = {MAIN: main} | {f"decode_{index}": channels for index, channels in enumerate(earlier)}
        return found | {f"aux_{index}": head.out_channels for index, head in enumerate(_modules(self._auxiliary))}

    @property
    def _auxiliary(self) -> nn.Module | None:
        return getattr(self.network, "auxiliary_head", None)

    @staticmethod
    def _resized(logits: Tensor, size: tuple[int, int]) -> Tensor:
        return resize_bilinear(logits, size, align_corners=False)


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


class Deployable(nn.Module):
    """What is exported: a segmentation network that ends in probabilities."""

    def __init__(self, network: SegmentationNetwork) -> None:
        super().__init__()
        self.network = network

    def forward(self, images: Tensor) -> Tensor:
        """
        Args:
            images: (B, 3, H, W) RGB, 0-255.

        Returns:
            Probabilities (B, K, H, W), summing to 1 over K.
        """
        return self.network(images).softmax(dim=1)
