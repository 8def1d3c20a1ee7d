"""What models tell of an image."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from otx_seg.deployment.agreement import drawn_images
from otx_seg.errors import UsageError
from otx_seg.inference.predictor import load_predictor
from otx_seg.labelling.models import open_models
from otx_seg.labels import Labels
from otx_seg.runtime.crops import network_input
from otx_seg.workspace.weights import read_weights, write_weights

IMAGE = drawn_images((48, 80))[0]


def test_image_and_mirror_image_of_every_kind_of_model(tiny_weights: Path, open_ir: Path, open_onnx: Path) -> None:
    model = load_predictor(tiny_weights, device="cpu")
    plain = model.probabilities(network_input(IMAGE, (64, 64)))[0]
    turned = model.probabilities(network_input(np.ascontiguousarray(IMAGE[:, ::-1]), (64, 64)))[0][..., ::-1]
    for file in (tiny_weights, open_ir, open_onnx):
        seen = open_models([file]).look_at(IMAGE, with_feature=True)
        np.testing.assert_allclose(seen.uncertainty.probabilities, (plain + turned) / 2, atol=2e-3)
        feature = model.activations(network_input(IMAGE, (64, 64))).feature_map.mean(axis=(1, 2))
        assert seen.feature is not None
        np.testing.assert_allclose(seen.feature, feature, rtol=0.02, atol=1e-3)
        np.testing.assert_allclose(open_models([file]).feature_of(IMAGE), feature, rtol=0.02, atol=1e-3)
        assert open_models([file]).look_at(IMAGE, with_feature=False).feature is None


def test_labels_in_another_order_are_put_in_order(tiny_weights: Path, tmp_path: Path) -> None:
    weights = read_weights(tiny_weights)
    assert weights.template is not None
    order = [2, 0, 3, 1]
    tensors = {
        name: tensor[order] if "conv_seg" in name and "decode_head" in name else tensor
        for name, tensor in weights.state_dict.items()
    }
    names, colors = weights.labels.names, weights.labels.colors
    turned = Labels(tuple(names[index] for index in order), tuple(colors[index] for index in order), order.index(0))
    write_weights(tmp_path / "turned.pth", tensors, turned, weights.template, "the same, turned")
    alone = open_models([tiny_weights]).look_at(IMAGE, with_feature=False).uncertainty
    both = open_models([tiny_weights, tmp_path / "turned.pth"])
    assert both.labels == weights.labels
    seen = both.look_at(IMAGE, with_feature=False).uncertainty
    np.testing.assert_allclose(seen.probabilities, alone.probabilities, atol=1e-5)
    np.testing.assert_allclose(seen.disagreement, alone.disagreement, atol=1e-5)


def test_a_model_that_keeps_no_features(tiny_ir: Path) -> None:
    models = open_models([tiny_ir])
    models.look_at(IMAGE, with_feature=False)
    with pytest.raises(UsageError, match=r"exported without its features.* --method uncertainty of `otx suggest`"):
        models.look_at(IMAGE, with_feature=True)
