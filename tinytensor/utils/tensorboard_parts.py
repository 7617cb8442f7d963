"""What `SummaryWriter` writes for TensorBoard's plugins: hyperparameters, precision and recall,
embeddings, and the graph of a model.
"""

from __future__ import annotations

import io
import math
import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy
from tensorboard.compat.proto.attr_value_pb2 import AttrValue
from tensorboard.compat.proto.graph_pb2 import GraphDef
from tensorboard.compat.proto.node_def_pb2 import NodeDef
from tensorboard.compat.proto.summary_pb2 import Summary, SummaryMetadata
from tensorboard.compat.proto.tensor_pb2 import TensorProto
from tensorboard.compat.proto.tensor_shape_pb2 import TensorShapeProto
from tensorboard.compat.proto.versions_pb2 import VersionDef
from tensorboard.plugins.hparams import api_pb2, metadata, plugin_data_pb2
from tensorboard.plugins.pr_curve.plugin_data_pb2 import PrCurvePluginData
from tensorboard.plugins.projector.projector_config_pb2 import EmbeddingInfo

from ..autograd.modes import no_grad
from ..func.trees import flatten
from ..nn.module import Module
from ..onnx.recording import Call, Recorder, Source
from ..tensors.tensor import Tensor

Array = numpy.ndarray[Any, Any]


def _plugin_value(tag: str, plugin: str, content: bytes, **value: Any) -> Summary.Value:
    data = SummaryMetadata.PluginData(plugin_name=plugin, content=content)
    return Summary.Value(tag=tag, metadata=SummaryMetadata(plugin_data=data), **value)


def _matrix(array: Array) -> TensorProto:
    sizes = [TensorShapeProto.Dim(size=n) for n in array.shape]
    return TensorProto(dtype="DT_FLOAT", float_val=array.reshape(-1).tolist(),
                       tensor_shape=TensorShapeProto(dim=sizes))


# ---------------------------------------------------------------- hyperparameters


def hyperparameters(given: Mapping[str, Any], metrics: Mapping[str, Any],
                    choices: Mapping[str, Sequence[Any]]) -> list[Summary.Value]:
    """The records of an experiment, and of the start and the end of one session in it.

    Raises:
        TypeError: choices that are not a list of values of the parameter's type.
        ValueError: a value that is no number, bool or string.
    """
    infos, start = [], plugin_data_pb2.SessionStartInfo()
    for name, listed in choices.items():
        if name not in given or not isinstance(listed, list) \
                or not all(isinstance(x, type(given[name])) for x in listed):
            raise TypeError(f"add_hparams: hparam_domain_discrete[{name!r}] must be a list of "
                            f"values like hparam_dict[{name!r}]")
    for name, value in given.items():
        if value is None:
            continue
        if isinstance(value, Tensor | numpy.generic):
            value = value.item()
        # A bool counts as a number, as in PyTorch's files.
        kind = "string" if isinstance(value, str) else "number"
        if not isinstance(value, str | int | float):
            raise ValueError(f"add_hparams: {name!r} must be a number, a bool or a string, got "
                             f"{type(value).__name__}")
        setattr(start.hparams[name], f"{kind}_value", value)
        info = api_pb2.HParamInfo(name=name, type=(
            api_pb2.DATA_TYPE_STRING if kind == "string" else api_pb2.DATA_TYPE_FLOAT64))
        for choice in choices.get(name, ()):
            setattr(info.domain_discrete.values.add(), f"{kind}_value", choice)
        infos.append(info)
    experiment = api_pb2.Experiment(hparam_infos=infos, metric_infos=[
        api_pb2.MetricInfo(name=api_pb2.MetricName(tag=tag)) for tag in metrics])
    end = plugin_data_pb2.SessionEndInfo(status=api_pb2.STATUS_SUCCESS)
    parts = ((metadata.EXPERIMENT_TAG, {"experiment": experiment}),
             (metadata.SESSION_START_INFO_TAG, {"session_start_info": start}),
             (metadata.SESSION_END_INFO_TAG, {"session_end_info": end}))
    return [_plugin_value(tag, metadata.PLUGIN_NAME, plugin_data_pb2.HParamsPluginData(
        version=metadata.PLUGIN_DATA_VERSION, **part).SerializeToString()) for tag, part in parts]


