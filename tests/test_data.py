"""Data: torch.utils.data is the reference where nothing is random; seeds, workers, resuming."""

from __future__ import annotations

import collections
import gc
import gzip
import io
import struct
import threading
import time
import traceback
from typing import Any, NamedTuple

import numpy
import pytest
import torch
import torch.utils.data
from hypothesis import given, settings
from hypothesis import strategies as st

import tinytensor
from tinytensor import random
from tinytensor.utils import data, resume
from tinytensor.utils.data import DataLoader, TensorDataset
from tinytensor.utils.data.dataloader import default_collate
from tinytensor.utils.data.sampler import RandomSampler

LIBRARIES = (tinytensor, torch)


def plain(x: Any) -> Any:
    """Replaces Tensors of either library by (dtype, shape, values), also inside containers."""
    if isinstance(x, tinytensor.Tensor | torch.Tensor):
        return str(x.dtype).split(".")[1], tuple(x.shape), x.tolist()
    if isinstance(x, dict):
        return type(x), {k: plain(v) for k, v in x.items()}
    if isinstance(x, list | tuple):
        return type(x), [plain(v) for v in x]
    return x


def tensors(library: Any, n: int) -> Any:
    values = numpy.arange(2.0 * n).reshape(n, 2)
    return library.utils.data.TensorDataset(library.tensor(values),
                                            library.arange(n), library.tensor(values > 3))


def threaded(*args: Any, **options: Any) -> DataLoader[Any]:
    """A loader whose workers are threads, so that tests can observe them.

    test_workers.py tests worker processes.
    """
    if options.get("num_workers"):
        options["multiprocessing_context"] = "thread"
    return DataLoader(*args, **options)


class Squares:
    """Any object with __getitem__ and __len__ is a dataset."""

    def __init__(self, n: int):
        self.n = n

    def __len__(self) -> int:
        return self.n

    def __getitem__(self, i: int) -> Any:
        return {"x": float(i), "y": (i, f"{i}²")}


def stream(library: Any, n: int, sharded: bool = False) -> Any:
    class Stream(library.utils.data.IterableDataset):
        def __iter__(self) -> Any:
            info = library.utils.data.get_worker_info()
            if info is None or not sharded:
                return iter(range(n))
            return iter(range(info.id, n, info.num_workers))

        def __len__(self) -> int:
            return n

    return Stream()


# ---------------------------------------------------------------- the same batches as PyTorch


@pytest.mark.filterwarnings("ignore:DataLoader. the epoch had no batch:UserWarning")
@pytest.mark.parametrize("workers", [0, 1, 3])
@pytest.mark.parametrize("options", [
    {}, {"batch_size": 4}, {"batch_size": 4, "drop_last": True}, {"batch_size": None},
    {"batch_size": 100}, {"batch_size": 100, "drop_last": True},
    {"batch_sampler": [[0, 1], [5], [2, 2, 2]]}, {"sampler": [3, 1, 1], "batch_size": 2},
    {"batch_size": 3, "collate_fn": len}], ids=str)
def test_order_and_batches(options: Any, workers: int) -> None:
    for make in (tensors, lambda library, n: Squares(n), lambda library, n: list(range(n)),
                 lambda library, n: library.utils.data.Subset(tensors(library, 2 * n), [
                     *range(1, 2 * n, 2)])):
        mine = threaded(make(tinytensor, 10), num_workers=workers, **options)
        theirs = torch.utils.data.DataLoader(make(torch, 10), **options)
        assert plain(list(mine)) == plain(list(theirs))
        assert len(mine) == len(theirs)
        assert len(iter(mine)) == len(mine)


@pytest.mark.parametrize("options", [
    {"batch_size": 4}, {"batch_size": 4, "drop_last": True}, {"batch_size": None}, {}], ids=str)
def test_iterable_datasets(options: Any) -> None:
    mine = DataLoader(stream(tinytensor, 10), **options)
    theirs = torch.utils.data.DataLoader(stream(torch, 10), **options)
    assert plain(list(mine)) == plain(list(theirs)) and len(mine) == len(theirs)


def test_iterable_datasets_with_workers() -> None:
    """Batches come from the workers in turn. Exhausted workers are skipped, as in PyTorch."""
    for workers, ahead in ((1, 2), (3, 1), (3, 4)):
        loader = threaded(stream(tinytensor, 17, sharded=True), 2, num_workers=workers,
                            prefetch_factor=ahead)
        shards = [[*range(i, 17, workers)] for i in range(workers)]
        expected = []
        while any(shards):
            expected += [s[:2] for s in shards if s]
            shards = [s[2:] for s in shards]
        assert [b.tolist() for b in loader] == expected
    loader = threaded(stream(tinytensor, 3), 2, num_workers=2)
    assert [b.tolist() for b in loader] == [[0, 1], [0, 1], [2], [2]]


class Point(NamedTuple):
    x: Any
    y: Any


