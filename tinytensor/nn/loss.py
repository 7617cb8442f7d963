"""Loss modules. Each calls the function of `nn.functional` that its class names."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import KW_ONLY
from typing import Any

from ..compat import older_forms
from ..tensors.tensor import Tensor
from .function_module import FunctionModule
from .module import Module


class Loss(FunctionModule, shown=()):
    """A loss. `size_average` and `reduce`, the older form of `reduction`, are accepted too.

    A loss of a program that derives from this class passes on (size_average, reduce, reduction).
    """

    def __init__(self, *args: Any, **kwargs: Any):
        if hasattr(self, "function"):
            args, kwargs = older_forms.loss_arguments(self, args, kwargs)
            super().__init__(*args, **kwargs)
        else:
            Module.__init__(self)
            self.reduction = self._reduction(*args, **kwargs)

    @staticmethod
    def _reduction(size_average: bool | None = None, reduce: bool | None = None,
                   reduction: str = "mean") -> str:
        flagged = size_average is not None or reduce is not None
        return older_forms.reduction_of(size_average, reduce) if flagged else reduction


class WeightedLoss(Loss, shown=()):
    """A loss with weights of classes or elements, a buffer.

    A loss of a program that derives from this class passes on (weight, size_average, reduce,
    reduction).
    """

    def __init__(self, *args: Any, **kwargs: Any):
        if hasattr(self, "function"):
            super().__init__(*args, **kwargs)
            return
        weight, *args_ = args or (kwargs.pop("weight", None),)
        super().__init__(*args_, **kwargs)
        self.register_buffer("weight", weight)


class L1Loss(Loss, function="l1_loss"):
    """abs(input - target). Shapes: (*), (*) -> (), or (*) for reduction "none"."""

    _: KW_ONLY
    reduction: str = "mean"


class MSELoss(Loss, function="mse_loss"):
    """(input - target)². Shapes: (*), (*) -> (), or (*) for reduction "none"."""

    _: KW_ONLY
    reduction: str = "mean"


class SmoothL1Loss(Loss, function="smooth_l1_loss"):
    """error² / (2 beta) where abs(error) < beta, abs(error) - beta / 2 elsewhere.

    Shapes: (*), (*) -> (), or (*) for reduction "none". Girshick 2015.
    """

    _: KW_ONLY
    reduction: str = "mean"
    beta: float = 1.0


class HuberLoss(Loss, function="huber_loss"):
    """error² / 2 where abs(error) < delta, delta (abs(error) - delta / 2) elsewhere.

    Shapes: (*), (*) -> (), or (*) for reduction "none". Huber 1964.
    """

    reduction: str = "mean"
    delta: float = 1.0


class CrossEntropyLoss(WeightedLoss, function="cross_entropy"):
    """-log softmax(input)[target], for scores before the softmax.

    Shapes: (N, C, *), (N, *) labels or (N, C, *) probabilities -> (), or (N, *) for reduction
    "none".
    """

    weight: Tensor | None = None
    _: KW_ONLY
    ignore_index: int = -100
    reduction: str = "mean"
    label_smoothing: float = 0.0


class NLLLoss(WeightedLoss, function="nll_loss"):
    """-input[target], for log-probabilities.

    Shapes: (N, C, *), (N, *) labels -> (), or (N, *) for reduction "none".
    """

    weight: Tensor | None = None
    _: KW_ONLY
    ignore_index: int = -100
    reduction: str = "mean"


class BCELoss(WeightedLoss, function="binary_cross_entropy"):
    """-(y log p + (1 - y) log(1 - p)), for probabilities.

    Shapes: (*), (*) -> (), or (*) for reduction "none".
    """

    weight: Tensor | None = None
    _: KW_ONLY
    reduction: str = "mean"


class BCEWithLogitsLoss(Loss, function="binary_cross_entropy_with_logits"):
    """BCELoss of sigmoid(input), without overflow: for scores.

    Shapes: (*), (*) -> (), or (*) for reduction "none".
    """

    weight: Tensor | None = None
    _: KW_ONLY
    reduction: str = "mean"
    pos_weight: Tensor | None = None


class KLDivLoss(Loss, function="kl_div"):
    """target (log target - input), for an input of log-probabilities.

    Shapes: (*), (*) -> (), or (*) for reduction "none". reduction="batchmean" is the divergence.
    """

    _: KW_ONLY
    reduction: str = "mean"
    log_target: bool = False


class PoissonNLLLoss(Loss, function="poisson_nll_loss"):
    """e**input - target input, where input is the logarithm of a rate; with log_input=False
    input - target log input.

    Shapes: (*), (*) -> (), or (*) for reduction "none".
    """

    log_input: bool = True
    full: bool = False
    _: KW_ONLY
    eps: float = 1e-8
    reduction: str = "mean"


class GaussianNLLLoss(Loss, function="gaussian_nll_loss", keyword_only=True):
    """(log var + (input - target)² / var) / 2. Shapes: (*), (*), var (*) -> (), or (*).

    Nix and Weigend 1994.
    """

    full: bool = False
    eps: float = 1e-6
    reduction: str = "mean"


class HingeEmbeddingLoss(Loss, function="hinge_embedding_loss"):
    """input where the target is 1, max(0, margin - input) where it is -1.

    Shapes: (*), (*) -> (), or (*) for reduction "none".
    """

    margin: float = 1.0
    _: KW_ONLY
    reduction: str = "mean"


class SoftMarginLoss(Loss, function="soft_margin_loss"):
    """log(1 + e**(-target input)), for targets of -1 and 1.

    Shapes: (*), (*) -> (), or (*) for reduction "none".
    """

    _: KW_ONLY
    reduction: str = "mean"


class MarginRankingLoss(Loss, function="margin_ranking_loss"):
    """max(0, -target (input1 - input2) + margin). Shapes: (N), (N), (N) -> (), or (N)."""

    margin: float = 0.0
    _: KW_ONLY
    reduction: str = "mean"


class CosineEmbeddingLoss(Loss, function="cosine_embedding_loss"):
    """1 - cos where the target is 1, max(0, cos - margin) where it is -1.

    Shapes: (N, D), (N, D), (N) -> (), or (N) for reduction "none".
    """

    margin: float = 0.0
    _: KW_ONLY
    reduction: str = "mean"


class MultiMarginLoss(WeightedLoss, function="multi_margin_loss"):
    """Σ max(0, margin - input[target] + input[i])**p / C over the other classes i.

    Shapes: (N, C), (N) labels -> (), or (N) for reduction "none".
    """

    p: int = 1
    margin: float = 1.0
    weight: Tensor | None = None
    _: KW_ONLY
    reduction: str = "mean"


class MultiLabelMarginLoss(Loss, function="multilabel_margin_loss"):
    """Σ max(0, 1 - input[j] + input[i]) / C over labels j and other classes i.

    Shapes: (N, C), (N, C) labels, ended by -1 -> (), or (N) for reduction "none".
    """

    _: KW_ONLY
    reduction: str = "mean"


class MultiLabelSoftMarginLoss(WeightedLoss, function="multilabel_soft_margin_loss"):
    """The mean over the classes of BCEWithLogitsLoss. Shapes: (N, C), (N, C) -> (), or (N)."""

    weight: Tensor | None = None
    _: KW_ONLY
    reduction: str = "mean"


class TripletMarginLoss(Loss, function="triplet_margin_loss"):
    """max(0, d(anchor, positive) - d(anchor, negative) + margin), d the p-norm.

    Shapes: (N, D), (N, D), (N, D) -> (), or (N) for reduction "none". Balntas et al. 2016.
    """

    margin: float = 1.0
    p: float = 2.0
    eps: float = 1e-6
    swap: bool = False
    _: KW_ONLY
    reduction: str = "mean"


class TripletMarginWithDistanceLoss(Loss, function="triplet_margin_with_distance_loss",
                                    keyword_only=True):
    """TripletMarginLoss with any distance function, by default the Euclidean one.

    Shapes: (N, D), (N, D), (N, D) -> (), or (N) for reduction "none".
    """

    distance_function: Callable[[Tensor, Tensor], Tensor] | None = None
    margin: float = 1.0
    swap: bool = False
    reduction: str = "mean"


class CTCLoss(Loss, function="ctc_loss"):
    """-log of the total probability of all paths of symbols that collapse to the labels.

    Shapes: (T, N, C) log-probabilities, (N, S) labels, N lengths of the sequences, N of the labels
    -> (), or (N) for reduction "none". Graves et al. 2006.
    """

    blank: int = 0
    reduction: str = "mean"
    zero_infinity: bool = False