# ---------------------------------------------------------------- precision and recall

MOST_THRESHOLDS = 127


def precision_recall(tag: str, labels: Array, predictions: Array, thresholds: int,
                     weights: Array | None) -> Summary.Value:
    """True and false positives and negatives, precision and recall at equally spaced thresholds."""
    thresholds = min(thresholds, MOST_THRESHOLDS)
    truth = labels.astype(numpy.float64)
    weight = 1.0 if weights is None else weights
    bins = numpy.floor(predictions * (thresholds - 1)).astype(numpy.int32)

    def above(amounts: Array) -> Array:
        """The sum of those at or above each threshold."""
        counts, _ = numpy.histogram(bins, thresholds, (0, thresholds - 1), weights=amounts)
        return numpy.cumsum(counts[::-1])[::-1]

    hits, alarms = above(truth * weight), above((1 - truth) * weight)
    misses = hits[0] - hits
    rows = (hits, alarms, alarms[0] - alarms, misses,
            hits / numpy.maximum(1e-7, hits + alarms), hits / numpy.maximum(1e-7, hits + misses))
    return curve_of(tag, rows, thresholds)


def curve_of(tag: str, rows: Sequence[Array], thresholds: int) -> Summary.Value:
    """The record of tp, fp, tn, fn, precision and recall at the thresholds."""
    content = PrCurvePluginData(version=0, num_thresholds=min(thresholds, MOST_THRESHOLDS))
    return _plugin_value(tag, "pr_curves", content.SerializeToString(),
                         tensor=_matrix(numpy.stack(rows)))


# ---------------------------------------------------------------- embeddings


def write_embedding(log_dir: str, folder: str, tag: str, points: Array,
                    labels: Sequence[Any] | None, images: Array | None,
                    header: Sequence[str] | None) -> EmbeddingInfo:
    """Writes points, labels and small images into a folder below log_dir.

    Raises:
        ValueError: points that are no matrix; another number of labels, images or columns.
    """
    if points.ndim != 2:
        raise ValueError(f"add_embedding: the points must be a matrix (N, D), got shape "
                         f"{points.shape}")
    for what, given in (("labels", labels), ("images", images)):
        if given is not None and len(given) != len(points):
            raise ValueError(f"add_embedding: {len(given)} {what} for {len(points)} points")
    target = os.path.join(log_dir, folder)
    os.makedirs(target, exist_ok=True)
    info = EmbeddingInfo(tensor_name=tag, tensor_path=os.path.join(folder, "tensors.tsv"))
    _write(target, "tensors.tsv", "".join(
        "\t".join(map(str, row)) + "\n" for row in points.tolist()).encode())
    if labels is not None:
        info.metadata_path = os.path.join(folder, "metadata.tsv")
        lines = [str(label) for label in labels]
        if header:
            if any(len(row) != len(header) for row in labels):
                raise ValueError(f"add_embedding: metadata_header has {len(header)} columns; each "
                                 "label must be a list of as many")
            lines = ["\t".join(map(str, row)) for row in (header, *labels)]
        _write(target, "metadata.tsv", ("\n".join(lines) + "\n").encode())
    if images is not None:
        info.sprite.image_path = os.path.join(folder, "sprite.png")
        info.sprite.single_image_dim.extend([images.shape[3], images.shape[2]])
        _write(target, "sprite.png", _sprite(images))
    return info


def _write(folder: str, name: str, content: bytes) -> None:
    with open(os.path.join(folder, name), "wb") as file:
        file.write(content)


