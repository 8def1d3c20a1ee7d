"""Parts of a batch, and the training that adds up their gradients."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from brief_training import train_briefly, weights_of
from small_network import small_template
from torch import Tensor, nn

from otx_seg.losses.cross_entropy import CrossEntropy
from otx_seg.training.micro_batches import Batch, micro_batches


def batch_of(labelled: int, unlabelled: int = 0) -> Batch:
    generator = torch.Generator().manual_seed(0)
    mask = torch.randint(0, 3, (labelled, 4, 4), generator=generator, dtype=torch.uint8)
    mask[0, :3] = 255
    batch: Batch = {"labelled": {"mask": mask, "files": [f"{index}.png" for index in range(labelled)]}}
    if unlabelled:
        files = [f"u{index}.png" for index in range(unlabelled)]
        batch["unlabelled"] = {"image": torch.arange(unlabelled)[:, None], "files": files}
    return batch


@pytest.mark.parametrize(
    ("images", "size", "sizes"),
    [(8, 4, [4, 4]), (9, 4, [3, 3, 3]), (3, 2, [3]), (5, 2, [2, 3]), (3, 1, [1, 1, 1]), (4, 8, [4]), (1, 2, [1])],
)
def test_parts_are_even_and_have_two_images(images: int, size: int, sizes: list[int]) -> None:
    parts = micro_batches(batch_of(images), size)
    assert [len(part["labelled"]["mask"]) for _, part in parts] == sizes
    names = [name for _, part in parts for name in part["labelled"]["files"]]
    assert names == [f"{index}.png" for index in range(images)]


def test_each_view_is_divided_evenly() -> None:
    parts = micro_batches(batch_of(4, unlabelled=6), 2)
    assert [part["unlabelled"]["image"][:, 0].tolist() for _, part in parts] == [[0, 1, 2], [3, 4, 5]]


def test_shares_make_the_mean_over_labelled_pixels() -> None:
    batch, loss = batch_of(4), CrossEntropy([1.0, 2.0, 0.5])
    mask = batch["labelled"]["mask"]
    batch["labelled"]["logits"] = torch.randn(4, 3, 4, 4, generator=torch.Generator().manual_seed(1))
    parts = micro_batches(batch, 2)
    found = sum(share * loss(part["labelled"]["logits"], part["labelled"]["mask"]) for share, part in parts)
    torch.testing.assert_close(found, loss(batch["labelled"]["logits"], mask))
    mask[:] = 255
    assert [share for share, _ in micro_batches(batch, 2)] == [0.5, 0.5]


def by_itself(norm: nn.BatchNorm2d, x: Tensor) -> Tensor:
    """Batch normalisation by the running statistics, which makes images independent of each other."""
    return nn.functional.batch_norm(x, norm.running_mean, norm.running_var, norm.weight, norm.bias)


def test_a_step_is_that_of_the_larger_batch(drawn_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nn.BatchNorm2d, "forward", by_itself)
    # oneDNN rounds differently for other numbers of images on some processors.
    monkeypatch.setattr(torch.backends.mkldnn, "enabled", False)
    path = tmp_path / "small.yaml"
    # Adam divides by the gradient itself in its first steps, and so enlarges what rounding changes.
    path.write_text(small_template().model_copy(update={"optimizer": {"type": "SGD"}}).as_yaml())
    found = {}
    for batch_size, accumulate in ((4, 1), (2, 2), (1, 4)):
        parameters = {
            "learning_parameters.batch_size": batch_size,
            "learning_parameters.accumulate": accumulate,
            "learning_parameters.num_iters": 2,
        }
        run = tmp_path / str(accumulate)
        result = train_briefly(drawn_data, run, template=path, parameters=parameters)
        found[accumulate] = (result.steps, weights_of(run))
    steps, whole = found[1]
    for accumulate in (2, 4):
        assert found[accumulate][0] == steps
        for name, tensor in whole.items():
            torch.testing.assert_close(found[accumulate][1][name], tensor, rtol=1e-4, atol=1e-6)
