"""Which network judges which image."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from brief_training import PARAMETERS
from small_network import small_file

from otx_seg.datasets import open_folder
from otx_seg.datasets.synthetic.draw import draw_dataset
from otx_seg.errors import UsageError
from otx_seg.inference.predictor import load_predictor
from otx_seg.labelling.judgement import judge
from otx_seg.labelling.judges import open_judges
from otx_seg.training.recorded_data import read_recorded
from otx_seg.verbs.check import check
from otx_seg.verbs.cross_validate import cross_validate
from otx_seg.workspace.run_folder import RunFolder


@pytest.fixture(scope="module")
def folds(drawn_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two folds of the eight images."""
    folder = tmp_path_factory.mktemp("runs") / "folds"
    brief = {**PARAMETERS, "learning_parameters.num_iters": 1, "learning_parameters.learning_rate": 0.01}
    cross_validate(drawn_data / "train", folds=2, template=small_file(), parameters=brief, output=folder)
    return folder


def test_each_image_is_judged_by_the_network_that_has_not_seen_it(folds: Path, drawn_data: Path) -> None:
    judges = open_judges([folds])
    subset = open_folder(drawn_data)["train"]
    runs = [RunFolder(folds).fold(number) for number in (1, 2)]
    for sample in subset.samples:
        unseen = [run for run in runs if sample.name not in read_recorded(run).train]
        assert len(unseen) == 1
        pair = subset.read_image(sample), subset.read_mask(sample)
        expected = judge(load_predictor(unseen[0].weights), *pair)
        np.testing.assert_array_equal(judge(judges.of(sample.name), *pair), expected)
    assert judges.caution([sample.name for sample in subset.samples]) == ""
    assert judges.in_words == f"each mask is compared with the network of {folds} that has not seen it"


def test_other_images_are_judged_by_all_together(folds: Path, drawn_data: Path) -> None:
    judges = open_judges([folds])
    together = open_judges([RunFolder(folds).fold(number).weights for number in (1, 2)])
    subset = open_folder(drawn_data)["val"]
    pair = subset.read_image(subset.samples[0]), subset.read_mask(subset.samples[0])
    np.testing.assert_array_equal(judge(judges.of("unknown.png"), *pair), judge(together.of_others, *pair))


def test_folds_of_other_images_are_refused(folds: Path) -> None:
    judges = open_judges([folds])
    with pytest.raises(
        UsageError, match=r"folds are of other data: none of them has 2 images of data, such as 'x.png'"
    ):
        judges.refuse_unknown(["0000.jpg", "y.png", "x.png"], Path("data"))
    judges.refuse_unknown(["0000.jpg"], Path("data"))


def test_an_unfinished_fold_is_refused(folds: Path, tmp_path: Path) -> None:
    shutil.copytree(folds, tmp_path / "folds")
    (tmp_path / "folds" / "fold-2" / "models" / "weights.pth").unlink()
    with pytest.raises(UsageError, match=r"not trained yet: fold 2 of 2; .*otx train --resume-from"):
        open_judges([tmp_path / "folds"])


def test_folds_judge_alone(folds: Path, tiny_weights: Path) -> None:
    with pytest.raises(UsageError, match=r"holds folds, which judge alone"):
        open_judges([folds, tiny_weights])


def test_what_was_learned_by_heart_is_told(folds: Path, tiny_weights: Path) -> None:
    run = RunFolder(folds).fold(1)
    recorded = read_recorded(run)
    judges = open_judges([run.weights])
    caution = judges.caution([*recorded.train, *recorded.val])
    assert "learned from 4 of these 8 images" in caution
    assert "otx train --folds" in caution
    assert judges.caution(recorded.val) == ""
    assert "it is not known which images" in open_judges([tiny_weights]).caution(["a.png"])


def test_a_whole_data_set_is_checked_by_its_folds(folds: Path, drawn_data: Path, tmp_path: Path) -> None:
    """Training and validation images; nothing is said of faults that were learned by heart."""
    found = check(drawn_data, load_weights=folds, output=tmp_path / "out").mask_faults
    assert found is not None
    assert (found.images, found.caution) == (10, "")


def test_a_data_set_that_the_folds_do_not_know_is_refused(folds: Path, tmp_path: Path) -> None:
    draw_dataset(tmp_path / "data", images=20, size=64, seed=3)
    with pytest.raises(
        UsageError, match=r"these folds are of other data: none of them has \d+ images of .*data"
    ) as error:
        check(tmp_path / "data", load_weights=folds, output=tmp_path / "out")
    assert error.value.exit_code == 2
    assert list((tmp_path / "out").iterdir()) == []
