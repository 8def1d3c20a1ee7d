"""How long commands take to begin, against a bare program that does the least for the same.

1. `otx --help` against importing click.
2. `otx predict` of one image with an IR against a script with OpenVINO and OpenCV: it reads the image, runs the model,
   and writes the mask and an overlay.
3. `otx train` until its first step begins, against importing torch and mmseg.models and reading the images and masks.

Both programs of a pair run in turns, each in a process of its own, and the ratios are those of the medians: of the time
that passed, and of the time that processors worked, which other programs change less.

    python benchmarks/startup.py path/to/train --model path/to/openvino.xml [--times 7] [--images 24]
"""

from __future__ import annotations

import argparse
import contextlib
import os
import shutil
import signal
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

HELP = "from otx_seg.cli.main import main; main(['--help'])"
CLICK = "import click"

PREDICT = "import sys; from otx_seg.cli.main import main; main(sys.argv[1:])"
BARE_PREDICT = """
import sys
import cv2
import numpy as np
import openvino

image_file, model, output = sys.argv[1:]
image = cv2.imread(image_file)
compiled = openvino.Core().compile_model(model, "CPU", {"PERFORMANCE_HINT": "LATENCY"})
height, width = compiled.input(0).shape[2:]
resized = cv2.cvtColor(cv2.resize(image, (width, height)), cv2.COLOR_BGR2RGB)
probabilities = compiled(resized.transpose(2, 0, 1)[None].astype(np.float32))[0][0]
large = cv2.resize(probabilities.transpose(1, 2, 0), image.shape[1::-1])
mask = large.argmax(2).astype(np.uint8)
cv2.imwrite(output + ".png", mask)
cv2.imwrite(output + ".jpg", cv2.addWeighted(image, 0.5, cv2.applyColorMap(mask * 20, cv2.COLORMAP_JET), 0.5, 0))
"""

TRAIN = """
import os, sys
from otx_seg.algorithms.supervised import Supervised
from otx_seg.cli.main import main

Supervised.forward = lambda *_: os._exit(0)
main(sys.argv[1:])
"""
BARE_TRAIN = """
import sys
from pathlib import Path
import otx_seg.models.mmcv_ops as mmcv_ops
mmcv_ops.ensure_ops()  # without which mmseg cannot be imported
import torch
import mmseg.models
import cv2

for file in sorted(Path(sys.argv[1]).glob("*/*")):
    cv2.imread(str(file))
"""


def run(program: str, *arguments: str) -> tuple[float, float]:
    """Seconds that passed, and that processors worked for it, until a program in a new process ended.

    Raises:
        SystemExit: it failed.
    """
    devnull = os.open(os.devnull, os.O_WRONLY)
    quiet = [(os.POSIX_SPAWN_DUP2, devnull, 1), (os.POSIX_SPAWN_DUP2, devnull, 2)]
    command = [sys.executable, "-c", program, *arguments]
    # An installed package is compiled, and so is a checkout after its first use.
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    started = time.perf_counter()
    process = os.posix_spawn(sys.executable, command, environment, file_actions=quiet, setpgroup=0)
    _, status, used = os.wait4(process, 0)
    passed = time.perf_counter() - started
    os.close(devnull)
    with contextlib.suppress(ProcessLookupError):  # what loads images for a training that was left
        os.killpg(process, signal.SIGKILL)
    if status:
        raise SystemExit(f"failed: {' '.join(command)}")
    return passed, used.ru_utime + used.ru_stime


def compare(
    name: str, ours: Callable[[], tuple[float, float]], bare: Callable[[], tuple[float, float]], times: int
) -> str:
    """A row of the table: seconds of both, and their ratios."""
    measured = [(ours(), bare()) for _ in range(times + 1)][1:]  # the first one reads files that then are in memory
    medians = [[statistics.median(pair[which][kind] for pair in measured) for kind in (0, 1)] for which in (0, 1)]
    (passed, worked), (bare_passed, bare_worked) = medians
    return (
        f"| {name} | {passed:.2f} | {bare_passed:.2f} | {passed / bare_passed:.2f} "
        f"| {worked:.2f} | {bare_worked:.2f} | {worked / bare_worked:.2f} |"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source", type=Path, help="labelled images: images/, masks/ and dataset_meta.json")
    parser.add_argument("--model", type=Path, required=True, help="an exported IR, .xml")
    parser.add_argument("--times", type=int, default=7)
    parser.add_argument("--images", type=int, default=24)
    parser.add_argument("--only", choices=["help", "predict", "train"])
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary, "data")
        for part in ("images", "masks"):
            (folder / part).mkdir(parents=True)
            for file in sorted((given.source / part).iterdir())[: given.images]:
                shutil.copy(file, folder / part)
        shutil.copy(given.source / "dataset_meta.json", folder)
        image, model = str(next((folder / "images").iterdir())), str(given.model)
        predict = ("predict", "--input", image, "--load-weights", model, "-o", f"{temporary}/masks", "--overwrite")
        train = ("train", "--train-data-roots", str(folder), "-o", f"{temporary}/run", "--overwrite")
        pairs = {
            "help": ("`otx --help`", lambda: run(HELP), lambda: run(CLICK)),
            "predict": (
                "`otx predict` of one image",
                lambda: run(PREDICT, *predict),
                lambda: run(BARE_PREDICT, image, model, f"{temporary}/mask"),
            ),
            "train": (
                f"`otx train` with {given.images} images, to its first step",
                lambda: run(TRAIN, *train),
                lambda: run(BARE_TRAIN, str(folder)),
            ),
        }
        print("| | s | bare | ratio | processor s | bare | ratio |\n|---|---|---|---|---|---|---|")
        for key, (name, ours, bare) in pairs.items():
            if given.only in (None, key):
                print(compare(name, ours, bare, given.times), flush=True)


if __name__ == "__main__":
    main()
