"""`otx eval`: how good a model is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from otx_seg.datasets import DataSpec, Subset
from otx_seg.inference.ensemble import ensemble
from otx_seg.inference.evaluate import Evaluation
from otx_seg.inference.evaluate import evaluate as evaluate_predictor
from otx_seg.inputs.data import evaluation_spec
from otx_seg.inputs.last_training import open_measured, refuse_unmapped
from otx_seg.inputs.open_model import open_model
from otx_seg.inputs.resolver import Weights, open_resolver
from otx_seg.metrics.choice import choose_metrics
from otx_seg.report.image_scores import write_image_scores
from otx_seg.report.pictures import draw_confusions
from otx_seg.report.run_report.make import report_evaluation
from otx_seg.runtime.augmented_views import parse_views
from otx_seg.runtime.predict_mask import parse_window
from otx_seg.runtime.predictor import Predictor
from otx_seg.template import USED_BY
from otx_seg.template.scales import parse_scales
from otx_seg.training.devices import choose_workers
from otx_seg.training.setup.data import tell_skipped
from otx_seg.words import listed
from otx_seg.workspace.atomic import write_json
from otx_seg.workspace.logs import log_to
from otx_seg.workspace.run_folder import open_run


def evaluate(
    test_data_roots: str | Path | Subset | None = None,
    *,
    test_ann_files: str | Path | None = None,
    data_format: str | None = None,
    label_map: str | Path | None = None,
    load_weights: Weights = None,
    labels: str | Sequence[str] | None = None,
    template: str | Path | None = None,
    workspace: str | Path | None = None,
    output: str | Path | None = None,
    overwrite: bool = False,
    parameters: dict[str, Any] | None = None,
    sliding_window: str | None = None,
    overlap: float | None = None,
    tta: str | None = None,
    scales: str | None = None,
    metrics: str | Sequence[str] | None = None,
    without_labels: str | Sequence[str] | None = None,
    boundary_width: float | None = None,
    progress: Callable[[int], None] | None = None,
) -> Evaluation:
    """Score a model on labelled images and write ``report.html``, ``performance.json``, ``per_image.csv`` and
    ``confusion.png``.

    Args:
        test_data_roots: labelled images; the subset called test if there are subsets, else the one called val. None:
            the test or else the validation data of the workspace, else what the training of the weights took from its
            own. Or a subset that is open.
        test_ann_files: COCO file of annotations to use instead of those in `test_data_roots`.
        data_format: name of the format of the data; None: for data of the workspace as it says, else what it looks
            like.
        label_map: see `train`.
        load_weights: a ``.pth``, ``.xml``, ``.onnx`` or the ``.zip`` of `deploy`; None: the last training run of the
            workspace. Several: the mean of their probabilities.
        labels: see `predict`.
        template: the template the weights are expected to be made from; it is read from them.
        workspace, output, overwrite: see `train`.
        parameters: ``{"group.name": value}``; of the ``learning_parameters`` only ``inference_batch_size``,
            ``num_workers``, ``auto_num_workers`` and ``use_otx_adapter`` are possible.
        sliding_window, overlap, tta, scales: see `predict`; they stand in ``performance.json`` too.
        metrics: names of metrics to compute and show instead of the usual ones, one by one or in a text with commas
            between them; see `otx_seg.metrics.definitions`. ``performance.json`` has them beside what it always has.
        without_labels: names of labels that enter no average, given in the same way; their pixels still count as
            errors of other labels.
        boundary_width: of the bands of ``boundary_iou``, as a share of the image's diagonal; None: 0.02.
        progress: called with the number of images done so far.

    Raises:
        UsageError: unusable weights, a window or augmentation out of range, an unknown metric, or labels, in the data
            or to leave out, that the model does not know.
        DataError: the data cannot be used.
    """
    window, views = parse_window(sliding_window, overlap), parse_views(tta)
    looks = parse_scales(scales)
    resolver = open_resolver(workspace)
    files = () if load_weights is None else tuple(resolver.all_weights(load_weights))
    spec, training = DataSpec(), None
    if not isinstance(test_data_roots, Subset):
        given = DataSpec.given(data_format, label_map, test_root=test_data_roots, test_annotations=test_ann_files)
        spec, training = evaluation_spec(resolver, given, files)
    files = files or tuple(resolver.all_weights(None))
    opened_models = [open_model(file, template, labels, parameters, USED_BY["eval"], looks) for file in files]
    made_from = opened_models[0][1]
    predictor = ensemble(dict(zip(files, (model for model, _ in opened_models), strict=True)))
    choice = choose_metrics(metrics, without_labels, boundary_width, predictor.labels)
    settings = made_from.hyper_parameters.learning_parameters
    opened = test_data_roots if isinstance(test_data_roots, Subset) else None
    subset = opened or open_measured(spec, training, settings.use_otx_adapter)
    refuse_unmapped(predictor.labels, subset, files)
    to, roots = resolver.destination(output, overwrite), (*spec.folders, subset.root)
    run = open_run(to, "eval", ("performance.json", "per_image.csv", "report.html"), roots)
    with log_to(run) as note:
        tell_skipped("test", subset.unmatched)
        workers = choose_workers(settings, processes=1)
        batch_size = settings.inference_batch_size
        result = evaluate_predictor(
            predictor, subset, batch_size, workers, progress, window, views, choice, not predictor.gives_masks
        )
        inputs: dict[str, Any] = {"models": [str(file) for file in files]} if len(files) > 1 else {}
        inputs |= {} if looks is None else {"scales": looks}
        inputs |= {} if spec.label_map is None else {"label_map": spec.label_map.as_plain()}
        write_json(run.performance, result.as_json() | inputs)
        assert result.counted is not None
        write_image_scores(result.counted, run.image_scores, choice.metrics)
        draw_confusions(result.counted, run.confusions)
        name = _called([model for model, _ in opened_models], files)
        report_evaluation(run, name, result, predictor, subset)
        note(f"Dice {result.scores.dice_average:.4f} on {result.images} images")
    return replace(result, report=run.page)


def _called(models: Sequence[Predictor], files: Sequence[Path]) -> str:
    """What the report calls the models."""
    templates = dict.fromkeys(str(model.template["name"]) for model in models if model.template is not None)
    names = listed([file.name for file in files], 3)
    return f"{listed(templates, 3)} ({names})" if templates else names
