"""The functions of `nn.functional`.

Written by `python -m tinytensor stubs`; not to be edited.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Literal, overload
from ..tensors.tensor import DTypeLike, Tensor
from .methods import ValuesAndIndices

def adaptive_avg_pool1d(input: Tensor, output_size: int | None | Sequence[int | None]) -> Tensor:
    """The mean of each of output_size windows of 1d.

    Window i of n spans floor(i size / n) to ceil((i + 1) size / n). None keeps a size.

    Shapes: (N, C, *size) or (C, *size) -> (N, C, *output_size) or (C, *output_size).

    Raises:
        RuntimeError: sizes below 0, or another number of them.
    """
def adaptive_avg_pool2d(input: Tensor, output_size: int | None | Sequence[int | None]) -> Tensor:
    """The mean of each of output_size windows of 2d.

    Window i of n spans floor(i size / n) to ceil((i + 1) size / n). None keeps a size.

    Shapes: (N, C, *size) or (C, *size) -> (N, C, *output_size) or (C, *output_size).

    Raises:
        RuntimeError: sizes below 0, or another number of them.
    """
def adaptive_avg_pool3d(input: Tensor, output_size: int | None | Sequence[int | None]) -> Tensor:
    """The mean of each of output_size windows of 3d.

    Window i of n spans floor(i size / n) to ceil((i + 1) size / n). None keeps a size.

    Shapes: (N, C, *size) or (C, *size) -> (N, C, *output_size) or (C, *output_size).

    Raises:
        RuntimeError: sizes below 0, or another number of them.
    """
@overload
def adaptive_max_pool1d(
        input: Tensor, output_size: int | None | Sequence[int | None], return_indices:
        Literal[False] = False,
) -> Tensor:
    """The largest element of each of output_size windows.

    Window i of n spans floor(i size / n) to ceil((i + 1) size / n). None keeps a size. With
    `return_indices`, (values, indices), indices into the flattened 1 dims.

    Shapes: (N, C, *size) or (C, *size) -> (N, C, *output_size) or (C, *output_size).

    Raises:
        RuntimeError: sizes below 0, or another number of them.
    """
@overload
def adaptive_max_pool1d(
        input: Tensor, output_size: int | None | Sequence[int | None], *, return_indices:
        Literal[True],
) -> ValuesAndIndices: ...
@overload
def adaptive_max_pool2d(
        input: Tensor, output_size: int | None | Sequence[int | None], return_indices:
        Literal[False] = False,
) -> Tensor:
    """The largest element of each of output_size windows.

    Window i of n spans floor(i size / n) to ceil((i + 1) size / n). None keeps a size. With
    `return_indices`, (values, indices), indices into the flattened 2 dims.

    Shapes: (N, C, *size) or (C, *size) -> (N, C, *output_size) or (C, *output_size).

    Raises:
        RuntimeError: sizes below 0, or another number of them.
    """
@overload
def adaptive_max_pool2d(
        input: Tensor, output_size: int | None | Sequence[int | None], *, return_indices:
        Literal[True],
) -> ValuesAndIndices: ...
@overload
def adaptive_max_pool3d(
        input: Tensor, output_size: int | None | Sequence[int | None], return_indices:
        Literal[False] = False,
) -> Tensor:
    """The largest element of each of output_size windows.

    Window i of n spans floor(i size / n) to ceil((i + 1) size / n). None keeps a size. With
    `return_indices`, (values, indices), indices into the flattened 3 dims.

    Shapes: (N, C, *size) or (C, *size) -> (N, C, *output_size) or (C, *output_size).

    Raises:
        RuntimeError: sizes below 0, or another number of them.
    """
@overload
def adaptive_max_pool3d(
        input: Tensor, output_size: int | None | Sequence[int | None], *, return_indices:
        Literal[True],
) -> ValuesAndIndices: ...
def affine_grid(theta: Tensor, size: Sequence[int], align_corners: bool | None = None) -> Tensor:
    """The points of an image of `size`, in [-1, 1], under affine maps: a grid for grid_sample.

    Shapes: (N, 2, 3), (N, C, H, W) -> (N, H, W, 2), or (N, 3, 4), (N, C, D, H, W) ->
    (N, D, H, W, 3). Coordinates come as (x, y) or (x, y, z). Jaderberg et al. 2015.

    Raises:
        NotImplementedError: another number of sizes.
        ValueError: a theta that does not fit them; sizes that are not positive.
    """
def alpha_dropout(
        input: Tensor, p: float = 0.5, training: bool = False, inplace: bool = False,
) -> Tensor:
    """Dropout to the limit of SELU at -inf, scaled and shifted to keep mean 0 and variance 1.

    Shapes: (*) -> (*). Klambauer et al. 2017.

    Raises:
        ValueError: p outside of [0, 1].
    """
def avg_pool1d(
        input: Tensor, kernel_size: int | Sequence[int], stride: int | Sequence[int] | None = None,
        padding: int | Sequence[int] = 0, ceil_mode: bool = False, count_include_pad: bool = True,
) -> Tensor:
    """The mean of each window of 1 dims.

    Padding counts as zeros, or is ignored without `count_include_pad`. Positions beyond the
    padding, possible with `ceil_mode`, are ignored. `divisor_override` replaces the divisor.

    Shapes: (N, C, *size) or (C, *size) -> (N, C, *out) or (C, *out).

    Raises:
        RuntimeError: a kernel larger than the padded input; padding of more than half a kernel;
            integers, whose means PyTorch would truncate.
    """
def avg_pool2d(
        input: Tensor, kernel_size: int | Sequence[int], stride: int | Sequence[int] | None = None,
        padding: int | Sequence[int] = 0, ceil_mode: bool = False, count_include_pad: bool = True,
        divisor_override: int | None = None,
) -> Tensor:
    """The mean of each window of 2 dims.

    Padding counts as zeros, or is ignored without `count_include_pad`. Positions beyond the
    padding, possible with `ceil_mode`, are ignored. `divisor_override` replaces the divisor.

    Shapes: (N, C, *size) or (C, *size) -> (N, C, *out) or (C, *out).

    Raises:
        RuntimeError: a kernel larger than the padded input; padding of more than half a kernel;
            integers, whose means PyTorch would truncate.
    """
def avg_pool3d(
        input: Tensor, kernel_size: int | Sequence[int], stride: int | Sequence[int] | None = None,
        padding: int | Sequence[int] = 0, ceil_mode: bool = False, count_include_pad: bool = True,
        divisor_override: int | None = None,
) -> Tensor:
    """The mean of each window of 3 dims.

    Padding counts as zeros, or is ignored without `count_include_pad`. Positions beyond the
    padding, possible with `ceil_mode`, are ignored. `divisor_override` replaces the divisor.

    Shapes: (N, C, *size) or (C, *size) -> (N, C, *out) or (C, *out).

    Raises:
        RuntimeError: a kernel larger than the padded input; padding of more than half a kernel;
            integers, whose means PyTorch would truncate.
    """
def batch_norm(
        input: Tensor, running_mean: Tensor | None, running_var: Tensor | None, weight: Tensor |
        None = None, bias: Tensor | None = None, training: bool = False, momentum: float = 0.1, eps:
        float = 1e-05,
) -> Tensor:
    """(x - mean) / sqrt(var + eps) * weight + bias for each channel. Ioffe and Szegedy 2015.

    Shapes: (N, C, *), four (C) -> (N, C, *). In training the statistics are those of the batch,
    and the running ones, if given, become (1 - momentum) * running + momentum * batch, in place,
    with the unbiased variance. In evaluation the running ones are used.

    Raises:
        ValueError: only one value for each channel in training, which has no variance.
        RuntimeError: missing statistics, or shapes that do not fit.
    """
def binary_cross_entropy(
        input: Tensor, target: Tensor, weight: Tensor | None = None, *, reduction: str = 'mean',
) -> Tensor:
    """-weight (y log p + (1 - y) log(1 - p)), its logarithms at least -100.

    Shapes: (*) probabilities, (*) targets in [0, 1] -> (), or (*) for reduction "none".

    Raises:
        ValueError: input and target differ in shape.
        RuntimeError: a probability or a target outside of [0, 1].
    """
def binary_cross_entropy_with_logits(
        input: Tensor, target: Tensor, weight: Tensor | None = None, *, reduction: str = 'mean',
        pos_weight: Tensor | None = None,
) -> Tensor:
    """-weight (pos_weight y log s + (1 - y) log(1 - s)) with s = sigmoid(input), without overflow.

    Shapes: (*) scores, (*) targets in [0, 1] -> (), or (*) for reduction "none"; the weights
    broadcast against them. The result has the dtype of the target.

    Raises:
        ValueError: input and target differ in shape.
        RuntimeError: a target of integers or bools.
    """
def channel_shuffle(input: Tensor, groups: int) -> Tensor:
    """Interleaves the channels of groups: channels (g, C / g) are transposed to (C / g, g).

    Shapes: (N, C, *) -> (N, C, *). Zhang et al. 2018, section 3.1.

    Raises:
        RuntimeError: channels that the number of groups does not divide; fewer than 3 dimensions.
    """
def conv1d(
        input: Tensor, weight: Tensor, bias: Tensor | None = None, stride: int | Sequence[int] = 1,
        padding: int | Sequence[int] | str = 0, dilation: int | Sequence[int] = 1, groups: int = 1,
) -> Tensor:
    """Σ input · weight + bias, over the channels and a kernel of 1d.

    It is a cross-correlation: the kernel is not reversed. `padding` is a number, a tuple, 'valid'
    (none) or 'same' (which keeps the size; an odd one is padded after). With groups, each group of
    output channels reads its group of input channels.

    Shapes: (N, C, *size) or (C, *size), (O, C / groups, *kernel), (O) -> (N, O, *out) or
    (O, *out), out = (size + 2 padding - dilation (kernel - 1) - 1) // stride + 1.

    Raises:
        RuntimeError: shapes that do not fit; a kernel larger than the padded input; a parameter
            out of range; padding='same' with a stride.
    """
def conv2d(
        input: Tensor, weight: Tensor, bias: Tensor | None = None, stride: int | Sequence[int] = 1,
        padding: int | Sequence[int] | str = 0, dilation: int | Sequence[int] = 1, groups: int = 1,
) -> Tensor:
    """Σ input · weight + bias, over the channels and a kernel of 2d.

    It is a cross-correlation: the kernel is not reversed. `padding` is a number, a tuple, 'valid'
    (none) or 'same' (which keeps the size; an odd one is padded after). With groups, each group of
    output channels reads its group of input channels.

    Shapes: (N, C, *size) or (C, *size), (O, C / groups, *kernel), (O) -> (N, O, *out) or
    (O, *out), out = (size + 2 padding - dilation (kernel - 1) - 1) // stride + 1.

    Raises:
        RuntimeError: shapes that do not fit; a kernel larger than the padded input; a parameter
            out of range; padding='same' with a stride.
    """
def conv3d(
        input: Tensor, weight: Tensor, bias: Tensor | None = None, stride: int | Sequence[int] = 1,
        padding: int | Sequence[int] | str = 0, dilation: int | Sequence[int] = 1, groups: int = 1,
) -> Tensor:
    """Σ input · weight + bias, over the channels and a kernel of 3d.

    It is a cross-correlation: the kernel is not reversed. `padding` is a number, a tuple, 'valid'
    (none) or 'same' (which keeps the size; an odd one is padded after). With groups, each group of
    output channels reads its group of input channels.

    Shapes: (N, C, *size) or (C, *size), (O, C / groups, *kernel), (O) -> (N, O, *out) or
    (O, *out), out = (size + 2 padding - dilation (kernel - 1) - 1) // stride + 1.

    Raises:
        RuntimeError: shapes that do not fit; a kernel larger than the padded input; a parameter
            out of range; padding='same' with a stride.
    """
def conv_tbc(input: Tensor, weight: Tensor, bias: Tensor, pad: int = 0) -> Tensor:
    """`conv1d` of sequences whose dims are time, batch and channels; `pad` is its padding.

    Shapes: (T, N, C), (k, C, O), (O) -> (T + 2 pad - k + 1, N, O).

    Raises:
        RuntimeError: other shapes.
    """
def conv_transpose1d(
        input: Tensor, weight: Tensor, bias: Tensor | None = None, stride: int | Sequence[int] = 1,
        padding: int | Sequence[int] = 0, output_padding: int | Sequence[int] = 0, groups: int = 1,
        dilation: int | Sequence[int] = 1,
) -> Tensor:
    """The transpose of conv1d.

    Each element times the weight is added at the positions of its window.

    With the same parameters it maps the output shape of that convolution to its input shape. With
    a stride several input shapes are possible; `output_padding` selects one.

    Shapes: (N, C, *size) or (C, *size), (C, O / groups, *kernel), (O) -> (N, O, *out) or
    (O, *out), out = (size - 1) stride - 2 padding + dilation (kernel - 1) + output_padding + 1.

    Raises:
        RuntimeError: shapes that do not fit; an output without elements; a parameter out of
            range; output_padding not below stride or dilation.
    """
def conv_transpose2d(
        input: Tensor, weight: Tensor, bias: Tensor | None = None, stride: int | Sequence[int] = 1,
        padding: int | Sequence[int] = 0, output_padding: int | Sequence[int] = 0, groups: int = 1,
        dilation: int | Sequence[int] = 1,
) -> Tensor:
    """The transpose of conv2d.

    Each element times the weight is added at the positions of its window.

    With the same parameters it maps the output shape of that convolution to its input shape. With
    a stride several input shapes are possible; `output_padding` selects one.

    Shapes: (N, C, *size) or (C, *size), (C, O / groups, *kernel), (O) -> (N, O, *out) or
    (O, *out), out = (size - 1) stride - 2 padding + dilation (kernel - 1) + output_padding + 1.

    Raises:
        RuntimeError: shapes that do not fit; an output without elements; a parameter out of
            range; output_padding not below stride or dilation.
    """
def conv_transpose3d(
        input: Tensor, weight: Tensor, bias: Tensor | None = None, stride: int | Sequence[int] = 1,
        padding: int | Sequence[int] = 0, output_padding: int | Sequence[int] = 0, groups: int = 1,
        dilation: int | Sequence[int] = 1,
) -> Tensor:
    """The transpose of conv3d.

    Each element times the weight is added at the positions of its window.

    With the same parameters it maps the output shape of that convolution to its input shape. With
    a stride several input shapes are possible; `output_padding` selects one.

    Shapes: (N, C, *size) or (C, *size), (C, O / groups, *kernel), (O) -> (N, O, *out) or
    (O, *out), out = (size - 1) stride - 2 padding + dilation (kernel - 1) + output_padding + 1.

    Raises:
        RuntimeError: shapes that do not fit; an output without elements; a parameter out of
            range; output_padding not below stride or dilation.
    """
def cosine_embedding_loss(
        input1: Tensor, input2: Tensor, target: Tensor, margin: float = 0, *, reduction: str =
        'mean',
) -> Tensor:
    """1 - cos(x1, x2) where y is 1, max(0, cos(x1, x2) - margin) where y is -1.

    Shapes: (N, D), (N, D), (N) -> (), or (N) for reduction "none"; or (D), (D), () -> ().

    Raises:
        RuntimeError: shapes that do not fit.
    """
def cross_entropy(
        input: Tensor, target: Tensor, weight: Tensor | None = None, *, ignore_index: int = -100,
        reduction: str = 'mean', label_smoothing: float = 0.0,
) -> Tensor:
    """-Σ p_c weight_c log softmax(input)_c, for labels or for probabilities p as the target.

    Shapes: (N, C, *) scores, (N, *) labels or (N, C, *) probabilities -> (), or (N, *) for
    reduction "none"; or (C) and () or (C). Label smoothing: Szegedy et al. 2016, section 7.
    Applies softmax itself: warns if the input is the result of softmax.

    Raises:
        ValueError, RuntimeError, IndexError: as `nll_loss`.
        RuntimeError: label_smoothing outside of [0, 1]; scores that are not floating point.
    """
def ctc_loss(
        log_probs: Tensor, targets: Tensor, input_lengths: Tensor | Sequence[int], target_lengths:
        Tensor | Sequence[int], blank: int = 0, reduction: str = 'mean', zero_infinity: bool =
        False,
) -> Tensor:
    """-log of the total probability of all paths that collapse to the labels.

    A path of symbols collapses by removing repeated symbols, and then blanks. The probabilities
    of all paths are summed step by step (the forward algorithm).

    Shapes: (T, N, C) or (T, C) log-probabilities, (N, S) or (the sum of all target lengths)
    labels, (N), (N) -> (), or (N) for reduction "none". "mean" first divides each loss by its
    target length. Without a path the loss is inf, or 0 with zero_infinity. Graves et al. 2006.

    The gradient is that of log_probs. PyTorch's assumes that log_probs is a log_softmax.

    Raises:
        RuntimeError: lengths that do not fit; labels that are blank or not a class.
        ValueError: another reduction.
    """
def dropout(input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> Tensor:
    """0 with probability p, else input / (1 - p); the input itself unless training.

    Shapes: (*) -> (*). Srivastava et al. 2014, scaled in training instead of in evaluation.

    Raises:
        ValueError: p outside of [0, 1].
    """
def dropout1d(
        input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False,
) -> Tensor:
    """Whole channels 0 with probability p, else input / (1 - p). Shapes: (N, C, L) or (C, L).

    Raises:
        ValueError: p outside of [0, 1].
        RuntimeError: another number of dims.
    """
def dropout2d(
        input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False,
) -> Tensor:
    """Whole channels 0 with probability p, else input / (1 - p). Shapes: (N, C, H, W).

    Warns for other numbers of dims, which are taken as (N, C, *). Tompson et al. 2015.

    Raises:
        ValueError: p outside of [0, 1].
        RuntimeError: fewer than 2 dims.
    """
def dropout3d(
        input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False,
) -> Tensor:
    """Whole channels 0 with probability p, else input / (1 - p).

    Shapes: (N, C, D, H, W) or (C, D, H, W); warns for other numbers of dims.

    Raises:
        ValueError: p outside of [0, 1].
        RuntimeError: fewer than 2 dims.
    """
def elu(input: Tensor, alpha: float = 1.0, inplace: bool = False) -> Tensor:
    """x for x > 0, alpha * (e**x - 1) otherwise. Shapes: (*) -> (*). Clevert et al. 2016."""
def embedding(
        input: Tensor, weight: Tensor, padding_idx: int | None = None, max_norm: float | None =
        None, norm_type: float = 2.0, scale_grad_by_freq: bool = False, sparse: bool = False,
) -> Tensor:
    """The rows of `weight` at the positions in `input`; the one at padding_idx gets no gradient.

    Shapes: (*) integers, (V, D) -> (*, D). With max_norm, the selected rows are first scaled
    down, in place, to at most that norm. With scale_grad_by_freq, the gradient of a row is divided
    by its number of occurrences. `sparse` has no effect: gradients are dense.

    Raises:
        IndexError: a position outside of [0, V - 1].
        RuntimeError: positions that are not int64 or int32; a weight that is not a matrix.
        ValueError: a padding_idx outside of [-V, V - 1].
    """
def embedding_bag(
        input: Tensor, weight: Tensor, offsets: Tensor | None = None, max_norm: float | None = None,
        norm_type: float = 2, scale_grad_by_freq: bool = False, mode: str = 'mean', sparse: bool =
        False, per_sample_weights: Tensor | None = None, include_last_offset: bool = False,
        padding_idx: int | None = None,
) -> Tensor:
    """The sum, mean or max of the rows of `weight` at the positions of each bag.

    A bag is a row of the input or, if that has one dim, the positions from one offset to the next.
    An empty bag gives zeros; positions equal to `padding_idx` are ignored. `max_norm`,
    `scale_grad_by_freq` and `sparse` are as in `embedding`.

    Shapes: (B, N) or (M) with offsets (B), (V, D) -> (B, D).

    Raises:
        ValueError: offsets with two dims, no offsets with one; another mode.
        NotImplementedError: per_sample_weights for another mode than "sum".
        IndexError: a position outside of [0, V - 1].
    """
def feature_alpha_dropout(
        input: Tensor, p: float = 0.5, training: bool = False, inplace: bool = False,
) -> Tensor:
    """`alpha_dropout` of whole channels. Shapes: (N, C, *) -> (N, C, *).

    Raises:
        ValueError: p outside of [0, 1].
        RuntimeError: fewer than 2 dims.
    """
def fold(
        input: Tensor, output_size: int | Sequence[int], kernel_size: int | Sequence[int], dilation:
        int | Sequence[int] = 1, padding: int | Sequence[int] = 0, stride: int | Sequence[int] = 1,
) -> Tensor:
    """Columns added at the positions that `unfold` takes them from (col2im); overlaps accumulate.

    Shapes: (N, C * kernel, windows) or (C * kernel, windows) -> (N, C, *output_size) or
    (C, *output_size).

    Raises:
        RuntimeError: a number of rows or columns that does not fit the kernel and output_size.
    """
def gaussian_nll_loss(
        input: Tensor, target: Tensor, var: Tensor | float, full: bool = False, eps: float = 1e-06,
        reduction: str = 'mean',
) -> Tensor:
    """(log var + (input - target)² / var) / 2, with var at least eps. Nix and Weigend 1994.

    Shapes: (*), (*), var (*), or without or with 1 for the last dim, or a number -> (), or (*)
    for reduction "none". `full` adds log(2π) / 2. The gradient ignores the lower bound of var.

    Raises:
        ValueError: a negative variance, or one of another shape; another reduction.
    """
def gelu(input: Tensor, approximate: str = 'none') -> Tensor:
    """x Φ(x), with the normal distribution's Φ, or with its approximation by tanh.

    Shapes: (*) -> (*). Hendrycks and Gimpel 2016.

    Raises:
        RuntimeError: approximate is neither "none" nor "tanh".
    """
def glu(input: Tensor, dim: int = -1, *, axis: int = -1) -> Tensor:
    """a sigmoid(b), where a and b are the halves of the input along a dim.

    Shapes: (*, 2n, *) -> (*, n, *). Dauphin et al. 2017.

    Raises:
        RuntimeError: an odd size along the dim.
    """
def grid_sample(
        input: Tensor, grid: Tensor, mode: str = 'bilinear', padding_mode: str = 'zeros',
        align_corners: bool | None = None,
) -> Tensor:
    """The input at the points of a grid, whose coordinates (x, y) or (x, y, z) span [-1, 1].

    Outside, the image continues as `padding_mode` says: "zeros", "border" or "reflection". With
    `align_corners`, -1 and 1 are the centres of the corner elements, else their outer edges.
    The gradient of a point on or outside of the border is 0, unless the padding is zeros. At a
    coordinate that is NaN, the result is NaN, or with padding at the border that of position 0.

    Shapes: (N, C, H, W), (N, h, w, 2) -> (N, C, h, w), and likewise with 3 spatial dims.

    Raises:
        ValueError: an unknown mode or padding_mode.
        RuntimeError: shapes that do not fit.
    """
def group_norm(
        input: Tensor, num_groups: int, weight: Tensor | None = None, bias: Tensor | None = None,
        eps: float = 1e-05,
) -> Tensor:
    """(x - mean) / sqrt(var + eps) * weight + bias, by groups of channels of each sample.

    Shapes: (N, C, *), weight and bias (C) -> (N, C, *). Wu and He 2018.

    Raises:
        RuntimeError: fewer than 2 dims; channels that num_groups does not divide; a weight or
            bias without one value for each channel.
        ValueError: only one value, which has no variance.
    """
def gumbel_softmax(
        logits: Tensor, tau: float = 1, hard: bool = False, eps: float = 1e-10, dim: int = -1, *,
        axis: int = -1,
) -> Tensor:
    """softmax((logits + noise) / tau): a differentiable draw from the classes along a dim.

    Shapes: (*) -> (*). With `hard` the result is one-hot, with the gradient of the soft draw.
    Jang, Gu and Poole 2017. `eps` is without effect, as in PyTorch.
    """
def hardsigmoid(input: Tensor, inplace: bool = False) -> Tensor:
    """min(max(0, x + 3), 6) / 6. Shapes: (*) -> (*). Courbariaux et al. 2016."""
def hardswish(input: Tensor, inplace: bool = False) -> Tensor:
    """x min(max(0, x + 3), 6) / 6. Shapes: (*) -> (*). Howard et al. 2019."""
def hardtanh(
        input: Tensor, min_val: float = -1.0, max_val: float = 1.0, inplace: bool = False,
) -> Tensor:
    """x clamped to [min_val, max_val]. Shapes: (*) -> (*).

    Raises:
        ValueError: min_val > max_val.
        RuntimeError: bool; an unsigned dtype and a negative bound.
    """
def hinge_embedding_loss(
        input: Tensor, target: Tensor, margin: float = 1.0, *, reduction: str = 'mean',
) -> Tensor:
    """The distance x where y is 1, max(0, margin - x) where y is -1.

    Shapes: (*), (*) -> (), or (*) for reduction "none".
    """
def hinge_loss(input: Tensor, target: Tensor, reduction: str = 'mean') -> Tensor:
    """max(0, 1 - y s), for scores s and targets y of -1 and 1.

    Shapes: (*), (*) -> (), or (*) for reduction "none". Cortes and Vapnik 1995.

    Raises:
        ValueError: input and target differ in shape; a target is neither -1 nor 1.
    """
def huber_loss(
        input: Tensor, target: Tensor, reduction: str = 'mean', delta: float = 1.0, weight: Tensor |
        None = None,
) -> Tensor:
    """error² / 2 where |error| < delta, else delta (|error| - delta / 2). Huber 1964.

    Shapes: (*), (*), weight (*) -> (), or (*) for reduction "none". Warns if shapes differ.
    "mean" divides by the number of elements, not by the weights.

    Raises:
        RuntimeError: a delta that is not positive.
        ValueError: the weight differs in shape from the input.
    """
def instance_norm(
        input: Tensor, running_mean: Tensor | None = None, running_var: Tensor | None = None,
        weight: Tensor | None = None, bias: Tensor | None = None, use_input_stats: bool = True,
        momentum: float = 0.1, eps: float = 1e-05,
) -> Tensor:
    """(x - mean) / sqrt(var + eps) * weight + bias for each channel of each sample.

    Shapes: (N, C, *), four (C) -> (N, C, *). The running statistics, if given, are updated with
    the average over the samples. Without use_input_stats they are used instead.
    Ulyanov et al. 2016.

    Raises:
        ValueError: only one value for each channel of a sample, which has no variance.
        RuntimeError: missing statistics, or shapes that do not fit.
    """
def interpolate(
        input: Tensor, size: int | Sequence[int] | None = None, scale_factor: float |
        Sequence[float] | None = None, mode: str = 'nearest', align_corners: bool | None = None,
        recompute_scale_factor: bool | None = None, antialias: bool = False,
) -> Tensor:
    """The input at another resolution, given as its size or as a factor.

    Modes: "nearest" (as OpenCV's INTER_NEAREST), "nearest-exact", "linear" (3-d input), "bilinear"
    and "bicubic" (4-d), "trilinear" (5-d), "area" (means over the inputs of an output). With
    `align_corners` the centres of the corner elements coincide, else their outer edges.
    Images of uint8 are rounded after each dim, for "bilinear" and "bicubic".
    With a scale_factor, positions are computed from it, or with `recompute_scale_factor` from the
    sizes. `antialias` widens bilinear and bicubic windows when shrinking.

    Shapes: (N, C, *size) -> (N, C, *out), of 1 to 3 spatial dims.

    Raises:
        NotImplementedError: a mode for this number of dims.
        ValueError: both or neither of size and scale_factor; a wrong number of them; an option
            that the mode does not have.
        RuntimeError: a size below 1.
    """
def kl_div(
        input: Tensor, target: Tensor, *, reduction: str = 'mean', log_target: bool = False,
) -> Tensor:
    """p (log p - input), the Kullback-Leibler divergence, where input holds log-probabilities.

    Shapes: (*), (*) -> (), or (*) for reduction "none". The target holds p, or log p with
    log_target. "batchmean", the sum divided by the size of dim 0, is the divergence; "mean"
    divides by the number of elements, and warns.
    """
def l1_loss(
        input: Tensor, target: Tensor, *, reduction: str = 'mean', weight: Tensor | None = None,
) -> Tensor:
    """weight |input - target|; "mean" divides by the sum of the weights.

    Shapes: (*), (*), weight (*) -> (), or (*) for reduction "none". Warns if shapes differ.

    Raises:
        ValueError: the weight differs in shape from the input.
    """
def layer_norm(
        input: Tensor, normalized_shape: int | Sequence[int], weight: Tensor | None = None, bias:
        Tensor | None = None, eps: float = 1e-05,
) -> Tensor:
    """(x - mean) / sqrt(var + eps) * weight + bias, over the last dims, of shape normalized_shape.

    Shapes: (*, S), weight and bias (S) -> (*, S). Ba, Kiros and Hinton 2016.

    Raises:
        RuntimeError: the input does not end in `normalized_shape`; a weight or bias has another
            shape.
    """
def leaky_relu(input: Tensor, negative_slope: float = 0.01, inplace: bool = False) -> Tensor:
    """x for x > 0, negative_slope * x otherwise. Shapes: (*) -> (*). Maas et al. 2013."""
def linear(input: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """input @ weight.T + bias. Shapes: (*, in), (out, in), (out) -> (*, out).

    One op instead of three, because it is the most frequent call.
    """
def local_response_norm(
        input: Tensor, size: int, alpha: float = 0.0001, beta: float = 0.75, k: float = 1.0,
) -> Tensor:
    """input / (k + alpha · mean of the squares in `size` neighbouring channels) ** beta.

    Shapes: (N, C, *) -> (N, C, *). Krizhevsky et al. 2012, section 3.3.

    Raises:
        ValueError: fewer than 3 dimensions.
        RuntimeError: a size below 1.
    """
def logsigmoid(input: Tensor) -> Tensor:
    """log sigmoid(x) without overflow. Shapes: (*) -> (*)."""
def lp_pool1d(
        input: Tensor, norm_type: float, kernel_size: int | Sequence[int], stride: int |
        Sequence[int] | None = None, ceil_mode: bool = False,
) -> Tensor:
    """(Σ input ** p) ** (1 / p), over 1d windows.

    Its derivative where the sum is 0 counts as 0. Shapes: (N, C, *size) or (C, *size) ->
    (N, C, *out) or (C, *out).
    """
def lp_pool2d(
        input: Tensor, norm_type: float, kernel_size: int | Sequence[int], stride: int |
        Sequence[int] | None = None, ceil_mode: bool = False,
) -> Tensor:
    """(Σ input ** p) ** (1 / p), over 2d windows.

    Its derivative where the sum is 0 counts as 0. Shapes: (N, C, *size) or (C, *size) ->
    (N, C, *out) or (C, *out).
    """
def lp_pool3d(
        input: Tensor, norm_type: float, kernel_size: int | Sequence[int], stride: int |
        Sequence[int] | None = None, ceil_mode: bool = False,
) -> Tensor:
    """(Σ input ** p) ** (1 / p), over 3d windows.

    Its derivative where the sum is 0 counts as 0. Shapes: (N, C, *size) or (C, *size) ->
    (N, C, *out) or (C, *out).
    """
def margin_ranking_loss(
        input1: Tensor, input2: Tensor, target: Tensor, margin: float = 0, *, reduction: str =
        'mean',
) -> Tensor:
    """max(0, -y (x1 - x2) + margin): y = 1 ranks x1 higher, y = -1 x2.

    Shapes: three (*) -> (), or (*) for reduction "none".

    Raises:
        RuntimeError: different numbers of dims.
    """
@overload
def max_pool1d(
        input: Tensor, kernel_size: int | Sequence[int], stride: int | Sequence[int] | None = None,
        padding: int | Sequence[int] = 0, dilation: int | Sequence[int] = 1, ceil_mode: bool =
        False, return_indices: Literal[False] = False,
) -> Tensor:
    """The largest element of each window of 1 dims.

    At a tie the first element gets the gradient. The stride is kernel_size by default; with
    `ceil_mode` the last window may reach beyond the end. With `return_indices`,
    (values, indices), where the indices are those of the flattened 1 dims, as in
    `max_unpool1d`.

    Shapes: (N, C, *size) or (C, *size) -> (N, C, *out) or (C, *out).

    Raises:
        RuntimeError: a kernel larger than the padded input; padding of more than half a kernel.
    """
@overload
def max_pool1d(
        input: Tensor, kernel_size: int | Sequence[int], stride: int | Sequence[int] | None = None,
        padding: int | Sequence[int] = 0, dilation: int | Sequence[int] = 1, ceil_mode: bool =
        False, *, return_indices: Literal[True],
) -> ValuesAndIndices: ...
@overload
def max_pool2d(
        input: Tensor, kernel_size: int | Sequence[int], stride: int | Sequence[int] | None = None,
        padding: int | Sequence[int] = 0, dilation: int | Sequence[int] = 1, ceil_mode: bool =
        False, return_indices: Literal[False] = False,
) -> Tensor:
    """The largest element of each window of 2 dims.

    At a tie the first element gets the gradient. The stride is kernel_size by default; with
    `ceil_mode` the last window may reach beyond the end. With `return_indices`,
    (values, indices), where the indices are those of the flattened 2 dims, as in
    `max_unpool2d`.

    Shapes: (N, C, *size) or (C, *size) -> (N, C, *out) or (C, *out).

    Raises:
        RuntimeError: a kernel larger than the padded input; padding of more than half a kernel.
    """
@overload
def max_pool2d(
        input: Tensor, kernel_size: int | Sequence[int], stride: int | Sequence[int] | None = None,
        padding: int | Sequence[int] = 0, dilation: int | Sequence[int] = 1, ceil_mode: bool =
        False, *, return_indices: Literal[True],
) -> ValuesAndIndices: ...
@overload
def max_pool3d(
        input: Tensor, kernel_size: int | Sequence[int], stride: int | Sequence[int] | None = None,
        padding: int | Sequence[int] = 0, dilation: int | Sequence[int] = 1, ceil_mode: bool =
        False, return_indices: Literal[False] = False,
) -> Tensor:
    """The largest element of each window of 3 dims.

    At a tie the first element gets the gradient. The stride is kernel_size by default; with
    `ceil_mode` the last window may reach beyond the end. With `return_indices`,
    (values, indices), where the indices are those of the flattened 3 dims, as in
    `max_unpool3d`.

    Shapes: (N, C, *size) or (C, *size) -> (N, C, *out) or (C, *out).

    Raises:
        RuntimeError: a kernel larger than the padded input; padding of more than half a kernel.
    """
@overload
def max_pool3d(
        input: Tensor, kernel_size: int | Sequence[int], stride: int | Sequence[int] | None = None,
        padding: int | Sequence[int] = 0, dilation: int | Sequence[int] = 1, ceil_mode: bool =
        False, *, return_indices: Literal[True],
) -> ValuesAndIndices: ...
def max_unpool1d(
        input: Tensor, indices: Tensor, kernel_size: int | Sequence[int], stride: int |
        Sequence[int] | None = None, padding: int | Sequence[int] = 0, output_size: int |
        Sequence[int] | None = None,
) -> Tensor:
    """Zeros, with each value at its index in a 1d output.

    `indices` are those of the flattened dims, as max_pool1d returns them. Where indices
    repeat, the last value is written.

    Shapes: (N, C, *size) or (C, *size) twice -> (N, C, *out) or (C, *out), out = output_size or
    (size - 1) stride - 2 padding + kernel_size.

    Raises:
        RuntimeError: shapes that differ; an index outside of the output, or no integer.
        ValueError: an output_size that does not fit the pooling.
    """
def max_unpool2d(
        input: Tensor, indices: Tensor, kernel_size: int | Sequence[int], stride: int |
        Sequence[int] | None = None, padding: int | Sequence[int] = 0, output_size: int |
        Sequence[int] | None = None,
) -> Tensor:
    """Zeros, with each value at its index in a 2d output.

    `indices` are those of the flattened dims, as max_pool2d returns them. Where indices
    repeat, the last value is written.

    Shapes: (N, C, *size) or (C, *size) twice -> (N, C, *out) or (C, *out), out = output_size or
    (size - 1) stride - 2 padding + kernel_size.

    Raises:
        RuntimeError: shapes that differ; an index outside of the output, or no integer.
        ValueError: an output_size that does not fit the pooling.
    """
def max_unpool3d(
        input: Tensor, indices: Tensor, kernel_size: int | Sequence[int], stride: int |
        Sequence[int] | None = None, padding: int | Sequence[int] = 0, output_size: int |
        Sequence[int] | None = None,
) -> Tensor:
    """Zeros, with each value at its index in a 3d output.

    `indices` are those of the flattened dims, as max_pool3d returns them. Where indices
    repeat, the last value is written.

    Shapes: (N, C, *size) or (C, *size) twice -> (N, C, *out) or (C, *out), out = output_size or
    (size - 1) stride - 2 padding + kernel_size.

    Raises:
        RuntimeError: shapes that differ; an index outside of the output, or no integer.
        ValueError: an output_size that does not fit the pooling.
    """
def mish(input: Tensor, inplace: bool = False) -> Tensor:
    """x tanh(softplus(x)). Shapes: (*) -> (*). Misra 2019."""
def mse_loss(
        input: Tensor, target: Tensor, *, reduction: str = 'mean', weight: Tensor | None = None,
) -> Tensor:
    """weight (input - target)²; "mean" divides by the sum of the weights.

    Shapes: (*), (*), weight (*) -> (), or (*) for reduction "none". Warns if shapes differ.

    Raises:
        ValueError: the weight differs in shape from the input.
    """
def multi_margin_loss(
        input: Tensor, target: Tensor, p: int = 1, margin: float = 1.0, weight: Tensor | None =
        None, *, reduction: str = 'mean',
) -> Tensor:
    """Σ weight[y] max(0, margin - x[y] + x[c])**p / C over the classes c other than the label y.

    Shapes: (N, C) scores, (N) labels -> (), or (N) for reduction "none"; or (C), () -> ().
    Crammer and Singer 2001.

    Raises:
        ValueError: p is neither 1 nor 2.
        RuntimeError: shapes that do not fit; a label outside of [0, C - 1].
    """
def multilabel_margin_loss(input: Tensor, target: Tensor, *, reduction: str = 'mean') -> Tensor:
    """Σ max(0, 1 - (x[y] - x[c])) / C over the labels y of a sample and all other classes c.

    Shapes: (N, C) scores, (N, C) labels up to the first -1 -> (), or (N) for
    reduction "none"; or (C), (C) -> ().

    Raises:
        RuntimeError: shapes that do not fit; a label outside of [-1, C - 1].
    """
def multilabel_soft_margin_loss(
        input: Tensor, target: Tensor, weight: Tensor | None = None, *, reduction: str = 'mean',
) -> Tensor:
    """The mean over classes of the binary cross entropy with logits.

    Shapes: (*, C) scores, (*, C) targets in [0, 1] -> (), or (*) for reduction "none".

    Raises:
        ValueError: input and target differ in shape.
    """
def native_channel_shuffle(input: Tensor, groups: int) -> Tensor:
    """Interleaves the channels of groups: channels (g, C / g) are transposed to (C / g, g).

    Shapes: (N, C, *) -> (N, C, *). Zhang et al. 2018, section 3.1.

    Raises:
        RuntimeError: channels that the number of groups does not divide; fewer than 3 dimensions.
    """
def nll_loss(
        input: Tensor, target: Tensor, weight: Tensor | None = None, *, ignore_index: int = -100,
        reduction: str = 'mean',
) -> Tensor:
    """-weight[y] * input[y] for log-probabilities; "mean" divides by the sum of the weights.

    Shapes: (N, C, *), (N, *) labels -> (), or (N, *) for reduction "none"; or (C), () -> ().

    Raises:
        ValueError: the batch sizes differ.
        RuntimeError: other shapes that do not fit; labels that are not int64.
        IndexError: a label outside of [0, C - 1] that is not `ignore_index`.
    """
def normalize(
        input: Tensor, p: float = 2.0, dim: int | Sequence[int] = 1, eps: float = 1e-12, out: Tensor
        | None = None, *, axis: int | Sequence[int] = 1,
) -> Tensor:
    """input / max(|input|_p, eps), with the norm over `dim`. Shapes: (*, n, *) -> (*, n, *)."""
def one_hot(tensor: Tensor, num_classes: int = -1) -> Tensor:
    """Rows of zeros with a 1 at each position. Shapes: (*) integers -> (*, C), int64.

    Raises:
        RuntimeError: not int64; a position outside of [0, C - 1]; no positions and no num_classes.
    """
def pad(
        input: Tensor, pad: Sequence[int], mode: str = 'constant', value: float | None = None,
) -> Tensor:
    """Pads dims: `pad` is (before, after) of the last dim, then of the one before it, and so on.

    Negative numbers crop. mode: "constant" (`value`, 0 by default), "reflect" (without repeating
    the border), "replicate" (the border), "circular" (from the other end).
    Shapes: (*, n) -> (*, before + n + after).

    Raises:
        RuntimeError: an odd count, or more than two for each dim; more padding than the mode
            allows; a `value` for a mode other than "constant".
        NotImplementedError: another mode; a mode other than "constant", unless it pads the last 1,
            2 or 3 dims of a Tensor with 1 or 2 dims more.
    """
def pixel_shuffle(input: Tensor, upscale_factor: int) -> Tensor:
    """Blocks of r² channels as r × r pixels. Shapes: (*, C r², H, W) -> (*, C, H r, W r).

    Shi et al. 2016.

    Raises:
        RuntimeError: channels that r² does not divide; fewer than 3 dimensions.
    """
def pixel_unshuffle(input: Tensor, downscale_factor: int) -> Tensor:
    """r × r pixels as blocks of r² channels. Shapes: (*, C, H r, W r) -> (*, C r², H, W).

    Raises:
        RuntimeError: sizes that r does not divide; fewer than 3 dimensions.
    """
def poisson_nll_loss(
        input: Tensor, target: Tensor, log_input: bool = True, full: bool = False, *, eps: float =
        1e-08, reduction: str = 'mean',
) -> Tensor:
    """e**x - y x, the negative log-likelihood of counts y; x - y log(x + eps) if not log_input.

    Shapes: (*), (*) -> (), or (*) for reduction "none". `full` adds Stirling's approximation of
    log y! where y > 1.
    """
def relu(input: Tensor, inplace: bool = False) -> Tensor:
    """max(0, input); its derivative at 0 is 0. Shapes: (*) -> (*)."""
def relu6(input: Tensor, inplace: bool = False) -> Tensor:
    """min(max(0, x), 6). Shapes: (*) -> (*). Howard et al. 2017."""
def rms_norm(
        input: Tensor, normalized_shape: int | Sequence[int], weight: Tensor | None = None, eps:
        float | None = None,
) -> Tensor:
    """x / sqrt(mean x² + eps) * weight, over the last dims, of shape normalized_shape.

    Shapes: (*, S), weight (S) -> (*, S). `eps` is that of the dtype by default. Zhang and
    Sennrich 2019.

    Raises:
        RuntimeError: the input does not end in `normalized_shape`; a weight of another shape.
    """
def scaled_dot_product_attention(
        query: Tensor, key: Tensor, value: Tensor, attn_mask: Tensor | None = None, dropout_p: float
        = 0.0, is_causal: bool = False, scale: float | None = None, enable_gqa: bool = False,
) -> Tensor:
    """softmax(query @ key.T * scale + mask) @ value, where scale is 1 / sqrt(E) by default.

    Shapes: (*, L, E), (*, S, E), (*, S, V), mask (*, L, S) -> (*, L, V); batch dims broadcast.
    A bool mask is True where a query attends to a key; a float mask is added to the scores. With
    `is_causal` query i attends to keys up to i, of those that the mask allows. A query that
    attends to no key gives 0.
    `dropout_p` applies whenever it is not 0: pass 0 in evaluation. With enable_gqa each key and
    value head (dim -3) is shared by several query heads. Vaswani et al. 2017; Ainslie et al. 2023
    for enable_gqa.

    Raises:
        RuntimeError: shapes or dtypes that do not fit.
    """
def silu(input: Tensor, inplace: bool = False) -> Tensor:
    """x sigmoid(x), also called swish. Shapes: (*) -> (*). Elfwing et al. 2018."""
def smooth_l1_loss(
        input: Tensor, target: Tensor, *, reduction: str = 'mean', beta: float = 1.0,
) -> Tensor:
    """error² / (2 beta) where |error| < beta, else |error| - beta / 2. Girshick 2015.

    Shapes: (*), (*) -> (), or (*) for reduction "none". Warns if shapes differ.

    Raises:
        RuntimeError: a negative beta.
    """
def soft_margin_loss(input: Tensor, target: Tensor, *, reduction: str = 'mean') -> Tensor:
    """log(1 + e**(-y x)) for targets y of -1 and 1, without overflow.

    Shapes: (*), (*) -> (), or (*) for reduction "none".

    Raises:
        ValueError: input and target differ in shape.
    """
def softmin(
        input: Tensor, dim: int | None = None, dtype: DTypeLike | None = None, *, axis: int | None =
        None,
) -> Tensor:
    """softmax(-x) along a dim. Shapes: (*) -> (*)."""
def softplus(input: Tensor, beta: float = 1, threshold: float = 20) -> Tensor:
    """log(1 + e**(beta x)) / beta, and x itself where beta x > threshold. Shapes: (*) -> (*)."""
def softshrink(input: Tensor, lambd: float = 0.5) -> Tensor:
    """x moved by lambd towards 0, and 0 where |x| <= lambd. Shapes: (*) -> (*).

    Raises:
        RuntimeError: a negative lambd.
    """
def softsign(input: Tensor) -> Tensor:
    """x / (1 + |x|). Shapes: (*) -> (*)."""
def squared_norm(parameters: Iterable[Tensor]) -> Tensor:
    """Σ p² over all elements of all Tensors: the L2 penalty without its factor. Shapes: -> ().

    Raises:
        ValueError: there are no parameters.
    """
def tanhshrink(input: Tensor) -> Tensor:
    """x - tanh(x). Shapes: (*) -> (*)."""
def triplet_margin_loss(
        anchor: Tensor, positive: Tensor, negative: Tensor, margin: float = 1.0, p: float = 2, eps:
        float = 1e-06, swap: bool = False, *, reduction: str = 'mean',
) -> Tensor:
    """max(0, d(anchor, positive) - d(anchor, negative) + margin), with the p-norm as distance.

    Shapes: three (N, D) or (D) -> (), or (N) for reduction "none". With `swap` the distance
    to the negative is the smaller one of anchor and positive (Balntas et al. 2016).

    Raises:
        RuntimeError: different numbers of dims.
        ValueError: a margin that is not positive.
    """
def triplet_margin_with_distance_loss(
        anchor: Tensor, positive: Tensor, negative: Tensor, *, distance_function: Callable[[Tensor,
        Tensor], Tensor] | None = None, margin: float = 1.0, swap: bool = False, reduction: str =
        'mean',
) -> Tensor:
    """`triplet_margin_loss` with any function of two Tensors as the distance.

    Shapes: three (N, D) or (D) -> (), or (N) for reduction "none".

    Raises:
        RuntimeError: different numbers of dims.
        ValueError: a margin that is not positive.
    """
def unfold(
        input: Tensor, kernel_size: int | Sequence[int], dilation: int | Sequence[int] = 1, padding:
        int | Sequence[int] = 0, stride: int | Sequence[int] = 1,
) -> Tensor:
    """Each window of an image as a column (im2col); `fold` is its transpose.

    Shapes: (N, C, H, W) or (C, H, W) -> (N, C * kernel, windows) or (C * kernel, windows).

    Raises:
        RuntimeError: another number of dimensions; a kernel larger than the padded image.
    """
def upsample(
        input: Tensor, size: int | Sequence[int] | None = None, scale_factor: float |
        Sequence[float] | None = None, mode: str = 'nearest', align_corners: bool | None = None,
) -> Tensor:
    """`interpolate` by its older name. Shapes: (N, C, *size) -> (N, C, *out)."""
from .functions import bilinear as bilinear
from .functions import celu as celu
from .functions import cosine_similarity as cosine_similarity
from .functions import hardshrink as hardshrink
from .functions import log_softmax as log_softmax
from .functions import pairwise_distance as pairwise_distance
from .functions import pdist as pdist
from .functions import prelu as prelu
from .functions import rrelu as rrelu
from .functions import selu as selu
from .functions import sigmoid as sigmoid
from .functions import softmax as softmax
from .functions import tanh as tanh
from .functions import threshold as threshold
def celu_(input: Tensor, alpha: float = 1.0, inplace: bool = False) -> Tensor:
    """As `celu`, in place: writes into this Tensor and returns it."""
def elu_(input: Tensor, alpha: float = 1.0, inplace: bool = False) -> Tensor:
    """As `elu`, in place: writes into this Tensor and returns it."""
def hardtanh_(
        input: Tensor, min_val: float = -1.0, max_val: float = 1.0, inplace: bool = False,
) -> Tensor:
    """As `hardtanh`, in place: writes into this Tensor and returns it."""
def leaky_relu_(input: Tensor, negative_slope: float = 0.01, inplace: bool = False) -> Tensor:
    """As `leaky_relu`, in place: writes into this Tensor and returns it."""
def relu_(input: Tensor, inplace: bool = False) -> Tensor:
    """As `relu`, in place: writes into this Tensor and returns it."""
def rrelu_(
        input: Tensor, lower: float = 0.125, upper: float = 0.3333333333333333, training: bool =
        False, inplace: bool = False,
) -> Tensor:
    """As `rrelu`, in place: writes into this Tensor and returns it."""
def selu_(input: Tensor, inplace: bool = False) -> Tensor:
    """As `selu`, in place: writes into this Tensor and returns it."""
def threshold_(input: Tensor, threshold: float, value: float, inplace: bool = False) -> Tensor:
    """As `threshold`, in place: writes into this Tensor and returns it."""
def max_pool1d_with_indices(
        input: Tensor, kernel_size: int | Sequence[int], stride: int | Sequence[int] | None = None,
        padding: int | Sequence[int] = 0, dilation: int | Sequence[int] = 1, ceil_mode: bool =
        False,
) -> ValuesAndIndices:
    """The largest element of each window of 1 dims.

    At a tie the first element gets the gradient. The stride is kernel_size by default; with
    `ceil_mode` the last window may reach beyond the end. With `return_indices`,
    (values, indices), where the indices are those of the flattened 1 dims, as in
    `max_unpool1d`.

    Shapes: (N, C, *size) or (C, *size) -> (N, C, *out) or (C, *out).

    Raises:
        RuntimeError: a kernel larger than the padded input; padding of more than half a kernel.
    """
def max_pool2d_with_indices(
        input: Tensor, kernel_size: int | Sequence[int], stride: int | Sequence[int] | None = None,
        padding: int | Sequence[int] = 0, dilation: int | Sequence[int] = 1, ceil_mode: bool =
        False,
) -> ValuesAndIndices:
    """The largest element of each window of 2 dims.

    At a tie the first element gets the gradient. The stride is kernel_size by default; with
    `ceil_mode` the last window may reach beyond the end. With `return_indices`,
    (values, indices), where the indices are those of the flattened 2 dims, as in
    `max_unpool2d`.

    Shapes: (N, C, *size) or (C, *size) -> (N, C, *out) or (C, *out).

    Raises:
        RuntimeError: a kernel larger than the padded input; padding of more than half a kernel.
    """
def max_pool3d_with_indices(
        input: Tensor, kernel_size: int | Sequence[int], stride: int | Sequence[int] | None = None,
        padding: int | Sequence[int] = 0, dilation: int | Sequence[int] = 1, ceil_mode: bool =
        False,
) -> ValuesAndIndices:
    """The largest element of each window of 3 dims.

    At a tie the first element gets the gradient. The stride is kernel_size by default; with
    `ceil_mode` the last window may reach beyond the end. With `return_indices`,
    (values, indices), where the indices are those of the flattened 3 dims, as in
    `max_unpool3d`.

    Shapes: (N, C, *size) or (C, *size) -> (N, C, *out) or (C, *out).

    Raises:
        RuntimeError: a kernel larger than the padded input; padding of more than half a kernel.
    """
def adaptive_max_pool1d_with_indices(
        input: Tensor, output_size: int | None | Sequence[int | None],
) -> ValuesAndIndices:
    """The largest element of each of output_size windows.

    Window i of n spans floor(i size / n) to ceil((i + 1) size / n). None keeps a size. With
    `return_indices`, (values, indices), indices into the flattened 1 dims.

    Shapes: (N, C, *size) or (C, *size) -> (N, C, *output_size) or (C, *output_size).

    Raises:
        RuntimeError: sizes below 0, or another number of them.
    """
def adaptive_max_pool2d_with_indices(
        input: Tensor, output_size: int | None | Sequence[int | None],
) -> ValuesAndIndices:
    """The largest element of each of output_size windows.

    Window i of n spans floor(i size / n) to ceil((i + 1) size / n). None keeps a size. With
    `return_indices`, (values, indices), indices into the flattened 2 dims.

    Shapes: (N, C, *size) or (C, *size) -> (N, C, *output_size) or (C, *output_size).

    Raises:
        RuntimeError: sizes below 0, or another number of them.
    """
def adaptive_max_pool3d_with_indices(
        input: Tensor, output_size: int | None | Sequence[int | None],
) -> ValuesAndIndices:
    """The largest element of each of output_size windows.

    Window i of n spans floor(i size / n) to ceil((i + 1) size / n). None keeps a size. With
    `return_indices`, (values, indices), indices into the flattened 3 dims.

    Shapes: (N, C, *size) or (C, *size) -> (N, C, *output_size) or (C, *output_size).

    Raises:
        RuntimeError: sizes below 0, or another number of them.
    """
def upsample_nearest(
        input: Tensor, size: int | Sequence[int] | None = None, scale_factor: float |
        Sequence[float] | None = None,
) -> Tensor:
    """The input at another resolution, given as its size or as a factor.

    Modes: "nearest" (as OpenCV's INTER_NEAREST), "nearest-exact", "linear" (3-d input), "bilinear"
    and "bicubic" (4-d), "trilinear" (5-d), "area" (means over the inputs of an output). With
    `align_corners` the centres of the corner elements coincide, else their outer edges.
    Images of uint8 are rounded after each dim, for "bilinear" and "bicubic".
    With a scale_factor, positions are computed from it, or with `recompute_scale_factor` from the
    sizes. `antialias` widens bilinear and bicubic windows when shrinking.

    Shapes: (N, C, *size) -> (N, C, *out), of 1 to 3 spatial dims.

    Raises:
        NotImplementedError: a mode for this number of dims.
        ValueError: both or neither of size and scale_factor; a wrong number of them; an option
            that the mode does not have.
        RuntimeError: a size below 1.
    """
def upsample_bilinear(
        input: Tensor, size: int | Sequence[int] | None = None, scale_factor: float |
        Sequence[float] | None = None,
) -> Tensor:
    """The input at another resolution, given as its size or as a factor.

    Modes: "nearest" (as OpenCV's INTER_NEAREST), "nearest-exact", "linear" (3-d input), "bilinear"
    and "bicubic" (4-d), "trilinear" (5-d), "area" (means over the inputs of an output). With
    `align_corners` the centres of the corner elements coincide, else their outer edges.
    Images of uint8 are rounded after each dim, for "bilinear" and "bicubic".
    With a scale_factor, positions are computed from it, or with `recompute_scale_factor` from the
    sizes. `antialias` widens bilinear and bicubic windows when shrinking.

    Shapes: (N, C, *size) -> (N, C, *out), of 1 to 3 spatial dims.

    Raises:
        NotImplementedError: a mode for this number of dims.
        ValueError: both or neither of size and scale_factor; a wrong number of them; an option
            that the mode does not have.
        RuntimeError: a size below 1.
    """
from ..nn.attention import multi_head_attention_forward as multi_head_attention_forward
