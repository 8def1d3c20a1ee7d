"""Which images are chosen, and in which order."""

from __future__ import annotations

import numpy as np
import pytest

from otx_seg.labelling.choosing import Candidate, LabelledImage, choose
from otx_seg.labelling.methods import METHODS


def picture(number: int) -> np.ndarray:
    """A thumbnail unlike those of other numbers."""
    made = np.zeros((64, 64), np.uint8)
    made[number] = 200
    return made


def candidates(places: list[float], uncertainties: list[float] | None = None) -> list[Candidate]:
    """Images whose features are places on a line."""
    feature = [np.array([place], np.float32) for place in places]
    bits = uncertainties or [1.0] * len(places)
    return [Candidate(f"c{n}", picture(n), feature[n], bits[n], 0.0) for n in range(len(places))]


def labelled(*places: float) -> list[LabelledImage]:
    return [
        LabelledImage(f"l{number}", picture(63 - number), np.array([place], np.float32))
        for number, place in enumerate(places)
    ]


def order(*arguments: object) -> list[int]:
    return [choice.candidate for choice in choose(*arguments).chosen]  # type: ignore[arg-type]


def test_uncertainty_takes_the_most_uncertain_ones() -> None:
    found = choose(candidates([0, 0, 0], [0.2, 0.9, 0.5]), labelled(0), 2, "uncertainty", 0)
    assert [(choice.candidate, choice.score, choice.distance) for choice in found.chosen] == [
        (1, 0.9, None),
        (2, 0.5, None),
    ]


def test_diversity_takes_the_farthest_from_what_is_labelled_and_chosen() -> None:
    # 10 is farthest from 0; then 4, since 9 lies beside 10.
    found = choose(candidates([4, 9, 10, 1]), labelled(0), 3, "diversity", 0)
    assert [choice.candidate for choice in found.chosen] == [2, 0, 1]
    assert [choice.nearest for choice in found.chosen] == ["l0", "l0", "c2"]
    assert [choice.stands_for for choice in found.chosen] == [2, 1, 1]
    spread = np.std([0, 4, 9, 10, 1])
    for figures in ([choice.distance for choice in found.chosen], [choice.score for choice in found.chosen]):
        np.testing.assert_allclose(figures, np.array([10, 4, 1]) / spread, rtol=1e-6)


def test_both_takes_what_stands_for_the_uncertain_ones() -> None:
    # 5 brings 4, 5 and 6 near; 20 is farther than all, but alone.
    pool = candidates([4, 5, 6, 20], [1.0, 1.0, 1.0, 0.5])
    found = choose(pool, labelled(0), 2, "both", 0)
    assert [choice.candidate for choice in found.chosen] == [1, 3]
    assert [choice.stands_for for choice in found.chosen] == [4, 1]
    whole = 4 + 5 + 6 + 0.5 * 20
    gains = [3 + 5 + 5 + 0.5 * 5, 0.5 * 15]
    np.testing.assert_allclose([choice.score for choice in found.chosen], np.array(gains) / whole, rtol=1e-6)


def test_both_goes_where_the_model_is_uncertain() -> None:
    places = [-5.0, -5.1, -5.2, 5.0, 5.1, 5.2]
    for uncertainties, expected in (([0.9] * 3 + [0.1] * 3, {0, 1, 2}), ([0.1] * 3 + [0.9] * 3, {3, 4, 5})):
        assert order(candidates(places, uncertainties), labelled(0), 1, "both", 0)[0] in expected


@pytest.mark.parametrize("number", [3, 1100])
def test_gains_are_those_of_the_definition(number: int) -> None:
    rng = np.random.default_rng(0)
    features = rng.normal(size=(number, 5)).astype(np.float32)
    bits = rng.uniform(size=number)
    pool = [Candidate(f"c{n}", picture(0), features[n], float(bits[n]), 0.0) for n in range(number)]
    known = [LabelledImage("l", picture(1), rng.normal(size=5).astype(np.float32))]
    every = np.stack([known[0].feature, *features]).astype(float)
    scaled = (every - every.mean(axis=0)) / every.std(axis=0)
    distances = np.sqrt(np.mean((scaled[:, None] - scaled) ** 2, axis=2))
    gains = [bits @ np.maximum(distances[1:, 0] - distances[1:, 1 + n], 0) for n in range(number)]
    found = choose(pool, known, 1, "both", 0).chosen[0]
    assert found.candidate == int(np.argmax(gains))
    np.testing.assert_allclose(found.score, max(gains) / (bits @ distances[1:, 0]), rtol=1e-6)


def test_features_that_do_not_vary_count_for_nothing() -> None:
    pool = [
        Candidate(f"c{n}", picture(n), np.array([place, 7.0], np.float32), 1.0, 0.0)
        for n, place in enumerate([1.0, 3.0])
    ]
    known = [LabelledImage("l", picture(60), np.array([0.0, 7.0], np.float32))]
    found = choose(pool, known, 1, "diversity", 0).chosen[0]
    np.testing.assert_allclose(found.distance, 3 / np.std([0, 1, 3]) / np.sqrt(2), rtol=1e-6)


def test_random_draws_by_the_seed_and_a_longer_list_begins_like_a_shorter_one() -> None:
    pool = candidates([0.0] * 20)
    drawn = order(pool, [], 20, "random", 1)
    assert sorted(drawn) == list(range(20))
    assert order(pool, [], 5, "random", 1) == drawn[:5]
    assert order(pool, [], 20, "random", 2) != drawn


@pytest.mark.parametrize("method", METHODS)
def test_near_copies_are_never_chosen(method: str) -> None:
    pool = candidates([3, 4, 5, 6], [1, 2, 3, 4])
    twin = pool[3].thumbnail + np.uint8(3)  # of the image with the highest score, but for chance
    pool.append(Candidate("twin", twin, pool[3].feature, 3.5, 0.0))
    known = [*labelled(0), LabelledImage("other subset", pool[2].thumbnail, None)]
    found = choose(pool, known, 10, method, 0)
    assert sorted(choice.candidate for choice in found.chosen) in ([0, 1, 3], [0, 1, 4])
    copied = dict(found.near_copies)
    assert copied.pop(2) == "other subset"
    assert copied in ({4: "c3"}, {3: "twin"})


@pytest.mark.parametrize("method", ["both", "diversity"])
def test_without_labelled_images_the_first_is_like_nothing(method: str) -> None:
    found = choose(candidates([4, 9, 10], [1.0, 2.0, 1.5]), [], 3, method, 0)
    assert (found.chosen[0].distance, found.chosen[0].nearest) == (None, None)
    assert found.chosen[0].candidate == (1 if method == "both" else 0)
    assert found.chosen[0].stands_for == 3
    assert found.chosen[1].nearest == f"c{found.chosen[0].candidate}"


def test_images_that_are_no_centres_are_at_no_distance() -> None:
    known = [*labelled(0), LabelledImage("validation", picture(50), None)]
    assert choose(candidates([1]), known, 1, "diversity", 0).chosen[0].nearest == "l0"
