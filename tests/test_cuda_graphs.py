"""CUDA graphs. Tests marked `cuda` need a GPU. The others check the errors on a machine without."""

from __future__ import annotations

from typing import Any

import numpy
import pytest

import tinytensor
from tinytensor import cuda, nn, optim
from tinytensor.arrays.dispatch import use_kernels

F = nn.functional
needs_gpu = [pytest.mark.cuda, pytest.mark.skipif(not cuda.is_available(), reason="needs a GPU")]


@pytest.mark.skipif(cuda.is_available(), reason="there is a GPU")
def test_without_a_gpu():
    with pytest.raises(RuntimeError, match=r"device 'cuda' is not available: .*"):
        cuda.CUDAGraph()
    assert not cuda.is_current_stream_capturing()


def test_graphed_step_runs_as_it_is_on_the_cpu():
    parameter = nn.Parameter(tinytensor.ones(3))
    optimizer = optim.Adam([parameter], lr=0.1)
    calls = []

    def step(x):
        calls.append(x)
        optimizer.zero_grad()
        loss = (parameter * x).sum()
        loss.backward()
        optimizer.step()
        return loss

    graphed = cuda.graphed_step(step, optimizer)
    losses = [graphed(tinytensor.ones(3)).item() for _ in range(6)]
    assert len(calls) == 6 and losses == sorted(losses, reverse=True)
    assert graphed.__name__ == "step"


# ---------------------------------------------------------------- with a GPU


@pytest.fixture
def gpu_kernels():
    with use_kernels(True):
        yield


def on_gpu(test: Any) -> Any:
    for mark in (*needs_gpu, pytest.mark.usefixtures("gpu_kernels")):
        test = mark(test)
    return test


def uniform(*shape: int) -> Any:
    rng = numpy.random.default_rng(0)
    return tinytensor.tensor(rng.uniform(-1, 1, shape), dtype=tinytensor.float32, device="cuda")


@on_gpu
def test_a_graph_repeats_the_work_on_new_inputs():
    weight, x = uniform(5, 4), uniform(3, 4)

    def work() -> Any:
        return F.gelu(F.linear(x, weight)).softmax(-1)

    work()
    graph = cuda.CUDAGraph()
    with cuda.graph(graph):
        assert cuda.is_current_stream_capturing()
        y = work()
    assert not cuda.is_current_stream_capturing()
    for factor in (1.0, -2.0):
        x.copy_(uniform(3, 4) * factor)
        graph.replay()
        assert (y - work()).abs().max().item() < 1e-6
    with pytest.raises(RuntimeError, match="was captured already"):
        graph.capture_begin()
    graph.reset()
    with pytest.raises(RuntimeError, match="nothing to replay"):
        graph.replay()


@on_gpu
@pytest.mark.parametrize(("work", "operation"), [
    (lambda x: x.sum().item(), "item"), (lambda x: x * 2 if x.sum() > 0 else x, "__bool__"),
    (lambda x: x + tinytensor.tensor([1.0, 2.0], device="cuda"), "tensor"),
    (lambda x: tinytensor.linalg.inv(x[:, None] * x), r"\w+"), (lambda x: x.cpu(), "cpu")])
def test_what_cannot_be_captured_is_named(work, operation):
    x = uniform(2)
    graph = cuda.CUDAGraph()
    with pytest.raises(RuntimeError, match=rf"graph: {operation}, at .*test_cuda_graphs.py:\d+, "
                                           "cannot be captured: "):
        with cuda.graph(graph):
            work(x)
    assert not cuda.is_current_stream_capturing()
    y = x * 2  # the program can go on
    assert y.tolist() == (uniform(2) * 2).tolist()


@on_gpu
def test_errors_of_the_program_stay():
    x = uniform(2, 3)
    with pytest.raises(RuntimeError, match=r"matmul: .*the inner sizes"):
        with cuda.graph(cuda.CUDAGraph()):
            x @ x
    with pytest.raises(ZeroDivisionError), cuda.graph(cuda.CUDAGraph()):
        _ = 1 / 0


class Small(nn.Module):
    """Convolution, batch norm, pooling, attention, LSTM, embedding, dropout-free."""

    def __init__(self) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(1, 4, 3, padding=1)
        self.norm, self.pool = nn.BatchNorm2d(4), nn.MaxPool2d(2)
        self.attention = nn.MultiheadAttention(16, 2, batch_first=True)
        self.lstm, self.layer_norm = nn.LSTM(16, 8, batch_first=True), nn.LayerNorm(8)
        self.out = nn.Linear(8, 3)

    def forward(self, x: Any) -> Any:
        x = F.relu(self.norm(self.convolution(x)))
        x = self.pool(x).flatten(2)
        x = x + self.attention(x, x, x, need_weights=False)[0]
        return self.out(F.gelu(self.layer_norm(self.lstm(x)[0][:, -1])))