class Attributed(dict):  # type: ignore[type-arg]
    pass


@pytest.mark.parametrize("batch", [
    [1, 2], [1.5, 2.5], [True, False], ["a", "b"], [b"a", b"b"], [(1, 2.0), (3, 4.0)],
    [[1, "a"], [2, "b"]], [{"a": 1, "b": [1.0]}, {"a": 2, "b": [2.0]}], [Point(1, 2), Point(3, 4)],
    [Attributed(a=1), Attributed(a=2)], [collections.OrderedDict(a=1)] * 2, [()], [((1,), "x")] * 3,
    [numpy.ones((2, 3), numpy.float32)] * 2, [numpy.float32(1), numpy.float32(2)],
    [numpy.int16(1), numpy.int16(2)], [numpy.bool_(True)], [numpy.float64(1), numpy.float64(2)],
    [numpy.ones(2, bool), numpy.zeros(2, bool)], [range(3), range(3)],
    [numpy.array(1.0), numpy.array(2.0)], [numpy.ones(2), numpy.ones(2, numpy.float32)]], ids=str)
def test_collate(batch: Any) -> None:
    assert plain(default_collate(batch)) == plain(torch.utils.data.default_collate(batch))
    assert plain(data.default_convert(batch[0])) == plain(
        torch.utils.data.default_convert(batch[0]))


def test_collate_tensors() -> None:
    for samples in ([1.0, 2.0], [[1, 2], [3, 4]], [[[True]]]):
        results = [library.utils.data.default_collate([library.tensor(s) for s in samples])
                   for library in LIBRARIES]
        assert plain(results[0]) == plain(results[1])
    w = tinytensor.ones(3).requires_grad_()
    default_collate([w, w * 2]).sum().backward()
    assert w.grad.tolist() == [3.0] * 3


@pytest.mark.parametrize(("make", "error", "message"), [
    (lambda lib: [lib.zeros(2), lib.zeros(3), lib.zeros(2)], RuntimeError,
     r"shapes are \(2,\) at 0, 2 and \(3,\) at 1"),
    (lambda lib: [{"x": (lib.zeros(2), 1)}, {"x": (lib.zeros(1), 1)}], RuntimeError,
     r"of sample\['x'\]\[0\] are \(2,\) at 0 and \(1,\) at 1"),
    (lambda lib: [numpy.zeros(2), numpy.zeros(3)], RuntimeError, r"\(2,\) at 0 and \(3,\) at 1"),
    (lambda lib: [[1], [1, 2]], RuntimeError, "equal size; the lengths are 1 at 0 and 2 at 1"),
    (lambda lib: [{"x": 1}, {"y": 1}], KeyError, "sample 1 has no key 'x'"),
    (lambda lib: [object()], TypeError, "found .*object"),
    (lambda lib: [(1, None)], TypeError, "found .*NoneType"),
    (lambda lib: [numpy.array(["a"])], TypeError, "found <U1"),
])
def test_collate_errors(make: Any, error: Any, message: str) -> None:
    with pytest.raises(error):
        torch.utils.data.default_collate(make(torch))
    with pytest.raises(error, match=message):
        default_collate(make(tinytensor))


# ---------------------------------------------------------------- datasets and samplers


def test_datasets() -> None:
    for library in LIBRARIES:
        d = library.utils.data
        a, b = tensors(library, 3), tensors(library, 2)
        joined = a + b
        assert isinstance(joined, d.ConcatDataset) and len(joined) == 5
        assert joined.cumulative_sizes == [3, 5]
        assert [joined[i][1].item() for i in range(5)] == [0, 1, 2, 0, 1]
        assert joined[-1][1].item() == 1 and joined[-5][1].item() == 0
        with pytest.raises(ValueError):
            joined[-6]
        with pytest.raises(IndexError):
            joined[5]
        chain = stream(library, 2) + stream(library, 1)
        assert isinstance(chain, d.ChainDataset) and list(chain) == [0, 1, 0] and len(chain) == 3
        pairs, named = d.StackDataset([1, 2], "ab"), d.StackDataset(x=[1, 2], y="ab")
        assert pairs[1] == (2, "b") and named[0] == {"x": 1, "y": "a"} and len(pairs) == 2
        part = d.Subset(a, [2, 0])
        assert len(part) == 2 and part[0][1].item() == 2
        assert [x.tolist() for x in part[[1, 0]]][1] == [0, 2]
        for wrong, error in (
                (lambda d=d, lib=library: d.TensorDataset(lib.ones(2), lib.ones(3)),
                 AssertionError),
                (lambda d=d: d.StackDataset([1], [1, 2]), ValueError),
                (lambda d=d: d.StackDataset(), ValueError),
                (lambda d=d: d.StackDataset([1], x=[1]), ValueError),
                (lambda d=d: d.ConcatDataset([]), AssertionError),
                (lambda d=d, lib=library: d.ConcatDataset([stream(lib, 1)]), AssertionError),
                (lambda d=d: list(d.ChainDataset([[1]])), AssertionError),
                (lambda d=d: d.Dataset()[0], NotImplementedError)):
            with pytest.raises(error):
                wrong()


