"""The model run by OpenVINO Model API, without anything else of this package.

    python model_api_demo.py IMAGE MASK.png

It enlarges masks where demo.py enlarges probabilities: about one pixel in a hundred differs, at the edges of things. A
model that takes images of any size gets the image at its own size here, not resized: then masks differ more.
"""

from __future__ import annotations

import sys
from pathlib import Path

import cv2
import numpy as np
from model_api.models import SegmentationModel

if len(sys.argv) != 3:
    sys.exit(__doc__)
image = cv2.imread(sys.argv[1])
if image is None:
    sys.exit(f"Error: {sys.argv[1]}: cannot be read as an image")
model = SegmentationModel.create_model(str(Path(__file__).resolve().parent.parent / "model" / "model.xml"))
# OpenCV reads blue, green, red; the model takes red, green, blue.
result = model(cv2.cvtColor(image, cv2.COLOR_BGR2RGB))
cv2.imwrite(sys.argv[2], result.resultImage.astype(np.uint8))
