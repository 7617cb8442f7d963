"""Mixed precision, and the switches in `backends` for libraries that tinytensor does not use."""

from __future__ import annotations

import types
from typing import Any

import numpy
import pytest
import torch

import tinytensor
from tinytensor import nn


def scaled_training(lib: Any, scaler: Any, losses: list[float]) -> list[Any]:
    """The weight and the scale after each step. The factors of some losses overflow."""
    weight = lib.nn.Parameter(lib.tensor([1.0, -2.0]))
    optimizer = lib.optim.SGD([weight], 0.1, momentum=0.5)
    found = []
    for factor in losses:
        optimizer.zero_grad()
        scaler.scale((weight ** 2).sum() * factor).backward()
        scaler.unscale_(optimizer)
        lib.nn.utils.clip_grad_norm_([weight], 1.0)
        scaler.step(optimizer)
        scaler.update()
        found.append((weight.detach().numpy().copy(), scaler.get_scale()))
    return found


@pytest.mark.parametrize("enabled", [True, False])
def test_grad_scaler_against_pytorch(enabled: bool) -> None:
    options = {"init_scale": 16.0, "growth_interval": 2, "growth_factor": 3.0, "enabled": enabled}
    mine, theirs = tinytensor.amp.GradScaler("cpu", **options), torch.amp.GradScaler(
        "cpu", **options)
    losses = [1.0, 1.0, 1e38 if enabled else 1.0, 2.0, 1.0, 1.0]
    for (a, scale), (b, expected) in zip(
            scaled_training(tinytensor, mine, losses), scaled_training(torch, theirs, losses),
            strict=True):
        numpy.testing.assert_allclose(a, b, rtol=1e-6)
        assert scale == expected
    assert mine.state_dict() == theirs.state_dict()
    again = tinytensor.cuda.amp.GradScaler(enabled=enabled)
    again.load_state_dict(theirs.state_dict())
    assert again.state_dict() == theirs.state_dict() and again.is_enabled() is enabled


def test_grad_scaler_scales_in_containers() -> None:
    scaler = tinytensor.amp.GradScaler(init_scale=4.0)
    a, (b,) = scaler.scale([tinytensor.ones(1), (tinytensor.ones(1),)])
    assert a.item() == b.item() == 4.0
    scaler.update(8.0)
    assert scaler.get_scale() == 8.0


def test_a_scaled_loss_in_float16_is_float32() -> None:
    for library in (tinytensor, torch):
        scaler = library.amp.GradScaler("cpu")
        weight = library.ones(1, dtype=library.float16, requires_grad=True)
        loss = scaler.scale((weight * 0.5).sum())
        assert loss.dtype is library.float32 and loss.item() == 2.0**15
        (loss / 2.0**15).backward()
        assert weight.grad.dtype is library.float16 and weight.grad.item() == 1.0
        assert scaler.scale(weight).dtype is library.float16


def test_misuse_of_the_grad_scaler() -> None:
    weight = nn.Parameter(tinytensor.ones(1))
    weight.grad = tinytensor.ones(1)
    optimizer = tinytensor.optim.SGD([weight], 0.1)
    scaler = tinytensor.amp.GradScaler()
    with pytest.raises(RuntimeError, match="No inf checks were recorded"):
        scaler.update()
    scaler.unscale_(optimizer)
    with pytest.raises(RuntimeError, match="already been called on this optimizer"):
        scaler.unscale_(optimizer)
    with pytest.raises(RuntimeError, match="Closure use"):
        scaler.step(optimizer, closure=lambda: None)
    scaler.step(optimizer)
    with pytest.raises(RuntimeError, match="after step"):
        scaler.unscale_(optimizer)
    with pytest.raises(RuntimeError, match="already been called since"):
        scaler.step(optimizer)
    with pytest.raises(ValueError, match="expected Tensors, got int"):
        scaler.scale(3)
    with pytest.raises(ValueError, match="growth_factor must be greater than 1"):
        tinytensor.amp.GradScaler(growth_factor=1.0)
    with pytest.raises(ValueError, match="backoff_factor must be less than 1"):
        tinytensor.amp.GradScaler(backoff_factor=1.0)
    with pytest.raises(RuntimeError, match="source state dict is empty"):
        scaler.load_state_dict({})


def test_switches_of_other_libraries_are_accepted() -> None:
    import tinytensor.backends.cudnn as cudnn

    cudnn.benchmark, cudnn.deterministic = True, True
    tinytensor.backends.cuda.matmul.allow_tf32 = True
    try:
        assert tinytensor.backends.cudnn.benchmark
        assert not cudnn.is_available() and cudnn.version() is None
        assert not tinytensor.backends.mps.is_available()
        assert not tinytensor.backends.mps.is_built()
        assert tinytensor.backends.cuda.is_built() is tinytensor.cuda.is_available()
    finally:
        cudnn.benchmark, cudnn.deterministic = False, False
        tinytensor.backends.cuda.matmul.allow_tf32 = False
    with cudnn.flags(enabled=False, benchmark=True, allow_tf32=False):
        assert (cudnn.enabled, cudnn.benchmark, cudnn.allow_tf32) == (False, True, False)
    assert (cudnn.enabled, cudnn.benchmark, cudnn.allow_tf32) == (True, False, True)
    tinytensor.use_deterministic_algorithms(True)
    assert tinytensor.get_float32_matmul_precision() == "highest"
    with pytest.raises(RuntimeError, match="'low' is none of"):
        tinytensor.set_float32_matmul_precision("low")