@pytest.mark.parametrize(("n", "lengths"), [
    (10, [3, 7]), (10, [0.3, 0.7]), (10, [1 / 3, 1 / 3, 1 / 3]), (11, [0.5, 0.25, 0.25]),
    (10, [10, 0]), (0, [0]), (1, [1])])
def test_random_split(n: int, lengths: Any) -> None:
    sizes = [[len(p) for p in library.utils.data.random_split(
        range(n), lengths, generator=library.Generator().manual_seed(1))] for library in LIBRARIES]
    assert sizes[0] == sizes[1]
    parts = data.random_split(range(n), lengths, random.Generator().manual_seed(1))
    again = data.random_split(range(n), lengths, random.Generator().manual_seed(1))
    assert [list(p) for p in parts] == [list(p) for p in again]
    assert sorted(x for p in parts for x in p) == list(range(n))


@pytest.mark.parametrize("lengths", [[3, 3], [0.5, 0.6], [1.5, -0.5]])
def test_random_split_errors(lengths: Any) -> None:
    for library in LIBRARIES:
        with pytest.raises(ValueError):
            library.utils.data.random_split(range(10), lengths)
    for library in LIBRARIES:
        with pytest.warns(UserWarning, match="Length of split at index 1 is 0"):
            library.utils.data.random_split(range(1), [0.5, 0.5])


def test_samplers() -> None:
    g = random.Generator()
    assert list(data.SequentialSampler("abc")) == [0, 1, 2]
    order = list(data.RandomSampler(range(50), generator=g.manual_seed(0)))
    assert sorted(order) == list(range(50)) != order
    assert order == list(data.RandomSampler(range(50), generator=g.manual_seed(0)))
    assert order == tinytensor.randperm(50, generator=g.manual_seed(0)).tolist()
    more = list(RandomSampler(range(4), num_samples=10))
    assert sorted(more[:4]) == sorted(more[4:8]) == [0, 1, 2, 3] and len(set(more[8:])) == 2
    drawn = list(RandomSampler(range(3), replacement=True, num_samples=70))
    assert len(drawn) == 70 and set(drawn) == {0, 1, 2}
    assert sorted(data.SubsetRandomSampler([5, 7, 9])) == [5, 7, 9]
    weighted = data.WeightedRandomSampler([0.0, 1.0, 3.0], 400)
    counts = collections.Counter(weighted)
    assert counts[0] == 0 and 2 < counts[2] / counts[1] < 4.5 and len(weighted) == 400
    assert sorted(data.WeightedRandomSampler([1, 1, 1], 3, replacement=False)) == [0, 1, 2]
    for drop in (True, False):
        batches = [library.utils.data.BatchSampler(range(10), 4, drop) for library in LIBRARIES]
        assert list(batches[0]) == list(batches[1]) and len(batches[0]) == len(batches[1])


@pytest.mark.parametrize("use", [
    lambda d: d.RandomSampler([]), lambda d: d.RandomSampler([1], num_samples=0),
    lambda d: d.RandomSampler([1], replacement=1), lambda d: d.BatchSampler([1], 0, False),
    lambda d: d.BatchSampler([1], 1.0, False), lambda d: d.BatchSampler([1], True, False),
    lambda d: d.BatchSampler([1], 1, "no"), lambda d: d.WeightedRandomSampler([1.0], 0),
    lambda d: d.WeightedRandomSampler([[1.0]], 1), lambda d: d.WeightedRandomSampler([1.0], 1, 2),
    lambda d: list(d.WeightedRandomSampler([1.0], 2, False)),
    lambda d: d.DataLoader([1], batch_size=0), lambda d: d.DataLoader([1], batch_size=-1),
    lambda d: d.DataLoader([], shuffle=True),
    lambda d: d.DataLoader([1], shuffle=True, sampler=[0]),
    lambda d: d.DataLoader([1], batch_sampler=[[0]], batch_size=2),
    lambda d: d.DataLoader([1], batch_sampler=[[0]], shuffle=True),
    lambda d: d.DataLoader([1], batch_size=None, drop_last=True),
    lambda d: d.DataLoader([1], num_workers=-1), lambda d: d.DataLoader([1], timeout=-1),
    lambda d: d.DataLoader([1], prefetch_factor=2),
    lambda d: d.DataLoader([1], persistent_workers=True),
    lambda d: d.DataLoader([1], multiprocessing_context="spawn"),
    lambda d: d.DataLoader([1], num_workers=1, multiprocessing_context="sprout"),
    lambda d: d.DataLoader([1], num_workers=1, multiprocessing_context=1),
    lambda d: setattr(d.DataLoader([1]), "batch_size", 2),
    lambda d: list(d.DataLoader([None])),
    lambda d: list(d.DataLoader([[1], [1, 2]], 2)),
    lambda d: iter(d.Sampler()),
])
def test_misuse(use: Any) -> None:
    with pytest.raises(Exception) as theirs:
        use(torch.utils.data)
    with pytest.raises(theirs.type) as mine:
        use(data)
    assert str(mine.value)


