"""`otx export`: from trained weights to a model that other programs run."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from otx_seg import template as templates
from otx_seg.deployment.dynamic import Dynamic
from otx_seg.deployment.export import Exported, ExportType
from otx_seg.deployment.export import export as export_weights
from otx_seg.deployment.files import IR_BIN, IR_XML, ONNX
from otx_seg.errors import DataError, UsageError
from otx_seg.inputs.model import check_given_to_export
from otx_seg.inputs.resolver import open_resolver
from otx_seg.runtime.image_files import images_in
from otx_seg.runtime.image_headers import file_and_page
from otx_seg.runtime.images import read_image
from otx_seg.template.scales import parse_scales
from otx_seg.training.recorded_data import read_recorded
from otx_seg.workspace.logs import log_to
from otx_seg.workspace.run_folder import COMPARED_IMAGES, RunFolder, open_run

logger = logging.getLogger(__name__)

_PRODUCTS = (IR_XML, IR_BIN, ONNX)


def export(
    load_weights: str | Path | None = None,
    *,
    export_type: ExportType = "openvino",
    half_precision: bool = False,
    input_size: str | None = None,
    scales: str | None = None,
    dynamic: Dynamic | None = None,
    template: str | Path | None = None,
    workspace: str | Path | None = None,
    output: str | Path | None = None,
    overwrite: bool = False,
    compare_on: str | Path | None = None,
    dump_features: bool = False,
    argmax: bool = False,
) -> Exported:
    """Write `weights.pth` as an OpenVINO IR or an ONNX file, and check that it computes the same.

    Args:
        load_weights: a ``.pth``; None: the last training run of the workspace.
        export_type: ``openvino`` or ``onnx``.
        half_precision: store the parameters of an IR as 16-bit floats.
        input_size: ``HEIGHTxWIDTH`` in pixels of the images the model takes, multiples of 32 from 64 to 2048; None: as
            in training. It stands in the model, so that `predict`, `evaluate` and `optimize` use it.
        scales: see `predict`; they stand in the graph.
        dynamic: leave the number of images open (``batch``), their height and width (``size``), or ``both``. The verbs
            of this toolkit run such a model on one image of its input size; a model of any size is slower.
        template: for a checkpoint of OTX 1.x, which does not name its own.
        workspace, output, overwrite: see `train`.
        compare_on: image or folder of images on which the exported model is compared with the network; None: the
            validation images of the training run, if they are still there.
        dump_features: let the model also give a feature vector, and keep what `explain` needs.
        argmax: let the model give the label of each pixel in place of probabilities: less output, and nothing that
            needs probabilities.

    Raises:
        UsageError: unusable weights or input size, half precision with ONNX, or `argmax` with `dump_features` or for a
            template whose post-processing works on probabilities.
        OtxError: the exported model disagrees with the network on more than 0.1 % of the pixels, or what should be
            open in it is not.
    """
    check_given_to_export(load_weights, workspace)
    looks = parse_scales(scales)
    resolver = open_resolver(workspace)
    weights = resolver.weights(load_weights)
    images = _images_to_compare(weights, Path(compare_on) if compare_on is not None else None)
    named = templates.load(template) if template is not None else None
    run = open_run(resolver.destination(output, overwrite), "export", _PRODUCTS)
    with log_to(run) as note:
        result = export_weights(
            *(weights, run.path, export_type, half_precision, images, named),
            *(dump_features, input_size, dynamic, looks, argmax),
        )
        compared = f"{result.images} images" if result.images else "synthetic images"
        note(f"{weights} exported as {result.model}; they agree on {result.agreement:.3%} of the pixels of {compared}")
    return result


def _images_to_compare(weights: Path, compare_on: Path | None) -> list[NDArray[np.uint8]]:
    paths = images_in(compare_on) if compare_on is not None else _validation_images(weights)
    images = []
    for path in paths[:COMPARED_IMAGES]:
        try:
            images.append(read_image(path))
        except DataError as error:
            logger.warning("not compared on: %s", error)
    return images


def _validation_images(weights: Path) -> list[Path]:
    """The validation images of the weights' run, as far as they still exist."""
    try:
        recorded = read_recorded(RunFolder(weights.parent.parent))
    except UsageError:
        return []  # weights without their run folder, or another program's data.json
    return [path for path in recorded.val_images if Path(file_and_page(path)[0]).is_file()]
