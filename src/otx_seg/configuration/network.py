"""Decisions on template and input size, from the size of regions in the images and the available time.

The figures are those of docs/benchmarks.md, docs/configuration.md says what each rule rests on.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from otx_seg.configuration.facts import PLANNED_MINUTES, REFERENCE_SIDE, DataFacts, Decision, MachineFacts
from otx_seg.datasets.ceiling import Grid
from otx_seg.datasets.scan import VISIBLE_EXTENT
from otx_seg.template.input_sizes import INPUT_SIZE, InputSizes
from otx_seg.words import count

TEMPLATE = "template"

_SIDES = (64, 128, 256, 384, 512, 768, 1024)
_USUAL_SIDE = 512  # larger ones are for small regions alone
_SHORT_SIDE = 256  # what is not gone below to save time: fine detail is lost faster than steps are won
_FEW_IMAGES = 50  # that a template of category ACCURACY is not taken for
_ELONGATED = 1.5  # from this ratio of sides on, the input gets the images' ratio

_GIGAFLOPS_OF_GPU = 150.0  # billions of multiply-adds of the network's forward pass per second of training: a guess
_SHORTEST_STEP_OF_GPU = 0.07  # seconds: starting hundreds of small kernels takes as long, however small the input is

_PLENTY = 20_000  # steps, of which nobody wants to know how many more

ENOUGH_STEPS = {"ACCURACY": 6000, "BALANCE": 1500, "SPEED": 1500}
"""Steps from random weights that are enough for a template of each category, the most accurate one first."""

_LAW, _LAW_PRETRAINED = (1.55, ENOUGH_STEPS["SPEED"]), (0.95, 2000)
"""How far from its ceiling a network is that starts from random and from published weights, times steps ** -1/4; and
the steps that are enough, so that a larger input is worth more than further ones."""

_GAIN = 1.01
"""What each step of size beyond the usual one has to bring at least, as a factor of the Dice."""


@dataclass(frozen=True)
class Candidate:
    """A template that may be chosen.

    Attributes:
        gigaflops, output_stride, cpu_gigaflops_per_s: see `Template`.
        pretrained: whether its backbone starts from published weights, which are on this machine.
        sizes: that its input may have.
    """

    name: str
    category: str
    gigaflops: float
    output_stride: float
    cpu_gigaflops_per_s: float
    pretrained: bool = False
    sizes: InputSizes = field(default_factory=InputSizes)


@dataclass(frozen=True)
class Budget:
    """How many steps a training can make.

    Attributes:
        minutes: time limit; 0: none.
        batch_size: images per step.
        work: see `DataFacts`.
    """

    machine: MachineFacts
    minutes: float
    batch_size: int
    work: float = 1.0

    def steps(self, candidate: Candidate, side: float) -> float:
        """About how many steps there is time for."""
        per_step = self.batch_size * candidate.gigaflops * (side / REFERENCE_SIDE) ** 2 * self.work
        seconds = per_step / (candidate.cpu_gigaflops_per_s * self.machine.threads)
        if self.machine.gpu:
            seconds = max(per_step / _GIGAFLOPS_OF_GPU, _SHORTEST_STEP_OF_GPU * self.work)
        return (self.minutes or PLANNED_MINUTES) * 60 / seconds

    def in_words(self, candidate: Candidate, side: float) -> str:
        """The same for people."""
        steps = self.steps(candidate, side)
        limit = count(self.minutes, "minute") if self.minutes else f"{PLANNED_MINUTES / 60:g} hours"
        number = f"about {float(f'{steps:.1g}'):,.0f}" if steps < _PLENTY else f"more than {_PLENTY:,}"
        return f"{number} steps in {limit}"


class Option(NamedTuple):
    """A template at an input size.

    Attributes:
        side: sqrt(height x width) in pixels, about.
    """

    candidate: Candidate
    side: int
    height: int
    width: int

    @property
    def grid(self) -> Grid:
        """(rows, columns) of the network's output."""
        return output_grid((self.height, self.width), self.candidate.output_stride)


def output_grid(size: tuple[int, int], stride: float) -> Grid:
    """(rows, columns) of the output of a network with an input of (height, width) pixels and this stride."""
    return math.ceil(size[0] / stride), math.ceil(size[1] / stride)


def options(data: DataFacts, candidates: Sequence[Candidate], size: tuple[int, int] | None = None) -> list[Option]:
    """The pairs of template and input size that come into question.

    Those whose weights are here, if there are such: on CamVid, 350 steps from ImageNet weights reach what takes 5,000
    from random ones.

    Args:
        candidates: one where the user named it, else some of each category.
        size: (height, width) in pixels where the user gave it.
    """
    pretrained = [candidate for candidate in candidates if candidate.pretrained]
    found = [
        Option(candidate, side, *shape)
        for candidate in pretrained or candidates
        for side, shape in _shapes(data, candidate.sizes, size).items()
    ]
    # An enlarged image shows nothing more: it is for a network that takes no smaller one, where there is no other.
    fitting = [option for option in found if size is not None or option.side <= _useful_side(data)]
    return fitting or found


