"""Colours that people tell apart, also as tints over an image and with a colour vision deficiency.

Distances are those of OKLab (Ottosson 2020, "A perceptual color space for image processing"), after an even mixture
with a medium grey, as over an image. Deficiencies are simulated by Machado, Oliveira and Fernandes 2009, "A
Physiologically-based Model for Simulation of Color Vision Deficiency", table 1, at full severity.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Colors: TypeAlias = NDArray[np.float64]

Color: TypeAlias = tuple[int, int, int]

MOST = 256
"""Colours of the palette."""

# Okabe and Ito 2008, "Color Universal Design": black, orange, sky blue, bluish green, yellow, blue, vermillion,
# reddish purple.
_FIRST: tuple[Color, ...] = (
    (0, 0, 0),
    (230, 159, 0),
    (86, 180, 233),
    (0, 158, 115),
    (240, 228, 66),
    (0, 114, 178),
    (213, 94, 0),
    (204, 121, 167),
)
_FOR_EVERYBODY = 12  # colours that are told apart with protanopia and deuteranopia too
_CLOSE = 0.065  # distance of tints below which two labels look alike
_LEVELS = 9  # of red, green and blue, among which colours are chosen
_CHROMA, _LIGHTNESS = 0.1, (0.35, 0.92)  # smallest chroma, and range of the lightness, of a colour that is chosen

_PROTANOPIA = (
    (0.152286, 1.052583, -0.204868),
    (0.114503, 0.786281, 0.099216),
    (-0.003882, -0.048116, 1.051998),
)
_DEUTERANOPIA = (
    (0.367322, 0.860646, -0.227968),
    (0.280085, 0.672501, 0.047413),
    (-0.011820, 0.042940, 0.968881),
)
_LMS = (
    (0.4122214708, 0.5363325363, 0.0514459929),
    (0.2119034982, 0.6806995451, 0.1073969566),
    (0.0883024619, 0.2817188376, 0.6299787005),
)
_LAB = (
    (0.2104542553, 0.7936177850, -0.0040720468),
    (1.9779984951, -2.4285922050, 0.4505937099),
    (0.0259040371, 0.7827717662, -0.8086757660),
)


@functools.cache
def palette() -> tuple[Color, ...]:
    """`MOST` colours, RGB 0-255: those of Okabe and Ito, then each as far as possible from the ones before it."""
    chosen = list(_FIRST)
    while len(chosen) < MOST:
        chosen.append(_farthest(chosen))
    return tuple(chosen)


@functools.lru_cache(maxsize=64)
def distinct(colors: tuple[Color, ...]) -> tuple[Color, ...]:
    """The same colours, RGB 0-255, but for those that look like one before them: these are replaced by others."""
    kept = [index for index in range(len(colors)) if not _looks_like_one_of(colors[:index], colors[index])]
    used = [colors[index] for index in kept]
    made = dict(zip(kept, used, strict=True))
    for index in range(len(colors)):
        if index not in made:
            made[index] = _farthest(used)
            used.append(made[index])
    return tuple(made[index] for index in range(len(colors)))


def _looks_like_one_of(others: Sequence[Color], color: Color) -> bool:
    import numpy as np

    if not others:
        return False
    return bool(_distances(np.array([color]), np.array(others), everybody=False).min() < _CLOSE)


def _farthest(colors: Sequence[Color]) -> Color:
    """Of the colours that can be chosen, the one whose nearest neighbour among `colors` is farthest."""
    import numpy as np

    candidates = _candidates()
    nearest = _distances(candidates, np.array(colors), everybody=len(colors) < _FOR_EVERYBODY).min(1)
    red, green, blue = candidates[int(nearest.argmax())].tolist()
    return int(red), int(green), int(blue)


@functools.cache
def _candidates() -> Colors:
    """Colours that are neither pale nor nearly grey, float (N, 3), RGB 0-255."""
    import numpy as np

    levels = np.linspace(0, 255, _LEVELS).round()
    grid = np.stack(np.meshgrid(levels, levels, levels, indexing="ij"), -1).reshape(-1, 3)
    lab = _oklab(_linear(grid))
    chroma = np.hypot(lab[:, 1], lab[:, 2])
    usable = (chroma > _CHROMA) & (lab[:, 0] > _LIGHTNESS[0]) & (lab[:, 0] < _LIGHTNESS[1])
    return np.asarray(grid[usable])


def _distances(some: Colors, others: Colors, everybody: bool) -> Colors:
    """Of each of `some` (N, 3) to each of `others` (M, 3) as tints, (N, M); with `everybody`, the least of those that
    people see with and without a colour vision deficiency."""
    import numpy as np

    tints = [_linear(0.5 * (colors + 127.5)) for colors in (some, others)]
    seen = [np.eye(3), *(map(np.array, (_PROTANOPIA, _DEUTERANOPIA)) if everybody else ())]
    each = []
    for simulation in seen:
        first, second = (_oklab(tint @ simulation.T) for tint in tints)
        each.append(np.linalg.norm(first[:, None] - second[None], axis=-1))
    return np.asarray(np.min(each, axis=0))


def _linear(colors: Colors) -> Colors:
    """sRGB 0-255 to linear light 0..1."""
    import numpy as np

    share = colors / 255
    return np.where(share <= 0.04045, share / 12.92, ((share + 0.055) / 1.055) ** 2.4)


def _oklab(light: Colors) -> Colors:
    """Linear light (..., 3) to lightness 0..1 and two axes of hue."""
    import numpy as np

    return np.asarray(np.cbrt(np.clip(light, 0, 1) @ np.array(_LMS).T) @ np.array(_LAB).T)
