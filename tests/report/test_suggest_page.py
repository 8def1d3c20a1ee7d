"""Why an image was chosen, in words."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from otx_seg.labelling.choosing import Candidate, Choice
from otx_seg.labelling.models import Models, open_models
from otx_seg.labelling.suggestions import Suggestion
from otx_seg.labelling.uncertainty import Uncertainty
from otx_seg.report.suggest_page import why


@pytest.fixture
def models(tiny_weights: Path) -> Models:
    """Of the labels background, red brick, pole and sky."""
    return open_models([tiny_weights])


@pytest.fixture
def one() -> Suggestion:
    candidate = Candidate("a.png", np.zeros((64, 64), np.uint8), None, 1.234, 0.0567)
    return Suggestion(Path("in/a.png"), "a.png", 0.914, candidate, Choice(0, 3.0, 2.345, "b.png", 17))


@pytest.fixture
def seen() -> Uncertainty:
    """Three pixels, of which sky has the least entropy and pole the most."""
    probabilities = np.zeros((4, 1, 3), np.float32)
    probabilities[[1, 2, 3], 0, [0, 1, 2]] = 1
    return Uncertainty(probabilities, np.array([[0.5, 0.9, 0.2]], np.float32), np.zeros((1, 3), np.float32))


def test_all_reasons(one: Suggestion, seen: Uncertainty, models: Models) -> None:
    assert why(one, seen, models, "both") == (
        "Entropy 1.23 bits a pixel, more than 91 % of the new images; 0.057 of it because looks at the image and its "
        "mirror image disagree. Most of it at pole, red brick, sky. Nearest labelled or suggested image: b.png, at a "
        "distance of 2.35. It stands for 17 new images nearer to it than to any of these."
    )


def test_what_a_method_does_not_know_is_not_said(one: Suggestion, seen: Uncertainty, models: Models) -> None:
    bare = replace(one, choice=Choice(0, 1.2))
    assert why(bare, seen, models, "random").startswith("Drawn at random. Entropy 1.23 bits")
    assert "Nearest" not in why(bare, seen, models, "uncertainty")
    assert "stands for" not in why(bare, seen, models, "uncertainty")


def test_the_most_uncertain_image(one: Suggestion, seen: Uncertainty, models: Models) -> None:
    assert "bits a pixel, more than any other of the new images;" in why(
        replace(one, more_uncertain_than=1.0), seen, models, "both"
    )


def test_an_image_without_doubt_names_no_label(one: Suggestion, seen: Uncertainty, models: Models) -> None:
    certain = replace(seen, entropy=np.zeros((1, 3), np.float32))
    assert "Most of it" not in why(one, certain, models, "both")
