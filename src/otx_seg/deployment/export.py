"""Exports a trained network as an OpenVINO IR or an ONNX file, and checks it against the network."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import onnx
import openvino
import torch
from numpy.typing import NDArray
from openvino.frontend.pytorch.ts_decoder import TorchScriptPythonDecoder
from openvino.passes import ConstantFolding, Manager
from torch import nn

from otx_seg.deployment.agreement import (
    REQUIRED_AGREEMENT,
    REQUIRED_AGREEMENT_HALF,
    REQUIRED_AGREEMENT_QUANTIZED,
    ROUNDING,
    ROUNDING_8_BITS,
    agreement,
    drawn_images,
)
from otx_seg.deployment.compact import halve_large_constants, save_compact, store_kernels_in_8_bits
from otx_seg.deployment.converted_graph import (
    OUTPUT_NAMES,
    decompose_group_norms,
    fold_padding,
    keep_features_inside_onnx,
    name_features_in_ir,
)
from otx_seg.deployment.dynamic import Dynamic, check_dynamic, open_axes
from otx_seg.deployment.exported_form import exported_form
from otx_seg.deployment.files import IR_XML, ONNX, save_ir, written_atomically
from otx_seg.deployment.folded_temperature import fold_temperature
from otx_seg.deployment.ignored_nodes import find_ignored_nodes
from otx_seg.errors import OtxError, UsageError
from otx_seg.inference.predictor import load_predictor
from otx_seg.inference.torch_predictor import TorchPredictor, open_checkpoint
from otx_seg.models.network import Deployable, DeployableMask
from otx_seg.models.open_network import OpenNetwork
from otx_seg.models.quantized_conv import is_quantized
from otx_seg.models.resampling import any_size
from otx_seg.runtime.model_info import LABEL_SCHEMA, SECTION, ModelInfo
from otx_seg.runtime.openvino_core import openvino_core
from otx_seg.runtime.written_digest import BLANK, DIGEST, write_digest
from otx_seg.template import Template, from_dict
from otx_seg.workspace.weights import write_label_schema

ExportType = Literal["openvino", "onnx"]

INPUT, OUTPUT = "image", "output"
"""Names of the graph's input and output."""

_WRAPPERS = "__module.network.network."  # Deployable, SegmentationNetwork

_OPSET = 17  # ONNX; the newest that torch's tracing exporter writes, read by every runtime since 2022


@dataclass(frozen=True)
class Exported:
    """The outcome of `export`.

    Attributes:
        model: the ``.xml`` or ``.onnx``.
        agreement: share of pixels, 0..1, on which it agrees with the network it was made from; of a quantised one,
            labels agree whose probabilities there, before calibration, differ by less than `ROUNDING_8_BITS`.
        images: number of images this was measured on; 0: on drawn ones, since no real ones were given.
        quantized: whether the network is quantised.
    """

    model: Path
    agreement: float
    images: int
    quantized: bool = False


