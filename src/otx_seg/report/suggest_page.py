"""Suggested images as a page: each with its prediction, where the models are uncertain, and why it was chosen."""

from __future__ import annotations

import math
from collections.abc import Iterator
from html import escape
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from otx_seg.errors import DataError
from otx_seg.inference.saliency import heat_map
from otx_seg.labelling.methods import RANDOM
from otx_seg.labelling.models import Models
from otx_seg.labelling.suggestions import Suggested, Suggestion
from otx_seg.labelling.uncertainty import Uncertainty
from otx_seg.report.contact_sheet import legend
from otx_seg.report.page import embedded, page
from otx_seg.runtime.images import read_image
from otx_seg.runtime.masks import mask_at
from otx_seg.runtime.overlay import overlay
from otx_seg.runtime.result_files import shrunk
from otx_seg.words import count, listed

_LONGEST_SIDE = 360  # pixels of a small picture
_NAMED_LABELS = 3
_HEAT = 0.6  # share of the colours in the picture of the uncertainty
_SAID = {
    "both": "those that stand for many uncertain ones unlike what is labelled or suggested already",
    "uncertainty": "the most uncertain ones",
    "diversity": "those most unlike what is labelled or suggested already",
    "random": "drawn at random",
}


def draw_page(found: Suggested, models: Models, method: str, root: Path) -> str:
    """HTML, complete in itself; each image is read and looked at once more.

    Args:
        root: the folder of the unlabelled images.
    """
    return page("What to label next", _parts(found, models, method, root))


def _parts(found: Suggested, models: Models, method: str, root: Path) -> Iterator[str]:
    yield f'<h1>What to label next</h1>\n<div class="faint small">{escape(str(root))}</div>'
    left_out = found.left_out()
    yield (
        f'<p class="lead">{count(len(found.suggestions), "image")} of {found.images:,}: {_SAID[method]}'
        f"{f' ({left_out})' if left_out else ''}. {count(found.labelled, 'labelled image')} to compare with.</p>"
    )
    yield (
        '<p class="faint small">Of each image the prediction (without it under the pointer), and where the model is '
        f"uncertain, from blue, 0 bits, to red, {_most_bits(models):.2g} bits and more of entropy.</p>"
    )
    yield f'<p class="small">{legend(models.labels, models.labels.foreground)}</p>'
    figures = (_figure(rank, one, models, method) for rank, one in enumerate(found.suggestions, start=1))
    yield '<div class="sheet">\n' + "\n".join(figures) + "\n</div>"


def _most_bits(models: Models) -> float:
    """Half of what is possible: few pixels have more."""
    return math.log2(max(2, len(models.labels))) / 2


def _figure(rank: int, one: Suggestion, models: Models, method: str) -> str:
    name = escape(Path(one.name).as_posix())
    try:
        image = read_image(one.path)
    except DataError as error:  # it was valid a moment ago
        return f"<figure>{escape(str(error))}</figure>"
    seen = models.look_at(image, with_feature=False).uncertainty
    image = shrunk(image, _LONGEST_SIDE)
    size = (image.shape[0], image.shape[1])
    drawn = overlay(image, mask_at(seen.probabilities, size, models.post_processing), models.labels)
    heat = heat_map(seen.entropy, size, (0.0, _most_bits(models)))
    heat = np.asarray(cv2.addWeighted(image, 1 - _HEAT, heat, _HEAT, 0), np.uint8)
    return (
        f'<figure><div class="picture" tabindex="0"><img src="{embedded(drawn)}" alt="{name}, with its prediction" '
        f'loading="lazy"><img class="plain" src="{embedded(image)}" alt="{name}" loading="lazy"></div>'
        f'<div class="picture"><img src="{embedded(heat)}" alt="uncertainty of {name}" loading="lazy"></div>'
        f"<figcaption><b>{rank}. {name}</b><br>{escape(why(one, seen, models, method))}</figcaption></figure>"
    )


def why(one: Suggestion, seen: Uncertainty, models: Models, method: str) -> str:
    """In words, why an image was chosen."""
    parts = ["Drawn at random."] if method == RANDOM else []
    share = "any other" if one.more_uncertain_than == 1 else f"{100 * one.more_uncertain_than:.0f} %"
    parts.append(
        f"Entropy {one.candidate.uncertainty:.2f} bits a pixel, more than {share} of the new images; "
        f"{one.candidate.disagreement:.3f} of it because {_looks(models)} disagree."
    )
    doubtful = _uncertain_labels(seen, models)
    parts += [f"Most of it at {listed(doubtful)}."] if doubtful else []
    if one.choice.distance is not None:
        parts.append(
            f"Nearest labelled or suggested image: {one.choice.nearest}, at a distance of {one.choice.distance:.2f}."
        )
    if one.choice.stands_for is not None:
        parts.append(f"It stands for {count(one.choice.stands_for, 'new image')} nearer to it than to any of these.")
    return " ".join(parts)


def _looks(models: Models) -> str:
    mirrored = "looks at the image and its mirror image"
    return mirrored if len(models.models) == 1 else f"{len(models.models)} models and {mirrored}"


def _uncertain_labels(seen: Uncertainty, models: Models) -> list[str]:
    """The predicted labels with the most entropy, summed over their pixels."""
    predicted: NDArray[np.intp] = seen.probabilities.argmax(axis=0)
    sums = np.bincount(predicted.ravel(), weights=seen.entropy.ravel(), minlength=len(models.labels))
    return [models.labels.names[index] for index in np.argsort(-sums)[:_NAMED_LABELS] if sums[index] > 0]
