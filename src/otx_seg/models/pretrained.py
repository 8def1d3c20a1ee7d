"""Published backbone weights: fetching them once, and loading them into a network."""

from __future__ import annotations

import hashlib
import http.client
import logging
import os
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from mmseg.models.segmentors import EncoderDecoder
from torch import Tensor

from otx_seg.errors import OtxError, UsageError
from otx_seg.workspace.atomic import write_atomic
from otx_seg.workspace.tensor_file import read_tensors, unlike

logger = logging.getLogger(__name__)

_PREFIX = "backbone."
_LOCAL = ("localhost", "127.0.0.1", "::1")
_TIMEOUT_S = 10.0
_REMEDY = "pass the path of a downloaded file, or none, as learning_parameters.pretrained"


@dataclass(frozen=True)
class LoadedBackbone:
    """Attributes:
    matched: tensors of the backbone that came from the file.
    missing: names of the backbone's tensors that the file lacks or holds in another shape.
    """

    matched: int
    missing: tuple[str, ...]

    def __str__(self) -> str:
        total = self.matched + len(self.missing)
        lacking = f", without {self.missing[0]} and {len(self.missing) - 1} more" if self.missing else ""
        return f"{self.matched} of {total} tensors{lacking}"


def initialise_backbone(
    network: EncoderDecoder, mode: str, url: str | None, sha256: str | None = None, cache_dir: Path | None = None
) -> str:
    """Give a new network's backbone its starting weights.

    Args:
        network: as `build_model` returns it; its backbone is changed.
        mode: ``auto``: published weights from the cache or by download, else a warning and the random weights it has;
            ``required``: the same, but failing is an error; ``none``: random weights; anything else: path of a file.
        url: where the published weights are; None: there are none.
        sha256: of that file, if known.
        cache_dir: folder of downloaded files; by default ``otx_seg`` in the user's cache folder.

    Returns:
        A sentence on where the weights come from.

    Raises:
        OtxError: ``required`` weights cannot be fetched.
        UsageError: a file that is missing, is no checkpoint or fits nothing in the network; ``required`` without `url`.
    """
    if mode == "none":
        return "the backbone starts from random weights, as pretrained: none asks for"
    if mode not in ("auto", "required"):
        return f"the backbone starts from {mode} ({load_backbone(network, Path(mode))})"
    if url is None:
        return _without_published_weights(mode)
    try:
        file = fetch(url, cache_dir or default_cache_dir(), _TIMEOUT_S, sha256)
        return f"the backbone starts from {url} ({load_backbone(network, file)})"
    except OtxError as error:
        if mode == "required":
            raise
        logger.warning("NO PRETRAINED WEIGHTS, training starts from random ones and needs longer: %s", error)
        return "the backbone starts from random weights, since no published ones could be had"


def _without_published_weights(mode: str) -> str:
    if mode == "required":
        raise UsageError(f"learning_parameters.pretrained=required, but pretrained.url is empty; {_REMEDY}")
    logger.warning("NO PRETRAINED WEIGHTS, training starts from random ones and needs longer: the template names none")
    return "the backbone starts from random weights, since the template names no published ones"


def default_cache_dir() -> Path:
    """``otx_seg`` in the folder that the environment variable XDG_CACHE_HOME names, else in ``~/.cache``."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "otx_seg"


def load_backbone(network: EncoderDecoder, path: Path) -> LoadedBackbone:
    """Copy the tensors of a checkpoint that fit by name and shape into a network's backbone.

    Names without the prefix ``backbone`` get it, unless they belong to a head.

    Raises:
        UsageError: the file is missing, is no checkpoint of plain tensors, or fits nothing in the backbone.
    """
    found = {
        key if key.startswith("backbone") or "head" in key else _PREFIX + key: value
        for key, value in _named_tensors(path).items()
    }
    wanted = network.backbone.state_dict(prefix=_PREFIX)
    fitting = {key: found[key] for key in wanted.keys() - set(unlike(found, wanted))}
    if not fitting:
        example = next(iter(found), "no tensors at all")
        raise UsageError(f"{path}: nothing in it fits the backbone (it holds {example}, wanted {next(iter(wanted))})")
    network.load_state_dict(fitting, strict=False)
    loaded = LoadedBackbone(len(fitting), tuple(key for key in wanted if key not in fitting))
    if loaded.missing:
        logger.warning("%s fills the backbone in part: %s", path, loaded)
    return loaded


def _named_tensors(path: Path) -> dict[str, Tensor]:
    content = read_tensors(path)
    for wrapper in ("model", "state_dict"):
        if isinstance(content, dict) and isinstance(content.get(wrapper), dict):
            content = content[wrapper]
    if not isinstance(content, dict):
        raise UsageError(f"{path}: holds {type(content).__name__}, not named tensors")
    return {key: value for key, value in content.items() if isinstance(key, str) and isinstance(value, Tensor)}


def fetch(url: str, cache_dir: Path, timeout_s: float, sha256: str | None = None) -> Path:
    """The local copy of a file, downloaded unless it is in the cache.

    Args:
        url: https; http only from this machine.
        cache_dir: folder to keep the file in; made if needed. An interrupted download leaves nothing there.
        timeout_s: longest wait for the server, in seconds, each time something is asked of it.
        sha256: expected hexadecimal digest; a cached file with another one is downloaded again.

    Raises:
        OtxError: no connection, an error answer, a truncated or different file, or an unwritable cache.
        UsageError: an address of another kind.
    """
    _check_address(url)
    # The start of the address' digest keeps files of the same name apart.
    name = f"{hashlib.sha256(url.encode()).hexdigest()[:8]}-{Path(urlsplit(url).path).name}"
    target, expected = cache_dir / name, sha256 and sha256.lower()
    try:
        if target.is_file() and expected in (None, _digest(target.read_bytes())):
            return target
        content = _download(url, timeout_s)
        if expected not in (None, _digest(content)):
            raise OtxError(f"{url}: this is not the published file (sha256 {_digest(content)}, expected {sha256})")
        write_atomic(target, content)
    except (OSError, http.client.HTTPException) as error:
        raise OtxError(f"{url} could not be fetched to {cache_dir} ({error}); {_REMEDY}") from error
    return target


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
        return answer.read()


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