def export(
    weights: Path,
    output: Path,
    export_type: ExportType = "openvino",
    half_precision: bool = False,
    images: Sequence[NDArray[np.uint8]] = (),
    template: Template | None = None,
    dump_features: bool = False,
    input_size: str | None = None,
    dynamic: Dynamic | None = None,
    scales: Sequence[float] | None = None,
    argmax: bool = False,
) -> Exported:
    """Write a trained network as a graph that other programs run.

    The graph takes one RGB image (1, 3, H, W), values 0-255, and gives the calibrated probability of each label at each
    pixel, (1, K, H, W). What it carries about itself lets OpenVINO Model API load it without settings. `output` gets
    ``openvino.xml`` and ``openvino.bin``, or ``model.onnx``, and ``label_schema.json``; if anything fails it gets
    nothing.

    Args:
        weights: `weights.pth`; of a quantised network, the IR computes with integers where the network rounds.
        half_precision: store the parameters of an IR as 16-bit floats.
        images: uint8 RGB (H, W, 3) on which the graph is compared with the network; none: drawn ones.
        template: see `open_checkpoint`.
        dump_features: let the graph also give the feature vector (1, C), and keep inside it, by name, what `explain`
            needs.
        input_size: ``HEIGHTxWIDTH`` of that image in pixels, multiples of 32; None: the size the network was trained
            for.
        dynamic: what the graph leaves open. A graph of any size computes with slower operators.
        scales: see `open_checkpoint`.
        argmax: let the graph give masks, the label of each pixel, uint8 (1, H, W), in place of probabilities.

    Raises:
        UsageError: no such checkpoint, input size or choice of what to leave open, half precision with ONNX or of a
            quantised network, features of a network that does not end in a 1x1 convolution, or masks with features or
            where the template does something to probabilities.
        OtxError: the graph and the network disagree on more than 0.1 % of the pixels (1 % in half precision, 5 % if
            they are quantised), the network cannot be converted, what is to be open in its graph is not, or the files
            cannot be written.
    """
    if export_type == "onnx" and half_precision:
        raise UsageError(
            "half precision is not possible with ONNX: on a CPU, ONNX Runtime would convert every value to and fro, "
            "slower and less exact than in FP32; leave --half-precision out, or export to openvino"
        )
    predictor = open_checkpoint(weights, template, "cpu", input_size, scales)
    quantized = is_quantized(predictor.network)
    if quantized and half_precision:
        raise UsageError(f"{weights}: is quantised, to fewer than 16 bits; leave --half-precision out")
    if argmax:
        _refuse_masks(predictor, dump_features)
    info = ModelInfo(
        predictor.labels, predictor.template, predictor.post_processing, predictor.input_size, gives_masks=argmax
    )
    with written_atomically(output) as folder:
        write_label_schema(folder / LABEL_SCHEMA, predictor.labels)
        if export_type == "onnx":
            model = _write_onnx(predictor, info, folder / ONNX, dump_features, dynamic)
        else:
            model = _write_ir(predictor, info, folder / IR_XML, half_precision, dump_features, dynamic)
        required, rounding = REQUIRED_AGREEMENT_HALF if half_precision else REQUIRED_AGREEMENT, ROUNDING
        if quantized:
            required, rounding = REQUIRED_AGREEMENT_QUANTIZED, ROUNDING_8_BITS
        if dynamic is not None:
            check_dynamic(predictor, model, dynamic, required, rounding)
        compared = list(images) or drawn_images(predictor.input_size)
        # Without its temperature: a low one would make more of the same rounding, a high one less.
        original = TorchPredictor(predictor.network, predictor.labels, predictor.input_size)
        share = agreement(original, load_predictor(model), compared, rounding)
        if share < required:
            raise OtxError(
                f"{weights}: the exported model agrees with the network on {share:.3%} of the pixels only, "
                f"{required:.1%} are required; nothing was written"
            )
    return Exported(output / model.name, share, len(images), quantized)


def _refuse_masks(predictor: TorchPredictor, dump_features: bool) -> None:
    """
    Raises:
        UsageError: something needs the probabilities of a graph that is to give masks.
    """
    if dump_features:
        raise UsageError("--argmax and --dump-features exclude each other: explanations need the probabilities")
    if not predictor.post_processing.is_plain:
        raise UsageError(
            "--argmax: the template's postprocessing.soft_threshold or blur_strength works on probabilities, which "
            "such a model does not give; train with their defaults, or leave --argmax out"
        )


def _write_ir(
    predictor: TorchPredictor,
    info: ModelInfo,
    path: Path,
    half_precision: bool,
    dump_features: bool,
    dynamic: Dynamic | None,
) -> Path:
    example = torch.zeros(1, 3, *predictor.input_size)
    shape = [-1 if axis in open_axes(dynamic) else side for axis, side in enumerate(example.shape)]
    with _quiet(), _recorded(dynamic):
        # Tracing twice, to compare, takes a third of the time; what is exported is compared with the network later.
        graph = TorchScriptPythonDecoder(
            _graph(predictor, dump_features, info.gives_masks),
            example_input=example,
            trace_kwargs={"check_trace": False},
        )
        model = openvino.convert_model(graph, input=[shape])
    if dump_features:
        name_features_in_ir(model)
    model = _simplified(model, path)
    for node in model.get_ops():
        # Names begin at the network, as its state dict's do, not at the wrappers around it.
        node.set_friendly_name(node.get_friendly_name().replace(_WRAPPERS, ""))
    model.inputs[0].get_node().set_friendly_name(INPUT)
    model.inputs[0].get_tensor().set_names({INPUT})
    model.outputs[0].get_tensor().set_names({OUTPUT})
    for name, value in info.entries().items():
        model.set_rt_info(value, [SECTION, name])
    if is_quantized(predictor.network):
        _save_in_8_bits(model, predictor, path)
    else:
        save_ir(model, path, half_precision)
    return path


