import hashlib
import logging
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch

from otx_seg.errors import OtxError, UsageError
from otx_seg.models import build_model
from otx_seg.models.pretrained import initialise_backbone, load_backbone
from otx_seg.template.template import Pretrained


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint as published: names without prefix, a classifier of its own."""
    torch.manual_seed(1)
    state = build_model("Lite-HRNet-s-mod2", 5).backbone.state_dict()
    state = {key: torch.full_like(value, 3) for key, value in state.items()}
    path = tmp_path_factory.mktemp("published") / "backbone.pth"
    torch.save({"state_dict": {**state, "head.fc.weight": torch.zeros(4, 4)}, "epoch": 3}, path)
    return path


def _is_published(network: torch.nn.Module) -> bool:
    return all((value == 3).all() for value in network.backbone.state_dict().values())


def test_names_get_the_prefix(published: Path) -> None:
    network = build_model("Lite-HRNet-s-mod2", 2)
    head = {key: value.clone() for key, value in network.decode_head.state_dict().items()}
    loaded = load_backbone(network, published)
    assert loaded.missing == ()
    assert loaded.matched == len(network.backbone.state_dict())
    assert _is_published(network)
    assert all(torch.equal(value, head[key]) for key, value in network.decode_head.state_dict().items())


def test_names_with_prefix_and_a_weights_file_of_ours(published: Path, tmp_path: Path) -> None:
    state = torch.load(published, weights_only=True)["state_dict"]
    state = {f"backbone.{key}": value for key, value in state.items() if "head" not in key}
    torch.save({"model": {"state_dict": state}}, tmp_path / "weights.pth")
    network = build_model("Lite-HRNet-s-mod2", 2)
    assert load_backbone(network, tmp_path / "weights.pth").missing == ()
    assert _is_published(network)


def test_a_file_that_fits_in_part_is_reported(published: Path, tmp_path: Path, messages: Any) -> None:
    state = torch.load(published, weights_only=True)["state_dict"]
    del state["stem.conv1.conv.weight"], state["stem.conv1.bn.weight"]
    torch.save({**state, "stem.extra.weight": torch.zeros(7)}, tmp_path / "part.pth")
    loaded = load_backbone(build_model("Lite-HRNet-s-mod2", 2), tmp_path / "part.pth")
    assert loaded.missing == ("backbone.stem.conv1.conv.weight", "backbone.stem.conv1.bn.weight")
    assert loaded.unused == ("stem.extra.weight",)
    assert "in part" in messages.text
    assert "without backbone.stem.conv1.conv.weight and 1 more, of the file, stem.extra.weight not used" in str(loaded)
    torch.save({**state, "stem.conv1.bn.weight": torch.zeros(7)}, tmp_path / "other.pth")
    with pytest.raises(
        UsageError, match=r"other\.pth: is of another network: its stem\.conv1\.bn\.weight has the shape 7"
    ):
        load_backbone(build_model("Lite-HRNet-s-mod2", 2), tmp_path / "other.pth")


def test_files_that_do_not_fit(published: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="nothing in it fits the backbone"):
        load_backbone(build_model("SegNext-t", 2), published)
    torch.save([1, 2], tmp_path / "list.pth")
    torch.save(partial(print, "run"), tmp_path / "code.pth")
    (tmp_path / "text.pth").write_text("no checkpoint")
    network = build_model("Lite-HRNet-s-mod2", 2)
    for name in ("list.pth", "code.pth", "text.pth", "absent.pth"):
        with pytest.raises(UsageError, match=name):
            load_backbone(network, tmp_path / name)


def test_modes(
    weights_server: tuple[str, Path], published: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    address, folder = weights_server
    (folder / "w.pth").write_bytes(published.read_bytes())
    cache = tmp_path / "cache"
    there, absent = Pretrained(url=f"{address}/w.pth", licence="MIT"), Pretrained(url=f"{address}/absent.pth")

    network = build_model("Lite-HRNet-s-mod2", 2)
    before = {key: value.clone() for key, value in network.state_dict().items()}
    assert "random weights" in initialise_backbone(network, "none", there, cache).told
    with caplog.at_level(logging.WARNING):
        sentence, learned = initialise_backbone(network, "auto", absent, cache)
    assert not learned
    assert sentence == "the backbone starts from random weights, since no published ones could be had"
    assert "NO PRETRAINED WEIGHTS" in caplog.text
    assert "404" in caplog.text
    with pytest.raises(OtxError, match="404"):
        initialise_backbone(network, "required", absent, cache)
    with pytest.raises(UsageError, match=r"no such .*file"):
        initialise_backbone(network, str(tmp_path / "mine.pth"), there, cache)
    assert all(torch.equal(value, before[key]) for key, value in network.state_dict().items())

    for wrong in (Pretrained(keys="x"), Pretrained(part="x")):
        for mode in ("none", "auto", str(published)):
            with pytest.raises(UsageError, match=r"pretrained\.(keys|part): "):
                initialise_backbone(network, mode, wrong, cache)
    digest = hashlib.sha256(published.read_bytes()).hexdigest()
    for known, said in ((digest, False), (digest[:8], True)):
        published_one = Pretrained(url=f"{address}/w.pth", sha256=known)
        sentence = initialise_backbone(network, "required", published_one, cache).told
        assert ("of its sha256 only the first 8 digits are known and checked" in sentence) == said
    for mode in ("auto", "required", str(published)):
        network = build_model("Lite-HRNet-s-mod2", 2)
        sentence, learned = initialise_backbone(network, mode, there, cache)
        assert learned
        assert _is_published(network)
        assert "tensors" in sentence
        assert ("licence MIT" in sentence) == (mode in ("auto", "required"))
