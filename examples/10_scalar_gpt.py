"""The GPT of 06_gpt.py on single numbers: pure Python, the same weights, the same gradients.

    python examples/10_scalar_gpt.py
    python examples/10_scalar_gpt.py --steps 100    # until it invents better names

A GPT is nothing but sums, products and a few functions of numbers. Below it is written so, on
`scalar.Value`, under the names that its twin on arrays has. Both begin with the same weights, which
go across as plain nested lists, and train side by side, each with its own engine's Adam, to invent
names like those of the modules in Python's library.

What to look at: the table. In both modes the losses are equal to their last digits, and so are the
gradients of all parameters: they differ by about 1e-15 of a parameter's largest gradient at first,
and by less than 1e-14 over 40 steps, in which rounding goes its own way in each mode. The two
curves in the picture lie on each other. The price of seeing every number: scalar mode takes
about a second a step, tensor mode a few milliseconds.
"""

from __future__ import annotations

import argparse
import importlib
import math
import random
import statistics
import sys
import time
from typing import Any

import support
import text

import scalar
import tinytensor as tt
from scalar import Value, functional, nn

gpt = importlib.import_module("06_gpt")  # its name is no identifier

END = "."  # begins and ends a name

# ---------------------------------------------------------------- the model on single numbers
#
# A sequence is a list of positions, a position a list of Values.


class Whole(nn.Module):
    """A Module to which a list of lists is one sequence; other Modules take them for samples."""

    def __call__(self, x: Any) -> Any:
        return self.forward(x)


class Attention(Whole):
    """Each position looks at itself and those before it, in several ways (heads) at once."""

    def __init__(self, config: Any) -> None:
        self.heads, self.size = config.heads, config.width // config.heads
        self.qkv = nn.Linear(config.width, 3 * config.width)
        self.project = nn.Linear(config.width, config.width)

    def forward(self, x: list[list[Value]]) -> list[list[Value]]:
        qkv = self.qkv(x)
        out: list[list[Value]] = [[] for _ in x]
        for head in range(self.heads):
            query, key, value = (self._part(qkv, part, head) for part in range(3))
            for t, q in enumerate(query):
                scores = [functional.dot(q, k) / math.sqrt(self.size) for k in key[:t + 1]]
                weights = functional.softmax(scores)
                out[t] += [functional.dot(weights, v) for v in zip(*value[:t + 1], strict=True)]
        return self.project(out)

    def _part(self, qkv: list[list[Value]], part: int, head: int) -> list[list[Value]]:
        """The queries, keys or values of one head."""
        start = (part * self.heads + head) * self.size
        return [row[start:start + self.size] for row in qkv]


class Block(Whole):
    """Attention, then a small network at each position. Both add to the stream they read."""

    def __init__(self, config: Any) -> None:
        self.norm1 = nn.LayerNorm(config.width)
        self.attention = Attention(config)
        self.norm2 = nn.LayerNorm(config.width)
        self.expand = nn.Linear(config.width, 4 * config.width)
        self.project = nn.Linear(4 * config.width, config.width)

    def forward(self, x: list[list[Value]]) -> list[list[Value]]:
        x = add(x, self.attention(self.norm1(x)))
        inner = functional.gelu(self.expand(self.norm2(x)), approximate="tanh")
        return add(x, self.project(inner))


class GPT(Whole):
    """Logits for the next token at each position: T indices -> T lists of numbers."""

    def __init__(self, config: Any) -> None:
        self.tokens = nn.Embedding(config.vocabulary, config.width)
        self.positions = nn.Embedding(config.context, config.width)
        self.blocks = [Block(config) for _ in range(config.layers)]
        self.norm = nn.LayerNorm(config.width)
        self.head = nn.Linear(config.width, config.vocabulary, bias=False)
        self.head.weight = self.tokens.weight

    def forward(self, ids: list[int]) -> list[list[Value]]:
        x = add(self.tokens(ids), self.positions(list(range(len(ids)))))
        for block in self.blocks:
            x = block(x)
        return self.head(self.norm(x))


def add(x: list[list[Value]], y: list[list[Value]]) -> list[list[Value]]:
    return [[a + b for a, b in zip(*rows, strict=True)] for rows in zip(x, y, strict=True)]


# ---------------------------------------------------------------- the loss, in both modes


def scalar_loss(model: GPT, names: list[list[int]]) -> Value:
    """The mean of -ln p(next character) over all characters of the names."""
    logits = [row for name in names for row in model(name[:-1])]
    return functional.cross_entropy(logits, [i for name in names for i in name[1:]])


def tensor_loss(model: Any, names: list[list[int]]) -> Any:
    """The same on arrays: the names side by side, filled up to one length.

    What is filled up comes after the name, where none of its positions looks, and the loss leaves
    out the targets -100.
    """
    length = max(map(len, names)) - 1
    x = tt.tensor([name[:-1] + [0] * (length + 1 - len(name)) for name in names])
    y = tt.tensor([name[1:] + [-100] * (length + 1 - len(name)) for name in names])
    return gpt.loss_of(model, x, y)