def _save_in_8_bits(model: openvino.Model, predictor: TorchPredictor, path: Path) -> None:
    """As post-training quantisation writes its models; kernels of quantised layers are whole multiples already."""
    assert predictor.template is not None
    fixed = from_dict(predictor.template, str(path)).quantization
    store_kernels_in_8_bits(model, find_ignored_nodes(model, fixed.ignored_patterns, fixed.ignored_types, path))
    halve_large_constants(model)
    save_compact(model, path)


def _simplified(model: openvino.Model, path: Path) -> openvino.Model:
    """The model rewritten, with all that is computed from its fixed shapes as constants.

    The converter marks the latter nodes to be left alone; the marks are gone from a model that was written and read.
    """
    save_ir(model, path)
    read = openvino_core().read_model(path.read_bytes(), path.with_suffix(".bin").read_bytes())
    decompose_group_norms(read)
    passes = Manager()
    passes.register_pass(ConstantFolding())
    passes.run_passes(read)
    fold_padding(read)
    return read


def _write_onnx(
    predictor: TorchPredictor, info: ModelInfo, path: Path, dump_features: bool, dynamic: Dynamic | None
) -> Path:
    example = torch.zeros(1, 3, *predictor.input_size)
    with _quiet(), _recorded(dynamic):
        # The other exporter of torch needs a package of its own and is many times slower.
        torch.onnx.export(
            _graph(predictor, dump_features, info.gives_masks),
            (example,),
            path,
            dynamo=False,
            input_names=[INPUT],
            output_names=[OUTPUT, *OUTPUT_NAMES] if dump_features else [OUTPUT],
            dynamic_axes={INPUT: open_axes(dynamic), OUTPUT: open_axes(dynamic, info.gives_masks)},
            opset_version=_OPSET,
        )
    model = onnx.load(path)
    keep_features_inside_onnx(model)
    _declare_outputs(model, predictor, dynamic, info.gives_masks)
    entries = {**info.entries(), DIGEST: BLANK}
    onnx.helper.set_model_props(model, {f"{SECTION} {name}": value for name, value in entries.items()})
    onnx.save(model, path)
    write_digest(path)
    return path


def _declare_outputs(model: onnx.ModelProto, predictor: TorchPredictor, dynamic: Dynamic | None, masks: bool) -> None:
    """Write the outputs' shapes into an ONNX model: torch leaves all of one open as soon as one axis is."""
    main, *feature_vector = model.graph.output
    per_label = [] if masks else [len(predictor.labels)]
    shapes: list[list[int | str]] = [[1, *per_label, *predictor.input_size]]
    shapes += [[1, output.type.tensor_type.shape.dim[1].dim_value] for output in feature_vector]
    for output, shape in zip((main, *feature_vector), shapes, strict=True):
        for axis, name in open_axes(dynamic, masks).items():
            if axis < len(shape):
                shape[axis] = name
        kind = output.type.tensor_type.elem_type
        output.CopyFrom(onnx.helper.make_tensor_value_info(output.name, kind, shape))


def _graph(predictor: TorchPredictor, dump_features: bool, masks: bool) -> nn.Module:
    network = exported_form(predictor.network)
    if masks:
        return DeployableMask(network).eval()
    temperature = predictor.temperature
    if temperature != 1 and fold_temperature(network, temperature, predictor.input_size):
        temperature = 1.0
    return (OpenNetwork if dump_features else Deployable)(network, temperature).eval()


def _recorded(dynamic: Dynamic | None) -> AbstractContextManager[None]:
    """Where a graph is made of the network: of operators for any size, if it is to take any."""
    return any_size() if 2 in open_axes(dynamic) else nullcontext()


@contextmanager
def _quiet() -> Iterator[None]:
    """Hide the tracer's warnings about shapes that become constants, which is intended."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
