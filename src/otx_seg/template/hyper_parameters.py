"""Every hyper-parameter a run has: its type, range, default and meaning.

A parameter is one field here and nowhere else: `otx find --template`, the options after `params`, the checks
of a template file and the resolved template of a run are all made from these classes. The names are those of
OpenVINO Training Extensions 1.x, so that scripts written for it keep working; one that misleads has a `Plain` name as
well. What it has and this version cannot do yet is refused with the reason when anything but the inactive value is
asked for.
"""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import Field, field_validator

from otx_seg.class_weights import RULES, parse_weights
from otx_seg.metrics.watched import DICE, OF_LABEL, WATCHED, metric_named
from otx_seg.template.group import Group, Plain, decided, inactive
from otx_seg.template.losses import distillation_loss_names, loss_names

SIZE_STEP = 32
"""Input sizes are multiples of the coarsest stride of the networks, in pixels."""

SMALLEST_SIDE, LARGEST_SIDE = 64, 2048
"""Of an input, in pixels."""

_SIZE = re.compile(r"([1-9]\d*)x([1-9]\d*)")


class LearningParameters(Group):
    """How a network is trained."""

    batch_size: int = decided(8, ge=1, le=512, description="images per optimisation step and process")
    accumulate: int = Field(
        1,
        ge=1,
        le=64,
        description="batches per optimisation step, whose gradients are averaged: a step of "
        "batch_size x accumulate images in the memory of batch_size",
    )
    inference_batch_size: int = Field(1, ge=1, le=512, description="images per forward pass of `otx eval`")
    unlabeled_batch_size: int = Field(
        8, ge=1, le=512, description="images without masks per step and process, in semi-supervised training"
    )
    learning_rate: float = Field(1e-3, ge=1e-7, le=0.1, description="learning rate after the warm-up")
    loss: str = decided(
        "cross_entropy",
        description="the loss, or a named sum of losses",
        choices=loss_names(),
    )
    class_weights: str = decided(
        "inverse_root",
        description="weights of the labels in the loss: a number for each label, such as 1,2,0.5, or the name of a "
        "rule. Their mean over all training pixels is 1; a label without any has the weight 1"
        + "".join(f"\n{name}: {rule.meaning}" for name, rule in RULES.items()),
    )
    learning_rate_schedule: Literal[
        "poly", "poly_epoch", "cosine", "one_cycle", "multi_step", "exponential", "plateau", "constant"
    ] = Field(
        "poly",
        description="decay of the learning rate over the whole run (epochs or max_minutes, whichever ends first); the "
        "numbers stand under schedule in the template"
        "\npoly: (1 - share of the run)^0.9"
        "\npoly_epoch: the same, once per epoch"
        "\ncosine: half a period of a cosine"
        "\none_cycle: up for a third of the run and down again, without warm-up"
        "\nmulti_step: a tenth after half of the run, a hundredth after three quarters"
        "\nexponential: down to a hundredth"
        "\nplateau: down when the watched score stalls"
        "\nconstant: no decay",
    )
    learning_rate_warmup_iters: Annotated[int, Plain("warmup_steps")] = Field(
        100, ge=0, le=10_000, description="steps of linear warm-up, at most a tenth of the run"
    )
    frozen_backbone_iters: Annotated[int, Plain("frozen_backbone_steps")] = decided(
        0,
        ge=0,
        le=100_000,
        description="first steps, at most a fifth of the run, in which the backbone keeps its weights while new heads "
        "learn from it",
    )
    num_iters: Annotated[int, Plain("epochs")] = decided(300, ge=1, le=100_000, description="maximum number of epochs")
    rounds_per_epoch: int = decided(
        1,
        ge=1,
        le=100,
        description="repeats of each training image in an epoch, so that epochs of a small data set are not too short",
    )
    max_minutes: float = Field(
        0.0, ge=0, le=100_000, description="time budget of the training, with --folds of each fold; 0: none"
    )
    num_workers: int = decided(2, ge=0, le=32, description="processes that load training images; 0: none")
    auto_num_workers: bool = Field(False, description="choose num_workers from the CPU cores instead")
    watch: str = Field(
        DICE.key,
        description="the validation score that chooses the network to keep, that early stopping and the plateau "
        "schedule look at, and that `otx optimize` keeps its promise in"
        + "".join(f"\n{key}: {metric.meaning}" for key, metric in WATCHED.items())
        + f"\n{OF_LABEL}NAME: Dice of the label of this name",
    )
    enable_early_stopping: bool = Field(
        True, description="stop when the watched score no longer improves; not with max_minutes"
    )
    early_stop_start: int = Field(3, ge=0, le=1000, description="first epoch in which early stopping is possible")
    early_stop_patience: int = Field(5, ge=0, le=1000, description="validations without improvement before stopping")
    early_stop_iteration_patience: Annotated[int, Plain("early_stop_patience_steps")] = Field(
        0, ge=0, le=100_000, description="steps without improvement that are required as well before stopping"
    )
    use_adaptive_interval: Annotated[bool, Plain("adaptive_validation")] = decided(
        False,
        description="validate after every epoch (False), or after every 2 to 5 if epochs have fewer than 50 steps, and "
        "so rarely that it takes at most about a fifth of the time, a twentieth with max_minutes",
    )
    ema_keep: Annotated[float, Plain("ema_decay")] = Field(
        0.0, ge=0, lt=1, description="decay of the moving average of the weights, per step; 0: no average"
    )
    ema_ramp: Literal["step", "exponential", "none"] = Field(
        "step",
        description="how the moving average begins, so that it forgets the first weights"
        "\nstep: the decay of the t-th step is (1 + t) / (10 + t) at most"
        "\nexponential: the decay times 1 - exp(-15 x share of the run)"
        "\nnone: the decay from the start",
    )
    average_best: int = Field(
        0,
        ge=0,
        le=20,
        description="number of the best networks of the training whose mean is tried at its end, and kept if it scores "
        "higher than what would be kept otherwise; 0: none",
    )
    precise_bn_images: int = Field(
        0,
        ge=0,
        le=100_000,
        description="training images, in whole batches, whose statistics replace the moving averages of batch norms in "
        "the network that is kept, unless it scores lower with them; 0: none",
    )
    auto_adapt_batch_size: Literal["None", "Safe", "Full"] = Field(
        "Safe",
        description="when memory runs out: None stops, Safe halves the batch with a message; Full also starts with the "
        "largest batch that fits (tried on a GPU, else estimated), and scales the learning rate with its square root",
    )
    input_size: str = decided(
        "512x512",
        description=f"HEIGHTxWIDTH of the network's input in pixels, multiples of {SIZE_STEP} from {SMALLEST_SIDE} to "
        f"{LARGEST_SIDE}",
    )
    precision: Literal["auto", "fp32", "bf16", "fp16"] = Field(
        "auto",
        description="arithmetic of the training step; auto: bf16 on GPUs that support it, fp16 on others, fp32 on CPUs",
    )
    pretrained: str = Field(
        "auto",
        description="backbone weights to start from: auto (cache, download, else random with a warning), required, "
        "none, or the path of a file",
    )
    use_otx_adapter: Annotated[bool, Plain("polygon_round_trip")] = Field(
        False, description="convert masks to polygons and back as OTX 1.x, to compare with its figures"
    )
    task_adapt: Literal["replace", "merge"] = Field(
        "replace",
        description="labels of a training whose initial weights have others: those of the data (replace), or those "
        "of the weights followed by the new ones of the data (merge)",
    )
    enable_supcon: bool = Field(
        False, description="add a contrastive loss on the labels' regions in two views of each image"
    )
    binary: bool = Field(
        False,
        description="tell two labels apart by one channel and its sigmoid, instead of two channels and their softmax; "
        "an exported model has the probabilities of both all the same",
    )
    binary_threshold: float = Field(
        0.5,
        gt=0,
        lt=1,
        description="with binary, the probability from which on a pixel has the second label; in what the network says "
        "it becomes 0.5",
    )

    @property
    def step_images(self) -> int:
        """Images per optimisation step and process at most."""
        return self.batch_size * self.accumulate

    @field_validator("watch")
    @classmethod
    def _check_watch(cls, value: str) -> str:
        return metric_named(value).key

    @field_validator("average_best", "precise_bn_images")
    @classmethod
    def _check_several(cls, value: int) -> int:
        if value == 1:
            raise ValueError("1 alone has no mean: 0 is none, 2 the fewest")
        return value

    @field_validator("class_weights")
    @classmethod
    def _check_class_weights(cls, value: str) -> str:
        if value not in RULES:
            parse_weights(value)
        return value

    @field_validator("input_size")
    @classmethod
    def _check_input_size(cls, value: str) -> str:
        match = _SIZE.fullmatch(value)
        if not match:
            raise ValueError(f"{value!r} is not HEIGHTxWIDTH, such as 512x512")
        for side in map(int, match.groups()):
            if side % SIZE_STEP or not SMALLEST_SIDE <= side <= LARGEST_SIDE:
                raise ValueError(f"{side} is not a multiple of {SIZE_STEP} from {SMALLEST_SIDE} to {LARGEST_SIDE}")
        return value


