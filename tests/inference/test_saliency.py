"""The maps, worked out by hand and by gradients."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal

from otx_seg.deployment.agreement import drawn_images
from otx_seg.inference import saliency
from otx_seg.inference.saliency import SCALE, heat_map
from otx_seg.inference.torch_predictor import TorchPredictor
from otx_seg.labels import Labels, default_colors
from otx_seg.models.network import SegmentationNetwork
from otx_seg.runtime.crops import network_input
from otx_seg.runtime.predictor import Activations


def seen(feature_map: object = 0.0, class_activation: object = 0.0, probabilities: object = 0.0) -> Activations:
    return Activations(*(np.asarray(values, np.float32) for values in (probabilities, feature_map, class_activation)))


def test_probabilities_are_themselves() -> None:
    found = saliency.probability(seen(probabilities=[[[0.25, 1.0]], [[0.75, 0.0]]]))
    assert found.tolist() == [[[0.25, 1.0]], [[0.75, 0.0]]]


def test_class_wise_cuts_off_what_speaks_against_a_label() -> None:
    found = saliency.class_wise(seen(class_activation=[[[2.0, -3.0]], [[-1.0, 0.5]]]))
    assert found.tolist() == [[[2.0, 0.0]], [[0.0, 0.5]]]
    assert found.dtype == np.float32


def test_the_activation_map_is_the_mean_over_the_channels() -> None:
    assert saliency.activation(seen([[[1.0, 2.0]], [[3.0, -6.0]]])).tolist() == [[[2.0, -2.0]]]


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_eigen_cam_by_hand(sign: float) -> None:
    """Channels that are one and two times the same thing: their first component is (1, 2) / sqrt(5)."""
    thing = sign * np.array([[1.0, 2.0, 6.0]])
    found = saliency.eigen(seen(np.stack((thing, 2 * thing))))
    assert_allclose(found, [np.sqrt(5) * (thing - thing.mean())], rtol=1e-6)


def test_eigen_cam_by_singular_values() -> None:
    feature_map = np.random.default_rng(0).standard_normal((5, 4, 6)) * np.arange(1, 6)[:, None, None] + 3
    places = feature_map.reshape(5, -1).T
    centred = places - places.mean(axis=0)
    _, _, components = np.linalg.svd(centred, full_matrices=False)
    expected = (centred @ components[0]).reshape(4, 6)
    found = saliency.eigen(seen(feature_map))[0]
    assert_allclose(found, expected if (found * expected).sum() > 0 else -expected, rtol=1e-4, atol=1e-4)
    assert (found * feature_map.mean(axis=0)).sum() > 0  # rises where the mean does


def test_eigen_cam_of_a_blank_is_blank() -> None:
    assert_array_equal(saliency.eigen(seen(np.ones((3, 2, 2)))), np.zeros((1, 2, 2)))


def test_class_wise_is_seg_grad_cam(tiny_network: SegmentationNetwork) -> None:
    """The definition with gradients, of all pixels and of some, is the map but for a factor."""
    labels = Labels(("background", "red brick", "pole", "sky"), default_colors(4), 0)
    image = network_input(drawn_images((64, 64))[0], (64, 64))
    maps = saliency.class_wise(TorchPredictor(tiny_network, labels, (64, 64)).activations(image))
    largest = maps.max(axis=(1, 2))
    assert (largest > 0).sum() >= 2  # nothing speaks for the others
    head, kept = tiny_network.network.decode_head, []
    with head.conv_seg.register_forward_pre_hook(lambda _, given: kept.append(given[0])):
        logits = tiny_network(torch.from_numpy(image))
    (features,) = kept
    for label in range(4):
        for pixels in (np.s_[:, :], np.s_[16:48, 16:40]):
            (gradient,) = torch.autograd.grad(logits[0, label][pixels].sum(), features, retain_graph=True)
            weights = gradient.mean(dim=(2, 3), keepdim=True)
            expected = (weights * features).sum(dim=1).relu()[0].detach().numpy()
            assert_allclose(maps[label] / (largest[label] or 1), expected / (expected.max() or 1), atol=1e-4)


BLUE, GREEN, RED = [0, 0, 128], [130, 255, 126], [128, 0, 0]  # OpenCV's table of 256 colours: its ends and its middle


def test_from_the_lowest_to_the_highest_value() -> None:
    assert heat_map(np.float32([[-3.0, 1.016, 5.0]]), (1, 3), (-3, 5)).tolist() == [[BLUE, GREEN, RED]]
    assert [SCALE[level].tolist() for level in (0, 128, 255)] == [BLUE, GREEN, RED]


def test_beyond_the_limits() -> None:
    values = np.float32([[0.0, 128 / 255, 1.0, 7.0, -7.0]])
    assert heat_map(values, (1, 5), (0, 1)).tolist() == [[BLUE, GREEN, RED, RED, BLUE]]


def test_all_alike_is_blue() -> None:
    assert heat_map(np.full((2, 2), 3.0, np.float32), (1, 1), (3, 3)).tolist() == [[BLUE]]


def test_enlarged_bilinearly() -> None:
    found = heat_map(np.float32([[0.0, 1.0]]), (3, 8), (0, 1))
    assert found.shape == (3, 8, 3)
    assert found.dtype == np.uint8
    assert_array_equal(found, np.repeat(found[:1], 3, axis=0))
    # Half-pixel centres: new pixels lie at -0.375, -0.125, 0.125 ... 1.375 of the old ones, whose range is 0 to 1.
    levels = [round(255 * share) for share in (0, 0, 0.125, 0.375, 0.625, 0.875, 1, 1)]
    assert_array_equal(found[0], heat_map(np.float32([levels]), (1, 8), (0, 255))[0])
