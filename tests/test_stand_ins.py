"""The modules of PyTorch in `compat/modules`, compared with PyTorch's own."""

from __future__ import annotations

import collections
import hashlib
import importlib

import numpy as np
import pytest
import torch
import torch.utils._pytree
from operations import in_turn

import tinytensor

BOTH = {"tinytensor": tinytensor, "torch": torch}
Point = collections.namedtuple("Point", "x y")
TREES = {
    "leaf": 1, "none": None, "list": [1, [2, 3]], "tuple": (1, ()), "dict": {"b": 1, "a": (2, [])},
    "named": Point(1, {"z": 2}), "ordered": collections.OrderedDict(b=1, a=2),
    "default": collections.defaultdict(list, {"k": [1]}), "deque": collections.deque([1, (2,)], 5)}


@in_turn("name", list(TREES))
def test_trees_are_taken_apart_as_in_pytorch(name):
    tree = TREES[name]
    results = []
    for engine in BOTH.values():
        tools = engine.utils._pytree
        leaves, spec = tools.tree_flatten(tree)
        doubled = tools.tree_unflatten([("double", leaf) for leaf in leaves], spec)
        paths = [(tools.keystr(path), leaf) for path, leaf in tools.tree_leaves_with_path(tree)]
        results.append((leaves, doubled, type(doubled), spec.num_leaves, paths,
                        tools.tree_map(lambda a, b: [a, b], tree, tree),
                        tools.tree_map_only(int, lambda i: -i, tree),
                        tools.tree_flatten(tree, is_leaf=lambda t: isinstance(t, tuple))[0],
                        spec == tools.tree_structure(tree)))
    assert results[0] == results[1]


def test_trees_with_registered_containers_and_errors():
    tools = tinytensor.utils._pytree

    class Box:
        def __init__(self, content):
            self.content = content

    tools.register_pytree_node(Box, lambda box: ([box.content], "note"),
                               lambda children, note: Box((note, *children)))
    leaves, spec = tools.tree_flatten([Box(3), 4])
    assert leaves == [3, 4]
    assert tools.tree_unflatten([5, 6], spec)[0].content == ("note", 5)
    with pytest.raises(ValueError, match="Box is registered already"):
        tools.register_pytree_node(Box, None, None)
    with pytest.raises(ValueError, match="1 leaves, but the tree has 2"):
        tools.tree_unflatten([1], spec)


@in_turn("name", list(BOTH))
def test_compiling_and_tracing_change_nothing(name):
    engine = BOTH[name]

    def f(x):
        return x * 2

    x = engine.ones(2)
    for made in (engine.jit.ignore(f), engine.jit.unused(f), engine.compiler.disable(f),
                 engine.jit.script_if_tracing(f)):
        assert made(x).tolist() == [2.0, 2.0]
    assert not engine.jit.is_scripting() and not engine.jit.is_tracing()
    assert not engine.compiler.is_compiling() and not engine.onnx.is_in_onnx_export()
    assert engine.jit.annotate(int, 3) == 3
    with engine.profiler.record_function("part"):
        assert engine.futures.Future is not None


def test_models_are_scripted_and_traced_to_themselves():
    model = tinytensor.nn.Linear(2, 2)
    assert tinytensor.fx.wrap(abs) is abs
    assert tinytensor.jit.script(model) is model
    assert tinytensor.jit.trace(model, tinytensor.ones(1, 2)) is model
    with pytest.raises(RuntimeError, match=r"jit.save: .* save\(model.state_dict\(\), path\)"):
        tinytensor.jit.save(model, "model.pt")
    with pytest.raises(RuntimeError, match=r"fx.symbolic_trace: programs are run as"):
        tinytensor.fx.GraphModule(model, None)
    with pytest.raises(RuntimeError, match="cProfile"):
        tinytensor.profiler.profile()


@in_turn("step", range(12))
def test_schedule_of_a_profiler(step):
    actions = [engine.profiler.schedule(wait=1, warmup=2, active=2, repeat=2, skip_first=1)(step)
               for engine in BOTH.values()]
    assert actions[0].name == actions[1].name


def test_futures():
    for engine in BOTH.values():
        first = engine.futures.Future()
        seen = []
        following = first.then(lambda done: done.wait() + 1)
        first.add_done_callback(lambda done, seen=seen: seen.append(done.value()))
        assert not first.done()
        first.set_result(1)
        assert first.done() and following.wait() == 2 and seen == [1]
        both = engine.futures.collect_all([first, following]).wait()
        assert [f.value() for f in both] == [1, 2] == engine.futures.wait_all([first, following])
        for given in (first.set_result, first.set_exception):
            with pytest.raises(RuntimeError):
                given(ValueError())


