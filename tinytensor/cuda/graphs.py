"""CUDA graphs: work on a GPU that is recorded once, and replayed in one launch.

A replay repeats the kernels with the addresses and numbers of the recording. So inputs are copied
into the Tensors of the recording, and what Python decides is decided once. In return the host needs
a few microseconds for a step that would take it milliseconds. NVIDIA's guide: CUDA C++ Programming
Guide, section "CUDA Graphs".

What is captured must not make the host wait: no `.item()`, no `print` of a value, no `if` on a
Tensor, no copy from or to the CPU. `graph` then raises an error that names the line.
"""

from __future__ import annotations

import contextlib
import functools
import gc
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

from ..arrays import devices, philox
from ..arrays.devices import cupy, is_gpu_array
from ..autograd import deferred, engine
from ..autograd.function import Function
from ..autograd.modes import no_grad
from ..tensors.tensor import Tensor

Step = TypeVar("Step", bound=Callable[..., Any])

PACKAGE = Path(__file__).parent.parent
MODES = {"global": 0, "thread_local": 1, "relaxed": 2}  # as cudaStreamCaptureMode

# Called on the stream of a capture before it begins, for what cannot be made during it.
before_capture: list[Callable[[], Any]] = [deferred.prepare]


def is_current_stream_capturing() -> bool:
    """Whether the current stream is captured into a graph."""
    return devices.is_capturing()


def graph_pool_handle() -> Any:
    """A new pool of memory, for several graphs that are replayed in the order of their capture."""
    return cupy().cuda.MemoryPool()


class CUDAGraph:
    """A recorded sequence of work on a GPU, made by `with graph(g):`.

    The graph owns the memory that was allocated while it was captured: results stay where they are,
    and each replay overwrites them.

    Raises:
        RuntimeError: CuPy or the GPU is missing.
    """

    def __init__(self, keep_graph: bool = False):
        cupy()  # raises
        self._graph: Any = None
        self._pool: Any = None
        self._capturing: contextlib.ExitStack | None = None

    def capture_begin(self, pool: Any = None, capture_error_mode: str = "relaxed") -> None:
        """Begins to record the work of the current stream, which must not be the default one.

        Raises:
            RuntimeError: the default stream; a graph that was captured already.
        """
        if self._graph is not None:
            raise RuntimeError("CUDAGraph: it was captured already; make another CUDAGraph, or "
                               "call reset()")
        if capture_error_mode not in MODES:
            raise RuntimeError(f"CUDAGraph: capture_error_mode {capture_error_mode!r} is none of "
                               f"{', '.join(MODES)}")
        stream = cupy().cuda.get_current_stream()
        if stream.ptr == cupy().cuda.Stream.null.ptr:
            raise RuntimeError("CUDAGraph: the default stream cannot be captured; capture inside "
                               "`with graph(g):`, which takes another one")
        for prepare in before_capture:
            prepare()
        self._draws = philox.begin_capture()
        self._pool = graph_pool_handle() if pool is None else pool
        # CuPy's pools allocate memory while a stream is captured, which only "relaxed" allows.
        with contextlib.ExitStack() as stack:
            stack.enter_context(cupy().cuda.using_allocator(self._pool.malloc))
            stream.begin_capture(MODES["relaxed"])
            self._capturing = stack.pop_all()

    def capture_end(self) -> None:
        """Ends the recording.

        Raises:
            RuntimeError: nothing is recorded.
        """
        if self._capturing is None:
            raise RuntimeError("CUDAGraph: capture_end() without capture_begin()")
        with self._capturing:
            self._capturing = None
            self._graph = cupy().cuda.get_current_stream().end_capture()

    def _abandon(self) -> None:
        """Ends a recording that failed."""
        with contextlib.suppress(Exception):
            self.capture_end()
        self.reset()

    def replay(self) -> None:
        """Launches the recorded work on the current stream.

        Raises:
            RuntimeError: nothing was recorded.
        """
        if self._graph is None:
            raise RuntimeError("CUDAGraph: nothing to replay; capture with `with graph(g):` first")
        self._draws.advance()
        self._graph.launch()
        deferred.note_replay()

    def reset(self) -> None:
        """Forgets the recording and its memory."""
        self._graph = self._pool = None

    def pool(self) -> Any:
        """The pool of memory of the graph, to be shared with others."""
        return self._pool


