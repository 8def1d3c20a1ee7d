"""The ways to choose images to label; this file imports nothing, so that `otx suggest --help` is quick."""

from __future__ import annotations

RANDOM, UNCERTAINTY, DIVERSITY, BOTH = "random", "uncertainty", "diversity", "both"

METHODS = (BOTH, UNCERTAINTY, DIVERSITY, RANDOM)
"""The default first."""

USES_FEATURES = (BOTH, DIVERSITY)

DEFAULT_COUNT = 20
"""Images to suggest."""
