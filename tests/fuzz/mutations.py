"""Damages to files: to their bytes, to the numbers and words of a text, and to values in one another."""

from __future__ import annotations

import copy
import io
import json
import random
import re
import zipfile
from collections.abc import Callable
from typing import Any

import torch
import yaml

ODD_VALUES: tuple[Any, ...] = (
    None, True, -1, 0, 1, 255, 256, 2**31, 2**63, 10**9, 10**30, -(10**30), 0.5, -0.0, 1e9, 1e308, float("nan"),
    float("inf"), "", " ", "0", "-1", "1e999", "²", "٣", "null", "../../x", "a/b", "a\0b", "\x1b[31m", "\u202e",
    "\ud800", "\n", "x" * 5000, [], {}, [[]], [None], {"a": None}, [[[[[[]]]]]], [1e300] * 9, "9" * 5000,
)  # fmt: skip
ODD_WORDS = (
    "-1", "0", "255", "256", "2147483648", "1" + "0" * 30, "-1e30", "1e9", "nan", "inf", "0.5", "²", "", "x" * 5000,
    "\x1b[31m", "\u202e", "../..", "9" * 5000, "null", "true", "a b", "\t",
)  # fmt: skip
ODD_BYTES = (
    b"\0",
    b"\xff\xff\xff\xff",
    b"\x80",
    b"\xef\xbb\xbf",
    b"\r\n",
    b"{[" * 200,
    b"<a>",
    b"&x;",
    b"*a",
    b"%s" * 20,
)

Mutation = Callable[[bytes, random.Random], bytes]


def bytes_changed(content: bytes, chance: random.Random) -> bytes:
    """Some bits flipped, or a part taken out, doubled, overwritten or put in."""
    changed = bytearray(content)
    start = chance.randrange(len(changed) + 1)
    end = min(len(changed), start + chance.choice((1, 4, 16, 256, 4096)))
    kind = chance.randrange(6)
    if kind == 0 and changed:
        for _ in range(chance.choice((1, 2, 8))):
            changed[chance.randrange(min(len(changed), chance.choice((64, 1 << 30))))] ^= 1 << chance.randrange(8)
    elif kind == 1:
        del changed[start:]
    elif kind == 2:
        del changed[start:end]
    elif kind == 3:
        changed[start:start] = changed[start:end]
    elif kind == 4:
        changed[start:end] = bytes(chance.randrange(256) for _ in range(min(end - start, 64)))
    else:
        changed[start:start] = chance.choice(ODD_BYTES)
    return bytes(changed)


def words_changed(content: bytes, chance: random.Random) -> bytes:
    """A number or a word of a text replaced, or a line taken out or doubled."""
    text = content.decode("utf-8", "surrogateescape")
    if chance.random() < 0.2:
        lines = text.splitlines(keepends=True)
        place = chance.randrange(len(lines))
        lines[place : place + 1] = chance.choice(([], [lines[place]] * 2, [chance.choice(ODD_WORDS)]))
        text = "".join(lines)
    else:
        pattern = chance.choice((r"-?\d+(\.\d+)?", r"\w+", r"\"[^\"]*\""))
        found = list(re.finditer(pattern, text[: 1 << 16]))
        if found:
            one = chance.choice(found)
            text = text[: one.start()] + chance.choice(ODD_WORDS) + text[one.end() :]
    return text.encode("utf-8", "surrogateescape" if "\udcff" >= max(text, default="") >= "\udc80" else "surrogatepass")


def value_changed(value: Any, chance: random.Random) -> Any:
    """Plain values in one another with a value replaced, taken out, doubled or put deeper."""
    value = copy.deepcopy(value)
    places = list(_places(value))
    if not places:
        return chance.choice(ODD_VALUES)
    container, key = chance.choice(places)
    kind = chance.randrange(8)
    if kind == 0:
        del container[key]
    elif kind == 1:
        container[key] = [container[key]]
    elif kind == 2 and isinstance(container, list):
        container.append(container[key])
    elif kind == 2:
        container[chance.choice(("x", "²", "", "a" * 300, str(key).upper()))] = container[key]
    elif kind == 3:
        other, its_key = chance.choice(places)
        container[key] = copy.deepcopy(other[its_key]) if its_key in _keys(other) else None
    else:
        container[key] = copy.deepcopy(chance.choice(ODD_VALUES))
    return value


def _keys(container: Any) -> Any:
    return container if isinstance(container, dict) else range(len(container))


def _places(value: Any) -> Any:
    if isinstance(value, (dict, list)):
        for key in list(_keys(value)):
            yield value, key
            yield from _places(value[key])


def json_changed(content: bytes, chance: random.Random) -> bytes:
    """A JSON text with other values."""
    return json.dumps(value_changed(json.loads(content), chance)).encode()


def json_lines_changed(content: bytes, chance: random.Random) -> bytes:
    """JSON texts in lines, one of them with other values."""
    lines = content.splitlines()
    place = chance.randrange(len(lines))
    lines[place] = json_changed(lines[place], chance)
    return b"\n".join([*lines, b""])


def yaml_changed(content: bytes, chance: random.Random) -> bytes:
    """A YAML text with other values, or with aliases."""
    text = yaml.safe_dump(value_changed(yaml.safe_load(content), chance), allow_unicode=False)
    if chance.random() < 0.1:
        text += chance.choice(
            ("z: &z [*z]\n", "z: &z {a: *z}\n", "a: &a [x,x]\nb: &b [*a,*a]\nc: [*b,*b,*b]\n", "? [a]\n: b\n")
        )
    return text.encode("utf-8", "surrogatepass")


def tensors_changed(content: bytes, chance: random.Random) -> bytes:
    """A file of tensors and plain values with one of them replaced; without its digest, which would tell."""
    value = torch.load(io.BytesIO(content), weights_only=True)
    if chance.random() < 0.9:
        value.pop("digest", None)
    if chance.random() < 0.2:
        places = [(box, key) for box, key in _places(value) if isinstance(box[key], torch.Tensor)]
        container, key = chance.choice(places)
        tensor = container[key].float()
        odd = (tensor * float("nan"), tensor[None], tensor.flatten()[:0], tensor.double(), tensor.long(), torch.ones(3))
        container[key] = chance.choice(odd)
    else:
        key = chance.choice(list(value))
        value |= value_changed({key: value.pop(key)}, chance)
    stored = io.BytesIO()
    torch.save(value, stored)
    return stored.getvalue()


def member_changed(name: str, mutation: Mutation) -> Mutation:
    """What changes one file in a zip."""

    def changed(content: bytes, chance: random.Random) -> bytes:
        stored = io.BytesIO()
        with zipfile.ZipFile(io.BytesIO(content)) as before, zipfile.ZipFile(stored, "w") as after:
            for entry in before.infolist():
                data = before.read(entry)
                after.writestr(entry.filename, mutation(data, chance) if entry.filename == name else data)
        return stored.getvalue()

    return changed
