"""The Transformer: encoder and decoder layers, stacks of them, and the whole model."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable

from .. import ops
from ..tensors.creation import full
from ..tensors.tensor import Tensor
from . import functional, init
from .arguments import Device, DType
from .attention import MultiheadAttention, additive
from .containers import ModuleList
from .dropout import Dropout
from .linear import Linear
from .module import Module
from .normalization import LayerNorm

Activation = str | Callable[[Tensor], Tensor]
ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "relu": functional.relu, "gelu": functional.gelu}


# ---------------------------------------------------------------- one layer


class _Layer(Module):
    """The base class of encoder and decoder layers: blocks with residual connections.

    Each block is norm(x + block(x)), or x + block(norm(x)) with norm_first.
    """

    def _build(self, d_model: int, nhead: int, dim_feedforward: int, dropout: float,
               activation: Activation, layer_norm_eps: float, batch_first: bool, norm_first: bool,
               bias: bool, device: Device, dtype: DType, attentions: tuple[str, ...]) -> None:
        for name in attentions:
            self.add_module(name, MultiheadAttention(
                d_model, nhead, dropout, bias, batch_first=batch_first, device=device,
                dtype=dtype))
        self.linear1 = Linear(d_model, dim_feedforward, bias, device, dtype)
        self.dropout = Dropout(dropout)
        self.linear2 = Linear(dim_feedforward, d_model, bias, device, dtype)
        self.norm_first = norm_first
        blocks = range(1, len(attentions) + 2)
        for i in blocks:
            self.add_module(f"norm{i}", LayerNorm(d_model, layer_norm_eps, bias=bias,
                                                  device=device, dtype=dtype))
        for i in blocks:
            self.add_module(f"dropout{i}", Dropout(dropout))
        self.activation = _as_function(activation)

    def _add(self, x: Tensor, block: int, function: Callable[[Tensor], Tensor]) -> Tensor:
        norm, dropout = getattr(self, f"norm{block}"), getattr(self, f"dropout{block}")
        if self.norm_first:
            return x + dropout(function(norm(x)))
        return norm(x + dropout(function(x)))

    def _feed_forward(self, x: Tensor) -> Tensor:
        return self.linear2(self.dropout(self.activation(self.linear1(x))))


def _as_function(activation: Activation) -> Callable[[Tensor], Tensor]:
    """The activation with a name, or the function itself.

    Raises:
        RuntimeError: the name is not "relu" or "gelu".
    """
    if isinstance(activation, str):
        if activation not in ACTIVATIONS:
            raise RuntimeError("Transformer layer: activation must be 'relu', 'gelu' or a "
                               f"function, got {activation!r}")
        return ACTIVATIONS[activation]
    return activation


class TransformerEncoderLayer(_Layer):
    """Self-attention, then a feed-forward network, each with a residual connection and LayerNorm:

        x ← norm₁(x + self_attn(x))
        x ← norm₂(x + linear₂(activation(linear₁(x))))

    With norm_first, x ← x + block(norm(x)). Dropout follows each block and the activation.
    Vaswani et al. 2017; Xiong et al. 2020 (norm_first).

    Shapes: (L, N, d_model), or (N, L, d_model) with batch_first, or (L, d_model) -> the same.

    Raises:
        AssertionError: nhead does not divide d_model.
        RuntimeError: the activation is unknown.
    """

    def __init__(self, d_model: int, nhead: int, dim_feedforward: int = 2048,
                 dropout: float = 0.1, activation: Activation = functional.relu,
                 layer_norm_eps: float = 1e-5, batch_first: bool = False,
                 norm_first: bool = False, bias: bool = True, device: Device = None,
                 dtype: DType = None):
        super().__init__()
        self._build(d_model, nhead, dim_feedforward, dropout, activation, layer_norm_eps,
                    batch_first, norm_first, bias, device, dtype, ("self_attn",))

    def forward(self, src: Tensor, src_mask: Tensor | None = None,
                src_key_padding_mask: Tensor | None = None, is_causal: bool = False) -> Tensor:
        """The layer's output. For the masks see `MultiheadAttention.forward`."""
        src = self._add(src, 1, lambda x: self.self_attn(
            x, x, x, src_key_padding_mask, False, src_mask, is_causal=is_causal)[0])
        return self._add(src, 2, self._feed_forward)


