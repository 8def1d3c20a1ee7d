"""Once around the labelling loop on CamVid: what a second round of labels brings, suggested or drawn by chance.

Every fourth of CamVid's training images is held out as test data. Of the others 24 are labelled, drawn by the seed.

1. train   a workspace is built with these 24 and CamVid's validation images, and a network is trained in it;
2. suggest 24 more are chosen by `otx suggest`, or drawn by chance;
3. predict they are pre-annotated by that network, and it is measured how many pixels are left to be corrected;
4. add     with their true masks, in the person's place, they come into the workspace by `otx build --add-data`;
5. retrain a network is trained on the 48, from the last weights; with --anew also from pretrained ones;
6. check   the masks that contradict that network are ranked, in the suggested arm.

All trainings make the same number of steps. Printed is the Dice after each, on the validation images and on the
held-out ones, and the same for 24 images drawn by chance.

    python benchmarks/labelling_loop.py CAMVID_FOLDER OUTPUT [--seeds 1] [--steps 350] [--count 24] [--anew]
        [--arms suggested random] [--template EfficientNet-Lite0-FPN] [--input-size 256x256] [--batch-size 4]

Everything is kept in OUTPUT: the same command goes on where it was interrupted, also within a training.
"""

from __future__ import annotations

import argparse
import csv
import json
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from learning_modes import epochs
from suggest import HELD_OUT, copy_labelled

import otx_seg
from otx_seg.workspace.run_folder import RunFolder
from otx_seg.workspace.workspace import Workspace

FIRST, SUGGESTED, RANDOM = "first", "suggested", "random"


def once(file: Path, make: Callable[[], Any]) -> Any:
    """What was made and written into a file, now or in an earlier call."""
    if not file.exists():
        file.parent.mkdir(parents=True, exist_ok=True)
        content = json.dumps(make(), indent=1)
        file.write_text(content)
    return json.loads(file.read_text())


class Loop:
    """One seed: its files, and the steps of the walk."""

    def __init__(self, seed: int, options: argparse.Namespace) -> None:
        self.seed, self.options = seed, options
        self.folder: Path = options.output / str(seed)
        every = sorted(path.name for path in (options.camvid / "train" / "images").iterdir())
        self.held_out = every[::HELD_OUT]
        pool = [name for name in every if name not in self.held_out]
        self.first = sorted(np.random.default_rng(seed).choice(pool, options.count, replace=False).tolist())
        self.left = [name for name in pool if name not in self.first]

    # ------------------------------------------------------------------ the steps

    def begin(self) -> dict[str, Any]:
        """Step 1; its scores."""
        camvid, workspace = self.options.camvid, self.folder / FIRST
        if Workspace(workspace).missing:
            labelled = copy_labelled(camvid, self.first, self.folder / "labelled")
            held_out = copy_labelled(camvid, self.held_out, self.folder / "held-out")
            copy_labelled(camvid, self.left, self.folder / "unlabelled")
            model = {"model": self.options.template, "workspace": workspace}
            otx_seg.build(labelled, camvid / "val", test_data_roots=held_out, **model)
        return self.train(workspace, "round-1", len(self.first))

    def branch(self, arm: str) -> Path:
        """The workspace of an arm: a copy of the first, with its training."""
        workspace = self.folder / arm
        if Workspace(workspace).missing:
            unfinished = workspace.with_name(f"{arm}.unfinished")
            shutil.rmtree(unfinished, ignore_errors=True)
            shutil.copytree(self.folder / FIRST, unfinished, symlinks=True)
            unfinished.rename(workspace)
        return workspace

    def choose(self, arm: str, workspace: Path) -> list[str]:
        """Step 2: the names of the images to label next."""
        if arm == RANDOM:
            generator = np.random.default_rng(1000 + self.seed)
            return sorted(generator.choice(self.left, self.options.count, replace=False).tolist())
        output = workspace / "outputs" / "suggest"
        how = {"count": self.options.count, "list_only": True, "overwrite": True}
        otx_seg.suggest(self.folder / "unlabelled" / "images", workspace=workspace, output=output, **how)
        with (output / "suggest.csv").open(encoding="utf-8") as file:
            return sorted(row["file"] for row in csv.DictReader(file))

    def pre_annotate(self, arm: str, workspace: Path, batch: Path) -> dict[str, float]:
        """Step 3: what is left to correct of the pre-annotations, and their Dice."""
        output = workspace / "outputs" / "pre-annotated"
        if arm == SUGGESTED:
            otx_seg.predict(batch / "images", workspace=workspace, save_as=["coco"], output=output, overwrite=True)
        measured = otx_seg.evaluate(batch, workspace=workspace, output=workspace / "outputs" / "drawn", overwrite=True)
        return {"to_correct": 1 - measured.scores.pixel_accuracy, "dice": measured.scores.dice_average}

    def add(self, workspace: Path, batch: Path) -> dict[str, int]:
        """Step 4: how many of the images are new, and how many there are now."""
        added = otx_seg.add_data(batch, workspace=workspace)
        return {"new": added.new, "left_out": len(added.left_out), "trained_on": added.trained_on[1]}

    def check(self, workspace: Path) -> list[str]:
        """Step 6: the lines on the masks that the network contradicts most."""
        output = workspace / "outputs" / "mask-faults"
        otx_seg.check(workspace=workspace, load_weights=self.weights(workspace, "round-2"), output=output)
        return (output / "mask_faults.csv").read_text(encoding="utf-8").splitlines()[:4]

    # ------------------------------------------------------------------ trainings

    def weights(self, workspace: Path, name: str) -> Path:
        return RunFolder(workspace / "outputs" / name).weights

    def train(self, workspace: Path, name: str, images: int, anew: bool = False) -> dict[str, Any]:
        """A training in a workspace, resumed if it was interrupted; its scores on both kinds of images."""
        return once(workspace / f"{name}.json", lambda: self._train(workspace, name, images, anew))

    def _train(self, workspace: Path, name: str, images: int, anew: bool) -> dict[str, Any]:
        run = RunFolder(workspace / "outputs" / name)
        settings = {
            "input_size": self.options.input_size,
            "batch_size": self.options.batch_size,
            "num_iters": epochs(self.options.steps, images, self.options.batch_size),
            "enable_early_stopping": False,
            "use_adaptive_interval": True,
            "num_workers": 0,
        }
        if run.checkpoint.exists():
            trained = otx_seg.train(resume_from=run.path)
        else:
            trained = otx_seg.train(
                workspace=workspace,
                output=run.path,
                seed=self.seed,
                from_pretrained=anew,
                overwrite=True,
                parameters={f"learning_parameters.{key}": value for key, value in settings.items()},
            )
        assert trained.scores is not None
        measured = otx_seg.evaluate(
            workspace=workspace,
            load_weights=trained.weights,
            output=workspace / "outputs" / f"{name}-held-out",
            overwrite=True,
        )
        found = {"validation": trained.scores, "held out": measured.scores}
        return {
            "dice": {where: scores.dice_average for where, scores in found.items()},
            "labels": {name: score.dice for name, score in measured.scores.per_label.items()},
            "steps": trained.steps,
        }


