"""Overrides and hooks of state_dict and load_state_dict, against PyTorch's."""

from __future__ import annotations

import functools
from collections import OrderedDict
from typing import Any

import pytest
import torch

import tinytensor
from tinytensor import nn

LIBRARIES = (torch, tinytensor)


def lists(state: Any) -> Any:
    """A state as a list of names and plain values, in order."""
    return [(name, value.tolist() if hasattr(value, "tolist") else value)
            for name, value in state.items()]


def same_in_both(program: Any) -> Any:
    theirs, mine = map(program, LIBRARIES)
    assert theirs == mine
    return mine


def outcome(load: Any) -> Any:
    """The keys that did not match, or the message of the error."""
    try:
        return tuple(map(list, load()))
    except RuntimeError as error:
        return str(error).replace("tinytensor.Size", "torch.Size")


# ---------------------------------------------------------------- overrides


def renaming(lib: Any) -> Any:
    """A model with a layer that renamed a weight in version 3 and saves an additional number."""
    class Renaming(lib.nn.Linear):
        _version = 3

        def _save_to_state_dict(self, destination: Any, prefix: str, keep_vars: bool) -> None:
            super()._save_to_state_dict(destination, prefix, keep_vars)
            destination[prefix + "scale"] = lib.tensor(2.0)

        def _load_from_state_dict(self, state_dict: Any, prefix: str, local_metadata: Any,
                                  strict: bool, missing: Any, unexpected: Any, errors: Any) -> None:
            assert strict
            if local_metadata.get("version", 1) < 3:
                state_dict[prefix + "weight"] = state_dict.pop(prefix + "w")
            self.scale = state_dict.pop(prefix + "scale", None)
            super()._load_from_state_dict(state_dict, prefix, local_metadata, strict, missing,
                                          unexpected, errors)
            with lib.no_grad():  # the values are already loaded
                self.weight.mul_(2)

    return lib.nn.Sequential(lib.nn.Sequential(Renaming(2, 1)), lib.nn.Linear(1, 1))


def test_overrides() -> None:
    def program(lib: Any) -> Any:
        model = renaming(lib)
        with lib.no_grad():
            for i, p in enumerate(model.parameters()):
                p.fill_(i + 1)
        state = model.state_dict()
        versions = dict(state._metadata)
        old = OrderedDict((k.replace("0.0.weight", "0.0.w"), v.clone()) for k, v in state.items())
        results = [outcome(lambda: model.load_state_dict(old)), list(old), lists(state), versions]
        loaded = lists(model.state_dict())
        results += [loaded, model[0][0].scale.item()]
        results.append(outcome(lambda: model.load_state_dict(state)))  # of the current version
        return [*results, lists(model.state_dict())]

    results = same_in_both(program)
    assert results[4][0] == ("0.0.weight", [[2.0, 2.0]])


def test_an_override_on_the_object_itself() -> None:
    def program(lib: Any) -> Any:
        layer = lib.nn.Linear(1, 1)
        original = layer._load_from_state_dict

        def load(state: Any, prefix: str, *others: Any) -> None:
            state[prefix + "weight"] = state.pop(prefix + "w")
            original(state, prefix, *others)

        layer._load_from_state_dict = load
        layer.load_state_dict({"w": lib.tensor([[5.0]]), "bias": lib.zeros(1)})
        return layer.weight.tolist()

    assert same_in_both(program) == [[5.0]]


@pytest.mark.parametrize("missing", ["0.0.bias", "1.weight", None])
@pytest.mark.parametrize("extra", ["0.0.more", "1.deep.name", "more", "0.more", None])
@pytest.mark.parametrize("shape", [(1,), (3,)])
def test_problems_are_reported_as_pytorch_does(missing: Any, extra: Any, shape: Any) -> None:
    def program(lib: Any) -> Any:
        model = lib.nn.Sequential(lib.nn.Sequential(lib.nn.Linear(2, 1)), lib.nn.Linear(1, 1))
        state = {k: lib.zeros(v.shape) for k, v in model.state_dict().items() if k != missing}
        state["1.bias"] = lib.zeros(shape)
        if extra:
            state[extra] = lib.zeros(1)
        return [outcome(lambda strict=strict: model.load_state_dict(state, strict=strict))
                for strict in (True, False)]

    same_in_both(program)


def test_errors_of_an_override_are_reported() -> None:
    def program(lib: Any) -> Any:
        class Refusing(lib.nn.Linear):
            def _load_from_state_dict(self, *args: Any) -> None:
                args[-1].append("this layer is never loaded")

        return outcome(lambda: Refusing(1, 1).load_state_dict({}))

    assert "never loaded" in same_in_both(program)


