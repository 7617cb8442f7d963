"""The GPT of 06_gpt.py on single numbers: pure Python, the same weights, the same gradients.

    python examples/10_scalar_gpt.py
    python examples/10_scalar_gpt.py --steps 100    # longer, for better names

A GPT consists of sums, products and a few functions of numbers. Here it is written so, on
`scalar.Value`, with the same names as in 06_gpt.py. Both models start from the same weights, which
are copied as nested lists. They are trained in parallel, each with the Adam of its own engine, to
invent names like those of the modules in Python's library.

What to look at: the table. The losses of both modes agree to the last digits. The gradients differ
by about 1e-15 of each parameter's largest gradient at first, and by less than 1e-14 over 40 steps,
in which rounding errors accumulate differently. The two loss curves coincide. A step takes about a
second in scalar mode and a few milliseconds in tensor mode.
"""

from __future__ import annotations

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

gpt = importlib.import_module("06_gpt")  # not an identifier, so `import` cannot name it

END = "."  # the first and the last character of each name

# ---------------------------------------------------------------- the model on single numbers
#
# A sequence is a list of positions. A position is a list of Values.


class SequenceModule(nn.Module):
    """A Module whose input is one sequence. Other Modules treat a list of lists as samples."""

    def __call__(self, x: Any) -> Any:
        return self.forward(x)


class Attention(SequenceModule):
    """Causal multi-head self-attention."""

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
        """The queries (part 0), keys (1) or values (2) of one head."""
        start = (part * self.heads + head) * self.size
        return [row[start:start + self.size] for row in qkv]


class Block(SequenceModule):
    """A Transformer block with pre-norm: x + attention(norm(x)), then x + network(norm(x))."""

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


class GPT(SequenceModule):
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
    """The elementwise sum of two sequences."""
    return [[a + b for a, b in zip(*rows, strict=True)] for rows in zip(x, y, strict=True)]


# ---------------------------------------------------------------- the loss, in both modes


def scalar_loss(model: GPT, names: list[list[int]]) -> Value:
    """The mean of -ln p(next character) over all characters of the names."""
    logits = [row for name in names for row in model(name[:-1])]
    return functional.cross_entropy(logits, [i for name in names for i in name[1:]])


def tensor_loss(model: Any, names: list[list[int]]) -> Any:
    """The same loss on arrays, with the names padded to equal length.

    The padding does not change the loss: it follows the name, so causal attention does not see it,
    and cross_entropy ignores the target -100.
    """
    length = max(map(len, names)) - 1
    x = tt.tensor([name[:-1] + [0] * (length + 1 - len(name)) for name in names])
    y = tt.tensor([name[1:] + [-100] * (length + 1 - len(name)) for name in names])
    return gpt.loss_of(model, x, y)


def largest_difference(scalar_model: GPT, tensor_model: Any) -> float:
    """The maximum of |a - b| / max|b| over all parameters; a and b are the two modes' gradients."""
    scalar_grads: dict[str, list[float]] = {}
    for name, p in scalar_model.named_parameters():
        scalar_grads.setdefault(name.partition("[")[0], []).append(p.grad)
    tensor_grads = {name: p.grad.flatten().tolist() for name, p in tensor_model.named_parameters()}
    if scalar_grads.keys() != tensor_grads.keys():
        different = sorted(scalar_grads.keys() ^ tensor_grads.keys())
        raise ValueError(f"the models have different parameters: {different}")
    return max(abs(a - b) / max(map(abs, tensor_grads[name])) for name in scalar_grads
               for a, b in zip(scalar_grads[name], tensor_grads[name], strict=True))


def twins(config: Any) -> tuple[GPT, Any]:
    """The model in scalar mode and in tensor mode (float64), with the same weights."""
    tensor_model = gpt.GPT(config).double()
    scalar_model = GPT(config)
    scalar_model.load_state_dict({k: v.tolist() for k, v in tensor_model.state_dict().items()})
    return scalar_model, tensor_model


def names_of_modules(longest: int) -> list[str]:
    """The names of Python's modules that have at most `longest` letters, all lower-case.

    They differ slightly between versions of Python.
    """
    return sorted(name for name in sys.stdlib_module_names
                  if name.isascii() and name.isalpha() and name.islower()
                  and len(name) <= longest)


