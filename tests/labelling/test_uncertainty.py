"""Entropy and mutual information of several looks, worked out by hand."""

from __future__ import annotations

import numpy as np

from otx_seg.labelling.uncertainty import uncertainty_of


def look(*of_labels: float) -> np.ndarray:
    """An image of one pixel."""
    return np.array(of_labels, np.float32)[:, None, None]


def test_one_look_has_entropy_and_nothing_to_disagree_with() -> None:
    found = uncertainty_of([look(0.5, 0.25, 0.25)])
    assert found.entropy.item() == 1.5
    assert found.disagreement.item() == 0
    np.testing.assert_array_equal(found.probabilities, look(0.5, 0.25, 0.25))
    assert uncertainty_of([look(1, 0)]).entropy.item() == 0


def test_certain_looks_that_differ_disagree_by_one_bit() -> None:
    found = uncertainty_of([look(1, 0), look(0, 1)])
    np.testing.assert_array_equal(found.probabilities, look(0.5, 0.5))
    assert (found.entropy.item(), found.disagreement.item()) == (1, 1)


def test_undecided_looks_that_agree_do_not_disagree() -> None:
    found = uncertainty_of([look(0.5, 0.5)] * 3)
    assert (found.entropy.item(), found.disagreement.item()) == (1, 0)


def test_every_pixel_has_its_own() -> None:
    rng = np.random.default_rng(0)
    looks = [rng.dirichlet(np.ones(3), (4, 5)).transpose(2, 0, 1).astype(np.float32) for _ in range(2)]
    found = uncertainty_of(looks)
    assert found.entropy.shape == found.disagreement.shape == (4, 5)
    mean = (looks[0][:, 2, 3] + looks[1][:, 2, 3]) / 2
    np.testing.assert_allclose(found.entropy[2, 3], -(mean * np.log2(mean)).sum(), rtol=1e-5)
    of_each = np.mean([-(one[:, 2, 3] * np.log2(one[:, 2, 3])).sum() for one in looks])
    np.testing.assert_allclose(found.disagreement[2, 3], found.entropy[2, 3] - of_each, rtol=1e-3)