@pytest.mark.parametrize("options", [{"shuffle": True}, {"sampler": [0]}, {"batch_sampler": [[0]]}])
def test_misuse_of_iterable_datasets(options: Any) -> None:
    for library in LIBRARIES:
        with pytest.raises(ValueError, match=next(iter(options))):
            library.utils.data.DataLoader(stream(library, 3), **options)


def test_messages_name_what_is_wrong() -> None:
    with pytest.raises(ValueError, match="got 0: the dataset is empty"):
        DataLoader([], shuffle=True)
    with pytest.raises(ValueError, match="batch_size must be a positive integer, got 0"):
        DataLoader([1], batch_size=0)
    for loader, said in ((DataLoader([]), "the dataset is empty$"),
                         (DataLoader(stream(tinytensor, 0), 2), "the dataset is empty$"),
                         (DataLoader([1, 2], 3, drop_last=True), "smaller than the batch size 3")):
        with pytest.warns(UserWarning, match=said):
            assert list(loader) == []


# ---------------------------------------------------------------- seeds


class Noisy:
    """Draws from the default generator for each sample, as an augmentation does."""

    def __len__(self) -> int:
        return 12

    def __getitem__(self, i: int) -> Any:
        return i, tinytensor.rand(2)


def test_one_seed_gives_one_epoch_with_any_number_of_workers() -> None:
    epochs, orders = [], []
    for workers in (1, 2, 5, 0):
        tinytensor.manual_seed(3)
        loader = threaded(Noisy(), 5, shuffle=True, num_workers=workers)
        epochs.append([plain(list(loader)), plain(list(loader)), tinytensor.rand(3).tolist()])
        tinytensor.manual_seed(3)
        orders.append(plain([i for i, _ in loader]))
    assert epochs[0] == epochs[1] == epochs[2]
    assert epochs[0][0] != epochs[0][1]
    assert all(order == orders[0] for order in orders)


def drawn_while_loading(library: Any, kind: str) -> list[Any]:
    """What datasets that draw random numbers give, and what the program draws in between."""
    make = library.utils.data.DataLoader
    sampled = library.utils.data

    class Drawing(sampled.Dataset):  # type: ignore[misc, name-defined]
        def __len__(self) -> int:
            return 12

        def __getitem__(self, i: int) -> Any:
            return i, library.rand(2)

    class Stream(sampled.IterableDataset):  # type: ignore[misc, name-defined]
        def __iter__(self) -> Any:
            for i in range(7):
                yield i, library.rand(1)

    library.manual_seed(3)
    generator, drawing = library.Generator().manual_seed(5), Drawing()
    loader = {
        "shuffle": lambda: make(drawing, 5, shuffle=True),
        "generator": lambda: make(drawing, 5, shuffle=True, generator=generator),
        "replacement": lambda: make(drawing, 5, sampler=sampled.RandomSampler(
            drawing, True, 40, generator)),
        "batch sampler": lambda: make(drawing, batch_sampler=sampled.BatchSampler(
            sampled.SubsetRandomSampler(range(9)), 2, True)),
        "samples": lambda: make(drawing, batch_size=None, shuffle=True),
        "stream": lambda: make(Stream(), 3),
        "two loaders": lambda: make(drawing, 4, shuffle=True),
    }[kind]()
    drawn: list[Any] = []
    for _ in range(2):
        other = make(drawing, 4, shuffle=True) if kind == "two loaders" else range(99)
        for batch, beside in zip(loader, other, strict=False):
            drawn += [*batch, *([] if isinstance(beside, int) else beside), library.rand(2)]
    return [x.tolist() if hasattr(x, "tolist") else x for x in drawn]


@pytest.mark.parametrize("kind", ["shuffle", "generator", "replacement", "batch sampler", "samples",
                                  "stream", "two loaders"])
def test_without_workers_a_dataset_draws_pytorchs_numbers(kind: str) -> None:
    assert drawn_while_loading(tinytensor, kind) == drawn_while_loading(torch, kind)


def test_draws_differ_from_batch_to_batch_and_leave_the_programs_stream() -> None:
    loader = threaded(Noisy(), 3, num_workers=2)
    iterator = iter(loader)
    state = tinytensor.get_rng_state()
    batches = list(iterator)
    assert tinytensor.equal(tinytensor.get_rng_state(), state)
    assert len({str(x.tolist()) for _, x in batches}) == 4


