"""`cli_report.log`: what was run, on what, with which result, for reading months later."""

from __future__ import annotations

import platform
import shlex
import sys
from datetime import datetime
from importlib.metadata import version
from pathlib import Path

from otx_seg.workspace.atomic import write_text

_REPORTED_PACKAGES = ("otx-seg", "torch", "mmsegmentation", "openvino", "nncf", "datumaro", "numpy")


def write_report(path: Path, sections: dict[str, str]) -> None:
    """Write the environment and the given sections ({heading: text}) as plain text."""
    program = "otx" if Path(sys.argv[0]).name in ("otx", "__main__.py") else sys.argv[0]
    environment = "\n".join(
        [
            f"date: {datetime.now().astimezone().isoformat(timespec='seconds')}",
            f"folder: {Path.cwd()}",
            f"command: {shlex.join([program, *sys.argv[1:]])}",
            f"machine: {platform.platform()}, Python {platform.python_version()}",
            *(f"{package}: {version(package)}" for package in _REPORTED_PACKAGES),
        ]
    )
    parts = {"Environment": environment, **sections}
    write_text(
        path, "\n".join(f"{heading}\n{'-' * len(heading)}\n{text.rstrip()}\n" for heading, text in parts.items())
    )
