"""Event files for TensorBoard, under the names of `torch.utils.tensorboard`.

    writer = SummaryWriter("runs/first")
    writer.add_scalar("loss", loss, step)

and in a shell `tensorboard --logdir runs`. This module needs the package tensorboard:
pip install tensorboard.
"""

from __future__ import annotations

import io
import os
import socket
import time
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import numpy
from tensorboard.compat.proto.event_pb2 import Event, SessionLog
from tensorboard.compat.proto.summary_pb2 import HistogramProto, Summary, SummaryMetadata
from tensorboard.compat.proto.tensor_pb2 import TensorProto
from tensorboard.compat.proto.tensor_shape_pb2 import TensorShapeProto
from tensorboard.summary.writer.event_file_writer import EventFileWriter

from ..tensors.tensor import Tensor

__all__ = ["SummaryWriter"]

Array = numpy.ndarray[Any, Any]


class SummaryWriter:
    """Writes what a run tells about itself into event files of a folder.

    Numbers may be Tensors, arrays or Python's; of a Tensor on a GPU the values are fetched.
    Used as `with SummaryWriter() as writer:` it is closed at the end.
    """

    def __init__(self, log_dir: str | os.PathLike[str] | None = None, comment: str = "",
                 purge_step: int | None = None, max_queue: int = 10, flush_secs: float = 120,
                 filename_suffix: str = ""):
        """
        Args:
            log_dir: the folder; if not given, runs/TIME_HOST, and the comment at the end of it.
            purge_step: TensorBoard forgets what earlier files have from this step on.
            max_queue: so many records wait before they are written.
            flush_secs: they wait this long at most.
            filename_suffix: the end of the files' names.
        """
        if not log_dir:
            now = datetime.now().strftime("%b%d_%H-%M-%S")
            log_dir = os.path.join("runs", f"{now}_{socket.gethostname()}{comment}")
        self.log_dir = os.fspath(log_dir)
        self.purge_step = purge_step
        self._options = (max_queue, flush_secs, filename_suffix)
        self._files: dict[str, EventFileWriter] = {}
        self._purged: set[str] = set()
        self._file(self.log_dir)

    def get_logdir(self) -> str:
        return self.log_dir

    def add_scalar(self, tag: str, scalar_value: Any, global_step: int | None = None,
                   walltime: float | None = None) -> None:
        """A point of a curve."""
        self._add(self.log_dir, _scalar(tag, scalar_value), global_step, walltime)

    def add_scalars(self, main_tag: str, tag_scalar_dict: Mapping[str, Any],
                    global_step: int | None = None, walltime: float | None = None) -> None:
        """Points of several curves in one plot. Each has a folder of its own, log_dir/TAG_KEY."""
        for key, value in tag_scalar_dict.items():
            folder = os.path.join(self.log_dir, f"{main_tag.replace('/', '_')}_{key}")
            self._add(folder, _scalar(main_tag, value), global_step, walltime)

    def add_histogram(self, tag: str, values: Any, global_step: int | None = None,
                      bins: Any = "tensorflow", walltime: float | None = None) -> None:
        """How values are distributed.

        Args:
            bins: "tensorflow" for bins whose edges grow by a tenth from 1e-12 to 1e20, on both
                sides of 0, or what `numpy.histogram` takes.

        Raises:
            ValueError: there are no values.
        """
        found = _histogram(_array(values), bins)
        self._add(self.log_dir, Summary.Value(tag=tag, histo=found), global_step, walltime)

    def add_image(self, tag: str, img_tensor: Any, global_step: int | None = None,
                  walltime: float | None = None, dataformats: str = "CHW") -> None:
        """An image: uint8, or floats from 0 to 1, of 1, 3 or 4 channels.

        Args:
            dataformats: what the dims are, as "CHW", "HWC" or "HW".
        """
        image = _channels_last(_array(img_tensor), dataformats, "HWC")
        self._add(self.log_dir, Summary.Value(tag=tag, image=_png(image)), global_step, walltime)

    def add_images(self, tag: str, img_tensor: Any, global_step: int | None = None,
                   walltime: float | None = None, dataformats: str = "NCHW") -> None:
        """Several images of one size, side by side, 8 in a row."""
        images = _channels_last(_array(img_tensor), dataformats, "NHWC")
        self._add(self.log_dir, Summary.Value(tag=tag, image=_png(_grid(images))), global_step,
                  walltime)

    def add_figure(self, tag: str, figure: Any, global_step: int | None = None,
                   close: bool = True, walltime: float | None = None) -> None:
        """A figure of matplotlib's, as an image; it is closed then."""
        from matplotlib import pyplot
        from matplotlib.backends.backend_agg import FigureCanvasAgg

        canvas = FigureCanvasAgg(figure)
        canvas.draw()
        self.add_image(tag, numpy.asarray(canvas.buffer_rgba()), global_step, walltime, "HWC")
        if close:
            pyplot.close(figure)

    def add_text(self, tag: str, text_string: str, global_step: int | None = None,
                 walltime: float | None = None) -> None:
        """A text, shown as Markdown."""
        metadata = SummaryMetadata(plugin_data=SummaryMetadata.PluginData(plugin_name="text"))
        text = TensorProto(dtype="DT_STRING", string_val=[text_string.encode()],
                           tensor_shape=TensorShapeProto(dim=[TensorShapeProto.Dim(size=1)]))
        value = Summary.Value(tag=f"{tag}/text_summary", metadata=metadata, tensor=text)
        self._add(self.log_dir, value, global_step, walltime)

    def flush(self) -> None:
        """Everything is in the files."""
        for file in self._files.values():
            file.flush()

    def close(self) -> None:
        """Closes the files; what is added afterwards begins new ones."""
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
                         f"{array.shape}; see add_histogram() and add_scalars()")
    return Summary.Value(tag=tag, simple_value=float(array.reshape(())))


