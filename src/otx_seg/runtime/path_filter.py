"""Which images of a folder are meant: patterns of their paths."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path, PurePath

from otx_seg.errors import UsageError
from otx_seg.runtime.image_headers import file_and_page

_SHOWN = 3  # paths in a message


@dataclass(frozen=True)
class PathFilter:
    """Images by their paths below a folder, with ``/``, in any number of patterns.

    In a pattern ``*`` stands for any text, also with ``/`` in it, ``?`` for one character, ``[ab]`` for one of these.
    Upper and lower case differ. The pages of a TIFF have the path of their file, or their own, ``a.tif#2``.

    Attributes:
        include: an image is left out that matches none of these; without any, all images are taken.
        exclude: an image is left out that matches one of these.
    """

    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.include or self.exclude)

    def chosen(self, paths: Sequence[PurePath], source: Path) -> list[bool]:
        """Whether each image is meant.

        Args:
            paths: of all images, relative to the folder.
            source: the folder, for messages.

        Raises:
            UsageError: a pattern matches no image, or no image is left.
        """
        taken = _matches(self.include, "--include", paths, source) if self.include else [True] * len(paths)
        left_out = _matches(self.exclude, "--exclude", paths, source)
        chosen = [wanted and not unwanted for wanted, unwanted in zip(taken, left_out, strict=True)]
        if not any(chosen):
            raise UsageError(f"{source}: --exclude leaves none of the {sum(taken)} images; give other patterns")
        return chosen


ALL_PATHS = PathFilter()
"""Leaves nothing out."""


def path_filter(include: str | Iterable[str], exclude: str | Iterable[str]) -> PathFilter:
    """The filter of one pattern or several each."""
    return PathFilter(*((given,) if isinstance(given, str) else tuple(given) for given in (include, exclude)))


def _matches(patterns: Sequence[str], option: str, paths: Sequence[PurePath], source: Path) -> list[bool]:
    matched = [False] * len(paths)
    texts = [(path.as_posix(), PurePath(file_and_page(path.as_posix())[0]).as_posix()) for path in paths]
    for pattern in patterns:
        found = [any(fnmatchcase(text, pattern) for text in of_one) for of_one in texts]
        if not any(found):
            shown = ", ".join(text for text, _ in texts[:_SHOWN]) + (", ..." if len(texts) > _SHOWN else "")
            raise UsageError(
                f"{source}: {option} {pattern!r} matches none of the {len(paths)} images there ({shown}); a pattern is "
                "for the path below the folder, in which * stands for any text: '*.png', 'day1/*'"
            )
        matched = [before or now for before, now in zip(matched, found, strict=True)]
    return matched
