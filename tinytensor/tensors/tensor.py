"""Tensor: an array, its gradient, and its place in the graph. No derivative is written here.

What a Tensor can do comes from the table of operations: `ops/` attaches every operation to this
class as a method, an operator and an in-place form. This file defines what a Tensor is.

Views and writing in place:

    base      the Tensor whose memory a view shows. A view of a view has the same base, and the base
              knows its views that are alive.
    layout    the shape, strides and offset of the view's array in the memory of the base. They say
              what the view shows however it was made, so nothing else is kept, a view of a view
              costs the same at any depth, and `t_()` of a base or of a view needs no more care.
    version   a time for each piece of memory: the last write to it. A node that saved an array
              before that time does not run backward, see `autograd/versions.py`.

A write through `view` changes the memory at once. If it is recorded, it also changes the graph:

    base  <- overwrite(base, value, layout of the view)
    every view of the base  <- strided(base, layout of that view)

so the gradient of what was overwritten is 0, and that of the value is what the view shows of the
gradient of the base (`ops/strided.py`). A write to a Tensor that is no view replaces its node, and
those of its views in the same way. The hook of `retain_grad` moves to the new node.
"""

from __future__ import annotations

import math
import weakref
from collections.abc import Callable, Iterator, Sequence
from copy import deepcopy
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Self, TypeAlias, overload

import numpy

from ..arrays import devices, dtypes
from ..arrays.devices import Reading
from ..arrays.numbers import Size, integer, integers
from ..autograd import engine, graph, versions
from ..autograd.frames import shorten
from ..autograd.graph import Leaf, Node, tensor_of
from ..autograd.modes import mode
from ..compat import absent
from .conversion import warn_of_float
from .memory import deep_copied
from .printing import tensor_str

if TYPE_CHECKING:  # the methods that the table of operations gives to Tensor
    from ..table.methods import Methods
else:
    Methods = object

NumPyArray: TypeAlias = numpy.ndarray[Any, Any]
# What programs may write for a dtype and for a device.
DTypeLike: TypeAlias = (dtypes.dtype | numpy.dtype[Any] | str
                        | type[bool] | type[int] | type[float] | type[numpy.generic])
DeviceLike: TypeAlias = devices.device | str | int
Number: TypeAlias = int | float  # what item() gives; bool is an int

COMPARISONS = frozenset((numpy.less, numpy.less_equal, numpy.greater, numpy.greater_equal,
                         numpy.equal, numpy.not_equal))

# Functions that the class below needs. `ops/`, which is imported later, sets them.
ops: Any = SimpleNamespace()


def is_size(x: object) -> bool:
    """Whether `Tensor(x)` is to have this size, or these, rather than hold it."""
    return isinstance(x, int | numpy.integer | Size)


