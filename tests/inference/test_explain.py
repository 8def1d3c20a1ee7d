from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from numpy.testing import assert_array_equal

from otx_seg.deployment.agreement import drawn_images
from otx_seg.errors import DataError, UsageError
from otx_seg.inference import saliency
from otx_seg.inference.explain import Explanations, explain_images
from otx_seg.inference.explain_settings import FOR_ALL_LABELS, PER_LABEL, QUANTITIES, ExplainSettings
from otx_seg.inference.predictor import load_predictor
from otx_seg.inference.saliency import heat_map
from otx_seg.inference.torch_predictor import open_checkpoint
from otx_seg.labels import Labels, default_colors
from otx_seg.runtime import result_files
from otx_seg.runtime.crops import network_input
from otx_seg.runtime.predict_mask import predict_mask
from otx_seg.runtime.predictor import ExplainablePredictor

IMAGE = drawn_images((50, 70))[0]
FOLDERS = ("0_background", "1_red_brick", "2_pole", "3_sky")


@pytest.fixture(scope="module")
def predictor(open_ir: Path) -> ExplainablePredictor:
    return load_predictor(open_ir)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "in" / "sub" / "a.png"
    path.parent.mkdir(parents=True)
    assert cv2.imwrite(str(path), IMAGE[:, :, ::-1])
    return path


