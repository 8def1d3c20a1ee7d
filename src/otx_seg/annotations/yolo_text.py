"""YOLO's text files: a line for each object, its class and its outline in shares of the image's sides."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from otx_seg.annotations.polygons import Outline, OutlinedObjects, area_of, page, rectangle
from otx_seg.annotations.samples import MaskReader, Sample
from otx_seg.errors import DataError
from otx_seg.labels import IGNORE_INDEX
from otx_seg.runtime.images import verify_image
from otx_seg.runtime.plain_files import number, read_text, whole_number
from otx_seg.words import count

BOX, OUTLINE = 5, 7
"""Numbers in the line of a box, and the fewest in that of an outline; each begins with the class."""

MOST_CLASSES = 100_000
"""Above what any number of a class can be."""

_LEAST, _MOST = -1.0, 2.0  # shares of a side: what is cut by the image's edge may reach beyond it


class YoloObject(NamedTuple):
    """A line of a file.

    Attributes:
        number: of its class.
        shares: [x, y, x, y, ...] of an outline, or [centre x, centre y, width, height] of a box, as shares of the
            image's sides.
    """

    number: int
    shares: list[float]

    @property
    def is_box(self) -> bool:
        """Whether it is a box, not an outline."""
        return len(self.shares) == BOX - 1


def read_yolo(path: Path) -> list[YoloObject]:
    """The objects in a file.

    Raises:
        DataError: it cannot be read, or a line is none of an outline or a box.
    """
    found = []
    for place, line in enumerate(read_text(path).splitlines(), 1):
        words = line.split()
        if not words:
            continue
        try:
            found.append(_parsed(words))
        except ValueError as error:
            raise DataError(f"{path}: line {place}: {error}") from error
    return found


def _parsed(words: list[str]) -> YoloObject:
    kind = whole_number(words[0], 0, MOST_CLASSES, "the class")
    if len(words) not in (BOX, BOX + 1) and (len(words) < OUTLINE or len(words) % 2 == 0):
        raise ValueError(
            f"{count(len(words), 'value')}; an outline is a class and three or more points, x y x y x y ..., a box is "
            "class x y width height"
        )
    what = "a share of the image's width or height"
    shares = [number(word, _LEAST, _MOST, what) for word in words[1:]]
    return YoloObject(kind, shares[: BOX - 1] if len(words) == BOX + 1 else shares)


@dataclass(frozen=True)
class YoloOutlines(MaskReader):
    """Paints the masks of a data set from its text files, which are read when a mask is.

    Larger objects are painted first, so that small ones on them stay visible, as Ultralytics does. Below all of them
    the pixels of boxes are ignored. An image without a file shows background alone.

    Attributes:
        names: labels in index order.
        uncovered: index of the background.
        index_of: the label of each class by its number.
        source: the file that names the classes, for messages.
    """

    names: tuple[str, ...]
    uncovered: int
    index_of: Mapping[int, int]
    source: str
    size_advice = "shares of an image's sides fit any size"

    def read(self, sample: Sample) -> NDArray[np.uint8]:
        """uint8 (H, W): indices of `names`, 255 for ignored.

        Raises:
            DataError: the image or the file cannot be read, an outline is unusable, or its class has no name. (It is
                left out then, as Ultralytics does.)
        """
        height, width = verify_image(sample.image)
        objects = self._objects(Path(sample.mask), np.array([width, height], float))
        painter = OutlinedObjects(self.names, self.uncovered, {sample.name: page((height, width), objects)})
        return painter.read(sample)

    def _objects(self, path: Path, sides: NDArray[np.float64]) -> list[Outline]:
        if not path.is_file():
            return []
        described = read_yolo(path)
        unknown = next((each.number for each in described if each.number not in self.index_of), None)
        if unknown is not None:
            raise DataError(f"{path}: class {unknown} has no name in {self.source}")
        boxes, outlines = [], []
        for each in described:
            if each.is_box:
                x, y, across, down = (np.array(each.shares).reshape(2, 2) * sides).reshape(-1).tolist()
                corners = rectangle(x - across / 2, y - down / 2, x + across / 2, y + down / 2)
                boxes.append(Outline(IGNORE_INDEX, [corners]))
            else:
                points = (np.array(each.shares).reshape(-1, 2) * sides).reshape(-1).tolist()
                outlines.append((area_of(points), Outline(self.index_of[each.number], [points])))
        return [*boxes, *(outline for _, outline in sorted(outlines, key=lambda item: -item[0]))]
