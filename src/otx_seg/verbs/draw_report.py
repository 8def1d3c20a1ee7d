"""`otx report`: the page of a finished run, made again."""

from __future__ import annotations

from pathlib import Path

from otx_seg.errors import OtxError, UsageError
from otx_seg.report.run_report.draw import write_page
from otx_seg.workspace.run_folder import RunFolder


def draw_report(run: str | Path, output: str | Path | None = None) -> Path:
    """Make ``report.html`` of a finished run from what its folder holds; neither its data nor its model is needed.

    Args:
        run: the folder of a `train`, `evaluate`, `optimize`, `run` or `quickstart`.
        output: the file to write; None: ``report.html`` in that folder.

    Returns:
        The file.

    Raises:
        UsageError: the folder is missing or holds no such run, its record is damaged, or `output` is a folder.
        OtxError: the file cannot be written.
    """
    folder = Path(run)
    if not folder.is_dir():
        raise UsageError(f"{folder}: there is no such folder; name that of a finished run")
    if output is not None and Path(output).is_dir():
        raise UsageError(f"--output {output}: is a folder; name a file, such as {Path(output) / 'report.html'}")
    try:
        return write_page(RunFolder(folder), None if output is None else Path(output))
    except OSError as error:
        raise OtxError(f"{output or folder}: the report cannot be written there ({error.strerror})") from error
