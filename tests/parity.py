"""Recordings of published networks, which live beside the checkout."""

import os
from pathlib import Path

import pytest

FOLDER = Path(os.environ.get("OTX_SEG_PARITY") or Path(__file__).parents[2] / "shared" / "parity")

needs_recordings = pytest.mark.skipif(
    not FOLDER.is_dir(), reason=f"the recordings of the published networks are not at {FOLDER} (OTX_SEG_PARITY)"
)
