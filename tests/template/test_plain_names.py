"""Two names of one hyper-parameter."""

from __future__ import annotations

from pathlib import Path

import pytest

from otx_seg.errors import UsageError
from otx_seg.template import list_parameters, load
from otx_seg.template.plain_names import by_own_names, plainly
from otx_seg.training.setup.plan import Request

EPOCHS, OWN = "learning_parameters.epochs", "learning_parameters.num_iters"
SAME = "are two names of the same parameter; give one of them"


def test_both_names_mean_the_same_and_a_run_records_its_own() -> None:
    template = load("SegNext-t")
    changed = template.override({EPOCHS: "7"})
    assert changed == template.override({OWN: 7})
    assert changed.as_dict()["hyper_parameters"]["learning_parameters"]["num_iters"] == 7
    assert "epochs" not in changed.as_dict()["hyper_parameters"]["learning_parameters"]
    assert Request(parameters={EPOCHS: 7}).parameters == {OWN: 7}
    assert (plainly(OWN), plainly(EPOCHS), plainly("other.name")) == (EPOCHS, EPOCHS, "other.name")


def test_every_plain_name_is_another_one_and_no_parameter_has_it() -> None:
    listed = list_parameters(load("SegNext-t"))
    renamed = [item for item in listed if item.plain != item.name]
    assert len(renamed) > 9
    assert not {item.plain for item in renamed} & {item.name for item in listed}
    assert len({item.plain for item in listed}) == len(listed)
    for item in renamed:
        assert by_own_names({item.plain: item.value}) == {item.name: item.value}
        assert item.names == f"{item.plain} (or {item.name.split('.')[1]})"


def test_what_is_wrong_is_told_by_the_plain_name() -> None:
    template = load("SegNext-t")
    with pytest.raises(UsageError, match=f"^{EPOCHS} and {OWN} {SAME}$"):
        template.override({EPOCHS: 7, OWN: 7})
    for name in (EPOCHS, OWN):
        with pytest.raises(UsageError, match=rf"^{EPOCHS}: 0 is not usable.*1 to 100000"):
            template.override({name: 0})
    with pytest.raises(UsageError, match=rf"did you mean '{EPOCHS}'"):
        template.override({"learning_parameters.epoch": 7})


def test_in_template_files(tmp_path: Path) -> None:
    def saved(name: str, values: str, more: str = "") -> Path:
        file = tmp_path / name
        file.write_text(f"hyper_parameters: {{learning_parameters: {{{values}}}}}\nname: Mine\nid: mine\n{more}")
        return file

    below = saved("below.yaml", "epochs: 7, ema_decay: 0.5", "extends: SegNext-t\n")
    above = saved("above.yaml", "num_iters: 8", "extends: below.yaml\n")
    searched = saved(
        "searched.yaml",
        "ema_keep: 0.25",
        "extends: below.yaml\nsearch_space: {learning_parameters: {ema_decay: {low: 0.1, high: 0.5}}}\n",
    )
    parameters = load(below).hyper_parameters.learning_parameters
    assert (parameters.num_iters, parameters.ema_keep) == (7, 0.5)
    assert load(above).hyper_parameters.learning_parameters.num_iters == 8
    assert list(load(searched).search_space["learning_parameters"])[-1] == "ema_keep"
    both = saved("both.yaml", "epochs: 7, num_iters: 7", "extends: SegNext-t\n")
    with pytest.raises(UsageError, match=rf"both\.yaml: learning_parameters\.epochs and num_iters {SAME}"):
        load(both)