def trained(make: Any, graphed: bool) -> tuple[list[float], list[Any]]:
    tinytensor.manual_seed(0)
    model = Small().to("cuda")
    optimizer = make(model.parameters())
    scheduler = optim.lr_scheduler.StepLR(optimizer, 2, 0.5)

    def step(x: Any, y: Any) -> Any:
        optimizer.zero_grad()
        loss = F.cross_entropy(model(x), y)
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        return loss

    run = cuda.graphed_step(step, optimizer) if graphed else step
    losses = []
    for i in range(7):
        x, y = uniform(4, 1, 8, 8) * (1 + i % 3), tinytensor.tensor([0, 1, 2, i % 3], device="cuda")
        losses.append(run(x, y).item())
        scheduler.step()
    return losses, [p.detach().cpu().numpy() for p in model.parameters()]


@on_gpu
@pytest.mark.parametrize("make", [
    lambda p: optim.SGD(p, lr=0.1, momentum=0.9, weight_decay=0.01),
    lambda p: optim.AdamW(p, lr=0.01), lambda p: optim.RMSprop(p, lr=0.001)])
def test_a_graphed_step_trains_as_the_plain_one(make):
    (losses, parameters), (expected, reference) = trained(make, True), trained(make, False)
    numpy.testing.assert_allclose(losses, expected, 1e-4)
    for mine, other in zip(parameters, reference, strict=True):
        numpy.testing.assert_allclose(mine, other, 1e-3, 1e-4)


@on_gpu
def test_each_combination_of_shapes_is_captured():
    counted = []
    step = cuda.graphed_step(lambda x, factor: counted.append(1) or x * factor, warmup=1)
    for _ in range(4):
        for n, factor in ((2, 3.0), (5, 3.0), (2, 4.0)):
            assert step(uniform(n), factor).tolist() == (uniform(n) * factor).tolist()
    assert len(counted) == 3 * 2  # one plain call, one capture


@on_gpu
def test_an_optimizer_that_counts_on_the_host_is_refused():
    parameter = nn.Parameter(uniform(3))
    parameter.grad = uniform(3)
    for optimizer in (optim.Adam([parameter]), optim.Adagrad([parameter])):
        optimizer.step()
        with pytest.raises(RuntimeError, match="it cannot be captured into a CUDA graph, because"):
            with cuda.graph(cuda.CUDAGraph()):
                optimizer.step()


@on_gpu
def test_graphed_callables():
    def run(graphed: bool) -> tuple[list[float], list[Any]]:
        tinytensor.manual_seed(0)
        first = nn.Sequential(nn.Linear(4, 8), nn.LayerNorm(8), nn.GELU()).to("cuda")
        second = nn.Linear(8, 3).to("cuda")
        if graphed:
            first, second = cuda.make_graphed_callables(
                (first, second), ((uniform(5, 4),), (uniform(5, 8).requires_grad_(),)))
        parameters = [*first.parameters(), *second.parameters()]
        optimizer, losses = optim.SGD(parameters, lr=0.1), []
        for i in range(4):
            optimizer.zero_grad()
            loss = (second(first(uniform(5, 4) * (i + 1))) ** 2).mean()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        return losses, [p.detach().cpu().numpy() for p in parameters]

    (losses, parameters), (expected, reference) = run(True), run(False)
    numpy.testing.assert_allclose(losses, expected, 1e-5)
    for mine, other in zip(parameters, reference, strict=True):
        numpy.testing.assert_allclose(mine, other, 1e-5, 1e-6)


@on_gpu
def test_graphed_callables_in_evaluation_and_with_other_inputs():
    layer = nn.Linear(4, 3).to("cuda")
    expected = layer(uniform(2, 4)).tolist()
    graphed = cuda.make_graphed_callables(layer, (uniform(5, 4),))
    assert graphed is layer
    with pytest.raises(RuntimeError, match=r"an input of shape \(2, 4\); it was captured with"):
        layer(uniform(2, 4))
    layer.eval()
    numpy.testing.assert_allclose(layer(uniform(2, 4)).tolist(), expected, 1e-6)
    with pytest.raises(RuntimeError, match="2 inputs; it was captured with 1"):
        layer.train()(uniform(5, 4), uniform(5, 4))