class PostProcessing(Group):
    """How a runtime turns the probabilities of an exported model into a mask."""

    soft_threshold: float = Field(
        0.0, ge=0, le=1, description="probabilities below this are set to 0, as in Model API; 0: plain argmax"
    )
    blur_strength: Annotated[int, Plain("blur_size")] = Field(
        1, ge=1, le=25, description="side of the box blur of the probabilities; 1: none"
    )
    confidence_threshold: float = inactive(0.35, "semantic segmentation has no such threshold; see soft_threshold")
    result_based_confidence_threshold: bool = inactive(True, "semantic segmentation has no such threshold")


class AlgoBackend(Group):
    """Which algorithm trains, and how data is cached."""

    train_type: Literal["Incremental", "Semisupervised", "Selfsupervised"] = Field(
        "Incremental",
        description="Incremental: labelled images; Semisupervised: also unlabelled images; Selfsupervised: only "
        "unlabelled images, for a backbone. `otx train` chooses it from the data",
    )
    mem_cache_size: int = Field(
        1_000_000_000,
        ge=0,
        le=1_000_000_000_000,
        description="bytes of memory per machine for decoded training images, at most half of the free memory; 0: none",
    )
    storage_cache_scheme: str = inactive("NONE", "the storage cache is not part of this version")