def largest_difference(scalar_model: GPT, tensor_model: Any) -> float:
    """The largest |a - b| / max|b| over all parameters, a and b the gradients in the two modes."""
    grads: dict[str, list[float]] = {}
    for name, p in scalar_model.named_parameters():
        grads.setdefault(name.partition("[")[0], []).append(p.grad)
    wanted = {name: p.grad.flatten().tolist() for name, p in tensor_model.named_parameters()}
    if grads.keys() != wanted.keys():
        raise ValueError(f"the models differ in {sorted(grads.keys() ^ wanted.keys())}")
    return max(abs(a - b) / max(map(abs, wanted[name]))
               for name in grads for a, b in zip(grads[name], wanted[name], strict=True))


def twins(config: Any) -> tuple[GPT, Any]:
    """The model in scalar mode and in tensor mode (float64), with the same weights."""
    tensor_model = gpt.GPT(config).double()
    scalar_model = GPT(config)
    scalar_model.load_state_dict({k: v.tolist() for k, v in tensor_model.state_dict().items()})
    return scalar_model, tensor_model


def names_of_modules(longest: int) -> list[str]:
    """The modules of Python's library whose names have lower-case letters only, and not too many.

    They differ a little from one version of Python to the next.
    """
    return sorted(name for name in sys.stdlib_module_names
                  if name.isascii() and name.isalpha() and name.islower()
                  and len(name) <= longest)


def invent(model: Any, tokenizer: text.CharTokenizer, count: int, longest: int) -> list[str]:
    """Names that the tensor model writes."""
    start = tt.tensor([tokenizer.encode(END)] * count)
    written = gpt.generate(model, start, longest, temperature=0.7)
    return [tokenizer.decode(row).split(END)[1] for row in written.tolist()]


def plot(losses: dict[str, list[float]], path: Any) -> None:
    plt = support.pyplot()
    figure, axes = plt.subplots(figsize=(6, 3.5), dpi=120)
    for (mode, values), style in zip(losses.items(), ({"linewidth": 4, "alpha": 0.4},
                                                      {"linewidth": 1, "color": "black"}),
                                     strict=True):
        axes.plot(range(1, len(values) + 1), values, label=f"{mode} mode", **style)
    axes.set(xlabel="step", ylabel="nats a character", title="one GPT, two engines")
    axes.legend()
    axes.grid(alpha=0.3)
    figure.tight_layout()
    figure.savefig(path)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=40)
    parser.add_argument("--batch", type=int, default=8, help="names a step; default: 8")
    parser.add_argument("--seed", type=int, default=1337)
    parser.add_argument("--smoke", action="store_true", help="a few tiny steps: does it run?")
    given = parser.parse_args()
    if given.smoke:
        given.steps, given.batch = 2, 2
    if given.steps < 1 or given.batch < 1:
        parser.error("--steps and --batch must be at least 1")

    longest = 10
    names = names_of_modules(longest)
    tokenizer = text.CharTokenizer(END + "abcdefghijklmnopqrstuvwxyz")
    data = [tokenizer.encode(END + name + END) for name in names]
    tt.manual_seed(given.seed)
    rng = random.Random(given.seed)
    config = gpt.Config(len(tokenizer), context=longest + 1, layers=1, heads=2, width=16)
    scalar_model, tensor_model = twins(config)
    modes = [(scalar_loss, scalar_model, scalar.optim), (tensor_loss, tensor_model, tt.optim)]
    optimizers = [engine.Adam(model.parameters(), lr=0.02) for _, model, engine in modes]
    print(f"{len(names)} names; {len(scalar_model.parameters()):,} parameters\n\n"
          f"{'step':>4s}{'loss, scalar':>20s}{'loss, tensor':>20s}{'gradients differ by':>22s}")

    support.pyplot()  # everything is imported now
    support.settle()
    losses: list[list[float]] = [[], []]
    seconds: list[list[float]] = [[], []]
    largest = nodes = 0
    for step in support.progress(range(1, given.steps + 1), leave=False):
        batch = rng.sample(data, given.batch)
        for i, (loss_of, model, _) in enumerate(modes):
            began = time.perf_counter()
            loss = loss_of(model, batch)
            optimizers[i].zero_grad()
            loss.backward()
            optimizers[i].step()
            seconds[i].append(time.perf_counter() - began)
            losses[i].append(loss.item())
            if i == 0:
                nodes = len(scalar.topological_order(loss))
            del loss  # with its graph, which would otherwise be freed in the other mode's time
        difference = largest_difference(scalar_model, tensor_model)
        largest = max(largest, difference)
        if step == 1 or step % max(1, given.steps // 10) == 0:
            support.need("tqdm").tqdm.write(
                f"{step:4d}{losses[0][-1]:20.15f}{losses[1][-1]:20.15f}{difference:22.1e}")

    print(f"\nlargest relative difference between the gradients of all parameters in {given.steps} "
          f"steps: {largest:.1e}\n(of each parameter's largest gradient)")
    usual = [statistics.median(s[1:] or s) for s in seconds]  # the first may compile kernels
    print(f"the last step's graph: {nodes:,} Values; a step takes "
          f"{1e3 * usual[0]:.0f} ms in scalar mode, {1e3 * usual[1]:.1f} ms in tensor mode")
    path = support.output("10_scalar_gpt_loss.png")
    plot(dict(zip(("scalar", "tensor"), losses, strict=True)), path)
    print(f"loss curves: {path}")
    tensor_model.load_state_dict(scalar_model.state_dict())  # plain lists, the other way
    print(f"names by the weights that scalar mode learnt: "
          f"{', '.join(invent(tensor_model, tokenizer, 12, longest))}")


if __name__ == "__main__":
    main()