def test_memory_formats_are_accepted() -> None:
    x = tinytensor.rand(2, 3, 4, 5)
    assert x.to(memory_format=tinytensor.channels_last) is x
    assert x.is_contiguous() and not x.is_contiguous(memory_format=tinytensor.channels_last)
    assert x.permute(0, 2, 3, 1).contiguous().permute(0, 3, 1, 2).is_contiguous(
        memory_format=tinytensor.channels_last)
    layer = nn.Conv2d(1, 1, 1)
    assert layer.to(memory_format=tinytensor.channels_last) is layer
    assert x.layout == tinytensor.strided and repr(tinytensor.preserve_format) == \
        "tinytensor.preserve_format"


def test_states_of_the_gpus_generators(gpu: Any) -> None:
    tinytensor.manual_seed(3)
    states = tinytensor.cuda.get_rng_state_all()
    assert len(states) == tinytensor.cuda.device_count() > 0
    a = tinytensor.rand(4, device="cuda").cpu()
    tinytensor.cuda.set_rng_state_all(states)
    assert (tinytensor.rand(4, device="cuda").cpu() == a).all()
    assert tinytensor.cuda.is_bf16_supported()


def test_without_a_gpu_there_are_no_states_of_generators() -> None:
    if not tinytensor.cuda.is_available():
        assert tinytensor.cuda.get_rng_state_all() == []


@pytest.mark.parametrize("enabled", [True, False])
@pytest.mark.parametrize("cast", [None, "float32", "float16"])
def test_a_function_of_ones_own_inside_an_autocast(enabled: bool, cast: str | None) -> None:
    def found(lib: Any) -> list[Any]:
        seen = []

        class Product(lib.autograd.Function):
            @staticmethod
            @lib.amp.custom_fwd(device_type="cpu", cast_inputs=cast and getattr(lib, cast))
            def forward(ctx: Any, a: Any, b: Any) -> Any:
                ctx.save_for_backward(a, b)
                seen.append(("forward", lib.is_autocast_enabled("cpu"), str(a.dtype)[-8:]))
                return a @ b

            @staticmethod
            @lib.amp.custom_bwd(device_type="cpu")
            def backward(ctx: Any, g: Any) -> Any:
                a, b = ctx.saved_tensors
                seen.append(("backward", lib.is_autocast_enabled("cpu"), str(a.dtype)[-8:]))
                product = g @ b.T
                seen.append(str(product.dtype)[-8:])
                return product, a.T @ g

        a, b = (lib.arange(4.0).reshape(2, 2).requires_grad_(True) for _ in "ab")
        with lib.autocast("cpu", enabled=enabled):
            out = Product.apply(a, b)
        out.float().sum().backward()
        return [*seen, str(out.dtype)[-8:], str(a.grad.dtype)[-8:], a.grad.tolist(),
                b.grad.tolist()]

    assert found(tinytensor) == found(torch)


def test_inputs_in_dicts_are_cast() -> None:
    def found(lib: Any) -> list[str]:
        seen = []

        @lib.amp.custom_fwd(device_type="cpu", cast_inputs=lib.float16)
        def forward(ctx: Any, x: Any, parts: Any, *, more: Any) -> None:
            seen.extend([x, parts["a"], parts["b"][0]["c"], parts["d"], *more.values()])

        x = lib.ones(2)
        with lib.autocast("cpu"):
            forward(types.SimpleNamespace(), x, {"a": x, "b": [{"c": x}], "d": x.double()},
                    more=types.MappingProxyType({"e": x, "f": lib.arange(2)}))
        return [str(y.dtype).split(".")[1] for y in seen]

    assert found(tinytensor) == found(torch)


@pytest.mark.parametrize("lib", [tinytensor, torch])
def test_autocasts_that_do_not_exist_are_refused(lib: Any) -> None:
    forward = lib.amp.custom_fwd(lambda ctx: None, device_type="foo")
    for call in (lambda: lib.get_autocast_dtype("foo"), lambda: forward(types.SimpleNamespace()),
                 lambda: lib.set_autocast_enabled("foo", True),
                 lambda: lib.set_autocast_dtype("foo", lib.float16)):
        with pytest.raises(RuntimeError, match=r"foo.*cpu|cpu.*foo"):
            call()
    for wrong in (lambda: lib.set_autocast_enabled("cpu"), lambda: lib.is_autocast_enabled(None),
                  lambda: lib.set_autocast_enabled("cpu", 1),
                  lambda: lib.set_autocast_dtype("cpu", "float16")):
        with pytest.raises(TypeError):
            wrong()
    assert str(lib.get_autocast_dtype("cpu"))[-8:] == "bfloat16"
    with lib.autocast("cpu"), pytest.raises(TypeError):
        lib.set_autocast_enabled("cpu")


