"""The images of a command that runs a model; what reads data sets is imported only where none are named."""

from __future__ import annotations

from pathlib import Path

from otx_seg.inputs.resolver import Resolver


def images_to_run_on(resolver: Resolver, given: str | Path | None, option: str, what: str) -> Path:
    """Those given, else see `prediction_images`."""
    if given is not None:
        return Path(given)
    from otx_seg.inputs.data import prediction_images

    return prediction_images(resolver, option, what)
