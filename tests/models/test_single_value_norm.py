import pytest
import torch
from torch import nn
from torch.testing import assert_close

from otx_seg.models import build_model
from otx_seg.models.network import SegmentationNetwork
from otx_seg.models.single_value_norm import SingleValueBatchNorm2d, let_single_values_pass


def test_a_single_value_is_normalised_by_the_running_statistics() -> None:
    norm = SingleValueBatchNorm2d(2)
    norm.running_mean.copy_(torch.tensor([1.0, -2.0]))
    norm.running_var.copy_(torch.tensor([4.0, 9.0]))
    x = torch.tensor([3.0, 4.0]).view(1, 2, 1, 1).requires_grad_()
    y = norm(x)
    assert_close(y.flatten(), torch.tensor([1.0, 2.0]), atol=1e-5, rtol=0)
    y.sum().backward()
    assert x.grad is not None
    assert x.grad.all()
    assert norm.running_mean.tolist() == [1.0, -2.0]
    assert norm.num_batches_tracked == 0
    assert norm.training


@pytest.mark.parametrize("shape", [(2, 3, 1, 1), (1, 3, 1, 2), (2, 3, 4, 4)])
def test_several_values_are_normalised_as_ever(shape: tuple[int, ...]) -> None:
    torch.manual_seed(0)
    x, usual, ours = torch.randn(shape), nn.BatchNorm2d(3), SingleValueBatchNorm2d(3)
    assert torch.equal(ours(x), usual(x))
    assert torch.equal(ours.running_var, usual.running_var)
    assert torch.equal(ours.eval()(x), usual.eval()(x))


def test_without_running_statistics_it_is_refused_as_ever() -> None:
    with pytest.raises(ValueError, match=r"Expected more than 1 value"):
        SingleValueBatchNorm2d(3, track_running_stats=False)(torch.zeros(1, 3, 1, 1))


def test_other_layers_stay() -> None:
    class Own(nn.BatchNorm2d):
        pass

    network = nn.Sequential(nn.Conv2d(3, 3, 1), nn.BatchNorm2d(3), Own(3), nn.BatchNorm1d(3))
    let_single_values_pass(network)
    assert [type(layer) for layer in network] == [nn.Conv2d, SingleValueBatchNorm2d, Own, nn.BatchNorm1d]


@pytest.mark.parametrize("template", ["BiSeNet-ResNet18", "DeepLabV3-MobileNetV3-L", "UPerNet-ResNet18"])
def test_networks_with_global_pooling_learn_from_one_image(template: str) -> None:
    torch.manual_seed(0)
    network = SegmentationNetwork(build_model(template, 2)).train()
    output = network.outputs(torch.randint(0, 256, (1, 3, 64, 64)))
    torch.stack([logits.square().sum() for logits in output.by_name().values()]).sum().backward()
    assert all(parameter.grad is not None and parameter.grad.isfinite().all() for parameter in network.parameters())
