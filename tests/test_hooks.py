"""Hooks on states and optimizer steps, against PyTorch's. States that hold more than Tensors."""

from __future__ import annotations

import copy
from collections import OrderedDict
from typing import Any

import pytest
import torch

import tinytensor
from tinytensor import nn


def model(lib: Any) -> Any:
    return lib.nn.Sequential(lib.nn.Linear(2, 3), lib.nn.Sequential(lib.nn.Linear(3, 1)))


def seen_by_state_hooks(lib: Any) -> list[Any]:
    """The calls of the hooks on a model and on one of its modules, in order."""
    net, calls = model(lib), []
    for name, part in (("all", net), ("part", net[1])):
        part.register_state_dict_pre_hook(
            lambda m, prefix, keep, n=name: calls.append(("pre", n, prefix, keep)))
        part.register_state_dict_post_hook(
            lambda m, state, prefix, meta, n=name: calls.append(("post", n, prefix, list(state))))
        part.register_load_state_dict_pre_hook(
            lambda m, state, prefix, meta, strict, missing, unexpected, errors, n=name:
            calls.append(("load", n, prefix, sorted(k for k in state if k.startswith(prefix)),
                          strict, missing, unexpected, errors)))
        part.register_load_state_dict_post_hook(
            lambda m, keys, n=name: calls.append(("loaded", n, *map(list, keys))))
    net.load_state_dict(net.state_dict())
    return calls


def test_state_hooks_are_told_what_pytorchs_are() -> None:
    mine, theirs = seen_by_state_hooks(tinytensor), seen_by_state_hooks(torch)
    assert sorted(map(repr, mine)) == sorted(map(repr, theirs))
    assert mine[0][:2] == ("pre", "all") and mine[-1][:2] == ("loaded", "all")


def test_a_hook_renames_what_an_older_model_called_otherwise() -> None:
    for lib in (tinytensor, torch):
        net = model(lib)
        old = {k.replace("1.0.", "head."): v for k, v in net.state_dict().items()}

        def rename(m: Any, state: Any, prefix: str, *others: Any) -> None:
            for key in [k for k in state if k.startswith("head.")]:
                state[key.replace("head.", "1.0.")] = state.pop(key)

        handle = net.register_load_state_dict_pre_hook(rename)
        net.load_state_dict(old)
        assert "head.weight" in old  # the given dict is unchanged
        handle.remove()
        with pytest.raises(RuntimeError, match=r"Missing key.*1\.0\.weight"):
            net.load_state_dict(old)


def test_a_hook_forgives_missing_names() -> None:
    for lib in (tinytensor, torch):
        net = model(lib)
        state = {k: v for k, v in net.state_dict().items() if k != "0.bias"}
        handle = net.register_load_state_dict_post_hook(
            lambda m, keys: keys.missing_keys.clear())
        net.load_state_dict(state)
        handle.remove()
        with pytest.raises(RuntimeError, match=r"Missing key"):
            net.load_state_dict(state)


def test_a_hook_changes_the_state_that_is_taken() -> None:
    for lib in (tinytensor, torch):
        net = model(lib)
        net.register_state_dict_post_hook(lambda m, state, *others: state.__delitem__("0.bias"))
        assert "0.bias" not in net.state_dict() and "0.weight" in net.state_dict()


