"""Batches: which samples, in which order, with which pixels, and what happens when a worker fails."""

from __future__ import annotations

import json
import os
import platform
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch

from otx_seg.datasets import Subset, open_folder, open_unlabelled
from otx_seg.datasets.loading.loader import EvaluationImages, evaluation_loader, training_loader
from otx_seg.datasets.loading.views import Labelled, Unlabelled
from otx_seg.errors import DataError, OtxError
from otx_seg.transforms.pipeline import build_pipeline

PIPELINE = build_pipeline(
    [
        {
            "type": "RandomView",
            "scale_range": [0.5, 2.0],
            "single_label_limit": 0.75,
            "flip_probability": 0.5,
            "rotation_degrees": 10,
            "rotation_probability": 0.5,
        }
    ],
    (24, 32),
    "test",
)
COUNT = 7


@pytest.fixture
def subset(tmp_path: Path) -> Subset:
    """Seven images of noise, 40x50 pixels, the last one 20x30."""
    for folder in ("images", "masks"):
        (tmp_path / folder).mkdir()
    (tmp_path / "dataset_meta.json").write_text(json.dumps({"label_map": {"0": "background", "1": "dent"}}))
    rng = np.random.default_rng(0)
    for index in range(COUNT):
        shape = (20, 30) if index == COUNT - 1 else (40, 50)
        cv2.imwrite(str(tmp_path / f"images/{index}.png"), rng.integers(0, 256, (*shape, 3), np.uint8))
        cv2.imwrite(str(tmp_path / f"masks/{index}.png"), rng.integers(0, 2, shape, np.uint8))
    return open_folder(tmp_path)["default"]


# ------------------------------------------------------------------ the pixels


def test_a_training_sample_follows_from_its_key(subset: Subset) -> None:
    view = Labelled(subset, PIPELINE, 2, 42)
    first, again, other = view.read((1, 4, 2)), view.read((1, 4, 2)), view.read((1, 5, 2))
    assert first["image"].shape == (3, 24, 32)
    assert first["mask"].shape == (24, 32)
    assert first["image"].dtype == first["mask"].dtype == torch.uint8
    assert first["image"].is_contiguous()
    assert first["file"] == "2.png"
    assert torch.equal(first["image"], again["image"])
    assert torch.equal(first["mask"], again["mask"])
    assert not torch.equal(first["image"], other["image"])


