"""What a close look at the files of labelled data finds wrong with them, in words."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from otx_seg.annotations.samples import Sample
from otx_seg.datasets.check.copies import equal_by
from otx_seg.datasets.check.inspection import Inspected, Inspection
from otx_seg.datasets.check.problems import (
    FileNote,
    Problem,
    Severity,
    label_problems,
    of_unused,
    other_paths,
    percent,
    shared_images,
    size_text,
    snapped_pixels,
    split_message,
    uncorrected_predictions,
    untrained_labels,
    unvalidated_labels,
)
from otx_seg.datasets.scan import VISIBLE_EXTENT, require_two_labels
from otx_seg.datasets.split import Use, check_same_labels
from otx_seg.errors import DataError
from otx_seg.words import count

DIFFERENT_AREAS = 16
"""Images with this many times the area of others look very different once all are resized to one size."""
DIFFERENT_SHAPES = 2
"""The same of the ratio of width to height."""
MUCH_IGNORED = 0.5
"""Share of ignored pixels above which something may have gone wrong with the masks."""

_LEFT_OUT = {
    "files_of_no_subset": (
        "there are images or masks that no subset has",
        "give images and masks the same folders",
    ),
    "unmatched_files": ("{} without partner", "give each image a mask of its name, or annotate it"),
    "missing_files": (
        "{} that the annotations name cannot be used",
        "put what is missing below the folder of the data, or correct the annotations",
    ),
    "unread_files": ("{} in formats that are not read", "save them as PNG or JPEG"),
}
"""What is said of each `LeftOut.kind`, and what to do."""


class Copy(NamedTuple):
    """One of several equal images."""

    inspection: Inspection
    sample: Sample
    found: Inspected


def find_problems(inspections: Sequence[tuple[Inspection, Use]], input_size: tuple[int, int] | None) -> list[Problem]:
    """All that is wrong with the subsets of a data set.

    Args:
        inspections: every subset and what it is used for; at most one for training, and at most one for validation.
        input_size: (height, width) in pixels of the input for these images; None where no mask tells.
    """
    problems = []
    for inspection, use in inspections:
        found = [*_file_problems(inspection), *_image_problems(inspection)]
        problems += [of_unused(problem) for problem in found] if use == "nothing" else found
    for training in (inspection for inspection, use in inspections if use == "training"):
        others = [(inspection, use) for inspection, use in inspections if use in ("validation", "test")]
        if training.report.images:
            problems += _training_problems(training, input_size)
        problems += _single_image(training, is_validated=any(use == "validation" for _, use in others))
        for other, use in others:
            problems += _compared(training, other, use)
    problems += _unevenly_bright([inspection for inspection, _ in inspections])
    groups = equal_images([inspection for inspection, _ in inspections])
    problems += shared_images([[(copy.inspection.name, copy.sample.image) for copy in group] for group in groups])
    return [*problems, *_copies_within(groups), *_contradictions(groups)]


def _single_image(training: Inspection, is_validated: bool) -> Iterator[Problem]:
    if len(training.subset) - len(training.report.broken) == 1 and not is_validated:
        what, advice = "a single image cannot be split into training and validation", "add images"
        yield Problem("error", "single_image", training.name, what, advice)


def _unevenly_bright(inspections: Sequence[Inspection]) -> Iterator[Problem]:
    """Grey images of 16 bits that are read in two ways."""
    found: dict[int | None, list[FileNote]] = {}
    names = []
    for inspection in inspections:
        for sample, seen in zip(inspection.subset.samples, inspection.samples, strict=True):
            found.setdefault(seen.grey_bits, []).append(FileNote(sample.image))
            names += [inspection.name] if seen.grey_bits else []
    if found.get(12) and found.get(16):
        total = len(found[12]) + len(found[16])
        what = (
            f"{len(found[12]):,} of {count(total, 'grey image')} of 16 bits {'has' if len(found[12]) == 1 else 'have'} "
            "no value above 4095 and count as 12 bits: they are made 16 times as bright as the others"
        )
        advice = "if all come from the same camera, save all of them with 8 bits per pixel, scaled alike"
        yield Problem("warning", "uneven_grey", ", ".join(dict.fromkeys(names)), what, advice, tuple(found[12]))


def equal_images(inspections: Sequence[Inspection]) -> list[tuple[Copy, ...]]:
    """The groups of images that are equal pixel by pixel, within and across subsets."""
    valid = [
        Copy(inspection, sample, found)
        for inspection in inspections
        for sample, found in zip(inspection.subset.samples, inspection.samples, strict=True)
        if found.valid
    ]
    return equal_by(valid, lambda copy: copy.found.image_digest)


def _file_problems(inspection: Inspection) -> Iterator[Problem]:
    name, subset, total = inspection.name, inspection.subset, len(inspection.subset)
    for kind, (what, advice) in _LEFT_OUT.items():
        files = tuple(FileNote(left.path, left.reason) for left in subset.unmatched if left.kind == kind)
        if files:
            what = what.format(count(len(files), "file"))
            yield Problem("warning", kind, name, what, f"{advice}; until then they are skipped", files)
    damaged = _noted(inspection, lambda found: found.finding.damage)
    if damaged:
        what = f"{len(damaged):,} of {count(total, 'sample')} cannot be read"
        advice = "repair the files; until then they are skipped"
        severity: Severity = "error" if len(damaged) == total else "warning"
        yield Problem(severity, "unreadable_files", name, what, advice, damaged)
    values = _noted(inspection, lambda found: None if found.finding.wrong_size else found.finding.fault)
    sizes = _noted(inspection, lambda found: found.finding.fault if found.finding.wrong_size else None)
    if values:
        what = f"{len(values):,} of {count(total, 'mask')} hold what is no label"
        yield Problem("error", "unknown_mask_values", name, what, *_said_once(values))
    yield from snapped_pixels(name, inspection.report)
    yield from uncorrected_predictions(name, subset)
    if sizes:
        what = f"{len(sizes):,} of {count(total, 'mask')} have another size than their image"
        yield Problem("error", "mask_sizes", name, what, *_said_once(sizes))


def _said_once(notes: Sequence[FileNote]) -> tuple[str, tuple[FileNote, ...]]:
    """What to do, as said of the first file, and of each file only what is wrong with it."""
    return notes[0].note.partition("; ")[2], tuple(FileNote(path, note.partition("; ")[0]) for path, note in notes)


def _noted(inspection: Inspection, message_of: Callable[[Inspected], str | None]) -> tuple[FileNote, ...]:
    """The files with a message, each with what that says beside the file's name."""
    notes = []
    for sample, found in zip(inspection.subset.samples, inspection.samples, strict=True):
        message = message_of(found)
        if message is not None:
            path = sample.mask if message.startswith(f"{sample.mask}: ") else sample.image
            notes.append(FileNote(path, message.removeprefix(f"{path}: ")))
    return tuple(notes)


