"""Weights that a backbone starts from: published ones, or those of a file."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from mmseg.models.segmentors import EncoderDecoder
from torch import Tensor

from otx_seg.errors import OtxError, UsageError
from otx_seg.models.key_mappings import key_mapping
from otx_seg.template.template import Pretrained
from otx_seg.workspace.published_weights import fetch, has_whole_digest, list_weights, source_of
from otx_seg.workspace.tensor_file import read_tensors, unlike

logger = logging.getLogger(__name__)

_PREFIX, _COUNTER = "backbone.", "num_batches_tracked"
_CLASSIFIER = re.compile(r"(^|\.)(fc|classifier|head|decode_head|auxiliary_head)\.")

_COST = (
    "Training starts from random weights: on CamVid, 25 minutes of that gave a Dice of 0.67, and 5 minutes of another "
    "network from ImageNet weights 0.71"
)


@dataclass(frozen=True)
class LoadedBackbone:
    """Attributes:
    matched: tensors of the backbone that came from the file.
    missing: names of the backbone's tensors that the file lacks; counters of batch norms do not matter.
    unused: names of the file's tensors that the backbone lacks.
    left_out: how many tensors of a classifier or head the file has, which are of no use here.
    """

    matched: int
    missing: tuple[str, ...] = ()
    unused: tuple[str, ...] = ()
    left_out: int = 0

    def __str__(self) -> str:
        parts = [f"{self.matched} of {self.matched + len(self.missing)} tensors"]
        parts += [f"without {_first_of(self.missing)}"] if self.missing else []
        parts += [f"of the file, {_first_of(self.unused)} not used"] if self.unused else []
        parts += ["its classifier left out"] if self.left_out else []
        return ", ".join(parts)


def _first_of(names: tuple[str, ...]) -> str:
    return names[0] if len(names) == 1 else f"{names[0]} and {len(names) - 1} more"


class BackboneStart(NamedTuple):
    """How a backbone begins.

    Attributes:
        told: a sentence on where its weights come from, and under which licence they are, as far as the template says.
        learned: whether they are those of a training, not random.
    """

    told: str
    learned: bool


def initialise_backbone(
    network: EncoderDecoder, mode: str, published: Pretrained, cache_dir: Path | None = None
) -> BackboneStart:
    """Give a new network's backbone its starting weights.

    Args:
        network: as `build_model` returns it; its backbone is changed.
        mode: ``auto``: published weights from a package, the cache or by download, else a warning and the random
            weights it has; ``required``: the same, but failing is an error; ``none``: random weights; anything else:
            path of a file.
        published: where the published weights are.
        cache_dir: folder of downloaded files; by default ``otx_seg`` in the user's cache folder.

    Raises:
        OtxError: ``required`` weights cannot be had.
        UsageError: a file that is missing, is no checkpoint or does not fit the network; ``required`` where none are
            published; `published` does not go with the network.
    """
    _check(network, published)
    if mode == "none":
        return BackboneStart("the backbone starts from random weights, as pretrained: none asks for", False)
    if mode not in ("auto", "required"):
        loaded = load_backbone(network, Path(mode), published)
        return BackboneStart(f"the backbone starts from {mode} ({loaded})", True)
    if not published.exists:
        return _without_published_weights(mode)
    try:
        loaded = load_backbone(network, fetch(published, cache_dir), published)
    except OtxError as error:
        if mode == "required":
            raise
        _warn(str(error), error)
        return BackboneStart("the backbone starts from random weights, since no published ones could be had", False)
    about = f", licence {published.licence}" if published.licence else ""
    if published.sha256 and not has_whole_digest(published):
        about += f", of its sha256 only the first {len(published.sha256)} digits are known and checked"
    return BackboneStart(f"the backbone starts from {source_of(published)} ({loaded}{about})", True)


def _without_published_weights(mode: str) -> BackboneStart:
    if mode == "required":
        raise UsageError(
            "learning_parameters.pretrained=required, but the template names no published weights; pass the path of a "
            "downloaded file, or none, as learning_parameters.pretrained"
        )
    _warn("the template names none")
    return BackboneStart("the backbone starts from random weights, since the template names no published ones", False)


def _warn(reason: str, error: Exception | None = None) -> None:
    """Say what starting from random weights costs, and what does not."""
    here = [item.template for item in list_weights() if item.path is not None]
    remedy = f"; the weights of {here[0]} are here" if here else ""
    logger.warning("NO PRETRAINED WEIGHTS: %s. %s%s", reason, _COST, remedy, exc_info=error)


def load_backbone(network: EncoderDecoder, path: Path, published: Pretrained | None = None) -> LoadedBackbone:
    """Copy the tensors of a checkpoint into a network's backbone, by name; see `fill_backbone`.

    Args:
        path: of the published file, or of any other.
        published: how the published file names its tensors.

    Raises:
        UsageError: the file is missing, is no checkpoint of plain tensors, or does not fit the backbone.
    """
    loaded = fill_backbone(network, _named_tensors(path), str(path), published)
    if loaded.missing:
        logger.warning("%s fills the backbone in part: %s", path, loaded)
    for what, names in (("tensors that are not in the backbone", loaded.unused), ("no tensor for", loaded.missing)):
        if names:
            logger.debug("%s has %s: %s", path, what, ", ".join(names))
    return loaded


def fill_backbone(
    network: EncoderDecoder, tensors: dict[str, Tensor], where: str, published: Pretrained | None = None
) -> LoadedBackbone:
    """Copy tensors into a network's backbone, by name.

    Args:
        tensors: with names of the backbone, with or without the prefix ``backbone``, or those of the published file.
        where: their origin, for messages.
        published: its `keys` say how the published file names its tensors, its `part` which module they are for.

    Raises:
        UsageError: nothing in it fits the backbone, or a tensor of the right name has another shape, for the file is of
            another network; unknown `keys` or `part`.
    """
    published = published or Pretrained()
    _check(network, published)
    whole = network.backbone.state_dict()
    readings = (_Reading.as_written(tensors), _Reading.of_a_network(tensors), _Reading.as_published(tensors, published))
    reading = max(readings, key=lambda candidate: len(candidate.names.keys() & whole.keys()))
    own = {name: value for name, value in whole.items() if name.startswith(reading.part)}
    fitting = {name: reading.tensor(name, tensors) for name in own if name in reading.names}
    if not fitting:
        example = next(iter(tensors), "no tensors at all")
        raise UsageError(f"{where}: nothing in it fits the backbone (it holds {example}, wanted {next(iter(whole))})")
    _refuse_other_shapes(where, fitting, {name: own[name] for name in fitting}, reading)
    network.backbone.load_state_dict(fitting, strict=False)
    others = [original for name, original in reading.names.items() if name not in own]
    unused = tuple(name for name in others if not _CLASSIFIER.search(name) and not name.endswith(_COUNTER))
    missing = tuple(_PREFIX + name for name in own if name not in fitting and not name.endswith(_COUNTER))
    left_out = reading.left_out + sum(bool(_CLASSIFIER.search(name)) for name in others)
    return LoadedBackbone(len(fitting), missing, unused, left_out)


def _check(network: EncoderDecoder, published: Pretrained) -> None:
    key_mapping(published.keys)
    if published.part and published.part not in dict(network.backbone.named_modules()):
        modules = ", ".join(name for name, _ in network.backbone.named_children())
        raise UsageError(f"pretrained.part: the backbone has no module {published.part!r}; it has {modules}")


@dataclass(frozen=True)
class _Reading:
    """One way to understand the names of a file's tensors.

    Attributes:
        names: in the file, by name in the backbone.
        part: what the latter begin with, at least.
        left_out: how many names belong to a classifier by the rules of the mapping.
        bgr: name in the backbone of a convolution that takes blue, green and red.
    """

    names: dict[str, str]
    part: str = ""
    left_out: int = 0
    bgr: str = ""

    def tensor(self, name: str, tensors: dict[str, Tensor]) -> Tensor:
        """What the backbone gets under that name."""
        found = tensors[self.names[name]]
        return found.flip(1) if name == self.bgr and found.ndim == 4 else found

    @classmethod
    def as_written(cls, tensors: Iterable[str]) -> _Reading:
        return cls({name: name for name in tensors})

    @classmethod
    def of_a_network(cls, tensors: Iterable[str]) -> _Reading:
        return cls({name.removeprefix(_PREFIX): name for name in tensors})

    @classmethod
    def as_published(cls, tensors: Iterable[str], published: Pretrained) -> _Reading:
        names, mapping = cls.of_a_network(tensors).names, key_mapping(published.keys)
        ours = mapping.our_names(names)
        part = f"{published.part}." if published.part else ""
        found = {part + name: names[foreign] for foreign, name in ours.items() if name is not None}
        return cls(found, part, len(ours) - len(found), part + mapping.bgr)


def _refuse_other_shapes(where: str, found: dict[str, Tensor], own: dict[str, Tensor], reading: _Reading) -> None:
    other = list(unlike(found, own))
    if other:
        name, total = other[0], len(own)
        raise UsageError(
            f"{where}: is of another network: its {reading.names[name]} has the shape {_shape(found[name])}, "
            f"{_PREFIX}{name} has {_shape(own[name])}; {len(other)} of the {total} tensors with names of the backbone "
            "differ like this. Give weights of this network"
        )


def _shape(tensor: Tensor) -> str:
    kind = "" if tensor.is_floating_point() else ", of integers"
    return f"{'x'.join(map(str, tensor.shape)) or 'of one number'}{kind}"


def _named_tensors(path: Path) -> dict[str, Tensor]:
    content = read_tensors(path)
    for wrapper in ("model", "state_dict"):
        if isinstance(content, dict) and isinstance(content.get(wrapper), dict):
            content = content[wrapper]
    if not isinstance(content, dict):
        raise UsageError(f"{path}: holds {type(content).__name__}, not named tensors")
    return {key: value for key, value in content.items() if isinstance(key, str) and isinstance(value, Tensor)}