def _sprite(images: Array) -> bytes:
    """Images (N, C, H, W) with values from 0 to 1 in one square image, as PNG."""
    from PIL import Image

    count, channels, height, width = images.shape
    columns = math.ceil(count ** 0.5)
    side = columns * width
    canvas = numpy.zeros((max(side, -(-count // columns) * height), side, 3))
    for i, image in enumerate(images):
        row, column = divmod(i, columns)
        canvas[row * height:(row + 1) * height, column * width:(column + 1) * width] = \
            numpy.broadcast_to(image.transpose(1, 2, 0), (height, width, 3)) \
            if channels == 1 else image.transpose(1, 2, 0)[:, :, :3]
    file = io.BytesIO()
    Image.fromarray((canvas[:side] * 255).clip(0, 255).astype(numpy.uint8)).save(file, "PNG")
    return file.getvalue()


# ---------------------------------------------------------------- the graph of a model


def model_graph(model: Module, inputs: Any) -> GraphDef:
    """The operations that a call of the model runs, in eval mode, in boxes of its layers."""
    leaves = [x for x in flatten(inputs)[0] if isinstance(x, Tensor)]
    weights = dict((*model.named_parameters(), *model.named_buffers()))
    modes = {module: module.training for module in model.modules()}
    model.eval()
    try:
        with no_grad(), Recorder(model, leaves, weights) as recorder:
            results = [x for x in flatten(model(*inputs))[0] if isinstance(x, Tensor)]
            found = [recorder.source(x._array) for x in results]
    finally:
        for module, mode in modes.items():
            module.training = mode
    boxes = _boxes(model)
    names: dict[Source, str] = {}
    nodes = []
    for i, x in enumerate(leaves):
        names[Source("input", i)] = f"input/input.{i}"
        nodes.append(_node(f"input/input.{i}", "IO Node", [], shape=x.shape))
    calls = recorder.recording.calls
    for call in calls:
        for source in call.sources():
            if source.kind == "weight" and source not in names:
                path, _, name = source.key.rpartition(".")
                names[source] = f"{boxes.get(path, boxes[''])}/{name}"
                nodes.append(_node(names[source], "Parameter", [],
                                   shape=weights[source.key].shape))
    for i, call in enumerate(calls):
        name = f"{boxes.get(call.path, boxes[''])}/{call.key.rpartition('.')[2]}_{i}"
        names.update({Source("call", i, k): name for k in range(len(call.outputs))})
        uses = list(dict.fromkeys(names[s] for s in call.sources() if s in names))
        nodes.append(_node(name, call.key, uses, _listed(call), call.outputs[0].shape))
    for i, (made, x) in enumerate(zip(found, results, strict=True), 1):
        known = [names[made]] if made in names else []
        nodes.append(_node(f"output/output.{i}", "IO Node", known, shape=x.shape))
    return GraphDef(node=nodes, versions=VersionDef(producer=22))


def _boxes(model: Module) -> dict[str, str]:
    """The name of each layer's box, by its path: "Net/Sequential[body]/Linear[0]"."""
    boxes = {"": type(model).__name__}
    for path, module in model.named_modules():
        if path:
            parent, _, name = path.rpartition(".")
            boxes[path] = f"{boxes[parent]}/{type(module).__name__}[{name}]"
    return boxes


def _listed(call: Call) -> str:
    """The parameters of a call that are numbers, strings or tuples of them."""
    shown = {name: value for name, value in call.parameters.items()
             if isinstance(value, int | float | str | tuple) and len(str(value)) < 80}
    return ", ".join(f"{name}={value}" for name, value in shown.items())


def _node(name: str, op: str, inputs: list[str], text: str = "",
          shape: Sequence[int] = ()) -> NodeDef:
    sizes = TensorShapeProto(dim=[TensorShapeProto.Dim(size=n) for n in shape])
    return NodeDef(name=name, op=op, input=inputs, attr={
        "attr": AttrValue(s=text.encode()),
        "_output_shapes": AttrValue(list=AttrValue.ListValue(shape=[sizes]))})