class Tensor(Methods):
    """An array that remembers how it was computed.

    `Tensor(data)` makes one of the default dtype, `Tensor(2, 3)` an uninitialised one of that
    shape, as in PyTorch; `tensor(data)` keeps the dtype of the data and is what to use.

    data            the same values without a graph, in the same memory
    grad            the gradient that backward() has added up, or None
    requires_grad   whether operations on it are recorded
    grad_fn         the node that made it, or None for a leaf
    """

    # Slots for what every Tensor has: making a dict for it would take as long as the object.
    __slots__ = ("__dict__", "__weakref__", "_array", "_node")

    _array: Any
    _node: Node | Leaf | None
    _grad: Tensor | None = None
    _base: Tensor | None = None  # of a view: the Tensor whose memory it shows
    _views: set[weakref.ref[Tensor]] | None = None  # of a base: the views that are alive
    _post_hooks: tuple[Callable[[Tensor], None], ...] = ()
    _unnoted: bool = False  # what is written through it overwrites nothing that backward needs

    # `array * tensor` is left to `__array_ufunc__` below. There is no __cuda_array_interface__,
    # by which CuPy would take a Tensor for an array of its own and drop the gradient: DLPack it is.
    __array_priority__ = 1000

    def __new__(cls, *data: Any, device: DeviceLike | None = None) -> Self:
        self = object.__new__(cls)
        self._node = None
        where = devices.resolve(devices.CPU if device is None else device)
        d = dtypes.get_default_dtype().numpy
        if len(data) == 1 and not is_size(data[0]):
            source = ops.tensor(data[0]).to(dtypes.get_default_dtype())._array
            self._array = devices.to_device(source, where)
        else:
            shape = integers("Tensor: a size", data[0] if len(data) == 1 else data or (0,))
            self._array = devices.on(where, lambda xp: xp.empty(shape, d))
        return self

    # ------------------------------------------------------------ what it is

    @property
    def data(self) -> Tensor:
        """The values, sharing memory, outside of the graph. May be assigned. What operations have
        saved for backward stays as it was.

        Nobody notices what is written through it: a backward that needs the values of before
        computes with the new ones. Through `detach()` it raises instead.
        """
        values = tensor_of(self._array, None)
        values._unnoted = True
        return values

    @data.setter
    def data(self, value: Tensor) -> None:
        if not isinstance(value, Tensor):
            raise TypeError(f"data must be a Tensor, got {type(value).__name__}")
        if isinstance(self._node, Node) and value.shape != self.shape:
            raise RuntimeError(f"data: this Tensor was computed by {self._node.name()}, so its "
                               f"data must keep the shape {tuple(self.shape)}, got "
                               f"{tuple(value.shape)}; detach() it first")
        self._leave_memory()
        shape = self._array.shape
        self._array = value._array
        if isinstance(self._node, Leaf) and self._array.shape != shape:
            self._replace_leaf()

    @property
    def grad(self) -> Tensor | None:
        """The gradient that backward() has added up: None before the first, and after set to."""
        return self._grad

    @grad.setter
    def grad(self, value: Tensor | None) -> None:
        if value is not None:
            if not isinstance(value, Tensor):
                raise TypeError(f"grad must be a Tensor or None, got {type(value).__name__}")
            if value.shape != self.shape:
                raise RuntimeError(f"grad of shape {tuple(value.shape)} does not fit a Tensor of "
                                   f"shape {tuple(self.shape)}")
            if value.dtype is not self.dtype or value.device != self.device:
                raise RuntimeError(f"grad of {value.dtype} on {value.device} does not fit a "
                                   f"Tensor of {self.dtype} on {self.device}")
        self._grad = value

    @grad.deleter
    def grad(self) -> None:
        self._grad = None

    @property
    def requires_grad(self) -> bool:
        """Whether backward() gives a gradient for this Tensor. May be assigned on leaves."""
        return self._node is not None

    @requires_grad.setter
    def requires_grad(self, wanted: bool) -> None:
        if isinstance(self._node, Node):
            if not wanted:
                raise RuntimeError("requires_grad can be switched off on leaves only; to leave "
                                   "the graph, use detach()")
        elif not wanted:
            self._node = None
        elif not self.dtype.is_floating_point:
            raise RuntimeError(f"only Tensors of floating point dtype can require gradients, "
                               f"this one is {self.dtype}; convert it with .float() first")
        elif self._node is None:
            self._node = Leaf(self)

    def requires_grad_(self, requires_grad: bool = True) -> Self:
        """Sets `requires_grad` and returns this Tensor."""
        self.requires_grad = requires_grad
        return self

    @property
    def grad_fn(self) -> Node | None:
        """The node of the graph that made this Tensor; None for leaves."""
        return self._node if isinstance(self._node, Node) else None

    @property
    def is_leaf(self) -> bool:
        """Whether no recorded operation made this Tensor: data, parameters, detached results."""
        return not isinstance(self._node, Node)

    @property
    def shape(self) -> Size:
        """The size of each dim, as a tuple."""
        return Size(self._array.shape)

    @overload
    def size(self, dim: None = None) -> Size: ...
    @overload
    def size(self, dim: int) -> int: ...
    def size(self, dim: int | None = None) -> Size | int:
        """The shape, or the size along one dim."""
        if dim is None:
            return self.shape
        dim = integer("size: dim", dim)
        if not -self.ndim <= dim < self.ndim:
            raise IndexError(f"size: dim {dim} is out of range for shape {tuple(self.shape)}")
        return self._array.shape[dim]

    @property
    def ndim(self) -> int:
        """The number of dims."""
        return self._array.ndim

    def dim(self) -> int:
        """The number of dimensions."""
        return self._array.ndim

    ndimension = dim

    def numel(self) -> int:
        """The number of elements."""
        return int(self._array.size)

    nelement = numel

    @property
    def dtype(self) -> dtypes.dtype:
        """The dtype of the elements."""
        return dtypes.BY_NUMPY[self._array.dtype]

    @property
    def device(self) -> devices.device:
        """Where the elements are: the CPU, or a GPU."""
        return devices.device_of(self._array)

    @property
    def is_cuda(self) -> bool:
        """Whether it is on a GPU."""
        return devices.is_gpu_array(self._array)

    @property
    def is_cpu(self) -> bool:
        """Whether it is on the CPU."""
        return self.device.type == "cpu"

    @property
    def is_meta(self) -> bool:
        """Whether it has a shape and a dtype, and no elements."""
        return devices.is_meta(self._array)

    is_sparse = is_sparse_csr = is_nested = is_quantized = is_mkldnn = False
    is_mps = is_xpu = is_xla = is_ipu = is_maia = is_mtia = is_vulkan = False
    layout = "strided"

    def get_device(self) -> int:
        """The number of the GPU, or -1 on the CPU."""
        return self.device.index if self.is_cuda and self.device.index is not None else -1

    def is_floating_point(self) -> bool:
        """Whether the dtype is a floating point one."""
        return self.dtype.is_floating_point

    def is_complex(self) -> bool:
        """False: there are no complex numbers."""
        return False

    def is_signed(self) -> bool:
        """Whether the dtype has negative numbers."""
        return self.dtype.is_signed

    @property
    def itemsize(self) -> int:
        """The bytes of one element."""
        return self.dtype.itemsize

    def element_size(self) -> int:
        """Bytes of one element."""
        return self.dtype.itemsize

    @property
    def nbytes(self) -> int:
        """The bytes of all elements."""
        return int(self._array.nbytes)

    @overload
    def stride(self, dim: None = None) -> tuple[int, ...]: ...
    @overload
    def stride(self, dim: int) -> int: ...
    def stride(self, dim: int | None = None) -> tuple[int, ...] | int:
        """Elements to step over for the next one along each dim, or along one."""
        steps = tuple(s // self.dtype.itemsize for s in self._array.strides)
        return steps if dim is None else steps[dim]

    def storage_offset(self) -> int:
        """Elements of the memory that this is a view of before the first one of its own."""
        if self.is_meta:
            return 0
        start = versions.owner(self._array)
        between: int = self.data_ptr() - tensor_of(start, None).data_ptr()
        return between // self.dtype.itemsize

    def is_contiguous(self, memory_format: dtypes.memory_format | None = None) -> bool:
        """Whether the elements lie in order; for channels_last, with those of dim 1 innermost."""
        array = self._array
        if memory_format in (dtypes.channels_last, dtypes.channels_last_3d):
            wanted = 4 if memory_format is dtypes.channels_last else 5
            return array.ndim == wanted and bool(
                array.transpose(0, *range(2, wanted), 1).flags.c_contiguous)
        return bool(array.flags.c_contiguous)

    def data_ptr(self) -> int:
        """The address of the first element; 0 on the device "meta"."""
        if self.is_meta:
            return 0
        if self.is_cuda:
            return int(self._array.data.ptr)
        return int(self._array.__array_interface__["data"][0])

    @property
    def _version(self) -> int:
        """How often the memory of this Tensor was written in place."""
        return versions.version(self._array)

    def _is_view(self) -> bool:
        return self._base is not None

    # ------------------------------------------------------------ dtype, device, transposes

    def to(self, *args: DTypeLike | DeviceLike | Tensor | None, dtype: DTypeLike | None = None,
           device: DeviceLike | None = None, copy: bool = False, non_blocking: bool = False,
           memory_format: dtypes.memory_format | None = None) -> Tensor:
        """This Tensor as another dtype, on another device, or like another Tensor.

        Itself if nothing changes and `copy` is not set. Gradients flow back through it.

        With `non_blocking` the host does not wait for a copy from pinned memory to a GPU, nor for
        one from a GPU to the CPU: the values are there after `cuda.synchronize()`.
        """
        for arg in args:
            if isinstance(arg, Tensor):
                dtype, device = arg.dtype, arg.device
            elif isinstance(arg, str | devices.device) or isinstance(arg, int) and not isinstance(
                    arg, bool):
                device = arg
            elif isinstance(arg, bool):
                copy = copy or arg
            elif arg is not None:
                dtype = arg
        result = self
        if device is not None:
            where = devices.resolve(device)
            if where != self.device:
                result = ops.move(result, where, non_blocking)
        if dtype is not None and dtypes.resolve(dtype) is not self.dtype:
            wanted = dtypes.resolve(dtype)
            source = result if wanted.is_floating_point else result.detach()
            result = ops.cast(source, wanted.numpy)
        return result.clone() if copy and result is self else result

    def type_as(self, other: Tensor) -> Tensor:
        """This Tensor with the dtype and device of another."""
        return self.to(other)

    def cpu(self, memory_format: dtypes.memory_format | None = None) -> Tensor:
        """This Tensor on the CPU."""
        return self.to(device="cpu")

    def cuda(self, device: DeviceLike | None = None, non_blocking: bool = False,
             memory_format: dtypes.memory_format | None = None) -> Tensor:
        """This Tensor on a GPU: the current one, or that of a number."""
        return self.to(device="cuda" if device is None else device, non_blocking=non_blocking)

    @property
    def T(self) -> Tensor:  # noqa: N802
        """The dims in reverse order; of a matrix, the transpose."""
        return ops.permute(self, tuple(range(self.ndim))[::-1])

    @property
    def mT(self) -> Tensor:  # noqa: N802
        """The last two dims exchanged."""
        if self.ndim < 2:
            raise RuntimeError(f"mT: needs at least 2 dimensions, got shape {tuple(self.shape)}")
        return ops.transpose(self, -1, -2)

    mH = mT  # noqa: N815

    @property
    def H(self) -> Tensor:  # noqa: N802
        """The transpose of a matrix."""
        if self.ndim not in (0, 2):
            raise RuntimeError(f"H: needs a matrix, got shape {tuple(self.shape)}; mH exchanges "
                               "the last two dims")
        return self.T

    # ------------------------------------------------------------ the graph

    def backward(self, gradient: Tensor | None = None, retain_graph: bool | None = None,
                 create_graph: bool = False,
                 inputs: Sequence[Tensor] | Tensor | None = None) -> None:
        """Adds the derivative of this Tensor to the `grad` of every leaf it was computed from.

        Args:
            gradient: the weight of each element; may be left out for one element (it is 1).
            retain_graph: keep what the graph saved, for another backward through it.
            create_graph: record the backward too, so that gradients can be differentiated.
            inputs: the only Tensors whose `grad` is to change; they need not be leaves.

        Raises:
            RuntimeError: see `autograd.backward`.
        """
        try:
            engine.backward(self, gradient, retain_graph, create_graph, inputs)
        except Exception as error:
            shorten(error)
            raise

    def detach(self) -> Tensor:
        """The same values, in the same memory, outside of the graph."""
        return tensor_of(self._array, None)

    def detach_(self) -> Self:
        """Takes this Tensor out of the graph. A view is one no longer: as the result of `detach()`
        it shares the memory of its base, which learns nothing of gradients written through it."""
        if self._base is not None:
            self._leave_memory()
        self._node = None
        return self

    def retain_grad(self) -> None:
        """Lets backward() leave the gradient of this computed Tensor in `grad` too."""
        if self._node is None:
            raise RuntimeError("retain_grad: this Tensor does not require grad")
        if isinstance(self._node, Node) and not self.retains_grad:
            self._node.hooks += (_Retain(self),)

    @property
    def retains_grad(self) -> bool:
        """Whether `retain_grad()` was called on this result."""
        return isinstance(self._node, Node) and any(
            isinstance(h, _Retain) and h.tensor() is self for h in self._node.hooks)

    def register_hook(self, hook: Callable[[Tensor], Tensor | None]) -> RemovableHandle:
        """Calls `hook(gradient)` when the gradient of this Tensor is known.

        A Tensor that it returns replaces the gradient. `remove()` on the result ends it.
        """
        if self._node is None:
            raise RuntimeError("register_hook: this Tensor does not require grad")
        hooks = self._node.hooks
        last = tuple(h for h in hooks if getattr(h, "last", False))  # sees what hooks have made
        self._node.hooks = (*(h for h in hooks if h not in last), hook, *last)
        return RemovableHandle(self._node, hook)

    def register_post_accumulate_grad_hook(self, hook: Callable[[Tensor], None]) -> RemovableHandle:
        """Calls `hook(tensor)` after a backward has added to the `grad` of this leaf.

        The hook may use `grad` and set it to None, for example to make an optimizer's step for
        this leaf alone. backward calls it when all gradients are known.

        Raises:
            RuntimeError: the Tensor does not require grad, or is not a leaf.
        """
        if not isinstance(self._node, Leaf):
            raise RuntimeError("register_post_accumulate_grad_hook: this Tensor is not a leaf that "
                               "requires grad; for a computed Tensor use register_hook()")
        Leaf.with_hooks = True
        self._post_hooks += (hook,)
        return RemovableHandle(self, hook, "_post_hooks")

    # ------------------------------------------------------------ writing in place

    def _write(self, name: str, result: Tensor) -> Self:
        """Puts `result`, computed from this Tensor, into its memory and its place in the graph.

        Raises:
            RuntimeError: as `_check_write`; another shape; a dtype that this one cannot hold.
                Nothing has changed then.
        """
        self._check_write(name)
        if result._array.shape != self._array.shape:
            raise RuntimeError(f"{name}: the result has shape {tuple(result.shape)}, which does "
                               f"not fit into {tuple(self.shape)} in place")
        if result._array.dtype is not self._array.dtype:
            if not dtypes.can_cast(result.dtype, self.dtype):
                raise RuntimeError(f"{name}: a result of {result.dtype} cannot be written into a "
                                   f"Tensor of {self.dtype}")
            result = result.to(self.dtype)
        self._array[...] = result._array
        self._note_write(name, result._array)
        if mode.enabled and (result._node is not None or self._node is not None):
            if self._base is None and result._node is not None:
                self._rebase(result._node)
            else:
                self._overwritten(result._node)
        return self

    def _overwritten(self, value: Node | Leaf | None, window: Any = None) -> None:
        """Changes the graph after the values of the node `value` were written into this Tensor, or
        into the part of it that the array `window` shows."""
        base = self if self._base is None else self._base
        if value is not None or base._node is not None:
            base._rebase(ops.write_node(base, self._array if window is None else window, value))

    def _rebase(self, node: Node | Leaf | None) -> None:
        """Moves this Tensor, which is no view, and its views to where its new values come from."""
        self._move_to(node)
        for reference in tuple(self._views or ()):
            view = reference()
            if view is not None:
                view._move_to(ops.view_node(self, view))

    def _move_to(self, node: Any) -> None:
        """Another place in the graph; the hook of `retain_grad` moves there too."""
        previous, self._node = self._node, node
        if previous is not None and previous.hooks:
            moved = tuple(h for h in previous.hooks
                          if isinstance(h, _Retain) and h.tensor() is self)
            previous.hooks = tuple(h for h in previous.hooks if h not in moved)
            node.hooks += moved

    def _note_write(self, name: str, value: Any = None,
                    index: tuple[Any, ...] = (Ellipsis,)) -> None:
        """Remembers that `name` has just written to this Tensor: an array `value`, broadcast, where
        `index` selects. None is a value that is no array of its own.
        """
        base = self if self._base is None else self._base
        if not base._unnoted:
            versions.note_write(self._array, name)
        if mode.writes is not None:
            mode.writes(self, name, value, index)

    def _check_write(self, name: str, repeated: bool = False) -> None:
        """Checks that this Tensor may be written; with `repeated` also one that repeats elements.

        Raises:
            RuntimeError: read-only memory; an element that shows several times. While operations
                are recorded: a leaf that requires grad, or a view of one, or a view that was made
                while nothing was recorded.
        """
        array = self._array
        if not getattr(array.flags, "writeable", True):  # CuPy's arrays all are
            raise RuntimeError(f"{name}: this memory is read-only: it belongs to an array that is "
                               "not writable; clone() it first")
        if not (array.flags.c_contiguous or repeated or is_nested(array.shape, array.strides)):
            raise RuntimeError(f"{name}: an expanded view, or one of overlapping windows, of shape "
                               f"{tuple(self.shape)} shows an element several times; clone() it "
                               "first")
        if not mode.enabled:
            return
        base = self if self._base is None else self._base
        # A view may be a leaf itself, of a base that does not require grad.
        if base._node.__class__ is Leaf or base._node is None and self._node is not None:
            view = "" if self._node.__class__ is Leaf else "a view of "
            raise RuntimeError(
                f"{name}: {view}a leaf that requires grad would be changed in place while "
                "operations are recorded; do it under no_grad(), or use the out-of-place form")
        if self._node is None and base._node is not None:
            raise RuntimeError(
                f"{name}: a view that was made under no_grad() would be changed in place while "
                "operations are recorded, and its base would not learn of it; make the view "
                "outside of no_grad(), or write to it inside")

    def _reshape_in_place(self, view: Tensor) -> None:
        """Takes the array, and the place in the graph, of a view of the whole of this Tensor.

        No value changes, so a Tensor that was computed stays in the graph, whatever the mode.
        """
        array, self._array = self._array, view._array
        if isinstance(self._node, Node):
            if self._base is None:
                self._rebase(view._node)
            else:
                self._move_to(view._node)
        elif self._node is not None and (array.shape, array.strides) != (
                view._array.shape, view._array.strides):
            self._replace_leaf()

    def _replace_leaf(self) -> None:
        """Makes a new leaf for another array. Graphs of before lead to a gradient for that one."""
        previous: Any = self._node
        self._node = Leaf(self)
        self._node.hooks, previous.hooks = previous.hooks, (_refuse_reshaped,)

    def _leave_memory(self) -> None:
        """Ends what ties this Tensor to its memory: it shows another's from here on.

        A base without a name takes its place for the views.
        """
        if self._base is not None:
            views: Any = self._base._views
            views.difference_update([reference for reference in views if reference() is self])
            del self._base
        elif self._views:
            base = tensor_of(self._array, self._node)
            base._views, self._views = self._views, None
            for reference in tuple(base._views):
                view = reference()
                if view is not None:
                    view._base = base

    def _snapshot(self) -> Tensor:
        """The present values, at the same place in the graph, safe from later writes."""
        return tensor_of(self._array.copy(), self._node)

    def set_(self, source: Tensor | None = None, storage_offset: int = 0, size: Any = None,
             stride: Any = None) -> Self:
        """Shares the memory of `source` from now on: all of it, or `as_strided` elements of a size.
        Without a source this Tensor becomes empty.
        """
        memory: Any = source
        if source is None:
            memory = self.detach().new_empty(0)  # type: ignore[attr-defined]
        elif size is not None:
            steps = stride or [math.prod(size[i + 1:]) for i in range(len(size))]
            memory = memory.as_strided(size, steps, storage_offset)
        self.data = memory
        return self

    # ------------------------------------------------------------ crossing over

    def numpy(self, *, force: bool = False) -> NumPyArray:
        """The values as a NumPy array that shares memory with this Tensor.

        Of bfloat16 it has the dtype of ml_dtypes, where PyTorch raises TypeError.

        Raises:
            RuntimeError: the Tensor requires grad while gradients are recorded, and `force` is not
                set (it detaches, and copies to the CPU).
            TypeError: the Tensor is on a GPU, and `force` is not set.
        """
        if not force:
            if self._node is not None and mode.enabled:
                raise RuntimeError("numpy: this Tensor requires grad; use .detach().numpy()")
            if self.is_cuda:
                raise TypeError(f"numpy: this Tensor is on {self.device}; use .cpu().numpy()")
        array = devices.to_numpy(self._array)
        return array.view() if array is self._array else array

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NumPyArray:
        array = self.numpy()
        if dtype is not None and array.dtype != dtype:
            return array.astype(dtype)
        return array.copy() if copy else array

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **options: Any) -> Any:
        """`numpy.exp(tensor)` and `array * tensor` are the ops of that name, and recorded.

        Other functions and forms, such as `scipy.special.erfcx(tensor)`, `numpy.add.reduce(tensor)`
        and `array += tensor`, run on the arrays and give Tensors without a gradient, or what `out`
        is.
        """
        function = getattr(graph.tensors, ufunc.__name__, None)
        if method != "__call__" or options or function is None:
            return _on_arrays(ufunc, method, inputs, options)
        if ufunc in COMPARISONS:  # NumPy passes a scalar on their left as a 0-d array
            inputs = tuple(x[()] if isinstance(x, numpy.ndarray) and not x.ndim else x
                           for x in inputs)
        return function(*inputs)

    def __dlpack__(self, **options: Any) -> Any:
        if self._node is not None:
            raise BufferError("__dlpack__: this Tensor requires grad; use .detach()")
        if self.dtype is dtypes.bfloat16:
            raise BufferError("__dlpack__: NumPy cannot hand on bfloat16; exchange the bits, "
                              "x.view(int16), and view them as bfloat16 on the other side")
        return self._array.__dlpack__(**options)

    def __dlpack_device__(self) -> Any:
        return self._array.__dlpack_device__()

    def item(self) -> Number:
        """The only element, as a Python number.

        Raises:
            RuntimeError: there is not exactly one.
        """
        if self._array.size != 1:
            raise RuntimeError(f"item: a Tensor of shape {tuple(self.shape)} has "
                               f"{self.numel()} elements; only one can become a number")
        number = self._array.item()
        if Reading.wanted:
            self._read_checks()
        return number

    def _read_checks(self) -> None:
        """Raises what a check on the GPU has found, see `autograd/deferred.py`."""
        if self.is_cuda:
            devices.read_checks()

    def tolist(self) -> Any:
        """Nested lists of Python numbers, or one number."""
        return devices.to_numpy(self._array).tolist()

    def __float__(self) -> float:
        self._check_single()
        if self._node is not None and mode.enabled:
            warn_of_float()
        number = self._array.item()
        if Reading.wanted:
            self._read_checks()
        return float(number)

    def __int__(self) -> int:
        self._check_single()
        return int(self.item())

    def _check_single(self) -> None:
        """The errors are of the kinds that Python's functions, and matplotlib, expect."""
        if self._array.size != 1:
            raise ValueError(f"a Tensor of shape {tuple(self.shape)} has {self.numel()} elements; "
                             "only one can become a number")

    def __index__(self) -> int:
        if self.dtype.is_floating_point or self._array.size != 1:
            raise TypeError("an index must be an integer Tensor of one element, got shape "
                            f"{tuple(self.shape)} of {self.dtype}")
        return int(self.item())

    def __bool__(self) -> bool:
        if self._array.size != 1:
            raise RuntimeError(
                f"the truth value of a Tensor of shape {tuple(self.shape)} is ambiguous; "
                "use .any() or .all()")
        return bool(self.item())

    def __format__(self, spec: str) -> str:
        if not self.ndim and (spec or not self.is_meta):
            return format(self.item(), spec)
        if spec:
            raise TypeError(f"a Tensor of shape {tuple(self.shape)} cannot be formatted as "
                            f"{spec!r}, which is for one number; see set_printoptions()")
        return str(self)

    def __len__(self) -> int:
        if not self.ndim:
            raise TypeError("len() of a 0-d Tensor")
        return self._array.shape[0]

    def __iter__(self) -> Iterator[Tensor]:
        if not self.ndim:
            raise TypeError("iteration over a 0-d Tensor")
        return iter(self.unbind(0))

    def __contains__(self, element: object) -> bool:
        return bool((self == element).any())

    if not TYPE_CHECKING:  # checkers report unknown names themselves
        def __getattr__(self, name: str) -> Any:
            raise absent.AbsentName("Tensor", name, lambda: dir(type(self)))

    __hash__ = object.__hash__  # `==` compares elements, sets and dicts go by identity

    def __repr__(self) -> str:
        return tensor_str(self)

    def __deepcopy__(self, memo: dict[int, Any]) -> Tensor:
        """A leaf with its own memory. Copies of Tensors that share memory, made in one deepcopy,
        share it too: the whole memory of a view is copied, as in PyTorch.

        Raises:
            RuntimeError: the Tensor was computed: its graph cannot be copied.
        """
        if isinstance(self._node, Node):
            raise RuntimeError("deepcopy: only leaves can be copied; this Tensor was computed by "
                               f"{self._node.name()}; use .detach().clone()")
        copy = object.__new__(type(self))
        memo[id(self)] = copy
        copy.__dict__.update(deepcopy(Tensor.__getstate__(self), memo))
        copy._array = deep_copied(self._array, memo)
        copy._grad = None if self._grad is None else self._grad.detach().clone()
        copy._node = None if self._node is None else Leaf(copy)
        return copy

    def __getstate__(self) -> dict[str, Any]:
        """The attributes that a program has given to the Tensor; copies and pickles have them."""
        return {name: value for name, value in vars(self).items() if name not in OWN}

    def __reduce__(self) -> Any:
        if isinstance(self._node, Node):
            raise RuntimeError("pickle: only leaves can be pickled, graphs cannot; use .detach()")
        array = _OnGpu(self._array) if self.is_cuda else self._array
        made = type(self), array, self.requires_grad, str(self.device)
        return _rebuild, made, self.__getstate__() or None