def files(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def drawn(path: Path) -> np.ndarray:
    return cv2.imread(str(path))[:, :, ::-1]


@pytest.mark.parametrize("algorithm", PER_LABEL)
def test_maps_of_every_label(algorithm: str, predictor: ExplainablePredictor, source: Path, tmp_path: Path) -> None:
    how = ExplainSettings(algorithm, all_labels=True, overlay_weight=0.25)
    found = explain_images(predictor, tmp_path / "in", tmp_path / "out", how)
    assert found.unreadable == ()
    assert [explanation.label for explanation in found.written] == ["background", "red brick", "pole", "sky"]
    compute = {"classwisesaliencymap": saliency.class_wise, "probability": saliency.probability}[algorithm]
    expected = compute(predictor.activations(network_input(IMAGE, (64, 64))))
    for index, (explanation, folder) in enumerate(zip(found.written, FOLDERS, strict=True)):
        assert explanation.image == source
        assert explanation.map == tmp_path / "out" / "maps" / folder / "sub" / "a.npy"
        numbers = np.load(explanation.map, allow_pickle=False)
        assert numbers.dtype == np.float32
        assert_array_equal(numbers, expected[index])
        assert explanation.overlay == tmp_path / "out" / "overlays" / folder / "sub" / "a.jpg"
        limits = (0, 1) if algorithm == "probability" else (numbers.min(), numbers.max())
        heat = heat_map(numbers, (50, 70), limits)
        mixed = 0.75 * IMAGE + 0.25 * heat
        assert np.abs(drawn(explanation.overlay) - mixed).mean() < 12  # JPEG
    assert len(files(tmp_path / "out")) == 8


@pytest.mark.parametrize("algorithm", FOR_ALL_LABELS)
def test_one_map_for_all_labels(algorithm: str, predictor: ExplainablePredictor, source: Path, tmp_path: Path) -> None:
    found = explain_images(predictor, tmp_path / "in", tmp_path / "out", ExplainSettings(algorithm))
    ((image, label, numbers, overlay),) = [(e.image, e.label, e.map, e.overlay) for e in found.written]
    assert (image, label) == (source, None)
    assert files(tmp_path / "out") == {"maps/sub/a.npy", "overlays/sub/a.jpg"}
    seen = predictor.activations(network_input(IMAGE, (64, 64)))
    compute = {"activationmap": saliency.activation, "eigencam": saliency.eigen}[algorithm]
    assert_array_equal(np.load(numbers), compute(seen)[0])
    assert drawn(overlay).shape == (50, 70, 3)


@pytest.fixture
def without_poles(tiny_weights: Path) -> ExplainablePredictor:
    """One that never finds the third label."""
    predictor = open_checkpoint(tiny_weights, device="cpu")
    with torch.no_grad():
        predictor.network.network.decode_head.conv_seg.bias[2] -= 100
    return predictor


def expected_files(suffix: str) -> set[str]:
    found = [FOLDERS[index] for index in (0, 1, 3)]
    return {f"maps/{folder}/a.{suffix}" for folder in found} | {f"overlays/{folder}/a.jpg" for folder in found}


def test_labels_that_are_not_found_have_no_map(
    without_poles: ExplainablePredictor, source: Path, tmp_path: Path
) -> None:
    assert np.unique(predict_mask(without_poles, IMAGE)).tolist() == [0, 1, 3]
    found = explain_images(without_poles, source, tmp_path / "out", ExplainSettings())
    assert [explanation.label for explanation in found.written] == ["background", "red brick", "sky"]
    assert files(tmp_path / "out") == expected_files("npy")


def test_results_of_another_call_are_replaced_only_if_allowed_and_then_wholly(
    without_poles: ExplainablePredictor, source: Path, tmp_path: Path
) -> None:
    explain_images(without_poles, source, tmp_path / "out", ExplainSettings(all_labels=True, process_maps=True))
    before = files(tmp_path / "out")
    (tmp_path / "out" / "maps" / FOLDERS[2] / "mine.png").write_text("something of the user's")
    with pytest.raises(UsageError, match=r"a\.(png|jpg): exists; choose another --output"):
        explain_images(without_poles, source, tmp_path / "out", ExplainSettings())
    assert files(tmp_path / "out") == before | {"maps/2_pole/mine.png"}
    explain_images(without_poles, source, tmp_path / "out", ExplainSettings(), overwrite=True)
    assert files(tmp_path / "out") == expected_files("npy") | {"maps/2_pole/mine.png"}


def test_maps_as_pictures(predictor: ExplainablePredictor, source: Path, tmp_path: Path) -> None:
    how = ExplainSettings(all_labels=True, process_maps=True)
    found = explain_images(predictor, source, tmp_path / "out", how)
    maps = saliency.class_wise(predictor.activations(network_input(IMAGE, (64, 64))))
    for explanation, numbers in zip(found.written, maps, strict=True):
        assert explanation.map.suffix == ".png"
        assert_array_equal(drawn(explanation.map), heat_map(numbers, (50, 70), (numbers.min(), numbers.max())))
    assert {path.rsplit(".", 1)[1] for path in files(tmp_path / "out")} == {"png", "jpg"}


def test_all_image_or_all_heat(predictor: ExplainablePredictor, source: Path, tmp_path: Path) -> None:
    def overlay(weight: float) -> np.ndarray:
        how = ExplainSettings("eigencam", process_maps=True, overlay_weight=weight)
        (explanation,) = explain_images(predictor, source, tmp_path / str(weight), how).written
        return drawn(explanation.overlay).astype(int)

    found = overlay(1.0)
    assert np.abs(found - drawn(tmp_path / "1.0" / "maps" / "a.png")).mean() < 12
    assert np.abs(overlay(0.0) - IMAGE).mean() < 12


def test_an_overlay_that_is_large_enough_names_its_label(predictor: ExplainablePredictor, tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "large.png"), cv2.resize(IMAGE, (280, 200))[:, :, ::-1])
    how = ExplainSettings("probability", all_labels=True, overlay_weight=1)
    for index, found in enumerate(explain_images(predictor, tmp_path / "large.png", tmp_path / "out", how).written):
        picture, heat = drawn(found.overlay).astype(int), heat_map(np.load(found.map), (200, 280), (0, 1))
        assert np.abs(picture[:180] - heat[:180]).mean() < 6
        assert np.abs(picture[-12:, :40] - heat[-12:, :40]).mean() > 30
        assert np.abs(picture[-9:-6, 5:9] - predictor.labels.colors[index]).mean() < 60  # its square


def test_every_algorithm_says_what_its_numbers_are() -> None:
    assert set(QUANTITIES) == {*PER_LABEL, *FOR_ALL_LABELS}
    assert [name for name, quantity in QUANTITIES.items() if "no unit" not in quantity] == ["probability"]


