import pytest
import torch
from every_template import template_names
from torch import nn

from otx_seg.models import build_model
from otx_seg.models.complexity import measure
from otx_seg.template import load


def test_a_network_counted_by_hand() -> None:
    network = nn.Module()
    network.backbone = nn.Sequential(nn.Conv2d(3, 8, 3, stride=2, padding=1, bias=False), nn.BatchNorm2d(8))
    network.decode_head = nn.Conv2d(8, 2, 1)
    complexity = measure(network, size=32)  # type: ignore[arg-type]
    assert complexity.gigaflops * 1e9 == pytest.approx(16 * 16 * (8 * 3 * 9 + 8 * 2))
    assert complexity.parameters == 8 * 3 * 9 + 2 * 8 + 8 * 2 + 2
    assert complexity.size_mb * 1e6 == pytest.approx(4 * complexity.parameters)
    assert complexity.output_stride == 2
    assert next(network.parameters()).device == torch.device("cpu")


@pytest.mark.parametrize("name", template_names())
def test_the_templates_state_what_is_measured(name: str) -> None:
    summary, complexity = load(name), measure(build_model(name, 2, shipped_alone=True))
    stated = (summary.gigaflops, summary.output_stride, summary.parameter_count, summary.size_mb)
    assert stated == pytest.approx(
        (complexity.gigaflops, complexity.output_stride, complexity.parameters, complexity.size_mb), rel=0, abs=0.005
    )
