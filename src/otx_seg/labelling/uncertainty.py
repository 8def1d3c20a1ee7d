"""How uncertain models are of each pixel, from several looks at the same image."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Uncertainty:
    """Of one image.

    Attributes:
        probabilities: float32 (K, h, w), the mean over the looks.
        entropy: float32 (h, w), of these means, in bits, 0 to log2(K): high where a look is undecided, and where looks
            are decided but differ.
        disagreement: float32 (h, w), the second part alone, in bits: the mutual information of label and look.
    """

    probabilities: NDArray[np.float32]
    entropy: NDArray[np.float32]
    disagreement: NDArray[np.float32]


def uncertainty_of(looks: Sequence[NDArray[np.float32]]) -> Uncertainty:
    """The entropy of the mean of several looks, and its part that comes from their disagreement.

    The mutual information is the entropy of the mean less the mean of the entropies (BALD: Houlsby et al., 2011,
    https://arxiv.org/abs/1112.5745; with the members of an ensemble as looks: Beluch et al., 2018, "The power of
    ensembles for active learning in image classification"). Looks at the mirror image count as well, since a network
    that has learned an image sees the same in it (Gao et al., 2020, https://arxiv.org/abs/1910.07153).

    Args:
        looks: probabilities, float32 (K, h, w) each, which sum to 1 over K.
    """
    mean = np.asarray(sum(looks[1:], looks[0]) / np.float32(len(looks)), np.float32)
    entropy = _entropy(mean)
    of_each = sum((_entropy(look) for look in looks[1:]), _entropy(looks[0])) / np.float32(len(looks))
    return Uncertainty(mean, entropy, np.maximum(entropy - of_each, np.float32(0)))


def _entropy(probabilities: NDArray[np.float32]) -> NDArray[np.float32]:
    """(K, h, w) -> (h, w) in bits."""
    logarithms = np.log2(np.maximum(probabilities, np.finfo(np.float32).tiny))
    entropy: NDArray[np.float32] = -np.einsum("khw,khw->hw", probabilities, logarithms)
    return np.maximum(entropy, np.float32(0))
