"""What runs an exported model: image files to masks and overlays, without torch and without templates.

This package is handed over with a model as it is. It imports nothing of the toolkit but `otx_seg.errors` and
`otx_seg.labels`, and of other projects only NumPy, OpenCV, Pillow, tifffile and OpenVINO.

- `openvino_predictor` opens a model, which `graph_shape`, `model_info` and `written_digest` check, and runs it;
  `handed_over` is the package it comes in.
- `predict_mask` makes the mask of an image, with `crops`, `augmented_views`, `masks` and `confidence`; `overlay` and
  `fonts` draw it.
- `images` reads image files, with `image_headers`, `tiff` and `tiff_pixels`; `image_files` finds them, `path_filter`
  chooses among them, `result_files` names what is made of them; `georeference` and
  `tiff_writing` are for GeoTIFF and for maps.
- `demo_program` is the demo, with `demonstration`, `pipeline` and `streams`.
- Texts come in through `plain_files` and go out through `terminal`.
"""
