"""The model in an `openvino.zip` of `otx deploy`, opened without unpacking anything onto the disk."""

from __future__ import annotations

import re
import stat
import zipfile
import zlib
from pathlib import Path, PurePosixPath

from otx_seg.errors import UsageError
from otx_seg.runtime.handed_over import CONFIG, MODEL_BIN, MODEL_XML, MOST_BYTES_OF_CONFIG, entries_from_config
from otx_seg.runtime.openvino_predictor import OpenVinoPredictor, parse_ir
from otx_seg.runtime.written_digest import check_zip_digest, note_missing_digest

_FOLDER = "model"
_MOST_BYTES = {MODEL_XML: 64 << 20, MODEL_BIN: 1 << 30, CONFIG: MOST_BYTES_OF_CONFIG}
_MOST_FILES = 500
_BEYOND_THE_MODEL = re.compile(r"README\.md|python(/.*)?|model/?")


def open_zip(path: Path, device: str = "CPU") -> OpenVinoPredictor:
    """The model of a package.

    Args:
        path: the zip file.
        device: where the model runs.

    Raises:
        UsageError: it is no such package; or it holds links, paths that lead out of it, files that do not belong to
            a package, or larger ones than any model has.
    """
    try:
        sealed = check_zip_digest(path)
        with zipfile.ZipFile(path) as archive:
            _refuse_odd_content(archive, path)
            xml, binary, config = (_read(archive, name, path) for name in (MODEL_XML, MODEL_BIN, CONFIG))
    except (zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError, EOFError) as error:
        raise UsageError(f"{path}: is not a zip file, or is damaged ({error})") from error
    place = path / _FOLDER
    if not sealed:
        note_missing_digest(path)
    entries = entries_from_config(config, place / CONFIG, xml, binary)
    model = parse_ir(xml, place / MODEL_XML, xml, binary)
    return OpenVinoPredictor(place / MODEL_XML, device, model=model, entries=entries)


def _refuse_odd_content(archive: zipfile.ZipFile, path: Path) -> None:
    files = archive.infolist()
    if len(files) > _MOST_FILES:
        raise UsageError(f"{path}: holds {len(files)} files; a package of `otx deploy` has fewer than {_MOST_FILES}")
    seen: set[str] = set()
    for file in files:
        reason = _odd(file, seen)
        if reason is not None:
            raise UsageError(
                f"{path}: {file.filename!r} {reason}; it is not a package of `otx deploy`, nothing was read"
            )
        seen.add(file.filename)


def _odd(file: zipfile.ZipInfo, seen: set[str]) -> str | None:
    """Why a file makes a zip suspect, or None."""
    name = file.orig_filename
    if "\\" in name or "\0" in name or ":" in name or name.startswith("/") or ".." in PurePosixPath(name).parts:
        return "leads out of the zip"
    # The upper half holds Unix' file mode, 0 in zips made elsewhere.
    kind = stat.S_IFMT(file.external_attr >> 16)
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        return "is a link or another special file"
    if name in seen:
        return "occurs twice"
    folder, _, inner = name.partition("/")
    if not (folder == _FOLDER and inner in _MOST_BYTES) and not _BEYOND_THE_MODEL.fullmatch(name):
        return "does not belong here"
    if file.file_size > _MOST_BYTES.get(inner, _MOST_BYTES[MODEL_XML]):
        return f"claims {file.file_size / 1e6:.0f} MB"
    return None


def _read(archive: zipfile.ZipFile, name: str, path: Path) -> bytes:
    try:
        # zipfile reads no more than the size that was looked at.
        return archive.read(f"{_FOLDER}/{name}")
    except KeyError:
        raise UsageError(f"{path}: has no {_FOLDER}/{name}; give the zip that `otx deploy` wrote") from None
