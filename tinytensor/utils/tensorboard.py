"""Event files for TensorBoard, under the names of `torch.utils.tensorboard`.

    writer = SummaryWriter("runs/first")
    writer.add_scalar("loss", loss, step)

In a shell, `tensorboard --logdir runs` shows them. This module needs the package tensorboard
(pip install tensorboard).
"""

from __future__ import annotations

import io
import os
import socket
import time
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import numpy
from tensorboard.compat.proto.config_pb2 import RunMetadata
from tensorboard.compat.proto.event_pb2 import Event, SessionLog, TaggedRunMetadata
from tensorboard.compat.proto.step_stats_pb2 import DeviceStepStats, StepStats
from tensorboard.compat.proto.summary_pb2 import HistogramProto, Summary, SummaryMetadata
from tensorboard.compat.proto.tensor_pb2 import TensorProto
from tensorboard.compat.proto.tensor_shape_pb2 import TensorShapeProto
from tensorboard.summary.writer.event_file_writer import EventFileWriter

from ..compat import absent
from ..nn.module import Module
from ..tensors.tensor import Tensor
from .tensorboard_parts import (
    curve_of,
    hyperparameters,
    model_graph,
    precision_recall,
    write_embedding,
)

__all__ = ["SummaryWriter"]

Array = numpy.ndarray[Any, Any]


