"""A network that rounds is trained as any other, but for its batch norms."""

from __future__ import annotations

import pytest
import torch

from otx_seg import algorithms
from otx_seg.algorithms import TrainProgress
from otx_seg.models.build import build_model
from otx_seg.models.network import SegmentationNetwork
from otx_seg.models.quantized_conv import InputQuantizer, quantize_convolutions
from otx_seg.template import load


@pytest.mark.parametrize("epochs", [0, 2])
def test_batch_norms_follow_the_batches_in_the_first_epochs_alone(epochs: int) -> None:
    template = load("Lite-HRNet-s-mod2").override({"nncf_optimization.batch_norm_epochs": epochs})
    network = SegmentationNetwork(build_model(template, 3))
    layer = "network.backbone.stem.conv2.conv"
    quantize_convolutions(network, {layer: InputQuantizer(0.02, 0)})
    algorithm = algorithms.build_quantization_aware(template, network, [0.5, 0.3, 0.2])
    image = torch.randint(0, 256, (2, 3, 64, 64), dtype=torch.uint8)
    batch = {"labelled": {"image": image, "mask": torch.randint(0, 3, (2, 64, 64), dtype=torch.uint8)}}
    mean = network.get_buffer("network.backbone.stem.conv1.bn.running_mean")
    followed = []
    for epoch in range(4):
        algorithm.train()  # as the loop does
        before = mean.clone()
        loss = algorithm.training_step(batch, TrainProgress(epoch, epoch, epoch / 4))["loss"]
        followed.append(not torch.equal(mean, before))
    assert followed == [epoch < epochs for epoch in range(4)]
    loss.backward()
    assert network.get_parameter(f"{layer}.quantizer.log_step").grad.abs() > 0
    assert network.get_parameter(f"{layer}.weight").grad.abs().sum() > 0
    assert algorithm.deployable() is network
