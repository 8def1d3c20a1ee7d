"""The files of an exported model, and writing them so that no half of one is left behind."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from otx_seg.errors import OtxError

IR_XML = "openvino.xml"
IR_BIN = "openvino.bin"
ONNX = "model.onnx"


@contextmanager
def written_whole(output: Path) -> Iterator[Path]:
    """A folder to write results to, which move to `output` only if all of the work succeeds.

    Files of the same name in `output` are replaced; those that make a result usable (``.xml``, ``.onnx``) last.

    Raises:
        OtxError: a file cannot be written; `output` then has none of the results.
    """
    existed = output.exists()
    try:
        output.mkdir(parents=True, exist_ok=True)
        # Inside the output folder, so that moving is renaming: a disk that is full is noticed before.
        with tempfile.TemporaryDirectory(dir=output, prefix=".unfinished-") as unfinished:
            yield Path(unfinished)
            for file in sorted(Path(unfinished).iterdir(), key=lambda file: file.suffix in (".xml", ".onnx")):
                os.replace(file, output / file.name)  # noqa: PTH105  (the atomic rename is the point)
    except OSError as error:
        raise OtxError(f"{output}: cannot be written to ({error.strerror or error})") from error
    finally:
        if not existed and output.is_dir() and not any(output.iterdir()):
            output.rmdir()


def size_of(model: Path) -> int:
    """Bytes of an exported model: the ``.xml`` and ``.bin`` of an IR, or the ``.onnx``."""
    files = [model, model.with_suffix(".bin")] if model.suffix == ".xml" else [model]
    return sum(file.stat().st_size for file in files)
