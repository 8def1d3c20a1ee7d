import numpy as np
import openvino
import pytest
import torch
from numpy.testing import assert_allclose
from torch import nn

from otx_seg.deployment.rewrite import spell_out_group_norms
from otx_seg.runtime.openvino_core import openvino_core


@pytest.mark.parametrize("shape", [[2, 12, 5, 7], [-1, 12, 5, 7], [2, 12, -1, -1], [-1, 12, -1, -1]])
def test_group_norm_followed_by_a_sum(shape: list[int]) -> None:
    torch.manual_seed(0)
    norm = nn.GroupNorm(4, 12, eps=1e-3)
    nn.init.normal_(norm.weight)
    nn.init.normal_(norm.bias)
    images = 3 * torch.randn(2, 12, 5, 7) + 1
    with torch.no_grad():
        expected = (norm(images) + images).numpy()

    opset = openvino.opset13
    image = opset.parameter(openvino.PartialShape(shape), np.float32)
    weight, bias = (opset.constant(values.detach().numpy()) for values in (norm.weight, norm.bias))
    x = opset.group_normalization(image, weight, bias, 4, 1e-3, name="norm")
    model = openvino.Model([opset.add(x, image)], [image], "norm")
    spell_out_group_norms(model)

    nodes = {node.get_friendly_name(): node.get_type_name() for node in model.get_ops()}
    assert "GroupNormalization" not in nodes.values()
    assert nodes["norm"] == "Add"
    compiled = openvino_core().compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    assert_allclose(compiled(images.numpy())[0], expected, atol=1e-5)
