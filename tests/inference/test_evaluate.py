from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch

from otx_seg.datasets import Subset
from otx_seg.errors import DataError, UsageError
from otx_seg.inference.evaluate import count_pixels, evaluate
from otx_seg.inference.predictor import load_predictor
from otx_seg.labels import Labels, default_colors
from otx_seg.metrics.boundary import boundary_counts
from otx_seg.metrics.choice import MetricChoice
from otx_seg.metrics.confusion import confusion_matrix, scores
from otx_seg.metrics.definitions import METRICS
from otx_seg.runtime.augmented_views import parse_views
from otx_seg.runtime.masks import PostProcessing
from otx_seg.runtime.predict_mask import parse_window, predict_mask
from otx_seg.runtime.predictor import Predictor

PIXELS = 4 * 60 * 100


@pytest.fixture(scope="module")
def predictor(tiny_weights: Path) -> Predictor:
    return load_predictor(tiny_weights, device="cpu")


def test_a_network_that_drew_the_masks_is_right_on_nearly_every_pixel(predictor: Predictor, tiny_data: Subset) -> None:
    found = evaluate(predictor, tiny_data, batch_size=3)
    assert found.images == 4
    assert found.scores.absent == ()
    # Pixels between two labels are decided by rounding, and interpolation is rounded in another order here.
    assert found.scores.pixel_accuracy > 0.9995
    assert found.scores.dice_average > 0.999
    assert sum(score.pixels_true for score in found.scores.per_label.values()) == PIXELS
    assert found.seconds_per_image > 0


@pytest.mark.parametrize("kind", ["tiny_ir", "tiny_onnx"])
def test_exported_models_score_as_the_network(
    kind: str, predictor: Predictor, tiny_data: Subset, request: pytest.FixtureRequest
) -> None:
    exported = load_predictor(request.getfixturevalue(kind))
    difference = evaluate(exported, tiny_data).scores.dice_average - evaluate(predictor, tiny_data).scores.dice_average
    assert abs(difference) < 0.001


def test_batches_and_workers_change_nothing(predictor: Predictor, tiny_data: Subset) -> None:
    expected = count_pixels(predictor, tiny_data, range(4), batch_size=1, workers=0).confusion
    assert int(expected.sum()) == PIXELS
    assert torch.equal(count_pixels(predictor, tiny_data, range(4), batch_size=4, workers=2).confusion, expected)


def test_parts_add_up(predictor: Predictor, tiny_data: Subset) -> None:
    whole = count_pixels(predictor, tiny_data, range(4), 2, 0)
    parts = [count_pixels(predictor, tiny_data, indices, 2, 0) for indices in ([0, 2], [3, 1], [])]
    assert torch.equal(parts[0].confusion + parts[1].confusion, whole.confusion)
    assert int(parts[2].confusion.sum()) == 0
    assert parts[2].per_image.shape == (0, *whole.per_image.shape[1:])
    assert torch.equal(torch.cat((parts[0].per_image, parts[1].per_image)), whole.per_image[[0, 2, 3, 1]])
    agreed, true, predicted = whole.per_image.sum(dim=0).T
    assert torch.equal(agreed, whole.confusion.diag())
    assert torch.equal(true, whole.confusion.sum(dim=1))
    assert torch.equal(predicted, whole.confusion.sum(dim=0))


def test_progress(predictor: Predictor, tiny_data: Subset) -> None:
    done: list[int] = []
    evaluate(predictor, tiny_data, batch_size=3, progress=done.append)
    assert done == [3, 4]


class Constant:
    """A model that gives every pixel the same probabilities."""

    gives_masks = False
    kind = "torch"
    input_size = (4, 4)
    template = None

    def __init__(self, labels: Labels, probabilities: list[float], post_processing: PostProcessing) -> None:
        self.labels, self.post_processing = labels, post_processing
        self._planes = np.array(probabilities, np.float32)[None, :, None, None]

    def probabilities(self, images: np.ndarray) -> np.ndarray:
        return np.tile(self._planes, (len(images), 1, 4, 4))


def test_scores_by_hand_with_ignored_pixels(tiny_data: Subset, tmp_path: Path) -> None:
    # One image of 2 x 5 pixels: 4 of label 1, 2 of label 2, 1 of label 0, 3 ignored; the model says 1 everywhere.
    (tmp_path / "images").mkdir()
    (tmp_path / "masks").mkdir()
    cv2.imwrite(str(tmp_path / "images" / "0.png"), np.zeros((2, 5, 3), np.uint8))
    cv2.imwrite(str(tmp_path / "masks" / "0.png"), np.array([[1, 1, 1, 1, 0], [2, 2, 255, 255, 255]], np.uint8))
    sample = replace(
        tiny_data.samples[0],
        **{"images_folder": str(tmp_path / "images"), "masks_folder": str(tmp_path / "masks")},
        **{"name": "0.png", "mask_name": "0.png"},
    )
    subset = replace(tiny_data, samples=(sample,))
    found = evaluate(Constant(subset.labels, [0.1, 0.4, 0.3, 0.2], PostProcessing(0.0, 1)), subset).scores
    assert found.per_label["red brick"].dice == pytest.approx(2 * 4 / (4 + 7))
    assert found.per_label["pole"].dice == 0
    assert found.absent == ("sky",)
    assert found.dice_average == pytest.approx((8 / 11 + 0) / 2)
    assert found.m_dice == pytest.approx((8 / 11 + 0 + 0) / 3)
    assert found.pixel_accuracy == pytest.approx(4 / 7)
    # Below a threshold of 0.5 every pixel is label 0.
    found = evaluate(Constant(subset.labels, [0.1, 0.4, 0.3, 0.2], PostProcessing(0.5, 1)), subset).scores
    assert found.pixel_accuracy == pytest.approx(1 / 7)


