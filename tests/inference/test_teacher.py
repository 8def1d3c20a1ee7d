"""A trained model as a teacher: what it sees, what it answers, and which ones are refused."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest
import torch
from conftest import NAMES
from small_network import small_template
from torch import Tensor
from torch.nn import functional

from otx_seg.deployment.export import export
from otx_seg.errors import UsageError
from otx_seg.inference.teacher import Teacher, open_teacher
from otx_seg.labels import Labels, default_colors, labels_called
from otx_seg.models.build import build_model
from otx_seg.models.network import SegmentationNetwork
from otx_seg.workspace.teacher_file import teacher_at
from otx_seg.workspace.tensor_file import read_tensors
from otx_seg.workspace.weights import write_backbone, write_weights

ORDERS = (NAMES, (NAMES[2], NAMES[0], NAMES[3], NAMES[1]))


def teacher(path: Path, names: tuple[str, ...] = NAMES) -> Teacher:
    return open_teacher(teacher_at(path), Labels(names, default_colors(len(names)), None))


def images(height: int = 64, width: int = 64) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    coarse = 255 * torch.rand(2, 3, height // 8, width // 8, generator=generator)
    return functional.interpolate(coarse, (height, width), mode="bilinear").to(torch.uint8)


@pytest.mark.parametrize("names", ORDERS)
@torch.no_grad()
def test_the_answer_is_that_of_the_network(
    tiny_weights: Path, tiny_network: SegmentationNetwork, names: tuple[str, ...]
) -> None:
    expected = tiny_network(images()).log_softmax(dim=1)[:, [NAMES.index(name) for name in names]]
    answer = teacher(tiny_weights, names).log_probabilities(images())
    assert len(answer.argmax(dim=1).unique()) == len(NAMES)  # else the comparison would say little
    torch.testing.assert_close(answer, expected)
    assert not answer.requires_grad


@pytest.mark.parametrize("size", [(64, 64), (32, 96)])
@pytest.mark.parametrize("names", ORDERS)
def test_exported_models_answer_like_the_network(
    tiny_weights: Path, tiny_ir: Path, tiny_onnx: Path, size: tuple[int, int], names: tuple[str, ...]
) -> None:
    expected = teacher(tiny_weights, names).log_probabilities(images(*size))
    assert expected.shape == (2, len(NAMES), *size)
    for path in (tiny_ir, tiny_onnx):
        torch.testing.assert_close(
            teacher(path, names).log_probabilities(images(*size)), expected, atol=2e-3, rtol=2e-3
        )


@torch.no_grad()
def test_a_view_of_another_size_is_resized_and_so_is_the_answer(
    tiny_weights: Path, tiny_network: SegmentationNetwork
) -> None:
    """Logits, not probabilities, are resized: these differ by what is the same for all labels."""
    view = images(32, 96)
    seen = functional.interpolate(view.float(), (64, 64), mode="bilinear", align_corners=False).round()
    logits = functional.interpolate(tiny_network(seen.to(torch.uint8)), (32, 96), mode="bilinear", align_corners=False)
    answer = teacher(tiny_weights).log_probabilities(view)
    torch.testing.assert_close(answer.log_softmax(dim=1), logits.log_softmax(dim=1), atol=1e-4, rtol=1e-4)


def test_a_probability_of_0_has_a_finite_logarithm() -> None:
    class Sure:
        gives_masks = False
        kind, input_size, template = "openvino", (64, 64), None

        def probabilities(self, images: Tensor) -> object:
            sure = torch.zeros(2, 2, 64, 64)
            sure[:, 0] = 1.0
            return sure.numpy()

    answer = Teacher(Sure(), [0, 1]).log_probabilities(images())  # type: ignore[arg-type]
    assert torch.isfinite(answer).all()
    assert float(answer.exp()[:, 1].max()) < 1e-30


def test_opening_one_draws_no_random_number(tiny_weights: Path) -> None:
    before = torch.get_rng_state()
    teacher(tiny_weights)
    assert torch.equal(torch.get_rng_state(), before)


def test_a_file_is_known_by_its_content(tiny_weights: Path, tiny_ir: Path, tmp_path: Path) -> None:
    moved = Path(shutil.copy(tiny_weights, tmp_path / "elsewhere.pth"))
    assert teacher_at(moved).digest == teacher_at(tiny_weights).digest
    assert teacher_at(moved).path == moved.resolve()
    ir = Path(shutil.copy(tiny_ir, tmp_path / "model.xml"))
    shutil.copy(tiny_ir.with_suffix(".bin"), tmp_path / "model.bin")
    before = teacher_at(ir).digest
    content = bytearray((tmp_path / "model.bin").read_bytes())
    content[-1] ^= 1
    (tmp_path / "model.bin").write_bytes(content)
    assert teacher_at(ir).digest != before


@pytest.mark.parametrize(
    ("names", "says"),
    [
        ("background,red brick,pole", "it has 'sky' besides"),
        ("background,red brick,pole,sky,tree", "it lacks 'tree'"),
        ("background,red brick,pole,tree", "it lacks 'tree' and it has 'sky' besides"),
    ],
)
def test_other_labels_are_refused_by_name(tiny_weights: Path, names: str, says: str) -> None:
    with pytest.raises(UsageError, match=rf"^--teacher .*weights.pth: has other labels than the data: {says}; train"):
        open_teacher(teacher_at(tiny_weights), labels_called(names))


def test_what_is_no_model(tiny_weights: Path, tiny_ir: Path, tmp_path: Path) -> None:
    from small_network import small_template

    state = read_tensors(tiny_weights)["model"]["state_dict"]
    backbone = {key.removeprefix("backbone."): value for key, value in state.items() if key.startswith("backbone.")}
    write_backbone(tmp_path / "backbone.pth", backbone, small_template(), "random numbers")
    with pytest.raises(UsageError, match=r"^--teacher .*backbone.pth: holds a backbone alone"):
        teacher(tmp_path / "backbone.pth")
    alone = Path(shutil.copy(tiny_ir, tmp_path / "alone.xml"))
    with pytest.raises(UsageError, match=r"^--teacher .*alone.bin: missing"):
        teacher(alone)
    (tmp_path / "damaged.onnx").write_bytes(b"nothing")
    with pytest.raises(UsageError, match=r"^--teacher .*damaged.onnx: is not an ONNX model"):
        teacher(tmp_path / "damaged.onnx")
    for name, says in (("gone.pth", "there is no such file"), ("gone.h5", r"weights end in .pth, .xml, .onnx, .zip")):
        with pytest.raises(UsageError, match=re.escape(name) + f": {says}"):
            teacher_at(tmp_path / name)


@torch.no_grad()
def test_a_threshold_moves_no_answer(tmp_path: Path) -> None:
    """The student has a threshold of its own."""
    labels = Labels(("background", "crack"), default_colors(2), background=0)
    answers = []
    for threshold in (0.5, 0.2):
        binary = {"learning_parameters.binary": True, "learning_parameters.binary_threshold": threshold}
        template = small_template().override(binary)
        torch.manual_seed(0)
        network = build_model(template, 2)
        write_weights(tmp_path / f"{threshold}.pth", network.state_dict(), labels, template, "random numbers")
        exported = export(tmp_path / f"{threshold}.pth", tmp_path / f"{threshold}").model
        for path in (tmp_path / f"{threshold}.pth", exported):
            found = open_teacher(teacher_at(path), labels_called("crack,background")).log_probabilities(images())
            answers.append(found[:, 0] - found[:, 1])
    for answer in answers[1:]:
        torch.testing.assert_close(answer, answers[0], atol=2e-3, rtol=2e-3)
