"""A training against the one before it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from run_records import evaluated, labels_called, record

from otx_seg.datasets import DataSpec
from otx_seg.metrics.confusion import PixelCounts, scores
from otx_seg.metrics.counted_images import CountedImages
from otx_seg.metrics.paired import FEW_IMAGES, paired_difference
from otx_seg.metrics.watched import DICE
from otx_seg.report.image_scores import write_image_scores
from otx_seg.report.run_report import last_round
from otx_seg.report.run_report.draw import write_page
from otx_seg.report.run_report.last_round import change_in_words, compare_rounds, last_round_lines
from otx_seg.report.run_report.record import read_record
from otx_seg.training.recorded_data import RecordedData
from otx_seg.workspace.run_folder import RunFolder

LABELS = labels_called("cat", "dog")
# Of two images of 100 pixels, by truth and prediction.
THEN = torch.tensor([[[80, 0, 0], [10, 10, 0], [0, 0, 0]], [[80, 0, 0], [0, 0, 0], [0, 0, 20]]])
NOW = torch.tensor([[[80, 0, 0], [0, 20, 0], [0, 0, 0]], [[80, 0, 0], [0, 0, 0], [5, 0, 15]]])


def counted(confusions: torch.Tensor, files: tuple[str, ...] = ("a.png", "b.png")) -> CountedImages:
    agreed = torch.diagonal(confusions, dim1=1, dim2=2)
    per_image = torch.stack((agreed, confusions.sum(2), confusions.sum(1)), dim=2)
    return CountedImages(LABELS, files, PixelCounts(confusions.sum(0), per_image))


@pytest.fixture
def run(tmp_path: Path) -> RunFolder:
    """The training before."""
    made = RunFolder(tmp_path / "1_train")
    made.page_record.parent.mkdir(parents=True)
    record("train", evaluated=evaluated(LABELS, THEN.sum(0), 2)).write(made)
    write_image_scores(counted(THEN), made.image_scores)
    return made


def compared(run: RunFolder, now: torch.Tensor = NOW, **more: Any) -> Any:
    return compare_rounds(run, RunFolder(run.path.parent / "2_train"), scores(now.sum(0), LABELS), counted(now, **more))


def began_with(weights: Path | None, run: RunFolder) -> None:
    """What the training that is compared recorded."""
    made = RunFolder(run.path.parent / "2_train")
    made.data.parent.mkdir(parents=True, exist_ok=True)
    RecordedData(1, "", (), (), (), (), data=DataSpec(run.path), load_weights=weights).write(made)


def test_what_has_changed(run: RunFolder) -> None:
    found = compared(run)
    # cat: 2 * 10 / (20 + 10), then all of it; dog: all of it, then 2 * 15 / (20 + 15).
    assert found.labels["cat"] == pytest.approx((2 / 3, 1))
    assert found.labels["dog"] == pytest.approx((1, 6 / 7))
    assert found.dice == pytest.approx((5 / 6, 13 / 14))
    assert list(found.files) == ["b.png", "a.png"]
    assert found.files["a.png"] == pytest.approx((2 / 3, 1), abs=1e-4)
    assert (found.run, found.images, found.masks_changed) == (str(run.path), "2 validation images", False)


def test_it_is_told_on_the_screen_and_the_page(run: RunFolder, tmp_path: Path) -> None:
    made = RunFolder(tmp_path / "2_train")
    made.page_record.parent.mkdir(parents=True)
    whole = record("train", evaluated=evaluated(LABELS, NOW.sum(0), 2), last_round=compared(run))
    whole.write(made)
    assert read_record(made).last_round == whole.last_round
    assert list(last_round_lines(made)) == [
        "Against the last training, 1_train, on all pixels of the same 2 validation images: Dice 0.8333 -> 0.9286 "
        "(+0.0952; so few images prove little); most: cat +0.333, dog -0.143.",
        "Each image by itself: 1 better and 1 worse by 0.01 or more; most changed: a.png 0.67 -> 1.00, b.png 1.00 -> "
        "0.86.",
    ]
    page = write_page(made).read_text()
    assert "Against the last training" in page
    assert all(text in page for text in ("+0.333", "-0.143", "+0.095", ">better<", ">worse<", "b.png"))
    assert "The last training had 0.833 on the same images (+0.0952; so few images prove little)." in page
    assert page.index("Against the last training") < page.index("Scores of the labels")
    # Without one, nothing is said.
    replace(whole, last_round=None).write(made)
    assert list(last_round_lines(made)) == []
    assert "Against the last training" not in write_page(made).read_text()
    assert list(last_round_lines(RunFolder(tmp_path / "none"))) == []


def test_few_images_prove_little(run: RunFolder) -> None:
    found = replace(compared(run), dice=(0.4, 0.5), standard_error=0.001)
    assert found.few_images
    assert change_in_words(found) == "+0.1000, standard error 0.0010; so few images prove little"
    for number in (FEW_IMAGES - 1, FEW_IMAGES):
        names = tuple(map(str, range(number)))
        many = counted(NOW[:1].expand(number, 3, 3), names)
        write_image_scores(many, run.image_scores)
        few = compare_rounds(run, run, scores(many.pixels.confusion, LABELS), many)
        assert few is not None
        assert few.few_images == (number < FEW_IMAGES)


def test_more_minutes_of_training_are_not_taken_for_new_labels(run: RunFolder) -> None:
    made = RunFolder(run.path.parent / "2_train")
    for weights, continued in ((None, False), (run.path / "other.pth", False), (run.weights, True)):
        began_with(weights, run)
        found = compared(run)
        assert found.continued == continued
        made.page_record.parent.mkdir(parents=True, exist_ok=True)
        record("train", evaluated=evaluated(LABELS, NOW.sum(0), 2), last_round=found).write(made)
        told = "its minutes of training count in the change too, not only new labels"
        assert [told in line for line in last_round_lines(made)] == ([False, True, False] if continued else [False] * 2)
        assert (told in write_page(made).read_text()) == continued


def test_corrected_masks_are_noticed(run: RunFolder, tmp_path: Path) -> None:
    other = NOW.clone()
    other[0, 1] = torch.tensor([0, 25, 0])
    found = compared(run, other)
    assert found.masks_changed
    record("train", evaluated=evaluated(LABELS, other.sum(0), 2), last_round=found).write(run)
    assert "masks of these images have changed since" in list(last_round_lines(run))[-1]
    assert "had 0.833, on other masks of the same images." in write_page(run).read_text()
    assert "masks of these images have changed since" in write_page(run).read_text()


def test_a_change_is_told_from_noise(run: RunFolder, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert compared(run).standard_error is None  # the counts of the training before are gone
    RecordedData(1, "", (), ("b.png", "a.png"), (), (), data=DataSpec(tmp_path)).write(run)
    then = torch.tensor([[[80, 0, 0], [5, 15, 0], [5, 0, 15]], [[70, 5, 5], [0, 10, 0], [10, 0, 20]]])
    before, now = counted(then).pixels.per_image, torch.flip(then, (0,)) + 1
    monkeypatch.setattr(last_round, "read_checkpoint", lambda file: {"best_per_image": before[[1, 0]]})
    found = replace(compared(run, now), few_images=False)
    expected = paired_difference(counted(now).pixels.per_image, before, DICE, LABELS).standard_error
    assert found.standard_error == pytest.approx(expected)
    assert expected > 0.001
    for factor, where in ((1.9, "within"), (2.1, "beyond")):
        for sign in (1, -1):
            changed = replace(found, dice=(0.5, 0.5 + sign * factor * expected))
            assert f"{sign * factor * expected:+.4f}, {where} the noise: standard error" in change_in_words(changed)
    # The training before may know fewer labels, and no label by the same number.
    fewer = record("train", evaluated=evaluated(labels_called("dog"), then.sum(0)[::2, ::2], 2))
    fewer.write(run)
    monkeypatch.setattr(last_round, "read_checkpoint", lambda file: {"best_per_image": before[[1, 0]][:, ::2]})
    known = before.clone()
    known[:, 1] = 0
    expected = paired_difference(counted(now).pixels.per_image, known, DICE, LABELS).standard_error
    assert compared(run, now).standard_error == pytest.approx(expected)


def test_other_images_or_none_are_not_compared(run: RunFolder, messages: Any) -> None:
    assert compared(run, files=("a.png", "c.png")) is None
    assert "its scores are of other images" in messages.text
    run.image_scores.write_text("file,dice\na.png,high\n")
    assert compared(run) is None
    assert "per_image.csv: is damaged" in messages.text
    run.image_scores.unlink()
    assert compared(run) is None
    assert compared(RunFolder(run.path.parent / "none")) is None