@pytest.mark.filterwarnings("ignore:TypedStorage is deprecated")
def test_storages_show_the_memory_of_views():
    shown = []
    for engine in BOTH.values():
        x = engine.arange(6.0).reshape(2, 3)
        view = x[1:, :2].t()
        x.storage()[1] = 7
        untyped = view.untyped_storage()
        assert untyped.data_ptr() == x.untyped_storage().data_ptr() == x.data_ptr()
        shown.append((list(view.storage()), len(view.storage()), untyped.nbytes(), x.tolist(),
                      untyped[4:8].tolist() if engine is tinytensor else list(untyped)[4:8],
                      view.storage_offset()))
    assert shown[0] == shown[1]
    y = tinytensor.ones(2, requires_grad=True)
    z = y * 1
    loss = (z * z).sum()
    z.storage()[0] = 5.0
    with pytest.raises(RuntimeError, match=r"storage .* has overwritten"):
        loss.backward()


def test_a_url_is_downloaded_once_and_checked(tmp_path):
    source = tmp_path / "w.safetensors"
    tinytensor.save({"w": tinytensor.ones(2)}, source)
    digest = hashlib.sha256(source.read_bytes()).hexdigest()
    named = source.rename(tmp_path / f"w-{digest[:8]}.safetensors")
    url, folder = named.as_uri(), str(tmp_path / "cache")
    loaded = tinytensor.hub.load_state_dict_from_url(url, folder, check_hash=True, progress=False)
    named.unlink()
    again = tinytensor.hub.load_state_dict_from_url(url, folder)
    assert loaded["w"].tolist() == again["w"].tolist() == [1.0, 1.0]
    other = tmp_path / "w-00000000.safetensors"
    tinytensor.save({}, other)
    with pytest.raises(RuntimeError, match="does not begin with 00000000"):
        tinytensor.hub.load_state_dict_from_url(other.as_uri(), folder, check_hash=True)
    with pytest.raises(RuntimeError, match="would be downloaded and executed"):
        tinytensor.hub.load("owner/name", "model")
    (tmp_path / "hubconf.py").write_text("def answer(n):\n    return n + 1\n")
    assert tinytensor.hub.load(str(tmp_path), "answer", 41, source="local") == 42
    assert tinytensor.hub.list(str(tmp_path), source="local") == ["answer"]


@in_turn("name", list(BOTH))
def test_saved_tensors_are_packed_and_unpacked(name):
    engine = BOTH[name]
    x = engine.linspace(-1, 1, 6).reshape(2, 3).requires_grad_()
    w = engine.linspace(0, 2, 3).requires_grad_()

    def loss():
        product = engine.cat([x * w, x.exp()]).softmax(1)
        return (product @ w).sum() + (x * w).prod()

    expected = engine.autograd.grad(loss(), [x, w])
    counts = [0, 0]

    def pack(tensor):
        counts[0] += 1
        return tensor.detach().numpy().copy()

    def unpack(array):
        counts[1] += 1
        return engine.from_numpy(array)

    with engine.autograd.graph.saved_tensors_hooks(pack, unpack):
        value = loss()
    assert not counts[1]
    for got, wanted in zip(engine.autograd.grad(value, [x, w]), expected, strict=True):
        np.testing.assert_allclose(got.numpy(), wanted.numpy(), rtol=1e-6)
    assert counts[0] == counts[1] > 5
    with engine.autograd.graph.save_on_cpu(), engine.no_grad(), engine.enable_grad():
        value = loss()
    loss()
    assert counts[0] == counts[1]
    for got, wanted in zip(engine.autograd.grad(value, [x, w]), expected, strict=True):
        np.testing.assert_allclose(got.numpy(), wanted.numpy(), rtol=1e-6)


def test_saved_tensors_of_another_shape_are_refused():
    x = tinytensor.ones(3, requires_grad=True)
    with tinytensor.autograd.graph.saved_tensors_hooks(lambda t: t, lambda t: t[:2]):
        y = (x * x).sum()
    with pytest.raises(RuntimeError, match=r"unpack_hook returned shape \(2,\)"):
        y.backward()
    with tinytensor.autograd.graph.saved_tensors_hooks(lambda t: t, lambda t: 1):
        y = (x * x).sum()
    with pytest.raises(TypeError, match="unpack_hook must return a Tensor, got int"):
        y.backward()


