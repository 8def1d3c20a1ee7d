"""Templates that give only what differs from another template, and where each of their values stands.

`extends: NAME` names another template, or a recipe: a file of ``templates/recipes`` with a part of a template, such as
the optimiser and its schedule.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from otx_seg.catalogue import nearest
from otx_seg.errors import UsageError
from otx_seg.runtime.plain_files import shown
from otx_seg.template.listing import find_recipes, find_template_file, find_templates
from otx_seg.template.plain_names import sections_by_own_names
from otx_seg.template.yaml_files import read_yaml

_KEY = "extends"
_OWN = ("name", "id", "default")
"""What a template is called is never taken from another one."""

_WHAT_IT_IS = ("type", "package", "url")
"""Keys by which a mapping says what it describes: the others are about a class, or about a file of weights."""


@dataclass(frozen=True)
class Origin:
    """Where the values of a template come from.

    Attributes:
        files: the name and the content of its file, then those of the file that it extends, and so on.
    """

    files: tuple[tuple[str, dict[str, Any]], ...]

    @classmethod
    def one(cls, where: str) -> Origin:
        """That of values which all stand in one place."""
        return cls(((where, {}),))

    def of(self, key: str) -> str:
        """The file in which a value stands, such as ``model.decode_head.1.channels``; the first one if none has it."""
        parts = [part for part in re.split(r"[.\[\]]", key) if part]
        depths = [_depth(content, parts) for _, content in self.files]
        return self.files[depths.index(max(depths))][0]


def _depth(content: Any, parts: list[str]) -> int:
    """How many parts of a key lead to something in `content`."""
    for depth, part in enumerate(parts):
        if isinstance(content, list) and part.isdecimal() and int(part) < len(content):
            content = content[int(part)]
        elif isinstance(content, dict) and part in content:
            content = content[part]
        else:
            return depth
    return len(parts)


def read_template(path: Path) -> tuple[dict[str, Any], Origin]:
    """The values of a template file, with those of the files it extends.

    Mappings are merged, key by key, unless both have a `type` and these differ, or a `package` or `url` of weights:
    arguments of one class are none of another, nor digests of one file. Empty mappings and other values replace what
    they stand for, lists as a whole.

    Raises:
        UsageError: a file that cannot be read, `extends` of an unknown name, or in a circle.
    """
    chain: list[tuple[Path, dict[str, Any]]] = []
    following: Path | None = path
    while following is not None:
        content = sections_by_own_names(read_yaml(following), str(following))
        extended = content.pop(_KEY, None)
        is_extended = bool(chain)
        chain.append((following, {key: value for key, value in content.items() if not (is_extended and key in _OWN)}))
        following = None if extended is None else _extended_file(extended, chain)
    merged: dict[str, Any] = {}
    for _, content in reversed(chain):
        merged = _merged(merged, content) if content else merged
    return merged, Origin(tuple((str(file), content) for file, content in chain))


def _extended_file(name: Any, chain: list[tuple[Path, dict[str, Any]]]) -> Path:
    extending = chain[-1][0]
    if not isinstance(name, str):
        raise UsageError(f"{extending}: extends: {shown(name)} is not the name of a template, a recipe or a file")
    if name.lower().endswith((".yaml", ".yml")):
        found = extending.parent / name
        if not found.is_file():
            raise UsageError(f"{extending}: extends: there is no file {found}")
    elif name in (recipes := find_recipes()):
        found = recipes[name]
    else:
        try:
            found = find_template_file(name)
        except UsageError:
            known = [*recipes, *(summary.name for summary in find_templates())]
            raise UsageError(f"{extending}: extends: unknown template {shown(name)}; {nearest(name, known)}") from None
    if any(found.resolve() == file.resolve() for file, _ in chain):
        circle = " extends ".join(str(file) for file in (*(file for file, _ in chain), found))
        raise UsageError(f"{extending}: extends: goes in a circle: {circle}")
    return found


def _merged(below: Any, above: Any) -> Any:
    if not isinstance(below, dict) or not isinstance(above, dict) or not above:
        return above
    if any(key in above and above[key] != below.get(key, above[key]) for key in _WHAT_IT_IS):
        return above
    return {**below, **{key: _merged(below[key], value) if key in below else value for key, value in above.items()}}
