"""The contours of a region, along the edges of its pixels, and polygons with fewer corners made from them.

A pixel in row y and column x covers x to x + 1 and y to y + 1. So a contour as it is traced covers the region's pixels
exactly. It has the region to its right as it is drawn on the screen: around a region clockwise, around a hole the other
way round.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Points = NDArray[np.float64]

_AREA_CHANGE = 0.2
"""Share of a region's area by which its polygon may be larger or smaller: thin regions do not vanish."""

_PLANE = np.array([1, 1j])
"""Makes complex numbers of points, with which NumPy is twice as fast."""

_LEAST_TOLERANCE = 0.25
"""In pixels; what still loses too much is not simplified."""


@dataclass(frozen=True)
class Contour:
    """A closed line.

    Attributes:
        points: float64 (N, 2), x and y in pixels of the image; the last one is joined to the first. Each side is
            horizontal or vertical.
        fixed: bool (N,), points that a polygon keeps.
    """

    points: Points
    fixed: NDArray[np.bool_]

    @property
    def area(self) -> float:
        """Square pixels, negative around a hole."""
        return _area(self.points)


def junctions_of(mask: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Where more than two regions meet, or one meets itself, at the corners of pixels.

    Args:
        mask: uint8 (H, W), label indices below 255.

    Returns:
        bool (H + 1, W + 1): whether more than two borders meet in (y, x). The corners of the image are among them.
    """
    padded = np.pad(mask, 1, constant_values=255)
    above = padded[:-1, :-1] != padded[:-1, 1:]
    below = padded[1:, :-1] != padded[1:, 1:]
    left = padded[:-1, :-1] != padded[1:, :-1]
    right = padded[:-1, 1:] != padded[1:, 1:]
    met = above.view(np.uint8) + below + left + right > 2
    met[np.ix_((0, -1), (0, -1))] = True
    return np.asarray(met)


def trace(inside: NDArray[np.bool_]) -> list[NDArray[np.int64]]:
    """All contours of the regions in a mask, whose pixels are connected to their eight neighbours.

    1. The corners of the contours: where one or three of four pixels that meet are inside. Two that touch at a corner
       only, with the others outside, are two corners there.
    2. Along a row of corners, the first is joined to the second, the third to the fourth, and so on; in columns too.
    3. The sides are followed, horizontal and vertical ones in turn.

    Args:
        inside: bool (h, w).

    Returns:
        int64 (N, 2) each, the corners' x and y.
    """
    padded = np.pad(inside, 1)
    nw, ne, sw, se = padded[:-1, :-1], padded[:-1, 1:], padded[1:, :-1], padded[1:, 1:]
    touching = (nw == se) & (ne == sw) & (nw != ne)
    ys, xs = np.nonzero(nw ^ ne ^ sw ^ se | touching)
    twice = touching[ys, xs]
    second = np.repeat(np.zeros(len(ys), bool), 1 + twice)
    second[(np.cumsum(1 + twice) - 1)[twice]] = True
    ys, xs = np.repeat(ys, 1 + twice), np.repeat(xs, 1 + twice)
    # Of two corners in one place, the first ends the side on its left. It goes on upwards where that way leads around
    # a pixel that is outside, so that pixels inside stay connected.
    columns = np.lexsort((second ^ nw[ys, xs], ys, xs))
    opposite = np.empty_like(columns)
    opposite[columns] = columns[np.arange(len(columns)) ^ 1]
    left = np.arange(0, len(ys), 2)
    rightwards = se[ys[left], xs[left]]  # with the region below, that is to the right
    begin, end = np.where(rightwards, left, left + 1), np.where(rightwards, left + 1, left)
    following = opposite[end] >> 1
    points = np.stack([xs, ys], axis=1)
    return [points[np.stack([begin[ring], end[ring]], axis=1).reshape(-1)] for ring in _cycles(following)]


def _cycles(following: NDArray[np.intp]) -> list[NDArray[np.intp]]:
    """What follows each number, taken apart into circles."""
    after, seen = following.tolist(), bytearray(len(following))
    found = []
    for start in range(len(after)):
        circle = []
        place = start
        while not seen[place]:
            seen[place] = True
            circle.append(place)
            place = after[place]
        if circle:
            found.append(np.array(circle, np.intp))
    return found


def contour_with_holes(
    inside: NDArray[np.bool_], left: int, top: int, junctions: NDArray[np.bool_]
) -> tuple[Contour, list[Contour]]:
    """The contour of one connected region, and those of its holes.

    Args:
        inside: bool (h, w), the box around the region, with at least one pixel.
        left, top: where the box lies in the image.
        junctions: see `junctions_of`.
    """
    found = [_with_junctions(ring + np.array([left, top]), junctions) for ring in trace(inside)]
    outer = max(found, key=lambda contour: contour.area)
    return outer, [contour for contour in found if contour is not outer]


def _with_junctions(corners: NDArray[np.int64], junctions: NDArray[np.bool_]) -> Contour:
    """A contour with the junctions that it passes, which stay fixed: regions that meet keep the same sides."""
    steps = np.roll(corners, -1, axis=0) - corners
    lengths = np.abs(steps).sum(axis=1)
    along = np.arange(lengths.sum()) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    every = np.repeat(corners, lengths, axis=0) + along[:, None] * np.repeat(np.sign(steps), lengths, axis=0)
    fixed = junctions[every[:, 1], every[:, 0]]
    kept = fixed | (along == 0)
    return Contour(every[kept].astype(np.float64), fixed[kept])


def bridged(outer: Contour, holes: Sequence[Contour], inside: NDArray[np.bool_], left: int, top: int) -> Contour:
    """One contour for a region with holes: from each hole a cut leads to the left, through the region.

    The cut lies in the middle of a row of pixels, is followed there and back, and encloses nothing.

    Args:
        inside, left, top: see `contour_with_holes`.
    """
    for hole in sorted(holes, key=lambda contour: float(contour.points[:, 0].min())):
        side = _leftmost_side(hole.points)
        x, y = float(hole.points[side, 0]), float(hole.points[[side, (side + 1) % len(hole.points)], 1].min())
        row = inside[int(y) - top, : int(x) - left]
        outside = np.flatnonzero(~row)
        end = left + (int(outside[-1]) + 1 if outside.size else 0)
        outer = _joined(outer, hole, side, (float(end), y + 0.5), (x, y + 0.5))
    return outer


def _leftmost_side(points: Points) -> int:
    """Which of the vertical sides lies farthest to the left; of several the uppermost."""
    after = np.roll(points, -1, axis=0)
    vertical = np.flatnonzero(points[:, 0] == after[:, 0])
    tops = np.minimum(points[vertical, 1], after[vertical, 1])
    return int(vertical[np.lexsort((tops, points[vertical, 0]))[0]])


def _joined(
    outer: Contour, hole: Contour, side: int, outer_end: tuple[float, float], hole_end: tuple[float, float]
) -> Contour:
    """`outer`, and in it the way along a cut, around the hole and back; `hole_end` is on the hole's side `side`."""
    x, y = outer_end
    after = np.roll(outer.points, -1, axis=0)
    upper, lower = np.minimum(outer.points[:, 1], after[:, 1]), np.maximum(outer.points[:, 1], after[:, 1])
    place = int(np.flatnonzero((outer.points[:, 0] == x) & (after[:, 0] == x) & (upper < y) & (y < lower))[0]) + 1
    around = np.roll(hole.points, -side - 1, axis=0), np.roll(hole.fixed, -side - 1)
    cut, kept = np.array([outer_end, hole_end]), np.array([True, True])
    points = np.concatenate([outer.points[:place], cut, around[0], cut[::-1], outer.points[place:]])
    fixed = np.concatenate([outer.fixed[:place], kept, around[1], kept, outer.fixed[place:]])
    return Contour(points, fixed)


def moved_inwards(
    contour: Contour, kept: NDArray[np.intp], distance: float, inside: NDArray[np.bool_], left: int, top: int
) -> Points:
    """The `kept` points of a contour, each inside a pixel of the region, for tools whose polygons name pixels.

    A point where two pixels touch at their corners becomes two, one in each of them.

    Args:
        distance: by which each side of the contour is moved, in pixels; below a half.
        inside, left, top: see `contour_with_holes`.
    """
    sides = np.sign(np.roll(contour.points, -1, axis=0) - contour.points)
    inwards = np.stack([-sides[:, 1], sides[:, 0]], axis=1)
    before = np.roll(sides, 1, axis=0), np.roll(inwards, 1, axis=0)
    moved = contour.points + distance * np.sign(inwards + before[1])
    first, second = contour.points + distance * (before[1] - before[0]), contour.points + distance * (inwards + sides)
    pixels = np.floor(moved[kept]).astype(int) - (left, top)
    single = np.zeros(len(kept), bool)
    there = ((pixels >= 0) & (pixels < inside.shape[::-1])).all(axis=1)
    single[there] = inside[pixels[there, 1], pixels[there, 0]]
    pairs = np.stack([np.where(single[:, None], moved[kept], first[kept]), second[kept]], axis=1).reshape(-1, 2)
    return np.asarray(pairs[np.stack([np.full(len(kept), True), ~single], axis=1).reshape(-1)])


def simplified(contour: Contour, tolerance: float) -> NDArray[np.intp]:
    """Which points of a contour are enough, in their order.

    Each piece between two fixed points is simplified by the algorithm of Ramer (1972) and of Douglas and Peucker
    (1973): no point that is left out is farther from the line than the tolerance. A smaller one is taken where the
    region's area would change by more than a fifth, as that of a line one pixel wide would.

    Args:
        tolerance: in pixels, 0 or more.
    """
    area = contour.area
    while tolerance >= _LEAST_TOLERANCE:
        kept = _simplified(contour, tolerance)
        if abs(_area(contour.points[kept]) - area) <= _AREA_CHANGE * abs(area):
            return kept
        tolerance /= 2
    return np.arange(len(contour.points))


def _simplified(contour: Contour, tolerance: float) -> NDArray[np.intp]:
    points, ends = contour.points, np.flatnonzero(contour.fixed)
    if not ends.size:  # the same ones whichever of two regions on both sides is looked at
        ends = np.array([np.lexsort(points.T)[0]])
    if ends.size == 1:
        distances = np.hypot(*(points - points[ends[0]]).T)
        farthest = np.flatnonzero(distances == distances.max())
        ends = np.sort([ends[0], farthest[np.lexsort(points[farthest].T)[0]]])
    kept = []
    for first, last in zip(ends, [*ends[1:], ends[0] + len(points)], strict=True):
        piece = np.arange(first, last + 1) % len(points)
        kept.append(piece[:-1][_needed(points[piece], tolerance)[:-1]])
    return np.concatenate(kept)


def _needed(line: Points, tolerance: float) -> NDArray[np.bool_]:
    """Which points of a line are needed; the same ones in both directions."""
    turned = tuple(line[0]) > tuple(line[-1])
    places = line[::-1] @ _PLANE if turned else line @ _PLANE
    needed = np.zeros(len(line), bool)
    needed[[0, -1]] = True
    pending = [(0, len(line) - 1)]
    while pending:
        first, last = pending.pop()
        if last - first < 2:
            continue
        distances = _from_side(places[first + 1 : last], complex(places[first]), complex(places[last]))
        farthest = int(distances.argmax())
        if distances[farthest] > tolerance:
            needed[first + 1 + farthest] = True
            pending += [(first, first + 1 + farthest), (first + 1 + farthest, last)]
    return needed[::-1] if turned else needed


def _from_side(places: NDArray[np.complex128], start: complex, end: complex) -> NDArray[np.float64]:
    """The distance of points, as complex numbers (N,), from the line between two others, in pixels."""
    side, offsets = end - start, places - start
    if not side:
        return np.abs(offsets)
    share = (offsets * side.conjugate()).real / (side.real**2 + side.imag**2)
    np.minimum(np.maximum(share, 0, out=share), 1, out=share)
    return np.abs(offsets - share * side)


def _area(points: Points) -> float:
    """Square pixels by the shoelace formula, positive clockwise as drawn on the screen."""
    after = np.roll(points, -1, axis=0)
    return float((points[:, 0] * after[:, 1] - after[:, 0] * points[:, 1]).sum() / 2)