class SummaryWriter:
    """Writes scalars, histograms, images, texts, hyperparameters, curves of precision and recall,
    embeddings and the graph of a model to event files in a folder.

    Values may be Tensors on any device, arrays or numbers. `with SummaryWriter() as writer:` closes
    it at the end of the block.
    """

    def __init__(self, log_dir: str | os.PathLike[str] | None = None, comment: str = "",
                 purge_step: int | None = None, max_queue: int = 10, flush_secs: float = 120,
                 filename_suffix: str = ""):
        """
        Args:
            log_dir: the folder, by default runs/TIME_HOST followed by the comment.
            purge_step: TensorBoard hides the records of earlier files from this step on.
            max_queue: the number of records that are buffered before they are written.
            flush_secs: the maximum time in seconds that records are buffered.
            filename_suffix: appended to the names of the files.
        """
        if not log_dir:
            now = datetime.now().strftime("%b%d_%H-%M-%S")
            log_dir = os.path.join("runs", f"{now}_{socket.gethostname()}{comment}")
        self.log_dir = os.fspath(log_dir)
        self.purge_step = purge_step
        self._options = (max_queue, flush_secs, filename_suffix)
        self._files: dict[str, EventFileWriter] = {}
        self._purged: set[str] = set()
        self._embeddings: list[Any] = []
        self._file(self.log_dir)

    def get_logdir(self) -> str:
        return self.log_dir

    def add_scalar(self, tag: str, scalar_value: Any, global_step: int | None = None,
                   walltime: float | None = None) -> None:
        """Adds a point to a curve."""
        self._add(self.log_dir, _scalar(tag, scalar_value), global_step, walltime)

    def add_scalars(self, main_tag: str, tag_scalar_dict: Mapping[str, Any],
                    global_step: int | None = None, walltime: float | None = None) -> None:
        """Adds a point to each of several curves in one plot; each has a folder log_dir/TAG_KEY."""
        for key, value in tag_scalar_dict.items():
            folder = os.path.join(self.log_dir, f"{main_tag.replace('/', '_')}_{key}")
            self._add(folder, _scalar(main_tag, value), global_step, walltime)

    def add_histogram(self, tag: str, values: Any, global_step: int | None = None,
                      bins: Any = "tensorflow", walltime: float | None = None) -> None:
        """Adds a histogram of values.

        Args:
            bins: "tensorflow" for edges from 1e-12 to 1e20, each 1.1 times the one before, on both
                sides of 0; or the argument of `numpy.histogram`.

        Raises:
            ValueError: there are no values.
        """
        histogram = _histogram(_array(values), bins)
        self._add(self.log_dir, Summary.Value(tag=tag, histo=histogram), global_step, walltime)

    def add_image(self, tag: str, img_tensor: Any, global_step: int | None = None,
                  walltime: float | None = None, dataformats: str = "CHW") -> None:
        """Adds an image: uint8, or floats from 0 to 1, with 1, 3 or 4 channels.

        Args:
            dataformats: the order of the dims: "CHW", "HWC" or "HW".
        """
        image = _channels_last(_array(img_tensor), dataformats, "HWC")
        self._add(self.log_dir, Summary.Value(tag=tag, image=_png(image)), global_step, walltime)

    def add_images(self, tag: str, img_tensor: Any, global_step: int | None = None,
                   walltime: float | None = None, dataformats: str = "NCHW") -> None:
        """Adds several images of one size as a grid, 8 in a row."""
        images = _channels_last(_array(img_tensor), dataformats, "NHWC")
        self._add(self.log_dir, Summary.Value(tag=tag, image=_png(_grid(images))), global_step,
                  walltime)

    def add_figure(self, tag: str, figure: Any, global_step: int | None = None,
                   close: bool = True, walltime: float | None = None) -> None:
        """Adds a matplotlib figure as an image, and closes it unless `close` is False."""
        from matplotlib import pyplot
        from matplotlib.backends.backend_agg import FigureCanvasAgg

        canvas = FigureCanvasAgg(figure)
        canvas.draw()
        self.add_image(tag, numpy.asarray(canvas.buffer_rgba()), global_step, walltime, "HWC")
        if close:
            pyplot.close(figure)

    def add_text(self, tag: str, text_string: str, global_step: int | None = None,
                 walltime: float | None = None) -> None:
        """Adds a text, which TensorBoard shows as Markdown."""
        metadata = SummaryMetadata(plugin_data=SummaryMetadata.PluginData(plugin_name="text"))
        text = TensorProto(dtype="DT_STRING", string_val=[text_string.encode()],
                           tensor_shape=TensorShapeProto(dim=[TensorShapeProto.Dim(size=1)]))
        value = Summary.Value(tag=f"{tag}/text_summary", metadata=metadata, tensor=text)
        self._add(self.log_dir, value, global_step, walltime)

    def add_hparams(self, hparam_dict: Mapping[str, Any], metric_dict: Mapping[str, Any],
                    hparam_domain_discrete: Mapping[str, list[Any]] | None = None,
                    run_name: str | None = None, global_step: int | None = None) -> None:
        """Adds a row to the table of hyperparameters: their values, and what came of them.

        Args:
            hparam_dict: numbers, bools and strings by name.
            metric_dict: the results by name; each is a curve too.
            hparam_domain_discrete: all values that a hyperparameter may have.
            run_name: the folder of the row below log_dir, by default the time.

        Raises:
            TypeError: not dicts, or values that do not fit.
            ValueError: a hyperparameter of another type.
        """
        if not isinstance(hparam_dict, dict) or not isinstance(metric_dict, dict):
            raise TypeError("add_hparams: hparam_dict and metric_dict must be dicts")
        records = hyperparameters(hparam_dict, metric_dict, hparam_domain_discrete or {})
        folder = os.path.join(self.log_dir, run_name or str(time.time()))
        for record in records:
            self._add(folder, record, global_step, None)
        for tag, value in metric_dict.items():
            self._add(folder, _scalar(tag, value), global_step, None)

    def add_pr_curve(self, tag: str, labels: Any, predictions: Any,
                     global_step: int | None = None, num_thresholds: int = 127,
                     weights: Any = None, walltime: float | None = None) -> None:
        """Adds a curve of precision and recall, for binary labels and probabilities.

        Raises:
            ValueError: as many labels as predictions are needed.
        """
        truth, chances = _array(labels), _array(predictions)
        if truth.shape != chances.shape:
            raise ValueError(f"add_pr_curve: labels of shape {truth.shape} for predictions of "
                             f"shape {chances.shape}")
        value = precision_recall(tag, truth, chances, num_thresholds,
                                 None if weights is None else _array(weights))
        self._add(self.log_dir, value, global_step, walltime)

    def add_pr_curve_raw(self, tag: str, true_positive_counts: Any, false_positive_counts: Any,
                         true_negative_counts: Any, false_negative_counts: Any, precision: Any,
                         recall: Any, global_step: int | None = None, num_thresholds: int = 127,
                         weights: Any = None, walltime: float | None = None) -> None:
        """Adds a curve of precision and recall from its numbers at each threshold."""
        rows = [_array(x) for x in (true_positive_counts, false_positive_counts,
                                    true_negative_counts, false_negative_counts, precision, recall)]
        self._add(self.log_dir, curve_of(tag, rows, num_thresholds), global_step, walltime)

    def add_embedding(self, mat: Any, metadata: Sequence[Any] | None = None, label_img: Any = None,
                      global_step: int | None = None, tag: str = "default",
                      metadata_header: Sequence[str] | None = None) -> None:
        """Adds points for the projector, with labels and images.

        Shapes: mat (N, D), N labels, label_img (N, C, H, W) with values from 0 to 1.

        Args:
            metadata_header: names of columns; each label is then a list of as many.

        Raises:
            ValueError: shapes or numbers that do not fit.
        """
        from google.protobuf import text_format
        from tensorboard.plugins.projector.projector_config_pb2 import ProjectorConfig

        step = str(0 if global_step is None else global_step).zfill(5)
        encoded = "".join(f"%{ord(c):02x}" if c in "%/\\" else c for c in tag)
        info = write_embedding(self.log_dir, f"{step}/{encoded}", f"{tag}:{step}", _array(mat),
                               metadata, None if label_img is None else _array(label_img),
                               metadata_header)
        self._embeddings.append(info)
        text = text_format.MessageToString(ProjectorConfig(embeddings=self._embeddings))
        with open(os.path.join(self.log_dir, "projector_config.pbtxt"), "w") as file:
            file.write(text)

    def add_graph(self, model: Module, input_to_model: Any = None, verbose: bool = False,
                  use_strict_trace: bool = True) -> None:
        """Adds the graph of a model: the operations of one call in eval mode, by layers.

        `verbose` prints it. `use_strict_trace` has no effect.

        Raises:
            TypeError: not a Module.
        """
        if not isinstance(model, Module):
            raise TypeError(f"add_graph: expected a Module, got {type(model).__name__}")
        given = input_to_model if isinstance(input_to_model, tuple | list) else (
            () if input_to_model is None else (input_to_model,))
        graph = model_graph(model, tuple(given))
        if verbose:
            print(graph)
        now = time.time()
        self._file(self.log_dir).add_event(Event(
            graph_def=graph.SerializeToString(), wall_time=now))
        steps = RunMetadata(step_stats=StepStats(
            dev_stats=[DeviceStepStats(device="/device:CPU:0")]))
        self._file(self.log_dir).add_event(Event(tagged_run_metadata=TaggedRunMetadata(
            tag="step1", run_metadata=steps.SerializeToString()), wall_time=now))

    def add_summary(self, summary: Summary, global_step: int | None = None,
                    walltime: float | None = None) -> None:
        """Adds the values of a Summary that was made elsewhere."""
        for value in summary.value:
            self._add(self.log_dir, value, global_step, walltime)

    def _get_file_writer(self) -> SummaryWriter:
        """What has `add_summary`, which Lightning's logger asks for."""
        return self

    def flush(self) -> None:
        """Writes all buffered records to the files."""
        for file in self._files.values():
            file.flush()

    def close(self) -> None:
        """Closes the files. Records added later go to new files."""
        for file in self._files.values():
            file.close()
        self._files.clear()

    def __enter__(self) -> SummaryWriter:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def _file(self, folder: str) -> EventFileWriter:
        if folder not in self._files:
            file = self._files[folder] = EventFileWriter(folder, *self._options)
            if self.purge_step is not None and folder not in self._purged:
                self._purged.add(folder)
                now = time.time()
                file.add_event(Event(wall_time=now, step=self.purge_step,
                                     file_version="brain.Event:2"))
                file.add_event(Event(wall_time=now, step=self.purge_step,
                                     session_log=SessionLog(status=SessionLog.START)))
        return self._files[folder]

    def _add(self, folder: str, value: Summary.Value, step: int | None,
             walltime: float | None) -> None:
        event = Event(summary=Summary(value=[value]),
                      wall_time=time.time() if walltime is None else walltime)
        if step is not None:
            event.step = int(step)
        self._file(folder).add_event(event)