def _image_problems(inspection: Inspection) -> Iterator[Problem]:
    name, report = inspection.name, inspection.report
    areas = [height * width for (height, width), _ in report.sizes]
    shapes = [width / height for (height, width), _ in report.sizes]
    if areas and (max(areas) >= DIFFERENT_AREAS * min(areas) or max(shapes) >= DIFFERENT_SHAPES * min(shapes)):
        smallest, largest = (
            choose(report.sizes, key=lambda entry: entry[0][0] * entry[0][1])[0] for choose in (min, max)
        )
        what = f"{len(areas):,} sizes of images, from {size_text(smallest)} to {size_text(largest)}"
        advice = "all are resized to one input size: cut large images into tiles, and see --sliding-window"
        yield Problem("note", "different_sizes", name, what, advice)
    labelled = sum(report.pixels_per_label)
    ignored = report.ignored_pixels / max(1, report.ignored_pixels + labelled)
    if ignored > MUCH_IGNORED:
        what = f"{percent(ignored)} % of the pixels are ignored (255)"
        yield Problem("note", "ignored_pixels", name, what, "nothing, if that is intended: they are ignored")
    unlabelled = _files_where(inspection, lambda shown: not shown)
    if unlabelled:
        what = f"{count(len(unlabelled), 'image')} with nothing but ignored pixels"
        advice = "label or remove them: nothing is learned from them"
        yield Problem("warning", "images_without_labels", name, what, advice, unlabelled)