def invent(model: Any, tokenizer: text.CharTokenizer, count: int, longest: int) -> list[str]:
    """Samples `count` names from the tensor model."""
    start = tt.tensor([tokenizer.encode(END)] * count)
    ids = gpt.generate(model, start, longest, temperature=0.7)
    return [tokenizer.decode(row).split(END)[1] for row in ids.tolist()]


def plot(losses: dict[str, list[float]], path: Any) -> None:
    """Draws the loss curves of both modes."""
    plt = support.pyplot()
    figure, axes = plt.subplots(figsize=(6, 3.5), dpi=120)
    for (mode, values), style in zip(losses.items(), ({"linewidth": 4, "alpha": 0.4},
                                                      {"linewidth": 1, "color": "black"}),
                                     strict=True):
        axes.plot(range(1, len(values) + 1), values, label=f"{mode} mode", **style)
    axes.set(xlabel="step", ylabel="nats per character", title="one GPT, two engines")
    axes.legend()
    axes.grid(alpha=0.3)
    figure.tight_layout()
    support.save(figure, path)


def main() -> None:
    parser = support.parser(__doc__)
    parser.add_argument("--steps", type=int, default=40,
                        help="training steps (default: %(default)s)")
    parser.add_argument("--batch", type=int, default=8,
                        help="names per step (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=1337,
                        help="the seed of the weights and batches (default: %(default)s)")
    parser.add_argument("--smoke", action="store_true",
                        help="run a few tiny steps, to check that the example works")
    args = parser.parse_args()
    if args.smoke:
        args.steps, args.batch = 2, 2
    if args.steps < 1 or args.batch < 1:
        parser.error("--steps and --batch must be at least 1")

    longest = 10
    names = names_of_modules(longest)
    tokenizer = text.CharTokenizer(END + "abcdefghijklmnopqrstuvwxyz")
    data = [tokenizer.encode(END + name + END) for name in names]
    tt.manual_seed(args.seed)
    rng = random.Random(args.seed)
    config = gpt.Config(len(tokenizer), context=longest + 1, layers=1, heads=2, width=16)
    scalar_model, tensor_model = twins(config)
    modes = [(scalar_loss, scalar_model, scalar.optim), (tensor_loss, tensor_model, tt.optim)]
    optimizers = [engine.Adam(model.parameters(), lr=0.02) for _, model, engine in modes]
    print(f"{len(names)} names; {len(scalar_model.parameters()):,} parameters\n\n"
          f"{'step':>4s}{'loss, scalar':>20s}{'loss, tensor':>20s}{'gradients differ by':>22s}")

    support.pyplot()  # import everything before settle()
    support.settle()
    losses: list[list[float]] = [[], []]
    seconds: list[list[float]] = [[], []]
    largest = nodes = 0
    for step in support.progress(range(1, args.steps + 1), leave=False):
        batch = rng.sample(data, args.batch)
        for i, (loss_of, model, _) in enumerate(modes):
            start = time.perf_counter()
            loss = loss_of(model, batch)
            optimizers[i].zero_grad()
            loss.backward()
            optimizers[i].step()
            seconds[i].append(time.perf_counter() - start)
            losses[i].append(loss.item())
            if i == 0:
                nodes = len(scalar.topological_order(loss))
            del loss  # frees the graph now, not in the measured time of the other mode
        difference = largest_difference(scalar_model, tensor_model)
        largest = max(largest, difference)
        if step == 1 or step % max(1, args.steps // 10) == 0:
            support.need("tqdm").tqdm.write(
                f"{step:4d}{losses[0][-1]:20.15f}{losses[1][-1]:20.15f}{difference:22.1e}")

    print(f"\nlargest relative difference of gradients in {args.steps} steps: {largest:.1e} "
          "of a parameter's largest gradient")
    medians = [statistics.median(s[1:] or s) for s in seconds]  # the first may compile kernels
    print(f"the graph of the last step has {nodes:,} Values; a step takes "
          f"{1e3 * medians[0]:.0f} ms in scalar mode and {1e3 * medians[1]:.1f} ms in tensor mode")
    path = support.output("10_scalar_gpt_loss.png")
    plot(dict(zip(("scalar", "tensor"), losses, strict=True)), path)
    print(f"loss curves: {path}")
    tensor_model.load_state_dict(scalar_model.state_dict())  # nested lists, copied back
    print(f"names sampled with the weights of scalar mode: "
          f"{', '.join(invent(tensor_model, tokenizer, 12, longest))}")


if __name__ == "__main__":
    main()