class graph:  # noqa: N801 - PyTorch's name
    """Captures the work inside of the `with` block into a CUDAGraph. Nothing is computed meanwhile.

        g = CUDAGraph()
        with graph(g):
            y = model(x)
        x.copy_(data)
        g.replay()                  # y is model(data) now

    The work should have run before, three times as a rule, so that kernels are compiled.

    Args:
        pool: the pool of another graph, or `graph_pool_handle()`; a new one by default.
        stream: the stream to capture, by default one for all captures.

    Raises:
        RuntimeError: something inside cannot be captured: the message says what, and where.
    """

    def __init__(self, cuda_graph: CUDAGraph, pool: Any = None, stream: Any = None,
                 capture_error_mode: str = "relaxed", enable_annotations: bool = False,
                 check_input_liveness: bool = False):
        self.graph, self.pool, self.mode = cuda_graph, pool, capture_error_mode
        self.stream = side_stream() if stream is None else getattr(stream, "_stream", stream)

    def __enter__(self) -> None:
        devices.synchronize()
        gc.collect()
        self._within = contextlib.ExitStack()
        self._within.enter_context(self.stream)
        try:
            self.graph.capture_begin(self.pool, self.mode)
        except BaseException:
            self._within.close()
            raise

    def __exit__(self, kind: Any, error: BaseException | None, trace: Any) -> None:
        with self._within:
            if error is not None:
                self.graph._abandon()
            else:
                try:
                    self.graph.capture_end()
                except Exception as failed:
                    self.graph._abandon()
                    raise RuntimeError(f"graph: the capture has failed: {failed}") from None
        if error is not None and (why := _why_not(error)):
            raise RuntimeError(f"graph: {_place(error)} cannot be captured: {why}") from error


@functools.cache
def side_stream() -> Any:
    """The stream of captures and warm-ups, as CuPy's object."""
    return cupy().cuda.Stream(non_blocking=True)


def _why_not(error: BaseException) -> str:
    """What cannot be captured about an error of CuPy or CUDA; empty for other errors."""
    text = str(error)
    if "cuBLAS" in text or "cuSOLVER" in text or "cuSPARSE" in text:
        return "CuPy does not capture this library's functions: compute it before the capture"
    if "apturing" in text or "StreamCapture" in text:
        return ("it makes the host wait for the GPU, or copies between them: a number that is read "
                "(.item(), if, print), a Tensor made of a Python list or of the CPU's; do it "
                "before the capture, or keep it on the GPU")
    return ""


def _place(error: BaseException) -> str:
    """The innermost line outside of this package, and the operation, that an error came from."""
    frames = traceback.extract_tb(error.__traceback__)
    ours = [Path(f.filename).is_relative_to(PACKAGE) or f.filename.endswith(".pyx")
            or not {"cupy", "cupyx"}.isdisjoint(Path(f.filename).parts) for f in frames]
    last = max((i for i, own in enumerate(ours) if not own), default=-1)
    operation = frames[last + 1].name if last + 1 < len(frames) else "what runs"
    return operation if last < 0 else f"{operation}, at {frames[last].filename}:" \
                                      f"{frames[last].lineno},"


def _warm_up(work: Callable[[], Any], times: int) -> None:
    """Runs the work on the stream of captures, after what was launched before and before the rest.
    """
    module, stream = cupy(), side_stream()
    stream.wait_event(module.cuda.get_current_stream().record())
    with stream:
        for _ in range(times):
            work()
    module.cuda.get_current_stream().wait_event(stream.record())


# ---------------------------------------------------------------- a whole training step


