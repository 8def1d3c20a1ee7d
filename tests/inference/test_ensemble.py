"""Several models as one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from otx_seg.deployment.agreement import drawn_images
from otx_seg.deployment.export import export
from otx_seg.errors import UsageError
from otx_seg.inference.ensemble import ensemble
from otx_seg.inference.predictor import load_predictor
from otx_seg.labels import Labels
from otx_seg.runtime.crops import network_input
from otx_seg.runtime.predictor import AlteredPredictor, Predictor


@pytest.fixture(scope="module")
def batch() -> np.ndarray:
    return np.concatenate([network_input(image, (64, 64)) for image in drawn_images((48, 80))])


def in_order(original: Predictor, order: list[int], names: tuple[str, ...]) -> Predictor:
    """A model with other names, its outputs in another order."""
    altered = AlteredPredictor(original, lambda images: original.probabilities(images)[:, order])
    altered.labels = Labels(names, tuple(original.labels.colors[index] for index in order), None)
    return altered


def test_the_mean_of_probabilities_by_label_name(tiny_weights: Path, tiny_ir: Path, batch: np.ndarray) -> None:
    first, second = load_predictor(tiny_weights, device="cpu"), load_predictor(tiny_ir)
    order = [2, 0, 3, 1]
    turned = in_order(second, order, tuple(first.labels.names[index] for index in order))
    both = ensemble({Path("a.pth"): first, Path("b.xml"): turned, Path("c.pth"): first})
    assert both.labels == first.labels
    expected = (2 * first.probabilities(batch) + second.probabilities(batch)) / 3
    np.testing.assert_allclose(both.probabilities(batch), expected, atol=1e-6)
    assert both.probabilities(batch).dtype == np.float32
    assert ensemble({Path("a.pth"): first}) is first


def test_models_that_do_not_fit_each_other(tiny_weights: Path, tmp_path: Path) -> None:
    first = load_predictor(tiny_weights, device="cpu")
    other = in_order(first, [0, 1, 2, 3], ("background", "red brick", "pole", "tree"))
    with pytest.raises(UsageError, match=r"b\.pth: has the labels .*tree.*a\.pth has .*sky.*averaged if their labels"):
        ensemble({Path("a.pth"): first, Path("b.pth"): other})
    larger = load_predictor(export(tiny_weights, tmp_path, input_size="96x64").model)
    with pytest.raises(UsageError, match=r"b\.xml: takes images of 96x64 pixels, a\.pth of 64x64"):
        ensemble({Path("a.pth"): first, Path("b.xml"): larger})
