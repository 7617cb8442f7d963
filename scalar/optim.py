"""Optimizers, with PyTorch's names and semantics."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from numbers import Real
from typing import Any

from . import ieee
from .engine import Value

Group = dict[str, Any]


class Optimizer:
    """The base class: parameter groups with their options, and a state for each parameter.

    params is an iterable of Values, or of dicts {"params": [...], "lr": ...}; an option that a
    dict lacks has the default. A program may change `param_groups` between steps.

    Raises:
        TypeError: params is not such an iterable, or an option is not a number.
        ValueError: there are no parameters; a parameter appears twice or is the result of an
            operation; an option is out of its range.
    """

    def __init__(self, params: Iterable[Value] | Iterable[Group], **defaults: Any) -> None:
        if isinstance(params, Value) or not isinstance(params, Iterable):
            raise TypeError(f"{self._name}: params should be an iterable of Values or dicts, "
                            f"got {type(params).__name__}; for a model, pass model.parameters()")
        entries: list[Any] = list(params)
        if not entries:
            raise ValueError(f"{self._name}: optimizer got an empty parameter list")
        self.defaults = defaults
        self.state: dict[Value, dict[str, Any]] = {}
        self.param_groups: list[Group] = []
        for group in entries if isinstance(entries[0], dict) else [{"params": entries}]:
            self.add_param_group(group)

    def add_param_group(self, param_group: Group) -> None:
        """Adds a group of parameters, for example a layer that was fixed before."""
        params = param_group["params"]
        group = {**self.defaults, **param_group,
                 "params": [params] if isinstance(params, Value) else list(params)}
        known = {p for other in self.param_groups for p in other["params"]}
        for p in group["params"]:
            if not isinstance(p, Value):
                raise TypeError(f"{self._name}: can only optimize Values, got {type(p).__name__}")
            if p._prev:
                raise ValueError(f"{self._name}: can't optimize {p!r}: it is the result of "
                                 f"{p._op!r}, not a leaf")
            if p in known:
                raise ValueError(f"{self._name}: some parameters appear more than once: {p!r}")
            known.add(p)
        self._check(group)
        self.param_groups.append(group)

    def zero_grad(self) -> None:
        """Sets the grads of all parameters to 0."""
        for group in self.param_groups:
            for p in group["params"]:
                p.grad = 0.0

    def step(self) -> None:
        """Updates the data of every parameter from its grad."""
        for group in self.param_groups:
            for p in group["params"]:
                self._update(p, group, self.state.setdefault(p, {}))

    def state_dict(self) -> dict[str, Any]:
        """Options and state as plain data. Parameters have numbers, in the order of the groups."""
        params = [p for group in self.param_groups for p in group["params"]]
        number = {p: i for i, p in enumerate(params)}
        return {
            "state": {i: dict(self.state[p]) for p, i in number.items() if self.state.get(p)},
            "param_groups": [{**group, "params": [number[p] for p in group["params"]]}
                             for group in self.param_groups],
        }

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Restores the options and the state of a state_dict.

        Raises ValueError if the number of groups or their sizes differ; nothing is loaded then.
        """
        groups = state_dict["param_groups"]
        own, given = ([len(g["params"]) for g in gs] for gs in (self.param_groups, groups))
        if own != given:
            raise ValueError(f"{self._name}: the state_dict has parameter groups of the sizes "
                             f"{given}, the optimizer {own}")
        params = [p for group in self.param_groups for p in group["params"]]
        state = {params[int(i)]: dict(entry) for i, entry in state_dict["state"].items()}
        for group, new in zip(self.param_groups, groups, strict=True):
            group.update({option: x for option, x in new.items() if option != "params"})
        self.state = state

    @property
    def _name(self) -> str:
        return type(self).__name__

    def _check(self, group: Group) -> None:
        raise NotImplementedError

    def _check_numbers(self, group: Group, *options: str) -> None:
        for option in options:
            if not isinstance(group[option], Real):
                raise TypeError(f"{self._name}: {option} must be a number, got "
                                f"{type(group[option]).__name__} {group[option]!r}")

    def _check_at_least_0(self, group: Group, **names: str) -> None:
        self._check_numbers(group, *names)
        for option, name in names.items():
            if not group[option] >= 0:
                raise ValueError(f"Invalid {name}: {group[option]}; it must be at least 0")

    def _update(self, p: Value, group: Group, state: dict[str, Any]) -> None:
        raise NotImplementedError


