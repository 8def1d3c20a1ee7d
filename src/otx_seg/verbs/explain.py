"""`otx explain`: heat maps that explain predictions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from otx_seg.inference.explain import Explanations, explain_images
from otx_seg.inference.explain_settings import ExplainSettings
from otx_seg.inference.predictor import load_predictor
from otx_seg.inputs.images import images_to_run_on
from otx_seg.inputs.resolver import open_resolver
from otx_seg.labels import given_labels
from otx_seg.runtime.path_filter import path_filter
from otx_seg.workspace.logs import log_to
from otx_seg.workspace.run_folder import open_run, watched


def explain(
    explain_data_roots: str | Path | None = None,
    *,
    load_weights: str | Path | None = None,
    include: str | Sequence[str] = (),
    exclude: str | Sequence[str] = (),
    labels: str | Sequence[str] | None = None,
    workspace: str | Path | None = None,
    output: str | Path | None = None,
    overwrite: bool = False,
    explain_algorithm: str = ExplainSettings.algorithm,
    explain_all_classes: bool = ExplainSettings.all_labels,
    process_saliency_maps: bool = ExplainSettings.process_maps,
    overlay_weight: float = ExplainSettings.overlay_weight,
    progress: Callable[[int, int], None] | None = None,
) -> Explanations:
    """Write heat maps that explain predictions, and overlays of them, for an image or every image in a folder.

    Args:
        explain_data_roots: an image file or a folder; None: the test or else the validation images of the workspace.
        load_weights: a ``.pth``, or an ``.xml``, ``.onnx`` or ``.zip`` made from an export with `dump_features`
            (without it, for ``"probability"`` only); None: the last training run of the workspace.
        include, exclude, labels: see `predict`.
        workspace, output, overwrite: see `train`; maps go to ``<run>/maps/INDEX_LABEL/NAME.npy``, overlays to
            ``<run>/overlays/INDEX_LABEL/NAME.jpg``.
        explain_algorithm: for each label ``"classwisesaliencymap"`` (Seg-Grad-CAM) or ``"probability"``; one map for
            all labels ``"activationmap"`` (mean over the channels) or ``"eigencam"``. In any case.
        explain_all_classes: maps of all labels; otherwise of those found in the image.
        process_saliency_maps: write maps as heat maps of the image's size (PNG) instead of the numbers (NPY).
        overlay_weight: share of the heat map in an overlay, 0..1.
        progress: called with the numbers of images done and to do.

    Raises:
        UsageError: unusable weights, an option out of range, a pattern that matches nothing, a model without features,
            or an output that would overwrite an input.
        DataError: there is no readable image.
        OtxError: a result cannot be written.
    """
    how = ExplainSettings(explain_algorithm.lower(), explain_all_classes, process_saliency_maps, overlay_weight)
    paths = path_filter(include, exclude)
    resolver = open_resolver(workspace)
    images = images_to_run_on(resolver, explain_data_roots, "--explain-data-roots", "an image or a folder of images")
    predictor = load_predictor(resolver.weights(load_weights), labels=given_labels(labels))
    run = open_run(resolver.destination(output, overwrite), "explain", (), (images,))
    with log_to(run) as note:
        result = explain_images(predictor, images, run.path, how, overwrite, watched(run, progress), paths)
        note(f"{len(result.written)} maps written, {len(result.unreadable)} images left out")
    return result
