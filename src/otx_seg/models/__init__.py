"""The networks: what mmseg lacks, and how a template becomes a network.

Importing this package makes `import mmseg.models` work on mmcv-lite, so every module in here may import mmseg.
"""

import warnings

from otx_seg.models.mmcv_ops import ensure_ops

ensure_ops()
# Advice of mmseg on image sizes, at each enlargement in networks whose authors align corners.
warnings.filterwarnings("ignore", "When align_corners=True, the output would", UserWarning)

from otx_seg.models.build import build_model  # noqa: E402  needs the line above

__all__ = ["build_model", "ensure_ops"]
