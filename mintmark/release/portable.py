"""A classifier as ONNX, checked against PyTorch before anybody sees it. Knows no training and no data.

The file says what it takes and answers, and nothing of the machine that wrote it: PyTorch leaves stack traces and
paths in a model's metadata, and they are removed.
"""

import json
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from mintmark.release.quiet import errors_only

OPSET = 20
TOLERANCE = 1e-4  # of a logit: float32 sums in another order
CHECKED_BATCHES = (1, 5)  # two sizes, so that the batch is dynamic in truth
INPUT, OUTPUT = "images", "logits"


def export_onnx(network: nn.Module, path: Path, *, shape: tuple[int, int, int], classes: tuple[str, ...]) -> float:
    """Write a network as ONNX with a dynamic batch, and hold ONNX Runtime's answers against PyTorch's.

    Args:
        network: Takes (n, channels, height, width) in [-1, 1] and answers (n, classes) logits; in eval mode.
        path: The file.
        shape: (height, width, channels).
        classes: Class names in the order of the logits; kept in the file's metadata.

    Returns:
        The largest difference of a logit that was seen.

    Raises:
        RuntimeError: ONNX Runtime and PyTorch differ by more than `TOLERANCE`.
    """
    height, width, channels = shape
    model = _exported(network, torch.zeros(2, channels, height, width))
    _strip(model)
    _state(model, {"classes": json.dumps(list(classes)), "input": "float32 (n, channels, height, width) in [-1, 1]"})
    path.write_bytes(model.SerializeToString(deterministic=True))
    difference = largest_difference(network, path, shape=shape)
    if not difference <= TOLERANCE:
        raise RuntimeError(f"ONNX Runtime must agree with PyTorch within {TOLERANCE}, got {difference}")
    return difference


def largest_difference(network: nn.Module, path: Path, *, shape: tuple[int, int, int]) -> float:
    """The largest difference between PyTorch's and ONNX Runtime's logits, over fixed random images."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    height, width, channels = shape
    draw = torch.Generator().manual_seed(0)
    largest = 0.0
    for size in CHECKED_BATCHES:
        images = torch.rand(size, channels, height, width, generator=draw) * 2 - 1
        with torch.inference_mode():
            expected = network(images).numpy()
        answered = np.asarray(session.run([OUTPUT], {INPUT: images.numpy()})[0])
        largest = max(largest, float(np.abs(expected - answered).max()))
    return largest


def _exported(network: nn.Module, example: torch.Tensor) -> Any:
    """The ONNX model of a network, as PyTorch writes it."""
    # the exporter warns of torchvision's operators, which nobody here uses, and of its own deprecated classes
    with errors_only("torch.onnx._internal.exporter._registration"), warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        warnings.simplefilter("ignore", DeprecationWarning)
        program = torch.onnx.export(
            network,
            (example,),
            dynamo=True,
            dynamic_shapes=({0: torch.export.Dim("batch")},),
            input_names=[INPUT],
            output_names=[OUTPUT],
            opset_version=OPSET,
            verbose=False,
        )
    assert program is not None
    return program.model_proto


def _strip(model: Any) -> None:
    """Remove every doc string and metadata entry, at every depth."""
    graph = model.graph
    for part in [model, graph, *graph.node, *graph.input, *graph.output, *graph.value_info, *graph.initializer]:
        part.ClearField("doc_string")
        part.ClearField("metadata_props")
    for function in model.functions:
        for part in [function, *function.node, *function.value_info]:
            part.ClearField("doc_string")
            part.ClearField("metadata_props")


def _state(model: Any, facts: dict[str, str]) -> None:
    for key in sorted(facts):
        entry = model.metadata_props.add()
        entry.key, entry.value = key, facts[key]