def test_limits_of_dtypes_that_no_tensor_has():
    for name in ("float8_e4m3fn", "float8_e4m3fnuz", "float8_e5m2", "float8_e5m2fnuz"):
        ours, theirs = (engine.finfo(getattr(engine, name)) for engine in BOTH.values())
        for limit in ("bits", "max", "min", "eps", "tiny", "smallest_normal", "resolution"):
            assert getattr(ours, limit) == getattr(theirs, limit), (name, limit)
    for name in ("complex64", "uint16", "float8_e5m2", "cfloat", "bfloat16"):
        ours, theirs = (getattr(engine, name) for engine in BOTH.values())
        assert (ours.is_floating_point, ours.is_complex, ours.itemsize, repr(ours)[11:]) == (
            theirs.is_floating_point, theirs.is_complex, theirs.itemsize, repr(theirs)[6:])
    with pytest.raises(TypeError, match="complex64: Tensors have no such dtype"):
        tinytensor.ones(1, dtype=tinytensor.complex64)


def test_devices_that_no_tensor_is_on_may_be_named():
    assert str(tinytensor.device("mps", 0)) == "mps:0"
    assert tinytensor.device("meta") != tinytensor.ones(1).device
    with pytest.raises(RuntimeError, match="device 'mps': Tensors cannot be there"):
        tinytensor.ones(1, device="mps")


@in_turn("arguments", [(1, 4), (0, 1, 0.25), (3, 1, -1), (0, 2.5), (2, 2), (5, 1, 1), (1, 2, 0)])
def test_a_range_with_its_end(arguments):
    made = []
    for engine in BOTH.values():
        try:
            with pytest.warns(UserWarning, match="range is deprecated"):
                values = engine.range(*arguments)
                double = engine.range(*arguments, dtype=engine.float64)
            made.append((values.tolist(), str(values.dtype)[-8:], double.tolist()))
        except RuntimeError:
            made.append(RuntimeError)
    assert made[0] == made[1]


@in_turn("name", list(BOTH))
def test_single_names_of_the_package(name):
    engine = BOTH[name]
    assert engine.default_generator.initial_seed() == engine.initial_seed()
    assert engine.random.default_generator is engine.default_generator
    assert not engine.is_autocast_enabled() and not engine.is_autocast_enabled("cpu")
    assert engine.get_autocast_dtype("cpu") is engine.bfloat16
    assert not engine.mps.is_available() and not engine.xpu.is_available()
    assert engine.scalar_tensor(2).dtype is engine.float32 and engine.sym_max(1, 2) == 2
    assert not engine.detach(engine.ones(1, requires_grad=True)).requires_grad
    with pytest.raises(RuntimeError, match="too small"):
        engine._check(False, lambda: "too small")
    assert issubclass(engine.OutOfMemoryError, RuntimeError)


def test_dlpack_capsules_go_both_ways():
    x = tinytensor.ones(2, 3)
    ours, theirs = tinytensor.utils.dlpack, torch.utils.dlpack
    ours.from_dlpack(ours.to_dlpack(x))[0] = 5.0
    theirs.from_dlpack(ours.to_dlpack(x))[1] = 7.0
    assert x.tolist() == [[5.0] * 3, [7.0] * 3]
    y = torch.arange(3.0)
    assert ours.from_dlpack(theirs.to_dlpack(y)).data_ptr() == y.data_ptr()
    capsule = ours.to_dlpack(x)
    ours.from_dlpack(capsule)
    with pytest.raises(ValueError, match="used already"):
        ours.from_dlpack(capsule)
    with pytest.raises(TypeError, match="__dlpack__"):
        ours.from_dlpack([1])


def test_private_names_of_libraries():
    answers = []
    for name, engine in BOTH.items():
        tools = importlib.import_module(f"{name}._tensor_str")
        foreach = importlib.import_module(f"{name}.utils._foreach_utils")
        x = engine.arange(6.0).reshape(2, 3)
        groups = foreach._group_tensors_by_device_and_dtype([[x, x.double(), x], [x, x, x + 1]],
                                                            with_indices=True)
        answers.append((
            tools.PRINT_OPTS.precision, tools._tensor_str(x, 0), tools._tensor_str(x[0] + 0.5, 4),
            sorted((str(dtype).partition(".")[2], [len(c) for c in columns], list(indices))
                   for (_, dtype), (columns, indices) in groups.items()),
            engine.utils.checkpoint.get_device_states(x)))
    assert answers[0] == answers[1]


