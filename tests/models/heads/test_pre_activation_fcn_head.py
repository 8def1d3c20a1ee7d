import torch
import torch.nn.functional as functional
from mmseg.models.decode_heads import DDRHead
from torch.testing import assert_close

from otx_seg.models.heads.pre_activation_fcn_head import PreActivationFCNHead


@torch.no_grad()
def test_it_normalises_and_activates_before_it_convolves() -> None:
    torch.manual_seed(3)
    head = PreActivationFCNHead(
        in_channels=4, in_index=1, channels=6, num_classes=3, norm_cfg={"type": "BN"}, dropout_ratio=0
    ).eval()
    parameters = head.state_dict()
    for value in parameters.values():
        if value.ndim == 1:
            value.copy_(torch.rand(len(value)) + 0.5)

    def norm(x: torch.Tensor, name: str) -> torch.Tensor:
        keys = ("running_mean", "running_var", "weight", "bias")
        return functional.batch_norm(x, *(parameters[f"{name}.{key}"] for key in keys)).relu()

    features = torch.randn(2, 4, 5, 7)
    x = functional.conv2d(norm(features, "head.0.bn"), parameters["head.0.conv.weight"], padding=1)
    x = functional.conv2d(norm(x, "head.1"), parameters["conv_seg.weight"], parameters["conv_seg.bias"])
    assert_close(head([torch.randn(2, 9, 5, 7), features]), x)
    assert x.shape == (2, 3, 5, 7)


def test_the_keys_are_those_of_mmseg() -> None:
    arguments = {"in_channels": 8, "channels": 4, "num_classes": 3, "norm_cfg": {"type": "BN"}}
    ours, theirs = PreActivationFCNHead(**arguments).state_dict(), DDRHead(**arguments).state_dict()
    assert ours.keys() == {key for key in theirs if not key.startswith("aux_")}
