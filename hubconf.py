"""The networks of all templates for `torch.hub`:

    network = torch.hub.load(FOLDER, "SegNext_t", source="local", labels=3)

The names are those of `otx find`, with ``_`` for what no identifier has.
"""

import sys as _sys
from pathlib import Path as _Path

dependencies = [
    "torch",
    "mmseg",
    "mmcv",
    "mmengine",
    "ftfy",
    "regex",
    "numpy",
    "cv2",
    "PIL",
    "pydantic",
    "yaml",
    "click",
]

_sys.path.insert(0, str(_Path(__file__).resolve().parent / "src"))  # this checkout, whatever is installed

from otx_seg.inference.hub import entry_points as _entry_points  # noqa: E402  needs the path

globals().update(_entry_points())
