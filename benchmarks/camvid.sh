#!/usr/bin/env bash
# The main job on CamVid: five commands, 25 minutes of training.
# usage: benchmarks/camvid.sh CAMVID_FOLDER OUTPUT_FOLDER [MINUTES]
set -euo pipefail
data=$1 out=$2 minutes=${3:-25}
otx train Lite-HRNet-s-mod2 --train-data-roots "$data/train" --val-data-roots "$data/val" --output "$out/train" \
    params --learning_parameters.input_size=256x256 --learning_parameters.max_minutes="$minutes" \
    --learning_parameters.pretrained=none
otx eval --test-data-roots "$data/val" --load-weights "$out/train/models/weights.pth" --output "$out/eval"
otx export --load-weights "$out/train/models/weights.pth" --output "$out/export"
otx optimize --load-weights "$out/export/openvino.xml" --train-data-roots "$data/train" --val-data-roots "$data/val" \
    --output "$out/optimize"
otx eval --test-data-roots "$data/val" --load-weights "$out/optimize/ptq/openvino.xml" --output "$out/eval_int8"