def counter(lib: Any) -> Any:
    class Counter(lib.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.seen: dict[str, int] = {"batches": 0}

        def get_extra_state(self) -> Any:
            return dict(self.seen)

        def set_extra_state(self, state: Any) -> None:
            self.seen = dict(state)

    return lib.nn.Sequential(lib.nn.Linear(1, 1), Counter())


def test_a_state_with_more_than_tensors(tmp_path: Any) -> None:
    for lib in (tinytensor, torch):
        net, again = counter(lib), counter(lib)
        net[1].seen["batches"] = 7
        lib.save(net.state_dict(), tmp_path / "state")
        again.load_state_dict(lib.load(tmp_path / "state"))
        assert again[1].seen == {"batches": 7}
        assert list(net.state_dict()) == ["0.weight", "0.bias", "1._extra_state"]
        state = {k: v for k, v in net.state_dict().items() if "extra" not in k}
        with pytest.raises(RuntimeError, match=r'Missing key.*"1\._extra_state"'):
            again.load_state_dict(state)


def test_a_module_that_defines_half_of_it() -> None:
    class Half(nn.Module):
        def get_extra_state(self) -> int:
            return 1

    with pytest.raises(NotImplementedError, match="Half defines no set_extra_state"):
        Half().load_state_dict({"_extra_state": 1})
    with pytest.raises(NotImplementedError, match="Linear defines no get_extra_state"):
        nn.Linear(1, 1).get_extra_state()


def test_set_submodule_and_to_empty() -> None:
    for lib in (tinytensor, torch):
        net = model(lib)
        net.set_submodule("1.0", lib.nn.Identity())
        assert isinstance(net[1][0], lib.nn.Identity)
        net.set_submodule("1.tail", lib.nn.ReLU())
        assert list(dict(net[1].named_children())) == ["0", "tail"]
        with pytest.raises(AttributeError):
            net.set_submodule("1.nothing", lib.nn.ReLU(), strict=True)
        with pytest.raises(ValueError):
            net.set_submodule("", lib.nn.ReLU())
        with pytest.raises(ValueError):
            net.set_submodule("1.0", "no module")
        weight = net[0].weight
        assert net.to_empty(device="cpu") is net and net[0].weight.shape == weight.shape


def test_an_attribute_that_is_missing_says_what_is_near_or_why() -> None:
    layer = nn.Linear(2, 2)
    with pytest.raises(AttributeError, match=r"the Linear has no 'wieght'; close to it: weight"):
        layer.wieght  # noqa: B018
    with pytest.raises(AttributeError, match=r"on purpose: .*register_full_backward_hook"):
        layer.register_backward_hook  # noqa: B018
    assert not hasattr(layer, "nothing")


# ---------------------------------------------------------------- optimizers


def seen_by_optimizer_hooks(lib: Any) -> list[Any]:
    p = lib.nn.Parameter(lib.ones(1))
    optimizer, calls = lib.optim.SGD([p], lr=0.5), []
    p.grad = lib.ones(1)
    handles = [
        optimizer.register_step_pre_hook(
            lambda o, args, kwargs: calls.append(("pre", o is args[0], len(args), p.item()))),
        optimizer.register_step_post_hook(
            lambda o, args, kwargs: calls.append(("post", o is args[0], len(args), p.item()))),
        optimizer.register_state_dict_pre_hook(lambda o: calls.append("state")),
        optimizer.register_state_dict_post_hook(lambda o, state: {**state, "more": 1}),
        optimizer.register_state_dict_post_hook(
            lambda o, state: calls.append(sorted(state)), prepend=True),
        optimizer.register_load_state_dict_pre_hook(
            lambda o, state: calls.append(sorted(state))),
        optimizer.register_load_state_dict_post_hook(lambda o: calls.append("loaded"))]
    optimizer.step()
    optimizer.load_state_dict(optimizer.state_dict())
    for handle in handles:
        handle.remove()
    optimizer.step()
    calls.append(sorted(optimizer.state_dict()))
    return calls


def test_optimizer_hooks_are_told_what_pytorchs_are() -> None:
    assert seen_by_optimizer_hooks(tinytensor) == seen_by_optimizer_hooks(torch)


def test_a_step_hook_replaces_the_arguments() -> None:
    for lib in (tinytensor, torch):
        p = lib.nn.Parameter(lib.ones(1))
        optimizer = lib.optim.Adam([p])
        optimizer.register_step_pre_hook(lambda o, args, kwargs: ((o, lambda: 5.0), kwargs))
        assert optimizer.step() == 5.0
        optimizer.register_step_pre_hook(lambda o, args, kwargs: "nonsense")
        with pytest.raises(RuntimeError):
            optimizer.step()


def test_hooks_of_an_optimizer_with_a_step_of_its_own() -> None:
    p, calls = nn.Parameter(tinytensor.ones(1)), []
    optimizer = tinytensor.optim.LBFGS([p])
    optimizer.register_step_post_hook(lambda o, args, kwargs: calls.append(len(args)))

    def closure() -> Any:
        optimizer.zero_grad()
        loss = (p ** 2).sum()
        loss.backward()
        return loss

    optimizer.step(closure)
    assert calls == [2]


def test_hooks_of_leaves_are_those_of_accumulate_grad():
    seen = {}
    for package in (tinytensor, torch):
        calls = seen.setdefault(package.__name__, [])
        p = package.nn.Parameter(package.ones(2))
        leaf = p.expand_as(p).grad_fn.next_functions[0][0]
        handle = leaf.register_hook(lambda inputs, outputs, calls=calls, p=p: calls.append(
            (inputs, outputs[0].tolist(), p.grad.tolist())))
        leaf.register_prehook(lambda outputs: (outputs[0] * 10,))
        (p * 2 + p).sum().backward()
        (p * 3).sum().backward()
        handle.remove()
        p.sum().backward()
        calls.append(p.grad.tolist())
    assert seen["tinytensor"] == seen["torch"]
    assert seen["torch"][1] == ((), [30, 30], [60, 60])


def test_the_hooks_of_a_module_are_a_dict_of_functions() -> None:
    """Programs look for their hooks there, delete them, and make handles of their own."""
    def seen(lib: Any) -> list[Any]:
        def early(m: Any, args: Any, kwargs: Any) -> Any:
            return (args[0] + kwargs["add"],), {}

        def late(m: Any, args: Any, output: Any) -> Any:
            return output * 2

        def first(m: Any, args: Any, output: Any) -> Any:
            return output + 1

        layer = lib.nn.Identity()
        layer.register_forward_pre_hook(early, with_kwargs=True)
        layer.register_forward_hook(late)
        handle = layer.register_forward_hook(first, prepend=True)
        results = [list(layer._forward_pre_hooks.values()) == [early],
                   list(layer._forward_hooks.values()) == [first, late],
                   repr(layer._forward_hooks).startswith("OrderedDict([("),
                   handle.id in layer._forward_hooks]
        both = [layer, copy.deepcopy(layer)]
        results += [m(lib.ones(1), add=1.0).item() for m in both]
        layer._forward_hooks.clear()
        handle.remove()  # a second time
        results += [m(lib.ones(1), add=1.0).item() for m in both]
        module = lib.nn.Identity()
        module._forward_hooks = OrderedDict()  # drops all hooks
        module.handle = module.register_forward_hook(late)
        twin = copy.deepcopy(module)
        twin.handle.remove()
        results += [module(lib.ones(1)).item(), twin(lib.ones(1)).item()]
        own, extra = OrderedDict(), OrderedDict()
        handle = lib.utils.hooks.RemovableHandle(own, extra_dict=[extra])
        own[handle.id] = extra[handle.id] = late
        handle.remove()
        return [*results, own, extra]

    assert seen(tinytensor) == seen(torch)
