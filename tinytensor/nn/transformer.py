"""The Transformer: encoders, decoders, and both as one."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from typing import Any

from .. import ops
from ..tensors.creation import full
from ..tensors.tensor import Tensor
from . import functional, init
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
    """What a layer of the encoder and one of the decoder share.

    Each block adds to x what it makes of it; LayerNorm stands behind the sum, or, if norm_first,
    before the block.
    """

    def _build(self, d_model: int, nhead: int, dim_feedforward: int, dropout: float,
               activation: Activation, layer_norm_eps: float, batch_first: bool, norm_first: bool,
               bias: bool, device: Any, dtype: Any, attentions: tuple[str, ...]) -> None:
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

    def _add(self, x: Any, block: int, function: Callable[[Any], Any]) -> Any:
        norm, dropout = getattr(self, f"norm{block}"), getattr(self, f"dropout{block}")
        if self.norm_first:
            return x + dropout(function(norm(x)))
        return norm(x + dropout(function(x)))

    def _feed_forward(self, x: Any) -> Any:
        return self.linear2(self.dropout(self.activation(self.linear1(x))))


def _as_function(activation: Activation) -> Callable[[Tensor], Tensor]:
    """The activation of a name, or the given one.

    Raises:
        RuntimeError: another name than "relu" and "gelu".
    """
    if isinstance(activation, str):
        if activation not in ACTIVATIONS:
            raise RuntimeError(f"activation {activation!r} is neither 'relu' nor 'gelu'; or give a "
                               "function")
        return ACTIVATIONS[activation]
    return activation


class TransformerEncoderLayer(_Layer):
    """Self-attention and a feed-forward network of two layers, each added to its input.

    Shapes: (L, N, d_model), or (N, L, d_model) with batch_first, or (L, d_model) -> the same.
    Vaswani et al. 2017; norm_first: Xiong et al. 2020.
    """

    def __init__(self, d_model: int, nhead: int, dim_feedforward: int = 2048,
                 dropout: float = 0.1, activation: Activation = functional.relu,
                 layer_norm_eps: float = 1e-5, batch_first: bool = False,
                 norm_first: bool = False, bias: bool = True, device: Any = None,
                 dtype: Any = None):
        super().__init__()
        self._build(d_model, nhead, dim_feedforward, dropout, activation, layer_norm_eps,
                    batch_first, norm_first, bias, device, dtype, ("self_attn",))

    def forward(self, src: Tensor, src_mask: Tensor | None = None,
                src_key_padding_mask: Tensor | None = None, is_causal: bool = False) -> Tensor:
        """The layer's output; for the masks see `MultiheadAttention.forward`."""
        src = self._add(src, 1, lambda x: self.self_attn(
            x, x, x, src_key_padding_mask, False, src_mask, is_causal=is_causal)[0])
        return self._add(src, 2, self._feed_forward)


class TransformerDecoderLayer(_Layer):
    """Self-attention, attention to the encoder's memory, and a feed-forward network.

    Shapes: (L, N, d_model), memory (S, N, d_model), or (N, L, d_model) and (N, S, d_model) with
    batch_first, or without N -> like the first. Vaswani et al. 2017; norm_first: Xiong et al. 2020.
    """

    def __init__(self, d_model: int, nhead: int, dim_feedforward: int = 2048,
                 dropout: float = 0.1, activation: Activation = functional.relu,
                 layer_norm_eps: float = 1e-5, batch_first: bool = False,
                 norm_first: bool = False, bias: bool = True, device: Any = None,
                 dtype: Any = None):
        super().__init__()
        self._build(d_model, nhead, dim_feedforward, dropout, activation, layer_norm_eps,
                    batch_first, norm_first, bias, device, dtype, ("self_attn", "multihead_attn"))

    def forward(self, tgt: Tensor, memory: Tensor, tgt_mask: Tensor | None = None,
                memory_mask: Tensor | None = None, tgt_key_padding_mask: Tensor | None = None,
                memory_key_padding_mask: Tensor | None = None, tgt_is_causal: bool = False,
                memory_is_causal: bool = False) -> Tensor:
        """The layer's output; for the masks see `MultiheadAttention.forward`."""
        tgt = self._add(tgt, 1, lambda x: self.self_attn(
            x, x, x, tgt_key_padding_mask, False, tgt_mask, is_causal=tgt_is_causal)[0])
        tgt = self._add(tgt, 2, lambda x: self.multihead_attn(
            x, memory, memory, memory_key_padding_mask, False, memory_mask,
            is_causal=memory_is_causal)[0])
        return self._add(tgt, 3, self._feed_forward)


