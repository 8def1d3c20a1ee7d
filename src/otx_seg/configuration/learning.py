"""Decisions on the length of a training, its batches and its losses."""

from __future__ import annotations

import math

from otx_seg.class_weights import LabelStatistics, class_weights
from otx_seg.configuration.facts import PLANNED_MINUTES, REFERENCE_SIDE, Decision, MachineFacts
from otx_seg.datasets.loading.epoch_sampler import EpochSize
from otx_seg.template.search_space import BATCH_SIZE, LEARNING_RATE, limits
from otx_seg.words import count

WORKERS = "learning_parameters.num_workers"
ROUNDS = "learning_parameters.rounds_per_epoch"
EPOCHS = "learning_parameters.num_iters"
INTERVAL = "learning_parameters.use_adaptive_interval"
LOSS = "learning_parameters.loss"
CLASS_WEIGHTS = "learning_parameters.class_weights"
FROZEN_START = "learning_parameters.frozen_backbone_iters"

MOST_EPOCHS = int(limits(EPOCHS)[1])
"""Where time decides, epochs are not to."""

_USUAL_BATCH = 8
_MOST_WORKERS = 8

_SHARE_OF_MEMORY = 0.5

_ENOUGH_STEPS = (
    6000  # CamVid gains a point of Dice from the 3,800th step to the 4,800th, and early stopping comes first
)
_FEWEST_EPOCHS = 30
_FROZEN_STEPS = 50
_LONG_EPOCH = 50  # steps; the rule behind use_adaptive_interval changes nothing from here on


def choose_batch_size(machine: MachineFacts, per_image: float, side: float, work: float) -> Decision:
    """
    Args:
        per_image: memory of a training step for one 512x512 image, in GB.
        side: of the input, in pixels.
        work: see `DataFacts`.
    """
    fitting = estimate_largest_batch(machine, per_image, side, work)
    if fitting is None or machine.memory is None:
        return Decision(BATCH_SIZE, _USUAL_BATCH, "as usual")
    gigabytes = _USUAL_BATCH * _bytes_per_image(machine, per_image, side, work) / 1e9
    needed = f"about {gigabytes:.1f} GB of {machine.memory / 1e9:.0f} GB of memory"
    if fitting >= _USUAL_BATCH:
        return Decision(BATCH_SIZE, _USUAL_BATCH, f"as usual; {needed}")
    return Decision(BATCH_SIZE, max(2, fitting), f"{_USUAL_BATCH} images need {needed}")


def estimate_largest_batch(machine: MachineFacts, per_image: float, side: float, work: float) -> int | None:
    """Images per step and process for which the main memory is enough; None where a GPU's or an unknown one counts.

    See `choose_batch_size`.
    """
    if machine.gpu or machine.memory is None:
        return None
    return int(_SHARE_OF_MEMORY * machine.memory / _bytes_per_image(machine, per_image, side, work))


def _bytes_per_image(machine: MachineFacts, per_image: float, side: float, work: float) -> float:
    """Of a step of all processes."""
    return per_image * (side / REFERENCE_SIDE) ** 2 * work * 1e9 * machine.processes


def choose_largest_batch(largest: int, most: int, images: int, gpu: bool) -> Decision:
    """
    Args:
        largest: batch that fits into memory, as far as that is known.
        most: images of a step and process that there are.
        images: to train on.
    """
    how = "tried on the GPU" if gpu else "estimated"
    return Decision(BATCH_SIZE, min(largest, most), f"auto_adapt_batch_size=Full, at most {most} of {images}; {how}")


def choose_learning_rate(rate: float, usual_batch: int, batch_size: int, highest: float) -> Decision:
    """A rate that grows with the square root of the batch, which Adam's needs (Malladi et al. 2022).

    Args:
        rate: for batches of `usual_batch` images.
        highest: that is allowed.
    """
    scaled = float(f"{min(rate * math.sqrt(batch_size / usual_batch), highest):.3g}")
    return Decision(
        LEARNING_RATE, scaled, f"{rate:g} for batches of {usual_batch}, times sqrt({batch_size} / {usual_batch})"
    )


