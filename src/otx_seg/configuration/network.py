"""Which network, and what it sees: template and input size, by what the images show and how much time there is.

The figures are those of docs/benchmarks.md, docs/training.md says what each rule rests on.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from otx_seg.configuration.facts import PLANNED_MINUTES, DataFacts, Decision, MachineFacts
from otx_seg.datasets.scan import VISIBLE_EXTENT
from otx_seg.template.hyper_parameters import SIZE_STEP

TEMPLATE = "template"
INPUT_SIZE = "learning_parameters.input_size"

_SIDES = (64, 128, 256, 384, 512, 768, 1024)
_USUAL_SIDE = 512  # larger ones are for small regions alone
_SHORT_SIDE = 256  # what is not gone below to save time: fine detail is lost faster than steps are won
_ELONGATED = 1.5  # from this ratio of sides on, the input gets the images' ratio
_REFERENCE_SIDE = 512  # at which a template states its gigaflops

# Lite-HRNets, two cores of an AMD EPYC: 4,834 steps of 8 images at 256x256 in 25 minutes. That of GPUs is a guess.
_GIGAFLOPS_PER_CORE = 2.0  # billions of multiply-adds of the network's forward pass per second of training
_GIGAFLOPS_OF_GPU = 60.0

_PLENTY = 20_000  # steps, of which nobody wants to know how many more

ENOUGH_STEPS = {"ACCURACY": 6000, "BALANCE": 1500, "SPEED": 1500}
"""Steps of training for which a template of each category needs time to be taken, the most accurate one first."""


@dataclass(frozen=True)
class Candidate:
    """A template that may be chosen.

    Attributes:
        gigaflops: see `TemplateSummary`.
    """

    name: str
    category: str
    gigaflops: float


def choose_network(
    data: DataFacts,
    machine: MachineFacts,
    minutes: float,
    batch_size: int,
    candidates: Sequence[Candidate],
    size: tuple[int, int] | None = None,
) -> tuple[Decision, Decision]:
    """Template and input size: the largest useful input that leaves time for enough steps, and the most accurate
    template for which it does.

    Args:
        minutes: time limit; 0: none.
        batch_size: images per step.
        candidates: one where the user named it, else one of each category.
        size: (height, width) in pixels where the user gave it.
    """
    wanted, why = _wanted_side(data)
    sides = [side for side in _SIDES[::-1] if min(wanted, _SHORT_SIDE) <= side <= wanted]
    if size is not None:
        sides = [round(math.sqrt(size[0] * size[1]))]
    ordered = list(candidates)
    if len(candidates) > 1:
        # Without a time limit nobody has said that the longest training is welcome.
        categories = [category for category in ENOUGH_STEPS if minutes or category != "ACCURACY"]
        ordered = [candidate for category in categories for candidate in candidates if candidate.category == category]
    affordable = [
        (candidate, side)
        for side in sides
        for candidate in ordered
        if _steps(candidate, side, data, machine, minutes, batch_size)
        >= (ENOUGH_STEPS["BALANCE"] if len(candidates) == 1 else ENOUGH_STEPS[candidate.category])
    ]
    chosen, side = affordable[0] if affordable else (ordered[-1], sides[-1])
    if side < sides[0]:
        why += f"; at {sides[0]} there is time for {_told(chosen, sides[0], data, machine, minutes, batch_size)}"
    steps = _told(chosen, side, data, machine, minutes, batch_size)
    template = Decision(TEMPLATE, chosen.name, f"{chosen.category.lower()}: time for {steps}", len(candidates) == 1)
    height, width = size or _shape(side, data.aspect)
    return template, Decision(INPUT_SIZE, f"{height}x{width}", why, size is not None)


def wanted_size(data: DataFacts) -> tuple[int, int]:
    """(height, width) in pixels of the input that is chosen for these images where time allows it."""
    return _shape(_wanted_side(data)[0], data.aspect)


def _wanted_side(data: DataFacts) -> tuple[int, str]:
    """The side of the input if time were no matter, and why."""
    useful = min(_SIDES, key=lambda side: abs(math.log(side / data.side)))
    usual = min(useful, _USUAL_SIDE)
    name, extent = data.finest
    visible = next((side for side in _SIDES if usual <= side <= useful and side * extent >= VISIBLE_EXTENT), useful)
    about = f"images of about {round(data.side)} pixels a side"
    if visible > usual:
        return visible, f"{about}; regions of {name!r} are {extent * visible:.1f} pixels across at {visible}"
    if visible * extent < VISIBLE_EXTENT:
        return visible, f"{about}; regions of {name!r} are {extent * data.side:.1f} pixels across in them"
    return visible, about


def _shape(side: int, aspect: float) -> tuple[int, int]:
    """(height, width) of about side x side pixels."""
    if 1 / _ELONGATED < aspect < _ELONGATED:
        return side, side
    sides = (side / math.sqrt(aspect), side * math.sqrt(aspect))
    height, width = (min(max(round(value / SIZE_STEP), 2) * SIZE_STEP, 2048) for value in sides)
    return height, width


def _steps(
    candidate: Candidate, side: int, data: DataFacts, machine: MachineFacts, minutes: float, batch_size: int
) -> float:
    """About how many steps there is time for."""
    rate = _GIGAFLOPS_OF_GPU if machine.gpu else _GIGAFLOPS_PER_CORE * machine.threads
    per_step = batch_size * candidate.gigaflops * (side / _REFERENCE_SIDE) ** 2 * data.work
    return (minutes or PLANNED_MINUTES) * 60 * rate / per_step


def _told(
    candidate: Candidate, side: int, data: DataFacts, machine: MachineFacts, minutes: float, batch_size: int
) -> str:
    steps = _steps(candidate, side, data, machine, minutes, batch_size)
    limit = f"{minutes:g} minute{'' if minutes == 1 else 's'}" if minutes else f"{PLANNED_MINUTES / 60:g} hours"
    number = f"about {float(f'{steps:.1g}'):,.0f}" if steps < _PLENTY else f"more than {_PLENTY:,}"
    return f"{number} steps in {limit}"
