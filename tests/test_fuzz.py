"""Random programs agree with PyTorch. The fuzzer finds, shrinks and excuses differences."""

from __future__ import annotations

from typing import Any

import pytest
from fuzz.compare import difference
from fuzz.generate import FEATURES, generate
from fuzz.known import KNOWN, OVERLAP
from fuzz.mended import MENDED
from fuzz.programs import printed
from fuzz.shrink import shrink

import tinytensor
from tinytensor.arrays.dispatch import KernelSettings, use_kernels

PROGRAMS = 200
# PyTorch's optimizers import its compiler, which takes longer than all programs together.
FAST = [feature for feature in FEATURES if feature != "optimizers"]


def test_random_programs_agree_with_pytorch():
    for number in range(PROGRAMS):
        program = generate(0, number, FAST)
        found = difference(program)
        if found is not None:
            short = shrink(program)
            pytest.fail(f"program {number} of seed 0 differs:\n{printed(short)}\n"
                        f"{difference(short)}", pytrace=False)


def test_known_differences_are_still_there(monkeypatch):
    """An outdated entry could hide a fault."""
    for known in [*KNOWN, OVERLAP]:
        found = difference(known.program, excuse=False)
        if found is None:
            with monkeypatch.context() as patch, use_kernels(True):
                patch.setattr(KernelSettings, "min_work", 0)
                found = difference(known.program, excuse=False)
        assert found is not None, f"no difference any more: {known.reason}"
        assert known is OVERLAP or known.covers(known.program, found), \
            f"{known.reason}: not recognised in {found}"
        assert difference(known.program) is None, known.reason


@pytest.mark.parametrize("program", MENDED, ids=lambda program: program[-1].partition("= ")[2][:30])
@pytest.mark.parametrize("kernels", [False, True])
def test_programs_that_once_differed_agree(program, kernels, monkeypatch):
    monkeypatch.setattr(KernelSettings, "min_work", 0)
    with use_kernels(kernels):
        found = difference(program, excuse=False)
    assert found is None, f"{printed(program)}\n{found}"


def test_programs_depend_on_the_seed_alone():
    programs = [generate(3, number) for number in range(20)]
    assert programs == [generate(3, number) for number in range(20)]
    assert len(set(programs)) == 20
    assert generate(4, 0) != programs[0]


def test_features_can_be_left_out():
    text = "\n".join(line for number in range(60) for line in generate(
        0, number, [f for f in FEATURES if f not in ("float16", "no_grad", "hooks")]))
    assert "float16" not in text and "no_grad" not in text and "register_hook" not in text
    assert "torch." in text and "backward" in text


LONG = ("v1 = torch.tensor([[0.5, -1.5], [2.0, 0.25]], requires_grad=True)",
        "v2 = torch.ones(3)", "v3 = v1.t() * 2", "v4 = v2.expand(2, 3).sum(0)",
        "v5 = torch.tanh(v3[0])", "v6, v7 = v5.unbind()", "v8 = v6 * v7 + v4.mean()",
        "weighted_sum(v8).backward()")


@pytest.mark.parametrize("factor", [1.01, 0.0])
def test_a_wrong_value_is_noticed_and_shrunk(monkeypatch, factor):
    assert difference(LONG) is None
    right = tinytensor.tanh
    monkeypatch.setattr(tinytensor, "tanh", lambda x: right(x) * factor)
    found = difference(LONG)
    assert found is not None and found.what == "values" and found.name == "v5"
    short = shrink(LONG)
    assert len(short) == 2 and "torch.tanh(v1)" in short[1], short


def test_a_wrong_gradient_is_noticed_and_shrunk(monkeypatch):
    right = tinytensor.tanh
    monkeypatch.setattr(tinytensor, "tanh", lambda x: right(x) + (x - x.detach()) * 0.01)
    found = difference(LONG)
    assert found is not None and found.what == "grad values" and found.name == "v1.grad"
    short = shrink(LONG)
    assert len(short) <= 3 and any("tanh" in line for line in short), short


def test_an_error_on_one_side_is_noticed(monkeypatch):
    def refuses(x):
        raise RuntimeError("tanh: refused")

    monkeypatch.setattr(tinytensor, "tanh", refuses)
    found = difference(LONG)
    assert found is not None and (found.line, found.what) == (4, "error")


def test_shared_memory_is_compared(monkeypatch):
    program = ("v1 = torch.ones(2)", "v2 = v1.clone()")
    assert difference(program) is None
    monkeypatch.setattr(tinytensor.Tensor, "clone", lambda self: self.view(2))
    found = difference(program)
    assert found is not None and found.what == "memory"


@pytest.mark.parametrize("line", [
    "v2 = (v1 + 1e6 - 1e6) * 1e3", "v2 = torch.floor((v1 * 3 / 3) * 7 / 7)",
    "v2 = ((v1 / 3) * 3).argmax()", "v2 = torch.linalg.inv(v1 * torch.ones(3, 3) + 1e-6)"])
def test_rounding_is_no_difference(line):
    assert difference(("v1 = torch.tensor([0.7, 0.3, 0.7])", line)) is None


def test_rounding_of_results_is_no_difference(monkeypatch):
    right = tinytensor.tanh
    monkeypatch.setattr(tinytensor, "tanh", lambda x: right(x) * (1 - 2**-23 if x.ndim else 1))
    assert difference((
        "v1 = torch.tensor(0.7)", "v2 = torch.tanh(v1.expand(8))", "v3 = torch.tanh(v1)",
        "v4 = torch.fmod(v2, v3)")) is None


def test_printed_programs_run_under_both_libraries():
    program = ("v1 = torch.tensor([1.0, inf], requires_grad=True)",
               "v2 = v1[np.array([0])] * np.float32(2)", "weighted_sum(v2).backward()")
    for library in ("tinytensor", "torch"):
        names: dict[str, Any] = {}
        exec(printed(program, library), names)
        assert names["torch"].__name__ == library
        assert names["v1"].grad.tolist() == [1.0, 0.0]
