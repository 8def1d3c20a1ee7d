"""Batches, loader processes, epochs, validations and class weights by data and machine."""

from __future__ import annotations

import pytest

from otx_seg.configuration.facts import MachineFacts
from otx_seg.configuration.learning import (
    choose_batch_size,
    choose_class_weights,
    choose_epochs,
    choose_interval,
    choose_workers,
    epochs_of,
)
from otx_seg.losses.class_weights import LabelStatistics


def machine(cores: int = 4, processes: int = 1, gpu: bool = False, gigabytes: int | None = 16) -> MachineFacts:
    return MachineFacts(cores, cores, processes, gpu, None if gigabytes is None else gigabytes * 10**9)


def test_batches_that_fit_into_memory() -> None:
    # An image takes half a GB per GFLOP and area: 3.67 at 512 takes 1.8 GB, and half of the memory may be used.
    assert choose_batch_size(machine(gigabytes=32), 3.67, 512, 1.0).value == 8
    few = choose_batch_size(machine(gigabytes=16), 3.67, 512, 1.0)
    assert (few.value, few.reason) == (4, "8 images need about 14.7 GB of 16 GB of memory")
    assert choose_batch_size(machine(gigabytes=16), 3.67, 512, 2.0).value == 2
    assert choose_batch_size(machine(gigabytes=16), 3.67, 1024, 1.0).value == 2  # a batch norm needs two
    assert choose_batch_size(machine(gigabytes=32, processes=2), 3.67, 512, 1.0).value == 4
    assert choose_batch_size(machine(gigabytes=1, gpu=True), 3.67, 1024, 1.0).value == 8
    assert choose_batch_size(machine(gigabytes=None), 3.67, 1024, 1.0).value == 8


@pytest.mark.parametrize(("cores", "processes", "workers"), [(1, 1, 1), (4, 1, 4), (4, 2, 2), (2, 4, 0), (64, 1, 8)])
def test_workers(cores: int, processes: int, workers: int) -> None:
    assert choose_workers(machine(cores, processes)).value == workers


def test_epochs_for_six_thousand_steps() -> None:
    assert choose_epochs(images=80, minutes=0, batch_size=8, processes=1).value == 600
    assert choose_epochs(images=80, minutes=0, batch_size=8, processes=2).value == 1200
    assert choose_epochs(images=7, minutes=0, batch_size=8, processes=1).value == 6000
    assert choose_epochs(images=100_000, minutes=0, batch_size=8, processes=1).value == 30
    assert choose_epochs(images=80, minutes=5, batch_size=8, processes=1).value == 100_000
    assert epochs_of(25, images=80, batch_size=8, processes=1) == 3


def test_short_epochs_are_not_all_validated() -> None:
    assert choose_interval(images=8 * 49, minutes=0, batch_size=8, processes=1).value is True
    assert choose_interval(images=8 * 50, minutes=0, batch_size=8, processes=1).value is False
    assert choose_interval(images=8, minutes=5, batch_size=8, processes=1).value is False


def test_class_weights_say_what_they_do() -> None:
    found = LabelStatistics((0.8, 0.2, 0.0), (0.8, 0.2, 0.0), 4)
    decision = choose_class_weights(found, ("road", "sign", "tram"))
    assert (decision.value, decision.reason) == ("inverse_root", "a pixel of 'sign' counts 2.0 times one of 'road'")
