"""A network that also returns the features before its classifier, and each label's evidence in them."""

from __future__ import annotations

import copy

import torch
import torch.nn.functional as functional
from torch import Tensor, nn

from otx_seg.errors import UsageError
from otx_seg.models.heads.sub_pixel_head import SubPixelConv2d, sub_pixel_sums
from otx_seg.models.network import SegmentationNetwork, cooled, is_binary, two_logits
from otx_seg.models.quantized_conv import QuantizedConv2d
from otx_seg.runtime.predictor import WITHOUT_FEATURES


class OpenClassifier(nn.Module):
    """A convolution in two steps, weighted sums and bias, that keeps its input and the sums.

    One for the log-odds of label 1 of two becomes that of both labels' logits, see `two_logits`.

    Args:
        threshold: of such a one; None: the convolution has a channel for each label.

    Attributes:
        feature_map: (B, C, h, w), the input of the last call.
        class_activation: (B, K, h, w), its weighted sums; of a sub-pixel convolution at its finer resolution.
    """

    feature_map: Tensor
    class_activation: Tensor

    def __init__(self, classifier: nn.Conv2d | SubPixelConv2d, threshold: float | None = None) -> None:
        super().__init__()
        self.threshold = threshold
        self.weight, self.bias = classifier.weight, classifier.bias
        self.padding = classifier.padding if isinstance(classifier, nn.Conv2d) else None
        self.rounded = classifier if isinstance(classifier, QuantizedConv2d) else None

    def forward(self, features: Tensor) -> Tensor:
        """(B, C, h, w) -> logits (B, K, h, w)."""
        self.feature_map = features
        if self.padding is None:
            sums = sub_pixel_sums(features, self.weight)
        elif self.rounded is None:
            sums = functional.conv2d(features, self.weight, padding=self.padding)
        else:
            rounded = self.rounded.rounded_weight()
            sums = functional.conv2d(self.rounded.quantizer(features), rounded, padding=self.padding)
        bias = torch.zeros_like(self.weight[:, 0, 0, 0]) if self.bias is None else self.bias
        bias = bias.view(1, -1, 1, 1)
        if self.threshold is not None:
            sums, bias = two_logits(sums), two_logits(bias, self.threshold)
        self.class_activation = sums
        return sums + bias


class OpenNetwork(nn.Module):
    """A network exported with features: probabilities as from `Deployable`, and the features behind them."""

    def __init__(self, network: SegmentationNetwork, temperature: float = 1.0) -> None:
        """
        Args:
            network: stays as it is; the parameters are shared. Its head has to end in a convolution, mmseg's
                `conv_seg`, with an output for each position, or in a sub-pixel convolution.
            temperature: see `Deployable`.

        Raises:
            UsageError: it ends otherwise.
        """
        super().__init__()
        self.temperature = temperature
        shared = {id(tensor): tensor for tensor in (*network.parameters(), *network.buffers())}
        self.network = copy.deepcopy(network, shared)
        head = self.network.main_head
        classifier = head.conv_seg
        if not isinstance(classifier, SubPixelConv2d) and not _keeps_size(classifier):
            raise UsageError(
                f"{type(head).__name__} does not end in a convolution with an output for each position: its features "
                f"tell nothing; {WITHOUT_FEATURES}"
            )
        # In its place, so that parameters and nodes of an exported graph keep their names.
        head.conv_seg = OpenClassifier(classifier, head.threshold if is_binary(head) else None)
        head.out_channels = head.num_classes

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """
        Args:
            images: (B, 3, H, W) RGB, 0-255.

        Returns:
            Probabilities (B, K, H, W); feature vector (B, C), the mean over the feature map's places; feature map
            (B, C, h, w); class activation (B, K, h, w).
        """
        probabilities = cooled(self.network(images), self.temperature).softmax(dim=1)
        classifier = self.network.main_head.conv_seg
        feature_map = classifier.feature_map
        return probabilities, feature_map.mean(dim=(2, 3)), feature_map, classifier.class_activation


def _keeps_size(classifier: nn.Module) -> bool:
    """Whether it is an ordinary convolution that gives one output for each position."""
    if (
        not isinstance(classifier, nn.Conv2d)
        or (*classifier.stride, *classifier.dilation, classifier.groups) != (1,) * 5
    ):
        return False
    return classifier.padding == tuple(side // 2 for side in classifier.kernel_size)