class SemiSupervised(Group):
    """Mean Teacher: learning from images without masks."""

    unsupervised_weight: float = Field(1.0, ge=0, le=100, description="weight of the losses on unlabelled images")
    start_epoch: int = Field(1, ge=0, le=100_000, description="first epoch, from 0, with pseudo-labels")
    start_share: float = Field(0.4, ge=0, le=1, description="share of the run before pseudo-labels are used")
    ramp_share: float = Field(
        0.4,
        ge=0,
        le=1,
        description="share of the run, from start_share on, over which their weight rises to that of the ground truth",
    )
    teacher_keep: Annotated[float, Plain("teacher_decay")] = Field(
        0.99, ge=0, le=1, description="moving average decay of the teacher, per step"
    )
    entropy_drop: float = Field(
        0.2,
        ge=0,
        le=1,
        description="share of the pixels of each label, the least certain ones, without pseudo-label; it falls "
        "linearly from this to 0 at the last step",
    )
    cut_mix: float = Field(
        0.5, ge=0, le=1, description="probability that a box of another image is pasted into an unlabelled image"
    )
    label_mix: float = Field(
        1.0,
        ge=0,
        le=1,
        description="probability that regions of half of the labels of a labelled image are pasted into it",
    )
    contrast_weight: float = Field(
        0.1,
        ge=0,
        le=100,
        description="weight of the contrast between the labels of a labelled image and those of the image that regions "
        "of it are pasted into; 0: none",
    )
    use_prototypes: bool = Field(False, description="train a second classifier with prototypes on the same labels")


class PrototypeConsistency(Group):
    """The second classifier of semi-supervised training, whose prototypes attract pixels."""

    weight: float = Field(0.1, ge=0, le=100, description="weight of its losses relative to the first classifier")
    per_label: int = Field(4, ge=1, le=64, description="prototypes of each label")
    keep: Annotated[float, Plain("ema_decay")] = Field(
        0.999, ge=0, le=1, description="moving average decay of a prototype, per step"
    )
    contrast_weight: float = Field(
        0.01, ge=0, le=100, description="weight of the contrastive loss of pixels and prototypes"
    )
    distance_weight: float = Field(0.001, ge=0, le=100, description="weight of a pixel's distance to its prototype")


class SupervisedContrast(Group):
    """Supervised contrastive training, switched on by `enable_supcon`."""

    weight: float = Field(0.1, ge=0, le=100, description="weight of the contrastive loss relative to the pixel losses")
    interval: int = Field(
        1,
        ge=1,
        le=10_000,
        description="steps from one contrastive loss to the next; only these steps use a second view",
    )
    label_mix: float = Field(
        1.0,
        ge=0,
        le=1,
        description="probability that regions of half of the labels of another image are pasted into a second view",
    )


class DistillationParameters(Group):
    """Learning from a trained model, switched on by --teacher."""

    loss: str = Field(
        "channel_wise",
        description="how the network is compared with its teacher"
        "\nchannel_wise: where each label is: Kullback-Leibler divergence over the pixels of each channel (Shu 2021)"
        "\nlogits: the probabilities of each pixel: divergence over the labels (Hinton 2015)",
        json_schema_extra={"choices": [*distillation_loss_names()]},
    )
    weight: float = Field(3.0, gt=0, le=1000, description="weight of this loss relative to the pixel losses")
    temperature: float = Field(
        4.0,
        gt=0,
        le=100,
        description="temperature that divides the logits of both; the loss is multiplied by its square",
    )


