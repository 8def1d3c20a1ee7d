"""What this processor makes of large sums, and how many bits that leaves for weights."""

from __future__ import annotations

import platform
from pathlib import Path

import pytest

from otx_seg.deployment import calibration
from otx_seg.deployment.calibration import recipe
from otx_seg.deployment.saturation import sums_saturate
from otx_seg.template import load


@pytest.mark.skipif(
    platform.machine() != "x86_64" or not Path("/proc/cpuinfo").exists(), reason="reads the flags of an x86 CPU"
)
def test_sums_are_cut_off_where_there_is_no_instruction_for_them() -> None:
    flags = Path("/proc/cpuinfo").read_text().split()
    assert sums_saturate() == (not {"avx512_vnni", "avx_vnni", "amx_int8"} & set(flags))


@pytest.mark.parametrize(
    ("wanted", "saturates", "bits"), [("auto", True, 7), ("auto", False, 8), ("7", False, 7), ("8", True, 8)]
)
def test_bits_follow_the_processor_unless_they_are_given(
    wanted: str, saturates: bool, bits: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(calibration, "sums_saturate", lambda: saturates)
    template = load("EfficientNet-Lite0-FPN").override({"pot_parameters.weight_bits": wanted})
    assert recipe(template).weight_bits == bits
