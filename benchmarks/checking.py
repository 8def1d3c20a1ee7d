"""How long `otx check` takes for many images.

Makes a data set of as many different images as asked for from a smaller one, by shifting its images and masks, checks
it, and removes it again. Only the check is timed, with the files in memory where there is room: how long it took, and
how long processors worked for it, which other programs change less.

    python benchmarks/checking.py path/to/train [--images 10000] [--html]
"""

from __future__ import annotations

import argparse
import random
import shutil
import tempfile
import time
from pathlib import Path

import cv2
import numpy as np

from otx_seg import check
from otx_seg.datasets import open_folder
from otx_seg.words import count


def multiply(source: Path, folder: Path, images: int) -> None:
    """Write `images` pairs of JPEG and PNG files, each shifted by another random number of pixels."""
    subset = next(iter(open_folder(source).values()))
    for name in ("images", "masks"):
        (folder / name).mkdir(parents=True)
    shutil.copy(source / "dataset_meta.json", folder)
    chance = random.Random(0)
    for number in range(images):
        sample = subset.samples[number % len(subset)]
        image, mask = subset.read_image(sample), subset.read_mask(sample)
        shift = chance.randrange(mask.shape[0]), chance.randrange(mask.shape[1])
        image, mask = (np.roll(pixels, shift, (0, 1)) for pixels in (image, mask))
        cv2.imwrite(str(folder / "images" / f"{number:05d}.jpg"), image[:, :, ::-1])
        cv2.imwrite(str(folder / "masks" / f"{number:05d}.png"), mask)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source", type=Path, help="labelled images with a dataset_meta.json beside them")
    parser.add_argument("--images", type=int, default=10_000)
    parser.add_argument("--html", action="store_true", help="make the page too")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary, "train")
        multiply(arguments.source, folder, arguments.images)
        started, busy = time.perf_counter(), time.process_time()
        result = check(folder, html=Path(temporary, "page.html") if arguments.html else None)
        seconds, busy = time.perf_counter() - started, time.process_time() - busy
    print(f"{arguments.images} images: {seconds:.1f} s, of all processors together {busy:.1f} s")
    print(f"{result.verdict}; {count(len(result.problems), 'problem')}")


if __name__ == "__main__":
    main()
