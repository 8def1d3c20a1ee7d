"""Parameters and multiply-adds of the networks, against figures of their papers and first implementations."""

from __future__ import annotations

from typing import Any, NamedTuple

import pytest
import torch
from every_template import representatives
from torch.utils.flop_counter import FlopCounterMode

from otx_seg.models import build_model
from otx_seg.models.network import main_logits

CONVOLUTIONS_AND_LINEAR_LAYERS = (torch.ops.aten.convolution, torch.ops.aten.addmm, torch.ops.aten.mm)


class Figures(NamedTuple):
    """Attributes:
    template: its name.
    labels: number of them.
    size: (height, width) of the image in pixels.
    parameters: learned ones of the shipped network, in millions.
    gigaflops: multiply-adds of convolutions and linear layers, in billions, from the image to the logits before they
        are resized.
    why: for figures that are not those of the source, what makes the difference.
    """

    template: str
    labels: int
    size: tuple[int, int]
    parameters: float
    gigaflops: float
    why: str = ""


CONVOLUTIONS_ALONE = (
    "12.79 counts convolutions alone; queries, keys, values and outputs of the attention, 0.81, are linear layers"
)
TRANSPOSED = (
    "mmseg's UNet (29.06, 405.27) enlarges by interpolation and a 1x1 convolution; in units of a pixel, these are "
    "259,776 for the encoder, 475,136 for the decoder and 64 for each label"
)


