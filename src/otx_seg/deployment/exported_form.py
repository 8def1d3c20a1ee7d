"""Networks as they are exported: the same function, for inference.

Batch normalisation is folded into the convolutions before it. The converters do that too, but name the merged node
after neither: by folding first, every convolution of the exported graph keeps the name it has in the network, which is
what patterns of ignored nodes are written against.

Lite-HRNet loses its channel shuffles, splits and concatenations. A block passes half of each branch's channels through,
weighs and filters the other half, and interleaves both: runtimes copy the whole branch three times for that. Here no
channel ever moves: every block works on all of them, with kernels that leave alone those that pass (a gate that is 1, a
filter that is the identity). What the interleaving would have done to the order of the channels is done once, to the
weights of all layers that follow.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import TypeVar, cast

import torch
from mmcv.cnn import ConvModule
from mmseg.models.utils import Upsample
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from otx_seg.models.backbones.lite_hrnet import (
    ConditionalChannelWeighting,
    CrossResolutionWeighting,
    LiteHRModule,
    LiteHRNet,
    SpatialWeighting,
)
from otx_seg.models.heads.aggregated_fcn_head import AggregatedFCNHead
from otx_seg.models.heads.iterative_aggregator import IterativeAggregator
from otx_seg.models.network import SegmentationNetwork
from otx_seg.models.quantized_conv import with_rounded_weights
from otx_seg.models.resampling import pool_to, resize_nearest

_OPEN = 40.0
"""A bias with which a sigmoid gives exactly 1 in floating point."""

Order = Tensor
"""int64 (C,): which channel of the original network stands at each place of a branch."""

Network = TypeVar("Network", bound=nn.Module)


def exported_form(network: SegmentationNetwork) -> SegmentationNetwork:
    """A copy of a network in evaluation mode, equal up to rounding, as it is exported."""
    folded = fold_batch_norm(with_rounded_weights(network))
    unshuffle(folded)
    _let_sizes_vary(folded)
    return folded


def _let_sizes_vary(network: nn.Module) -> None:
    """mmseg's enlargement, of HRNet and others, works its size out in Python, so that a graph would have it fixed."""
    for module in list(network.modules()):
        for name, part in module.named_children():
            if isinstance(part, Upsample) and part.size is None:
                setattr(module, name, nn.Upsample(None, part.scale_factor, part.mode, part.align_corners))


def fold_batch_norm(network: Network) -> Network:
    """A copy of a network in evaluation mode, equal up to rounding, in which a convolution does its norm's work.

    Only where one is certain to follow the other: in a ``ConvModule`` and side by side in an ``nn.Sequential``.
    """
    folded = copy.deepcopy(network)
    for module in list(folded.modules()):
        if isinstance(module, ConvModule):
            _fold_conv_module(module)
        elif isinstance(module, nn.Sequential):
            _fold_sequence(module)
    return folded


def _fold_conv_module(module: ConvModule) -> None:
    usual = module.order[:2] == ("conv", "norm") and not module.with_spectral_norm
    if usual and module.with_norm and isinstance(module.norm, nn.BatchNorm2d) and isinstance(module.conv, nn.Conv2d):
        module.conv = fuse_conv_bn_eval(module.conv, module.norm)
        setattr(module, module.norm_name, nn.Identity())


def _fold_sequence(sequence: nn.Sequential) -> None:
    for index in range(len(sequence) - 1):
        convolution, norm = sequence[index], sequence[index + 1]
        if isinstance(convolution, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d):
            sequence[index] = fuse_conv_bn_eval(convolution, norm)
            sequence[index + 1] = nn.Identity()


class UnsplitCrossWeighting(nn.Module):
    """`CrossResolutionWeighting` with a convolution for the gates of each branch, so that no split is needed."""

    def __init__(self, conv1: nn.Module, conv2: nn.ModuleList) -> None:
        super().__init__()
        self.conv1, self.conv2 = conv1, conv2

    def forward(self, branches: Sequence[Tensor]) -> list[Tensor]:
        """[(B, C_i, H_i, W_i), ...], finest first -> the same shapes."""
        pooled = [pool_to(x, branches[-1].shape[-2:]) for x in branches[:-1]]
        squeezed = self.conv1(torch.cat([*pooled, branches[-1]], dim=1))
        gates = [torch.sigmoid(conv(squeezed)) for conv in self.conv2]
        gated = [x * resize_nearest(g, x.shape[-2:]) for x, g in zip(branches[:-1], gates, strict=False)]
        return [*gated, branches[-1] * gates[-1]]


