import math

import pytest
import torch
import torch.nn.functional as functional
from torch import Tensor

from otx_seg.models.heads.flow_alignment import FlowAlignment, GatedFlowAlignment, warp


def warped_by_hand(x: Tensor, flow: Tensor) -> Tensor:
    """One value after the other, from the definition of bilinear interpolation."""
    batch, channels, height, width = x.shape
    rows, columns = flow.shape[2:]
    out = torch.zeros(batch, channels, rows, columns)
    for b in range(batch):
        for i in range(rows):
            for j in range(columns):
                # -1..1 from the centre of the first to that of the last position; a flow of W is 1 of these.
                along = (2 * j / (columns - 1) - 1 + float(flow[b, 0, i, j]) / columns + 1) / 2 * (width - 1)
                down = (2 * i / (rows - 1) - 1 + float(flow[b, 1, i, j]) / rows + 1) / 2 * (height - 1)
                for row in (math.floor(down), math.floor(down) + 1):
                    for column in (math.floor(along), math.floor(along) + 1):
                        if 0 <= row < height and 0 <= column < width:
                            share = (1 - abs(down - row)) * (1 - abs(along - column))
                            out[b, :, i, j] += share * x[b, :, row, column]
    return out


def test_warping_by_hand() -> None:
    x, flow = torch.randn(2, 3, 4, 5), 3 * torch.randn(2, 2, 6, 7)
    torch.testing.assert_close(warp(x, flow), warped_by_hand(x, flow), rtol=1e-4, atol=1e-5)


def test_no_flow_is_bilinear_enlargement() -> None:
    x = torch.randn(1, 3, 4, 5)
    enlarged = functional.interpolate(x, (8, 11), mode="bilinear", align_corners=True)
    torch.testing.assert_close(warp(x, torch.zeros(1, 2, 8, 11)), enlarged, rtol=1e-4, atol=1e-5)


def test_values_of_few_bits_are_moved_as_exactly_as_others() -> None:
    x, flow = torch.randn(1, 3, 64, 64), torch.zeros(1, 2, 256, 256)
    few = warp(x.bfloat16(), flow.bfloat16())
    assert few.dtype == torch.bfloat16
    torch.testing.assert_close(few.float(), warp(x.bfloat16().float(), flow), rtol=0.01, atol=0.01)


def test_flow_alignment_by_hand() -> None:
    torch.manual_seed(0)
    module, fine, coarse = FlowAlignment(6, 4), torch.randn(1, 6, 6, 8), torch.randn(1, 6, 3, 4)
    with torch.no_grad():
        reduced = functional.conv2d(coarse, module.reduce_coarse.weight)
        enlarged = functional.interpolate(reduced, (6, 8), mode="bilinear", align_corners=True)
        both = torch.cat([enlarged, functional.conv2d(fine, module.reduce_fine.weight)], dim=1)
        flow = functional.conv2d(both, module.flow.weight, padding=1)
        torch.testing.assert_close(module(fine, coarse), warped_by_hand(coarse, flow), rtol=1e-4, atol=1e-5)
    assert sum(parameter.numel() for parameter in module.parameters()) == 2 * 6 * 4 + 8 * 2 * 9


@pytest.mark.parametrize("pooled", [False, True])
def test_the_gate_mixes_both_maps(pooled: bool) -> None:
    torch.manual_seed(0)
    module, fine, coarse = GatedFlowAlignment(6, 4, pooled), torch.randn(1, 6, 6, 8), torch.randn(1, 6, 3, 4)
    with torch.no_grad():
        enlarged = functional.interpolate(
            functional.conv2d(coarse, module.reduce_coarse.weight), (6, 8), mode="bilinear", align_corners=True
        )
        reduced = functional.conv2d(fine, module.reduce_fine.weight)
        both = torch.cat([enlarged, reduced], dim=1)
        flows = functional.conv2d(both, module.flows.weight, padding=1)
        seen = both
        if pooled:
            means = [x.mean(dim=1, keepdim=True) for x in (enlarged, reduced)]
            maxima = [x.max(dim=1, keepdim=True).values for x in (enlarged, reduced)]
            seen = torch.cat([means[0], maxima[0], means[1], maxima[1]], dim=1)
        gate = 1 / (1 + torch.exp(-functional.conv2d(seen, module.gate.weight, padding=1)))
        moved_coarse, moved_fine = warped_by_hand(coarse, flows[:, :2]), warped_by_hand(fine, flows[:, 2:])
        expected = gate * moved_fine + (1 - gate) * moved_coarse
        torch.testing.assert_close(module(fine, coarse), expected, rtol=1e-4, atol=1e-5)
