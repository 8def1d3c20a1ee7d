"""One HTML file that needs nothing else: no network, no script, pictures within."""

from __future__ import annotations

import base64
from collections.abc import Iterable
from html import escape

import cv2
import numpy as np
from numpy.typing import NDArray

_JPEG_QUALITY = 82

_STYLE = """
:root { color-scheme: light; --ink: #1d2530; --faint: #667080; --line: #dfe3e8; --blue: #2f6db5; }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 1240px; padding: 28px 24px 60px; color: var(--ink); background: #fff;
  font: 15px/1.45 system-ui, "Segoe UI", Roboto, "Noto Sans", sans-serif; overflow-wrap: anywhere; }
h1 { font-size: 25px; margin: 0 0 4px; } h2 { font-size: 19px; margin: 36px 0 10px; }
.faint { color: var(--faint); } .small { font-size: 13px; }
.verdict { display: inline-block; margin: 12px 0 4px; padding: 8px 14px; border-radius: 8px; font-weight: 600; }
.fine { background: #e2f3e7; color: #17603a; } .warning { background: #fdf1d3; color: #7a5300; }
.error { background: #fbe1df; color: #96211a; } .note { background: #e3eefb; color: #1d4f8c; }
table { border-collapse: collapse; } th { text-align: left; font-weight: 600; }
th, td { padding: 5px 18px 5px 0; border-bottom: 1px solid var(--line); vertical-align: middle; }
th, td { overflow-wrap: break-word; } td:last-child { overflow-wrap: anywhere; }
td.number, th.number { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
.bar { width: 130px; height: 10px; background: #eef1f4; border-radius: 5px; overflow: hidden; }
.bar > div { height: 100%; background: var(--blue); }
.chip { display: inline-block; width: 12px; height: 12px; border-radius: 3px; border: 1px solid #0003;
  margin-right: 6px; vertical-align: -1px; }
.problem { border-left: 4px solid var(--line); padding: 2px 0 2px 14px; margin: 14px 0; }
.badge { display: inline-block; padding: 0 9px; border-radius: 10px; font-size: 13px; font-weight: 600; }
details { margin-top: 4px; } summary { cursor: pointer; color: var(--faint); } details ul { margin: 6px 0; }
.sheet { display: grid; grid-template-columns: repeat(auto-fill, minmax(270px, 1fr)); gap: 18px; }
figure { margin: 0; } figcaption { font-size: 13px; margin-top: 4px; }
.picture { position: relative; background: #eef1f4; border-radius: 6px; overflow: hidden; }
.picture img { display: block; width: 100%; height: 210px; object-fit: contain; }
.picture .plain { position: absolute; inset: 0; opacity: 0; background: #eef1f4; }
.picture:hover .plain, .picture:focus .plain { opacity: 1; }
.legend > span { margin-right: 12px; white-space: nowrap; } .group { margin-bottom: 22px; }
"""


def page(title: str, parts: Iterable[str]) -> str:
    """A whole document.

    Args:
        title: plain text.
        parts: HTML, one below the other.
    """
    document = (
        f'<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n<title>{escape(title)}</title>\n'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">\n<style>{_STYLE}</style>\n</head>\n'
        "<body>\n" + "\n".join(parts) + "\n</body>\n</html>\n"
    )
    # The name of a folder may be no UTF-8.
    return document.encode("utf-8", "backslashreplace").decode("utf-8")


def embedded(image: NDArray[np.uint8]) -> str:
    """An image, uint8 (H, W, 3) RGB, as the address of an ``img``, compressed as JPEG."""
    encoded = cv2.imencode(".jpg", image[:, :, ::-1], (cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY))[1]
    return "data:image/jpeg;base64," + base64.b64encode(encoded.tobytes()).decode("ascii")


def chip(color: tuple[int, int, int]) -> str:
    """A small square of an RGB colour."""
    return '<span class="chip" style="background:#{:02x}{:02x}{:02x}"></span>'.format(*color)


def bar(share: float) -> str:
    """A bar filled to a share, 0-1; anything above 0 can be seen."""
    width = 0.0 if share <= 0 else max(1.0, 100 * min(share, 1.0))
    return f'<div class="bar"><div style="width:{width:.1f}%"></div></div>'