def _array(x: Any) -> Array:
    return x.detach().cpu().numpy() if isinstance(x, Tensor) else numpy.asarray(x)


def _scalar(tag: str, value: Any) -> Summary.Value:
    array = _array(value)
    if array.size != 1:
        raise ValueError(f"SummaryWriter: {tag!r} must be one number, got an array of shape "
                         f"{array.shape}; use add_histogram() or add_scalars()")
    return Summary.Value(tag=tag, simple_value=float(array.reshape(())))


def _edges() -> Array:
    positive, edge = [], 1e-12
    while edge < 1e20:
        positive.append(edge)
        edge *= 1.1
    return numpy.array([*(-x for x in reversed(positive)), 0.0, *positive])


def _histogram(values: Array, bins: Any) -> HistogramProto:
    """The histogram without the empty bins at both ends."""
    if not values.size:
        raise ValueError("SummaryWriter: a histogram needs at least one value, got none")
    values = values.reshape(-1).astype(numpy.float64)
    counts, edges = numpy.histogram(values, _edges() if isinstance(bins, str)
                                    and bins == "tensorflow" else bins)
    filled = numpy.flatnonzero(counts)
    first, last = (filled[0], filled[-1] + 1) if filled.size else (0, len(counts))
    return HistogramProto(
        min=values.min(), max=values.max(), num=values.size, sum=values.sum(),
        sum_squares=values @ values, bucket_limit=edges[first:last + 1],
        bucket=[0.0, *counts[first:last]])


