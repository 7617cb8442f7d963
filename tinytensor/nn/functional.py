"""The functions that the layers call: the operations that PyTorch has in this module."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

from .. import ops
from ..compat import absent

if TYPE_CHECKING:
    from ..table.functional import *  # noqa: F403

# Operations that are also at the top level, under the same name.
SHARED = (
    "adaptive_avg_pool1d", "adaptive_max_pool1d", "alpha_dropout", "avg_pool1d", "batch_norm",
    "bilinear", "binary_cross_entropy_with_logits", "celu", "channel_shuffle", "conv1d", "conv2d",
    "conv3d", "conv_transpose1d", "conv_transpose2d", "conv_transpose3d", "cosine_embedding_loss",
    "cosine_similarity", "ctc_loss", "dropout", "embedding", "embedding_bag",
    "feature_alpha_dropout", "group_norm", "hardshrink", "hinge_embedding_loss", "instance_norm",
    "kl_div", "layer_norm", "log_softmax", "margin_ranking_loss", "max_pool1d", "max_pool2d",
    "max_pool3d", "pairwise_distance", "pdist", "pixel_shuffle", "pixel_unshuffle",
    "poisson_nll_loss", "prelu", "relu", "rms_norm", "rrelu", "selu", "sigmoid", "softmax", "tanh",
    "threshold", "triplet_margin_loss")

IN_PLACE = ("celu", "elu", "hardtanh", "leaky_relu", "relu", "rrelu", "selu", "threshold")
WITH_INDICES = tuple(f"{kind}max_pool{n}d" for kind in ("", "adaptive_") for n in (1, 2, 3))

_everywhere = ops.names_for("")
globals().update({name: _everywhere[name] for name in SHARED if name in _everywhere})
globals().update(ops.names_for("nn.functional"))
globals().update({f"{name}_": ops.in_place(globals()[name], f"{name}_") for name in IN_PLACE})
globals().update({f"{name}_with_indices": functools.partial(globals()[name], return_indices=True)
                  for name in WITH_INDICES})
# Interpolation by its oldest names.
globals().update(
    upsample_nearest=functools.partial(ops.resampling.interpolate, mode="nearest"),
    upsample_bilinear=functools.partial(ops.resampling.interpolate, mode="bilinear",
                                        align_corners=True))


if not TYPE_CHECKING:  # checkers report unknown names themselves
    def __getattr__(name: str) -> Any:
        raise absent.AbsentName("tinytensor.nn.functional", name, lambda: globals())
