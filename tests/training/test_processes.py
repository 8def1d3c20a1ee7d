"""Two processes under torchrun on the CPU: equal weights, each sample once, the score of one process."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import torch
from brief_training import PARAMETERS
from small_network import small_file

from otx_seg.datasets import open_folder
from otx_seg.datasets.synthetic.draw import draw_dataset
from otx_seg.inference.evaluate import evaluate
from otx_seg.inference.predictor import load_predictor

SCRIPT = """
import json, os, sys
import torch
from otx_seg import train
from otx_seg.algorithms.supervised import Supervised

data, output, parameters, template = sys.argv[1], sys.argv[2], json.loads(sys.argv[3]), sys.argv[4]
rank = os.environ["RANK"]
kept, files = [], []
build, step = Supervised.__init__, Supervised.training_step

def remember(self, *arguments):
    build(self, *arguments)
    kept.append(self)

def note(self, batch, moment):
    files.append(batch["labelled"]["files"])
    return step(self, batch, moment)

Supervised.__init__, Supervised.forward = remember, note
train(data + "/train", data + "/val", template=template, output=output, parameters=parameters)
torch.save({"parameters": [p.detach() for p in kept[0].parameters()], "files": files}, f"{output}/rank{rank}.pth")
"""


LEARNING_MODES = """
import json, os, sys
import torch
from otx_seg import train
from otx_seg.training.trainer import Trainer

fit = Trainer.fit

def keep(self):
    result = fit(self)
    torch.save([p.detach() for p in self.algorithm.parameters()], f"{output}/rank{os.environ['RANK']}.pth")
    return result

Trainer.fit = keep
for output, (roots, more) in json.loads(sys.argv[1]).items():
    train(*roots, output=output, **more)
"""


def launch(script: Path, *arguments: str) -> None:
    """Run a script in two processes."""
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    command = [*launcher, str(script), *arguments]
    finished = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    assert finished.returncode == 0, finished.stderr[-3000:]


def test_two_processes_train_one_network(drawn_data: Path, tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    run = tmp_path / "run"
    parameters = {**PARAMETERS, "learning_parameters.batch_size": 2, "learning_parameters.num_iters": 2}
    parameters["learning_parameters.learning_rate_schedule"] = "constant"  # the best network is kept
    parameters |= {"learning_parameters.average_best": 2, "learning_parameters.precise_bn_images": 6}
    launch(script, str(drawn_data), str(run), json.dumps(parameters), str(small_file()))

    first, second = (torch.load(run / f"rank{rank}.pth", weights_only=True) for rank in (0, 1))
    assert all(torch.equal(a, b) for a, b in zip(first["parameters"], second["parameters"], strict=True))

    everything = sorted(sample.name for sample in open_folder(drawn_data)["train"].samples)
    for epoch in range(2):
        steps = slice(2 * epoch, 2 * epoch + 2)
        seen = [name for rank in (first, second) for batch in rank["files"][steps] for name in batch]
        assert sorted(seen) == everything

    recorded = [json.loads(line) for line in (run / "logs" / "metrics.jsonl").read_text().splitlines()]
    best = max(entry["Dice Average"] for entry in recorded if "Dice Average" in entry)
    alone = evaluate(load_predictor(run / "models" / "weights.pth"), open_folder(drawn_data)["val"])
    kept = torch.load(run / "logs" / "checkpoint" / "state.pth", weights_only=True)["position"]["best_score"]
    assert alone.scores.dice_average == kept >= best  # what is tried at the end may be better


def test_other_ways_of_learning_keep_two_processes_equal(drawn_data: Path, small_weights: Path, tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(LEARNING_MODES)
    labelled = [str(drawn_data / "train"), str(drawn_data / "val")]
    draw_dataset(tmp_path / "more", 6, 64, seed=9)
    unlabelled = {"unlabeled_data_roots": str(tmp_path / "more" / "train"), "teacher": str(small_weights)}
    teacher = {"start_epoch": 0, "start_share": 0.0, "use_prototypes": True}
    images = tmp_path / "images"
    shutil.copytree(drawn_data / "train" / "images", images)
    min(images.iterdir()).unlink()  # 7 are left: batches of 3 and 4
    contrast = {"learning_parameters.enable_supcon": True, "supervised_contrast.interval": 2}
    contrast |= {"learning_parameters.batch_size": 2, "learning_parameters.accumulate": 2}
    regions = {"pseudo_masks.min_size": 50, "learning_parameters.batch_size": 4}
    modes = [
        (labelled, {f"semi_supervised.{name}": value for name, value in teacher.items()}, unlabelled),
        (labelled, contrast, {}),
        ([str(images)], regions, {}),
    ]
    brief = {**PARAMETERS, "learning_parameters.batch_size": 2, "learning_parameters.num_iters": 2}
    runs = {
        str(tmp_path / f"run{number}"): (roots, {"template": str(small_file()), "parameters": brief | changes, **more})
        for number, (roots, changes, more) in enumerate(modes)
    }
    launch(script, json.dumps(runs))
    for run in runs:
        first, second = (torch.load(Path(run, f"rank{rank}.pth"), weights_only=True) for rank in (0, 1))
        assert all(torch.equal(a, b) for a, b in zip(first, second, strict=True)), run