def choose_network(
    data: DataFacts,
    budget: Budget,
    found: Sequence[Option],
    ceilings: Mapping[Grid, float],
    named: bool = False,
) -> tuple[Decision, Decision]:
    """The template and the input size that promise the highest Dice.

    That is the ceiling of the output's grid, times what a network reaches of its ceiling in the steps there is time
    for, 1 - c steps ** -1/4. Steps beyond enough do not count: where several have enough, the largest input is taken,
    and then the most accurate category.

    Args:
        found: see `options`.
        ceilings: the Dice of a perfect network by its output's grid, 0..1.
        named: whether the user named the template.
    """
    few = data.images < _FEW_IMAGES

    def is_suitable(option: Option) -> bool:
        """Without a time limit nobody has said that the longest training is welcome."""
        if named or option.candidate.category != "ACCURACY":
            return True
        enough = budget.steps(option.candidate, option.side) >= ENOUGH_STEPS["ACCURACY"]
        return bool(budget.minutes) and enough and not few

    ordered = sorted(found, key=lambda option: list(ENOUGH_STEPS).index(option.candidate.category) if not named else 0)
    suitable = [option for option in ordered if is_suitable(option)] or ordered
    chosen = max(suitable, key=lambda option: (_promise(option, budget, ceilings[option.grid]), option.side))
    aside = f"; {data.images} images are few for a larger network" if budget.minutes and few else ""
    if chosen.candidate.pretrained:
        aside = "; its ImageNet weights are here"
    time = f"time for {budget.in_words(chosen.candidate, chosen.side)}"
    template = Decision(TEMPLATE, chosen.candidate.name, f"{chosen.candidate.category.lower()}: {time}{aside}", named)
    same = [option for option in found if option.candidate == chosen.candidate]
    about = _about(data, chosen, same, budget, ceilings)
    return template, Decision(INPUT_SIZE, f"{chosen.height}x{chosen.width}", about)


def _promise(option: Option, budget: Budget, ceiling: float) -> float:
    """The Dice to expect, for comparisons with other options."""
    far, enough = _LAW_PRETRAINED if option.candidate.pretrained else _LAW
    steps = min(budget.steps(option.candidate, option.side), enough)
    # Where nothing can be learned, more steps are still better than fewer.
    learned = max(1.0 - far * steps**-0.25, 1e-6 * steps)
    larger = max(0, _SIDES.index(option.side) - _SIDES.index(_USUAL_SIDE)) if option.side in _SIDES else 0
    return ceiling * learned / _GAIN**larger


def wanted_size(data: DataFacts) -> tuple[int, int]:
    """(height, width) in pixels of the input that is chosen for these images and the usual template if time allows."""
    usual, extent = min(_useful_side(data), _USUAL_SIDE), data.finest[1]
    found = (side for side in _sides(data) if side >= usual and side * extent >= VISIBLE_EXTENT)
    return _shape(next(found, _useful_side(data)), data.aspect, InputSizes())


def _shapes(data: DataFacts, sizes: InputSizes, size: tuple[int, int] | None) -> dict[int, tuple[int, int]]:
    """By side, (height, width) of the inputs that come into question: those that are given, or else large enough."""
    if size is not None:
        return {round(math.sqrt(size[0] * size[1])): size}
    sides = dict.fromkeys(sizes.nearest(side) for side in _sides(data))
    return {side: _shape(side, data.aspect, sizes) for side in sides}


def _sides(data: DataFacts) -> list[int]:
    """The sides of inputs that show what the images have, down to where fine detail is lost faster than steps are
    won."""
    useful = _useful_side(data)
    return [side for side in _SIDES if min(useful, _SHORT_SIDE) <= side <= useful]


def _useful_side(data: DataFacts) -> int:
    return min(_SIDES, key=lambda side: abs(math.log(side / data.side)))


def _about(
    data: DataFacts, chosen: Option, same: Sequence[Option], budget: Budget, ceilings: Mapping[Grid, float]
) -> str:
    """Why the input has this side, among those of the same template."""
    about = f"images of about {round(data.side)} pixels a side"
    larger = [option for option in same if option.side > chosen.side]
    smaller = [option for option in same if option.side < chosen.side]
    if smaller:
        about += f"; at {smaller[-1].side} a perfect network reaches {ceilings[smaller[-1].grid]:.2f}"
        about += f" and here {ceilings[chosen.grid]:.2f}"
    if larger:
        about += f"; at {larger[0].side} there is time for {budget.in_words(chosen.candidate, larger[0].side)}"
    return about


def _shape(side: int, aspect: float, sizes: InputSizes) -> tuple[int, int]:
    """(height, width) of about side x side pixels."""
    if 1 / _ELONGATED < aspect < _ELONGATED:
        return side, side
    return sizes.nearest(side / math.sqrt(aspect)), sizes.nearest(side * math.sqrt(aspect))
