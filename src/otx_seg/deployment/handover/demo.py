"""Runs the model in this package on images, videos or a camera; `python demo.py --help` lists the options."""

from __future__ import annotations

import sys
from pathlib import Path

try:
    from otx_seg.runtime.demo_program import main
except ImportError as error:
    sys.exit(f"Error: {error}. Install what this needs: {sys.executable} -m pip install -r requirements.txt")

if __name__ == "__main__":
    sys.exit(main(Path(__file__).resolve().parent.parent / "model"))
