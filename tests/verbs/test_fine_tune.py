"""`otx optimize` of trained weights: quantised, fine-tuned until it is as good as promised, resumable."""

from __future__ import annotations

import json
import os
import shutil
import signal
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import openvino
import pytest
import torch
from brief_training import At
from small_network import small_template

from otx_seg.datasets import open_folder
from otx_seg.datasets.synthetic.draw import NAMES
from otx_seg.deployment.agreement import drawn_images
from otx_seg.errors import OtxError, UsageError
from otx_seg.inference.evaluate import evaluate
from otx_seg.inference.predictor import load_predictor
from otx_seg.inference.torch_predictor import open_checkpoint
from otx_seg.models.quantized_conv import QuantizedConv2d, is_quantized
from otx_seg.runtime.openvino_core import openvino_core
from otx_seg.runtime.predict_mask import predict_mask
from otx_seg.template import load as load_template
from otx_seg.training.checkpoint import find_checkpoint, read_checkpoint
from otx_seg.training.loggers import read_metrics
from otx_seg.training.recorded_data import read_recorded
from otx_seg.verbs.export import export
from otx_seg.verbs.optimize import optimize
from otx_seg.verbs.train import train
from otx_seg.workspace.run_folder import RunFolder
from otx_seg.workspace.weights import read_weights, write_weights

BRIEF = {
    "learning_parameters.batch_size": 2,
    "learning_parameters.num_workers": 0,
    "pot_parameters.stat_subset_size": 2,
    "nncf_optimization.learning_rate": 2e-3,
    "nncf_optimization.num_epochs": 2,
    "nncf_optimization.batch_norm_epochs": 1,
    "nncf_optimization.maximal_accuracy_degradation": 0,
}
"""Two epochs of two steps: no loss at all is allowed, and rounding costs some."""


def interrupt() -> None:
    os.kill(os.getpid(), signal.SIGINT)