@pytest.mark.filterwarnings("ignore:.*deprecated")  # PyTorch of its older names
def test_the_state_of_autocast_is_asked_and_set_as_in_pytorch() -> None:
    def found(lib: Any) -> list[Any]:
        def state() -> list[Any]:
            return [lib.is_autocast_enabled("cpu"), lib.is_autocast_enabled(),
                    lib.is_autocast_cpu_enabled(), str(lib.get_autocast_dtype("cpu"))[-8:],
                    str(lib.get_autocast_gpu_dtype())[-8:], lib.is_autocast_cache_enabled(),
                    str((lib.ones(2, 2) @ lib.ones(2, 2)).dtype)[-8:]]

        states = [state()]
        with lib.cpu.amp.autocast(cache_enabled=False):
            states.append(state())
            lib.set_autocast_dtype("cpu", lib.float16)
            states.append(state())
            with lib.autocast("cpu", enabled=False, dtype=lib.bfloat16):
                states.append(state())
            lib.set_autocast_enabled("cpu", False)
            states.append(state())
        states.append(state())
        lib.set_autocast_cpu_dtype(lib.float16)
        lib.set_autocast_cpu_enabled(True)
        lib.set_autocast_cache_enabled(False)
        states.append(state())
        with lib.autocast("cpu"):
            states.append(state())
        lib.clear_autocast_cache()
        lib.set_autocast_enabled("cpu", False)
        lib.set_autocast_cache_enabled(True)
        lib.set_autocast_cpu_dtype(lib.bfloat16)
        return [*states, state()]

    assert found(tinytensor) == found(torch)
    for lib in (tinytensor, torch):
        assert lib.amp.is_autocast_available("cpu") and lib.amp.is_autocast_available("cuda")
        assert lib.amp.autocast_mode.custom_fwd is lib.amp.custom_fwd
        assert callable(lib.cuda.amp.custom_fwd) and callable(lib.cuda.amp.custom_bwd)


@pytest.mark.filterwarnings("ignore:.*deprecated")  # PyTorch of its older names
def test_the_factors_of_a_grad_scaler_are_read_and_set() -> None:
    for lib in (tinytensor, torch):
        scaler = lib.cpu.amp.GradScaler(growth_factor=3.0, backoff_factor=0.25, growth_interval=7)
        assert (scaler.get_growth_factor(), scaler.get_backoff_factor(),
                scaler.get_growth_interval()) == (3.0, 0.25, 7)
        scaler.set_growth_factor(4.0)
        scaler.set_backoff_factor(0.5)
        scaler.set_growth_interval(1)
        state = scaler.state_dict()
        assert (state["growth_factor"], state["backoff_factor"],
                state["growth_interval"]) == (4.0, 0.5, 1)


def test_the_module_of_the_cpu_answers_programs_for_any_device() -> None:
    for lib in (tinytensor, torch):
        module = lib.get_device_module("cpu")
        assert module is lib.cpu and module.is_available() and module.is_initialized()
        assert (module.device_count(), module.current_device()) == (1, "cpu")
        module.set_device("cpu")
        module.synchronize()
        with module.stream(module.Stream()):
            module.current_stream().wait_stream(module.Stream())
        event = module.Event()
        event.record()
        assert event.query()


@pytest.mark.parametrize("kind", ["RNN", "GRU", "LSTM", "RNNCell", "GRUCell", "LSTMCell"])
@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
@pytest.mark.parametrize("state", [None, "float32", "bfloat16"])
def test_recurrent_layers_inside_an_autocast(kind: str, dtype: str, state: str | None) -> None:
    outer = () if kind.endswith("Cell") else (5,)
    rng = numpy.random.default_rng(0)
    values = rng.normal(size=(*outer, 2, 3)).astype("float32")
    parts = [rng.normal(size=s).astype("float32") / 2 for s in ((16, 3), (16, 4), (16,), (16,))]
    found = []
    for lib in (tinytensor, torch):
        layer = getattr(lib.nn, kind)(3, 4)
        with lib.no_grad():
            for p, part in zip(layer.parameters(), parts, strict=True):
                p.copy_(lib.tensor(part[:p.shape[0]]))
        x = lib.tensor(values, requires_grad=True)
        h = None if state is None else lib.zeros(*outer and (1,), 2, 4,
                                                 dtype=getattr(lib, state))
        with lib.autocast("cpu"):
            out = layer(x.to(getattr(lib, dtype)), (h, h) if state and "LSTM" in kind else h)
        results = []
        for part in out if isinstance(out, tuple) else (out,):
            results += part if isinstance(part, tuple) else (part,)
        sum(part.float().sum() for part in results).backward()
        found.append(([str(part.dtype).split(".")[1] for part in results],
                      [part.detach().float().numpy() for part in results] + [x.grad.numpy()]))
    assert found[0][0] == found[1][0]
    for a, b in zip(found[0][1], found[1][1], strict=True):
        numpy.testing.assert_allclose(a, b, rtol=0.05, atol=0.03)  # bfloat16 has 8 bits
