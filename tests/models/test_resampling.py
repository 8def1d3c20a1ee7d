import warnings
from collections.abc import Callable
from pathlib import Path

import onnxruntime
import pytest
import torch
import torch.nn.functional as functional

from otx_seg.models.resampling import any_size, pool_to, resize_bilinear, resize_nearest


@pytest.mark.parametrize("size", [(8, 12), (16, 6), (4, 6), (9, 7), (2, 3)])
def test_nearest_equals_torch(size: tuple[int, int]) -> None:
    x = torch.randn(2, 3, 4, 6)
    assert torch.equal(resize_nearest(x, size), functional.interpolate(x, size))


@pytest.mark.parametrize("align_corners", [True, False])
@pytest.mark.parametrize("size", [(8, 12), (9, 7), (4, 6), (3, 2), (1, 1)])
def test_bilinear_equals_torch(size: tuple[int, int], align_corners: bool) -> None:
    x = torch.randn(2, 3, 4, 6, requires_grad=True)
    ours = resize_bilinear(x, size, align_corners)
    theirs = functional.interpolate(x, size, mode="bilinear", align_corners=align_corners)
    torch.testing.assert_close(ours, theirs)
    probe = torch.randn(2, 3, *size)
    for mine, reference in zip(torch.autograd.grad(ours, x, probe), torch.autograd.grad(theirs, x, probe), strict=True):
        torch.testing.assert_close(mine, reference)


@pytest.mark.parametrize("size", [(2, 3), (4, 6), (3, 4), (1, 1)])
def test_pooling_equals_torch(size: tuple[int, int]) -> None:
    x = torch.randn(2, 3, 4, 6)
    torch.testing.assert_close(pool_to(x, size), functional.adaptive_avg_pool2d(x, size))


@pytest.mark.parametrize("size", [(2, 3), (4, 6), (3, 4), (1, 1), (7, 5)])
def test_pooling_for_any_size_equals_torch(size: tuple[int, int]) -> None:
    x = torch.randn(2, 3, 11, 6)
    with any_size():
        pooled = pool_to(x, size)
    torch.testing.assert_close(pooled, functional.adaptive_avg_pool2d(x, size))


def test_a_graph_recorded_for_any_size_takes_another() -> None:
    def there_and_back(x: torch.Tensor, coarse: torch.Tensor) -> torch.Tensor:
        pooled = pool_to(x, coarse.shape[-2:])
        near = resize_nearest(pooled, x.shape[-2:])
        return near + resize_bilinear(pooled, (x.shape[2], x.shape[3]), align_corners=False)

    with warnings.catch_warnings(), any_size():
        warnings.simplefilter("ignore")
        traced = torch.jit.trace(there_and_back, (torch.randn(1, 2, 8, 12), torch.randn(1, 2, 4, 6)))
    for count, size, cells in ((1, (8, 12), (4, 6)), (2, (9, 13), (4, 5)), (3, (16, 5), (3, 3))):
        x, coarse = torch.randn(count, 2, *size), torch.randn(count, 2, *cells)
        torch.testing.assert_close(traced(x, coarse), there_and_back(x, coarse))


def traced_operators(function: Callable[[torch.Tensor], torch.Tensor], x: torch.Tensor) -> set[str]:
    """The operators of the graph that an exporter would see; its results are compared with the function's."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # shapes become constants, and tracing is deprecated
        traced = torch.jit.trace(function, x)
    torch.testing.assert_close(traced(x), function(x))
    return {node.kind() for node in traced.graph.nodes()}


def test_exported_graphs_hold_the_ordinary_operators() -> None:
    def both(x: torch.Tensor) -> torch.Tensor:
        return resize_bilinear(resize_nearest(x, (8, 12)), (15, 24), align_corners=False)

    operators = traced_operators(both, torch.randn(1, 2, 4, 6))
    assert {"aten::upsample_nearest2d", "aten::upsample_bilinear2d"} <= operators


@pytest.mark.parametrize("size", [(4, 12), (12, 6), (32, 48), (20, 42)])
def test_exported_enlarging_by_whole_factors_is_a_sum_of_rows(size: tuple[int, int]) -> None:
    operators = traced_operators(lambda x: resize_bilinear(x, size, align_corners=False), torch.randn(1, 2, 4, 6))
    assert "aten::upsample_bilinear2d" not in operators


def test_exported_enlarging_of_a_single_pixel() -> None:
    traced_operators(lambda x: resize_bilinear(x, (3, 5), align_corners=False), torch.randn(1, 2, 1, 1))


def test_mixed_precision_is_not_done_by_half_precision_matrices() -> None:
    x = torch.randn(1, 2, 4, 6)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        resized = resize_bilinear(x, (8, 12), align_corners=False)
    assert resized.dtype == torch.float32
    torch.testing.assert_close(resized, resize_bilinear(x, (8, 12), align_corners=False))


def test_weights_made_in_inference_mode_can_be_trained_with() -> None:
    x = torch.randn(1, 2, 5, 7)
    with torch.inference_mode():
        resize_bilinear(x, (11, 13), align_corners=False)
    resize_bilinear(x.requires_grad_(), (11, 13), align_corners=False).sum().backward()


def test_pooling_in_unequal_cells_has_an_onnx_graph(tmp_path: Path) -> None:
    class Pool(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return pool_to(x, (4, 2))

    x = torch.randn(1, 2, 6, 2)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # shapes become constants, and tracing is deprecated
        torch.onnx.export(Pool(), (x,), tmp_path / "pool.onnx", opset_version=17, dynamo=False)
    session = onnxruntime.InferenceSession(tmp_path / "pool.onnx", providers=["CPUExecutionProvider"])
    found = session.run(None, {session.get_inputs()[0].name: x.numpy()})[0]
    torch.testing.assert_close(torch.from_numpy(found), functional.adaptive_avg_pool2d(x, (4, 2)))
