"""`--sliding-window`, `--overlap` and `--tta` of `otx predict` and `otx eval`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from otx_seg.datasets import Subset
from otx_seg.inference.predictor import load_predictor
from otx_seg.runtime.augmented_views import AugmentedViews, parse_views
from otx_seg.runtime.images import read_image
from otx_seg.runtime.predict_mask import SlidingWindow, predict_mask

REFUSED = [
    (["--sliding-window", "0x64"], "sides are 1 to 100000 pixels: 0x64"),
    (["--sliding-window", "200000x64"], "sides are 1 to 100000 pixels: 200000x64"),
    (["--sliding-window", "64"], "'64' is not a sliding window: give HEIGHTxWIDTH in pixels, such as 512x512"),
    (["--sliding-window", "64*64"], "is not a sliding window"),
    (["--sliding-window", "2x64"], "side of 2 pixels would be enlarged more than 8 times to the 64"),
    (["--sliding-window", "64x64", "--overlap", "1"], "at least 0 and below 1: 1"),
    (["--sliding-window", "64x64", "--overlap", "-0.5"], "at least 0 and below 1: -0.5"),
    (["--sliding-window", "64x64", "--overlap", "half"], "'half' is not a valid float"),
    (["--overlap", "0.5"], "without a sliding window changes nothing"),
    (["--tta", "0"], "is 0.5 to 2.0: 0"),
    (["--tta", "flip,-1"], "is 0.5 to 2.0: -1"),
    (["--tta", "rotate"], "'rotate' is no test-time augmentation: give flip, scales"),
]


@pytest.mark.parametrize(("arguments", "message"), REFUSED)
def test_bad_input(otx: Any, tiny_ir: Path, tiny_data: Subset, arguments: list[str], message: str) -> None:
    verbs = (["predict", "-i", tiny_data.root / "images"], ["eval", "--test-data-roots", tiny_data.root])
    for verb in verbs:
        outcome = otx(*verb, "--load-weights", tiny_ir, "--output", "out", *arguments)
        assert outcome.code == 2
        assert message in outcome.message
        assert outcome.message.count("Error:") == 1
        assert not list(Path("out").glob("**/*.png"))


@pytest.mark.parametrize(
    ("arguments", "window", "views"),
    [
        (["--sliding-window", "30x40"], SlidingWindow(30, 40, 0.25), AugmentedViews()),
        (["--sliding-window", "30x40", "--overlap", "0"], SlidingWindow(30, 40, 0), AugmentedViews()),
        (["--tta"], None, parse_views("flip")),
        (["--tta", "flip,1.5", "--sliding-window", "30x40"], SlidingWindow(30, 40), parse_views("flip,1.5")),
    ],
)
def test_predict(otx: Any, tiny_ir: Path, tiny_data: Subset, arguments: list[str], window: Any, views: Any) -> None:
    image = tiny_data.root / "images" / "1.png"
    outcome = otx("predict", *arguments, "-i", image, "--load-weights", tiny_ir, "--output", "out")
    assert outcome.code == 0, outcome.err
    mask = cv2.imread("out/1.png", cv2.IMREAD_UNCHANGED)
    np.testing.assert_array_equal(mask, predict_mask(load_predictor(tiny_ir), read_image(image), window, views))


def test_eval_tells_what_was_used(otx: Any, tiny_ir: Path, tiny_data: Subset) -> None:
    fixed = ["eval", "--test-data-roots", tiny_data.root, "--load-weights", tiny_ir, "--json", "--overwrite"]
    plain = otx(*fixed, "--output", "plain")
    windows = otx(*fixed, "--output", "windows", "--sliding-window", "30x40", "--overlap", "0.5", "--tta")
    assert (plain.code, windows.code) == (0, 0)
    written = json.loads(Path("windows/performance.json").read_text())
    assert written == json.loads(windows.out)
    assert (written["sliding_window"], written["overlap"], written["tta"]) == ("30x40", 0.5, "flip")
    without = json.loads(Path("plain/performance.json").read_text())
    assert not {"sliding_window", "overlap", "tta"} & set(without)
    assert without["Dice Average"] > 0.99 > written["Dice Average"]
    for folder, scores in (("plain", without), ("windows", written)):
        pixels = {name: sum(row.values()) for name, row in scores["confusion"].items()}
        assert pixels == {name: score["pixels_true"] for name, score in scores["per_label"].items()}
        rows = Path(folder, "per_image.csv").read_text().splitlines()
        assert len(rows) == 1 + len(tiny_data)
        assert Path(folder, "confusion.png").stat().st_size > 1000
