"""What every verb tells about the data it uses."""

from __future__ import annotations

import logging
from collections.abc import Iterable

logger = logging.getLogger(__name__)


def tell_skipped(name: str, reasons: Iterable[object]) -> tuple[str, ...]:
    """Warn of every file that is left out of the data called `name`; gives the warnings."""
    messages = tuple(f"{name} data: skipped: {reason}" for reason in reasons)
    for message in messages:
        logger.warning("%s", message)
    return messages