@pytest.fixture(scope="module")
def data(small_weights: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four images whose masks are what the network of `small_weights` says of them."""
    root = tmp_path_factory.mktemp("said")
    predictor = open_checkpoint(small_weights, device="cpu")
    for folder in ("images", "masks"):
        (root / folder).mkdir()
    for number, image in enumerate(drawn_images((60, 100))):
        cv2.imwrite(str(root / "images" / f"{number}.png"), image[:, :, ::-1])
        cv2.imwrite(str(root / "masks" / f"{number}.png"), predict_mask(predictor, image))
    meta = {"label_map": {str(index): name for index, name in enumerate(NAMES)}}
    (root / "dataset_meta.json").write_text(json.dumps(meta))
    return root


@pytest.fixture(scope="module")
def finished(small_weights: Path, data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that was not interrupted and reached no goal."""
    run = tmp_path_factory.mktemp("runs") / "finished"
    result: Any = optimize(small_weights, data, data, output=run, parameters=BRIEF)
    assert result.weights == run / "nncf" / "weights.pth"
    assert result.epochs == 2
    assert result.reason == "2 epochs done"
    return run


def performance(run: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((run / "nncf" / "nncf_performance.json").read_text())
    return content


def test_a_run_leaves_what_the_documentation_lists(finished: Path) -> None:
    assert sorted(file.name for file in (finished / "nncf").iterdir()) == [
        "label_schema.json",
        "nncf_performance.json",
        "openvino.bin",
        "openvino.xml",
        "weights.pth",
    ]
    assert not list(finished.glob(".unfinished*"))
    written = performance(finished)
    assert written["before"]["Dice Average"] == 1.0
    assert written["dice_loss"] == pytest.approx(1.0 - written["Dice Average"])
    assert 0 < written["quantized_layers"] < written["layers"]
    assert written["calibration_images"] == 2
    assert written["zeros"] == 0
    assert written["agreement"] >= 0.98
    assert written["size_bytes"] < 0.6 * written["before"]["size_bytes"]


def test_it_was_trained_at_its_own_rate_and_the_best_was_kept(finished: Path) -> None:
    lines = read_metrics(finished / "logs" / "metrics.jsonl")
    assert [line["step"] for line in lines if "Dice Average" in line] == [0, 2, 4]
    assert lines[1]["learning_rate"] == 2e-3
    scores = [line["Dice Average"] for line in lines if "Dice Average" in line]
    assert len(set(scores)) == 3
    assert performance(finished)["best_epoch"] == int(np.argmax(scores))


def test_the_weights_and_their_model_are_the_same_network(finished: Path, data: Path, tmp_path: Path) -> None:
    weights = finished / "nncf" / "weights.pth"
    network, model = load_predictor(weights, device="cpu"), load_predictor(finished / "nncf" / "openvino.xml")
    assert is_quantized(network.network)  # type: ignore[attr-defined]
    batches = [np.ascontiguousarray(image.transpose(2, 0, 1)[None]) for image in drawn_images((64, 64))]
    difference = [np.abs(network.probabilities(batch) - model.probabilities(batch)) for batch in batches]
    # A few inputs are rounded to a neighbour, and a temperature of 0.2 makes five times as much of it.
    assert np.mean(difference) < 0.05
    assert read_weights(weights).template == small_template()
    again = export(weights, output=tmp_path / "ir", compare_on=data / "images")
    assert again.agreement >= 0.98
    assert again.model.with_suffix(".bin").read_bytes() == (finished / "nncf" / "openvino.bin").read_bytes()
    assert export(weights, export_type="onnx", output=tmp_path / "onnx", compare_on=data / "images").agreement >= 0.98


def test_the_exported_layers_compute_with_integers(finished: Path) -> None:
    compiled = openvino_core().compile_model(finished / "nncf" / "openvino.xml", "CPU")
    executed = [node.get_rt_info() for node in compiled.get_runtime_model().get_ops()]
    precisions = [info["runtimePrecision"].astype(str) for info in executed]
    assert sum(precision in ("i8", "u8") for precision in precisions) >= performance(finished)["quantized_layers"]


def test_the_best_network_scores_what_its_validation_did(finished: Path, data: Path) -> None:
    predictor = load_predictor(finished / "nncf" / "weights.pth", device="cpu")
    # Sums in another order, as in batches of another size, are rounded to other neighbours now and then. Validations
    # decide masks before the temperature is known; between interpolated probabilities it moves a few pixels.
    score = evaluate(predictor, open_folder(data)["default"], batch_size=2).scores.dice_average
    lines = read_metrics(finished / "logs" / "metrics.jsonl")
    assert score == pytest.approx(max(line["Dice Average"] for line in lines if "Dice Average" in line), abs=0.005)


def test_an_interrupted_run_goes_on_as_if_nothing_had_happened(
    small_weights: Path, data: Path, finished: Path, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    with pytest.raises(OtxError, match=r"interrupted by SIGINT after 3 steps.*otx optimize --resume-from .*run"):
        optimize(small_weights, data, data, output=run, parameters=BRIEF, loggers=[At(3, interrupt)])
    assert not (run / "nncf").exists()
    assert not list(run.glob(".unfinished*"))
    with pytest.raises(UsageError, match=r"of a run of otx optimize; use otx optimize --resume-from"):
        train(resume_from=run)
    with pytest.raises(UsageError, match=r"nncf_optimization.num_epochs = 2, not 3"):
        optimize(resume_from=run, parameters={"nncf_optimization.num_epochs": 3})
    with pytest.raises(UsageError, match="has seed 42, not 7"):
        optimize(resume_from=run, seed=7)
    with pytest.raises(UsageError, match="keeps its folder"):
        optimize(resume_from=run, output=tmp_path / "elsewhere")
    lost, saved = tmp_path / "lost", tmp_path / "lost_rescued"
    shutil.copytree(run, lost)
    with pytest.raises(
        OtxError, match=r"lost: was deleted.* in 4 steps is saved in \S+. Continue with: otx optimize --re"
    ):
        optimize(resume_from=lost, loggers=[At(4, lambda: shutil.rmtree(lost))])
    assert read_checkpoint(find_checkpoint(saved), "optimize")["position"]["step"] == 4
    assert read_recorded(RunFolder(saved)).load_weights == small_weights
    optimize(resume_from=run)
    one, other = (read_weights(folder / "nncf" / "weights.pth").state_dict for folder in (finished, run))
    assert one.keys() == other.keys()
    assert all(torch.equal(one[key], other[key]) for key in one)
    assert performance(run)["Dice Average"] == performance(finished)["Dice Average"]


def test_no_training_where_the_promise_holds_at_once_and_pruned_weights_stay_0(
    small_weights: Path, data: Path, tmp_path: Path, messages: Any
) -> None:
    parameters = {
        **BRIEF,
        "learning_parameters.watch": "miou",
        "nncf_optimization.maximal_accuracy_degradation": 100,
        "nncf_optimization.enable_pruning": True,
        "nncf_optimization.pruning_ratio": 0.4,
    }
    result: Any = optimize(small_weights, data, data, output=tmp_path / "run", parameters=parameters)
    assert (result.epochs, result.reason) == (
        0,
        "the validation mIoU is within the limit of 100 mIoU points, without training",
    )
    again: Any = optimize(resume_from=tmp_path / "run")
    assert (again.metric.key, again.loss, again.summary) == ("miou", result.loss, result.summary)
    assert result.loss == 1.0 - result.after.scores.m_iou
    watched = {**BRIEF, "learning_parameters.watch": "dice:x"}
    with pytest.raises(UsageError, match=r"watch=dice:x: there is no label 'x'"):
        optimize(small_weights, data, data, output=tmp_path / "other", parameters=watched)
    assert "pruned: 40.0 %" in messages.text
    assert performance(tmp_path / "run")["zeros"] == pytest.approx(0.4, abs=1e-3)
    network = open_checkpoint(result.weights, device="cpu").network
    layers = [module for module in network.modules() if isinstance(module, QuantizedConv2d)]
    zeros = sum(int((layer.rounded_weight() == 0).sum()) for layer in layers)
    model = openvino_core().read_model(result.model)
    assert sum(layer.weight.numel() for layer in layers) * 0.4 - 10 <= zeros
    assert zeros <= _zeros_of_quantised_kernels(model)


def _zeros_of_quantised_kernels(model: openvino.Model) -> int:
    count = 0
    for node in model.get_ordered_ops():
        if node.get_type_name() == "Convolution" and node.input_value(0).get_node().get_type_name() == "FakeQuantize":
            value = node.input_value(1).get_node()
            while value.get_type_name() != "Constant":
                value = value.input_value(0).get_node()
            count += int((value.get_data() == 0).sum())
    return count


def test_what_is_quantised_is_not_quantised_again(finished: Path, data: Path, tmp_path: Path) -> None:
    quantised = finished / "nncf"
    # Said before the data is looked at.
    nowhere = tmp_path / "nowhere"
    with pytest.raises(UsageError, match=r"weights.pth: is quantised already; give the weights that `otx train`"):
        optimize(quantised / "weights.pth", nowhere, nowhere, output=tmp_path / "a", parameters=BRIEF)
    with pytest.raises(UsageError, match=r"openvino.xml: is quantised already"):
        optimize(quantised / "openvino.xml", nowhere, nowhere, output=tmp_path / "b")
    with pytest.raises(UsageError, match="leave --half-precision out"):
        export(quantised / "weights.pth", half_precision=True, output=tmp_path / "c")
    assert not list(tmp_path.iterdir())


def test_a_result_is_replaced_on_demand_only(finished: Path, small_weights: Path, data: Path) -> None:
    with pytest.raises(UsageError, match=r"already holds a result .*; resume it with: otx optimize --res"):
        optimize(small_weights, data, data, output=finished, parameters=BRIEF)


def test_resuming_a_finished_run_gives_its_result_without_work(finished: Path, messages: Any) -> None:
    before = {path: path.stat().st_mtime_ns for path in finished.rglob("*") if path.name != "otx.log"}
    for named in (finished, finished / "logs" / "checkpoint" / "state.pth"):
        result: Any = optimize(resume_from=named)
        assert result.as_json() == performance(finished)
        assert (result.model, result.weights) == (finished / "nncf/openvino.xml", finished / "nncf/weights.pth")
        assert result.before.images == 4
    assert messages.text.count(f"{finished} is already finished: 2 epochs done. This is its result") == 2
    now = {path: path.stat().st_mtime_ns for path in finished.rglob("*") if path.name != "otx.log"}
    assert {path for path in now if not path.is_dir() and now[path] != before.get(path)} == set()


@pytest.mark.parametrize("overwrite", [False, True])
def test_a_late_refusal_leaves_everything_as_it_was(
    overwrite: bool, small_weights: Path, data: Path, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    if overwrite:
        (run / "nncf").mkdir(parents=True)
        (run / "nncf" / "openvino.xml").write_text("an earlier result")
    template = small_template()
    ignored = template.quantization.model_copy(update={"ignored_patterns": (".",)})
    (tmp_path / "template.yaml").write_text(template.model_copy(update={"quantization": ignored}).as_yaml())
    weights = read_weights(small_weights)
    picky = tmp_path / "picky.pth"
    chosen = load_template(tmp_path / "template.yaml")
    write_weights(picky, weights.state_dict, weights.labels, chosen, weights.origin)
    with pytest.raises(UsageError, match="nothing to quantise"):
        optimize(picky, data, data, output=run, overwrite=overwrite, parameters=BRIEF)
    left = [path.relative_to(run).as_posix() for path in run.rglob("*") if path.is_file()]
    assert left == (["nncf/openvino.xml"] if overwrite else [])
    assert run.exists() == overwrite


def test_a_training_can_begin_with_quantised_weights(finished: Path, data: Path, tmp_path: Path, messages: Any) -> None:
    parameters = {
        "learning_parameters.num_iters": 1,
        "learning_parameters.batch_size": 4,
        "learning_parameters.num_workers": 0,
    }
    (tmp_path / "template.yaml").write_text(small_template().as_yaml())
    run = tmp_path / "run"
    weights = finished / "nncf" / "weights.pth"
    train(data, data, load_weights=weights, template=tmp_path / "template.yaml", output=run, parameters=parameters)
    assert "layers were quantised" in messages.text
    assert not is_quantized(open_checkpoint(run / "models" / "weights.pth", device="cpu").network)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"nncf_optimization.accuracy_control_minutes": 3}, "has no effect here; with a .pth"),
        ({"learning_parameters.learning_rate": 3}, "has no effect here; with a .pth"),
        ({"nncf_optimization.pruning_ratio": 0.2}, "has no effect without nncf_optimization.enable_pruning=True"),
        (
            {"nncf_optimization.enable_pruning": True, "nncf_optimization.pruning_supported": False},
            "nncf_optimization.pruning_supported=False",
        ),
    ],
)
def test_parameters_that_would_do_nothing(
    parameters: dict[str, Any], message: str, small_weights: Path, data: Path, tmp_path: Path
) -> None:
    with pytest.raises(UsageError, match=message):
        optimize(small_weights, data, data, output=tmp_path / "run", parameters=parameters)
    assert not (tmp_path / "run").exists()


def test_data_with_labels_that_the_weights_do_not_know(small_weights: Path, tiny_data: Any, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"has labels that .*weights.pth lacks: red brick, pole, sky"):
        optimize(small_weights, tiny_data.root, tiny_data.root, output=tmp_path / "run")
    assert not (tmp_path / "run" / "nncf").exists()


def test_arguments_that_do_not_go_together(small_weights: Path, data: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"--load-weights is missing: name the .xml .* or the .pth"):
        optimize(train_data_roots=data)
    with pytest.raises(UsageError, match="--train-data-roots is missing"):
        optimize(small_weights)
    with pytest.raises(UsageError, match="cannot be combined"):
        optimize(small_weights, data, resume_from=tmp_path)
    with pytest.raises(UsageError, match="has no checkpoint"):
        optimize(resume_from=tmp_path)
    with pytest.raises(UsageError, match="was made from the template Lite-HRNet-s-mod2, not from SegNext-t"):
        optimize(small_weights, data, template="SegNext-t", output=tmp_path / "run")


def test_one_process_alone(small_weights: Path, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(UsageError, match="works in one process"):
        optimize(small_weights, data, output=tmp_path / "run")