class TransformerDecoderLayer(_Layer):
    """`TransformerEncoderLayer` with attention to the encoder's output, memory, in between:

        x ← norm₁(x + self_attn(x))
        x ← norm₂(x + multihead_attn(x, memory))
        x ← norm₃(x + linear₂(activation(linear₁(x))))

    Shapes: (L, N, d_model), memory (S, N, d_model), or (N, L, d_model) and (N, S, d_model) with
    batch_first, or without N -> as the first.
    """

    def __init__(self, d_model: int, nhead: int, dim_feedforward: int = 2048,
                 dropout: float = 0.1, activation: Activation = functional.relu,
                 layer_norm_eps: float = 1e-5, batch_first: bool = False,
                 norm_first: bool = False, bias: bool = True, device: Device = None,
                 dtype: DType = None):
        super().__init__()
        self._build(d_model, nhead, dim_feedforward, dropout, activation, layer_norm_eps,
                    batch_first, norm_first, bias, device, dtype, ("self_attn", "multihead_attn"))

    def forward(self, tgt: Tensor, memory: Tensor, tgt_mask: Tensor | None = None,
                memory_mask: Tensor | None = None, tgt_key_padding_mask: Tensor | None = None,
                memory_key_padding_mask: Tensor | None = None, tgt_is_causal: bool = False,
                memory_is_causal: bool = False) -> Tensor:
        """The layer's output. For the masks see `MultiheadAttention.forward`."""
        tgt = self._add(tgt, 1, lambda x: self.self_attn(
            x, x, x, tgt_key_padding_mask, False, tgt_mask, is_causal=tgt_is_causal)[0])
        tgt = self._add(tgt, 2, lambda x: self.multihead_attn(
            x, memory, memory, memory_key_padding_mask, False, memory_mask,
            is_causal=memory_is_causal)[0])
        return self._add(tgt, 3, self._feed_forward)


# ---------------------------------------------------------------- stacks of layers


class TransformerEncoder(Module):
    """num_layers copies of a layer, one after the other, then `norm` if it is given.

    The copies begin with equal weights. Shapes are those of the layer. enable_nested_tensor and
    mask_check have no effect: padded positions are computed like all others.
    """

    def __init__(self, encoder_layer: Module, num_layers: int, norm: Module | None = None,
                 enable_nested_tensor: bool = True, mask_check: bool = True):
        super().__init__()
        self.layers = _copies(encoder_layer, num_layers)
        self.num_layers = num_layers
        self.norm = norm
        self.enable_nested_tensor = enable_nested_tensor
        self.mask_check = mask_check

    def forward(self, src: Tensor, mask: Tensor | None = None,
                src_key_padding_mask: Tensor | None = None,
                is_causal: bool | None = None) -> Tensor:
        """The last layer's output. With is_causal=None the mask is compared with the causal one."""
        mask = additive(mask, src)
        causal = _is_causal(mask, is_causal)
        for layer in self.layers:
            src = layer(src, src_mask=mask, src_key_padding_mask=src_key_padding_mask,
                        is_causal=causal)
        return src if self.norm is None else self.norm(src)


class TransformerDecoder(Module):
    """num_layers copies of a layer, one after the other, then `norm` if it is given.

    The copies begin with equal weights. Shapes are those of the layer.
    """

    def __init__(self, decoder_layer: Module, num_layers: int, norm: Module | None = None):
        super().__init__()
        self.layers = _copies(decoder_layer, num_layers)
        self.num_layers = num_layers
        self.norm = norm

    def forward(self, tgt: Tensor, memory: Tensor, tgt_mask: Tensor | None = None,
                memory_mask: Tensor | None = None, tgt_key_padding_mask: Tensor | None = None,
                memory_key_padding_mask: Tensor | None = None, tgt_is_causal: bool | None = None,
                memory_is_causal: bool = False) -> Tensor:
        """The last layer's output. tgt_is_causal=None compares tgt_mask with the causal mask."""
        causal = _is_causal(tgt_mask, tgt_is_causal)
        for layer in self.layers:
            tgt = layer(tgt, memory, tgt_mask=tgt_mask, memory_mask=memory_mask,
                        tgt_key_padding_mask=tgt_key_padding_mask,
                        memory_key_padding_mask=memory_key_padding_mask, tgt_is_causal=causal,
                        memory_is_causal=memory_is_causal)
        return tgt if self.norm is None else self.norm(tgt)


def _copies(layer: Module, count: int) -> ModuleList:
    return ModuleList([copy.deepcopy(layer) for _ in range(count)])


