"""Opening a model, whichever program runs it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from otx_seg.errors import UsageError
from otx_seg.labels import Labels
from otx_seg.runtime.model_info import refuse_other_labels
from otx_seg.runtime.predictor import ExplainablePredictor, Kind, Predictor
from otx_seg.workspace.model_file import check_model_file

if TYPE_CHECKING:
    from otx_seg.template import Template

_KINDS: dict[str, Kind] = {".pth": "torch", ".xml": "openvino", ".onnx": "onnx"}


def load_predictor(
    weights: Path,
    template: Template | None = None,
    device: str | None = None,
    labels: Labels | None = None,
    scales: Sequence[float] | None = None,
) -> ExplainablePredictor:
    """Open a trained or exported model.

    Args:
        weights: `weights.pth`, an IR's ``.xml`` (with the ``.bin`` beside it), an ``.onnx``, or the ``.zip`` that
            `otx deploy` wrote.
        template: the template the model is expected to be made from; needed only for checkpoints of OTX 1.x, which
            do not name theirs.
        device: where a ``.pth`` runs, such as ``cpu`` or ``cuda:1``; None: on the first GPU if there is one. Exported
            models always run on the CPU.
        labels: of an exported model of another tool that carries none.
        scales: see `open_checkpoint`; of a ``.pth`` alone.

    Raises:
        UsageError: the file is missing, of an unknown kind, damaged, without labels, with other ones than `labels`,
            made from another template, or cannot look at these scales.
    """
    weights = Path(weights)
    check_model_file(weights, [*_KINDS, ".zip"])
    if scales is not None and weights.suffix.lower() != ".pth":
        raise UsageError(f"{weights}: its scales stand in its graph; `otx export --scales` of its weights chooses them")
    predictor = _opened(weights, template, device, labels, scales)
    refuse_other_labels(predictor.labels, labels, weights)
    made_from = predictor.template
    if template is not None and made_from is not None and made_from.get("name") != template.name:
        raise UsageError(
            f"{weights}: was made from the template {str(made_from.get('name'))[:100]}, not from {template.name}; "
            "leave the template out"
        )
    return predictor


def _opened(
    path: Path,
    template: Template | None,
    device: str | None,
    labels: Labels | None,
    scales: Sequence[float] | None,
) -> ExplainablePredictor:
    suffix = path.suffix.lower()
    if suffix == ".pth":
        from otx_seg.inference.torch_predictor import open_checkpoint

        return open_checkpoint(path, template, device, scales=scales)
    if suffix == ".onnx":
        from otx_seg.inference.onnx_predictor import OnnxPredictor

        return OnnxPredictor(path, labels=labels)
    if suffix == ".zip":
        from otx_seg.inference.deployed_zip import open_zip

        return open_zip(path)
    from otx_seg.runtime.openvino_predictor import OpenVinoPredictor

    return OpenVinoPredictor(path, labels=labels)


def kind_of(weights: Path) -> Kind:
    """The program that runs a model file, told from its name.

    Raises:
        UsageError: the file is missing, or its name ends in something else than ``.pth``, ``.xml`` or ``.onnx``.
    """
    check_model_file(weights, list(_KINDS))
    return _KINDS[weights.suffix.lower()]


def template_of(predictor: Predictor, weights: Path) -> Template | None:
    """The resolved template a model was made from, or None if its file `weights` does not tell.

    Raises:
        UsageError: it is none that this version understands.
    """
    from otx_seg.template import from_dict

    if predictor.template is None:
        return None
    try:
        return from_dict(predictor.template, str(weights))
    except UsageError as error:
        raise UsageError(
            f"{weights}: was made by another version of this toolkit, which described templates otherwise ({error}); "
            "export it again from its weights"
        ) from error
