"""Weights that a backbone starts from: published ones, or those of a file."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path

from mmseg.models.segmentors import EncoderDecoder
from torch import Tensor

from otx_seg.errors import OtxError, UsageError
from otx_seg.template.template import Pretrained
from otx_seg.workspace.published_weights import fetch, list_weights, source_of
from otx_seg.workspace.tensor_file import read_tensors, unlike

logger = logging.getLogger(__name__)

_PREFIX = "backbone."

_COST = (
    "Training starts from random weights: on CamVid, 25 minutes of that gave a Dice of 0.67, and 5 minutes of another "
    "network from ImageNet weights 0.71"
)


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
    network: EncoderDecoder, mode: str, published: Pretrained, cache_dir: Path | None = None
) -> str:
    """Give a new network's backbone its starting weights.

    Args:
        network: as `build_model` returns it; its backbone is changed.
        mode: ``auto``: published weights from a package, the cache or by download, else a warning and the random
            weights it has; ``required``: the same, but failing is an error; ``none``: random weights; anything else:
            path of a file.
        published: where the published weights are.
        cache_dir: folder of downloaded files; by default ``otx_seg`` in the user's cache folder.

    Returns:
        A sentence on where the weights come from, and under which licence they are, as far as the template says.

    Raises:
        OtxError: ``required`` weights cannot be had.
        UsageError: a file that is missing, is no checkpoint or fits nothing in the network; ``required`` where none
            are published.
    """
    if mode == "none":
        return "the backbone starts from random weights, as pretrained: none asks for"
    if mode not in ("auto", "required"):
        return f"the backbone starts from {mode} ({load_backbone(network, Path(mode))})"
    if not published.exists:
        return _without_published_weights(mode)
    try:
        loaded = load_backbone(network, fetch(published, cache_dir))
    except OtxError as error:
        if mode == "required":
            raise
        _warn(str(error))
        return "the backbone starts from random weights, since no published ones could be had"
    licence = f", licence {published.licence}" if published.licence else ""
    return f"the backbone starts from {source_of(published)} ({loaded}{licence})"


def _without_published_weights(mode: str) -> str:
    if mode == "required":
        raise UsageError(
            "learning_parameters.pretrained=required, but the template names no published weights; pass the path of a "
            "downloaded file, or none, as learning_parameters.pretrained"
        )
    _warn("the template names none")
    return "the backbone starts from random weights, since the template names no published ones"


def _warn(reason: str) -> None:
    """Say what starting from random weights costs, and what does not."""
    here = [item.template for item in list_weights() if item.path is not None]
    remedy = f"; the weights of {here[0]} are here" if here else ""
    logger.warning("NO PRETRAINED WEIGHTS: %s. %s%s", reason, _COST, remedy)


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
