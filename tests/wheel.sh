#!/usr/bin/env bash
# Builds the wheel, installs it into a new environment away from the checkout, and uses it there.
# usage: wheel.sh SCRATCH_FOLDER
set -euo pipefail
scratch=$(mkdir -p "$1" && cd "$1" && pwd)/wheel
rm -rf "$scratch" && mkdir -p "$scratch"

python -m build --wheel --outdir "$scratch/dist" .
python -m venv "$scratch/venv"
"$scratch/venv/bin/pip" install --no-compile --quiet "$scratch"/dist/*.whl

cd "$scratch"
otx="$scratch/venv/bin/otx"
"$otx" --version
"$otx" find
"$otx" find | grep -q "EfficientNet-Lite0-FPN (default)"
"$scratch/venv/bin/python" -c "import cv2; print('cv2', cv2.__version__)"
"$scratch/venv/bin/python" - <<'PYTHON'
from pathlib import Path

from otx_seg.datasets.synthetic.draw import draw_dataset

draw_dataset(Path("data"), images=5, size=64, seed=0)
PYTHON
"$otx" train Lite-HRNet-s-mod2 --train-data-roots data/train --val-data-roots data/val --output run params \
    --learning_parameters.num_iters 1 --learning_parameters.input_size 64x64 --learning_parameters.num_workers 0 \
    --learning_parameters.pretrained none
test -s run/models/weights.pth
"$otx" export --load-weights run/models/weights.pth --output exported
"$otx" predict --input data/val/images --load-weights exported/openvino.xml --output masks

# The receiver of a model: an environment with what the package asks for, without the toolkit.
"$otx" deploy --load-weights exported/openvino.xml --output package
"$scratch/venv/bin/python" -m zipfile --extract package/openvino.zip received
python -m venv "$scratch/receiver"
receiver="$scratch/receiver/bin/python"
"$receiver" -m pip install --no-compile --quiet -r received/python/requirements.txt
if "$receiver" -c "import torch"; then echo "the receiver has torch"; exit 1; fi
for way in sync async; do
    "$receiver" received/python/demo.py --input data/val/images -it $way --no_show --output "received_$way"
    for mask in masks/*.png; do cmp "$mask" "received_$way/$(basename "$mask")"; done
done
image=$(find data/val/images -type f | head -1)
"$receiver" received/python/model_api_demo.py "$image" model_api.png
test -s model_api.png
echo "the installed wheel works, and what it hands over works without it"