class UnsplitWeighting(nn.Module):
    """`ConditionalChannelWeighting` on whole branches: cross-resolution weighting, depthwise 3x3, spatial weighting."""

    def __init__(
        self,
        cross_resolution_weighting: UnsplitCrossWeighting,
        depthwise_convs: nn.ModuleList,
        spatial_weighting: nn.ModuleList,
    ) -> None:
        super().__init__()
        self.cross_resolution_weighting = cross_resolution_weighting
        self.depthwise_convs = depthwise_convs
        self.spatial_weighting = spatial_weighting

    def forward(self, branches: Sequence[Tensor]) -> list[Tensor]:
        """[(B, C_i, H_i, W_i), ...], finest first -> the same shapes."""
        weighted = self.cross_resolution_weighting(branches)
        steps = zip(weighted, self.depthwise_convs, self.spatial_weighting, strict=True)
        return [weigh(filter_(x)) for x, filter_, weigh in steps]


@torch.no_grad()
def unshuffle(network: SegmentationNetwork) -> None:
    """Rewrite the network in place if it is a Lite-HRNet with its usual head; leave it alone if not.

    1. Walk through the backbone with the order the channels of each branch are in.
    2. Replace every block by one on whole branches, and note the order in which it would have left the channels.
    3. Give the layers between the blocks, and the head, weights for these orders.

    Args:
        network: in evaluation mode, batch norms folded into the convolutions (see `fold_batch_norm`).
    """
    backbone, head = network.network.backbone, network.network.decode_head
    if not isinstance(backbone, LiteHRNet) or not isinstance(head, AggregatedFCNHead):
        return
    orders: list[Order] = [torch.arange(backbone.stem.linear_conv.out_channels * 2)]
    for index in range(backbone.num_stages):
        orders = _transition(getattr(backbone, f"transition{index}"), orders)
        for module in cast("Sequence[LiteHRModule]", getattr(backbone, f"stage{index}")):
            for position, block in enumerate(module.layers):
                wide, orders = _unsplit(cast(ConditionalChannelWeighting, block), orders)
                module.layers[position] = wide
            _reorder_fusion(module, orders)
    _reorder_head(head.aggregator, orders)