def test_odd_label_names(open_ir: Path, source: Path, tmp_path: Path) -> None:
    names = ("../a/b", "con", "CON", "", " . ", "Straße 道路", "x" * 300, "tab\there")
    predictor = load_predictor(open_ir)
    predictor.labels = Labels(names[:4], default_colors(4), 0)
    for start in (0, 4):
        predictor.labels = Labels(names[start : start + 4], default_colors(4), None)
        explain_images(predictor, source, tmp_path / "out", ExplainSettings(all_labels=True), overwrite=True)
    folders = {path.name for path in (tmp_path / "out" / "maps").iterdir()}
    assert folders == {"0__a_b", "1_con", "2_CON", "3_", "0__", "1_Straße_道路", f"2_{'x' * 60}", "3_tab_here"}
    assert {path.name for path in tmp_path.iterdir()} == {"in", "out"}


def test_many_labels_are_in_their_order() -> None:
    from otx_seg.inference.explain import _folders

    folders = [str(folder) for folder in _folders(Labels(("thing",) * 101, default_colors(101), None))]
    assert folders == sorted(folders)
    assert (folders[7], folders[100]) == ("007_thing", "100_thing")


def test_inputs_are_never_overwritten(predictor: ExplainablePredictor, tmp_path: Path) -> None:
    path = tmp_path / "overlays" / "a.jpg"
    path.parent.mkdir()
    cv2.imwrite(str(path), IMAGE)
    before = path.read_bytes()
    with pytest.raises(UsageError, match=r"a\.jpg: is one of the images and would be overwritten"):
        explain_images(predictor, path, tmp_path, ExplainSettings("eigencam"), overwrite=True)
    assert files(tmp_path) == {"overlays/a.jpg"}
    assert path.read_bytes() == before


def test_unreadable_images_are_listed_and_the_rest_is_done(
    predictor: ExplainablePredictor, source: Path, tmp_path: Path
) -> None:
    (tmp_path / "in" / "text.jpg").write_text("no image")
    seen: list[tuple[int, int]] = []
    found: Explanations = explain_images(
        predictor,
        tmp_path / "in",
        tmp_path / "out",
        ExplainSettings("eigencam"),
        progress=lambda done, total: seen.append((done, total)),
    )
    assert [explanation.image for explanation in found.written] == [source]
    ((path, reason),) = found.unreadable
    assert path.name == "text.jpg"
    assert "not an image" in reason
    assert seen == [(1, 2), (2, 2)]
    source.unlink()
    with pytest.raises(DataError, match="none of 1 images could be read"):
        explain_images(predictor, tmp_path / "in", tmp_path / "new", ExplainSettings("eigencam"))


def test_pictures_of_large_images_are_shrunk(
    predictor: ExplainablePredictor, source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(result_files, "_OVERLAY_SIDE", 35)
    how = ExplainSettings("activationmap", process_maps=True)
    (explanation,) = explain_images(predictor, source, tmp_path / "out", how).written
    assert drawn(explanation.map).shape == drawn(explanation.overlay).shape == (25, 35, 3)


def test_a_model_without_features_has_probabilities_only(tiny_ir: Path, source: Path, tmp_path: Path) -> None:
    predictor = load_predictor(tiny_ir)
    found = explain_images(predictor, source, tmp_path / "out", ExplainSettings("probability", all_labels=True))
    expected = predictor.probabilities(network_input(IMAGE, (64, 64)))[0]
    assert_array_equal([np.load(explanation.map) for explanation in found.written], expected)
    for algorithm in ("classwisesaliencymap", "activationmap", "eigencam"):
        with pytest.raises(
            UsageError, match="export it with --dump-features, or choose what needs none: --explain-algorithm prob"
        ):
            explain_images(predictor, source, tmp_path / "none", ExplainSettings(algorithm))
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"algorithm": "eigencams"}, r"no explain algorithm 'eigencams'; did you mean 'eigencam'"),
        ({"overlay_weight": 1.5}, r"the heat map's share, 0 to 1: 1\.5"),
        ({"overlay_weight": -0.1}, r"0 to 1: -0\.1"),
        ({"overlay_weight": float("nan")}, "0 to 1: nan"),
        ({"algorithm": "activationmap", "all_labels": True}, "one map for all labels; leave --explain-all-classes"),
    ],
)
def test_settings_out_of_range(settings: dict[str, object], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        ExplainSettings(**settings)  # type: ignore[arg-type]
