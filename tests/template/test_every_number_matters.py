"""A key that is accepted and unused is the worst bug of this field: change each number, and something must change."""

from __future__ import annotations

import contextlib
import copy
import functools
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from brief_training import PARAMETERS, same_weights, train_briefly
from every_template import template_names
from small_network import small_template

from otx_seg import algorithms, catalogue
from otx_seg.datasets.regions import Division
from otx_seg.errors import UsageError
from otx_seg.hpo.space import space_of
from otx_seg.inference.teacher import Teacher
from otx_seg.inference.torch_predictor import TorchPredictor, post_processing_of
from otx_seg.labels import Labels, default_colors
from otx_seg.models import build_model
from otx_seg.models.network import SegmentationNetwork
from otx_seg.runtime.model_info import ModelInfo
from otx_seg.template import Template, from_dict, list_parameters, load
from otx_seg.training.optimizer import build_optimizer, parameter_groups
from otx_seg.training.schedule import LearningRate
from otx_seg.training.stopping import EarlyStopping
from otx_seg.transforms.pipeline import build_pipeline
from otx_seg.verbs.optimize import recipe

LABELS = Labels(("a", "b"), default_colors(2), None)
# Descriptions and what a run hands on as it is: tests of the places that use them see to these.
DESCRIPTIVE = {
    "gigaflops",
    "parameter_count",
    "size_mb",
    "output_stride",
    "size_divisor",
    "smallest_input",
    "cpu_gigaflops_per_s",
    "cpu_gigabytes_per_gigaflop",
}
PLACEHOLDER = "num_classes"
LARGEST = 8.0  # GFLOPs of the templates in a usual run
QUICKLY_BUILT = 4_000_000
"""Parameters of the largest networks whose own numbers are tried: building one per number takes minutes."""


def numbers(value: Any, key: str = "") -> Iterator[str]:
    """The dotted keys of all numbers (not truth values) in nested plain values."""
    if isinstance(value, dict):
        for name, item in value.items():
            yield from numbers(item, f"{key}.{name}".lstrip("."))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from numbers(item, f"{key}.{index}")
    elif isinstance(value, (int, float)) and not isinstance(value, bool):
        yield key


TRAINED = {
    "gradient_clip_norm",
    "hyper_parameters.learning_parameters.batch_size",
    "hyper_parameters.learning_parameters.num_iters",
    "hyper_parameters.learning_parameters.ema_keep",
}
"""Numbers whose effect is seen in the weights of a brief training."""

SEEN_ELSEWHERE = {
    "model.backbone.depth": "tests/models/test_zoo_figures.py",
    "hyper_parameters.learning_parameters.inference_batch_size": "tests/verbs/test_settings.py",
    "hyper_parameters.learning_parameters.frozen_backbone_iters": "tests/training/test_frozen_start.py",
    "hyper_parameters.learning_parameters.average_best": "tests/training/test_best_networks.py",
    "hyper_parameters.learning_parameters.precise_bn_images": "tests/training/test_finishing.py",
    "hyper_parameters.learning_parameters.accumulate": "tests/training/test_micro_batches.py",
    "hyper_parameters.learning_parameters.binary_threshold": "tests/models/test_network.py",
    "hyper_parameters.learning_parameters.unlabeled_batch_size": "tests/training/test_semi_supervised.py",
    "hyper_parameters.learning_parameters.num_workers": "tests/verbs/test_settings.py",
    "hyper_parameters.algo_backend.mem_cache_size": "tests/datasets/test_memory_cache.py",
    "hyper_parameters.self_supervised.steps": "tests/training/test_self_supervised.py",
    "hyper_parameters.learning_parameters.max_minutes": "tests/training/test_loop.py",
    "hyper_parameters.nncf_optimization.learning_rate": "tests/verbs/test_fine_tune.py",
    "hyper_parameters.nncf_optimization.num_epochs": "tests/verbs/test_fine_tune.py",
    "hyper_parameters.nncf_optimization.batch_norm_epochs": "tests/algorithms/test_quantization_aware.py",
    "hyper_parameters.nncf_optimization.pruning_ratio": "tests/deployment/test_ranges.py",
    "hyper_parameters.nncf_optimization.maximal_accuracy_degradation": "tests/verbs/test_settings.py",
    "hyper_parameters.nncf_optimization.accuracy_control_minutes": "tests/verbs/test_settings.py",
}
"""Numbers that change how or how long something is done, or what is said of it, and the tests of that."""