def test_a_loader_with_a_generator_leaves_the_default_one() -> None:
    def epochs(workers: int) -> Any:
        loader = threaded(Noisy(), 5, shuffle=True, num_workers=workers,
                            generator=random.Generator().manual_seed(2))
        return plain([list(loader), list(loader)])

    state = tinytensor.get_rng_state()
    assert epochs(1) == epochs(2)
    assert tinytensor.equal(tinytensor.get_rng_state(), state)


# ---------------------------------------------------------------- resuming


class Draws(data.Sampler[int]):
    """A sampler that draws each index lazily from the default generator."""

    def __iter__(self) -> Any:
        for _ in range(11):
            yield int(tinytensor.randint(12, (1,)).item())

    def __len__(self) -> int:
        return 11


class NoisyStream(data.IterableDataset[Any]):
    def __iter__(self) -> Any:
        for i in range(11):
            yield i, tinytensor.rand(1)


def loaders(kind: str, workers: int) -> DataLoader[Any]:
    generator = random.Generator().manual_seed(5)
    options: dict[str, Any] = {"num_workers": workers, "batch_size": 2}
    noisy: Any = Noisy()
    match kind:
        case "shuffle":
            return threaded(noisy, shuffle=True, **options)
        case "generator":
            return threaded(noisy, shuffle=True, generator=generator, **options)
        case "replacement":
            sampler: Any = RandomSampler(noisy, True, 71, generator)
            return threaded(noisy, sampler=sampler, num_workers=workers, batch_size=9)
        case "own sampler":
            return threaded(noisy, sampler=Draws(), **options)
        case "batch sampler":
            batches = data.BatchSampler(data.SubsetRandomSampler(range(9)), 2, True)
            return threaded(noisy, batch_sampler=batches, num_workers=workers)
        case "samples":
            return threaded(noisy, batch_size=None, shuffle=True, num_workers=workers)
        case _:
            return threaded(NoisyStream(), **options)


@settings(deadline=None, max_examples=60, derandomize=True)
@given(st.sampled_from(["shuffle", "generator", "replacement", "own sampler", "batch sampler",
                        "samples", "stream"]),
       st.integers(0, 6), st.sampled_from([(0, 0), (2, 2), (2, 3)]), st.booleans())
def test_resuming_at_any_cut(kind: str, cut: int, workers_then: tuple[int, int],
                             whole_epoch_before: bool) -> None:
    """The rest of the epoch and the next epoch are the same as without the interruption."""
    workers, workers_after = workers_then
    tinytensor.manual_seed(cut)
    loader = loaders(kind, workers)
    if whole_epoch_before:
        list(loader)
    iterator = iter(loader)
    for _ in range(min(cut, 4 if kind == "batch sampler" else 6)):
        next(iterator)
    tinytensor.rand(cut)  # a model with dropout draws numbers too
    state = loader.state_dict()
    rest, following = plain(list(iterator)), plain(list(loader))

    file = io.BytesIO()
    tinytensor.save({"loader": state}, file)
    saved = tinytensor.load(io.BytesIO(file.getvalue()))

    tinytensor.manual_seed(999)
    resumed = loaders(kind, workers if kind == "stream" else workers_after)
    resumed.load_state_dict(saved["loader"])
    assert plain(resumed.state_dict()) == plain(state)
    assert plain(list(resumed)) == rest
    assert plain(list(resumed)) == following


def test_resuming_at_the_ends_of_an_epoch() -> None:
    loader = DataLoader(range(4), 2, shuffle=True, generator=random.Generator())
    before = loader.state_dict()
    iterator = iter(loader)
    batches = [next(iterator), next(iterator)]
    last = loader.state_dict()
    assert next(iterator, None) is None
    between = loader.state_dict()
    following = plain(list(loader))
    loader.load_state_dict(before)
    assert plain(list(loader)) == plain(batches)
    loader.load_state_dict(last)
    assert list(loader) == [] and plain(list(loader)) == following
    loader.load_state_dict(between)
    assert plain(list(loader)) == following


def test_resuming_after_leaving_the_loop() -> None:
    for workers in (0, 2):
        loader = threaded(range(10), 2, shuffle=True, num_workers=workers)
        seen: list[int] = []
        for batch in loader:
            seen += batch.tolist()
            if len(seen) == 6:
                break
        loader.load_state_dict(loader.state_dict())
        for batch in loader:
            seen += batch.tolist()
        assert sorted(seen) == list(range(10))


def test_what_came_before_is_not_loaded_again() -> None:
    loaded: list[int] = []

    class Recorded(Squares):
        def __getitem__(self, i: int) -> Any:
            loaded.append(i)
            return i

    loader = DataLoader(Recorded(6), 2)
    iterator = iter(loader)
    next(iterator)
    state = loader.state_dict()
    loaded.clear()
    loader.load_state_dict(state)
    list(loader)
    assert loaded == [2, 3, 4, 5]


