"""Numbers of bytes as people write them."""

from __future__ import annotations

import re

from otx_seg.errors import UsageError

_UNITS = {
    "": 1,
    "b": 1,
    **{unit: 1 << 10 * power for power, names in enumerate(("k kib", "m mib", "g gib"), 1) for unit in names.split()},
    **{unit: 1000**power for power, unit in enumerate(("kb", "mb", "gb"), 1)},
}
_SIZE = re.compile(r"(\d+)\s*([a-z]*)", re.ASCII)


def parse_byte_size(text: str, where: str) -> int:
    """An integer with a unit, in bytes: none or B; KB, MB, GB of 1000; K, M, G and KiB, MiB, GiB of 1024.

    Args:
        text: such as ``500MB``; letters of either case.
        where: what the number is for, for the message.

    Raises:
        UsageError: it is something else.
    """
    match = _SIZE.fullmatch(text.strip().lower())
    if match is None or match[2] not in _UNITS:
        raise UsageError(
            f"{where}: {text!r} is not a number of bytes; write an integer, alone or with B, KB, MB, GB, KiB, MiB "
            "or GiB, such as 500MB; 0 switches the cache off"
        )
    return int(match[1]) * _UNITS[match[2]]
