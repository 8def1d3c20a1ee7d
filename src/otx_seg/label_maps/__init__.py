"""The label maps that come with the program, one YAML file each; `otx_seg.datasets.label_map` reads them."""

from pathlib import Path


def shipped_label_maps() -> dict[str, Path]:
    """The files of these label maps, by their names."""
    return {path.stem: path for path in sorted(Path(__file__).parent.glob("*.yaml"))}