# The attributes that the engine gives to a Tensor.
OWN = frozenset(vars(Tensor)["__annotations__"])


def _on_arrays(ufunc: Any, method: str, inputs: tuple[Any, ...], options: dict[str, Any]) -> Any:
    """A function of NumPy on the arrays of Tensors.

    Raises:
        RuntimeError: a Tensor requires grad.
        TypeError: a Tensor is on a GPU, or Tensors do not support the dtype of a result.
    """
    outs = options.get("out", ())
    if outs:
        for x in outs:
            if isinstance(x, Tensor):
                x._check_write(ufunc.__name__)
        options = {**options, "out": tuple(_array_of(x) for x in outs)}
    result = getattr(ufunc, method)(*map(_array_of, inputs), **options)
    for x in outs:
        if isinstance(x, Tensor):
            x._note_write(ufunc.__name__)
    if outs:
        return outs[0] if len(outs) == 1 else outs
    if isinstance(result, tuple):
        return tuple(ops.tensor(part) for part in result)
    return None if result is None else ops.tensor(result)


def _array_of(x: Any) -> Any:
    return x.numpy() if isinstance(x, Tensor) else x


class _Retain:
    """The hook of retain_grad: it must not keep the Tensor alive."""

    last = True

    def __init__(self, tensor: Tensor):
        self.tensor = weakref.ref(tensor)

    def __call__(self, g: Tensor) -> None:
        tensor = self.tensor()
        if tensor is not None:
            tensor._grad = g.clone() if tensor._grad is None else tensor._grad + g


