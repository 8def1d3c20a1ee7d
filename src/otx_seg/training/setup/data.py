"""The data of a training: opened, checked, and compared with the data of a run to resume."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from otx_seg.class_weights import class_weights
from otx_seg.datasets import (
    ImageSet,
    ScanReport,
    Subset,
    TrainingData,
    check_images,
    find_training,
    leave_out_copies,
    open_unlabelled,
    readable_samples,
    require_two_labels,
    scan,
    split_training,
)
from otx_seg.datasets.check.copies import equal_files
from otx_seg.datasets.check.problems import (
    label_problems,
    shared_images,
    snapped_pixels,
    uncorrected_predictions,
    unvalidated_labels,
)
from otx_seg.datasets.regions import Division, open_regions
from otx_seg.datasets.scan import Progress, counter
from otx_seg.errors import DataError, UsageError
from otx_seg.labels import Labels
from otx_seg.metrics.watched import WatchedMetric, metric_for
from otx_seg.training.recorded_data import SUBSETS, RecordedData, read_recorded
from otx_seg.training.setup.class_incremental import adapt_labels, find_new
from otx_seg.training.setup.plan import Plan
from otx_seg.words import count, label_share
from otx_seg.workspace.run_folder import COMPARED_IMAGES

logger = logging.getLogger(__name__)

_LISTED = 5  # files that are named, of those left out
_LISTED_SIZES = 3


def open_data(plan: Plan) -> TrainingData:
    """The data a plan names, as it lies in its folders; `check_data` takes validation images from it if it has none.

    Raises:
        DataError: the data cannot be used.
    """
    use_polygons = plan.template.hyper_parameters.learning_parameters.use_otx_adapter
    data = find_training(plan.data, use_polygons, plan.fold)
    data = replace(data, train=data.train.with_mask_values())
    data = adapt_labels(data, plan.known, plan.template.hyper_parameters.learning_parameters.task_adapt)
    if plan.data.unlabelled_root is None:
        return data
    return replace(data, unlabelled=open_unlabelled(plan.data.unlabelled_root, plan.data.unlabelled_list))


def open_regions_to_train_on(plan: Plan, masks: Path, progress: Progress | None) -> TrainingData:
    """The images a plan names, divided into regions, for training without labels.

    Args:
        masks: the folder of the pseudo-masks.

    Raises:
        DataError: the images cannot be used.
    """
    assert plan.data.train_root is not None
    images = open_unlabelled(plan.data.train_root)
    images, skipped = _decodable(images, "training", progress)
    if len(images) < 2:
        raise DataError(f"{plan.data.train_root}: a single image is not enough for contrast with others; give more")
    settings = plan.template.hyper_parameters.pseudo_masks
    advance = counter("dividing the training images into regions", len(images), progress)
    # One process per CPU, since nothing else runs meanwhile; none at all where none are wanted.
    workers = None if plan.template.hyper_parameters.learning_parameters.num_workers else 0
    train, made = open_regions(images, masks, Division(**settings.model_dump()), workers, advance)
    logger.info("training data: %d images; %d pseudo-masks were made, see %s", len(images), made, masks)
    return TrainingData(train, None, "no validation: the last network is saved", skipped=skipped)


def check_data(plan: Plan, data: TrainingData, progress: Progress | None) -> tuple[TrainingData, ScanReport]:
    """Read every file once, so that a broken one is found now and not in epoch 12; print the findings.

    Args:
        plan: what the data is for.
        data: with or without images to validate on.

    Returns:
        The data without what cannot be read, part of it to validate on, and the report on the training images.

    Raises:
        DataError: the data cannot be used.
        UsageError: the metric is about a label that it lacks.
    """
    metric = metric_for(plan.template.hyper_parameters.learning_parameters.watch, data.train.labels)
    train, report, skipped = _checked_files("training", data.train, progress)
    data = replace(data, train=train, skipped=skipped)
    require_two_labels(train, report)
    was_split = data.val is None
    if data.val is None:
        assert plan.data.train_root is not None
        data, report, of_validation = split_training(data, report, plan.data.train_root, plan.seed, fold=plan.fold)
        _warn_of_single_images(data, report, of_validation)
    else:
        val, of_validation, skipped = _checked_files("validation", data.val, progress)
        data = replace(data, val=val, skipped=data.skipped + skipped)
        _refuse_untrained(data, report, of_validation, plan.known)
    assert data.val is not None
    _describe("training", count(len(data.train), "image"), data.train, report)
    _describe("validation", data.split.removeprefix("validation: "), data.val, of_validation)
    _tell_problems(data, report, of_validation, was_split)
    scorable = _shows_what_scores_count(data, of_validation, metric)
    if data.unlabelled is not None:
        unlabelled, skipped = _checked_unlabelled(data.unlabelled, (data.train, data.val), progress)
        data = replace(data, unlabelled=unlabelled, skipped=data.skipped + skipped)
    shown = sum(1 for pixels in of_validation.pixels_per_label if pixels)
    new = find_new(data, report, plan.known)
    return replace(data, new=new, scorable=scorable, shown_labels=shown), report


def _checked_files(name: str, subset: Subset, progress: Progress | None) -> tuple[Subset, ScanReport, tuple[str, ...]]:
    """The samples that can be decoded, the report on them, and the errors of the others."""
    subset = subset.stamped()  # before the files are looked at: what is replaced later is not what was checked
    report = scan(subset, counter(f"checking the {name} images", len(subset), progress))
    skipped = tell_skipped(name, [*subset.unmatched, *(reason for _, reason in report.broken)])
    for problem in snapped_pixels(name, report):
        logger.warning("%s data: %s; see `otx check`", name, problem.what)
    return readable_samples(subset, report), report, skipped


def _describe(name: str, images: str, subset: Subset, report: ScanReport) -> None:
    named = zip(subset.labels.names, report.share_per_label, strict=True)
    shares = ", ".join(f"{label} {label_share(share)} %" for label, share in named)
    sizes = ", ".join(f"{number} of {width}x{height}" for (height, width), number in report.sizes[:_LISTED_SIZES])
    more = ", ..." if len(report.sizes) > _LISTED_SIZES else ""
    logger.info("%s data: %s (%s%s); pixels per label: %s", name, images, sizes, more, shares)
    if report.ignored_pixels:
        logger.info("%s data: %d pixels are ignored", name, report.ignored_pixels)


def _tell_problems(data: TrainingData, train: ScanReport, val: ScanReport, was_split: bool) -> None:
    """Warn of problems that worsen the result or falsify its score, as far as they show without reading files again."""
    assert data.val is not None
    known = (data.train.labels, train)
    problems = label_problems("training", *known, expected=data.train.mask_code.names)
    if not was_split:  # else it has been said, and why
        problems += unvalidated_labels(known, "validation", data.val.labels, val)
    subsets = {"training": data.train, "validation": data.val}
    subset_of = {sample.image: name for name, subset in subsets.items() for sample in subset.samples}
    problems += shared_images([[(subset_of[path], path) for path in group] for group in equal_files(subset_of)])
    for name, subset in subsets.items():
        problems += uncorrected_predictions(name, subset)
    for problem in problems:
        first = f", the first: {problem.files[0].path} ({problem.files[0].note})" if problem.files else ""
        logger.warning("%s data: %s%s; see `otx check`", problem.subset, problem.what, first)


def _warn_of_single_images(data: TrainingData, train: ScanReport, val: ScanReport) -> None:
    """Say which labels the split could not put into both parts."""
    names = data.train.labels.names
    found = list(zip(names, train.pixels_per_label, val.pixels_per_label, strict=True))
    for lacking, missing in (
        (
            "validation, so they have no score",
            [n for n, ours, theirs in found if not theirs and ours],
        ),
        ("training, so they will not be learned", [n for n, ours, theirs in found if theirs and not ours]),
    ):
        if missing:
            logger.warning("too few images show %s: none is left for %s", ", ".join(missing), lacking)


def _shows_what_scores_count(data: TrainingData, validation: ScanReport, metric: WatchedMetric) -> bool:
    """Whether the validation images show a label that the metric counts; a warning if not."""
    labels = data.train.labels
    if any(validation.pixels_per_label[index] for index in metric.counted(labels)):
        return True
    logger.warning(
        "the validation images show none of %s, so no score can compare networks: the last one is saved, "
        "not the best; give validation images that show them",
        ", ".join(labels.names[index] for index in metric.counted(labels)),
    )
    return False


def _refuse_untrained(data: TrainingData, train: ScanReport, val: ScanReport, known: Labels | None) -> None:
    """
    Raises:
        DataError: the validation images show labels that no training pixel has, nor the weights to start from know.
    """
    assert data.val is not None
    familiar = () if known is None else known.names
    counts = zip(data.train.labels.names, train.pixels_per_label, val.images_per_label, strict=True)
    missing = [(name, images) for name, pixels, images in counts if images and not pixels and name not in familiar]
    if missing:
        listed = ", ".join(f"{name!r} ({count(images, 'validation image')})" for name, images in missing)
        raise DataError(
            f"{data.train.root}: no training pixel shows {listed}, so it cannot be learned and would score 0: "
            f"move images there from {data.val.root}; or leave that out, for otx to divide the training images itself; "
            f'or put "ignored_labels": {{"*": ["{missing[0][0]}"]}} in its dataset_meta.json, if it has one'
        )


def label_weights(plan: Plan, report: ScanReport) -> tuple[float, ...]:
    """The weight of each label in the loss, as the plan says.

    Raises:
        UsageError: another number of weights than of labels.
    """
    rule = plan.template.hyper_parameters.learning_parameters.class_weights
    try:
        return class_weights(rule, report.label_statistics)
    except ValueError as error:
        raise UsageError(f"learning_parameters.class_weights={rule}: {error}") from error


def _checked_unlabelled(
    images: ImageSet, labelled: tuple[Subset, ...], progress: Progress | None
) -> tuple[ImageSet, tuple[str, ...]]:
    """The unlabelled images that can be decoded and are not copies of labelled ones, and the errors of the others."""
    images, skipped = _decodable(images, "unlabelled", progress)
    images, copies = leave_out_copies(images, (s.image for subset in labelled for s in subset.samples))
    skipped += tell_skipped("unlabelled", [f"{path}: is among the labelled images" for path in copies])
    logger.info("unlabelled data: %d images", len(images))
    return images, skipped


def _decodable(images: ImageSet, name: str, progress: Progress | None) -> tuple[ImageSet, tuple[str, ...]]:
    kept, damages, _ = check_images(images, counter(f"checking the {name} images", len(images), progress))
    return kept, tell_skipped(name, damages)


def describe_data(plan: Plan, data: TrainingData) -> RecordedData:
    """The data of a plan, as its run records it."""
    validated = () if data.val is None else data.val.samples
    unlabelled = data.unlabelled
    return RecordedData(
        seed=plan.seed,
        split=data.split,
        train=tuple(sample.name for sample in data.train.samples),
        val=tuple(sample.name for sample in validated),
        unlabelled=() if unlabelled is None else tuple(map(unlabelled.name, range(len(unlabelled)))),
        val_images=tuple(Path(sample.image) for sample in validated[:COMPARED_IMAGES]),
        known_labels=plan.known,
        deterministic=plan.deterministic,
        load_weights=plan.load_weights,
        fold=plan.fold,
        data=plan.data,
        teacher=plan.teacher,
        last_round=plan.last_round,
    )


def refuse_other_data(plan: Plan, data: TrainingData) -> None:
    """
    Raises:
        UsageError: the files are not those the resumed run began with.
    """
    assert plan.resumed_run is not None
    recorded, described = read_recorded(plan.resumed_run), describe_data(plan, data)
    for subset in SUBSETS:
        then, now = getattr(recorded, subset), getattr(described, subset)
        if then != now:
            different = sorted(set(then) ^ set(now))
            first = f", the first that is not in both: {different[0]}" if different else ", in another order"
            raise UsageError(
                f"the {subset} files are not those of the run to resume ({len(then)} then, "
                f"{len(now)} now{first}; see {plan.resumed_run.data}). Put them back, name the folder they are "
                "in now beside --resume-from, or start a new training with --load-weights"
            )


def tell_skipped(name: str, reasons: Iterable[object]) -> tuple[str, ...]:
    """Warn of the files left out of the data called `name`, of many by their number; gives a message on each."""
    messages = tuple(f"{name} data: skipped: {reason}" for reason in reasons)
    for message in messages[:_LISTED]:
        logger.warning("%s", message)
    if len(messages) > _LISTED:
        logger.warning("%s data: skipped: and %s more", name, f"{len(messages) - _LISTED:,}")
    return messages
