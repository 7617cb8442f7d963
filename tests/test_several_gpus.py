"""Two GPUs in one program: results stay where the operands are, and mixing is refused."""

from __future__ import annotations

import copy
import threading

import numpy
import pytest

import tinytensor
from tinytensor import cuda, nn
from tinytensor.arrays.devices import Gpus

F = nn.functional


@pytest.fixture
def two(gpu):
    if cuda.device_count() < 2:
        pytest.skip("one GPU")
    return gpu


OPERATIONS = {
    "a number": lambda a: a * 2, "itself": lambda a: a + a, "exp": lambda a: a.exp(),
    "a product": lambda a: a @ a, "a sum": lambda a: a.sum(0), "a row": lambda a: a[0],
    "cat": lambda a: tinytensor.cat([a, a]), "sort": lambda a: a.sort(),
    "rows": lambda a: a[tinytensor.tensor([1, 0])],
    "softmax": lambda a: a.softmax(-1), "layer_norm": lambda a: F.layer_norm(a, (2,)),
    "randn_like": tinytensor.randn_like, "dropout": lambda a: F.dropout(a, 0.5),
    "alpha_dropout": lambda a: F.alpha_dropout(a, 0.5, True),
    "in place": lambda a: a.clone().add_(1),
    "inv": lambda a: tinytensor.linalg.inv(a + 2 * tinytensor.eye(2, device=a.device)),
    "a 0-d number of the CPU": lambda a: a * tinytensor.tensor(2.0, dtype=a.dtype),
    "one_hot": lambda a: F.one_hot(a.long(), 3), "writing": lambda a: a.clone().index_fill(
        0, tinytensor.tensor([1], device=a.device), 7),
    "conv": lambda a: F.conv1d(a[None], a[None])}


@pytest.mark.parametrize("name", OPERATIONS)
def test_results_are_where_the_operands_are(two, name):
    arrays = [tinytensor.arange(4.0, device=f"cuda:{i}").reshape(2, 2) % 3 for i in (0, 1)]
    for a in (arrays[1], arrays[0], arrays[1]):
        result = OPERATIONS[name](a)
        for r in result if isinstance(result, tuple) else (result,):
            assert r.device == a.device
        if name not in ("randn_like", "dropout", "alpha_dropout"):
            first = result[0] if name == "sort" else result
            expected = OPERATIONS[name](a.cpu())
            expected = expected[0] if name == "sort" else expected
            numpy.testing.assert_allclose(first.cpu().numpy(), expected.numpy(), 1e-5)
        assert cuda.current_device() == 0
        assert tinytensor.ones(1, device="cuda").get_device() == 0


@pytest.mark.parametrize("mix", [
    lambda a, b: a + b, lambda a, b: a @ b, lambda a, b: tinytensor.cat([a, b]),
    lambda a, b: tinytensor.where(a > 0, a, b), lambda a, b: F.linear(a, b), lambda a, b: a.add_(b),
    lambda a, b: a * b.sum(), lambda a, b: F.cross_entropy(a, b[0].long())])
def test_mixing_is_refused(two, mix):
    a, b = (tinytensor.ones(2, 2, device=f"cuda:{i}") for i in (0, 1))
    for x, y in ((a, b), (b, a)):
        with pytest.raises(RuntimeError, match=r"different devices, cuda:\d and cuda:\d; move"):
            mix(x, y)


def test_a_model_over_two_gpus_trains_as_on_the_cpu(two):
    """Half of the layers on each, as PyTorch's tutorial on model parallelism has it."""
    tinytensor.manual_seed(0)
    first, second = nn.Sequential(nn.Linear(3, 4), nn.GELU()), nn.Linear(4, 2)
    x, y = tinytensor.randn(5, 3), tinytensor.tensor([0, 1, 1, 0, 1])
    losses = []
    for places in (("cpu", "cpu"), ("cuda:0", "cuda:1"), ("cuda:1", "cuda:0")):
        a, b = (copy.deepcopy(m).to(p) for m, p in zip((first, second), places, strict=True))
        optimizer = tinytensor.optim.AdamW([*a.parameters(), *b.parameters()], lr=0.1)
        found = []
        for _ in range(4):
            loss = F.cross_entropy(b(a(x.to(places[0])).to(places[1])), y.to(places[1]))
            optimizer.zero_grad()
            loss.backward()
            norm = nn.utils.clip_grad_norm_([*a.parameters(), *b.parameters()], 1.0)
            optimizer.step()
            assert all(str(p.grad.device) == str(p.device) == place for m, place in zip(
                (a, b), places, strict=True) for p in m.parameters())
            found += [loss.item(), norm.item()]
        losses.append(found)
    numpy.testing.assert_allclose(losses[1], losses[0], 1e-5)
    numpy.testing.assert_allclose(losses[2], losses[0], 1e-5)


def test_gradients_from_two_gpus_meet_on_one(two):
    x = tinytensor.arange(3.0, device="cuda:0").requires_grad_()
    there = x.to("cuda:1")
    back = (there * there).sum().to("cuda:0") + (there.exp() * 0).sum().to("cuda:0")
    (back + (x * 3).sum()).backward()
    assert str(x.grad.device) == "cuda:0" and x.grad.tolist() == [3, 5, 7]


def test_errors_of_checks_come_from_every_gpu(two):
    table = tinytensor.ones(3, 2, device="cuda:1")
    F.embedding(tinytensor.tensor([5], device="cuda:1"), table)
    with pytest.raises(IndexError, match="embedding: position 5"):
        tinytensor.ones(1, device="cuda:0").item()


def test_the_current_gpu_is_what_the_program_says(two):
    a, b = (tinytensor.ones(1, device=f"cuda:{i}") for i in (0, 1))
    with cuda.device(1):
        assert (a + 1).get_device() == 0
        assert cuda.current_device() == tinytensor.ones(1, device="cuda").get_device() == 1
    assert (b + 1).get_device() == 1
    assert cuda.current_device() == tinytensor.ones(1, device="cuda").get_device() == 0
    found = []

    def other():
        found.extend([(b * 2).get_device(), (a * 2).get_device(), (b * 2).get_device(),
                      cuda.current_device()])

    thread = threading.Thread(target=other)
    thread.start()
    thread.join()
    assert found == [1, 0, 1, 0]
    cuda.set_device(1)
    assert tinytensor.ones(1, device="cuda").get_device() == 1 and (a + 1).get_device() == 0
    assert cuda.current_device() == 1


def test_one_gpu_of_several_keeps_its_speed(two):
    """As long as a program uses one, calls run as they are written out."""
    assert not Gpus.several
    tinytensor.ones(2, device="cuda") + 1
    cuda.set_device(0)
    assert not Gpus.several
    tinytensor.ones(2, device="cuda:1")
    assert Gpus.several
