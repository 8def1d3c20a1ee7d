import importlib.util
import math
import subprocess
import sys

import mmcv.ops
import pytest
import torch

from otx_seg.models.mmcv_ops import COMPILED_ONLY, ensure_ops, point_sample, sigmoid_focal_loss

needs_lite = pytest.mark.skipif(
    importlib.util.find_spec("mmcv._ext") is not None, reason="the full mmcv is installed and keeps its own operators"
)


def test_mmseg_can_be_imported_without_a_warning() -> None:
    command = [sys.executable, "-c", "import otx_seg.models, mmseg.models; print(mmseg.models.FCNHead.__name__)"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout == "FCNHead\n"
    assert "MultiScaleDeformableAttention" not in done.stderr


@needs_lite
def test_a_second_call_changes_nothing() -> None:
    before = sys.modules["mmcv.ops"]
    ensure_ops()
    assert sys.modules["mmcv.ops"] is before is mmcv.ops


@needs_lite
@pytest.mark.parametrize("name", COMPILED_ONLY)
def test_compiled_operators_say_what_they_need(name: str) -> None:
    with pytest.raises(ImportError, match=f"{name} needs the compiled operators"):
        getattr(mmcv.ops, name)(3, 4)


def test_point_sample_by_hand() -> None:
    image = torch.tensor([[[[0.0, 1.0], [2.0, 3.0]]]])
    # (x, y) relative to the outer edges: pixel centres at 1/4 and 3/4.
    points = torch.tensor([[[0.25, 0.25], [0.75, 0.25], [0.5, 0.5], [0.25, 0.75]]])
    assert point_sample(image, points).tolist() == [[[0.0, 1.0, 1.5, 2.0]]]
    assert point_sample(image, points.unsqueeze(1)).shape == (1, 1, 1, 4)
    corners = torch.tensor([[[0.0, 0.0], [1.0, 1.0]]])
    assert point_sample(image, corners, align_corners=True).tolist() == [[[0.0, 3.0]]]


def test_focal_loss_by_hand() -> None:
    logits = torch.zeros(2, 2)
    target = torch.tensor([0, 2])  # the second row belongs to no class
    positive, negative = (factor * 0.25 * math.log(2) for factor in (0.25, 0.75))
    expected = torch.tensor([[positive, negative], [negative, negative]])
    torch.testing.assert_close(sigmoid_focal_loss(logits, target, reduction="none"), expected)
    torch.testing.assert_close(sigmoid_focal_loss(logits, target, reduction="sum"), expected.sum())
    torch.testing.assert_close(sigmoid_focal_loss(logits, target), expected.sum() / 2)
    weighted = sigmoid_focal_loss(logits, target, weight=torch.tensor([3.0, 5.0]), reduction="none")
    torch.testing.assert_close(weighted, expected * torch.tensor([[3.0], [1.0]]))
