"""Prototypes: how pixels are shared out, which prototypes follow, what the losses are, where gradients go."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn import functional

from otx_seg.algorithms.prototypes import Prototypes, assign_evenly, classifier_inputs


def make(keep: float = 0.9) -> Prototypes:
    torch.manual_seed(0)
    return Prototypes(5, labels=3, per_label=2, keep=keep, contrast_weight=0.3, distance_weight=0.7).train()


def drawn() -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    mask = torch.randint(0, 3, (2, 4, 6), generator=generator)
    mask[0, 0] = 255
    return torch.randn(2, 5, 4, 6, generator=generator), mask


def literally(part: Prototypes, features: torch.Tensor, mask: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, list]:
    """Scores (B, K, h, w), loss, and for each counted pixel (vector, number of its prototype, whether it is right)."""
    projected = part.projection(features)
    scores, pixels = torch.zeros(2, 3, 4, 6), []
    by_label: dict[int, list] = {}
    for b in range(2):
        for y in range(4):
            for x in range(6):
                vector = functional.normalize(part.feature_norm(projected[b, :, y, x]), dim=0)
                nearness = torch.stack([torch.stack([vector @ p for p in label]) for label in part.prototypes])
                score = part.score_norm(nearness.max(dim=1).values)
                scores[b, :, y, x] = score
                truth = int(mask[b, y, x])
                if truth != 255:
                    by_label.setdefault(truth, []).append((vector, nearness, int(score.argmax()) == truth))
    for truth, members in by_label.items():
        chosen = assign_evenly(torch.stack([nearness[truth] for _, nearness, _ in members]).detach())
        pixels += [(*member, int(own) + 2 * truth) for member, own in zip(members, chosen, strict=True)]
    contrast = sum(-functional.log_softmax(nearness.flatten(), dim=0)[own] for _, nearness, _, own in pixels)
    distance = sum((1 - nearness.flatten()[own]) ** 2 for _, nearness, _, own in pixels)
    return scores, (0.3 * contrast + 0.7 * distance) / len(pixels), pixels


def test_the_whole_step_written_out() -> None:
    part, (features, mask) = make(), drawn()
    before = part.prototypes.clone()
    expected, loss, pixels = literally(part, features, mask)
    scores, found = part(features, mask)
    torch.testing.assert_close(scores, expected)
    torch.testing.assert_close(found, loss)
    for number in range(6):
        own = [vector.detach() for vector, _, right, place in pixels if place == number and right]
        old = before.flatten(0, 1)[number]
        if own:
            mean = functional.normalize(torch.stack(own).mean(dim=0), dim=0)
            old = functional.normalize(0.9 * old + 0.1 * mean, dim=0)
        torch.testing.assert_close(part.prototypes.flatten(0, 1)[number], old)
    assert not torch.equal(part.prototypes, before)


def test_gradients_reach_features_and_projection_and_never_the_prototypes() -> None:
    part, (features, mask) = make(), drawn()
    features.requires_grad_()
    scores, loss = part(features, mask)
    (scores.square().sum() + loss).backward()
    assert features.grad is not None
    assert features.grad.abs().sum() > 0
    assert all(parameter.grad is not None for parameter in part.parameters())
    assert not part.prototypes.requires_grad
    assert "prototypes" in part.state_dict()


@pytest.mark.parametrize("frozen", ["keep", "eval"])
def test_prototypes_that_stay(frozen: str) -> None:
    part, (features, mask) = make(keep=1.0 if frozen == "keep" else 0.5), drawn()
    before = part.prototypes.clone()
    part.train(frozen == "keep")(features, mask)
    torch.testing.assert_close(part.prototypes, before)


def test_nothing_to_learn_from_costs_nothing() -> None:
    part, (features, mask) = make(), drawn()
    before = part.prototypes.clone()
    _, loss = part(features, torch.full_like(mask, 255))
    assert float(loss) == 0
    assert torch.equal(part.prototypes, before)


def test_a_mask_is_looked_at_in_the_grid_of_the_features() -> None:
    part, (features, mask) = make(keep=1.0), drawn()
    fine = mask.repeat_interleave(4, 1).repeat_interleave(4, 2).to(torch.uint8)
    torch.testing.assert_close(part(features, fine)[1], part(features, mask)[1])


def test_pixels_are_shared_out_evenly_and_to_the_nearest_where_that_is_even() -> None:
    torch.manual_seed(0)
    near = torch.rand(300, 3) * 0.1 + torch.tensor([0.5, 0.3, 0.1])  # all are nearest to the first
    counts = torch.bincount(assign_evenly(near), minlength=3)
    assert counts.min() > 60
    apart = torch.eye(3).repeat(5, 1)
    assert torch.equal(assign_evenly(apart), apart.argmax(dim=1))
    assert assign_evenly(torch.tensor([[0.2, 0.1]])).shape == (1,)


def test_similarities_at_their_limits_are_finite() -> None:
    for value in (-1.0, 1.0):
        assert assign_evenly(torch.full((50, 4), value)).unique().tolist() == [0]


def test_what_the_classifier_of_a_head_gets() -> None:
    class Head(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.before, self.conv_seg = nn.Conv2d(2, 4, 1), nn.Conv2d(4, 3, 1)

        def forward(self, image: torch.Tensor) -> torch.Tensor:
            return self.conv_seg(self.before(image).relu())

    head, image = Head(), torch.randn(1, 2, 3, 3)
    with classifier_inputs(head) as seen:
        logits = head(image)
    head(image)
    assert len(seen) == 1
    torch.testing.assert_close(head.conv_seg(seen[0]), logits)
