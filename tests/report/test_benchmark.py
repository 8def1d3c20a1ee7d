"""The table and the picture of measured models."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from PIL import Image
from rich.console import Console

from otx_seg.deployment.benchmark.measure import Measurement
from otx_seg.deployment.benchmark.variant import Variant
from otx_seg.report import benchmark as figures
from otx_seg.report.benchmark import benchmark_table, draw_benchmark, short_names

SLOW = Measurement(
    variant=Variant(Path("run/weights.pth"), "torch", "FP32", "FP32"),
    input_size=(256, 320),
    latencies_s=(0.020,) * 8 + (0.030,) * 3,
    images_per_second=71.25,
    size_bytes=3_740_000,
    peak_memory_bytes=457_400_000,
    load_s=1.234,
    scores={"Dice Average": 0.66861},
)
FAST = replace(
    SLOW,
    variant=Variant(Path("run/int8/openvino.xml"), "openvino", "INT8", "FP32"),
    latencies_s=(0.008,) * 11,
    peak_memory_bytes=None,
    scores={"Dice Average": 0.66790},
)
PLAIN = replace(FAST, variant=Variant(Path("run/fp32/openvino.xml"), "openvino", "FP32", "FP32"))


def lines(*measurements: Measurement) -> list[str]:
    console = Console(width=80, color_system=None)
    with console.capture() as captured:
        console.print(benchmark_table(measurements, "a processor"))
    return [line.rstrip() for line in captured.get().splitlines()]


def test_the_table_fits_80_columns() -> None:
    title, headings, _, *rows = lines(SLOW, PLAIN, FAST)
    assert title == "a processor, input 256x320"
    assert headings.split() == ["model", "ms", "p90", "speed", "img/s", "MB", "memory", "load", "Dice"]
    assert rows[0].split() == ["PyTorch", "FP32", "20.0", "30.0", "1.00", "71.2", "3.74", "457", "1.23", "0.6686"]
    assert rows[1] == "weights.pth"
    assert rows[4].split() == ["OpenVINO", "INT8", "8.0", "8.0", "2.50", "71.2", "3.74", "-", "1.23", "0.6679"]
    assert rows[5] == "int8/openvino.xml"


def test_without_scores_there_is_no_such_column_and_other_sizes_are_told() -> None:
    title, headings, _, *rows = lines(replace(SLOW, scores=None), replace(FAST, scores=None, input_size=(64, 64)))
    assert title == "a processor"
    assert "Dice" not in headings
    assert rows[0].startswith("PyTorch FP32 256x320 ")
    assert rows[2].startswith("OpenVINO INT8 64x64 ")


def test_names_are_as_long_as_they_must_be() -> None:
    paths = [Path(name) for name in ("/a/b/m.xml", "/a/c/m.xml", "/x/c/m.xml", "w.pth", "w.pth")]
    assert short_names(paths) == ["b/m.xml", "a/c/m.xml", "x/c/m.xml", "w.pth", "w.pth"]


def test_the_picture(tmp_path: Path) -> None:
    close = replace(PLAIN, latencies_s=(0.0081,) * 5)
    drawn = draw_benchmark([SLOW, FAST, close], "a processor", tmp_path / "chart.png")
    assert drawn["latency"] == ("20.0 ms, 1.00x", "8.0 ms, 2.50x", "8.1 ms, 2.47x")
    assert drawn["Dice against latency"] == ("1", "2, 3")  # the second and third lie on each other
    with Image.open(tmp_path / "chart.png") as picture:
        assert picture.width > 2 * picture.height


def test_texts_beside_points_do_not_cover_each_other(tmp_path: Path) -> None:
    def at(milliseconds: float, dice: float) -> Measurement:
        return replace(FAST, latencies_s=(milliseconds / 1000,) * 11, scores={"Dice Average": dice})

    near = (at(20, 0.668), at(9.0, 0.668), at(8.6, 0.6679), at(8.0, 0.668), at(14, 0.6645))
    assert draw_benchmark(near, "a processor", tmp_path / "near.png")["Dice against latency"] == ("1", "2, 3, 4", "5")
    above = (at(3.4, 0.668), at(3.3, 0.66))
    assert draw_benchmark(above, "a processor", tmp_path / "above.png")["Dice against latency"] == ("1", "2")


def test_the_axis_of_latencies_has_several_ticks() -> None:
    assert figures._ticks(1, 30) == [1, 2, 5, 10, 20]
    assert figures._ticks(2.1, 5.4) == [3, 4, 5]
    for low in (10 ** (step / 50) for step in range(100)):
        assert len(figures._ticks(low, 2.56 * low)) >= 2, low


def test_the_picture_without_scores(tmp_path: Path) -> None:
    drawn = draw_benchmark([replace(SLOW, scores=None)], "a processor", tmp_path / "chart.png")
    assert list(drawn) == ["latency"]