def test_values_that_are_no_tensors_are_named() -> None:
    with pytest.raises(RuntimeError, match=r"weight: expected a Tensor.*got str") as caught:
        nn.Linear(1, 1).load_state_dict({"weight": "abc", "bias": [[1.0], [2.0, 3.0]]})
    assert "bias: expected" in str(caught.value)


# ---------------------------------------------------------------- hooks


def test_private_hooks() -> None:
    def program(lib: Any) -> Any:
        model, seen = lib.nn.Sequential(lib.nn.Linear(1, 1), lib.nn.Linear(1, 1)), []

        def renamed(state: Any, prefix: str, metadata: Any, strict: Any, missing: Any,
                    unexpected: Any, errors: Any) -> None:
            seen.append((prefix, dict(metadata), strict, sorted(state)))
            state[prefix + "weight"] = state.pop(prefix + "w")

        def with_module(module: Any, state: Any, *others: Any) -> None:
            seen.append((type(module).__name__, len(others)))

        handle = model[1]._register_load_state_dict_pre_hook(renamed)
        model[1]._register_load_state_dict_pre_hook(with_module, with_module=True)
        state = model.state_dict()
        state["1.w"] = state.pop("1.weight") + 1
        model.load_state_dict(state)
        handle.remove()
        results = [outcome(lambda: model.load_state_dict(state)), seen]

        def replaced(module: Any, state: Any, prefix: str, metadata: Any) -> Any:
            return {prefix + "all": len(state), "meta": metadata}

        model[1]._register_state_dict_hook(replaced)  # ignored, as it is not the root
        results.append(list(model.state_dict()))
        model._register_state_dict_hook(replaced)
        return [*results, model.state_dict()]

    results = same_in_both(program)
    assert results[-1] == {"all": 4, "meta": {"version": 1}}


def test_a_public_hook_returns_nothing() -> None:
    for lib in LIBRARIES:
        layer = lib.nn.Linear(1, 1)
        layer.register_state_dict_post_hook(lambda *args: {})
        with pytest.raises(RuntimeError, match="None"):
            layer.state_dict()


def test_hooks_run_when_their_part_is_loaded() -> None:
    """A post hook of a module runs after its submodules are loaded, before the next module."""
    def program(lib: Any) -> Any:
        model, calls = lib.nn.Sequential(lib.nn.Sequential(lib.nn.Linear(1, 1)), lib.nn.ReLU()), []
        for name, part in model.named_modules():
            part.register_load_state_dict_post_hook(
                lambda module, keys, name=name: calls.append(name))
        model.load_state_dict(model.state_dict())
        return calls

    assert same_in_both(program) == ["0.0", "0", "1", ""]


# ---------------------------------------------------------------- versions


def test_metadata_of_all_modules() -> None:
    def program(lib: Any) -> Any:
        model = lib.nn.Sequential(lib.nn.BatchNorm2d(1), lib.nn.ModuleDict({"a": lib.nn.ReLU()}),
                                  lib.nn.InstanceNorm1d(1), lib.nn.LayerNorm(2))
        state = model.state_dict(prefix="m.")
        given = model.state_dict(destination={})
        return dict(state._metadata), hasattr(given, "_metadata")

    metadata, _ = same_in_both(program)
    assert metadata["m.0"] == {"version": 2}


@pytest.mark.parametrize("make", [
    lambda lib: lib.nn.BatchNorm1d(2), lambda lib: lib.nn.BatchNorm2d(2),
    lambda lib: lib.nn.InstanceNorm1d(2, track_running_stats=True),
    lambda lib: lib.nn.BatchNorm3d(2, affine=False),
    lambda lib: lib.nn.BatchNorm1d(2, track_running_stats=False)])
@pytest.mark.parametrize("version", [None, 1, 2])
def test_batch_norms_without_num_batches_tracked(make: Any, version: Any) -> None:
    """A state older than version 2, or without versions, does not change the count."""
    def program(lib: Any) -> Any:
        layer = make(lib)
        if layer.num_batches_tracked is not None:
            layer.num_batches_tracked.fill_(7)
        state = layer.state_dict()
        state.pop("num_batches_tracked", None)
        if version is None:
            state = dict(state)
        else:
            state._metadata[""] = {"version": version}
        result = outcome(lambda: layer.load_state_dict(state))
        return result, lists(layer.state_dict())

    same_in_both(program)