def test_where_nothing_is_to_be_scored_it_says_so(tiny_data: Subset, messages: Any, tmp_path: Path) -> None:
    for folder, value in (("images", 7), ("masks", 0)):
        (tmp_path / folder).mkdir()
        cv2.imwrite(str(tmp_path / folder / "0.png"), np.full((2, 5), value, np.uint8))
    where = {"images_folder": str(tmp_path / "images"), "masks_folder": str(tmp_path / "masks")}
    subset = replace(tiny_data, samples=(replace(tiny_data.samples[0], **where, name="0.png", mask_name="0.png"),))
    found = evaluate(Constant(subset.labels, [0.1, 0.4, 0.3, 0.2], PostProcessing(0.0, 1)), subset).scores
    assert (found.dice_average, found.m_dice, found.pixel_accuracy) == (0.0, 0.0, 0.0)
    assert found.false_alarms == {"red brick": 10}
    assert "show none of red brick, pole, sky; there is nothing to take a Dice average of" in messages.text


def test_labels_are_matched_by_name(predictor: Predictor, tiny_data: Subset) -> None:
    names = ("background", "pole", "red brick", "sky")
    code = replace(tiny_data.mask_code, names=names)
    # The files' 1 is now a pole and their 2 red brick: the other way round than the model says.
    other = replace(tiny_data, labels=Labels(names, default_colors(4), 0), mask_code=code)
    as_drawn, swapped = evaluate(predictor, tiny_data).scores, evaluate(predictor, other).scores
    assert as_drawn.per_label["sky"] == swapped.per_label["sky"]
    assert swapped.per_label["pole"].pixels_true == as_drawn.per_label["red brick"].pixels_true
    assert swapped.per_label["pole"].dice < 1


def test_a_label_the_model_does_not_know_is_refused(predictor: Predictor, tiny_data: Subset) -> None:
    names = ("background", "red brick", "pole", "cloud")
    other = replace(tiny_data, labels=Labels(names, default_colors(4), 0))
    with pytest.raises(UsageError, match=r"does not know the label 'cloud'; it knows background, red brick, pole, sky"):
        evaluate(predictor, other)


def test_no_images(predictor: Predictor, tiny_data: Subset) -> None:
    with pytest.raises(DataError, match="has no images to evaluate on"):
        evaluate(predictor, replace(tiny_data, samples=()))


def test_an_unreadable_image_is_named(predictor: Predictor, tiny_data: Subset) -> None:
    broken = replace(tiny_data.samples[0], name="missing.png")
    with pytest.raises(DataError, match=r"missing\.png"):
        count_pixels(predictor, replace(tiny_data, samples=(broken,)), [0], 1, 0)


def test_confusion_has_truth_in_rows(tiny_data: Subset) -> None:
    model = Constant(tiny_data.labels, [0.0, 0.0, 1.0, 0.0], PostProcessing(0.0, 1))
    found = count_pixels(model, tiny_data, [1], 1, 0).confusion
    mask = torch.from_numpy(tiny_data.read_mask(tiny_data.samples[1]))
    assert torch.equal(found, confusion_matrix(torch.full_like(mask, 2), mask, 4))
    assert found[:, 2].sum() == 6000


@pytest.mark.parametrize(
    ("window", "tta"), [("30x40", None), (None, "flip"), (None, "0.75,1.5"), ("100x200", "flip"), ("30x40", "flip,1.5")]
)
def test_windows_and_augmented_views_count_every_pixel_as_predict_mask_does(
    window: str | None, tta: str | None, predictor: Predictor, tiny_data: Subset
) -> None:
    cut, views = parse_window(window, 0.25 if window else None), parse_views(tta)
    done: list[int] = []
    found = evaluate(predictor, tiny_data, progress=done.append, window=cut, views=views)
    confusion = torch.zeros(4, 4, dtype=torch.int64)
    for sample in tiny_data.samples:
        mask = predict_mask(predictor, tiny_data.read_image(sample), cut, views)
        confusion += confusion_matrix(torch.from_numpy(mask), torch.from_numpy(tiny_data.read_mask(sample)), 4)
    assert found.scores == scores(confusion, tiny_data.labels)
    assert int(confusion.sum()) == PIXELS
    assert confusion.diag().sum() < PIXELS  # it is not the plain look that drew these masks
    assert done == [1, 2, 3, 4]
    values = found.as_json()
    assert values.get("sliding_window") == window
    assert values.get("overlap") == (0.25 if window else None)
    assert values.get("tta") == tta


