"""Adaptive softmax: a classifier for many classes, few of which are frequent."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import NamedTuple

from .. import ops
from ..tensors.tensor import Tensor
from . import functional
from .arguments import Device, DType
from .containers import ModuleList, Sequential
from .linear import Linear
from .module import Module


class OutputAndLoss(NamedTuple):
    """The log-probability of each label, and the loss."""

    output: Tensor
    loss: Tensor



class AdaptiveLogSoftmaxWithLoss(Module):
    """An approximate softmax over many classes that spends less work on rare classes.

    Classes are numbered from the most to the least frequent. The cutoffs split them into a head
    and clusters. The head scores its own classes, and each cluster as a whole. Cluster i projects
    the input to in_features / div_value**i features and scores its own classes. Grave et al. 2017.

    Shapes: (N, in_features), (N) labels -> output (N), the log-probability of each label, and
    loss (), the mean of -output; without N for a single sample.

    Raises:
        ValueError: the cutoffs do not increase strictly between 1 and n_classes - 1.
    """

    def __init__(self, in_features: int, n_classes: int, cutoffs: Sequence[int],
                 div_value: float = 4.0, head_bias: bool = False, device: Device = None,
                 dtype: DType = None):
        super().__init__()
        edges = [0, *cutoffs, n_classes]
        if not cutoffs or any(int(c) != c for c in cutoffs) or any(
                a >= b for a, b in itertools.pairwise(edges)):
            raise ValueError("AdaptiveLogSoftmaxWithLoss: cutoffs must be increasing integers "
                             f"between 1 and n_classes - 1 = {n_classes - 1}, got {list(cutoffs)}")
        self.in_features = in_features
        self.n_classes = n_classes
        self.cutoffs = [*cutoffs, n_classes]
        self.div_value = div_value
        self.head_bias = head_bias
        self.shortlist_size = self.cutoffs[0]
        self.n_clusters = len(self.cutoffs) - 1
        self.head_size = self.shortlist_size + self.n_clusters
        self.head = Linear(in_features, self.head_size, head_bias, device, dtype)
        self.tail = ModuleList()
        for i, (start, end) in enumerate(itertools.pairwise(self.cutoffs)):
            width = int(in_features // div_value ** (i + 1))
            self.tail.append(Sequential(Linear(in_features, width, False, device, dtype),
                                        Linear(width, end - start, False, device, dtype)))

    def reset_parameters(self) -> None:
        """Draws new weights."""
        for module in self.modules():
            if isinstance(module, Linear):
                module.reset_parameters()

    def forward(self, input: Tensor, target: Tensor) -> OutputAndLoss:
        """The log-probability of each label, and the loss.

        Raises:
            RuntimeError: the shapes do not fit, or a label is not in [0, n_classes - 1].
        """
        if target.ndim > 1 or input.ndim != target.ndim + 1 or input.shape[:-1] != target.shape:
            raise RuntimeError("AdaptiveLogSoftmaxWithLoss: the shapes of input and labels must be "
                               f"(N, D) and (N), or (D) and (), got {tuple(input.shape)} and "
                               f"{tuple(target.shape)}")
        if target.numel() and not (int(target.min()) >= 0 and int(target.max()) < self.n_classes):
            raise RuntimeError(f"AdaptiveLogSoftmaxWithLoss: labels must be in "
                               f"[0, {self.n_classes - 1}], got {int(target.min())} to "
                               f"{int(target.max())}")
        rows, labels = input.reshape(-1, input.shape[-1]), target.reshape(-1)
        in_head = labels.clone()  # becomes the index of the class or of its cluster in the head
        cluster_scores, cluster_rows = [], []
        for i, (start, end) in enumerate(itertools.pairwise(self.cutoffs)):
            members = ((labels >= start) & (labels < end)).nonzero().squeeze(1)
            if members.numel():
                in_head[members] = self.shortlist_size + i
                scores = functional.log_softmax(self.tail[i](rows[members]), 1)
                cluster_scores.append(
                    scores.gather(1, (labels[members] - start).unsqueeze(1)).squeeze(1))
                cluster_rows.append(members)
        head = functional.log_softmax(self.head(rows), 1)
        output = head.gather(1, in_head.unsqueeze(1)).squeeze(1)
        if cluster_rows:
            output = output.index_add(0, ops.shape.cat(cluster_rows), ops.shape.cat(cluster_scores))
        return OutputAndLoss(output.reshape(target.shape), (-output).mean())

    def log_prob(self, input: Tensor) -> Tensor:
        """The log-probabilities of all classes. Shapes: (N, in_features) -> (N, n_classes)."""
        head = functional.log_softmax(self.head(input), 1)
        clusters = [functional.log_softmax(cluster(input), 1)
                    + head[:, self.shortlist_size + i].unsqueeze(1)
                    for i, cluster in enumerate(self.tail)]
        return ops.shape.cat([head[:, :self.shortlist_size], *clusters], 1)

    def predict(self, input: Tensor) -> Tensor:
        """The most probable class of each sample. Shapes: (N, in_features) -> (N)."""
        return self.log_prob(input).argmax(1)
