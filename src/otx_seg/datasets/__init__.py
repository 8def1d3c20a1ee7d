"""Data sets: folders of images and masks to samples, splits, checks and batches."""

from otx_seg.annotations.samples import Subset
from otx_seg.datasets.data_spec import DataSpec
from otx_seg.datasets.folds import Fold
from otx_seg.datasets.opening import (
    check_format_name,
    find_subsets,
    format_of,
    known_formats,
    looks_like,
    open_folder,
)
from otx_seg.datasets.scan import ScanReport, readable_samples, require_two_labels, scan
from otx_seg.datasets.split import (
    DEFAULT_SEED,
    TrainingData,
    find_training,
    open_test,
    open_training,
    split_training,
)
from otx_seg.datasets.unlabelled import (
    ImageSet,
    check_images,
    holds_bare_images,
    leave_out_copies,
    open_unlabelled,
)

__all__ = [
    "DEFAULT_SEED",
    "DataSpec",
    "Fold",
    "ImageSet",
    "ScanReport",
    "Subset",
    "TrainingData",
    "check_format_name",
    "check_images",
    "find_subsets",
    "find_training",
    "format_of",
    "holds_bare_images",
    "known_formats",
    "leave_out_copies",
    "looks_like",
    "open_folder",
    "open_test",
    "open_training",
    "open_unlabelled",
    "readable_samples",
    "require_two_labels",
    "scan",
    "split_training",
]