def test_bands_of_rows_are_counted_once(
    predictor: Predictor, tiny_data: Subset, monkeypatch: pytest.MonkeyPatch
) -> None:
    window, choice = parse_window("30x40", None), MetricChoice((METRICS["dice"], METRICS["boundary_iou"]))
    whole = evaluate(predictor, tiny_data, window=window, choice=choice)
    monkeypatch.setattr("otx_seg.inference.evaluate._PIXELS_AT_ONCE", 700)
    monkeypatch.setattr("otx_seg.metrics.boundary._PIXELS_AT_ONCE", 700)
    found = evaluate(predictor, tiny_data, window=window, choice=choice)
    assert (found.scores, found.measured) == (whole.scores, whole.measured)


@pytest.mark.parametrize(("window", "tta"), [(None, None), ("30x40", None), (None, "flip"), (None, "flip,1.5")])
def test_boundaries_are_those_of_the_predicted_masks(
    window: str | None, tta: str | None, predictor: Predictor, tiny_data: Subset
) -> None:
    cut, views = parse_window(window, None), parse_views(tta)
    choice = MetricChoice((METRICS["boundary_iou"],), boundary_width=0.03)
    found = evaluate(predictor, tiny_data, 3, window=cut, views=views, choice=choice)
    assert found.counted is not None
    assert found.counted.pixels.boundary is not None
    for counts, sample in zip(found.counted.pixels.boundary, tiny_data.samples, strict=True):
        mask = predict_mask(predictor, tiny_data.read_image(sample), cut, views)
        distance = 3  # 0.03 of the diagonal of 60 x 100 pixels, which is 116.6
        assert torch.equal(counts, boundary_counts(mask, tiny_data.read_mask(sample), 4, distance))
    agreed, true, predicted = found.counted.pixels.boundary.sum(dim=0).T
    ious = (agreed / (true + predicted - agreed)).tolist()
    (of_set,) = found.measured
    assert list(of_set.per_label.values()) == pytest.approx(ious)
    assert of_set.mean == pytest.approx(sum(ious[1:]) / 3)


def test_what_was_not_asked_for_is_not_counted(predictor: Predictor, tiny_data: Subset) -> None:
    found = evaluate(predictor, tiny_data, choice=MetricChoice((METRICS["iou"],)))
    assert found.counted is not None
    assert found.counted.pixels.boundary is None
    values = found.as_json()
    assert values["metrics"] == {"iou": {"mean": found.measured[0].mean, "with_background": values["mIoU"]}}
    assert "boundary_width" not in values
    assert not {"metrics", "boundary_width", "without_labels"} & set(evaluate(predictor, tiny_data).as_json())


def test_labels_left_out(tiny_data: Subset, messages: Any) -> None:
    model = Constant(tiny_data.labels, [0.1, 0.4, 0.3, 0.2], PostProcessing(0.0, 1))
    whole = evaluate(model, tiny_data)
    found = evaluate(model, tiny_data, choice=MetricChoice(left_out=("sky", "pole")))
    assert found.scores.left_out == ("pole", "sky")
    # Only brick is predicted: the pixels of the others are its errors, whether they are left out or not.
    assert found.scores.dice_average == whole.scores.per_label["red brick"].dice == 3 * whole.scores.dice_average
    assert found.counted is not None
    assert len(found.counted.worst(9)) == 4
    assert found.measured[0].mean == found.scores.dice_average


def test_the_time_is_that_of_an_image_with_all_its_windows(tiny_data: Subset, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter(range(1000))  # every call of the network takes one second
    monkeypatch.setattr("otx_seg.inference.evaluate.time.perf_counter", lambda: float(next(clock)))
    model = Constant(tiny_data.labels, [0.1, 0.4, 0.3, 0.2], PostProcessing(0.0, 1))
    model.input_size = (4, 4)
    found = evaluate(model, tiny_data, window=parse_window("30x50", 0))
    assert found.seconds_per_image == pytest.approx(2 * 2)
    assert evaluate(model, tiny_data).seconds_per_image == pytest.approx(1)


def test_the_size_of_a_mask_is_checked_with_windows_too(
    predictor: Predictor, tiny_data: Subset, tmp_path: Path
) -> None:
    (tmp_path / "images").mkdir()
    cv2.imwrite(str(tmp_path / "images" / "0.png"), np.zeros((61, 100, 3), np.uint8))
    odd = replace(tiny_data.samples[0], images_folder=str(tmp_path / "images"))
    with pytest.raises(DataError, match=r"the mask has 100 x 60 pixels, its image .* has 100 x 61"):
        evaluate(predictor, replace(tiny_data, samples=(odd,)), window=parse_window("30x40", None))