def test_a_failed_batch_is_loaded_again_after_resuming() -> None:
    broken = True

    class Flaky(Squares):
        def __getitem__(self, i: int) -> Any:
            if i == 3 and broken:
                raise OSError("network")
            return i

    loader = DataLoader(Flaky(6), 2)
    seen = []
    with pytest.raises(OSError, match="network"):
        for batch in loader:
            seen.append(batch.tolist())
    broken = False
    loader.load_state_dict(loader.state_dict())
    assert [*seen, *[b.tolist() for b in loader]] == [[0, 1], [2, 3], [4, 5]]


def test_states_that_do_not_fit() -> None:
    state = DataLoader(range(10), 2, shuffle=True).state_dict()
    for loader in (DataLoader(range(11), 2), DataLoader(range(10), 3),
                   DataLoader(range(10), 2, drop_last=True),
                   DataLoader(range(10), 2, generator=random.Generator())):
        with pytest.raises(ValueError, match=r"another loader: .* there, .* here"):
            loader.load_state_dict(state)
    for wrong in ({}, {"seed": 1}, None):
        with pytest.raises(ValueError, match="not the state_dict of a DataLoader"):
            DataLoader(range(10), 2).load_state_dict(wrong)


# ---------------------------------------------------------------- workers


def test_order_is_kept_when_workers_take_their_time() -> None:
    class Slow(Squares):
        def __getitem__(self, i: int) -> Any:
            time.sleep(0.01 if i % 3 == 0 else 0)
            return i

    loader = threaded(Slow(12), 1, num_workers=4)
    assert [b.item() for b in loader] == list(range(12))


def test_batches_are_loaded_ahead_but_not_too_far() -> None:
    loaded: set[int] = set()
    enough = threading.Event()

    class Recorded(Squares):
        def __getitem__(self, i: int) -> Any:
            loaded.add(i)
            if len(loaded) == 6:
                enough.set()
            return i

    iterator = iter(threaded(Recorded(100), 1, num_workers=2, prefetch_factor=3))
    next(iterator)
    assert enough.wait(5)
    time.sleep(0.02)
    assert loaded == set(range(6))


def test_worker_info() -> None:
    started: list[int] = []

    class Asking(Squares):
        def __getitem__(self, i: int) -> Any:
            info = data.get_worker_info()
            assert info is not None and info.dataset is self and info.num_workers == 2
            assert info.id in started
            return info.id, info.seed

    ids, seeds = zip(*threaded(Asking(8), 2, num_workers=2, worker_init_fn=started.append),
                     strict=True)
    assert [x.tolist() for x in ids] == [[0, 0], [1, 1], [0, 0], [1, 1]]
    assert sorted(started) == [0, 1] and len({s.tolist()[0] for s in seeds}) == 2
    assert data.get_worker_info() is None


class Failing(Squares):
    def __getitem__(self, i: int) -> Any:
        return self.read(i)

    def read(self, i: int) -> Any:
        if i == 5:
            raise KeyError("a line of the dataset")
        return i


@pytest.mark.parametrize("workers", [0, 2])
def test_exceptions_reach_the_caller_with_their_traceback(workers: int) -> None:
    seen = []
    with pytest.raises(KeyError, match="a line of the dataset") as caught:
        for batch in threaded(Failing(8), 2, num_workers=workers):
            seen.append(batch.tolist())
    assert seen == [[0, 1], [2, 3]]
    assert traceback.extract_tb(caught.tb)[-1].name == "read"
    assert "batch 2 of the epoch, with the samples [4, 5]" in "".join(
        traceback.format_exception(caught.value))


def test_an_exception_in_worker_init_fn_reaches_the_caller() -> None:
    def init(worker: int) -> None:
        raise RuntimeError("no licence")

    with pytest.raises(RuntimeError, match="no licence"):
        list(threaded(range(4), num_workers=2, worker_init_fn=init))


def test_timeout() -> None:
    release = threading.Event()

    class Hanging(Squares):
        def __getitem__(self, i: int) -> Any:
            release.wait(5)
            return i

    with pytest.raises(RuntimeError, match=r"timed out after 0\.05 seconds: worker 0"):
        next(iter(threaded(Hanging(2), num_workers=1, timeout=0.05)))
    release.set()

    class Raising(Squares):
        def __getitem__(self, i: int) -> Any:
            raise TimeoutError("of its own")

    with pytest.raises(TimeoutError, match="of its own"):
        list(threaded(Raising(2), num_workers=1, timeout=5))


def test_threads_end_with_the_epoch() -> None:
    others = set(threading.enumerate())  # a stuck worker of another test may still be there

    def threads() -> list[str]:
        return [t.name for t in threading.enumerate()
                if t not in others and t.name.startswith("DataLoader worker")]

    def wait_for_none() -> None:
        for _ in range(500):
            if not threads():
                return
            time.sleep(0.01)
        raise AssertionError(threads())

    gc.disable()  # reference counting alone must free a dropped iterator
    try:
        loader = threaded(range(50), num_workers=2)
        list(loader)
        wait_for_none()
        for _ in loader:
            assert threads()
            break
        wait_for_none()
        iterator = iter(loader)
        next(iterator)
        del iterator
        wait_for_none()
    finally:
        gc.enable()