def walk(loop: Loop, arm: str) -> dict[str, Any]:
    """Steps 2 to 6 of an arm; what they gave."""
    workspace = loop.branch(arm)
    names = once(workspace / "chosen.json", lambda: loop.choose(arm, workspace))
    batch = loop.folder / f"batch-{arm}"
    if not (workspace / "annotated.json").exists():
        copy_labelled(loop.options.camvid, names, batch)
    drawn = once(workspace / "annotated.json", lambda: loop.pre_annotate(arm, workspace, batch))
    added = once(workspace / "added.json", lambda: loop.add(workspace, batch))
    trained = loop.train(workspace, "round-2", added["trained_on"])
    result = {"drawn": drawn, "added": added, "round 2": trained}
    if loop.options.anew:
        result["round 2, anew"] = loop.train(workspace, "round-2-anew", added["trained_on"], anew=True)
    if arm == SUGGESTED:
        result["faults"] = once(workspace / "faults.json", lambda: loop.check(workspace))
    return result


def table(found: dict[int, dict[str, Any]], arms: Sequence[str]) -> str:
    """The Dice after each round, in lines of Markdown."""
    lines = ["| seed | labels | Dice, validation | Dice, held out |", "|---|---|---|---|"]
    for seed, of_seed in found.items():
        rows = {"first": of_seed[FIRST]}
        for arm in arms:
            rounds = {key: value for key, value in of_seed[arm].items() if key.startswith("round")}
            rows |= {f"and more, {arm}, {key}": value for key, value in rounds.items()}
        for name, row in rows.items():
            dice = row["dice"]
            lines.append(f"| {seed} | {name} | {dice['validation']:.4f} | {dice['held out']:.4f} |")
    for seed, of_seed in found.items():
        for arm in arms:
            drawn, added = of_seed[arm]["drawn"], of_seed[arm]["added"]
            lines.append(
                f"seed {seed}, {arm}: {added['new']} new images; {100 * drawn['to_correct']:.1f} % of the pixels of "
                f"their pre-annotations are to be corrected (Dice {drawn['dice']:.3f})"
            )
        lines += of_seed.get(SUGGESTED, {}).get("faults", [])
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("camvid", type=Path)
    parser.add_argument("output", type=Path)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1])
    parser.add_argument("--arms", nargs="+", choices=(SUGGESTED, RANDOM), default=[SUGGESTED, RANDOM])
    parser.add_argument("--steps", type=int, default=350)
    parser.add_argument("--count", type=int, default=24)
    parser.add_argument("--anew", action="store_true")
    parser.add_argument("--template", default="EfficientNet-Lite0-FPN")
    parser.add_argument("--input-size", default="256x256")
    parser.add_argument("--batch-size", type=int, default=4)
    options = parser.parse_args()
    options.camvid, options.output = options.camvid.resolve(), options.output.resolve()
    found: dict[int, dict[str, Any]] = {}
    for seed in options.seeds:
        loop = Loop(seed, options)
        found[seed] = {FIRST: loop.begin()}
        for arm in options.arms:
            found[seed][arm] = walk(loop, arm)
            print(table({seed: {**found[seed]}}, [name for name in options.arms if name in found[seed]]), flush=True)
    if len(found) > 1:
        print(table(found, options.arms))


if __name__ == "__main__":
    main()
