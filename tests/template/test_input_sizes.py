from pathlib import Path

import pytest

from otx_seg.errors import UsageError
from otx_seg.template import load
from otx_seg.template.input_sizes import InputSizes

LARGE = InputSizes(divisor=64, smallest=160)


@pytest.mark.parametrize(
    ("size", "taken"), [((192, 256), True), ((128, 256), False), ((192, 224), False), ((192, 4096), False)]
)
def test_what_a_network_takes(size: tuple[int, int], taken: bool) -> None:
    assert (size in LARGE) == taken


@pytest.mark.parametrize(("side", "nearest"), [(10, 192), (200, 192), (230, 256), (9999, 2048)])
def test_the_nearest_side(side: float, nearest: int) -> None:
    assert LARGE.nearest(side) == nearest


def of_large_images(folder: Path, more: str = "") -> Path:
    """A template whose network takes none below 192x192, and no odd multiples of 32."""
    path = folder / "large.yaml"
    head = "name: Large\nid: large\nextends: Lite-HRNet-s-mod2\nsmallest_input: 192\nsize_divisor: 64\n"
    path.write_text(head + more)
    return path


def test_parameters_ask_for_a_size_that_the_template_takes(tmp_path: Path) -> None:
    template = load(of_large_images(tmp_path))
    assert template.override({"learning_parameters.input_size": "192x256"}).input_size == (192, 256)
    message = (
        r"^learning_parameters.input_size=128x288: Large takes sides from 192 pixels, multiples of 64: give 192x256, "
        r"or another template$"
    )
    with pytest.raises(UsageError, match=message):
        template.override({"learning_parameters.input_size": "128x288"})


def test_a_template_names_a_size_that_it_takes(tmp_path: Path) -> None:
    size = "hyper_parameters: {learning_parameters: {input_size: 128x128}}\n"
    path = of_large_images(tmp_path, size)
    with pytest.raises(
        UsageError, match=r"large\.yaml: learning_parameters.input_size=128x128: Large takes sides from"
    ):
        load(path)
    path.write_text(path.read_text().replace("smallest_input: 192", "smallest_input: 640").replace(size, ""))
    with pytest.raises(UsageError, match=r"input_size=512x512: Large takes sides from 640 pixels"):
        load(path)


@pytest.mark.parametrize("line", ["smallest_input: 200", "size_divisor: 48", "smallest_input: 32"])
def test_sizes_are_multiples_of_what_every_network_needs(tmp_path: Path, line: str) -> None:
    path = of_large_images(tmp_path)
    key = line.split(":")[0]
    lines = [line if old.startswith(key) else old for old in path.read_text().splitlines()]
    path.write_text("\n".join(lines))
    with pytest.raises(UsageError, match=rf"{key}: .* is not usable"):
        load(path)
