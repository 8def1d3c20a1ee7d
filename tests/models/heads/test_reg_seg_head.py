import pytest
import torch
from torch.nn import functional

from otx_seg.models.heads.reg_seg_head import RegSegHead


def head(**changed: object) -> RegSegHead:
    torch.manual_seed(5)
    arguments = {
        "in_channels": [4, 6, 8],
        "in_index": [0, 1, 2],
        "lateral_channels": [2, 6],
        "sum_channels": 5,
        "channels": 7,
        "num_classes": 3,
        "norm_cfg": {"type": "BN"},
    }
    return RegSegHead(**{**arguments, **changed}).eval()


@torch.no_grad()
def test_the_coarsest_are_added_to_the_middle_and_stand_beside_the_finest() -> None:
    model = head()
    fine, middle, coarse = torch.randn(2, 4, 16, 12), torch.randn(2, 6, 8, 6), torch.randn(2, 8, 4, 3)

    def enlarged(x: torch.Tensor, like: torch.Tensor) -> torch.Tensor:
        return functional.interpolate(x, like.shape[2:], mode="bilinear", align_corners=False)

    def layer(x: torch.Tensor, module: torch.nn.Module) -> torch.Tensor:
        kernel = module.conv.weight
        x = functional.conv2d(x, kernel, None, 1, kernel.shape[-1] // 2)
        return torch.relu(x / (1 + module.norm.eps) ** 0.5)  # the norm is new: mean 0, variance 1

    x = layer(middle, model.laterals[1]) + enlarged(layer(coarse, model.laterals[2]), middle)
    x = torch.cat([enlarged(layer(x, model.of_sum), fine), layer(fine, model.laterals[0])], dim=1)
    x = functional.conv2d(layer(x, model.last), model.conv_seg.weight, model.conv_seg.bias)
    torch.testing.assert_close(model([fine, middle, coarse]), x)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"in_channels": [4, 6], "in_index": [0, 1]}, "it takes three and two"),
        ({"lateral_channels": [2, 6, 6]}, "it takes three and two"),
    ],
)
def test_what_does_not_fit_is_refused(changed: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        head(**changed)
