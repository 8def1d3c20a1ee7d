"""Batch norm that takes single values: of one image behind global pooling."""

from __future__ import annotations

from torch import Tensor, nn


class SingleValueBatchNorm2d(nn.BatchNorm2d):
    """Batch norm that normalises with its running statistics where a channel has a single value in training.

    Its variance is 0, so torch refuses it. Networks with global pooling in front of a batch norm (ASPP, pyramid
    pooling, BiSeNet) could not learn from batches of one image, which large images on a small GPU need.
    """

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W), normalised by channel; the running statistics stay as they are if B, H and W are 1."""
        if not self.training or x.numel() > x.shape[1] or not self.track_running_stats:
            return super().forward(x)
        self.training = False
        try:
            return super().forward(x)
        finally:
            self.training = True


def let_single_values_pass(network: nn.Module) -> None:
    """Make each of torch's batch norms in a network, in place, a `SingleValueBatchNorm2d`.

    mmseg builds norms in many places, some of them by torch's class.
    """
    for module in network.modules():
        if type(module) is nn.BatchNorm2d:
            module.__class__ = SingleValueBatchNorm2d