def test_several_iterators_at_a_time() -> None:
    loader = threaded(range(6), 2, num_workers=1)
    assert [(a.tolist(), b.tolist()) for a, b in zip(loader, loader, strict=True)] == [
        ([0, 1], [0, 1]), ([2, 3], [2, 3]), ([4, 5], [4, 5])]


def test_datasets_with_getitems() -> None:
    class Batched(Squares):
        def __getitems__(self, indices: Any) -> Any:
            return [-i for i in indices]

    assert [b.tolist() for b in DataLoader(Batched(3), 2)] == [[0, -1], [-2]]


def test_subclasses_of_tensor_datasets_are_asked_sample_by_sample() -> None:
    class Doubled(data.TensorDataset):
        def __getitem__(self, i: Any) -> Any:
            return tuple([2 * x for x in super().__getitem__(i)])

    (batch,) = DataLoader(Doubled(tinytensor.arange(3)), 3)
    assert batch[0].tolist() == [0, 2, 4]
    (batch,) = DataLoader(data.Subset(Doubled(tinytensor.arange(3)), [2]), 3)
    assert batch[0].tolist() == [4]


def test_on_gpu(gpu: Any) -> None:
    x = tinytensor.arange(6, device="cuda")
    for workers in (0, 2):
        batches = [b[0] for b in threaded(data.TensorDataset(x), 4, num_workers=workers)]
        assert all(b.is_cuda for b in batches)
        assert [b.tolist() for b in batches] == [[0, 1, 2, 3], [4, 5]]


# ---------------------------------------------------------------- readers


