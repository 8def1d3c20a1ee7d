"""What a training step of each template costs on a CPU: the figures `cpu_gigaflops_per_s` and
`cpu_gigabytes_per_gigaflop` of the templates.

Every template makes its steps in turns with one whose speed is known, so that what else the machine does concerns both;
processor time is compared. Memory is the peak of a process that makes steps with more images minus that of one with
fewer. Prints a line for each template.

    python benchmarks/training_cost.py [TEMPLATE ...] [--reference EfficientNet-Lite0-FPN]
"""

from __future__ import annotations

import argparse
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable

import torch

from otx_seg import algorithms
from otx_seg.algorithms import TrainProgress
from otx_seg.models import build_model
from otx_seg.models.network import SegmentationNetwork
from otx_seg.template import Template, find_templates, load
from otx_seg.training.optimizer import build_optimizer, parameter_groups

TURNS = 3
IMAGES = 2
FEW, MORE = 4, 12
HEAVY = 40.0  # GFLOPs of a 512x512 image from which on the images have 128 pixels a side instead of 256


def side_of(template: Template) -> int:
    """Of the square images, in pixels."""
    return template.input_sizes.nearest(128 if template.gigaflops > HEAVY else 256)


def step_of(template: Template, images: int) -> Callable[[], None]:
    """A function that makes a training step."""
    torch.manual_seed(0)
    side = side_of(template)
    network = SegmentationNetwork(build_model(template, 12))
    algorithm = algorithms.build(template, network, [1 / 12] * 12).train()
    optimizer = build_optimizer(parameter_groups(algorithm, template), template)
    image = torch.randint(0, 256, (images, 3, side, side), dtype=torch.uint8)
    mask = torch.randint(0, 12, (images, side, side), dtype=torch.uint8)
    batch = {"labelled": {"image": image, "mask": mask, "files": ["image"] * images}}

    def step() -> None:
        optimizer.zero_grad()
        algorithm.training_step(batch, TrainProgress(0, 0, 0.0))["loss"].backward()
        optimizer.step()

    return step


def work_of(template: Template, images: int) -> float:
    """Multiply-adds of the forward pass, in billions, as the templates count them."""
    return template.gigaflops * (side_of(template) / 512) ** 2 * images


def speed(template: Template, reference: Template) -> float:
    """Billions of the forward pass's multiply-adds per second of a processor."""
    steps = [step_of(each, IMAGES) for each in (template, reference)]
    for step in steps:
        step()
    ratios = []
    for _ in range(TURNS):
        seconds = []
        for step in steps:
            begun = time.process_time()
            step()
            seconds.append(time.process_time() - begun)
        ratios.append(seconds[1] / seconds[0])
    works = [work_of(each, IMAGES) for each in (template, reference)]
    return reference.cpu_gigaflops_per_s * statistics.median(ratios) * works[0] / works[1]


def memory(template: Template) -> float:
    """Gigabytes of a training step for each image and billion of the forward pass's multiply-adds."""
    peaks = []
    for images in (FEW, MORE):
        command = [sys.executable, __file__, template.name, "--steps-alone", str(images)]
        made = subprocess.run(command, check=True, capture_output=True, text=True)
        peaks.append(int(made.stdout.split()[-1]) / 1e6)
    return (peaks[1] - peaks[0]) / (work_of(template, MORE) - work_of(template, FEW))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("templates", nargs="*", metavar="TEMPLATE", help="default: all")
    parser.add_argument("--reference", default="EfficientNet-Lite0-FPN", help="whose cpu_gigaflops_per_s is known")
    parser.add_argument("--steps-alone", type=int, metavar="IMAGES", help=argparse.SUPPRESS)
    options = parser.parse_args()
    torch.set_num_threads(1)
    chosen = [load(name) for name in options.templates or [item.name for item in find_templates()]]
    if options.steps_alone:
        step = step_of(chosen[0], options.steps_alone)
        for _ in range(2):
            step()
        print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
        return
    reference = load(options.reference)
    print(f"{'template':36} GFLOPs/s  GB/GFLOP")
    for template in chosen:
        print(f"{template.name:36} {speed(template, reference):8.1f}  {memory(template):8.2f}", flush=True)


if __name__ == "__main__":
    main()