class SelfSupervised(Group):
    """DetCon: a backbone that uses only images."""

    steps: int = Field(
        2000,
        ge=1,
        le=100_000,
        description="steps of the training, rounded up to whole epochs, if neither epochs nor max_minutes is "
        "given (there is no early stopping without validation)",
    )


class PseudoMasks(Group):
    """How self-supervised training divides images into regions (Felzenszwalb & Huttenlocher 2004)."""

    scale: float = Field(1000.0, gt=0, le=1e6, description="larger values make larger regions")
    min_size: int = Field(1000, ge=1, le=10_000_000, description="minimum pixels of a region, in the shrunk image")
    longest_side: int = Field(512, ge=32, le=4096, description="longest side of the shrunk image, in pixels")


class RegionContrast(Group):
    """How regions of two views of an image are compared, in training with a contrast."""

    hidden: int = Field(256, ge=1, le=8192, description="width of the hidden layers of projector and predictor")
    size: int = Field(128, ge=1, le=8192, description="length of the compared vectors")
    regions: int = Field(16, ge=1, le=256, description="regions drawn per view")
    temperature: float = Field(0.1, gt=0, le=10, description="temperature that divides the similarities")
    target_keep: Annotated[float, Plain("target_decay")] = Field(
        0.996, ge=0, le=1, description="moving average decay of the target network, per step"
    )


class PotParameters(Group):
    """Post-training quantisation."""

    preset: Literal["Performance", "Mixed"] = Field(
        "Performance", description="Performance: symmetric activations; Mixed: asymmetric ones, slower, more accurate"
    )
    stat_subset_size: Annotated[int, Plain("calibration_images")] = Field(
        300, ge=1, le=10_000, description="training images used for calibration"
    )
    weight_bits: Literal["auto", "7", "8"] = Field(
        "auto",
        description="bits of quantised weights"
        "\n8: for processors with VNNI or AMX; on other x86 ones sums of products overflow"
        "\n7: for any processor, somewhat less accurate"
        "\nauto: what this processor needs",
    )


class NncfOptimization(Group):
    """Limits of quantisation, and quantisation-aware training."""

    maximal_accuracy_degradation: Annotated[float, Plain("max_score_drop")] = Field(
        1.0,
        ge=0,
        le=100,
        description="points, hundredths of the watched score, that quantisation may cost; to stay within, layers of an "
        ".xml return to float, and a .pth is fine-tuned",
    )
    accuracy_control_minutes: float = Field(
        15.0,
        gt=0,
        le=10_000,
        description="time limit for finding those layers of an .xml; after it, all stay in floating point",
    )
    learning_rate: float = Field(1e-4, ge=1e-7, le=0.1, description="learning rate of the fine-tuning of a .pth")
    num_epochs: int = Field(40, ge=1, le=100_000, description="maximum number of fine-tuning epochs")
    batch_norm_epochs: int = Field(
        2, ge=0, le=100_000, description="first fine-tuning epochs, in which batch norm statistics are updated"
    )
    enable_quantization: bool = inactive(True, "an optimisation without quantisation does nothing")
    enable_pruning: bool = Field(
        False, description="set the smallest weights of the quantised layers of a .pth to 0 before fine-tuning"
    )
    pruning_ratio: float = Field(0.3, gt=0, lt=1, description="share of their weights that enable_pruning sets to 0")
    pruning_supported: bool = Field(True, description="whether enable_pruning is allowed; False refuses it")


class HyperParameters(Group):
    """All groups of parameters."""

    learning_parameters: LearningParameters = LearningParameters()
    postprocessing: PostProcessing = PostProcessing()
    algo_backend: AlgoBackend = AlgoBackend()
    semi_supervised: SemiSupervised = SemiSupervised()
    prototypes: PrototypeConsistency = PrototypeConsistency()
    supervised_contrast: SupervisedContrast = SupervisedContrast()
    distillation: DistillationParameters = DistillationParameters()
    self_supervised: SelfSupervised = SelfSupervised()
    pseudo_masks: PseudoMasks = PseudoMasks()
    region_contrast: RegionContrast = RegionContrast()
    pot_parameters: PotParameters = PotParameters()
    nncf_optimization: NncfOptimization = NncfOptimization()