class SGD(Optimizer):
    """Gradient descent, optionally with momentum (Polyak 1964; Nesterov's as in Sutskever 2013).

        g ← grad + weight_decay · p
        b ← momentum · b + (1 - dampening) · g      (in the first step b ← g)
        p ← p - lr · b                              (nesterov: p - lr · (g + momentum · b))

    Raises ValueError if an option is negative, or if nesterov has no momentum or has dampening.
    """

    def __init__(self, params: Iterable[Value] | Iterable[Group], lr: float = 1e-3,
                 momentum: float = 0, dampening: float = 0, weight_decay: float = 0,
                 nesterov: bool = False) -> None:
        super().__init__(params, lr=lr, momentum=momentum, dampening=dampening,
                         weight_decay=weight_decay, nesterov=nesterov)

    def _check(self, group: Group) -> None:
        self._check_numbers(group, "dampening")
        self._check_at_least_0(group, lr="learning rate", momentum="momentum value",
                               weight_decay="weight_decay value")
        if group["nesterov"] and (group["momentum"] <= 0 or group["dampening"] != 0):
            raise ValueError("Nesterov momentum requires a momentum and zero dampening, got "
                             f"momentum {group['momentum']}, dampening {group['dampening']}")

    def _update(self, p: Value, group: Group, state: dict[str, Any]) -> None:
        momentum = group["momentum"]
        g = p.grad + group["weight_decay"] * p.data if group["weight_decay"] else p.grad
        if momentum:
            buffer = g
            if "momentum_buffer" in state:
                buffer = momentum * state["momentum_buffer"] + (1 - group["dampening"]) * g
            state["momentum_buffer"] = buffer
            g = g + momentum * buffer if group["nesterov"] else buffer
        p.data -= group["lr"] * g


class Adam(Optimizer):
    """Steps of about lr, independent of the gradient's scale (Kingma and Ba 2015, algorithm 1).

        g ← grad + weight_decay · p
        m ← β1 · m + (1 - β1) · g
        v ← β2 · v + (1 - β2) · g²
        p ← p - lr · m / (1 - β1ᵗ) / (√(v / (1 - β2ᵗ)) + eps)      at step t = 1, 2, ...

    Raises ValueError if lr, eps or weight_decay is negative, or if a beta is not in [0, 1).
    """

    def __init__(self, params: Iterable[Value] | Iterable[Group], lr: float = 1e-3,
                 betas: tuple[float, float] = (0.9, 0.999), eps: float = 1e-8,
                 weight_decay: float = 0) -> None:
        super().__init__(params, lr=lr, betas=betas, eps=eps, weight_decay=weight_decay)

    def _check(self, group: Group) -> None:
        self._check_at_least_0(group, lr="learning rate", eps="epsilon value",
                               weight_decay="weight_decay value")
        betas = group["betas"]
        if not isinstance(betas, (list, tuple)) or len(betas) != 2:
            raise TypeError(f"{self._name}: betas must be two numbers, got {betas!r}")
        for i, beta in enumerate(betas):
            self._check_numbers({f"betas[{i}]": beta}, f"betas[{i}]")
            if not 0 <= beta < 1:
                raise ValueError(f"Invalid beta parameter at index {i}: {beta}; it must be in "
                                 "[0, 1)")

    def _update(self, p: Value, group: Group, state: dict[str, Any]) -> None:
        beta1, beta2 = group["betas"]
        g = p.grad + group["weight_decay"] * p.data if group["weight_decay"] else p.grad
        t = state["step"] = state.get("step", 0) + 1
        m = state["exp_avg"] = beta1 * state.get("exp_avg", 0.0) + (1 - beta1) * g
        v = state["exp_avg_sq"] = beta2 * state.get("exp_avg_sq", 0.0) + (1 - beta2) * g * g
        scale = ieee.sqrt(v) / ieee.sqrt(1 - beta2**t) + group["eps"]
        p.data -= group["lr"] / (1 - beta1**t) * ieee.divide(m, scale)
