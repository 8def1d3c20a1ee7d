"""What the tests of all trackers need."""

from __future__ import annotations

import pytest
from accelerate import PartialState


@pytest.fixture(autouse=True)
def state() -> PartialState:
    """Accelerate's trackers ask which process they are in, as there is one in a training."""
    return PartialState(cpu=True)