def test_channels_become_planes(subset: Subset) -> None:
    def still(image: np.ndarray, mask: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        return image, mask

    sample = Labelled(subset, still, 2, 42).read((0, 0, 3))
    stored = cv2.imread(subset.samples[3].image)[:, :, ::-1]
    assert np.array_equal(sample["image"].numpy().transpose(1, 2, 0), stored)


def test_an_evaluation_sample_is_squashed_but_its_mask_is_not(subset: Subset) -> None:
    sample = EvaluationImages(subset, (16, 20))[6]
    stored = cv2.imread(subset.samples[6].image)[:, :, ::-1]
    expected = cv2.resize(stored, (20, 16), interpolation=cv2.INTER_LINEAR)
    assert np.array_equal(sample["image"].numpy().transpose(1, 2, 0), expected)
    assert np.array_equal(sample["mask"].numpy(), cv2.imread(subset.samples[6].mask, cv2.IMREAD_UNCHANGED))
    assert sample["index"] == 6


# ------------------------------------------------------------------ the batches


def take(loader: Any, epoch: int, start: int = 0) -> list[dict[str, Any]]:
    loader.batch_sampler.set_epoch(epoch, start)
    return [batch["labelled"] for batch in loader]


def same(first: list[dict[str, Any]], second: list[dict[str, Any]]) -> bool:
    return len(first) == len(second) and all(
        torch.equal(a["image"], b["image"]) and torch.equal(a["mask"], b["mask"]) and a["files"] == b["files"]
        for a, b in zip(first, second, strict=True)
    )


def test_batches_depend_neither_on_workers_nor_on_where_a_run_resumes(subset: Subset) -> None:
    alone, pair = (training_loader(Labelled(subset, PIPELINE, 3, 42), (), workers) for workers in (0, 2))
    expected = [take(alone, epoch) for epoch in range(2)]
    assert [batch["image"].shape for batch in expected[0]] == [(2, 3, 24, 32), (2, 3, 24, 32), (3, 3, 24, 32)]
    assert sorted(name for batch in expected[0] for name in batch["files"]) == [f"{i}.png" for i in range(COUNT)]
    for epoch in range(2):  # the same workers serve both epochs
        assert same(take(pair, epoch), expected[epoch])
    assert not same(*expected)
    assert same(take(pair, 1, start=2), expected[1][2:])


def test_an_epoch_left_early_does_not_leak_into_the_next(subset: Subset) -> None:
    loader = training_loader(Labelled(subset, PIPELINE, 2, 42), (), 2)
    expected = take(loader, 1)
    loader.batch_sampler.set_epoch(0)
    next(iter(loader))
    assert same(take(loader, 1), expected)


def test_loading_leaves_the_global_random_numbers_alone(subset: Subset) -> None:
    torch.manual_seed(0)
    before = torch.get_rng_state()
    take(training_loader(Labelled(subset, PIPELINE, 2, 42), (), 0), 0)
    list(evaluation_loader(subset, (16, 20), 2, 0))
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("workers", [0, 2])
def test_evaluation_batches_keep_order_and_sizes(subset: Subset, workers: int) -> None:
    batches = list(evaluation_loader(subset, (16, 20), 4, workers))
    assert [batch["image"].shape for batch in batches] == [(4, 3, 16, 20), (3, 3, 16, 20)]
    assert [index for batch in batches for index in batch["index"]] == list(range(COUNT))
    assert [tuple(mask.shape) for batch in batches for mask in batch["mask"]] == [(40, 50)] * 6 + [(20, 30)]


def test_unlabelled_images_keep_up_with_the_labelled_ones(subset: Subset) -> None:
    images = open_unlabelled(subset.root)
    assert len(images) == COUNT

    def blacken(image: np.ndarray, mask: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        return np.zeros_like(image), mask

    first = Labelled(subset, PIPELINE, 3, 42)
    loader = training_loader(first, [Unlabelled(images, PIPELINE, blacken, 4, 42)], 0)
    assert len(loader) == 3
    epochs = []
    for epoch in range(3):
        loader.batch_sampler.set_epoch(epoch)
        epochs.append(list(loader))
    views = [batch["unlabelled"] for batches in epochs for batch in batches]
    assert [len(view["files"]) for view in views] == [4] * 9
    dealt = [name for view in views for name in view["files"]]
    assert sorted(dealt[:COUNT]) == sorted(dealt[COUNT : 2 * COUNT]) == [f"{i}.png" for i in range(COUNT)]
    assert dealt[:COUNT] != dealt[COUNT : 2 * COUNT]
    for view in views:
        assert view["image"].shape == view["strong"].shape == (4, 3, 24, 32)
        assert set(view["mask"].unique().tolist()) <= {0, 255}
        assert not view["strong"].any()
        assert view["image"].any()
    # What lies outside the image is black, but for half a pixel at its edge.
    outside = torch.cat([view["image"].permute(0, 2, 3, 1)[view["mask"] == 255] for view in views])
    assert len(outside) > 1000
    assert outside.float().mean() < 20
    loader.batch_sampler.set_epoch(1, 2)
    rest = list(loader)
    assert len(rest) == 1
    assert torch.equal(rest[0]["unlabelled"]["image"], epochs[1][2]["unlabelled"]["image"])
    assert rest[0]["unlabelled"]["files"] == epochs[1][2]["unlabelled"]["files"]


# ------------------------------------------------------------------ failures


@pytest.mark.parametrize("workers", [0, 1])
def test_a_broken_file_is_named_and_nothing_else_is_said(subset: Subset, workers: int) -> None:
    broken = Path(subset.samples[4].image)
    broken.write_bytes(broken.read_bytes()[:200])
    with pytest.raises(DataError) as training:
        take(training_loader(Labelled(subset, PIPELINE, 2, 42), (), workers), 0)
    with pytest.raises(DataError) as evaluation:
        list(evaluation_loader(subset, (16, 20), 2, workers))
    with pytest.raises(DataError) as direct:
        subset.read_image(subset.samples[4])
    assert str(training.value) == str(evaluation.value) == str(direct.value)
    assert "4.png" in str(direct.value)


def die(image: np.ndarray, mask: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    os.kill(os.getpid(), signal.SIGKILL)
    return image, mask


def test_a_killed_worker_is_reported_with_what_to_set(subset: Subset) -> None:
    with pytest.raises(OtxError, match=r"was killed \(Killed; .*learning_parameters\.num_workers=0"):
        take(training_loader(Labelled(subset, die, 2, 42), (), 1), 0)


def stumble(image: np.ndarray, mask: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    raise RuntimeError("a programming error")


def test_a_programming_error_in_a_worker_keeps_its_traceback(subset: Subset) -> None:
    with pytest.raises(RuntimeError, match=r"(?s)Traceback.*a programming error"):
        take(training_loader(Labelled(subset, stumble, 2, 42), (), 1), 0)


def test_leaving_with_workers_at_work_is_silent(subset: Subset) -> None:
    code = (
        "import sys; from pathlib import Path; from otx_seg.datasets import open_folder\n"
        "from otx_seg.datasets.loading.loader import evaluation_loader\n"
        f"loader = evaluation_loader(open_folder(Path({str(subset.root)!r}))['default'], (16, 20), 1, 2)\n"
        "batches = iter(loader); next(batches); sys.exit(3)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout, done.stderr) == (3, "", "")


def count_page_faults(image: np.ndarray, mask: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """A pipeline that does nothing but make and drop large arrays, and reports what that cost in the mask."""
    resource = pytest.importorskip("resource")
    for _ in range(3):
        np.ones((1000, 1000))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(10):
        np.ones((1000, 1000))
    faults = resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
    return image[:1, :1], np.full((1, 1), min(faults, 255), np.uint8)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc can be told to keep memory")
def test_workers_reuse_the_memory_of_images(subset: Subset) -> None:
    batch = take(training_loader(Labelled(subset, count_page_faults, 2, 42), (), 1), 0)[0]
    assert batch["mask"].max() < 50  # each array is 8 MB, 1953 pages
