"""What the tensors of published files are called in our backbones: the rules of ``key_mappings.yaml``."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import yaml

from otx_seg.catalogue import nearest
from otx_seg.errors import UsageError


@dataclass(frozen=True)
class KeyMapping:
    """How a kind of file names its tensors.

    Attributes:
        rules: regular expressions with what replaces a match, or None where the tensor belongs to a classifier. Each
            applies to what the ones before have made of a name.
        bgr: our name of the first convolution, where that takes blue, green and red; else empty.
    """

    rules: tuple[tuple[str, str | None], ...] = ()
    bgr: str = ""

    def our_names(self, names: Iterable[str]) -> dict[str, str | None]:
        """The name of each tensor of a file in our backbone; None for those of a classifier."""
        return {name: self._our_name(name) for name in names}

    def _our_name(self, name: str) -> str | None:
        for pattern, replacement in self.rules:
            if re.search(pattern, name):
                if replacement is None:
                    return None
                name = re.sub(pattern, replacement, name)
        return name


@functools.cache
def key_mappings() -> dict[str, KeyMapping]:
    """Every mapping by its name."""
    content = yaml.safe_load(Path(__file__).with_suffix(".yaml").read_text(encoding="utf-8"))
    return {
        name: KeyMapping(tuple((pattern, replacement) for pattern, replacement in entry["rules"]), entry.get("bgr", ""))
        for name, entry in content.items()
    }


def key_mapping(name: str | None) -> KeyMapping:
    """The mapping of that name; None: the one that changes no name.

    Raises:
        UsageError: there is none.
    """
    if name is None:
        return KeyMapping()
    if name not in key_mappings():
        raise UsageError(f"pretrained.keys: unknown mapping {name!r}; {nearest(name, list(key_mappings()))}")
    return key_mappings()[name]
