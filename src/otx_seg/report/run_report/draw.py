"""From the record of a run to its report, one HTML file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from otx_seg.inference.figures import NUMBERED_LABELS
from otx_seg.metrics.confusion import Scores, scores_from_json
from otx_seg.metrics.reliability import BINS, Reliability
from otx_seg.report.curves import best_step, curves_as_svg, reliability_as_svg
from otx_seg.report.page import as_address, as_jpeg, render
from otx_seg.report.run_report.last_round import (
    CHANGED,
    CONTINUED,
    MASKS_CHANGED,
    against_last,
    better_and_worse,
    change_in_words,
)
from otx_seg.report.run_report.pictures import PICTURES
from otx_seg.report.run_report.record import Evaluated, ModelRow, RunRecord, ShownImage, Sources, read_sources
from otx_seg.report.run_report.verdict import effort, largest_confusions, mostly_taken_for, next_step, verdict
from otx_seg.template.plain_names import plainly
from otx_seg.training.loggers import read_metrics
from otx_seg.training.picture_rows import TRUTH, prediction_rows
from otx_seg.training.setup.folder import decisions_of
from otx_seg.words import label_share
from otx_seg.workspace.atomic import write_text
from otx_seg.workspace.run_folder import RunFolder

_TITLES = {
    "train": "Training",
    "eval": "Evaluation",
    "optimize": "Quantisation",
    "run": "Report",
    "quickstart": "Quickstart",
}
_RANKS = {"worst": "error", "median": "note", "best": "fine"}
_SHOWN_CHANGES = 10  # images that are better, and that are worse
_CELL_SIDE = 900  # pixels of that picture, about
_BLUE = np.array((8, 48, 107))  # of 100 %


def write_page(run: RunFolder, to: Path | None = None) -> Path:
    """Make the report of a run anew.

    Args:
        to: the file; None: `RunFolder.page`.

    Raises:
        UsageError: the run has nothing to report, or its record is damaged.
        OSError: the file cannot be written.
    """
    page = run.page if to is None else to
    write_text(page, page_of(read_sources(run)))
    return page


def page_of(sources: Sources) -> str:
    """HTML, complete in itself."""
    record, trained = sources.record, sources.trained
    metrics = read_metrics(trained.metrics) if trained is not None and trained.metrics.is_file() else []
    return render(
        "report.html",
        title=f"{_TITLES[record.verb]}: {sources.run.path.absolute().name}",
        folder=str(sources.run.path.absolute()),
        date=record.environment.date.replace("T", " "),
        record=record,
        verdict=verdict(record),
        next_step=next_step(record, metrics),
        rows=() if trained is None else _rows(trained),
        decisions=() if trained is None else _decisions(trained),
        **_evaluation(sources),
        **_models(record.models),
        **_training(sources, metrics),
        **_shares(sources),
        **_last_round(record),
    )


def _evaluation(sources: Sources) -> dict[str, Any]:
    """The values of the template about pictures, confusions and scores."""
    found = sources.record.evaluated
    if found is None or sources.evaluated is None:
        return dict.fromkeys(
            ("heading", "ranks", "shown", "labels", "confusions", "matrix", "matrix_picture", "means", "reliability"),
            (),
        )
    heading, ranks = _ranks(found)
    small = len(found.labels) <= NUMBERED_LABELS  # of more labels, the matrix is a picture
    return {
        "heading": heading,
        "ranks": ranks,
        "shown": [_shown(image, found, sources.evaluated) for image in found.shown],
        "labels": _labels(found),
        "confusions": [
            {
                "true": each.true,
                "predicted": each.predicted,
                "pixels": each.pixels,
                "share_text": label_share(each.share),
            }
            for each in largest_confusions(found)
        ],
        "matrix": _matrix(found) if small else (),
        "matrix_picture": "" if small else _matrix_picture(found),
        "means": _means(scores_from_json(found.scores)),
        "reliability": _reliability(found.reliability),
    }


def _ranks(found: Evaluated) -> tuple[str, dict[str, str]]:
    """What the shown images are, and the badge of each rank."""
    if any(image.rank == "median" for image in found.shown):
        return "Worst, median and best images", _RANKS
    return "All images, the lowest Dice first", {}  # so few that none is between the worst and the best


def _shown(image: ShownImage, found: Evaluated, run: RunFolder) -> dict[str, Any]:
    files = [(name, run.page_record.with_name(f"{image.file}_{name}.jpg")) for name in PICTURES]
    named = [index for index in image.labels if index != found.labels.background]
    return {
        **{name: getattr(image, name) for name in ("name", "rank", "dice", "wrong")},
        "pictures": [(name, as_address(file.read_bytes(), "image/jpeg")) for name, file in files if file.is_file()],
        "labels": [{"name": found.labels.names[index], "color": found.labels.shown_colors[index]} for index in named],
    }


def _labels(found: Evaluated) -> list[dict[str, Any]]:
    scores = scores_from_json(found.scores)
    most = mostly_taken_for(found)
    rows = []
    for name, color in zip(found.labels.names, found.labels.shown_colors, strict=True):
        taken = most.get(name)
        rows.append(
            {
                "name": name,
                "color": color,
                "score": scores.per_label.get(name),
                "false_alarms": scores.false_alarms.get(name, 0),
                "taken_for": "" if taken is None else f"{taken.predicted} ({label_share(taken.share)} %)",
            }
        )
    return rows


def _means(scores: Scores) -> list[tuple[str, str]]:
    values = {
        "Dice": scores.dice_average,
        "Dice with background": scores.m_dice,
        "mIoU": scores.m_iou,
        "pixel accuracy": scores.pixel_accuracy,
    }
    return [(name, f"{value:.4f}") for name, value in values.items()]


def _reliability(found: Reliability | None) -> dict[str, Any]:
    if found is None or found.error is None:
        return {}
    curve = as_address(reliability_as_svg(found), "image/svg+xml")
    return {"error": f"{found.error:.4f}", "bins": BINS, "curve": curve}


def _shares_of_rows(found: Evaluated) -> tuple[NDArray[np.float64], NDArray[np.uint8]]:
    """The confusion matrix (K, K) with rows that add up to 1, or to 0 for a label without true pixels; and its colours
    (K, K, 3) RGB."""
    pixels = np.array(found.confusion, np.float64)
    shares: NDArray[np.float64] = pixels / np.maximum(pixels.sum(axis=1, keepdims=True), 1)
    return shares, (255 - shares[..., None] ** 0.7 * (255 - _BLUE)).round().astype(np.uint8)


def _matrix(found: Evaluated) -> list[dict[str, Any]]:
    shares, colors = _shares_of_rows(found)
    return [
        {
            "name": name,
            "cells": [
                {
                    "text": f"{100 * share:.0f}" if share >= 0.005 else "",
                    "color": "#{:02x}{:02x}{:02x}".format(*color),
                    "ink": "#fff" if share > 0.5 else "#1d2530",
                }
                for share, color in zip(row, row_colors.tolist(), strict=True)
            ],
        }
        for name, row, row_colors in zip(found.labels.names, shares, colors, strict=True)
    ]


def _matrix_picture(found: Evaluated) -> str:
    _, cells = _shares_of_rows(found)
    side = max(2, _CELL_SIDE // len(cells))
    return as_address(as_jpeg(cv2.resize(cells, None, fx=side, fy=side, interpolation=cv2.INTER_NEAREST)), "image/jpeg")


def _models(models: Sequence[ModelRow]) -> dict[str, Any]:
    """Each against the first in points of Dice, and against all but the last in speed."""
    baselines = models[:-1]
    rows = [
        {
            **{name: getattr(model, name) for name in ("name", "file", "dice", "size", "latency")},
            "points": round(100 * (model.dice - models[0].dice), 2) + 0.0,  # no -0.00
            "speeds": [baseline.latency / model.latency for baseline in baselines],
        }
        for model in models
    ]
    return {"models": rows, "baselines": [model.name for model in baselines]}


def _training(sources: Sources, metrics: Sequence[dict[str, Any]]) -> dict[str, Any]:
    trained = sources.record.trained
    if trained is None:
        return {"curves": (), "training": ()}
    at = best_step(metrics)
    best = "" if at is None else f"; the best score was that of step {at:,}"
    rows = {
        "template": f"{trained.template}: {trained.summary}",
        "training": trained.kind,
        "begin": trained.origin,
        "end": f"after {effort(trained)}: {trained.reason}",
        "result": f"{trained.kept}{best}",
        "calibration": "" if trained.temperature == 1 else f"temperature {trained.temperature:.3g} of the confidences",
    }
    return {
        "curves": [(title, as_address(svg, "image/svg+xml")) for title, svg in curves_as_svg(metrics)],
        "training": [(name, text) for name, text in rows.items() if text],
    }


def _decisions(trained: RunFolder) -> list[dict[str, Any]]:
    return [{**decision.as_json(), "parameter": plainly(decision.parameter)} for decision in decisions_of(trained)]


def _rows(trained: RunFolder) -> list[tuple[str, str]]:
    """The pictures of a training, each with what it shows, in the order of the steps; nothing if it made none."""
    truth = trained.pictures / TRUTH
    predictions = prediction_rows(trained.pictures)
    if not truth.is_file() or not predictions:
        return []
    every = [("images and ground truth", truth), *((f"step {step:,}", row) for step, row in predictions.items())]
    return [(name, as_address(file.read_bytes(), "image/jpeg")) for name, file in every]


def _last_round(record: RunRecord) -> dict[str, Any]:
    """The values of the template about the training before."""
    found = record.last_round
    if found is None:
        return {"last_round": None, "against_last": ""}
    files = list(found.files.items())
    worse = [item for item in files if item[1][1] - item[1][0] <= -CHANGED][:_SHOWN_CHANGES]
    better = [item for item in reversed(files) if item[1][1] - item[1][0] >= CHANGED][:_SHOWN_CHANGES]
    numbers = better_and_worse(found)
    return {
        "last_round": found,
        "against_last": against_last(found),
        "labels_then": found.labels.items(),
        "images_then": [("better", numbers[0], better), ("worse", numbers[1], worse)],
        "dice_change": ". ".join((change_in_words(found), *((CONTINUED,) if found.continued else ()))),
        "masks_changed": MASKS_CHANGED if found.masks_changed else "",
    }


def _shares(sources: Sources) -> dict[str, Any]:
    shares = {} if sources.record.data is None else sources.record.data.shares
    largest = max(shares.values(), default=0.0) or 1.0
    rows = [{"name": name, "relative": share / largest, "text": label_share(share)} for name, share in shares.items()]
    return {"shares": rows}