class GraphedStep:
    """See `graphed_step`."""

    def __init__(self, step: Callable[..., Any], optimizers: Sequence[Any], warmup: int):
        functools.update_wrapper(self, step)
        self._step, self._optimizers, self._warmup = step, optimizers, warmup
        self._calls: dict[Any, int] = {}
        self._captured: dict[Any, tuple[CUDAGraph, list[Tensor], Any]] = {}
        self._rates: dict[tuple[int, int], tuple[Tensor, list[float]]] = {}

    def __call__(self, *inputs: Any) -> Any:
        tensors = [x for x in inputs if isinstance(x, Tensor)]
        if not any(is_gpu_array(x._array) for x in tensors):
            return self._step(*inputs)
        key = tuple([(tuple(x.shape), x.dtype, x.device) if isinstance(x, Tensor) else x
                     for x in inputs])
        if key in self._captured:
            return self._replayed(key, tensors)
        calls = self._calls[key] = self._calls.get(key, 0) + 1
        with self._rates_on_the_gpu():
            if calls <= self._warmup:
                result: list[Any] = []
                _warm_up(lambda: result.append(self._step(*inputs)), 1)
                return result[0]
            self._capture(key, inputs)
        return self._replayed(key, tensors)

    def _capture(self, key: Any, inputs: Sequence[Any]) -> None:
        fixed = [x.detach().clone() if isinstance(x, Tensor) else x for x in inputs]
        made = CUDAGraph()
        with graph(made):
            result = self._step(*fixed)
        self._captured[key] = made, [x for x in fixed if isinstance(x, Tensor)], result

    def _replayed(self, key: Any, tensors: list[Tensor]) -> Any:
        made, fixed, result = self._captured[key]
        with no_grad():
            for place, x in zip(fixed, tensors, strict=True):
                place.copy_(x)
        with self._rates_on_the_gpu():
            made.replay()
        return result

    @contextlib.contextmanager
    def _rates_on_the_gpu(self) -> Any:
        """Within it, the learning rates are Tensors on the GPU with the rates of the groups."""
        groups = [(i, j, group) for i, optimizer in enumerate(self._optimizers)
                  for j, group in enumerate(optimizer.param_groups)]
        given = [group["lr"] for _, _, group in groups]
        for i, j, group in groups:
            if "capturable" in group:
                group["capturable"] = True
            if isinstance(group["lr"], Tensor):
                continue
            if (i, j) not in self._rates:
                like = next(p for p in group["params"] if p.is_cuda)
                self._rates[i, j] = like.detach().new_full((), group["lr"]), [group["lr"]]
            rate, last = self._rates[i, j]
            if last[0] != group["lr"]:
                rate._array.fill(group["lr"])
                last[0] = group["lr"]
            group["lr"] = rate
        try:
            yield
        finally:
            for (_, _, group), lr in zip(groups, given, strict=True):
                group["lr"] = lr


def graphed_step(step: Callable[..., Any], *optimizers: Any, warmup: int = 3) -> GraphedStep:
    """A function that does what `step` does, from its fourth call on as a CUDA graph.

        def step(x, y):
            optimizer.zero_grad()
            loss = F.cross_entropy(model(x), y)
            loss.backward()
            optimizer.step()
            return loss

        step = cuda.graphed_step(step, optimizer)
        for x, y in loader:
            loss = step(x.cuda(), y.cuda())

    The first `warmup` calls run as they are, the next is captured; each new combination of shapes
    and dtypes of the inputs begins again. The result is the same Tensor in each call, and the next
    call overwrites it. Calls without Tensors on a GPU run as they are.

    The optimizers become capturable: learning rates may change between calls, as schedulers do.
    Other numbers, such as a momentum or the probability of dropout, are those of the capture.

    Raises:
        RuntimeError: as `graph`; an optimizer whose steps cannot be captured.
    """
    return GraphedStep(step, optimizers, warmup)


# ---------------------------------------------------------------- parts of a model


def make_graphed_callables(callables: Any, sample_args: Any, num_warmup_iters: int = 3,
                           allow_unused_input: bool = False, pool: Any = None) -> Any:
    """Functions or modules whose forward and backward are CUDA graphs.

    A module is changed in place: while it trains as in the capture, its forward replays. Other
    programs around it, such as losses and optimizers, run as they are. Inputs must have the shapes
    of `sample_args`, and Tensors are all that is passed and returned. The result is the same memory
    in each call.

    Args:
        callables: one, or a tuple of them that are called in this order.
        sample_args: its arguments, a tuple of Tensors; a tuple of such tuples for several.
        allow_unused_input: whether results may not depend on some input.

    Raises:
        RuntimeError: as `graph`; a module with hooks.
    """
    several = isinstance(callables, tuple)
    parts = callables if several else (callables,)
    arguments = sample_args if several else (sample_args,)
    pool = graph_pool_handle() if pool is None else pool
    made = [_Part(part, args, allow_unused_input) for part, args in zip(
        parts, arguments, strict=True)]
    for part in made:
        _warm_up(part.once, num_warmup_iters)
    for part in made:
        part.capture_forward(pool)
    for part in reversed(made):
        part.capture_backward(pool)
    results = tuple([part.graphed() for part in made])
    return results if several else results[0]


