"""Quantisation-aware training: fine-tunes a network that rounds, until it is within the limit."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import openvino
import torch
from accelerate.utils import set_seed
from torch import Tensor, nn

from otx_seg import algorithms
from otx_seg.datasets.scan import Progress
from otx_seg.deployment.calibration import Calibration, Recipe
from otx_seg.deployment.export import export
from otx_seg.deployment.exported_form import exported_form
from otx_seg.deployment.files import size_of, written_atomically
from otx_seg.deployment.ignored_nodes import (
    find_ignored_nodes,
    integer_layers,
    is_worth_quantizing,
    module_of,
    weighted_nodes,
)
from otx_seg.deployment.outcome import FOLDER, PERFORMANCE, WEIGHTS, FineTuned, evaluate_stage
from otx_seg.deployment.ranges import quantize_network
from otx_seg.errors import UsageError
from otx_seg.inference.latency import compare_latency
from otx_seg.inference.torch_predictor import TorchPredictor, open_checkpoint
from otx_seg.metrics.watched import metric_for
from otx_seg.models.network import SegmentationNetwork
from otx_seg.models.quantized_conv import quantized_layers, share_of_zeros
from otx_seg.runtime.openvino_predictor import OpenVinoPredictor, read_ir
from otx_seg.runtime.whole_file import UNFINISHED
from otx_seg.template import Template
from otx_seg.template.template import ParameterGroup
from otx_seg.training.checkpoint import OPTIMIZE
from otx_seg.training.context import TrainContext
from otx_seg.training.devices import choose_workers
from otx_seg.training.loggers import TrainResult
from otx_seg.training.stopping import ScoreReached
from otx_seg.training.trainer import Trainer
from otx_seg.workspace.atomic import write_json
from otx_seg.workspace.run_folder import COMPARED_IMAGES, FolderGoneError, RunFolder
from otx_seg.workspace.weights import read_weights, write_weights

BEST = "logs/checkpoint/best.pth"
"""In the folder of a run, the best weights until they are exported."""

_LEARNED = "log_step"  # of `InputQuantizer`


@dataclass(frozen=True)
class FineTuning:
    """How a network is fine-tuned.

    Attributes:
        weights: the ``.pth`` to begin with.
        made_from: the template of `weights`, which the new weights name too.
        recipe: how it is quantised.
        pruning_ratio: share, 0..1, of the weights of the quantised layers to set to 0 before.
    """

    weights: Path
    made_from: Template
    recipe: Recipe
    pruning_ratio: float


def fine_tuning_template(template: Template) -> Template:
    """A template with the learning parameters of a fine-tuning in the place of those of a training.

    The rate and the epochs are those of `nncf_optimization`. There is no warm-up, which is for new weights; no averages
    of the weights, which would come to the goal later than they do; and no mixed precision, which rounds as well.
    The learned steps between rounded values get no weight decay.
    """
    settings = template.hyper_parameters.nncf_optimization
    changed = template.override(
        {
            "learning_parameters.learning_rate": settings.learning_rate,
            "learning_parameters.num_iters": settings.num_epochs,
            "learning_parameters.learning_rate_warmup_iters": 0,
            "learning_parameters.max_minutes": 0,
            "learning_parameters.use_adaptive_interval": False,
            "learning_parameters.frozen_backbone_iters": 0,
            "learning_parameters.ema_keep": 0,
            "learning_parameters.average_best": 0,
            "learning_parameters.precise_bn_images": 0,
            "learning_parameters.precision": "fp32",
            "learning_parameters.task_adapt": "merge",
            "learning_parameters.enable_supcon": False,
            "algo_backend.train_type": "Incremental",
        }
    )
    steps = ParameterGroup(match=_LEARNED, decay=0.0)
    return changed.model_copy(update={"parameter_groups": (steps, *template.parameter_groups)})


def fine_tune(
    how: FineTuning,
    context: TrainContext,
    state: dict[str, Any] | None,
    progress: Progress | None = None,
    describe: Callable[[RunFolder], None] = lambda run: None,
) -> FineTuned:
    """Quantise a network in torch, fine-tune it until it is as good as promised, export it, and measure it.

    1. Export the network as it is, and evaluate that: the score to compare with.
    2. Choose the layers that are quantised: those that post-training quantisation would choose.
    3. Quantise them with NNCF, on calibration images.
    4. Train until the watched metric is within the limit on the validation images, if it is not at once, and keep the
       best network.
    5. Export that, evaluate it, compare the speed, and write all to the folder `FOLDER` of the run.

    Args:
        context: its template is that of the fine-tuning, see `fine_tuning_template`; its data has the labels of the
            weights, in their order; its seed also chooses the calibration images; its folder keeps what is needed to go
            on when this is interrupted.
        state: the checkpoint to continue from, of a run of the same template.
        progress: called with the name of a stage, and the numbers of images done and to do in it.
        describe: writes into a folder what is needed to continue; called before the training, when nothing can be wrong
            any more with what was asked for.

    Raises:
        UsageError: the weights cannot be used, the metric is about a label they lack, nothing is worth quantising, or
            `state` is of another run.
        OtxError: the training failed or was interrupted, or the results cannot be written.
    """
    data, run = context.data, context.run
    assert data.val is not None
    predictor = open_checkpoint(how.weights, how.made_from, "cpu")
    metric = metric_for(how.recipe.metric.key, predictor.labels)
    workers = choose_workers(context.template.hyper_parameters.learning_parameters, processes=1)
    compared = [data.val.read_image(sample) for sample in data.val.samples[:COMPARED_IMAGES]]
    with tempfile.TemporaryDirectory(dir=run.path, prefix=f"{UNFINISHED}-") as folder:
        # 1. before
        exported = export(how.weights, Path(folder), images=compared, template=how.made_from)
        old = OpenVinoPredictor(exported.model)
        before = evaluate_stage(old, data.val, workers, "FP32", progress)
        # 2. layers
        graph = read_ir(exported.model)
        layers = worthwhile_layers(predictor, graph, how.recipe, how.weights)
        # 3. quantise
        images = Calibration(data.train, predictor.input_size, how.recipe.subset_size, context.seed, progress)
        quantize_network(predictor.network, layers, images, how.recipe, how.pruning_ratio)
        # 4. train
        goal = metric.of(before.scores) - how.recipe.max_loss
        if state is None:
            describe(run)
        trained = _train(predictor, goal, how, context, state, describe)
        # 5. after
        with written_atomically(run.path / FOLDER) as unfinished:
            best = read_weights(trained.weights)
            write_weights(
                unfinished / WEIGHTS, best.state_dict, best.labels, how.made_from, best.origin, best.temperature
            )
            written = export(unfinished / WEIGHTS, unfinished, images=compared)
            new = OpenVinoPredictor(written.model)
            after = evaluate_stage(new, data.val, workers, "INT8", progress)
            latency_before, latency_after = compare_latency((old, new))
            result = FineTuned(
                model=run.path / FOLDER / written.model.name,
                weight_bits=7,
                before=before,
                after=after,
                size_before=size_of(exported.model),
                size_after=size_of(written.model),
                latency_before=latency_before,
                latency_after=latency_after,
                layers=len(weighted_nodes(graph)),
                quantized_layers=len(integer_layers(read_ir(written.model))),
                calibration_images=len(images.indices),
                weights=run.path / FOLDER / WEIGHTS,
                epochs=trained.epochs,
                best_epoch=trained.epoch,
                reason=trained.reason,
                reached=trained.scores is not None and metric.of(trained.scores) >= goal,
                metric=metric,
                zeros=share_of_zeros(predictor.network),
                agreement=written.agreement,
            )
            write_json(unfinished / PERFORMANCE, result.as_json())
    return result


def refuse_quantized(keys: Iterable[str], weights: Path) -> None:
    """
    Raises:
        UsageError: a network, whose state dict has these keys, is quantised.
    """
    if quantized_layers(keys):
        raise UsageError(f"{weights}: is quantised already; give the weights that `otx train` wrote")


def worthwhile_layers(predictor: TorchPredictor, graph: openvino.Model, recipe: Recipe, weights: Path) -> list[str]:
    """The names, in a network, of the convolutions to quantise: of those in its exported form, see `delicate_nodes`.

    The gates that the export divides into one for each branch are no longer one layer there. Depthwise convolutions of
    half of the channels let the other half pass there, which must not be rounded: they stay in floating point.
    """
    network, size = predictor.network, predictor.input_size
    exported = exported_form(network)
    multiplications = _multiplications(exported, size)
    ignored = {
        module_of(node) for node in find_ignored_nodes(graph, recipe.ignored_patterns, recipe.ignored_types, weights)
    }
    own = dict(network.network.named_modules())
    chosen = [
        name
        for name, module in exported.network.named_modules()
        if isinstance(module, nn.Conv2d)
        and isinstance(own.get(name), nn.Conv2d)
        and own[name].groups == module.groups
        and is_worth_quantizing(multiplications[module], size)
        and name not in ignored
        and not any(re.search(pattern, name) for pattern in recipe.ignored_patterns)
    ]
    if not chosen:
        raise UsageError(f"{weights}: nothing to quantise: all of its layers are small or ignored")
    return [f"network.{name}" for name in chosen]


@torch.no_grad()
def _multiplications(network: SegmentationNetwork, size: tuple[int, int]) -> dict[nn.Module, int]:
    """How many each convolution needs for one image of (height, width), those with 0 left out."""
    found: dict[nn.Module, int] = {}

    def count(module: nn.Module, _: Any, output: Tensor) -> None:
        assert isinstance(module, nn.Conv2d)
        found[module] = int(module.weight.count_nonzero()) * output.shape[-2] * output.shape[-1]

    hooks = [m.register_forward_hook(count) for m in network.modules() if isinstance(m, nn.Conv2d)]
    network(torch.zeros(1, 3, *size))
    for hook in hooks:
        hook.remove()
    return found


def _train(
    predictor: TorchPredictor,
    goal: float,
    how: FineTuning,
    context: TrainContext,
    state: dict[str, Any] | None,
    describe: Callable[[RunFolder], None],
) -> TrainResult:
    set_seed(context.seed)
    algorithm = algorithms.build_quantization_aware(context.template, predictor.network, context.label_weights)
    context = replace(context, run=replace(context.run, weights_name=BEST))
    stopping = ScoreReached(goal, 100 * how.recipe.max_loss, how.recipe.metric)
    training = Trainer(algorithm, context, f"quantised, from {how.weights}", OPTIMIZE, stopping)
    if state is not None:
        training.resume(state)
    try:
        return training.fit()
    except FolderGoneError as error:
        raise training.rescued(error, describe) from error
