"""What every verb tells about the data it uses."""

from __future__ import annotations

import logging

from otx_seg.datasets import Subset

logger = logging.getLogger(__name__)


def warn_of_unmatched(subset: Subset, name: str) -> None:
    """List the images without mask and the masks without image that are left out of the subset called `name`."""
    for message in subset.unmatched:
        logger.warning("%s data: skipped: %s", name, message)
