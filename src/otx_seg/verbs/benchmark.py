"""`otx benchmark`: models side by side, in speed, size, memory and accuracy."""

from __future__ import annotations

import logging
import math
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from otx_seg.datasets import DataSpec, open_test
from otx_seg.datasets.scan import Progress
from otx_seg.deployment.benchmark import DEFAULT_SECONDS
from otx_seg.deployment.benchmark.measure import Measurement, measure
from otx_seg.deployment.benchmark.variant import Variant
from otx_seg.deployment.benchmark.variants import computes_in_bf16, processor_name, variants_of
from otx_seg.errors import UsageError
from otx_seg.inputs.data import evaluation_spec_if_any
from otx_seg.inputs.resolver import open_resolver
from otx_seg.labels import Labels, given_labels
from otx_seg.report.benchmark import draw_benchmark
from otx_seg.runtime.processors import processor_count
from otx_seg.training.setup.data import tell_skipped
from otx_seg.workspace.atomic import write_json
from otx_seg.workspace.logs import log_to
from otx_seg.workspace.run_folder import Destination, open_run

logger = logging.getLogger(__name__)

_PRODUCTS = ("benchmark.json", "benchmark.png")
_LIBRARIES = ("torch", "onnxruntime", "openvino")
_WHERE_FROM = {
    "torch": "PyTorch is left out: give the weights.pth that `otx train` writes too",
    "onnx": "ONNX Runtime is left out: give the .onnx that `otx export --export-type onnx` writes too",
    "openvino": "OpenVINO is left out: give the .xml that `otx export` or `otx optimize` writes too",
}


@dataclass(frozen=True)
class Benchmark:
    """The outcome of `benchmark`.

    Attributes:
        measurements: of every variant of every model, in the order in which the models were given.
        processor: what the processor calls itself.
        threads: how many worked for each model.
        seconds: how long each variant was measured.
        images: how many the scores are of; 0: there are no scores.
        report, chart: the files written.
    """

    measurements: tuple[Measurement, ...]
    processor: str
    threads: int
    seconds: float
    images: int
    report: Path
    chart: Path

    @property
    def title(self) -> str:
        """What they ran on, for people."""
        return f"{self.processor}, {self.threads} thread{'s' if self.threads > 1 else ''}"

    def speed_up(self, measurement: Measurement) -> float:
        """How many times faster than the first one, by their median latencies."""
        return self.measurements[0].median_s / measurement.median_s

    def as_json(self) -> dict[str, Any]:
        """What ``benchmark.json`` holds."""
        return {
            "processor": self.processor,
            "threads": self.threads,
            "seconds": self.seconds,
            "images": self.images,
            "libraries": {name: version(name) for name in _LIBRARIES},
            "models": [{**found.as_json(), "speed_up": self.speed_up(found)} for found in self.measurements],
        }


def benchmark(
    load_weights: str | Path | Sequence[str | Path] | None = None,
    data_roots: str | Path | None = None,
    *,
    test_ann_files: str | Path | None = None,
    data_format: str | None = None,
    label_map: str | Path | None = None,
    labels: str | Sequence[str] | None = None,
    workspace: str | Path | None = None,
    output: str | Path | None = None,
    overwrite: bool = False,
    threads: int | None = None,
    seconds: float = DEFAULT_SECONDS,
    progress: Progress | None = None,
) -> Benchmark:
    """Compare models in all the ways this processor can run them, and write ``benchmark.json`` and ``benchmark.png``.

    Every variant runs in a process of its own, on the CPU, and they take turns; see `measure`.

    Args:
        load_weights: any of ``.pth``, ``.xml`` and ``.onnx``, with the same labels. Each contributes what it can be
            run as, see `variants_of`. None: the weights, the exported and the quantised model made last in the
            workspace.
        data_roots: labelled images to score on, as for `evaluate`; None: those of the workspace, else no scores.
        test_ann_files: COCO file of annotations to use instead of those in `data_roots`.
        data_format: name of the format of the data; None: for data of the workspace as it says, else what it looks
            like.
        label_map: see `train`.
        labels: see `predict`; of those models that carry none.
        workspace, output, overwrite: see `train`.
        threads: how many work for each model; None: one for each processor this process may use.
        seconds: how long each variant is measured, beside loading, warming up and scoring.
        progress: called with the name of a stage, and the numbers of turns done and to do in it.

    Raises:
        UsageError: a model cannot be used, is given twice or has other labels than the others, the data has labels
            the models do not know, or more threads are asked for than there are processors.
        DataError: the data cannot be used.
        OtxError: a model's process failed or was ended, say for lack of memory.
    """
    threads = checked_threads(threads)
    check_seconds(seconds)
    resolver = open_resolver(workspace)
    files = resolver.every_model([load_weights] if isinstance(load_weights, (str, Path)) else load_weights or ())
    given = DataSpec.given(data_format, label_map, test_root=data_roots, test_annotations=test_ann_files)
    data = evaluation_spec_if_any(resolver, given)
    if data is None and (given.described or given.label_map is not None):
        raise UsageError("--data-format, --label-map and --test-ann-files say how to read data: give --data-roots too")
    to = resolver.destination(output, overwrite)
    return compare(files, to, threads, seconds, progress, data, given_labels(labels))


def compare(
    files: Sequence[Path],
    to: Destination,
    threads: int,
    seconds: float,
    progress: Progress | None,
    data: DataSpec | None = None,
    labels: Labels | None = None,
) -> Benchmark:
    """As `benchmark`, but nothing is filled in: without `data` there are no scores, whatever a workspace names."""
    with_bf16 = computes_in_bf16()
    variants = variants_of(files, with_bf16, labels)
    subset = None if data is None else open_test(data)
    roots = () if data is None or subset is None else (*data.folders, subset.root)
    run = open_run(to, "benchmark", _PRODUCTS, roots)
    with log_to(run) as note:
        if subset is not None:
            tell_skipped("test", subset.unmatched)
        _report_skipped_variants(variants, with_bf16)
        found = measure(variants, threads, seconds, run.log, data, progress)
        images = len(subset) if subset is not None else 0
        report, chart = (run.path / name for name in _PRODUCTS)
        result = Benchmark(tuple(found), processor_name(), threads, seconds, images, report, chart)
        write_json(report, result.as_json())
        draw_benchmark(result.measurements, result.title, chart)
        for measured in found:
            scored = "" if measured.dice is None else f", Dice {measured.dice:.4f}"
            note(f"{measured.variant}: {1000 * measured.median_s:.1f} ms per image{scored}")
    return result


def check_seconds(seconds: float) -> None:
    """
    Raises:
        UsageError: that is no time in which a model can be measured.
    """
    if not (math.isfinite(seconds) and seconds > 0):
        raise UsageError(f"seconds={seconds}: each model is measured for some time; give a number above 0")


def checked_threads(threads: int | None) -> int:
    """How many threads work for each model; None: one for each processor this process may use.

    Raises:
        UsageError: more than that, or none.
    """
    available = processor_count()
    if threads is not None and not 1 <= threads <= available:
        raise UsageError(
            f"threads={threads}: this process may use {available} processors; with more threads than that they would "
            "wait for each other"
        )
    return threads or available


def _report_skipped_variants(variants: Sequence[Variant], with_bf16: bool) -> None:
    if not with_bf16 and any(variant.kind != "onnx" and variant.stored != "INT8" for variant in variants):
        logger.info("bf16 is left out: this processor has no instructions for it")
    for kind, where_from in _WHERE_FROM.items():
        if all(variant.kind != kind for variant in variants):
            logger.info("%s", where_from)