def _is_causal(mask: Tensor | None, hint: bool | None) -> bool:
    """The hint, or without one whether the mask is that of generate_square_subsequent_mask.

    A mask on a GPU is not compared, because the host would wait for it; it is then added.
    """
    if hint is not None or mask is None:
        return bool(hint)
    if not mask.is_cpu or mask.ndim != 2 or mask.shape[0] != mask.shape[1]:
        return False
    return bool((mask == _causal_mask(len(mask), mask.device, mask.dtype)).all())


def _causal_mask(sz: int, device: Device = None, dtype: DType = None) -> Tensor:
    return ops.diagonals.triu(full((sz, sz), -math.inf, device=device, dtype=dtype), 1)


# ---------------------------------------------------------------- encoder and decoder


class Transformer(Module):
    """decoder(tgt, encoder(src)): the encoder-decoder model of Vaswani et al. 2017.

    It has no embedding, no position encoding and no output projection. Matrices begin with
    Xavier's uniform distribution.

    Shapes: src (S, N, d_model), tgt (T, N, d_model), or (N, S, d_model) and (N, T, d_model) with
    batch_first, or without N -> as tgt. For errors see `TransformerEncoderLayer` and `forward`.
    """

    def __init__(self, d_model: int = 512, nhead: int = 8, num_encoder_layers: int = 6,
                 num_decoder_layers: int = 6, dim_feedforward: int = 2048, dropout: float = 0.1,
                 activation: Activation = functional.relu,
                 custom_encoder: Module | None = None, custom_decoder: Module | None = None,
                 layer_norm_eps: float = 1e-5,
                 batch_first: bool = False, norm_first: bool = False, bias: bool = True,
                 device: Device = None, dtype: DType = None):
        super().__init__()
        options = (d_model, nhead, dim_feedforward, dropout, activation, layer_norm_eps,
                   batch_first, norm_first, bias, device, dtype)

        def norm() -> LayerNorm:
            return LayerNorm(d_model, layer_norm_eps, bias=bias, device=device, dtype=dtype)

        self.encoder = custom_encoder if custom_encoder is not None else TransformerEncoder(
            TransformerEncoderLayer(*options), num_encoder_layers, norm())
        self.decoder = custom_decoder if custom_decoder is not None else TransformerDecoder(
            TransformerDecoderLayer(*options), num_decoder_layers, norm())
        self.d_model = d_model
        self.nhead = nhead
        self.batch_first = batch_first
        self._reset_parameters()

    def _reset_parameters(self) -> None:
        for parameter in self.parameters():
            if parameter.ndim > 1:
                init.xavier_uniform_(parameter)

    def forward(self, src: Tensor, tgt: Tensor, src_mask: Tensor | None = None,
                tgt_mask: Tensor | None = None, memory_mask: Tensor | None = None,
                src_key_padding_mask: Tensor | None = None,
                tgt_key_padding_mask: Tensor | None = None,
                memory_key_padding_mask: Tensor | None = None, src_is_causal: bool | None = None,
                tgt_is_causal: bool | None = None, memory_is_causal: bool = False) -> Tensor:
        """The decoder's output; for the masks see `MultiheadAttention.forward`.

        Raises:
            RuntimeError: the batch sizes differ, or a last dim is not d_model.
        """
        shapes = f"got src {tuple(src.shape)}, tgt {tuple(tgt.shape)}"
        across = 0 if self.batch_first else 1
        if src.ndim == tgt.ndim == 3 and src.shape[across] != tgt.shape[across]:
            raise RuntimeError("Transformer: src and tgt must have equal batch sizes, in dim "
                               f"{across}, {shapes}; see batch_first")
        if src.shape[-1] != self.d_model or tgt.shape[-1] != self.d_model:
            raise RuntimeError(f"Transformer: src and tgt must have {self.d_model} features "
                               f"(d_model), {shapes}")
        memory = self.encoder(src, src_mask, src_key_padding_mask, src_is_causal)
        return self.decoder(tgt, memory, tgt_mask, memory_mask, tgt_key_padding_mask,
                            memory_key_padding_mask, tgt_is_causal, memory_is_causal)

    @staticmethod
    def generate_square_subsequent_mask(sz: int, device: Device = None,
                                        dtype: DType = None) -> Tensor:
        """The causal mask: position i attends to positions up to i. Shapes: sz -> (sz, sz).

        It is -inf above the diagonal and 0 elsewhere, or True and False with dtype bool.
        """
        return _causal_mask(sz, device, dtype)
