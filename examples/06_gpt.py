"""A GPT on characters: a decoder-only Transformer that learns to write Python.

    python examples/06_gpt.py                        # learns the source of Python's library
    python examples/06_gpt.py --text novel.txt       # or any text
    python examples/06_gpt.py --resume --prompt "class Test" --top-p 0.9   # trained: writes more
    python examples/06_gpt.py --device cuda --layers 6 --width 384 --context 256 --batch 64

The loss is the mean of -ln p(next character) in nats; divided by ln 2 it is the bits that a
compressor with this model would need for a character. A uniform guess costs ln 96 = 4.56 nats.

What to look at: curves.png. The loss falls to 3.2 within ten steps (how frequent each character
is), to 2.3 within sixty (which follows which), and then slowly, as words, indentation and brackets
are learnt: to 1.15 nats after 1000 steps, and on the held-out modules to 1.37, or 1.97 bits. Where
the two part, the model has begun to learn its text by heart. At the end it writes twice: with the
cache of keys and values each character costs the work of one position, without it that of the
whole context.
"""

from __future__ import annotations

import argparse
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
    context: int = 64  # how many characters it can look at
    layers: int = 4
    heads: int = 4
    width: int = 128
    dropout: float = 0.0


class Cache:
    """The keys and values of one Attention for the positions that it has seen.

    With it a model reads a text piece by piece, and each piece costs only its own positions.
    Shapes: (N, heads, context, width / heads), of which the first `length` positions are filled.
    """

    def __init__(self, config: Config, count: int, like: Any) -> None:
        shape = (count, config.heads, config.context, config.width // config.heads)
        self.keys, self.values = like.new_empty(shape), like.new_empty(shape)
        self.length = 0

    def extend(self, keys: Any, values: Any) -> tuple[Any, Any]:
        """Takes in the next positions; the keys and values of all so far."""
        start, self.length = self.length, self.length + keys.shape[2]
        self.keys[:, :, start:self.length] = keys
        self.values[:, :, start:self.length] = values
        return self.keys[:, :, :self.length], self.values[:, :, :self.length]


class Attention(nn.Module):
    """Each position looks at itself and those before it, in several ways (heads) at once."""

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
            if t > 1:  # the last query may look at every key, the one before it at all but one, ...
                mask = tt.ones(t, cache.length, dtype=tt.bool, device=x.device)
                mask = mask.tril(cache.length - t)
        out = functional.scaled_dot_product_attention(
            query, key, value, attn_mask=mask, is_causal=cache is None,
            dropout_p=self.dropout if self.training else 0.0)
        return self.project(out.transpose(1, 2).reshape(n, t, width))


class Block(nn.Module):
    """Attention, then a small network at each position. Both add to the stream they read."""

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

    As in GPT-2 (Radford et al. 2019): norms before attention and network, learnt positions, and
    one matrix that turns tokens into vectors and vectors into logits.
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
                # GPT-2 has 0.02 at its width of 768; narrower matrices may begin larger. What adds
                # to the stream, in 2 · layers places, begins smaller, so that the stream stays.
                adders = 2 * config.layers if name.endswith("project.weight") else 1
                nn.init.normal_(parameter, std=1 / math.sqrt(2 * config.width * adders))

    def caches(self, count: int) -> list[Cache]:
        """Empty caches for `count` texts, one for each block, to be handed to `forward`."""
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
    """Random windows of a text and what follows each character: (size, context) both."""
    starts = tt.randint(len(ids) - context, (size,)).tolist()
    return (tt.stack([ids[i:i + context] for i in starts]),
            tt.stack([ids[i + 1:i + context + 1] for i in starts]))


def loss_of(model: Any, x: Any, y: Any) -> Any:
    """Nats a character."""
    return functional.cross_entropy(model(x).flatten(0, 1), y.flatten())


@tt.no_grad()
def evaluate(model: GPT, ids: Any, size: int, most: int | None = None) -> float:
    """Nats a character over windows of the text that follow each other, at most so many."""
    context = model.config.context
    count = min((len(ids) - 1) // context, most or len(ids))
    x = ids[:count * context].view(count, context)
    y = ids[1:count * context + 1].view(count, context)
    model.eval()
    total = sum(loss_of(model, x[i:i + size], y[i:i + size]).item() * len(x[i:i + size])
                for i in range(0, count, size))
    model.train()
    return total / count


def optimizer_for(model: nn.Module, lr: float) -> optim.AdamW:
    """AdamW, with weight decay for matrices and none for biases and the gains of norms."""
    parameters = list(model.parameters())
    groups = [{"params": [p for p in parameters if p.ndim >= 2], "weight_decay": 0.1},
              {"params": [p for p in parameters if p.ndim < 2], "weight_decay": 0.0}]
    return optim.AdamW(groups, lr=lr, betas=(0.9, 0.95))


def schedule(step: int, steps: int, warmup: int) -> float:
    """What to multiply the learning rate by: a straight rise, then a cosine down to a tenth."""
    if step < warmup:
        return (step + 1) / warmup
    done = (step - warmup) / max(1, steps - warmup)
    return 0.55 + 0.45 * math.cos(math.pi * done)


# ---------------------------------------------------------------- writing


@tt.no_grad()
def generate(model: GPT, ids: Any, length: int, cached: bool = True, **restrictions: Any) -> Any:
    """The ids with `length` more, each drawn after what stands before it: (N, T + length).

    A text that outgrows the context goes on from its last half, as if it began there: positions
    are counted anew, so the caches are filled anew, once every half context.
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
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=1000)
    parser.add_argument("--batch", type=int, default=32, help="windows a step; default: 32")
    parser.add_argument("--context", type=int, default=64, help="characters; default: 64")
    parser.add_argument("--layers", type=int, default=4)
    parser.add_argument("--heads", type=int, default=4)
    parser.add_argument("--width", type=int, default=128)
    parser.add_argument("--dropout", type=float, default=0.0)
    parser.add_argument("--lr", type=float, default=4e-3, help="the highest; default: 0.004")
    text.arguments(parser)
    trainer.arguments(parser, seed=1337)
    given = parser.parse_args()
    if given.smoke:
        given.steps, given.batch, given.context, given.layers, given.width = 6, 4, 16, 2, 16
        given.length = 24
    if min(given.steps, given.batch, given.context, given.layers, given.heads) < 1 \
            or given.width < 1 or given.width % given.heads:
        parser.error("--steps, --batch, --context, --layers, --heads must be at least 1, and "
                     "--width a multiple of --heads")
    task = text.prepare(parser, given)
    if len(task.held_out) <= given.context:
        parser.error(f"--context {given.context} needs a text of more than "
                     f"{10 * given.context} characters")

    tt.manual_seed(given.seed)
    config = Config(len(task.tokenizer), given.context, given.layers, given.heads, given.width,
                    given.dropout)
    model = GPT(config).to(given.device)
    optimizer = optimizer_for(model, given.lr)
    warmup = max(1, given.steps // 20)
    scheduler = optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: schedule(step, given.steps, warmup))
    print(f"{len(task.train):,} characters to learn from, {len(task.held_out):,} held out, "
          f"{len(task.tokenizer)} kinds; {sum(p.numel() for p in model.parameters()):,} parameters")

    support.pyplot()  # everything is imported now
    support.settle()
    run = trainer.Run("06_gpt", given, model=model, optimizer=optimizer, scheduler=scheduler)
    for step in run.steps(given.steps):
        loss = loss_of(model, *batch_of(task.train, given.context, given.batch))
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        scheduler.step()
        run.log(loss=loss)
        if step % max(1, given.steps // 20) == 0:
            run.log(loss_held_out=evaluate(model, task.held_out, given.batch, 8 * given.batch))
    run.finish()

    print(f"{given.steps * given.batch * given.context / run.seconds:,.0f} characters a second in "
          "training")
    text.report({"training text, last steps": text.recent_loss(run),
                 "held-out text": evaluate(model, task.held_out, given.batch)})
    for cached in (False, True):
        tt.manual_seed(given.seed)
        began = time.perf_counter()
        written = generate(model, task.prompt, given.length, cached, **task.restrictions)
        rate = given.length / (time.perf_counter() - began)
        print(f"{rate:,.0f} characters a second in writing, "
              f"{'with' if cached else 'without'} the cache of keys and values")
    print(f"{'-' * 80}\n{task.tokenizer.decode(written[0].tolist())}")


if __name__ == "__main__":
    main()