def _training_problems(training: Inspection, input_size: tuple[int, int] | None) -> Iterator[Problem]:
    name, labels, report = training.name, training.subset.labels, training.report
    try:
        require_two_labels(training.subset, report)
    except DataError as error:
        what, advice = split_message(error, training.subset.root)
        yield Problem("error", "one_label", name, what, advice)
        return
    yield from label_problems(name, labels, report, labels.names)
    if labels.background is not None:
        empty = _files_where(training, lambda shown: shown == (labels.background,))
        if 2 * len(empty) > report.images:
            what = (
                f"{len(empty):,} of {count(report.images, 'image')} show nothing but {labels.names[labels.background]}"
            )
            advice = "nothing, if that is realistic; otherwise remove some for a shorter training"
            yield Problem("note", "images_of_background", name, what, advice, empty)
    if input_size is None:
        return
    extents = report.extents_at(input_size)
    tiny = [
        f"{labels.names[index]} ({extent:.1f})"
        for index in labels.foreground
        if (extent := extents[index]) is not None and extent < VISIBLE_EXTENT
    ]
    if tiny:
        what = (
            f"labels whose regions are fewer than {VISIBLE_EXTENT:g} pixels across at {input_size[0]}x{input_size[1]}, "
            f"the input size for these images: {', '.join(tiny)}"
        )
        advice = (
            "if they are objects, try a larger learning_parameters.input_size where the images are larger, or images "
            "that show them larger; if they are specks, clean the masks"
        )
        yield Problem("note", "tiny_regions", name, what, advice)


def _files_where(inspection: Inspection, fits: Callable[[tuple[int, ...]], bool]) -> tuple[FileNote, ...]:
    """The valid images whose labels fit."""
    samples = zip(inspection.subset.samples, inspection.samples, strict=True)
    valid = [sample for sample, found in samples if found.valid]
    return tuple(
        FileNote(sample.image) for sample, shown in zip(valid, inspection.report.labels_of, strict=True) if fits(shown)
    )


def _compared(training: Inspection, other: Inspection, use: Use) -> Iterator[Problem]:
    names = f"{training.name}, {other.name}"
    ours, theirs = training.subset.labels, other.subset.labels
    if use == "test":
        unknown = [label for label in theirs.names if label not in ours.names]
        if unknown:
            what = f"labels that the training images do not have: {', '.join(unknown)}"
            yield Problem(
                "error", "different_labels", names, what, "a model cannot be evaluated on labels it never had"
            )
    else:
        try:
            check_same_labels(training.subset, other.subset)
        except DataError as error:
            what, _, advice = str(error).rpartition("; ")
            yield Problem("error", "different_labels", names, what, advice)
    if training.report.images and other.report.images:
        trained, validated = (ours, training.report), (theirs, other.report)
        yield from unvalidated_labels(trained, other.name, *validated)
        if use != "test":
            yield from untrained_labels(trained, other.name, *validated)


def _copies_within(groups: Sequence[Sequence[Copy]]) -> Iterator[Problem]:
    found: dict[str, list[FileNote]] = {}
    for group in groups:
        for name in dict.fromkeys(copy.inspection.name for copy in group):
            members = [(name, copy.sample.image) for copy in group if copy.inspection.name == name]
            if len(members) > 1:
                found.setdefault(name, []).append(FileNote(members[0][1], f"also {other_paths(members)}"))
    for name, notes in found.items():
        what = f"{count(len(notes), 'image')} stored more than once"
        advice = "keep one of each: copies count more than once, and a random split puts them on both sides"
        yield Problem("warning", "repeated_images", name, what, advice, tuple(notes))


def _contradictions(groups: Sequence[Sequence[Copy]]) -> Iterator[Problem]:
    notes, names = [], []
    for group in groups:
        if len({copy.found.mask_digest for copy in group}) > 1:
            members = [(copy.inspection.name, copy.sample.image) for copy in group]
            notes.append(FileNote(members[0][1], f"also {other_paths(members)}"))
            names += [name for name, _ in members]
    if notes:
        what = f"{count(len(notes), 'image')} stored more than once with different masks"
        advice = "keep the correct mask"
        yield Problem("warning", "contradicting_masks", ", ".join(dict.fromkeys(names)), what, advice, tuple(notes))
