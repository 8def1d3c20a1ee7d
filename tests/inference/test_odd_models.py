"""Whatever stands in a field of a model's file: it is used, or refused in a line or two, never anything else."""

from __future__ import annotations

import copy
import json
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from color_graph import LABELS, color_graph, saved
from odd_values import ODD, refused_or_taken
from onnx import TensorProto, helper

from otx_seg.deployment.deploy import deploy
from otx_seg.deployment.files import save_ir
from otx_seg.inference.predictor import load_predictor, template_of
from otx_seg.runtime.handed_over import entries_from_config
from otx_seg.runtime.masks import PLAIN_ARGMAX
from otx_seg.runtime.model_info import ModelInfo, read_model_info
from otx_seg.runtime.written_digest import BLANK, DIGEST, write_digest
from otx_seg.template import load
from otx_seg.workspace.weights import read_weights

INFO = ModelInfo(LABELS, load("Lite-HRNet-s-mod2").as_dict(), PLAIN_ARGMAX, (16, 16))


CLASSIFIER = "decode_head.conv_seg.weight"


def use(path: Path) -> None:
    predictor = load_predictor(path, device="cpu")
    template_of(predictor, path)
    values = predictor.probabilities(np.zeros((1, 3, *predictor.input_size), np.uint8))
    assert np.isfinite(values).all()


