"""Template files: every shipped one is valid, and a broken one is refused with the key and the remedy."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from otx_seg.errors import UsageError
from otx_seg.template import default_template, find_template_file, find_templates, from_dict, list_parameters, load


def changed(tmp_path: Path, **changes: object) -> Path:
    """A copy of a shipped template with top-level keys replaced."""
    content = yaml.safe_load(find_template_file("Lite-HRNet-s-mod2").read_text())
    path = tmp_path / "changed.yaml"
    path.write_text(yaml.safe_dump({**content, **changes}))
    return path


def test_the_published_templates_are_found() -> None:
    names = {template.name for template in find_templates()}
    assert names >= {
        "Lite-HRNet-s-mod2",
        "Lite-HRNet-18-mod2",
        "Lite-HRNet-18",
        "Lite-HRNet-x-mod3",
        "SegNext-t",
        "SegNext-s",
        "SegNext-b",
    }
    assert default_template() == "EfficientNet-Lite0-FPN"
    assert [template.default for template in find_templates()].count(True) == 1


@pytest.mark.parametrize("name", [template.name for template in find_templates()])
def test_a_template_survives_being_resolved_and_read_back(name: str, tmp_path: Path) -> None:
    template = load(name).override({"learning_parameters.batch_size": 3})
    resolved = tmp_path / "resolved.yaml"
    resolved.write_text(template.as_yaml())
    assert load(resolved) == template


def test_parameters_without_decay_of_an_earlier_version_are_a_group(tmp_path: Path) -> None:
    content = load("SegNext-t").as_dict()
    del content["parameter_groups"]
    content["optimizer"]["undecayed"] = ["norm", "log.step"]
    (tmp_path / "old.yaml").write_text(yaml.safe_dump(content))
    groups = [(group.match, group.rate, group.decay) for group in load(tmp_path / "old.yaml").parameter_groups]
    assert groups == [("norm", 1.0, 0.0), (r"log\.step", 1.0, 0.0)]


def test_a_shipped_template_begins_with_who_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = find_template_file("SegNext-t").read_text().replace("id: ", "summary: ", 1)
    (tmp_path / "new.yaml").write_text(text)
    monkeypatch.setattr("otx_seg.template.listing.templates_folder", lambda: tmp_path)
    with pytest.raises(UsageError, match=r"new\.yaml: .* above `model`: id$"):
        find_templates()


def test_digests_are_those_that_the_names_of_the_files_end_with() -> None:
    found = 0
    for summary in find_templates():
        published = load(summary.path).pretrained
        digits = re.search(r"-([0-9a-f]{8})\.pth$", published.url or published.file or "")
        if digits:
            found += 1
            assert published.sha256 is not None, summary.name
            assert published.sha256.startswith(digits[1]), summary.name
            assert published.licence or summary.family == "SegNeXt", summary.name
    assert found > 10


def test_name_and_id_in_any_case_and_path() -> None:
    template = load("segnext-T")
    assert load("CUSTOM_SEMANTIC_SEGMENTATION_SEGNEXT_T") == template
    assert load(find_template_file("SegNext-t")) == template


def test_an_unknown_name_gets_the_nearest() -> None:
    with pytest.raises(UsageError, match=r"did you mean 'Lite-HRNet-18'"):
        load("LiteHRNet-18")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"gradient_clip_nrom": 1.0}, r"unknown key 'gradient_clip_nrom'; did you mean 'gradient_clip_norm'"),
        ({"parameter_groups": [{"match": "(norm"}]}, r"match: '\(norm' is not usable: not a regular expression"),
        ({"gradient_clip_norm": "forty"}, r"gradient_clip_norm: 'forty' is not usable"),
        ({"category": "FAST"}, r"category: 'FAST'.*SPEED"),
        ({"hyper_parameters": {"learning_parameters": {"batch_size": 0}}}, r"batch_size: 0 .*1 to 512"),
        ({"hyper_parameters": {"learning_parameters": {"batch_size": "8"}}}, r"batch_size: '8' is not usable"),
        ({"hyper_parameters": {"learning_parameters": {"input_size": 100}}}, r"input_size: 100 .*HEIGHTxWIDTH of"),
        ({"hyper_parameters": {"learning_parameters": {"batchsize": 8}}}, r"did you mean 'batch_size'"),
        ({"optimizer": {"type": "Adam", "eps": "1e-8"}}, r"optimizer.eps: YAML reads 1e-8 as text; write 1.0e-8"),
        ({"optimizer": {"type": "Adam", "eps": "2.5E7"}}, r"write 2.5e\+7"),
    ],
)
def test_a_broken_template_is_refused(tmp_path: Path, changes: dict[str, object], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        load(changed(tmp_path, **changes))


def test_a_file_that_is_no_template(tmp_path: Path) -> None:
    path = tmp_path / "list.yaml"
    path.write_text("[1, 2]")
    with pytest.raises(UsageError, match=r"a template is a mapping"):
        load(path)
    path.write_text("a: [")
    with pytest.raises(UsageError, match=r"is not valid YAML"):
        load(path)
    with pytest.raises(UsageError, match=r"no such template file"):
        load(tmp_path / "missing.yaml")
    with pytest.raises(UsageError, match=r"the key 'name' is missing"):
        from_dict({}, "nowhere")


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("learning_parameters.batchsize", "8", r"did you mean 'learning_parameters.batch_size'"),
        ("learning_parameters.batch_size", "0", r"1 to 512"),
        ("learning_parameters.batch_size", "4.5", r"'4.5' is not usable"),
        ("learning_parameters.learning_rate", "nan", r"learning_rate"),
        ("learning_parameters.input_size", "500x500", r"multiple of 32"),
        ("learning_parameters.input_size", "huge", r"such as 512x512"),
        ("learning_parameters.precision", "fp8", r"auto \| fp32 \| bf16 \| fp16"),
        ("algo_backend.storage_cache_scheme", "PNG", r"not part of this version"),
        ("learning_parameters.auto_adapt_batch_size", "Half", r"None \| Safe \| Full"),
        ("algo_backend.mem_cache_size", "-1", r"0 to 1000000000000"),
        ("pot_parameters.preset", "Fast", r"Performance \| Mixed"),
    ],
)
def test_an_override_that_is_refused(name: str, value: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        load("SegNext-t").override({name: value})


def test_overrides_given_as_text_become_typed_values() -> None:
    parameters = (
        load("SegNext-t")
        .override(
            {
                "learning_parameters.batch_size": "4",
                "learning_parameters.learning_rate": "6e-5",
                "learning_parameters.enable_early_stopping": "false",
                "learning_parameters.input_size": "256x384",
            }
        )
        .hyper_parameters.learning_parameters
    )
    assert parameters.batch_size == 4
    assert parameters.learning_rate == 6e-5
    assert parameters.enable_early_stopping is False
    assert load("SegNext-t").override({"learning_parameters.input_size": "256x384"}).input_size == (256, 384)


def test_every_parameter_is_described() -> None:
    parameters = list_parameters(load("SegNext-t"))
    assert len(parameters) > 30
    for parameter in parameters:
        assert len(parameter.meaning) > 10, parameter.name
        assert parameter.kind in ("int", "float", "bool", "text", "choice")


def test_every_parameter_of_the_original_is_known() -> None:
    known = {parameter.name for parameter in list_parameters(load("SegNext-t"))}
    learning = (
        "batch_size learning_rate learning_rate_warmup_iters num_iters num_workers enable_early_stopping "
        "early_stop_start early_stop_patience early_stop_iteration_patience enable_supcon auto_adapt_batch_size "
        "auto_num_workers input_size unlabeled_batch_size inference_batch_size use_adaptive_interval"
    )
    assert {f"learning_parameters.{name}" for name in learning.split()} <= known
    assert {
        "postprocessing.confidence_threshold",
        "postprocessing.result_based_confidence_threshold",
        "postprocessing.blur_strength",
        "postprocessing.soft_threshold",
        "algo_backend.train_type",
        "algo_backend.mem_cache_size",
        "algo_backend.storage_cache_scheme",
        "pot_parameters.preset",
        "pot_parameters.stat_subset_size",
        "nncf_optimization.enable_quantization",
        "nncf_optimization.enable_pruning",
        "nncf_optimization.pruning_supported",
        "nncf_optimization.maximal_accuracy_degradation",
    } <= known
