"""The sources of `otx check` and `otx run`: folders, their annotation files, and their use."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

from otx_seg.datasets import DataSpec
from otx_seg.datasets.data_spec import Addition
from otx_seg.datasets.label_map import OPTION as LABEL_MAP
from otx_seg.datasets.label_map import LabelMap
from otx_seg.datasets.unlabelled import holds_bare_images
from otx_seg.errors import UsageError
from otx_seg.inputs.data import check_spec
from otx_seg.inputs.resolver import Resolver
from otx_seg.template import load


class Source(NamedTuple):
    """A folder of images and masks.

    Attributes:
        root: the folder.
        annotations: a file to use instead of those in the folder; what it describes is one subset.
        meant_for: train, val or test, where somebody said so; None: what its subsets are called.
    """

    root: Path
    annotations: Path | None = None
    meant_for: str | None = None


@dataclass(frozen=True)
class Sources:
    """All the data to look through.

    Attributes:
        labelled: images and masks.
        bare: folders of images alone.
        listed: a file that names those images in `bare` that count; None: all.
        data_format: name of the format of the labelled data; None: what it looks like.
        label_map: what its labels become; None: they stay as they are.
        added: what came to the training images later.
    """

    labelled: tuple[Source, ...]
    bare: tuple[Path, ...] = ()
    listed: Path | None = None
    data_format: str | None = None
    label_map: LabelMap | None = None
    added: tuple[Addition, ...] = ()

    @property
    def folders(self) -> tuple[Path, ...]:
        """The folders, of all kinds."""
        return (*(source.root for source in self.labelled), *(one.root for one in self.added), *self.bare)

    @property
    def files(self) -> tuple[Path, ...]:
        """The annotation files."""
        files = [source.annotations for source in self.labelled] + [one.annotations for one in self.added]
        return tuple(file for file in files if file is not None)


def sources_of(data: DataSpec) -> Sources:
    """The labelled data, each once: the annotation files with their folders, and of the other folders those that do
    not lie in another one of them."""
    roots, files = data.roots, data.annotations
    if data.val_annotations is not None and data.val_root is None:
        roots["val"] = data.train_root
    named = [Source(root, files[part], part) for part, root in roots.items() if root is not None]
    described = [source for source in named if source.annotations is not None]
    # What is validated on may well be measured on, but not trained on: that is for the look at it to find.
    learned_from = [_resolved(source) for source in described if source.meant_for != "test"]
    described = [source for source in described if source.meant_for != "test" or _resolved(source) not in learned_from]
    whole = [source for source in named if source.annotations is None]
    apart = _outermost(source.root for source in whole)
    labelled = (*described, *(Source(root, None, _first_in(root, whole).meant_for) for root in apart))
    return Sources(labelled, data_format=data.data_format, label_map=data.label_map, added=data.added)


def _outermost(roots: Iterable[Path]) -> tuple[Path, ...]:
    """Those folders that do not lie in another one of them, each once."""
    by_real: dict[Path, Path] = {}
    for root in roots:
        by_real.setdefault(root.resolve(), root)
    return tuple(root for real, root in by_real.items() if by_real.keys().isdisjoint(real.parents))


def _first_in(folder: Path, sources: Sequence[Source]) -> Source:
    outer = folder.resolve()
    return next(source for source in sources if outer in (source.root.resolve(), *source.root.resolve().parents))


def _resolved(source: Source) -> tuple[Path, Path | None]:
    return source.root.resolve(), None if source.annotations is None else source.annotations.resolve()


def sources_given(roots: Sequence[Path], given: DataSpec) -> Sources:
    """The folders given, each with what describes it.

    Args:
        roots: folders of labelled data, or of images alone where no format and no file of annotations is given.
        given: annotation files, all for one folder, or each for one of as many folders; and their format.

    Raises:
        UsageError: a folder or file is named twice, or it is not clear which file describes which folder.
    """
    labelled = _described(roots, {part: file for part, file in given.annotations.items() if file is not None})
    _refuse_repeated(labelled)
    if given.described:
        return Sources(labelled, data_format=given.data_format, label_map=given.label_map)
    bare = tuple(root for root in roots if root.is_dir() and holds_bare_images(root))
    labelled = tuple(source for source in labelled if source.root not in bare)
    if given.label_map is not None and not labelled:
        raise UsageError(f"{LABEL_MAP} changes labels, and {roots[0]} has images without masks only: leave it out")
    return Sources(labelled, bare, label_map=given.label_map)


def _described(roots: Sequence[Path], files: dict[str, Path]) -> tuple[Source, ...]:
    if not files:
        return tuple(Source(root) for root in roots)
    folders = list(roots) * len(files) if len(roots) == 1 else list(roots)
    if len(folders) != len(files):
        options = ", ".join(f"--{part}-ann-files" for part in files)
        raise UsageError(
            f"{options}: give --data-roots once, for the folder with all images, or once for each of these files, in "
            f"the order {', '.join(files)}"
        )
    return tuple(Source(root, file, part) for root, (part, file) in zip(folders, files.items(), strict=True))


def _refuse_repeated(sources: Sequence[Source]) -> None:
    seen = set()
    for source in sources:
        root, file, _ = source
        if _resolved(source) in seen:
            what = "--data-roots; name each folder once" if file is None else "the annotation files; name it once"
            raise UsageError(f"{root if file is None else file}: is named twice in {what}")
        seen.add(_resolved(source))


def sources_of_workspace(resolver: Resolver, given: DataSpec) -> Sources:
    """The data that the ``data.yaml`` of a workspace names.

    Args:
        given: how to read it; stronger than ``data.yaml``.

    Raises:
        UsageError: there is no workspace, none of its folders is known, or what is given has no folder there.
        DataError: one of its folders or files is missing.
    """
    template = resolver.template(None)
    train_type = None if template is None else load(template).hyper_parameters.algo_backend.train_type
    if train_type == "Selfsupervised" and resolver.names("train"):
        _refuse_given(given)
        return Sources((), (resolver.train_root(None),))
    found = check_spec(resolver, "--data-roots", given)
    unlabelled = resolver.root(None, "unlabeled")
    bare = () if unlabelled is None else (unlabelled,)
    return replace(sources_of(found), bare=bare, listed=resolver.file_list(None))


def _refuse_given(given: DataSpec) -> None:
    if given.described or given.label_map is not None:
        options = ", ".join(("--data-format", LABEL_MAP, *(f"--{part}-ann-files" for part in given.annotations)))
        raise UsageError(f"Selfsupervised training, as this workspace has it, uses only images: leave out {options}")
