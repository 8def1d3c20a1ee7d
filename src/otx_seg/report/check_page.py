"""The outcome of a data check as a page: problems, charts, and pictures of the masks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from html import escape

from otx_seg.datasets.check.data_check import CheckedSubset, DataCheck
from otx_seg.datasets.check.findings import equal_images
from otx_seg.datasets.check.inspection import Inspection
from otx_seg.datasets.check.problems import Problem
from otx_seg.report import contact_sheet
from otx_seg.report.check_tables import label_map_explained, size_explained, sizes_text
from otx_seg.report.page import bar, chip, page, prose
from otx_seg.words import count, label_share

_SHOWN_FILES = 5  # of a problem; of more, only their number until it is asked for
_LISTED_FILES = 200  # of a problem; a page with 10,000 names is slow to open


def draw_page(
    result: DataCheck, inspections: Sequence[Inspection], pictures: Mapping[str, Sequence[str]] | None = None
) -> str:
    """HTML, complete in itself.

    Args:
        result: what was found.
        inspections: the labelled subsets that it is about, the training images first; none for images without masks.
        pictures: paths of images without masks, by the name of their subset.
    """
    return page("Data check", _parts(result, inspections, pictures or {}))


def _parts(
    result: DataCheck, inspections: Sequence[Inspection], pictures: Mapping[str, Sequence[str]]
) -> Iterator[str]:
    folders = ", ".join(str(subset.folder) for subset in result.subsets)
    yield f'<h1>Data check</h1>\n<div class="faint small">{escape(folders)}</div>'
    yield f'<div class="verdict {_mood(result)}">The data is {escape(result.verdict)}.</div>'
    yield _subsets(result)
    yield "<h2>Problems</h2>"
    yield "\n".join(map(_problem, result.problems)) or '<p class="faint">None were found.</p>'
    labelled = [subset for subset in result.subsets if subset.labels]
    if labelled and result.label_map is not None:
        yield f'<p class="faint small">{escape(label_map_explained(result))}</p>'
    for subset, inspection in zip(labelled, inspections, strict=True):
        yield f"<h2>Labels: {escape(subset.name)}</h2>\n{_labels(subset, inspection, result)}"
    yield from _pictures(inspections)
    for name, paths in pictures.items():
        if paths:
            yield f"<h2>Images: {escape(name)}</h2>\n{contact_sheet.bare_sheet(name, paths)}"


def _mood(result: DataCheck) -> str:
    if result.usable_for is None:
        return "error"
    return "warning" if any(problem.severity == "warning" for problem in result.problems) else "fine"


def _subsets(result: DataCheck) -> str:
    rows = [
        f'<tr><td>{escape(subset.name)}</td><td class="number">{subset.samples:,}</td>'
        f'<td class="number">{subset.images:,}</td><td>{escape(sizes_text(subset))}</td>'
        f"<td>{escape(subset.data_format)}</td><td>{escape(str(subset.folder))}</td></tr>"
        for subset in result.subsets
    ]
    headings = (
        '<tr><th>subset</th><th class="number">images</th><th class="number">usable</th><th>width x height</th>'
        "<th>format</th><th>folder</th></tr>"
    )
    return f'<h2>Subsets</h2>\n<div class="scroll"><table>{headings}{"".join(rows)}</table></div>'


def _problem(problem: Problem) -> str:
    files = ""
    if problem.files:
        notes = (f"<code>{escape(note.path)}</code> {escape(note.note)}" for note in problem.files[:_LISTED_FILES])
        listed = "".join(f"<li>{note}</li>" for note in notes)
        more = len(problem.files) - _LISTED_FILES
        listed += f"<li>and {more:,} more</li>" if more > 0 else ""
        shown = " open" if len(problem.files) <= _SHOWN_FILES else ""
        files = f"<details{shown}><summary>{count(len(problem.files), 'file')}</summary><ul>{listed}</ul></details>"
    return (
        f'<div class="problem"><span class="badge {problem.severity}">{problem.severity}</span> '
        f"<b>{escape(problem.subset)}</b>: {prose(problem.what)}."
        f'<br><span class="faint">What to do:</span> {prose(problem.advice)}.{files}</div>'
    )


def _labels(subset: CheckedSubset, inspection: Inspection, result: DataCheck) -> str:
    largest = max((label.share for label in subset.labels), default=0.0) or 1.0
    strides = next((label.ceilings for label in subset.labels if label.ceilings), {})
    rows = [
        f"<tr><td>{chip(color)}{escape(label.name)}</td>"
        f'<td>{bar(label.share / largest)}</td><td class="number">{label_share(label.share)} %</td>'
        f'<td>{bar(label.images / max(1, subset.images))}</td><td class="number">{label.images:,}</td>'
        f'<td class="number">{"-" if label.typical_extent is None else f"{label.typical_extent:.1f} px"}</td>'
        f"{''.join(_number(f'{label.ceilings[s]:.2f}' if label.ceilings else '-') for s in strides)}</tr>"
        for label, color in zip(subset.labels, inspection.subset.labels.shown_colors, strict=True)
    ]
    table = f"<table>{_label_headings(list(strides))}{''.join(rows)}</table>"
    return f'<div class="scroll">{table}</div>{_explained(result, list(strides))}'


def _label_headings(strides: Sequence[int]) -> str:
    over, fractions = "", ""
    if strides:
        over = f'<th class="group" colspan="{len(strides)}">Dice at most, output of</th>'
        fractions = f"<tr>{''.join(_number(f'1/{stride}', 'th') for stride in strides)}</tr>"
    both = f' rowspan="{2 if strides else 1}"'
    return (
        f'<tr><th{both}>label</th><th{both} colspan="2">share of the pixels</th><th{both} colspan="2">images that show '
        f'it</th><th{both} class="number">region size</th>{over}</tr>{fractions}'
    )


def _explained(result: DataCheck, strides: Sequence[int]) -> str:
    """What the last columns mean."""
    if result.input_size is None:
        return ""
    parts = [
        "Region size: 4 x area / perimeter, in pixels of images that are resized to the input size "
        f"{size_explained(result)}; the median over the images that show the label. A square of 20 x 20 pixels has "
        "size 20; so has a long line 10 pixels wide."
    ]
    if strides:
        shares = ", ".join(f"1/{stride}" for stride in strides)
        parts.append(
            f"Dice at most: what a perfect network with this input size would reach, if its output had {shares} of the "
            "width and height of its input. Few trainings get beyond it."
        )
    return "".join(f'<p class="faint small">{part}</p>' for part in parts)


def _number(text: str, cell: str = "td") -> str:
    return f'<{cell} class="number">{text}</{cell}>'


def _pictures(inspections: Sequence[Inspection]) -> Iterator[str]:
    equal = equal_images(inspections)
    if equal:
        yield "<h2>Images stored more than once</h2>"
        yield contact_sheet.groups(equal)
    chosen = contact_sheet.choose_images(inspections)
    if chosen:
        yield "<h2>Images with their masks</h2>"
        yield '<p class="faint small">Point at a picture to see it without its mask.</p>'
        yield contact_sheet.sheet(chosen)
