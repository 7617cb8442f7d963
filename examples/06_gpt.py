"""A GPT on characters: a decoder-only Transformer that learns to write Python.

    python examples/06_gpt.py                        # the text: the source of Python's library
    python examples/06_gpt.py --text novel.txt       # any other text
    python examples/06_gpt.py --resume --prompt "class Test" --top-p 0.9   # trained: write more
    python examples/06_gpt.py --device cuda --layers 6 --width 384 --context 256 --batch 64

The loss is the mean of -ln p(next character), in nats. Divided by ln 2, it is the number of bits
per character that a compressor with this model would need. A uniform guess costs ln 96 = 4.56 nats.

What to look at:

- curves.png. The loss falls to 3.2 within ten steps, when the model knows how frequent each
  character is, and to 2.3 within sixty, when it knows which character follows which. Then it falls
  slowly, as the model learns words, indentation and brackets. After 1000 steps it is 1.15 nats on
  the training text and 1.37 nats (1.97 bits) on the held-out text. The gap is overfitting.
- The speed of generation. With the cache of keys and values, a character costs the work of one
  position; without it, the work of the whole context.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from typing import Any

import support
import text
import trainer

import tinytensor as tt
from tinytensor import nn, optim
from tinytensor.nn import functional

# ---------------------------------------------------------------- the model


@dataclass
class Config:
    """The sizes of a GPT."""

    vocabulary: int
    context: int = 64  # the longest input, in characters
    layers: int = 4
    heads: int = 4
    width: int = 128
    dropout: float = 0.0


class Cache:
    """The keys and values of one Attention for the positions so far.

    A model with caches reads a text piece by piece, and computes each position once. `keys` and
    `values` are (N, heads, context, width / heads); the first `length` positions are filled.
    """

    def __init__(self, config: Config, count: int, like: Any) -> None:
        shape = (count, config.heads, config.context, config.width // config.heads)
        self.keys, self.values = like.new_empty(shape), like.new_empty(shape)
        self.length = 0

    def extend(self, keys: Any, values: Any) -> tuple[Any, Any]:
        """Appends the next positions, and returns the keys and values of all positions so far."""
        start, self.length = self.length, self.length + keys.shape[2]
        self.keys[:, :, start:self.length] = keys
        self.values[:, :, start:self.length] = values
        return self.keys[:, :, :self.length], self.values[:, :, :self.length]


class Attention(nn.Module):
    """Causal multi-head self-attention. Shapes: (N, T, width) -> (N, T, width)."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        if config.width % config.heads:
            raise ValueError(f"Attention: {config.heads} heads cannot share a width of "
                             f"{config.width}: it must be a multiple")
        self.heads, self.dropout = config.heads, config.dropout
        self.qkv = nn.Linear(config.width, 3 * config.width)
        self.project = nn.Linear(config.width, config.width)

    def forward(self, x: Any, cache: Cache | None = None) -> Any:
        n, t, width = x.shape
        query, key, value = (
            part.view(n, t, self.heads, width // self.heads).transpose(1, 2)
            for part in self.qkv(x).split(width, dim=-1))
        mask = None
        if cache is not None:
            key, value = cache.extend(key, value)
            if t > 1:  # query i may attend to the keys up to position length - t + i
                mask = tt.ones(t, cache.length, dtype=tt.bool, device=x.device)
                mask = mask.tril(cache.length - t)
        out = functional.scaled_dot_product_attention(
            query, key, value, attn_mask=mask, is_causal=cache is None,
            dropout_p=self.dropout if self.training else 0.0)
        return self.project(out.transpose(1, 2).reshape(n, t, width))


class Block(nn.Module):
    """A Transformer block with pre-norm: x + attention(norm(x)), then x + network(norm(x))."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(config.width)
        self.attention = Attention(config)
        self.norm2 = nn.LayerNorm(config.width)
        self.expand = nn.Linear(config.width, 4 * config.width)
        self.project = nn.Linear(4 * config.width, config.width)
        self.dropout = nn.Dropout(config.dropout)

    def forward(self, x: Any, cache: Cache | None = None) -> Any:
        x = x + self.dropout(self.attention(self.norm1(x), cache))
        inner = functional.gelu(self.expand(self.norm2(x)), approximate="tanh")
        return x + self.dropout(self.project(inner))


class GPT(nn.Module):
    """Logits for the next token at each position. Shapes: (N, T) integers -> (N, T, vocabulary).

    As in GPT-2 (Radford et al. 2019): pre-norm, learned positions, and one matrix both as the token
    embedding and as the output layer.
    """

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.config = config
        self.tokens = nn.Embedding(config.vocabulary, config.width)
        self.positions = nn.Embedding(config.context, config.width)
        self.dropout = nn.Dropout(config.dropout)
        self.blocks = nn.ModuleList([Block(config) for _ in range(config.layers)])
        self.norm = nn.LayerNorm(config.width)
        self.head = nn.Linear(config.width, config.vocabulary, bias=False)
        self.head.weight = self.tokens.weight
        for name, parameter in self.named_parameters():
            if name.endswith("bias"):
                nn.init.zeros_(parameter)
            elif "norm" not in name:
                # GPT-2 uses 0.02 at width 768; this scales it to other widths. The 2 * layers
                # matrices that add to the residual stream start smaller, so that the variance of
                # the stream does not grow with the depth.
                depth = 2 * config.layers if name.endswith("project.weight") else 1
                nn.init.normal_(parameter, std=1 / math.sqrt(2 * config.width * depth))

    def caches(self, count: int) -> list[Cache]:
        """Empty caches for `count` texts, one per block. Pass them to `forward`."""
        return [Cache(self.config, count, self.tokens.weight) for _ in self.blocks]

    def forward(self, ids: Any, caches: list[Cache] | None = None) -> Any:
        start = caches[0].length if caches else 0
        end = start + ids.shape[1]
        if end > self.config.context:
            raise ValueError(f"GPT: {end} positions, but its context is {self.config.context}")
        x = self.tokens(ids) + self.positions(tt.arange(start, end, device=ids.device))
        x = self.dropout(x)
        for i, block in enumerate(self.blocks):
            x = block(x, caches[i] if caches else None)
        return self.head(self.norm(x))


# ---------------------------------------------------------------- training


def batch_of(ids: Any, context: int, size: int) -> tuple[Any, Any]:
    """Random windows, and the character after each of their characters. Both (size, context)."""
    starts = tt.randint(len(ids) - context, (size,)).tolist()
    return (tt.stack([ids[i:i + context] for i in starts]),
            tt.stack([ids[i + 1:i + context + 1] for i in starts]))


def loss_of(model: Any, x: Any, y: Any) -> Any:
    """The cross-entropy in nats per character."""
    return functional.cross_entropy(model(x).flatten(0, 1), y.flatten())


@tt.no_grad()
def evaluate(model: GPT, ids: Any, size: int, windows: int | None = None) -> float:
    """Nats per character over the first `windows` consecutive windows, by default over all.

    `size` windows are computed at once.
    """
    context = model.config.context
    count = min((len(ids) - 1) // context, windows or len(ids))
    x = ids[:count * context].view(count, context)
    y = ids[1:count * context + 1].view(count, context)
    model.eval()
    total = sum(loss_of(model, x[i:i + size], y[i:i + size]).item() * len(x[i:i + size])
                for i in range(0, count, size))
    model.train()
    return total / count


def optimizer_for(model: nn.Module, lr: float) -> optim.AdamW:
    """AdamW with weight decay on matrices only, not on biases and norms."""
    parameters = list(model.parameters())
    groups = [{"params": [p for p in parameters if p.ndim >= 2], "weight_decay": 0.1},
              {"params": [p for p in parameters if p.ndim < 2], "weight_decay": 0.0}]
    return optim.AdamW(groups, lr=lr, betas=(0.9, 0.95))


def schedule(step: int, steps: int, warmup: int) -> float:
    """The factor of the learning rate: a linear warm-up, then a cosine from 1 down to 0.1."""
    if step < warmup:
        return (step + 1) / warmup
    done = (step - warmup) / max(1, steps - warmup)
    return 0.55 + 0.45 * math.cos(math.pi * done)


# ---------------------------------------------------------------- generation


@tt.no_grad()
def generate(model: GPT, ids: Any, length: int, cached: bool = True, **restrictions: Any) -> Any:
    """Appends `length` sampled characters. Shapes: (N, T) -> (N, T + length).

    When the text is longer than the context, the model continues from the last half context, with
    positions counted from 0. This changes every key, so the caches are filled again.
    """
    context = model.config.context
    model.eval()
    start, caches = 0, None
    for _ in range(length):
        end = ids.shape[1]
        if end - start > context:
            start, caches = end - (context + 1) // 2, None
        if caches:
            logits = model(ids[:, -1:], caches)
        else:
            caches = model.caches(len(ids)) if cached else None
            logits = model(ids[:, start:], caches)
        ids = tt.cat([ids, text.choose(logits[:, -1], **restrictions)], dim=1)
    model.train()
    return ids


def main() -> None:
    parser = support.parser(__doc__)
    parser.add_argument("--steps", type=int, default=1000,
                        help="training steps (default: %(default)s)")
    parser.add_argument("--batch", type=int, default=32,
                        help="windows per step (default: %(default)s)")
    parser.add_argument("--context", type=int, default=64,
                        help="characters per window (default: %(default)s)")
    parser.add_argument("--layers", type=int, default=4, help="blocks (default: %(default)s)")
    parser.add_argument("--heads", type=int, default=4,
                        help="attention heads per block (default: %(default)s)")
    parser.add_argument("--width", type=int, default=128,
                        help="features per position (default: %(default)s)")
    parser.add_argument("--dropout", type=float, default=0.0,
                        help="dropout probability (default: %(default)s)")
    parser.add_argument("--lr", type=float, default=4e-3,
                        help="the highest learning rate (default: %(default)s)")
    text.arguments(parser)
    trainer.arguments(parser, seed=1337)
    args = parser.parse_args()
    if args.smoke:
        args.steps, args.batch, args.context, args.layers, args.width = 6, 4, 16, 2, 16
        args.length = 24
    if min(args.steps, args.batch, args.context, args.layers, args.heads) < 1 \
            or args.width < 1 or args.width % args.heads:
        parser.error("--steps, --batch, --context, --layers, --heads must be at least 1, and "
                     "--width a multiple of --heads")
    task = text.prepare(parser, args)
    if len(task.held_out) <= args.context:
        parser.error(f"--context {args.context} needs a text of more than "
                     f"{10 * args.context} characters")

    tt.manual_seed(args.seed)
    config = Config(len(task.tokenizer), args.context, args.layers, args.heads, args.width,
                    args.dropout)
    model = GPT(config).to(args.device)
    optimizer = optimizer_for(model, args.lr)
    warmup = max(1, args.steps // 20)
    scheduler = optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: schedule(step, args.steps, warmup))
    print(f"{len(task.train):,} training characters, {len(task.held_out):,} held out, vocabulary "
          f"of {len(task.tokenizer)}; {sum(p.numel() for p in model.parameters()):,} parameters")

    support.pyplot()  # import everything before settle()
    support.settle()
    run = trainer.Run("06_gpt", args, model=model, optimizer=optimizer, scheduler=scheduler)
    for step in run.steps(args.steps):
        loss = loss_of(model, *batch_of(task.train, args.context, args.batch))
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        scheduler.step()
        run.log(loss=loss)
        if step % max(1, args.steps // 20) == 0:
            run.log(loss_held_out=evaluate(model, task.held_out, args.batch, 8 * args.batch))
    run.finish()

    rate = args.steps * args.batch * args.context / run.seconds
    print(f"training: {rate:,.0f} characters per second")
    text.report({"training text, last steps": text.recent_loss(run),
                 "held-out text": evaluate(model, task.held_out, args.batch)})
    for cached in (False, True):
        tt.manual_seed(args.seed)
        start = time.perf_counter()
        ids = generate(model, task.prompt, args.length, cached, **task.restrictions)
        rate = args.length / (time.perf_counter() - start)
        print(f"generation {'with' if cached else 'without'} the cache: {rate:,.0f} characters per "
              "second")
    print(f"{'-' * 80}\n{task.tokenizer.decode(ids[0].tolist())}")


if __name__ == "__main__":
    main()
