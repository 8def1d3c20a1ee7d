"""What each network reaches in the same time, and how fast it answers then.

Trains every template whose network needs up to so many multiply-adds for the same number of minutes on CamVid, or on
another data set with ``train`` and ``val``, one after the other; exports, quantises and measures it. Dice, mIoU and the
loss by quantisation are those of the validation images; the latencies of the trained network and of its FP32 and INT8
models are measured in turns, one image at a time. Every network is kept in OUTPUT: the same command goes on where it
was interrupted, prints the table of all that is there, the best first, and draws ``zoo.svg``. To try a network once
more, delete its folder.

    python benchmarks/zoo.py DATA OUTPUT [--minutes 20] [--gigaflops 5] [--templates NAME ...] [--input-size 256x256]
        [--pretrained auto] [--seed 1] [--set GROUP.NAME=VALUE ...]
"""

from __future__ import annotations

import argparse
import gc
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import matplotlib
from matplotlib.figure import Figure

import otx_seg
from otx_seg.errors import OtxError
from otx_seg.inference.latency import compare_latency
from otx_seg.inference.predictor import load_predictor
from otx_seg.template import find_templates

Result = dict[str, Any]


def measure(options: argparse.Namespace, name: str) -> Result:
    """What a network reached; it is trained and measured unless that is there already."""
    folder = options.output / name
    result = folder / "result.json"
    if not result.exists():
        try:
            found = _quantised(options, folder, _trained(options, name, folder))
        except OtxError as error:  # of one network: the others go on
            found = {"failed": str(error).partition("\n")[0]}
        result.write_text(json.dumps(found), encoding="utf-8")
        gc.collect()  # the next network may need all of the memory
    content: Result = json.loads(result.read_text(encoding="utf-8"))
    return content


def _trained(options: argparse.Namespace, name: str, folder: Path) -> Result:
    """The weights, and after how many steps; kept, since they took most of the time."""
    kept = folder / "trained.json"
    if not kept.exists():
        settings = {
            "learning_parameters.max_minutes": options.minutes,
            "learning_parameters.input_size": options.input_size,
            "learning_parameters.pretrained": options.pretrained,
        }
        trained = otx_seg.train(
            options.data / "train",
            options.data / "val",
            template=name,
            output=folder / "trained",
            seed=options.seed,
            parameters=settings | dict(text.split("=", 1) for text in options.set),
            overwrite=True,
        )
        kept.write_text(json.dumps({"weights": str(trained.weights), "steps": trained.steps}), encoding="utf-8")
    content: Result = json.loads(kept.read_text(encoding="utf-8"))
    return content


def _quantised(options: argparse.Namespace, folder: Path, trained: Result) -> Result:
    exported = otx_seg.export(trained["weights"], output=folder / "exported", overwrite=True)
    quantised = otx_seg.optimize(
        exported.model, options.data / "train", options.data / "val", output=folder / "quantised", overwrite=True
    )
    models = (trained["weights"], exported.model, quantised.model)
    in_torch, in_fp32, in_int8 = compare_latency([load_predictor(Path(model), device="cpu") for model in models])
    return {
        "steps": trained["steps"],
        "dice": quantised.before.scores.dice_average,
        "miou": quantised.before.scores.m_iou,
        "int8_loss": quantised.dice_loss,
        "torch_ms": 1e3 * in_torch,
        "fp32_ms": 1e3 * in_fp32,
        "int8_ms": 1e3 * in_int8,
        "fp32_mb": quantised.size_before / 1e6,
        "int8_mb": quantised.size_after / 1e6,
    }


def table(results: dict[str, Result]) -> Iterable[str]:
    """Rows in Markdown, the highest Dice first; what failed stands last."""
    yield "| template | Dice | mIoU | steps | torch, ms | FP32, ms | INT8, ms | INT8 loss, points | FP32 / INT8, MB |"
    yield "|---|---|---|---|---|---|---|---|---|"
    for name, found in sorted(results.items(), key=lambda row: -row[1].get("dice", -1.0)):
        if "failed" in found:
            yield f"| {name} | {found['failed']} | | | | | | | |"
            continue
        latencies = " | ".join(f"{found[key]:.1f}" for key in ("torch_ms", "fp32_ms", "int8_ms"))
        yield (
            f"| {name} | {found['dice']:.3f} | {found['miou']:.3f} | {found['steps']:,} | {latencies} | "
            f"{100 * found['int8_loss']:.2f} | {found['fp32_mb']:.1f} / {found['int8_mb']:.1f} |"
        )


def best_for_their_time(points: dict[str, tuple[float, float]]) -> list[str]:
    """The names of the points (latency, Dice) with a higher Dice than all that are as fast or faster, the fastest
    first."""
    best: list[str] = []
    for name, (_, dice) in sorted(points.items(), key=lambda point: (point[1][0], -point[1][1])):
        if not best or dice > points[best[-1]][1]:
            best.append(name)
    return best


def draw(results: dict[str, Result], path: Path) -> None:
    """Dice and latency of the INT8 models, a colour for each family; a line joins the best for their time."""
    families = {summary.name: summary.family for summary in find_templates()}
    points = {name: (found["int8_ms"], found["dice"] - found["int8_loss"]) for name, found in results.items()}
    figure = Figure(figsize=(11, 7), layout="constrained")
    axes = figure.add_subplot()
    for number, family in enumerate(sorted({families[name] for name in points})):
        of_family = [point for name, point in points.items() if families[name] == family]
        axes.scatter(*zip(*of_family, strict=True), color=f"C{number % 10}", marker="os^Dv"[number // 10], label=family)
    for number, (name, point) in enumerate(sorted(points.items(), key=lambda named: named[1])):
        # Neighbours do not cover each other: on the right, on the left; the next two below instead of above.
        side, way = ("left", 1) if number % 2 == 0 else ("right", -1)
        height = 3 if number % 4 < 2 else -8
        axes.annotate(name, point, xytext=(5 * way, height), textcoords="offset points", fontsize=7, ha=side)
    axes.plot(*zip(*(points[name] for name in best_for_their_time(points)), strict=True), "k--", lw=0.8)
    axes.set(xscale="log", xlabel="latency of the INT8 model, ms", ylabel="Dice of the INT8 model")
    axes.xaxis.set_major_formatter("{x:g}")
    axes.xaxis.set_minor_formatter("{x:g}")
    axes.grid(alpha=0.3)
    axes.margins(x=0.12)  # room for the last name
    axes.legend(fontsize=8)
    with matplotlib.rc_context({"svg.fonttype": "none"}):
        figure.savefig(path, metadata={"Date": None})


def main() -> None:
    every = [summary.name for summary in find_templates()]
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="folder with train/ and val/")
    parser.add_argument("output", type=Path)
    parser.add_argument("--minutes", type=float, default=20.0)
    parser.add_argument("--gigaflops", type=float, default=5.0, help="multiply-adds at 512x512, in billions, at most")
    parser.add_argument("--templates", nargs="*", choices=every, default=[], help="these, whatever they need")
    parser.add_argument("--input-size", default="256x256")
    parser.add_argument("--pretrained", default="auto")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--set", nargs="*", default=[], metavar="GROUP.NAME=VALUE", help="for every training")
    options = parser.parse_args()

    small = [summary.name for summary in find_templates() if summary.gigaflops <= options.gigaflops]
    results = {name: measure(options, name) for name in options.templates or small}
    print("\n".join(table(results)))
    measured = {name: found for name, found in results.items() if "failed" not in found}
    if measured:
        draw(measured, options.output / "zoo.svg")


if __name__ == "__main__":
    main()