def test_versions_survive_a_file(tmp_path: Any) -> None:
    for lib in LIBRARIES:
        layer = lib.nn.Sequential(lib.nn.BatchNorm1d(1))
        state = layer.state_dict()
        del state["0.num_batches_tracked"]
        lib.save({"model": state}, tmp_path / "f")
        with pytest.raises(RuntimeError, match="num_batches_tracked"):
            layer.load_state_dict(lib.load(tmp_path / "f")["model"])


# ---------------------------------------------------------------- shapes and objects


@pytest.mark.parametrize(("own", "given"), [
    ((), (1,)), ((), (3,)), ((), (1, 1)), ((1,), ()), ((1, 1), (1,)), ((0,), (0,))])
def test_one_element_into_a_number(own: Any, given: Any) -> None:
    """(1,) fits into (), as in states of PyTorch 0.3. Nothing else is reshaped."""
    def program(lib: Any) -> Any:
        module = lib.nn.Module()
        module.p = lib.nn.Parameter(lib.zeros(own))
        module.register_buffer("b", lib.zeros(own))
        result = outcome(lambda: module.load_state_dict(
            {"p": lib.full(given, 3.0), "b": lib.full(given, 4.0)}))
        return result, module.p.tolist(), module.b.tolist()

    same_in_both(program)


def test_assign_takes_the_objects() -> None:
    def program(lib: Any) -> Any:
        layer = lib.nn.BatchNorm1d(1)
        layer.weight.requires_grad_(False)
        state = {"weight": lib.nn.Parameter(lib.ones(1)), "bias": lib.ones(1),
                 "running_mean": lib.ones(1), "running_var": lib.ones(1),
                 "num_batches_tracked": lib.tensor(3)}
        layer.load_state_dict(state, assign=True)
        with lib.no_grad():
            state["bias"].fill_(8)
        return (layer.weight is state["weight"], layer.weight.requires_grad,
                layer.running_mean is state["running_mean"], layer.bias.tolist(),
                layer.bias.requires_grad, type(layer.bias).__name__)

    assert same_in_both(program) == (True, False, True, [8.0], True, "Parameter")


def test_nothing_changes_where_a_part_does_not_fit() -> None:
    """A mismatch changes no module without overrides of loading. PyTorch loads what fits."""
    model = nn.Sequential(nn.Linear(1, 1), nn.BatchNorm1d(1))
    before = lists(model.state_dict())
    state = {k: v + 1 for k, v in model.state_dict().items()}
    state["1.bias"] = tinytensor.zeros(2)
    with pytest.raises(RuntimeError, match="size mismatch"):
        model.load_state_dict(state)
    assert lists(model.state_dict()) == before


def test_many_modules_take_linear_time() -> None:
    """PyTorch iterates over all names for every submodule."""
    calls = 0

    class Counted(str):
        def removeprefix(self, prefix: str) -> str:  # type: ignore[override]
            nonlocal calls
            calls += 1
            return super().removeprefix(prefix)

    model = nn.Sequential(*(nn.Linear(1, 1) for _ in range(100)))
    model.load_state_dict({Counted(k): v for k, v in model.state_dict().items()})
    assert 0 < calls <= 5 * 200


# ---------------------------------------------------------------- hooks on accumulated gradients


def test_hooks_after_the_gradient() -> None:
    """A hook of each leaf steps its own optimizer and frees the gradient."""
    def program(lib: Any) -> Any:
        a, b = (lib.ones(2, requires_grad=True) for _ in range(2))
        seen = []

        def step(p: Any, name: str) -> None:
            seen.append((name, p.grad.tolist()))
            with lib.no_grad():
                p.sub_(0.5 * p.grad)
            p.grad = None

        handles = [p.register_post_accumulate_grad_hook(functools.partial(step, name=name))
                   for p, name in ((a, "a"), (b, "b"))]
        for _ in range(2):
            (a * b * 3).sum().backward()
        results = [sorted(seen), a.tolist(), a.grad]
        handles[0].remove()
        (a * b).sum().backward(inputs=[b])
        (a * a * b).sum().backward()
        (a * a * b).sum().backward()
        results += [sorted(seen), a.grad.tolist()]
        lib.autograd.grad((b * 2).sum(), b)  # runs no hooks
        return [*results, len(seen)]

    same_in_both(program)
    for lib in LIBRARIES:
        with pytest.raises(RuntimeError, match="leaf"):
            (lib.ones(1, requires_grad=True) * 2).register_post_accumulate_grad_hook(print)
        with pytest.raises(RuntimeError, match="require"):
            lib.ones(1).register_post_accumulate_grad_hook(print)
