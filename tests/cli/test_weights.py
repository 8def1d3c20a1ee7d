"""Listing and fetching published weights. No test needs a network: those of one package are installed."""

import json
from pathlib import Path
from typing import Any

import pytest

from otx_seg.template import find_templates
from otx_seg.workspace.published_weights import MIRROR

INSTALLED = "EfficientNet-Lite0-FPN"


def test_every_template_is_listed(otx: Any) -> None:
    lines = otx("weights").out.splitlines()
    assert [line.split()[0] for line in lines[1:]] == [template.name for template in find_templates()]
    here = next(line.split() for line in lines if line.startswith(f"{INSTALLED} "))
    assert here[1:4] == ["yes", "Apache-2.0", "package"]
    listed = {item["template"]: item for item in json.loads(otx("weights", "--json").out)}
    assert Path(listed[INSTALLED]["path"]).is_file()
    assert listed["SegNext-t"]["source"].startswith("https://")


def test_files_fetched_on_one_machine_serve_another(otx: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    done = otx("weights", "fetch", INSTALLED, "--output", tmp_path / "carried")
    assert done.code == 0
    (carried,) = (tmp_path / "carried").iterdir()
    assert str(carried) in done.out
    (tmp_path / "carried" / "litehrnetsv2_imagenet1k_rsc.pth").write_bytes(b"weights without a digest")
    monkeypatch.setenv(MIRROR, str(tmp_path / "carried"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    lines = [line.split()[:2] for line in otx("weights").out.splitlines()]
    assert ["Lite-HRNet-s-mod2", "yes"] in lines
    assert ["SegNext-b", "no"] in lines
    failed = otx("weights", "fetch", "--all")
    assert failed.code == 1
    assert ", Lite-HRNet-18-mod2, " in failed.message
    assert f"{INSTALLED}: " in failed.out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--json", INSTALLED), "--json is for the list"),
        ((), "name the templates whose weights are wanted, or give --all"),
        (("--all", INSTALLED), "name the templates whose weights are wanted, or give --all"),
        (("EfficientNet-Lite0",), "unknown template 'EfficientNet-Lite0'"),
        (("none.yaml",), "no weights are published for its backbone"),
    ],
)
def test_refused(otx: Any, arguments: tuple[str, ...], said: str) -> None:
    source = next(template for template in find_templates() if template.name == INSTALLED).path
    before, _, after = source.read_text().partition("pretrained:\n")
    Path("none.yaml").write_text(before + "pretrained: {}\n" + after[after.index("optimizer:") :])
    refused = otx("weights", "fetch", *arguments)
    assert refused.code == 2
    assert said in refused.message


@pytest.mark.parametrize("arguments", [("list", INSTALLED), ("--all",), ("--output", "x")])
def test_what_is_for_fetching(otx: Any, arguments: tuple[str, ...]) -> None:
    refused = otx("weights", *arguments)
    assert (refused.code, "are for `otx weights fetch`" in refused.message) == (2, True)
