import torch

from otx_seg.models import build_model
from otx_seg.models.heads.light_ham import FixedBasesNMF


def test_the_same_image_gives_the_same_logits() -> None:
    torch.manual_seed(0)
    network = build_model("SegNext-t", 3).eval()
    image = torch.randn(1, 3, 64, 64)
    with torch.no_grad():
        first = network.decode_head(network.backbone(image))
        torch.rand(100)
        second = network.decode_head(network.backbone(image))
    assert torch.equal(first, second)
    assert network.state_dict()["decode_head.hamburger.ham.bases"].shape == (1, 256, 16)


def test_bases_have_length_one_and_are_not_trained() -> None:
    ham = FixedBasesNMF(channels=6, rank=4, train_steps=2, eval_steps=3)
    torch.testing.assert_close(ham.bases.norm(dim=1), torch.ones(1, 4))
    assert not list(ham.parameters())


def test_a_map_of_the_rank_is_reproduced() -> None:
    """Features that are a product of non-negative matrices of rank 2 are approximated ever better."""
    torch.manual_seed(0)
    x = (torch.rand(2, 8, 2) @ torch.rand(2, 2, 30)).view(2, 8, 5, 6)
    errors = []
    for steps in (1, 10, 300):
        torch.manual_seed(1)
        ham = FixedBasesNMF(channels=8, rank=2, train_steps=1, eval_steps=steps).eval()
        errors.append(((ham(x) - x).norm() / x.norm()).item())
    assert errors[0] > errors[1] > errors[2]
    assert errors[2] < 0.02


def test_training_and_evaluation_take_their_own_steps() -> None:
    x = torch.rand(1, 6, 3, 3)
    ham = FixedBasesNMF(channels=6, rank=2, train_steps=1, eval_steps=5)
    same = FixedBasesNMF(channels=6, rank=2, train_steps=5, eval_steps=1)
    same.load_state_dict(ham.state_dict())
    assert torch.equal(ham.train()(x), same.eval()(x))
    assert not torch.equal(ham.train()(x), ham.eval()(x))


def test_images_of_a_batch_do_not_touch_each_other() -> None:
    x = torch.rand(3, 6, 4, 4)
    ham = FixedBasesNMF(channels=6, rank=2, train_steps=2, eval_steps=2)
    torch.testing.assert_close(ham(x)[1:2], ham(x[1:2]))
