"""What the temperature of a trained network is worth: its confidences with and without it, and that of its exports.

Printed is the Dice and the expected calibration error on the validation images for the network with a temperature of 1,
as it is, and for other models made from it; the share of pixels that get another label by the temperature; and the
error on each half of the images with a temperature fitted on the other half, since the network's own was fitted on
these images.

    python benchmarks/calibration.py DATA_FOLDER WEIGHTS_PTH [MODEL ...]
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

import numpy as np

from otx_seg.datasets import Subset, open_folder
from otx_seg.inference.evaluate import evaluate
from otx_seg.inference.predictor import load_predictor
from otx_seg.inference.torch_predictor import TorchPredictor, open_checkpoint
from otx_seg.runtime.predict_mask import predict_mask
from otx_seg.runtime.predictor import Predictor
from otx_seg.training.temperature import calibrate

BATCH_SIZE, SEED = 4, 0


def tell(what: str, predictor: Predictor, subset: Subset) -> None:
    """Print Dice and expected calibration error."""
    found = evaluate(predictor, subset, BATCH_SIZE, workers=0, reliability=True)
    assert found.reliability is not None
    assert found.reliability.error is not None
    print(f"{what}: Dice {found.scores.dice_average:.4f}, calibration error {found.reliability.error:.4f}", flush=True)


def changed_share(plain: Predictor, calibrated: Predictor, subset: Subset) -> float:
    """Of the pixels, those with another label, 0..1."""
    changed = pixels = 0
    for sample in subset.samples:
        image = subset.read_image(sample)
        masks = [predict_mask(predictor, image) for predictor in (plain, calibrated)]
        changed += int(np.count_nonzero(masks[0] != masks[1]))
        pixels += masks[0].size
    return changed / pixels


def tell_halves(plain: TorchPredictor, subset: Subset) -> None:
    """Print the error on each half of the images, without a temperature and with that of the other half."""
    middle = len(subset) // 2
    first, second = (replace(subset, samples=part) for part in (subset.samples[:middle], subset.samples[middle:]))
    for name, fitted_on, measured_on in (("second", first, second), ("first", second, first)):
        plain.temperature = 1.0
        tell(f"{name} half, temperature 1", plain, measured_on)
        found = calibrate(plain, fitted_on, BATCH_SIZE, workers=0, seed=SEED)
        assert found is not None
        plain.temperature = found.temperature
        tell(f"{name} half, temperature {found.temperature:.3f} of the other", plain, measured_on)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("weights", type=Path)
    parser.add_argument("models", type=Path, nargs="*")
    given = parser.parse_args()
    subset = open_folder(given.data)["val"]
    plain, calibrated = open_checkpoint(given.weights), open_checkpoint(given.weights)
    plain.temperature = 1.0
    tell("temperature 1", plain, subset)
    tell(f"temperature {calibrated.temperature:.3f}", calibrated, subset)
    for model in given.models:
        tell(str(model), load_predictor(model), subset)
    print(f"pixels with another label by the temperature: {100 * changed_share(plain, calibrated, subset):.3f} %")
    tell_halves(plain, subset)


if __name__ == "__main__":
    main()
