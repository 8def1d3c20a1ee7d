"""Which model a verb works on, and the template it was made from."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from otx_seg import template as templates
from otx_seg.errors import UsageError
from otx_seg.inference.predictor import load_predictor, template_of
from otx_seg.labels import given_labels
from otx_seg.runtime.predictor import Predictor
from otx_seg.template import Settings
from otx_seg.template.plain_names import by_own_names, plainly


def open_model(
    weights: Path,
    template: str | Path | None,
    labels: str | Sequence[str] | None,
    parameters: dict[str, Any] | None,
    used: tuple[str, ...],
    scales: Sequence[float] | None = None,
) -> tuple[Predictor, Settings]:
    """A model that is ready to run, and its template with `parameters` replaced.

    Args:
        labels: see `given_labels`.
        template: name, id or path of the template the model is expected to be made from; None: whatever it is.
        parameters: ``{"group.name": value}``.
        used: the parameters the calling verb looks at; any other one would do nothing.
        scales: see `load_predictor`.

    Raises:
        UsageError: no such model, another template or other labels than expected, or a parameter that is unknown or
            not `used`.
    """
    changes = by_own_names(parameters or {})
    for name in changes:
        if name not in used:
            raise UsageError(f"{plainly(name)!r} has no effect here; this command uses {', '.join(map(plainly, used))}")
    named = templates.load(template) if template is not None else None
    predictor = load_predictor(weights, named, labels=given_labels(labels), scales=scales)
    made_from = template_of(predictor, weights) or named
    settings = Settings()
    if made_from is not None:
        settings = Settings(hyper_parameters=made_from.hyper_parameters, quantization=made_from.quantization)
    return predictor, settings.override(changes)
