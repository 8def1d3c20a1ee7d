"""Writes the files of an exported model, so that no incomplete one is left behind."""

from __future__ import annotations

import errno
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import openvino

from otx_seg.errors import OtxError
from otx_seg.runtime.model_info import SECTION
from otx_seg.runtime.whole_file import UNFINISHED
from otx_seg.runtime.written_digest import BLANK, DIGEST, write_digest

IR_XML = "openvino.xml"
IR_BIN = "openvino.bin"
ONNX = "model.onnx"


@contextmanager
def written_atomically(output: Path) -> Iterator[Path]:
    """A folder to write results to, which move to `output` only if all of the work succeeds.

    Files of the same name in `output` are replaced; those that make a result usable (``.xml``, ``.onnx``) last.

    Raises:
        OtxError: a file cannot be written; `output` then has none of the results.
    """
    existed, made = output.exists(), False
    try:
        output.mkdir(parents=True, exist_ok=True)
        made = True
        # Inside the output folder, so that moving is renaming: a disk that is full is noticed before.
        with tempfile.TemporaryDirectory(dir=output, prefix=f"{UNFINISHED}-") as unfinished:
            yield Path(unfinished)
            for file in sorted(Path(unfinished).iterdir(), key=lambda file: file.suffix in (".xml", ".onnx")):
                os.replace(file, output / file.name)  # noqa: PTH105  (the atomic rename is the point)
    except OSError as error:
        if made and not output.is_dir():
            gone = f"{output}: was deleted or renamed while otx was working there; run the command again"
            raise OtxError(gone) from error
        file = output if error.filename in (None, str(output)) else output / Path(error.filename).name
        raise OtxError(
            f"cannot write {file}: {error.strerror or error}; free space or choose another --output, then run the "
            "command again"
        ) from error
    finally:
        if not existed and output.is_dir() and not any(output.iterdir()):
            output.rmdir()


def save_ir(model: openvino.Model, path: Path, half_precision: bool = False) -> None:
    """Write an IR, ``.xml`` at `path` and ``.bin`` beside it, with its digest.

    Args:
        half_precision: store its parameters as 16-bit floats.

    Raises:
        OSError: a file cannot be written.
    """
    model.set_rt_info(BLANK, [SECTION, DIGEST])
    try:
        openvino.save_model(model, path, compress_to_fp16=half_precision)
    except RuntimeError as error:
        # OpenVINO's streams tell that they failed, neither why nor with which of the two files.
        reason = "OpenVINO could not write it or its .bin; the disk may be full"
        raise OSError(errno.EIO, reason, str(path)) from error
    write_digest(path, path.with_suffix(".bin"))


def size_of(model: Path) -> int:
    """Bytes of an exported model: the ``.xml`` and ``.bin`` of an IR, or the ``.onnx``."""
    files = [model, model.with_suffix(".bin")] if model.suffix == ".xml" else [model]
    return sum(file.stat().st_size for file in files)