def idx(array: Any, code: int) -> bytes:
    big = array.astype(array.dtype.newbyteorder(">"))
    return bytes([0, 0, code, array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape) \
        + big.tobytes()


@pytest.mark.parametrize(("dtype", "code"), [
    ("uint8", 8), ("int8", 9), ("int16", 11), ("int32", 12), ("float32", 13), ("float64", 14)])
def test_idx(dtype: str, code: int, tmp_path: Any) -> None:
    array = (numpy.arange(24).reshape(2, 3, 4) * 5).astype(dtype)
    (tmp_path / "x").write_bytes(idx(array, code))
    (tmp_path / "x.gz").write_bytes(gzip.compress(idx(array, code)))
    for name in ("x", "x.gz"):
        values = data.read_idx(tmp_path / name)
        numpy.testing.assert_array_equal(values.numpy(), array, strict=True)
        values.add_(1)  # the memory is writable


def test_idx_files_that_are_damaged(tmp_path: Any) -> None:
    whole = idx(numpy.zeros((2, 3), numpy.uint8), 8)
    path = tmp_path / "images.idx"
    for content in [whole[:i] for i in range(len(whole))] + [whole + b"\0", b"PK\3\4" + whole]:
        path.write_bytes(content)
        with pytest.raises(ValueError, match=r"images\.idx: .*IDX"):
            data.read_idx(path)
    packed = gzip.compress(whole)
    for content in [packed[:i] for i in range(3, len(packed))] + [packed[:12] + b"\xff" * 20]:
        path.write_bytes(content)
        with pytest.raises(ValueError, match=r"images\.idx: .*gzip"):
            data.read_idx(path)


def test_csv(tmp_path: Any) -> None:
    path = tmp_path / "t.csv"
    path.write_text('1, 2.5\n-3e2,"4"\n\n')
    values = data.read_csv(path)
    assert values.dtype is tinytensor.float32 and values.tolist() == [[1, 2.5], [-300, 4]]
    path.write_text("\ufeffa; b\n1;2\n")
    names, values = data.read_csv(path, header=True, delimiter=";", dtype=tinytensor.int64)
    assert names == ["a", "b"] and plain(values) == ("int64", (1, 2), [[1, 2]])


@pytest.mark.parametrize(("content", "message"), [
    (b"1,2\n3\n", r"t\.csv, line 2: expected 2 columns, found 1"),
    (b"1,2\n3,x\n", r"t\.csv, line 2: expected a number, found 'x'"),
    (b"a,b\n1,2\n", r"t\.csv, line 1: .*header=True"), (b"", r"t\.csv: expected rows"),
    (b"1,2\n3,\n", r"line 2: expected a number, found ''"),
    (b'1,"2\n', r"t\.csv, line 1: expected CSV"), (b"1,\xff\n", r"t\.csv: .*UTF-8.*byte ff"),
])
def test_csv_files_that_are_damaged(content: bytes, message: str, tmp_path: Any) -> None:
    (tmp_path / "t.csv").write_bytes(content)
    with pytest.raises(ValueError, match=message):
        data.read_csv(tmp_path / "t.csv")


def test_text(tmp_path: Any) -> None:
    text = "banana 🍌\nä"
    (tmp_path / "t.txt").write_bytes(text.encode())
    positions, characters = data.read_text(tmp_path / "t.txt")
    assert characters == "".join(sorted(set(text))) and positions.dtype is tinytensor.int64
    assert "".join(characters[i] for i in positions.tolist()) == text
    (tmp_path / "u.txt").write_text("nab")
    assert data.read_text(tmp_path / "u.txt", "nabz")[0].tolist() == [0, 1, 2]
    for known, found in (("na", "b"), ("", "n"), ("bna"[:2], "a")):
        with pytest.raises(ValueError, match=rf"u\.txt: .*found '{found}'"):
            data.read_text(tmp_path / "u.txt", known)
    for content, message in ((b"", "empty"), (b"ab\xffc", "byte ff at position 2")):
        (tmp_path / "v.txt").write_bytes(content)
        with pytest.raises(ValueError, match=rf"v\.txt: .*{message}"):
            data.read_text(tmp_path / "v.txt")


def test_files_that_are_absent_or_folders(tmp_path: Any) -> None:
    for reader, expected in ((data.read_idx, "an IDX file"), (data.read_csv, "CSV"),
                             (data.read_text, "text")):
        with pytest.raises(FileNotFoundError, match=f"absent: expected {expected}: No such file"):
            reader("absent")
        with pytest.raises(IsADirectoryError, match=f"{tmp_path}: expected {expected}: Is a dir"):
            reader(tmp_path)


@pytest.mark.parametrize("count", [1, 7, 8, 20])
@pytest.mark.parametrize("replicas", [1, 3, 8])
@pytest.mark.parametrize("drop_last", [False, True])
def test_distributed_sampler(count: int, replicas: int, drop_last: bool) -> None:
    theirs_of = torch.utils.data.DistributedSampler
    mine_of = tinytensor.utils.data.DistributedSampler
    assert mine_of is tinytensor.utils.data.distributed.DistributedSampler
    parts = []
    for rank in range(replicas):
        options = {"num_replicas": replicas, "rank": rank, "drop_last": drop_last}
        mine = mine_of(range(count), shuffle=False, **options)
        theirs = theirs_of(range(count), shuffle=False, **options)
        assert (len(mine), mine.total_size) == (len(theirs), theirs.total_size)
        assert list(mine) == list(theirs)
        shuffled = mine_of(range(count), **options)
        shuffled.set_epoch(3)
        parts += [(i * replicas + rank, n) for i, n in enumerate(shuffled)]
        assert list(shuffled) == list(shuffled)
    order = [n for _, n in sorted(parts)]
    if drop_last:
        assert len(set(order)) == len(order) == count // replicas * replicas
    else:
        assert sorted(order[:count]) == list(range(count))


def test_distributed_sampler_of_this_program_alone() -> None:
    sampler = tinytensor.utils.data.DistributedSampler(range(50))
    first = list(sampler)
    sampler.set_epoch(1)
    assert sorted(first) == list(range(50)) and list(sampler) != first
    loader = tinytensor.utils.data.DataLoader(list(range(50)), 7, sampler=sampler)
    assert sorted(n for batch in loader for n in batch.tolist()) == list(range(50))
    with pytest.raises(ValueError, match=r"rank 2 must be in \[0, 1\]"):
        tinytensor.utils.data.DistributedSampler(range(5), 2, 2)


def test_states_of_older_files_and_of_loaders_that_had_not_begun_resume():
    numbers = TensorDataset(tinytensor.arange(8))

    def rest(loader, state):
        loader.load_state_dict(state)
        return [batch.tolist() for (batch,) in loader]

    tinytensor.manual_seed(0)
    loader = DataLoader(numbers, batch_size=2, shuffle=True)
    begun = iter(loader)
    not_drawn = loader.state_dict()
    first, *others = [batch.tolist() for (batch,) in begun]
    with_workers = DataLoader(numbers, batch_size=2, shuffle=True, num_workers=2,
                              multiprocessing_context="thread")
    assert rest(with_workers, not_drawn) == [first, *others]
    tinytensor.manual_seed(0)
    begun = iter(loader)
    next(begun)
    state = loader.state_dict()
    older = {key: value for key, value in state.items() if key not in ("order", "default")}
    expected = rest(loader, state)
    tinytensor.manual_seed(9)
    assert expected == others
    assert len(rest(loader, older)) == 3  # in the order that such a file's seed gives


def test_the_state_of_two_ranks_between_epochs_is_that_of_a_third(monkeypatch):
    loader = DataLoader(TensorDataset(tinytensor.arange(8)), batch_size=2)
    states = []
    for seed in (1, 2):
        tinytensor.manual_seed(seed)
        states.append(loader.state_dict())
    monkeypatch.setattr("tinytensor.distributed.get_rank", lambda: 2)
    tinytensor.manual_seed(3)
    before = tinytensor.get_rng_state()
    resume._restore_own(loader, states)
    assert tinytensor.get_rng_state().tolist() == before.tolist()
