"""How fast batches come, against the least that any loader must do with the same files.

Both sides run in the same call, alternating, in the same kind of worker processes: (1) a bare data set that decodes
image and mask with OpenCV, resizes both by a random ratio and crops them, and no more: no header checks, no colour
codes, no rotation, no limit on a single label; (2) ours without the colour augmentation; (3) ours complete. Then the
memory cache: the rate of the second epoch, whose images are in memory, over that of the first.

    python benchmarks/loading.py path/to/train [--workers 2] [--batch-size 8] [--size 256] [--rounds 5]
"""

from __future__ import annotations

import argparse
import random
import statistics
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import cv2
import torch
from torch.utils.data import DataLoader, Dataset

from otx_seg import template
from otx_seg.datasets import Subset, open_folder
from otx_seg.datasets.loading.loader import training_loader
from otx_seg.datasets.loading.memory_cache import Cache, MemoryCache
from otx_seg.datasets.loading.views import Labelled
from otx_seg.transforms.pipeline import build_pipeline


class Bare(Dataset[tuple[torch.Tensor, torch.Tensor]]):
    """Decode, resize by a random ratio, crop."""

    def __init__(self, subset: Subset, size: int) -> None:
        self.files = [(sample.image, sample.mask) for sample in subset.samples]
        self.size = size

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, index: int) -> tuple[torch.Tensor, torch.Tensor]:
        image_file, mask_file = self.files[index]
        image, mask = cv2.imread(image_file, cv2.IMREAD_COLOR_RGB), cv2.imread(mask_file, cv2.IMREAD_UNCHANGED)
        side = int(self.size * random.uniform(0.5, 2.0))
        image = cv2.resize(image, (side, side), interpolation=cv2.INTER_LINEAR)
        mask = cv2.resize(mask, (side, side), interpolation=cv2.INTER_NEAREST)
        missing = max(0, self.size - side)
        if missing:
            image = cv2.copyMakeBorder(image, 0, missing, 0, missing, cv2.BORDER_CONSTANT)
            mask = cv2.copyMakeBorder(mask, 0, missing, 0, missing, cv2.BORDER_CONSTANT, value=255)
        top, left = (random.randint(0, max(0, side - self.size)) for _ in range(2))
        window = slice(top, top + self.size), slice(left, left + self.size)
        return torch.from_numpy(image[window].transpose(2, 0, 1).copy()), torch.from_numpy(mask[window].copy())


def images_per_second(loader: Iterable[Any], images: int) -> float:
    """The rate of one pass, from the first request to the last batch."""
    started = time.perf_counter()
    for _ in loader:
        pass
    return images / (time.perf_counter() - started)


def gain_of_second_epoch(ours: Callable[..., Any], steps: list[Any], subset: Subset) -> float:
    """The rate of an epoch from the memory cache over that of the epoch that fills it."""
    with ours(steps) as loader:
        images_per_second(loader, len(subset))  # the file cache is warm for both
    with ours(steps, MemoryCache(1_000_000_000, 2 * len(subset))) as loader:
        next(iter(loader))  # the processes are running for both
        first, second = (images_per_second(loader, len(subset)) for _ in range(2))
    return second / first


def main() -> None:
    parser = argparse.ArgumentParser(description="Rates of loading training batches.")
    parser.add_argument("folder", type=Path, help="a data set, such as CamVid's train folder")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--batch-size", type=int, default=8)
    parser.add_argument("--size", type=int, default=256, help="height and width of the batches in pixels")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--template", default="Lite-HRNet-s-mod2", help="whose training pipeline is measured")
    arguments = parser.parse_args()

    subsets = open_folder(arguments.folder)
    subset = subsets.get("train") or next(iter(subsets.values()))
    steps = list(template.load(arguments.template).train_pipeline)
    geometry = [step for step in steps if step["type"] != "MaskedPhotometric"]

    def ours(chosen: list[Any], cache: Cache | None = None) -> DataLoader[Any]:
        pipeline = build_pipeline(chosen, (arguments.size, arguments.size), "train_pipeline")
        view = Labelled(subset, pipeline, arguments.batch_size, seed=0, cache=cache)
        return training_loader(view, (), arguments.workers)

    loaders: dict[str, DataLoader[Any]] = {
        "bare cv2 decode + resize + crop": DataLoader(
            Bare(subset, arguments.size),
            arguments.batch_size,
            shuffle=True,
            num_workers=arguments.workers,
            persistent_workers=arguments.workers > 0,
            worker_init_fn=lambda _: cv2.setNumThreads(1),
        ),
        "otx_seg without colours": ours(geometry),
        "otx_seg, whole pipeline": ours(steps),
    }
    rates: dict[str, list[float]] = {name: [] for name in loaders}
    for turn in range(arguments.rounds + 1):
        for name, loader in loaders.items():
            rate = images_per_second(loader, len(subset))
            if turn:  # the first starts the workers and fills the file cache
                rates[name].append(rate)
    print(f"{len(subset)} images, {arguments.workers} workers, batches of {arguments.batch_size}, {arguments.size} px")
    for name, values in rates.items():
        print(f"{name:32} {statistics.median(values):7.0f} images/s")
    bare, geometric, whole = rates.values()
    # Ratios within a round: other work on the machine slows both sides of a round alike.
    for name, values, note in (("without colours", geometric, "   (needed: 0.80)"), ("whole pipeline", whole, "")):
        ratio = statistics.median(a / b for a, b in zip(values, bare, strict=True))
        print(f"{name + ' / bare':32} {ratio:7.2f}{note}")
    for name, chosen in (("without colours", geometry), ("whole pipeline", steps)):
        gains = [gain_of_second_epoch(ours, chosen, subset) for _ in range(arguments.rounds)]
        print(f"{name + ', epoch 2 / 1':32} {statistics.median(gains):7.2f}   (needed: 1.50)")


if __name__ == "__main__":
    main()
