"""The base class of distributions: shapes, checks of parameters and values."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, ClassVar, TypeAlias

from .. import ops
from ..arrays import dtypes
from ..arrays.numbers import is_number
from ..autograd.modes import enable_grad, no_grad
from ..tensors.creation import tensor
from ..tensors.tensor import Size, Tensor
from . import constraints
from .constraints import Constraint

functions: Any = ops.names_for("")
broadcast_tensors = functions["broadcast_tensors"]

Number: TypeAlias = Tensor | float  # a parameter of a distribution



class Distribution:
    """The base class of all distributions.

    batch_shape is the shape of a batch of independent distributions, event_shape that of one
    value. sample(shape) has the shape shape + batch_shape + event_shape. log_prob(value) has the
    shape to which value's shape, without event_shape, and batch_shape broadcast.

    Args:
        validate_args: whether parameters and values are checked; by default True.
    """

    arg_constraints: ClassVar[dict[str, Constraint]] = {}
    has_rsample = False
    has_enumerate_support = False
    _validate_args = __debug__

    @staticmethod
    def set_default_validate_args(value: bool) -> None:
        """Sets the default of `validate_args`."""
        if value not in (True, False):
            raise ValueError(f"set_default_validate_args: expected a bool, got {value!r}")
        Distribution._validate_args = value

    def __init__(self, batch_shape: Sequence[int] = (), event_shape: Sequence[int] = (),
                 validate_args: bool | None = None):
        self._batch_shape, self._event_shape = Size(batch_shape), Size(event_shape)
        if validate_args is not None:
            self._validate_args = validate_args
        if self._validate_args:
            for name, constraint in self.arg_constraints.items():
                if name in vars(self) and not constraints.is_dependent(constraint) \
                        and not bool(constraint.check(getattr(self, name)).all()):
                    raise ValueError(f"{type(self).__name__}: {name} must be {constraint}, got "
                                     f"{getattr(self, name)}")

    @property
    def batch_shape(self) -> Size:
        return self._batch_shape

    @property
    def event_shape(self) -> Size:
        return self._event_shape

    @property
    def support(self) -> Constraint:
        """The condition that values fulfil."""
        raise NotImplementedError

    @property
    def mean(self) -> Tensor:
        raise NotImplementedError

    @property
    def mode(self) -> Tensor:
        """The most probable value."""
        raise NotImplementedError

    @property
    def variance(self) -> Tensor:
        raise NotImplementedError

    @property
    def stddev(self) -> Tensor:
        return self.variance.sqrt()

    def sample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        """Draws values, without a graph."""
        with no_grad():
            return self.rsample(sample_shape)

    def rsample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        """Draws values that are differentiable with respect to the parameters (reparameterised)."""
        raise NotImplementedError(f"{type(self).__name__}.rsample: a sample is not a "
                                  "differentiable function of the parameters; use sample() and "
                                  "log_prob(sample) in the loss")

    def log_prob(self, value: Tensor) -> Tensor:
        """The logarithm of the density, or of the probability, of a value."""
        raise NotImplementedError

    def cdf(self, value: Tensor) -> Tensor:
        """The probability of a value of at most `value`."""
        raise NotImplementedError

    def icdf(self, value: Tensor) -> Tensor:
        """The inverse of cdf."""
        raise NotImplementedError

    def entropy(self) -> Tensor:
        raise NotImplementedError

    def perplexity(self) -> Tensor:
        """e ** entropy."""
        return self.entropy().exp()

    def enumerate_support(self, expand: bool = True) -> Tensor:
        """All possible values, along the first dim."""
        raise NotImplementedError

    def expand(self, batch_shape: Sequence[int], _instance: Any = None) -> Any:
        """This distribution with its parameters expanded to a batch shape."""
        raise NotImplementedError

    # ------------------------------------------------------------ for subclasses

    def _extended_shape(self, sample_shape: Sequence[int] = ()) -> Size:
        return Size((*sample_shape, *self._batch_shape, *self._event_shape))

    def _validate_sample(self, value: Tensor) -> None:
        """Raises ValueError if the value is impossible or its shape does not broadcast."""
        name = type(self).__name__
        if not isinstance(value, Tensor):
            raise ValueError(f"{name}: the value argument to log_prob must be a Tensor, got "
                             f"{type(value).__name__}")
        expected, event = self._extended_shape(), self._event_shape
        if value.shape[value.ndim - len(event):] != event or value.ndim < len(event):
            raise ValueError(f"{name}: the last sizes of a value must be event_shape "
                             f"{tuple(event)}, got shape {tuple(value.shape)}")
        for i, j in zip(reversed(value.shape), reversed(expected), strict=False):
            if i != 1 and j != 1 and i != j:
                raise ValueError(f"{name}: a value of shape {tuple(value.shape)} does not "
                                 f"broadcast with batch_shape + event_shape {tuple(expected)}")
        support = self.support
        if not bool(support.check(value).all()):
            raise ValueError(f"{name}: values must be {support}, got {value}")

    def _get_checked_instance(self, cls: type, _instance: Any = None) -> Any:
        """What `expand` of a class fills: an instance without attributes, or the given one.

        Raises:
            NotImplementedError: a subclass has an `__init__` of its own, but no `expand`.
        """
        if _instance is None and type(self).__init__ is not cls.__init__:  # type: ignore[misc]
            raise NotImplementedError(f"{type(self).__name__}: a subclass of {cls.__name__} with "
                                      "another __init__ must define expand too")
        return type(self).__new__(type(self)) if _instance is None else _instance

    def _expanded(self, batch_shape: Sequence[int], _instance: Any,
                  event_shape: Sequence[int] = (), **parameters: Tensor) -> Any:
        """A distribution of this type with expanded parameters, which are not checked again."""
        new = object.__new__(type(self)) if _instance is None else _instance
        for name, parameter in parameters.items():
            vars(new)[name] = parameter.expand((*batch_shape, *event_shape))
        Distribution.__init__(new, batch_shape, (), validate_args=False)
        new._validate_args = self._validate_args
        return new

    def __repr__(self) -> str:
        given = [(name, vars(self)[name]) for name in self.arg_constraints if name in vars(self)]
        return f"{type(self).__name__}({', '.join(f'{n}: {_brief(t)}' for n, t in given)})"


class Derived:
    """An attribute that is computed from others at the first access, with gradients recorded."""

    def __init__(self, compute: Callable[[Any], Tensor]):
        self.compute = compute
        self.__doc__ = compute.__doc__

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    def __get__(self, instance: Any, owner: type | None = None) -> Any:
        if instance is None:
            return self
        with enable_grad():
            value = self.compute(instance)
        vars(instance)[self.name] = value  # an instance attribute takes precedence
        return value


def one_of(name: str, probs: Any, logits: Any) -> None:
    """Raises ValueError unless exactly one of them is given."""
    if (probs is None) == (logits is None):
        raise ValueError(f"{name}: Either `probs` or `logits` must be specified, but not both.")


def broadcast_all(name: str, *values: Any) -> tuple[Tensor, ...]:
    """Broadcasts numbers and Tensors to Tensors of one shape; numbers get the first Tensor's dtype.

    Raises:
        ValueError: a value that is neither.
    """
    wrong = [type(v).__name__ for v in values if not isinstance(v, Tensor) and not is_number(v)]
    if wrong:
        raise ValueError(f"{name}: parameters must be numbers or Tensors, got {', '.join(wrong)}")
    like = next((v for v in values if isinstance(v, Tensor)), None)
    dtype = dtypes.get_default_dtype() if like is None else like.dtype
    where = None if like is None else like.device
    return broadcast_tensors(*[v if isinstance(v, Tensor) else tensor(v, dtype=dtype, device=where)
                               for v in values])


def clamp_probs(probs: Tensor) -> Tensor:
    """Clamps probabilities away from 0 and 1, so that their logarithms are finite."""
    eps = dtypes.finfo(probs.dtype).eps
    return probs.clamp(min=eps, max=1 - eps)


def _brief(parameter: Tensor) -> Any:
    return parameter if parameter.numel() == 1 else parameter.shape
