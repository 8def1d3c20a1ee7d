"""Decisions on template and input size, from the size of regions in the images and the available time.

The figures are those of docs/benchmarks.md, docs/configuration.md says what each rule rests on.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from otx_seg.configuration.facts import PLANNED_MINUTES, REFERENCE_SIDE, DataFacts, Decision, MachineFacts
from otx_seg.datasets.scan import VISIBLE_EXTENT
from otx_seg.template.hyper_parameters import LARGEST_SIDE, SIZE_STEP, SMALLEST_SIDE
from otx_seg.words import count

TEMPLATE = "template"
INPUT_SIZE = "learning_parameters.input_size"

_SIDES = (64, 128, 256, 384, 512, 768, 1024)
_USUAL_SIDE = 512  # larger ones are for small regions alone
_SHORT_SIDE = 256  # what is not gone below to save time: fine detail is lost faster than steps are won
_FEW_IMAGES = 50  # that a template of category ACCURACY is not taken for
_ELONGATED = 1.5  # from this ratio of sides on, the input gets the images' ratio

_GIGAFLOPS_OF_GPU = 150.0  # billions of multiply-adds of the network's forward pass per second of training: a guess
_SHORTEST_STEP_OF_GPU = 0.07  # seconds: starting hundreds of small kernels takes as long, however small the input is

_PLENTY = 20_000  # steps, of which nobody wants to know how many more

ENOUGH_STEPS = {"ACCURACY": 6000, "BALANCE": 1500, "SPEED": 1500}
"""Steps of training for which a template of each category needs time to be taken, the most accurate one first."""

_ENOUGH_PRETRAINED = 350
"""The same for a backbone that starts from published weights."""


@dataclass(frozen=True)
class Candidate:
    """A template that may be chosen.

    Attributes:
        gigaflops, output_stride, cpu_gigaflops_per_s: see `Template`.
        pretrained: whether its backbone starts from published weights, which are on this machine.
    """

    name: str
    category: str
    gigaflops: float
    output_stride: float
    cpu_gigaflops_per_s: float
    pretrained: bool = False


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


def choose_network(
    data: DataFacts, budget: Budget, candidates: Sequence[Candidate], size: tuple[int, int] | None = None
) -> tuple[Decision, Decision]:
    """Template and input size that leave time for enough steps: where possible such as show the smallest regions, then
    the largest useful input, then the most accurate template.

    Args:
        candidates: one where the user named it, else one of each category.
        size: (height, width) in pixels where the user gave it.
    """
    named = len(candidates) == 1
    ordered, aside = (candidates, "") if named else _in_order(candidates, data.images, budget.minutes)
    wanted = {candidate: _wanted_side(data, candidate.output_stride) for candidate in ordered}
    pairs = [(candidate, side) for candidate in ordered for side in _sides(wanted[candidate], size)]
    # Where these are equal, the order of the categories stays.
    pairs.sort(key=lambda pair: (not _shows(pair[0], pair[1], data), -pair[1] / wanted[pair[0]]))
    affordable = [
        (candidate, side)
        for candidate, side in pairs
        if budget.steps(candidate, side) >= _enough_steps(candidate, named)
    ]
    fastest = max(pairs, key=lambda pair: budget.steps(*pair))  # the first of those that make the most steps
    chosen, side = affordable[0] if affordable else fastest
    why = _about(data, wanted[chosen], chosen.output_stride)
    if size is None and side < wanted[chosen]:
        why += f"; at {wanted[chosen]} there is time for {budget.in_words(chosen, wanted[chosen])}"
    reason = f"{chosen.category.lower()}: time for {budget.in_words(chosen, side)}{aside}"
    template = Decision(TEMPLATE, chosen.name, reason, named)
    height, width = size or _shape(side, data.aspect)
    return template, Decision(INPUT_SIZE, f"{height}x{width}", why, size is not None)


def wanted_size(data: DataFacts) -> tuple[int, int]:
    """(height, width) in pixels of the input that is chosen for these images and the usual template if time allows."""
    return _shape(_wanted_side(data, VISIBLE_EXTENT), data.aspect)


def _enough_steps(candidate: Candidate, named: bool) -> int:
    if candidate.pretrained:
        return _ENOUGH_PRETRAINED
    return ENOUGH_STEPS["BALANCE" if named else candidate.category]


def _in_order(candidates: Sequence[Candidate], images: int, minutes: float) -> tuple[list[Candidate], str]:
    """The candidates that come into question, the most accurate one first; and what is to be said of that.

    Those whose weights are here, if there are such: on CamVid, 350 steps from ImageNet weights reach what takes 5,000
    from random ones. Without a time limit nobody has said that the longest training is welcome.
    """
    pretrained = [candidate for candidate in candidates if candidate.pretrained]
    few = images < _FEW_IMAGES
    categories = [category for category in ENOUGH_STEPS if category != "ACCURACY" or (minutes and not few)]
    found = pretrained or candidates
    ordered = [candidate for category in categories for candidate in found if candidate.category == category]
    if pretrained:
        return ordered, "; its ImageNet weights are here"
    return ordered, f"; {images} images are few for a larger network" if minutes and few else ""


def _sides(wanted: int, size: tuple[int, int] | None) -> list[int]:
    """The sides that are worth a try, the largest first."""
    if size is not None:
        return [round(math.sqrt(size[0] * size[1]))]
    return [side for side in _SIDES[::-1] if min(wanted, _SHORT_SIDE) <= side <= wanted]


def _shows(candidate: Candidate, side: int, data: DataFacts) -> bool:
    """Whether the smallest regions fill a position of the network's output, so that it can find them."""
    return data.finest[1] * side >= candidate.output_stride


def _wanted_side(data: DataFacts, visible: float) -> int:
    """The side of the input if time were no matter, for regions that have to be so many pixels across."""
    useful = min(_SIDES, key=lambda side: abs(math.log(side / data.side)))
    usual = min(useful, _USUAL_SIDE)
    extent = data.finest[1]
    return next((side for side in _SIDES if usual <= side <= useful and side * extent >= visible), useful)


def _about(data: DataFacts, side: int, visible: float) -> str:
    """Why the input would have this side if time were no matter."""
    name, extent = data.finest
    about = f"images of about {round(data.side)} pixels a side"
    if side * extent < visible:
        return f"{about}; regions of {name!r} are {extent * data.side:.1f} pixels across in them"
    if side > _USUAL_SIDE:
        return f"{about}; regions of {name!r} are {extent * side:.1f} pixels across at {side}"
    return about


def _shape(side: int, aspect: float) -> tuple[int, int]:
    """(height, width) of about side x side pixels."""
    if 1 / _ELONGATED < aspect < _ELONGATED:
        return side, side
    sides = (side / math.sqrt(aspect), side * math.sqrt(aspect))
    height, width = (min(max(round(value / SIZE_STEP) * SIZE_STEP, SMALLEST_SIDE), LARGEST_SIDE) for value in sides)
    return height, width