def test_batches_are_scattered_and_gathered():
    tools = importlib.import_module("tinytensor.nn.parallel.scatter_gather")
    x = tinytensor.arange(6.0).reshape(2, 3)
    parts = tools.scatter([x, {"a": x * 2}, "text"], ["cpu", "cpu"])
    assert [[p[0].tolist(), p[1]["a"].tolist(), p[2]] for p in parts] == [
        [[[0.0, 1.0, 2.0]], [[0.0, 2.0, 4.0]], "text"],
        [[[3.0, 4.0, 5.0]], [[6.0, 8.0, 10.0]], "text"]]
    whole, doubled = tools.gather([(p[0], p[1]) for p in parts], "cpu")
    assert whole.tolist() == x.tolist() and doubled["a"].tolist() == (x * 2).tolist()
    parallel = tinytensor.nn.parallel
    assert parallel.scatter is tools.scatter and parallel.gather is tools.gather
    args, named = tools.scatter_kwargs((x,), {"b": x}, ["cpu"])
    assert args[0][0].tolist() == named[0]["b"].tolist() == x.tolist()


@in_turn("dimension, scramble, seed", [
    (1, False, None), (7, False, None), (5, True, 3), (40, True, None)])
def test_sobol_points_are_those_of_pytorch(dimension, scramble, seed):
    answers = []
    for engine in BOTH.values():
        engine.manual_seed(4)
        sobol = engine.quasirandom.SobolEngine(dimension, scramble=scramble, seed=seed)
        points = [sobol.draw(), sobol.draw(5), sobol.fast_forward(9).draw(4, dtype=engine.float64),
                  sobol.draw(0), sobol.reset().draw_base2(3), sobol.fast_forward(1).draw(2)]
        points.append(engine.empty(0))
        sobol.draw(2, out=points[-1])
        answers.append(([p.numpy() for p in points], repr(sobol), sobol.num_generated))
    for ours, theirs in zip(answers[0][0], answers[1][0], strict=True):
        np.testing.assert_array_equal(ours, theirs)
        assert ours.dtype == theirs.dtype
    assert answers[0][1:] == answers[1][1:]


@pytest.mark.parametrize("engine", list(BOTH.values()), ids=list(BOTH))
def test_sobol_points_refuse_what_cannot_be(engine):
    with pytest.raises(ValueError, match="21201"):
        engine.quasirandom.SobolEngine(21202)
    sobol = engine.quasirandom.SobolEngine(2)
    sobol.draw(3)
    with pytest.raises(NotImplementedError):
        sobol.draw(30, dtype=engine.float16)
    with pytest.raises(ValueError, match=r"draw\(\)"):
        sobol.draw_base2(2)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
@pytest.mark.parametrize("engine", list(BOTH.values()), ids=list(BOTH))
def test_marks_for_a_profiler_need_a_gpu(engine):
    nvtx = engine.cuda.nvtx
    for call in (nvtx.range_pop, lambda: nvtx.mark("a"), nvtx.range("part {}", 1).__enter__):
        with pytest.raises(RuntimeError):
            call()


def test_arrays_that_are_no_numbers_are_known_by_their_dtype():
    for place in ("tinytensor.compat.modules.collate", "torch.utils.data._utils.collate"):
        tools = importlib.import_module(place)
        assert [bool(tools.np_str_obj_array_pattern.search(np.dtype(kind).str))
                for kind in ("U3", "S3", "O", "f4", "i8", "?")] == [True] * 3 + [False] * 3
        assert tools.default_collate([1, 2]).tolist() == [1, 2]


def test_tensors_of_several_shapes_as_one():
    flat = []
    for engine in BOTH.values():
        tools = importlib.import_module(f"{engine.__name__}._utils")
        parts = [engine.arange(6.0).reshape(2, 3), engine.ones(2), engine.tensor(7.0)]
        joined = tools._flatten_dense_tensors(parts)
        again = tools._unflatten_dense_tensors(joined, parts)
        again[1].zero_()
        flat.append((joined.tolist(), [x.tolist() for x in again], type(again)))
    assert flat[0] == flat[1]