def with_changes(content: dict[str, Any], key: str) -> Iterator[dict[str, Any]]:
    """Copies with the number at `key` changed, first a little, then more."""
    *path, last = key.split(".")
    changes = (
        lambda n: n + 1,
        lambda n: n * 0.9 or 0.01,
        lambda n: n + 100,
        lambda n: n * 10,
        lambda n: 0.5,
        lambda n: n - 1,
        lambda n: n + 2,
        lambda n: n // 2,
    )
    for change in changes:
        changed = copy.deepcopy(content)
        place: Any = changed
        for name in path:
            place = place[int(name)] if isinstance(place, list) else place[name]
        index = int(last) if isinstance(place, list) else last
        place[index] = change(place[index])
        yield changed


def pipeline_result(steps: Sequence[dict[str, Any]], moves_pixels: bool) -> list[bytes]:
    """What the augmentations make of an image with many seeds."""
    pipeline = build_pipeline(steps, (64, 64), "test", moves_pixels)
    rng = np.random.default_rng(0)
    image, mask = rng.integers(0, 256, (80, 90, 3), np.uint8), np.zeros((80, 90), np.uint8)
    mask[20:40, 20:60] = 1
    return [part.tobytes() for seed in range(40) for part in pipeline(image, mask, np.random.default_rng(seed))]


@functools.cache
def boxes() -> np.ndarray:
    """An image of many boxes of all sizes."""
    rng, image = np.random.default_rng(0), np.zeros((600, 600, 3), np.uint8)
    for top, left in rng.integers(0, 560, (300, 2)):
        height, width = rng.integers(10, 60, 2)
        image[top : top + height, left : left + width] = rng.integers(0, 256, 3)
    return image


def rates(template: Template) -> list[float]:
    """Learning rates of each schedule over a run whose score stalls."""
    found = []
    for kind in ("poly", "plateau", "one_cycle", "multi_step", "exponential"):
        chosen = template.override({"learning_parameters.learning_rate_schedule": kind})
        rate = LearningRate(chosen, template.hyper_parameters.learning_parameters.learning_rate_warmup_iters)
        found += [rate.at(step, step / 1000) for step in range(1001)]
        for stalled in range(30):
            rate.observe(900, 1.0 if stalled == 0 else 0.5)
            found.append(rate.at(900, 0.0))
    return found


def stops(template: Template) -> list[bool]:
    """Decisions of early stopping while the score stalls."""
    early = EarlyStopping(template, warmup_steps=0)
    return [early.observe(epoch, 50 * epoch, 1.0 if epoch == 1 else 0.5) for epoch in range(1, 2500)]


@functools.cache
def network_result(model: str, side: int) -> list[float]:
    """The shapes of a network's tensors and its answer to an image, for a template's `model` as text."""
    network = new_network(model).train()
    image = torch.full((2, 3, side, side), 200, dtype=torch.uint8)
    torch.manual_seed(0)
    values = [float(parameter.detach().double().std()) for parameter in network.parameters() if parameter.numel() > 1]
    output = network.outputs(image)
    outputs = (output.logits, *output.others.values())
    return values + [number for logits in outputs for number in logits.detach().double().flatten()[:50].tolist()]


@functools.lru_cache(maxsize=1)
def new_network(model: str) -> SegmentationNetwork:
    """Always the same network for a template's `model` as text."""
    torch.manual_seed(0)
    template = load("Lite-HRNet-s-mod2").model_copy(update={"model": eval(model)})  # plain values printed by repr
    return SegmentationNetwork(build_model(template, len(LABELS)))


def build(template: Template) -> Any:
    """The algorithm of a template, with a network that is built once."""
    return algorithms.build(template, new_network(repr(template.model)), [0.7, 0.3])


def plain_values(algorithm: object) -> dict[str, float]:
    """The numbers an algorithm was made with; its own tests see to what they do."""
    found = {name: value for name, value in vars(algorithm).items() if isinstance(value, (int, float))}
    targets = [value for value in vars(algorithm).values() if type(value).__module__.startswith("otx_seg.targets")]
    return {**found, **{f"target.{name}": value for target in targets for name, value in plain_values(target).items()}}