def _unsplit(block: ConditionalChannelWeighting, orders: list[Order]) -> tuple[UnsplitWeighting, list[Order]]:
    """A block on whole branches, and the orders after it; `orders` are those before it."""
    # The place of each channel in the half that is worked on; negative for channels that pass.
    places = [order - len(order) // 2 for order in orders]
    cross = _widen_cross(block.cross_resolution_weighting, places)
    filters = nn.ModuleList(
        _widen_filter(cast(ConvModule, filter_), place)
        for filter_, place in zip(block.depthwise_convs, places, strict=True)
    )
    spatial = nn.ModuleList(
        _widen_gate(cast(SpatialWeighting, weigh), place)
        for weigh, place in zip(block.spatial_weighting, places, strict=True)
    )
    after = [torch.where(place < 0, 2 * order, 2 * place + 1) for order, place in zip(orders, places, strict=True)]
    return UnsplitWeighting(cross, filters, spatial), after


def _widen_cross(cross: CrossResolutionWeighting, places: list[Tensor]) -> UnsplitCrossWeighting:
    seen, gates, start = [], nn.ModuleList(), 0
    for place, count in zip(places, cross.channels, strict=True):
        part = slice(start, start + count)
        seen.append(_widened_inputs(cross.conv1.conv.weight[:, part], place))
        gates.append(_widened_outputs(cross.conv2.conv.weight[part], cross.conv2.conv.bias[part], place))
        start += count
    _set_weight(cross.conv1.conv, torch.cat(seen, dim=1))
    return UnsplitCrossWeighting(cross.conv1, gates)


def _widen_gate(weigh: SpatialWeighting, place: Tensor) -> SpatialWeighting:
    _set_weight(weigh.conv1.conv, _widened_inputs(weigh.conv1.conv.weight, place))
    weigh.conv2.conv = _widened_outputs(weigh.conv2.conv.weight, weigh.conv2.conv.bias, place)
    return weigh


def _widened_inputs(weight: Tensor, place: Tensor) -> Tensor:
    """A 1x1 kernel (O, I, 1, 1) that sees all channels of a branch, (O, C, 1, 1), and is blind to those that pass."""
    wide = weight.new_zeros(len(weight), len(place), 1, 1)
    wide[:, place >= 0] = weight[:, place[place >= 0]]
    return wide


def _widened_outputs(weight: Tensor, bias: Tensor, place: Tensor) -> nn.Conv2d:
    """The convolution before a sigmoid that gives a gate for all channels of a branch, open for those that pass."""
    wide = nn.Conv2d(weight.shape[1], len(place), 1)
    wide.weight.zero_()
    cast(Tensor, wide.bias).fill_(_OPEN)
    wide.weight[place >= 0] = weight[place[place >= 0]]
    cast(Tensor, wide.bias)[place >= 0] = bias[place[place >= 0]]
    return wide


def _set_weight(conv: nn.Conv2d, weight: Tensor) -> None:
    conv.weight = nn.Parameter(weight)
    conv.in_channels = weight.shape[1]


def _widen_filter(filter_: ConvModule, places: Tensor) -> ConvModule:
    """Let a depthwise 3x3 convolution work on all channels, and return those that pass as they are."""
    conv = cast(nn.Conv2d, filter_.conv)
    worked = places >= 0
    kernel = conv.weight.new_zeros(len(places), 1, 3, 3)
    kernel[:, :, 1, 1] = 1
    bias = conv.weight.new_zeros(len(places))
    kernel[worked] = conv.weight[places[worked]]
    bias[worked] = cast(Tensor, conv.bias)[places[worked]]
    conv.weight, conv.bias = nn.Parameter(kernel), nn.Parameter(bias)
    conv.in_channels = conv.out_channels = conv.groups = len(places)
    return filter_


def _transition(transition: nn.ModuleList, orders: list[Order]) -> list[Order]:
    """Fit the layers before a stage to the orders before it; the orders of the stage's branches."""
    opened, *kept = [cast(nn.Sequential, transition[-1])[0], *transition[:-1]]
    _reorder_chain(opened, orders[-1], None)
    after = []
    for layers, order in zip(kept, orders, strict=True):
        if isinstance(layers, nn.Identity):
            after.append(order)
        else:
            after.append(_reorder_chain(layers, order, None))
    return [*after, torch.arange(_convolutions(opened)[-1].out_channels)]


def _reorder_fusion(module: LiteHRModule, orders: list[Order]) -> None:
    """Fit the exchange between the branches: every route begins in the order of its source and ends in its target's."""
    for target, routes in enumerate(module.fuse_layers):
        for source, route in enumerate(cast(nn.ModuleList, routes)):
            if source != target:
                _reorder_chain(route, orders[source], orders[target])


def _reorder_head(aggregator: IterativeAggregator, orders: list[Order]) -> None:
    """Fit the head: each branch arrives in its order, and the sum with the coarser ones is made in it."""
    before: nn.Module | None = None
    for order, expand, project in zip(reversed(orders), aggregator.expanders, aggregator.projects, strict=True):
        if not isinstance(expand, nn.Identity):
            order = _reorder_chain(expand, order, None)
        if before is not None:
            _order_outputs(_convolutions(before)[-1], order)
        _reorder_chain(project, order, None)
        before = project


def _reorder_chain(layers: nn.Module, order: Order, last: Order | None) -> Order:
    """Fit convolutions that follow each other to the order of their input; the order of their output.

    Args:
        layers: depthwise convolutions keep the order, others give the original one.
        last: the order to end in; None: the one that follows.
    """
    for conv in _convolutions(layers):
        if conv.groups > 1:
            _order_outputs(conv, order)
        else:
            conv.weight = nn.Parameter(conv.weight[:, order])
            order = torch.arange(conv.out_channels)
    if last is not None:
        _order_outputs(conv, last)
    return order if last is None else last


def _order_outputs(conv: nn.Conv2d, order: Order) -> None:
    conv.weight = nn.Parameter(conv.weight[order])
    if conv.bias is not None:
        conv.bias = nn.Parameter(conv.bias[order])


def _convolutions(layers: nn.Module) -> list[nn.Conv2d]:
    return [module for module in layers.modules() if isinstance(module, nn.Conv2d)]