def test_iterators_that_libraries_make_of_an_object_like_a_loader():
    class Loader:
        dataset = ([1.0, 2.0], [3.0])
        num_workers, timeout, prefetch_factor, pin_memory, pin_memory_device = 0, 0, None, False, ""
        worker_init_fn = generator = _IterableDataset_len_called = multiprocessing_context = None
        drop_last = persistent_workers = _auto_collation = False
        in_order, _index_sampler = True, range(9)

        def collate_fn(self, batch):
            return [x * 2 for x in batch]

        def _get_shared_seed(self):
            return 0

    for engine in BOTH.values():
        module = importlib.import_module(f"{engine.__name__}.utils.data.dataloader")
        if engine is tinytensor:  # under the name torch, which is PyTorch's here
            module = importlib.import_module("tinytensor.compat.modules.dataloader")
        loader = Loader()
        loader._dataset_kind = module._DatasetKind.Iterable
        assert list(module._SingleProcessDataLoaderIter(loader)) == [[2.0, 4.0], [6.0]]
        real = module.DataLoader([1, 2, 3], 2)
        assert isinstance(iter(real), module._BaseDataLoaderIter)
        assert [x.tolist() for x in module._SingleProcessDataLoaderIter(real)] == [[1, 2], [3]]
        loader = Loader()
        loader.dataset, loader._dataset_kind = range(5), module._DatasetKind.Map
        loader._auto_collation, loader._index_sampler = True, [[0, 1], [4, 3]]
        assert list(module._SingleProcessDataLoaderIter(loader)) == [[0, 2], [8, 6]]
        loader._dataset_kind = module._DatasetKind.Iterable
        for drop_last, rest in ((False, [[8]]), (True, [])):
            loader.drop_last, loader._index_sampler = drop_last, [[None] * 2] * 9
            batches = list(module._SingleProcessDataLoaderIter(loader))
            assert batches == [[0, 2], [4, 6], *rest]
        loader.num_workers = 1
        with pytest.raises((RuntimeError, AssertionError)):
            module._SingleProcessDataLoaderIter(loader)
    with pytest.raises(RuntimeError, match="write num_workers=0"):
        module = importlib.import_module("tinytensor.compat.modules.dataloader")
        module._MultiProcessingDataLoaderIter(real)


def test_amp_without_a_gpu_is_unavailable_as_spacy_asks():
    """spaCy asks by the attribute, without an import of the module."""
    for engine in BOTH.values():
        common = engine.cuda.amp.common
        assert common.amp_definitely_not_available() == (not engine.cuda.is_available())


@in_turn("place", ["amp.grad_scaler.OptState", "autograd.profiler.record_function",
                   "cuda.amp.grad_scaler.GradScaler", "cuda.amp.autocast_mode.autocast",
                   "distributions.beta.Beta", "distributions.lkj_cholesky.LKJCholesky",
                   "distributions.utils.logits_to_probs", "nn.parallel.scatter_gather.scatter",
                   "utils._pytree.tree_map", "utils.data._utils.collate.default_collate"])
def test_modules_are_attributes_without_an_import_of_their_own(place):
    name = place.rpartition(".")[2]
    for engine in BOTH.values():
        value = engine
        for part in place.split("."):
            value = getattr(value, part)
        assert value.__name__ == name


def test_a_package_of_stand_ins_names_what_it_lacks():
    with pytest.raises(AttributeError, match=r"tinytensor\.cuda\.amp has no 'autocats'.*autocast"):
        _ = tinytensor.cuda.amp.autocats
    with pytest.raises(AttributeError, match=r"tinytensor\.utils has no 'chekpoint'.*checkpoint"):
        _ = tinytensor.utils.chekpoint


def test_functional_has_functions_of_the_package():
    x = np.arange(12.0).reshape(3, 4)
    results = []
    for engine in BOTH.values():
        functional = importlib.import_module(f"{engine.__name__}.functional")
        a = engine.from_numpy(x)
        results.append([functional.einsum("ij->j", a).tolist(), functional.norm(a).item(),
                        functional.tensordot(a, a.t(), 1).tolist(),
                        functional.F.relu(-a).sum().item(),
                        [part.tolist() for part in functional.split(a, 2)]])
    assert results[0] == results[1]
    assert tinytensor.functional.relu is tinytensor.nn.functional.relu
    with pytest.raises(AttributeError, match="complex numbers"):
        _ = tinytensor.functional.stft
