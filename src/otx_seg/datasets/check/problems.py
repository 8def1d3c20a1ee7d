"""What can be wrong with labelled data, in words: found in the figures of its subsets alone.

What needs a closer look at the files is in `findings`.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, NamedTuple

from otx_seg.annotations.predicted import uncorrected
from otx_seg.annotations.samples import Subset
from otx_seg.datasets.scan import ScanReport
from otx_seg.errors import DataError
from otx_seg.labels import Labels
from otx_seg.words import count

Severity = Literal["error", "warning", "note"]
SEVERITIES: tuple[Severity, ...] = ("error", "warning", "note")
"""An error keeps a training from starting, a warning makes its result worse or its score untrue."""

SCARCE_IMAGES = 5
"""A label in fewer training images than this is hardly learned, and those of a single one cannot be validated."""
SCARCE_SHARE = 1e-4
"""A label with a smaller share of the labelled pixels is hardly learned: 26 pixels of each 512x512 image."""


class FileNote(NamedTuple):
    """A file and what is said of it; an empty note where the problem says it all."""

    path: str
    note: str = ""


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong with a data set, with all files that it is about.

    Attributes:
        severity: see `Severity`.
        code: a short name that stays the same, for programs.
        subset: name of the subset, or of several with commas between them.
        what: what is wrong, one sentence without full stop.
        advice: what to do, the same.
        files: those it is about; empty where it is about no single files.
    """

    severity: Severity
    code: str
    subset: str
    what: str
    advice: str
    files: tuple[FileNote, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """Plain values."""
        named = {name: getattr(self, name) for name in ("severity", "code", "subset", "what", "advice")}
        return {**named, "files": [note._asdict() for note in self.files]}


def split_message(error: DataError, root: Path) -> tuple[str, str]:
    """What is wrong with a folder, and what to do, as errors say it: ``ROOT: what is wrong; what to do``."""
    what, _, advice = str(error).removeprefix(f"{root}: ").partition("; ")
    return what, advice


def of_unused(problem: Problem) -> Problem:
    """A problem of images that no command uses as the data lies: a warning at most."""
    severity: Severity = "warning" if problem.severity == "error" else problem.severity
    return replace(problem, severity=severity, what=f"{problem.what} (not used by `otx train`)")


def label_problems(name: str, labels: Labels, report: ScanReport, expected: Collection[str]) -> list[Problem]:
    """Labels that training images do not show, or hardly; the background may well be one of them.

    Args:
        name: what the training images are called.
        labels: those of `report`.
        report: what the training images hold.
        expected: those of `labels` that the images should show; a network may know others too.
    """
    absent, few, small = [], [], []
    images_per_label, shares = report.images_per_label, report.share_per_label
    for index in labels.foreground:
        label, images = labels.names[index], images_per_label[index]
        if label not in expected:
            continue
        if not report.pixels_per_label[index]:
            absent.append(label)
        elif images < SCARCE_IMAGES:
            few.append(f"{label} ({count(images, 'image')})")
        elif shares[index] < SCARCE_SHARE:
            small.append(f"{label} ({percent(shares[index])} %)")
    found = []
    if absent:
        what = f"labels without a single pixel: {', '.join(absent)}"
        advice = "label some, or remove the names from the label list if the masks are not meant to have them"
        found.append(Problem("warning", "absent_labels", name, what, advice))
    if few:
        what = f"labels in fewer than {SCARCE_IMAGES} images: {', '.join(few)}"
        advice = "add images that show them; until then expect low scores for them"
        found.append(Problem("warning", "labels_in_few_images", name, what, advice))
    if small:
        what = f"labels with less than {percent(SCARCE_SHARE)} % of the pixels: {', '.join(small)}"
        advice = "add images that show more of them, or images in which they are larger"
        found.append(Problem("warning", "labels_with_few_pixels", name, what, advice))
    return found


def uncorrected_predictions(name: str, subset: Subset) -> list[Problem]:
    """Images whose annotations are predictions that nobody has corrected, see `otx_seg.annotations.predicted`.

    Args:
        name: what the images are called.
    """
    found = uncorrected(subset.samples)
    if not found:
        return []
    verb = "has" if len(found) == 1 else "have"
    what = (
        f"{len(found):,} of {count(len(subset), 'image')} {verb} a mask that is a prediction, as `otx predict` wrote it"
    )
    advice = (
        "correct the predictions in the labelling tool and use its export: training on them teaches a network what it "
        "says already"
    )
    files = tuple(FileNote(sample.image, f"predicted in {sample.mask_name}") for sample in found)
    return [Problem("warning", "uncorrected_predictions", name, what, advice, files)]


def snapped_pixels(name: str, report: ScanReport) -> list[Problem]:
    """Masks with soft edges, or saved as JPEG: what lies between labels has become the nearest one."""
    if not report.snapped:
        return []
    pixels, masks = sum(number for _, number in report.snapped), len(report.snapped)
    total = sum(report.pixels_per_label) + report.ignored_pixels
    what = (
        f"{count(pixels, 'pixel')} ({percent(pixels / max(1, total))} %) of {count(masks, 'mask')} had values or "
        "colours between those of labels and got the nearest label"
    )
    advice = "these should be soft edges or traces of JPEG; PNG masks that were never smoothed have none"
    files = tuple(FileNote(image, count(number, "pixel")) for image, number in report.snapped)
    return [Problem("warning", "snapped_mask_pixels", name, what, advice, files)]


def unvalidated_labels(
    training: tuple[Labels, ScanReport], name: str, labels: Labels, report: ScanReport
) -> list[Problem]:
    """Labels that training images show and those of another subset do not.

    Args:
        training: labels and figures of the training images.
        name: what the other subset is called.
        labels: those of the other subset, by whatever numbers.
        report: what it holds.
    """
    shown = {label for label, pixels in zip(labels.names, report.pixels_per_label, strict=True) if pixels}
    lacking = [
        label
        for label, pixels in zip(training[0].names, training[1].pixels_per_label, strict=True)
        if pixels and label not in shown
    ]
    if not lacking:
        return []
    what = f"labels that the training images show and these do not: {', '.join(lacking)}"
    advice = "move some images with these labels here; without any, their scores are left out of the average"
    if not shown.intersection(labels.names[index] for index in labels.foreground):
        advice = "move some images with these labels here: without any, no score tells how good a network is"
    return [Problem("warning", "unvalidated_labels", name, what, advice)]


def untrained_labels(
    training: tuple[Labels, ScanReport], name: str, labels: Labels, report: ScanReport
) -> list[Problem]:
    """Labels that validation images show and no training image: `otx train` refuses them.

    Args:
        training: labels and figures of the training images.
        name: what the validation images are called.
        labels: those of the validation images, by whatever numbers; those that `training` does not list are left to
            `check_same_labels`.
        report: what they hold.
    """
    trained = dict(zip(training[0].names, training[1].pixels_per_label, strict=True))
    lacking = [
        f"{label} ({count(images, 'image')})"
        for label, images in zip(labels.names, report.images_per_label, strict=True)
        if images and trained.get(label) == 0
    ]
    if not lacking:
        return []
    what = f"labels that no training image shows: {', '.join(lacking)}"
    advice = (
        "move such images to the training data; where there is a dataset_meta.json, "
        '"ignored_labels" in it may name them'
    )
    return [Problem("error", "untrained_labels", name, what, advice)]


def shared_images(groups: Sequence[Sequence[tuple[str, str]]]) -> list[Problem]:
    """Images that are in several subsets, so that scores are measured on what was trained on.

    Args:
        groups: for each image that is there several times the subset and the path of each.
    """
    found: dict[tuple[str, ...], list[Sequence[tuple[str, str]]]] = {}
    for group in groups:
        names = tuple(dict.fromkeys(name for name, _ in group))
        if len(names) > 1:
            found.setdefault(names, []).append(group)
    problems = []
    for names, members in found.items():
        one = len(members) == 1
        what = f"{count(len(members), 'image')} {'is' if one else 'are'} in {' and in '.join(names)}"
        advice = "keep each in one subset only: scores measured on images that were trained on are too good"
        files = tuple(FileNote(group[0][1], f"also {other_paths(group)}") for group in members)
        problems.append(Problem("warning", "images_in_several_subsets", ", ".join(names), what, advice, files))
    return problems


def other_paths(group: Sequence[tuple[str, str]]) -> str:
    """All paths of a group but the first."""
    return ", ".join(path for _, path in group[1:])


def percent(share: float) -> str:
    """A share as percent with two digits that count: 0.0026, 12."""
    return f"{100 * share:.2g}"


def size_text(size: tuple[int, int]) -> str:
    """(height, width) in the order in which people say it."""
    return f"{size[1]}x{size[0]}"
