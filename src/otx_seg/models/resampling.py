"""Changing the resolution of feature maps, fast where torch is slow.

On a CPU, torch's interpolation takes a sixth of a training step of the smallest network here. Copies and small
matrix products give the same numbers (to rounding) several times faster. Other devices and mixed precision get the
ordinary operators, which their runtimes know; so do exported graphs, but where OpenVINO takes another form better.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from functools import lru_cache

import torch
import torch.nn.functional as functional
from torch import Tensor

_any_size = ContextVar("_any_size", default=False)


@contextmanager
def any_size() -> Iterator[None]:
    """Forward passes recorded in this context use operators that take images of any size, which are slower."""
    token = _any_size.set(True)
    try:
        yield
    finally:
        _any_size.reset(token)


def exporting() -> bool:
    """Whether the forward pass is being recorded as a graph, for an exporter or a compiler."""
    return torch.jit.is_tracing() or torch.compiler.is_compiling()


def _fast(x: Tensor) -> bool:
    return x.device.type == "cpu" and not exporting() and not torch.is_autocast_enabled("cpu")


def pool_to(x: Tensor, size: Sequence[int]) -> Tensor:
    """Mean over the cells of a coarser grid, (B, C, H, W) -> (B, C, *size)."""
    if _any_size.get():
        return _by_products(x, x.shape[2:], size)
    height, width, rows, columns = int(x.shape[2]), int(x.shape[3]), int(size[0]), int(size[1])
    if height % rows == 0 and width % columns == 0:
        # The same numbers as adaptive pooling, faster, and every exporter knows it.
        return functional.avg_pool2d(x, (height // rows, width // columns))
    if torch.onnx.is_in_onnx_export():  # ONNX has no pooling with cells of different sizes
        return _by_products(x, (height, width), (rows, columns))
    return functional.adaptive_avg_pool2d(x, (rows, columns))


def _by_products(x: Tensor, size: Sequence[int], new_size: Sequence[int]) -> Tensor:
    return _cells(size[0], new_size[0], x.dtype) @ (x @ _cells(size[1], new_size[1], x.dtype).T)


def _cells(length: int, cells: int, dtype: torch.dtype) -> Tensor:
    """The matrix (cells, length) of adaptive average pooling along one axis.

    Cell i has the positions from floor(i * length / cells) to below ceil((i + 1) * length / cells), here without the
    divisions: ONNX has neither them for integers nor adaptive pooling to a size that only the input tells.
    """
    index, position = torch.arange(cells).unsqueeze(1), torch.arange(length)
    inside = ((position + 1) * cells > index * length) & (position * cells < (index + 1) * length)
    members = inside.to(dtype)
    return members / members.sum(dim=1, keepdim=True)


def pad_to_even(x: Tensor) -> Tensor:
    """(B, C, H, W) -> the same with its last row and column repeated once where their number is odd."""
    if not _any_size.get() and x.shape[2] % 2 == 0 and x.shape[3] % 2 == 0:
        return x
    return functional.pad(x, (0, x.shape[3] % 2, 0, x.shape[2] % 2), mode="replicate")


def resize_nearest(x: Tensor, size: Sequence[int]) -> Tensor:
    """Nearest-neighbour resizing, (B, C, H, W) -> (B, C, *size)."""
    rows, columns = size[0] // x.shape[2], size[1] // x.shape[3]
    if not _fast(x) or (rows * x.shape[2], columns * x.shape[3]) != tuple(size):
        return functional.interpolate(x, tuple(size))
    widened = torch.stack([x] * columns, dim=4).flatten(3)
    return torch.stack([widened] * rows, dim=3).flatten(2, 3)


def resize_bilinear(x: Tensor, size: Sequence[int], align_corners: bool) -> Tensor:
    """Bilinear resizing, (B, C, H, W) -> (B, C, *size); see `torch.nn.functional.interpolate` for `align_corners`."""
    if not _fast(x):
        whole = size[0] % x.shape[2] == 0 and size[1] % x.shape[3] == 0
        by_sums = exporting() and not _any_size.get() and not torch.onnx.is_in_onnx_export()
        if by_sums and whole and not align_corners:
            wide = _enlarge(x, 3, int(size[1]) // int(x.shape[3]))
            return _enlarge(wide, 2, int(size[0]) // int(x.shape[2]))
        return functional.interpolate(x, tuple(size), mode="bilinear", align_corners=align_corners)
    if (x.shape[2], x.shape[3]) == tuple(size):
        return x
    rows = _weights(x.shape[2], size[0], align_corners, x.dtype)
    columns = _weights(x.shape[3], size[1], align_corners, x.dtype)
    return rows @ (x @ columns.t())


def _enlarge(x: Tensor, dim: int, factor: int) -> Tensor:
    """Linear resizing along one axis by a whole factor, half-pixel centres.

    Every row becomes `factor` rows that lie within half a row of it, so that each mixes it with one neighbour. Written
    so, OpenVINO makes one pass of sums in the layout that a softmax over the channels wants; its own operator for
    bilinear resizing, and the change of layout after it, took several times as long.
    """
    if factor == 1:
        return x
    position = [(step + 0.5) / factor - 0.5 for step in range(factor)]  # of the new rows, from the middle of the old
    shape = [factor if axis == dim + 1 else 1 for axis in range(x.ndim + 1)]
    shares = [[max(-p, 0.0), 1 - abs(p), max(p, 0.0)] for p in position]
    before, own, after = (torch.tensor(share, dtype=x.dtype).view(shape) for share in zip(*shares, strict=True))
    length = int(x.shape[dim])
    previous = torch.cat((x.narrow(dim, 0, 1), x.narrow(dim, 0, length - 1)), dim).unsqueeze(dim + 1)
    following = torch.cat((x.narrow(dim, 1, length - 1), x.narrow(dim, length - 1, 1)), dim).unsqueeze(dim + 1)
    mixed = previous * before + x.unsqueeze(dim + 1) * own + following * after
    # Not flattened: with an open batch, OpenVINO would lose track of the size.
    enlarged = [-1, *(int(side) for side in x.shape[1:])]
    enlarged[dim] *= factor
    return mixed.reshape(enlarged)


@lru_cache(maxsize=64)
def _weights(length: int, new_length: int, align_corners: bool, dtype: torch.dtype) -> Tensor:
    """The matrix (new_length, length) of linear interpolation along one axis."""
    with torch.inference_mode(False), torch.no_grad():
        units = torch.eye(length, dtype=dtype).unsqueeze(0)
        along = functional.interpolate(units, new_length, mode="linear", align_corners=align_corners)
        return along[0].t().contiguous()
