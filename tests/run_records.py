"""Records of reports that tests draw."""

from __future__ import annotations

from typing import Any

import torch

from otx_seg.labels import Labels, default_colors
from otx_seg.metrics.confusion import scores
from otx_seg.report.run_report.record import (
    Environment,
    Evaluated,
    Finding,
    ModelRow,
    RunRecord,
    ShownImage,
    Trained,
    UsedData,
)

ENVIRONMENT = Environment("2024-05-06T07:08:09+00:00", "/home", "otx run <&>", "a machine", {"torch": "2.13"})
TRAINED = Trained("Small", "The least to compute.", "Incremental, as given", "random weights", "kept: the network of "
                  "epoch 3 of 4", 4, 120, 65.0, "no more epochs")  # fmt: skip
DATA = UsedData("/data", "validation: 2 images", {"training images": 20, "validation images": 30}, {"background": 1.0},
                (Finding("warning", "labels in few images: <b>", "add some"),))  # fmt: skip


def labels_called(*names: str) -> Labels:
    """Labels with a background."""
    every = ("background", *names)
    return Labels(every, default_colors(len(every)), 0)


def evaluated(labels: Labels, confusion: Any, images: int = 30, shown: tuple[ShownImage, ...] = ()) -> Evaluated:
    """A model with these confusions (K, K)."""
    counts = torch.as_tensor(confusion)
    rows = tuple(map(tuple, counts.tolist()))
    found = scores(counts, labels).as_json()
    return Evaluated("Small (weights.pth)", images, f"{images} images", labels, found, rows, shown, 0.0123)


def models(*dices: float) -> tuple[ModelRow, ...]:
    """Models that take 8, 4, 2 ms and 4, 4, 1 MB."""
    names, latencies, sizes = (
        ("torch", "OpenVINO FP32", "OpenVINO INT8"),
        (8e-3, 4e-3, 2e-3),
        (4_000_000, 4_000_000, 10**6),
    )
    return tuple(
        ModelRow(name, f"{name}.xml", dice, size, latency)
        for name, dice, size, latency in zip(names, dices, sizes, latencies, strict=False)
    )


def record(verb: str = "eval", **parts: Any) -> RunRecord:
    """A record of a run."""
    return RunRecord(verb, ENVIRONMENT, **parts)