def choose_repeats(one_round: EpochSize, counted: bool) -> Decision:
    """How often an epoch uses each image: the rule of OTX 1.5, floor(5 - 0.7 sqrt(steps - 1)), at least 1.

    Args:
        one_round: an epoch that uses each image once.
        counted: whether the user set the number of epochs, and means what epochs usually are; else see `choose_epochs`.
    """
    if counted:
        return Decision(ROUNDS, 1, "epochs counts rounds")
    rounds = math.floor(max(5 - 0.7 * math.sqrt(one_round.steps - 1), 1))
    return Decision(ROUNDS, rounds, f"one pass is {count(one_round.steps, 'step')}")


def choose_workers(machine: MachineFacts) -> Decision:
    """Processes that load images."""
    number = min(machine.cores // machine.processes, _MOST_WORKERS)
    return Decision(WORKERS, number, count(machine.cores, "CPU core"))


def choose_epochs(epoch: EpochSize, minutes: float, affordable: float = math.inf) -> Decision:
    """Epochs for enough steps, or as many as the time allows.

    Args:
        minutes: time limit; 0: none.
        affordable: steps for which there is time though no limit is given, see `PLANNED_MINUTES`.
    """
    if minutes:
        return Decision(EPOCHS, MOST_EPOCHS, "the time budget decides")
    epochs, within = max(epochs_of(_ENOUGH_STEPS, epoch), _FEWEST_EPOCHS), ""
    if epochs * epoch.steps > affordable:
        epochs = max(1, int(affordable / epoch.steps))
        within = f", the most that {PLANNED_MINUTES / 60:g} hours allow"
    steps = f"{count(epochs * epoch.steps, 'step')} at {count(epoch.steps, 'step')} each{within}"
    return Decision(EPOCHS, epochs, f"{steps}; early stopping may end them")


def epochs_of(steps: int, epoch: EpochSize) -> int:
    """Whole epochs that make at least so many steps."""
    return min(math.ceil(steps / epoch.steps), MOST_EPOCHS)


def choose_interval(epoch: EpochSize, minutes: float) -> Decision:
    """Whether a validation after every epoch would be too much; see `choose_epochs`."""
    if minutes:
        return Decision(INTERVAL, False, "with a time budget the clock decides")
    if epoch.steps < _LONG_EPOCH:
        return Decision(INTERVAL, True, f"epochs are short ({count(epoch.steps, 'step')})")
    return Decision(INTERVAL, False, f"epochs have {count(epoch.steps, 'step')}")


def choose_loss(listed: bool, packaged: bool, weighted: bool) -> Decision:
    """
    Args:
        listed: whether the template has a list of losses of its own.
        packaged: whether the backbone has published weights that come as a package, which are those it was measured
            with.
        weighted: whether label weights are given, which Dice does not take.
    """
    if listed:
        return Decision(LOSS, "cross_entropy", "unused: the template lists its losses")
    if weighted:
        return Decision(LOSS, "cross_entropy", "it takes the label weights that are given")
    if packaged:
        return Decision(LOSS, "dice", "from ImageNet weights it finds rare and thin labels in fewer steps")
    return Decision(LOSS, "cross_entropy", "the backbone starts from no weights of a package")


def choose_frozen_start(packaged: bool, continued: bool) -> Decision:
    """Whether the backbone keeps its weights until the head has learned something.

    Args:
        packaged: see `choose_loss`.
        continued: whether it starts from those of another training.
    """
    if continued:
        return Decision(FROZEN_START, 0, "the weights are those of a training")
    if not packaged:
        return Decision(FROZEN_START, 0, "the backbone starts from no weights of a package")
    return Decision(FROZEN_START, _FROZEN_STEPS, "until the new head has learned something; at most a fifth of the run")


def choose_class_weights(found: LabelStatistics, names: tuple[str, ...]) -> Decision:
    """The rule that was measured best, whatever the labels."""
    rule = "inverse_root"
    weights = dict(zip(names, class_weights(rule, found), strict=True))
    shown = {name: weights[name] for name, share in zip(names, found.shares, strict=True) if share > 0}
    rarest, commonest = max(shown, key=lambda name: shown[name]), min(shown, key=lambda name: shown[name])
    ratio = shown[rarest] / shown[commonest]
    return Decision(CLASS_WEIGHTS, rule, f"a pixel of {rarest!r} counts {ratio:.1f} times one of {commonest!r}")
