"""How much faster exported models are than the plain conversion of the same network.

The plain conversion is what OpenVINO makes of the network as it was published: adaptive pooling, channels shuffled by
reshaping, logits enlarged by the bilinear operator. Against it, in turns within one process: the FP32 and the INT8
model of `otx export` and `otx optimize`. Weights are random, which changes no time; so Dice means nothing here.

    python benchmarks/conversion.py CAMVID_FOLDER [--templates NAME ...] [--size 512x512] [--threads 2] [--rounds 15]
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
from functools import partial
from pathlib import Path
from unittest.mock import patch

import numpy as np
import openvino
import torch
import torch.nn.functional as functional
from torch import Tensor, nn

import otx_seg
from otx_seg import template as templates
from otx_seg.datasets import open_folder
from otx_seg.inference.latency import timed_calls
from otx_seg.models import network
from otx_seg.models.backbones import lite_hrnet
from otx_seg.models.build import build_model
from otx_seg.models.network import Deployable, SegmentationNetwork
from otx_seg.runtime.openvino_core import openvino_core
from otx_seg.workspace.weights import write_weights


def plain_shuffle(first: Tensor, second: Tensor) -> Tensor:
    joined = torch.cat((first, second), dim=1)
    batch, channels, height, width = joined.shape
    grouped = joined.view(batch, 2, channels // 2, height, width).transpose(1, 2)
    return grouped.reshape(batch, channels, height, width)


def plain_bilinear(x: Tensor, size: tuple[int, int], align_corners: bool) -> Tensor:
    return functional.interpolate(x, tuple(size), mode="bilinear", align_corners=align_corners)


def plain_weighting(self: nn.Module, x: Tensor) -> Tensor:
    return x * self.conv2(self.conv1(functional.adaptive_avg_pool2d(x, 1)))


def write_plain(bare: SegmentationNetwork, size: tuple[int, int], path: Path) -> None:
    example = torch.zeros(1, 3, *size)
    with (
        patch.object(lite_hrnet, "interleave", plain_shuffle),
        patch.object(lite_hrnet, "pool_to", functional.adaptive_avg_pool2d),
        patch.object(lite_hrnet.SpatialWeighting, "forward", plain_weighting),
        patch.object(network, "resize_bilinear", plain_bilinear),
    ):
        model = openvino.convert_model(Deployable(bare).eval(), example_input=example, input=[list(example.shape)])
    openvino.save_model(model, path, compress_to_fp16=False)


def measure(paths: list[Path], threads: int, rounds: int) -> list[float]:
    """Median milliseconds for one image, the models taking turns."""
    settings = {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": threads, "PERFORMANCE_HINT": "LATENCY"}
    models = [openvino_core().compile_model(path, "CPU", settings) for path in paths]
    image = np.random.default_rng(0).uniform(0, 255, tuple(models[0].inputs[0].shape)).astype(np.float32)
    times: list[list[float]] = [[] for _ in models]
    for _ in range(rounds):
        for model, found in zip(models, times, strict=True):
            found += timed_calls(partial(model, image), least=5)
    return [1000 * statistics.median(found) for found in times]


def compare(name: str, camvid: Path, size: tuple[int, int], threads: int, rounds: int, folder: Path) -> None:
    torch.manual_seed(0)
    template = templates.load(name).override({"learning_parameters.input_size": f"{size[0]}x{size[1]}"})
    labels = open_folder(camvid)["val"].labels
    bare = SegmentationNetwork(build_model(template, len(labels))).eval()
    for parameter_name, parameter in bare.named_parameters():
        if parameter.ndim >= 2:
            nn.init.normal_(parameter, std=parameter[0].numel() ** -0.5)
        elif parameter_name.endswith("bias"):  # biases of zero would be left out of the graph, or shared
            nn.init.uniform_(parameter, -0.1, 0.1)
    write_weights(folder / "weights.pth", bare.network.state_dict(), labels, template, "random weights")
    write_plain(bare, size, folder / "plain.xml")
    exported = otx_seg.export(folder / "weights.pth", output=folder / "exported")
    few = {"pot_parameters.stat_subset_size": 10, "nncf_optimization.maximal_accuracy_degradation": 100}
    val = camvid / "val"
    int8 = otx_seg.optimize(exported.model, val, val, output=folder / "int8", parameters=few)
    plain, fp32, integer = measure([folder / "plain.xml", exported.model, int8.model], threads, rounds)
    size_ratio = int8.size_after / int8.size_before
    print(
        f"| {name} | {plain:.1f} | {fp32:.1f} | {integer:.1f} | {plain / fp32:.2f} | {plain / integer:.2f} | "
        f"{fp32 / integer:.2f} | {size_ratio:.2f} |",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("camvid", type=Path)
    parser.add_argument("--templates", nargs="+", default=[found.name for found in templates.find_templates()])
    parser.add_argument("--size", default="512x512")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=15)
    options = parser.parse_args()
    height, width = (int(side) for side in options.size.split("x"))
    print("| network | plain FP32, ms | FP32, ms | INT8, ms | FP32 | INT8 | INT8 against FP32 | size of INT8 |")
    print("|---|---|---|---|---|---|---|---|")
    for name in options.templates:
        with tempfile.TemporaryDirectory() as folder:
            compare(name, options.camvid, (height, width), options.threads, options.rounds, Path(folder))


if __name__ == "__main__":
    main()
