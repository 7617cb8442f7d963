"""Distances as modules."""

from __future__ import annotations

from .function_module import FunctionModule


class CosineSimilarity(FunctionModule, function="cosine_similarity", shown=()):
    """x1 · x2 / (norm of x1 * norm of x2) along a dim. Shapes: (*, D, *), (*, D, *) -> (*, *)."""

    dim: int = 1
    eps: float = 1e-8


class PairwiseDistance(FunctionModule, function="pairwise_distance", shown=()):
    """The p-norm of x1 - x2 + eps. Shapes: (N, D), (N, D) -> (N), or (N, 1) with keepdim."""

    p: float = 2.0
    eps: float = 1e-6
    keepdim: bool = False
