"""The memory cache: the same samples, one memory for all processes, never over its size, off when memory is short."""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from otx_seg.datasets import Subset, open_folder, open_unlabelled
from otx_seg.datasets.loading import memory_cache
from otx_seg.datasets.loading.loader import training_loader
from otx_seg.datasets.loading.memory_cache import MemoryCache, NoCache, open_cache
from otx_seg.datasets.loading.views import Labelled, Unlabelled
from otx_seg.runtime.images import read_image
from otx_seg.transforms.pipeline import build_pipeline

GIB = 1 << 30
VIEW = {
    "type": "RandomView",
    "scale_range": [0.5, 2.0],
    "single_label_limit": 0.75,
    "flip_probability": 0.5,
    "rotation_degrees": 10.0,
    "rotation_probability": 0.3,
}
forking = multiprocessing.get_context("fork")


def image(value: int, side: int = 10) -> np.ndarray:
    return np.full((side, side, 3), value, np.uint8)


def refuse() -> np.ndarray:
    raise AssertionError("decoded again")


@pytest.fixture(autouse=True)
def _tell(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "otx_seg")


@pytest.fixture
def subset(drawn_data: Path) -> Subset:
    return open_folder(drawn_data)["train"]


@pytest.mark.parametrize("workers", [0, 2])
def test_batches_are_the_same_with_and_without_it_and_files_are_read_once(
    workers: int, subset: Subset, drawn_data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pipeline = build_pipeline([VIEW], (32, 48), "test")
    images = open_unlabelled(drawn_data / "val" / "images")

    decoded = forking.Value("i", 0)

    def count(path: str) -> np.ndarray:
        with decoded.get_lock():
            decoded.value += 1
        return read_image(path)

    monkeypatch.setattr("otx_seg.annotations.samples.read_image", count)
    monkeypatch.setattr("otx_seg.datasets.unlabelled.read_image", count)

    def three_epochs(cache: MemoryCache | None) -> tuple[list[Any], int]:
        decoded.value = 0
        first = Labelled(subset, pipeline, 3, 42, cache=cache)
        second = Labelled(subset, pipeline, 3, 42, name="second", stream=2, cache=cache)
        unlabelled = Unlabelled(images, pipeline, lambda *parts: parts[:2], 2, 42, 0, 1, cache, 2 * len(subset))
        with training_loader(first, [second, unlabelled], workers) as loader:
            batches = []
            for epoch in range(3):
                loader.batch_sampler.set_epoch(epoch)
                batches += list(loader)
        return batches, decoded.value

    plain, each_time = three_epochs(None)
    cached, once = three_epochs(MemoryCache(1_000_000, 2 * len(subset) + len(images)))
    assert each_time == 3 * 2 * len(subset) + 9 * 2
    # The processes may begin with the same unlabelled image at the same time; labelled ones come once per epoch.
    assert len(subset) + len(images) <= once <= len(subset) + max(1, workers) * len(images)
    assert len(plain) == len(cached) == 9
    for one, other in zip(plain, cached, strict=True):
        for view in ("labelled", "second", "unlabelled"):
            assert torch.equal(one[view]["image"], other[view]["image"])
            assert torch.equal(one[view]["mask"], other[view]["mask"])


def in_another_process(work: Callable[[], Any]) -> Any:
    """What a function returns in a forked process."""
    queue = forking.SimpleQueue()
    process = forking.Process(target=lambda: queue.put(work()))
    process.start()
    result = queue.get()
    process.join(10)
    assert process.exitcode == 0
    return result


def test_what_one_process_decodes_another_finds() -> None:
    cache = MemoryCache(10_000, 3)
    in_another_process(lambda: int(cache.read(1, lambda: image(7)).sum()))
    assert np.array_equal(cache.read(1, refuse), image(7))
    mask = np.arange(12, dtype=np.uint8).reshape(3, 4)
    cache.read(2, lambda: mask)
    assert in_another_process(lambda: cache.read(2, refuse).tolist()) == mask.tolist()


def test_what_it_holds_cannot_be_changed() -> None:
    cache = MemoryCache(10_000, 1)
    cache.read(0, lambda: image(7))
    with pytest.raises(ValueError, match="read-only"):
        cache.read(0, refuse)[0, 0] = 1


def test_it_never_grows_over_its_size_and_keeps_what_it_has() -> None:
    cache = MemoryCache(1000, 8)  # 384 bytes for the list: room for two images of 300 bytes, rounded to 320
    for slot in range(8):
        assert np.array_equal(cache.read(slot, lambda slot=slot: image(slot)), image(slot))
        assert cache.used <= cache.size
    assert np.array_equal(cache.read(0, refuse), image(0))
    assert np.array_equal(cache.read(7, lambda: image(9)), image(9))


def test_a_process_killed_at_any_moment_blocks_nobody() -> None:
    cache = MemoryCache(1_000_000, 2)

    def die_holding_the_lock() -> None:
        with cache._locked():
            os.kill(os.getpid(), signal.SIGKILL)

    def die_half_way() -> None:
        cache._reserve(1, (10, 10, 3))
        os.kill(os.getpid(), signal.SIGKILL)

    for death in (die_holding_the_lock, die_half_way):
        process = forking.Process(target=death)
        process.start()
        process.join(10)
        assert process.exitcode == -signal.SIGKILL
    started = time.monotonic()
    cache.read(0, lambda: image(3))
    assert np.array_equal(cache.read(0, refuse), image(3))
    assert np.array_equal(cache.read(1, lambda: image(4)), image(4))  # never half an image
    assert time.monotonic() - started < 5


def test_many_processes_at_once_write_nothing_over() -> None:
    cache = MemoryCache(2_000_000, 200)

    def fill() -> bool:
        order = np.random.default_rng(os.getpid()).permutation(200).tolist()
        return all(np.array_equal(cache.read(slot, lambda slot=slot: image(slot)), image(slot)) for slot in order)

    queue = forking.SimpleQueue()
    processes = [forking.Process(target=lambda: queue.put(fill())) for _ in range(3)]
    for process in processes:
        process.start()
    assert [queue.get() for _ in processes] == [True] * 3
    for process in processes:
        process.join(10)
    assert all(np.array_equal(cache.read(slot, refuse), image(slot)) for slot in range(200))
    assert cache.used == 8064 + 200 * 320  # one copy of each, behind (1 + 5 * 200) * 8 bytes of list, in steps of 64


@pytest.mark.parametrize(
    ("asked", "free", "size"),
    [
        (10**9, 64 * GIB, 10**9),
        (10**9, None, 10**9),
        (4 * GIB, 3 * GIB, 3 * GIB // 2),
        (10**9, GIB - 1, None),
        (0, 64 * GIB, None),
        (100, 64 * GIB, None),
    ],
)
def test_the_size_respects_what_is_free(
    asked: int, free: int | None, size: int | None, monkeypatch: pytest.MonkeyPatch, messages: Any
) -> None:
    monkeypatch.setattr(memory_cache, "free_memory", lambda: free)
    cache = open_cache(asked, slots=10, workers=2)
    assert isinstance(cache, NoCache if size is None else MemoryCache)
    assert size is None or cache.size == size
    assert bool(messages.text) == (asked > 0 and size != asked)


def test_processes_of_a_machine_share_the_size(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory_cache, "free_memory", lambda: 64 * GIB)
    cache = open_cache(10**9, 10, 0, processes=4)
    assert isinstance(cache, MemoryCache)
    assert cache.size == 10**9 // 4


def test_it_is_off_where_processes_are_not_forked(monkeypatch: pytest.MonkeyPatch, messages: Any) -> None:
    monkeypatch.setattr(memory_cache.multiprocessing, "get_start_method", lambda: "spawn")
    assert isinstance(open_cache(10**9, 10, workers=2), NoCache)
    assert "every epoch decodes again" in messages.text
    assert isinstance(open_cache(10**6, 10, workers=0), MemoryCache)
