"""Suggested images as a page: each with its prediction, where the models are uncertain, and why it was chosen."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from html import escape
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from otx_seg.errors import DataError
from otx_seg.labelling.methods import BOTH, DIVERSITY, RANDOM, UNCERTAINTY, USES_FEATURES
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
_DOUBT = (213, 32, 0)  # the colour of what the model is uncertain of, RGB
_MOST_DOUBT = 0.8  # share of this colour where it is most uncertain
_SAID = {
    BOTH: "those that stand for many uncertain ones unlike what is labelled or suggested already",
    UNCERTAINTY: "the most uncertain ones",
    DIVERSITY: "those most unlike what is labelled or suggested already",
    RANDOM: "drawn at random",
}
_SCORES = {
    BOTH: "ranks the images: of the sum of uncertainty x distance over all new images, the share that goes away "
    "once this image is labelled",
    UNCERTAINTY: "ranks the images: their uncertainty",
    DIVERSITY: "ranks the images: their distance",
}
"""What the score of a method is; at random, there is none."""
_SCORE, _UNCERTAINTY, _DISAGREEMENT, _MOSTLY = "score", "uncertainty", "disagreement", "mostly at"
_NEAREST, _DISTANCE, _STANDS_FOR = "nearest", "distance", "stands for"


def draw_page(found: Suggested, models: Models, method: str, root: Path) -> str:
    """HTML, complete in itself; each image is read and looked at once more.

    Args:
        root: the folder of the unlabelled images.
    """
    return page("What to label next", _parts(found, models, method, root))


def _parts(found: Suggested, models: Models, method: str, root: Path) -> Iterator[str]:
    yield f'<h1>What to label next</h1>\n<div class="faint small">{escape(str(root))}</div>'
    left_out = f" Left out of {count(found.images, 'image')}: {found.left_out()}." if found.left_out() else ""
    yield (
        f'<p class="lead">{count(len(found.suggestions), "image")} of {found.new:,} new ones: {_SAID[method]}.'
        f"{left_out} {count(found.labelled, 'labelled image')} to compare with.</p>"
    )
    yield f"<h2>What the figures mean</h2>\n{_table('told', meanings(models, method))}"
    yield "<h2>Images</h2>"
    yield (
        '<p class="faint small">Above: the prediction; point at it to see the image alone. Below: where the model is '
        f"uncertain, {_scale()} 0 to {_most_bits(models):.2g} bits.</p>"
    )
    yield f'<p class="small">{legend(models.labels, range(len(models.labels)), with_background=True)}</p>'
    figures = (_figure(rank, one, found, models, method) for rank, one in enumerate(found.suggestions, start=1))
    yield '<div class="sheet">\n' + "\n".join(figures) + "\n</div>"


def _most_bits(models: Models) -> float:
    """What is possible."""
    return math.log2(max(2, len(models.labels)))


def _scale() -> str:
    """The colours of the uncertainty from low to high."""
    return (
        '<span style="display:inline-block;width:90px;height:10px;vertical-align:-1px;border-radius:3px;'
        f'background:linear-gradient(90deg,#eef1f4,rgb({",".join(map(str, _DOUBT))}))"></span>'
    )


def _table(kind: str, rows: Mapping[str, str]) -> str:
    cells = "".join(f"<tr><th>{escape(name)}</th><td>{escape(text)}</td></tr>" for name, text in rows.items())
    return f'<table class="{kind} small">{cells}</table>'


def _figure(rank: int, one: Suggestion, found: Suggested, models: Models, method: str) -> str:
    name = escape(Path(one.name).as_posix())
    try:
        image = read_image(one.path)
    except DataError as error:  # it was valid a moment ago
        return f"<figure>{escape(str(error))}</figure>"
    seen = models.look_at(image, with_feature=False).uncertainty
    image = shrunk(image, _LONGEST_SIDE)
    size = (image.shape[0], image.shape[1])
    drawn = overlay(image, mask_at(seen.probabilities, size, models.post_processing), models.labels)
    doubt = draw_doubt(image, seen.entropy, _most_bits(models))
    return (
        f'<figure><div class="picture" tabindex="0"><img src="{embedded(drawn)}" alt="{name}, with its prediction" '
        f'loading="lazy"><img class="plain" src="{embedded(image)}" alt="{name}" loading="lazy"></div>'
        f'<div class="picture"><img src="{embedded(doubt)}" alt="uncertainty of {name}" loading="lazy"></div>'
        f"<figcaption><b>{rank}. {name}</b>{_table('facts', figures_of(one, found.new, seen, models, method))}"
        "</figcaption></figure>"
    )


def draw_doubt(image: NDArray[np.uint8], entropy: NDArray[np.float32], most: float) -> NDArray[np.uint8]:
    """The image in grey, the redder the more uncertain the model is of a pixel.

    Args:
        image: uint8 (H, W, 3) RGB.
        entropy: float32 (h, w), bits.
        most: the bits that are reddest.

    Returns:
        uint8 (H, W, 3) RGB.
    """
    grey = np.repeat(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)[:, :, None], 3, axis=2).astype(np.float32)
    shares = cv2.resize(entropy, image.shape[1::-1], interpolation=cv2.INTER_LINEAR) / np.float32(most)
    shares = np.clip(shares, 0, 1)[:, :, None] * np.float32(_MOST_DOUBT)
    return np.asarray(np.rint((1 - shares) * grey + shares * np.array(_DOUBT, np.float32)), np.uint8)


def figures_of(one: Suggestion, new: int, seen: Uncertainty, models: Models, method: str) -> dict[str, str]:
    """The figures of an image by their names; those that a method does not know are missing.

    Args:
        new: how many images there were to choose from.
        seen: what the models say of the image.
    """
    labels, choice = listed(_uncertain_labels(seen, models)), one.choice
    rows = {
        _SCORE: f"{choice.score:.4f}" if method in _SCORES else None,
        _UNCERTAINTY: f"{one.candidate.uncertainty:.2f} bits, no. {one.by_uncertainty:,} of {new:,}",
        _DISAGREEMENT: f"{one.candidate.disagreement:.3f} bits",
        _MOSTLY: labels or None,
        _NEAREST: choice.nearest,
        _DISTANCE: None if choice.distance is None else f"{choice.distance:.2f}",
        _STANDS_FOR: None if choice.stands_for is None else count(choice.stands_for, "image"),
    }
    return {name: text for name, text in rows.items() if text is not None}


def meanings(models: Models, method: str) -> dict[str, str]:
    """What the figures of `figures_of` mean, by their names."""
    mirrored = "the image and its mirror image"
    looks = f"for {mirrored}" if len(models.models) == 1 else f"of {len(models.models)} models for {mirrored}"
    rows = {
        _SCORE: _SCORES.get(method),
        _UNCERTAINTY: f"entropy of the prediction, mean over the pixels: 0 to {_most_bits(models):.2g} bits; no. 1 is "
        "the most uncertain new image",
        _DISAGREEMENT: f"the part of the uncertainty that comes from different predictions {looks}",
        _MOSTLY: "the predicted labels with the most uncertainty",
    }
    if method in USES_FEATURES:
        rows |= {
            _NEAREST: "the image most like it, of those that are labelled or suggested before it",
            _DISTANCE: "how far that one is, by the features of the network: 0 for equal images, about 1.4 for two new "
            "images taken at random",
            _STANDS_FOR: "the new images, itself included, that are nearer to it than to any image that is labelled or "
            "suggested before it",
        }
    return {name: text for name, text in rows.items() if text is not None}


def _uncertain_labels(seen: Uncertainty, models: Models) -> list[str]:
    """The predicted labels with the most entropy, summed over their pixels."""
    predicted: NDArray[np.intp] = seen.probabilities.argmax(axis=0)
    sums = np.bincount(predicted.ravel(), weights=seen.entropy.ravel(), minlength=len(models.labels))
    return [models.labels.names[index] for index in np.argsort(-sums)[:_NAMED_LABELS] if sums[index] > 0]
