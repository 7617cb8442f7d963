"""What `export` returns: the model of ONNX, to save or to run."""

from __future__ import annotations

import importlib
import os
from typing import Any

import numpy

from ..func.trees import flatten, unflatten
from ..tensors.creation import tensor
from ..tensors.replacing import destination
from ..tensors.tensor import Tensor
from .recording import OnnxExporterError, Recording


def onnx_package(what: str, name: str = "onnx") -> Any:
    """The package onnx, or onnxruntime.

    Raises:
        ImportError: it is not installed, with what to install.
    """
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name != name:
            raise
        raise ImportError(f"{what} needs the package {name}: pip install onnx onnxruntime") \
            from None


class ONNXProgram:
    """An exported model. Called like the model, it runs in onnxruntime.

    model_proto     the model, an `onnx.ModelProto`
    """

    def __init__(self, model_proto: Any, examples: list[Tensor], recording: Recording):
        self.model_proto = model_proto
        self._examples, self._structure = examples, recording.structure
        self._results, self._session = recording.result_arrays, None

    def save(self, destination_path: str | os.PathLike[str]) -> None:
        """Writes the model to a file."""
        with destination(os.fspath(destination_path)) as file:
            file.write(self.model_proto.SerializeToString())

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """The results of onnxruntime for these inputs, in the form of the model's results.

        Raises:
            ImportError: onnxruntime is not installed.
            TypeError: another number of Tensors than the model was exported with.
        """
        given = [x for x in flatten((args, kwargs))[0] if isinstance(x, Tensor)]
        inputs = [value.name for value in self.model_proto.graph.input]
        if len(given) != len(inputs):
            raise TypeError(f"ONNXProgram: {len(given)} Tensors for {len(inputs)} inputs, "
                            f"{', '.join(inputs)}")
        results = self._run({name: x.detach().cpu().numpy() for name, x in
                             zip(inputs, given, strict=True)})
        rest = iter(map(tensor, results))
        leaves = flatten(unflatten([None] * _count(self._structure), self._structure))[0]
        assert all(x is None for x in leaves)
        return unflatten([next(rest) for _ in leaves], self._structure)

    def _run(self, inputs: dict[str, Any]) -> list[Any]:
        if self._session is None:
            runtime = onnx_package("ONNXProgram: a call", "onnxruntime")
            self._session = runtime.InferenceSession(
                self.model_proto.SerializeToString(), providers=["CPUExecutionProvider"])
        results: list[Any] = self._session.run(None, inputs)  # type: ignore[attr-defined]
        return results

    def verify(self, rtol: float = 1e-4, atol: float = 1e-5) -> None:
        """Compares the results of onnxruntime on the example with the model's.

        Raises:
            OnnxExporterError: they differ by more.
        """
        names = [value.name for value in self.model_proto.graph.input]
        results = self._run({name: x.numpy() for name, x in
                             zip(names, self._examples, strict=True)})
        for value, got, expected in zip(self.model_proto.graph.output, results, self._results,
                                        strict=True):
            if not numpy.allclose(got, expected, rtol, atol, equal_nan=True):
                raise OnnxExporterError(
                    f"onnx.export: onnxruntime's {value.name} differs from the model's, by up to "
                    f"{abs(got - expected).max():.3g}")


def _count(structure: Any) -> int:
    return len(flatten_structure(structure))


def flatten_structure(structure: Any) -> list[Any]:
    """The leaves of a structure of `trees`."""
    if not isinstance(structure, tuple):
        return [structure]
    return [leaf for inner in structure[2] for leaf in flatten_structure(inner)]
