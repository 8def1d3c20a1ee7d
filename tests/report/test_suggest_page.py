"""The page of suggested images: figures, what they mean, and pictures."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from otx_seg.labelling.choosing import Candidate, Choice
from otx_seg.labelling.methods import METHODS, USES_FEATURES
from otx_seg.labelling.models import Models, open_models
from otx_seg.labelling.suggestions import Suggested, Suggestion
from otx_seg.labelling.uncertainty import Uncertainty
from otx_seg.report.suggest_page import draw_doubt, draw_page, figures_of, meanings


@pytest.fixture
def models(tiny_weights: Path) -> Models:
    """Of the labels background, red brick, pole and sky."""
    return open_models([tiny_weights])


@pytest.fixture
def one() -> Suggestion:
    candidate = Candidate("a.png", np.zeros((64, 64), np.uint8), None, 1.234, 0.0567)
    return Suggestion(Path("in/a.png"), "a.png", 30, candidate, Choice(0, 3.0, 2.375, "b.png", 17))


@pytest.fixture
def seen() -> Uncertainty:
    """Three pixels, of which sky has the least entropy and pole the most."""
    probabilities = np.zeros((4, 1, 3), np.float32)
    probabilities[[1, 2, 3], 0, [0, 1, 2]] = 1
    return Uncertainty(probabilities, np.array([[0.5, 0.9, 0.2]], np.float32), np.zeros((1, 3), np.float32))


def test_all_figures(one: Suggestion, seen: Uncertainty, models: Models) -> None:
    assert figures_of(one, 319, seen, models, "both") == {
        "score": "3.0000",
        "uncertainty": "1.23 bits, no. 30 of 319",
        "disagreement": "0.057 bits",
        "mostly at": "pole, red brick, sky",
        "nearest": "b.png",
        "distance": "2.38",
        "stands for": "17 images",
    }


def test_what_a_method_does_not_know_is_not_shown(one: Suggestion, seen: Uncertainty, models: Models) -> None:
    bare = replace(one, choice=Choice(0, 1.2))
    assert list(figures_of(bare, 9, seen, models, "random")) == ["uncertainty", "disagreement", "mostly at"]
    assert next(iter(figures_of(bare, 9, seen, models, "uncertainty"))) == "score"


def test_an_image_without_doubt_names_no_label(one: Suggestion, seen: Uncertainty, models: Models) -> None:
    certain = replace(seen, entropy=np.zeros((1, 3), np.float32))
    assert "mostly at" not in figures_of(one, 9, certain, models, "both")


@pytest.mark.parametrize("method", METHODS)
def test_every_figure_is_explained(method: str, one: Suggestion, seen: Uncertainty, models: Models) -> None:
    choice = one.choice if method in USES_FEATURES else Choice(0, 1.2)
    shown = figures_of(replace(one, choice=choice), 9, seen, models, method)
    assert list(meanings(models, method)) == list(shown)


def test_certain_pixels_are_grey_and_doubtful_ones_red() -> None:
    image = np.full((4, 8, 3), (10, 200, 90), np.uint8)
    drawn = draw_doubt(image, np.array([[0, 0, 2, 2]], np.float32), 2.0)
    grey, red = drawn[0, 0].astype(int), drawn[0, -1].astype(int)
    assert grey[0] == grey[1] == grey[2]
    assert red[0] > 150 > 60 > red[1]
    assert red[1] > 0  # the image can still be seen


def test_the_page_counts_new_images_and_explains_once(one: Suggestion, models: Models, tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "a.png"), np.full((64, 64, 3), 90, np.uint8))
    here = replace(one, path=tmp_path / "a.png")
    found = Suggested((here, here), 319, 343, 24, 24, 0, ())
    page = draw_page(found, models, "both", tmp_path)
    assert "2 images of 319 new ones" in page
    assert "Left out of 343 images: 24 labelled already or there twice." in page
    assert page.count("about 1.4 for two new images") == 1
    assert page.count("no. 30 of 319") == 2
    assert "background: no colour" in page
    assert page.count("data:image/jpeg;base64,") == 2 * 3
