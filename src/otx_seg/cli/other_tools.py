"""Options that other tools have, and how the same is said here."""

from __future__ import annotations

import click

from otx_seg.workspace.command_line import otx_command

TEMPLATE = "TEMPLATE"
"""The argument that names the template."""

_EPOCHS = ("--learning_parameters.epochs N", "--nncf_optimization.num_epochs N")
_RATE = ("--learning_parameters.learning_rate R", "--nncf_optimization.learning_rate R")
_BATCH = ("--learning_parameters.batch_size N", "--learning_parameters.inference_batch_size N")
_SIZE = ("--learning_parameters.input_size HEIGHTxWIDTH", "--input-size HEIGHTxWIDTH", "--fit-to-size WIDTH HEIGHT")
_WORKERS = ("--learning_parameters.num_workers N",)
_NETWORK = (TEMPLATE, "--template NAME", "--load-weights FILE", "--model TEMPLATE")
_WEIGHTS = ("--load-weights FILE",)
_DATA = (
    "--train-data-roots FOLDER",
    "--test-data-roots FOLDER",
    "--data-roots FOLDER",
    "--input PATH",
    "--explain-data-roots PATH",
)
_OUTPUT = ("--output FOLDER", "--workspace FOLDER")
_DEVICE = (
    "the first GPU is used, else the CPU; set the environment variable CUDA_VISIBLE_DEVICES to the number of another "
    "GPU, or to nothing for the CPU",
)

SAID_HERE: dict[tuple[str, ...], tuple[str, ...]] = {
    ("epochs", "epoch", "num-epochs", "max-epochs", "n-epochs"): _EPOCHS,
    ("lr", "lr0", "learning-rate", "base-lr"): _RATE,
    ("batch-size", "batch", "bs", "samples-per-gpu", "per-device-train-batch-size"): _BATCH,
    ("imgsz", "img", "img-size", "image-size", "input-size", "crop-size", "resolution"): _SIZE,
    ("workers", "num-workers", "workers-per-gpu"): _WORKERS,
    ("patience", "early-stopping", "early-stopping-patience"): ("--learning_parameters.early_stop_patience N",),
    ("warmup", "warmup-steps", "warmup-iters"): ("--learning_parameters.warmup_steps N",),
    ("time", "max-time", "time-limit"): ("--learning_parameters.max_minutes N", "--minutes N"),
    ("amp", "fp16", "half", "bf16", "precision"): ("--learning_parameters.precision fp16", "--half-precision"),
    ("loss", "criterion"): ("--learning_parameters.loss NAME",),
    ("class-weights", "class-weight"): ("--learning_parameters.class_weights NAME",),
    ("ema", "ema-decay"): ("--learning_parameters.ema_decay R",),
    ("model", "arch", "architecture", "network", "config", "cfg", "template"): _NETWORK,
    ("weights", "checkpoint", "ckpt", "ckpt-path", "model-path", "load-from"): _WEIGHTS,
    ("pretrained",): ("--learning_parameters.pretrained FILE", *_WEIGHTS),
    ("data", "dataset", "data-dir", "data-root", "data-path", "source", "images", "input", "root"): _DATA,
    ("val-data", "val-dir", "val-root"): ("--val-data-roots FOLDER",),
    ("test-data", "test-dir", "test-root"): ("--test-data-roots FOLDER",),
    ("name", "project", "work-dir", "workdir", "save-dir", "output-dir", "out", "out-dir", "run-name"): _OUTPUT,
    ("exist-ok", "force"): ("--overwrite",),
    ("resume", "auto-resume"): ("--resume-from RUN",),
    ("random-seed", "random-state"): ("--seed N",),
    ("format", "to"): ("--export-type TYPE",),
    ("cache", "cache-images"): ("--mem-cache-size SIZE",),
    ("nproc", "nproc-per-node", "devices"): ("--gpus N,N", *_DEVICE),
    ("device", "gpu", "gpu-id", "gpu-ids", "accelerator", "no-cuda", "cuda", "cpu"): _DEVICE,
    ("classes", "class-names", "names"): ("--labels A,B,...",),
}
"""Names of options of other tools, and what may be their like here; a command's hint is the first that it takes."""


def hint(command: click.Command, option: str, parameters: dict[str, str]) -> str | None:
    """How a command is told what other tools call `option`; None where it knows nothing of the kind.

    Args:
        option: as typed, such as ``--batch_size``.
        parameters: what people are told that the command's hyper-parameters are called, by their own names.
    """
    name = option.strip("-").lower().replace("_", "-")
    ways = next((ways for names, ways in SAID_HERE.items() if name in names), ())
    same = (f"--{plain} VALUE" for own, plain in parameters.items() if name in (_last_of(own), _last_of(plain)))
    taken = {f"--{plain}" for plain in parameters.values()}
    for item in command.params:
        taken.update((TEMPLATE,) if item.name == "template" and isinstance(item, click.Argument) else item.opts)
    for way in (*ways, *same):
        first = way.split()[0]
        if way == TEMPLATE and way in taken:
            example = otx_command(command.name or "", "SegNext-t")
            return f"{option}: the template is given without an option, as in {example}"
        if first in taken:
            listed = "params --help" if "." in first else "--help"
            return f"{option}: here this is {way}; see {otx_command(command.name or '', *listed.split())}"
        if way in _DEVICE:
            return f"{option}: no such option; {way}"
    return None


def _last_of(parameter: str) -> str:
    return parameter.rpartition(".")[2].replace("_", "-")