def _refuse_reshaped(g: Tensor) -> None:
    """The hook of a leaf that its Tensor has left, see `Tensor._replace_leaf`."""
    raise RuntimeError(
        f"backward: a gradient of shape {tuple(g.shape)} arrives at a leaf that was given another "
        "shape in place (by t_(), data = ... or a relative) after it was used; run the forward "
        "again")


class RemovableHandle:
    """What registering a hook returns; `remove()` takes it off again."""

    def __init__(self, holder: Node | Leaf | Tensor, hook: Callable[..., Any],
                 attribute: str = "hooks"):
        self.holder, self.hook, self.attribute = weakref.ref(holder), hook, attribute

    def remove(self) -> None:
        holder = self.holder()
        if holder is not None:
            hooks = getattr(holder, self.attribute)
            setattr(holder, self.attribute, tuple(h for h in hooks if h is not self.hook))

    def __enter__(self) -> RemovableHandle:
        return self

    def __exit__(self, *exception: object) -> None:
        self.remove()


def is_nested(shape: tuple[int, ...], strides: tuple[int, ...]) -> bool:
    """Whether every stride steps over all that the smaller ones reach: no element shows twice."""
    reach = 0
    for stride, size in sorted((abs(s), n) for s, n in zip(strides, shape, strict=True) if n > 1):
        if stride <= reach:
            return False
        reach += stride * (size - 1)
    return True


class _OnGpu:
    """An array on a GPU, which `copy.copy` shares and pickle saves as NumPy's."""

    def __init__(self, array: Any):
        self.array = array

    def __reduce__(self) -> Any:
        return numpy.asarray, (devices.to_numpy(self.array),)


def _rebuild(kind: type, array: Any, requires_grad: bool, device: str = "cpu") -> Tensor:
    tensor: Any = object.__new__(kind)
    array = array.array if isinstance(array, _OnGpu) else array
    tensor._array, tensor._node = devices.to_device(array, devices.device(device)), None
    tensor.requires_grad = requires_grad
    return tensor


graph.Tensor = Tensor
