"""Distances as modules."""

from __future__ import annotations

from .function_module import FunctionModule


class CosineSimilarity(FunctionModule, function="cosine_similarity", shown=()):
    """x1 · x2 / max(‖x1‖ ‖x2‖, eps) along dim. Shapes: (*, D, *), (*, D, *) -> (*, *)."""

    dim: int = 1
    eps: float = 1e-8


class PairwiseDistance(FunctionModule, function="pairwise_distance", shown=()):
    """‖x1 - x2 + eps‖ₚ along the last dim. Shapes: (N, D) twice -> (N), or (N, 1) with keepdim."""

    p: float = 2.0
    eps: float = 1e-6
    keepdim: bool = False
