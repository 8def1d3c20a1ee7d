"""Batches, loader processes, epochs, validations and class weights by data and machine."""

from __future__ import annotations

import pytest

from otx_seg.class_weights import LabelStatistics
from otx_seg.configuration.facts import MachineFacts
from otx_seg.configuration.learning import (
    choose_batch_size,
    choose_class_weights,
    choose_epochs,
    choose_frozen_start,
    choose_interval,
    choose_largest_batch,
    choose_learning_rate,
    choose_loss,
    choose_repeats,
    choose_workers,
    epochs_of,
    estimate_largest_batch,
)
from otx_seg.datasets.loading.epoch_sampler import EpochSize


def machine(cores: int = 4, processes: int = 1, gpu: bool = False, gigabytes: int | None = 16) -> MachineFacts:
    """One of eight machines of a training; the others' processes take nothing of it."""
    return MachineFacts(cores, cores, processes, 8 * processes, gpu, None if gigabytes is None else gigabytes * 10**9)


def test_batches_that_fit_into_memory() -> None:
    # An image takes half a GB per GFLOP and area: 3.67 at 512 takes 1.8 GB, and half of the memory may be used.
    assert choose_batch_size(machine(gigabytes=32), 1.835, 512, 1.0).value == 8
    few = choose_batch_size(machine(gigabytes=16), 1.835, 512, 1.0)
    assert (few.value, few.reason) == (4, "8 images need about 14.7 GB of 16 GB of memory")
    assert choose_batch_size(machine(gigabytes=16), 1.835, 512, 2.0).value == 2
    assert choose_batch_size(machine(gigabytes=16), 1.835, 1024, 1.0).value == 2  # a batch norm needs two
    assert choose_batch_size(machine(gigabytes=32, processes=2), 1.835, 512, 1.0).value == 4
    assert choose_batch_size(machine(gigabytes=1, gpu=True), 1.835, 1024, 1.0).value == 8
    assert choose_batch_size(machine(gigabytes=None), 1.835, 1024, 1.0).value == 8


def test_the_largest_batch_is_estimated_where_no_gpu_can_be_asked() -> None:
    # Half of 16 GB, at 1.835 GB an image: 4.36 images.
    assert estimate_largest_batch(machine(gigabytes=16), 1.835, 512, 1.0) == 4
    assert estimate_largest_batch(machine(gigabytes=16), 1.835, 128, 1.0) == 69
    assert estimate_largest_batch(machine(gigabytes=16, gpu=True), 1.835, 512, 1.0) is None
    assert estimate_largest_batch(machine(gigabytes=None), 1.835, 512, 1.0) is None


def test_a_larger_batch_comes_with_a_larger_learning_rate() -> None:
    batch = choose_largest_batch(largest=70, most=40, images=80, gpu=True)
    assert (batch.value, batch.reason) == (40, "auto_adapt_batch_size=Full, at most 40 of 80; tried on the GPU")
    rate = choose_learning_rate(0.001, usual_batch=8, batch_size=32, highest=0.1)
    assert (rate.value, rate.reason) == (0.002, "0.001 for batches of 8, times sqrt(32 / 8)")
    assert choose_learning_rate(0.08, 8, 32, highest=0.1).value == 0.1


def test_epochs_end_where_a_patient_user_would() -> None:
    assert choose_epochs(EpochSize(80, 8, 1), 0, affordable=3000).value == 300
    reason = choose_epochs(EpochSize(80, 8, 1), 0, affordable=3000).reason
    assert reason == "3,000 steps at 10 steps each, the most that 4 hours allow; early stopping may end them"
    assert choose_epochs(EpochSize(80, 8, 1), 0, affordable=7000).value == 600


@pytest.mark.parametrize(("images", "rounds"), [(1, 5), (8, 5), (16, 4), (24, 4), (40, 3), (80, 2), (8 * 33, 1)])
def test_few_images_make_several_rounds(images: int, rounds: int) -> None:
    # floor(5 - 0.7 sqrt(steps - 1)): 5 for 1 step, 4.3, 4.01, 3.6 for 5 steps, 2.9 for 10, 1.04 for 33.
    assert choose_repeats(EpochSize(images, 8, 1), counted=False).value == rounds
    assert choose_repeats(EpochSize(images, 8, 1), counted=True).value == 1


def test_a_list_of_losses_stays() -> None:
    found = choose_loss(listed=True, packaged=True, weighted=False)
    assert (found.value, "lists its losses" in found.reason) == ("cross_entropy", True)


@pytest.mark.parametrize(
    ("packaged", "weighted", "loss", "reason"),
    [
        (True, False, "dice", "fewer steps"),
        (True, True, "cross_entropy", "label weights that are given"),
        (False, False, "cross_entropy", "no weights of a package"),
    ],
)
def test_dice_is_the_loss_from_weights_of_a_package(packaged: bool, weighted: bool, loss: str, reason: str) -> None:
    found = choose_loss(False, packaged, weighted)
    assert found.value == loss
    assert reason in found.reason


@pytest.mark.parametrize(("cores", "processes", "workers"), [(1, 1, 1), (4, 1, 4), (4, 2, 2), (2, 4, 0), (64, 1, 8)])
def test_workers(cores: int, processes: int, workers: int) -> None:
    assert choose_workers(machine(cores, processes)).value == workers


def test_epochs_for_six_thousand_steps() -> None:
    assert choose_epochs(EpochSize(80, 8, 1), minutes=0).value == 600
    assert choose_epochs(EpochSize(80, 8, 2), minutes=0).value == 1200
    assert choose_epochs(EpochSize(7, 8, 1), minutes=0).value == 6000
    assert choose_epochs(EpochSize(100_000, 8, 1), minutes=0).value == 30
    assert choose_epochs(EpochSize(80, 8, 1), minutes=5).value == 100_000
    assert choose_epochs(EpochSize(16, 8, 1, rounds=4), minutes=0).value == 750
    assert epochs_of(25, EpochSize(80, 8, 1)) == 3


def test_an_epoch_is_as_long_as_the_balance_of_new_labels_makes_it() -> None:
    # 10 of 1000 images show new labels: an epoch has these and isqrt(990 / 10) = 9 times as many others, 100 in all.
    epoch = EpochSize(1000, 8, 1, new=10)
    assert epoch.steps == 13
    assert choose_epochs(epoch, minutes=0).value == 462  # 6000 / 13
    assert choose_repeats(epoch, counted=False).value == 2  # 5 - 0.7 sqrt(12) = 2.6
    assert choose_interval(epoch, minutes=0).value is True


def test_short_epochs_are_not_all_validated() -> None:
    assert choose_interval(EpochSize(8 * 49, 8, 1), minutes=0).value is True
    assert choose_interval(EpochSize(8 * 50, 8, 1), minutes=0).value is False
    assert choose_interval(EpochSize(8, 8, 1), minutes=5).value is False


def test_class_weights_say_what_they_do() -> None:
    found = LabelStatistics((80, 20, 0), (100, 100, 0), 4)
    decision = choose_class_weights(found, ("road", "sign", "tram"))
    assert (decision.value, decision.reason) == ("inverse_root", "a pixel of 'sign' counts 2.0 times one of 'road'")


@pytest.mark.parametrize(
    ("published", "continued", "steps"), [(True, False, 50), (False, False, 0), (True, True, 0), (False, True, 0)]
)
def test_a_backbone_is_kept_where_it_knows_something_and_the_head_does_not(
    published: bool, continued: bool, steps: int
) -> None:
    decided = choose_frozen_start(published, continued)
    assert decided.value == steps
    assert ("at most a fifth of the run" in decided.reason) == (steps > 0)
