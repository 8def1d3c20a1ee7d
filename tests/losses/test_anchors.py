"""Each loss on one fixed input, against the numbers that the original implementations of four toolkits give."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import pytest
import torch
from anchors import EDGE_LOGITS, EQUAL, IGNORED_ROWS, WEIGHTS, X, Y
from torch import Tensor

from otx_seg.losses.binary_cross_entropy import BinaryCrossEntropy
from otx_seg.losses.binary_dice import BinaryDice
from otx_seg.losses.binary_iou import BinaryIou
from otx_seg.losses.cross_entropy import CrossEntropy
from otx_seg.losses.dice import Dice
from otx_seg.losses.edge_cross_entropy import EdgeCrossEntropy
from otx_seg.losses.iou import Iou
from otx_seg.losses.lovasz_softmax import LovaszSoftmax
from otx_seg.losses.ohem_cross_entropy import OhemCrossEntropy
from otx_seg.losses.rmi import Rmi
from otx_seg.losses.top_k import TopK
from otx_seg.losses.tversky import Tversky
from otx_seg.targets.detail import label_detail
from otx_seg.targets.edges import label_edges

Loss = Callable[[Tensor, Tensor], Tensor]
ONE_CHANNEL, FIRST_LABEL = X[:, :1], (Y == 1).long()
_ALL, _LABELLED = Y.numel(), int((IGNORED_ROWS != 255).sum())
SUPER_GRADIENTS_DICE = partial(Dice, squared=False, absent=True, smooth=1.0)
NNUNET_DICE = partial(Dice, squared=False, absent=True)


def test_the_input_is_the_one_that_was_measured() -> None:
    assert X.sum().item() == pytest.approx(-15.10952, abs=1e-4)
    assert int(Y.sum()) == 9216


@pytest.mark.parametrize(
    ("loss", "whole", "with_ignored_rows"),
    [
        (CrossEntropy(EQUAL), 1.769966, 1.770620),
        (CrossEntropy(EQUAL, label_smoothing=0.1), 1.770182, None),
        (Rmi(), 4.515224, 4.567766),
        (Rmi(label_weights=WEIGHTS), None, 5.364604),
        (Rmi(pooling="average"), None, 3.184639),
        (Rmi(pixels="softmax"), None, 3.619793),
        (Dice(squared=False), 0.751005, 0.750886),
        (SUPER_GRADIENTS_DICE(), 0.750759, 0.750605),
        (SUPER_GRADIENTS_DICE(label_weights=WEIGHTS), None, 0.939037),
        (TopK(EQUAL), 3.540502, None),
        (OhemCrossEntropy(EQUAL), None, 1.845011),
        (OhemCrossEntropy(EQUAL, threshold=0.05, share=1 / 16), None, 3.401906),
        (Iou(smooth=1.0), None, 0.857213),
        (Iou(), None, 0.857579),
        (LovaszSoftmax(), None, 0.771185),
    ],
)
def test_a_loss_of_all_labels(loss: Loss, whole: float | None, with_ignored_rows: float | None) -> None:
    for mask, expected in ((Y, whole), (IGNORED_ROWS, with_ignored_rows)):
        if expected is not None:
            assert loss(X, mask).item() == pytest.approx(expected, abs=1.5e-6)


def test_the_mean_of_a_weighted_cross_entropy() -> None:
    """torch divides by the sum of the weights, this one by the number of pixels."""
    weights = torch.tensor(WEIGHTS)
    for mask, expected in ((Y, 1.772542), (IGNORED_ROWS, 1.773810)):
        labelled = mask[mask != 255]
        loss = CrossEntropy(WEIGHTS)(X, mask) * labelled.numel() / weights[labelled].sum()
        assert loss.item() == pytest.approx(expected, abs=1e-6)


def test_nnunet_with_and_without_background() -> None:
    """nnU-Net adds -Dice where this project adds 1 - Dice."""
    for background, expected in ((False, 1.527048), (True, 1.521506)):
        loss = CrossEntropy(EQUAL)(X, IGNORED_ROWS) + NNUNET_DICE(background=background)(X, IGNORED_ROWS) - 1
        assert loss.item() == pytest.approx(expected, abs=1.5e-6)


def test_top_k_of_all_pixels() -> None:
    """The original takes a tenth of all pixels, ignored ones too; in its sum with Dice it takes these for label 0."""
    tenth_of_all = int(0.1 * _ALL) / _LABELLED
    assert TopK(EQUAL, share=tenth_of_all)(X, IGNORED_ROWS).item() == pytest.approx(3.490514, abs=1e-6)
    as_background = IGNORED_ROWS.masked_fill(IGNORED_ROWS == 255, 0)
    both = TopK(EQUAL)(X, as_background) + NNUNET_DICE(background=False)(X, IGNORED_ROWS) - 1
    assert both.item() == pytest.approx(3.343124, abs=1.5e-6)


def test_one_channel() -> None:
    dice = BinaryDice()(ONE_CHANNEL, FIRST_LABEL)
    assert dice.item() == pytest.approx(0.665081, abs=1e-6)
    half = 0.5 * BinaryCrossEntropy()(ONE_CHANNEL, FIRST_LABEL) + 0.5 * dice
    assert half.item() == pytest.approx(0.789819, abs=1e-6)
    assert BinaryIou()(ONE_CHANNEL, FIRST_LABEL).item() == pytest.approx(0.798753, abs=1e-6)


def test_tversky() -> None:
    """mmsegmentation takes the sums of each image."""
    images = [Tversky()(X[image : image + 1], IGNORED_ROWS[image : image + 1]) for image in range(len(X))]
    assert torch.stack(images).mean().item() == pytest.approx(0.749527, abs=1e-6)


def edge_cross_entropy(logits: Tensor, width: int) -> float:
    """That of the original, which divides by all pixels, ignored ones too."""
    edges = label_edges(IGNORED_ROWS, width)
    everywhere = EdgeCrossEntropy(EQUAL, width, edge_share=0.0)(logits, IGNORED_ROWS).item() * _LABELLED / _ALL
    labelled_edges = edges & (IGNORED_ROWS != 255)
    at_edges = EdgeCrossEntropy(EQUAL, width, edge_share=1.0)(logits, IGNORED_ROWS).item()
    return 0.5 * everywhere + 0.5 * at_edges * int(labelled_edges.sum()) / int(edges.sum())


def test_edges_count_more() -> None:
    assert [int(label_edges(IGNORED_ROWS, width).sum()) for width in (3, 5)] == [1444, 2720]
    assert edge_cross_entropy(X, 3) == pytest.approx(1.585797, abs=1e-6)
    assert edge_cross_entropy(X, 5) == pytest.approx(1.576023, abs=1e-6)


def with_dice(logits: Tensor, width: int) -> float:
    return edge_cross_entropy(logits, width) + float(SUPER_GRADIENTS_DICE()(logits, IGNORED_ROWS))


def of_edges(edges: Tensor) -> float:
    target = edges.long()
    return float(BinaryCrossEntropy()(EDGE_LOGITS, target) + BinaryDice()(EDGE_LOGITS, target))


def test_edge_cross_entropy_and_dice_of_several_outputs() -> None:
    assert with_dice(X, 3) == pytest.approx(2.336401, abs=2e-6)
    assert with_dice(X, 5) == pytest.approx(2.326628, abs=2e-6)
    total = with_dice(X, 3) + 0.4 * with_dice(0.5 * X, 3) + of_edges(label_edges(IGNORED_ROWS, 3))
    assert total == pytest.approx(4.603183, abs=3e-6)


def test_stdc() -> None:
    ohem = OhemCrossEntropy(EQUAL)
    parts = [ohem(scale * X, IGNORED_ROWS).item() for scale in (1.0, 0.5, 0.25)]
    assert parts == pytest.approx([1.845011, 1.490693, 1.412783], abs=1.5e-6)
    detail = of_edges(label_detail(IGNORED_ROWS))
    assert detail == pytest.approx(1.333617, abs=1.5e-6)
    total = parts[0] + 0.6 * parts[1] + 0.4 * parts[2] + detail
    assert total == pytest.approx(4.638156, abs=3e-6)


def test_ddrnet() -> None:
    ohem = OhemCrossEntropy(EQUAL)
    total = ohem(X, IGNORED_ROWS) + 0.4 * ohem(0.5 * X, IGNORED_ROWS)
    assert total.item() == pytest.approx(2.441288, abs=1.5e-6)