FIGURES: list[Figures] = [
    Figures("DDRNet-23-slim", 19, (1024, 2048), 5.696, 36.28),
    Figures("DDRNet-23", 19, (1024, 2048), 20.149, 143.06),
    Figures("DDRNet-39", 19, (1024, 2048), 32.36, 281.12),
    Figures("STDC1-50", 19, (512, 1024), 8.275, 16.86),
    Figures("STDC1-75", 19, (768, 1536), 8.275, 37.94),
    Figures("STDC2-50", 19, (512, 1024), 12.306, 23.46),
    Figures("STDC2-75", 19, (768, 1536), 12.306, 52.78),
    Figures("DeepLabV3PlusLite-MobileNetV2", 19, (384, 768), 2.425, 3.545),
    Figures("DeepLabV3PlusLite-MobileNetV2", 21, (512, 512), 2.426, 3.161),
    Figures("UNetASPPLite-MobileNetV2", 19, (384, 768), 2.466, 2.204),
    Figures("UNetASPPLite-MobileNetV2", 21, (512, 512), 2.468, 2.009),
    Figures("FPNASPPLite-MobileNetV2", 19, (384, 768), 2.669, 3.767, "one of the source's tables has 3.84"),
    Figures("FPNASPPLite-MobileNetV2", 19, (768, 1536), 2.669, 15.069),
    Figures("FPNASPPLite-MobileNetV2", 21, (512, 512), 2.670, 3.357),
    Figures("FPNASPPLite-FD-MobileNetV2", 19, (768, 1536), 2.669, 3.958),
    Figures("FPNASPPLite-FD-MobileNetV2", 19, (1024, 2048), 2.669, 7.037),
    Figures("FPNASPPLite-MobileNetV2-1.4", 32, (512, 512), 5.190, 6.536, "the source's table for 32 labels has 6.646"),
    Figures("FPNASPPLite-RegNetX-400MF", 19, (384, 768), 6.018, 6.092),
    Figures("FPNASPPLite-RegNetX-800MF", 19, (384, 768), 8.311, 8.838),
    Figures("FPNASPPLite-RegNetX-800MF", 21, (512, 512), 8.311, 7.864),
    Figures("FPNASPPLite-RegNetX-1.6GF", 19, (512, 1024), 10.737, 26.367, "one of the source's tables has 24.29"),
    Figures("FPNASPPLite-RegNetX-3.2GF", 19, (512, 1024), 18.061, 49.403),
    Figures("FPNASPPLite-RegNetX-3.2GF", 19, (768, 1536), 18.061, 111.157),
    Figures("DeepLabV3PlusLite-RegNetX-800MF", 19, (384, 768), 7.887, 11.192),
    Figures("UNetASPPLite-RegNetX-800MF", 19, (384, 768), 8.250, 8.402),
    Figures("FPNASPPLite-ResNet50", 19, (384, 768), 26.612, 28.605),
    Figures("PP-LiteSeg-T-50", 19, (512, 1024), 8.028, 11.42),
    Figures("PP-LiteSeg-T-75", 19, (768, 1536), 8.028, 25.69),
    Figures("PP-LiteSeg-B-50", 19, (512, 1024), 12.234, 19.23),
    Figures("PP-LiteSeg-B-75", 19, (768, 1536), 12.234, 43.26),
    Figures("RegSeg48", 19, (512, 1024), 3.335, 9.59),
    Figures("RegSeg48", 19, (1024, 2048), 3.335, 38.35),
    Figures("SegFormer-B0", 19, (512, 1024), 3.72, 13.60, CONVOLUTIONS_ALONE),
    Figures("SegFormer-B0", 19, (1024, 2048), 3.72, 54.4),
    Figures("UNet", 19, (512, 1024), 31.039, 385.94, TRANSPOSED),
    Figures("HRNet-W18-FCN", 19, (512, 1024), 9.641, 36.85, "the source has no W18: MMSegmentation's"),
    Figures("HRNet-W48-FCN", 19, (512, 1024), 65.86, 186.88),
    Figures("HRNet-W18-OCR", 19, (512, 1024), 12.08, 105.86, "the source has no W18: MMSegmentation's"),
    Figures("HRNet-W48-OCR", 19, (512, 1024), 70.37, 323.84),
    Figures("HRNet-W48-MS-OCR", 19, (512, 1024), 72.1, 477.28, "the source gives no multiply-adds; scales 0.5 and 1"),
    Figures("HRNet-W48-OCR-ASPP", 19, (512, 1024), 83.9, 756.29, "the source gives no multiply-adds"),
    Figures("BiSeNet-ResNet18", 20, (512, 1024), 13.567, 32.23),
    Figures("BiSeNet-ResNet50", 20, (512, 1024), 28.749, 241.61),
    Figures("BiSeNet-Xception", 20, (512, 1024), 25.707, 63.29),
    Figures("DeepLabV3-MobileNetV3-L", 20, (512, 1024), 11.025, 19.65),
    Figures("DeepLabV3-ResNet50", 20, (512, 1024), 39.639, 327.16),
    Figures("DeepLabV3-ResNet101", 20, (512, 1024), 58.631, 482.31),
    Figures("FCN-ResNet34", 20, (512, 1024), 21.877, 38.58, "from the 21,797,672 of ResNet-34: the source names none"),
    Figures("FCN-ResNet50", 20, (512, 1024), 32.956, 276.73),
    Figures("FCN-VGG16", 20, (512, 1024), 15.307, 160.66),
    Figures("LRASPP-MobileNetV3-L", 20, (512, 1024), 3.221, 3.95),
    Figures("PSPNet-ResNet50", 20, (512, 1024), 27.789, 200.07),
    Figures("UPerNet-ResNet18", 20, (512, 1024), 13.361, 29.46),
    Figures("UPerNet-ResNet101", 20, (512, 1024), 47.412, 94.33),
    Figures("ENet", 20, (512, 1024), 0.346, 4.06),
    Figures("SFNet-ResNet18", 20, (512, 1024), 12.721, 45.78),
    Figures("SFNet-ResNet101", 20, (512, 1024), 45.200, 109.85),
    Figures("SFNet-Lite-ResNet18", 20, (512, 1024), 11.932, 29.56),
    Figures("SFNet-Lite-ResNet101", 20, (512, 1024), 44.362, 93.23),
]


def as_parameter(figures: Figures) -> Any:
    """Slow ones are left out of a usual run."""
    marks = () if figures.template in representatives() else pytest.mark.slow
    return pytest.param(figures, marks=marks, id=f"{figures.template}-{figures.size[1]}")


@pytest.mark.parametrize("figures", map(as_parameter, FIGURES))
def test_a_network_is_as_large_as_its_source_says(figures: Figures) -> None:
    network = build_model(figures.template, figures.labels, shipped_alone=True)
    parameters = sum(parameter.numel() for parameter in network.parameters())
    network = network.to("meta").eval()
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        main_logits(network, torch.empty(1, 3, *figures.size, device="meta"))
    counts = counter.get_flop_counts()["Global"]
    # The counter takes a multiply-add for two operations.
    gigaflops = sum(counts.get(kind, 0) for kind in CONVOLUTIONS_AND_LINEAR_LAYERS) / 2e9
    assert parameters / 1e6 == pytest.approx(figures.parameters, rel=0.001)
    assert gigaflops == pytest.approx(figures.gigaflops, rel=0.005)
