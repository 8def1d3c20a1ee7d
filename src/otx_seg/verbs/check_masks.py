"""`otx check --load-weights`: which masks contradict networks, as a page and a table to work through."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from otx_seg.datasets.check.inspection import Inspection
from otx_seg.datasets.check.mask_faults import MaskFaults
from otx_seg.datasets.scan import Progress, counter
from otx_seg.datasets.split import Use
from otx_seg.errors import DataError, OtxError, interrupted_by
from otx_seg.inference.evaluate import matched
from otx_seg.inputs.last_training import refuse_unmapped
from otx_seg.labelling.judgement import KeptJudgements
from otx_seg.labelling.judges import Judges
from otx_seg.labelling.mask_faults import GivenMask, hardly_known, judge_masks, suspect_masks
from otx_seg.report.mask_faults_page import draw_mask_faults
from otx_seg.report.mask_faults_table import write_mask_faults
from otx_seg.runtime.result_files import writing
from otx_seg.workspace.atomic import write_text
from otx_seg.workspace.run_folder import Destination, RunFolder, open_run

PAGE, TABLE = "mask_faults.html", "mask_faults.csv"


def comparison(
    judges: Judges, to: Destination, data_roots: tuple[Path, ...], progress: Progress | None
) -> Callable[[Sequence[tuple[Inspection, Use]]], MaskFaults]:
    """What compares masks with networks, once they were read.

    Args:
        to: where the files go.
        data_roots: folders of data, in which nothing is written.
        progress: see `check`.

    Raises:
        UsageError: see `open_run`.
        OtxError: the folder cannot be written to.
    """
    run = open_run(to, "check", (PAGE, TABLE), data_roots)
    return lambda inspections: check_masks(inspections, judges, run, progress)


def check_masks(
    inspections: Sequence[tuple[Inspection, Use]], judges: Judges, run: RunFolder, progress: Progress | None
) -> MaskFaults:
    """Compare all masks that can be read with what networks see, and write ``mask_faults.html`` and
    ``mask_faults.csv``.

    Args:
        inspections: every labelled subset and what it is used for.
        run: takes the files.
        progress: see `check`.

    Raises:
        UsageError: the networks do not know a label of the data, or are folds of other data.
        DataError: no mask can be used.
        OtxError: it was interrupted, or a file cannot be written.
    """
    masks = [mask for inspection, use in inspections for mask in _given(inspection, use, judges)]
    if not masks:
        raise DataError("there is no mask that could be compared with the networks: give images with masks")
    with tempfile.TemporaryDirectory(dir=run.path) as folder:
        kept = KeptJudgements(Path(folder))
        try:
            thresholds = judge_masks(masks, judges, kept, counter("comparing masks", len(masks), progress))
            ranked = suspect_masks(
                masks, judges.labels, thresholds, kept, counter("ranking masks", len(masks), progress)
            )
        except KeyboardInterrupt as error:
            raise OtxError(f"{interrupted_by(error)} while masks were compared; nothing was written") from error
        cautions = (judges.caution({mask.sample.name for mask in masks}), hardly_known(judges.labels, thresholds))
        found = MaskFaults(len(masks), judges.in_words, ranked, "; ".join(filter(None, cautions)))
        found = replace(found, page=run.path / PAGE, table=run.path / TABLE)
        with writing(run.path):
            write_mask_faults(found, run.path / TABLE)
            write_text(run.path / PAGE, draw_mask_faults(found, judges.labels, kept, len(inspections)))
    return found


def _given(inspection: Inspection, use: Use, judges: Judges) -> list[GivenMask]:
    """The masks of a subset that can be used."""
    pairs = zip(inspection.subset.samples, inspection.samples, strict=True)
    usable = [(sample, found.content.size) for sample, found in pairs if found.valid]
    if not usable:
        return []
    root = inspection.subset.root
    refuse_unmapped(judges.labels, inspection.subset, judges.files)
    subset = matched(judges.labels, inspection.subset)
    if use == "training":  # what folds divide among themselves
        judges.refuse_unknown([sample.name for sample, _ in usable], root)
    return [GivenMask(inspection.name, subset, sample, size) for sample, size in usable]