def _edges() -> Array:
    positive, edge = [], 1e-12
    while edge < 1e20:
        positive.append(edge)
        edge *= 1.1
    return numpy.array([*(-x for x in reversed(positive)), 0.0, *positive])


def _histogram(values: Array, bins: Any) -> HistogramProto:
    """Counts, without the empty bins at both ends; the first edge begins the first bin kept."""
    if not values.size:
        raise ValueError("SummaryWriter: a histogram of no values")
    values = values.reshape(-1).astype(numpy.float64)
    counts, edges = numpy.histogram(values, _edges() if isinstance(bins, str)
                                    and bins == "tensorflow" else bins)
    taken = numpy.flatnonzero(counts)
    first, last = (taken[0], taken[-1] + 1) if taken.size else (0, len(counts))
    return HistogramProto(
        min=values.min(), max=values.max(), num=values.size, sum=values.sum(),
        sum_squares=values @ values, bucket_limit=edges[first:last + 1],
        bucket=[0.0, *counts[first:last]])


def _channels_last(array: Array, dims: str, wanted: str) -> Array:
    """The array with its dims in the wanted order; what is missing has size 1."""
    given = dims.upper()
    if len(given) != array.ndim or len(set(given)) < len(given) or not set(given) <= set(wanted):
        raise ValueError(f"SummaryWriter: dataformats={dims!r} does not fit an array of shape "
                         f"{array.shape}; it names each dim once, with letters of {wanted!r}")
    missing = [d for d in wanted if d not in given]
    array = array.reshape((1,) * len(missing) + array.shape)
    order = [*missing, *given]
    return array.transpose([order.index(d) for d in wanted])


def _grid(images: Array) -> Array:
    """(N, H, W, C) -> rows of up to 8 images."""
    count, height, width, channels = images.shape
    columns = min(count, 8)
    rows = -(-count // columns) if columns else 0
    canvas = numpy.zeros((rows * columns, height, width, channels), images.dtype)
    canvas[:count] = images
    canvas = canvas.reshape(rows, columns, height, width, channels).swapaxes(1, 2)
    return canvas.reshape(rows * height, columns * width, channels)


def _png(image: Array) -> Summary.Image:
    """A PNG of (H, W, C)."""
    from PIL import Image

    height, width, channels = image.shape
    if channels not in (1, 3, 4):
        raise ValueError(f"SummaryWriter: an image has 1, 3 or 4 channels, not {channels}; "
                         "dataformats says which dim they are")
    if image.dtype != numpy.uint8:
        image = (image.astype(numpy.float32) * 255).clip(0, 255).astype(numpy.uint8)
    file = io.BytesIO()
    Image.fromarray(image[:, :, 0] if channels == 1 else image).save(file, "PNG")
    return Summary.Image(height=height, width=width, colorspace=channels,
                         encoded_image_string=file.getvalue())
