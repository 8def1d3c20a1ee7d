"""What the tolerance of polygons costs and saves when masks become annotations, see `otx predict --polygon-tolerance`.

The masks of a data set are made as smooth as those of a network that answers at a quarter of the size, turned into
polygons, and painted again, by COCO's rule and by labelme's, which differ in the pixels on the border.

    python benchmarks/polygon_tolerance.py path/to/val [--tolerances 0 0.5 1] [--every 5]
"""

from __future__ import annotations

import argparse
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from otx_seg.annotations.canvas import Canvas
from otx_seg.annotations.mask_regions import MaskRegion, MaskRegions
from otx_seg.datasets import open_folder
from otx_seg.formats.writers.labelme import INSET
from otx_seg.labels import IGNORE_INDEX

COARSER = 4  # times, a network's answer than the image

Mask = NDArray[np.uint8]


def smooth(mask: Mask, labels: int) -> Mask:
    """The mask of a network with the best answer it can give; ignored pixels become background."""
    height, width = mask.shape
    shares = []
    for label in range(labels):
        plane = ((mask == label) | ((mask == IGNORE_INDEX) & (label == 0))).astype(np.float32)
        small = cv2.resize(plane, (width // COARSER, height // COARSER), interpolation=cv2.INTER_AREA)
        shares.append(cv2.resize(small, (width, height)))
    return np.stack(shares).argmax(axis=0).astype(np.uint8)


def painted_again(mask: Mask, regions: list[MaskRegion], tolerance: float) -> tuple[Mask, Mask, int]:
    """The mask from polygons by COCO's rule, by labelme's, and how many corners the former have."""
    by_coco, by_labelme = (Canvas(mask.shape[0], mask.shape[1], 0) for _ in range(2))
    corners = 0
    for region in regions:
        polygon = region.polygon(tolerance)
        corners += len(polygon)
        by_coco.paint([polygon.ravel().tolist()], region.label)
        outline = region.polygon(tolerance, INSET).ravel().tolist()
        by_labelme.paint({"outline": outline, "holes": [], "filled_by": "Pillow"}, region.label)
    return by_coco.mask(), by_labelme.mask(), corners


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source", type=Path, help="labelled images")
    parser.add_argument("--tolerances", type=float, nargs="+", default=[0, 0.5, 0.75, 0.9, 1, 1.5, 2, 3])
    parser.add_argument("--every", type=int, default=5, help="use every so many images")
    options = parser.parse_args()
    subset = next(iter(open_folder(options.source).values()))
    count = len(subset.labels)
    masks = [smooth(subset.read_mask(sample), count) for sample in subset.samples[:: options.every]]
    regions = [list(MaskRegions(mask, range(1, count))) for mask in masks]
    total = sum(map(len, regions))
    print(f"{len(masks)} images, {total} regions\n")
    print("| tolerance | corners of a region | Dice, COCO | of its worst label | Dice, labelme | of its worst label |")
    print("|---|---|---|---|---|---|")
    for tolerance in options.tolerances:
        same, both = np.zeros((2, 2, count)), 0
        for mask, found in zip(masks, regions, strict=True):
            *painted, corners = painted_again(mask, found, tolerance)
            both += corners
            for way, again in enumerate(painted):
                same[way, 0] += np.bincount(mask[mask == again], minlength=count)
                same[way, 1] += np.bincount(mask.ravel(), minlength=count) + np.bincount(again.ravel(), minlength=count)
        dice = 2 * same[:, 0, 1:] / same[:, 1, 1:]
        cells = [f"{cell:.4f}" for way in dice for cell in (np.nanmean(way), np.nanmin(way))]
        print(f"| {tolerance:g} | {both / total:.1f} | {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
