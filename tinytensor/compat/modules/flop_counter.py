"""`torch.utils.flop_counter`: the floating point operations of a model's forward, by module."""

from __future__ import annotations

import collections
import contextlib
import functools
from collections.abc import Callable, Iterator
from typing import Any, Self

from ...autograd.op import Op
from ...nn.module import Module
from ...utils.summaries import WORK, observed


class FlopCounterMode:
    """Within, adds up the floating point operations of forwards: two for a multiply-add of a
    product, a convolution, attention or a recurrent layer, and none for others, as PyTorch counts.

    What a backward computes is not counted. If one runs inside, the totals raise RuntimeError.

    Args:
        mods: is not needed.
        depth: of the modules in the table.
        display: whether the table is printed at the end.
        custom_mapping: formulas of other operations, which must be empty.
    """

    def __init__(self, mods: Any = None, depth: int | None = 2, display: bool = True,
                 custom_mapping: dict[Any, Any] | None = None):
        if custom_mapping:
            raise NotImplementedError("FlopCounterMode: custom_mapping is not supported")
        self.depth, self.display = depth, display
        self.flop_counts: dict[str, dict[Any, int]] = {}
        self.backward = False  # whether one ran inside

    def __enter__(self) -> Self:
        self.flop_counts, self.backward = {}, False
        self._running = ["Global"]
        computing: list[Op] = []
        with contextlib.ExitStack() as stack:
            stack.enter_context(self._calls())
            for operation, count in WORK.items():
                stack.enter_context(observed(operation.op, functools.partial(
                    self._see, operation, count), computing))
                stack.enter_context(self._rules(operation.op))
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *error: Any) -> None:
        self._stack.close()
        if self.display and error[0] is None:
            print(self.get_table())

    def _see(self, operation: Any, count: Callable[..., int], *arrays: Any) -> None:
        flops = 2 * int(count(*arrays))
        for name in dict.fromkeys(self._running):
            counts = self.flop_counts.setdefault(name, collections.Counter())
            counts[operation] += flops

    @contextlib.contextmanager
    def _calls(self) -> Iterator[None]:
        """Within, knows which modules are running: by hooks, which a module gets with the first
        call of the model that it belongs to.
        """
        kind: Any = Module
        call = kind.__call__
        handles: list[Any] = []
        names: dict[Module, str] = {}  # Model.layer.part, from the module called first

        def enter(module: Module, _: Any) -> None:
            self._running.append(names[module])

        def leave(*_: Any) -> None:
            self._running.pop()

        @functools.wraps(call)
        def counted(module: Any, *args: Any, **kwargs: Any) -> Any:
            if module not in names:
                root = type(module).__name__
                for path, inner in module.named_modules():
                    if inner not in names:
                        names[inner] = f"{root}.{path}" if path else root
                        handles.extend((
                            inner.register_forward_pre_hook(enter, prepend=True),
                            inner.register_forward_hook(leave, always_call=True)))
            return call(module, *args, **kwargs)

        kind.__call__ = counted
        try:
            yield
        finally:
            kind.__call__ = call
            for handle in handles:
                handle.remove()

    @contextlib.contextmanager
    def _rules(self, op: Op) -> Iterator[None]:
        """Within, notices that a derivative rule of `op` runs."""
        rules = dict(op.rules)

        def noticed(rule: Callable[..., Any]) -> Callable[..., Any]:
            @functools.wraps(rule)
            def run(*args: Any, **kwargs: Any) -> Any:
                self.backward = True
                return rule(*args, **kwargs)

            return run

        kernels = op.kernels
        op.kernels = {names: kernel for names, kernel in kernels.items() if not names}
        op.rules = {names: noticed(rule) for names, rule in rules.items()}
        op.changed()
        try:
            yield
        finally:
            op.rules, op.kernels = rules, kernels
            op.changed()

    def get_flop_counts(self) -> dict[str, dict[Any, int]]:
        """The operations of each module, and of all under "Global", by the function that did them.

        Raises:
            RuntimeError: a backward ran inside.
        """
        if self.backward:
            raise RuntimeError("FlopCounterMode counts the forward only, and a backward ran inside "
                               "of it; call backward() after the block")
        return {name: dict(counts) for name, counts in self.flop_counts.items()}

    def get_total_flops(self) -> int:
        """The operations of all modules. Errors as `get_flop_counts`."""
        return sum(self.get_flop_counts().get("Global", {}).values())

    def get_table(self, depth: int | None = None) -> str:
        """The modules down to a depth with their operations, in lines. Errors as
        `get_flop_counts`.
        """
        depth = self.depth if depth is None else depth
        total = self.get_total_flops()
        lines = [f"{'module':<40} {'FLOP':>16} {'% of all':>9}"]
        for name, counts in self.flop_counts.items():
            level = 0 if name == "Global" else name.count(".") + 1
            if depth is None or level <= depth:
                flops = sum(counts.values())
                lines.append(f"{' ' * level + name:<40} {flops:>16,} "
                             f"{flops / total if total else 0:>9.2%}")
        return "\n".join(lines)
