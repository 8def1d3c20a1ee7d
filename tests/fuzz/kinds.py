"""The kinds of files that come from outside, one line each: what writes a good one, and what reads it."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from data_layouts import COLORS, NAMES, WRITERS, truth
from fuzz.harness import Kind, fuzz
from fuzz.model_kinds import MODEL_KINDS
from fuzz.mutations import json_changed, json_lines_changed, words_changed, yaml_changed
from PIL import Image

from otx_seg import template
from otx_seg.annotations.label_lists import read_label_list
from otx_seg.annotations.masks import MaskCode, read_mask
from otx_seg.configuration.facts import Decision
from otx_seg.datasets import DataSpec, open_folder
from otx_seg.datasets.unlabelled import open_unlabelled
from otx_seg.errors import OtxError
from otx_seg.hpo.study import Study
from otx_seg.report.trials import Trial, Trials, describe_trials, read_trials, write_trials
from otx_seg.runtime.images import read_image
from otx_seg.template.search_space import Range
from otx_seg.training.loggers import MetricsFile, read_metrics
from otx_seg.training.recorded_data import RecordedData, read_recorded
from otx_seg.training.setup.folder import decisions_of, write_decisions
from otx_seg.training.setup.search_settings import Settings, read_settings, write_settings
from otx_seg.workflow.job import JobRequest, JobState, read_state
from otx_seg.workspace.data_file import DataFile, read_data_file
from otx_seg.workspace.run_folder import JOB_STATE, RunFolder

ByRun = Callable[[RunFolder], Any]


def data(layout: str, file: str, mutation: Any = words_changed, share: float = 1.0) -> Kind:
    """A file in a data set of this layout."""
    return Kind(WRITERS[layout][1], file, read_data, mutation, share)


def read_data(root: Path, path: Path) -> None:
    """Read all images and masks; one that cannot be read leaves the others as they are."""
    first: OtxError | None = None
    for subset in open_folder(root).values():
        for sample in subset.samples:
            try:
                subset.read_image(sample)
                subset.read_mask(sample)
            except OtxError as error:
                first = first or error
    if first is not None:
        raise first


def picture(suffix: str, pixels: Any = None, **options: Any) -> Kind:
    """An image file."""

    def make(root: Path) -> None:
        shown = np.random.default_rng(0).integers(0, 256, (16, 24, 3), np.uint8) if pixels is None else pixels
        Image.fromarray(shown).save(root / f"a{suffix}", **options)

    return Kind(make, f"a{suffix}", lambda root, path: read_image(path))


def mask(suffix: str, colored: bool = False, **options: Any) -> Kind:
    """A mask file."""

    def make(root: Path) -> None:
        pixels = truth("im0")
        Image.fromarray(np.array(COLORS, np.uint8)[pixels] if colored else pixels).save(root / f"a{suffix}", **options)

    code = MaskCode(NAMES, COLORS if colored else (None,) * 3)
    return Kind(make, f"a{suffix}", lambda root, path: read_mask(path, code))


def own(name: str, make: ByRun, read: ByRun, mutation: Any = json_changed, share: float = 1.0) -> Kind:
    """A file in the folder of a run."""
    return Kind(lambda root: make(RunFolder(root)), name, lambda root, path: read(RunFolder(root)), mutation, share)


def write_template(root: Path) -> None:
    (root / "t.yaml").write_text(template.load("SegNext-t").as_yaml())


def write_data_file(root: Path) -> None:
    parts = {"train": {"data-roots": "a", "ann-files": "b"}, "unlabeled": {"data-roots": "c"}}
    (root / "data.yaml").write_text(DataFile.model_validate({"data": parts}).as_yaml())


def write_label_map(root: Path) -> None:
    (root / "label_map.pbtxt").write_text("item {\n  id: 1\n  name: 'cat'\n}\nitem {\n  id: 2\n  name: 'dog'\n}\n")


def write_list(root: Path) -> None:
    WRITERS["common"][1](root / "in")
    (root / "list.txt").write_text("im0.png\nim1.png\n")


def write_recorded(run: RunFolder) -> None:
    files = {"train": ("a", "b"), "val": ("c",), "unlabelled": (), "val_images": (run.path / "c",)}
    RecordedData(3, "a fifth", **files, data=DataSpec(run.path, unlabelled_root=run.path)).write(run)  # type: ignore[arg-type]


def write_state(run: RunFolder) -> None:
    done = {"train": {"file": "train/models/weights.pth", "template": "SegNext-t"}}
    JobState(
        run.path / JOB_STATE,
        JobRequest(DataSpec(Path("a")), "SegNext-t", parameters={"a.b": 1}),
        {"seed": 3},
        done,
    ).write()


def write_lines(run: RunFolder) -> None:
    journal = MetricsFile(run.metrics)
    for step in (1, 2):
        journal.append({"step": step, "epoch": 1, "learning_rate": 0.1, "loss": 1.5, "ce": 0.5})
    journal.append({"step": 2, "epoch": 1, "Dice Average": 0.5, "mDice": 0.5, "mIoU": 0.4, "per_label": {}})


def read_lines(run: RunFolder) -> None:
    read_metrics(run.metrics)


def write_found(run: RunFolder) -> None:
    run.search.mkdir(parents=True)
    one = Trial(0, {"a.b": 1.0}, (0.5,), "chosen", "", 3, 30, 1.5, 0)
    write_trials(run.trials, Trials(1.1, (0.25,), 0, (one,)))


def write_search(run: RunFolder) -> None:
    write_settings(run, Settings(1.5, None), template.load("SegNext-t"))


def open_study(run: RunFolder) -> Study:
    space = {"learning_parameters.learning_rate": Range(low=1e-4, high=1e-1, log=True)}
    return Study(run.search, space, {"learning_parameters.learning_rate": 1e-2}, 3, True)


def read_study(run: RunFolder) -> None:
    """In a copy: a study writes."""
    copy = run.path.parent / "copy"
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(run.path, copy)
    study = open_study(RunFolder(copy))
    study.values(0, 4)
    study.values(1, 4)
    study.halving()
    study.look()


def _find(root: Path, path: Path) -> Any:
    return open_unlabelled(root / "in" / "train" / "images", path)


KINDS: dict[str, Kind] = {
    **MODEL_KINDS,
    "template": Kind(write_template, "t.yaml", lambda root, path: template.load(path), yaml_changed, 0.1),
    "data.yaml": Kind(write_data_file, "data.yaml", lambda root, path: read_data_file(path), yaml_changed),
    "dataset_meta.json": data("common", "dataset_meta.json", json_changed),
    "labels.txt": data("folders", "labels.txt"),
    "label_map.pbtxt": Kind(write_label_map, "label_map.pbtxt", lambda root, path: read_label_list(path)),
    "label_colors.txt": data("camvid", "label_colors.txt"),
    "list of camvid": data("camvid", "train.txt"),
    "list of voc": data("voc in numbers", "ImageSets/Segmentation/train.txt"),
    "labelmap.txt": data("voc in colours", "labelmap.txt"),
    "config of mapillary": data("mapillary", "config_v2.0.json", json_changed),
    "ade20k 2017": data("ade20k2017", "**/*_atr.txt"),
    "ade20k 2020": data("ade20k2020", "**/*.json", json_changed),
    "coco": data("coco", "annotations/*.json", json_changed),
    "coco as text": data("coco", "annotations/*.json"),
    "labelme json": data("labelme json", "**/*.json", json_changed),
    "cvat": data("cvat", "**/*.xml"),
    "labelme xml": data("labelme", "**/*.xml"),
    "datumaro": data("datumaro", "annotations/*.json", json_changed),
    "yolo": data("yolo", "**/im0.txt"),
    "yolo's data.yaml": data("yolo", "data.yaml", yaml_changed),
    "label studio": data("label studio", "**/*.json", json_changed),
    "via": data("via", "**/*.json", json_changed),
    "via in a table": data("via in a table", "**/*.csv"),
    "supervisely": data("supervisely", "**/im0*.json", json_changed),
    "supervisely's meta": data("supervisely", "**/meta.json", json_changed),
    "list of files": Kind(write_list, "list.txt", _find, words_changed),
    "png": picture(".png"),
    "jpeg": picture(".jpg"),
    "tiff": picture(".tif"),
    "tiff, compressed": picture(".tif", compression="tiff_lzw"),
    "tiff in 16 bits": picture(".tif", np.arange(384, dtype=np.uint16).reshape(16, 24)),
    "bmp": picture(".bmp"),
    "webp": picture(".webp"),
    "gif": picture(".gif"),
    "mask as png": mask(".png"),
    "mask as coloured png": mask(".png", colored=True),
    "mask as tiff": mask(".tif"),
    "mask as bmp": mask(".bmp"),
    "mask as gif": mask(".gif"),
    "mask as webp": mask(".webp", colored=True, lossless=True),
    "data.json": own("data.json", write_recorded, read_recorded),
    "run.json": own(JOB_STATE, write_state, lambda run: read_state(run.path)),
    "auto_configuration.json": own(
        "auto_configuration.json",
        lambda run: write_decisions(run, [Decision("template", "a", "b"), Decision("c.d", 3, "e", True)]),
        decisions_of,
    ),
    "metrics.jsonl": own("logs/metrics.jsonl", write_lines, read_lines, json_lines_changed),
    "trials.json": own("**/trials.json", write_found, lambda run: describe_trials(read_trials(run.trials))),
    "search.json": own(
        "hpo/search.json",
        write_search,
        read_settings,
        share=0.2,
    ),
    "journal of a search": own("hpo/journal.log", open_study, read_study, json_lines_changed, 0.2),
}


def fuzz_kind(name: str, folder: Path) -> list[str]:
    """See `fuzz`."""
    return fuzz(name, KINDS[name], folder)
