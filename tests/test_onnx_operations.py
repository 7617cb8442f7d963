"""Every operation of the table in onnxruntime: its ONNX form gives what the operation gives."""

from __future__ import annotations

import math

import numpy
import pytest
from operations import in_turn

import tinytensor as engine
from tinytensor import nn
from tinytensor.autograd.table import TABLE
from tinytensor.checking.calls import arguments_of, is_drawn, replace

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")
from tinytensor.onnx.forms import FORMS, NO_FORM

OPERATIONS = {key for key, entry in TABLE.items() if entry.op is not None}
# Forms of layers that are recorded as a whole: `test_onnx.py` tests them.
LAYERS = {"batch_norm", "recurrent"}
# Without samples, or with one that is no sorted sequence; `test_onnx.py` tests these too.
WITHOUT_SAMPLES = {"alias", "bisect", "cast", "memory", "move"}


class Calls(nn.Module):
    """Calls functions on their samples: (key, function, [arguments, ...]) for each."""

    def __init__(self, calls):
        super().__init__()
        self.calls = calls

    def forward(self, *tensors):
        rest = iter(tensors)
        results = []
        for _, function, arguments in self.calls:
            for given in arguments:
                args, kwargs = replace(given, is_drawn, lambda _: next(rest))
                results.append(function(*args, **kwargs))
        return results


def drawn(tree):
    """The arrays of the arguments of a sample, in order."""
    found = []
    replace(tree, is_drawn, lambda x: found.append(x.as_dtype(numpy.float32)))
    return found


def samples_of(entry):
    """The samples with elements; those that onnxruntime refuses to run are empty."""
    if entry.key in WITHOUT_SAMPLES:
        return []
    chosen = [arguments_of(sample, f"{entry.key} onnx {i}")
              for i, sample in enumerate(entry.samples)]
    return [given for given in chosen if drawn(given)
            and all(math.prod(a.shape) for a in drawn(given))]


def test_every_operation_has_a_form_or_a_reason():
    known = set(FORMS) | set(NO_FORM)
    assert OPERATIONS - known == set(), "give it a form in tinytensor/onnx, or a reason in NO_FORM"
    assert known - OPERATIONS == LAYERS
    assert set(FORMS) & set(NO_FORM) == set()
    assert all(len(reason) > 10 for reason in NO_FORM.values())


def test_every_form_is_run():
    run = {key for key in FORMS if key in TABLE and samples_of(TABLE[key])}
    assert set(FORMS) - run == LAYERS | WITHOUT_SAMPLES


def compare(calls):
    """The results of onnxruntime and of the functions, in one exported model."""
    arrays = [a for _, _, arguments in calls for given in arguments for a in drawn(given)]
    tensors = [engine.tensor(a) for a in arrays]
    model = Calls(calls)
    names = [key for key, _, arguments in calls for _ in arguments]
    results, expected = engine.onnx.export(model, tuple(tensors))(*tensors), model(*tensors)
    for key, got, wanted in zip(names, results, expected, strict=True):
        for a, b in zip(leaves(got), leaves(wanted), strict=True):
            assert a.dtype == b.dtype and a.shape == b.shape, key
            numpy.testing.assert_allclose(a.numpy(), b.numpy(), 2e-5, 2e-6, err_msg=key)


def leaves(value):
    return [x for part in value for x in leaves(part)] if isinstance(value, tuple | list) \
        else [value]


RUN = sorted(key for key in FORMS if key in TABLE and samples_of(TABLE[key]))


@in_turn("keys", [RUN[i:i + 12] for i in range(0, len(RUN), 12)])
def test_forms_give_what_the_operations_give(keys):
    compare([(key, TABLE[key].function, samples_of(TABLE[key])) for key in keys])


def test_a_wrong_form_is_noticed(monkeypatch):
    monkeypatch.setitem(FORMS, "exp", FORMS["tanh"])
    with pytest.raises(AssertionError, match="exp"):
        compare([("exp", engine.exp, samples_of(TABLE["exp"]))])


# What these give depends on values in ways that no graph has, or is no Tensor.
NOT_EXPORTED = {
    "allclose", "equal", "argwhere", "nonzero", "broadcast_shapes", "histogram", "histogramdd",
    "masked_scatter", "masked_select", "index_put", "repeat_interleave",
    "nn.functional.embedding_bag",
    "nn.functional.multi_margin_loss", "nn.functional.multilabel_margin_loss", "geqrf",
    "lobpcg", "ormqr", "triangular_solve",
    *(f"nn.functional.max_unpool{n}d" for n in (1, 2, 3))}
COMPOSED = sorted(key for key, entry in TABLE.items() if entry.op is None and samples_of(entry)
                  and key not in NOT_EXPORTED)


@pytest.mark.long
@in_turn("key", COMPOSED)
def test_functions_of_operations_run_too(key):
    """Functions that are composed of operations. Where one has no form, the error says so."""
    entry, refused = TABLE[key], 0
    try:
        compare([(key, entry.function, samples_of(entry))])
        return
    except engine.onnx.OnnxExporterError:
        pass  # of one of the samples
    for arguments in samples_of(entry):
        try:
            compare([(key, entry.function, [arguments])])
        except engine.onnx.OnnxExporterError as error:
            assert "cannot be exported" in str(error) or "no ONNX form" in str(error) \
                or "writes in place" in str(error), key
            refused += 1
    assert refused < len(samples_of(entry)) or key.startswith(("linalg.", "cholesky")) \
        or key in ("cummax", "cummin", "inverse", "logdet", "matrix_power", "mode", "mvlgamma",
                   "nanmedian", "orgqr", "pinverse", "polygamma", "qr", "special.log_ndtr",
                   "svd", "unique", "unique_consecutive", "nn.functional.instance_norm",
                   "vander"), key