def observed(template: Template, key: str) -> Any:
    """What can be seen of the part of a run that a key belongs to."""
    section = key.split(".")[0]
    if section == "model":
        try:
            return network_result(repr(template.model), template.input_sizes.nearest(64))
        except (RuntimeError, AssertionError, ValueError, IndexError, TypeError) as error:
            return repr(error)  # sizes that do not fit together: the number was used
    if section.endswith("_pipeline"):
        return pipeline_result(getattr(template, section), moves_pixels=section != "strong_pipeline")
    if section == "losses":
        losses = build(template).losses.by_output
        return {name: [(loss.weight, plain_values(loss.loss)) for loss in part.losses] for name, part in losses.items()}
    if section == "search_space":
        return space_of(template, images=1000)
    if "pseudo_masks" in key:
        return Division(**template.hyper_parameters.pseudo_masks.model_dump()).regions(boxes()).tobytes()
    if "semi_supervised" in key:
        chosen = template.override({"algo_backend.train_type": "Semisupervised"})
        algorithm = build(chosen)
        return plain_values(algorithm), algorithm.average.decay
    if ".prototypes" in key:
        wanted = {"algo_backend.train_type": "Semisupervised", "semi_supervised.use_prototypes": True}
        algorithm = build(template.override(wanted))
        return plain_values(algorithm), plain_values(algorithm.prototypes), algorithm.prototypes.prototypes.shape
    if ".distillation." in key:
        teacher = TorchPredictor(new_network(repr(template.model)), LABELS, (64, 64))
        network = new_network(repr(template.model))
        distillation = algorithms.build(template, network, [0.7, 0.3], Teacher(teacher, [0, 1])).distillation
        return plain_values(distillation), plain_values(distillation.loss)
    if "_contrast" in key:
        chosen = template.override({"learning_parameters.enable_supcon": True})
        algorithm = build(chosen)
        widths = [layer.out_features for layer in algorithm.detcon.predictor if isinstance(layer, torch.nn.Linear)]
        return plain_values(algorithm), plain_values(algorithm.detcon), algorithm.detcon.average.decay, widths
    if section == "optimizer":
        optimizer = build_optimizer(parameter_groups(torch.nn.Linear(2, 2), template), template)
        return [{name: value for name, value in group.items() if name != "params"} for group in optimizer.param_groups]
    if section == "parameter_groups":
        return list(parameter_groups(new_network(repr(template.model)).network, template))
    if section == "schedule" or "learning_rate" in key:
        return rates(template)
    if section == "quantization" or "pot_parameters" in key:
        return recipe(template)
    if "early_stop" in key:
        return stops(template)
    if "postprocessing" in key:
        return ModelInfo(LABELS, None, post_processing_of(template)).entries()
    raise AssertionError(f"nothing is known to look at {key}: say here where its effect can be seen")


def matters(content: dict[str, Any], key: str) -> bool:
    """Whether a template with another number at `key` does something else; changes that are refused do not count."""
    before = observed(from_dict(content, "test"), key)
    for changed in with_changes(content, key):
        with contextlib.suppress(UsageError):
            if observed(from_dict(changed, "test"), key) != before:
                return True
    return False


@pytest.mark.parametrize("name", template_names(LARGEST))
def test_every_number_of_a_template_changes_something(name: str) -> None:
    content = load(name).as_dict()
    hyper_parameters = content["hyper_parameters"]
    keys = [key for key in numbers(content) if key not in DESCRIPTIVE and not key.endswith(PLACEHOLDER)]
    assert len(keys) > 40
    for key in keys:
        if key in TRAINED or key in SEEN_ELSEWHERE or (key.startswith("hyper_parameters.") and _is_inactive(key)):
            continue
        if key.startswith("model.") and content["parameter_count"] > QUICKLY_BUILT:
            continue
        assert matters(content, key), f"{key} changes nothing"
    assert hyper_parameters


def test_the_numbers_of_losses_change_something() -> None:
    losses = [{"type": "CrossEntropy", "weight": 1.0}, {"type": "Dice", "weight": 0.5}]
    content = {**load("Lite-HRNet-s-mod2").as_dict(), "losses": losses}
    for key in ("losses.0.weight", "losses.1.weight"):
        assert matters(content, key), key


@pytest.mark.parametrize("key", sorted(TRAINED))
def test_a_number_that_shows_in_the_weights(key: str, drawn_data: Path, tmp_path: Path) -> None:
    content = small_template().override({**PARAMETERS, "learning_parameters.num_iters": 1}).as_dict()
    if key == "gradient_clip_norm":
        content["gradient_clip_norm"] = 1e-3  # far below the norms met here
    if key.endswith("ema_keep"):
        content["hyper_parameters"]["learning_parameters"]["ema_keep"] = 0.05  # below the limit for the first steps
    changed = list(with_changes(content, key))[0 if isinstance(PARAMETERS.get(key.partition(".")[2]), int) else 1]
    for name, values in (("base", content), ("changed", changed)):
        (tmp_path / f"{name}.yaml").write_text(yaml.safe_dump(values))
        train_briefly(drawn_data, tmp_path / name, template=tmp_path / f"{name}.yaml", parameters=None)
    assert not same_weights(tmp_path / "base", tmp_path / "changed")


def _is_inactive(key: str) -> bool:
    return key.removeprefix("hyper_parameters.") in _inactive()


@functools.cache
def _inactive() -> frozenset[str]:
    known = list_parameters(load("SegNext-t"))
    return frozenset(item.name for item in known if item.possible.startswith("only "))


def test_the_catalogue_refuses_arguments_that_a_class_does_not_take() -> None:
    with pytest.raises(UsageError, match=r"somewhere: CrossEntropy does not accept"):
        catalogue.build("otx_seg.losses", {"type": "CrossEntropy", "gamma": 2}, "somewhere")
