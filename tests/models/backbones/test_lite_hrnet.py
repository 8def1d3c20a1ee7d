import pytest
import torch
import torch.nn.functional as functional

from otx_seg.models.backbones.lite_hrnet import (
    CrossResolutionWeighting,
    LiteHRModule,
    LiteHRNet,
    SpatialWeighting,
    interleave,
)


def test_interleave_is_concatenation_and_shuffle() -> None:
    first = torch.tensor([0.0, 1.0, 2.0]).view(1, 3, 1, 1)
    second = torch.tensor([10.0, 11.0, 12.0]).view(1, 3, 1, 1)
    assert interleave(first, second).flatten().tolist() == [0, 10, 1, 11, 2, 12]


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_interleave_is_one_operator_in_an_exported_graph() -> None:
    first, second = torch.randn(2, 4, 3, 5), torch.randn(2, 4, 3, 5)
    traced = torch.jit.trace(interleave, (first, second))
    assert "aten::channel_shuffle" in {node.kind() for node in traced.graph.nodes()}
    assert torch.equal(traced(first, second), interleave(first, second))


def test_fuse_counts_branch_0_twice_and_passes_its_sum_on() -> None:
    """The published networks' slip, against a literal transcription of it: sums accumulated in place."""
    torch.manual_seed(0)
    module = LiteHRModule([8, 16, 32], blocks=1, reduce_ratio=8).eval()
    branches = [torch.randn(1, 8 * 2**i, 16 // 2**i, 24 // 2**i) for i in range(3)]
    with torch.no_grad():
        fused = module.fuse([branch.clone() for branch in branches])

        out = [branch.clone() for branch in branches]
        expected = []
        for target in range(3):
            total = out[0] if target == 0 else module.fuse_layers[target][0](out[0])
            for source in range(3):
                part = out[source] if source == target else module.fuse_layers[target][source](out[source])
                total += functional.interpolate(part, total.shape[-2:])
            expected.append(functional.relu(total))
    for ours, theirs in zip(fused, expected, strict=True):
        torch.testing.assert_close(ours, theirs)


def test_fuse_leaves_its_inputs_alone() -> None:
    module = LiteHRModule([8, 16], blocks=1, reduce_ratio=4)
    branches = [torch.randn(2, 8, 8, 8), torch.randn(2, 16, 4, 4)]
    before = [branch.clone() for branch in branches]
    module.fuse(branches)
    assert all(torch.equal(new, old) for new, old in zip(branches, before, strict=True))


def test_gates_of_untrained_weights_are_one_half() -> None:
    """Convolutions of zero give sigmoid(0) = 1/2, for every pixel and branch."""
    weighting = CrossResolutionWeighting([3, 5], ratio=2).eval()
    spatial = SpatialWeighting(8).eval()
    for parameter in [*weighting.conv2.conv.parameters(), *spatial.conv2.conv.parameters()]:
        torch.nn.init.zeros_(parameter)
    branches = [torch.randn(1, 3, 8, 12), torch.randn(1, 5, 4, 6)]
    for gated, branch in zip(weighting(branches), branches, strict=True):
        torch.testing.assert_close(gated, branch / 2)
    x = torch.randn(2, 8, 5, 5)
    torch.testing.assert_close(spatial(x), x / 2)


def test_stages_open_one_branch_each() -> None:
    stages = [
        {"modules": 1, "blocks": 1, "reduce_ratio": 2, "channels": [8, 16]},
        {"modules": 1, "blocks": 1, "reduce_ratio": 2, "channels": [8, 24, 32]},
    ]
    backbone = LiteHRNet(8, (2, 2), False, stages, init_cfg=[])
    shapes = [tuple(branch.shape) for branch in backbone(torch.randn(2, 3, 64, 32))]
    assert shapes == [(2, 8, 16, 8), (2, 24, 8, 4), (2, 32, 4, 2)]
    names = [key for key in backbone.state_dict() if key.startswith("transition1")]
    assert {name.split(".")[1] for name in names} == {"1", "2"}, "branch 0 keeps its width and needs no layers"
