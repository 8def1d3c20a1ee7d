"""What is trained and what is shipped: plain images in, scores for every pixel out."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from mmseg.models.segmentors import EncoderDecoder
from torch import Tensor, nn

from otx_seg.models.resampling import resize_bilinear


class SegmentationNetwork(nn.Module):
    """A network with its normalisation in front and its logits brought to the size of the image."""

    def __init__(
        self, network: EncoderDecoder, mean: Sequence[float] | None = None, std: Sequence[float] | None = None
    ) -> None:
        """
        Args:
            network: with `.backbone` and `.decode_head`, for normalised images.
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
            Logits (B, K, H, W).
        """
        return resize_bilinear(self.network.decode_head(features), size, align_corners=False)


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