def _channels_last(array: Array, dims: str, wanted: str) -> Array:
    """The array with its dims in the wanted order; missing dims get size 1."""
    given = dims.upper()
    if len(given) != array.ndim or len(set(given)) < len(given) or not set(given) <= set(wanted):
        raise ValueError(f"SummaryWriter: dataformats={dims!r} does not fit an array of shape "
                         f"{array.shape}; it names each dim once, with letters of {wanted!r}")
    missing = [d for d in wanted if d not in given]
    array = array.reshape((1,) * len(missing) + array.shape)
    order = [*missing, *given]
    return array.transpose([order.index(d) for d in wanted])


def _grid(images: Array) -> Array:
    """Images (N, H, W, C) as one image with up to 8 of them in a row."""
    count, height, width, channels = images.shape
    columns = min(count, 8)
    rows = -(-count // columns) if columns else 0
    canvas = numpy.zeros((rows * columns, height, width, channels), images.dtype)
    canvas[:count] = images
    canvas = canvas.reshape(rows, columns, height, width, channels).swapaxes(1, 2)
    return canvas.reshape(rows * height, columns * width, channels)


def _png(image: Array) -> Summary.Image:
    """An image (H, W, C) as PNG."""
    from PIL import Image

    height, width, channels = image.shape
    if channels not in (1, 3, 4):
        raise ValueError(f"SummaryWriter: an image must have 1, 3 or 4 channels, got {channels}; "
                         "dataformats names the dims")
    if image.dtype != numpy.uint8:
        image = (image.astype(numpy.float32) * 255).clip(0, 255).astype(numpy.uint8)
    file = io.BytesIO()
    Image.fromarray(image[:, :, 0] if channels == 1 else image).save(file, "PNG")
    return Summary.Image(height=height, width=width, colorspace=channels,
                         encoded_image_string=file.getvalue())


def __getattr__(name: str) -> Any:
    raise absent.AbsentName("tinytensor.utils.tensorboard", name, lambda: globals())