def places(value: Any, depth: int, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The places in nested mappings and lists, down to a depth; of a list the first alone."""
    if path:
        yield path
    if depth and isinstance(value, dict):
        for key, item in value.items():
            yield from places(item, depth - 1, (*path, key))
    elif depth and isinstance(value, list) and value:
        yield from places(value[0], depth - 1, (*path, 0))


def replaced(content: Any, path: tuple[Any, ...], value: Any) -> Any:
    found = copy.deepcopy(content)
    place = found
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    return found


WEIGHTS = [
    *[(key,) for key in ("model", "labels", "template", "input_size", "origin", "version")],
    *[("labels", *rest) for rest in (("names",), ("colors",), ("background",), ("names", 1), ("colors", 1))],
    *[("labels", "colors", 1, 2), ("input_size", 0), ("model", "state_dict")],
    *[("model", "state_dict", key) for key in (CLASSIFIER, "backbone.stem.conv1.bn.running_var")],
    *[("template", key) for key in ("name", "model", "hyper_parameters", "pretrained", "quantization", "gigaflops")],
    ("template", "model", "backbone"),
    ("template", "model", "data_preprocessor", "mean"),
    ("template", "hyper_parameters", "postprocessing", "blur_strength"),
    ("template", "hyper_parameters", "postprocessing", "soft_threshold"),
    ("template", "hyper_parameters", "learning_parameters", "input_size"),
]


@pytest.mark.parametrize("path", WEIGHTS, ids=lambda path: ".".join(map(str, path)))
def test_weights(small_weights: Path, tmp_path: Path, path: tuple[Any, ...]) -> None:
    content = torch.load(small_weights, weights_only=True)
    del content["digest"]  # as files of before have none
    builds_on_it = path[0] == "model" or path[:2] == ("template", "model")
    if not builds_on_it:  # a small file, since it is written often
        content["model"]["state_dict"] = {CLASSIFIER: content["model"]["state_dict"][CLASSIFIER]}
    refusals = 0
    for number, value in enumerate(ODD.values()):
        file = tmp_path / f"{number}.pth"
        torch.save(replaced(content, path, value), file)
        message = refused_or_taken(lambda file=file: use(file) if builds_on_it else read_weights(file))
        refusals += message is not None
        assert message is None or str(file) in message
    assert path == ("origin",) or refusals > len(ODD) / 2


def test_a_network_made_from_other_entries(small_weights: Path, tmp_path: Path) -> None:
    content = torch.load(small_weights, weights_only=True)
    del content["digest"]
    for path, value in ((("origin",), ""), (("labels", "background"), None), (("labels", "names", 1), "²")):
        torch.save(replaced(content, path, value), tmp_path / "weights.pth")
        assert refused_or_taken(lambda: use(tmp_path / "weights.pth")) is None


def test_weights_of_whole_numbers(small_weights: Path, tmp_path: Path) -> None:
    content = torch.load(small_weights, weights_only=True)
    del content["digest"]
    tensors = content["model"]["state_dict"]
    tensors[CLASSIFIER] = tensors[CLASSIFIER].long()
    torch.save(content, tmp_path / "weights.pth")
    message = refused_or_taken(lambda: use(tmp_path / "weights.pth"))
    assert message is not None
    assert f"{CLASSIFIER} holds numbers of the type torch.int64" in message


@pytest.mark.parametrize(
    ("key", "value", "reason"),
    [
        ("backbone.stem.conv1.bn.running_var", -5.0, "running_var' holds variances below 0"),
        (CLASSIFIER, 3e38, "gives values that are NaN or infinite"),
    ],
)
def test_weights_whose_numbers_are_no_good(
    small_weights: Path, tmp_path: Path, key: str, value: float, reason: str
) -> None:
    content = torch.load(small_weights, weights_only=True)
    del content["digest"]
    tensors = content["model"]["state_dict"]
    tensors[key] = torch.full_like(tensors[key], value)
    torch.save(content, tmp_path / "weights.pth")
    message = refused_or_taken(lambda: use(tmp_path / "weights.pth"))
    assert message is not None
    assert reason in message


def test_weights_that_were_saved_anew(small_weights: Path, tmp_path: Path) -> None:
    content = torch.load(small_weights, weights_only=True)
    torch.save(content, tmp_path / "weights.pth")
    message = refused_or_taken(lambda: use(tmp_path / "weights.pth"))
    assert message is not None
    assert "was changed after it was written: its digest is missing" in message


def test_bits_of_weights(small_weights: Path, tmp_path: Path) -> None:
    content, file = small_weights.read_bytes(), tmp_path / "weights.pth"
    for position in range(0, len(content), len(content) // 40):
        damaged = bytearray(content)
        damaged[position] ^= 4
        file.write_bytes(damaged)
        message = refused_or_taken(lambda: use(file))
        assert message is not None
        assert "is damaged" in message


ENTRIES = list(INFO.entries())


@pytest.mark.parametrize("name", ENTRIES)
def test_entries(tmp_path: Path, name: str) -> None:
    path, refusals, texts = tmp_path / "model.xml", 0, _texts(INFO.entries()[name])
    for value in texts:
        entries = {**INFO.entries(), name: value}
        message = refused_or_taken(lambda entries=entries: template_of(read_model_info(entries.get, path, 3), path))
        refusals += message is not None
        assert message is None or str(path) in message
    assert refusals > len(texts) / 2 or name in ("model_type", "labels")


@pytest.mark.parametrize("suffix", [".xml", ".onnx"])
@pytest.mark.parametrize("value", ["", "\x1b[31m²\n"])
def test_entries_of_a_file(tmp_path: Path, suffix: str, value: str) -> None:
    refused = set()
    for name in ENTRIES:
        entries, path = {**INFO.entries(), name: value}, (tmp_path / "model").with_suffix(suffix)
        saved(color_graph(), path, **entries) if suffix == ".xml" else color_onnx(path, entries)
        message = refused_or_taken(lambda path=path: use(path))
        assert message is None or str(path) in message
        refused |= {name} if message else set()
    assert {"otx_labels", "otx_template", "otx_version", "otx_input_size", "blur_strength"} <= refused


def test_an_ir_that_is_no_plain_text(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    path = saved(color_graph(), tmp_path / "model.xml", **INFO.entries())
    content = path.read_text()
    for head in ("<!DOCTYPE net [<!ENTITY a 'b'>]>", "<!DOCTYPE net [<!ENTITY", "<a>", "<!--<net -->"):
        path.write_text(content.replace("<net", f"{head}<net", 1))
        assert refused_or_taken(lambda: use(path)) == f"{path}: is not an OpenVINO model"
    path.write_bytes(content.encode().replace(b"grass", b"gr\xe4ser"))
    assert refused_or_taken(lambda: use(path)) == f"{path}: is damaged, or does not fit its model.bin"
    assert capfd.readouterr() == ("", "")


def _texts(entry: str) -> list[str]:
    """Odd texts, and, of an entry that is JSON, the entry with odd values at its places."""
    texts = [str(value) for key, value in ODD.items() if key != "10**5000"]
    texts = [text.replace("\0", "") for text in texts]  # which XML has no way to write
    if entry.startswith("{"):
        content = json.loads(entry)
        texts += [
            json.dumps(replaced(content, path, value))
            for path in places(content, 2 if "names" in content else 1)
            for key, value in ODD.items()
            if key in ("None", "abc", "-1", "nan", "mapping", "long", "controls")
        ]
    return texts


def color_onnx(path: Path, entries: dict[str, str], weights: np.ndarray | None = None) -> Path:
    image = helper.make_tensor_value_info("image", TensorProto.FLOAT, [1, 3, 16, 16])
    result = helper.make_tensor_value_info("result", TensorProto.FLOAT, [1, 3, 16, 16])
    nodes = [helper.make_node("Softmax", ["image" if weights is None else "mixed"], ["result"], axis=1)]
    constants = [] if weights is None else [onnx.numpy_helper.from_array(weights, "weights")]
    if weights is not None:
        nodes = [helper.make_node("Conv", ["image", "weights"], ["mixed"]), *nodes]
    model = helper.make_model(helper.make_graph(nodes, "colors", [image], [result], constants), ir_version=8)
    model.opset_import[0].version = 17
    helper.set_model_props(model, {f"model_info {name}": value for name, value in entries.items()})
    onnx.save(model, path)
    return path


def test_numbers_of_an_ir_that_are_none(tmp_path: Path) -> None:
    path = _written(tmp_path, ".xml", has_digest=False)
    content = path.with_suffix(".bin").read_bytes()
    # One weight of 8100, behind a rectifier that makes 0 of NaN: the probabilities look like any.
    path.with_suffix(".bin").write_bytes(content[:400] + np.float32(np.nan).tobytes() + content[404:])
    message = refused_or_taken(lambda: use(path))
    assert message is not None
    assert "1 of 8,100 values of the constant" in message


def test_numbers_of_an_onnx_file_that_are_none(tmp_path: Path) -> None:
    weights = np.ones((3, 3, 1, 1), np.float32)
    weights[0, 0] = np.inf
    path = color_onnx(tmp_path / "model.onnx", INFO.entries(), weights)
    assert "1 of 9 values of the constant 'weights' are NaN or infinite" in str(refused_or_taken(lambda: use(path)))


@pytest.mark.parametrize("has_digest", [True, False])
@pytest.mark.parametrize("suffix", [".onnx", ".xml", ".bin"])
def test_files_with_a_part_that_is_noise(tmp_path: Path, suffix: str, has_digest: bool) -> None:
    path = _written(tmp_path, suffix, has_digest)
    damaged = path.with_suffix(suffix)
    content, rng = damaged.read_bytes(), np.random.default_rng(0)
    for number in range(30 if has_digest else 10):
        start = int(rng.integers(0, len(content)))
        noise = rng.integers(0, 256, int(rng.integers(1, 9)), np.uint8).tobytes()
        damaged.write_bytes(content[:start] + noise + content[start + (len(noise) if number % 2 else 0) :])
        message = refused_or_taken(lambda: load_predictor(path))
        assert message is not None or not has_digest
    for other in (b"", content[: len(content) // 2], b"text", *([content + content] if has_digest else [])):
        damaged.write_bytes(other)
        assert refused_or_taken(lambda: load_predictor(path)) is not None


def _written(folder: Path, suffix: str, has_digest: bool) -> Path:
    if suffix == ".onnx":
        path = color_onnx(folder / "model.onnx", {**INFO.entries(), DIGEST: BLANK})
        if has_digest:
            write_digest(path)
        else:
            path.write_bytes(path.read_bytes().replace(b"model_info otx_digest", b"model_info otx_nothing"[:21]))
        return path
    model, path = color_graph(), folder / "model.xml"
    for name, value in INFO.entries().items():
        model.set_rt_info(value, ["model_info", name])
    save_ir(model, path)
    if not has_digest:
        path.write_bytes(re.sub(rb"<otx_digest[^>]*>", b"", path.read_bytes()))
    return path


def test_fields_of_a_package(tmp_path: Path) -> None:
    entries = {name: INFO.entries()[name] for name in ENTRIES}
    package = deploy(saved(color_graph(), tmp_path / "model.xml", **entries), tmp_path).package
    with zipfile.ZipFile(package) as archive:
        files = {name: archive.read(name) for name in archive.namelist() if name.startswith("model/")}
    config = json.loads(files["model/config.json"])
    odd = {key: value for key, value in ODD.items() if key != "10**5000"}
    sealed = [files[f"model/{name}"] for name in ("model.xml", "model.bin")]
    for place in places(config, 4):
        refusals = 0
        for value in odd.values():
            changed = json.dumps(replaced(config, place, value))
            message = refused_or_taken(
                lambda changed=changed: entries_from_config(changed, tmp_path / "config.json", *sealed)
            )
            refusals += message is not None
            assert message is None or "config.json" in message
        assert place[-1] in ("type_of_model", "config.json") or refusals > len(odd) / 2, place
    for value, refused in ((0.25, False), ("abc", True)):
        place = ("model_parameters", "soft_threshold")
        files["model/config.json"] = json.dumps(replaced(config, place, value)).encode()
        with zipfile.ZipFile(tmp_path / "changed.zip", "w") as archive:
            for name, content in files.items():
                archive.writestr(name, content)
        assert (refused_or_taken(lambda: use(tmp_path / "changed.zip")) is not None) is refused


def test_fields_of_a_label_schema(tmp_path: Path) -> None:
    path = saved(color_graph(), tmp_path / "model.xml")
    plain = {"names": ["a", "b", "c"], "colors": [[0, 0, 0], [1, 1, 1], [2, 2, 2]], "background": 0}
    (tmp_path / "label_schema.json").write_text(json.dumps(plain))
    assert refused_or_taken(lambda: use(path)) is None
    for place in places(plain, 3):
        for key, value in ODD.items():
            if key != "10**5000":
                (tmp_path / "label_schema.json").write_text(json.dumps(replaced(plain, place, value)))
                message = refused_or_taken(lambda: read_model_info({}.get, path, 3))
                assert message is None or "label_schema.json" in message
