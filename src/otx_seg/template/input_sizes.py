"""Which sizes the input of a network may have."""

from __future__ import annotations

from dataclasses import dataclass

from otx_seg.errors import UsageError
from otx_seg.template.hyper_parameters import LARGEST_SIDE, SIZE_STEP, SMALLEST_SIDE

INPUT_SIZE = "learning_parameters.input_size"


@dataclass(frozen=True)
class InputSizes:
    """The sizes that a network takes.

    Attributes:
        divisor: each side is a multiple of it, in pixels.
        smallest: shortest side, in pixels.
    """

    divisor: int = SIZE_STEP
    smallest: int = SMALLEST_SIDE

    def __contains__(self, size: tuple[int, int]) -> bool:
        """Whether an input may have (height, width) pixels."""
        return all(side % self.divisor == 0 and self.smallest <= side <= LARGEST_SIDE for side in size)

    def nearest(self, side: float) -> int:
        """The side, in pixels, that is nearest to a given one."""
        lowest, highest = -(-self.smallest // self.divisor), LARGEST_SIDE // self.divisor
        return min(max(round(side / self.divisor), lowest), highest) * self.divisor

    def refuse_others(self, size: tuple[int, int], name: str) -> None:
        """
        Args:
            size: (height, width) that the input is to have.
            name: of the template, for the message.

        Raises:
            UsageError: the network does not take this size.
        """
        if size not in self:
            fitting = "x".join(str(self.nearest(side)) for side in size)
            raise UsageError(
                f"{INPUT_SIZE}={size[0]}x{size[1]}: {name} takes sides from {self.nearest(self.smallest)} pixels, "
                f"multiples of {self.divisor}: give {fitting}, or another template"
            )
