"""What runs an exported model: image files to masks and overlays, without torch and without templates.

This package is handed over with a model as it is. It imports nothing of the toolkit but `otx_seg.errors` and
`otx_seg.labels`, and of other projects only NumPy, OpenCV, Pillow and OpenVINO.
"""
