"""Every shipped template as an entry point of `torch.hub`, see ``hubconf.py``. Imported without torch."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from otx_seg.errors import UsageError
from otx_seg.template import find_templates

if TYPE_CHECKING:
    from otx_seg.models.network import SegmentationNetwork

_ABOUT = """{summary}

    {family}: {parameters:.2f} million parameters, {gigaflops:.2f} billion multiply-adds for an image of 512x512 pixels.

    Args:
        labels: number of labels, background included, at least 2; with `weights` theirs.
        pretrained: start from the published weights of the backbone, which are downloaded if they are not on this
            machine; otherwise all weights are random.
        weights: path of a `weights.pth` that was trained with this template.

    Returns:
        A network in evaluation mode. It takes images (B, 3, H, W), RGB, uint8 or floating point, 0-255, normalises them
        itself, and returns logits (B, labels, H, W).

    Raises:
        UsageError: arguments that make no sense, or weights that are not of this template.
        OtxError: the published weights cannot be had.
    """


def entry_points() -> dict[str, Callable[..., SegmentationNetwork]]:
    """The entry point of each template by its identifier, the template's name with ``_`` for what none can have."""
    found: dict[str, Callable[..., SegmentationNetwork]] = {}
    for summary in find_templates():
        point, name = _entry_point(summary.name), identifier(summary.name)
        assert name not in found, name
        point.__name__ = point.__qualname__ = name
        millions = summary.parameter_count / 1e6
        point.__doc__ = _ABOUT.format(
            summary=summary.summary, family=summary.family, parameters=millions, gigaflops=summary.gigaflops
        )
        found[name] = point
    return found


def identifier(template: str) -> str:
    """The name of a template as one of Python: ``SegNext-t`` is ``SegNext_t``."""
    return re.sub(r"\W", "_", template)


def _entry_point(template: str) -> Callable[..., SegmentationNetwork]:
    def build(
        labels: int | None = None, pretrained: bool = False, weights: str | Path | None = None
    ) -> SegmentationNetwork:
        if weights is None:
            return _new(template, 2 if labels is None else labels, pretrained)
        if pretrained:
            raise UsageError("pretrained is about a new network, and weights has all that a network has: give one")
        return _trained(template, labels, Path(weights))

    return build


def _new(template: str, labels: int, pretrained: bool) -> SegmentationNetwork:
    from otx_seg import template as templates
    from otx_seg.models import build_model
    from otx_seg.models.network import SegmentationNetwork
    from otx_seg.models.pretrained import initialise_backbone

    chosen = templates.load(template)
    bare = build_model(chosen, labels)
    if pretrained:
        initialise_backbone(bare, "required", chosen.pretrained)
    return SegmentationNetwork(bare).eval()


def _trained(template: str, labels: int | None, weights: Path) -> SegmentationNetwork:
    from otx_seg import template as templates
    from otx_seg.inference.torch_predictor import open_checkpoint

    found = open_checkpoint(weights, templates.load(template), device="cpu")
    if found.template is not None and found.template["name"] != template:
        raise UsageError(f"{weights}: is of the template {found.template['name']}, not of {template}")
    if labels not in (None, len(found.labels)):
        raise UsageError(f"{weights}: has {len(found.labels)} labels, not {labels}; leave labels out")
    return found.network