class _Part:
    """A callable with the graphs of its forward and of its backward, and their Tensors."""

    def __init__(self, function: Any, arguments: Any, allow_unused: bool):
        self.function, self.allow_unused = function, allow_unused
        self.is_module = hasattr(function, "named_parameters")
        if self.is_module and any(getattr(function, name, None) for name in (
                "_forward_hooks", "_forward_pre_hooks", "_backward_hooks")):
            raise RuntimeError("make_graphed_callables: a module with hooks cannot be captured; "
                               "register them afterwards")
        self.parameters = list(function.parameters()) if self.is_module else []
        self.inputs = [x.detach().clone().requires_grad_(x.requires_grad) for x in arguments]
        self.wanted = [x for x in (*self.inputs, *self.parameters) if x.requires_grad]

    def once(self) -> None:
        """One forward and backward, without effect on gradients."""
        outputs = self._outputs()
        if self.wanted and any(y.requires_grad for y in outputs):
            self._gradients(outputs, [y.detach() for y in outputs if y.requires_grad])

    def _outputs(self) -> list[Tensor]:
        result = self.function(*self.inputs)
        self.single = isinstance(result, Tensor)
        return [result] if self.single else list(result)

    def _gradients(self, outputs: list[Tensor], of_outputs: list[Tensor]) -> tuple[Any, ...]:
        return engine.grad([y for y in outputs if y.requires_grad], self.wanted, of_outputs,
                           allow_unused=self.allow_unused)

    def capture_forward(self, pool: Any) -> None:
        self.forward = CUDAGraph()
        with graph(self.forward, pool):
            self.outputs = self._outputs()

    def capture_backward(self, pool: Any) -> None:
        self.backward: CUDAGraph | None = None
        self.of_outputs: list[Tensor] = []
        self.gradients: dict[int, Any] = {}
        outputs = self.outputs
        self.outputs = [y.detach() for y in outputs]
        if not self.wanted or not any(y.requires_grad for y in outputs):
            return
        self.of_outputs = [y.detach().clone() for y in outputs if y.requires_grad]
        self.with_gradient = [y.requires_grad for y in outputs]
        self.backward = CUDAGraph()
        with graph(self.backward, pool):
            found = self._gradients(outputs, self.of_outputs)
        self.gradients = {id(x): g for x, g in zip(self.wanted, found, strict=True)}

    def graphed(self) -> Any:
        """The function that replays; for a module, the module with another forward."""
        part = self
        count = len(self.inputs)

        class Graphed(Function):
            @staticmethod
            def forward(ctx: Any, *given: Tensor) -> Any:
                for place, x in zip(part.inputs, given, strict=False):
                    if tuple(x.shape) != tuple(place.shape):
                        raise RuntimeError(
                            f"make_graphed_callables: an input of shape {tuple(x.shape)}; it was "
                            f"captured with {tuple(place.shape)}")
                    place.detach().copy_(x)
                part.forward.replay()
                results = tuple([y.detach() for y in part.outputs])
                if part.backward is None:
                    ctx.mark_non_differentiable(*results)
                else:
                    ctx.mark_non_differentiable(*[y for y, used in zip(
                        results, part.with_gradient, strict=True) if not used])
                return results[0] if part.single else results

            @staticmethod
            def backward(ctx: Any, *grads: Tensor) -> Any:
                assert part.backward is not None
                used = [g for g, has in zip(grads, part.with_gradient, strict=True) if has]
                for place, g in zip(part.of_outputs, used, strict=True):
                    place.copy_(g)
                part.backward.replay()
                found = [part.gradients.get(id(x)) for x in (*part.inputs, *part.parameters)]
                return tuple([None if g is None else g.detach() for g in found])

        def replayed(*given: Tensor) -> Any:
            if len(given) != count:
                raise RuntimeError(f"make_graphed_callables: {len(given)} inputs; it was captured "
                                   f"with {count}")
            return Graphed.apply(*given, *part.parameters)

        if not self.is_module:
            return replayed
        module, plain, training = self.function, self.function.forward, self.function.training
        module.forward = lambda *given: (
            replayed(*given) if module.training == training else plain(*given))
        return module