# ---------------------------------------------------------------- layers above each other


class TransformerEncoder(Module):
    """Copies of one layer above each other, and a norm behind them if there is one.

    Shapes: as the layer's. The copies begin with equal weights. Padded positions are computed like
    all others: enable_nested_tensor and mask_check have no effect.
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
        """The last layer's output. Whether the mask is the causal one is found out, unless said."""
        mask = additive(mask, src)
        causal = _is_causal(mask, is_causal)
        for layer in self.layers:
            src = layer(src, src_mask=mask, src_key_padding_mask=src_key_padding_mask,
                        is_causal=causal)
        return src if self.norm is None else self.norm(src)


class TransformerDecoder(Module):
    """Copies of one layer above each other, and a norm behind them if there is one.

    Shapes: as the layer's. The copies begin with equal weights.
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
        """The last layer's output. Whether tgt_mask is the causal one is found out, unless said."""
        causal = _is_causal(tgt_mask, tgt_is_causal)
        for layer in self.layers:
            tgt = layer(tgt, memory, tgt_mask=tgt_mask, memory_mask=memory_mask,
                        tgt_key_padding_mask=tgt_key_padding_mask,
                        memory_key_padding_mask=memory_key_padding_mask, tgt_is_causal=causal,
                        memory_is_causal=memory_is_causal)
        return tgt if self.norm is None else self.norm(tgt)


def _copies(layer: Module, count: int) -> ModuleList:
    return ModuleList([copy.deepcopy(layer) for _ in range(count)])


def _is_causal(mask: Any, hint: bool | None) -> bool:
    """What the caller says, or else whether the mask is that of generate_square_subsequent_mask."""
    if hint is not None or mask is None:
        return bool(hint)
    if mask.ndim != 2 or mask.shape[0] != mask.shape[1]:
        return False
    return bool((mask == _causal_mask(len(mask), mask.device, mask.dtype)).all())


def _causal_mask(sz: int, device: Any = None, dtype: Any = None) -> Any:
    return ops.arrange.triu(full((sz, sz), -math.inf, device=device, dtype=dtype), 1)


# ---------------------------------------------------------------- encoder and decoder


class Transformer(Module):
    """An encoder over the source, and a decoder over the target that attends to what it makes.

    Shapes: src (S, N, d_model), tgt (T, N, d_model), or (N, S, d_model) and (N, T, d_model) with
    batch_first, or without N -> like tgt. Matrices begin by Xavier's uniform distribution.
    Embeddings, positions and the projection to a vocabulary are the caller's. Vaswani et al. 2017.
    """

    def __init__(self, d_model: int = 512, nhead: int = 8, num_encoder_layers: int = 6,
                 num_decoder_layers: int = 6, dim_feedforward: int = 2048, dropout: float = 0.1,
                 activation: Activation = functional.relu, custom_encoder: Any = None,
                 custom_decoder: Any = None, layer_norm_eps: float = 1e-5,
                 batch_first: bool = False, norm_first: bool = False, bias: bool = True,
                 device: Any = None, dtype: Any = None):
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
            RuntimeError: batches that differ; a last dim other than d_model.
        """
        shapes = f"got src {tuple(src.shape)}, tgt {tuple(tgt.shape)}"
        across = 0 if self.batch_first else 1
        if src.ndim == tgt.ndim == 3 and src.shape[across] != tgt.shape[across]:
            raise RuntimeError(f"Transformer: the batches of src and tgt must be equal, {shapes}")
        if src.shape[-1] != self.d_model or tgt.shape[-1] != self.d_model:
            raise RuntimeError(f"Transformer: the last dim of src and tgt must be {self.d_model}, "
                               f"the d_model; {shapes}")
        memory = self.encoder(src, src_mask, src_key_padding_mask, src_is_causal)
        return self.decoder(tgt, memory, tgt_mask, memory_mask, tgt_key_padding_mask,
                            memory_key_padding_mask, tgt_is_causal, memory_is_causal)

    @staticmethod
    def generate_square_subsequent_mask(sz: int, device: Any = None, dtype: Any = None) -> Any:
        """A mask that lets position i look at positions up to i. Shapes: sz -> (sz, sz).

        -inf above the diagonal, where not to look, else 0; of dtype bool: True and False.
        """
        return _causal_mask(sz, device, dtype)
