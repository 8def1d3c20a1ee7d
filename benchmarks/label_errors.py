"""How well `otx check --load-weights` finds faults in masks.

Faults are put into the masks of CamVid's training images, by a seeded hand: 5 % of the images get one fault each, of
four kinds in turn. A region of at least half a percent of the image gets another label that the image shows, or that
of the background; the image gets the mask of another one; or its mask is shifted by 8 pixels. Networks are trained
on these data with `--folds`, and each image is judged by the network that has not seen it.

    python benchmarks/label_errors.py CAMVID OUTPUT [--seeds 0 1 2] [--folds 3] [--steps 400]
        [--template EfficientNet-Lite0-FPN] [--input-size 256x256] [--batch-size 4]

Everything is kept in OUTPUT: the same command trains what is missing, and ranks anew. Printed is, for each seed, the
share of faults among the first 20 images of the ranking (precision), the share of all faults that is among the first
10 % of the images, and the places of the faults by their kind; `-`: not in the ranking. CamVid has 367 images, 18 of
which get a fault: the precision cannot exceed 0.9.
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from learning_modes import epochs
from numpy.typing import NDArray

from otx_seg.annotations.samples import Subset
from otx_seg.datasets import open_folder

Mask = NDArray[np.uint8]

KINDS = ("another label", "deleted region", "mask of another image", "shifted mask")
SHARE = 0.05
SHIFT = 8
SMALLEST_REGION = 0.005  # of the image
FIRST, FIRST_SHARE = 20, 0.1


def put_faults(camvid: Path, folder: Path, seed: int) -> dict[str, str]:
    """Copy the training images to a folder, with masks of which some have a fault; the kind of fault by image."""
    record = folder.with_suffix(".json")
    if not record.exists():
        shutil.rmtree(folder, ignore_errors=True)
        subset = open_folder(camvid / "train")["default"]
        copy(camvid / "train", folder)
        rng = np.random.default_rng(seed)
        order = rng.permutation(len(subset))
        faults = {}
        for number, index in enumerate(order[: round(SHARE * len(subset))]):
            sample, kind = subset.samples[index], KINDS[number % len(KINDS)]
            mask = faulty(subset, int(index), kind, rng)
            cv2.imwrite(str(folder / "masks" / sample.mask_name), mask)
            faults[sample.name] = kind
        record.write_text(json.dumps(faults, indent=1))
    found: dict[str, str] = json.loads(record.read_text())
    return found


def copy(source: Path, folder: Path) -> None:
    """Copy images and masks, which can be written to there."""
    for kind in ("images", "masks"):
        (folder / kind).mkdir(parents=True)
        for file in (source / kind).iterdir():
            shutil.copyfile(file, folder / kind / file.name)
    shutil.copyfile(source / "dataset_meta.json", folder / "dataset_meta.json")


def faulty(subset: Subset, index: int, kind: str, rng: np.random.Generator) -> Mask:
    """The mask of an image with a fault of this kind."""
    mask = subset.read_mask(subset.samples[index])
    if kind == "mask of another image":
        other = (index + rng.integers(1, len(subset))) % len(subset)
        return subset.read_mask(subset.samples[other])
    if kind == "shifted mask":
        down, right = ((SHIFT, 0), (-SHIFT, 0), (0, SHIFT), (0, -SHIFT))[rng.integers(4)]
        padded = np.pad(mask, SHIFT, mode="edge")
        height, width = mask.shape
        return padded[SHIFT - down : SHIFT - down + height, SHIFT - right : SHIFT - right + width]
    background = subset.labels.background
    assert background is not None
    regions = regions_of(mask, background)
    region, label = regions[rng.integers(len(regions))]
    if kind == "deleted region":
        return np.where(region, np.uint8(background), mask)
    others = sorted(set(np.unique(mask).tolist()) - {label, background})
    return np.where(region, np.uint8(rng.choice(others)), mask)


def regions_of(mask: Mask, background: int) -> list[tuple[NDArray[np.bool_], int]]:
    """The connected regions of one label that are large enough, and their labels, other than the background."""
    found = []
    for label in sorted(set(np.unique(mask).tolist()) - {background}):
        number, marked, figures, _ = cv2.connectedComponentsWithStats((mask == label).astype(np.uint8))
        for region in range(1, number):
            if figures[region, cv2.CC_STAT_AREA] >= SMALLEST_REGION * mask.size:
                found.append((marked == region, label))
    return found


def train_folds(data: Path, output: Path, seed: int, options: argparse.Namespace) -> None:
    """Train the networks of a cross-validation, as far as they are not there."""
    from otx_seg.verbs.cross_validate import cross_validate

    images = len(open_folder(data)["default"])
    settings: dict[str, Any] = {
        "input_size": options.input_size,
        "batch_size": options.batch_size,
        "num_iters": epochs(options.steps, images * (options.folds - 1) // options.folds, options.batch_size),
        "enable_early_stopping": False,
        "use_adaptive_interval": True,
        "num_workers": 0,
    }
    cross_validate(
        data,
        folds=options.folds,
        seed=seed,
        template=options.template,
        output=output,
        parameters={f"learning_parameters.{name}": value for name, value in settings.items()},
    )


def places(data: Path, folds: Path, output: Path, faults: dict[str, str]) -> dict[str, list[int | None]]:
    """The ranks of the faults by their kind; None where a mask is not suspected."""
    from otx_seg.verbs.check import check

    found = check(data, load_weights=folds, output=output, overwrite=True).mask_faults
    assert found is not None
    ranks = {mask.file: mask.rank for mask in found.masks}
    return {kind: [ranks.get(name) for name, its in faults.items() if its == kind] for kind in KINDS}


def among(ranks: dict[str, list[int | None]], first: int) -> int:
    """How many of the faults are among the first images."""
    return sum(rank is not None and rank <= first for of_kind in ranks.values() for rank in of_kind)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("camvid", type=Path, help="folder with train/")
    parser.add_argument("output", type=Path)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--folds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=400)
    parser.add_argument("--template", default="EfficientNet-Lite0-FPN")
    parser.add_argument("--input-size", default="256x256")
    parser.add_argument("--batch-size", type=int, default=4)
    options = parser.parse_args()
    options.output.mkdir(parents=True, exist_ok=True)

    figures = []
    print(f"| seed | first {FIRST} | found in the first {FIRST_SHARE:.0%} | {' | '.join(KINDS)} |")
    print("|" + "---|" * (3 + len(KINDS)), flush=True)
    for seed in options.seeds:
        data, folds = options.output / f"data-{seed}", options.output / f"folds-{seed}"
        faults = put_faults(options.camvid, data, seed)
        train_folds(data, folds, seed, options)
        ranks = places(data, folds, options.output / f"check-{seed}", faults)
        images = len(open_folder(data)["default"])
        figures.append((among(ranks, FIRST) / FIRST, among(ranks, round(FIRST_SHARE * images)) / len(faults)))
        shown = (", ".join("-" if rank is None else str(rank) for rank in ranks[kind]) for kind in KINDS)
        print(f"| {seed} | {figures[-1][0]:.2f} | {figures[-1][1]:.2f} | {' | '.join(shown)} |", flush=True)
    means = (statistics.fmean(column) for column in zip(*figures, strict=True))
    print(f"| mean | {' | '.join(f'{mean:.2f}' for mean in means)} |{' |' * len(KINDS)}")


if __name__ == "__main__":
    main()
